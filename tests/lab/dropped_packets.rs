//! Servers behind a network that loses or rejects packets.

use std::path::Path;

use serde_json::json;
use tempfile::tempdir;

use crate::agent::Agent;
use crate::certificates::Certificates;
use crate::manager::Manager;
use crate::namespace::Cable;

const FIRST: &str = Cable::SERVERS[0];
const SECOND: &str = Cable::SERVERS[1];
const THIRD: &str = Cable::SERVERS[2];

/// Three managers at the far end of a cable.
struct Site {
    cable: Cable,
    certificates: Certificates,
    _managers: [Manager; 3],
}

impl Site {
    fn new(folder: &Path) -> Self {
        let cable = Cable::new();
        let certificates = Certificates::new(folder, &Cable::SERVERS);
        let managers =
            Cable::SERVERS.map(|address| Manager::start(&cable.servers, &certificates, address, "well"));
        Self { cable, certificates, _managers: managers }
    }

    fn agent(&self, folder: &Path) -> Agent {
        let servers = Cable::SERVERS.map(|address| json!({ "address": address, "id": address }));
        Agent::start(&self.cable.agent, folder, &self.certificates.authority, &servers)
    }
}

#[test]
fn a_server_behind_dropped_packets_is_passed_over_and_taken_back_when_packets_pass() {
    let folder = tempdir().unwrap();
    let site = Site::new(folder.path());
    site.cable.drop_packets_to(FIRST);
    let agent = site.agent(folder.path());
    agent.attaches_to(SECOND);
    site.cable.let_everything_through();
    let failback = agent.event("failback", |_| true);
    assert_eq!((&failback["from"], &failback["to"]), (&json!(SECOND), &json!(FIRST)));
    agent.attaches_to(FIRST);
}

#[test]
fn a_connection_that_dies_in_silence_is_left_for_the_next_priority() {
    let folder = tempdir().unwrap();
    let site = Site::new(folder.path());
    let agent = site.agent(folder.path());
    agent.attaches_to(FIRST);
    agent.about("heartbeat", FIRST);
    site.cable.drop_packets_to(FIRST);
    agent.attaches_to(SECOND);
}

#[test]
fn when_nothing_gets_through_nobody_is_blamed_and_the_first_packet_brings_the_agent_back() {
    let folder = tempdir().unwrap();
    let site = Site::new(folder.path());
    let agent = site.agent(folder.path());
    agent.attaches_to(FIRST);
    for address in Cable::SERVERS {
        site.cable.drop_packets_to(address);
    }
    let waiting = agent.event("waiting", |_| true);
    assert_eq!(waiting["why"], "network_suspect", "{waiting}");
    site.cable.let_everything_through();
    agent.event("attached", |_| true);
}

#[test]
fn an_unreachable_host_is_told_from_a_silent_one() {
    let folder = tempdir().unwrap();
    let site = Site::new(folder.path());
    site.cable.reject_packets_to(FIRST);
    site.cable.reject_packets_to(SECOND);
    let agent = site.agent(folder.path());
    agent.fails(FIRST, "refused");
    agent.fails(SECOND, "refused");
    agent.attaches_to(THIRD);
}
