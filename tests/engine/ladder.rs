//! Event stream, polls, heartbeats alone: what is found out about the way to a server, and how fast.

use std::time::Duration;

use homing::engine::{Away, Event, NetworkChange, Rung};
use homing::types::{Listening, Moment, News, Request};

use crate::world::*;

/// One server that is listened to, behind this.
fn behind(middlebox: Middlebox) -> World {
    let mut world = priorities(&[1]).push().start();
    world.between(middlebox);
    world
}

fn opened(event: &Event, rung: Rung) -> bool {
    matches!(event, Event::PushOpened { by, .. } if *by == rung)
}

fn is_lost(event: &Event) -> bool {
    matches!(event, Event::PushLost { .. })
}

/// Every request to listen: when, and how.
fn listened(world: &World) -> Vec<(Moment, Listening)> {
    let listening = |request: &Request| match request {
        Request::Listen(listening) => Some(*listening),
        _ => None,
    };
    world.beats.iter().filter_map(|(at, _, request)| Some((*at, listening(request)?))).collect()
}

fn silences(world: &World) -> Vec<Duration> {
    let silence = |(_, listening)| match listening {
        Listening::Stream { silence } => Some(silence),
        _ => None,
    };
    listened(world).into_iter().filter_map(silence).collect()
}

fn is_poll(listening: Listening) -> bool {
    matches!(listening, Listening::Poll { .. })
}

const DAY: u64 = 24 * 3600;

#[test]
fn a_limit_of_idle_connections_is_learnt_and_then_nothing_is_lost() {
    for resets in [false, true] {
        for limit in [30, 60, 240] {
            let mut world = behind(Middlebox { idle: Some(s(limit)), resets, ..Middlebox::default() });
            world.run(s(DAY));
            let losses = world.count(is_lost);
            assert!(losses <= 6, "{limit} s, resets {resets}: {losses} losses\n{}", world.story());
            // What is learnt by then holds: the second day brings no loss.
            let asked = silences(&world).len();
            world.run(s(DAY));
            assert_eq!(world.count(is_lost), losses, "{limit} s, resets {resets}");
            let longest = silences(&world)[asked..].iter().max().copied();
            let last = longest.unwrap_or(*silences(&world).last().unwrap());
            assert!(last <= s(limit) * 3 / 2, "{limit} s: silent for {last:?}");
            assert!(last >= s(limit) / 2, "{limit} s: {last:?} is much too careful");
            assert_eq!(world.streams.len(), 1);
            assert_eq!((world.health("a"), world.attachments().len()), ("up", 1), "nobody is charged");
            let connections = world.starts.len();
            let beats = world.count(is_heartbeat);
            assert!(connections <= beats + 12, "{limit} s: {connections} connections, {beats} heartbeats");
        }
    }
}

#[test]
fn where_connections_hardly_live_heartbeats_alone_carry_the_news() {
    for resets in [false, true] {
        let mut world = behind(Middlebox { idle: Some(s(5)), resets, ..Middlebox::default() });
        world.run(s(600));
        let losses = world.count(is_lost);
        assert!(losses <= 6, "resets {resets}: {losses} losses\n{}", world.story());
        assert!(world.count(|e| matches!(e, Event::PushUnavailable { .. })) >= 1);
        assert!(world.streams.is_empty());
        let before = listened(&world).len();
        world.run(s(3000));
        assert_eq!(listened(&world).len(), before, "resets {resets}: it is left alone");
        assert_eq!((world.active(), world.attachments().len()), (Some("a"), 1));
        // It is looked at again some time, and given up at once.
        world.run(s(3 * DAY));
        assert!(listened(&world).len() - before <= 50, "{}", listened(&world).len() - before);
    }
}

#[test]
fn a_stream_that_is_held_back_becomes_polls_within_twelve_seconds() {
    let mut world = behind(Middlebox { holds_back: true, ..Middlebox::default() });
    world.run(s(1));
    let begun = listened(&world)[0].0;
    world.run(s(12));
    let polls: Vec<_> = listened(&world).into_iter().filter(|(_, how)| is_poll(*how)).collect();
    let (at, how) = polls[0];
    assert!(at.since(begun) <= s(12), "{:?}", at.since(begun));
    assert_eq!(how, Listening::Poll { wait: s(25) });
    // The first is answered when it has waited.
    world.run(s(30));
    assert_eq!(world.count(|e| opened(e, Rung::Poll)), 1, "{}", world.story());
    assert_eq!(world.count(is_lost), 1);
    let before = world.starts.len();
    world.run(s(3600));
    assert_eq!(world.count(|e| matches!(e, Event::PushOpened { .. })), 1, "told once, not with each poll");
    let beats = world.count(is_heartbeat);
    assert!(world.starts.len() - before <= beats, "polls go on over one connection");
    assert_eq!(world.count(is_lost), 1);
}

#[test]
fn polls_bring_the_news_and_are_a_second_apart() {
    let mut world = behind(Middlebox { holds_back: true, ..Middlebox::default() });
    world.until(s(60), "polls", |event| opened(event, Rung::Poll));
    world.between(Middlebox::default());
    // The answer to the poll under way is still held back, the next one is not.
    world.run(s(60));
    for round in 0..20 {
        let tag = format!("\"t{round}\"");
        world.tell_streams(News::Settings { tag: &tag, within: s(0) }).run(ms(1001));
    }
    let told = world.count(|e| matches!(e, Event::SettingsAnnounced { .. }));
    assert!(told >= 20, "{told} of 20\n{}", world.story());
    let polls: Vec<_> = listened(&world).into_iter().filter(|(_, how)| is_poll(*how)).collect();
    assert!(polls.windows(2).all(|pair| pair[1].0.since(pair[0].0) >= s(1)));
}

#[test]
fn a_stream_that_is_cut_off_after_two_minutes_is_opened_again_and_costs_one_connection() {
    let mut world = behind(Middlebox { longest: Some(s(120)), ..Middlebox::default() });
    world.run(s(DAY));
    let demanded = (DAY / 120) as usize;
    let asked = listened(&world).len();
    assert!((demanded * 9 / 10..=demanded * 13 / 10).contains(&asked), "{asked} streams");
    // Heartbeats have connections of their own, as in pull; a second opinion costs none.
    let (connections, beats) = (world.starts.len(), (DAY / 288) as usize);
    assert!(connections <= demanded + beats, "{connections} connections where {demanded} are demanded");
    assert!(listened(&world).iter().all(|(_, how)| !is_poll(*how)), "polls would be no better");
    assert!(silences(&world).iter().all(|silence| *silence == s(25)), "it was not the silence");
    assert_eq!((world.health("a"), world.attachments().len()), ("up", 1));
}

#[test]
fn a_server_that_offers_nothing_is_asked_again_after_an_hour() {
    let mut world = behind(Middlebox { declines: true, ..Middlebox::default() });
    world.run(s(3500));
    assert_eq!(listened(&world).len(), 1);
    assert_eq!(world.count(|e| matches!(e, Event::PushUnavailable { .. })), 1);
    world.between(Middlebox::default()).run(s(700));
    assert_eq!(listened(&world).len(), 2);
    assert_eq!(world.count(|e| opened(e, Rung::Stream)), 1);
}

#[test]
fn on_another_network_everything_may_be_better() {
    let mut world = behind(Middlebox { idle: Some(s(5)), ..Middlebox::default() });
    world.run(s(600));
    assert!(world.streams.is_empty());
    world.between(Middlebox::default()).network(NetworkChange::Changed).run(s(10));
    assert_eq!(world.streams.len(), 1, "{}", world.story());
}

#[test]
fn what_was_learnt_outlives_the_process() {
    let mut world = behind(Middlebox { idle: Some(s(5)), ..Middlebox::default() });
    world.run(s(600));
    assert!(world.streams.is_empty());
    let memory = world.memories.last().unwrap();
    let text = serde_json::to_string(memory).unwrap();
    let mut again =
        priorities(&[1]).push().remembering(serde_json::from_str(&text).unwrap(), Away::For(s(60))).start();
    again.run(s(3600));
    assert_eq!((listened(&again).len(), again.active()), (0, Some("a")), "{text}");
}

#[test]
fn servers_that_start_anew_are_no_reason_to_be_careful() {
    let mut world = behind(Middlebox::default());
    for round in 0u64..24 {
        world.run(s(3000 + 7 * round)).break_links("a");
    }
    world.run(s(10));
    assert_eq!(world.streams.len(), 1);
    assert!(silences(&world).iter().all(|silence| *silence >= s(25)), "{:?}", silences(&world));
}

#[test]
fn an_agent_that_pulls_asks_once_for_what_waits() {
    let mut world = priorities(&[1]).start();
    world.run(s(100));
    assert!(listened(&world).is_empty());
    world.events_wait = true;
    world.until(s(400), "the next heartbeat", is_heartbeat);
    world.events_wait = false;
    world.run(s(900));
    let asked = listened(&world);
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!(asked[0].1, Listening::Poll { wait: s(0) });
    assert_eq!(world.count(|e| matches!(e, Event::PushOpened { .. } | Event::PushLost { .. })), 0);
}

#[test]
fn a_policy_that_is_announced_is_read_at_once_or_within_the_time_the_server_says() {
    let reads = |world: &World| {
        let policies = world.beats.iter().filter(|(_, _, request)| matches!(request, Request::Policy { .. }));
        policies.map(|(at, ..)| *at).collect::<Vec<_>>()
    };
    let mut world = behind(Middlebox::default());
    world.run(s(20)).tell_streams(News::Policy { tag: "\"p1\"", within: s(0) });
    world.run(ms(100));
    assert_eq!(reads(&world).len(), 1, "{}", world.story());
    let mut waited = Vec::new();
    for seed in 0..200 {
        let mut world = priorities(&[1]).push().agent(&format!("agent-{seed}")).seed(seed).start();
        world.run(s(20)).tell_streams(News::Policy { tag: "\"p2\"", within: s(600) });
        let told = world.now;
        world.run(s(601));
        assert_eq!(reads(&world).len(), 1, "once");
        waited.push(reads(&world)[0].since(told).as_secs());
    }
    // Over ten minutes, evenly.
    for minute in 0..10 {
        let count = waited.iter().filter(|at| **at / 60 == minute).count();
        assert!((6..=38).contains(&count), "minute {minute}: {count} of 200");
    }
}
