//! Uploads of reports: when they leave, to whom, and what they leave alone.

use std::time::Duration;

use homing::engine::{Command, Event, State};
use homing::types::{Cause, Lane, Moment, Request};
use serde_json::json;

use crate::world::{self, Plan, REPORT, Takes, World, ms, priorities, s};

/// Every upload begun: when since the start, to which server, of which lane.
fn uploads(world: &World) -> Vec<(Duration, String, Lane)> {
    let upload = |(at, server, request): &(Moment, String, Request)| match request {
        Request::Upload { lane, .. } => Some((at.since(world.started), server.clone(), *lane)),
        _ => None,
    };
    world.beats.iter().filter_map(upload).collect()
}

fn lanes(world: &World) -> Vec<Lane> {
    uploads(world).into_iter().map(|(_, _, lane)| lane).collect()
}

fn taken(world: &World, lane: Lane) -> u64 {
    world.outbox.taken.get(&lane).copied().unwrap_or_default()
}

/// A world whose agent is attached to `a`.
fn attached(plan: Plan) -> World {
    let mut world = plan.start();
    world.until_attached("a", s(10));
    world.run(s(2));
    world
}

/// With the switches of reports.
fn switched(plan: Plan, at_once: bool, learns: bool) -> Plan {
    let communication = json!({ "upload_critical_immediately": at_once, "learn_applications": learns });
    plan.communication(&communication).with("site", json!({ "learn_applications": learns }))
}

#[test]
fn a_critical_report_leaves_at_once_on_the_kept_link() {
    let mut world = attached(priorities(&[2]).interval(s(30)));
    let (dials, at) = (world.starts.len(), world.now.since(world.started));
    world.report(Lane::Critical, 1);
    world.run(ms(20));
    assert_eq!(uploads(&world), [(at, "a".to_owned(), Lane::Critical)]);
    assert_eq!((taken(&world, Lane::Critical), world.starts.len()), (1, dials));
    let told = |event: &Event| matches!(event, Event::Uploaded { reports: 1, waiting: 0, .. });
    assert_eq!(world.count(told), 1);
}

#[test]
fn without_a_kept_link_it_dials_one_and_lets_it_go_after_a_while() {
    let mut world = attached(priorities(&[1]).interval(s(600)));
    assert_eq!(world.open_links("a"), 0, "the next heartbeat is far off");
    let at = world.now.since(world.started);
    world.report(Lane::Critical, 1);
    world.run(ms(100));
    assert_eq!(taken(&world, Lane::Critical), 1);
    assert_eq!(uploads(&world).len(), 1);
    assert!(uploads(&world)[0].0 <= at + ms(20), "a connection and nothing else");
    let dials = world.starts.len();
    world.run(s(2));
    world.report(Lane::Critical, 1);
    world.run(s(1));
    assert_eq!((taken(&world, Lane::Critical), world.starts.len()), (2, dials), "the link was kept for it");
    world.run(s(10));
    assert_eq!(world.open_links("a"), 0);
}

#[test]
fn a_burst_is_coalesced_and_none_waits_longer_than_a_second() {
    let mut world = attached(priorities(&[1]).interval(s(300)));
    for _ in 0..5_000 {
        world.report(Lane::Critical, 1);
        world.run(ms(12));
    }
    world.run(s(2));
    assert_eq!(taken(&world, Lane::Critical), 5_000);
    let begun = uploads(&world);
    assert!(begun.len() <= 63, "{} requests", begun.len());
}

#[test]
fn more_than_one_batch_of_critical_reports_leaves_without_a_pause() {
    let mut world = attached(priorities(&[1]).interval(s(30)));
    world.report(Lane::Critical, 20_000);
    world.run(ms(200));
    assert_eq!(taken(&world, Lane::Critical), 20_000);
}

#[test]
fn after_a_heartbeat_the_lanes_leave_in_their_order() {
    let mut world = attached(switched(priorities(&[1]).interval(s(60)), false, true));
    for lane in [Lane::Applications, Lane::Log, Lane::Status, Lane::Critical] {
        world.report(lane, 3);
    }
    assert_eq!(lanes(&world), [], "they wait for the heartbeat");
    world.run(s(61));
    assert_eq!(lanes(&world), Lane::ALL);
    assert!(Lane::ALL.into_iter().all(|lane| taken(&world, lane) == 3));
    // What comes after it waits for the next.
    world.report(Lane::Log, 1);
    world.run(s(1));
    assert_eq!(lanes(&world).len(), 4);
    world.run(s(61));
    assert_eq!(lanes(&world).len(), 5);
}

#[test]
fn what_waits_at_the_attach_leaves_in_their_order_too() {
    for at_once in [true, false] {
        let mut world = switched(priorities(&[1]), at_once, true).start();
        for lane in [Lane::Applications, Lane::Log, Lane::Status, Lane::Critical] {
            world.report(lane, 3);
        }
        world.run(s(5));
        assert_eq!(lanes(&world), Lane::ALL);
    }
}

#[test]
fn applications_wait_while_they_are_not_learned() {
    let mut world = attached(switched(priorities(&[1]).interval(s(60)), true, false));
    world.report(Lane::Applications, 1);
    world.run(s(200));
    assert_eq!((lanes(&world), world.outbox.learns), (vec![], false));
    let plan = switched(priorities(&[1]).interval(s(60)), true, true);
    world.reconfigure(plan);
    assert!(world.outbox.learns);
    world.run(s(61));
    assert_eq!(lanes(&world), [Lane::Applications]);
}

/// Attached to a server that asks for so many seconds of patience, and something critical to say.
fn asked_for_patience(servers: &[usize], seconds: u64) -> World {
    let mut world = attached(priorities(servers).interval(s(60)));
    world.set("a", world::throttling(429, seconds));
    world.report(Lane::Critical, 1);
    world
}

#[test]
fn while_the_server_asks_for_patience_another_of_the_priority_takes_what_is_critical() {
    let mut world = asked_for_patience(&[2, 1], 50);
    world.run(s(1));
    // The upload itself hears the floor, and the next one leaves elsewhere.
    let to: Vec<_> = uploads(&world).into_iter().map(|(_, server, _)| server).collect();
    assert_eq!(to.first().map(String::as_str), Some("a"));
    world.run(s(5));
    let to: Vec<_> = uploads(&world).into_iter().map(|(_, server, _)| server).collect();
    assert_eq!(to.last().map(String::as_str), Some("b"));
    assert_eq!((taken(&world, Lane::Critical), world.active()), (1, Some("a")));
    world.report(Lane::Log, 1);
    world.run(s(20));
    assert_eq!(taken(&world, Lane::Log), 0, "what is not critical waits");
}

#[test]
fn where_no_other_server_is_left_it_waits_for_the_floor() {
    let mut world = asked_for_patience(&[1, 1], 40);
    world.run(s(30));
    assert!(uploads(&world).iter().all(|(_, server, _)| server == "a"), "another priority is not asked");
    world.set("a", world::up());
    // The world holds the engine to the floor.
    world.run(s(120));
    assert_eq!(taken(&world, Lane::Critical), 1);
}

#[test]
fn while_detached_it_begins_a_search_each_minute_at_most_and_the_success_carries_it() {
    let plan = priorities(&[1]).tuning(r#"{ "attachment": { "ceiling": "10m", "down_ceiling": "10m" } }"#);
    let mut world = plan.start();
    world.set("a", world::down());
    world.run(s(600));
    assert_eq!(world.state(), State::Waiting);
    let dials = world.starts.len();
    let begun = world.now;
    world.report(Lane::Critical, 1);
    world.run(s(300));
    let extra = world.starts[dials..].iter().filter(|(at, _)| *at >= begun).count();
    assert!((4..=8).contains(&extra), "{extra} dials in five minutes");
    world.set("a", world::up());
    world.run(s(65));
    assert_eq!(taken(&world, Lane::Critical), 1);
    let reports = |event: &Event| matches!(event, Event::Searching { reason, .. } if *reason == homing::engine::Reason::ReportWaits);
    assert!(world.count(reports) >= 4);
}

#[test]
fn a_quarantined_server_is_not_asked_because_a_report_waits() {
    let mut world = priorities(&[1]).start();
    world.set("a", world::Server { reach: world::Reach::BadHandshake(Cause::UnknownIssuer), ..world::up() });
    world.run(s(1));
    let dials = world.starts.len();
    world.report(Lane::Critical, 1);
    world.run(s(20));
    assert_eq!(world.starts.len(), dials, "it is left out for 27 s at least");
}

#[test]
fn a_batch_that_is_too_large_is_halved_until_it_fits_and_grows_again() {
    let mut world = attached(priorities(&[1]).interval(s(30)));
    world.outbox.takes = Takes::AtMost(4_000);
    world.report(Lane::Critical, 600);
    world.run(s(60));
    assert_eq!(taken(&world, Lane::Critical), 600);
    let begun = uploads(&world).len();
    assert!(begun < 80, "{begun} requests for {} bytes", 600 * REPORT);
}

#[test]
fn a_server_that_calls_everything_too_large_is_not_asked_without_end() {
    let mut world = attached(priorities(&[1]).interval(s(30)));
    world.outbox.takes = Takes::AtMost(0);
    world.report(Lane::Critical, 10);
    world.run(s(3_600));
    let begun = uploads(&world).len();
    assert!(begun < 300, "{begun} requests an hour");
    assert_eq!(world.active(), Some("a"), "heartbeats are answered");
    world.outbox.takes = Takes::All;
    world.run(s(120));
    assert_eq!(taken(&world, Lane::Critical), 10);
}

#[test]
fn an_upload_that_fails_asks_at_once_whether_the_server_is_there() {
    let mut world = attached(priorities(&[2]).interval(s(300)));
    world.set("a", world::down());
    world.break_links("a");
    let at = world.now.since(world.started);
    world.report(Lane::Critical, 1);
    let back = world.until_attached("b", s(10));
    assert!(back <= at + s(3), "{:?}", back - at);
    world.run(s(1));
    assert_eq!(taken(&world, Lane::Critical), 1);
    assert_eq!(uploads(&world).last().unwrap().1, "b");
}

#[test]
fn a_server_that_takes_no_reports_keeps_the_agent_and_is_asked_ever_less() {
    for takes in [Takes::Declines(404), Takes::Fails(Cause::ServerError { status: 500 })] {
        let mut world = attached(priorities(&[2]).interval(s(60)));
        world.outbox.takes = takes;
        world.report(Lane::Critical, 1);
        world.report(Lane::Log, 1);
        world.run(s(3_600));
        let begun = uploads(&world).len();
        assert!((60..=260).contains(&begun), "{takes:?}: {begun} requests an hour");
        assert_eq!(world.active(), Some("a"));
        assert_eq!(world.attachments().len(), 1, "{takes:?}: heartbeats are answered");
        let beats =
            world.beats.iter().filter(|(_, _, request)| matches!(request, Request::Heartbeat { .. })).count();
        assert!((60..=75).contains(&beats), "{takes:?}: {beats} heartbeats an hour");
        world.outbox.takes = Takes::All;
        world.run(s(130));
        assert_eq!((taken(&world, Lane::Critical), taken(&world, Lane::Log)), (1, 1), "{takes:?}");
    }
}

#[test]
fn what_gathered_in_an_outage_is_caught_up_with_at_a_pace() {
    let mut world = priorities(&[1]).interval(s(60)).start();
    world.set("a", world::down());
    world.run(s(60));
    // 16 MiB.
    let reports = (16 << 20) / REPORT;
    world.report(Lane::Log, reports);
    world.set("a", world::up());
    world.until_attached("a", s(200));
    let begun = world.now;
    while world.outbox.waiting(Lane::Log) > 0 {
        world.run(s(1));
        assert!(world.now.since(begun) < s(1_200), "{} wait", world.outbox.waiting(Lane::Log));
    }
    let took = world.now.since(begun);
    assert!(took > s(400), "{took:?}: faster than 40 KiB a second");
    let beats = world
        .beats
        .iter()
        .filter(|(at, _, request)| *at > begun && matches!(request, Request::Heartbeat { .. }))
        .count() as u64;
    assert!(beats >= took.as_secs() / 60 - 1, "heartbeats go on: {beats} in {took:?}");
}

#[test]
fn agents_that_return_together_do_not_catch_up_together() {
    let mut first = Vec::new();
    for seed in 0..40 {
        let mut world = priorities(&[1]).interval(s(300)).seed(seed).start();
        world.report(Lane::Log, 10_000);
        let attached = world.until_attached("a", s(10));
        world.run(s(70));
        first.push(uploads(&world)[0].0 - attached);
    }
    first.sort();
    assert!(first[5] < s(20) && first[34] > s(40), "{first:?}");
    // A critical report is no catching up.
    let mut world = priorities(&[1]).start();
    world.report(Lane::Critical, 10_000);
    world.until_attached("a", s(10));
    world.run(s(1));
    assert_eq!(taken(&world, Lane::Critical), 10_000);
}

#[test]
fn what_is_critical_leaves_within_the_grace_of_the_end() {
    for interval in [30, 600] {
        let mut world = attached(switched(priorities(&[1]).interval(s(interval)), false, false));
        world.report(Lane::Critical, 5_000);
        world.report(Lane::Log, 5);
        world.command(Command::Stop { grace: s(5) });
        world.run(s(6));
        assert_eq!(world.state(), State::Stopped);
        assert_eq!((taken(&world, Lane::Critical), taken(&world, Lane::Log)), (5_000, 0));
        assert_eq!(world.open_links("a"), 0);
    }
}

#[test]
fn the_end_waits_for_no_report_beyond_the_grace() {
    let mut world = attached(priorities(&[1]).interval(s(30)));
    world.set("a", world::silent());
    world.report(Lane::Critical, 1);
    world.run(ms(50));
    world.command(Command::Stop { grace: s(2) });
    assert_eq!(world.state(), State::Stopping);
    world.run(s(2));
    assert_eq!(world.state(), State::Stopped);
}

#[test]
fn nothing_is_sent_while_communication_is_off() {
    let mut world = attached(priorities(&[1]).interval(s(30)));
    world.reconfigure(priorities(&[1]).communication(&json!({ "enabled": false })));
    assert_eq!(world.state(), State::Disabled);
    world.report(Lane::Critical, 1);
    world.run(s(600));
    assert_eq!((uploads(&world).len(), world.state()), (0, State::Disabled));
    world.reconfigure(priorities(&[1]).interval(s(30)));
    world.run(s(5));
    assert_eq!(taken(&world, Lane::Critical), 1);
}

#[test]
fn a_driver_without_an_outbox_is_asked_once_and_no_more() {
    let mut world = attached(priorities(&[1]).interval(s(30)));
    world.outbox.takes = Takes::Declines(0);
    world.report(Lane::Log, 1);
    world.run(s(300));
    assert_eq!(uploads(&world).len(), 10, "once with each heartbeat");
    assert_eq!(world.count(|event| matches!(event, Event::UploadFailed { .. })), 0);
}

#[test]
fn patience_that_an_upload_is_asked_for_silences_the_agent_no_longer_than_that_of_a_heartbeat() {
    for (status, most) in [(503, s(15)), (429, s(615))] {
        let mut world = attached(priorities(&[1, 1]).interval(s(10)));
        world.outbox.takes = Takes::Fails(Cause::Throttled { status, retry_after: Some(s(3600)) });
        world.report(Lane::Log, 1);
        world.until(s(15), "a failed upload", |event| matches!(event, Event::UploadFailed { .. }));
        world.outbox.takes = Takes::All;
        world.until_attached("b", most);
        world.run(s(60));
        assert!(world.longest_gap() <= most, "{status}: {:?}", world.longest_gap());
        assert_eq!(taken(&world, Lane::Log), 1, "{status}");
    }
}

#[test]
fn a_server_that_takes_one_of_each_batch_is_given_no_more_and_not_without_a_pause() {
    let mut world = attached(priorities(&[1]).interval(s(300)));
    world.outbox.takes = Takes::One;
    world.report(Lane::Critical, 10_000);
    world.run(s(60));
    let begun = uploads(&world).len();
    assert!((55..=200).contains(&begun), "{begun} requests a minute");
    assert_eq!(taken(&world, Lane::Critical), begun as u64);
    let bytes: u64 = world
        .beats
        .iter()
        .filter_map(|(_, _, request)| {
            if let Request::Upload { at_most, .. } = request { Some(u64::from(*at_most)) } else { None }
        })
        .sum();
    assert!(bytes < 200_000, "{bytes} bytes for {begun} reports");
    world.outbox.takes = Takes::All;
    world.run(s(60));
    assert_eq!(taken(&world, Lane::Critical), 10_000);
}

#[test]
fn a_batch_that_is_refused_for_one_of_its_reports_becomes_smaller_until_the_others_pass() {
    let mut world = attached(priorities(&[1]).interval(s(60)));
    world.outbox.takes = Takes::Fewer(3);
    world.report(Lane::Critical, 20);
    world.report(Lane::Log, 20);
    world.run(s(600));
    assert_eq!((taken(&world, Lane::Critical), taken(&world, Lane::Log)), (20, 20));
    assert_eq!(world.attachments().len(), 1, "the server is well");
}

#[test]
fn a_lone_report_that_is_refused_is_followed_by_one_more_try_in_each_turn() {
    let mut world = attached(priorities(&[1]).interval(s(60)));
    world.outbox.takes = Takes::Fewer(0);
    world.report(Lane::Log, 1);
    // Until the batch can be no smaller.
    world.run(s(1800));
    let (begun, beats) = (uploads(&world).len(), world.count(world::is_heartbeat));
    world.run(s(600));
    let (tries, beats) = (uploads(&world).len() - begun, world.count(world::is_heartbeat) - beats);
    assert!(tries.abs_diff(2 * beats) <= 2, "{tries} uploads, {beats} heartbeats");
    world.outbox.takes = Takes::All;
    world.run(s(62));
    assert_eq!(taken(&world, Lane::Log), 1);
}

#[test]
fn a_server_that_takes_no_critical_reports_is_asked_once_after_each_heartbeat() {
    let mut world = attached(priorities(&[1]).interval(s(60)));
    world.outbox.takes = Takes::Declines(404);
    world.report(Lane::Critical, 1);
    let (begun, beats) = (uploads(&world).len(), world.count(world::is_heartbeat));
    world.run(s(600));
    let more = world.count(world::is_heartbeat) - beats;
    assert!(
        uploads(&world).len() - begun <= more + 1,
        "{} uploads, {more} heartbeats",
        uploads(&world).len()
    );
    world.outbox.takes = Takes::All;
    world.run(s(62));
    assert_eq!(taken(&world, Lane::Critical), 1);
}

#[test]
fn a_flood_of_critical_reports_leaves_room_for_the_other_lanes() {
    let mut world = attached(priorities(&[1]).interval(s(30)));
    world.report(Lane::Critical, 200_000);
    world.report(Lane::Status, 5);
    world.report(Lane::Log, 5);
    for _ in 0..400 {
        world.report(Lane::Critical, 2_000).run(ms(100));
    }
    assert!(world.outbox.waiting(Lane::Critical) > 0, "the flood lasts");
    assert_eq!((taken(&world, Lane::Status), taken(&world, Lane::Log)), (5, 5));
}
