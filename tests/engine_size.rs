//! How large an engine is, and that it allocates nothing while all is well.
//!
//! One test: the counters belong to the whole process, so nothing else may run beside it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::wildcard_enum_match_arm, unreachable_pub)]

#[path = "../benches/support/agent.rs"]
mod agent;
#[path = "../benches/support/counting.rs"]
mod counting;

use std::sync::Arc;

use agent::{Agent, settings};
use counting::{Counting, allocations, live_bytes};
use homing::engine::Engine;
use homing::words::Route;

#[global_allocator]
static COUNTING: Counting = Counting;

/// What one attached engine holds, itself included, beside the settings and the tuning it shares.
fn bytes_per_engine(servers: usize, mode: &str) -> usize {
    const ENGINES: usize = 100;
    let (settings, tuning, routes) =
        (settings(servers, mode, "300s"), Arc::default(), Arc::from([Route::Direct]));
    let ids: Vec<String> = (0..ENGINES).map(|n| format!("f81d4fae-7dec-11d0-a765-{n:012}")).collect();
    let mut engines: Vec<Engine> = Vec::with_capacity(ENGINES);
    let before = live_bytes();
    for id in &ids {
        let mut agent = Agent::new(id, &settings, &tuning, &routes);
        agent.beat(20);
        engines.push(agent.engine);
    }
    (live_bytes() - before) / ENGINES + size_of::<Engine>()
}

fn allocations_of_steady_beats(mode: &str, interval: &str) -> usize {
    let mut agent =
        Agent::new("agent-1", &settings(32, mode, interval), &Arc::default(), &Arc::from([Route::Direct]));
    // All within a day: once a day the memory is written, because addresses are believed by the day.
    agent.beat(10);
    let before = allocations();
    agent.beat(250);
    allocations() - before
}

#[test]
fn an_engine_is_small_and_steady_beats_allocate_nothing() {
    // Every beat over a new connection, over a kept one, and beside an event stream.
    for (mode, interval) in [("pull", "300s"), ("pull", "30s"), ("push", "300s")] {
        assert_eq!(allocations_of_steady_beats(mode, interval), 0, "{mode}, {interval}");
    }
    for mode in ["pull", "push"] {
        let (few, many) = (bytes_per_engine(8, mode), bytes_per_engine(72, mode));
        assert!(few <= 3 * 1024, "{mode}: {few} bytes with 8 servers");
        assert!(many - few <= 64 * 128, "{mode}: {} bytes for each further server", (many - few) / 64);
    }
}
