//! Faults that were found once and must not come back. Each test says what happened.

use homing::engine::{Away, Command, Engine, Event, Input, Memory, NetworkChange, Setup, State};
use homing::types::{Cause, CertificatePolicyId, FailureClass, Moment, News, Route, SettingsId};

use crate::world::*;

fn dead_but(world: &mut World, alive: &str) {
    world.set_all(down()).set(alive, up());
}

/// The next beats to a server that the new settings drop were dialled under somebody else's policy.
#[test]
fn a_server_that_is_no_longer_named_is_dialled_under_the_policy_that_named_it() {
    let mut world = priorities(&[1]).start();
    world.until_attached("a", s(1));
    let mut other = priorities(&[1]);
    other.priorities = vec![vec!["z".to_owned()]];
    world.reconfigure_with(other, "z", down());
    world.run(s(1000));
    let policies = world.dialled_policies("a");
    assert!(
        policies.len() >= 3
            && policies
                .iter()
                .all(|policy| *policy == CertificatePolicyId { settings: SettingsId(0), index: 0 })
    );
    assert_eq!(world.prepared.kept(), 2, "the first for the server in use");
}

/// An attempt that was looking a name up was dialled under the policy of settings long replaced.
#[test]
fn an_attempt_that_outlives_its_settings_is_dialled_under_the_new_ones() {
    let mut world = priorities(&[1]).named().start();
    world.look_up_time = ms(350);
    for _ in 0..3 {
        world.reconfigure(priorities(&[1]).named()).run(ms(100));
    }
    world.until_attached("a", s(5));
    assert_eq!(world.policies.last().unwrap().settings, SettingsId(3));
    assert_eq!(world.prepared.kept(), 1);
}

/// The oracle fails in each of these when a server is spoken to before its floor.
#[test]
fn a_floor_survives_whatever_ends_the_search_in_which_it_was_heard() {
    let searching = || {
        let mut world = priorities(&[2]).start();
        let ranking = ranking(&world);
        world.set(&ranking[0], throttling(429, 600)).set(&ranking[1], black_hole());
        world.run(ms(600));
        world
    };
    let mut world = searching();
    world.reconfigure(priorities(&[2])).run(s(500));
    let mut world = searching();
    world.network(NetworkChange::Changed).run(s(500));
    let mut world = searching();
    world.suspend(s(5)).run(s(500));
    let mut world = searching();
    world.network(NetworkChange::Gone).run(s(500));
}

#[test]
fn a_floor_that_is_heard_at_the_address_of_older_settings_holds_at_the_new_one() {
    let mut world = priorities(&[1]).start();
    world.set("a", Server { think: ms(500), ..throttling(503, 600) }).run(ms(400));
    let mut moved = priorities(&[2]);
    moved.priorities = vec![vec!["b".to_owned()], vec!["a".to_owned()]];
    // Each server's address is its place in the list: `a` has the second one from now on. Its turn comes after the answer.
    world.reconfigure_with(moved, "b", black_hole()).run(s(500));
    assert_eq!(world.dials("a").len(), 1, "{}", world.story());
}

#[test]
fn a_proven_server_that_asks_for_patience_is_not_moved_to_before_its_time() {
    let mut world = priorities(&[1, 1]).start();
    world.set("a", down());
    world.until_attached("b", s(5));
    world.set("a", up());
    while world.snapshot().servers[0].move_in.is_none() {
        world.run(s(1));
    }
    // A search beside a silent `b` hears the floor of `a`.
    world.set("a", throttling(503, 1800)).set("b", black_hole()).break_links("b");
    world.command(Command::BeatNow).run(s(15));
    world.set("b", up()).run(s(1700));
}

#[test]
fn a_drain_does_not_shorten_a_floor() {
    let mut world = priorities(&[1]).push().interval(s(60)).start();
    world.run(s(5));
    world.set("a", throttling(503, 600));
    world.until(s(120), "throttled", |e| matches!(e, Event::AttemptFailed { .. }));
    assert_eq!(world.streams.len(), 1, "the stream outlives the throttled beat and can tell of the drain");
    world.tell_streams(News::Drain(s(5))).suspend(s(1)).run(s(400));
}

/// The rotation chose three servers that were left out, again and again.
#[test]
fn the_turns_of_a_long_outage_pass_over_servers_that_are_left_out() {
    let mut world = priorities(&[8]).start();
    let ranking = ranking(&world);
    world.set_all(down());
    for server in &ranking[..3] {
        world.set(server, Server { reach: Reach::BadHandshake(Cause::UnknownIssuer), ..up() });
    }
    world.run(s(4 * 3600));
    let mut starts: Vec<_> = world.starts.iter().map(|(at, _)| at.since(world.started)).collect();
    starts.push(s(4 * 3600));
    let longest = starts.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
    assert!(longest <= s(190), "nothing was tried for {longest:?}");
}

/// While a better priority asked for patience, the agent woke up once a second.
#[test]
fn patience_with_a_better_priority_is_one_wait() {
    let mut world = priorities(&[1, 1]).start();
    world.set_all(down());
    world.run(s(1));
    world.set("a", throttling(429, 600));
    world.run(s(500));
    let waits = world.count(is_waiting);
    assert!(waits <= 16, "about one a minute: {waits} waits\n{}", world.story());
}

/// An agent that waits for a throttled server to be ready did nothing else meanwhile.
#[test]
fn patience_with_the_server_in_use_does_not_keep_the_agent_from_a_better_one() {
    let mut world = priorities(&[1, 1]).interval(s(60)).start();
    world.until_attached("a", s(1));
    world.set("a", throttling(503, 3600)).set("b", down());
    world.run(s(200));
    world.set("b", up());
    world.until_attached("b", s(130));

    let mut world = priorities(&[1]).interval(s(60)).start();
    world.until_attached("a", s(1));
    world.set("a", throttling(429, 3600)).run(s(70));
    let mut other = priorities(&[1]).interval(s(60));
    other.priorities = vec![vec!["z".to_owned()]];
    world.reconfigure(other);
    world.until_attached("z", s(61));
}

/// After a move with the new link first there was no stream any more.
#[test]
fn the_stream_follows_a_failback() {
    let mut world = priorities(&[1, 1]).push().start();
    world.set("a", down());
    world.until_attached("b", s(5));
    world.set("a", up());
    world.until_attached("a", s(400));
    world.run(s(2));
    assert!(world.streams.len() == 1 && world.streams.values().all(|(_, on)| on == "a"), "{}", world.story());
}

/// New settings turned a move to one better server into a race of the whole list.
#[test]
fn settings_that_change_during_a_move_do_not_make_it_a_move_anywhere() {
    let mut world = priorities(&[1, 1, 1]).start();
    world.set("a", down());
    world.until_attached("b", s(5));
    world.set("a", up());
    while world.snapshot().servers[0].move_in.is_none() {
        world.run(s(1));
    }
    world.set("a", black_hole());
    world.until(s(200), "the move", |_| true);
    for _ in 0..20 {
        world.reconfigure(priorities(&[1, 1, 1])).run(s(1));
    }
    assert_eq!(world.attachments(), ["b"]);
}

/// Dead name services mostly say nothing at all.
#[test]
fn a_name_look_up_that_hangs_leads_where_the_name_led() {
    let mut world = priorities(&[1]).named().interval(s(300)).start();
    world.until_attached("a", s(1));
    world.names_hang = true;
    world.run(s(1000));
    assert!(world.count(is_heartbeat) >= 3, "{}", world.story());
    assert_eq!(world.attachments(), ["a"]);
}

/// Ten minutes of service on the fallback server forgave what the better one had done.
#[test]
fn damping_is_undone_by_the_better_server_alone() {
    let mut world = priorities(&[1, 1]).interval(s(10)).start();
    world.set("a", down());
    world.until_attached("b", s(5));
    let mut waits = Vec::new();
    for _ in 0..7 {
        world.run(s(700)).set("a", up());
        let returned = world.now;
        world.until_attached("a", s(2 * 3600));
        waits.push(world.now.since(returned));
        world.set("a", down()).break_links("a");
        world.until_attached("b", s(60));
    }
    assert!(waits[5] >= s(1800) && waits[6] >= s(1800), "{waits:?}");
}

#[test]
fn an_old_address_does_not_become_young_because_the_machine_has_just_booted() {
    let memory: Memory =
        serde_json::from_str(r#"{ "servers": [ { "id": "a", "last_good": ["10.0.0.1", "30days"] } ] }"#)
            .unwrap();
    let plan = priorities(&[1]).named().remembering(memory, Away::For(s(60)));
    let mut world = plan.start_at(Moment::ORIGIN + s(30));
    world.names_fail = Some(Cause::NameNotFound);
    world.run(s(20));
    assert!(world.dials("a").is_empty(), "{:?}", world.dials("a"));
}

#[test]
fn the_address_of_a_proxy_is_not_remembered_as_the_servers() {
    let mut world = priorities(&[1]).named().routes(&[Route::Proxy(0), Route::Direct]).start();
    world.until_attached("a", s(1));
    assert!(world.engine.memory().servers.iter().all(|server| server.last_good.is_none()));
}

#[test]
fn a_floor_met_while_attached_is_remembered() {
    let mut world = priorities(&[1]).interval(s(60)).start();
    world.until_attached("a", s(1));
    world.set("a", throttling(503, 3600)).run(s(70));
    assert!(world.engine.memory().servers[0].left_out.is_some());
}

/// A draining server that was the only one alive was refused for minutes.
#[test]
fn the_only_live_server_is_taken_though_it_drains() {
    for other in [down(), black_hole()] {
        let mut world = priorities(&[2]).start();
        let ranking = ranking(&world);
        world.set(&ranking[0], Server { answer: Answer::Drain(s(30)), ..up() }).set(&ranking[1], other);
        world.until_attached(&ranking[0], s(4));
    }
    // And one that does not drain is better, wherever it stands.
    let mut world = priorities(&[1, 1]).start();
    world.set("a", Server { answer: Answer::Drain(s(30)), ..up() });
    world.until_attached("b", s(4));
}

/// In a second opinion the same server stands twice, and was charged twice.
#[test]
fn a_server_pays_once_for_one_search() {
    let mut world = priorities(&[2]).interval(s(50)).start();
    let ranking = ranking(&world);
    world.until_attached(&ranking[0], s(1));
    world.set(&ranking[0], silent());
    world.until(s(60), "second opinion", |e| matches!(e, Event::Searching { .. }));
    // The fresh link is refused; the silent one is given up when its time is over.
    world.set_all(down());
    world.until(s(30), "waiting", is_waiting);
    let misses =
        |id: &str| world.engine.memory().servers.iter().find(|s| s.id.as_str() == id).map_or(0, |s| s.misses);
    assert_eq!(misses(&ranking[0]), 1, "once for two connections");
}

#[test]
fn a_drain_told_on_the_stream_is_not_forgotten_by_the_next_good_beat() {
    let mut world = priorities(&[2]).push().interval(s(10)).start();
    world.run(s(5));
    let server = world.active().unwrap().to_owned();
    world.tell_streams(News::Drain(s(60))).run(s(61));
    assert_ne!(world.active(), Some(&*server));
}

#[test]
fn a_stop_waits_for_no_name() {
    let mut world = priorities(&[1]).named().interval(s(300)).start();
    world.run(s(2));
    world.names_hang = true;
    world.command(Command::BeatNow).command(Command::Stop { grace: s(30) });
    assert_eq!(world.state(), State::Stopped);
}

#[test]
fn the_network_that_came_back_soon_after_a_false_alarm_is_tried_soon() {
    let mut world = priorities(&[1]).start();
    world.cut_off(true).run(s(300));
    world.network(NetworkChange::Changed).run(s(10));
    world.cut_off(false).network(NetworkChange::Changed);
    world.until_attached("a", s(36));
}

#[test]
fn tuning_that_contradicts_itself_harms_nobody() {
    let tuning =
        r#"{ "attachment": { "stagger_most": "50ms", "throttle_most": "0s", "silence_most": "1s" } }"#;
    let mut world = priorities(&[2]).tuning(tuning).start();
    world.set("a", throttling(429, 5)).run(s(600));
    dead_but(&mut world, "b");
    world.run(s(600));
    assert_eq!(world.active(), Some("b"));
}

/// Turns went by count through those that were not left out, who are others with every search: in an outage of eight
/// servers the one that returned was passed over for nine minutes.
#[test]
fn the_first_server_to_return_from_a_long_outage_has_its_turn_soon() {
    for seed in 0..100 {
        let mut world = priorities(&[8]).agent(&format!("agent-{seed}")).seed(seed).start();
        world.set_all(down()).run(s(600));
        world.set("d", up());
        // Of seven servers beside its own two are tried a minute, and a failure leaves one out for up to 132 s.
        world.until_attached("d", s(330));
    }
}

/// A driver that gives two documents one number would have their verifiers mixed up.
#[test]
fn a_number_that_still_names_other_settings_is_not_taken() {
    let other = Command::Reconfigure { id: SettingsId(0), settings: priorities(&[1, 1]).settings() };
    let mut engine = Engine::new(
        Setup::new(priorities(&[1]).settings(), "x".parse().unwrap()),
        Memory::default(),
        Away::Unknown,
        7,
        Moment::ORIGIN,
    );
    engine.handle(Moment::ORIGIN, Input::Command(other));
    let snapshot = engine.snapshot(Moment::ORIGIN);
    assert_eq!((snapshot.stale_inputs, snapshot.servers.len()), (1, 1));
}

/// Behind others that took their time a look-up was given up before it had begun.
#[test]
fn what_was_asked_before_a_floor_is_not_asked_again_before_it() {
    for about_the_request in [status(408), status(413), status(421), status(425)] {
        let mut world = priorities(&[1]).interval(s(60)).start();
        world.until_attached("a", s(5));
        // A heartbeat that is answered late, so that the server is asked once more on a fresh link.
        world.set("a", slow(s(9)));
        world.command(Command::BeatNow).run(s(1));
        world.set("a", throttling(429, 60));
        world.until(s(3), "a second opinion", |event| matches!(event, Event::Searching { .. }));
        world.run(s(1));
        assert!(world.floor("a") > world.now, "the second opinion has heard it\n{}", world.story());
        // Now comes the answer to the first. Of itself it would be asked once more at once; the world holds the floor.
        world.set("a", about_the_request).run(s(30));
        world.set("a", up());
        world.run(s(120));
        assert_eq!(world.active(), Some("a"), "{}", world.story());
    }
}

#[test]
fn the_time_of_a_name_counts_from_when_it_is_looked_up() {
    for (wait, look_up_time, attached) in [(8, 4, true), (8, 6, false), (25, 1, false)] {
        let mut world = priorities(&[1]).named().start();
        (world.names_wait, world.look_up_time) = (Some(s(wait)), s(look_up_time));
        world.run(s(20));
        assert_eq!(world.attachments().len(), usize::from(attached), "{wait} s and {look_up_time} s");
        let failed = |event: &Event| matches!(event, Event::AttemptFailed { class: FailureClass::Name, .. });
        world.run(s(5));
        assert_eq!(world.count(failed) > 0, !attached, "{}", world.story());
    }
}
