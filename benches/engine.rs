//! How fast an engine is, how much it holds, and that a steady one allocates nothing.
//!
//! `cargo bench --bench engine`
#![allow(
    unreachable_pub,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::wildcard_enum_match_arm,
    reason = "a program that measures, not a library"
)]

#[path = "support/counting.rs"]
mod counting;
#[path = "support/steady.rs"]
mod steady;
#[path = "support/table.rs"]
mod table;

use std::time::Instant;

use counting::{Counting, allocations};
use divan::counter::ItemsCount;
use homing::engine::Engine;
use steady::{bytes_per_engine, learn, steady, young};
use table::Table;

#[global_allocator]
static COUNTING: Counting = Counting;

/// How an agent beats, and what that means.
const WAYS: [(&str, &str, &str); 3] = [
    ("pull", "30s", "over a kept connection"),
    ("pull", "300s", "over a new connection each"),
    ("push", "300s", "beside an event stream"),
];

fn main() {
    let mut table = Table::new("an engine with 32 servers, heartbeats that all succeed, 1,000,000 of them");
    for (mode, interval, what) in WAYS {
        let mut agent = steady(mode, interval);
        // Within a day of virtual time: once a day the memory is stored, and making it allocates.
        let allocated = allocations();
        agent.beat(150);
        let allocated = allocations() - allocated;
        let (inputs, began) = (agent.driver.inputs, Instant::now());
        agent.beat(1_000_000);
        let elapsed = began.elapsed();
        let inputs = agent.driver.inputs - inputs;
        let each = elapsed.as_secs_f64() * 1e6 / inputs as f64;
        table.at_most(&format!("time per input, {what} (driver included)"), each, 2.0, "us");
        table.at_most(
            &format!("allocations in 150 heartbeats of one day, {what}"),
            allocated as f64,
            0.0,
            "",
        );
    }

    let mut agent = young("push", "300s");
    let before = allocations();
    let opened = learn(&mut agent);
    let allocated = (allocations() - before) as f64 / opened as f64;
    table.at_most("allocations each time a young event stream is opened anew", allocated, 2.0, "");
    table.says("how often that is, within its first hours", opened.to_string());

    let mut table = Table::new("bytes of one attached engine beside the shared settings and tuning");
    // What is listened to has a ladder, a connection of its own and an attempt that is always under way.
    for (mode, most) in [("pull", 3584.0), ("push", 4224.0)] {
        let (few, many) = (bytes_per_engine(8, mode), bytes_per_engine(72, mode));
        table.at_most(&format!("{mode}, 8 servers"), few as f64, most, "B");
        table.at_most(&format!("{mode}, each further server"), (many - few) as f64 / 64.0, 160.0, "B");
    }
    table.says("of which the value Engine itself", format!("{} B", size_of::<Engine>()));

    println!();
    divan::main();
}

/// A thousand heartbeats; the items are inputs.
#[divan::bench(args = WAYS.map(|(mode, interval, _)| format!("{mode}/{interval}")))]
fn thousand_beats(bencher: divan::Bencher<'_, '_>, way: &str) {
    let (mode, interval) = way.split_once('/').expect("two words");
    let mut agent = steady(mode, interval);
    let before = agent.driver.inputs;
    agent.beat(1000);
    let inputs = agent.driver.inputs - before;
    bencher.counter(ItemsCount::new(inputs)).bench_local(|| agent.beat(1000));
}
