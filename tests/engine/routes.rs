//! Several ways to one server: a proxy that is only in the office, and a proxy that fails.

use homing::engine::{Event, NetworkChange, State};
use homing::types::Route;

use crate::world::*;

const PROXY_FIRST: [Route; 2] = [Route::Proxy(0), Route::Direct];
const DIRECT_FIRST: [Route; 2] = [Route::Direct, Route::Proxy(0)];

#[test]
fn outside_the_office_the_proxy_is_passed_within_one_attempt() {
    let mut world = priorities(&[1]).named().routes(&PROXY_FIRST).start();
    world.proxy = Reach::Refuses(ms(1));
    assert!(world.until_attached("a", s(1)) <= ms(20));
    assert_eq!(world.dials("a").len(), 2, "proxy, then direct");
    assert_eq!(world.count(|event| matches!(event, Event::AttemptFailed { .. })), 0);
}

#[test]
fn in_the_office_the_proxy_is_found_and_remembered() {
    let mut world = priorities(&[1]).routes(&DIRECT_FIRST).start();
    world.direct_blocked = true;
    let took = world.until_attached("a", s(5));
    assert_eq!(
        took,
        s(3) + ROUND_TRIP * 3,
        "a way that says nothing has three seconds while another is left"
    );
    world.run(s(900));
    assert_eq!(
        world.dials("a").len(),
        1 + world.count(is_heartbeat),
        "no later beat tries the blocked way first"
    );
    assert_eq!(world.attachments(), ["a"]);

    world.direct_blocked = false;
    world.proxy = Reach::Refuses(ms(1));
    world.network(NetworkChange::Changed).run(s(6));
    assert_eq!(world.attachments(), ["a"], "and at home the direct way works at once");
}

#[test]
fn a_failing_proxy_charges_no_server() {
    let mut world = priorities(&[2]).routes(&[Route::Proxy(0)]).start();
    world.proxy = Reach::Refuses(ms(1));
    world.run(s(300));
    assert_eq!(world.state(), State::NoWay, "{}", world.story());
    assert_eq!((world.health("a"), world.health("b")), ("unknown", "unknown"));
    world.proxy = Reach::Connects(ROUND_TRIP);
    world.run(s(61));
    assert_eq!(world.state(), State::Attached);
}

#[test]
fn where_the_proxy_was_is_not_where_the_server_was() {
    let mut world = priorities(&[1]).named().routes(&PROXY_FIRST).start();
    world.until_attached("a", s(1));
    world.proxy = Reach::Refuses(ms(1));
    world.names_fail = Some(homing::types::Cause::NameServerFailed);
    world.break_links("a").run(s(300));
    // Were it looked for there, the world would have said so.
    assert!(world.dials("a").len() >= 3, "{}", world.story());
    assert_ne!(world.state(), State::Attached);
}

#[test]
fn a_proxy_that_says_nothing_is_passed_too() {
    let mut world = priorities(&[1]).routes(&PROXY_FIRST).start();
    world.proxy = Reach::Drops;
    assert!(world.until_attached("a", s(5)) <= s(3) + ms(20));
}

#[test]
fn a_dead_server_behind_a_dead_proxy_is_not_blamed_for_the_proxy() {
    let mut world = priorities(&[1]).routes(&PROXY_FIRST).start();
    world.proxy = Reach::Refuses(ms(1));
    world.set("a", down()).run(s(20));
    assert_eq!(world.health("a"), "unknown");
}
