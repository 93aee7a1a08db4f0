//! What homing costs a program in C: calls, events, memory, wake-ups, and whether ten thousand lives leave anything behind.
//!
//! `cargo bench --features capi --bench c_api`. Needs `make`, `cc` and `valgrind`. The program runs with the shared
//! library as it is installed, stripped; the server is another process.
#![allow(
    unreachable_pub,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a program that measures, not a library"
)]

#[path = "../heartbeat/server.rs"]
mod server;
#[path = "../support/table.rs"]
mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use table::Table;

/// What the agent says; the server waits for as many bytes.
const STATUS: &str = "all is well";

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", authority] => Ok(server::serve(Path::new(authority))?),
        [lives] => measure(lives.parse()?),
        _ => measure(10_000),
    }
}

fn measure(lives: u32) -> Result<(), Failure> {
    let bench = Bench::new()?;

    let mut table = Table::new("calls of a program in C, everything in them included");
    let count = 1_000_000;
    table.at_most("a getter of an event, mean of eight", bench.figures("getters", count)?[0], 100.0, "ns");
    let instructions = bench.instructions("getters", 200_000)? / 8.0;
    table.says("… instructions (callgrind)", format!("{instructions:.0}"));
    for (mode, what) in [("status", "setting a status"), ("header", "setting a header field as before")] {
        table.at_most(what, bench.figures(mode, count)?[0], 100.0, "ns");
        table.says("… instructions (callgrind)", format!("{:.0}", bench.instructions(mode, 200_000)?));
    }
    table.at_most("an event: fetched, looked at, freed", bench.figures("events", 1_000)?[0], 1_000.0, "ns");

    // A beat comes no sooner than after half an interval.
    for (seconds, interval, stand) in [(20, 50, 1.0), (60, 300, 0.0)] {
        let title = "s of an attached client in a program in C, heartbeat every";
        let mut table = Table::new(&format!("{seconds} {title} {interval} s"));
        bench.write_settings(interval)?;
        let idle = bench.figures("idle", seconds)?;
        let [dirty, resident, threads, wakes, connections] = idle[..] else {
            return Err("no figures".into());
        };
        if connections != stand {
            return Err(format!("{connections} connections stand, not {stand}").into());
        }
        table.says("TLS connections that stand", connections);
        table.at_most("private dirty memory of the process", dirty, 600.0, "kB");
        table.at_most("resident memory of the process", resident, 4500.0, "kB");
        table.at_most("threads beside the program's own", threads, 1.0, "");
        table.at_most("wake-ups of that thread (context switches)", wakes, 0.0, "");
    }

    let mut table = Table::new(&format!("start, attach, stop, free: {lives} times"));
    let told = bench.run(&bench.lives, &[&bench.settings.to_string_lossy(), &lives.to_string()])?;
    let held: Vec<Vec<f64>> = told.lines().map(numbers).collect();
    let [before, early, late] = &held[..] else { return Err(told.into()) };
    for (place, what, most, unit) in [
        (1, "resident memory", 512.0, "kB"),
        (2, "private dirty memory", 128.0, "kB"),
        (3, "descriptors", 0.0, ""),
        (4, "threads", 0.0, ""),
    ] {
        table.at_most(
            &format!("{what}, more after all than after a tenth"),
            late[place] - early[place],
            most,
            unit,
        );
    }
    table.says(
        "descriptors and threads before, and after all",
        format!("{:?} {:?}", &before[3..], &late[3..]),
    );
    table.says("private dirty memory after all", format!("{} kB", late[2]));
    Ok(())
}

/// The programs and the server they talk to.
struct Bench {
    folder: PathBuf,
    program: PathBuf,
    lives: PathBuf,
    settings: PathBuf,
    server: server::Process,
}

impl Bench {
    fn new() -> Result<Self, Failure> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("c_api");
        fs::create_dir_all(&folder)?;
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().ok_or("no target folder")?;
        let prefix = folder.join("prefix");
        succeeds(
            Command::new("make")
                .args(["-C".as_ref(), root.as_os_str()])
                .arg(format!("TARGET_DIR={}", target.display()))
                .arg(format!("PREFIX={}", prefix.display()))
                .arg("install")
                .env_remove("MAKEFLAGS")
                .env_remove("MAKELEVEL"),
        )?;
        succeeds(Command::new("strip").arg(prefix.join("lib/libhoming.so")))?;
        let compiled = |source: &str, name: &str| -> Result<PathBuf, Failure> {
            let program = folder.join(name);
            succeeds(
                Command::new("cc")
                    .args(["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-o"])
                    .arg(&program)
                    .arg(root.join(source))
                    .arg(format!("-I{}", prefix.join("include").display()))
                    .arg(format!("-L{}", prefix.join("lib").display()))
                    .arg(format!("-Wl,-rpath,{}", prefix.join("lib").display()))
                    .arg("-lhoming"),
            )?;
            Ok(program)
        };
        let (program, lives) =
            (compiled("benches/c_api/program.c", "program")?, compiled("tests/c_lives/lives.c", "lives")?);

        let authority = folder.join("authority.pem");
        let server = server::Process::start(&authority)?;
        let settings = folder.join("settings.json");
        let bench = Self { folder, program, lives, settings, server };
        bench.write_settings(300)?;
        Ok(bench)
    }

    /// Settings with this many seconds between heartbeats.
    fn write_settings(&self, interval: u32) -> Result<(), Failure> {
        let document = serde_json::json!({
            "certificate": { "roots": [{ "bundle": self.folder.join("authority.pem") }] },
            // The list nobody uses is worth a warning whenever the settings are put in force: one event.
            "server_lists": [
                { "name": "main", "priorities": [{ "servers": [{ "address": "127.0.0.1", "https_port": self.server.port }] }] },
                { "name": "spare", "priorities": [{ "servers": [{ "address": "127.0.0.2" }] }] }
            ],
            "group": { "name": "g", "server_list": "main", "communication": { "heartbeat_interval": format!("{interval}s") } },
        });
        Ok(fs::write(&self.settings, document.to_string())?)
    }

    /// What the program prints of itself.
    fn figures(&self, mode: &str, amount: u32) -> Result<Vec<f64>, Failure> {
        let told = self.run(&self.program, &[mode, &self.settings.to_string_lossy(), &amount.to_string()])?;
        Ok(told.split_whitespace().map(str::parse).collect::<Result<_, _>>()?)
    }

    fn run(&self, program: &Path, arguments: &[&str]) -> Result<String, Failure> {
        succeeds(Command::new(program).args(arguments))
    }

    /// Instructions of one round: the difference between so many rounds and twice as many.
    fn instructions(&self, mode: &str, rounds: u32) -> Result<f64, Failure> {
        let [once, twice] = [rounds, 2 * rounds].map(|rounds| self.instructions_of_all(mode, rounds));
        Ok((twice? - once?) / f64::from(rounds))
    }

    fn instructions_of_all(&self, mode: &str, rounds: u32) -> Result<f64, Failure> {
        let file = self.folder.join(format!("callgrind.{mode}"));
        succeeds(
            Command::new("valgrind")
                .args(["--quiet", "--tool=callgrind", &format!("--callgrind-out-file={}", file.display())])
                .arg(&self.program)
                .arg(mode)
                .arg(&self.settings)
                .arg(rounds.to_string()),
        )?;
        let told = fs::read_to_string(file)?;
        let summary = told.lines().find_map(|line| line.strip_prefix("summary: ")).ok_or("no summary")?;
        Ok(summary.trim().parse()?)
    }
}

fn numbers(line: &str) -> Vec<f64> {
    let words = line.split(|character: char| !character.is_ascii_digit());
    words.filter_map(|word| word.parse().ok()).collect()
}

fn succeeds(command: &mut Command) -> Result<String, Failure> {
    let ended = command.output()?;
    if ended.status.success() {
        return Ok(String::from_utf8(ended.stdout)?);
    }
    Err(format!("{command:?}: {}\n{}", ended.status, String::from_utf8_lossy(&ended.stderr)).into())
}
