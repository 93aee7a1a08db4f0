//! The verdict does not flap, is held where nothing can be found out, and never waits towards caution.

use std::time::Duration;

use homing::engine::{Command, Event, LocationReason, NetworkChange};
use homing::settings::Situation;
use homing::types::Cause;
use homing_sim::reference_network::{Place, reference, references};
use proptest::prelude::*;

use crate::world::*;

fn plan(proof: &str) -> Plan {
    priorities(&[1])
        .with("reference_servers", references(1, &[443], proof))
        .with("location", serde_json::json!({ "required_proof": proof, "management_server_counts": false }))
}

fn agent(proof: &str) -> World {
    let mut world = plan(proof).start();
    world.set_all(black_hole());
    world
}

fn reference_is(world: &mut World, place: Place) {
    world.places.at.insert((reference(0), 443).into(), place);
}

const UP: Place = Place::Answers(Duration::from_millis(1));

#[test]
fn three_failing_rounds_leave_the_inside_and_one_is_enough_on_another_network() {
    let mut world = agent("tls");
    reference_is(&mut world, UP);
    world.run(s(1));
    reference_is(&mut world, Place::Refuses(ms(1)));
    world.run(s(700));
    let verdicts = world.verdicts();
    assert_eq!(verdicts.last().unwrap().1, Situation::External);
    let failing: Vec<_> = world.rounds()[1..4].iter().map(|(at, _)| *at).collect();
    assert_eq!(failing[2] - failing[0], s(20));
    assert_eq!(verdicts[1].0, failing[2]);

    let mut world = agent("tls");
    reference_is(&mut world, UP);
    world.run(s(1));
    reference_is(&mut world, Place::Refuses(ms(1)));
    world.network(NetworkChange::Changed).run(s(4));
    assert_eq!(world.situation(), Situation::External);
}

#[test]
fn while_a_change_is_not_sure_the_reason_says_what_the_last_round_found_and_when_the_next_is() {
    let mut world = agent("tls");
    reference_is(&mut world, UP);
    world.run(s(1));
    let reason = |world: &World| world.location().detail;
    assert!(!reason(&world).contains("the last round"), "{}", reason(&world));
    reference_is(&mut world, Place::Refuses(ms(1)));
    world.command(Command::ProbeNow).run(s(1));
    assert_eq!(
        reason(&world),
        "internal: a reference server had answered; the last round found external, the next is in 9s"
    );
    world.run(s(40));
    assert_eq!(reason(&world), "external: 1 of 1 reference servers did not answer (1 refused)");

    let mut world = agent("tcp");
    world.run(s(30));
    reference_is(&mut world, UP);
    world.command(Command::ProbeNow).run(s(1));
    assert_eq!(
        reason(&world),
        "external: no reference server had answered; the last round found internal, the next is in 4s"
    );
}

#[test]
fn a_change_that_has_to_wait_says_so() {
    let mut world = agent("tls");
    world.run(s(10));
    for _ in 0..2 {
        reference_is(&mut world, UP);
        world.command(Command::ProbeNow).run(s(1));
        reference_is(&mut world, Place::Refuses(ms(1)));
        world.command(Command::ProbeNow).run(s(40));
    }
    reference_is(&mut world, UP);
    world.command(Command::ProbeNow).run(s(1));
    let reason = world.location().detail;
    assert!(reason.contains("; the last round found internal, which waits for 2"), "{reason}");
    assert!(reason.ends_with(": the location changed too often"), "{reason}");
}

#[test]
fn a_verified_server_is_believed_at_once_and_a_bare_connection_the_second_time() {
    let mut world = agent("tls");
    world.run(s(30));
    reference_is(&mut world, UP);
    world.command(Command::ProbeNow).run(ms(100));
    assert_eq!(world.situation(), Situation::Internal);

    let mut world = agent("tcp");
    world.run(s(30));
    reference_is(&mut world, UP);
    world.command(Command::ProbeNow).run(ms(4900));
    assert_eq!(world.situation(), Situation::External);
    world.run(ms(300));
    assert_eq!(world.situation(), Situation::Internal);
}

#[test]
fn a_flapping_reference_server_changes_the_location_at_most_four_times_an_hour() {
    let mut flapped = false;
    for period in [1, 2, 7, 20, 45, 60, 117, 300, 451, 600] {
        for (seed, asks) in [(0, false), (1, false), (2, false), (3, true)] {
            let mut world = plan("tls").seed(seed).agent(&format!("agent-{seed}")).start();
            world.set_all(black_hole());
            for half in 0..(24 * 3600 * 2 / period) {
                reference_is(&mut world, if half % 2 == 0 { UP } else { Place::Refuses(ms(1)) });
                if asks {
                    // A product that asks all the time makes it as bad as it can be.
                    world.command(Command::ProbeNow);
                }
                world.run(Duration::from_millis(period * 500));
                world.told.retain(|(_, event)| matches!(event, Event::Location { .. }));
            }
            let verdicts = world.verdicts();
            // The first verdict is no change.
            let changes = verdicts.len() - 1;
            println!("{changes} changes in 24 h at a period of {period} s, asked without end: {asks}");
            // A product that never stops asking also gets the two changes at once that nothing makes wait.
            let most = 4 * 24 + if asks { 2 } else { 0 };
            assert!(changes <= most, "{changes} changes in 24 h at a period of {period} s");
            flapped |= verdicts.len() > 20;
        }
    }
    assert!(flapped, "nothing flapped, so nothing was tested");
}

#[test]
fn two_changes_towards_trust_on_one_network_make_the_third_wait_and_another_network_does_not() {
    let mut world = agent("tls");
    let flap = |world: &mut World| {
        reference_is(world, UP);
        world.command(Command::ProbeNow).run(s(1));
        reference_is(world, Place::Refuses(ms(1)));
        world.command(Command::ProbeNow).run(s(40));
    };
    world.run(s(10));
    flap(&mut world);
    flap(&mut world);
    let before = world.verdicts();
    assert_eq!(before.len(), 5, "{before:?}");
    reference_is(&mut world, UP);
    world.run(s(1700));
    assert_eq!(world.situation(), Situation::External);
    world.run(s(300));
    assert_eq!(world.situation(), Situation::Internal);
    let last = world.verdicts();
    let waited = last[5].0 - last[4].0;
    assert!((s(1800)..=s(1801)).contains(&waited), "{waited:?}");

    let mut world = agent("tls");
    world.run(s(10));
    flap(&mut world);
    flap(&mut world);
    reference_is(&mut world, UP);
    world.network(NetworkChange::Changed).run(s(4));
    assert_eq!(world.situation(), Situation::Internal);
}

#[test]
fn without_a_network_the_location_is_held_for_a_minute() {
    let mut world = agent("tls");
    reference_is(&mut world, UP);
    world.run(s(1)).network(NetworkChange::Gone).run(s(59));
    assert_eq!(world.situation(), Situation::Internal);
    world.run(s(2));
    assert_eq!((world.situation(), world.location().reason), (Situation::Unknown, LocationReason::NoNetwork));
    world.run(s(86_400));
    assert_eq!(world.situation(), Situation::Unknown, "without limit");
}

#[test]
fn names_that_are_dead_for_eight_seconds_change_nothing() {
    let list = serde_json::json!({ "servers": [ { "address": "r.example" } ] });
    let mut world = plan("tls").with("reference_servers", list.clone()).start();
    world.set_all(black_hole());
    world.places.names.insert("r.example".to_owned(), (ms(1), vec![reference(0)]));
    reference_is(&mut world, UP);
    world.run(s(5));
    world.places.names_fail = Some((ms(50), Cause::NameServerFailed));
    world.network(NetworkChange::Changed).run(s(8));
    world.places.names_fail = None;
    world.run(s(30));
    assert_eq!(world.verdicts().len(), 1, "{}", world.story());

    // Whoever breaks the names for good does not keep a machine inside.
    world.places.names_fail = Some((ms(50), Cause::NameServerFailed));
    world.network(NetworkChange::Changed).run(s(75));
    assert_eq!(world.situation(), Situation::External);
}

#[test]
fn a_network_that_changes_without_end_does_not_keep_the_inside() {
    let mut world = agent("tls");
    reference_is(&mut world, UP);
    world.run(s(5));
    reference_is(&mut world, Place::Drops);
    for _ in 0..45 {
        world.network(NetworkChange::Changed).run(ms(1400));
    }
    assert_ne!(world.situation(), Situation::Internal);
}

#[test]
fn while_the_link_comes_up_nothing_is_claimed() {
    // The link comes up 25 s after the service.
    let mut world = agent("tls");
    world.places.elsewhere = Place::NoRoute;
    world.places.control = Place::NoRoute;
    world.network(NetworkChange::Gone).run(s(25));
    assert_eq!(world.situation(), Situation::Unknown);
    reference_is(&mut world, UP);
    world.network(NetworkChange::Changed).run(s(8));
    assert_eq!(world.situation(), Situation::Internal);
}

#[test]
fn a_driver_that_never_speaks_of_the_network_is_helped_by_what_does_not_leave_the_machine() {
    let mut world = agent("tls");
    world.places.elsewhere = Place::NoRoute;
    world.places.control = Place::NoRoute;
    world.run(s(120));
    assert_eq!(world.situation(), Situation::Unknown);
    let reason = world.location().detail;
    assert!(reason.starts_with("unknown: there is no usable network: this machine has no route"), "{reason}");
    reference_is(&mut world, UP);
    world.run(s(11));
    assert_eq!(world.situation(), Situation::Internal);
}

#[test]
fn a_change_elsewhere_does_not_void_what_a_change_takes() {
    // A reference server is away for six seconds while other networks come and go.
    let mut world = agent("tls");
    reference_is(&mut world, UP);
    world.run(s(30));
    reference_is(&mut world, Place::Refuses(ms(1)));
    for _ in 0..3 {
        world.network(NetworkChange::Elsewhere).run(s(2));
    }
    reference_is(&mut world, UP);
    world.run(s(60));
    assert_eq!(world.verdicts().len(), 1, "{}", world.story());
    assert!(world.rounds().len() > 1, "it was asked once more");

    // A management server that counts is asked once more, too: its way may be another.
    let mut world = priorities(&[1]).with("reference_servers", references(1, &[443], "tls")).start();
    world.run(s(30));
    world.medium = homing::types::Medium::Tunnel;
    world.network(NetworkChange::Elsewhere).run(s(60));
    assert_eq!(world.situation(), Situation::External, "{}", world.story());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever a network does that has no key of ours: with a proof beyond a bare connection it is never inside.
    #[test]
    fn a_forged_network_is_never_inside(
        deeds in prop::collection::vec((0u8..8, 0u64..40_000), 1..40),
        proof in prop::sample::select(vec!["tls", "pin"]),
        seed in any::<u64>(),
    ) {
        let mut world = plan(proof).seed(seed).start();
        world.set_all(black_hole());
        for (deed, wait) in deeds {
            let place = match deed {
                0 => Place::Drops,
                1 => Place::Refuses(ms(1)),
                2 => Place::NoRoute,
                _ => Place::Accepts(ms(wait % 700)),
            };
            match deed {
                6 => { world.network(NetworkChange::Changed); }
                7 => { world.network(NetworkChange::Gone); }
                _ => {
                    reference_is(&mut world, place);
                    world.places.control = if wait % 2 == 0 { place } else { Place::Drops };
                    world.places.every_name = (wait % 3 == 0).then(|| reference(0));
                }
            }
            world.run(Duration::from_millis(wait));
        }
        prop_assert!(world.verdicts().iter().all(|(_, situation)| !situation.is_inside()), "{}", world.story());
    }
}
