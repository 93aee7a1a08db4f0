//! One server by several ways: an address or a proxy that connects and leads nowhere does not keep the agent from it.

use std::net::IpAddr;
use std::time::Duration;

use homing::engine::{Event, NetworkChange, State};
use homing::types::{Cause, Route};

use crate::world::*;

/// What an endpoint does that connects and leads nowhere, and how long it keeps an attempt.
fn faults() -> Vec<(Server, Duration)> {
    let at_once = |server| (server, ms(100));
    let bad = |cause| at_once(Server { reach: Reach::BadHandshake(cause), ..up() });
    vec![
        bad(Cause::CertificateExpired),
        bad(Cause::WrongName),
        bad(Cause::UnknownIssuer),
        bad(Cause::PinMismatch),
        bad(Cause::TlsFailed),
        bad(Cause::Reset),
        bad(Cause::Truncated),
        at_once(Server { answer: Answer::Breaks, ..up() }),
        at_once(status(404)),
        at_once(status(502)),
        at_once(status(200)),
        at_once(failing(Cause::NotHttp)),
        at_once(failing(Cause::HeadTooLarge)),
        (mute(), s(5) + ms(100)),
        (silent(), s(5) + ms(100)),
    ]
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A name with two addresses: how it is at the first and at the second.
fn two_addresses(first: Server, second: Server, other: &str, http: bool) -> World {
    let plan = Plan { http, ..priorities(&[1]).named() };
    let mut world = plan.start();
    world.set("a", first);
    world.addresses = vec![(address(other), "a".to_owned(), second)];
    world
}

#[test]
fn an_address_that_leads_nowhere_leads_to_the_next_one_within_the_attempt() {
    for (fault, limit) in faults() {
        for other in ["10.0.1.1", "2001:db8::1"] {
            let mut world = two_addresses(fault, up(), other, false);
            let took = world.until_attached("a", s(20));
            assert!(took <= limit, "{fault:?}: {took:?}\n{}", world.story());
            assert_eq!(world.count(|event| matches!(event, Event::AttemptFailed { .. })), 0);
            assert_eq!(world.dials("a").len(), 2);

            let mut world = two_addresses(up(), fault, other, false);
            assert!(world.until_attached("a", s(1)) <= ms(20), "{fault:?}");
            assert_eq!(world.dials("a").len(), 1);
        }
    }
}

#[test]
fn a_route_that_opens_and_leads_nowhere_leads_to_the_next_one_within_the_attempt() {
    for (fault, limit) in faults() {
        for (routes, proxy_is_well) in [
            ([Route::Direct, Route::Proxy(0)], true),
            ([Route::Direct, Route::Proxy(0)], false),
            ([Route::Proxy(0), Route::Direct], true),
            ([Route::Proxy(0), Route::Direct], false),
        ] {
            let mut world = priorities(&[1]).routes(&routes).start();
            let (direct, proxy) = if proxy_is_well { (fault, up()) } else { (up(), fault) };
            world.through_proxy = Some(proxy);
            let took = world.set("a", direct).until_attached("a", s(20));
            assert!(took <= limit, "{fault:?} {routes:?}: {took:?}\n{}", world.story());
            assert_eq!(world.health("a"), "up");

            // The way that worked is the first from now on.
            let dials = world.dials("a").len();
            world.run(s(1000));
            assert_eq!(world.dials("a").len() - dials, world.count(is_heartbeat) - 1, "{}", world.story());
            assert_eq!(world.attachments(), ["a"]);
        }
    }
}

#[test]
fn an_address_that_worked_where_another_failed_is_tried_first_on_this_network() {
    let expired = Server { reach: Reach::BadHandshake(Cause::CertificateExpired), ..up() };
    let mut world = two_addresses(expired, up(), "10.0.1.1", false);
    world.until_attached("a", s(1));
    world.run(s(1000));
    assert_eq!(world.dials("a").len(), 1 + world.count(is_heartbeat), "only the first took two");
    let dials = world.dials("a").len();
    world.network(NetworkChange::Changed).run(s(6));
    assert_eq!(world.dials("a").len(), dials + 2, "on another network it is learned anew");
}

#[test]
fn without_a_failure_the_order_of_the_name_service_stands() {
    let mut world = two_addresses(down(), up(), "10.0.1.1", false);
    world.until_attached("a", s(1));
    world.set("a", up()).run(s(400));
    assert_eq!(world.snapshot().active_at.map(|at| at.address), Some(Some(address("10.0.0.1"))));
}

#[test]
fn the_server_pays_the_mildest_when_all_have_failed_and_the_words_name_each() {
    let expired = Server { reach: Reach::BadHandshake(Cause::CertificateExpired), ..up() };
    let mut world = two_addresses(expired, status(502), "10.0.1.1", false);
    world.until(s(5), "a failure", is_waiting);
    assert_eq!(world.health("a"), "suspect", "a server error costs a third, a certificate a quarantine");
    let words = "server error 502 (at 10.0.1.1; at 10.0.0.1: its certificate has expired)";
    assert!(world.story().contains(words), "{}", world.story());

    let mut world = priorities(&[1]).routes(&[Route::Proxy(0)]).start();
    world.through_proxy = Some(Server { reach: Reach::BadHandshake(Cause::UnknownIssuer), ..up() });
    world.until(s(5), "a failure", is_waiting);
    let words = "its certificate was issued by nobody the policy trusts (by proxy 1)";
    assert!(world.story().contains(words), "{}", world.story());
}

#[test]
fn what_a_server_says_of_itself_is_not_asked_elsewhere() {
    for answer in [status(401), status(429), throttling(503, 30), status(400)] {
        let mut world = two_addresses(answer, up(), "10.0.1.1", false);
        world.run(ms(500));
        assert_eq!(world.dials("a").len(), 1, "{answer:?}\n{}", world.story());
        let mut world = priorities(&[1]).routes(&[Route::Direct, Route::Proxy(0)]).start();
        world.through_proxy = Some(up());
        world.set("a", answer).run(ms(500));
        assert_eq!(world.dials("a").len(), 1, "{answer:?}\n{}", world.story());
    }
}

#[test]
fn four_addresses_that_fall_silent_fit_into_one_attempt_and_a_fifth_has_its_turn() {
    let mut world = two_addresses(mute(), mute(), "10.0.1.1", false);
    for last in 2..5 {
        world.addresses.push((address(&format!("10.0.1.{last}")), "a".to_owned(), mute()));
    }
    world.run(s(20));
    assert_eq!(world.dials("a").len(), 4, "{}", world.story());
    world.addresses.last_mut().unwrap().2 = up();
    world.until_attached("a", s(1800));
}

#[test]
fn a_page_on_one_way_is_no_captive_portal_when_another_leads_there() {
    for first in [status(302), status(511)] {
        let mut world = two_addresses(first, up(), "10.0.1.1", true);
        world.until_attached("a", s(1));
        let mut world = two_addresses(first, down(), "10.0.1.1", true);
        world.run(s(60));
        assert_eq!(
            world.state(),
            State::Captive,
            "an address that is not there says nothing\n{}",
            world.story()
        );
        let mut world = two_addresses(first, status(502), "10.0.1.1", true);
        world.run(s(60));
        assert_ne!(world.state(), State::Captive, "{}", world.story());
    }
}

#[test]
fn a_better_server_is_probed_by_its_good_way_too() {
    let mut world = priorities(&[1, 1]).routes(&[Route::Direct, Route::Proxy(0)]).start();
    world.through_proxy = Some(up());
    world.set("a", down());
    world.through_proxy = Some(down());
    world.until_attached("b", s(10));
    world.set("a", status(502)).through_proxy = Some(up());
    world.until_attached("a", s(800));
}

#[test]
fn a_far_address_has_six_connect_times() {
    for (round_trip, allowed) in [(ms(500), s(5)), (ms(1000), s(6))] {
        let mute = Server { reach: Reach::Mute(round_trip), ..up() };
        let mut world = two_addresses(mute, up(), "10.0.1.1", false);
        let took = world.until_attached("a", s(20));
        let look_up = world.look_up_time;
        assert_eq!(took, look_up + round_trip + allowed + ROUND_TRIP * 3);
    }
}
