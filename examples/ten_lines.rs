//! The ten lines of the README. `cargo run --example ten_lines` in a folder with a `settings.json`.

use homing::{client::Client, settings::Settings};
use std::io::Write;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let settings: Settings = std::fs::read_to_string("settings.json")?.parse()?;
    let client = Client::builder(settings, "laptop-0042".parse()?).status("all is well").start()?;
    for event in client.events() {
        writeln!(std::io::stdout(), "{}", serde_json::to_string(&event)?)?;
    }
    Ok(())
}
