//! Registration: when the agent registers, what it offers, what it remembers, and what a server cannot do to it thereby.

use std::sync::Arc;
use std::time::Duration;

use homing::engine::{Away, Command, Event, Memory, NetworkChange};
use homing::types::{AccountMode, Cause, Identity, Moment, Name, Registration, Request};
use serde_json::{Value, json};

use crate::world::{Plan, Registers, World, down, failing, is_heartbeat, ms, priorities, s, throttling, up};

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn identity() -> Identity {
    Identity::default().with_user(Some(name("alice"))).with_preferred_group(Some(name("Laptops")))
}

fn keeps(group: bool, mode: bool) -> Value {
    json!({ "name": "g", "reconnection": { "keep_group": group, "keep_mode": mode } })
}

/// Servers with an agent whose product says who uses the machine.
fn identified(sizes: &[usize]) -> Plan {
    priorities(sizes).interval(s(300)).identity(identity())
}

fn attached(plan: Plan) -> World {
    let mut world = plan.start();
    world.until_attached("a", s(10));
    world.run(s(2));
    world
}

/// Every registration begun: when since the start, with which server, and what was said.
fn made(world: &World) -> Vec<(Duration, String, Arc<Registration>)> {
    let made = |(at, server, request): &(Moment, String, Request)| {
        let Request::Register(said) = request else { return None };
        Some((at.since(world.started), server.clone(), said.clone()))
    };
    world.beats.iter().filter_map(made).collect()
}

/// Every decision that was told: by which server, and what it is.
fn told(world: &World) -> Vec<(String, Option<String>, Option<AccountMode>)> {
    let told = |event: &Event| {
        let Event::Registered { server, group, mode } = event else { return None };
        Some((server.to_string(), group.as_ref().map(ToString::to_string), *mode))
    };
    world.told.iter().filter_map(|(_, event)| told(event)).collect()
}

/// Every failure that was told: when since the start, why, and how long until the next try.
fn failed(world: &World) -> Vec<(Duration, String, Option<Duration>)> {
    let failed = |(at, event): &(Duration, Event)| {
        let Event::RegistrationFailed { detail, retry, .. } = event else { return None };
        Some((*at, detail.clone(), retry.map(|retry| retry.0)))
    };
    world.told.iter().filter_map(failed).collect()
}

fn user_changed(world: &mut World, user: Option<&str>) {
    world.command(Command::UserChanged(user.map(name)));
}

#[test]
fn once_after_the_first_heartbeat_on_its_link_and_never_again_by_itself() {
    let mut world = identified(&[2]).start();
    world.until_attached("a", s(10));
    world.registry.answers = Registers::As(Some("Field"), Some(AccountMode::User));
    world.run(s(1));
    let first = made(&world);
    assert_eq!(first.len(), 1, "{first:?}");
    assert_eq!((first[0].1.as_str(), &*first[0].2), ("a", &Registration::new(Arc::new(identity()))));
    assert_eq!(world.starts.len(), 1, "on the link of the heartbeat");
    let decided = ("a".to_owned(), Some("Field".to_owned()), Some(AccountMode::User));
    assert_eq!(told(&world), [decided]);
    // Neither heartbeats nor a move to another server make it anew.
    world.set("a", down()).break_links("a");
    world.until_attached("b", s(400));
    world.run(s(3_600));
    assert_eq!((made(&world).len(), failed(&world).len()), (1, 0));
}

#[test]
fn a_product_without_an_identity_registers_nothing_and_remembers_nothing() {
    let mut world = attached(priorities(&[1]));
    world.registry.asks = true;
    world.run(s(3_600));
    assert_eq!(made(&world).len(), 0);
    assert_eq!(world.snapshot().registration, None);
    assert_eq!(world.engine.memory().registration, None);
}

#[test]
fn the_snapshot_shows_what_the_agent_is_registered_as_and_the_memory_keeps_it() {
    let mut world = identified(&[1]).start();
    let before = world.snapshot().registration.unwrap();
    assert_eq!((before.group, before.mode, before.server), (None, None, None));
    world.registry.answers = Registers::As(Some("Field"), Some(AccountMode::Computer));
    world.until_attached("a", s(10));
    world.run(s(1));
    let registration = world.snapshot().registration.unwrap();
    assert_eq!((registration.group, registration.mode), (Some(name("Field")), Some(AccountMode::Computer)));
    assert_eq!((registration.server.unwrap().as_str(), registration.next), ("a", None));
    let memory = world.memories.last().unwrap();
    let remembered = memory.registration.as_deref().unwrap();
    assert_eq!((remembered.group.as_deref(), remembered.mode), (Some("Field"), Some(AccountMode::Computer)));
    // What an answer does not name stays.
    world.registry.answers = Registers::As(None, Some(AccountMode::User));
    user_changed(&mut world, None);
    world.run(s(20));
    let registration = world.snapshot().registration.unwrap();
    assert_eq!((registration.group, registration.mode), (Some(name("Field")), Some(AccountMode::User)));
}

#[test]
fn what_was_used_last_is_offered_only_where_its_switch_is_on() {
    let memory: Memory =
        serde_json::from_str(r#"{ "registration": { "group": "Field", "mode": "user" } }"#).unwrap();
    for (group, mode) in [(false, false), (true, false), (false, true), (true, true)] {
        let plan = identified(&[1]).with("group", keeps(group, mode));
        let mut world = plan.remembering(memory.clone(), Away::For(s(3_600))).start();
        world.until_attached("a", s(10));
        world.run(s(1));
        let said = &made(&world)[0].2;
        assert_eq!(said.last_group, group.then(|| name("Field")), "{group} {mode}");
        assert_eq!(said.last_mode, mode.then_some(AccountMode::User), "{group} {mode}");
        assert_eq!(*said.identity, identity());
    }
}

#[test]
fn a_switch_that_changes_is_a_reason_to_register_and_other_settings_are_none() {
    let mut world = attached(identified(&[1]).with("group", keeps(false, false)));
    world.run(s(20));
    let others = identified(&[1]).with("site", json!({ "learn_applications": true }));
    world.reconfigure(others.with("group", keeps(false, false)));
    world.run(s(20));
    assert_eq!(made(&world).len(), 1);
    world.reconfigure(identified(&[1]).with("group", keeps(true, false)));
    world.run(s(20));
    let all = made(&world);
    assert_eq!((all.len(), all[1].2.last_group.clone()), (2, Some(name("Default"))));
    world.reconfigure(identified(&[1]).with("group", keeps(true, true)));
    world.run(s(20));
    assert_eq!(made(&world).len(), 3);
}

#[test]
fn a_user_that_changes_is_told_soon_and_a_thousand_changes_cost_few_requests() {
    let mut world = attached(identified(&[1]));
    world.run(s(60));
    let at = world.now.since(world.started);
    user_changed(&mut world, Some("bob"));
    world.run(s(1));
    let all = made(&world);
    // A fresh link takes two round trips.
    assert!(all.len() == 2 && all[1].0 <= at + ms(10), "at once: {all:?}");
    assert_eq!(all[1].2.identity.user, Some(name("bob")));
    assert_eq!(all[1].2.identity.preferred_group, Some(name("Laptops")), "what else was said stays");
    for number in 0..1_000 {
        user_changed(&mut world, Some(&format!("user {number}")));
        world.run(ms(60));
    }
    world.run(s(20));
    let all = made(&world);
    assert!((6..=9).contains(&(all.len() - 2)), "{} registrations in a minute", all.len() - 2);
    assert_eq!(all.last().unwrap().2.identity.user, Some(name("user 999")), "the last one counts");
    user_changed(&mut world, None);
    world.run(s(20));
    assert_eq!(made(&world).last().unwrap().2.identity.user, None);
}

#[test]
fn a_user_that_changes_while_a_registration_is_under_way_is_told_by_the_next() {
    let mut world = identified(&[1]).start();
    world.until_attached("a", s(10));
    user_changed(&mut world, Some("bob"));
    world.run(s(20));
    let users: Vec<_> = made(&world).iter().map(|(.., said)| said.identity.user.clone().unwrap()).collect();
    assert_eq!((users, told(&world).len()), (vec![name("alice"), name("bob")], 2));
}

#[test]
fn a_product_that_says_later_who_uses_the_machine_registers_then() {
    let mut world = attached(priorities(&[1]));
    user_changed(&mut world, Some("bob"));
    world.run(s(2));
    let expected = Identity::default().with_user(Some(name("bob")));
    assert_eq!((made(&world).len(), &*made(&world)[0].2.identity), (1, &expected));
}

#[test]
fn a_server_may_ask_for_it_with_each_heartbeat_and_gets_one_for_each() {
    let mut world = attached(identified(&[1]).interval(s(30)));
    world.registry.asks = true;
    let beats = world.count(is_heartbeat);
    world.run(s(600));
    let beats = world.count(is_heartbeat) - beats;
    assert!((19..=21).contains(&beats), "{beats}");
    assert_eq!(made(&world).len() - 1, beats);
    world.registry.asks = false;
    world.run(s(600));
    assert_eq!(made(&world).len() - 1, beats);
}

#[test]
fn what_fails_is_told_tried_again_ever_later_and_changes_nothing_else() {
    let memory: Memory = serde_json::from_str(r#"{ "registration": { "group": "Field" } }"#).unwrap();
    for cause in [
        Cause::NotAllowed { status: 401 },
        Cause::ServerError { status: 500 },
        Cause::NotAManager { status: 200 },
        Cause::BodyTooLarge,
    ] {
        let plan = identified(&[2]).with("group", keeps(true, true));
        let mut world = plan.remembering(memory.clone(), Away::Unknown).start();
        world.registry.answers = Registers::Fails(cause);
        // And the server asks for it all the time.
        world.registry.asks = true;
        world.until_attached("a", s(10));
        world.run(s(24 * 3_600));
        assert_eq!((world.attachments(), world.health("a")), (vec!["a".to_owned()], "up"), "{cause:?}");
        assert!(world.longest_gap() <= s(301));
        let all = failed(&world);
        let gaps: Vec<_> = all.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
        // 1 + U(0, 2), 1 + U(0, 4), … up to 600 × U(0.9, 1.1).
        assert!(gaps[0] <= s(4) && gaps[1] <= s(6) && gaps[2] <= s(10), "{gaps:?}");
        let late = &gaps[12..];
        assert!(late.len() > 100 && late.iter().all(|gap| (s(539)..=s(661)).contains(gap)), "{gaps:?}");
        assert!(
            all.iter().zip(&gaps).all(|((.., retry), gap)| *gap >= retry.unwrap()),
            "nothing before it was told"
        );
        // What was remembered is still offered, and still known.
        let said = made(&world);
        assert!(said.iter().all(|(.., said)| said.last_group == Some(name("Field"))));
        assert_eq!(world.snapshot().registration.unwrap().group, Some(name("Field")));
        world.registry.answers = Registers::As(Some("Other"), None);
        world.registry.asks = false;
        world.run(s(700));
        assert_eq!(told(&world), [("a".to_owned(), Some("Other".to_owned()), None)]);
    }
}

#[test]
fn refused_credentials_are_not_waited_for_once_there_are_others() {
    let mut world = identified(&[1]).start();
    world.registry.answers = Registers::Fails(Cause::NotAllowed { status: 401 });
    world.until_attached("a", s(10));
    world.run(s(3_600));
    world.registry.answers = Registers::As(Some("Field"), None);
    let before = made(&world).len();
    world.command(Command::NewCredentials).run(s(1));
    assert_eq!((made(&world).len() - before, told(&world).len()), (1, 1));
}

#[test]
fn a_server_that_registers_no_agents_is_asked_again_after_an_hour_and_another_one_at_once() {
    let mut world = identified(&[2]).start();
    world.registry.answers = Registers::Declines(404);
    world.until_attached("a", s(10));
    world.run(s(3 * 3_600));
    let all = failed(&world);
    assert!((3..=4).contains(&all.len()), "{all:?}");
    assert!(all[0].1.contains("404") && all[0].2.unwrap() > s(3_200), "{all:?}");
    let before = made(&world).len();
    world.set("a", down()).break_links("a");
    world.until_attached("b", s(400));
    world.run(s(1));
    let all = made(&world);
    assert_eq!((all.len() - before, all.last().unwrap().1.as_str()), (1, "b"));
}

#[test]
fn a_driver_that_registers_nothing_is_asked_once() {
    let mut world = identified(&[1]).start();
    world.registry.answers = Registers::Declines(0);
    world.until_attached("a", s(10));
    world.run(s(24 * 3_600));
    assert_eq!((made(&world).len(), failed(&world).len(), told(&world).len()), (1, 0, 0));
}

#[test]
fn a_server_that_was_not_verified_is_told_nothing_of_the_user() {
    let plan = || Plan { http: true, ..identified(&[1]) };
    let mut world = plan().start();
    world.registry.asks = true;
    world.registry.sees_twice = true;
    world.until_attached("a", s(10));
    world.run(s(3_600));
    let all = failed(&world);
    assert_eq!((made(&world).len(), all.len(), all[0].2), (0, 1, None), "{all:?}");
    assert!(all[0].1.contains("https"), "{all:?}");
    assert!(!world.snapshot().duplicate);
    // Once the server is one that can be verified, it is.
    world.reconfigure(identified(&[1]));
    world.run(s(900));
    assert!(!made(&world).is_empty() && failed(&world).len() == 1, "{}", world.story());
}

#[test]
fn what_a_server_asks_for_holds_for_registrations() {
    let mut world = attached(identified(&[1]).interval(s(60)));
    world.set("a", throttling(503, 40));
    world.command(Command::BeatNow).run(s(1));
    let at = world.now.since(world.started);
    world.set("a", up());
    user_changed(&mut world, Some("bob"));
    world.run(s(200));
    // The oracle of the world watches the floor too.
    let all = made(&world);
    assert!(all.len() == 2 && all[1].0 >= at + s(38), "{all:?}");
    // And what it asks for in the answer to a registration holds for heartbeats.
    let cause = Cause::Throttled { status: 429, retry_after: Some(s(45)) };
    world.registry.answers = Registers::Fails(cause);
    user_changed(&mut world, Some("carol"));
    world.run(s(600));
    assert!(failed(&world).len() > 1 && world.attachments() == ["a"], "{:?}", failed(&world));
}

#[test]
fn a_kept_link_that_was_closed_costs_a_registration_nothing() {
    let mut world = attached(identified(&[1]).interval(s(30)));
    world.run(s(15));
    world.close_links("a");
    user_changed(&mut world, Some("bob"));
    world.run(s(2));
    assert_eq!((told(&world).len(), failed(&world).len()), (2, 0), "{}", world.story());
}

#[test]
fn a_registration_that_is_interrupted_is_made_anew() {
    let mut world = identified(&[1, 1]).start();
    world.until_attached("a", s(10));
    // The server dies while it thinks about it.
    world.set("a", down()).break_links("a");
    world.until_attached("b", s(400));
    world.run(s(1));
    let servers: Vec<_> = made(&world).into_iter().map(|(_, server, _)| server).collect();
    assert_eq!(servers.last().map(String::as_str), Some("b"), "{servers:?}");
    assert_eq!(told(&world).len(), 1);
}

#[test]
fn after_a_sleep_or_on_another_network_a_heartbeat_comes_first() {
    let mut world = attached(identified(&[1]));
    world.registry.answers = Registers::Fails(Cause::ServerError { status: 500 });
    user_changed(&mut world, Some("bob"));
    world.run(s(120));
    for wake in [true, false] {
        let before = world.beats.len();
        if wake {
            world.suspend(s(3_600));
        } else {
            world.run(s(600));
            world.network(NetworkChange::Changed);
            user_changed(&mut world, Some("carol"));
        }
        let woke = world.now;
        world.run(s(30));
        let after: Vec<_> = world.beats[before..].iter().filter(|(at, ..)| *at >= woke).collect();
        assert!(matches!(after[0].2, Request::Heartbeat { .. }), "{after:?}");
        assert!(matches!(after[1].2, Request::Register(_)), "{after:?}");
    }
}

#[test]
fn while_no_server_is_attached_nobody_is_told_and_the_next_one_hears_the_newest() {
    let mut world = identified(&[1]).start();
    world.set_all(failing(Cause::ServerError { status: 500 }));
    for user in ["bob", "carol", "dave"] {
        user_changed(&mut world, Some(user));
        world.run(s(60));
    }
    assert_eq!((made(&world).len(), failed(&world).len()), (0, 0));
    world.set_all(up());
    world.until_attached("a", s(600));
    world.run(s(20));
    let users: Vec<_> = made(&world).iter().map(|(.., said)| said.identity.user.clone().unwrap()).collect();
    assert_eq!(users, [name("dave")]);
}

#[test]
fn an_id_that_is_there_twice_is_told_when_it_begins() {
    let mut world = attached(priorities(&[1]).interval(s(30)));
    let duplicates = |world: &World| world.count(|event| matches!(event, Event::Duplicate { .. }));
    world.registry.sees_twice = true;
    let beats = world.count(is_heartbeat);
    world.run(s(600));
    assert_eq!((duplicates(&world), world.snapshot().duplicate), (1, true));
    assert!(world.count(is_heartbeat) >= beats + 19, "such a heartbeat is delivered");
    world.registry.sees_twice = false;
    world.run(s(60));
    assert!(!world.snapshot().duplicate);
    world.registry.sees_twice = true;
    world.run(s(60));
    assert_eq!(duplicates(&world), 2);
}

#[test]
fn a_memory_that_is_damaged_or_hostile_offers_nothing() {
    let long = "x".repeat(100_000);
    for group in ["", "two\nlines", "a\u{202e}b", &long] {
        let memory: Memory =
            serde_json::from_value(json!({ "registration": { "group": group, "mode": null } })).unwrap();
        let plan = identified(&[1]).with("group", keeps(true, true)).remembering(memory, Away::Unknown);
        let world = attached(plan);
        assert_eq!(made(&world)[0].2.last_group, None);
        let remembered = world.engine.memory().registration.clone().unwrap();
        assert_eq!(remembered.group.as_deref(), Some("Default"), "{} bytes", group.len());
    }
    let old: Memory = serde_json::from_str(r#"{ "misses": 2 }"#).unwrap();
    assert_eq!(old.registration, None, "a memory of an earlier version");
}

#[test]
fn nothing_is_registered_any_more_when_the_engine_stops_or_is_to_be_silent() {
    let mut world = attached(identified(&[1]));
    world.reconfigure(identified(&[1]).communication(&json!({ "enabled": false })));
    user_changed(&mut world, Some("bob"));
    world.run(s(60));
    assert_eq!((made(&world).len(), world.open_links("a")), (1, 0));
    world.reconfigure(identified(&[1]));
    world.until_attached("a", s(10));
    world.run(s(1));
    assert_eq!(made(&world).len(), 2);
    world.run(s(20));
    user_changed(&mut world, Some("carol"));
    world.command(Command::Stop { grace: s(2) });
    world.run(s(5));
    assert!(matches!(world.told.last(), Some((_, Event::Stopped {}))), "{:?}", world.told.last());
}
