//! Settings that a server sends: read, judged, tried, and kept or taken back.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::ring::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use homing::client::{Builder, Client, Consent};
use homing::engine::Event;
use homing::settings::Settings;
use homing::store::InMemory;
use serde_json::{Value, json};

use crate::server::{Authority, Conversation, Server};
use crate::{attached, builder, wait_for};

/// What a server says of settings: the tag, and the whole answer to a read.
#[derive(Clone, Default)]
struct Offer(Arc<Mutex<(String, String)>>);

impl Offer {
    fn set(&self, tag: &str, text: &str, signature: Option<&str>) {
        let signature = signature.map_or(String::new(), |it| format!("Homing-Signature: {it}\r\n"));
        let head = format!("HTTP/1.1 200 OK\r\nETag: {tag}\r\n{signature}Content-Length: {}", text.len());
        *self.0.lock().unwrap() = (tag.to_owned(), format!("{head}\r\n\r\n{text}"));
    }

    fn answer(&self, tag: &str, answer: String) {
        *self.0.lock().unwrap() = (tag.to_owned(), answer);
    }
}

fn with_settings(offer: &Offer) -> impl Fn(&mut Conversation<'_>) + Send + Sync + 'static {
    let offer = offer.clone();
    move |conversation| {
        while let Some(request) = conversation.request() {
            let (tag, answer) = offer.0.lock().unwrap().clone();
            if request.line.starts_with("POST") {
                let tag = if tag.is_empty() { "\"0\"" } else { &tag };
                conversation
                    .say(&format!("HTTP/1.1 200 OK\r\nHoming-Settings: {tag}\r\nContent-Length: 0\r\n\r\n"));
            } else if request.field("if-none-match") == Some(&tag) {
                conversation.say("HTTP/1.1 304 Not Modified\r\n\r\n");
            } else if answer.is_empty() {
                conversation.say("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
            } else {
                conversation.say(&answer);
            }
        }
    }
}

/// Two servers that offer the same.
struct Fleet {
    offer: Offer,
    a: Server,
    b: Server,
}

impl Fleet {
    fn new() -> Self {
        let (offer, authority) = (Offer::default(), Authority::new());
        let a = Server::tls("a", &authority, with_settings(&offer));
        let b = Server::tls("b", &authority, with_settings(&offer));
        Self { offer, a, b }
    }

    /// A document that names these servers, by the pins of both.
    fn document(&self, servers: &[&Server]) -> Value {
        let pin = |server: &Server| json!({ "sha256": STANDARD.encode(server.pin()) });
        let certificate = json!({ "pin_only": true, "pins": [pin(&self.a), pin(&self.b)] });
        crate::document(servers, certificate)
    }

    fn first(&self) -> Settings {
        self.document(&[&self.a]).to_string().parse().unwrap()
    }

    fn start(&self) -> Client {
        builder(self.first()).accept_settings().start().unwrap()
    }

    /// A document of `a` at a port where nothing listens.
    fn wrong(&self) -> Value {
        let mut wrong = self.document(&[&self.a]);
        wrong["server_lists"][0]["priorities"][0]["servers"][0]["https_port"] = 1.into();
        wrong
    }
}

fn refusal(client: &Client) -> String {
    wait_for(client, |event| {
        let bad = matches!(event.event, Event::SettingsOnTrial { .. } | Event::Detached { .. });
        assert!(!bad, "{event:?}");
        let Event::SettingsRefused { detail, .. } = &event.event else { return None };
        Some(detail.clone())
    })
}

fn in_force(client: &Client) -> Option<String> {
    wait_for(client, |event| {
        assert!(!matches!(event.event, Event::SettingsRolledBack { .. }), "{event:?}");
        let Event::SettingsInForce { tag } = &event.event else { return None };
        Some(tag.as_deref().map(str::to_owned))
    })
}

fn rolled_back(client: &Client) -> String {
    wait_for(client, |event| {
        let bad = matches!(event.event, Event::SettingsInForce { .. } | Event::Detached { .. });
        assert!(!bad, "{event:?}");
        let Event::SettingsRolledBack { detail, .. } = &event.event else { return None };
        Some(detail.clone())
    })
}

#[test]
fn settings_of_a_server_are_handed_over_tried_and_kept() {
    let fleet = Fleet::new();
    let text = fleet.document(&[&fleet.b]).to_string();
    fleet.offer.set("\"1\"", &text, None);
    let client = fleet.start();
    let handed_over = wait_for(&client, |event| {
        let Event::Settings { tag, .. } = &event.event else { return None };
        Some((tag.to_string(), event.body.clone().unwrap()))
    });
    assert_eq!(handed_over, ("\"1\"".to_owned(), text.as_bytes().into()));
    assert_eq!(in_force(&client).as_deref(), Some("\"1\""));
    let settings = client.snapshot().settings.unwrap();
    assert_eq!((settings.tag.as_deref(), settings.proved, settings.trial), (Some("\"1\""), true, None));
    assert_eq!(client.snapshot().active.unwrap().as_str(), "b");
    assert!(client.explain().contains("settings \"1\""), "{}", client.explain());
}

#[test]
fn an_agent_whose_program_does_not_say_so_reads_no_settings() {
    let fleet = Fleet::new();
    fleet.offer.set("\"1\"", &fleet.document(&[&fleet.b]).to_string(), None);
    let client = builder(fleet.first()).start().unwrap();
    for _ in 0..4 {
        wait_for(&client, |event| matches!(event.event, Event::Heartbeat { .. }).then_some(()));
    }
    assert!(fleet.a.requests().iter().all(|request| request.line.starts_with("POST")));
}

#[test]
fn wrong_settings_are_rolled_back_and_the_correction_is_taken() {
    let fleet = Fleet::new();
    fleet.offer.set("\"1\"", &fleet.wrong().to_string(), None);
    let client = fleet.start();
    assert!(rolled_back(&client).contains("found no server"));
    assert_eq!(client.snapshot().active.unwrap().as_str(), "a");
    fleet.offer.set("\"2\"", &fleet.document(&[&fleet.b]).to_string(), None);
    assert_eq!(in_force(&client).as_deref(), Some("\"2\""));
}

#[test]
fn what_is_not_settings_is_refused_and_costs_the_server_nothing() {
    let fleet = Fleet::new();
    let client = fleet.start();
    assert_eq!(attached(&client), "a");
    let deep = "[".repeat(100_000);
    let mut off = fleet.document(&[&fleet.a]);
    off["group"]["communication"]["enabled"] = false.into();
    let file = |name: &str| {
        let mut document = fleet.document(&[&fleet.a]);
        document["certificate"] = json!({ "roots": [{ "bundle": name }] });
        document.to_string()
    };
    // The tag 0 was announced already, for settings that are not there.
    for (number, (text, words)) in (1..).zip([
        ("nonsense".to_owned(), "line 1"),
        ("{}".to_owned(), "server_lists"),
        (deep, "nested"),
        (r#"{ "version": 2, "server_lists": [] }"#.to_owned(), "version"),
        (off.to_string(), "end all communication"),
        (file("/etc/passwd"), "plain name"),
        (file("../ca.pem"), "plain name"),
        (file("ca.pem"), "allows a server none"),
    ]) {
        fleet.offer.set(&format!("\"{number}\""), &text, None);
        let refusal = refusal(&client);
        assert!(refusal.contains(words), "{text:.60}: {refusal}");
    }
    fleet.offer.set("\"large\"", &" ".repeat(10 * 1024 * 1024), None);
    wait_for(&client, |event| {
        assert!(!matches!(event.event, Event::Detached { .. } | Event::Settings { .. }), "{event:?}");
        matches!(event.event, Event::SettingsFailed { .. }).then_some(())
    });
    for answer in ["HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", "nonsense\r\n\r\n"] {
        fleet.offer.answer("\"bad\"", answer.to_owned());
        wait_for(&client, |event| {
            assert!(!matches!(event.event, Event::Detached { .. }), "{event:?}");
            matches!(event.event, Event::SettingsFailed { .. }).then_some(())
        });
    }
    fleet.offer.set("\"good\"", &fleet.document(&[&fleet.b]).to_string(), None);
    assert_eq!(in_force(&client).as_deref(), Some("\"good\""));
}

#[test]
fn the_same_document_under_ever_new_tags_is_tried_once() {
    let fleet = Fleet::new();
    let text = fleet.document(&[&fleet.b]).to_string();
    fleet.offer.set("\"0\"", &text, None);
    let client = fleet.start();
    assert_eq!(in_force(&client).as_deref(), Some("\"0\""));
    for turn in 1..6 {
        fleet.offer.set(&format!("\"{turn}\""), &text, None);
        wait_for(&client, |event| {
            assert!(!matches!(event.event, Event::SettingsOnTrial { .. } | Event::Detached { .. }));
            matches!(&event.event, Event::Settings { .. }).then_some(())
        });
    }
    assert_eq!(client.snapshot().active.unwrap().as_str(), "b");
}

#[test]
fn the_product_accepts_refuses_and_decides_later() {
    let fleet = Fleet::new();
    fleet.offer.set("\"1\"", &fleet.document(&[&fleet.b]).to_string(), None);
    let asked = Arc::new(Mutex::new(Vec::new()));
    let client = builder(fleet.first())
        .on_settings({
            let asked = Arc::clone(&asked);
            move |offered| {
                assert!(!offered.is_signed && !offered.text.is_empty());
                let mut asked = asked.lock().unwrap();
                asked.push((offered.server.to_string(), offered.tag.to_owned()));
                let times = asked.len();
                drop(asked);
                match times {
                    1 => Consent::Refuse("not on a Friday".to_owned()),
                    2 => panic!("a bug of the product"),
                    _ => Consent::Later,
                }
            }
        })
        .start()
        .unwrap();
    assert!(refusal(&client).contains("not on a Friday"));
    fleet.offer.set("\"2\"", &fleet.document(&[&fleet.b]).to_string(), None);
    assert!(refusal(&client).contains("panicked"));
    fleet.offer.set("\"3\"", &fleet.document(&[&fleet.b]).to_string(), None);
    wait_for(&client, |event| {
        matches!(&event.event, Event::Settings { tag, .. } if &**tag == "\"3\"").then_some(())
    });
    for _ in 0..2 {
        wait_for(&client, |event| {
            assert!(!matches!(event.event, Event::SettingsOnTrial { .. }));
            matches!(event.event, Event::Heartbeat { .. }).then_some(())
        });
    }
    client.decide_settings("\"other\"", Consent::Accept);
    client.decide_settings("\"3\"", Consent::Accept);
    assert_eq!(in_force(&client).as_deref(), Some("\"3\""));
    assert_eq!(asked.lock().unwrap()[0], ("a".to_owned(), "\"1\"".to_owned()));
}

fn signed(pair: &Ed25519KeyPair, text: &str) -> String {
    STANDARD.encode(pair.sign(&[b"homing settings 1\n", text.as_bytes()].concat()))
}

fn key(pair: &Ed25519KeyPair) -> [u8; 32] {
    pair.public_key().as_ref().try_into().unwrap()
}

#[test]
fn signed_settings_are_refused_unless_they_are_for_this_agent_and_newer() {
    let fleet = Fleet::new();
    let (ours, other) = (
        Ed25519KeyPair::from_seed_unchecked(&[1; 32]).unwrap(),
        Ed25519KeyPair::from_seed_unchecked(&[2; 32]).unwrap(),
    );
    let text = |serial: Option<u64>, audience: &str, server: &Server| {
        let mut document = fleet.document(&[server]);
        document["serial"] = serial.into();
        document["audience"] = audience.into();
        document.to_string()
    };
    let store = InMemory::default();
    let start = || -> Builder {
        builder(fleet.first()).store(store.clone()).settings_keys([key(&ours)], Some("acme"))
    };
    let client = start().start().unwrap();
    assert_eq!(attached(&client), "a");
    let good = text(Some(7), "acme", &fleet.b);
    let refused = |number: u32, text: &str, signature: Option<&str>, words: &str| {
        fleet.offer.set(&format!("\"{number}\""), text, signature);
        let refusal = refusal(&client);
        assert!(refusal.contains(words), "{number}: {refusal}");
    };
    refused(1, &good, None, "not signed");
    refused(2, &good, Some(&signed(&other, &good)), "none of this agent's keys");
    refused(3, &good, Some(&signed(&ours, &text(Some(7), "acme", &fleet.a))), "none of this agent's keys");
    let stranger = text(Some(7), "other", &fleet.b);
    refused(4, &stranger, Some(&signed(&ours, &stranger)), "this agent is of acme");
    let unnumbered = text(None, "acme", &fleet.b);
    refused(5, &unnumbered, Some(&signed(&ours, &unnumbered)), "need a `serial`");
    fleet.offer.set("\"6\"", &good, Some(&signed(&ours, &good)));
    assert_eq!(in_force(&client).as_deref(), Some("\"6\""));
    for (number, serial) in [(7, 7), (8, 6)] {
        let old = text(Some(serial), "acme", &fleet.a);
        refused(number, &old, Some(&signed(&ours, &old)), "in force already");
    }
    client.stop(Duration::from_secs(5));
    drop(client);
    // An old document is not played back to the next life either.
    let client = start().start().unwrap();
    assert_eq!(attached(&client), "b");
    let old = text(Some(6), "acme", &fleet.a);
    fleet.offer.set("\"9\"", &old, Some(&signed(&ours, &old)));
    assert!(refusal(&client).contains("in force already"));
}

#[test]
fn what_came_unsigned_is_not_used_once_the_program_wants_signatures() {
    let fleet = Fleet::new();
    fleet.offer.set("\"1\"", &fleet.document(&[&fleet.b]).to_string(), None);
    let store = InMemory::default();
    let client = builder(fleet.first()).store(store.clone()).accept_settings().start().unwrap();
    in_force(&client);
    client.stop(Duration::from_secs(5));
    drop(client);
    let client = builder(fleet.first()).store(store).settings_keys([], None).start().unwrap();
    let problem = wait_for(&client, |event| {
        let Event::StoreProblem { problem } = &event.event else { return None };
        Some(problem.clone())
    });
    assert!(problem.contains("they came unsigned"), "{problem}");
    assert_eq!(attached(&client), "a");
}

#[test]
fn signed_settings_older_than_the_program_s_are_refused_from_the_first_start_on() {
    let fleet = Fleet::new();
    let ours = Ed25519KeyPair::from_seed_unchecked(&[1; 32]).unwrap();
    let text = |serial: u64, server: &Server| {
        let mut document = fleet.document(&[server]);
        document["serial"] = serial.into();
        document.to_string()
    };
    let client =
        builder(text(9, &fleet.a).parse().unwrap()).settings_keys([key(&ours)], None).start().unwrap();
    let old = text(8, &fleet.b);
    fleet.offer.set("\"1\"", &old, Some(&signed(&ours, &old)));
    assert!(refusal(&client).contains("the program's own settings are newer"));
    let new = text(10, &fleet.b);
    fleet.offer.set("\"2\"", &new, Some(&signed(&ours, &new)));
    assert_eq!(in_force(&client).as_deref(), Some("\"2\""));
}

#[test]
fn the_next_life_goes_on_with_what_was_in_force_and_tries_what_the_program_gives_anew() {
    let fleet = Fleet::new();
    fleet.offer.set("\"1\"", &fleet.document(&[&fleet.b]).to_string(), None);
    let store = InMemory::default();
    let start =
        |settings: Settings| builder(settings).store(store.clone()).accept_settings().start().unwrap();
    let client = start(fleet.first());
    in_force(&client);
    client.stop(Duration::from_secs(5));
    drop(client);
    let client = start(fleet.first());
    assert_eq!(attached(&client), "b");
    let reads = fleet.b.requests().iter().filter(|request| request.line.starts_with("GET")).count();
    wait_for(&client, |event| matches!(event.event, Event::Heartbeat { .. }).then_some(()));
    assert_eq!(fleet.b.requests().iter().filter(|request| request.line.starts_with("GET")).count(), reads);
    client.stop(Duration::from_secs(5));
    drop(client);
    // The file of the program is another one, and wrong.
    let client = start(fleet.wrong().to_string().parse().unwrap());
    wait_for(&client, |event| matches!(event.event, Event::SettingsOnTrial { tag: None }).then_some(()));
    wait_for(&client, |event| {
        assert!(!matches!(event.event, Event::SettingsInForce { .. }), "{event:?}");
        matches!(event.event, Event::SettingsRolledBack { .. }).then_some(())
    });
    assert_eq!(client.snapshot().active.unwrap().as_str(), "b");
}

#[test]
fn settings_of_the_program_are_on_trial_too() {
    let fleet = Fleet::new();
    let client = builder(fleet.first()).start().unwrap();
    assert_eq!(attached(&client), "a");
    let wrong: Settings = fleet.wrong().to_string().parse().unwrap();
    client.reconfigure(wrong).unwrap();
    assert!(rolled_back(&client).contains("found no server"));
    let good: Settings = fleet.document(&[&fleet.b]).to_string().parse().unwrap();
    client.reconfigure(good).unwrap();
    assert_eq!(in_force(&client), None);
}

#[test]
fn a_server_may_name_a_file_below_the_folder_of_the_program() {
    let fleet = Fleet::new();
    let folder = tempfile::tempdir().unwrap();
    let mut document = fleet.document(&[&fleet.b]);
    document["certificate"]["crls"] = json!(["x.crl"]);
    document["certificate"] = json!({ "roots": [{ "bundle": "ca.pem" }] });
    fleet.offer.set("\"1\"", &document.to_string(), None);
    let client = builder(fleet.first()).accept_settings().settings_folder(folder.path()).start().unwrap();
    let refusal = refusal(&client);
    assert!(refusal.contains("ca.pem") && refusal.contains("cannot read"), "{refusal}");
}
