//! Every server of the list asks to be left.

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::agent::Agent;
use crate::certificates::Certificates;
use crate::manager::Manager;
use crate::namespace::Cable;

/// The servers of one priority drain within so many seconds, from the first answer on. The agent moves once at most, and
/// looks for one that does not drain ever more seldom.
fn stays(servers: usize, window: u32) {
    let (folder, cable) = (tempdir().unwrap(), Cable::new());
    let certificates = Certificates::new(folder.path(), &Cable::SERVERS);
    let addresses = &Cable::SERVERS[..servers];
    let start =
        |address: &&str| Manager::start(&cable.servers, &certificates, address, &format!("drain:{window}"));
    let managers: Vec<Manager> = addresses.iter().map(start).collect();
    let members: Vec<Value> =
        addresses.iter().map(|address| json!({ "address": address, "id": address })).collect();
    let agent = Agent::start(&cable.agent, folder.path(), &certificates.authority, &[Value::Array(members)]);
    agent.until("attached");
    let (mut moves, mut beats) = (0, 0);
    // 30 heartbeats of 1 s: five minutes in earnest, in which it used to attach a hundred times in half a second.
    while beats < 30 {
        for event in agent.until("heartbeat") {
            moves += u32::from(event["event"] == "attached");
            beats += u32::from(event["event"] == "heartbeat");
            assert_ne!(event["state"], "waiting", "it is never without a server: {event}");
        }
    }
    assert!(moves <= 1, "{moves} moves");
    // The first search, the move, the fresh connection, and looks after 5, 10, 20, 40, 80, 160 s and every 300 s, each × 0.5 at
    // least: of every server but its own.
    let looks: u64 = managers.iter().map(|manager| manager.count(&cable.servers, "attach")).sum();
    let bound = 2 * servers as u64 + 9 * (servers as u64 - 1);
    assert!(looks <= bound, "{looks} attaches, {bound} at most");
    drop(agent);
}

#[test]
fn two_servers_that_both_drain_at_once_are_not_danced_between() {
    stays(2, 0);
}

#[test]
fn three_servers_that_all_drain_within_a_minute_are_not_danced_between() {
    stays(3, 60);
}
