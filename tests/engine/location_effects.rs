//! What follows from the location: the management server as evidence, tunnels, and the settings in force.

use homing::engine::{Command, Event, LocationReason, NetworkChange, Trigger};
use homing::settings::Situation;
use homing::types::{Medium, Route};
use homing_sim::reference_network::{Place, reference, references};

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
        (world.situation(), world.location().reason),
        (Situation::Internal, LocationReason::ManagementServer)
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
    assert_eq!((location.situation, location.reason), (Situation::Internal, LocationReason::ReferenceServer));
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
fn a_link_that_was_made_before_the_network_changed_shows_nothing_of_the_new_one() {
    for change in [NetworkChange::Changed, NetworkChange::Returned, NetworkChange::Elsewhere] {
        let mut world = plan().start();
        world.set_all(down()).run(s(1)).set_all(far(ms(5))).network(NetworkChange::Changed);
        world.until(s(10), "a search", |event| matches!(event, Event::Searching { .. }));
        // Its connection stands, over a cable; its answer comes over a tunnel.
        world.run(ms(8));
        assert_eq!((world.active(), world.open_links("a")), (None, 1), "{}", world.story());
        world.medium = Medium::Tunnel;
        world.network(change);
        world.until_attached("a", s(1));
        world.run(s(3600));
        assert_eq!(world.verdicts().last().unwrap().1, Situation::External, "{}", world.story());
        assert!(world.verdicts().iter().all(|(_, situation)| !situation.is_inside()), "{}", world.story());
    }
}

#[test]
fn a_tunnel_gives_inside_by_vpn_and_the_settings_can_say_otherwise() {
    for (believed, expected) in [(false, Situation::InternalViaVpn), (true, Situation::Internal)] {
        let rules =
            serde_json::json!({ "tunnel_proves_internal": believed, "management_server_counts": false });
        let mut world = plan().with("location", rules).start();
        world.set_all(black_hole());
        world.places.medium = Medium::Tunnel;
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
    world.places.medium = Medium::Tunnel;
    world.places.at.insert((reference(0), 443).into(), UP);
    world.network(NetworkChange::Changed);
    for _ in 0..360 {
        world.run(s(10));
        if world.situation() == Situation::Internal && world.places.medium == Medium::Tunnel {
            world.places.medium = Medium::Direct;
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
    assert_eq!(
        (world.situation(), world.location().reason),
        (Situation::Unknown, LocationReason::NobodyToAsk)
    );
}

#[test]
fn a_management_server_behind_a_tunnel_leaves_the_verdict_to_the_reference_servers() {
    for (believes, reference_is, expected) in [
        (false, None, Situation::External),
        (false, Some(UP), Situation::InternalViaVpn),
        (true, None, Situation::Internal),
    ] {
        let mut world =
            plan().with("location", serde_json::json!({ "tunnel_proves_internal": believes })).start();
        (world.medium, world.places.medium) = (Medium::Tunnel, Medium::Tunnel);
        world.places.at.extend(reference_is.map(|place| ((reference(0), 443).into(), place)));
        world.run(s(7200));
        assert_eq!(world.situation(), expected);
        assert_eq!(world.verdicts().len(), 1, "{}", world.story());
    }
    // With nobody else to ask it shows what it shows.
    let mut world = priorities(&[1])
        .with("locations", serde_json::json!([{ "name": "Office", "when": ["internal"] }]))
        .start();
    world.medium = Medium::Tunnel;
    world.run(s(600));
    assert_eq!((world.situation(), world.location().location), (Situation::InternalViaVpn, None));
}

#[test]
fn what_is_behind_a_proxy_cannot_be_told() {
    let mut world = plan().routes(&[Route::Proxy(0)]).start();
    world.until_attached("a", s(5));
    world.run(s(1200));
    assert_eq!(world.situation(), Situation::External, "{}", world.story());
    assert_eq!(world.probed_managers, []);
}

#[test]
fn on_a_system_that_never_says_what_a_path_is_only_a_verified_server_counts() {
    for (proof, by_manager, expected) in [
        ("tls", true, Situation::Internal),
        ("tls", false, Situation::Internal),
        ("tcp", false, Situation::External),
    ] {
        let mut world = priorities(&[1])
            .with("reference_servers", references(1, &[443], proof))
            .with(
                "location",
                serde_json::json!({ "required_proof": proof, "management_server_counts": by_manager }),
            )
            .start();
        (world.medium, world.places.medium) = (Medium::Unknown, Medium::Unknown);
        world.places.at.insert((reference(0), 443).into(), UP);
        world.run(s(60));
        assert_eq!(world.situation(), expected, "{proof} {by_manager}");
        let inside = expected == Situation::Internal;
        assert_eq!(world.location().path, inside.then_some(Medium::Unknown));
        assert_eq!(world.location().detail.contains(", path unknown"), inside, "{}", world.location().detail);
    }
}

#[test]
fn a_peer_that_is_this_machine_proves_nothing() {
    for proof in ["tcp", "tls", "pin"] {
        let mut world = priorities(&[1])
            .with("reference_servers", references(1, &[443], proof))
            .with("location", serde_json::json!({ "required_proof": "tcp" }))
            .start();
        (world.medium, world.places.medium) = (Medium::ThisMachine, Medium::ThisMachine);
        world.places.at.insert((reference(0), 443).into(), UP);
        world.run(s(3600));
        assert_eq!(world.situation(), Situation::External, "{proof}");
        let page = world.location().evidence.unwrap().explain();
        assert!(page.contains(", on this machine itself, which is too little"), "{page}");
    }
}

/// Moves away without a sign `after` an exchange, with this interval between heartbeats: how long the machine is still
/// taken to be inside.
fn inside_after_a_silent_move(plan: Plan, after: std::time::Duration) -> std::time::Duration {
    let mut world = plan.start();
    world.until_attached("a", s(5));
    assert_eq!(world.situation(), Situation::Internal);
    world.run(after);
    world.set_all(black_hole());
    let moved = world.now;
    while world.situation() == Situation::Internal {
        world.run(s(1));
        assert!(world.now.since(moved) < s(3600), "{}", world.story());
    }
    world.now.since(moved)
}

#[test]
fn what_a_management_server_showed_is_believed_for_ten_minutes_at_most() {
    let alone = || {
        priorities(&[1]).with("locations", serde_json::json!([{ "name": "Office", "when": ["internal"] }]))
    };
    for interval in [660, 3600, 86_400] {
        for after in [1, 100, 500, 700, 1500] {
            for plan in [plan(), alone()] {
                let inside = inside_after_a_silent_move(plan.interval(s(interval)), s(after));
                assert!(inside <= s(600), "{inside:?} with {interval} s, {after} s after an exchange");
            }
        }
    }
}

#[test]
fn an_old_exchange_is_renewed_by_a_handshake_and_nobody_else_is_asked() {
    let mut world = plan().interval(s(3600)).start();
    world.until_attached("a", s(5));
    world.run(s(1));
    let asked = world.places.asked.len();
    world.run(s(3400));
    assert!(world.beats.len() <= 2, "no heartbeat is made for it");
    assert!((5..=7).contains(&world.probed_managers.len()), "{:?}", world.probed_managers);
    assert_eq!((world.places.asked.len(), world.verdicts().len()), (asked, 1));
    let (_, round) = world.rounds().pop().unwrap();
    assert_eq!((round.trigger, round.asked[0].place), (Trigger::Stale, 0));

    // Where heartbeats are nearer than that, they are enough.
    let mut world = plan().interval(s(300)).start();
    world.run(s(7200));
    assert_eq!(world.probed_managers, []);
}

#[test]
fn when_the_old_server_does_not_answer_the_reference_servers_decide() {
    let mut world = plan().interval(s(3600)).start();
    world.places.at.insert((reference(1), 443).into(), UP);
    world.until_attached("a", s(5));
    world.set_all(black_hole());
    world.run(s(600));
    let location = world.location();
    assert_eq!((location.situation, location.reason), (Situation::Internal, LocationReason::ReferenceServer));
    assert_eq!(world.verdicts().len(), 1, "{}", world.story());
}

#[test]
fn an_http_server_is_asked_beside_the_control() {
    // Its old exchange was no forgery; a bare connection may be one.
    for (control, expected) in
        [(Place::Drops, Situation::Internal), (Place::Accepts(ms(2)), Situation::External)]
    {
        let mut plan =
            plan().interval(s(3600)).with("location", serde_json::json!({ "required_proof": "tcp" }));
        plan.http = true;
        let mut world = plan.start();
        world.until_attached("a", s(5));
        assert_eq!(world.situation(), Situation::Internal);
        world.places.control = control;
        world.run(s(1500));
        assert!(!world.probed_managers.is_empty());
        assert_eq!(world.situation(), expected, "{}", world.story());
    }
}

#[test]
fn contact_that_returns_asks_the_reference_servers_at_once() {
    let rules = serde_json::json!({ "management_server_counts": false });
    // A switch holds its port closed for a while; then everything is there.
    for closed in [2, 8, 40, 300] {
        let mut world = plan().with("location", rules.clone()).start();
        world.set_all(black_hole());
        world.run(s(closed));
        world.set_all(up());
        world.places.at.insert((reference(0), 443).into(), UP);
        world.until_attached("a", s(200));
        world.run(s(2));
        assert_eq!(world.situation(), Situation::Internal, "{closed} s\n{}", world.story());
    }
    // At the start one round is enough.
    let mut world = plan().with("location", rules).start();
    world.run(s(100));
    assert_eq!(world.rounds().len(), 1);
}
