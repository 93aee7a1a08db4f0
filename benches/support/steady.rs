//! An agent with which all is well, and what it holds.

use std::sync::Arc;

use homing::engine::Engine;
use homing::types::Route;
use homing_sim::agent::{Agent, settings};

use super::counting::live_bytes_here;

/// An agent with 32 servers that has beaten long enough to have all the memory it wants. One that listens has learnt by then for how
/// long the event stream may be silent.
pub fn steady(mode: &str, interval: &str) -> Agent {
    let mut agent = young(mode, interval);
    if mode == "push" {
        learn(&mut agent);
    }
    agent
}

/// The same before an event stream has learnt anything.
pub fn young(mode: &str, interval: &str) -> Agent {
    let (settings, routes) = (settings(32, mode, interval), Arc::from([Route::Direct]));
    let mut agent = Agent::new("agent-1", &settings, &Arc::default(), &routes);
    agent.beat(10);
    agent
}

/// As long as an event stream is opened anew now and then, because it may be silent for longer. Returns how often it was.
pub fn learn(agent: &mut Agent) -> u64 {
    let before = agent.streams;
    agent.beat(110);
    agent.streams - before
}

/// What one attached engine holds, itself included, beside the settings and the tuning it shares: the mean of 100 agents.
pub fn bytes_per_engine(servers: usize, mode: &str) -> usize {
    const ENGINES: usize = 100;
    let (settings, tuning, routes) =
        (settings(servers, mode, "300s"), Arc::default(), Arc::from([Route::Direct]));
    let ids: Vec<String> = (0..ENGINES).map(|n| format!("f81d4fae-7dec-11d0-a765-{n:012}")).collect();
    let mut engines: Vec<Engine> = Vec::with_capacity(ENGINES);
    let before = live_bytes_here();
    for id in &ids {
        let mut agent = Agent::new(id, &settings, &tuning, &routes);
        agent.beat(20);
        engines.push(agent.driver.engine);
    }
    let held = usize::try_from(live_bytes_here() - before).expect("engines hold something");
    held / ENGINES + size_of::<Engine>()
}
