//! A thousand agents through the same hour: what the servers see.

use std::collections::BTreeMap;
use std::time::Duration;

use homing::types::{Moment, Purpose, Request};

use crate::world::*;

const FLEET: u64 = 1000;

/// Each agent lives through the story alone: servers here have no capacity that agents could share.
fn fleet(plan: impl Fn() -> Plan, story: impl Fn(&mut World)) -> Vec<World> {
    let live = |agent| {
        let mut world = plan().agent(&format!("agent-{agent}")).seed(agent).start();
        story(&mut world);
        world
    };
    (0..FLEET).map(live).collect()
}

fn per_bucket(moments: impl Iterator<Item = Duration>, bucket: Duration) -> BTreeMap<u64, usize> {
    let mut counts = BTreeMap::new();
    for moment in moments {
        *counts.entry((moment.as_millis() / bucket.as_millis()) as u64).or_default() += 1;
    }
    counts
}

fn since_start(world: &World, at: Moment) -> Duration {
    at.since(world.started)
}

#[test]
fn after_an_outage_of_28_minutes_a_fleet_returns_spread_and_leaves_no_echo() {
    let (lost, back) = (s(1000), s(1000 + 28 * 60));
    let worlds = fleet(
        || priorities(&[4]).push(),
        |world| {
            world.run(lost);
            for server in ["a", "b", "c", "d"] {
                world.set(server, down()).break_links(server);
            }
            world.run(back - lost).set_all(up());
            world.run(s(1800));
        },
    );
    assert!(worlds.iter().all(|world| world.active().is_some()), "everybody is back");

    let dials = worlds.iter().flat_map(|world| world.starts.iter().map(|(at, _)| since_start(world, *at)));
    let after: Vec<_> = dials.filter(|&at| at >= back).map(|at| at - back).collect();
    let first_minute = per_bucket(after.iter().copied().filter(|&at| at < s(66)), s(1));
    let most = first_minute.values().max().copied().unwrap_or_default();
    assert!(most <= FLEET as usize * 2 / 25, "arrivals in the busiest second: {most}");

    // Hardly anybody needs a second attempt.
    let is_attach =
        |request: &Request| matches!(request, Request::Heartbeat { purpose: Purpose::Attach { .. } });
    let attaches = worlds.iter().flat_map(|world| {
        world
            .beats
            .iter()
            .filter(|(_, _, request)| is_attach(request))
            .map(|(at, ..)| since_start(world, *at))
    });
    let attempts = attaches.filter(|&at| at >= back && at < back + s(120)).count();
    assert!((FLEET as usize..=FLEET as usize * 102 / 100).contains(&attempts), "{attempts}");

    // Heartbeats of the following intervals are even: nothing remembers the second of the return.
    let beats = worlds.iter().flat_map(|world| {
        let beats = world.beats.iter().filter(|(_, _, request)| matches!(request, Request::Heartbeat { .. }));
        beats.map(|(at, ..)| since_start(world, *at))
    });
    let later = per_bucket(beats.filter(|&at| at >= back + s(600) && at < back + s(1800)), s(30));
    let (most, mean) = (later.values().max().unwrap(), later.values().sum::<usize>() / later.len());
    assert!(*most * 10 <= mean * 14, "{most} in the busiest 30 s, {mean} on average");
}

#[test]
fn after_a_rolling_restart_load_evens_out_again() {
    let names: Vec<String> = (0..8).map(name).collect();
    let worlds = fleet(
        || priorities(&[8]).push(),
        |world| {
            world.run(s(400));
            for server in &names {
                world.set(server, down()).break_links(server);
                world.run(s(20)).set(server, up());
                world.run(s(10));
            }
            world.run(s(40 * 60));
        },
    );
    let mut load: BTreeMap<String, i64> = BTreeMap::new();
    let mut own: BTreeMap<String, i64> = BTreeMap::new();
    for world in &worlds {
        *load.entry(world.active().unwrap().to_owned()).or_default() += 1;
        *own.entry(ranking(world)[0].clone()).or_default() += 1;
    }
    // A thousand agents are too few for an even share by chance; what counts is the share each server calls its own.
    let mean = FLEET as i64 / 8;
    for server in &names {
        let (has, deserves) = (load.get(server).copied().unwrap_or_default(), own[server]);
        assert!((has - deserves).abs() * 100 <= mean * 15, "{server} has {has} of its {deserves}: {load:?}");
    }
    let home = worlds.iter().filter(|world| world.active() == Some(&*ranking(world)[0])).count();
    assert!(home * 100 >= worlds.len() * 80, "{home} of {FLEET} are home");
}

#[test]
fn a_start_of_the_whole_fleet_is_one_attempt_each() {
    let worlds = fleet(|| priorities(&[8, 8]), |world| _ = world.run(s(60)));
    assert!(worlds.iter().all(|world| world.starts.len() == 1));
}
