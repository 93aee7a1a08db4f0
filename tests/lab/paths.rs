//! What a connection runs over, asked of the kernel by a real client: cables, tunnels, what lies upon them, addresses that
//! several interfaces have, and routes that depend on more than the address.

use std::thread;
use std::time::Duration;

use serde_json::json;
use tempfile::{TempDir, tempdir};

use crate::certificates::Certificates;
use crate::daemons::Daemon;
use crate::manager::Manager;
use crate::namespace::{Namespace, cable, tunnel};
use crate::patience::BOUND;
use crate::process::Process;
use crate::proxy::{Kind, PORT, Proxy};
use crate::traveller::{Guide, Journey, Traveller};

/// The agent's machine on the way to the office.
pub(crate) const AGENT: &str = "10.77.0.1";
/// The server of the office, which manages and is a reference server.
pub(crate) const OFFICE: &str = "10.77.0.11";
/// The agent's machine in its hotel.
pub(crate) const GUEST: &str = "10.66.0.2";

/// An agent's machine, an office, and a hotel in which nobody answers.
pub(crate) struct Net {
    // The devices of tunnels go before the namespaces they are in.
    tunnels: Vec<Process>,
    folder: TempDir,
    certificates: Certificates,
    manager: Option<Manager>,
    portal: Option<Daemon>,
    pub(crate) agent: Namespace,
    pub(crate) office: Namespace,
    hotel: Namespace,
}

impl Net {
    pub(crate) fn new() -> Self {
        let folder = tempdir().unwrap();
        let certificates = Certificates::new(folder.path(), &[OFFICE, AGENT, "files.lab"]);
        let (agent, office, hotel) = (Namespace::new(), Namespace::new(), Namespace::new());
        Self { tunnels: Vec::new(), folder, certificates, manager: None, portal: None, agent, office, hotel }
    }

    /// The machine is in its hotel, by `wlan0`, which leads everywhere.
    pub(crate) fn in_the_hotel(&self) {
        cable((&self.agent, "wlan0"), (&self.hotel, "eth0"));
        self.agent.ip(&["address", "add", &format!("{GUEST}/24"), "dev", "wlan0"]);
        self.hotel.ip(&["address", "add", "10.66.0.1/24", "dev", "eth0"]);
        self.agent.ip(&["link", "set", "wlan0", "up"]);
        self.hotel.ip(&["link", "set", "eth0", "up"]);
        self.agent.ip(&["route", "add", "default", "via", "10.66.0.1"]);
    }

    /// A cable or a tunnel to the office, without addresses.
    pub(crate) fn way(&mut self, kind: &str, name: &str) {
        if kind == "veth" {
            cable((&self.agent, name), (&self.office, name));
        } else {
            self.tunnels.push(tunnel(&self.agent, &self.office, name, kind));
        }
        for end in [&self.agent, &self.office] {
            end.ip(&["link", "set", name, "up"]);
        }
    }

    /// The office's end has its address, and somebody is there or not.
    pub(crate) fn office_at(&mut self, device: &str, is_there: bool) {
        self.office.ip(&["address", "add", &format!("{OFFICE}/24"), "dev", device]);
        if is_there {
            self.manager = Some(Manager::start(&self.office, &self.certificates, OFFICE, "well"));
        }
    }

    /// Every port of every address is the hotel's, which has a web server and no certificate of the office.
    pub(crate) fn hotel_answers_for_everybody(&mut self) {
        self.hotel.ip(&["route", "add", "local", "default", "dev", "lo"]);
        self.hotel.ip(&["route", "add", "10.66.0.0/24", "dev", "eth0", "table", "local"]);
        let foreign = self.folder.path().join("hotel");
        std::fs::create_dir(&foreign).unwrap();
        let certificates = Certificates::new(&foreign, &[OFFICE]);
        self.portal = Some(Daemon::web(&self.hotel, &foreign, &certificates, "0.0.0.0"));
    }

    /// A packet filter marks what goes to the office.
    pub(crate) fn mark_what_goes_to_the_office(&self) {
        self.agent.nft("add table ip marks");
        self.agent.nft("add chain ip marks output { type route hook output priority 0; }");
        self.agent
            .nft(&format!("add rule ip marks output ip daddr {OFFICE} meta l4proto tcp meta mark set 7"));
    }

    fn agent_at(&self, device: &str) {
        self.agent.ip(&["address", "add", &format!("{AGENT}/24"), "dev", device]);
    }

    /// An interface upon, or above, the way.
    pub(crate) fn above(&self, kind: &str, name: &str, below: &str) {
        match kind {
            "bridge" => {
                self.agent.ip(&["link", "add", name, "type", "bridge"]);
                self.agent.ip(&["link", "set", below, "master", name]);
            }
            "macvlan" => {
                self.agent.ip(&["link", "add", name, "link", below, "type", "macvlan", "mode", "bridge"]);
            }
            other => panic!("{other}"),
        }
        self.agent.ip(&["link", "set", name, "up"]);
    }

    pub(crate) fn traveller(&self, server: &str, journey: &Journey<'_>) -> Traveller {
        Traveller::start(&self.agent, self.folder.path(), &self.certificates, server, journey)
    }

    /// Both guides say the same, and the settings can say that a tunnel is as good as a cable.
    fn says(&self, expected: &str) {
        let travellers = [Guide::Management, Guide::References]
            .map(|guide| (guide, self.traveller(OFFICE, &Journey { guide, ..by_references("tls") })));
        for (guide, traveller) in travellers {
            let verdict = traveller.verdict();
            assert_eq!(verdict["situation"], expected, "{guide:?}: {verdict:#}");
            assert_eq!(verdict["location"] == "Office", expected == "internal", "{verdict:#}");
        }
        let rules = json!({ "tunnel_proves_internal": true });
        let believing = self.traveller(OFFICE, &Journey { rules, ..by_references("tls") });
        assert_eq!(believing.verdict()["situation"], "internal");
    }
}

/// By reference servers that give this proof, which is what is asked for; they have all the time they need.
fn by_references(proof: &str) -> Journey<'_> {
    let rules = json!({ "required_proof": proof });
    Journey { guide: Guide::References, rules, proof, more: &[], patience: 10.0 }
}

#[test]
fn interfaces_upon_a_cable_are_a_cable() {
    for kind in ["", "bridge", "macvlan"] {
        let mut net = Net::new();
        net.way("veth", "eth0");
        net.office_at("eth0", true);
        if kind.is_empty() {
            net.agent_at("eth0");
        } else {
            net.above(kind, "top0", "eth0");
            net.agent_at("top0");
        }
        net.says("internal");
    }
}

#[test]
fn interfaces_upon_a_tunnel_are_a_tunnel() {
    for (kind, above) in [("tun", ""), ("tap", ""), ("tap", "bridge"), ("tap", "macvlan")] {
        let mut net = Net::new();
        net.in_the_hotel();
        net.way(kind, "eth0");
        net.office_at("eth0", true);
        if above.is_empty() {
            net.agent_at("eth0");
        } else {
            net.above(above, "top0", "eth0");
            net.agent_at("top0");
        }
        net.says("internal_via_vpn");
    }
}

#[test]
fn an_address_that_two_interfaces_have_cannot_be_told() {
    for (kind, first) in [("tun", true), ("tun", false), ("veth", false)] {
        let mut net = Net::new();
        let share = |net: &Net| net.agent.ip(&["address", "add", &format!("{AGENT}/32"), "dev", "wlan0"]);
        net.in_the_hotel();
        if first {
            share(&net);
        }
        net.way(kind, "eth0");
        net.office_at("eth0", true);
        net.agent_at("eth0");
        if !first {
            share(&net);
        }
        net.says("internal_via_vpn");
    }
}

#[test]
fn a_tunnel_without_an_address_of_its_own_is_a_tunnel() {
    let mut net = Net::new();
    net.in_the_hotel();
    net.way("tun", "vpn0");
    net.office_at("vpn0", true);
    net.agent.ip(&["route", "add", "10.77.0.0/24", "dev", "vpn0", "src", GUEST]);
    net.office.ip(&["route", "add", GUEST, "dev", "vpn0"]);
    net.says("internal_via_vpn");
}

/// By what a rule may lead to the office.
const RULES: [&[&str]; 5] = [
    &["to", OFFICE],
    &["from", GUEST],
    &["uidrange", "0-0"],
    &["ipproto", "tcp", "dport", "443"],
    // A packet filter marks what leaves.
    &["fwmark", "7"],
];

/// The machine is in its hotel, and a rule leads to the office by `vpn0`.
fn led_by(rule: &[&str], kind: &str) -> Net {
    let mut net = Net::new();
    net.in_the_hotel();
    net.way(kind, "vpn0");
    net.office_at("vpn0", true);
    net.office.ip(&["route", "add", GUEST, "dev", "vpn0"]);
    net.agent.ip(&["route", "add", OFFICE, "dev", "vpn0", "src", GUEST, "table", "100"]);
    net.agent.ip(&[&["rule", "add"], rule, &["lookup", "100"]].concat());
    if rule[0] == "fwmark" {
        net.mark_what_goes_to_the_office();
    }
    net
}

#[test]
fn rules_that_lead_one_server_elsewhere_are_followed() {
    for (kind, expected) in [("tun", "internal_via_vpn"), ("veth", "internal")] {
        for rule in RULES {
            led_by(rule, kind).says(expected);
        }
    }
}

#[test]
fn a_way_that_only_a_rule_leads_to_is_watched() {
    thread::scope(|scope| {
        for rule in RULES {
            scope.spawn(move || {
                let net = led_by(rule, "veth");
                let traveller = net.traveller(OFFICE, &Journey { patience: 3.0, ..by_references("tls") });
                assert_eq!(traveller.verdict()["situation"], "internal", "{rule:?}");
                // Only a network change makes a round before ten minutes are over, and only then is one enough.
                net.agent.ip(&["link", "delete", "vpn0"]);
                assert_eq!(traveller.verdict()["situation"], "external", "{rule:?}");
            });
        }
    });
}

#[test]
fn a_server_that_is_this_machine_itself_shows_nothing() {
    for proof in ["tcp", "tls"] {
        let mut net = Net::new();
        net.way("veth", "eth0");
        net.agent_at("eth0");
        let _here = Manager::start(&net.agent, &net.certificates, AGENT, "well");
        for server in [AGENT, "files.lab"] {
            net.agent.names(&[("files.lab", &[AGENT])]);
            let traveller = net.traveller(server, &by_references(proof));
            assert_eq!(traveller.verdict()["situation"], "external", "{server} {proof}");
        }
    }
}

#[test]
fn what_is_behind_a_proxy_cannot_be_told() {
    let mut net = Net::new();
    net.way("veth", "eth0");
    net.office_at("eth0", true);
    net.agent_at("eth0");
    let page = format!("http://{OFFICE}:8014/stats");
    let _proxy = Proxy::start(Kind::Tinyproxy, &net.office, net.folder.path(), OFFICE, false, &page);
    let by_proxy = format!("{OFFICE}:{PORT}");
    for (route, expected) in [("direct", "internal"), (&by_proxy, "internal_via_vpn")] {
        let journey = Journey { guide: Guide::Management, more: &["--route", route], ..by_references("tls") };
        let traveller = net.traveller(OFFICE, &journey);
        assert_eq!(traveller.verdict()["situation"], expected, "{route}");
    }
}

#[test]
fn networks_of_containers_that_come_and_go_are_no_network_change() {
    let mut net = Net::new();
    net.in_the_hotel();
    net.way("veth", "eth0");
    net.office_at("eth0", true);
    net.agent_at("eth0");
    let traveller = net.traveller(OFFICE, &by_references("tls"));
    assert_eq!(traveller.verdict()["situation"], "internal");
    while traveller.round_within(Duration::from_secs(3)).is_some() {}
    let container = Namespace::new();
    for _ in 0..4 {
        net.agent.ip(&["link", "add", "docker0", "type", "bridge"]);
        cable((&net.agent, "c0"), (&container, "eth0"));
        net.agent.ip(&["link", "set", "c0", "master", "docker0"]);
        net.agent.ip(&["address", "add", "172.17.0.1/16", "dev", "docker0"]);
        for device in ["c0", "docker0"] {
            net.agent.ip(&["link", "set", device, "up"]);
        }
        container.ip(&["link", "set", "eth0", "up"]);
        assert_eq!(traveller.round_within(Duration::from_millis(800)), None, "it has come");
        net.agent.ip(&["link", "delete", "c0"]);
        net.agent.ip(&["link", "delete", "docker0"]);
        assert_eq!(traveller.round_within(Duration::from_millis(800)), None, "it has gone");
    }
    assert_eq!(traveller.round_within(Duration::from_secs(5)), None, "nothing was only late");
    // What leads to the office is another matter.
    net.agent.ip(&["link", "set", "eth0", "down"]);
    net.agent.ip(&["link", "set", "eth0", "up"]);
    assert_eq!(traveller.round_within(BOUND).as_deref(), Some("network_changed"));
}
