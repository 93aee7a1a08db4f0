//! What an agent does while nothing happens: wake-ups and threads.
//!
//! `cargo bench --bench idle`, or with a number of seconds (60). It must be below 150: with an interval of 5 min no
//! heartbeat is due for that long after the attach, so nothing at all may wake the thread.
#![allow(
    unreachable_pub,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a program that measures, not a library"
)]

#[path = "heartbeat/server.rs"]
mod server;
#[path = "support/table.rs"]
mod table;

use std::path::{Path, PathBuf};
use std::time::Duration;

use homing::client::Client;
use homing::engine::Event;
use homing::settings::Settings;
use table::Table;

/// What the agent says; the server waits for as many bytes.
const STATUS: &str = "all is well";

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", authority] => Ok(server::serve(Path::new(authority))?),
        [seconds] => measure(seconds.parse()?),
        _ => measure(60),
    }
}

fn measure(seconds: u64) -> Result<(), Failure> {
    let authority = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("idle.pem");
    let server = server::Process::start(&authority)?;
    let document = serde_json::json!({
        "certificate": { "roots": [{ "bundle": authority }] },
        "server_lists": [{ "name": "main", "priorities": [{ "servers": [
            { "address": "127.0.0.1", "https_port": server.port }
        ] }] }],
        "group": { "name": "g", "communication": { "heartbeat_interval": "300s" } },
    });
    let settings: Settings = document.to_string().parse()?;
    let client = Client::builder(settings, "agent-1".parse()?).status(STATUS).start()?;
    for event in client.events() {
        if matches!(event.event, Event::Heartbeat { .. }) {
            break;
        }
    }
    // The goodbye of the connection that is not kept is over soon.
    std::thread::sleep(Duration::from_secs(2));
    let before = threads()?;
    std::thread::sleep(Duration::from_secs(seconds));
    let after = threads()?;

    let mut table = Table::new(&format!("{seconds} s of an attached agent, heartbeat every 5 min"));
    let wakes = |threads: &[(String, f64)]| {
        threads.iter().filter(|(name, _)| name == "homing").map(|(_, switches)| switches).sum::<f64>()
    };
    table.at_most("wake-ups of its thread (context switches)", wakes(&after) - wakes(&before), 0.0, "");
    let others = after.len() - 1;
    table.at_most("threads beside the program's own", others as f64, 1.0, "");
    client.stop(Duration::ZERO);
    Ok(())
}

/// Every thread of this process by name, with its context switches of both kinds.
fn threads() -> Result<Vec<(String, f64)>, Failure> {
    let mut threads = Vec::new();
    for task in std::fs::read_dir("/proc/self/task")? {
        let status = std::fs::read_to_string(task?.path().join("status"))?;
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let switches = ["voluntary_ctxt_switches:", "nonvoluntary_ctxt_switches:"]
            .map(|name| field(name).and_then(|number| number.parse::<f64>().ok()).unwrap_or_default());
        threads.push((field("Name:").unwrap_or_default().to_owned(), switches.iter().sum()));
    }
    Ok(threads)
}
