//! The negative control: what a network that answers for everybody can and cannot pretend.

use std::net::IpAddr;

use homing::engine::{Command, ControlReply, Finding, LocationReason};
use homing::settings::Situation;
use homing::types::Proof;
use homing_sim::reference_network::{Place, reference, references};

use crate::world::*;

fn agent(proof: &str, required: &str) -> World {
    let plan = priorities(&[1]).with("reference_servers", references(3, &[443], proof)).with(
        "location",
        serde_json::json!({ "required_proof": required, "management_server_counts": false }),
    );
    let mut world = plan.start();
    world.set_all(black_hole());
    world
}

#[test]
fn a_network_that_accepts_every_connection_is_never_inside() {
    for (proof, required) in [("tcp", "tcp"), ("tls", "tls"), ("pin", "pin"), ("tls", "tcp"), ("tcp", "tls")]
    {
        for round_trip in [1, 20, 300] {
            let mut world = agent(proof, required);
            world.places.elsewhere = Place::Accepts(ms(round_trip));
            world.places.control = Place::Accepts(ms(round_trip));
            world.run(s(3600));
            assert_eq!(world.verdicts().len(), 1, "{proof}, {required}");
            assert_eq!(world.situation(), Situation::Captive, "{proof}, {required}\n{}", world.story());
            assert_eq!(world.location().reason, LocationReason::EverybodyAnswers);
            assert!(world.location().detail.contains("this network answers for everybody"));
        }
    }
}

#[test]
fn a_network_that_resolves_every_name_to_itself_is_never_inside() {
    let list = serde_json::json!({ "servers": [ { "address": "r.example", "proof": "tcp" } ] });
    let mut world = priorities(&[1])
        .with("reference_servers", list)
        .with("location", serde_json::json!({ "required_proof": "tcp", "management_server_counts": false }))
        .start();
    world.set_all(black_hole());
    world.places.every_name = Some(reference(7));
    world.places.elsewhere = Place::Accepts(ms(5));
    world.run(s(3600));
    // Providers do so too: it takes another sign to call it a portal.
    assert_eq!(world.situation(), Situation::External);
    assert!(world.rounds().iter().all(|(_, round)| round.finding == Finding::External));
    assert!(world.rounds().len() < 10, "asked {} times within an hour", world.rounds().len());
}

/// What C tells of a failure has no issuer.
#[cfg(not(feature = "capi"))]
#[test]
fn one_unknown_authority_for_two_servers_beside_the_name_is_a_portal() {
    let list = serde_json::json!({ "servers": [ { "address": "r.example" }, { "address": "q.example" } ] });
    for (authorities, expected) in [([7, 7], Situation::Captive), ([7, 8], Situation::External)] {
        let mut world = priorities(&[1]).with("reference_servers", list.clone()).start();
        world.set_all(black_hole());
        world.places.every_name = Some(reference(7));
        world.places.elsewhere = Place::Intercepts(ms(5), authorities);
        world.run(s(10));
        assert_eq!(world.situation(), expected, "{}", world.story());
    }
}

#[test]
fn a_name_that_must_not_exist_beside_a_page_is_a_portal() {
    let mut world = priorities(&[1])
        .with(
            "reference_servers",
            serde_json::json!({ "servers": [ { "address": "r.example", "proof": "tcp" } ] }),
        )
        .start();
    world.set_all(status(511));
    world.places.every_name = Some(reference(7));
    world.places.elsewhere = Place::Accepts(ms(5));
    world.run(s(700));
    assert_eq!(world.situation(), Situation::Captive, "{}", world.story());
}

#[test]
fn a_search_list_that_leads_anywhere_is_no_portal() {
    let list = serde_json::json!({ "servers": [ { "address": "r.example", "proof": "tcp" } ] });
    let mut world = priorities(&[1])
        .with("reference_servers", list)
        .with("location", serde_json::json!({ "required_proof": "tcp", "management_server_counts": false }))
        .start();
    world.set_all(black_hole());
    world.places.searched = Some(reference(7));
    world.places.names.insert("r.example".to_owned(), (ms(1), vec![reference(0)]));
    world.places.at.insert((reference(0), 443).into(), Place::Answers(ms(1)));
    world.run(s(3600));
    assert_eq!((world.situation(), world.verdicts().len()), (Situation::Internal, 1), "{}", world.story());
}

#[test]
fn a_provider_that_answers_for_every_name_is_outside_and_no_portal() {
    // Servers with addresses are believed all the same; those that go by a name are not.
    for (address, expected) in [("10.99.0.1", Situation::Internal), ("r.example", Situation::External)] {
        let list = serde_json::json!({ "servers": [ { "address": address, "proof": "tcp" } ] });
        let mut world = priorities(&[1])
            .with("reference_servers", list)
            .with(
                "location",
                serde_json::json!({ "required_proof": "tcp", "management_server_counts": false }),
            )
            .start();
        world.places.every_name = Some(reference(0));
        world.places.at.insert((reference(0), 443).into(), Place::Answers(ms(1)));
        world.run(s(3600));
        assert_eq!((world.situation(), world.verdicts().len()), (expected, 1), "{}", world.story());
        assert!(world.rounds().len() < 10, "asked {} times within an hour", world.rounds().len());
    }
    // A manager verified on this network is no portal's, though every address answers.
    let mut world = agent("tcp", "tcp");
    world.set_all(up());
    world.places.elsewhere = Place::Accepts(ms(5));
    world.places.control = Place::Accepts(ms(5));
    world.run(s(3600));
    assert_eq!(world.situation(), Situation::External, "{}", world.story());
    assert!(world.rounds().len() < 10, "asked {} times within an hour", world.rounds().len());
}

#[test]
fn one_look_up_of_the_control_is_under_way_however_often_it_is_asked() {
    let mut world = agent("tcp", "tcp");
    world.places.at.insert((reference(0), 443).into(), Place::Answers(ms(1)));
    world.places.names_hang = true;
    for _ in 0..20 {
        world.command(Command::ProbeNow).run(s(20));
    }
    let asked = world.looked_up.iter().filter(|name| name.ends_with(".invalid.")).count();
    assert_eq!(asked, 1, "{:?}", world.looked_up);
    assert_eq!(world.situation(), Situation::Internal, "addresses do not depend on it");
}

#[test]
fn a_verified_server_is_believed_whatever_else_answers() {
    let mut world = agent("tls", "tls");
    world.places.elsewhere = Place::Accepts(ms(5));
    world.places.control = Place::Accepts(ms(5));
    world.places.at.insert((reference(2), 443).into(), Place::Answers(ms(5)));
    world.run(s(5));
    assert_eq!(world.situation(), Situation::Internal);
}

#[test]
fn a_bare_connection_is_believed_once_the_control_has_been_silent() {
    let mut world = agent("tcp", "tcp");
    world.places.at.insert((reference(0), 443).into(), Place::Answers(ms(1)));
    let told = world.until(s(5), "a location", |event| {
        matches!(event, homing::engine::Event::Location { situation: Situation::Internal, .. })
    });
    assert_eq!(told, ms(50));
    assert_eq!(world.location().proof, Some(Proof::Tcp));
}

#[test]
fn a_control_that_answers_late_takes_the_inside_back_at_once() {
    let mut world = agent("tcp", "tcp");
    world.places.at.insert((reference(0), 443).into(), Place::Answers(ms(1)));
    world.places.control = Place::Accepts(ms(900));
    world.run(s(2));
    let verdicts = world.verdicts();
    assert_eq!(verdicts, [(ms(50), Situation::Internal), (ms(900), Situation::Captive)]);
    world.run(s(3600));
    assert_eq!(world.situation(), Situation::Captive);
}

#[test]
fn a_control_out_of_reach_is_no_reason_to_wait() {
    let mut world = agent("tcp", "tcp");
    world.places.control = Place::NoRoute;
    world.places.at.insert((reference(0), 443).into(), Place::Answers(ms(1)));
    world.run(s(5));
    assert_eq!(world.situation(), Situation::Internal);
    let evidence = world.location().evidence.unwrap();
    let replies: Vec<_> = evidence.control.iter().map(|line| line.reply).collect();
    assert_eq!(replies, [ControlReply::NotApplicable, ControlReply::NotApplicable, ControlReply::Silent]);
}

#[test]
fn a_control_that_could_not_be_asked_leaves_bare_connections_without_proof_and_harms_no_other() {
    for (proof, expected) in [("tcp", Situation::External), ("tls", Situation::Internal)] {
        let mut world = agent(proof, proof);
        // Descriptors run out at the wrong moment, on a network that answers for everybody.
        world.places.control = Place::NoSocket;
        world.places.at.insert((reference(0), 443).into(), Place::Answers(ms(1)));
        world.run(s(5));
        assert_eq!(world.situation(), expected);
        let evidence = world.location().evidence.unwrap();
        assert_eq!(evidence.control[0].reply, ControlReply::NotAsked);
    }
}

#[test]
fn a_network_without_a_way_to_the_family_of_the_list_is_outside() {
    for (address, control) in [("2001:db8:7::1", "192.0.2.1"), ("10.0.0.9", "2001:db8::1")] {
        let list = serde_json::json!({ "servers": [ { "address": address, "proof": "tls" } ] });
        let mut world = priorities(&[1]).with("reference_servers", list).start();
        world.set_all(black_hole());
        world.places.elsewhere = Place::NoRoute;
        world.places.control = Place::NoRoute;
        // Packets of the other family leave the machine, and nobody answers.
        world.places.at.insert((control.parse::<IpAddr>().unwrap(), 443).into(), Place::Drops);
        world.run(s(8));
        assert_eq!(world.situation(), Situation::External, "{address}\n{}", world.story());
    }
}

#[test]
fn too_little_proof_gives_nothing() {
    let mut world = agent("tcp", "tls");
    world.places.elsewhere = Place::Answers(ms(1));
    world.run(s(3600));
    assert_eq!(world.situation(), Situation::External);
    assert_eq!(
        world.location().detail,
        "external: 3 of 3 reference servers did not prove enough (3 answered without enough proof)"
    );
}
