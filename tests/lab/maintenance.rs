//! A lone server behind an nginx that shows a maintenance page for a while.

use std::fs;

use serde_json::json;
use tempfile::tempdir;

use crate::agent::Agent;
use crate::certificates::Certificates;
use crate::manager::Manager;
use crate::namespace::Cable;
use crate::nginx::Nginx;

const FRONT: &str = Cable::SERVERS[0];
const BEHIND: &str = Cable::SERVERS[1];
const UPSTREAM: &str = "10.77.0.12:8014";

/// nginx answers with its own page of this status, as long as a file is there. Five minutes are half a minute here.
fn is_back_soon_after_a_page_of(status: u16) {
    let (folder, cable) = (tempdir().unwrap(), Cable::new());
    let certificates = Certificates::new(folder.path(), &Cable::SERVERS);
    let _manager = Manager::start(&cable.servers, &certificates, BEHIND, "well");
    let switch = folder.path().join("maintenance");
    let page = format!("if (-f {}) {{ return {status}; }}", switch.display());
    let _nginx = Nginx::start(&cable.servers, folder.path(), &certificates, FRONT, UPSTREAM, &page);
    let servers = [json!({ "address": FRONT, "id": "front" })];
    let agent = Agent::start(&cable.agent, folder.path(), &certificates.authority, &servers);
    agent.attaches_to("front");
    fs::write(&switch, "").unwrap();
    // The heartbeat first, then two searches: it is left out for 3 s, 6 s, 12 s.
    for _ in 0..3 {
        let failed = agent.about("attempt_failed", "front");
        assert_eq!(failed["class"], "wrong_server", "{failed}");
        assert!(failed["detail"].as_str().unwrap().contains("maintenance"), "{failed}");
    }
    fs::remove_file(&switch).unwrap();
    // However long it lasted: no wait is longer than the last quarantine.
    for event in agent.until("attached") {
        assert_ne!(event["state"], "rejected", "nobody rejected this agent: {event}");
        if event["event"] == "waiting" {
            assert!(event["wait_ms"].as_u64().unwrap() <= 30_000, "{event}");
        }
    }
}

#[test]
fn a_page_of_403_leaves_out_the_server_for_five_minutes_at_most() {
    is_back_soon_after_a_page_of(403);
}

#[test]
fn a_page_of_404_leaves_out_the_server_for_five_minutes_at_most() {
    is_back_soon_after_a_page_of(404);
}
