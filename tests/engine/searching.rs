//! Searching for a server, and the waits between searches.

use homing::engine::{Command, Event, NetworkChange, Reason, State};
use homing::types::Cause;

use crate::world::*;

#[test]
fn attaches_to_its_own_server_of_the_best_priority_at_once() {
    let mut world = priorities(&[3, 2]).start();
    let own = ranking(&world)[0].clone();
    let took = world.until_attached(&own, s(1));
    assert_eq!(took, ROUND_TRIP * 3, "connect, secure, exchange");
    assert_eq!(world.starts.len(), 1);
    assert_eq!(world.state(), State::Attached);
}

/// The times of 3.2 in the design: black holes ahead in one priority.
#[test]
fn black_holes_ahead_cost_little() {
    for (ahead, milliseconds) in [(1, 250), (3, 475), (7, 875), (9, 1075)] {
        let mut world = priorities(&[ahead + 1]).start();
        let ranking = ranking(&world);
        for dead in &ranking[..ahead] {
            world.set(dead, black_hole());
        }
        let took = world.until_attached(&ranking[ahead], s(5));
        assert_eq!(took, ms(milliseconds) + ROUND_TRIP * 3, "{ahead} ahead");
    }
}

#[test]
fn one_black_hole_in_each_priority_ahead_costs_a_second_each_and_the_reserve() {
    for (ahead, milliseconds) in [(1, 1500), (3, 3500)] {
        let mut world = priorities(&vec![1; ahead + 1]).start();
        for dead in 0..ahead {
            world.set(&name(dead), black_hole());
        }
        assert_eq!(world.until_attached(&name(ahead), s(10)), ms(milliseconds), "{ahead} ahead");
    }
}

#[test]
fn refused_connections_ahead_cost_ten_milliseconds_each() {
    for shape in [vec![10], vec![1; 10]] {
        let mut world = priorities(&shape).start();
        let ranking = ranking(&world);
        for dead in &ranking[..9] {
            world.set(dead, down());
        }
        assert_eq!(world.until_attached(&ranking[9], s(5)), ms(90) + ROUND_TRIP * 3, "{shape:?}");
    }
}

#[test]
fn ten_servers_that_accept_and_say_nothing_are_passed_in_two_and_a_half_seconds() {
    let mut world = priorities(&[11]).start();
    let ranking = ranking(&world);
    for gray in &ranking[..10] {
        world.set(gray, Server { reach: Reach::Mute(ms(30)), ..up() });
    }
    let took = world.until_attached(&ranking[10], s(5));
    assert!(took <= ms(2500) + ROUND_TRIP * 3, "{took:?}");
}

#[test]
fn a_slow_better_server_beats_a_fast_lower_one() {
    let mut world = priorities(&[1, 1]).start();
    world.set("a", slow(ms(1400) - ROUND_TRIP * 3)).set("b", up());
    assert_eq!(world.until_attached("a", s(5)), ms(1400));
    assert_eq!(world.attachments(), ["a"]);
    assert_eq!(world.dials("b"), [ms(1000)], "a second after the last start above it");
}

#[test]
fn a_reserve_that_dies_before_it_is_needed_lets_the_search_go_on() {
    let mut world = priorities(&[1, 1, 1]).start();
    world.set("a", black_hole()).set("b", up()).set("c", up());
    world.run(ms(1200));
    assert_eq!(world.state(), State::Searching, "b answered and is held");
    world.set("b", down()).break_links("b");
    world.until_attached("c", s(5));
}

#[test]
fn a_reserve_counts_though_its_server_closed_the_connection_with_its_answer() {
    let mut world = priorities(&[1, 1]).start();
    world.set("a", black_hole());
    world.run(ms(1200)).close_links("b");
    assert_eq!(world.until_attached("b", s(5)), ms(1500));
    assert_eq!(world.open_links("b"), 0);
}

#[test]
fn a_server_far_away_is_never_cancelled_at_the_stagger() {
    for round_trip in [300, 600, 1_000, 1_800] {
        let mut world = priorities(&[2]).start();
        world.set_all(far(ms(round_trip)));
        let ranking = ranking(&world);
        world.run(s(20));
        assert_eq!(world.attachments(), [ranking[0].clone()], "{round_trip} ms");
        assert_eq!(world.dials(&ranking[0]).len(), 1);
    }
}

#[test]
fn a_fast_failure_never_looks_attractive() {
    // A failed server answers 500 in a millisecond beside a slow healthy one.
    let mut world = priorities(&[2]).start();
    let ranking = ranking(&world);
    world.set(&ranking[0], status(500)).set(&ranking[1], slow(s(1)));
    world.until_attached(&ranking[1], s(5));
    world.run(s(3600));
    assert_eq!(world.attachments(), [ranking[1].clone()]);
}

#[test]
fn an_outage_is_searched_ever_more_seldom_and_never_given_up() {
    let mut world = priorities(&[2]).start();
    world.set_all(down());
    world.run(s(3600));
    let searches = world.count(|event| matches!(event, Event::Searching { .. }));
    assert!((55..=75).contains(&searches), "one a minute after the first few: {searches}");
    assert_eq!(world.state(), State::Waiting);
    world.set_all(up());
    world.until(s(67), "attached", |event| matches!(event, Event::Attached { .. }));
}

#[test]
fn every_server_is_tried_again_and_again_in_an_endless_outage() {
    let mut world = priorities(&[6, 3]).start();
    world.set_all(down());
    world.run(s(3600));
    let before = world.starts.len();
    world.run(s(3600));
    for index in 0..9 {
        let name = name(index);
        let times = world.starts[before..].iter().filter(|(_, id)| *id == name).count();
        assert!(times >= 5, "{name} was tried {times} times in an hour");
    }
    let per_search = world.starts[before..].len() / 60;
    assert!(per_search <= 6, "own server and two others of each priority: {per_search}");
}

#[test]
fn nobody_is_charged_when_nobody_answers() {
    let mut world = priorities(&[3]).start();
    world.set_all(black_hole());
    world.until(s(60), "waiting", is_waiting);
    assert!(
        world.told.iter().any(|(_, e)| matches!(e, Event::Waiting { reason: Reason::NetworkSuspect, .. }))
    );
    for server in ["a", "b", "c"] {
        assert_eq!(world.health(server), "unknown");
    }
}

#[test]
fn a_machine_without_a_network_blames_nobody_and_looks_again() {
    let mut world = priorities(&[3]).start();
    world.cut_off(true).run(s(600));
    assert_eq!(world.state(), State::NoNetwork);
    assert_eq!(world.health("a"), "unknown");
    let searches = world.count(|event| matches!(event, Event::Searching { .. }));
    assert!((10..=16).contains(&searches), "5, 10, 20, 40, then every 60 s: {searches}");
    world.cut_off(false).network(NetworkChange::Changed);
    world.until(s(5), "attached", |event| matches!(event, Event::Attached { .. }));
}

#[test]
fn a_flapping_network_does_not_become_a_flapping_agent() {
    let mut world = priorities(&[3]).start();
    world.cut_off(true).run(s(10));
    let before = world.starts.len();
    for _ in 0..100 {
        world.network(NetworkChange::Changed).run(ms(100));
    }
    assert!(world.starts.len() - before <= 2 * 3, "at most one early search in 30 s");
}

#[test]
fn the_first_search_can_be_spread() {
    let mut firsts = Vec::new();
    for seed in 0..200 {
        let tuning = r#"{ "attachment": { "startup_spread": "60s" } }"#;
        let mut world = priorities(&[1]).tuning(tuning).seed(seed).start();
        world.until_attached("a", s(61));
        firsts.push(world.starts[0].0.since(world.started).as_secs());
    }
    let early = firsts.iter().filter(|&&at| at < 30).count();
    assert!((70..=130).contains(&early), "{early} of 200 in the first half");
}

#[test]
fn an_agent_that_every_server_rejects_waits_and_asks_seldom() {
    let mut world = priorities(&[4]).start();
    world.set_all(status(403));
    world.until(s(5), "waiting", is_waiting);
    assert_eq!(world.state(), State::Rejected);
    assert_eq!(world.starts.len(), 4, "each is asked");
    let gaps: Vec<_> = world.starts.windows(2).map(|pair| pair[1].0.since(pair[0].0)).collect();
    assert!(gaps[1] >= s(1) && gaps[2] >= s(1), "one by one after the second: {gaps:?}");
    world.run(s(24 * 3600));
    let searches = world.count(|event| matches!(event, Event::Searching { .. }));
    assert!((20..=48).contains(&searches), "10 min doubling to 1 h: {searches}");
    world.set_all(up()).command(Command::BeatNow).run(s(1));
    assert_eq!(world.state(), State::Attached);
}

#[test]
fn new_credentials_end_a_refusal_at_once() {
    let mut world = priorities(&[3]).start();
    world.set_all(status(401));
    world.until(s(5), "waiting", is_waiting);
    world.set_all(up()).run(s(200));
    assert_eq!((world.state(), world.starts.len()), (State::Rejected, 3));
    world.command(Command::NewCredentials);
    assert_eq!(world.state(), State::Searching);
    world.run(s(1));
    assert_eq!(world.state(), State::Attached);
    assert_eq!(
        world.count(|event| matches!(event, Event::Searching { reason: Reason::NewCredentials, .. })),
        1
    );
}

#[test]
fn new_credentials_are_not_charged_with_a_refusal_of_the_old_ones() {
    // The only server, two of two, and one of two: the answer to the old credentials comes after the new ones.
    for (servers, refusing) in [(1, 1), (2, 2), (2, 1)] {
        let mut world = priorities(&[servers]).start();
        let ranking = ranking(&world);
        for server in &ranking[..refusing] {
            world.set(server, Server { think: ms(300), ..status(401) });
        }
        world.run(ms(100)).command(Command::NewCredentials).run(ms(400));
        for server in &ranking {
            world.set(server, up());
        }
        world.run(s(5));
        assert_eq!(world.state(), State::Attached, "{servers} {refusing}");
        assert!(ranking.iter().all(|server| world.health(server) != "quarantined"), "{servers} {refusing}");
    }
}

#[test]
fn new_credentials_say_nothing_to_a_server_that_had_no_objection() {
    let mut world = priorities(&[1, 1]).interval(s(60)).start();
    world.set("a", status(403));
    world.until_attached("b", s(5));
    let starts = world.starts.len();
    world.command(Command::NewCredentials).run(ms(100));
    assert_eq!((world.state(), world.starts.len()), (State::Attached, starts));
    assert_ne!(world.health("a"), "quarantined", "it may be probed again");
    world.set("a", up());
    world.until_attached("a", s(390));
}

#[test]
fn one_server_that_does_not_want_this_agent_is_left_for_another() {
    let mut world = priorities(&[2, 1]).start();
    let ranking = ranking(&world);
    world.set(&ranking[0], status(401));
    world.until_attached(&ranking[1], s(5));
    assert_eq!(world.health(&ranking[0]), "quarantined");
}

#[test]
fn a_wrong_certificate_is_never_tried_more_weakly_and_seldom() {
    let mut world = priorities(&[1]).start();
    world.set("a", Server { reach: Reach::BadHandshake(Cause::UnknownIssuer), ..up() });
    world.run(s(3600));
    let dials = world.dials("a").len();
    assert!((13..=17).contains(&dials), "now, 30 s, 1, 2, 5 min, each 5 min: {dials}");
}

#[test]
fn odd_lists_are_defined() {
    // An empty priority, one server, and a thousand.
    let mut world = priorities(&[0, 1, 0]).start();
    world.until_attached("a", s(1));
    let mut world = priorities(&[500, 500]).start();
    world.until(s(1), "attached", |event| matches!(event, Event::Attached { .. }));
    world.set_all(black_hole());
    world.run(s(1200));
    world.set_all(up());
    world.until(s(600), "attached", |event| matches!(event, Event::Attached { .. }));
}

#[test]
fn settings_that_change_every_tenth_of_a_second_do_not_keep_it_from_attaching() {
    let mut world = priorities(&[3]).start();
    world.set_all(slow(ms(300)));
    for _ in 0..10 {
        world.run(ms(100));
        world.reconfigure(priorities(&[3]));
    }
    assert_eq!(world.state(), State::Attached);
    assert!(world.attachments().len() == 1, "{}", world.story());
}

#[test]
fn names_that_no_longer_resolve_lead_where_they_led() {
    let mut world = priorities(&[1]).named().interval(s(60)).start();
    world.until_attached("a", s(1));
    world.names_fail = Some(Cause::NameServerFailed);
    world.break_links("a").run(s(300));
    assert!(world.count(is_heartbeat) >= 5, "{}", world.story());
    assert_eq!(world.attachments(), ["a"]);
}

#[test]
fn a_dead_name_service_is_the_network_not_the_servers() {
    let mut world = priorities(&[2]).named().start();
    world.names_fail = Some(Cause::NameTimeout);
    world.run(s(30));
    assert_eq!((world.state(), world.snapshot().reason), (State::NoNetwork, Some(Reason::NoNames)));
    assert_eq!(world.health("a"), "unknown");
}
