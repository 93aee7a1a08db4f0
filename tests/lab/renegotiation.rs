//! TLS 1.2 lets a server ask for another handshake in the middle. The agent declines.

use serde_json::json;
use tempfile::tempdir;

use crate::agent::{Agent, Conditions};
use crate::certificates::Certificates;
use crate::namespace::Cable;
use crate::openssl::Openssl;

const ADDRESS: &str = Cable::SERVERS[0];

#[test]
fn another_handshake_is_declined_and_costs_a_connection_and_nothing_else() {
    let folder = tempdir().unwrap();
    let cable = Cable::new();
    let certificates = Certificates::new(folder.path(), &Cable::SERVERS);
    let server = Openssl::start(&cable.servers, &certificates, ADDRESS);
    // Ten seconds from beat to beat: room for what the test does between two, and the connection is kept. Silence is none of it.
    let conditions = Conditions {
        time_scale: 0.5,
        heartbeat: "20s",
        constants: json!({ "attachment": { "silence_least": "10m", "silence_most": "10m" } }),
        ..Conditions::default()
    };
    let servers = [json!({ "address": ADDRESS, "id": ADDRESS })];
    let agent =
        Agent::start_under(&conditions, &cable.agent, folder.path(), &certificates.authority, &servers);
    server.hears("Homing-Purpose: attach");
    server.answers();
    agent.attaches_to(ADDRESS);
    agent.about("heartbeat", ADDRESS);

    // OpenSSL takes the refusal ill and ends the connection, which is closed at rest. The next beat comes over a new one.
    server.asks_in_vain_for_another_handshake();
    server.hears("Homing-Purpose: beat");
    server.answers();
    agent.never("attempt_failed", "heartbeat");

    // The same while it owes an answer: a kept connection that ends before the first byte of one says nothing of the server, so
    // the beat goes out again over a new one.
    server.hears("Homing-Purpose: beat");
    server.asks_in_vain_for_another_handshake();
    server.hears("Homing-Purpose: beat");
    server.answers();
    agent.never("attempt_failed", "heartbeat");
}
