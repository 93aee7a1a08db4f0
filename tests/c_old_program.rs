//! A program that was compiled against yesterday's header, whose structs were smaller, runs with today's library.
#![cfg(target_os = "linux")]
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests may fail like tests"
)]

#[path = "native/header.rs"]
#[allow(dead_code, reason = "functions are of no interest here")]
mod header;
#[path = "native/library.rs"]
mod library;
#[path = "native/manager.rs"]
mod manager;
#[path = "../examples/manager/server/mod.rs"]
#[expect(dead_code, reason = "the tests need only some of what a manager can do")]
mod server;

use std::fs;
use std::path::PathBuf;

use header::Header;
use library::{compile, root, run_well};
use manager::Site;

/// Each struct that grows, in the order in which the program tells their sizes; the member with which it ended
/// yesterday; and how large that made it where a pointer has 8 bytes.
const YESTERDAY: [(&str, &str, usize); 13] = [
    ("homing_options", "agent_id", 16),
    ("homing_engine_options", "agent_id", 16),
    ("homing_action", "version", 48),
    ("homing_summary", "active", 32),
    ("homing_standing", "server", 24),
    ("homing_location", "proof", 16),
    ("homing_whereabouts", "host", 24),
    ("homing_failure", "status", 16),
    ("homing_outcome", "status", 16),
    ("homing_outbox_options", "folder", 16),
    ("homing_lane_account", "submitted", 16),
    ("homing_call", "path", 24),
    ("homing_identity", "user", 16),
];

#[test]
fn every_struct_that_grows_is_known_here() {
    let header = Header::read();
    let growing = header.structs.iter().filter(|it| it.members[0].name == "struct_size");
    let mut growing: Vec<_> = growing.map(|it| &*it.name).collect();
    let mut known: Vec<_> = YESTERDAY.iter().map(|(name, ..)| *name).collect();
    growing.sort_unstable();
    known.sort_unstable();
    assert_eq!(growing, known);
}

#[test]
fn yesterdays_program_runs_with_todays_library() {
    let site = Site::new();
    let folder = site.folder.path().join("yesterday");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("homing.h"), cut(&Header::read().text)).unwrap();
    let source: [PathBuf; 1] = [root().join("tests/c_old_program/program.c")];
    // In front of today's folder.
    let program = compile("c_old_program", &source, &["-I".as_ref(), folder.as_os_str()]);
    let told = run_well(&program, &[site.settings(false).as_os_str()]);
    let sizes: Vec<_> = YESTERDAY.iter().map(|(.., size)| size.to_string()).collect();
    assert_eq!(told.trim(), sizes.join(" "));
}

/// The header with its growing structs cut off behind their members of yesterday.
fn cut(today: &str) -> String {
    let (mut yesterday, mut block) = (String::new(), None);
    for line in today.lines() {
        if line == "typedef struct {" {
            block = Some(Vec::new());
        }
        let Some(lines) = &mut block else {
            yesterday += line;
            yesterday += "\n";
            continue;
        };
        lines.push(line);
        let Some(name) = line.strip_prefix("} ").and_then(|rest| rest.strip_suffix(';')) else { continue };
        let last = YESTERDAY.iter().find(|(it, ..)| *it == name).map(|(_, last, _)| *last);
        if let Some(last) = last {
            let end = format!("{last};");
            let at = lines.iter().position(|line| {
                line.ends_with(&end) && !line[..line.len() - end.len()].ends_with(char::is_alphanumeric)
            });
            let at = at.unwrap_or_else(|| panic!("{name} has no {last}"));
            let whole = lines.len();
            lines.drain(at + 1..whole - 1);
        }
        yesterday += &(lines.join("\n") + "\n");
        block = None;
    }
    yesterday
}
