//! An agent that runs against the servers of a settings document.

use std::error::Error;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use homing::client::{Client, ClientEvent, LogLevel};
use homing::engine::{Event, Tuning};
use homing::settings::{Settings, Source};
use homing::store::outbox::{Limits, Outbox};
use homing::types::{Durability, Printable, Report, ReportKind, Span};
use serde_json::{Value, json};

use crate::arguments::Arguments;
use crate::signals::{self, Signal};
use crate::terminal::{page, say};
use crate::timeline::{Layout, Line};

/// Time for a running exchange to end when the agent is told to.
const GRACE: Duration = Duration::from_secs(2);

/// What the agent says of itself with each heartbeat. A product says more.
const STATUS: &str = r#"{"state":"fine"}"#;

/// What the main thread waits for.
enum Message {
    Event(ClientEvent),
    Interrupted,
    /// Read the settings again.
    Reload,
    /// A line of standard input: a report.
    Report(String),
}

/// Runs until Ctrl-C or until the time is over. An agent that was to run for some time and never attached has failed.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let (send, inbox) = mpsc::channel();
    let message = send.clone();
    signals::listen(move |signal| {
        // The main thread may be gone already.
        let _ = message.send(match signal {
            Signal::End => Message::Interrupted,
            Signal::Reload => Message::Reload,
        });
    })?;

    let settings = settings(&arguments.settings, arguments.authority.as_deref())?;
    let id = arguments.id.clone().map_or_else(|| "example-agent".parse(), Ok)?;
    let tuning = match &arguments.tuning {
        Some(path) => {
            Tuning::parse(&read(path)?).map_err(|error| format!("{}: {error}", Printable(path.display())))?
        }
        None => Tuning::default(),
    };
    let mut teller = Teller { json: arguments.json, layout: layout(&settings, &tuning), attached: false };
    let inputs = send.clone();
    let mut builder = Client::builder(settings, id).status(STATUS).tuning(tuning.clone());
    builder = builder.on_log(LogLevel::Warn, |_, message| eprintln!("agent: {message}"));
    builder = builder.on_event(move |_, event| {
        let _ = send.send(Message::Event(event.clone()));
    });
    if !arguments.routes.is_empty() {
        builder = builder.routes(arguments.routes.iter().cloned());
    }
    if arguments.accept {
        builder = builder.accept_settings();
    }
    if let Some(folder) = &arguments.state {
        builder = builder.state_folder(folder);
    }
    if let Some(folder) = &arguments.outbox {
        builder = builder.outbox(Outbox::open(folder, Limits::default()));
        listen_to_standard_input(inputs);
    }
    if let Some(identity) = &arguments.identity {
        builder = builder.identity(identity.clone());
    }
    let client =
        builder.start().map_err(|error| format!("{}: {error}", Printable(arguments.settings.display())))?;

    let end = arguments.duration.map(|duration| Instant::now() + duration);
    loop {
        match next(&inbox, end) {
            Some(Message::Event(event)) => teller.tell(&event),
            Some(Message::Reload) => match reload(&client, arguments) {
                Ok(settings) => teller.layout = layout(&settings, &tuning),
                // Settings that are no good change nothing.
                Err(error) => eprintln!("agent: the settings stay as they are: {error}"),
            },
            Some(Message::Report(line)) => {
                if let Err(error) = submit(&client, &line) {
                    eprintln!("agent: not reported: {error}");
                }
            }
            Some(Message::Interrupted) | None => break,
        }
    }
    if arguments.explain && arguments.json {
        // Standard output belongs to the events.
        eprintln!("{}", client.explain().trim_end());
    } else if arguments.explain {
        page(&client.explain());
    }
    client.stop(GRACE);
    // What happened on the way out; the last event is `stopped`.
    while let Ok(message) = inbox.recv_timeout(GRACE) {
        let Message::Event(event) = message else { continue };
        teller.tell(&event);
        if event.event == (Event::Stopped {}) {
            break;
        }
    }
    match arguments.duration {
        Some(duration) if !teller.attached => {
            Err(format!("no server was attached within {}", Span(duration).brief()).into())
        }
        Some(_) | None => Ok(()),
    }
}

/// Each line of standard input is a message, until there are no more. The thread ends with the program.
fn listen_to_standard_input(send: mpsc::Sender<Message>) {
    thread::spawn(move || {
        for line in io::stdin().lines().map_while(Result::ok) {
            if send.send(Message::Report(line)).is_err() {
                return;
            }
        }
    });
}

/// Submits a line `KIND TEXT`; it is on the disk when this returns.
fn submit(client: &Client, line: &str) -> Result<(), Box<dyn Error>> {
    let (kind, text) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
    let known = ReportKind::ALL.into_iter().find(|known| known.as_str() == kind);
    let kind = known.ok_or_else(|| format!("`{}` is no kind of report; see --help", Printable(kind)))?;
    let id = client.submit(Report { kind, body: text.into() }, Durability::Durable)?;
    eprintln!("agent: reported as {id}");
    Ok(())
}

/// Puts the settings in force as they are in the file now.
fn reload(client: &Client, arguments: &Arguments) -> Result<Settings, Box<dyn Error>> {
    let path = &arguments.settings;
    let settings = settings(path, arguments.authority.as_deref())?;
    client
        .reconfigure(settings.clone())
        .map_err(|error| format!("{}: {error}", Printable(path.display())))?;
    eprintln!("agent: {} is read again", Printable(path.display()));
    Ok(settings)
}

fn layout(settings: &Settings, tuning: &Tuning) -> Layout {
    Layout::new(settings.servers().iter(), tuning.time_scale())
}

/// The next message; `None` when the time is over.
fn next(inbox: &mpsc::Receiver<Message>, end: Option<Instant>) -> Option<Message> {
    match end {
        Some(end) => inbox.recv_timeout(end.saturating_duration_since(Instant::now())).ok(),
        None => inbox.recv().ok(),
    }
}

/// Prints events.
struct Teller {
    json: bool,
    layout: Layout,
    /// Whether the agent was ever attached.
    attached: bool,
}

impl Teller {
    fn tell(&mut self, event: &ClientEvent) {
        self.attached |= matches!(event.event, Event::Attached { .. });
        if self.json {
            match serde_json::to_string(event) {
                Ok(line) => say!("{line}"),
                Err(error) => eprintln!("agent: {event:?}: {error}"),
            }
        } else if let Some(line) = Line::of(&event.event, self.layout) {
            line.print(event.at, self.layout);
        }
    }
}

/// Reads the settings, and says on standard error what was ignored; what else is odd about them the client tells as events.
/// `authority` replaces the certificate policy of the document.
fn settings(path: &Path, authority: Option<&Path>) -> Result<Settings, Box<dyn Error>> {
    let mut text = read(path)?;
    if let Some(authority) = authority {
        let mut document: Value = serde_json::from_slice(&text)
            .map_err(|error| format!("{}: {error}", Printable(path.display())))?;
        if let Some(fields) = document.as_object_mut() {
            fields.insert("certificate".to_owned(), json!({ "roots": [{ "bundle": authority }] }));
        }
        text = document.to_string().into_bytes();
    }
    let parsed = Settings::parse(&text, Source::Person)
        .map_err(|error| format!("{}: {error}", Printable(path.display())))?;
    for warning in &parsed.warnings {
        eprintln!("agent: {}: {warning}", Printable(path.display()));
    }
    Ok(parsed.settings)
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{}: {error}", Printable(path.display())))
}
