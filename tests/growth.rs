//! What a long list costs: instructions, counted under `callgrind`, grow as the list does and no faster.
//!
//! The program counts itself: it runs once more under valgrind, for one part and one number of servers, and what lies inside
//! [`counted_part`] is added up.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::wildcard_enum_match_arm,
    unreachable_pub,
    reason = "a test that cannot count has to fail"
)]

use std::hint::black_box;
use std::process::Command;
use std::sync::Arc;

use homing::engine::{Action, Away, Command as Order, Engine, Input, Memory, Setup, State};
use homing::settings::Settings;
use homing::types::{AgentId, Cause, Route, SettingsId};
use homing_sim::agent::{self, Agent};

/// What is counted, and how it is asked for.
const PART: &str = "HOMING_COUNTED_PART";
const SERVERS: &str = "HOMING_COUNTED_SERVERS";

/// From 8 to 4,096 servers is 512 times; what is fixed makes it less, and a tree that grows deeper makes it more. Without
/// optimisation each step of sorting is checked several times.
const MOST: u64 = if cfg!(debug_assertions) { 700 } else { 600 };

fn ratio(part: &str) -> (u64, u64) {
    let (few, many) = (instructions(part, 8), instructions(part, 4096));
    println!("{part}: {few} instructions with 8 servers, {many} with 4,096: {} times", many / few);
    (few, many)
}

#[test]
fn a_new_engine_grows_with_the_list() {
    let (few, many) = ratio("engine");
    assert!(many <= MOST * few, "{few} → {many}");
}

#[test]
fn other_settings_grow_with_the_list() {
    let (few, many) = ratio("reconfigure");
    assert!(many <= MOST * few, "{few} → {many}");
}

#[test]
fn settings_in_another_order_grow_with_the_list() {
    let (few, many) = ratio("reorder");
    assert!(many <= MOST * few, "{few} → {many}");
}

#[test]
fn the_first_search_grows_with_the_list() {
    let (few, many) = ratio("search");
    assert!(many <= MOST * few, "{few} → {many}");
}

#[test]
fn a_search_in_which_every_server_rejects_the_agent_grows_with_the_list() {
    let (few, many) = ratio("rejected");
    assert!(many <= MOST * few, "{few} → {many}");
}

#[test]
fn a_heartbeat_does_not_grow_with_the_list() {
    let (few, many) = ratio("heartbeat");
    assert!(many <= few + few / 10, "{few} → {many}");
}

/// Runs this program once more, under callgrind.
fn instructions(part: &str, servers: usize) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("callgrind.out");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--collect-atstart=no", "--toggle-collect=*counted_part*"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "under_callgrind", "--test-threads=1"])
        .env(PART, part)
        .env(SERVERS, servers.to_string())
        .output()
        .unwrap_or_else(|error| panic!("valgrind counts the instructions, and does not start: {error}"));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stdout));
    let total = text.lines().find_map(|line| line.split_once("Collected : ")).unwrap().1;
    let total = total.trim().parse().unwrap();
    assert!(total > 100, "nothing was counted: {text}");
    total
}

/// The part that was asked for; without one, there is nothing to do.
#[test]
fn under_callgrind() {
    let (Ok(part), Ok(servers)) = (std::env::var(PART), std::env::var(SERVERS)) else { return };
    let servers: usize = servers.parse().unwrap();
    let now = agent::start();
    match part.as_str() {
        "engine" => {
            let settings = agent::settings(servers, "pull", "300s");
            let setup = Setup::new(settings, agent_id());
            let _ = black_box(counted(|| Engine::new(setup, Memory::default(), Away::Unknown, 1, now)));
        }
        "reconfigure" => reconfigure(servers, another_one(servers)),
        "reorder" => reconfigure(servers, backwards(servers)),
        "search" => search(servers, Cause::ConnectionRefused),
        "rejected" => search(servers, Cause::NotAllowed { status: 403 }),
        "heartbeat" => {
            let mut agent = attached(servers);
            agent.beat(10);
            counted(|| agent.beat(10));
        }
        other => panic!("{other}"),
    }
}

/// What is counted. Valgrind knows it by its name, which is in no other name.
#[inline(never)]
fn counted_part(work: &mut dyn FnMut()) {
    work();
    black_box(());
}

fn counted<T>(work: impl FnOnce() -> T) -> T {
    let (mut work, mut result) = (Some(work), None);
    counted_part(&mut || result = work.take().map(|work| work()));
    result.unwrap()
}

fn agent_id() -> AgentId {
    "agent-1".parse().unwrap()
}

fn attached(servers: usize) -> Agent {
    let settings = agent::settings(servers, "pull", "300s");
    let mut agent = Agent::new("agent-1", &settings, &Arc::default(), &Arc::from([Route::Direct]));
    agent.beat(1);
    agent
}

fn reconfigure(servers: usize, settings: Arc<Settings>) {
    let mut agent = attached(servers);
    let order = Order::Reconfigure { id: SettingsId(1), settings };
    counted(|| agent.driver.engine.handle(agent.now, Input::Command(order)));
    assert_eq!(agent.driver.engine.snapshot(agent.now).state, State::Attached);
}

/// The same servers but for the last, and another interval.
fn another_one(servers: usize) -> Arc<Settings> {
    let mut addresses = agent::addresses(servers - 1);
    addresses.push("192.0.2.7".to_owned());
    agent::settings_with(addresses, "pull", "60s")
}

/// The same servers, the last first.
fn backwards(servers: usize) -> Arc<Settings> {
    let mut addresses = agent::addresses(servers);
    addresses.reverse();
    agent::settings_with(addresses, "pull", "300s")
}

/// The first search, in which every server fails; ends when the agent waits.
fn search(servers: usize, cause: Cause) {
    let setup = Setup::new(agent::settings(servers, "pull", "300s"), agent_id());
    let mut now = agent::start();
    let mut engine = Engine::new(setup, Memory::default(), Away::Unknown, 1, now);
    let mut dials = 0;
    counted(|| {
        loop {
            while engine.poll_event().is_some() {}
            if let Some(action) = engine.poll_action() {
                if let Action::Dial { link, .. } = action {
                    dials += 1;
                    engine.handle(now, Input::Lost { link, failure: cause.into() });
                }
                continue;
            }
            if dials >= servers && engine.poll_action().is_none() {
                break;
            }
            now = now.max(engine.deadline().unwrap().0);
            engine.handle(now, Input::Timeout);
        }
    });
    assert_eq!(dials, servers, "each server is tried once");
    let state = engine.snapshot(now).state;
    assert!(matches!(state, State::Waiting | State::Rejected), "{state:?}");
}
