//! Every function of include/homing.h with everything wrong that can be thought of, from where it may be called.
//!
//! The program is made from the header: a function or a member that is new, and that nobody has thought of in
//! `c_bad_input/fill.rs`, ends these tests. It is compiled with the sanitizers of the C compiler, which see bytes that
//! are read or written beyond what was given, and what was not freed.
#![cfg(target_os = "linux")]
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests may fail like tests"
)]

#[path = "c_bad_input/fill.rs"]
mod fill;
#[path = "native/header.rs"]
#[allow(dead_code, reason = "its text is for another test")]
mod header;
#[path = "native/library.rs"]
mod library;
#[path = "native/manager.rs"]
mod manager;
#[path = "c_bad_input/program.rs"]
mod program;
#[path = "../examples/manager/server/mod.rs"]
#[expect(dead_code, reason = "the tests need only some of what a manager can do")]
mod server;

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use header::Header;
use library::{compile, root, run_well};
use manager::Site;
use program::Made;

/// The program, and what is in it.
fn program() -> &'static (PathBuf, Made) {
    static PROGRAM: OnceLock<(PathBuf, Made)> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let made = program::write(&Header::read());
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let generated = folder.join("c_bad_input_calls.c");
        fs::write(&generated, &made.text).unwrap();
        let own = root().join("tests/c_bad_input");
        let sources = [generated, own.join("world.c"), own.join("scenarios.c")];
        (compile("c_bad_input", &sources, &["-I".as_ref(), own.as_os_str()]), made)
    })
}

/// Runs a scenario; what it printed.
fn run(scenario: &str, tls: bool) -> String {
    let site = Site::new();
    run_well(&program().0, &[scenario.as_ref(), site.settings(tls).as_os_str()])
}

fn calls(told: &str) -> usize {
    told.lines().last().and_then(|line| line.strip_suffix(" calls")).unwrap().parse().unwrap()
}

#[test]
fn wrong_input_is_answered_with_its_status_and_changes_nothing() {
    let made = calls(&run("alive", false));
    assert_eq!(made, program().1.calls);
    // Less would mean that the header was not read.
    assert!(made > 500, "{made}");
}

#[test]
fn what_has_stopped_answers_as_before_and_tells_that_nothing_more_comes() {
    assert_eq!(calls(&run("stopped", false)), program().1.calls);
}

#[test]
fn every_function_of_a_client_may_be_called_inside_each_callback() {
    // Each callback has a client to try everything with, and the one that loads has values.
    assert!(calls(&run("callbacks", true)) > 6 * 50 + program().1.value_calls);
}

#[test]
fn a_client_may_be_stopped_and_freed_inside_its_own_callback() {
    run("free", false);
}

#[test]
fn a_client_may_be_freed_by_its_own_store() {
    run("free_in_save", true);
}

#[test]
fn eight_threads_use_a_client_while_four_of_them_stop_it() {
    assert!(calls(&run("threads", false)) > 8 * 4 * 50);
}

#[test]
fn a_callback_that_blocks_delays_its_own_client_alone_and_the_log_says_so() {
    let told = run("block", false);
    let line = told.lines().next().unwrap();
    // A busy machine may make it longer.
    let seconds = line
        .strip_prefix("the event callback took ")
        .and_then(|rest| rest.strip_suffix(" s; the client did nothing else meanwhile"));
    assert!(seconds.unwrap_or_else(|| panic!("{line}")).parse::<u32>().unwrap() >= 5);
}

#[test]
fn a_child_may_free_a_client_of_its_parent_and_nothing_happens() {
    run("fork", false);
}
