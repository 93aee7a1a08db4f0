//! How large an engine is, and that it allocates nothing while all is well.
//!
//! What this thread allocates is counted, and nothing of what the harness does beside it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::wildcard_enum_match_arm, unreachable_pub)]

#[path = "../benches/support/counting.rs"]
mod counting;
#[path = "../benches/support/steady.rs"]
mod steady;

use counting::{Counting, allocations};
use steady::{bytes_per_engine, learn, steady, young};

#[global_allocator]
static COUNTING: Counting = Counting;

fn allocations_of_steady_beats(mode: &str, interval: &str) -> usize {
    let mut agent = steady(mode, interval);
    // All within a day: once a day the memory is written, because addresses are believed by the day.
    let before = allocations();
    agent.beat(250);
    allocations() - before
}

#[test]
fn a_stream_that_learns_allocates_only_when_it_is_opened_anew() {
    let mut agent = young("push", "300s");
    let before = allocations();
    let opened = usize::try_from(learn(&mut agent)).unwrap();
    // The attempt that opens it, and the memory of what it has learnt.
    assert_eq!((opened, allocations() - before), (7, 7 * 2));
}

/// The page about performance has these sizes; `HOMING_BLESS=1` writes them.
#[cfg(target_pointer_width = "64")]
fn says(mode: &str, few: usize, further: usize) {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/performance.md");
    let page = std::fs::read_to_string(&file).unwrap();
    let (what, most) = match mode {
        "pull" => ("bytes of an engine with 8 servers, pull", "3,584"),
        _ => ("… push", "4,288"),
    };
    let rows = [
        (format!("| {what} | ≤ {most} | "), format!("{},{:03} |", few / 1000, few % 1000)),
        ("| bytes for each further server | ≤ 160 | ".to_owned(), format!("{further} |")),
    ];
    let told = |line: &str| match rows.iter().find(|(row, _)| line.starts_with(row)) {
        Some((row, size)) => format!("{row}{size}\n"),
        None => format!("{line}\n"),
    };
    let right: String = page.lines().map(told).collect();
    if std::env::var_os("HOMING_BLESS").is_some() {
        std::fs::write(&file, &right).unwrap();
    } else {
        let differs = page.lines().zip(right.lines()).find(|(old, new)| old != new);
        assert_eq!(
            differs, None,
            "docs/performance.md is out of date; run `HOMING_BLESS=1 cargo test --test engine_size`"
        );
    }
}

#[cfg(not(target_pointer_width = "64"))]
fn says(_: &str, _: usize, _: usize) {}

#[test]
fn an_engine_is_small_and_steady_beats_allocate_nothing() {
    // Every beat over a new connection, over a kept one, and beside an event stream.
    for (mode, interval) in [("pull", "300s"), ("pull", "30s"), ("push", "300s")] {
        assert_eq!(allocations_of_steady_beats(mode, interval), 0, "{mode}, {interval}");
    }
    for mode in ["pull", "push"] {
        let (few, many) = (bytes_per_engine(8, mode), bytes_per_engine(72, mode));
        // What is listened to has a ladder, a connection of its own and an attempt that is always under way.
        let most = if mode == "pull" { 3584 } else { 4288 };
        assert!(few <= most, "{mode}: {few} bytes with 8 servers");
        assert!(many - few <= 64 * 160, "{mode}: {} bytes for each further server", (many - few) / 64);
        says(mode, few, (many - few) / 64);
    }
}
