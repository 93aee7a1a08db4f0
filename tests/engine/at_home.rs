//! What follows from the location: the management server as evidence, tunnels, and the settings in force.

use homing::engine::{Command, NetworkChange, WhyLocation};
use homing::settings::Situation;

use crate::places::{Place, reference, references};
use crate::world::*;

fn plan() -> Plan {
    priorities(&[1]).with("reference_servers", references(2, &[443], "tls"))
}

const UP: Place = Place::Answers(std::time::Duration::from_millis(1));

#[test]
fn a_management_server_that_answers_is_evidence_and_nobody_else_is_asked() {
    let mut world = plan().start();
    world.until_attached("a", s(5));
    world.run(s(1200));
    assert_eq!(
        (world.situation(), world.location().why),
        (Situation::Internal, WhyLocation::ManagementServer)
    );
    assert!(world.places.asked.len() <= 2, "{:?}", world.places.asked);
    assert_eq!(world.places.open(), 0);
}

#[test]
fn a_dead_manager_is_not_outside() {
    let mut world = plan().start();
    world.places.at.insert((reference(1), 443).into(), UP);
    world.until_attached("a", s(5));
    world.set_all(down()).command(Command::BeatNow);
    world.run(s(3600));
    let location = world.location();
    assert_eq!((location.situation, location.why), (Situation::Internal, WhyLocation::ReferenceServer));
    assert_eq!(location.attached, None);
    assert_eq!(world.verdicts().len(), 1);
}

#[test]
fn a_manager_that_is_reachable_from_outside_does_not_make_inside() {
    let plan = priorities(&[1]).with("reference_servers", references(1, &[443], "tls"));
    for rules in [
        serde_json::json!({ "management_server_counts": false }),
        serde_json::json!({ "required_proof": "pin" }),
    ] {
        let mut world = priorities(&[1])
            .with("reference_servers", plan.parts["reference_servers"].clone())
            .with("location", rules)
            .start();
        world.until_attached("a", s(5));
        world.run(s(60));
        assert_eq!(world.situation(), Situation::External);
        assert_eq!(world.location().attached.unwrap().as_str(), "a");
    }
}

#[test]
fn a_tunnel_gives_inside_by_vpn_and_the_settings_can_say_otherwise() {
    for (believed, expected) in [(false, Situation::InternalViaVpn), (true, Situation::Internal)] {
        let rules =
            serde_json::json!({ "tunnel_proves_internal": believed, "management_server_counts": false });
        let mut world = plan().with("location", rules).start();
        world.set_all(black_hole());
        world.places.tunnel = true;
        world.places.at.insert((reference(0), 443).into(), UP);
        world.run(s(5));
        assert_eq!(world.situation(), expected);
    }
}

#[test]
fn a_product_that_drops_the_vpn_in_reaction_does_not_make_it_flap() {
    // The product keeps the VPN up unless the machine is inside by itself.
    let mut world = plan().start();
    world.set_all(black_hole());
    world.run(s(10));
    world.places.tunnel = true;
    world.places.at.insert((reference(0), 443).into(), UP);
    world.network(NetworkChange::Changed);
    for _ in 0..360 {
        world.run(s(10));
        if world.situation() == Situation::Internal && world.places.tunnel {
            world.places.tunnel = false;
            world.places.at.clear();
            world.network(NetworkChange::Changed);
        }
    }
    let verdicts: Vec<_> = world.verdicts().into_iter().map(|(_, situation)| situation).collect();
    assert_eq!(verdicts, [Situation::External, Situation::InternalViaVpn]);
}

fn with_locations() -> Plan {
    plan().with("location", serde_json::json!({ "management_server_counts": false })).with(
        "locations",
        serde_json::json!([
            { "name": "Office", "when": ["internal"], "communication": { "heartbeat_interval": "60s" } },
            { "name": "Road", "when": ["external", "captive"], "communication": { "heartbeat_interval": "600s", "mode": "push" } },
            { "name": "Lab", "communication": { "heartbeat_interval": "10s" } },
        ]),
    )
}

#[test]
fn the_settings_in_force_follow_the_location_and_the_server_stays() {
    let mut world = with_locations().start();
    world.places.at.insert((reference(0), 443).into(), UP);
    world.run(s(10));
    assert_eq!(world.location().location.as_deref(), Some("Office"));
    let count = |world: &World| world.told.iter().filter(|(_, event)| is_heartbeat(event)).count();
    let before = count(&world);
    world.run(s(600));
    assert!((9..=11).contains(&(count(&world) - before)), "a heartbeat each minute");
    world.places.at.clear();
    world.network(NetworkChange::Changed).run(s(10));
    assert_eq!(world.location().location.as_deref(), Some("Road"));
    assert_eq!(world.streams.len(), 1, "push on the road");
    assert_eq!(world.attachments(), ["a"], "the same server, and no search");
}

#[test]
fn the_product_may_name_the_location_itself() {
    let mut world = with_locations().start();
    world.run(s(10));
    assert_eq!(world.location().location.as_deref(), Some("Road"));
    world.command(Command::SetLocation(Some("Lab".into())));
    assert_eq!((world.location().location.as_deref(), world.location().chosen), (Some("Lab"), true));
    world.places.at.insert((reference(0), 443).into(), UP);
    world.network(NetworkChange::Changed).run(s(10));
    assert_eq!((world.situation(), world.location().location.as_deref()), (Situation::Internal, Some("Lab")));
    world.command(Command::SetLocation(None));
    assert_eq!(world.location().location.as_deref(), Some("Office"));
}

#[test]
fn another_list_does_not_lose_the_location_until_it_has_spoken() {
    let rules = serde_json::json!({ "management_server_counts": false });
    let mut world = plan().with("location", rules.clone()).start();
    world.places.at.insert((reference(0), 443).into(), UP);
    world.run(s(5));
    assert_eq!(world.situation(), Situation::Internal);
    let other = |proof| {
        plan().with("location", rules.clone()).with("reference_servers", references(5, &[443], proof))
    };
    world.reconfigure(other("pin")).run(s(10));
    assert_eq!((world.situation(), world.verdicts().len()), (Situation::Internal, 1));
    world.places.at.clear();
    world.reconfigure(other("tls"));
    assert_eq!(world.situation(), Situation::Internal);
    world.run(s(5));
    assert_eq!(world.situation(), Situation::External, "the new list has spoken");
    world.reconfigure(priorities(&[1]));
    assert_eq!(world.snapshot().location, None, "nobody is asked any more");
    assert_eq!(world.places.open(), 0);
    world.run(s(1200));
    world.places.at.insert((reference(0), 443).into(), UP);
    world.reconfigure(plan()).run(s(5));
    assert_eq!(world.situation(), Situation::Internal);
}

#[test]
fn without_reference_servers_the_management_server_alone_is_evidence() {
    let mut world = priorities(&[1])
        .with("locations", serde_json::json!([{ "name": "Office", "when": ["internal"] }]))
        .start();
    assert_eq!(world.situation(), Situation::Unknown);
    world.until_attached("a", s(5));
    assert_eq!(world.location().location.as_deref(), Some("Office"));
    world.set_all(down()).command(Command::BeatNow);
    world.run(s(120));
    assert_eq!((world.situation(), world.location().why), (Situation::Unknown, WhyLocation::NobodyToAsk));
}
