//! An agent that is attached delivers, and no rule strands it: the smallest world for each way in which a rule once did.

use std::time::Duration;

use homing::engine::{Command, Event, NetworkChange, Reason, State};
use homing::types::{Cause, Moment, Purpose, Request};

use crate::world::*;

/// The longest time without a delivered heartbeat, from the start to now.
fn longest_silence(world: &World) -> Duration {
    let beats = world.told.iter().filter(|(_, event)| is_heartbeat(event)).map(|(at, _)| *at);
    let moments: Vec<_> =
        std::iter::once(Duration::ZERO).chain(beats).chain([world.now.since(world.started)]).collect();
    moments.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
}

/// The most of these within any span of this length.
fn most_within(moments: impl Iterator<Item = Moment>, span: Duration) -> usize {
    let moments: Vec<_> = moments.collect();
    let within = |&from: &Moment| moments.iter().filter(|&&at| at >= from && at.since(from) < span).count();
    moments.iter().map(within).max().unwrap_or_default()
}

/// Requests of any kind since this moment.
fn requests_since(world: &World, since: Moment) -> usize {
    world.beats.iter().filter(|(at, ..)| *at >= since).count()
}

// --- refusals ---

#[test]
fn a_search_goes_on_past_servers_that_reject_the_agent() {
    for shape in [vec![3], vec![2, 1], vec![1, 1, 1], vec![8]] {
        let mut world = priorities(&shape).start();
        let ranking = ranking(&world);
        let last = ranking.last().unwrap().clone();
        world.set_all(status(401)).set(&last, up());
        world.until_attached(&last, s(10));
        assert_eq!(world.count(|event| matches!(event, Event::State { state: State::Rejected, .. })), 0);
    }
}

#[test]
fn a_distant_server_beside_two_quick_refusals_is_waited_for() {
    let mut world = priorities(&[3]).start();
    let ranking = ranking(&world);
    world.set_all(status(401)).set(&ranking[0], far(ms(300)));
    world.until_attached(&ranking[0], s(2));
}

#[test]
fn a_server_that_restarts_beside_two_refusals_is_tried_until_it_is_back() {
    let mut world = priorities(&[3]).start();
    let ranking = ranking(&world);
    world.set_all(status(401)).set(&ranking[0], down()).run(s(400));
    assert_eq!(world.state(), State::Waiting);
    world.set(&ranking[0], up());
    world.until_attached(&ranking[0], s(70));
}

#[test]
fn no_agent_of_a_fleet_is_silent_because_some_servers_reject_it() {
    for agent in 0..200 {
        let mut world = priorities(&[4]).agent(&format!("agent-{agent}")).seed(agent).start();
        for refusing in ["a", "b", "c"] {
            world.set(refusing, status(401));
        }
        world.until_attached("d", s(10));
    }
}

#[test]
fn new_credentials_and_beat_now_ask_again_whoever_rejected_the_agent() {
    for command in [Command::NewCredentials, Command::BeatNow] {
        let mut world = priorities(&[2]).start();
        let ranking = ranking(&world);
        world.set(&ranking[0], status(401)).set(&ranking[1], down()).run(s(100));
        world.set(&ranking[0], up()).command(command);
        world.until_attached(&ranking[0], s(1));
    }
}

// --- the guard ---

#[test]
fn an_hour_of_beat_now_does_not_keep_the_agent_from_coming_back() {
    for servers in [1, 2, 8] {
        let mut world = priorities(&[servers]).start();
        world.run(s(2));
        for _ in 0..3273 {
            world.command(Command::BeatNow).run(ms(1_100));
        }
        world.set_all(down());
        for server in 0..servers {
            world.break_links(&name(server));
        }
        world.command(Command::BeatNow).run(s(20)).set_all(up());
        let returned = world.now;
        world.until(s(70), "a heartbeat", is_heartbeat);
        assert!(world.now.since(returned) <= s(70));
        let most = most_within(world.starts.iter().map(|(at, _)| *at), s(600));
        assert!(most <= 100 + 20 * servers, "{servers} servers: {most} dials in ten minutes");
    }
}

#[test]
fn hours_of_short_patience_do_not_keep_the_agent_from_coming_back() {
    let mut world = priorities(&[1]).start();
    world.set("a", throttling(503, 1)).run(s(4 * 3600));
    world.set("a", down()).run(s(20)).set("a", up());
    world.until_attached("a", s(75));
    let most = most_within(world.starts.iter().map(|(at, _)| *at), s(600));
    assert!(most <= 120, "{most} dials in ten minutes");
}

/// The agent was about to go home when the guard was closed, and asked for a wake-up without end.
#[test]
fn a_move_that_the_guard_holds_back_is_made_later() {
    let mut world = priorities(&[2]).start();
    let ranking = ranking(&world);
    world.set(&ranking[0], down());
    world.until_attached(&ranking[1], s(5));
    world.set(&ranking[0], up());
    while world.snapshot().servers[0].move_in.is_none() {
        world.run(s(1));
    }
    for _ in 0..3273 {
        world.command(Command::BeatNow).run(ms(1_100));
    }
    world.until_attached(&ranking[0], s(3 * 3600));
}

#[test]
fn no_server_is_dialled_twice_in_a_second() {
    // A slow race meets probes of the same servers.
    for seed in 0..30 {
        let mut world = priorities(&[3, 1]).interval(s(20)).seed(seed).start();
        for server in ["a", "b", "c"] {
            world.set(server, status(500));
        }
        world.until_attached("d", s(10));
        for _ in 0..60 {
            world.set("d", black_hole()).break_links("d").run(s(12)).set("d", up()).run(s(20));
        }
        for server in ["a", "b", "c"] {
            let dials = world.dials(server);
            let closest = dials.windows(2).map(|pair| pair[1] - pair[0]).min().unwrap();
            assert!(closest >= s(1), "{server}: {closest:?}\n{}", world.story());
        }
    }
}

// --- hunger ---

#[test]
fn an_agent_that_its_server_never_serves_is_fed_by_another() {
    for interval in [30, 60, 300] {
        for status in [503, 429] {
            for (how, answer) in
                [("all", throttling(status, 30)), ("beats", gray(throttling_cause(status, 30)))]
            {
                let mut world = priorities(&[2]).interval(s(interval)).start();
                let ranking = ranking(&world);
                world.until_attached(&ranking[0], s(1));
                world.set(&ranking[0], answer).run(s(24 * 3600));
                let longest = longest_silence(&world);
                let patience = s(600.max(2 * interval)) + s(interval) + s(10);
                assert!(
                    longest <= patience,
                    "{interval} s, {status}, {how}: {longest:?}\n{}",
                    world.snapshot().explain()
                );
            }
        }
    }
}

fn throttling_cause(status: u16, seconds: u64) -> Cause {
    Cause::Throttled { status, retry_after: Some(s(seconds)) }
}

#[test]
fn an_unfed_agent_goes_to_a_lower_priority_whatever_429_means() {
    let mut world = priorities(&[1, 1]).interval(s(60)).start();
    world.until_attached("a", s(1));
    world.set("a", throttling(429, 50));
    let asked = world.now;
    world.until_attached("b", s(700));
    assert!(world.now.since(asked) >= s(590), "not before it is unfed");
    assert_eq!(world.count(|event| matches!(event, Event::Detached { reason: Reason::Unfed, .. })), 1);
}

#[test]
fn a_long_sleep_alone_is_no_hunger() {
    let mut world = priorities(&[1, 1]).interval(s(60)).start();
    world.until_attached("a", s(1));
    world.set("a", throttling(503, 30)).suspend(s(9 * 3600)).run(s(60));
    assert_eq!(world.attachments(), ["a"]);
}

// --- 429 in a better priority ---

#[test]
fn a_429_in_a_better_priority_does_not_keep_an_agent_without_a_server_from_the_next() {
    let mut world = priorities(&[2, 1]).start();
    let ranking = ranking(&world);
    world.set(&ranking[0], down()).set(&ranking[1], throttling(429, 600));
    world.until_attached(&ranking[2], s(10));
}

#[test]
fn a_429_that_a_probe_heard_does_not_keep_the_agent_from_a_neighbour() {
    let mut world = priorities(&[1, 2]).interval(s(60)).start();
    let ranking = ranking(&world);
    world.set(&ranking[0], down());
    world.until_attached(&ranking[1], s(5));
    world.set(&ranking[0], throttling(429, 3600));
    world.until(s(300), "the probe", |event| matches!(event, Event::Probed { .. }));
    world.set(&ranking[1], down()).break_links(&ranking[1]);
    world.command(Command::BeatNow);
    world.until_attached(&ranking[2], s(1));
}

// --- settings that change ---

#[test]
fn an_address_that_changes_faster_than_its_server_answers_does_not_keep_the_agent_away() {
    for (period, changes) in [(100, 3_000), (300, 2_000), (1_000, 3_600)] {
        for how in [far(ms(60)), down()] {
            let mut world = priorities(&[1]).start();
            world.set_all(how);
            for change in 0..changes {
                let plan = if change % 2 == 0 { priorities(&[1]).named() } else { priorities(&[1]) };
                world.reconfigure(plan).run(ms(period));
            }
            let hours = (period * changes) as f64 / 3_600_000.0;
            let dials = world.dials("a");
            assert!(
                dials.len() as f64 <= 240.0 * hours + 10.0,
                "{} dials in {hours} h, {period}, {how:?}\n{}",
                dials.len(),
                world.story().lines().rev().take(60).collect::<Vec<_>>().join("\n")
            );
            if how != down() {
                let attached = world.told.iter().find(|(_, event)| attached_to(event, "a")).unwrap().0;
                assert!(attached <= s(180), "{attached:?}");
            }
        }
    }
}

/// An attempt does not outlive its certificate policy, so none ends while that changes faster than a server answers.
#[test]
fn once_a_certificate_policy_rests_the_agent_attaches_however_fast_it_has_changed() {
    let plan =
        |most: u32| priorities(&[1]).with("certificate", serde_json::json!({ "max_chain_depth": most }));
    for (period, changes) in [(100, 3_000), (300, 2_000), (1_000, 3_600), (5_000, 720)] {
        let mut world = plan(3).start();
        world.set_all(far(ms(60)));
        for change in 0..changes {
            world.reconfigure(plan(4 - change % 2)).run(ms(period));
        }
        let windows = (period * u64::from(changes)).div_ceil(600_000) as usize;
        let dials = world.dials("a").len();
        assert!(dials <= 180 * windows, "{dials} dials in {windows} times ten minutes, {period} ms");
        world.run(s(180));
        assert_eq!(world.active(), Some("a"), "{period} ms");
    }
}

#[test]
fn agents_leave_a_server_that_the_settings_no_longer_name_within_a_minute_and_spread() {
    let mut waits = Vec::new();
    for agent in 0..300 {
        let mut world = priorities(&[4]).agent(&format!("agent-{agent}")).seed(agent).start();
        world.run(s(10));
        let left = world.active().unwrap().to_owned();
        let mut plan = priorities(&[4]);
        plan.priorities[0].retain(|server| *server != left);
        world.reconfigure(plan);
        let begun = world.now;
        world.until(s(61), "another", |event| matches!(event, Event::Attached { .. }));
        waits.push(world.now.since(begun).as_secs());
    }
    let early = waits.iter().filter(|&&wait| wait < 1).count();
    assert!(early <= 15, "{early} of 300 within the first second");
    let half = waits.iter().filter(|&&wait| wait < 30).count();
    assert!((115..=185).contains(&half), "{half} of 300 within half a minute");
}

#[test]
fn what_a_server_asked_for_holds_though_it_left_the_settings_meanwhile() {
    // The oracle fails when it is dialled before its floor.
    let mut world = priorities(&[2]).start();
    let ranking = ranking(&world);
    world.set(&ranking[0], throttling(503, 3600));
    world.until_attached(&ranking[1], s(5));
    let mut plan = priorities(&[2]);
    plan.priorities[0].retain(|server| *server != ranking[0]);
    world.reconfigure(plan).run(s(60));
    world.reconfigure(priorities(&[2])).run(s(3000));
    let memory = world.engine.memory().servers.clone();
    assert!(
        memory.iter().any(|server| server.id.as_str() == ranking[0] && server.left_out.is_some()),
        "{memory:?}"
    );
}

#[test]
fn a_floor_that_a_probe_hears_stops_the_race_that_has_it_planned() {
    // The oracle fails when it is spoken to before its floor.
    for offset in 0..40 {
        let mut world = priorities(&[1, 1]).interval(s(20)).start();
        world.set("a", down());
        world.until_attached("b", s(5));
        world.set("a", Server { think: ms(900), ..throttling(503, 600) });
        let is_probe = |(_, id, request): &(Moment, String, Request)| {
            id == "a" && *request == Request::Heartbeat { purpose: Purpose::Probe }
        };
        while !world.beats.iter().any(is_probe) {
            world.run(ms(20));
        }
        world.set("b", black_hole()).break_links("b").run(ms(20 * offset));
        world.command(Command::BeatNow).run(s(590));
    }
}

// --- pages, misunderstandings, networks ---

#[test]
fn a_maintenance_page_on_the_only_server_is_over_for_its_agents_within_five_minutes() {
    for status_of_page in [403, 404, 200] {
        for seed in 0..40 {
            let mut world = priorities(&[1]).seed(seed).start();
            let page = failing(Cause::NotAManager { status: status_of_page });
            world.until_attached("a", s(1));
            world.set("a", page).run(s(33 * 60 + seed * 7)).set("a", up());
            world.until_attached("a", s(300));
        }
    }
}

#[test]
fn a_request_that_is_not_understood_costs_a_third_and_one_about_the_request_is_repeated() {
    for (code, exchanges) in [(400, 1), (415, 1), (431, 1), (408, 2), (421, 2), (425, 2), (413, 2)] {
        let mut world = priorities(&[2]).start();
        let ranking = ranking(&world);
        world.set(&ranking[0], status(code));
        world.until_attached(&ranking[1], s(5));
        let asked = world.beats.iter().filter(|(_, id, _)| *id == ranking[0]).count();
        assert_eq!(asked, exchanges, "{code}");
        assert_eq!(world.health(&ranking[0]), "suspect", "{code}");
    }
}

#[test]
fn a_beat_that_is_not_understood_is_sent_again_and_the_server_is_left_at_the_third() {
    for code in [400, 411, 413, 421] {
        let mut world = priorities(&[2]).interval(s(60)).start();
        let ranking = ranking(&world);
        world.until_attached(&ranking[0], s(1));
        world.set(
            &ranking[0],
            gray(if code == 413 { Cause::TooLarge } else { Cause::Misunderstood { status: code } }),
        );
        world.until_attached(&ranking[1], s(100));
        assert_eq!(world.health(&ranking[0]), "down", "{code}");
    }
}

#[test]
fn what_was_wrong_on_one_network_is_not_held_against_the_server_on_another() {
    let mut world = priorities(&[1]).start();
    world.set("a", Server { reach: Reach::BadHandshake(Cause::WrongName), ..up() }).run(s(3600));
    world.set("a", up()).network(NetworkChange::Changed);
    world.until_attached("a", s(5) + ms(100));

    // The same network that was away for a moment starts nothing afresh.
    let mut world = priorities(&[1]).start();
    world.set("a", Server { reach: Reach::BadHandshake(Cause::WrongName), ..up() }).run(s(3600));
    let dials = world.dials("a").len();
    world.network(NetworkChange::Returned).run(s(10));
    assert!(world.dials("a").len() <= dials + 1);
}

// --- after an outage ---

#[test]
fn a_server_that_dies_after_an_outage_is_left_as_fast_as_any() {
    for push in [false, true] {
        for seed in 0..20 {
            let plan = priorities(&[2]).seed(seed);
            let mut world = if push { plan.push() } else { plan }.start();
            world.set_all(down()).run(s(2 * 3600)).set_all(up()).run(s(20 * 60));
            let dies = world.active().expect("it is back").to_owned();
            world.set(&dies, down()).break_links(&dies);
            if !push {
                world.command(Command::BeatNow);
            }
            let lost = world.now;
            world.until(s(6), "another", |event| matches!(event, Event::Attached { .. }));
            let most = if push { ms(5_100) } else { ms(1_100) };
            assert!(world.now.since(lost) <= most, "push {push}: {:?}", world.now.since(lost));
        }
    }
}

#[test]
fn any_server_of_a_better_priority_is_used_within_750_seconds_of_its_return() {
    for count in [2, 4, 8, 16, 32] {
        let mut longest = Duration::ZERO;
        for seed in 0..25 {
            let mut world = priorities(&[count, 1]).agent(&format!("agent-{seed}")).seed(seed).start();
            let ranking = ranking(&world);
            let (returns, lower) = (&ranking[1 + seed as usize % (count - 1)], &ranking[count]);
            world.set_all(down()).set(lower, up());
            world.until_attached(lower, s(30));
            world.run(s(1_500 + seed * 11)).set(returns, up());
            let returned = world.now;
            world.until_attached(returns, s(750));
            longest = longest.max(world.now.since(returned));
        }
        assert!(longest >= s(150), "{count}: {longest:?}");
    }
}

// --- drains ---

#[test]
fn when_every_server_drains_the_agent_moves_once_at_most_and_stays() {
    for servers in [1, 2, 4] {
        for window in [0, 1, 60, 300] {
            let mut world = priorities(&[servers]).start();
            world.run(s(400)).set_all(Server { answer: Answer::Drain(s(window)), ..up() });
            let (begun, moves) = (world.now, world.attachments().len());
            world.run(s(3 * 3600));
            let moved = world.attachments().len() - moves;
            assert!(moved <= 1, "{servers} servers, window {window}: {moved} moves");
            for hour in 0..3 {
                let from = begun + s(hour * 3600);
                let requests = requests_since(&world, from) - requests_since(&world, from + s(3600));
                assert!(
                    requests <= 60,
                    "{servers} servers, window {window}, hour {hour}: {requests} requests"
                );
            }
            assert!(longest_silence(&world) <= s(300));
        }
    }
}

#[test]
fn agents_that_start_while_every_server_drains_attach_once() {
    let mut world = priorities(&[2]).start();
    world.set_all(Server { answer: Answer::Drain(s(0)), ..up() }).run(s(3600));
    assert!(world.attachments().len() <= 2, "{:?}", world.attachments());
    assert!(world.beats.len() <= 60, "{} requests", world.beats.len());
}

#[test]
fn a_balancer_whose_next_backend_does_not_drain_ends_the_drain() {
    let mut world = priorities(&[1]).interval(s(60)).start();
    world.until_attached("a", s(1));
    world.set("a", Server { answer: Answer::Drain(s(5)), ..up() });
    world.until(s(70), "the beat that says so", is_heartbeat);
    world.set("a", up()).run(s(6));
    assert_eq!(world.health("a"), "up", "a fresh link found one that does not drain");
    assert_eq!(world.attachments(), ["a"]);
}

// --- the cadence ---

#[test]
fn no_gap_between_heartbeats_is_longer_than_the_interval() {
    for interval in [10, 60, 300, 3600] {
        for agent in 0..40 {
            let plan = priorities(&[1]).interval(s(interval)).agent(&format!("agent-{agent}")).seed(agent);
            let mut world = plan.start();
            world.run(s(interval * 30));
            assert!(longest_silence(&world) <= s(interval), "{interval} s: {:?}", longest_silence(&world));
            let beats = world.count(is_heartbeat);
            assert!((30..=34).contains(&beats), "{interval} s: {beats} in 30 intervals");
        }
    }
}
