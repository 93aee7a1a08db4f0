//! Links that lose packets, take long, or come and go.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::agent::{Agent, Conditions};
use crate::certificates::Certificates;
use crate::manager::Manager;
use crate::namespace::Cable;

const FIRST: &str = Cable::SERVERS[0];

/// Each is one priority.
fn servers() -> [Value; 3] {
    Cable::SERVERS.map(|address| json!({ "address": address, "id": address }))
}

#[test]
fn with_three_packets_in_ten_lost_the_agent_attaches_and_beats_and_loss_explains_every_failure() {
    let folder = tempdir().unwrap();
    let cable = Cable::new();
    let certificates = Certificates::new(folder.path(), &Cable::SERVERS);
    let managers =
        Cable::SERVERS.map(|address| Manager::start(&cable.servers, &certificates, address, "well"));
    cable.lose_packets(30);
    // The kernel sends again after 1 s, 3 s, 7 s; the limits have to leave it the time that they do in earnest.
    let conditions = Conditions { time_scale: 0.5, heartbeat: "10s", ..Conditions::default() };
    let agent =
        Agent::start_under(&conditions, &cable.agent, folder.path(), &certificates.authority, &servers());
    let mut events = Vec::new();
    for _ in 0..4 {
        events.extend(agent.until("heartbeat"));
    }
    assert!(cable.dropped_packets() > 0, "nothing was lost");
    // Lost packets look like silence, slowness and broken connections, and like nothing else.
    let failed = events.iter().filter(|event| event["event"] == "attempt_failed");
    let classes: BTreeSet<_> = failed.map(|event| event["class"].as_str().unwrap()).collect();
    let explained = BTreeSet::from(["no_answer", "silent", "limit", "broken"]);
    assert!(classes.is_subset(&explained), "{classes:?}");
    // Never two at once: who attaches anew has detached before.
    let moves: Vec<_> =
        events.iter().filter(|event| event["event"] == "attached" || event["event"] == "detached").collect();
    let in_turn = |(at, event): (usize, &&Value)| event["event"] == ["attached", "detached"][at % 2];
    assert!(moves.iter().enumerate().all(in_turn), "{moves:#?}");
    cable.let_everything_through();
    // The kernel may yet wait for seconds before it sends what was lost again.
    agent.event("heartbeat", |_| true);
    drop(managers);
}

#[test]
fn with_a_round_trip_of_almost_two_seconds_the_first_server_is_still_the_one() {
    let folder = tempdir().unwrap();
    let cable = Cable::late(Duration::from_millis(900));
    let certificates = Certificates::new(folder.path(), &Cable::SERVERS);
    let managers =
        Cable::SERVERS.map(|address| Manager::start(&cable.servers, &certificates, address, "well"));
    let conditions = Conditions { time_scale: 1.0, heartbeat: "10s", ..Conditions::default() };
    let agent =
        Agent::start_under(&conditions, &cable.agent, folder.path(), &certificates.authority, &servers());
    let attached = agent.until("attached");
    assert!(attached.iter().all(|event| event["event"] != "attempt_failed"), "{attached:#?}");
    assert_eq!(attached.last().unwrap()["server"], FIRST);
    // The attach is the first of them; the next beat takes its round trip without a second opinion.
    agent.beats_calmly(FIRST, 2);
    let count = |manager: &Manager, name| manager.count(&cable.servers, name);
    assert_eq!((count(&managers[0], "attach"), count(&managers[0], "beat")), (1, 1));
    assert_eq!((count(&managers[1], "beat"), count(&managers[2], "beat")), (0, 0));
}

#[test]
fn a_link_that_comes_and_goes_costs_no_server_its_place() {
    let folder = tempdir().unwrap();
    let cable = Cable::new();
    let certificates = Certificates::new(folder.path(), &Cable::SERVERS);
    let managers =
        Cable::SERVERS.map(|address| Manager::start(&cable.servers, &certificates, address, "well"));
    // Half of what they are in earnest: a machine that is busy with other tests must not look like a slow server.
    let conditions = Conditions { time_scale: 0.5, ..Conditions::default() };
    let agent =
        Agent::start_under(&conditions, &cable.agent, folder.path(), &certificates.authority, &servers());
    agent.attaches_to(FIRST);
    for _ in 0..2 {
        cable.unplug();
        // At first there is only silence; then there is no way out of the machine any more.
        agent.event("waiting", |event| event["reason"] == "no_network");
        cable.plug();
        agent.attaches_to(FIRST);
        agent.beats_calmly(FIRST, 1);
    }
    let attaches = managers.each_ref().map(|manager| manager.count(&cable.servers, "attach"));
    let [first, others @ ..] = attaches;
    assert_eq!(others, [0, 0], "no other server was needed");
    // It attached three times. A search that is under way when the network returns is begun anew, and the first may have asked already:
    // once for each return, because within the 30 s after it a search goes on.
    assert!((3..=3 + 2).contains(&first), "{first}");
}
