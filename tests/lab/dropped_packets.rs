//! Servers behind a network that loses or rejects packets.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::agent::Agent;
use crate::certificates::Certificates;
use crate::manager::Manager;
use crate::namespace::Cable;

const FIRST: &str = Cable::SERVERS[0];
const SECOND: &str = Cable::SERVERS[1];
const THIRD: &str = Cable::SERVERS[2];

/// A name for the first server.
const NAME: &str = "first.lab";

/// Three managers at the far end of a cable.
struct Site {
    cable: Cable,
    certificates: Certificates,
    _managers: [Manager; 3],
}

impl Site {
    fn new(folder: &Path) -> Self {
        let cable = Cable::new();
        let certificates = Certificates::new(folder, &[&Cable::SERVERS[..], &[NAME]].concat());
        let managers =
            Cable::SERVERS.map(|address| Manager::start(&cable.servers, &certificates, address, "well"));
        Self { cable, certificates, _managers: managers }
    }

    /// An agent with the three as three priorities.
    fn agent(&self, folder: &Path) -> Agent {
        self.agent_of(folder, &Cable::SERVERS)
    }

    fn agent_of(&self, folder: &Path, addresses: &[&str]) -> Agent {
        let servers: Vec<Value> =
            addresses.iter().map(|address| json!({ "address": address, "id": address })).collect();
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
    // All of them at the same moment: no other one takes over in between.
    site.cable.drop_packets_to(&format!("{{ {} }}", Cable::SERVERS.join(", ")));
    let waiting = agent.event("waiting", |_| true);
    assert_eq!(waiting["reason"], "network_suspect", "{waiting}");
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

#[test]
fn a_name_whose_ipv6_address_leads_nowhere_is_reached_over_ipv4_in_the_same_attempt() {
    let folder = tempdir().unwrap();
    let site = Site::new(folder.path());
    site.cable.agent.names(&[(NAME, &[Cable::FIRST_IPV6, FIRST])]);
    site.cable.drop_packets_to(Cable::FIRST_IPV6);
    let agent = site.agent_of(folder.path(), &[NAME]);
    agent.never("attempt_failed", "attached");
    assert!(site.cable.dropped_packets() > 0, "nobody tried the IPv6 address");
}

#[test]
fn a_name_that_nobody_can_look_up_costs_only_its_own_server() {
    let folder = tempdir().unwrap();
    let site = Site::new(folder.path());
    site.cable.agent.names(&[(NAME, &[FIRST])]);
    let agent = site.agent_of(folder.path(), &["nowhere.lab", NAME]);
    agent.fails("nowhere.lab", "name");
    agent.attaches_to(NAME);
}
