//! Servers that come and go: how often an agent moves, and whether it delivers.

use std::time::Duration;

use homing::engine::Event;
use homing::types::Cause;

use crate::world::*;

/// Whether the agent moved four times at most in the first hour of unrest, and twice in any later one. An hour without a
/// move ends the unrest. The first attachment is no move.
pub fn moves_seldom(world: &World) -> bool {
    let moves = world.told.iter().filter(|(_, event)| matches!(event, Event::Attached { .. })).skip(1);
    let (mut begun, mut last, mut hours) = (Duration::ZERO, Duration::ZERO, Vec::new());
    for (at, _) in moves {
        if *at - last >= s(3600) || hours.is_empty() {
            (begun, hours) = (*at, vec![0; 24]);
        }
        last = *at;
        let hour = ((*at - begun).as_secs() / 3600) as usize;
        hours[hour] += 1;
        if hours[hour] > if hour == 0 { 4 } else { 2 } {
            return false;
        }
    }
    true
}

#[test]
fn a_better_server_that_flaps_moves_the_agent_twice_an_hour_at_most() {
    for interval in [30, 60, 300] {
        for up_for in [10, 60, 200, 400, 900, 1_800, 3_000, 7_200] {
            for down_for in [5, 60, 300, 3_600] {
                let plan = priorities(&[1, 1]).interval(s(interval)).seed(up_for + down_for);
                let mut world = plan.start();
                world.run(s(10));
                while world.now.since(world.started) < s(8 * 3600) {
                    world.set("a", up()).run(s(up_for)).set("a", down()).break_links("a").run(s(down_for));
                }
                assert!(
                    moves_seldom(&world),
                    "T {interval}, up {up_for}, down {down_for}\n{}",
                    world.story()
                );
            }
        }
    }
}

#[test]
fn a_better_server_that_takes_attaches_and_fails_beats_moves_the_agent_twice_an_hour_at_most() {
    for interval in [30, 60, 300] {
        for cause in [
            Cause::ServerError { status: 503 },
            Cause::Misunderstood { status: 400 },
            Cause::NotAllowed { status: 401 },
        ] {
            let mut world = priorities(&[1, 1]).interval(s(interval)).start();
            world.set("a", down());
            world.until_attached("b", s(5));
            world.set("a", gray(cause)).run(s(8 * 3600));
            assert!(moves_seldom(&world), "T {interval}, {cause:?}\n{}", world.story());
        }
    }
}

#[test]
fn a_slow_server_of_ones_own_is_no_dead_one() {
    for (interval, round_trip, others) in [(60, 150, 20), (300, 400, 20), (300, 900, 20)] {
        let mut world = priorities(&[4]).interval(s(interval)).start();
        let own = ranking(&world)[0].clone();
        world.set_all(far(ms(others))).set(&own, far(ms(round_trip)));
        world.run(s(12 * 3600));
        assert_eq!(world.active(), Some(&*own), "{round_trip} ms: {:?}", world.attachments());
        assert!(world.attachments().len() <= 3, "{round_trip} ms: {:?}", world.attachments());
    }
}

#[test]
fn a_server_too_slow_to_be_used_is_no_better_one() {
    let mut world = priorities(&[1, 1]).interval(s(60)).start();
    world.set("a", slow(s(12)));
    world.until_attached("b", s(20));
    world.run(s(3 * 3600));
    assert_eq!(world.attachments(), ["b"]);
}

#[test]
fn a_server_ten_times_slower_than_its_peers_keeps_its_agents() {
    for interval in [60, 300] {
        let (mut own, mut attached, mut moves) = (0i64, 0i64, 0);
        for agent in 0..200 {
            let plan = priorities(&[4]).interval(s(interval)).agent(&format!("agent-{agent}")).seed(agent);
            let mut world = plan.start();
            world.set_all(far(ms(20))).set("b", far(ms(200)));
            world.run(s(6 * 3600));
            own += i64::from(ranking(&world)[0] == "b");
            attached += i64::from(world.active() == Some("b"));
            moves += world.attachments().len() - 1;
        }
        assert!((own - attached).abs() * 100 <= 2 * 200, "T {interval}: {attached} of its {own}");
        assert!(moves <= 200 * 6, "T {interval}: {moves} moves of 200 agents in 6 h");
    }
}
