//! The age of a connection that is kept: its name may lead elsewhere by now, and its certificate may have ended.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use homing::engine::{Event, Next};
use homing::types::{Cause, Moment};

use crate::world::*;

const MINUTE: Duration = Duration::from_secs(60);
const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 2, 0, 1));

/// Where `a` is at first.
fn first_address() -> IpAddr {
    Ipv4Addr::new(10, 0, 0, 1).into()
}

/// Attached to `a`, which has a name, with a link that is kept.
fn named(interval: u64, seed: u64) -> World {
    let mut world = priorities(&[2]).named().interval(s(interval)).seed(seed).start();
    world.set("b", down());
    world.until_attached("a", s(5));
    world
}

/// Where the links to `a` stand.
fn stands_at(world: &World) -> Vec<IpAddr> {
    world.peers("a")
}

fn nothing_failed(world: &World) {
    let failed = world.count(|event| matches!(event, Event::AttemptFailed { .. } | Event::Detached { .. }));
    assert_eq!(failed, 0, "{}", world.story());
}

#[test]
fn a_kept_link_follows_its_name_within_the_age() {
    for (seed, interval) in [(1, 10), (2, 10), (3, 30), (4, 60), (5, 45)] {
        let mut world = named(interval, seed);
        world.moved.insert("a".to_owned(), ELSEWHERE);
        world.run(24 * MINUTE);
        assert_eq!(stands_at(&world), [first_address()], "younger than 25 min");
        world.run(12 * MINUTE + s(interval));
        assert_eq!(stands_at(&world), [ELSEWHERE], "{}", world.story());
        assert_eq!(world.dials("a").len(), 2);
        nothing_failed(&world);
    }
}

#[test]
fn a_name_that_leads_where_it_led_costs_a_look_up_and_no_dial() {
    for seed in 1..4 {
        let mut world = named(10, seed);
        // More addresses, in another order: the one in use is among them.
        world.addresses.push((ELSEWHERE, "a".to_owned(), up()));
        world.run(240 * MINUTE);
        assert_eq!(world.dials("a").len(), 1, "{}", world.story());
        let looked = world.look_ups.len();
        assert!((7..=10).contains(&looked), "one for each 25 to 35 min: {looked}");
        nothing_failed(&world);
    }
}

#[test]
fn the_new_link_comes_first_and_if_there_is_none_the_old_one_serves() {
    let elsewhere = [
        down(),
        black_hole(),
        mute(),
        silent(),
        status(502),
        status(404),
        Server { reach: Reach::BadHandshake(Cause::WrongName), ..up() },
        Server { answer: Answer::Breaks, ..up() },
    ];
    for (seed, how) in (1..).zip(elsewhere) {
        let mut world = named(10, seed);
        world.addresses.push((ELSEWHERE, "a".to_owned(), how));
        world.moved.insert("a".to_owned(), ELSEWHERE);
        world.run(120 * MINUTE);
        assert_eq!(stands_at(&world), [first_address()], "{how:?}\n{}", world.story());
        assert_eq!(world.count(|event| matches!(event, Event::Detached { .. })), 0, "{how:?}");
        assert_eq!(world.health("a"), "up", "the old link shows that it is there");
        let told = world.count(|event| matches!(event, Event::AttemptFailed { next: Next::SameServer, .. }));
        assert!((3..=5).contains(&told), "each look is told, and there are few: {told}");
        let gap = world.longest_gap();
        assert!(gap <= s(10) + s(14), "a heartbeat waits for one new link at most: {gap:?}");
    }
}

#[test]
fn a_name_service_that_is_down_moves_no_link() {
    for cause in [Cause::NameServerFailed, Cause::NameNotFound, Cause::NameTimeout] {
        let mut world = named(10, 7);
        world.names_fail = Some(cause);
        world.names_hang = cause == Cause::NameTimeout;
        world.run(120 * MINUTE);
        assert_eq!(stands_at(&world), [first_address()], "{cause:?}");
        assert_eq!(world.dials("a").len(), 1, "{cause:?}");
        assert_eq!(world.count(|event| matches!(event, Event::Detached { .. })), 0);
    }
}

#[test]
fn the_word_of_a_server_at_the_new_address_counts() {
    let mut world = named(10, 3);
    world.addresses.push((ELSEWHERE, "a".to_owned(), throttling(429, 5)));
    world.moved.insert("a".to_owned(), ELSEWHERE);
    world.run(36 * MINUTE);
    // The world holds each floor; and the heartbeats go on where the name leads.
    assert_ne!(stands_at(&world), [first_address()], "{}", world.story());
}

#[test]
fn an_old_link_that_is_lost_while_its_name_is_looked_up_is_replaced() {
    let mut world = named(10, 5);
    world.look_up_time = s(2);
    world.until_looked_up(40 * MINUTE);
    world.break_links("a");
    world.run(s(15));
    assert_eq!(stands_at(&world), [first_address()], "{}", world.story());
    assert_eq!(world.dials("a").len(), 2);
    nothing_failed(&world);
}

#[test]
fn a_server_with_an_address_for_a_name_is_never_looked_up() {
    let mut world = priorities(&[1]).interval(s(10)).start();
    world.run(240 * MINUTE);
    assert_eq!(world.dials("a").len(), 1);
}

#[test]
fn a_link_whose_certificate_has_ended_is_not_used_any_more() {
    for (seed, interval) in [(1, 10), (2, 30), (3, 60)] {
        let mut world = priorities(&[1]).interval(s(interval)).seed(seed).start();
        let ends = world.now + 7 * MINUTE;
        world.certificates_end.insert("a".to_owned(), ends);
        world.until_attached("a", s(5));
        world.run(ends.since(world.now));
        // It has a new certificate, but the link that is kept was made under the old one.
        world.certificates_end.clear();
        let told = world.until(
            s(interval),
            "the end of the certificate",
            |event| matches!(event, Event::CertificateEnded { server } if server.as_str() == "a"),
        );
        assert!(told >= ends.since(world.started));
        world.run(s(2 * interval));
        assert_eq!(world.dials("a").len(), 2, "{}", world.story());
        nothing_failed(&world);
    }
}

#[test]
fn a_server_that_still_presents_it_is_left() {
    let mut world = priorities(&[1, 1]).interval(s(10)).start();
    let ends = world.now + 7 * MINUTE;
    world.certificates_end.insert("a".to_owned(), ends);
    world.until_attached("a", s(5));
    world.run(ends.since(world.now));
    world.until_attached("b", s(12));
    let spoken = world.beats.iter().filter(|(at, server, _)| server == "a" && *at >= ends);
    assert_eq!(spoken.count(), 0, "nothing is said on a link that nothing vouches for");
}

#[test]
fn an_event_stream_ends_with_its_certificate() {
    for interval in [10, 300] {
        let mut world = priorities(&[1]).push().interval(s(interval)).start();
        let ends = world.now + 7 * MINUTE;
        world.certificates_end.insert("a".to_owned(), ends);
        world.until_attached("a", s(5));
        world.run(ends.since(world.now) - s(1));
        assert_eq!(world.streams.len(), 1);
        world.certificates_end.clear();
        world.until(s(2), "the end of the certificate", |event| {
            matches!(event, Event::CertificateEnded { .. })
        });
        assert_eq!(world.streams.len(), 0, "at once, and not with the next heartbeat");
        world.run(s(interval.min(6) + 1));
        assert_eq!(world.streams.len(), 1, "{}", world.story());
        assert_eq!(world.count(|event| matches!(event, Event::Detached { .. })), 0);
    }
}

#[test]
fn an_event_stream_follows_the_name_and_does_not_dance_with_it() {
    for interval in [10, 300] {
        let mut world = priorities(&[1]).named().push().interval(s(interval)).start();
        world.addresses.push((ELSEWHERE, "a".to_owned(), up()));
        world.until_attached("a", s(5));
        world.run(50 * MINUTE);
        let opened = world.count(|event| matches!(event, Event::PushOpened { .. }));
        assert_eq!(opened, 1, "two addresses are no reason to leave one\n{}", world.story());
        world.moved.insert("a".to_owned(), ELSEWHERE);
        world.run(36 * MINUTE + s(interval));
        assert!(stands_at(&world).iter().all(|&at| at == ELSEWHERE), "{:?}", stands_at(&world));
    }
}

#[test]
fn agents_that_attached_together_do_not_look_together() {
    let mut looks: Vec<Moment> = Vec::new();
    for seed in 0..40 {
        let mut world = named(10, 100 + seed);
        world.until_looked_up(40 * MINUTE);
        looks.push(world.now);
    }
    let (first, last) = (looks.iter().min().unwrap(), looks.iter().max().unwrap());
    assert!(last.since(*first) > 7 * MINUTE, "{:?}", last.since(*first));
}
