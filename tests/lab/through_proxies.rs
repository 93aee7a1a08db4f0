//! A manager that is reached through proxies nobody here wrote.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use crate::agent::Agent;
use crate::certificates::Certificates;
use crate::manager::Manager;
use crate::namespace::Cable;
use crate::proxy::{Kind, PASSWORD, PORT, Proxy, USER};

const SERVER: &str = Cable::SERVERS[0];
const PROXY: &str = Cable::SERVERS[1];
const PAGE: &str = "http://10.77.0.11:8014/stats";

/// A manager, and a proxy beside it.
struct Site {
    folder: TempDir,
    cable: Cable,
    certificates: Certificates,
    manager: Manager,
    _proxy: Proxy,
}

impl Site {
    fn new(kind: Kind, basic: bool) -> Self {
        let folder = tempdir().unwrap();
        let cable = Cable::new();
        let certificates = Certificates::new(folder.path(), &Cable::SERVERS);
        let manager = Manager::start(&cable.servers, &certificates, SERVER, "well");
        let proxy = Proxy::start(kind, &cable.servers, folder.path(), PROXY, basic, PAGE);
        Self { folder, cable, certificates, manager, _proxy: proxy }
    }

    fn agent(&self, server: Value, routes: &[&str]) -> Agent {
        let folder: &Path = self.folder.path();
        let routes: Vec<&str> = routes.iter().flat_map(|route| ["--route", route]).collect();
        Agent::start_with(&self.cable.agent, folder, &self.certificates.authority, &[server], &routes)
    }
}

/// The proxy as the example agent writes it, with this before its address.
fn route(before: &str) -> String {
    format!("{before}{PROXY}:{PORT}")
}

fn beats_through(kind: Kind) {
    for (basic, protocol) in [(false, "https"), (true, "https"), (true, "http")] {
        let site = Site::new(kind, basic);
        let with = if basic { format!("{USER}:{PASSWORD}@") } else { String::new() };
        let server = json!({ "address": SERVER, "id": "behind", "protocol": protocol });
        let agent = site.agent(server, &[&route(&with)]);
        agent.never("attempt_failed", "attached");
        for _ in 0..3 {
            agent.about("heartbeat", "behind");
        }
        assert_eq!(site.manager.count(&site.cable.servers, "attach"), 1, "{kind:?} {basic} {protocol}");
    }
}

#[test]
fn squid_opens_the_way_with_and_without_a_password() {
    beats_through(Kind::Squid);
}

#[test]
fn tinyproxy_opens_the_way_with_and_without_a_password() {
    beats_through(Kind::Tinyproxy);
}

#[test]
fn a_wrong_password_and_a_forbidden_port_are_told_and_passed() {
    for kind in [Kind::Squid, Kind::Tinyproxy] {
        let site = Site::new(kind, true);
        let wrong = route(&format!("{USER}:wrong@"));
        let right = route(&format!("{USER}:{PASSWORD}@"));
        let server = |port| json!({ "address": SERVER, "id": "behind", "https_port": port });
        // tinyproxy answers a wrong password with the status of a server that wants one.
        let answer = if kind == Kind::Tinyproxy { "401" } else { "407" };
        for (wrong, port, expected) in [(&wrong, 443, answer), (&route(""), 443, "407"), (&right, 444, "403")]
        {
            let agent = site.agent(server(port), &[wrong]);
            let event = agent.about("attempt_failed", "behind");
            assert_eq!(event["class"], "proxy", "{kind:?} {event}");
            assert!(event["detail"].as_str().unwrap().contains(expected), "{kind:?} {event}");
        }
        // The next way within the same attempt: nothing fails.
        for next in ["direct", &right] {
            let agent = site.agent(server(443), &[&wrong, next]);
            agent.never("attempt_failed", "attached");
        }
    }
}

/// The name of a server that the agent and the proxy know under different addresses.
const NAME: &str = "manager.lab";

#[test]
fn a_way_that_opens_and_leads_to_another_is_passed_by_the_next() {
    for behaviour in ["wrong-certificate", "status:502", "silent"] {
        for (agent_finds, proxy_finds, first) in [(PROXY, SERVER, "direct"), (SERVER, PROXY, "proxy")] {
            let folder = tempdir().unwrap();
            let cable = Cable::new();
            cable.agent.names(&[(NAME, &[agent_finds])]);
            cable.servers.names(&[(NAME, &[proxy_finds])]);
            let certificates = Certificates::new(folder.path(), &[NAME]);
            let well = Manager::start(&cable.servers, &certificates, SERVER, "well");
            let _other = Manager::start(&cable.servers, &certificates, PROXY, behaviour);
            let _proxy = Proxy::start(Kind::Squid, &cable.servers, folder.path(), PROXY, false, PAGE);
            let site = (folder, cable, certificates);
            let proxy = route("");
            let routes = if first == "direct" { ["direct", &proxy] } else { [&proxy, "direct"] };
            let routes: Vec<&str> = routes.iter().flat_map(|route| ["--route", route]).collect();
            let server = json!({ "address": NAME, "id": "behind" });
            let agent =
                Agent::start_with(&site.1.agent, site.0.path(), &site.2.authority, &[server], &routes);
            agent.never("attempt_failed", "attached");
            agent.beats_calmly("behind", 2);
            assert_eq!(well.count(&site.1.servers, "attach"), 1, "{behaviour}, {first} first");
        }
    }
}
