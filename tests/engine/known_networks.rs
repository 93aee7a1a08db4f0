//! Networks the machine was on before: what worked there is tried first when it comes back.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use homing::engine::{Away, Memory, NetworkChange};
use homing::types::{NetworkId, Route};

use crate::world::*;

const OFFICE: NetworkId = NetworkId(1);
const HOME: NetworkId = NetworkId(2);

fn travels(world: &mut World, network: Option<NetworkId>, only_proxy: bool) {
    world.direct_blocked = only_proxy;
    world.proxy = if only_proxy { Reach::Connects(ROUND_TRIP) } else { Reach::Drops };
    world.arrive(network);
    world.network(NetworkChange::Changed);
}

/// How long the next heartbeat takes, from its dial on.
fn next_heartbeat(world: &mut World) -> Duration {
    let seen = world.starts.len();
    world.until(s(400), "a heartbeat", is_heartbeat);
    world.now.since(world.starts[seen].0)
}

/// In the office only the proxy leads out, at home it does not answer.
fn between_office_and_home() -> Plan {
    priorities(&[2]).routes(&[Route::Direct, Route::Proxy(0)])
}

#[test]
fn the_way_that_worked_in_the_office_is_the_first_when_the_machine_is_back_there() {
    let mut world = between_office_and_home().start();
    travels(&mut world, Some(OFFICE), true);
    assert!(next_heartbeat(&mut world) >= s(3), "the direct way is tried first");
    travels(&mut world, Some(HOME), false);
    assert!(next_heartbeat(&mut world) < s(1), "nothing is known of it, so the direct way is the first");
    travels(&mut world, Some(OFFICE), true);
    let took = next_heartbeat(&mut world);
    assert!(took < s(1), "the proxy is the first here: {took:?}\n{}", world.story());

    // And after a reboot.
    let memory = world.engine.memory().clone();
    assert_eq!(memory.networks.len(), 1, "at home there was nothing to remember: {memory:?}");
    let text = serde_json::to_string(&memory).unwrap();
    let memory: Memory = serde_json::from_str(&text).unwrap();
    let mut world = between_office_and_home().remembering(memory, Away::Unknown).start();
    world.direct_blocked = true;
    world.arrive(Some(OFFICE));
    let attached = world.until(s(60), "attached", |event| attached_to(event, "a") || attached_to(event, "b"));
    assert!(attached < s(1), "{attached:?}\n{}", world.story());
}

#[test]
fn a_network_that_nobody_names_is_not_remembered_and_not_taken_for_another() {
    let mut world = between_office_and_home().start();
    for _ in 0..2 {
        travels(&mut world, None, true);
        assert!(next_heartbeat(&mut world) >= s(3));
    }
    travels(&mut world, Some(OFFICE), true);
    next_heartbeat(&mut world);
    travels(&mut world, Some(HOME), true);
    assert!(next_heartbeat(&mut world) >= s(3), "what is known of the office is not true elsewhere");
    assert_eq!(world.engine.memory().networks.len(), 2);
}

#[test]
fn the_address_that_worked_there_is_the_first_too() {
    let second = IpAddr::V4(Ipv4Addr::new(10, 2, 0, 1));
    let mut world = priorities(&[1]).named().start();
    world.addresses.push((second, "a".to_owned(), up()));
    let arrive = |world: &mut World, network: NetworkId, first: Server| {
        world.set("a", first);
        world.arrive(Some(network));
        world.network(NetworkChange::Changed);
        let seen = world.starts.len();
        world.until(s(400), "a heartbeat", is_heartbeat);
        world.starts.len() - seen
    };
    assert_eq!(arrive(&mut world, OFFICE, status(502)), 2, "the first address fails, the second is well");
    assert_eq!(arrive(&mut world, HOME, up()), 1);
    assert_eq!(arrive(&mut world, OFFICE, status(502)), 1, "{}", world.story());
}

#[test]
fn no_more_networks_than_eight_are_remembered_however_many_a_memory_claims() {
    let mut world = between_office_and_home().start();
    for number in 0..30 {
        travels(&mut world, Some(NetworkId(number)), true);
        next_heartbeat(&mut world);
    }
    assert_eq!(world.engine.memory().networks.len(), 8);

    let ways: Vec<_> =
        (0..80).map(|n| serde_json::json!({ "server": format!("s{n}"), "route": n })).collect();
    let networks: Vec<_> = (0..12).map(|id| serde_json::json!({ "id": id, "ways": ways })).collect();
    let hostile = serde_json::json!({ "networks": networks });
    let memory: Memory = serde_json::from_value(hostile).unwrap();
    let mut world = between_office_and_home().remembering(memory, Away::Unknown).start();
    travels(&mut world, Some(NetworkId(77)), true);
    next_heartbeat(&mut world);
    let kept = world.engine.memory();
    let ways: Vec<_> = kept.networks.iter().map(|network| network.ways.len()).collect();
    assert!(ways.len() <= 8 && ways.iter().all(|&count| count <= 64), "{ways:?}");
    assert!(kept.networks.iter().any(|network| network.id == NetworkId(77)), "the memory was made anew");
}
