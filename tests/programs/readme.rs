//! The README's ten lines last as long as the client.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use homing::client::{Client, Ended};
use homing::engine::Event;
use homing::settings::Settings;
use serde_json::json;

use crate::programs::example;
use crate::server::{Behaviour, Config, Document, Manager};

/// Only a test that fails waits this long.
const BOUND: Duration = Duration::from_secs(60);

/// In which an agent that has nothing to do says nothing.
const QUIET: Duration = Duration::from_millis(300);

/// What a README says in this language.
fn block(language: &str) -> &'static str {
    let text = include_str!("../../README.md");
    let (_, rest) = text.split_once(&format!("```{language}\n")).unwrap();
    rest.split_once("```").unwrap().0
}

/// A server, the settings of an agent that has nothing to do for a long time, and the event it says last before that.
fn situations() -> Vec<(Manager, String, &'static str)> {
    [
        (Behaviour::Well, json!({ "enabled": false }), "state"),
        (Behaviour::Well, json!({ "heartbeat_interval": "24h" }), "attached"),
        (
            Behaviour::Status { status: 429, retry_after: Some("21600".to_owned()) },
            json!({ "heartbeat_interval": "10s" }),
            "waiting",
        ),
    ]
    .map(|(behaviour, communication, last)| {
        let manager = Manager::start(Config {
            name: "a".to_owned(),
            https: None,
            http: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
            settings: Document::None,
            policy: Document::Text(bytes::Bytes::from_static(b"{}")),
            behaviour,
        })
        .unwrap();
        let port = manager.http.unwrap().port();
        let server = json!({ "address": "127.0.0.1", "protocol": "http", "http_port": port });
        let document = json!({
            "server_lists": [{ "name": "l", "priorities": [{ "servers": [server] }] }],
            "group": { "communication": communication },
        });
        (manager, document.to_string(), last)
    })
    .into()
}

#[test]
fn the_ten_lines_are_an_example_that_is_built() {
    assert!(include_str!("../../examples/ten_lines.rs").ends_with(block("rust,no_run")));
}

/// A program at work, killed with the test.
struct Running {
    process: Child,
    lines: Receiver<String>,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already, or it does now.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn the_ten_lines_last_through_any_wait() {
    let folder = tempfile::tempdir().unwrap();
    for (_manager, settings, last) in situations() {
        std::fs::write(folder.path().join("settings.json"), &settings).unwrap();
        let mut program = example("ten_lines");
        let mut process = program.current_dir(folder.path()).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let (send, lines) = channel();
        thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
        let mut running = Running { process, lines };
        let kind = format!("\"event\":\"{last}\"");
        while !running.lines.recv_timeout(BOUND).expect(last).contains(&kind) {}
        // Then three waits: it may say a little more, and it is still there.
        for _ in 0..3 {
            while running.lines.recv_timeout(QUIET) != Err(RecvTimeoutError::Timeout) {
                assert!(running.process.try_wait().unwrap().is_none(), "ended after {last}: {settings}");
            }
        }
        assert!(running.process.try_wait().unwrap().is_none(), "ended after {last}: {settings}");
    }
}

#[test]
fn nothing_in_time_is_not_the_end() {
    for (_manager, settings, last) in situations() {
        let settings: Settings = settings.parse().unwrap();
        let client = Client::builder(settings, "laptop-0042".parse().unwrap()).start().unwrap();
        let mut waits = 0;
        while waits < 3 {
            let event = client.next_event_timeout(QUIET).unwrap_or_else(|ended| panic!("{last}: {ended}"));
            waits = if event.is_some() { 0 } else { waits + 1 };
        }
        assert!(!client.has_ended(), "{last}");
        client.begin_stop(Duration::ZERO);
        // The rest, to the last, and then no more.
        assert_eq!(client.events().last().map(|event| event.event), Some(Event::Stopped {}), "{last}");
        assert_eq!(client.next_event_timeout(BOUND), Err(Ended), "{last}");
        assert_eq!(client.events().next(), None, "{last}");
    }
}
