//! Where the machine is, on networks that lose packets, answer for everybody, have no names for a while, go away and come
//! back, or lead through a tunnel.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use crate::certificates::Certificates;
use crate::daemons::Daemon;
use crate::locator::{Locator, ask};
use crate::name_server::NameServer;
use crate::namespace::{Cable, Namespace};
use crate::patience::soon;
use crate::tools::{run, tool};

const FIRST: &str = Cable::SERVERS[0];
const SECOND: &str = Cable::SERVERS[1];
const THIRD: &str = Cable::SERVERS[2];
const NAME: &str = "files.lab";

/// An agent whose cable leads to a web server that proves itself, also by the name [`NAME`].
struct Office {
    folder: TempDir,
    cable: Cable,
    certificates: Certificates,
    _web: Daemon,
}

impl Office {
    fn on(cable: Cable) -> Self {
        let folder = tempdir().unwrap();
        let certificates = Certificates::new(folder.path(), &[FIRST, NAME]);
        let web = Daemon::web(&cable.servers, folder.path(), &certificates, FIRST);
        Self { folder, cable, certificates, _web: web }
    }

    /// The web server, asked by this address or name.
    fn reference(&self, address: &str) -> Value {
        json!([{ "address": address, "certificate": { "roots": [{ "bundle": self.certificates.authority }] } }])
    }

    fn locate(&self, servers: &Value) -> Locator {
        Locator::start(&self.cable.agent, self.folder.path(), servers, "tls")
    }
}

fn bare(address: &str) -> Value {
    json!({ "address": address, "proof": "tcp" })
}

/// What the sockets of this machine are doing.
fn sockets(namespace: &Namespace) -> usize {
    let mut list = namespace.command(tool("ss", "iproute2").get_program());
    // Those that wait for the last packet of a connection that has ended belong to nobody.
    run(list.args(["-Htn", "state", "syn-sent", "state", "established"])).lines().count()
}

#[test]
fn who_is_lost_who_is_rejected_and_who_refuses_is_told_apart() {
    let (folder, cable) = (tempdir().unwrap(), Cable::new());
    cable.drop_packets_to(FIRST);
    cable.reject_packets_to(SECOND);
    let servers = json!([bare(FIRST), bare(SECOND), bare(THIRD)]);
    let locator = Locator::patient(1.0, &cable.agent, folder.path(), &servers, "tcp");
    let round = locator.round();
    assert_eq!(round["finding"], "external", "{round:#}");
    let replies: Vec<_> = (0..3).map(|at| round["asked"][at]["reply"].as_str().unwrap()).collect();
    assert_eq!(replies, ["silent", "refused", "refused"], "{round:#}");
    assert!(round["asked"][1]["detail"].as_str().unwrap().contains("unreachable"), "{round:#}");
    assert!(round["asked"][2]["detail"].as_str().unwrap().contains("nothing listens"), "{round:#}");
    assert!(cable.dropped_packets() > 0);
    assert_eq!(locator.verdict(), "external");
}

#[test]
fn a_router_that_has_lost_its_way_out_makes_the_machine_external_not_unknown() {
    let (folder, cable) = (tempdir().unwrap(), Cable::new());
    cable.agent_has_a_way_out();
    cable.servers_have_all_of("10.99.0.0/24");
    cable.no_way_to("10.99.0.0/24");
    let servers = json!([bare("10.99.0.1"), bare("10.99.0.2")]);
    let locator = Locator::start(&cable.agent, folder.path(), &servers, "tcp");
    let round = locator.round();
    assert_eq!(round["finding"], "external", "{round:#}");
    assert_eq!(round["asked"][0]["reply"], "refused", "{round:#}");
    assert_eq!(locator.verdict(), "external");
}

#[test]
fn without_a_network_the_probe_ends_after_one_round_and_says_why() {
    let alone = Namespace::new();
    let asked = |arguments: &[&str]| {
        let output = ask(&alone, arguments);
        let page = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(2), "{page}");
        page
    };
    let page = asked(&["10.99.0.1:443"]);
    assert!(
        page.contains("verdict: unknown: there is no usable network: this machine has no route"),
        "{page}"
    );
    // It ends with its first round, and does not wait for more as on a network that is there.
    let page = asked(&["--json", "10.99.0.1:443"]);
    let rounds: Vec<Value> = page.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let findings: Vec<&Value> = rounds
        .iter()
        .filter(|event| event["event"] == "round")
        .map(|event| &event["evidence"]["finding"])
        .collect();
    assert_eq!(findings, ["no_network"], "{page}");
    assert_eq!(rounds.last().unwrap()["event"], "round", "{page}");
}

#[test]
fn a_round_over_black_holes_opens_at_most_32_sockets_and_leaves_none() {
    let (folder, cable) = (tempdir().unwrap(), Cable::new());
    cable.drop_packets_to("10.77.0.128/25");
    let servers: Vec<Value> = (0..32)
        .map(|number| json!({ "address": format!("10.77.0.{}", 128 + number), "ports": [443, 80, 22, 8443], "proof": "tcp" }))
        .collect();
    cable.servers_have_all_of("10.77.0.128/25");
    // A server has more time than 32 starts take, so that the bound is what stops the next one.
    let locator = Locator::patient(3.0, &cable.agent, folder.path(), &servers.into(), "tcp");
    let mut most = 0;
    let round = loop {
        most = most.max(sockets(&cable.agent));
        if let Some(round) = locator.round_within(Duration::from_millis(50)) {
            break round;
        }
    };
    assert_eq!(most, 32, "sockets at once");
    assert_eq!(round["finding"], "external", "{round:#}");
    assert!(cable.dropped_packets() >= 128, "not everybody was asked");
    soon("every socket is closed", || (sockets(&cable.agent) == 0).then_some(()));
}

#[test]
fn a_portal_that_answers_for_every_address_and_name_is_captive_and_never_internal() {
    let (folder, cable) = (tempdir().unwrap(), Cable::new());
    cable.agent_has_a_way_out();
    cable.servers_answer_for_everybody();
    let names = NameServer::start(&cable.agent, folder.path(), &[&format!("--address=/#/{THIRD}")]);
    // The portal has port 443 of every address, with a certificate of an authority of its own.
    let (portal, office) = (tempdir().unwrap(), tempdir().unwrap());
    let certificates = Certificates::new(portal.path(), &["10.99.0.1", "intranet.corp.example"]);
    let _portal = Daemon::web(&cable.servers, portal.path(), &certificates, "0.0.0.0");
    let policy = json!({ "roots": [{ "bundle": Certificates::new(office.path(), &[]).authority }] });
    for (servers, required) in [
        (json!([bare("10.99.0.1"), bare("intranet.corp.example")]), "tcp"),
        (
            json!([{ "address": "10.99.0.1", "certificate": policy },
                   { "address": "intranet.corp.example", "certificate": policy }]),
            "tls",
        ),
    ] {
        let locator = Locator::start(&cable.agent, folder.path(), &servers, required);
        let round = locator.round();
        assert_eq!(round["finding"], "captive", "{required}: {round:#}");
        // The address is enough, so the name may not have been answered yet.
        assert_eq!(round["control"][0]["reply"], "answered", "{round:#}");
        assert_eq!(locator.verdict(), "captive");
    }
    soon("the name of the control is asked for", || names.asked_below("invalid").then_some(()));
}

#[test]
fn names_that_are_dead_for_eight_seconds_while_the_machine_roams_change_nothing() {
    let office = Office::on(Cable::new());
    let record = format!("--host-record={NAME},{FIRST}");
    let start = |folder: &Path| NameServer::start(&office.cable.agent, folder, &[&record]);
    let names = start(office.folder.path());
    office.cable.agent_has_a_way_out();
    let locator = office.locate(&office.reference(NAME));
    assert_eq!(locator.verdict(), "internal");
    // Another access point, whose name service comes eight seconds later.
    drop(names);
    office.cable.unplug();
    office.cable.plug();
    office.cable.agent_has_a_way_out();
    let dead = Instant::now();
    let round = locator.calm_round("no_names");
    assert_eq!(round["trigger"], "network_changed", "{round:#}");
    thread::sleep(Duration::from_secs(8).saturating_sub(dead.elapsed()));
    let again = tempdir().unwrap();
    let _names = start(again.path());
    locator.calm_round("internal");
}

#[test]
fn an_interface_that_goes_away_and_returns_is_followed() {
    let office = Office::on(Cable::new());
    office.cable.unplug();
    let locator = office.locate(&office.reference(FIRST));
    // The link comes up five seconds after the program: until then nothing is claimed.
    assert_eq!(locator.verdict_within(Duration::from_secs(5)), None);
    office.cable.plug();
    let plugged = Instant::now();
    assert_eq!(locator.verdict(), "internal");
    assert!(
        plugged.elapsed() < Duration::from_secs(80),
        "eight seconds and a factor: {:?}",
        plugged.elapsed()
    );
    // Away for a moment: nothing changes.
    office.cable.unplug();
    thread::sleep(Duration::from_secs(2));
    office.cable.plug();
    let round = locator.calm_round("internal");
    assert_eq!(round["trigger"], "network_changed", "{round:#}");
    // It returns, and what proved the inside is no longer there: one complete round is enough.
    office.cable.drop_packets_to(FIRST);
    office.cable.unplug();
    office.cable.plug();
    let (rounds, situation) = locator.rounds_until_verdict();
    assert_eq!(situation, "external");
    assert_eq!(rounds.iter().filter(|round| round["finding"] == "external").count(), 1, "{rounds:#?}");
}

#[test]
fn behind_a_tunnel_the_machine_is_internal_via_vpn() {
    // A cable between two TUN devices: a point-to-point interface that a program has made, as a VPN is.
    let office = Office::on(Cable::late(Duration::from_millis(1)));
    let locator = office.locate(&office.reference(FIRST));
    let round = locator.round();
    assert_eq!(
        (&round["finding"], &round["proof"]),
        (&json!("internal_via_vpn"), &json!("tls")),
        "{round:#}"
    );
    assert_eq!(locator.verdict(), "internal_via_vpn");
}

#[test]
fn the_control_is_asked_by_the_interface_that_leads_to_the_reference_server() {
    let (folder, cable) = (tempdir().unwrap(), Cable::new());
    // The way to everywhere leads to somebody who answers for everybody, the second cable to the office.
    cable.agent_has_a_way_out();
    let office = cable.second();
    cable.servers_answer_for_everybody();
    let certificates = Certificates::new(folder.path(), &[office]);
    let _web = Daemon::web(&cable.servers, folder.path(), &certificates, "0.0.0.0");
    for (reference, finding, control) in [(office, "internal", "silent"), (FIRST, "captive", "answered")] {
        let locator = Locator::start(&cable.agent, folder.path(), &json!([bare(reference)]), "tcp");
        let round = locator.round();
        assert_eq!(
            (&round["finding"], &round["control"][0]["reply"]),
            (&json!(finding), &json!(control)),
            "{round:#}"
        );
    }
    assert!(cable.dropped_packets() > 0, "nobody asked on the second cable");
}
