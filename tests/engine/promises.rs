//! The promises of safety under anything the world may say, in any order: a [`chaos`](homing_sim::chaos) of
//! answers and deeds, drawn at random. Whatever it does, the promises hold.

use std::ops::Range;

use homing::engine::Input;
use homing::types::{Cause, Failure, Moment};
use homing_sim::chaos::{Answer, Chaos, Deed, Found, Opening, Trouble, live_through};
use proptest::prelude::*;

use crate::mount;
use crate::world::{priorities, s};

fn any_trouble() -> impl Strategy<Value = Trouble> {
    prop_oneof![
        Just(Trouble::ConnectionRefused),
        Just(Trouble::ConnectTimeout),
        Just(Trouble::NoRoute),
        Just(Trouble::Reset),
        Just(Trouble::UnknownIssuer),
        Just(Trouble::NotHttp),
        Just(Trouble::BodyTooLarge),
        Just(Trouble::ClosedIdle),
        Just(Trouble::NotAllowed),
        Just(Trouble::ServerError),
        any::<Option<u32>>().prop_map(|seconds| Trouble::Throttled { seconds }),
        Just(Trouble::ThrottledForEver),
    ]
}

fn any_found() -> impl Strategy<Value = Found> {
    prop_oneof![
        2 => Just(Found::Accepts),
        1 => any::<bool>().prop_map(|tunnel| Found::Itself { tunnel }),
        2 => any_trouble().prop_map(Found::Fails),
    ]
}

fn pass(milliseconds: Range<u32>) -> impl Strategy<Value = Deed> {
    milliseconds.prop_map(|milliseconds| Deed::Pass { milliseconds })
}

fn any_deed() -> impl Strategy<Value = Deed> {
    let which = 0u8..40;
    let answer = prop_oneof![
        3 => Just(Answer::Good),
        1 => Just(Answer::Drain),
        1 => Just(Answer::Declined),
        1 => Just(Answer::TooMuch),
        2 => any_trouble().prop_map(Answer::Fails),
    ];
    prop_oneof![
        4 => pass(0..3_000),
        1 => pass(0..200_000_000),
        8 => Just(Deed::WaitForDeadline),
        8 => Just(Deed::Drain),
        2 => (which.clone(), any::<bool>()).prop_map(|(n, ok)| Deed::Resolve(n, ok)),
        1 => (which.clone(), any::<bool>()).prop_map(|(n, begins)| Deed::LookUp(n, begins)),
        8 => which.clone().prop_map(Deed::Connect),
        8 => which.clone().prop_map(Deed::Secure),
        3 => (which.clone(), any_trouble()).prop_map(|(n, trouble)| Deed::Lose(n, trouble)),
        4 => which.clone().prop_map(Deed::FirstByte),
        8 => (which.clone(), answer).prop_map(|(n, answer)| Deed::Done(n, answer)),
        2 => (which.clone(), any::<u8>()).prop_map(|(n, kind)| Deed::Tell(n, kind)),
        2 => (any::<u64>(), any::<u8>()).prop_map(|(id, kind)| Deed::Stale(id, kind)),
        8 => (which.clone(), any_found()).prop_map(|(n, found)| Deed::Probe(n, found)),
        1 => Just(Deed::ProbeNow),
        1 => any::<bool>().prop_map(Deed::Network),
        1 => Just(Deed::Resume),
        1 => Just(Deed::BeatNow),
        1 => (0u8..8).prop_map(Deed::Reconfigure),
        1 => any::<bool>().prop_map(Deed::Location),
        1 => Just(Deed::CannotRemember),
        1 => any::<u8>().prop_map(Deed::Routes),
        2 => (which.clone(), any::<u16>()).prop_map(|(lane, reports)| Deed::Waiting(lane, reports)),
        2 => any::<u16>().prop_map(Deed::Call),
        1 => any::<u8>().prop_map(Deed::User),
        1 => (0u8..50).prop_map(|n| if n == 0 { Deed::Stop } else { Deed::WaitForDeadline }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_promises_hold_whatever_the_world_says(
        shape in 0u8..8,
        push in any::<bool>(),
        named in any::<bool>(),
        seed in any::<u64>(),
        deeds in prop::collection::vec(any_deed(), 1..200),
    ) {
        live_through(mount::engine, Opening { shape, push, named, seed }, &deeds);
    }

    #[test]
    fn one_seed_and_one_sequence_of_inputs_are_one_story(
        seed in any::<u64>(),
        deeds in prop::collection::vec(any_deed(), 1..100),
    ) {
        let story = || {
            let mut chaos = Chaos::new(mount::engine, Opening { shape: 6, push: true, named: false, seed });
            for &deed in &deeds {
                chaos.perform(deed);
            }
            (chaos.engine.snapshot(chaos.now), chaos.engine.deadline(), chaos.engine.memory().clone())
        };
        prop_assert_eq!(story(), story());
    }
}

#[test]
fn wall_clock_jumps_alter_no_deadline() {
    let mut world = priorities(&[2]).start();
    world.run(s(400));
    let before = world.engine.deadline();
    world.input(Input::ClockStepped);
    world.drain();
    assert_eq!(world.engine.deadline(), before);
}

#[test]
fn time_never_runs_back() {
    let mut world = priorities(&[1]).start();
    world.run(s(400));
    let (now, before) = (world.now, world.engine.deadline());
    world.engine.handle(Moment::ORIGIN, Input::Timeout);
    assert_eq!(world.engine.deadline(), before);
    world.now = now;
    world.run(s(400));
    assert_eq!(world.attachments(), ["a"]);
}

#[test]
fn draining_late_changes_no_decision() {
    let run = |late: bool| {
        let mut world = priorities(&[2]).start();
        world.run(s(1));
        world.wait_for_drain = late;
        for _ in 0..3 {
            world.input(Input::Timeout);
        }
        world.wait_for_drain = false;
        world.drain();
        world.run(s(1000));
        world.told
    };
    assert_eq!(run(false), run(true));
}

#[test]
fn a_failure_carries_a_bounded_note() {
    let failure = Failure::noted(Cause::NotHttp, "x".repeat(10_000));
    assert!(failure.to_string().len() < 300);
}

/// A read of the policy gives its link back while a search runs beside the server in use, which then wins with another.
#[test]
fn a_link_that_is_given_back_during_a_search_is_not_left_open() {
    use Answer::Good;
    use Deed::{Connect, Done, FirstByte, Lose, Network, Pass, Secure, WaitForDeadline};
    use Trouble::NotAllowed;
    let waits = |count: usize| std::iter::repeat_n(WaitForDeadline, count);
    let mut deeds = vec![Pass { milliseconds: 279 }, Network(false), WaitForDeadline, Network(false)];
    deeds.extend(waits(2));
    deeds.extend([Connect(0), Secure(0), WaitForDeadline, Done(0, Good)]);
    deeds.extend(waits(2));
    deeds.extend([Connect(1), Done(0, Good)]);
    deeds.extend(waits(7));
    deeds.extend([Pass { milliseconds: 100 }, WaitForDeadline, Secure(34), WaitForDeadline, Done(0, Good)]);
    deeds.extend([WaitForDeadline, Lose(1, NotAllowed), FirstByte(0)]);
    live_through(mount::engine, Opening { shape: 3, push: false, named: false, seed: 0 }, &deeds);
}
