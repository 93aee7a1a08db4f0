//! Servers whose processes are killed, frozen and started again.

use serde_json::json;
use tempfile::{TempDir, tempdir};

use crate::agent::Agent;
use crate::certificates::Certificates;
use crate::manager::Manager;
use crate::namespace::Cable;

const FIRST: &str = Cable::SERVERS[0];
const SECOND: &str = Cable::SERVERS[1];

/// Two addresses for servers, each one priority, and an agent's machine.
struct Site {
    folder: TempDir,
    cable: Cable,
    certificates: Certificates,
}

impl Site {
    fn new() -> Self {
        let folder = tempdir().unwrap();
        let certificates = Certificates::new(folder.path(), &Cable::SERVERS);
        Self { folder, cable: Cable::new(), certificates }
    }

    fn server(&self, address: &str, behaviour: &str) -> Manager {
        Manager::start(&self.cable.servers, &self.certificates, address, behaviour)
    }

    fn agent(&self) -> Agent {
        let servers = [FIRST, SECOND].map(|address| json!({ "address": address, "id": address }));
        Agent::start(&self.cable.agent, self.folder.path(), &self.certificates.authority, &servers)
    }

    fn count(&self, server: &Manager, name: &str) -> u64 {
        server.count(&self.cable.servers, name)
    }
}

#[test]
fn a_killed_server_is_left_and_taken_back_when_it_is_started_again() {
    let site = Site::new();
    let [first, second] = [FIRST, SECOND].map(|address| site.server(address, "well"));
    let agent = site.agent();
    agent.attaches_to(FIRST);
    assert_eq!(site.count(&first, "attach"), 1);
    first.kill();
    agent.fails(FIRST, "refused");
    agent.attaches_to(SECOND);
    assert_eq!(site.count(&second, "attach"), 1);
    let first = site.server(FIRST, "well");
    agent.event("failback", |event| event["to"] == FIRST);
    agent.attaches_to(FIRST);
    // Proven over a minute before the agent moved: a tenth of it here, by more than one probe.
    assert!(site.count(&first, "probe") >= 2);
}

#[test]
fn a_frozen_server_is_left_by_a_second_opinion_and_taken_back_when_it_thaws() {
    let site = Site::new();
    let [first, _second] = [FIRST, SECOND].map(|address| site.server(address, "well"));
    let agent = site.agent();
    agent.attaches_to(FIRST);
    // The last thing that a new server is asked for: nothing is under way, so the next heartbeat finds the kept connection.
    agent.about("policy", FIRST);
    first.freeze();
    // The kernel still accepts for it, so only the silence tells.
    agent.event("searching", |event| event["reason"] == "server_silent");
    agent.attaches_to(SECOND);
    first.thaw();
    agent.event("failback", |event| event["to"] == FIRST);
    agent.attaches_to(FIRST);
}

#[test]
fn with_every_server_dead_the_agent_waits_and_the_first_to_return_is_found() {
    let site = Site::new();
    let [first, second] = [FIRST, SECOND].map(|address| site.server(address, "well"));
    let agent = site.agent();
    agent.attaches_to(FIRST);
    first.kill();
    second.kill();
    let waiting = agent.event("waiting", |_| true);
    assert_eq!(waiting["reason"], "all_failed", "{waiting}");
    let _second = site.server(SECOND, "well");
    agent.attaches_to(SECOND);
}

#[test]
fn a_server_that_comes_back_as_somebody_else_is_not_believed() {
    let site = Site::new();
    let [first, _second] = [FIRST, SECOND].map(|address| site.server(address, "well"));
    let agent = site.agent();
    agent.attaches_to(FIRST);
    first.kill();
    agent.attaches_to(SECOND);
    let impostor = site.server(FIRST, "wrong-certificate");
    let probed = agent.event("probed", |event| {
        event["server"] == FIRST
            && event["failure"].as_str().is_some_and(|failure| failure.contains("certificate"))
    });
    assert!(probed["failure"].as_str().unwrap().contains("issued by nobody"), "{probed}");
    assert_eq!(site.count(&impostor, "probe"), 0);
}

#[test]
fn an_interrupted_agent_takes_its_leave() {
    let site = Site::new();
    let _first = site.server(FIRST, "well");
    let mut agent = site.agent();
    agent.attaches_to(FIRST);
    let status = agent.interrupt();
    agent.event("stopped", |_| true);
    assert!(status.success(), "{status}");
}
