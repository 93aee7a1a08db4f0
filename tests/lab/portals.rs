//! Somebody who answers in place of the managers, with a page for a person: what the agent says of it, and that a log-in is
//! all it takes.

use serde_json::json;
use tempfile::tempdir;

use crate::agent::Agent;
use crate::certificates::Certificates;
use crate::manager::Manager;
use crate::namespace::Cable;
use crate::nginx::Nginx;

const FIRST: &str = Cable::SERVERS[0];
const SECOND: &str = Cable::SERVERS[1];

#[test]
fn a_log_in_page_in_place_of_two_managers_is_a_portal_until_somebody_has_logged_in() {
    let (folder, portal, cable) = (tempdir().unwrap(), tempdir().unwrap(), Cable::new());
    let certificates = Certificates::new(folder.path(), &Cable::SERVERS);
    let page = "default_type text/html; return 200 '<html>Room number?</html>';";
    let nginx = Nginx::start(&cable.servers, portal.path(), &certificates, "0.0.0.0", "127.0.0.1:9", page);
    let servers = [("first", FIRST), ("second", SECOND)]
        .map(|(id, address)| json!({ "id": id, "address": address, "protocol": "http" }));
    let agent = Agent::start(&cable.agent, folder.path(), &certificates.authority, &servers);
    agent.event("state", |event| event["state"] == "captive" && event["reason"] == "captive_portal");
    // A look that finds the same goes by the same name.
    agent.event("state", |event| event["state"] == "searching" && event["reason"] == "captive_portal");
    agent.event("state", |event| event["state"] == "captive" && event["reason"] == "captive_portal");
    // Somebody has logged in: behind the same addresses are the managers. Nobody was left out for a page.
    drop(nginx);
    let _manager = Manager::start(&cable.servers, &certificates, FIRST, "well");
    agent.attaches_to("first");
}
