//! Networks with one family of addresses, and names with one address too many.

use serde_json::json;
use tempfile::{TempDir, tempdir};

use crate::agent::Agent;
use crate::certificates::Certificates;
use crate::manager::Manager;
use crate::namespace::Cable;

const IPV4: &str = Cable::SERVERS[0];
const IPV6: &str = Cable::FIRST_IPV6;

/// The name of both.
const NAME: &str = "manager.lab";

/// One name with an address of each family, and a manager of its own at each, so that one can tell who was reached.
struct Site {
    folder: TempDir,
    cable: Cable,
    certificates: Certificates,
    ipv4: Manager,
    ipv6: Manager,
}

impl Site {
    fn new() -> Self {
        Self::behaving("well", "well")
    }

    /// How the manager at each address behaves.
    fn behaving(ipv4: &str, ipv6: &str) -> Self {
        let folder = tempdir().unwrap();
        let cable = Cable::new();
        let certificates = Certificates::new(folder.path(), &[NAME]);
        let start = |address, behaviour| Manager::start(&cable.servers, &certificates, address, behaviour);
        let (ipv4, ipv6) = (start(IPV4, ipv4), start(IPV6, ipv6));
        cable.agent.names(&[(NAME, &[IPV6, IPV4])]);
        Self { folder, cable, certificates, ipv4, ipv6 }
    }

    /// An agent that attaches without any failure and stays.
    fn attach(&self) -> Agent {
        let server = json!({ "address": NAME, "id": NAME });
        let authority = &self.certificates.authority;
        let agent = Agent::start(&self.cable.agent, self.folder.path(), authority, &[server]);
        agent.never("attempt_failed", "attached");
        agent.beats_calmly(NAME, 2);
        agent
    }

    /// Attaches over IPv4, attaches over IPv6.
    fn attached(&self) -> (u64, u64) {
        let count = |manager: &Manager| manager.count(&self.cable.servers, "attach");
        (count(&self.ipv4), count(&self.ipv6))
    }
}

#[test]
fn on_a_network_of_ipv6_alone_the_name_is_reached_over_ipv6() {
    let site = Site::new();
    site.cable.agent_has_no("-4");
    let _agent = site.attach();
    assert_eq!(site.attached(), (0, 1));
}

#[test]
fn on_a_network_of_ipv4_alone_the_name_is_reached_over_ipv4() {
    let site = Site::new();
    site.cable.agent_has_no("-6");
    let _agent = site.attach();
    assert_eq!(site.attached(), (1, 0));
}

#[test]
fn broken_ipv6_beside_good_ipv4_is_no_failure() {
    let site = Site::new();
    site.cable.drop_packets_to(IPV6);
    let _agent = site.attach();
    assert!(site.cable.dropped_packets() > 0, "nobody tried IPv6");
    assert_eq!(site.attached(), (1, 0));
}

#[test]
fn broken_ipv4_beside_good_ipv6_is_no_failure() {
    let site = Site::new();
    // The system puts IPv4 first, so that it is tried.
    site.cable.agent.etc("gai.conf", "precedence ::ffff:0:0/96 100\n");
    site.cable.drop_packets_to(IPV4);
    let _agent = site.attach();
    assert!(site.cable.dropped_packets() > 0, "nobody tried IPv4");
    assert_eq!(site.attached(), (0, 1));
}

#[test]
fn an_address_that_answers_and_is_not_the_server_is_no_failure_beside_one_that_is() {
    for behaviour in ["wrong-certificate", "status:502", "html", "silent"] {
        // The system puts IPv6 first.
        let site = Site::behaving("well", behaviour);
        let _agent = site.attach();
        assert_eq!(site.ipv4.count(&site.cable.servers, "attach"), 1, "{behaviour}");

        let site = Site::behaving(behaviour, "well");
        site.cable.agent.etc("gai.conf", "precedence ::ffff:0:0/96 100\n");
        let _agent = site.attach();
        assert_eq!(site.ipv6.count(&site.cable.servers, "attach"), 1, "{behaviour}");
    }
}
