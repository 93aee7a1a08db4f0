//! A manager behind nginx, as sites run it.

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::agent::Agent;
use crate::certificates::Certificates;
use crate::manager::Manager;
use crate::namespace::Cable;
use crate::nginx::{Nginx, Request};

const FRONT: &str = Cable::SERVERS[0];
const BEHIND: &str = Cable::SERVERS[1];
/// Where the manager listens for nginx.
const UPSTREAM: &str = "10.77.0.12:8014";

/// The heartbeats that nginx handed on until the agent had made this many after attaching.
fn heartbeats(server: &Value, directives: &str, count: usize) -> Vec<Request> {
    let folder = tempdir().unwrap();
    let cable = Cable::new();
    let certificates = Certificates::new(folder.path(), &Cable::SERVERS);
    let _manager = Manager::start(&cable.servers, &certificates, BEHIND, "well");
    let nginx = Nginx::start(&cable.servers, folder.path(), &certificates, FRONT, UPSTREAM, directives);
    let agent =
        Agent::start(&cable.agent, folder.path(), &certificates.authority, std::slice::from_ref(server));
    agent.attaches_to("front");
    for _ in 0..count {
        agent.about("heartbeat", "front");
    }
    let seen = nginx.first_heartbeats(count);
    assert!(seen.iter().all(|request| request.status == 200), "{seen:#?}");
    assert_eq!(seen[0].purpose, "attach");
    assert!(seen[1..].iter().all(|request| request.purpose == "beat"), "{seen:#?}");
    seen
}

#[test]
fn heartbeats_share_one_tls_1_3_connection() {
    let seen = heartbeats(&json!({ "address": FRONT, "id": "front" }), "ssl_protocols TLSv1.3;", 5);
    assert!(seen.iter().all(|request| request.tls == "TLSv1.3"), "{seen:#?}");
    assert!(seen.iter().all(|request| request.connection == seen[0].connection), "{seen:#?}");
}

#[test]
fn a_new_connection_resumes_the_session_by_its_ticket() {
    for protocol in ["TLSv1.3", "TLSv1.2"] {
        let directives = format!("ssl_protocols {protocol}; keepalive_timeout 0;");
        let seen = heartbeats(&json!({ "address": FRONT, "id": "front" }), &directives, 4);
        assert!(seen.iter().all(|request| request.tls == protocol && request.nth == 1), "{seen:#?}");
        let resumed: Vec<bool> = seen.iter().map(|request| request.resumed).collect();
        assert_eq!(resumed, [false, true, true, true], "{protocol}");
    }
}

#[test]
fn plain_http_on_port_8014_is_spoken_when_the_settings_say_so() {
    let seen = heartbeats(&json!({ "address": FRONT, "id": "front", "protocol": "http" }), "", 3);
    assert!(seen.iter().all(|request| request.tls == "-"), "{seen:#?}");
    assert!(seen.iter().all(|request| request.connection == seen[0].connection), "{seen:#?}");
}

#[test]
fn a_gateway_without_its_manager_is_a_server_error_and_heals() {
    let folder = tempdir().unwrap();
    let cable = Cable::new();
    let certificates = Certificates::new(folder.path(), &Cable::SERVERS);
    let start = || Manager::start(&cable.servers, &certificates, BEHIND, "well");
    let manager = start();
    let _nginx = Nginx::start(&cable.servers, folder.path(), &certificates, FRONT, UPSTREAM, "");
    let server = json!({ "address": FRONT, "id": "front" });
    let agent = Agent::start(&cable.agent, folder.path(), &certificates.authority, &[server]);
    agent.attaches_to("front");
    manager.kill();
    agent.fails("front", "server_error");
    let _manager = start();
    agent.about("heartbeat", "front");
}
