//! Servers whose processes are killed, frozen and started again.

use serde_json::json;
use tempfile::tempdir;

use crate::agent::Agent;
use crate::certificates::Certificates;
use crate::manager::Manager;
use crate::namespace::Cable;

const FIRST: &str = Cable::SERVERS[0];
const SECOND: &str = Cable::SERVERS[1];

/// Each address is one priority.
fn servers() -> [serde_json::Value; 2] {
    [FIRST, SECOND].map(|address| json!({ "address": address, "id": address }))
}

#[test]
fn a_killed_server_is_left_and_taken_back_when_it_is_started_again() {
    let folder = tempdir().unwrap();
    let cable = Cable::new();
    let certificates = Certificates::new(folder.path(), &Cable::SERVERS);
    let start = |address| Manager::start(&cable.servers, &certificates, address, "well");
    let (first, second) = (start(FIRST), start(SECOND));
    let agent = Agent::start(&cable.agent, folder.path(), &certificates.authority, &servers());
    agent.attaches_to(FIRST);
    assert_eq!(first.count(&cable.servers, "attach"), 1);
    first.kill();
    agent.fails(FIRST, "refused");
    agent.attaches_to(SECOND);
    assert_eq!(second.count(&cable.servers, "attach"), 1);
    let first = start(FIRST);
    agent.event("failback", |event| event["to"] == FIRST);
    agent.attaches_to(FIRST);
    // Proven over a minute before the agent moved: a tenth of it here, by probes and not by luck.
    assert!(first.count(&cable.servers, "probe") >= 3);
}

#[test]
fn a_frozen_server_is_left_by_a_second_opinion_and_taken_back_when_it_thaws() {
    let folder = tempdir().unwrap();
    let cable = Cable::new();
    let certificates = Certificates::new(folder.path(), &Cable::SERVERS);
    let [first, _second] =
        [FIRST, SECOND].map(|address| Manager::start(&cable.servers, &certificates, address, "well"));
    let agent = Agent::start(&cable.agent, folder.path(), &certificates.authority, &servers());
    agent.attaches_to(FIRST);
    agent.about("heartbeat", FIRST);
    first.freeze();
    // The kernel still accepts for it, so only the silence tells.
    agent.event("sweeping", |event| event["why"] == "server_silent");
    agent.attaches_to(SECOND);
    first.thaw();
    agent.event("failback", |event| event["to"] == FIRST);
    agent.attaches_to(FIRST);
}

#[test]
fn with_every_server_dead_the_agent_waits_and_the_first_to_return_is_found() {
    let folder = tempdir().unwrap();
    let cable = Cable::new();
    let certificates = Certificates::new(folder.path(), &Cable::SERVERS);
    let [first, second] =
        [FIRST, SECOND].map(|address| Manager::start(&cable.servers, &certificates, address, "well"));
    let agent = Agent::start(&cable.agent, folder.path(), &certificates.authority, &servers());
    agent.attaches_to(FIRST);
    first.kill();
    second.kill();
    let waiting = agent.event("waiting", |_| true);
    assert_eq!(waiting["why"], "all_failed", "{waiting}");
    let _second = Manager::start(&cable.servers, &certificates, SECOND, "well");
    agent.attaches_to(SECOND);
}

#[test]
fn a_server_that_comes_back_as_somebody_else_is_not_believed() {
    let folder = tempdir().unwrap();
    let cable = Cable::new();
    let certificates = Certificates::new(folder.path(), &Cable::SERVERS);
    let [first, _second] =
        [FIRST, SECOND].map(|address| Manager::start(&cable.servers, &certificates, address, "well"));
    let agent = Agent::start(&cable.agent, folder.path(), &certificates.authority, &servers());
    agent.attaches_to(FIRST);
    first.kill();
    agent.attaches_to(SECOND);
    let impostor = Manager::start(&cable.servers, &certificates, FIRST, "wrong-certificate");
    let probed = agent.event("probed", |event| {
        event["server"] == FIRST
            && event["failure"].as_str().is_some_and(|failure| failure.contains("certificate"))
    });
    assert!(probed["failure"].as_str().unwrap().contains("issued by nobody"), "{probed}");
    assert_eq!(impostor.count(&cable.servers, "probe"), 0);
}

#[test]
fn an_interrupted_agent_takes_its_leave() {
    let folder = tempdir().unwrap();
    let cable = Cable::new();
    let certificates = Certificates::new(folder.path(), &Cable::SERVERS);
    let _first = Manager::start(&cable.servers, &certificates, FIRST, "well");
    let mut agent = Agent::start(&cable.agent, folder.path(), &certificates.authority, &servers());
    agent.attaches_to(FIRST);
    let status = agent.interrupt();
    agent.event("stopped", |_| true);
    assert!(status.success(), "{status}");
}
