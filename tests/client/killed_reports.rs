//! Real processes that report, are killed while they do, and begin again on the same folder: what was durable arrives, and
//! what arrives twice has the same number, though the server forgets to acknowledge now and then.

#![allow(clippy::print_stdout, reason = "the processes talk to the test")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, SystemTime};

use homing::store::outbox::{Limits, Outbox};
use homing::types::{Durability, Lane, Report, ReportKind, SubmitError};

use crate::reports::{acknowledged, books, last, uploading};
use crate::server::Server;
use crate::{builder, document, ok, public};

/// Tells this program to be an agent that reports, from this folder.
const FOLDER: &str = "HOMING_REPORTS_TEST_FOLDER";
const NAME: &str = "HOMING_REPORTS_TEST_NAME";

/// Reports from two threads until it is killed; says `durable LANE/SERIES/NUMBER BODY` for each that is.
fn work(folder: &Path, name: &str) {
    let settings = std::fs::read_to_string(folder.join("settings.json")).unwrap();
    let outbox = Outbox::open(folder.join("outbox"), Limits::default());
    let client = builder(settings.parse().unwrap()).outbox(outbox).start().unwrap();
    thread::scope(|scope| {
        for number in 0..2 {
            let client = &client;
            scope.spawn(move || {
                for turn in 0..2_000 {
                    let body = format!("{name}/{number}/{turn}");
                    let kind = if turn % 3 == 0 { ReportKind::RiskFound } else { ReportKind::Log };
                    let report = Report { kind, body: body.clone().into_bytes() };
                    match client.submit(report, Durability::Durable) {
                        Ok(id) => println!("durable {id} {body}"),
                        // What another life left is bounded too.
                        Err(SubmitError::Full { .. }) => thread::sleep(Duration::from_millis(1)),
                        Err(error) => panic!("{error}"),
                    }
                }
            });
        }
    });
    // To be killed.
    loop {
        thread::park();
    }
}

/// A process that reports, and what it says.
struct Life {
    process: Child,
    output: BufReader<ChildStdout>,
}

impl Life {
    fn begin(folder: &Path, name: &str) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "killed_reports::killed_agents_lose_no_durable_report", "--nocapture"])
            .env(FOLDER, folder)
            .env(NAME, name)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        Self { process, output }
    }

    /// Hears one line; `false`: there is no other. Of one that was cut by the end nothing is heard.
    fn hear(&mut self, durable: &mut BTreeMap<String, String>) -> bool {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        let words: Vec<_> = line.strip_suffix('\n').unwrap_or_default().split(' ').collect();
        if let &["durable", id, body] = &words[..] {
            durable.insert(id.to_owned(), body.to_owned());
        }
        line.ends_with('\n')
    }

    fn kill(mut self, durable: &mut BTreeMap<String, String>) {
        self.process.kill().unwrap();
        while self.hear(durable) {}
        assert!(!self.process.wait().unwrap().success());
    }
}

#[test]
fn killed_agents_lose_no_durable_report() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return work(Path::new(&folder), &std::env::var(NAME).unwrap());
    }
    let runs: u64 = std::env::var("HOMING_REPORT_KILLS").map_or(30, |runs| runs.parse().unwrap());
    // Every fourth batch is taken, and the agent does not hear of it.
    let server = Server::plain(
        "a",
        uploading(|place, request| if place % 4 == 3 { ok("a page") } else { acknowledged(last(request)) }),
    );
    let folder = tempfile::tempdir().unwrap();
    let settings = document(&[&server], public()).to_string();
    std::fs::write(folder.path().join("settings.json"), &settings).unwrap();
    let mut durable = BTreeMap::new();
    // Not the same instants each time; what they were is not needed to understand a failure.
    let mut random = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as u64;
    for run in 0..runs {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mut life = Life::begin(folder.path(), &run.to_string());
        // Some are killed while they open the folder or attach, most under load.
        let enough = durable.len() + (random >> 33) as usize % 300;
        while durable.len() < enough && life.hear(&mut durable) {}
        thread::sleep(Duration::from_micros(random >> 40 & 0x7ff));
        life.kill(&mut durable);
    }
    assert!(durable.len() as u64 > runs * 20, "there was a load: {}", durable.len());

    // A last life in which nothing ends early.
    let outbox = Outbox::open(folder.path().join("outbox"), Limits::default());
    let client = builder(settings.parse().unwrap()).outbox(outbox).start().unwrap();
    let waiting = || Lane::ALL.iter().map(|lane| client.outbox().account(*lane).waiting).sum::<u64>();
    while waiting() > 0 {
        client.next_event_timeout(crate::LONG).unwrap().expect("all of it arrives");
    }
    client.stop(Duration::ZERO);
    let arrived = books(&server);
    let name = |(lane, series, number): &(String, String, u64)| format!("{lane}/{series}/{number}");
    let arrived: BTreeMap<_, _> = arrived.iter().map(|(key, entry)| (name(key), entry)).collect();
    for (id, body) in &durable {
        let (found, _) = arrived.get(id).unwrap_or_else(|| panic!("{id} is lost, of {}", arrived.len()));
        assert_eq!(found, body, "{id}");
    }
    assert!(arrived.values().any(|(_, times)| *times > 1), "some came twice, under the same number");
}
