//! A round against its reference model, the patient walk.
//!
//! A patient agent asks all first ports, one after another, then all second ones; it gives each 1.5 s, goes on at once
//! when it is refused, and stops at the first answer with enough proof. Whenever answers come within 1.5 s, a round must
//! end where the patient walk would have ended: inside or not.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use homing::engine::{Action, Away, Event, Finding, Input, Memory, Setup};
use homing::settings::Settings;
use homing::types::{Cause, Moment, ProbeId, Proof};
use homing_sim::reference_network::{Answer, Place, Places, reference};
use homing_sim::schedule::Schedule;
use proptest::prelude::*;

use crate::mount;
use crate::world::ms;

/// The list, server by server, port by port.
type List = Vec<(Proof, Vec<Place>)>;

/// What the patient walk says: inside or not.
fn patient_walk(list: &List, required: Proof, control_answers: bool) -> bool {
    let ports = list.iter().map(|(_, ports)| ports.len()).max().unwrap_or(0);
    (0..ports).any(|port| {
        list.iter().any(|(proof, places)| {
            let proves = match places.get(port) {
                Some(Place::Answers(_)) => true,
                Some(Place::Accepts(_)) => *proof == Proof::Tcp,
                _ => false,
            };
            proves && *proof >= required && (*proof > Proof::Tcp || !control_answers)
        })
    })
}

fn settings(list: &List, required: Proof) -> Arc<Settings> {
    let pin = r#"{"pins":[{"sha256":"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="}]}"#;
    let servers: Vec<String> = list
        .iter()
        .enumerate()
        .map(|(index, (proof, ports))| {
            let ports: Vec<String> = (1..=ports.len()).map(|port| port.to_string()).collect();
            format!(
                r#"{{"address":"{}","ports":[{}],"proof":"{}","certificate":{pin}}}"#,
                reference(index),
                ports.join(","),
                proof.word()
            )
        })
        .collect();
    let text = format!(
        r#"{{"server_lists":[{{"name":"m","priorities":[{{"servers":[{{"address":"10.0.0.1"}}]}}]}}],
            "group":{{"communication":{{"enabled":false}}}},"location":{{"required_proof":"{}"}},
            "reference_servers":{{"servers":[{}]}}}}"#,
        required.word(),
        servers.join(",")
    );
    Arc::new(text.parse().unwrap())
}

/// Lives through the first round alone.
fn first_round(list: &List, required: Proof, control: Place) -> Finding {
    let mut places = Places::default();
    places.control = control;
    for (index, (_, ports)) in list.iter().enumerate() {
        for (port, place) in (1..).zip(ports) {
            places.at.insert(SocketAddr::new(reference(index), port), *place);
        }
    }
    let setup = Setup::new(settings(list, required), "x".parse().unwrap());
    let mut now = Moment::ORIGIN;
    let mut engine = mount::engine(setup, "{}", Memory::default(), Away::Unknown, 1, now);
    let mut coming: Schedule<(ProbeId, Answer)> = Schedule::default();
    engine.handle(now, Input::Timeout);
    loop {
        while let Some(action) = engine.poll_action() {
            match action {
                Action::Probe { probe, target, to, proof, .. } => {
                    if let Some((after, answer)) = places.probe(now, probe, &target, to, proof) {
                        coming.push(now + after, (probe, answer));
                    }
                }
                Action::CancelProbe { probe } => assert!(places.ends(probe)),
                Action::Resolve { query, .. } => {
                    engine.handle(now, Input::Resolved { query, answer: Err(Cause::NameNotFound.into()) });
                }
                other => panic!("{other:?}"),
            }
        }
        while let Some(event) = engine.poll_event() {
            if let Event::Round { evidence, .. } = event {
                return evidence.finding;
            }
        }
        let due = engine.deadline().map(|(at, _)| at);
        match coming.pop_until(due.unwrap_or(Moment::from_nanos(u64::MAX))) {
            Some((at, (probe, answer))) => {
                now = now.max(at);
                if places.ends(probe) {
                    engine.handle(now, Input::Probed { probe, answer });
                }
            }
            None => {
                let due = due.expect("a round ends");
                assert!(due > now, "a busy loop");
                now = due;
                engine.handle(now, Input::Timeout);
            }
        }
        assert!(now < Moment::ORIGIN + Duration::from_secs(20), "a round ends");
    }
}

fn any_place() -> impl Strategy<Value = Place> {
    prop_oneof![
        2 => (1u64..749).prop_map(|after| Place::Answers(ms(after))),
        2 => (1u64..749).prop_map(|after| Place::Accepts(ms(after))),
        3 => (1u64..1499).prop_map(|after| Place::Refuses(ms(after))),
        4 => Just(Place::Drops),
        1 => Just(Place::NoRoute),
    ]
}

fn any_proof() -> impl Strategy<Value = Proof> {
    prop_oneof![Just(Proof::Tcp), Just(Proof::Tls), Just(Proof::Pin)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_round_ends_where_the_patient_walk_would(
        list in prop::collection::vec((any_proof(), prop::collection::vec(any_place(), 1..4)), 1..9),
        required in any_proof(),
        // Whoever answers for everybody does not take longer for the control than for the others.
        control in prop_oneof![2 => Just(Place::Drops), 1 => (0u64..50).prop_map(|after| Place::Accepts(ms(after)))],
    ) {
        let answers = matches!(control, Place::Accepts(_));
        let expected = patient_walk(&list, required, answers);
        let found = first_round(&list, required, control);
        let inside = matches!(found, Finding::Internal { .. });
        prop_assert_eq!(inside, expected, "{:?}", found);
    }
}
