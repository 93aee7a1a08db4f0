//! `agent`, `manager`, `probe`: what they end with, and what they do when they are asked.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::programs::example;
use crate::server::{Behaviour, Config, Document, Manager};

fn manager() -> Manager {
    Manager::start(Config {
        name: "a".to_owned(),
        https: None,
        http: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
        settings: Document::None,
        policy: Document::Text(bytes::Bytes::from_static(b"{}")),
        behaviour: Behaviour::Well,
    })
    .unwrap()
}

/// A port at which nothing listens.
fn closed() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// Settings with one server over plain http.
fn settings(id: &str, port: u16) -> Value {
    let server = json!({ "address": "127.0.0.1", "protocol": "http", "http_port": port, "id": id });
    json!({ "server_lists": [{ "name": "l", "priorities": [{ "servers": [server] }] }] })
}

fn written(path: &Path, document: &Value) {
    fs::write(path, document.to_string()).unwrap();
}

/// Killed with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already, or it does now.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn an_agent_that_never_attached_has_failed() {
    let (folder, a) = (tempfile::tempdir().unwrap(), manager());
    let path = folder.path().join("settings.json");
    for (port, status) in [(closed(), 1), (a.http.unwrap().port(), 0)] {
        written(&path, &settings("a", port));
        let ended = example("agent").arg("--settings").arg(&path).args(["--for", "1s"]).output().unwrap();
        let told = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(status), "{told}");
        assert_eq!(told.contains("agent: no server was attached within 1s"), status == 1, "{told}");
    }
}

#[test]
fn a_hangup_reloads_the_settings_and_bad_ones_change_nothing() {
    let (folder, a, b) = (tempfile::tempdir().unwrap(), manager(), manager());
    let path = folder.path().join("settings.json");
    written(&path, &settings("first-server-with-a-long-name", a.http.unwrap().port()));
    // An agent leaves a server that new settings no longer name within a minute.
    let tuning = folder.path().join("tuning.json");
    written(&tuning, &json!({ "attachment": { "settings_spread": "1s" } }));
    let mut agent = example("agent");
    agent.arg("--settings").arg(&path).arg("--tuning").arg(&tuning);
    agent.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut agent = Running(agent.spawn().unwrap());
    let mut lines = BufReader::new(agent.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut told = BufReader::new(agent.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    let mut attached = |server: &str| {
        let line = lines.find(|line| line.contains("ATTACHED")).unwrap();
        assert!(line.contains(server), "{line}");
        line
    };
    let line = attached("first-server-with-a-long-name ");
    assert!(line.chars().count() <= 100, "{line}");
    let hangup = || kill_process(Pid::from_child(&agent.0), Signal::HUP).unwrap();

    fs::write(&path, "{ \"server_list\": [] }").unwrap();
    hangup();
    let kept = told.find(|line| line.starts_with("agent: the settings stay as they are: ")).unwrap();
    assert!(kept.contains("server_list: unknown field; did you mean `server_lists`?"), "{kept}");

    written(&path, &settings("second", b.http.unwrap().port()));
    hangup();
    attached("second ");
}

#[test]
fn a_state_folder_that_cannot_be_used_is_told_at_the_start() {
    let (folder, a) = (tempfile::tempdir().unwrap(), manager());
    let path = folder.path().join("settings.json");
    written(&path, &settings("a", a.http.unwrap().port()));
    let mut agent = example("agent");
    agent.arg("--settings").arg(&path).args(["--for", "5s", "--json"]);
    let ended = agent.arg("--state").arg(folder.path().join("no/such/folder")).output().unwrap();
    assert_eq!(ended.status.code(), Some(0), "it goes on without");
    let told = String::from_utf8_lossy(&ended.stdout);
    let problem = told.lines().find(|line| line.contains("\"store_problem\"")).unwrap();
    assert!(problem.contains("nothing can be kept for the next start: cannot use"), "{problem}");
}

#[test]
fn a_manager_without_its_port_leaves_the_authority_of_another_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    fs::write(&path, "of another manager").unwrap();
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ended = example("manager")
        .args(["--https", &address, "--ca-out"])
        .arg(&path)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(ended.status.code(), Some(1));
    assert_eq!(fs::read_to_string(&path).unwrap(), "of another manager");
}

#[test]
fn a_probe_asks_the_reference_servers_and_no_management_server() {
    let (folder, a) = (tempfile::tempdir().unwrap(), manager());
    let path = folder.path().join("settings.json");
    // It accepts connections and never says a word.
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = silent.local_addr().unwrap().port();
    let mut document = settings("a", a.http.unwrap().port());
    document["reference_servers"] =
        json!({ "servers": [{ "address": "127.0.0.1", "ports": [port], "proof": "tls" }] });
    document["location"] = json!({ "required_proof": "tcp" });
    document["locations"] =
        json!([{ "name": "on", "when": ["external"], "communication": { "enabled": true } }]);
    written(&path, &document);
    let probe = |more: &[&str]| {
        let ended = example("probe").arg("--settings").arg(&path).args(more).output().unwrap();
        (ended.status.code(), String::from_utf8_lossy(&ended.stdout).into_owned())
    };
    let (status, page) = probe(&[]);
    assert_eq!(status, Some(1), "{page}");
    assert!(page.contains("verdict: external: 1 of 1 reference servers did not answer"), "{page}");
    assert_eq!(a.counts().connections, 0, "{page}");
    let (status, page) = probe(&["--with-management"]);
    assert_eq!(status, Some(0), "{page}");
    assert!(a.counts().attach > 0, "{page}");
}

#[test]
fn no_program_minds_when_nothing_reads_its_output() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("settings.json");
    written(&path, &settings("a", closed()));
    let with = |name: &str, arguments: &[&str]| {
        let mut program = example(name);
        program.args(arguments);
        program
    };
    let file = path.to_str().unwrap();
    let mut ten_lines = with("ten_lines", &[]);
    ten_lines.current_dir(folder.path());
    let programs: [(&str, Command); 11] = [
        ("ten_lines", ten_lines),
        ("the story", with("agent", &[])),
        ("agent", with("agent", &["--settings", file, "--for", "1s"])),
        ("agent --json", with("agent", &["--settings", file, "--for", "1s", "--json"])),
        ("agent --help", with("agent", &["--help"])),
        ("probe", with("probe", &[])),
        ("probe --help", with("probe", &["--help"])),
        ("check", with("check", &[file])),
        ("inspect --help", with("inspect", &["--help"])),
        ("manager --help", with("manager", &["--help"])),
        ("drive", with("drive", &[file, "agent-1"])),
    ];
    for (name, mut program) in programs {
        let mut process = Running(
            program.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap(),
        );
        drop(process.0.stdout.take());
        let mut told = String::new();
        process.0.stderr.take().unwrap().read_to_string(&mut told).unwrap();
        assert!(!told.contains("panicked"), "{name}: {told}");
        assert_ne!(process.0.wait().unwrap().code(), Some(101), "{name}: {told}");
    }
}
