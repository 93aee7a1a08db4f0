//! An agent that runs against the servers of a settings document.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use homing::client::{Client, ClientEvent};
use homing::engine::{Event, Tuning};
use homing::settings::{Settings, Source};
use serde_json::{Value, json};

use crate::arguments::Arguments;
use crate::timeline::Line;

/// Time for a running exchange to end when the agent is told to.
const GRACE: Duration = Duration::from_secs(2);

/// What the agent says of itself with each heartbeat. A product says more.
const STATUS: &str = r#"{"state":"fine"}"#;

/// What the main thread waits for.
enum Message {
    Event(ClientEvent),
    Interrupted,
}

/// Runs until Ctrl-C or until the time is over.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let (send, inbox) = mpsc::channel();
    let interrupt = send.clone();
    ctrlc::set_handler(move || {
        // The main thread may be gone already.
        let _ = interrupt.send(Message::Interrupted);
    })?;

    let settings = settings(&arguments.settings, arguments.authority.as_deref())?;
    let id = arguments.id.clone().map_or_else(|| "example-agent".parse(), Ok)?;
    let mut builder = Client::builder(settings).agent_id(id).status(STATUS).on_event(move |_, event| {
        let _ = send.send(Message::Event(event.clone()));
    });
    if let Some(path) = &arguments.tuning {
        let tuning = Tuning::parse(&read(path)?).map_err(|error| format!("{}: {error}", path.display()))?;
        builder = builder.tuning(tuning);
    }
    if let Some(folder) = &arguments.state {
        builder = builder.state_folder(folder);
    }
    let client = builder.start()?;

    let end = arguments.duration.map(|duration| Instant::now() + duration);
    while let Some(Message::Event(event)) = next(&inbox, end) {
        print(&event, arguments.json);
    }
    if arguments.explain && arguments.json {
        // Standard output belongs to the events.
        eprintln!("{}", client.explain().trim_end());
    } else if arguments.explain {
        println!("{}", client.explain().trim_end());
    }
    client.stop(GRACE);
    // What happened on the way out; the last event is `stopped`.
    while let Ok(Message::Event(event)) = inbox.recv_timeout(GRACE) {
        print(&event, arguments.json);
        if event.event == (Event::Stopped {}) {
            break;
        }
    }
    Ok(())
}

/// The next message; `None` when the time is over.
fn next(inbox: &mpsc::Receiver<Message>, end: Option<Instant>) -> Option<Message> {
    match end {
        Some(end) => inbox.recv_timeout(end.saturating_duration_since(Instant::now())).ok(),
        None => inbox.recv().ok(),
    }
}

fn print(event: &ClientEvent, json: bool) {
    if json {
        match serde_json::to_string(event) {
            Ok(line) => println!("{line}"),
            Err(error) => eprintln!("agent: {event:?}: {error}"),
        }
    } else if let Some(line) = Line::of(&event.event) {
        line.print(event.at);
    }
}

/// Reads the settings, and says on standard error what was ignored; what else is odd about them the client tells as events.
/// `authority` replaces the certificate policy of the document.
fn settings(path: &Path, authority: Option<&Path>) -> Result<Settings, Box<dyn Error>> {
    let mut text = read(path)?;
    if let Some(authority) = authority {
        let mut document: Value =
            serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        if let Some(fields) = document.as_object_mut() {
            fields.insert("certificate".to_owned(), json!({ "roots": [{ "bundle": authority }] }));
        }
        text = document.to_string().into_bytes();
    }
    let parsed =
        Settings::parse(&text, Source::Person).map_err(|error| format!("{}: {error}", path.display()))?;
    for warning in &parsed.warnings {
        eprintln!("agent: {}: {warning}", path.display());
    }
    Ok(parsed.settings)
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}
