//! Several ways to one server: a proxy that is only in the office, and a proxy that fails.

use std::sync::Arc;

use homing::engine::{Command, Event, NetworkChange, State};
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

fn set(world: &mut World, routes: &[Route]) {
    world.command(Command::SetRoutes { routes: routes.into(), proxies: Arc::default() });
}

fn failures(world: &World) -> usize {
    world.count(|event| matches!(event, Event::AttemptFailed { .. }))
}

#[test]
fn routes_that_change_are_used_at_once_and_cost_no_server_anything() {
    let mut world = priorities(&[2]).routes(&[Route::Direct]).start();
    world.run(s(5));
    let first = world.attachments();
    world.direct_blocked = true;
    let beats = world.count(is_heartbeat);
    set(&mut world, &[Route::Proxy(3)]);
    world.run(s(10));
    assert!(world.count(is_heartbeat) > beats, "{}", world.story());
    assert_eq!((world.attachments(), failures(&world)), (first, 0));
    // The same again is no reason to ask anybody.
    let dials = world.starts.len();
    set(&mut world, &[Route::Proxy(3)]);
    world.run(s(5));
    assert_eq!(world.starts.len(), dials);
}

#[test]
fn an_agent_that_no_route_led_anywhere_tries_new_ones_soon() {
    let mut world = priorities(&[2]).routes(&[Route::Proxy(0)]).start();
    world.proxy = Reach::Refuses(ms(1));
    world.run(s(3600));
    assert_eq!(world.state(), State::NoWay, "{}", world.story());
    set(&mut world, &DIRECT_FIRST);
    world.run(s(31));
    assert_eq!(world.state(), State::Attached, "{}", world.story());
}

#[test]
fn new_routes_wait_for_a_network() {
    let mut world = priorities(&[1]).routes(&[Route::Direct]).start();
    world.run(s(5));
    world.direct_blocked = true;
    world.break_links("a").run(s(600));
    world.network(NetworkChange::Gone).run(s(1));
    assert_eq!(world.state(), State::NoNetwork, "{}", world.story());
    set(&mut world, &[Route::Proxy(0)]);
    assert_eq!(world.state(), State::NoNetwork, "it goes on waiting for a network");
    world.network(NetworkChange::Returned).run(s(31));
    assert_eq!(world.state(), State::Attached, "{}", world.story());
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
