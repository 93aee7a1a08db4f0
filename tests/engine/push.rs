//! Push mode: the event stream as the engine sees it.

use homing::engine::{Event, NetworkChange, Notice};
use homing::types::{News, Request};

use crate::world::*;

fn listening() -> World {
    let mut world = priorities(&[2]).push().start();
    world.until(s(1), "the stream", |event| matches!(event, Event::PushOpened { .. }));
    world
}

fn streams_begun(world: &World) -> usize {
    world.beats.iter().filter(|(_, _, request)| matches!(request, Request::Listen(_))).count()
}

#[test]
fn the_stream_has_a_link_of_its_own_and_beats_go_on() {
    let mut world = listening();
    assert_eq!(world.streams.len(), 1);
    world.run(s(3000));
    assert_eq!(streams_begun(&world), 1, "one stream lasts");
    assert!(world.count(is_heartbeat) >= 10);
}

#[test]
fn what_is_told_reaches_the_application() {
    let mut world = listening();
    world
        .tell_streams(News::Settings { tag: "\"s2\"", within: s(0) })
        .tell_streams(News::Content("defs"))
        .tell_streams(News::Command("scan"));
    assert_eq!(world.count(|e| matches!(e, Event::SettingsAnnounced { tag, .. } if &**tag == "\"s2\"")), 1);
    assert_eq!(world.count(|e| matches!(e, Event::Notice { kind: Notice::Content, name: Some(_), .. })), 1);
    assert_eq!(world.count(|e| matches!(e, Event::Notice { kind: Notice::Command, name: Some(_), .. })), 1);
}

#[test]
fn a_stream_that_dies_alone_charges_nobody_and_comes_back_after_one_exchange() {
    let mut world = listening();
    let server = world.active().unwrap().to_owned();
    let before = world.count(is_heartbeat);
    world.break_links(&server).run(s(6));
    assert_eq!(world.count(is_heartbeat) - before, 1, "the second opinion");
    assert_eq!(world.streams.len(), 1, "{}", world.story());
    assert_eq!(world.health(&server), "up");
    assert_eq!(world.attachments().len(), 1);
}

#[test]
fn a_stream_that_never_lasts_is_left_alone_for_ever_longer() {
    let mut world = listening();
    let server = world.active().unwrap().to_owned();
    for _ in 0..720 {
        world.break_links(&server).run(s(5));
    }
    assert!(streams_begun(&world) <= 16, "{} streams in an hour", streams_begun(&world));
    assert_eq!(world.active(), Some(&*server), "heartbeats carry the news meanwhile");
}

#[test]
fn the_stream_follows_the_agent_to_another_server() {
    let mut world = listening();
    let server = world.active().unwrap().to_owned();
    world.set(&server, down()).break_links(&server).run(s(6));
    let now_on = world.active().unwrap().to_owned();
    assert_ne!(now_on, server);
    assert!(world.streams.values().all(|(_, on)| *on == now_on), "{}", world.story());
    assert_eq!(world.streams.len(), 1);
}

#[test]
fn after_a_suspend_the_old_stream_is_dropped_without_a_false_recovery() {
    let mut world = listening();
    world.suspend(s(9 * 3600));
    assert_eq!(world.streams.len(), 0, "what it is worth is not known");
    world.run(s(11));
    assert_eq!(world.streams.len(), 1);
    assert_eq!(world.attachments().len(), 1);
    assert_eq!(world.count(|e| matches!(e, Event::Detached { .. } | Event::AttemptFailed { .. })), 0);
}

#[test]
fn settings_that_say_pull_end_the_stream_and_push_begins_it() {
    let mut world = listening();
    world.reconfigure(priorities(&[2])).run(s(1));
    assert_eq!(world.streams.len(), 0);
    world.reconfigure(priorities(&[2]).push()).run(s(1));
    assert_eq!(world.streams.len(), 1);
    assert_eq!(world.attachments().len(), 1);
}

#[test]
fn the_servers_recovery_after_losing_every_connection_is_spread() {
    let mut firsts = Vec::new();
    for seed in 0..500 {
        let tuning = r#"{ "attachment": { "spread": "5s" } }"#;
        let mut world =
            priorities(&[1]).push().agent(&format!("agent-{seed}")).seed(seed).tuning(tuning).start();
        world.run(s(400));
        let before = world.starts.len();
        world.set("a", down()).break_links("a");
        let lost = world.now;
        world.run(s(6));
        firsts.push(world.starts[before].0.since(lost).as_millis());
    }
    let per_second: Vec<_> = (0..5).map(|n| firsts.iter().filter(|&&at| at / 1000 == n).count()).collect();
    assert!(per_second.iter().all(|&count| (60..=145).contains(&count)), "{per_second:?}");
}

#[test]
fn a_network_change_makes_a_new_stream() {
    let mut world = listening();
    world.network(NetworkChange::Changed).run(s(6));
    assert_eq!(world.streams.len(), 1);
    assert_eq!(streams_begun(&world), 2);
}
