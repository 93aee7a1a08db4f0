//! Names that dnsmasq answers for: slowly, with nothing, with the wrong thing, or with more than is true.

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::agent::{Agent, Conditions};
use crate::certificates::Certificates;
use crate::manager::Manager;
use crate::name_server::NameServer;
use crate::namespace::Cable;
use crate::process::Process;

const FIRST: &str = Cable::SERVERS[0];
const SECOND: &str = Cable::SERVERS[1];
const THIRD: &str = Cable::SERVERS[2];

/// The name of a server.
const NAME: &str = "manager.lab";

fn servers<const N: usize>(addresses: [&str; N]) -> [Value; N] {
    addresses.map(|address| json!({ "address": address, "id": address }))
}

#[test]
fn a_slow_name_server_costs_time_and_nobody_is_charged() {
    let folder = tempdir().unwrap();
    let cable = Cable::new();
    let certificates = Certificates::new(folder.path(), &[NAME]);
    let manager = Manager::start(&cable.servers, &certificates, FIRST, "well");
    let record = format!("--host-record={NAME},{FIRST}");
    let names = NameServer::start(&cable.agent, folder.path(), &[&record]);
    // The first of two never answers, so every look-up takes the second that it is waited for.
    cable.agent.name_servers(&["127.0.0.2", NameServer::ADDRESS], "timeout:1 attempts:1");
    cable.agent.drop_own_packets_to("127.0.0.2");
    // In earnest a look-up may take 5 s.
    let conditions = Conditions { time_scale: 1.0, ..Conditions::default() };
    let agent = Agent::start_under(
        &conditions,
        &cable.agent,
        folder.path(),
        &certificates.authority,
        &servers([NAME]),
    );
    agent.never("attempt_failed", "attached");
    assert!(cable.dropped_packets() > 0, "the name server was not slow");
    assert_eq!(names.asked_for(NAME), 1);
    assert_eq!(manager.count(&cable.servers, "attach"), 1);
}

#[test]
fn a_name_that_does_not_exist_or_has_no_address_or_is_refused_costs_its_own_server_only() {
    let folder = tempdir().unwrap();
    let cable = Cable::new();
    let certificates = Certificates::new(folder.path(), &Cable::SERVERS);
    let manager = Manager::start(&cable.servers, &certificates, FIRST, "well");
    // Of lab it knows everything, and one name that has a text and no address; of all else nothing.
    let names =
        NameServer::start(&cable.agent, folder.path(), &["--local=/lab/", "--txt-record=empty.lab,nothing"]);
    let agent = Agent::start(
        &cable.agent,
        folder.path(),
        &certificates.authority,
        &servers(["missing.lab", "empty.lab", "unknown.elsewhere", FIRST]),
    );
    let events = agent.until("attached");
    let failed = events.iter().filter(|event| event["event"] == "attempt_failed");
    let mut failed: Vec<_> =
        failed.map(|event| (event["server"].as_str().unwrap(), event["class"].as_str().unwrap())).collect();
    failed.sort_unstable();
    assert_eq!(failed, [("empty.lab", "name"), ("missing.lab", "name"), ("unknown.elsewhere", "name")]);
    assert_eq!(events.last().unwrap()["server"], FIRST);
    for name in ["missing.lab", "empty.lab", "unknown.elsewhere"] {
        assert!(names.asked_for(name) > 0, "{name}");
    }
    assert_eq!(manager.count(&cable.servers, "attach"), 1);
}

#[test]
fn a_name_that_leads_to_another_machine_meets_a_certificate_that_is_not_its_own() {
    let folder = tempdir().unwrap();
    let cable = Cable::new();
    let certificates = Certificates::new(folder.path(), &Cable::SERVERS);
    let [other, own] =
        [SECOND, THIRD].map(|address| Manager::start(&cable.servers, &certificates, address, "well"));
    let record = format!("--host-record={NAME},{SECOND}");
    let names = NameServer::start(&cable.agent, folder.path(), &[&record]);
    let agent = Agent::start(&cable.agent, folder.path(), &certificates.authority, &servers([NAME, THIRD]));
    agent.fails(NAME, "certificate");
    agent.attaches_to(THIRD);
    assert_eq!(names.asked_for(NAME), 1);
    assert_eq!((other.count(&cable.servers, "attach"), own.count(&cable.servers, "attach")), (0, 1));
}

#[test]
fn of_two_addresses_of_a_name_the_dead_one_is_no_failure() {
    let folder = tempdir().unwrap();
    let cable = Cable::new();
    let certificates = Certificates::new(folder.path(), &[NAME]);
    let alive = Manager::start(&cable.servers, &certificates, SECOND, "well");
    cable.drop_packets_to(FIRST);
    let (dead, living) = (format!("--host-record={NAME},{FIRST}"), format!("--host-record={NAME},{SECOND}"));
    let names = NameServer::start(&cable.agent, folder.path(), &[&dead, &living]);
    let agent = Agent::start(&cable.agent, folder.path(), &certificates.authority, &servers([NAME]));
    agent.never("attempt_failed", "attached");
    agent.beats_calmly(NAME, 3);
    assert!(cable.dropped_packets() > 0, "nobody tried the dead address");
    assert_eq!((names.asked_for(NAME), alive.count(&cable.servers, "attach")), (1, 1));
}

#[test]
fn names_of_a_zone_whose_name_server_is_silent_do_not_hold_up_the_others() {
    const BIND: &str = "import socket, time\n\
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n\
        s.bind((\"127.0.0.2\", 53))\nprint(\"silent\", flush=True)\ntime.sleep(600)";
    let folder = tempdir().unwrap();
    let cable = Cable::new();
    let certificates = Certificates::new(folder.path(), &["e.lab", "f.lab"]);
    let managers = [FIRST, SECOND].map(|at| Manager::start(&cable.servers, &certificates, at, "well"));
    let silent = Process::start(cable.agent.command("python3").args(["-c", BIND]));
    silent.line("it is bound", |line| (line == "silent").then_some(()));
    let records = [format!("--host-record=e.lab,{FIRST}"), format!("--host-record=f.lab,{SECOND}")];
    let names = NameServer::start(
        &cable.agent,
        folder.path(),
        &["--server=/silent/127.0.0.2", &records[0], &records[1]],
    );
    // The system's resolver gives up after two and a half minutes, and a look-up may take so long.
    cable.agent.name_servers(&[NameServer::ADDRESS], "timeout:30 attempts:5");
    let priorities = [["a.silent", "b.silent"], ["c.silent", "d.silent"], ["e.lab", "f.lab"]];
    let priorities = priorities.map(|names| Value::Array(servers(names).to_vec()));
    let conditions = Conditions {
        time_scale: 1.0,
        patience: 1.0,
        constants: json!({ "attachment": { "name_limit": "10m", "attempt_limit": "20m" } }),
        ..Conditions::default()
    };
    let agent =
        Agent::start_under(&conditions, &cable.agent, folder.path(), &certificates.authority, &priorities);
    // No look-up has ended by then.
    agent.never("attempt_failed", "attached");
    assert!(names.asked_for("a.silent") > 0, "the zone was not asked");
    let attached: u64 = managers.iter().map(|manager| manager.count(&cable.servers, "attach")).sum();
    assert!(attached >= 1);
}
