//! The way back to better servers, and home within a priority.

use std::time::Duration;

use homing::engine::{Away, Event, NetworkChange};
use homing::types::{Purpose, Request};

use crate::world::*;

/// Attached to `b` of the second priority, because `a` of the first is down.
fn on_the_lower_priority() -> World {
    let mut world = priorities(&[1, 1]).start();
    world.set("a", down());
    world.until_attached("b", s(5));
    world
}

fn probes(world: &World, server: &str) -> usize {
    let is_probe = |request: &Request| matches!(request, Request::Heartbeat { purpose: Purpose::Probe });
    world.beats.iter().filter(|(_, id, request)| id == server && is_probe(request)).count()
}

#[test]
fn back_on_the_best_priority_within_390_seconds_of_its_return() {
    let mut longest = Duration::ZERO;
    for seed in 0..100 {
        let mut world = priorities(&[1, 1]).seed(seed).start();
        world.set("a", down());
        world.until_attached("b", s(5));
        world.run(s(1200 + seed));
        world.set("a", up());
        let returned = world.now;
        world.until_attached("a", s(391));
        longest = longest.max(world.now.since(returned));
        assert!(probes(&world, "a") >= 3, "it had to prove itself");
        assert_eq!(world.attachments(), ["b", "a"]);
    }
    assert!(longest > s(200), "the moves are spread: {longest:?}");
}

#[test]
fn a_better_server_that_answers_now_and_then_is_not_believed() {
    let mut world = on_the_lower_priority();
    for _ in 0..60 {
        world.set("a", up()).run(s(20)).set("a", down()).break_links("a").run(s(40));
    }
    assert_eq!(world.attachments(), ["b"]);
}

#[test]
fn the_old_link_stays_until_the_new_one_has_worked() {
    let mut world = on_the_lower_priority();
    world.set("a", up());
    world.until(s(400), "failback", |event| matches!(event, Event::Failback { .. }));
    let around: Vec<_> = world.told.iter().rev().take(6).rev().map(|(_, event)| event.clone()).collect();
    let place = |wanted: fn(&Event) -> bool| around.iter().position(wanted).unwrap();
    assert!(place(|e| matches!(e, Event::Failback { .. })) < place(|e| matches!(e, Event::Detached { .. })));
    assert!(place(|e| matches!(e, Event::Detached { .. })) < place(|e| attached_to(e, "a")));
}

#[test]
fn a_move_that_fails_leaves_the_agent_where_it_was() {
    let mut world = on_the_lower_priority();
    world.set("a", up());
    while world.snapshot().servers[0].move_in.is_none() {
        world.run(s(1));
    }
    world.set("a", down());
    world.run(s(600));
    assert_eq!(world.attachments(), ["b"]);
    assert_eq!(
        world.count(|event| matches!(event, Event::Detached { .. })),
        0,
        "failback never lowers availability"
    );
}

#[test]
fn a_server_lost_soon_after_the_return_is_believed_more_slowly_each_time() {
    let mut world = priorities(&[1, 1]).interval(s(10)).start();
    world.set("a", down());
    world.until_attached("b", s(5));
    let mut stays = Vec::new();
    for _ in 0..4 {
        world.set("a", up());
        let returned = world.now;
        world.until_attached("a", s(2 * 3600));
        stays.push(world.now.since(returned));
        world.set("a", down()).break_links("a");
        let lost = world.now;
        world.until_attached("b", s(60));
        assert!(world.now.since(lost) <= s(45), "back at once: {:?}", world.now.since(lost));
    }
    assert!(
        stays[0] <= s(390) && stays[1..].iter().all(|&stay| stay >= s(3600)),
        "an hour after each: {stays:?}"
    );
}

#[test]
fn all_better_priorities_are_probed_own_server_and_the_others_in_turn() {
    let mut world = priorities(&[3, 2, 1]).start();
    for server in ["a", "b", "c", "d", "e"] {
        world.set(server, down());
    }
    world.until_attached("f", s(5));
    let before = world.starts.len();
    world.run(s(1800));
    for server in ["a", "b", "c", "d", "e"] {
        let times = world.starts[before..].iter().filter(|(_, id)| id == server).count();
        assert!(times >= 4, "{server} was probed {times} times in half an hour");
    }
    assert!(
        world.starts.len() - before <= 4 * 1800 / 60 + 10,
        "four prospects, one probe each in 60 s at most"
    );
}

#[test]
fn a_probe_obeys_every_floor() {
    // The oracle fails when a server is spoken to before its floor.
    let mut world = priorities(&[1, 1]).start();
    world.set("a", down());
    world.until_attached("b", s(5));
    world.set("a", failing(homing::types::Cause::Throttled { status: 503, retry_after: Some(s(1000)) }));
    world.run(s(3000));
    assert!(world.dials("a").len() <= 6, "{:?}", world.dials("a"));
}

#[test]
fn on_the_best_server_nothing_is_probed_and_nothing_wakes_but_the_beat() {
    let mut world = priorities(&[3, 3]).start();
    world.run(s(1));
    let inputs = world.inputs;
    world.run(s(3000));
    let per_beat = (world.inputs - inputs) as f64 / 10.0;
    assert!(per_beat <= 7.0, "timeout, connected, secured, first byte, done, remembered at most: {per_beat}");
}

#[test]
fn an_agent_displaced_within_its_priority_goes_home_after_a_while() {
    let mut waits = Vec::new();
    for seed in 0..50 {
        let mut world = priorities(&[2]).interval(s(60)).seed(seed).start();
        let ranking = ranking(&world);
        world.set(&ranking[0], down());
        world.until_attached(&ranking[1], s(5));
        world.set(&ranking[0], up());
        let returned = world.now;
        world.until_attached(&ranking[0], s(3 * 3600));
        waits.push(world.now.since(returned).as_secs());
    }
    waits.sort_unstable();
    let mean = waits.iter().sum::<u64>() / 50;
    assert!(waits[0] >= 120, "proven for two minutes first: {waits:?}");
    assert!((500..=1900).contains(&mean), "an exponential of mean 15 min: {mean}");
}

#[test]
fn progress_survives_a_reboot() {
    // Priority 1 is down for 20 minutes and the laptop is rebooted twice meanwhile.
    for seed in 1..10 {
        let mut world = on_the_lower_priority();
        world.run(s(400));
        let memory = world.engine.memory().clone();
        let mut world = priorities(&[1, 1]).seed(seed).remembering(memory, Away::For(s(60))).start();
        world.set("a", down());
        world.until_attached("b", s(5));
        world.run(s(300));
        world.set("a", up());
        let good = |event: &Event| matches!(event, Event::Probed { failure: None, .. });
        world.until(s(200), "the first good probe", good);
        world.run(s(40));

        // A reboot in the middle of proving; the better server is briefly away at that very moment.
        let memory = world.engine.memory().clone();
        assert!(memory.servers.iter().any(|server| server.proof.is_some()), "{memory:?}");
        let mut world = priorities(&[1, 1]).seed(100 + seed).remembering(memory, Away::For(s(30))).start();
        world.set("a", down());
        world.until_attached("b", s(5));
        world.set("a", up());
        let booted = world.now;
        world.until_attached("a", s(390));
        // It was down so often that it is left out for up to 132 s first.
        let took = world.now.since(booted);
        assert!(took <= s(132 + 30 + 120 + 1), "the first probe completes the proof: {seed}: {took:?}");
    }
}

#[test]
fn a_reboot_while_the_best_server_is_up_goes_straight_to_it() {
    let mut world = on_the_lower_priority();
    world.run(s(600));
    let memory = world.engine.memory().clone();
    let mut world = priorities(&[1, 1]).remembering(memory, Away::For(s(600))).start();
    world.until_attached("a", s(2));
    assert!(world.dials("b").is_empty());
}

#[test]
fn a_memory_of_anything_is_harmless() {
    let memory = serde_json::from_str(
        r#"{ "misses": 255, "damping": 255, "servers": [
            { "id": "a", "misses": 255, "left_out": { "reason": "down", "remaining": "9999days" },
              "proof": { "count": 255, "ago": "9999days" }, "last_good": ["10.0.0.1", "9999days"] },
            { "id": "gone", "misses": 1 } ] }"#,
    )
    .unwrap();
    let mut world = priorities(&[1, 1]).remembering(memory, Away::Unknown).start();
    world.until(s(5), "attached", |event| matches!(event, Event::Attached { .. }));
    world.run(s(3 * 3600));
    assert_eq!(world.active(), Some("a"), "{}", world.story());
}

#[test]
fn a_network_change_does_not_undo_what_was_proved() {
    let mut world = on_the_lower_priority();
    world.set("a", up());
    world.until(s(200), "the first good probe", |event| matches!(event, Event::Probed { failure: None, .. }));
    world.network(NetworkChange::Changed);
    world.until_attached("a", s(390));
}
