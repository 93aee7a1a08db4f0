//! An agent whose process is killed at any instant of a trial is not stranded by the settings it tried, and takes the correction.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::programs::example;
use crate::server::{Behaviour, Config, Document, Manager};

/// A twentieth of every duration, but for what decides that a server is slow.
const TUNING: &str = r#"{ "time_scale": 0.05, "attachment": {
    "crossing": "20s", "patience": "30s", "reserve": "60s", "silence_least": "100s", "silence_most": "200s",
    "connect_limit": "200s", "tls_limit": "200s", "exchange_limit": "300s", "attempt_limit": "400s" } }"#;

/// Longer than any step of this takes on a busy machine.
const LONG: Duration = Duration::from_secs(300);

/// The trial of wrong settings takes 6 s here, and somewhat more.
const WITHIN_MS: u64 = 9_000;

/// Settings with one server, from which settings are taken.
fn settings(port: u16, interval: &str) -> Value {
    let server = json!({ "address": "127.0.0.1", "protocol": "http", "http_port": port, "id": "a" });
    json!({
        "server_lists": [{ "name": "l", "priorities": [{ "servers": [server] }] }],
        "group": { "accept_settings_over_http": true, "communication": { "heartbeat_interval": interval } },
    })
}

/// An agent process and what it tells, line by line.
struct Agent {
    process: Child,
    told: Receiver<Value>,
}

impl Agent {
    fn start(folder: &Path) -> Self {
        let mut agent = example("agent");
        agent
            .arg("--settings")
            .arg(folder.join("settings.json"))
            .arg("--tuning")
            .arg(folder.join("tuning.json"));
        agent.arg("--state").arg(folder.join("state")).args(["--accept", "--json"]);
        let mut process = agent.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let (send, told) = channel();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                // The last line of a process that was killed may be half of one.
                let Ok(event) = serde_json::from_str(&line) else { return };
                if send.send(event).is_err() {
                    return;
                }
            }
        });
        Self { process, told }
    }

    /// The next event of one of these kinds.
    fn until(&self, kinds: &[&str], run: usize) -> String {
        let end = Instant::now() + LONG;
        loop {
            let event = self.told.recv_timeout(end.saturating_duration_since(Instant::now()));
            let event = event.unwrap_or_else(|error| panic!("run {run}: no {kinds:?}: {error}"));
            let kind = event["event"].as_str().unwrap();
            if kinds.contains(&kind) {
                return kind.to_owned();
            }
            assert_ne!(kind, "settings_in_force", "run {run}: {event}");
        }
    }

    /// The settings are given up. What an earlier life gave up is not tried again.
    fn gives_up(&self, run: usize) {
        for _ in 0..5 {
            match &*self.until(&["settings_on_trial", "settings_rolled_back", "heartbeat"], run) {
                "settings_on_trial" => {
                    self.until(&["settings_rolled_back"], run);
                    return;
                }
                "settings_rolled_back" => return,
                _ => {}
            }
        }
    }

    /// Kills it, as `kill -9` does.
    fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // It has ended already, or it does now.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn replaced(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::rename(new, path).unwrap();
}

fn run(number: usize) {
    let folder = tempfile::tempdir().unwrap();
    let served = folder.path().join("served.json");
    fs::write(&served, "").unwrap();
    let manager = Manager::start(Config {
        name: "a".to_owned(),
        https: None,
        http: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
        settings: Document::File(served.clone()),
        policy: Document::None,
        behaviour: Behaviour::Well,
    })
    .unwrap();
    let port = manager.http.unwrap().port();
    let good = settings(port, "20s").to_string();
    // Nothing listens on that port.
    let wrong = settings(1, "20s");
    replaced(&served, &good);
    fs::write(folder.path().join("settings.json"), &good).unwrap();
    fs::write(folder.path().join("tuning.json"), TUNING).unwrap();
    let first = Agent::start(folder.path());
    first.until(&["attached"], number);
    replaced(&served, &wrong.to_string());
    // Instants over the whole of a trial, the same in each run of this test.
    thread::sleep(Duration::from_millis(number as u64 * 7_919 % WITHIN_MS));
    first.kill();
    let second = Agent::start(folder.path());
    second.gives_up(number);
    second.until(&["heartbeat"], number);
    replaced(&served, &settings(port, "25s").to_string());
    second.until(&["settings_in_force"], number);
}

#[test]
fn an_agent_that_is_killed_at_any_instant_of_a_trial_is_back_at_its_server() {
    let runs = std::env::var("HOMING_TRIAL_KILLS").map_or(20, |runs| runs.parse().unwrap());
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..10 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= runs {
                        return;
                    }
                    run(number);
                }
            });
        }
    });
}
