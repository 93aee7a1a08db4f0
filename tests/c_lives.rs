//! Clients of a C program that are started, attach, stop and are freed leave nothing behind.
#![cfg(target_os = "linux")]
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests may fail like tests"
)]

#[path = "native/library.rs"]
mod library;
#[path = "native/manager.rs"]
mod manager;
#[path = "../examples/manager/server/mod.rs"]
#[expect(dead_code, reason = "the tests need only some of what a manager can do")]
mod server;

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::Stdio;

use library::{command, compile, compile_plainly, root, run_well};
use manager::Site;
use rustix::process::{Pid, Signal, kill_process};

fn source() -> [PathBuf; 1] {
    [root().join("tests/c_lives/lives.c")]
}

/// What a process holds; kilobytes where it is memory.
struct Held {
    resident: i64,
    private_dirty: i64,
    descriptors: i64,
    threads: i64,
}

fn held(line: &str) -> Held {
    let numbers = line.split(|character: char| !character.is_ascii_digit()).filter(|word| !word.is_empty());
    let numbers: Vec<i64> = numbers.map(|word| word.parse().unwrap()).collect();
    let [_, resident, private_dirty, descriptors, threads] = numbers[..] else { panic!("{line}") };
    Held { resident, private_dirty, descriptors, threads }
}

#[test]
fn a_thousand_lives_take_no_more_than_a_hundred() {
    let site = Site::new();
    let program = compile_plainly("c_lives", &source(), &[]);
    let told = run_well(&program, &[site.settings(true).as_os_str(), "1000".as_ref()]);
    let [before, early, late] = [0, 1, 2].map(|line| held(told.lines().nth(line).unwrap()));
    // Less than a byte for each life and page it touches; code that is read in for the first time is resident, not dirty.
    assert!(late.private_dirty - early.private_dirty <= 128, "{told}");
    assert!(late.resident - early.resident <= 512, "{told}");
    assert_eq!([early.descriptors, late.descriptors], [before.descriptors; 2], "{told}");
    assert_eq!([before.threads, early.threads, late.threads], [1; 3], "{told}");
    assert!(site.manager.counts().attach >= 1000, "{told}");
}

#[test]
fn two_hundred_lives_are_clean() {
    let site = Site::new();
    let program = compile("c_lives_sanitized", &source(), &[]);
    let told = run_well(&program, &[site.settings(true).as_os_str(), "200".as_ref()]);
    assert_eq!(told.lines().count(), 3, "{told}");
}

#[test]
fn twenty_requests_in_four_seconds_are_about_five_heartbeats_and_the_last_is_told() {
    let site = Site::new();
    let program = compile("c_requests", &[root().join("tests/c_lives/requests.c")], &[]);
    let told = run_well(&program, &[site.settings(true).as_os_str()]);
    let heartbeats: u32 = told.trim().parse().unwrap();
    // One a second; a busy machine may take longer over the requests.
    assert!((2..20).contains(&heartbeats), "{told}");
}

#[test]
fn the_examples_end_clean_when_they_are_told_to() {
    let site = Site::new();
    for (name, files, tls) in
        [("agent", &["agent.c"][..], true), ("drive", &["drive.c", "platform.c", "wire.c"], false)]
    {
        let sources: Vec<_> = files.iter().map(|file| root().join("examples/c").join(file)).collect();
        let program = compile(&format!("c_{name}"), &sources, &[]);
        let mut agent = command(&program)
            .args([site.settings(tls).as_os_str(), "agent-1".as_ref()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(agent.stdout.take().unwrap()).lines().map(Result::unwrap);
        assert!(lines.any(|line| line.contains("\"event\":\"heartbeat\"")), "{name} ended early");
        kill_process(Pid::from_child(&agent), Signal::TERM).unwrap();
        assert!(lines.last().unwrap().contains("\"event\":\"stopped\""), "{name}");
        assert_eq!(agent.wait().unwrap().code(), Some(0), "{name}");
    }
}
