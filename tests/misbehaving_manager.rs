//! What the client makes of a manager that breaks the contract: the table of `docs/wire.md`, over real sockets.
#![cfg(feature = "client")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the helpers of a test may give up as the test itself may"
)]

#[path = "../examples/manager/server/mod.rs"]
#[expect(dead_code, reason = "the tests need only some of what a manager can do")]
mod server;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use homing::client::{Builder, Client};
use homing::engine::{Event, Tuning};
use homing::settings::Settings;
use homing::types::{AccountMode, FailureClass, Identity, Name};
use serde_json::json;
use tempfile::TempDir;

use server::{Authority, Behaviour, Config, Document, Manager};

/// Only a test that fails waits this long.
const BOUND: Duration = Duration::from_secs(100);
/// Ten times as fast as in the field, and still ten times what an exchange takes on a busy machine.
const TIME_SCALE: f64 = 0.1;

/// An agent with two servers: `bad` of the first priority, `good` of the second.
struct Site {
    bad: Manager,
    good: Manager,
    settings: Settings,
    client: Client,
    folder: TempDir,
}

impl Site {
    fn new(behaviour: Behaviour) -> Self {
        Self::with(behaviour, |builder| builder)
    }

    /// With an agent that is described further.
    fn with(behaviour: Behaviour, describe: impl FnOnce(Builder) -> Builder) -> Self {
        let authority = Authority::new("misbehaving manager, throw-away authority").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let bundle = folder.path().join("authority.pem");
        std::fs::write(&bundle, authority.pem()).unwrap();
        let start = |name: &str, behaviour| {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            let identity = authority.issue(&[address.ip().to_string()]).unwrap();
            Manager::start(Config {
                name: name.to_owned(),
                https: Some((address, identity)),
                http: None,
                settings: Document::None,
                policy: Document::Text(bytes::Bytes::from_static(b"{}")),
                behaviour,
            })
            .unwrap()
        };
        let (bad, good) = (start("bad", behaviour), start("good", Behaviour::Well));
        let server = |id: &str, manager: &Manager| json!({ "address": "127.0.0.1", "https_port": manager.https.unwrap().port(), "id": id });
        let document = json!({
            "certificate": { "roots": [{ "bundle": bundle }] },
            "server_lists": [{ "name": "l", "priorities": [
                { "servers": [server("bad", &bad)] }, { "servers": [server("good", &good)] },
            ] }],
            "group": { "name": "g", "server_list": "l", "communication": { "heartbeat_interval": "10s" } },
        });
        let settings: Settings = document.to_string().parse().unwrap();
        let client = describe(builder(&settings)).start().unwrap();
        Self { bad, good, settings, client, folder }
    }

    /// Passes events over until one gives something.
    fn until<T>(&self, what: &str, wanted: impl FnMut(&Event) -> Option<T>) -> T {
        until(&self.client, what, wanted)
    }

    fn attaches_to(&self, wanted: &str) {
        let attached = self.until("attached", |event| {
            let Event::Attached { server, .. } = event else { return None };
            Some(server.to_string())
        });
        assert_eq!(attached, wanted);
    }

    /// How the first failed attempt on `bad` ended.
    fn failure(&self) -> (FailureClass, String) {
        self.until("attempt_failed", |event| {
            let Event::AttemptFailed { server, class, detail, .. } = event else { return None };
            (server.as_str() == "bad").then(|| (*class, detail.clone()))
        })
    }
}

fn builder(settings: &Settings) -> Builder {
    let tuning = Tuning::default().with_time_scale(TIME_SCALE).unwrap();
    Client::builder(settings.clone(), "agent".parse().unwrap()).tuning(tuning).seed(7)
}

fn until<T>(client: &Client, what: &str, mut wanted: impl FnMut(&Event) -> Option<T>) -> T {
    let end = Instant::now() + BOUND;
    let mut seen = Vec::new();
    while let Ok(Some(event)) = client.next_event_timeout(end.saturating_duration_since(Instant::now())) {
        if let Some(found) = wanted(&event.event) {
            return found;
        }
        seen.push(format!("{:?}", event.event));
    }
    panic!("{what}: did not come; instead:\n{}", seen.join("\n"))
}

/// The next decision of a server.
fn registered(client: &Client) -> (String, AccountMode) {
    until(client, "registered", |event| {
        assert!(!matches!(event, Event::Detached { .. }), "{event:?}");
        let Event::Registered { group, mode, .. } = event else { return None };
        Some((group.as_ref()?.to_string(), (*mode)?))
    })
}

#[test]
fn every_way_to_break_the_contract_has_its_class_and_the_next_server_is_taken() {
    use FailureClass::{
        Certificate, Misunderstood, NotAllowed, Refused, ServerError, Throttled, TooLarge, WrongServer,
    };
    for (how, class, words) in [
        ("refuse", Refused, "nothing listens"),
        ("status:401", NotAllowed, "status 401"),
        ("status:403", WrongServer, "status 403 without a `Homing-` field"),
        ("status:400", Misunderstood, "status 400"),
        ("status:413", TooLarge, "status 413"),
        ("status:404", WrongServer, "status 404"),
        ("status:302", WrongServer, "status 302"),
        ("status:500", ServerError, "server error 500"),
        ("status:500:600", ServerError, "server error 500"),
        ("status:503", ServerError, "server error 503"),
        ("status:503:-7", ServerError, "unreadable Retry-After: -7"),
        ("status:503:7", Throttled, "asks to wait 7 s"),
        ("wrong-certificate", Certificate, "issued by nobody the policy trusts"),
        ("empty", WrongServer, "neither Homing-Settings nor Homing-Policy"),
        ("html", WrongServer, "neither Homing-Settings nor Homing-Policy"),
    ] {
        let site = Site::new(how.parse().unwrap());
        let (found, detail) = site.failure();
        assert_eq!(found, class, "{how}: {detail}");
        assert!(detail.contains(words), "{how}: {detail}");
        site.attaches_to("good");
    }
}

#[test]
fn a_server_that_never_finishes_is_passed_over() {
    for how in ["silent", "mute", "drip"] {
        let site = Site::new(how.parse().unwrap());
        site.attaches_to("good");
        assert_eq!(site.good.counts().attach, 1, "{how}");
    }
}

#[test]
fn an_agent_without_a_server_passes_by_a_429() {
    for (how, words) in [
        ("status:429", "asks to wait"),
        ("status:429:600", "asks to wait 600 s"),
        ("status:429:soon", "unreadable Retry-After: soon"),
    ] {
        let site = Site::new(how.parse().unwrap());
        let (found, detail) = site.failure();
        assert_eq!(found, FailureClass::Throttled, "{how}: {detail}");
        assert!(detail.contains(words), "{how}: {detail}");
        site.attaches_to("good");
    }
}

#[test]
fn an_attached_agent_stays_through_a_429() {
    let site = Site::new(Behaviour::Well);
    site.attaches_to("bad");
    site.bad.misbehave("status:429:2".parse().unwrap());
    let (class, _) = site.failure();
    assert_eq!(class, FailureClass::Throttled);
    site.bad.misbehave(Behaviour::Well);
    site.until("a heartbeat after the wait", |event| {
        matches!(event, Event::Heartbeat { server, .. } if server.as_str() == "bad").then_some(())
    });
    assert_eq!(site.good.counts().attach, 0);
}

#[test]
fn a_draining_server_is_left_without_blame() {
    let site = Site::new(Behaviour::Well);
    site.attaches_to("bad");
    site.bad.misbehave(Behaviour::Drain { seconds: 1 });
    let mut blamed = 0;
    let attached = site.until("attached", |event| {
        blamed += u32::from(matches!(event, Event::AttemptFailed { .. }));
        let Event::Attached { server, .. } = event else { return None };
        Some(server.to_string())
    });
    assert_eq!((attached.as_str(), blamed), ("good", 0));
}

fn name(text: &str) -> Option<Name> {
    Some(text.parse().unwrap())
}

#[test]
fn an_agent_is_registered_and_put_elsewhere_when_its_user_changes_or_the_manager_says_so() {
    let identity = Identity::default().with_user(name("bob")).with_preferred_group(name("K\u{f6}ln 1"));
    let site = Site::with(Behaviour::Well, |builder| builder.identity(identity));
    assert_eq!(registered(&site.client), ("K\u{f6}ln 1".to_owned(), AccountMode::Computer));
    let groups = site.folder.path().join("groups.json");
    std::fs::write(&groups, r#"{ "alice": "Sales", "agent": "Servers" }"#).unwrap();
    site.bad.assign(groups);
    site.client.user_changed(name("alice"));
    assert_eq!(registered(&site.client), ("Sales".to_owned(), AccountMode::User));
    site.client.user_changed(None);
    assert_eq!(registered(&site.client), ("Servers".to_owned(), AccountMode::Computer));
    let before = site.bad.counts().registrations;
    site.bad.ask_to_register();
    registered(&site.client);
    for _ in 0..2 {
        site.until("a heartbeat", |event| matches!(event, Event::Heartbeat { .. }).then_some(()));
    }
    assert_eq!((before, site.bad.counts().registrations), (3, 4), "asked until it was done, and no longer");
    assert_eq!(site.good.counts().registrations, 0);
}

#[test]
fn a_manager_that_registers_badly_keeps_its_agent() {
    for (how, words) in [
        ("nonsense", "neither a Homing-Group"),
        ("flood", "the head of the answer is too large"),
        ("status:401", "status 401"),
        ("status:500", "server error 500"),
        ("none", "registers no agents (404)"),
    ] {
        let how: Behaviour = format!("registers:{how}").parse().unwrap();
        let site = Site::with(how.clone(), |builder| builder.identity(Identity::default()));
        site.attaches_to("bad");
        let detail = site.until("registration_failed", |event| {
            assert!(!matches!(event, Event::Detached { .. } | Event::Registered { .. }), "{event:?}");
            let Event::RegistrationFailed { detail, .. } = event else { return None };
            Some(detail.clone())
        });
        assert!(detail.contains(words), "{how:?}: {detail}");
        let snapshot = site.client.snapshot();
        assert_eq!((snapshot.active.unwrap().as_str(), snapshot.servers[0].health.as_str()), ("bad", "up"));
    }
}

#[test]
fn two_machines_with_one_id_hear_of_each_other() {
    let site = Site::with(Behaviour::Well, |builder| builder.machine_id("one"));
    site.attaches_to("bad");
    let copy = builder(&site.settings).machine_id("two").start().unwrap();
    let by = |client: &Client| {
        until(client, "duplicate", |event| {
            let Event::Duplicate { server } = event else { return None };
            Some(server.to_string())
        })
    };
    assert_eq!((by(&copy), by(&site.client)), ("bad".to_owned(), "bad".to_owned()));
    assert!(copy.snapshot().duplicate && site.client.snapshot().duplicate);
}
