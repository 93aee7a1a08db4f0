//! A child after `fork` or `daemon` gets an answer from everything of its parent's, and takes nothing from it.
#![cfg(target_os = "linux")]
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests may fail like tests"
)]

#[path = "native/header.rs"]
#[expect(dead_code, reason = "the structs are for another test")]
mod header;
#[path = "native/library.rs"]
#[expect(dead_code, reason = "a sanitizer has locks of its own, which a child may wait for")]
mod library;
#[path = "native/manager.rs"]
mod manager;
#[path = "../examples/manager/server/mod.rs"]
#[expect(dead_code, reason = "the tests need only some of what a manager can do")]
mod server;

use std::fs;

use header::Header;
use library::{compile_plainly, root, run_well};
use manager::Site;

#[test]
fn a_thousand_children_are_refused_at_once_and_the_parent_goes_on() {
    let site = Site::new();
    let program = compile_plainly("c_fork", &[root().join("tests/c_fork/fork.c")], &[]);
    let told = run_well(&program, &[site.settings(true).as_os_str(), "1000".as_ref()]);
    assert_eq!(told, "1000 children, 20 with a client of their own\n");
}

#[test]
fn the_children_try_every_function_of_a_client() {
    let source = fs::read_to_string(root().join("tests/c_fork/fork.c")).unwrap();
    let (_, tried) = source.split_once("static void all_are_refused").unwrap();
    let (tried, _) = tried.split_once("\n}\n").unwrap();
    let header = Header::read();
    let of_a_client = header.functions.iter().filter(|function| {
        function.parameters.first().is_some_and(|first| first.kind.ends_with("homing_client *"))
    });
    let missing: Vec<_> = of_a_client
        .map(|function| &function.name)
        .filter(|name| !tried.contains(&format!("{name}(it")))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}
