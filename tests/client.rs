//! The client over real loopback sockets, against servers that behave as each test says.
#![cfg(feature = "client")]
// The helpers of tests may fail like tests; clippy knows only functions marked as such.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "client/arriving.rs"]
mod arriving;
#[cfg(target_os = "linux")]
#[path = "../examples/tokio/async_events.rs"]
mod async_events;
#[path = "client/calls.rs"]
mod calls;
#[path = "client/certificates.rs"]
mod certificates;
#[path = "client/credentials.rs"]
mod credentials;
#[path = "client/ending.rs"]
mod ending;
#[path = "event_schema/mod.rs"]
mod event_schema;
#[path = "client/kept_links.rs"]
mod kept_links;
#[cfg(feature = "outbox")]
#[path = "client/killed_reports.rs"]
mod killed_reports;
#[path = "client/listener.rs"]
mod listener;
#[path = "client/logging.rs"]
mod logging;
#[path = "client/notices.rs"]
mod notices;
#[path = "client/persistence.rs"]
mod persistence;
#[path = "client/policy.rs"]
mod policy;
#[path = "client/proxy.rs"]
mod proxy;
#[path = "client/registration.rs"]
mod registration;
#[cfg(feature = "outbox")]
#[path = "client/reports.rs"]
mod reports;
#[path = "client/requests.rs"]
mod requests;
#[path = "client/reread.rs"]
mod reread;
#[path = "client/routes.rs"]
mod routes;
#[path = "client/server.rs"]
#[allow(dead_code, reason = "other tests need the rest of what a server can do")]
mod server;
#[path = "client/too_large.rs"]
mod too_large;
#[cfg(target_os = "linux")]
#[path = "client/waitable.rs"]
mod waitable;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use homing::client::{Builder, Client, ClientEvent, Ended, PrepareError, StartError};
use homing::engine::{Event, State, Tuning};
use homing::settings::Settings;
use homing::trust::TrustError;
use homing::types::FailureClass;
use server::{Authority, Conversation, Server};

/// Longer than anything here takes; a test that waits this long has failed.
const LONG: Duration = Duration::from_secs(60);

/// An answer that counts, with this body.
fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nHoming-Settings: \"7\"\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// Answers every request of a connection, as often as it is asked.
fn well(conversation: &mut Conversation<'_>) {
    while conversation.request().is_some() {
        conversation.say(&ok("do this"));
    }
}

/// Says this once, to the first request, and closes.
fn once(text: impl Into<String>) -> impl Fn(&mut Conversation<'_>) + Send + Sync + 'static {
    let text = text.into();
    move |conversation| {
        if conversation.request().is_some() {
            conversation.say(&text);
        }
    }
}

/// Settings with one list: each server a priority of its own, all under this certificate policy.
fn settings(servers: &[&Server], certificate: serde_json::Value) -> Settings {
    document(servers, certificate).to_string().parse().unwrap()
}

/// The same as a document.
fn document(servers: &[&Server], certificate: serde_json::Value) -> serde_json::Value {
    let priorities: Vec<_> = servers
        .iter()
        .map(|server| {
            serde_json::json!({ "servers": [{
                "address": server.host(), "protocol": server.protocol(), "id": server.name(),
                "https_port": server.port(), "http_port": server.port(),
            }] })
        })
        .collect();
    serde_json::json!({
        "certificate": certificate,
        "server_lists": [{ "name": "main", "priorities": priorities }],
        "group": { "name": "g", "communication": { "heartbeat_interval": "10s" } },
    })
}

fn builder(settings: Settings) -> Builder {
    // A hundredth of every duration: beats come every 100 ms. But what decides that a server is slow stays as it is.
    let tuning = Tuning::parse(
        br#"{ "time_scale": 0.01, "attachment": {
            "crossing": "100s", "patience": "150s", "reserve": "300s", "silence_least": "200s", "silence_most": "1000s",
            "connect_limit": "1000s", "tls_limit": "1000s", "exchange_limit": "1500s", "attempt_limit": "2000s",
            "endpoint_limit": "500s", "route_limit": "300s", "name_limit": "500s"
        } }"#,
    )
    .unwrap();
    Client::builder(settings, "agent-1".parse().unwrap()).tuning(tuning).seed(7)
}

fn start(servers: &[&Server], certificate: serde_json::Value) -> Client {
    builder(settings(servers, certificate)).status("all is well").start().unwrap()
}

fn public() -> serde_json::Value {
    serde_json::json!({})
}

/// The first event that fits; what came before is passed over.
fn wait_for<T>(client: &Client, fits: impl Fn(&ClientEvent) -> Option<T>) -> T {
    let started = Instant::now();
    let mut seen = Vec::new();
    while started.elapsed() < LONG {
        let Ok(Some(event)) = client.next_event_timeout(LONG) else { break };
        event_schema::check_event(&serde_json::to_value(&event).unwrap());
        if let Some(found) = fits(&event) {
            return found;
        }
        seen.push(event);
    }
    panic!("did not come; instead: {seen:#?}\n{}", client.explain());
}

fn attached(client: &Client) -> String {
    wait_for(client, |event| {
        let Event::Attached { server, .. } = &event.event else { return None };
        Some(server.to_string())
    })
}

fn failed(client: &Client) -> (FailureClass, String) {
    wait_for(client, |event| {
        let Event::AttemptFailed { class, detail, .. } = &event.event else { return None };
        Some((*class, detail.clone()))
    })
}

fn heartbeat(client: &Client) -> Option<String> {
    wait_for(client, |event| {
        let Event::Heartbeat { status: 200, .. } = &event.event else { return None };
        Some(event.body.as_ref().map(|body| String::from_utf8(body.to_vec()).unwrap()))
    })
}

#[test]
fn an_agent_attaches_over_tls_and_beats_over_one_connection() {
    let authority = Authority::new();
    let server = Server::tls("a", &authority, well);
    let client = start(&[&server], authority.policy());
    assert_eq!(attached(&client), "a");
    for _ in 0..4 {
        assert_eq!(heartbeat(&client).as_deref(), Some("do this"));
    }
    client.stop(Duration::ZERO);
    assert_eq!(client.snapshot().state, State::Stopped);
    assert_eq!(server.connections(), 1);

    let requests = server.requests();
    let (attach, beat) = (&requests[0], &requests[1]);
    assert!(attach.line.starts_with("POST /homing/v1/heartbeat HTTP/1.1"), "{attach:?}");
    for request in &requests {
        assert_eq!(request.field("homing-agent"), Some("agent-1"));
        assert_eq!(request.field("host"), Some(format!("127.0.0.1:{}", server.port()).as_str()));
        assert_eq!(request.body, b"all is well");
    }
    assert_eq!(attach.field("homing-purpose"), Some("attach"));
    assert!(attach.field("idempotency-key").is_some());
    assert_eq!(beat.field("homing-purpose"), Some("beat"));
    assert_eq!(beat.field("idempotency-key"), None);
}

#[test]
fn plain_http_is_spoken_when_the_settings_say_so() {
    let server = Server::plain("a", well);
    let client = start(&[&server], public());
    assert_eq!(attached(&client), "a");
    assert_eq!(heartbeat(&client).as_deref(), Some("do this"));
}

#[test]
fn a_name_is_looked_up() {
    let server = Server::plain("a", well).called("localhost");
    let client = start(&[&server], public());
    assert_eq!(attached(&client), "a");
    let requests = server.requests();
    assert_eq!(requests[0].field("host"), Some(format!("localhost:{}", server.port()).as_str()));
}

#[test]
fn a_session_is_resumed_when_the_connection_was_not_kept() {
    let authority = Authority::new();
    let body = "Homing-Policy: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    let server = Server::tls("a", &authority, once(format!("HTTP/1.1 200 OK\r\n{body}")));
    let client = start(&[&server], authority.policy());
    for _ in 0..4 {
        heartbeat(&client);
    }
    client.stop(Duration::ZERO);
    let (full, resumed) = server.handshakes();
    assert_eq!(full, 1);
    assert!(resumed >= 3, "{resumed} resumed");
}

#[test]
fn a_certificate_is_verified_and_its_failure_is_named() {
    // Both authorities have one name: it is the key that counts.
    let (ours, theirs) = (Authority::new(), Authority::new());
    for (server, policy, expected) in [
        (Server::tls("a", &theirs, well), ours.policy(), "issued by nobody the policy trusts"),
        (Server::tls("a", &ours, well), public(), "issued by nobody the policy trusts"),
        (Server::tls("a", &ours.named("other.example"), well), ours.policy(), "for another name"),
        (Server::tls("a", &ours.expired(), well), ours.policy(), "expired"),
        (Server::tls("a", &ours.not_yet_valid(), well), ours.policy(), "not valid yet"),
    ] {
        let client = start(&[&server], policy);
        let (class, detail) = failed(&client);
        assert_eq!(class, FailureClass::Certificate, "{detail}");
        assert!(detail.contains(expected), "{detail}");
        client.stop(Duration::ZERO);
        assert!(server.requests().is_empty());
    }
}

#[test]
fn tls_1_2_is_spoken_unless_the_settings_refuse_it() {
    let authority = Authority::new();
    let server = Server::tls("a", &authority.with_tls12_only(), well);
    let mut policy = authority.policy();
    assert_eq!(attached(&start(&[&server], policy.clone())), "a");
    policy["tls13_only"] = true.into();
    assert_eq!(failed(&start(&[&server], policy)).0, FailureClass::Broken);
}

#[test]
fn an_answer_somebody_on_the_way_cut_short_does_not_count() {
    let authority = Authority::new();
    // Its length is told by the end of the connection alone.
    let answer = "HTTP/1.1 200 OK\r\nHoming-Settings: 7\r\nConnection: close\r\n\r\nall of it";
    let whole = Server::tls("whole", &authority, once(answer));
    let cut = Server::tls("cut", &authority, move |conversation| {
        once(answer)(conversation);
        conversation.cut();
    });
    let client = start(&[&cut, &whole], authority.policy());
    assert_eq!(failed(&client).0, FailureClass::Broken);
    assert_eq!(attached(&client), "whole");
}

#[test]
fn without_verification_any_certificate_will_do() {
    let server = Server::tls("a", &Authority::new().named("other.example"), well);
    let client = start(&[&server], serde_json::json!({ "danger_no_verification": true }));
    assert_eq!(attached(&client), "a");
}

#[test]
fn a_server_that_wants_our_certificate_does_not_want_this_agent() {
    let authority = Authority::new();
    let server = Server::tls("a", &authority.wants_client_certificates(), well);
    let client = start(&[&server], authority.policy());
    assert_eq!(failed(&client).0, FailureClass::NotAllowed);
}

#[test]
fn every_way_to_fail_has_its_class_and_the_next_server_takes_over() {
    let html = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\nhello";
    let cut = "HTTP/1.1 200 OK\r\nHoming-Settings: 7\r\nContent-Length: 100\r\n\r\nhello";
    let long = format!("HTTP/1.1 200 OK\r\nHoming-Settings: 7\r\nX: {}\r\n\r\n", "x".repeat(20_000));
    let status = |line: &str| format!("HTTP/1.1 {line}\r\nContent-Length: 0\r\n\r\n");
    for (text, class) in [
        ("SSH-2.0-OpenSSH_9.6\r\n".to_owned(), FailureClass::WrongServer),
        (html.to_owned(), FailureClass::WrongServer),
        (status("302 Found\r\nLocation: http://portal/"), FailureClass::WrongServer),
        (status("404 Not Found"), FailureClass::WrongServer),
        (status("403 Forbidden"), FailureClass::WrongServer),
        (status("403 Forbidden\r\nHoming-Reason: unknown"), FailureClass::NotAllowed),
        (status("400 What"), FailureClass::Misunderstood),
        (status("500 Oops"), FailureClass::ServerError),
        (status("503 Busy\r\nRetry-After: 100"), FailureClass::Throttled),
        (cut.to_owned(), FailureClass::Broken),
        (String::new(), FailureClass::Broken),
        (long, FailureClass::Limit),
    ] {
        let bad = Server::plain("bad", once(text.clone()));
        let good = Server::plain("good", well);
        let client = start(&[&bad, &good], public());
        assert_eq!(failed(&client).0, class, "{text:.60}");
        assert_eq!(attached(&client), "good", "{text:.60}");
    }
}

#[test]
fn a_refused_connection_is_told_and_the_next_server_takes_over() {
    let (gone, good) = (Server::plain("gone", well), Server::plain("good", well));
    let wanted = settings(&[&gone, &good], public());
    drop(gone);
    let client = builder(wanted).start().unwrap();
    assert_eq!(failed(&client).0, FailureClass::Refused);
    assert_eq!(attached(&client), "good");
}

#[test]
fn a_silent_server_does_not_hold_up_the_next_and_both_are_told_the_same() {
    let (asked, was_asked) = channel();
    let was_asked = Mutex::new(was_asked);
    let silent = Server::plain("silent", move |conversation| {
        conversation.request();
        asked.send(()).unwrap();
        conversation.wait_for_end();
    });
    let good = Server::plain("good", move |conversation| {
        was_asked.lock().unwrap().recv().unwrap();
        well(conversation);
    });
    let mut count = 0;
    let hook = move || {
        count += 1;
        Some(format!("status {count}").into_bytes())
    };
    let builder = builder(settings(&[&silent, &good], public())).tuning(Tuning::default());
    let client = builder.on_heartbeat(hook).start().unwrap();
    assert_eq!(attached(&client), "good");
    // Only one of the two counts, so a server that has both can tell that they are one.
    let (first, second) = (&silent.requests()[0], &good.requests()[0]);
    assert_eq!(first.body, b"status 1");
    assert_eq!(first.body, second.body);
    let key = first.field("idempotency-key");
    assert!(key.is_some());
    assert_eq!(key, second.field("idempotency-key"));
}

#[test]
fn a_server_that_speaks_no_tls_where_tls_is_due_is_not_believed() {
    let plain = Server::plain("plain", |conversation| conversation.say("HTTP/1.1 400 Bad Request\r\n\r\n"));
    let plain = plain.claiming_tls();
    let client = start(&[&plain], public());
    let (class, detail) = failed(&client);
    assert_eq!(class, FailureClass::Broken);
    assert!(detail.contains("does not speak TLS; this may be its port for plain http"), "{detail}");
}

#[test]
fn settings_that_cannot_be_enforced_change_nothing() {
    let server = Server::plain("a", well);
    let client = start(&[&server], public());
    assert_eq!(attached(&client), "a");
    let missing = serde_json::json!({ "roots": [{ "bundle": "/nowhere/ca.pem" }] });
    let no_bundle =
        serde_json::json!({ "roots": [{ "bundle": env!("CARGO_MANIFEST_DIR").to_owned() + "/Cargo.toml" }] });
    let error = client.reconfigure(settings(&[&server], missing.clone())).unwrap_err();
    assert!(
        error.to_string().starts_with("certificate.roots[0].bundle: cannot read /nowhere/ca.pem"),
        "{error}"
    );
    let error = client.reconfigure(settings(&[&server], no_bundle)).unwrap_err();
    assert!(matches!(error, PrepareError::Trust { source: TrustError::Bundle { .. }, .. }), "{error}");
    heartbeat(&client);
    assert_eq!(server.connections(), 1);
    let error = builder(settings(&[&server], missing)).start().unwrap_err();
    assert!(matches!(error, StartError::Prepare(_)), "{error}");
}

#[test]
fn new_settings_lead_to_the_server_they_name() {
    let authority = Authority::new();
    let (old, new) = (Server::plain("old", well), Server::tls("new", &authority, well));
    let client = start(&[&old], public());
    assert_eq!(attached(&client), "old");
    client.reconfigure(settings(&[&new], authority.policy())).unwrap();
    assert_eq!(attached(&client), "new");
}

#[test]
fn a_callback_may_do_everything_even_stop_and_panic() {
    let server = Server::plain("a", well);
    let (sender, receiver) = channel();
    let client = builder(settings(&[&server], public()))
        .on_event(move |client, event| {
            assert!(client.explain().len() > 1);
            if matches!(event.event, Event::Heartbeat { .. }) {
                client.set_status("from the callback");
                client.beat_now();
                client.network_changed();
                client.resumed();
                client.set_location(None);
                client.stop(Duration::ZERO);
            }
            sender.send(event.event.clone()).unwrap();
            panic!("a fault of the application");
        })
        .start()
        .unwrap();
    let events: Vec<_> = receiver.iter().collect();
    assert!(events.iter().any(|event| matches!(event, Event::Attached { .. })), "{events:?}");
    assert_eq!(events.last(), Some(&Event::Stopped {}));
    assert_eq!(events.iter().filter(|event| matches!(event, Event::Stopped {})).count(), 1);
    assert_eq!(client.next_event_timeout(LONG), Err(Ended));
    client.stop(LONG);
}

#[test]
fn the_status_is_refreshed_just_in_time() {
    let server = Server::plain("a", well);
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let hook = move || Some(format!("status {}", counter.fetch_add(1, Ordering::SeqCst)).into_bytes());
    let client = builder(settings(&[&server], public())).on_heartbeat(hook).start().unwrap();
    for _ in 0..3 {
        heartbeat(&client);
    }
    client.stop(Duration::ZERO);
    let said: Vec<_> = server.requests().into_iter().map(|request| request.body).collect();
    let expected: Vec<_> = (0..said.len()).map(|n| format!("status {n}").into_bytes()).collect();
    assert_eq!(said, expected);
    assert!(asked.load(Ordering::SeqCst) >= 3);
}

/// A client whose second heartbeat is under way until the server is released, which then says `just in time`.
fn held_up() -> (Server, Client, Sender<()>) {
    let (asked, was_asked) = channel();
    let (release, released) = channel();
    let released = Mutex::new(released);
    let server = Server::plain("a", move |conversation| {
        conversation.request();
        conversation.say(&ok("attached"));
        conversation.request();
        asked.send(()).unwrap();
        released.lock().unwrap().recv().unwrap();
        conversation.say(&ok("just in time"));
    });
    // Without compressed time: the engine must not give the exchange up while this test looks away.
    let client = builder(settings(&[&server], public())).tuning(Tuning::default()).start().unwrap();
    attached(&client);
    client.beat_now();
    was_asked.recv().unwrap();
    (server, client, release)
}

#[test]
fn a_heartbeat_under_way_may_end_within_the_grace() {
    let (_server, client, release) = held_up();
    thread::scope(|scope| {
        scope.spawn(|| client.stop(LONG));
        wait_for(&client, |event| {
            let Event::State { state: State::Stopping, .. } = &event.event else { return None };
            Some(())
        });
        release.send(()).unwrap();
        wait_for(&client, |event| (event.body.as_deref() == Some(b"just in time")).then_some(()));
    });
    assert_eq!(client.snapshot().state, State::Stopped);
}

#[test]
fn a_heartbeat_that_takes_longer_than_the_grace_is_given_up() {
    let (asked, was_asked) = channel();
    let server = Server::plain("a", move |conversation| {
        conversation.request();
        conversation.say(&ok("attached"));
        conversation.request();
        asked.send(()).unwrap();
        conversation.wait_for_end();
    });
    for grace in [Duration::from_millis(300), Duration::ZERO] {
        let client = builder(settings(&[&server], public())).tuning(Tuning::default()).start().unwrap();
        attached(&client);
        client.beat_now();
        was_asked.recv().unwrap();
        let started = Instant::now();
        client.stop(grace);
        let took = started.elapsed();
        assert!(took >= grace && took < grace + Duration::from_secs(3), "{took:?} for {grace:?}");
        assert_eq!(client.snapshot().state, State::Stopped);
    }
    server.wait_until_idle();
}

#[test]
fn the_last_event_is_the_end_and_a_dropped_client_is_stopped() {
    let server = Server::plain("a", well);
    let client = start(&[&server], public());
    attached(&client);
    client.stop(Duration::ZERO);
    let mut last = None;
    for event in client.events() {
        last = Some(event.event);
    }
    assert_eq!(client.next_event_timeout(LONG), Err(Ended));
    assert!(client.has_ended());
    assert_eq!(last, Some(Event::Stopped {}));
    drop(client);

    let dropped = start(&[&server], public());
    attached(&dropped);
    drop(dropped);
    // Every connection was closed with the client: the server's threads have come to their end.
    server.wait_until_idle();
}

#[test]
fn a_success_held_in_reserve_counts_though_its_connection_was_closed() {
    let silent = Server::plain("silent", |conversation| conversation.wait_for_end());
    let answer = "HTTP/1.1 200 OK\r\nHoming-Policy: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    let closing = Server::plain("closing", once(answer));
    let client = start(&[&silent, &closing], public());
    let first = wait_for(&client, |event| {
        if let Event::AttemptFailed { server, .. } = &event.event {
            return (server.as_str() == "closing").then_some("failed");
        }
        matches!(event.event, Event::Attached { .. }).then_some("attached")
    });
    assert_eq!(first, "attached");
}
