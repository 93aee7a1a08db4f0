//! A machine that moves without a sign, contact that returns, a reference server that is away for a moment, and names that lead
//! anywhere: what each does to the location of an agent that also has a management server.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use crate::agent::{Agent, Conditions};
use crate::certificates::Certificates;
use crate::daemons::Daemon;
use crate::manager::Manager;
use crate::name_server::NameServer;
use crate::namespace::{Cable, Namespace};

const FIRST: &str = Cable::SERVERS[0];
const SECOND: &str = Cable::SERVERS[1];
const THIRD: &str = Cable::SERVERS[2];
const NAME: &str = "files.corp.example";

/// The first server manages, the second is a reference server that proves itself.
struct Site {
    folder: TempDir,
    cable: Cable,
    certificates: Certificates,
    _manager: Manager,
    _web: Daemon,
}

impl Site {
    fn new() -> Self {
        let (folder, cable) = (tempdir().unwrap(), Cable::new());
        let certificates = Certificates::new(folder.path(), &[FIRST, SECOND, NAME]);
        let manager = Manager::start(&cable.servers, &certificates, FIRST, "well");
        let web = Daemon::web(&cable.servers, folder.path(), &certificates, SECOND);
        Self { folder, cable, certificates, _manager: manager, _web: web }
    }

    /// An agent whose reference server is at this address.
    fn agent(&self, reference: &str, proof: &str, counts: bool, heartbeat: &str, time_scale: f64) -> Agent {
        let policy = json!({ "roots": [{ "bundle": self.certificates.authority }] });
        let parts = json!({
            "reference_servers": { "servers": [{ "address": reference, "proof": proof, "certificate": policy }] },
            "location": { "management_server_counts": counts, "required_proof": proof },
            "locations": [{ "name": "Office", "when": ["internal"], "communication": { "heartbeat_interval": "24h" } }],
        });
        let conditions = Conditions { heartbeat, time_scale, parts, ..Conditions::default() };
        let servers = [json!({ "address": FIRST, "id": "first" })];
        Agent::start_under(
            &conditions,
            &self.cable.agent,
            self.folder.path(),
            &self.certificates.authority,
            &servers,
        )
    }

    /// Every packet is lost from now on, and no interface knows.
    fn is_elsewhere(&self) {
        self.cable.drop_packets_to("0.0.0.0/0");
        self.cable.drop_packets_to("::/0");
    }
}

fn is(situation: &str) -> impl Fn(&Value) -> bool + '_ {
    move |event| event["situation"] == situation
}

fn at(event: &Value) -> f64 {
    event["at_ms"].as_f64().unwrap() / 1000.0
}

#[test]
fn a_machine_that_moves_without_a_sign_is_inside_for_ten_minutes_at_most() {
    let site = Site::new();
    // Ten minutes are twenty seconds; a heartbeat is due in 48 minutes.
    // Only the management server shows that the machine is inside, and nobody knows of a move.
    site.cable.drop_packets_to(SECOND);
    let agent = site.agent(SECOND, "tls", true, "10s", 1.0 / 30.0);
    let inside = agent.event("location", is("internal"));
    assert_eq!(inside["reason"], "management_server", "{inside:#}");
    site.is_elsewhere();
    let outside = agent.event("location", is("external"));
    let took = at(&outside) - at(&inside);
    // Three times as long for a machine that is busy, and still not as long as anything else would take.
    assert!((10.0..=60.0).contains(&took), "{took} s: {outside:#}");
}

#[test]
fn contact_that_returns_asks_the_reference_servers_at_once() {
    let site = Site::new();
    // A switch that looks at a port for 35 s before it lets anything through: seven.
    site.is_elsewhere();
    let agent = site.agent(SECOND, "tls", false, "10s", 0.2);
    let blocked = Instant::now();
    agent.event("location", is("external"));
    thread::sleep(Duration::from_secs(7).saturating_sub(blocked.elapsed()));
    site.cable.let_everything_through();
    let attached = agent.event("attached", |_| true);
    let round = agent.event("round", |event| event["evidence"]["finding"] == "internal");
    assert_eq!(round["evidence"]["trigger"], "contact_returned", "{round:#}");
    let inside = agent.event("location", is("internal"));
    // A spread of a fifth of a second, and what a busy machine takes. The next round would be due in two minutes.
    assert!(at(&inside) - at(&attached) < 60.0, "{attached:#} {inside:#}");
}

#[test]
fn containers_that_come_and_go_while_a_reference_server_is_away_for_six_seconds_change_nothing() {
    let site = Site::new();
    let agent = site.agent(SECOND, "tls", false, "10s", 1.0);
    // Its start: a location, a server and what that one asks for, in any order.
    let mut start = Vec::new();
    while !["location", "attached", "policy"]
        .iter()
        .all(|name| start.iter().any(|event: &Value| event["event"] == *name))
    {
        start.extend(agent.within(Duration::from_secs(1)));
    }
    assert!(
        start.iter().any(|event| event["event"] == "location" && event["situation"] == "internal"),
        "{start:#?}"
    );
    while !agent.within(Duration::from_secs(5)).is_empty() {}
    let container = Namespace::new();
    site.cable.drop_packets_to(SECOND);
    let away = Instant::now();
    while away.elapsed() < Duration::from_secs(6) {
        site.cable.agent.ip(&["link", "add", "docker0", "type", "bridge"]);
        crate::namespace::cable((&site.cable.agent, "c0"), (&container, "eth0"));
        site.cable.agent.ip(&["link", "set", "c0", "master", "docker0"]);
        site.cable.agent.ip(&["address", "add", "172.17.0.1/16", "dev", "docker0"]);
        for device in ["c0", "docker0"] {
            site.cable.agent.ip(&["link", "set", device, "up"]);
        }
        thread::sleep(Duration::from_millis(700));
        site.cable.agent.ip(&["link", "delete", "c0"]);
        site.cable.agent.ip(&["link", "delete", "docker0"]);
        thread::sleep(Duration::from_millis(300));
    }
    site.cable.let_everything_through();
    // No heartbeat, no round, no search and no verdict: the office's interval of a day is in force all the time.
    let heard = agent.within(Duration::from_secs(4));
    assert_eq!(heard, Vec::<Value>::new());
}

#[test]
fn a_wildcard_of_the_offices_own_domain_is_no_portal() {
    let site = Site::new();
    // Whatever is looked for below the office's domain is there.
    let _names = NameServer::start(
        &site.cable.agent,
        site.folder.path(),
        &[&format!("--address=/corp.example/{SECOND}")],
    );
    let options = "timeout:1 attempts:1\nsearch corp.example";
    site.cable.agent.name_servers(&[NameServer::ADDRESS], options);
    for reference in [NAME, "files"] {
        let agent = site.agent(reference, "tcp", false, "10s", 1.0);
        // Two rounds of bare connections, five seconds apart, unless the first verdict is the first finding.
        agent.event("location", is("internal"));
    }
}

#[test]
fn a_provider_that_answers_every_name_makes_no_machine_captive_that_is_attached() {
    let site = Site::new();
    let _names =
        NameServer::start(&site.cable.agent, site.folder.path(), &[&format!("--address=/#/{THIRD}")]);
    for proof in ["tcp", "tls"] {
        let agent = site.agent("files.other.example", proof, false, "10s", 0.2);
        let verdict = agent.event("location", |_| true);
        assert_eq!(verdict["situation"], "external", "{proof}: {verdict:#}");
        // Rounds of a portal would follow each other by seconds; here the next is the regular one.
        let heard = agent.within(Duration::from_secs(6));
        let of_location = heard.iter().filter(|event| event["event"] == "location").count();
        assert_eq!(of_location, 0, "{proof}: {heard:#?}");
        let rounds = heard.iter().filter(|event| event["event"] == "round").count();
        assert!(rounds <= 3, "{proof}: {heard:#?}");
    }
}
