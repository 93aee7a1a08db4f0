//! Attached: beats, doubts, losses, and staying.

use std::collections::BTreeMap;
use std::time::Duration;

use homing::engine::{Command, Event, NetworkChange, Next, Reason, State};
use homing::types::{Cause, FailureClass, Moment, Purpose, Request, SettingsId};

use crate::world::*;

fn is_beat(request: &Request) -> bool {
    matches!(request, Request::Heartbeat { purpose: Purpose::Beat })
}

/// Attached to the own server of two in one priority, with a beat every 50 s on a kept connection.
fn attached() -> (World, String, String) {
    let mut world = priorities(&[2]).interval(s(50)).start();
    let ranking = ranking(&world);
    world.until_attached(&ranking[0], s(1));
    (world, ranking[0].clone(), ranking[1].clone())
}

fn detached_why(world: &World) -> Vec<Reason> {
    let reason = |(_, event): &(Duration, Event)| match event {
        Event::Detached { reason, .. } => Some(*reason),
        _ => None,
    };
    world.told.iter().filter_map(reason).collect()
}

fn next_beat(world: &mut World) -> Moment {
    let (due, _) = world.engine.deadline().unwrap();
    due
}

// --- the cadence ---

#[test]
fn beats_on_a_grid_without_drift() {
    let mut world = priorities(&[2]).start();
    world.run(s(300 * 50));
    let beats: Vec<_> =
        world.beats.iter().filter(|(_, _, request)| is_beat(request)).map(|(at, ..)| *at).collect();
    assert!((51..=52).contains(&beats.len()), "{}", beats.len());
    // Every beat stands within 2 % of its place of one grid.
    let first = beats[10].as_nanos() as f64 / 1e9;
    for (index, beat) in beats.iter().enumerate().skip(1) {
        let place = first + 288.0 * (index as f64 - 10.0);
        let off = beat.as_nanos() as f64 / 1e9 - place;
        assert!(off.abs() <= 11.6, "beat {index} is {off} s off");
    }
}

#[test]
fn a_fleet_that_attached_in_one_second_beats_evenly() {
    let mut per_bucket: BTreeMap<u64, u32> = BTreeMap::new();
    for agent in 0..1000 {
        let mut world = priorities(&[1]).agent(&format!("agent-{agent}")).seed(agent).start();
        world.run(s(900));
        for (at, ..) in world.beats.iter().filter(|(_, _, request)| is_beat(request)) {
            let second = at.since(world.started).as_secs();
            if second >= 450 {
                *per_bucket.entry(second / 30).or_default() += 1;
            }
        }
    }
    // A thousand agents, 300 s, buckets of 30 s: a hundred each.
    let most = per_bucket.values().max().unwrap();
    assert!(*most <= 135, "{per_bucket:?}");
}

#[test]
fn a_kept_link_serves_all_beats_and_a_distant_one_is_closed() {
    let (mut world, own, _) = attached();
    world.run(s(600));
    assert_eq!(world.dials(&own).len(), 1, "a beat every 50 s keeps its connection");

    let mut world = priorities(&[1]).interval(s(300)).start();
    world.run(s(3000));
    assert_eq!(world.open_links("a"), 0);
    assert_eq!(world.dials("a").len(), world.count(is_heartbeat), "each beat has a connection of its own");
}

#[test]
fn beat_now_is_one_beat_however_often_it_is_asked() {
    let (mut world, ..) = attached();
    let before = world.count(is_heartbeat);
    for _ in 0..10 {
        world.command(Command::BeatNow);
    }
    world.run(ms(100));
    assert_eq!(world.count(is_heartbeat) - before, 1);
}

#[test]
fn an_idle_connection_that_the_server_closes_costs_nothing() {
    let (mut world, own, _) = attached();
    world.break_links(&own).run(s(300));
    assert_eq!(world.attachments(), [own.as_str()]);
    assert_eq!(world.health(&own), "up");
    assert_eq!(world.count(|e| matches!(e, Event::AttemptFailed { .. })), 0);
    assert_eq!(world.dials(&own).len(), 2, "dialled anew when it was needed");
}

#[test]
fn a_kept_connection_that_turns_out_dead_is_dialled_anew_without_a_charge() {
    let (mut world, own, _) = attached();
    world.set(&own, Server { answer: Answer::Breaks, ..up() });
    let due = next_beat(&mut world);
    world.run(due.since(world.now) + ROUND_TRIP);
    world.set(&own, up());
    world.run(s(1));
    assert_eq!(world.health(&own), "up");
    assert_eq!(world.attachments(), [own.as_str()]);
}

// --- losses ---

#[test]
fn the_next_server_answers_the_beat_that_finds_its_own_dead() {
    let (mut world, own, other) = attached();
    world.set(&own, down()).break_links(&own);
    let due = next_beat(&mut world).max(world.now);
    world.until_attached(&other, s(70));
    assert!(world.now.since(due) <= ms(300), "{:?} after the beat was due", world.now.since(due));
    assert_eq!(detached_why(&world), [Reason::ServerFailed]);
}

#[test]
fn the_next_server_answers_the_beat_that_finds_its_own_in_a_black_hole() {
    let (mut world, own, other) = attached();
    world.set(&own, black_hole()).break_links(&own);
    let due = next_beat(&mut world);
    world.until_attached(&other, s(70));
    assert!(world.now.since(due) <= ms(600), "{:?}", world.now.since(due));
    assert_eq!(detached_why(&world), [Reason::OtherServerAnswered], "new link first");
}

#[test]
fn a_frozen_server_gets_a_second_opinion_within_seconds() {
    let (mut world, own, other) = attached();
    world.set(&own, Server { reach: Reach::Mute(ROUND_TRIP), answer: Answer::Silent, ..up() });
    let begun = next_beat(&mut world);
    world.until(s(70), "second opinion", |e| {
        matches!(e, Event::Searching { reason: Reason::ServerSilent, .. })
    });
    assert!(world.now.since(begun) <= ms(2100), "{:?}", world.now.since(begun));
    world.until_attached(&other, s(5));
    assert!(world.now.since(begun) <= ms(2500), "{:?}", world.now.since(begun));
    assert_eq!(world.health(&own), "down", "it fails and another works");
}

#[test]
fn a_silent_connection_to_a_healthy_server_is_replaced_not_the_server() {
    let (mut world, own, _) = attached();
    // A middlebox swallowed the kept connection: this exchange is never answered, a fresh link works.
    world.set(&own, silent());
    let begun = next_beat(&mut world);
    world.run(begun.since(world.now) + ms(1));
    world.set(&own, up()).run(s(5));
    assert_eq!(world.attachments(), [own.as_str()]);
    assert_eq!(world.health(&own), "up");
    assert_eq!(world.open_links(&own), 1);
}

#[test]
fn when_every_server_is_silent_it_is_the_network() {
    let (mut world, own, other) = attached();
    world.set_all(silent());
    world.until(s(120), "waiting", is_waiting);
    assert!(
        world.told.iter().any(|(_, e)| matches!(e, Event::Waiting { reason: Reason::NetworkSuspect, .. }))
    );
    assert_ne!(world.health(&own), "down");
    assert_ne!(world.health(&other), "down");
}

#[test]
fn a_server_error_is_looked_at_again_twice_before_the_server_is_left() {
    let (mut world, own, other) = attached();
    world.set(&own, status(500));
    world.until_attached(&other, s(120));
    let failures = world.count(|e| {
        matches!(e, Event::AttemptFailed { class: FailureClass::ServerError, server, .. } if server.as_str() == own)
    });
    assert_eq!(failures, 3);
    assert_eq!(world.count(|e| matches!(e, Event::AttemptFailed { next: Next::SameServer, .. })), 2);
}

#[test]
fn one_401_throws_nothing_away() {
    let mut world = priorities(&[1]).interval(s(60)).start();
    world.until_attached("a", s(1));
    world.set("a", status(401));
    world.until(s(70), "waiting", is_waiting);
    assert_eq!(world.state(), State::Rejected);
    world.set("a", up()).run(s(901));
    assert_eq!(world.attachments(), ["a", "a"], "it came back by itself");
}

#[test]
fn three_servers_of_which_two_die_lead_to_the_third_without_a_loop() {
    let mut world = priorities(&[3]).interval(s(60)).start();
    let ranking = ranking(&world);
    world.until_attached(&ranking[0], s(1));
    world.set(&ranking[0], down()).break_links(&ranking[0]);
    world.until_attached(&ranking[1], s(70));
    world.set(&ranking[1], down()).break_links(&ranking[1]);
    let before = world.dials(&ranking[0]).len();
    world.until_attached(&ranking[2], s(70));
    let after: Vec<_> = world.starts.iter().rev().take(1).map(|(_, id)| id.clone()).collect();
    assert_eq!(after, [ranking[2].clone()]);
    assert!(world.dials(&ranking[0]).len() - before <= 2, "probes of its own server at most");
}

#[test]
fn a_flapping_server_costs_more_each_time() {
    // 1 s up, 30 s down, for an hour; a beat every 10 s.
    let mut world = priorities(&[1]).interval(s(10)).start();
    for _ in 0..115 {
        world.set("a", up()).run(s(1));
        world.set("a", down()).break_links("a").run(s(30));
    }
    let dials = world.dials("a").len();
    assert!(dials <= 115 + 60, "a bare success resets nothing: {dials} dials");
    let last: Vec<_> = world.dials("a").into_iter().rev().take(20).collect();
    let mean = (last[0] - *last.last().unwrap()) / 19;
    assert!(mean >= s(20), "the waits have grown: {mean:?}");
}

// --- patience ---

#[test]
fn a_floor_is_applied_obeyed_and_garbage_is_ignored() {
    // The oracle fails when anything is said before the floor.
    for (asked, least, most) in
        [(Some(s(0)), s(1), s(7)), (Some(s(100)), s(100), s(126)), (None, s(30), s(39))]
    {
        let mut world = priorities(&[1]).interval(s(60)).start();
        world.until_attached("a", s(1));
        world.set("a", failing(Cause::Throttled { status: 429, retry_after: asked }));
        world.until(s(70), "throttled", |e| matches!(e, Event::AttemptFailed { next: Next::Later, .. }));
        let throttled = world.now;
        world.set("a", up());
        world.until(s(200), "heartbeat", is_heartbeat);
        let waited = world.now.since(throttled);
        assert!(waited >= least && waited <= most, "{asked:?}: {waited:?}");
        assert_eq!(world.attachments(), ["a"], "it stays");
    }
}

#[test]
fn nobody_leaves_for_a_lower_priority_because_of_a_429() {
    let mut world = priorities(&[1, 1]).interval(s(60)).start();
    world.until_attached("a", s(1));
    world.set("a", failing(Cause::Throttled { status: 429, retry_after: Some(s(300)) }));
    world.run(s(300));
    assert_eq!(world.attachments(), ["a"]);
    assert!(world.dials("b").is_empty());
    world.set("a", up()).run(s(400));
    assert_eq!(world.attachments(), ["a"]);

    // An agent without a server passes by, and comes back.
    let mut world = priorities(&[1, 1]).start();
    world.set("a", failing(Cause::Throttled { status: 429, retry_after: Some(s(5)) }));
    world.until_attached("b", s(1));
    world.set("a", up());
    world.until_attached("a", s(390));
}

#[test]
fn a_503_that_asks_for_too_much_patience_is_left_and_kept_until_another_answers() {
    let mut world = priorities(&[1, 1]).interval(s(60)).start();
    world.until_attached("a", s(1));
    world.set("a", failing(Cause::Throttled { status: 503, retry_after: Some(s(600)) }));
    world.until_attached("b", s(70));
    assert_eq!(detached_why(&world), [Reason::ServerThrottled]);
}

#[test]
fn a_draining_server_is_left_within_its_window_new_link_first() {
    let (mut world, own, other) = attached();
    world.set(&own, Server { answer: Answer::Drain(s(20)), ..up() });
    world.until(s(70), "the beat that says so", is_heartbeat);
    let asked = world.now;
    world.until_attached(&other, s(21));
    assert!(world.now.since(asked) <= s(20) + ms(100));
    assert_eq!(world.count(|e| matches!(e, Event::AttemptFailed { .. })), 0, "it costs nothing");
    assert_eq!(world.health(&own), "draining");
}

#[test]
fn the_last_server_is_kept_though_it_drains() {
    let mut world = priorities(&[1]).interval(s(60)).start();
    world.until_attached("a", s(1));
    world.set("a", Server { answer: Answer::Drain(s(5)), ..up() });
    world.run(s(600));
    assert_eq!(world.attachments(), ["a"]);
    assert_eq!(world.state(), State::Attached);
}

// --- suspend, network, settings ---

#[test]
fn a_suspend_of_any_length_costs_at_most_one_heartbeat() {
    for hours in [1, 9, 100] {
        let mut world = priorities(&[2]).interval(s(300)).start();
        world.run(s(400));
        let before = world.count(is_heartbeat);
        world.suspend(s(hours * 3600));
        let woke = world.now;
        world.until(s(10), "first contact", is_heartbeat);
        assert!(world.now.since(woke) <= s(10) + ms(100), "within the resume spread");
        assert_eq!(world.count(is_heartbeat) - before, 1, "{hours} h");
        world.run(s(288 * 5));
        let beats = world.count(is_heartbeat) - before;
        assert!((5..=6).contains(&beats), "{hours} h: one beside the regular ones, not {beats}");
        assert_eq!(world.count(|e| matches!(e, Event::AttemptFailed { .. } | Event::Detached { .. })), 0);
    }
}

#[test]
fn a_network_change_is_answered_with_one_beat_on_a_fresh_link() {
    let (mut world, own, _) = attached();
    let before = world.count(is_heartbeat);
    world.network(NetworkChange::Changed);
    assert_eq!(world.open_links(&own), 0, "the old link is worth nothing");
    world.run(s(6));
    assert_eq!(world.count(is_heartbeat) - before, 1);
    assert_eq!(world.attachments(), [own.as_str()]);
}

#[test]
fn a_flapping_network_is_not_answered_with_a_beat_for_every_flap() {
    let mut world = priorities(&[2]).start();
    world.run(s(10));
    let before = world.count(is_heartbeat);
    for _ in 0..1200 {
        world.network(NetworkChange::Changed).run(ms(100));
    }
    let beats = world.count(is_heartbeat) - before;
    assert!((2..=5).contains(&beats), "at most one in 30 s, and not none: {beats}");
}

#[test]
fn the_same_settings_given_again_are_another_version_of_them() {
    let (mut world, own, _) = attached();
    let settings = world.plan.settings();
    for _ in 0..3 {
        world.give(settings.clone());
    }
    world.break_links(&own).run(s(60));
    assert_eq!(world.policies.last().unwrap().settings, SettingsId(3), "the driver counts them as well");
}

#[test]
fn new_settings_that_still_name_the_server_change_nothing_under_way() {
    let (mut world, own, _) = attached();
    world.reconfigure(priorities(&[3]).interval(s(50)));
    world.run(s(300));
    assert_eq!(world.attachments(), [own.as_str()]);
    assert_eq!(world.dials(&own).len(), 1, "not even the connection");
}

#[test]
fn a_server_that_is_no_longer_named_is_left_once_another_has_answered() {
    let mut world = priorities(&[1]).interval(s(60)).start();
    world.until_attached("a", s(1));
    let mut other = priorities(&[1]).interval(s(60));
    other.priorities = vec![vec!["z".to_owned()]];
    world.reconfigure(other);
    world.until_attached("z", s(61));
    assert_eq!(detached_why(&world), [Reason::NewSettings]);

    // And while no other answers, it is kept and still beaten.
    let mut world = priorities(&[1]).interval(s(60)).start();
    world.until_attached("a", s(1));
    let mut other = priorities(&[1]).interval(s(60));
    other.priorities = vec![vec!["z".to_owned()]];
    world.set_all(up());
    let before = world.count(is_heartbeat);
    world.reconfigure_with(other, "z", down());
    world.run(s(600));
    assert_eq!(world.active(), Some("a"));
    assert!(world.count(is_heartbeat) - before >= 9, "{}", world.story());
    world.set("z", up());
    world.until_attached("z", s(70));
}

#[test]
fn stop_finishes_the_running_exchange_within_its_grace() {
    let (mut world, own, _) = attached();
    world.set(&own, slow(ms(500)));
    let due = next_beat(&mut world);
    world.run(due.since(world.now) + ms(10));
    let before = world.count(is_heartbeat);
    world.command(Command::Stop { grace: s(5) });
    assert_eq!(world.state(), State::Stopping);
    world.run(s(1));
    assert_eq!(world.count(is_heartbeat) - before, 1, "the answer still counted");
    assert_eq!(world.state(), State::Stopped);
    assert!(matches!(world.told.last().unwrap().1, Event::Stopped {}));
    assert_eq!(world.engine.deadline(), None);
    assert_eq!(world.open_links(&own), 0);
}

#[test]
fn stop_without_anything_under_way_is_at_once() {
    let (mut world, ..) = attached();
    world.command(Command::Stop { grace: s(5) });
    assert_eq!(world.state(), State::Stopped);
}
