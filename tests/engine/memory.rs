//! What the engine wants to be kept, and how often: a write wears a disk out and wakes it up.

use std::time::Duration;

use homing::engine::{Away, Command, Event, Input, LeftOut, LeftOutReason, Memory};
use homing::types::{Cause, Moment, Span};

use crate::world::*;

const DAY: u64 = 24 * 3600;

/// Attached to `b` of the second priority; `a` of the first has come back and answered two probes.
fn proving() -> World {
    let mut world = priorities(&[1, 1]).named().start();
    world.set("a", down());
    world.until_attached("b", s(5));
    world.set("a", up());
    while proofs(&world) < 2 {
        world.run(s(1));
        assert!(world.now.since(world.started) < s(600), "{}", world.story());
    }
    world
}

fn proofs(world: &World) -> u8 {
    let servers = &world.engine.memory().servers;
    let proof = servers.iter().find(|server| server.id.as_str() == "a").and_then(|server| server.proof);
    proof.map_or(0, |proof| proof.count)
}

#[test]
fn an_hour_of_heartbeats_is_one_write() {
    let mut world = priorities(&[2, 2]).named().interval(s(10)).start();
    world.run(s(3600));
    assert!(world.count(is_heartbeat) > 340);
    assert_eq!(world.memories.len(), 1, "where the server was when it worked: {:?}", world.memories);
}

#[test]
fn a_quiet_agent_writes_once_a_day_so_that_a_good_address_does_not_grow_old() {
    let mut world = priorities(&[2, 2]).named().start();
    world.run(s(10 * DAY));
    assert_eq!(world.memories.len(), 11);
    let last = &world.memories.last().unwrap().servers[0].last_good.unwrap();
    assert!(last.1.0 < s(300), "{last:?}");
}

#[test]
fn an_endless_outage_is_written_down_while_it_changes_what_a_next_life_would_do() {
    let mut world = priorities(&[2, 2]).named().start();
    world.set_all(down());
    world.run(s(DAY));
    assert!(world.count(is_waiting) > 1000);
    // Each of the four servers, and the search itself, counts to ten misses, several of them at once.
    assert!((10..=50).contains(&world.memories.len()), "{}", world.memories.len());
    let settled = world.memories.len();
    world.run(s(DAY));
    assert_eq!(world.memories.len(), settled, "the second day is like the first");
}

#[test]
fn a_laptop_without_a_network_writes_ten_times_and_no_more() {
    let mut world = priorities(&[2, 2]).named().start();
    world.run(s(60)).cut_off(true);
    let before = world.memories.len();
    world.run(s(DAY));
    assert!(world.count(is_waiting) > 500, "it looks again and again");
    assert_eq!(world.memories.len() - before, 10, "{:?}", &world.memories[before..]);
}

#[test]
fn misses_that_service_has_forgiven_are_forgotten_on_the_disk_too() {
    let mut world = priorities(&[1]).named().start();
    world.set_all(down()).run(s(600)).set_all(up());
    world.until_attached("a", s(100));
    assert!(world.engine.memory().servers[0].misses > 0);
    world.run(s(3600));
    assert_eq!(world.engine.memory().servers[0].misses, 0);
}

#[test]
fn what_a_better_server_has_proved_survives_the_end_of_the_agent() {
    let mut world = proving();
    world.command(Command::Stop { grace: Duration::ZERO });
    assert_eq!(proofs(&world), 2);
}

#[test]
fn what_a_better_server_has_proved_survives_a_second_restart_before_the_agent_was_attached() {
    let world = proving();
    let mut second =
        priorities(&[1, 1]).named().remembering(world.engine.memory().clone(), Away::For(s(30))).start();
    second.set_all(black_hole()).run(s(60));
    assert!(!second.memories.is_empty());
    assert_eq!(proofs(&second), 2);
    second.give(priorities(&[1, 1, 1]).named().settings());
    second.command(Command::Stop { grace: Duration::ZERO });
    assert_eq!(proofs(&second), 2);
}

#[test]
fn what_was_proved_before_the_clock_began_counts_as_much() {
    // A clock that counts from the start of the machine, or of the program, has hardly begun.
    for begin in [Moment::ORIGIN, Moment::ORIGIN + s(1000)] {
        let plan = priorities(&[1, 1]).named();
        let mut second =
            plan.remembering(proving().engine.memory().clone(), Away::For(s(600))).start_at(begin);
        second.set("a", down());
        second.until_attached("b", s(5));
        second.set("a", up());
        second.until_attached("a", s(600));
        let probes = second.count(|event| matches!(event, Event::Probed { failure: None, .. }));
        assert_eq!(probes, 1, "two of three were in the earlier life\n{}", second.story());
    }
}

#[test]
fn a_failed_probe_takes_the_proof_from_the_disk() {
    let mut world = proving();
    world.set("a", down());
    world.until(s(60), "a probe", |event| matches!(event, Event::Probed { failure: Some(_), .. }));
    assert_eq!(proofs(&world), 0);

    let mut world = proving();
    world.set("a", silent());
    world.until(s(60), "a probe", |event| matches!(event, Event::Probed { failure: Some(_), .. }));
    assert_eq!(proofs(&world), 0);
}

#[test]
fn a_memory_that_could_not_be_stored_is_asked_for_again_with_the_next_heartbeat() {
    let mut world = priorities(&[1]).named().start();
    world.until_attached("a", s(5));
    world.run(s(1));
    assert_eq!(world.memories.len(), 1);
    let lost = |world: &World| world.count(|event| matches!(event, Event::CannotRemember { .. }));
    // However often it is said, it is told once.
    for _ in 0..3 {
        world.input(Input::CannotRemember(1));
    }
    world.run(s(310));
    assert_eq!((world.memories.len(), lost(&world)), (2, 1));
    // The second was stored, so this is news.
    world.input(Input::CannotRemember(2));
    world.run(s(310));
    assert_eq!((world.memories.len(), lost(&world)), (3, 2));
    // An answer to an older version is no news.
    world.input(Input::CannotRemember(1));
    world.run(s(3600));
    assert_eq!(world.memories.len(), 3);
}

#[test]
fn an_absurd_memory_harms_nobody() {
    let mut world = proving();
    world.set("a", failing(Cause::Throttled { status: 503, retry_after: None })).run(s(60));
    let mut memory: Memory = world.engine.memory().clone();
    (memory.misses, memory.damping) = (u8::MAX, u8::MAX);
    for server in &mut memory.servers {
        let forever = Span(Duration::MAX);
        server.misses = u8::MAX;
        server.left_out = Some(LeftOut { reason: LeftOutReason::Throttled, remaining: forever });
        server.last_good = server.last_good.map(|(address, _)| (address, forever));
        server.proof = Some(homing::engine::Proven { count: u8::MAX, ago: forever });
    }
    for away in [Away::Unknown, Away::For(Duration::MAX)] {
        let mut world = priorities(&[1, 1]).named().remembering(memory.clone(), away).start();
        world.until_attached("a", s(3 * 3600));
    }
}
