//! Rounds over the reference servers: order, pace, limits, names, and how long each may take.

use std::net::SocketAddr;
use std::time::Duration;

use homing::engine::{Command, Event, Finding, LocationReason, NetworkChange, Reply, Trigger};
use homing::settings::Situation;
use homing::types::{Cause, Proof};
use homing_sim::reference_network::{Place, reference, references};

use crate::world::*;

/// An agent whose location depends on so many reference servers with these ports and this proof, and on nothing else.
fn agent(count: usize, ports: &[u16], proof: &str) -> World {
    let mut world = plan(count, ports, proof).start();
    world.set_all(black_hole());
    world
}

fn plan(count: usize, ports: &[u16], proof: &str) -> Plan {
    priorities(&[1])
        .with("reference_servers", references(count, ports, proof))
        .with("location", serde_json::json!({ "required_proof": proof, "management_server_counts": false }))
}

fn at(index: usize, port: u16) -> SocketAddr {
    (reference(index), port).into()
}

/// When the first round ended, and what it found.
fn first_round(world: &mut World) -> (Duration, Finding) {
    world.run(s(20));
    let rounds = world.rounds();
    let (at, evidence) = rounds.first().unwrap_or_else(|| panic!("no round ended\n{}", world.story()));
    assert_eq!(evidence.trigger, Trigger::Start);
    assert_eq!(world.places.open(), 0, "sockets stay open");
    (*at, evidence.finding)
}

#[test]
fn the_last_of_32_black_holes_is_found_within_two_seconds() {
    let mut world = agent(32, &[443], "tls");
    world.places.at.insert(at(31, 443), Place::Answers(ms(5)));
    let (elapsed, finding) = first_round(&mut world);
    assert_eq!(finding, Finding::Internal { proof: Proof::Tls });
    assert!(elapsed <= ms(2000), "{elapsed:?}");
    assert!(world.location().detail.starts_with("internal: reference server 10.99.0.32:443 answered"));
}

#[test]
fn black_holes_are_known_for_what_they_are_in_time() {
    for (ports, most) in [(&[443][..], 3500), (&[443, 80, 22, 8443][..], 8500)] {
        let mut world = agent(32, ports, "tls");
        let (elapsed, finding) = first_round(&mut world);
        assert_eq!(finding, Finding::External);
        assert!(elapsed <= ms(most), "{elapsed:?} for {} ports", ports.len());
        assert!(world.verdicts()[0].0 <= s(8));
    }
}

#[test]
fn closed_ports_give_way_at_once() {
    for round_trip in [Duration::from_micros(100), ms(1), ms(5)] {
        let mut world = agent(32, &[443, 80, 22, 8443], "tls");
        world.places.elsewhere = Place::Refuses(round_trip);
        let (elapsed, finding) = first_round(&mut world);
        assert_eq!(finding, Finding::External);
        assert!(elapsed <= ms(300), "{elapsed:?} at {round_trip:?}");
        assert_eq!(world.places.asked.iter().filter(|(at, _)| *at < world.started + s(1)).count(), 128);
    }
}

#[test]
fn the_first_answer_is_the_result() {
    for round_trip in [1, 5, 20, 60, 200, 700] {
        let mut world = agent(3, &[443], "tcp");
        world.places.at.insert(at(0, 443), Place::Answers(ms(round_trip)));
        let (elapsed, finding) = first_round(&mut world);
        assert_eq!(finding, Finding::Internal { proof: Proof::Tcp });
        assert!(elapsed <= ms((round_trip + 55).max(2 * round_trip + 5)), "tcp {round_trip}: {elapsed:?}");

        let mut world = agent(3, &[443], "tls");
        world.places.at.insert(at(0, 443), Place::Answers(ms(round_trip)));
        let (elapsed, finding) = first_round(&mut world);
        assert_eq!(finding, Finding::Internal { proof: Proof::Tls });
        assert!(elapsed <= ms(2 * round_trip + 10), "tls {round_trip}: {elapsed:?}");
    }
}

#[test]
fn all_first_ports_come_before_all_second_ones_fifty_milliseconds_apart() {
    let mut world = agent(3, &[443, 80], "tls");
    first_round(&mut world);
    let order: Vec<_> = world.places.asked.iter().take(6).map(|(_, to)| *to).collect();
    assert_eq!(order, [at(0, 443), at(1, 443), at(2, 443), at(0, 80), at(1, 80), at(2, 80)]);
    for pair in world.places.asked[..6].windows(2) {
        assert_eq!(pair[1].0.since(pair[0].0), ms(50));
    }
}

#[test]
fn never_more_than_32_sockets_are_open() {
    // Slow refusals free the pace without freeing a place.
    let mut world = agent(320, &[443, 80], "tls");
    world.places.elsewhere = Place::Refuses(ms(1400));
    world.run(s(60));
    assert_eq!(world.places.most_open, 32);
}

#[test]
fn the_best_server_of_the_list_is_reported_among_those_that_had_answered() {
    let mut world = agent(3, &[443], "tcp");
    // The second answers first; when its control has been silent for long enough the first has answered too.
    world.places.at.insert(at(0, 443), Place::Answers(ms(85)));
    world.places.at.insert(at(1, 443), Place::Answers(ms(10)));
    first_round(&mut world);
    assert_eq!(world.rounds()[0].1.best.as_deref(), Some("10.99.0.2:443"));
    world.places.at.insert(at(0, 443), Place::Answers(ms(30)));
    world.places.at.insert(at(1, 443), Place::Answers(ms(1)));
    world.command(Command::ProbeNow).run(s(2));
    assert_eq!(world.rounds()[1].1.best.as_deref(), Some("10.99.0.1:443"));
}

#[test]
fn the_evidence_names_everybody_with_what_they_answered_and_how_long_it_took() {
    let mut world = agent(4, &[443, 80], "tls");
    world.places.at.insert(at(0, 443), Place::Refuses(ms(3)));
    world.places.at.insert(at(1, 443), Place::Accepts(ms(4)));
    world.places.at.insert(at(2, 443), Place::NoRoute);
    first_round(&mut world);
    let evidence = world.location().evidence.unwrap();
    assert_eq!(evidence.asked.len(), 8);
    let one = |server: usize, port| {
        let name = reference(server).to_string();
        evidence.asked.iter().find(|asked| asked.server == name && asked.port == port).unwrap()
    };
    assert!(matches!(&one(0, 443).reply, Reply::Refused { detail } if detail.contains("refused")));
    assert_eq!(one(0, 443).elapsed.0, ms(3));
    assert!(matches!(one(1, 443).reply, Reply::NotBelieved { .. }));
    assert!(matches!(one(2, 443).reply, Reply::NotSent { .. }));
    assert_eq!((&one(3, 443).reply, one(3, 443).elapsed.0), (&Reply::Silent {}, ms(1500)));
    assert_eq!(evidence.control.len(), 3);
}

#[test]
fn the_reason_says_how_many_refused_and_how_many_were_silent() {
    let mut world = agent(32, &[443], "tls");
    for index in 0..12 {
        world.places.at.insert(at(index, 443), Place::Refuses(ms(1)));
    }
    first_round(&mut world);
    assert_eq!(
        world.location().detail,
        "external: 32 of 32 reference servers did not answer (12 refused, 20 silent)"
    );
    assert!(world.snapshot().explain().contains("external: 32 of 32 reference servers"));
}

#[test]
fn the_reason_says_since_when_the_management_server_is_lost() {
    let mut world = plan(2, &[443], "tls").start();
    world.until_attached("a", s(5));
    world.set_all(down()).run(s(1)).command(Command::BeatNow);
    world.until(s(60), "a loss", |event| matches!(event, Event::Detached { .. }));
    world.run(s(14));
    let reason = world.location().detail;
    assert!(reason.ends_with("; the management server was lost 14s ago"), "{reason}");
}

#[test]
fn names_are_looked_up_beside_the_round() {
    let list = serde_json::json!({ "servers": [
        { "address": "slow.example", "ports": [443] }, { "address": reference(1).to_string(), "ports": [443] } ] });
    let mut world = plan(0, &[], "tls").with("reference_servers", list).start();
    world.set_all(black_hole());
    world.places.names.insert("slow.example".to_owned(), (ms(3000), vec![reference(0)]));
    world.places.at.insert(at(0, 443), Place::Answers(ms(5)));
    let (elapsed, finding) = first_round(&mut world);
    assert_eq!(finding, Finding::Internal { proof: Proof::Tls });
    assert_eq!(elapsed, ms(3010), "the other one was asked meanwhile, and this one at once");
}

#[test]
fn a_name_that_leads_elsewhere_in_the_middle_of_a_round_is_followed_in_the_next_one() {
    let list = serde_json::json!({ "servers": [ { "address": "r.example", "ports": [443, 8443] } ] });
    let mut world = plan(0, &[], "tls").with("reference_servers", list).start();
    world.set_all(black_hole());
    let leads_to = |world: &mut World, index| {
        world.places.names.insert("r.example".to_owned(), (ms(1), vec![reference(index)]));
    };
    // Its first port is asked for at one address; the name service has another one before the second port is asked for.
    leads_to(&mut world, 0);
    world.places.at.insert(at(1, 8443), Place::Answers(ms(5)));
    world.run(ms(10));
    assert_eq!(world.places.asked.len(), 1);
    leads_to(&mut world, 1);
    let (_, finding) = first_round(&mut world);
    assert_eq!(finding, Finding::External);
    let asked: Vec<_> = world.places.asked.iter().map(|(_, to)| *to).collect();
    assert_eq!(asked, [at(0, 443), at(0, 8443)], "a round has one answer to each name");
    assert_eq!(world.looked_up.iter().filter(|name| *name == "r.example").count(), 1);
    world.command(Command::ProbeNow).run(s(10));
    let finding = world.rounds().last().unwrap().1.finding;
    assert_eq!(finding, Finding::Internal { proof: Proof::Tls });
}

#[test]
fn a_broken_family_of_a_name_does_not_hide_the_other() {
    let list = serde_json::json!({ "servers": [ { "address": "both.example", "ports": [443] } ] });
    let mut world = plan(0, &[], "tls").with("reference_servers", list).start();
    world.set_all(black_hole());
    let both = vec!["2001:db8:1::7".parse().unwrap(), reference(0)];
    world.places.names.insert("both.example".to_owned(), (ms(1), both));
    world.places.at.insert(at(0, 443), Place::Answers(ms(5)));
    let (elapsed, finding) = first_round(&mut world);
    assert_eq!(finding, Finding::Internal { proof: Proof::Tls });
    assert!(elapsed < ms(100), "{elapsed:?}");
}

#[test]
fn a_name_that_leads_where_no_other_machine_is_shows_nothing() {
    let list =
        serde_json::json!({ "servers": [ { "address": "r.example", "ports": [443], "proof": "tcp" } ] });
    for nobody in
        ["0.0.0.0", "127.0.0.1", "::ffff:127.0.0.1", "::1", "::", "224.0.0.1", "255.255.255.255", "fe80::1"]
    {
        let mut world = plan(0, &[], "tcp").with("reference_servers", list.clone()).start();
        world.set_all(black_hole());
        // Somebody listens on this machine.
        world.places.elsewhere = Place::Answers(ms(1));
        world.places.control = Place::Drops;
        world.places.names.insert("r.example".to_owned(), (ms(1), vec![nobody.parse().unwrap()]));
        let (_, finding) = first_round(&mut world);
        assert_eq!(finding, Finding::External, "{nobody}");
        let Reply::NoAddress { detail } = &world.rounds()[0].1.asked[0].reply else { panic!("{nobody}") };
        assert!(detail.contains("where no other machine is"), "{detail}");
    }
    let mut world = plan(0, &[], "tcp").with("reference_servers", list).start();
    world.set_all(black_hole());
    world.places.at.insert(at(0, 443), Place::Answers(ms(1)));
    let several = vec!["127.0.0.1".parse().unwrap(), reference(0)];
    world.places.names.insert("r.example".to_owned(), (ms(1), several));
    assert_eq!(first_round(&mut world).1, Finding::Internal { proof: Proof::Tcp }, "the others count");
    // The file server has an agent too, and learns nothing from itself.
    let list = serde_json::json!({ "servers": [ { "address": "r.example", "ports": [443] } ] });
    let mut world = plan(0, &[], "tls").with("reference_servers", list).start();
    world.set_all(black_hole());
    world.places.elsewhere = Place::Answers(ms(1));
    world.places.names.insert("r.example".to_owned(), (ms(1), vec!["127.0.1.1".parse().unwrap()]));
    assert_eq!(first_round(&mut world).1, Finding::External, "whoever it is, it is here");
}

#[test]
fn a_resolver_that_takes_half_a_minute_costs_five_seconds() {
    let list = serde_json::json!({ "servers": [ { "address": "r.example", "ports": [443] } ] });
    let mut world = plan(0, &[], "tls").with("reference_servers", list).start();
    world.set_all(black_hole());
    world.places.names_fail = Some((s(30), Cause::NameServerFailed));
    world.run(s(8));
    assert_eq!(world.situation(), Situation::External);
    assert!(world.verdicts()[0].0 <= s(8));
}

#[test]
fn a_name_that_never_resolves_costs_five_seconds_and_its_own_server_alone() {
    let list = serde_json::json!({ "servers": [
        { "address": "never.example", "ports": [443] }, { "address": reference(1).to_string(), "ports": [443] } ] });
    let mut world = plan(0, &[], "tls").with("reference_servers", list).start();
    world.set_all(black_hole());
    world.places.names_fail = Some((s(1_000_000), Cause::NameServerFailed));
    world.run(s(6));
    // With every name the name service itself is dead, which says nothing of where the machine is.
    assert_eq!((world.rounds()[0].0, world.rounds()[0].1.finding), (s(5), Finding::NoNames));
    assert_eq!(world.situation(), Situation::External, "a first location is given all the same");
    world.places.at.insert(at(1, 443), Place::Answers(ms(5)));
    world.command(Command::ProbeNow).run(s(1));
    assert_eq!(world.situation(), Situation::Internal);
}

#[test]
fn a_location_is_given_within_eight_seconds_of_a_usable_network() {
    for seed in 0..50 {
        // Twenty-five minutes of ports: no round ends in time.
        let ports: Vec<u16> = (1..=16).collect();
        let mut world = plan(320, &ports, "tls").seed(seed).start();
        world.set_all(black_hole()).network(NetworkChange::Gone);
        world.run(s(25));
        assert_eq!(world.verdicts(), [], "nothing is known without a network");
        world.network(NetworkChange::Changed);
        let up = world.now.since(world.started);
        world.run(s(8));
        let (told, situation) = world.verdicts()[0];
        assert_eq!((situation, world.location().reason), (Situation::External, LocationReason::Incomplete));
        assert!(told - up <= s(8), "{told:?} after {up:?}");
    }
}

#[test]
fn only_a_complete_round_leaves_the_inside() {
    let ports: Vec<u16> = (1..=8).collect();
    let mut world = agent(100, &ports, "tls");
    world.places.at.insert(at(0, 1), Place::Answers(ms(1)));
    world.run(s(5));
    assert_eq!(world.situation(), Situation::Internal);
    world.places.at.clear();
    world.network(NetworkChange::Changed).run(s(35));
    assert_eq!(world.situation(), Situation::Internal, "800 pairs take 40 s");
    world.run(s(15));
    assert_eq!(world.situation(), Situation::External);
}

#[test]
fn rounds_come_every_ten_minutes_at_the_agents_own_phase() {
    let phases: Vec<u64> = ["x", "y", "z"]
        .map(|name| {
            let mut world = plan(1, &[443], "tls").agent(name).start();
            world.set_all(black_hole());
            world.places.at.insert(at(0, 443), Place::Answers(ms(1)));
            world.run(s(3600));
            let regular: Vec<_> =
                world.rounds().into_iter().filter(|(_, round)| round.trigger == Trigger::Regular).collect();
            assert_eq!(regular.len(), 6);
            for pair in regular.windows(2) {
                assert_eq!(pair[1].0 - pair[0].0, s(600));
            }
            regular[0].0.as_secs()
        })
        .into();
    assert!(phases[0] != phases[1] && phases[1] != phases[2], "{phases:?}");
}

#[test]
fn probe_now_asks_at_once_and_once() {
    let mut world = agent(1, &[443], "tls");
    world.places.at.insert(at(0, 443), Place::Answers(ms(400)));
    world.run(s(30));
    let before = world.rounds().len();
    world.command(Command::ProbeNow).run(ms(100)).command(Command::ProbeNow).run(s(2));
    let rounds = world.rounds();
    assert_eq!(rounds.len(), before + 1);
    assert_eq!(rounds.last().unwrap().1.trigger, Trigger::Asked);
}

#[test]
fn stopping_leaves_no_probe_behind() {
    let mut world = agent(32, &[443], "tls");
    world.run(ms(700));
    assert!(world.places.open() > 10);
    world.command(Command::Stop { grace: s(1) });
    assert_eq!(world.places.open(), 0);
}
