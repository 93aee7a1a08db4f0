//! What it costs to have a report kept: beside the bare system calls, beside a group commit written by hand, and in memory.
//!
//! `cargo bench --bench outbox`, on Linux; needs `strace` on the path. The folders are in cargo's target folder, so that is the disk
//! that is measured; the environment variable `HOMING_BENCH_FOLDER` names another place.
#![allow(
    unreachable_pub,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a program that measures, not a library"
)]

#[path = "support/counting.rs"]
mod counting;
#[path = "support/table.rs"]
mod table;

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use homing::store::outbox::{LaneLimits, Limits, Outbox};
use homing::types::{Durability, Lane, Report, ReportKind};
use table::Table;

#[global_allocator]
static COUNTING: counting::Counting = counting::Counting;

const BODY: usize = 100;
/// What an entry of a segment has beside its body.
const HEADER: usize = 32;
const THREADS: usize = 16;
const ROUNDS: usize = 7;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["submit", folder, count] => submit_all(&outbox(Path::new(folder)), 1, count.parse().unwrap()),
        ["open", folder] => open_many(Path::new(folder)),
        _ => measure(),
    }
}

fn measure() {
    let above = std::env::var_os("HOMING_BENCH_FOLDER")
        .map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from)
        .join("outbox-bench");
    let _ = std::fs::remove_dir_all(&above);
    std::fs::create_dir_all(&above).unwrap();
    one_at_a_time(&above);
    many_threads(&above);
    in_memory();
    many_waiting(&above);
    std::fs::remove_dir_all(&above).unwrap();
}

fn outbox(folder: &Path) -> Outbox {
    let lane = LaneLimits { bytes: 256 << 20, ..Limits::default().critical };
    Outbox::open(folder, Limits { critical: lane, log: lane, ..Limits::default() })
}

fn report(kind: ReportKind) -> Report {
    Report { kind, body: vec![b'x'; BODY] }
}

/// So many durable submits, spread over the threads.
fn submit_all(outbox: &Outbox, threads: usize, count: usize) {
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                for _ in 0..count / threads {
                    outbox.submit(report(ReportKind::RiskFound), Durability::Durable).unwrap();
                }
            });
        }
    });
}

fn one_at_a_time(above: &Path) {
    let mut table = Table::new("a durable submit of 100 bytes, one at a time");
    let calls = |count: usize| {
        let folder = above.join(format!("calls-{count}"));
        let output = Command::new("strace")
            .args(["-f", "-c"])
            .arg(std::env::current_exe().unwrap())
            .arg("submit")
            .arg(folder)
            .arg(count.to_string())
            .output()
            .expect("strace is on the path");
        assert!(output.status.success());
        counts(&String::from_utf8_lossy(&output.stderr))
    };
    // Starting and stopping are in both.
    let (once, twice) = (calls(500), calls(1000));
    let mut all = 0.0;
    for (name, count) in &twice {
        let before = once.iter().find(|(known, _)| known == name).map_or(0.0, |(_, count)| *count);
        let each = (count - before) / 500.0;
        all += each;
        if each >= 0.005 {
            table.says(&format!("calls of {name}"), format!("{each:.2}"));
        }
    }
    // The look at the folder once a second, and under strace a second is soon over.
    table.at_most("system calls", all, 2.05, "");

    const COUNT: usize = 200;
    let outbox = outbox(&above.join("single"));
    let mut bare = File::create(above.join("bare")).unwrap();
    let entry = [b'x'; HEADER + BODY];
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        theirs.push(time(|| {
            for _ in 0..COUNT {
                bare.write_all(&entry).unwrap();
                bare.sync_data().unwrap();
            }
        }));
        ours.push(time(|| submit_all(&outbox, 1, COUNT)));
    }
    let (ours, theirs) = (median(ours) / COUNT as f64, median(theirs) / COUNT as f64);
    table.says("time, median of 7 rounds of 200", format!("{:.1} us", ours * 1e6));
    table.says("a bare append and fdatasync, in turns with it", format!("{:.1} us", theirs * 1e6));
    table.at_most("the one / the other", ours / theirs, 1.2, "");
}

/// The calls and how often each was made, from the table of `strace -c`.
fn counts(text: &str) -> Vec<(String, f64)> {
    let mut counts = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let [share, _, _, count, .., name] = words[..]
            && share.parse::<f64>().is_ok()
            && name != "total"
        {
            counts.push((name.to_owned(), count.parse().unwrap_or(0.0)));
        }
    }
    counts
}

fn many_threads(above: &Path) {
    let mut table = Table::new("durable submits of 16 threads");
    const COUNT: usize = 3200;
    let outbox = outbox(&above.join("many"));
    let by_hand = ByHand::new(&above.join("by-hand"));
    let (mut ours, mut theirs, mut writes) = (Vec::new(), Vec::new(), 0);
    for _ in 0..ROUNDS {
        theirs.push(time(|| by_hand.put_all(COUNT)));
        let before = written();
        ours.push(time(|| submit_all(&outbox, THREADS, COUNT)));
        writes += written() - before;
    }
    // Each group is one write and one sync.
    table.at_least("puts for each sync", (COUNT * ROUNDS) as f64 / writes as f64, 4.0, "");
    let (ours, theirs) = (COUNT as f64 / median(ours), COUNT as f64 / median(theirs));
    table.says("puts a second, median of 7 rounds of 3,200", format!("{ours:.0}"));
    table.says("a group commit by hand, in turns with it", format!("{theirs:.0}"));
    table.at_least("the one / the other", ours / theirs, 0.8, "");
}

/// How often this process has called `write`.
fn written() -> usize {
    let text = std::fs::read_to_string("/proc/self/io").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("syscw: ")).unwrap();
    line.parse().unwrap()
}

/// The same in few lines: one thread writes and syncs what has gathered, the others wait.
struct ByHand {
    file: File,
    state: Mutex<Gathered>,
    synced: Condvar,
}

#[derive(Default)]
struct Gathered {
    bytes: Vec<u8>,
    last: u64,
    synced: u64,
    writing: bool,
}

impl ByHand {
    fn new(path: &Path) -> Self {
        let file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        Self { file, state: Mutex::default(), synced: Condvar::new() }
    }

    fn put(&self, entry: &[u8]) {
        let mut state = self.state.lock().unwrap();
        state.bytes.extend_from_slice(entry);
        state.last += 1;
        let number = state.last;
        while state.synced < number {
            if state.writing {
                state = self.synced.wait(state).unwrap();
                continue;
            }
            state.writing = true;
            let (bytes, last) = (std::mem::take(&mut state.bytes), state.last);
            drop(state);
            (&self.file).write_all(&bytes).unwrap();
            self.file.sync_data().unwrap();
            state = self.state.lock().unwrap();
            (state.synced, state.writing) = (last, false);
            self.synced.notify_all();
        }
    }

    fn put_all(&self, count: usize) {
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| (0..count / THREADS).for_each(|_| self.put(&[b'x'; HEADER + BODY])));
            }
        });
    }
}

fn in_memory() {
    let mut table = Table::new("submits of 100 bytes in memory");
    const COUNT: usize = 1_000_000;
    let lane = LaneLimits { bytes: 256 << 20, ..Limits::default().log };
    let mut rates = Vec::new();
    let mut full_rates = Vec::new();
    for _ in 0..ROUNDS {
        let run = |limits| {
            let outbox = Outbox::in_memory(limits);
            let took = time(|| {
                for _ in 0..COUNT {
                    outbox.submit(report(ReportKind::Log), Durability::Buffered).unwrap();
                }
            });
            COUNT as f64 / took
        };
        rates.push(run(Limits { log: lane, ..Limits::default() }));
        full_rates.push(run(Limits::default()));
    }
    table.at_least("a second, one thread, median of 7 rounds of 1,000,000", median(rates), 1e6, "");
    table.at_least("the same in a lane of 16 MiB, which drops its oldest", median(full_rates), 1e6, "");
}

fn many_waiting(above: &Path) {
    let mut table = Table::new("opening a folder in which 1,000,000 reports of 100 bytes wait");
    let folder = above.join("waiting");
    let first = outbox(&folder);
    for _ in 0..1_000_000 {
        first.submit(report(ReportKind::Log), Durability::Buffered).unwrap();
    }
    first.flush().unwrap();
    drop(first);
    let mut runs = Vec::new();
    for _ in 0..3 {
        let output =
            Command::new(std::env::current_exe().unwrap()).arg("open").arg(&folder).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        runs.push(text.split_whitespace().map(|word| word.parse().unwrap()).collect::<Vec<f64>>());
    }
    let worst = |index: usize| runs.iter().map(|run| run[index]).fold(0.0, f64::max);
    table.at_most("time, slowest of 3, the files in the system's cache", worst(0), 1.0, "s");
    table.at_most("memory held afterwards", worst(1) / 1048576.0, 8.0, "MiB");
    table.at_most("growth of the largest resident memory of the process", worst(2) / 1024.0, 8.0, "MiB");
}

/// Says how long it took in seconds, the bytes held afterwards, and by how many kilobytes resident memory had grown at most.
fn open_many(folder: &Path) {
    let (held, resident) = (counting::live_bytes(), resident());
    let began = Instant::now();
    let outbox = outbox(folder);
    let took = began.elapsed();
    assert_eq!(outbox.backlog(Lane::Log).reports, 1_000_000);
    println!("{} {} {}", took.as_secs_f64(), counting::live_bytes() - held, self::resident() - resident);
}

/// The largest resident memory so far, in kilobytes.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn time(work: impl FnOnce()) -> f64 {
    let began = Instant::now();
    work();
    began.elapsed().max(Duration::from_nanos(1)).as_secs_f64()
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
