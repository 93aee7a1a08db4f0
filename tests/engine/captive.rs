//! Somebody who answers in place of the servers: when that is suspected, how it is looked at again, and what it costs.

use std::time::Duration;

use homing::engine::{Event, NetworkChange, Reason, State};
use homing::settings::Situation;
use homing_sim::reference_network::{Place, reference, references};

use crate::world::*;

/// Two servers without TLS, whose answers anybody may give.
fn plain() -> Plan {
    let servers = ["a", "b"].map(|id| serde_json::json!({ "id": id, "address": if id == "a" { "10.0.0.1" } else { "10.0.0.2" }, "protocol": "http" }));
    let list = serde_json::json!([{ "name": "main", "priorities": [{ "servers": servers }] }]);
    priorities(&[2]).with("server_lists", list)
}

fn waits(world: &World) -> Vec<(Duration, Reason)> {
    let told = world.told.iter().filter_map(|(_, event)| match event {
        Event::Waiting { wait, reason } => Some((wait.0, *reason)),
        _ => None,
    });
    told.collect()
}

#[test]
fn a_redirect_of_one_server_is_a_suspicion_of_two_a_portal_and_nobody_is_charged() {
    let mut world = plain().start();
    world.set("a", status(302)).set("b", down());
    world.run(s(40));
    assert_eq!(world.snapshot().reason, Some(Reason::CaptiveSuspected), "{}", world.story());
    assert_eq!(world.state(), State::Captive);
    world.set("b", status(302)).run(s(60));
    assert!(waits(&world).iter().any(|(_, reason)| *reason == Reason::CaptivePortal), "{}", world.story());
    for server in ["a", "b"] {
        assert_ne!(world.health(server), "quarantined");
    }
    world.set_all(up());
    world.run(s(46));
    assert_eq!(world.state(), State::Attached, "one success ends it");
}

#[test]
fn only_somebody_in_between_may_say_511_and_only_without_verification_redirects_count() {
    let mut world = priorities(&[2]).start();
    world.set_all(status(511)).run(s(10));
    assert_eq!(world.state(), State::Captive);
    let mut world = priorities(&[2]).start();
    world.set_all(status(302)).run(s(10));
    assert_ne!(world.state(), State::Captive, "a verified server has said it");
    assert_eq!(world.health("a"), "quarantined");
}

#[test]
fn a_portal_is_looked_at_soon_and_then_each_minute() {
    let mut world = plain().start();
    world.set_all(status(302)).run(s(3600));
    let waits: Vec<_> = waits(&world).into_iter().map(|(wait, _)| wait).collect();
    let (first, last) = (waits[0], &waits[waits.len() - 10..]);
    assert!(first >= ms(2500) && first <= ms(7500), "{waits:?}");
    assert!(waits.iter().all(|wait| *wait <= s(90)), "{waits:?}");
    assert!(last.iter().all(|wait| *wait >= s(30)), "{waits:?}");
    assert!((60..120).contains(&waits.len()), "{}", waits.len());
}

#[test]
fn a_page_of_one_server_while_another_succeeds_is_its_own_fault() {
    let mut world = plain().start();
    world.set("a", status(302)).set("b", up());
    world.run(s(10));
    assert_eq!((world.state(), world.health("a")), (State::Attached, "quarantined"), "{}", world.story());
}

#[test]
fn while_it_is_looked_whether_a_portal_is_gone_it_is_still_said_that_there_is_one() {
    let mut world = plain().start();
    world.set_all(status(302)).run(s(20));
    let mut looks = 0;
    for _ in 0..6000 {
        world.run(ms(100));
        looks += u32::from(world.state() == State::Searching);
        assert_eq!(world.snapshot().reason, Some(Reason::CaptivePortal), "{}", world.story());
    }
    let told = world.told.iter().filter(|(_, event)| {
        matches!(
            event,
            Event::State {
                state: State::Searching,
                reason: Reason::CaptivePortal | Reason::CaptiveSuspected
            }
        )
    });
    assert!(told.count() > 10, "{looks} looks were seen\n{}", world.story());
}

#[test]
fn what_lasts_a_day_or_follows_to_another_network_is_no_portal() {
    let mut world = plain().start();
    world.set_all(status(302)).run(s(86_000));
    assert_eq!(world.snapshot().reason, Some(Reason::CaptivePortal));
    world.run(s(600));
    assert_eq!(world.snapshot().reason, Some(Reason::Intercepted));
    assert_eq!(world.state(), State::Captive);

    let mut world = plain().start();
    world.set_all(status(302)).run(s(500));
    world.network(NetworkChange::Returned).run(s(300));
    assert_ne!(world.snapshot().reason, Some(Reason::Intercepted), "it is the same network");
    world.network(NetworkChange::Changed).run(s(200));
    assert_eq!(world.snapshot().reason, Some(Reason::Intercepted));
}

#[test]
fn the_control_of_the_location_is_a_sign_and_its_end_lets_the_machine_try_at_once() {
    let mut world = priorities(&[2])
        .with("reference_servers", references(1, &[443], "tls"))
        .with("location", serde_json::json!({ "management_server_counts": false }))
        .start();
    world.set_all(black_hole());
    world.places.at.insert((reference(0), 443).into(), Place::Accepts(ms(5)));
    world.places.control = Place::Accepts(ms(5));
    world.run(s(60));
    assert_eq!((world.state(), world.situation()), (State::Captive, Situation::Captive));
    assert_eq!(world.snapshot().reason, Some(Reason::CaptiveSuspected));
    // Somebody has logged in.
    world.set_all(up());
    world.places.control = Place::Drops;
    world.places.at.clear();
    world.run(s(51));
    assert_eq!((world.state(), world.situation()), (State::Attached, Situation::External));
}

#[test]
fn what_the_control_said_is_forgotten_when_nobody_asks_any_more() {
    let mut world = priorities(&[2])
        .with("reference_servers", references(1, &[443], "tls"))
        .with("location", serde_json::json!({ "management_server_counts": false }))
        .start();
    world.set_all(down());
    world.places.control = Place::Accepts(ms(5));
    world.run(s(60));
    assert_eq!(world.state(), State::Captive);
    world.reconfigure(priorities(&[2])).run(s(60));
    assert_eq!(world.state(), State::Waiting);
}

#[test]
fn trust_counts_on_over_a_link_that_flaps() {
    let mut world = priorities(&[1])
        .with("reference_servers", references(1, &[443], "tls"))
        .with("location", serde_json::json!({ "management_server_counts": false }))
        .start();
    world.set_all(black_hole());
    let mut internal = 0;
    for _ in 0..6 {
        for place in [Place::Answers(ms(1)), Place::Refuses(ms(1))] {
            world.places.at.insert((reference(0), 443).into(), place);
            world.network(NetworkChange::Returned).run(s(10));
            internal += u32::from(world.situation() == Situation::Internal);
        }
    }
    assert_eq!(internal, 2, "{}", world.story());
    world.places.at.insert((reference(0), 443).into(), Place::Answers(ms(1)));
    world.network(NetworkChange::Changed).run(s(10));
    assert_eq!(world.situation(), Situation::Internal, "another network starts afresh");
}
