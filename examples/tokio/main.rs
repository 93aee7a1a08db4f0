//! An agent in a program on tokio. `cargo run --example tokio` in a folder with a `settings.json`.

#[cfg(unix)]
mod async_events;

#[cfg(unix)]
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    use std::io::Write;

    let settings: homing::settings::Settings = std::fs::read_to_string("settings.json")?.parse()?;
    let client = homing::client::Client::builder(settings, "laptop-0042".parse()?).start()?;
    let events = async_events::AsyncEvents::new(client)?;
    writeln!(std::io::stdout(), "{}", events.client().explain())?;
    while let Some(event) = events.next().await? {
        writeln!(std::io::stdout(), "{event}")?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn main() {}
