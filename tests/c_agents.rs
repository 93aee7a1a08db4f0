//! Programs on the managed client: the agents of examples/c, and those of the README, as a user builds and runs them.
//!
//! What is written in C and C++ runs with the address and the undefined behaviour sanitizers on its own code.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the helpers of a test may give up as the test itself may"
)]

#[allow(dead_code, reason = "the tests need only some of what is there")]
mod installed;
#[path = "../examples/manager/server/mod.rs"]
#[allow(dead_code, reason = "the tests need only some of what a manager can do")]
mod server;

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use installed::{folder, installed, prefix, root, succeeds};
use server::{Behaviour, Config, Document, Manager};

/// Only a test that fails waits this long.
const BOUND: Duration = Duration::from_secs(100);

const SANITIZE: [&str; 5] =
    ["-O1", "-g", "-Werror", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"];

fn examples() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = folder("examples");
        for entry in fs::read_dir(root().join("examples/c")).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
        }
        let mut make = installed("make");
        make.arg("-C").arg(&folder).args(["agent", "agent-cpp", "report"]);
        make.env_remove("MAKEFLAGS").env_remove("MAKELEVEL");
        let flags = SANITIZE.join(" ");
        make.env("CFLAGS", &flags).env("CXXFLAGS", &flags).env("LDFLAGS", SANITIZE[3]);
        succeeds(&mut make);
        folder
    })
}

/// The three programs: C, C++, Python.
fn programs() -> [Command; 3] {
    let mut python = installed("python3");
    python.arg(examples().join("agent.py")).env("LIBHOMING", prefix().join("lib/libhoming.so"));
    [installed(examples().join("agent")), installed(examples().join("agent-cpp")), python]
}

/// A program at work, and the lines it prints. It is killed when the test is over and it is not.
struct Agent {
    process: Child,
    lines: Receiver<String>,
}

impl Agent {
    fn start(mut program: Command) -> Self {
        let mut process = program.stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let (send, lines) = channel();
        thread::spawn(move || {
            // Nobody listens any more: the test is over.
            output
                .lines()
                .map_while(Result::ok)
                .take_while(|line| send.send(line.clone()).is_ok())
                .for_each(drop);
        });
        Self { process, lines }
    }

    /// What is printed up to the first line with this in it.
    fn until(&self, part: &str) -> Vec<String> {
        let mut seen = Vec::new();
        loop {
            let Ok(line) = self.lines.recv_timeout(BOUND) else { panic!("no {part} after {seen:#?}") };
            let found = line.contains(part);
            seen.push(line);
            if found {
                return seen;
            }
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }

    /// The last lines, and with which number it ended.
    fn end(mut self) -> (Vec<String>, Option<i32>) {
        let last = self.lines.iter().collect();
        (last, self.process.wait().unwrap().code())
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // It has ended already, or it does now.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn manager(name: &str) -> Manager {
    Manager::start(Config {
        name: name.to_owned(),
        https: None,
        http: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
        settings: Document::None,
        policy: Document::Text(bytes::Bytes::from_static(b"{}")),
        behaviour: Behaviour::Well,
    })
    .unwrap()
}

/// Settings with one server in each priority.
fn settings(path: &Path, servers: &[(&str, &Manager)]) {
    let priorities: Vec<_> = servers
        .iter()
        .map(|(id, manager)| {
            let port = manager.http.unwrap().port();
            json!({ "servers": [{ "address": "127.0.0.1", "protocol": "http", "http_port": port, "id": id }] })
        })
        .collect();
    let document = json!({
        "server_lists": [{ "name": "l", "priorities": priorities }],
        "group": { "name": "g", "communication": { "heartbeat_interval": "10s" } },
    });
    fs::write(path, document.to_string()).unwrap();
}

fn kinds(lines: &[String]) -> Vec<String> {
    lines
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["event"].as_str().unwrap().to_owned())
        .filter(|kind| !["settings_warning", "policy_announced", "policy_failed"].contains(&&**kind))
        .collect()
}

#[test]
fn each_attaches_tells_and_ends_by_a_signal() {
    let (folder, a) = (folder("signal"), manager("a"));
    let path = folder.join("settings.json");
    settings(&path, &[("a", &a)]);
    for (mut program, signal) in programs().into_iter().zip([Signal::TERM, Signal::INT, Signal::INT]) {
        program.arg(&path).arg("agent-1");
        let agent = Agent::start(program);
        let beginning = kinds(&agent.until("\"heartbeat\""));
        assert_eq!(beginning, ["state", "searching", "state", "attached", "heartbeat"]);
        agent.signal(signal);
        let (last, code) = agent.end();
        assert_eq!(
            (kinds(&last), code),
            (["detached", "state", "stopped"].map(str::to_owned).to_vec(), Some(0))
        );
    }
}

#[test]
fn the_next_server_is_taken_when_one_dies_and_a_person_is_told_how_things_stand() {
    let folder = folder("failover");
    let path = folder.join("settings.json");
    let [c, cpp, _] = programs();
    for mut program in [c, cpp] {
        let (a, b) = (manager("a"), manager("b"));
        settings(&path, &[("a", &a), ("b", &b)]);
        let state = folder.join("state");
        program.arg(&path).arg("agent-1").arg(&state);
        let agent = Agent::start(program);
        assert!(agent.until("\"attached\",\"server\"").last().unwrap().contains(r#""server":"a""#));
        a.stop();
        assert!(agent.until("\"attached\",\"server\"").last().unwrap().contains(r#""server":"b""#));
        agent.signal(Signal::USR1);
        agent.until("attached to b for");
        agent.signal(Signal::TERM);
        assert_eq!(agent.end().1, Some(0));
        assert!(fs::read_dir(&state).unwrap().count() > 0, "a failed server is worth remembering");
        fs::remove_dir_all(&state).unwrap();
    }
}

#[test]
fn each_says_what_is_wrong_and_ends_with_its_number() {
    let path = folder("wrong").join("settings.json");
    fs::write(&path, r#"{ "server_lists": [ { "nam": "x" } ] }"#).unwrap();
    for mut program in programs() {
        let ended = program.arg(&path).arg("agent-1").output().unwrap();
        let told = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(1), "{told}");
        assert!(told.contains("server_lists[0].nam: unknown field"), "{told}");
    }
    for program in ["agent", "agent-cpp"] {
        let mut program = installed(examples().join(program));
        assert_eq!(program.output().unwrap().status.code(), Some(2));
        assert!(succeeds(program.arg("--help")).starts_with("usage: agent "));
    }
}

#[test]
fn a_report_is_delivered_by_the_run_that_finds_a_server() {
    let (folder, a) = (folder("report"), manager("a"));
    let (path, outbox) = (folder.join("settings.json"), folder.join("outbox"));
    let report = |text: &str, seconds: &str| {
        let mut program = installed(examples().join("report"));
        program.arg(&path).arg("agent-1").arg(&outbox).args([text, seconds]);
        let ended = program.output().unwrap();
        (String::from_utf8(ended.stdout).unwrap(), ended.status.code())
    };
    settings(&path, &[("a", &a)]);
    let (told, code) = report("eicar.com", "60");
    assert_eq!(code, Some(0), "{told}");
    assert!(told.starts_with("report 1 is on the disk\n"), "{told}");
    assert!(told.contains(r#""event":"uploaded""#), "{told}");
    let nowhere = json!({ "server_lists": [{ "name": "l", "priorities": [
        { "servers": [{ "address": "127.0.0.1", "protocol": "http", "http_port": 9 }] },
    ] }] });
    fs::write(&path, nowhere.to_string()).unwrap();
    let (told, code) = report("again", "0");
    assert_eq!((code, told.lines().last()), (Some(3), Some("1 reports wait in the outbox")), "{told}");
    settings(&path, &[("a", &a)]);
    let (told, code) = report("and again", "60");
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(a.counts().reports, 3);
    for wrong in ["", "x", "-1", "86401"] {
        assert_eq!(report("text", wrong).1, Some(2), "{wrong}");
    }
}

/// The part of the README in this language.
fn readme(language: &str) -> String {
    let text = fs::read_to_string(root().join("README.md")).unwrap();
    let (_, rest) = text.split_once(&format!("```{language}\n")).unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

/// Compiles a program that stands in a folder.
fn compile(folder: &Path, file: &str, program: &Path) {
    let flags = succeeds(installed("pkg-config").args(["--cflags", "--libs", "homing"]));
    let mut compile = installed(if file.ends_with(".c") { "cc" } else { "c++" });
    compile.current_dir(folder).args(["-Wall", "-Wextra"]).args(SANITIZE).arg(file);
    succeeds(compile.args(flags.split_whitespace()).arg("-o").arg(program));
}

#[test]
fn the_programs_of_the_readme_compile_and_run_as_printed() {
    let (folder, a) = (folder("readme"), manager("a"));
    settings(&folder.join("settings.json"), &[("a", &a)]);
    for (language, file) in [("c", "readme.c"), ("cpp", "readme.cpp")] {
        fs::write(folder.join(file), readme(language)).unwrap();
        let program = folder.join(language);
        compile(&folder, file, &program);
        let mut program = installed(program);
        program.current_dir(&folder);
        let agent = Agent::start(program);
        assert_eq!(kinds(&agent.until("\"heartbeat\"")).last().unwrap(), "heartbeat");
        drop(agent);
        // And when there are no settings, it says so.
        let mut lost = installed(folder.join(language));
        let ended = lost.current_dir(folder.parent().unwrap()).output().unwrap();
        let told = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(1), "{told}");
        assert!(told.starts_with("cannot read settings.json: "), "{told}");
    }
}

/// A wait without an event is no end: with a time limit a hundred thousandth as long they last through many of them.
#[test]
fn the_programs_of_the_readme_last_through_any_wait() {
    let folder = folder("readme-waits");
    for (language, file, limit, short) in
        [("c", "readme.c", "600000", "5"), ("cpp", "readme.cpp", "minutes(10)", "milliseconds(5)")]
    {
        let text = readme(language);
        assert!(text.contains(limit), "{text}");
        fs::write(folder.join(file), text.replace(limit, short)).unwrap();
        let program = folder.join(language);
        compile(&folder, file, &program);
        for (behaviour, communication, last) in [
            (Behaviour::Well, json!({ "enabled": false }), "state"),
            (Behaviour::Well, json!({ "heartbeat_interval": "24h" }), "attached"),
            (
                Behaviour::Status { status: 429, retry_after: Some("21600".to_owned()) },
                json!({ "heartbeat_interval": "10s" }),
                "waiting",
            ),
        ] {
            let a = manager("a");
            a.misbehave(behaviour);
            settings(&folder.join("settings.json"), &[("a", &a)]);
            let written = fs::read(folder.join("settings.json")).unwrap();
            let mut document: Value = serde_json::from_slice(&written).unwrap();
            document["group"]["communication"] = communication;
            fs::write(folder.join("settings.json"), document.to_string()).unwrap();
            let mut program = installed(&program);
            program.current_dir(&folder);
            let mut agent = Agent::start(program);
            agent.until(&format!("\"event\":\"{last}\""));
            // It says a little more, and then nothing; a program that has ended closes its output.
            let mut waited = Ok(String::new());
            while waited.is_ok() {
                waited = agent.lines.recv_timeout(Duration::from_millis(300));
            }
            assert_eq!(waited, Err(RecvTimeoutError::Timeout), "{language}: ended after {last}");
            assert!(agent.process.try_wait().unwrap().is_none(), "{language}: ended after {last}");
        }
    }
}
