//! What one heartbeat costs: instructions, system calls, segments, handshakes.
//!
//! `cargo bench --bench heartbeat`. Needs `valgrind`, `strace` and `ss` on the path. The server is another process;
//! each figure is the difference between a run of N heartbeats and one of 2 N, so that starting and stopping are
//! not in it.
#![allow(
    unreachable_pub,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::wildcard_enum_match_arm,
    reason = "a program that measures, not a library"
)]

mod client;
mod server;
#[path = "../support/table.rs"]
mod table;

use std::path::{Path, PathBuf};
use std::process::Command;

use table::Table;

/// What the agent says each time: two hundred bytes of the product's own.
pub const STATUS: &str = "{\"product\":\"agent\",\"version\":\"1.2.3\",\"status\":\"all is well\",\"engine\":\"running\",\
    \"signatures\":\"2026-11-22\",\"quarantined\":0,\"pending\":0,\"notes\":\"nothing that anybody has to look at now.\"}";

const BEATS: u64 = 60;

/// Most runs have one connection; ten in a row that have more say that it is not kept.
const RUNS: usize = 10;

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["serve", authority] => Ok(server::serve(Path::new(authority))?),
        ["homing", way, port, authority, beats] => {
            let (port, beats) = (port.parse()?, beats.parse()?);
            client::homing(port, Path::new(authority), beats, way != "resumed", way == "segments")
        }
        ["bare", way, port, authority, beats] => {
            client::bare(port.parse()?, Path::new(authority), beats.parse()?, way != "resumed")
        }
        _ => measure(),
    }
}

fn measure() -> Result<(), Failure> {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("heartbeat");
    std::fs::create_dir_all(&folder)?;
    let authority = folder.join("authority.pem");
    let server = server::Process::start(&authority)?;
    let mut bench = Bench { folder, authority, server };

    let mut table = Table::new("one heartbeat over a kept TLS 1.3 connection, client side");
    let (kept, bare) = (bench.instructions("homing", "kept")?, bench.instructions("bare", "kept")?);
    table.at_most("user-space instructions", kept, 40_000.0, "");
    table.says("the same of a bare rustls loop", format!("{bare:.0}"));
    let calls = bench.system_calls("kept")?;
    table.at_most("system calls, timer settings included", calls.iter().map(|call| call.1).sum(), 7.0, "");
    let list: Vec<_> = calls.iter().map(|(name, count)| format!("{name} {count:.2}")).collect();
    println!("    {}", list.join(", "));
    let (up, down) = bench.segments()?;
    table.at_most("data segments up", up, 1.0, "");
    table.at_most("data segments down", down, 1.0, "");

    let mut table = Table::new("one heartbeat over a new, resumed TLS 1.3 connection, client side");
    bench.server.counts()?;
    let resumed = bench.instructions("homing", "resumed")?;
    let [full, again, _] = bench.server.counts()?;
    let bare = bench.instructions("bare", "resumed")?;
    table.says("user-space instructions", format!("{resumed:.0}"));
    table.says("the same of a bare rustls loop", format!("{bare:.0}"));
    table.at_most("the one / the other", resumed / bare, 1.15, "");
    // Two runs, and the first handshake of each has nothing to resume.
    let share = again as f64 * 100.0 / (full + again - 2) as f64;
    table.says("connections that resumed, beside the first of each run", format!("{share:.1} %"));
    let calls = bench.system_calls("resumed")?;
    table.says("system calls", format!("{:.1}", calls.iter().map(|call| call.1).sum::<f64>()));
    Ok(())
}

/// The server in its process, and how to run the other side.
struct Bench {
    folder: PathBuf,
    authority: PathBuf,
    server: server::Process,
}

impl Bench {
    /// Runs the client under another program. Returns what it wrote.
    fn run(&self, program: &[String], who: &str, way: &str, beats: u64) -> Result<String, Failure> {
        let itself = std::env::current_exe()?.display().to_string();
        let mut words: Vec<String> = program.to_vec();
        words.extend([itself, who.to_owned(), way.to_owned(), self.server.port.to_string()]);
        words.extend([self.authority.display().to_string(), beats.to_string()]);
        let output = Command::new(&words[0]).args(&words[1..]).output()?;
        let text =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        if output.status.success() { Ok(text) } else { Err(format!("{words:?}: {text}").into()) }
    }

    /// Under valgrind a heartbeat may come due while the policy is still read, and take a second connection, whose handshake
    /// costs as much as dozens of heartbeats: such a run is made anew.
    fn run_over_one_connection(
        &mut self,
        program: &[String],
        who: &str,
        way: &str,
        beats: u64,
    ) -> Result<String, Failure> {
        for _ in 0..RUNS {
            self.server.counts()?;
            let text = self.run(program, who, way, beats)?;
            let [full, resumed, _] = self.server.counts()?;
            if full + resumed == 1 {
                return Ok(text);
            }
        }
        Err(format!("{RUNS} runs in a row had more than one connection").into())
    }

    fn instructions(&mut self, who: &str, way: &str) -> Result<f64, Failure> {
        let mut count = |beats: u64| -> Result<f64, Failure> {
            let out = self.folder.join(format!("callgrind.{who}.{way}.{beats}"));
            let out = format!("--callgrind-out-file={}", out.display());
            let valgrind = ["valgrind".to_owned(), "--tool=callgrind".to_owned(), out];
            let text = match way {
                "kept" => self.run_over_one_connection(&valgrind, who, way, beats)?,
                _ => self.run(&valgrind, who, way, beats)?,
            };
            let line = text
                .lines()
                .find_map(|line| line.split_once("Collected : "))
                .ok_or("valgrind says no total")?;
            Ok(line.1.trim().parse()?)
        };
        Ok((count(2 * BEATS)? - count(BEATS)?) / BEATS as f64)
    }

    /// Each system call with how many there are for one heartbeat.
    fn system_calls(&self, way: &str) -> Result<Vec<(String, f64)>, Failure> {
        let count = |beats: u64| -> Result<Vec<(String, f64)>, Failure> {
            let strace = ["strace", "-f", "-c", "-U", "calls,name"].map(str::to_owned);
            let text = self.run(&strace, "homing", way, beats)?;
            let row = |line: &str| {
                let (calls, name) = line.trim().split_once(' ')?;
                Some((name.trim().to_owned(), calls.parse().ok()?))
            };
            Ok(text.lines().filter_map(row).filter(|(name, _)| name != "total").collect())
        };
        let (few, many) = (count(BEATS)?, count(2 * BEATS)?);
        let before = |name: &str| few.iter().find(|call| call.0 == name).map_or(0.0, |call| call.1);
        let each = many.into_iter().map(|(name, calls)| {
            let each = (calls - before(&name)) / BEATS as f64;
            (name, each)
        });
        Ok(each.filter(|call| call.1 != 0.0).collect())
    }

    /// Data segments up and down for one heartbeat, between the tenth and the last.
    fn segments(&self) -> Result<(f64, f64), Failure> {
        let beats = BEATS + 10;
        let text = self.run(&["env".to_owned()], "homing", "segments", beats)?;
        let numbers: Vec<f64> = text.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        let [up, down, later_up, later_down] = numbers[..] else {
            return Err(format!("ss said {text}").into());
        };
        Ok(((later_up - up) / BEATS as f64, (later_down - down) / BEATS as f64))
    }
}
