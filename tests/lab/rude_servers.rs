//! Servers in front of the manager that hang up, say nothing, or close what is idle.

use serde_json::json;
use tempfile::tempdir;

use crate::agent::{Agent, Conditions};
use crate::certificates::Certificates;
use crate::haproxy::Haproxy;
use crate::manager::Manager;
use crate::namespace::Cable;
use crate::nginx::Nginx;

const FRONT: &str = Cable::SERVERS[0];
const SPARE: &str = Cable::SERVERS[1];
const BEHIND: &str = Cable::SERVERS[2];
/// Where the manager listens for those in front of it.
const UPSTREAM: &str = "10.77.0.13:8014";

/// Each is one priority.
fn servers() -> [serde_json::Value; 2] {
    [FRONT, SPARE].map(|address| json!({ "address": address, "id": address }))
}

#[test]
fn nginx_that_hangs_up_without_a_word_is_left_for_the_next_priority() {
    let folder = tempdir().unwrap();
    let cable = Cable::new();
    let certificates = Certificates::new(folder.path(), &Cable::SERVERS);
    let [spare, behind] =
        [SPARE, BEHIND].map(|address| Manager::start(&cable.servers, &certificates, address, "well"));
    let directive = "location /homing/ { return 444; }";
    let nginx = Nginx::start(&cable.servers, folder.path(), &certificates, FRONT, UPSTREAM, directive);
    let agent = Agent::start(&cable.agent, folder.path(), &certificates.authority, &servers());
    agent.fails(FRONT, "broken");
    agent.attaches_to(SPARE);
    let [attach] = &nginx.first_heartbeats(1)[..] else { panic!("asked for one") };
    assert_eq!((&*attach.purpose, attach.status, attach.nth), ("attach", 444, 1), "{attach:?}");
    assert_eq!((behind.count(&cable.servers, "attach"), spare.count(&cable.servers, "attach")), (0, 1));
}

#[test]
fn haproxy_that_drops_a_request_in_silence_is_left_for_the_next_priority() {
    let folder = tempdir().unwrap();
    let cable = Cable::new();
    let certificates = Certificates::new(folder.path(), &Cable::SERVERS);
    let [spare, behind] =
        [SPARE, BEHIND].map(|address| Manager::start(&cable.servers, &certificates, address, "well"));
    let directive = "http-request silent-drop if { path_beg /homing }";
    let haproxy = Haproxy::start(&cable.servers, folder.path(), &certificates, FRONT, UPSTREAM, directive);
    let agent = Agent::start(&cable.agent, folder.path(), &certificates.authority, &servers());
    agent.attaches_to(SPARE);
    assert_eq!(haproxy.heartbeat().status, None);
    agent.beats_calmly(SPARE, 2);
    assert_eq!((behind.count(&cable.servers, "attach"), spare.count(&cable.servers, "attach")), (0, 1));
}

#[test]
fn haproxy_that_closes_an_idle_connection_is_dialled_anew_and_charged_nothing() {
    let folder = tempdir().unwrap();
    let cable = Cable::new();
    let certificates = Certificates::new(folder.path(), &Cable::SERVERS);
    let [spare, _behind] =
        [SPARE, BEHIND].map(|address| Manager::start(&cable.servers, &certificates, address, "well"));
    let directive = "timeout http-keep-alive 2s";
    let haproxy = Haproxy::start(&cable.servers, folder.path(), &certificates, FRONT, UPSTREAM, directive);
    // Ten seconds from beat to beat: also when one is late haproxy has long closed, the agent would have kept the connection for twelve.
    let conditions = Conditions { time_scale: 0.2, heartbeat: "50s", ..Conditions::default() };
    let agent =
        Agent::start_under(&conditions, &cable.agent, folder.path(), &certificates.authority, &servers());
    agent.attaches_to(FRONT);
    agent.beats_calmly(FRONT, 3);
    let seen = [(); 4].map(|()| haproxy.heartbeat());
    assert!(seen.iter().all(|request| request.status == Some(200)), "{seen:#?}");
    // The first beat may come soon after the attach.
    assert!(seen[1].port != seen[2].port && seen[2].port != seen[3].port, "{seen:#?}");
    assert_eq!(spare.count(&cable.servers, "connections"), 1, "only the one that asks for this");
}
