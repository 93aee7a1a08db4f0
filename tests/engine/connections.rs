//! How many connections one agent makes in an hour on each pathological network. The table is in `docs/performance.md`;
//! `cargo test --release --test engine connections -- --nocapture` prints it.

use std::time::Duration;

use homing::engine::NetworkChange;
use homing::types::Cause;

use crate::world::*;

const HOURS: u64 = 8;

/// Connections in the first hour, and in the busiest of the later ones.
fn connections(servers: usize, live: impl Fn(&mut World, Duration)) -> (usize, usize) {
    let mut world = priorities(&[servers]).start();
    live(&mut world, s(HOURS * 3600));
    let mut hours = vec![0; HOURS as usize + 1];
    for (at, _) in &world.starts {
        hours[(at.since(world.started).as_secs() / 3600) as usize] += 1;
    }
    (hours[0], hours[1..].iter().copied().max().unwrap_or_default())
}

/// All servers like this from the start on.
fn always(how: Server) -> impl Fn(&mut World, Duration) {
    move |world, duration| _ = world.set_all(how).run(duration)
}

/// Every ten seconds each server is well or fails, by turns that no two servers share.
fn half_of_the_time(world: &mut World, duration: Duration) {
    let (names, mut dice) = (ranking(world), 1u64);
    for _ in 0..duration.as_secs() / 10 {
        for name in &names {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let well = (dice >> 33).is_multiple_of(2);
            world.set(name, if well { up() } else { status(500) });
        }
        world.run(s(10));
    }
}

fn network_changes(world: &mut World, duration: Duration) {
    for _ in 0..duration.as_secs() {
        world.network(NetworkChange::Changed).run(s(1));
    }
}

#[test]
fn an_agent_on_a_pathological_network_makes_few_connections() {
    let drain = Server { answer: Answer::Drain(s(0)), ..up() };
    let certificate = Server { reach: Reach::BadHandshake(Cause::UnknownIssuer), ..up() };
    type Live = Box<dyn Fn(&mut World, Duration)>;
    let networks: [(&str, Live, usize); 12] = [
        ("all is well", Box::new(always(up())), 13),
        ("refuses", Box::new(always(down())), 80),
        ("black hole", Box::new(always(black_hole())), 80),
        ("accepts and is silent", Box::new(always(mute())), 20),
        ("500", Box::new(always(status(500))), 80),
        ("401", Box::new(always(status(401))), 5),
        ("429, `Retry-After: 1`", Box::new(always(throttling(429, 1))), 80),
        ("a page (404)", Box::new(always(status(404))), 20),
        ("wrong certificate", Box::new(always(certificate)), 20),
        ("500 half of the time", Box::new(half_of_the_time), 80),
        ("drains", Box::new(always(drain)), 20),
        ("well, and the network changes each second", Box::new(network_changes), 140),
    ];
    println!("| network | one server | four servers |");
    for (what, live, most) in networks {
        let [one, four] = [1, 4].map(|servers| connections(servers, &live));
        println!("| {what} | {} ({}) | {} ({}) |", one.1, one.0, four.1, four.0);
        assert!(one.0.max(one.1) <= most && four.0.max(four.1) <= 4 * most, "{what}: {one:?} {four:?}");
    }
}
