//! The driven agent of examples/drive and examples/c, and the probe of examples/probe and examples/c: of each three programs
//! that have to behave alike. And the check of examples/c, which says what homing says.
//!
//! Those in C and C++ are built as their makefile says, with the address and the undefined behaviour sanitizers on their
//! own code: what they leak or overrun ends them with a failure.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "the helpers of a test may give up as the test itself may"
)]

mod installed;
#[path = "native/narrow.rs"]
mod narrow;
#[path = "../examples/manager/server/mod.rs"]
#[expect(dead_code, reason = "the tests need only some of what a manager can do")]
mod server;

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use installed::{folder, installed, root, succeeds};
use narrow::{Narrow, field};
use server::{Behaviour, Config, Document, Manager};

/// Only a test that fails waits this long.
const BOUND: Duration = Duration::from_secs(100);

/// The three agents: Rust, C, C++.
fn programs() -> [PathBuf; 3] {
    [rust_program("drive"), made().join("drive"), made().join("drive-cpp")]
}

/// The three probes: Rust, C, C++.
fn probes() -> [PathBuf; 3] {
    [rust_program("probe"), made().join("probe"), made().join("probe-cpp")]
}

/// Where those in C and C++ are.
fn made() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = folder("examples");
        for entry in fs::read_dir(root().join("examples/c")).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
        }
        let mut make = installed("make");
        make.arg("-C")
            .arg(&folder)
            .args(["drive", "drive-cpp", "probe", "probe-cpp", "check"])
            .env_remove("MAKEFLAGS")
            .env_remove("MAKELEVEL");
        let sanitize = "-O1 -g -Werror -fsanitize=address,undefined -fno-sanitize-recover=all";
        make.env("CFLAGS", sanitize).env("CXXFLAGS", sanitize).env("LDFLAGS", "-fsanitize=address,undefined");
        succeeds(&mut make);
        folder
    })
}

fn rust_program(name: &str) -> PathBuf {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments =
        ["build", "--locked", "--features", "capi", "--example", name, "--message-format", "json"];
    let told = succeeds(Command::new(cargo).args(arguments).current_dir(root()));
    let messages = told.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let program =
        messages.filter_map(|message| message["executable"].as_str().map(PathBuf::from)).next_back();
    program.expect("cargo names what it made")
}

/// A program at work. It is killed when the test is over and it is not.
struct Agent {
    process: Child,
    events: Receiver<Value>,
}

impl Agent {
    fn start(program: &Path, settings: &Path) -> Self {
        let mut command = installed(program);
        command.arg(settings).arg("agent-1").arg(r#"{ "time_scale": 0.1 }"#);
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let (send, events) = channel();
        thread::spawn(move || {
            for line in output.lines() {
                // Nobody listens any more: the test is over.
                let Ok(()) = send.send(serde_json::from_str(&line.unwrap()).unwrap()) else { return };
            }
        });
        Self { process, events }
    }

    /// The events up to the first of this kind, in words.
    fn until(&self, kind: &str) -> Vec<String> {
        let mut seen = Vec::new();
        loop {
            let Ok(event) = self.events.recv_timeout(BOUND) else { panic!("no {kind} after {seen:?}") };
            seen.push(words(&event));
            if event["event"] == kind {
                return seen;
            }
        }
    }

    /// Ends it by a signal. The last events, and whether all was well.
    fn end(mut self, signal: Signal) -> (Vec<String>, Option<i32>) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
        let last = self.events.iter().map(|event| words(&event)).collect();
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

/// What has to be the same in every run.
fn words(event: &Value) -> String {
    let parts = ["event", "state", "reason", "server", "class", "status"];
    let parts = parts.iter().filter_map(|part| event.get(part));
    parts
        .map(|part| part.as_str().map_or_else(|| part.to_string(), str::to_owned))
        .collect::<Vec<_>>()
        .join(" ")
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

/// Settings with one server in each priority, written to a file.
fn settings(folder: &Path, servers: &[(&str, &str, u16)]) -> PathBuf {
    let priorities: Vec<_> = servers
        .iter()
        .map(|(id, address, port)| {
            json!({ "servers": [{ "address": address, "protocol": "http", "http_port": port, "id": id }] })
        })
        .collect();
    let document = json!({
        "server_lists": [{ "name": "l", "priorities": priorities }],
        "group": { "name": "g", "server_list": "l", "communication": { "heartbeat_interval": "10s" } },
    });
    let path = folder.join("settings.json");
    fs::write(&path, document.to_string()).unwrap();
    path
}

#[test]
fn each_leaves_a_status_out_that_is_refused_as_too_large_and_says_when_it_comes_again() {
    for (program, closes) in
        programs().iter().flat_map(|program| [false, true].map(|closes| (program, closes)))
    {
        let server = Narrow::start(closes);
        let settings = settings(&folder("narrow"), &[("a", "127.0.0.1", server.port)]);
        let agent = Agent::start(program, &settings);
        let mut seen = agent.until("attached");
        for _ in 0..3 {
            seen.extend(agent.until("heartbeat"));
        }
        let failed = seen.iter().filter(|event| event.starts_with("attempt_failed")).count();
        assert_eq!(failed, 0, "{program:?} closes {closes}: it is about the request: {seen:?}");
        assert_eq!(agent.end(Signal::TERM).1, Some(0), "{program:?}");
        let asked: Vec<_> = server.asked.try_iter().collect();
        let with_status = asked.iter().filter(|(_, body)| *body > 0).count();
        assert_eq!(with_status, 1, "{program:?} closes {closes}: {asked:?}");
        let keys: Vec<_> = asked.iter().filter_map(|(head, _)| field(head, "Idempotency-Key")).collect();
        assert!(keys.len() == 2 && keys[0] != keys[1], "another request has another key: {keys:?}");
        for (number, (head, _)) in asked.iter().enumerate() {
            assert_eq!(field(head, "Homing-Omitted"), (number > 0).then_some("status"), "{head}");
            // 10 s, of which a tenth is used here.
            assert_eq!(field(head, "Homing-Next"), Some("1"), "{head}");
        }
    }
}

#[test]
fn each_attaches_beats_fails_over_and_ends_by_a_signal() {
    for (program, signal) in programs().iter().zip([Signal::TERM, Signal::INT, Signal::TERM]) {
        let (a, b) = (manager("a"), manager("b"));
        let port = |manager: &Manager| manager.http.unwrap().port();
        // By address and by name.
        let servers = [("a", "127.0.0.1", port(&a)), ("b", "localhost", port(&b))];
        let agent = Agent::start(program, &settings(&folder("story"), &servers));
        let beginning = agent.until("attached");
        let beginning: Vec<_> =
            beginning.iter().filter(|event| !event.starts_with("settings_warning")).collect();
        let expected = ["state searching start", "searching start", "state attached start", "attached a"];
        assert_eq!(beginning, expected, "{program:?}");
        assert_eq!(agent.until("heartbeat").last().unwrap(), "heartbeat a 200");
        // The first beat after the attach: the connection was kept, and is used again. The policy that the manager names is not
        // read over plain http.
        assert_eq!(agent.until("heartbeat"), ["policy_failed a", "heartbeat a 200"]);
        let counts = a.counts();
        assert_eq!((counts.connections, counts.attach), (1, 1), "{program:?}");

        a.stop();
        let failover = agent.until("attached");
        // A beat or two may have been answered before, and how often the dead server was tried is the engine's business.
        let failover: Vec<_> = failover
            .iter()
            .filter(|event| !event.starts_with("heartbeat") && !event.starts_with("attempt_failed"))
            .collect();
        let expected = [
            "detached server_failed a",
            "state searching server_failed",
            "searching server_failed",
            "state attached server_failed",
            "attached b",
        ];
        assert_eq!(failover, expected, "{program:?}");
        assert_eq!(agent.until("heartbeat").last().unwrap(), "heartbeat b 200");
        assert_eq!(b.counts().attach, 1, "{program:?}");

        let (last, code) = agent.end(signal);
        let end = last.iter().skip_while(|event| !event.starts_with("detached")).collect::<Vec<_>>();
        assert_eq!(end, ["detached stopping b", "state stopped stopping", "stopped"], "{program:?}");
        assert_eq!(code, Some(0), "{program:?}");
    }
}

#[test]
fn each_takes_every_answer_for_what_it_is() {
    let large = "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\nHoming-Policy: \"1\"\r\n\r\n";
    let long = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(17_000));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(101));
    let interim = format!("{}HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 102 Processing\r\n\r\n".repeat(9));
    for (answer, expected) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nhoming-policy: \"1\"\r\n\r\nhello", "attached s"),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nHoming-Settings: \"1\"\r\n\r\n\
          3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nA: b\r\n\r\n",
            "attached s",
        ),
        ("HTTP/1.0 204 No Content\nHoming-Settings: \"1\"\n\n", "attached s"),
        // Its body ends with the connection.
        ("HTTP/1.1 200 OK\r\nHoming-Policy: \"1\"\r\n\r\nhello", "attached s"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nHoming-Policy: \"1\"\r\n\r\nhello",
            "attempt_failed s broken",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nHoming-Policy: \"1\"\r\n\r\n5\r\nhel",
            "attempt_failed s broken",
        ),
        ("HTTP/1.1 200 OK\r\n", "attempt_failed s broken"),
        ("", "attempt_failed s broken"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "attempt_failed s wrong_server"),
        ("HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", "attempt_failed s wrong_server"),
        ("SSH-2.0-OpenSSH_9\r\n", "attempt_failed s wrong_server"),
        ("HTTP/1.1 OK\r\n\r\n", "attempt_failed s wrong_server"),
        ("HTTP/1.1 200 OK\r\nno field\r\n\r\n", "attempt_failed s wrong_server"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
            "attempt_failed s wrong_server",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "attempt_failed s wrong_server",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
            "attempt_failed s wrong_server",
        ),
        (large, "attempt_failed s limit"),
        (&long, "attempt_failed s limit"),
        (&many, "attempt_failed s limit"),
        (&interim, "attempt_failed s limit"),
        ("HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", "attempt_failed s not_allowed"),
        ("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "attempt_failed s wrong_server"),
        (
            "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nHOMING-X: 1\r\n\r\n",
            "attempt_failed s not_allowed",
        ),
        ("HTTP/1.1 400 What\r\nContent-Length: 0\r\n\r\n", "attempt_failed s misunderstood"),
        ("HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", "attempt_failed s server_error"),
        (
            "HTTP/1.1 503 Oh\r\nContent-Length: 0\r\nRetry-After: soon\r\n\r\n",
            "attempt_failed s server_error",
        ),
        ("HTTP/1.1 503 Oh\r\nContent-Length: 0\r\nRetry-After: 7\r\n\r\n", "attempt_failed s throttled"),
        (
            "HTTP/1.1 503 Oh\r\nContent-Length: 0\r\nDate: Sat, 01 Jan 2000 00:00:00 GMT\r\n\
          Retry-After: Sat, 01 Jan 2000 00:01:30 GMT\r\n\r\n",
            "attempt_failed s throttled",
        ),
        ("HTTP/1.1 429 Oh\r\nContent-Length: 0\r\n\r\n", "attempt_failed s throttled"),
    ] {
        for program in &programs() {
            let (seen, request) = meets(program, answer);
            assert_eq!(seen, expected, "{program:?}: {answer:?}");
            assert!(request.starts_with("POST /homing/v1/heartbeat HTTP/1.1\r\n"), "{request}");
            for field in [
                "Homing-Agent: agent-1",
                "Homing-Purpose: attach",
                "Idempotency-Key: \"",
                "Content-Length: 16",
            ] {
                assert!(request.contains(&format!("\r\n{field}")), "{program:?}: {field}: {request}");
            }
        }
    }
}

#[test]
fn each_takes_a_page_for_a_person_for_a_sign_of_a_portal() {
    let page = b"HTTP/1.1 200 OK\r\nContent-Type: Text/HTML; charset=utf-8\r\nContent-Length: 5\r\n\r\nhello";
    for program in &programs() {
        let portal = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = portal.local_addr().unwrap().port();
        thread::spawn(move || {
            for stream in portal.incoming() {
                let mut stream = stream.unwrap();
                // Who goes away in between asks again.
                let _ = stream.read(&mut [0; 4096]).and_then(|_| stream.write_all(page));
            }
        });
        let agent = Agent::start(program, &settings(&folder("portal"), &[("s", "127.0.0.1", port)]));
        agent.until("attempt_failed");
        assert_eq!(agent.until("state").last().unwrap(), "state captive captive_suspected", "{program:?}");
        assert_eq!(agent.end(Signal::TERM).1, Some(0), "{program:?}");
    }
}

/// What a program makes of a server that says this to the first who asks, and closes; and what it was asked.
fn meets(program: &Path, answer: &str) -> (String, String) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let agent = Agent::start(program, &settings(&folder("answer"), &[("s", "127.0.0.1", port)]));
    let (mut stream, _) = listener.accept().unwrap();
    let mut request = Vec::new();
    while !request.ends_with(br#"{"state":"fine"}"#) {
        let mut piece = [0; 1024];
        let length = stream.read(&mut piece).unwrap();
        assert!(length > 0, "closed after {:?}", String::from_utf8_lossy(&request));
        request.extend_from_slice(&piece[..length]);
    }
    // It may have heard enough before the end.
    let _ = stream.write_all(answer.as_bytes());
    drop(stream);
    loop {
        let event = agent.events.recv_timeout(BOUND).expect("an end of the attempt");
        if event["event"] == "attached" || event["event"] == "attempt_failed" {
            let (_, code) = agent.end(Signal::TERM);
            assert_eq!(code, Some(0), "{program:?}: {answer:?}");
            return (words(&event), String::from_utf8(request).unwrap());
        }
    }
}

#[test]
fn each_says_what_is_wrong_and_ends_with_its_number() {
    let folder = folder("wrong");
    let good = settings(&folder, &[("s", "127.0.0.1", 9)]);
    let good = good.to_str().unwrap();
    for program in &programs() {
        for (arguments, code, words) in [
            (&[][..], 2, "usage: drive SETTINGS.json AGENT_ID [TUNING]\n"),
            (&[good], 2, "usage"),
            (&[good, "a", "{}", "x"], 2, "usage"),
            (&["nowhere.json", "a"], 1, "drive: cannot read nowhere.json"),
            (&[good, "two words"], 1, "drive: "),
            (&[good, "a", "{ \"x\": 1 }"], 1, "drive: "),
        ] {
            let ended = installed(program).args(arguments).output().unwrap();
            let told = String::from_utf8_lossy(&ended.stderr);
            assert_eq!(ended.status.code(), Some(code), "{program:?} {arguments:?}: {told}");
            assert!(told.contains(words), "{program:?} {arguments:?}: {told}");
            assert!(ended.stdout.is_empty(), "{program:?} {arguments:?}");
        }
        let help = succeeds(installed(program).arg("--help"));
        assert!(help.ends_with("\n\nusage: drive SETTINGS.json AGENT_ID [TUNING]\n"), "{program:?}: {help}");
    }
}

/// What a probe printed, without times and without the name that is drawn anew each time, and its exit code. In the table
/// the time stands in the columns from 48 to 58.
fn ask(program: &Path, arguments: &[&str]) -> (String, Option<i32>) {
    let output = installed(program).args(arguments).output().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    let kept = |line: &str| {
        let is_sentence = line.starts_with("this round") || line.starts_with("verdict");
        let (before, after) = match line.split_at_checked(47) {
            Some((before, after)) if !is_sentence => (before, after.get(11..).unwrap_or_default()),
            Some(_) | None => (line.split(" after ").next().unwrap_or_default(), ""),
        };
        (!line.contains(".invalid ")).then(|| format!("{before}{after}\n"))
    };
    (lines.lines().filter_map(kept).collect(), output.status.code())
}

/// The last line a program printed.
fn told(program: &Path, arguments: &[&str]) -> String {
    let output = installed(program).args(arguments).output().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().next_back().unwrap().to_owned()
}

#[test]
fn each_probe_gives_the_same_table_the_same_verdict_and_the_same_exit_code() {
    let open = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let (probes, folder) = (probes(), folder("probe"));
    let write = |name: &str, parts: Value| {
        let mut document = json!({
            "server_lists": [{ "name": "l", "priorities": [{ "servers": [{ "address": "management.invalid" }] }] }],
            "group": { "communication": { "enabled": false } },
        });
        document.as_object_mut().unwrap().extend(parts.as_object().unwrap().clone());
        let path = folder.join(name);
        fs::write(&path, document.to_string()).unwrap();
        path.display().to_string()
    };
    let pinned = json!({ "pins": [{ "sha256": "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" }] });
    let servers = json!([{ "address": "127.0.0.1", "ports": [closed], "certificate": pinned }]);
    let outside = write("outside.json", json!({ "reference_servers": { "servers": servers } }));
    let nobody = write("nobody.json", json!({}));
    let same = json!({ "address": "127.0.0.1", "ports": [closed], "proof": "tcp" });
    let twice = write("twice.json", json!({ "reference_servers": { "servers": [same, same] } }));
    let both = format!("127.0.0.1:{closed},{}", open.local_addr().unwrap().port());
    let refused = format!("127.0.0.1:{closed}");
    for (arguments, code, words) in [
        (&[both.as_str()][..], 0, "proof tcp"),
        (&[&refused, "localhost:1"], 1, "connection refused"),
        (&["--settings", &outside], 1, "verdict: external: 1 of 1 reference servers did not answer"),
        (&["--settings", &nobody], 2, ""),
        (&["--settings", "/nowhere/settings.json"], 3, ""),
        (&["127.0.0.1:0"], 3, ""),
        (&["127.0.0.1:65536"], 3, ""),
        (&["127.0.0.1:80-90"], 3, ""),
        (&["127.0.0.1"], 3, ""),
        (&["--nonsense"], 3, ""),
        (&["--settings", &nobody, &refused], 3, ""),
    ] {
        let [rust, c, cpp] = probes.each_ref().map(|program| ask(program, arguments));
        assert_eq!((&rust, &rust), (&c, &cpp), "{arguments:?}");
        assert_eq!(rust.1, Some(code), "{arguments:?}: {}", rust.0);
        assert!(rust.0.contains(words), "{arguments:?}: {}", rust.0);
    }
    for program in &probes {
        let (lines, _) = ask(program, &["--json", &both]);
        assert!(lines.contains("\"event\":\"round\""), "{lines}");
        let last: Value = serde_json::from_str(&told(program, &["--json", &both])).unwrap();
        assert_eq!((&last["event"], &last["situation"]), (&json!("location"), &json!("internal")));
        let help = succeeds(installed(program).arg("--help"));
        assert!(help.contains("Exit status: 0 inside, 1 outside, 2 unknown"), "{program:?}: {help}");
        let mut warned = installed(program);
        let warned = warned.args(["--settings", &twice]).output().unwrap();
        let warned = String::from_utf8_lossy(&warned.stderr);
        assert!(
            warned.contains("warning: reference_servers.servers[1]: the same server"),
            "{program:?}: {warned}"
        );
    }
}

#[test]
fn no_probe_comes_near_a_management_server_unless_it_is_told_to() {
    // It accepts connections and never says a word.
    let manager = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    manager.set_nonblocking(true).unwrap();
    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let path = folder("reference").join("settings.json");
    let server = json!({ "address": "127.0.0.1", "https_port": manager.local_addr().unwrap().port() });
    let document = json!({
        "server_lists": [{ "name": "l", "priorities": [{ "servers": [server] }] }],
        "reference_servers": { "servers": [{ "address": "127.0.0.1", "ports": [closed] }] },
        "locations": [{ "name": "on", "when": ["external"], "communication": { "enabled": true } }],
    });
    fs::write(&path, document.to_string()).unwrap();
    for program in &probes() {
        for (more, is_asked) in [(&[][..], false), (&["--with-management"], true)] {
            let mut arguments = vec!["--settings", path.to_str().unwrap()];
            arguments.extend(more);
            assert_eq!(ask(program, &arguments).1, Some(1), "{program:?} {more:?}");
            let connections = std::iter::from_fn(|| manager.accept().ok()).count();
            assert_eq!(connections > 0, is_asked, "{program:?} {more:?}: {connections}");
        }
        assert_eq!(ask(program, &["--with-management", "127.0.0.1:1"]).1, Some(3), "{program:?}");
    }
}

#[test]
fn the_check_tells_verdict_reason_and_advice_and_ends_with_its_number() {
    let folder = folder("check");
    let at = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "authority");
    let key = KeyPair::generate().unwrap();
    let root = params.self_signed(&key).unwrap();
    let issuer = Issuer::new(params, key);
    let mut params = CertificateParams::new(vec!["mgmt.example".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, "server");
    let server = params.signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap();
    let chain = format!("a comment\r\n{}{}", server.pem().replace('\n', "\r\n"), root.pem());
    let policy = |bundle: &str| json!({ "roots": [{ "bundle": at(bundle) }] }).to_string();
    for (name, content) in [
        ("ca.pem", root.pem().as_bytes()),
        ("server.der", server.der()),
        ("root.der", root.der()),
        ("chain.pem", chain.as_bytes()),
        ("half.pem", &chain.as_bytes()[..chain.len() - 40]),
        ("empty", b""),
        ("shared", b"-----BEGIN CERTIFICATE-----END CERTIFICATE-----"),
        ("policy", policy("ca.pem").as_bytes()),
        ("lost", policy("nothing.pem").as_bytes()),
    ] {
        fs::write(at(name), content).unwrap();
    }
    let rejected = "verdict     rejected (22)\n\
        reason      CN=server: not for 10.1.0.5; its names: mgmt.example\n\
        what to do  reissue with this name, use one that is there as the address, or set `expected_name`\n";
    for (arguments, code, expected) in [
        (&["policy", "mgmt.example", "server.der"][..], 0, "verdict     accepted\n"),
        (&["policy", "mgmt.example", "server.der", "root.der"], 0, "verdict     accepted\n"),
        (&["policy", "mgmt.example", "chain.pem"], 0, "verdict     accepted\n"),
        (&["policy", "10.1.0.5", "chain.pem"], 1, rejected),
        (&["policy", "mgmt.example", "half.pem"], 2, "half.pem: it holds no certificate"),
        (&["policy", "mgmt.example", "empty"], 2, "empty: it holds no certificate"),
        (&["policy", "mgmt.example", "shared"], 2, "shared: it holds no certificate"),
        (&["policy", "mgmt.example", "nothing"], 2, "nothing: it cannot be read"),
        (&["lost", "mgmt.example", "server.der"], 2, "nothing.pem"),
        (&["empty", "mgmt.example", "server.der"], 2, "check: "),
        (&["policy", "https://mgmt.example", "server.der"], 2, "looks like a URL"),
        (&["policy", "mgmt.example"], 2, "usage: "),
    ] {
        let mut check = installed(made().join("check"));
        check.args(arguments).current_dir(&folder);
        let Output { status, stdout, stderr } = check.output().unwrap();
        let [told, complaint] = [stdout, stderr].map(|text| String::from_utf8(text).unwrap());
        assert_eq!(status.code(), Some(code), "{arguments:?}: {told}{complaint}");
        if code == 2 {
            assert!(complaint.contains(expected), "{arguments:?}: {complaint}");
        } else {
            assert_eq!(told, expected, "{arguments:?}: {complaint}");
        }
    }
}
