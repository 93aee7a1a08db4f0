//! Push over real sockets: a client and the example's manager, which tells it things, and tells them badly.
#![cfg(feature = "client")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "the helpers of a test may give up as the test itself may"
)]

#[path = "../examples/manager/server/mod.rs"]
#[expect(dead_code, reason = "the tests need only some of what a manager can do")]
mod server;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use homing::client::{Client, ClientEvent};
use homing::engine::{Event, Notice, Rung, State, Tuning};
use homing::settings::Settings;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::json;
use tempfile::TempDir;

use server::{Authority, Behaviour, Config, Document, Manager, Post};

/// Only a test that fails waits this long.
const BOUND: Duration = Duration::from_secs(100);

/// A twentieth of every duration, but for what decides that a server is slow.
const TRIAL: &str = r#"{ "time_scale": 0.05, "schedule": { "push_margin": "1200s", "poll_gap": "20s", "push_relook": "24h" },
    "attachment": { "crossing": "20s", "patience": "30s", "reserve": "60s", "silence_least": "100s", "silence_most": "200s",
    "connect_limit": "200s", "tls_limit": "200s", "exchange_limit": "300s", "attempt_limit": "400s" } }"#;

/// An agent and its only server.
struct Site {
    manager: Manager,
    client: Client,
    _folder: TempDir,
}

impl Site {
    /// `changes` of the group's communication, with this tuning.
    fn new(behaviour: &str, communication: serde_json::Value, tuning: &str) -> Self {
        Self::over("https", behaviour, communication, tuning)
    }

    fn over(protocol: &str, behaviour: &str, communication: serde_json::Value, tuning: &str) -> Self {
        let authority = Authority::new("push, throw-away authority").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let bundle = folder.path().join("authority.pem");
        std::fs::write(&bundle, authority.pem()).unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let identity = authority.issue(&[address.ip().to_string()]).unwrap();
        let manager = Manager::start(Config {
            name: "m".to_owned(),
            https: (protocol == "https").then_some((address, identity)),
            http: (protocol == "http").then_some(address),
            settings: Document::None,
            policy: Document::Text(bytes::Bytes::from_static(b"{}")),
            behaviour: behaviour.parse().unwrap(),
        })
        .unwrap();
        let mut server = json!({ "address": "127.0.0.1", "id": "m", "protocol": protocol });
        match (manager.https, manager.http) {
            (Some(at), _) => server["https_port"] = at.port().into(),
            (None, at) => server["http_port"] = at.unwrap().port().into(),
        }
        let document = json!({
            "certificate": { "roots": [{ "bundle": bundle }] },
            "server_lists": [{ "name": "l", "priorities": [{ "servers": [server] }] }],
            "group": { "name": "g", "server_list": "l", "communication": communication },
        });
        let settings: Settings = document.to_string().parse().unwrap();
        let client = Client::builder(settings, "agent".parse().unwrap())
            .tuning(Tuning::parse(tuning.as_bytes()).unwrap())
            .seed(7)
            .start()
            .unwrap();
        Self { manager, client, _folder: folder }
    }

    fn push(behaviour: &str) -> Self {
        Self::new(behaviour, json!({ "mode": "push" }), "{}")
    }

    /// Passes events over until one gives something.
    fn until<T>(&self, what: &str, mut wanted: impl FnMut(&ClientEvent) -> Option<T>) -> T {
        let end = Instant::now() + BOUND;
        let mut seen = Vec::new();
        while let Ok(Some(event)) =
            self.client.next_event_timeout(end.saturating_duration_since(Instant::now()))
        {
            if let Some(found) = wanted(&event) {
                return found;
            }
            seen.push(format!("{:?}", event.event));
        }
        panic!("{what}: did not come; instead:\n{}", seen.join("\n"))
    }

    fn opens(&self) -> Rung {
        self.until("push_opened", |event| match &event.event {
            Event::PushOpened { by, .. } => Some(*by),
            _ => None,
        })
    }

    /// The next command: its name and its bytes.
    fn command(&self) -> (String, Vec<u8>) {
        self.until("a command", |event| match &event.event {
            Event::Notice { kind: Notice::Command, name, .. } => {
                Some((name.as_deref().unwrap().to_owned(), event.body.as_deref().unwrap().to_vec()))
            }
            _ => None,
        })
    }

    /// This comes of the settings of this tag, and nothing else of any.
    fn settings_are(&self, what: &str, tag: &str) {
        let found = self.until(what, |event| match &event.event {
            Event::SettingsInForce { tag } => Some(("in force", tag.clone())),
            Event::SettingsRolledBack { tag, .. } => Some(("rolled back", tag.clone())),
            Event::SettingsRefused { tag, detail } => panic!("{tag:?} refused: {detail}"),
            _ => None,
        });
        assert_eq!((found.0, found.1.as_deref()), (what, Some(tag)));
    }

    fn loss(&self) -> String {
        self.until("push_lost", |event| match &event.event {
            Event::PushLost { detail, .. } => Some(detail.clone()),
            _ => None,
        })
    }
}

fn command(name: &str, bytes: &[u8]) -> Post {
    Post::Command(name.to_owned(), bytes.to_vec())
}

#[test]
fn what_the_server_tells_reaches_the_application_as_it_was_posted() {
    let site = Site::push("well");
    assert_eq!(site.opens(), Rung::Stream);
    site.manager.post(command("scan", b"all of it\0\xff"));
    assert_eq!(site.command(), ("scan".to_owned(), b"all of it\0\xff".to_vec()));
    site.manager.post(Post::Settings { tag: "\"s2\"".to_owned(), within: 0 });
    let tag = site.until("settings_announced", |event| match &event.event {
        Event::SettingsAnnounced { tag, .. } => Some(tag.to_string()),
        _ => None,
    });
    assert_eq!(tag, "\"s2\"");
    site.manager.post(Post::Content("defs".to_owned()));
    let (name, body) = site.until("content", |event| match &event.event {
        Event::Notice { kind: Notice::Content, name, .. } => Some((name.clone(), event.body.clone())),
        _ => None,
    });
    assert_eq!((name.as_deref(), body.as_deref()), (Some("defs"), Some(&b"defs"[..])));
    // The tags came with the hello as well, and the policy was read for it.
    assert_eq!(site.manager.counts().events, 1);
}

#[test]
fn a_policy_that_is_announced_is_read_at_once() {
    let site = Site::push("well");
    site.opens();
    site.manager.post(Post::Policy { tag: "\"p2\"".to_owned(), within: 0 });
    // The server has another than it says, which is what comes.
    site.until("the announced policy", |event| match &event.event {
        Event::PolicyAnnounced { tag, .. } if &**tag == "\"p2\"" => Some(()),
        _ => None,
    });
    let end = Instant::now() + BOUND;
    while site.manager.counts().policy < 2 && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(
        (site.manager.counts().policy, site.manager.counts().beat),
        (2, 0),
        "no heartbeat was waited for"
    );
}

#[test]
fn what_was_posted_while_nobody_listened_comes_with_the_stream_and_comes_once() {
    let site = Site::push("well");
    site.opens();
    site.manager.post(command("one", b"1"));
    assert_eq!(site.command().0, "one");
    // The server drops every connection; the agent finds its way back and says what it heard last.
    site.manager.misbehave(Behaviour::Refuse);
    site.loss();
    site.manager.post(command("two", b"2"));
    site.manager.misbehave(Behaviour::Well);
    site.client.beat_now();
    assert_eq!(site.command().0, "two", "and not `one` again");
}

#[test]
fn a_stream_that_is_held_back_becomes_polls_which_bring_the_same() {
    // The patience with a hello is short here, everything else as it is.
    let site = Site::new(
        "events:held-back",
        json!({ "mode": "push" }),
        r#"{ "attachment": { "hello_limit": "200ms" }, "schedule": { "poll_wait": "1s", "push_silence": "1s", "push_silence_least": "1s" } }"#,
    );
    assert_eq!(site.opens(), Rung::Poll);
    for round in 0..3u8 {
        site.manager.post(command("scan", &[round]));
        assert_eq!(site.command(), ("scan".to_owned(), vec![round]));
    }
    assert!(site.manager.counts().connections <= 4, "polls go on over one connection");
}

#[test]
fn a_server_without_events_costs_nothing_and_is_told_of() {
    let site = Site::push("events:none");
    site.until("push_unavailable", |event| {
        matches!(event.event, Event::PushUnavailable { .. }).then_some(())
    });
    assert_eq!(site.client.snapshot().state, State::Attached);
}

#[test]
fn streams_that_never_end_a_line_flood_or_are_garbage_end_and_the_agent_stays_attached() {
    for (how, expected) in [("events:flood", "events"), ("events:endless", "line")] {
        let site = Site::push(how);
        let reason = site.loss();
        assert!(reason.contains(expected), "{how}: {reason}");
        assert_eq!(site.client.snapshot().state, State::Attached);
    }
    let site = Site::push("events:garbage");
    site.opens();
    let reason = site.loss();
    assert!(reason.contains("events") || reason.contains("bytes"), "{reason}");
    assert_eq!(site.client.snapshot().state, State::Attached);
}

#[test]
fn a_stream_on_which_nothing_is_said_is_taken_for_dead() {
    let tuning =
        r#"{ "schedule": { "push_silence": "1s", "push_silence_least": "1s", "push_margin": "500ms" } }"#;
    let site = Site::new("events:nothing", json!({ "mode": "push" }), tuning);
    site.opens();
    assert!(site.loss().contains("silent for"));
    // The server that says something goes on as long as it likes.
    let site = Site::new("well", json!({ "mode": "push" }), tuning);
    site.opens();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(4) {
        let Ok(Some(event)) = site.client.next_event_timeout(Duration::from_secs(4)) else { break };
        assert!(!matches!(event.event, Event::PushLost { .. }), "{:?}", event.event);
    }
}

#[test]
fn a_command_over_a_connection_that_proves_nothing_is_refused_and_told() {
    let site = Site::over("http", "well", json!({ "mode": "push" }), "{}");
    site.opens();
    site.manager.post(command("format", b"c:"));
    let (name, body) = site.until("command_refused", |event| match &event.event {
        Event::CommandRefused { name, .. } => Some((name.to_string(), event.body.clone())),
        Event::Notice { kind: Notice::Command, .. } => panic!("it was handed over"),
        _ => None,
    });
    assert_eq!((&*name, body), ("format", None));
}

#[test]
fn an_agent_that_pulls_asks_for_what_waits_after_its_heartbeat() {
    let site = Site::new("well", json!({ "mode": "pull" }), "{}");
    site.until("attached", |event| matches!(event.event, Event::Attached { .. }).then_some(()));
    site.manager.post(command("scan", b"now"));
    site.client.beat_now();
    assert_eq!(site.command(), ("scan".to_owned(), b"now".to_vec()));
    site.client.beat_now();
    site.until("the next heartbeat", |event| matches!(event.event, Event::Heartbeat { .. }).then_some(()));
    assert_eq!(site.manager.counts().events, 1, "asked once, and nothing waits any more");
}

#[test]
fn a_drain_that_is_told_is_obeyed() {
    let site = Site::push("well");
    site.opens();
    site.manager.post(Post::Drain(0));
    // A lone server that drains is looked at once on a fresh connection.
    site.until("a heartbeat", |event| matches!(event.event, Event::Heartbeat { .. }).then_some(()));
}

#[test]
fn signed_settings_that_the_stream_tells_are_read_tried_and_kept_or_rolled_back() {
    let pair = Arc::new(Ed25519KeyPair::from_seed_unchecked(&[5; 32]).unwrap());
    let key: [u8; 32] = pair.public_key().as_ref().try_into().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let served = folder.path().join("settings.json");
    let offered = Document::Signed(served.clone(), pair);
    std::fs::write(&served, "").unwrap();
    let manager = Manager::start(Config {
        name: "m".to_owned(),
        https: None,
        http: Some((Ipv4Addr::LOCALHOST, 0).into()),
        settings: offered.clone(),
        policy: Document::Text(bytes::Bytes::from_static(b"{}")),
        behaviour: Behaviour::Well,
    })
    .unwrap();
    let document = |serial: u64, port: u16| {
        let server = json!({ "address": "127.0.0.1", "id": "m", "protocol": "http", "http_port": port });
        // No heartbeat falls due while the test runs.
        json!({
            "serial": serial,
            "server_lists": [{ "name": "l", "priorities": [{ "servers": [server] }] }],
            "group": { "communication": { "mode": "push", "heartbeat_interval": "24h" } },
        })
        .to_string()
    };
    let port = manager.http.unwrap().port();
    std::fs::write(&served, document(1, port)).unwrap();
    let settings: Settings = document(1, port).parse().unwrap();
    let client = Client::builder(settings, "agent".parse().unwrap())
        .tuning(Tuning::parse(TRIAL.as_bytes()).unwrap())
        .settings_keys([key], None)
        .start()
        .unwrap();
    let site = Site { manager, client, _folder: folder };
    let publish = |text: String| {
        std::fs::write(&served, text).unwrap();
        let tag = offered.edition().unwrap().unwrap().tag;
        site.manager.post(Post::Settings { tag: tag.clone(), within: 0 });
        tag
    };
    site.opens();
    let good = publish(document(2, port).replace("24h", "23h"));
    site.settings_are("in force", &good);
    // Nothing listens on that port.
    let wrong = publish(document(3, 1));
    site.settings_are("rolled back", &wrong);
    let corrected = publish(document(4, port));
    site.settings_are("in force", &corrected);
    assert_eq!(site.client.snapshot().active.unwrap().as_str(), "m");
}

#[cfg(target_os = "linux")]
#[test]
fn an_idle_push_agent_has_one_descriptor_more_than_one_that_pulls() {
    // Of this process, whose other tests run at the same time: so each agent is a process of its own.
    let count = |mode: &str| {
        let site = Site::new("well", json!({ "mode": mode }), "{}");
        let port = site.manager.https.unwrap().port();
        match mode {
            "push" => drop(site.opens()),
            _ => site.until("attached", |event| matches!(event.event, Event::Attached { .. }).then_some(())),
        }
        connections_to(port)
    };
    // The connection of the attach has become the stream's; the one that pulls has closed it.
    wait_for(|| count("pull"), 0);
    wait_for(|| count("push"), 1);
}

#[cfg(target_os = "linux")]
fn wait_for(count: impl Fn() -> usize, expected: usize) {
    let end = Instant::now() + BOUND;
    loop {
        let found = count();
        if found == expected {
            return;
        }
        assert!(Instant::now() < end, "{found} connections, {expected} expected");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Connections of this machine to that port which are established.
#[cfg(target_os = "linux")]
fn connections_to(port: u16) -> usize {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let wanted = format!("0100007F:{port:04X}");
    let is_ours = |line: &&str| {
        let mut fields = line.split_whitespace().skip(2);
        fields.next() == Some(&*wanted) && fields.next() == Some("01")
    };
    table.lines().filter(is_ours).count()
}
