//! How long a critical report is under way, and what five thousand of them cost.
//!
//! `cargo bench --bench reports`. The server is the example manager, in the same process, over loopback TLS. Times count from the call
//! of `submit` to the event `uploaded`: the way of the acknowledgement back is in them.
#![allow(
    unreachable_pub,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a program that measures, not a library"
)]

#[path = "../examples/manager/server/mod.rs"]
#[allow(
    dead_code,
    unused_imports,
    reason = "the bench needs only some of what a manager can do, and none of its tests"
)]
mod server;
#[path = "support/table.rs"]
mod table;

use std::net::Ipv4Addr;
use std::thread;
use std::time::{Duration, Instant};

use homing::client::{Client, ClientEvent};
use homing::engine::Event;
use homing::settings::Settings;
use homing::types::{Durability, Lane, Report, ReportKind};
use server::{Authority, Behaviour, Config, Document, Manager};
use table::Table;

/// Longer than reports gather behind the first of a burst.
const BETWEEN: Duration = Duration::from_millis(1_100);
/// Longer than the connection is kept after a report.
const AFTER_CLOSE: Duration = Duration::from_millis(6_000);
const LONG: Duration = Duration::from_secs(60);
const DETECTIONS: u32 = 5_000;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let site = Site::new()?;
    let mut table = Table::new("a critical report, attached: from the submit to the acknowledgement");
    let client = site.client()?;
    attached(&client)?;
    let kept = median(50, || {
        thread::sleep(BETWEEN);
        delivered(&client)
    })?;
    table.at_most("over the kept connection, median of 50", kept, 1.0, "ms");
    let anew = median(15, || {
        thread::sleep(AFTER_CLOSE);
        delivered(&client)
    })?;
    table.at_most("over a new connection (TLS 1.3, resumed), median of 15", anew, 3.0, "ms");
    drop(client);

    let mut table = Table::new("a critical report, detached, a living server of one");
    let beyond = median(15, || site.detached())?;
    table.at_most("to the acknowledgement, beyond the attach; median of 15", beyond, 5.0, "ms");

    let mut table = Table::new(&format!("{DETECTIONS} detections in a minute"));
    let before = site.manager.counts();
    let client = site.client()?;
    attached(&client)?;
    let first = burst(&client)?;
    let after = site.manager.counts();
    table.at_most("the first of them", first, 5.0, "ms");
    table.at_most("requests", (after.uploads - before.uploads) as f64, 100.0, "");
    table.at_least(
        "in the books of the server",
        (after.reports - before.reports) as f64,
        DETECTIONS.into(),
        "",
    );
    table.at_most("that came again", (after.repeated_reports - before.repeated_reports) as f64, 0.0, "");
    Ok(())
}

/// A manager, and the settings that lead to it.
struct Site {
    manager: Manager,
    settings: Settings,
    _folder: tempfile::TempDir,
}

impl Site {
    fn new() -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        let authority = Authority::new("homing bench, throw-away authority")?;
        let bundle = folder.path().join("authority.pem");
        std::fs::write(&bundle, authority.pem())?;
        let address = Ipv4Addr::LOCALHOST;
        let manager = Manager::start(Config {
            name: "bench".to_owned(),
            https: Some(((address, 0).into(), authority.issue(&[address.to_string()])?)),
            http: None,
            settings: Document::None,
            policy: Document::Text(bytes::Bytes::from_static(b"{}")),
            behaviour: Behaviour::Well,
        })?;
        let port = manager.https.map(|address| address.port());
        let document = serde_json::json!({
            "certificate": { "roots": [{ "bundle": bundle }] },
            "server_lists": [{ "name": "main", "priorities": [{ "servers": [
                { "address": address, "https_port": port }
            ] }] }],
            "group": { "name": "g", "communication": { "heartbeat_interval": "300s" } },
        });
        Ok(Self { manager, settings: document.to_string().parse()?, _folder: folder })
    }

    fn client(&self) -> Result<Client, Failure> {
        Ok(Client::builder(self.settings.clone(), "agent-1".parse()?).status("all is well").start()?)
    }

    /// How long a report takes whose agent has no server when it is submitted, less what the attach took, in milliseconds.
    fn detached(&self) -> Result<f64, Failure> {
        self.manager.misbehave(Behaviour::Refuse);
        let client = self.client()?;
        until(&client, |event| matches!(event.event, Event::Waiting { .. }).then_some(()))?;
        self.manager.misbehave(Behaviour::Well);
        let began = Instant::now();
        submit(&client)?;
        let attach = until(&client, |event| {
            if let Event::Attached { elapsed, .. } = &event.event { Some(*elapsed) } else { None }
        })?;
        acknowledged(&client)?;
        Ok(milliseconds(began.elapsed()) - milliseconds(attach.0))
    }
}

/// Submits what an outbreak does. Returns how long the first one took, in milliseconds.
fn burst(client: &Client) -> Result<f64, Failure> {
    let began = Instant::now();
    let mut first = None;
    let mut taken = 0;
    let mut note = |event: ClientEvent| {
        if let Event::Uploaded { reports, .. } = event.event {
            first.get_or_insert_with(|| milliseconds(began.elapsed()));
            taken += reports;
        }
    };
    for number in 0..DETECTIONS {
        submit(client)?;
        let next = began + LONG * (number + 1) / DETECTIONS;
        while let Some(event) = client.next_event_timeout(next.saturating_duration_since(Instant::now()))? {
            note(event);
        }
    }
    while let Some(event) = client.next_event_timeout(Duration::from_secs(5))? {
        note(event);
    }
    if taken != u64::from(DETECTIONS) {
        return Err(format!("{taken} were acknowledged").into());
    }
    first.ok_or_else(|| "none was acknowledged".into())
}

fn submit(client: &Client) -> Result<(), Failure> {
    let body = b"a risk was found in a file of the user".to_vec();
    client.submit(Report { kind: ReportKind::RiskFound, body }, Durability::Buffered)?;
    Ok(())
}

/// How long a report takes, in milliseconds.
fn delivered(client: &Client) -> Result<f64, Failure> {
    let began = Instant::now();
    submit(client)?;
    acknowledged(client)?;
    Ok(milliseconds(began.elapsed()))
}

fn attached(client: &Client) -> Result<(), Failure> {
    until(client, |event| matches!(event.event, Event::Heartbeat { .. }).then_some(()))
}

fn acknowledged(client: &Client) -> Result<(), Failure> {
    until(client, |event| matches!(event.event, Event::Uploaded { lane: Lane::Critical, .. }).then_some(()))
}

fn until<T>(client: &Client, mut wanted: impl FnMut(&ClientEvent) -> Option<T>) -> Result<T, Failure> {
    let end = Instant::now() + LONG;
    while let Some(event) = client.next_event_timeout(end.saturating_duration_since(Instant::now()))? {
        if let Some(found) = wanted(&event) {
            return Ok(found);
        }
    }
    Err(client.explain().into())
}

fn median(runs: usize, mut one: impl FnMut() -> Result<f64, Failure>) -> Result<f64, Failure> {
    let mut figures = (0..runs).map(|_| one()).collect::<Result<Vec<_>, _>>()?;
    figures.sort_by(f64::total_cmp);
    Ok(figures[runs / 2])
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
