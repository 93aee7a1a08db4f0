//! Calls of the product: when they are made, to which server, and what they leave alone.

use std::time::Duration;

use homing::engine::{Command, Event};
use homing::types::{CallId, FailureClass, Moment, Repeat, Request};
use serde_json::json;

use crate::world::{Calls, Plan, World, down, is_heartbeat, ms, priorities, s, throttling, up};

fn call(world: &mut World, number: u64, within: Duration, repeat: Repeat) {
    world.command(Command::Call { call: CallId(number), within, repeat });
}

/// Every call begun: when since the start, to which server, and which.
fn made(world: &World) -> Vec<(Duration, String, u64)> {
    let made = |(at, server, request): &(Moment, String, Request)| {
        let Request::Call { call, .. } = request else { return None };
        Some((at.since(world.started), server.clone(), call.0))
    };
    world.beats.iter().filter_map(made).collect()
}

/// Every call that has an answer: which, and by which server.
fn answered(world: &World) -> Vec<(u64, String)> {
    let answered = |event: &Event| {
        let Event::Called { call, server, .. } = event else { return None };
        Some((call.0, server.to_string()))
    };
    world.told.iter().filter_map(|(_, event)| answered(event)).collect()
}

/// Every call that has none: which, how it failed, and why.
fn failed(world: &World) -> Vec<(u64, Option<FailureClass>, String)> {
    let failed = |event: &Event| {
        let Event::CallFailed { call, class, detail, .. } = event else { return None };
        Some((call.0, *class, detail.clone()))
    };
    world.told.iter().filter_map(|(_, event)| failed(event)).collect()
}

fn attached(plan: Plan) -> World {
    let mut world = plan.start();
    world.until_attached("a", s(10));
    world.run(s(2));
    world
}

#[test]
fn a_call_takes_the_kept_link_unless_a_heartbeat_could_need_it() {
    let mut world = attached(priorities(&[2]).interval(s(30)));
    let (dials, at) = (world.starts.len(), world.now.since(world.started));
    call(&mut world, 1, s(10), Repeat::OnceElsewhere);
    world.run(ms(20));
    assert_eq!(made(&world), [(at, "a".to_owned(), 1)]);
    assert_eq!((answered(&world), world.starts.len()), (vec![(1, "a".to_owned())], dials));
    world.calls = Calls::AnsweredAfter(s(60));
    let beats = world.count(is_heartbeat);
    call(&mut world, 2, s(90), Repeat::Never);
    world.run(ms(20));
    assert_eq!(world.starts.len(), dials + 1, "it makes a link of its own");
    world.run(s(61));
    assert_eq!((answered(&world).len(), world.starts.len()), (2, dials + 1));
    assert!(world.count(is_heartbeat) >= beats + 2, "and the heartbeats went on");
    world.run(s(60));
    assert_eq!(world.starts.len(), dials + 1);
}

#[test]
fn four_are_under_way_and_others_wait_their_turn() {
    let mut world = attached(priorities(&[1]).interval(s(30)));
    world.calls = Calls::AnsweredAfter(s(5));
    for number in 1..=9 {
        call(&mut world, number, s(60), Repeat::Never);
    }
    world.run(s(1));
    assert_eq!(made(&world).len(), 4);
    world.run(s(5));
    assert_eq!((made(&world).len(), answered(&world).len()), (8, 4));
    world.run(s(10));
    let order: Vec<_> = made(&world).into_iter().map(|(.., number)| number).collect();
    assert_eq!((order, answered(&world).len()), ((1..=9).collect(), 9));
    assert!(world.starts.len() <= 5, "a link that served one serves the next: {:?}", world.starts);
}

#[test]
fn too_many_are_refused_at_once_and_each_that_waits_ends_in_its_time() {
    let mut world = attached(priorities(&[1]).interval(s(30)));
    world.calls = Calls::AnsweredAfter(s(100));
    for number in 1..=80 {
        call(&mut world, number, s(10), Repeat::Never);
    }
    // The first four were begun one by one, as they came.
    let refused: Vec<_> = failed(&world).into_iter().map(|(number, ..)| number).collect();
    assert_eq!(refused, (69..=80).collect::<Vec<_>>());
    world.run(s(9));
    assert_eq!(failed(&world).len(), 12);
    world.run(s(2));
    let all = failed(&world);
    assert_eq!((all.len(), answered(&world).len(), made(&world).len()), (80, 0, 4));
    assert_eq!(all.iter().filter(|(_, class, _)| *class == Some(FailureClass::Limit)).count(), 4, "{all:?}");
}

#[test]
fn a_call_waits_for_a_server_until_its_own_limit() {
    let mut world = priorities(&[1]).interval(s(30)).start();
    world.set_all(down());
    world.run(s(5));
    call(&mut world, 1, s(3), Repeat::Never);
    call(&mut world, 2, s(600), Repeat::Never);
    world.run(s(4));
    let all = failed(&world);
    assert_eq!((all.len(), all[0].0, all[0].1), (1, 1, None));
    assert!(all[0].2.contains("no server"), "{all:?}");
    world.set_all(up());
    world.until_attached("a", s(300));
    world.run(s(1));
    assert_eq!(answered(&world), [(2, "a".to_owned())]);
}

#[test]
fn what_a_server_asks_for_holds_for_calls() {
    let mut world = attached(priorities(&[1]).interval(s(30)));
    world.set("a", throttling(503, 120));
    world.command(Command::BeatNow).run(s(1));
    let at = world.now.since(world.started);
    world.set("a", up());
    call(&mut world, 1, s(10), Repeat::Never);
    call(&mut world, 2, s(300), Repeat::Never);
    world.run(s(200));
    // The oracle of the world watches the floor too.
    let made = made(&world);
    assert_eq!(made.len(), 1, "{made:?}");
    assert!(made[0].0 >= at + s(118) && made[0].2 == 2, "{made:?}");
    assert_eq!(failed(&world).len(), 1);
}

#[test]
fn only_what_may_be_made_twice_goes_to_another_server() {
    let mut world = attached(priorities(&[2]).interval(s(30)));
    world.calls = Calls::Break;
    call(&mut world, 1, s(600), Repeat::Never);
    call(&mut world, 2, s(600), Repeat::OnceElsewhere);
    call(&mut world, 3, s(20), Repeat::OnceElsewhere);
    world.run(s(10));
    assert_eq!(failed(&world).len(), 1, "{:?}", failed(&world));
    assert_eq!((failed(&world)[0].0, failed(&world)[0].1), (1, Some(FailureClass::Broken)));
    world.run(s(20));
    let broken = (3, Some(FailureClass::Broken));
    assert_eq!((failed(&world)[1].0, failed(&world)[1].1), broken, "how it failed is not forgotten");
    world.calls = Calls::AnsweredAfter(Duration::ZERO);
    world.set("a", down()).break_links("a");
    world.until_attached("b", s(60));
    world.run(s(1));
    assert_eq!(answered(&world), [(2, "b".to_owned())]);
}

#[test]
fn a_kept_link_that_was_closed_costs_a_call_nothing() {
    let mut world = attached(priorities(&[1]).interval(s(30)));
    world.close_links("a");
    call(&mut world, 1, s(10), Repeat::OnceElsewhere);
    world.run(s(2));
    assert_eq!((answered(&world).len(), failed(&world).len()), (1, 0));
}

#[test]
fn a_call_that_must_not_be_made_twice_is_made_once_whatever_becomes_of_its_link() {
    let mut world = attached(priorities(&[1]).interval(s(30)));
    let dials = world.starts.len();
    call(&mut world, 1, s(10), Repeat::Never);
    world.run(s(1));
    assert_eq!(world.starts.len(), dials + 1, "not on a link that has rested");
    call(&mut world, 2, s(10), Repeat::Never);
    // The link of the first call carries the second one, and is closed under it.
    assert_eq!(world.starts.len(), dials + 1);
    world.close_links("a");
    world.run(s(5));
    let made: Vec<_> = made(&world).into_iter().map(|(.., number)| number).collect();
    assert_eq!((made, failed(&world).len()), (vec![1, 2], 1));
}

#[test]
fn a_call_that_breaks_makes_a_heartbeat_and_says_no_more_of_the_server() {
    let mut world = attached(priorities(&[2]).interval(s(300)));
    let beats = world.count(is_heartbeat);
    world.calls = Calls::Break;
    call(&mut world, 1, s(10), Repeat::Never);
    world.run(s(5));
    assert_eq!((failed(&world).len(), world.count(is_heartbeat)), (1, beats + 1));
    assert_eq!((world.active(), world.health("a")), (Some("a"), "up"));
}

#[test]
fn calls_that_fail_for_ever_are_guarded_and_take_no_dial_from_the_heartbeats() {
    let mut world = attached(priorities(&[1]).interval(s(60)));
    world.calls = Calls::Break;
    for number in 1..=3_000 {
        call(&mut world, number, s(5), Repeat::Never);
        world.run(ms(200));
    }
    let calls = made(&world);
    // The heartbeats make links too, and their own are free at times.
    assert!(calls.len() <= 110 + 10, "{}", calls.len());
    assert!(world.starts.len() <= 110 + 20, "{}", world.starts.len());
    assert!(world.longest_gap() <= s(61), "{:?}", world.longest_gap());
}

#[test]
fn a_call_that_has_begun_goes_on_when_the_agent_moves() {
    let mut world = priorities(&[1, 1]).interval(s(30)).start();
    world.set("a", down());
    world.until_attached("b", s(60));
    world.calls = Calls::AnsweredAfter(s(1_000));
    call(&mut world, 1, s(2_000), Repeat::Never);
    world.run(s(1));
    world.set("a", up());
    world.until_attached("a", s(900));
    world.run(s(1_100));
    assert_eq!(answered(&world), [(1, "b".to_owned())]);
    assert_eq!(world.open_links("b"), 0, "and its link is let go");
}

#[test]
fn nothing_is_said_any_more_when_the_engine_stops_or_is_to_be_silent() {
    let mut world = attached(priorities(&[1]).interval(s(30)));
    world.calls = Calls::AnsweredAfter(s(100));
    for number in 1..=6 {
        call(&mut world, number, s(200), Repeat::OnceElsewhere);
    }
    world.run(s(1));
    world.reconfigure(priorities(&[1]).communication(&json!({ "enabled": false })));
    world.run(s(1));
    assert_eq!((failed(&world).len(), world.open_links("a")), (6, 0));
    call(&mut world, 7, s(200), Repeat::Never);
    assert_eq!(failed(&world).len(), 7);
    world.reconfigure(priorities(&[1]));
    world.until_attached("a", s(10));
    call(&mut world, 8, s(200), Repeat::Never);
    world.run(s(1));
    world.command(Command::Stop { grace: s(2) });
    call(&mut world, 9, s(200), Repeat::Never);
    world.run(s(5));
    assert_eq!(failed(&world).len(), 8, "the last event has been told");
    assert!(matches!(world.told.last(), Some((_, Event::Stopped {}))), "{:?}", world.told.last());
}
