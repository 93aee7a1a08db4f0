//! An outbox in real processes that are killed while they work, on one folder from life to life.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test may give up")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, SystemTime};

use homing::store::outbox::{LaneLimits, Limits, Outbox, OutboxEvent};
use homing::types::{Durability, Lane, Report, ReportKind, SubmitError};

/// Tells the program to be a process that works on this folder, under this name.
const FOLDER: &str = "HOMING_OUTBOX_TEST_FOLDER";
const NAME: &str = "HOMING_OUTBOX_TEST_NAME";

const THREADS: u32 = 4;

fn outbox(folder: &Path) -> Outbox {
    // So much that nothing is dropped in all lives together.
    let lane = LaneLimits { bytes: 1 << 30, ..Limits::default().critical };
    let limits = Limits { critical: lane, log: lane, applications: lane, ..Limits::default() };
    let outbox = Outbox::open(folder, limits);
    outbox.learn_applications(true);
    outbox
}

/// Submits from four threads, some reports durably, and settles some of what waits. Says on its standard output
/// - `durable ID BODY` after a durable submit has returned well;
/// - `sent ID BODY` for each report of a batch, and then `settled ID` for those it settles.
fn work(folder: &Path, name: &str, turns: u32) {
    let outbox = outbox(folder);
    thread::scope(|scope| {
        for number in 0..THREADS {
            let outbox = &outbox;
            scope.spawn(move || {
                for turn in 0..turns {
                    turn_of_a_thread(outbox, &format!("{name}/{number}/{turn}"), number + turn * THREADS);
                }
            });
        }
    });
}

fn turn_of_a_thread(outbox: &Outbox, body: &str, turn: u32) {
    let kinds = [ReportKind::RiskFound, ReportKind::Log, ReportKind::Application];
    let kind = kinds[turn as usize % kinds.len()];
    let durability = if turn % 4 == 3 { Durability::Buffered } else { Durability::Durable };
    // Lengths from a few bytes to some kilobytes.
    let body = format!("{body}/{}", "x".repeat((turn as usize * 7919) % 3000));
    match outbox.submit(Report { kind, body: body.clone().into_bytes() }, durability) {
        Ok(id) if durability == Durability::Durable => println!("durable {id} {body}"),
        Ok(_) => {}
        Err(SubmitError::Full { .. }) => {}
        Err(error) => panic!("{error}"),
    }
    if turn.is_multiple_of(5)
        && let Some(batch) = outbox.take(kind.lane(), 20_000)
    {
        for report in batch.reports() {
            println!("sent {} {}", report.id, String::from_utf8_lossy(report.body));
        }
        let up_to = batch.first() + (batch.last() - batch.first()) / 2;
        for report in batch.reports().filter(|report| report.id.number <= up_to) {
            println!("settled {}", report.id);
        }
        outbox.settle(&batch, up_to);
    }
}

/// What is known of all lives.
#[derive(Default)]
struct Ledger {
    bodies: BTreeMap<String, String>,
    durable: BTreeSet<String>,
    settled: BTreeSet<String>,
}

impl Ledger {
    fn hear(&mut self, line: &str) {
        let mut words = line.splitn(3, ' ');
        match (words.next(), words.next(), words.next()) {
            (Some("durable"), Some(id), Some(body)) => {
                self.know(id, body);
                self.durable.insert(id.to_owned());
            }
            (Some("sent"), Some(id), Some(body)) => self.know(id, body),
            (Some("settled"), Some(id), None) => {
                self.settled.insert(id.to_owned());
            }
            // What the harness says.
            _ => {}
        }
    }

    /// Whenever a report is seen, it has the same body.
    fn know(&mut self, id: &str, body: &str) {
        let known = self.bodies.entry(id.to_owned()).or_insert_with(|| body.to_owned());
        assert!(known == body, "{id} is {known} and {body}");
    }

    /// Drains the folder: nothing that is owed is missing, nothing comes twice.
    fn close(&mut self, folder: &Path) {
        let outbox = outbox(folder);
        let mut drained = BTreeSet::new();
        for lane in Lane::ALL {
            while let Some(batch) = outbox.take(lane, 100_000) {
                for report in batch.reports() {
                    let id = report.id.to_string();
                    self.know(&id, &String::from_utf8_lossy(report.body));
                    assert!(drained.insert(id), "{batch:?} has a report twice");
                }
                outbox.settle(&batch, batch.last());
            }
            let account = outbox.account(lane);
            assert_eq!((account.dropped.full, account.dropped.aged), (0, 0), "{lane}");
        }
        let owed = self.durable.difference(&self.settled);
        let lost: Vec<_> = owed.filter(|id| !drained.contains(*id)).collect();
        assert!(lost.is_empty(), "lost: {lost:?}");
    }
}

/// This program as a process that works on the folder, and what it says.
struct Life {
    process: Child,
    output: BufReader<ChildStdout>,
}

impl Life {
    fn begin(folder: &Path, name: &str) -> Self {
        let mut process = spawn(folder, name);
        let output = BufReader::new(process.stdout.take().unwrap());
        Self { process, output }
    }

    /// Hears one line. `false`: there is no other; of one that was cut by the end nothing is heard.
    fn hear(&mut self, ledger: &mut Ledger) -> bool {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        let whole = line.strip_suffix('\n');
        whole.into_iter().for_each(|line| ledger.hear(line));
        whole.is_some()
    }

    /// Hears what is left to hear. Whether all was well.
    fn end(mut self, ledger: &mut Ledger) -> bool {
        while self.hear(ledger) {}
        self.process.wait().unwrap().success()
    }

    fn kill(mut self, ledger: &mut Ledger) {
        self.process.kill().unwrap();
        assert!(!self.end(ledger));
    }
}

fn spawn(folder: &Path, name: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_life_that_nothing_ends_early_loses_nothing", "--nocapture"])
        .env(FOLDER, folder)
        .env(NAME, name)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("outbox-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn a_life_that_nothing_ends_early_loses_nothing() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        // To be killed; it would end by itself after some seconds.
        work(Path::new(&folder), &std::env::var(NAME).unwrap(), 500);
        return;
    }
    let above = scratch("calm");
    let mut ledger = Ledger::default();
    assert!(Life::begin(&above.join("outbox"), "calm").end(&mut ledger));
    assert!(ledger.durable.len() > 1000 && ledger.settled.len() > 100);
    ledger.close(&above.join("outbox"));
    std::fs::remove_dir_all(above).unwrap();
}

#[test]
fn a_process_killed_at_any_time_under_load_loses_no_durable_report() {
    let runs: u64 = std::env::var("HOMING_OUTBOX_KILLS").map_or(50, |runs| runs.parse().unwrap());
    let above = scratch("killed");
    let folder = above.join("outbox");
    let mut ledger = Ledger::default();
    // Not the same instants each time; what they were is not needed to understand a failure.
    let mut random = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as u64;
    for run in 0..runs {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mut life = Life::begin(&folder, &run.to_string());
        // Some are killed while they open the folder, most under load.
        let enough = ledger.durable.len() + (random >> 33) as usize % 30;
        while ledger.durable.len() < enough && life.hear(&mut ledger) {}
        thread::sleep(Duration::from_micros(random >> 40 & 0x7ff));
        life.kill(&mut ledger);
    }
    assert!(ledger.durable.len() as u64 > runs * 5, "there was a load: {}", ledger.durable.len());
    ledger.close(&folder);
    std::fs::remove_dir_all(above).unwrap();
}

#[test]
fn a_second_process_is_told_and_takes_over_when_the_first_is_dead() {
    let above = scratch("two");
    let folder = above.join("outbox");
    let mut first = Life::begin(&folder, "first");
    let mut ledger = Ledger::default();
    while ledger.durable.len() < 5 {
        assert!(first.hear(&mut ledger));
    }
    let second = outbox(&folder);
    let told = second.poll_event();
    assert!(
        matches!(&told, Some(OutboxEvent::NotStored { problem }) if problem.contains("in use by another")),
        "{told:?}"
    );
    let report = Report { kind: ReportKind::RiskFound, body: b"of the second".to_vec() };
    let error = second.submit(report, Durability::Durable).unwrap_err();
    let SubmitError::NotDurable { id, .. } = error else { panic!("{error}") };
    first.kill(&mut ledger);
    second.flush().unwrap();
    drop(second);
    ledger.durable.insert(id.to_string());
    ledger.close(&folder);
    std::fs::remove_dir_all(above).unwrap();
}
