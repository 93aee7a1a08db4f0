//! Servers that break HTTP or TLS, or tire the agent out: what each is taken for, what it is charged with, and that the
//! agent goes on to the next. `road` and `misbehaving_manager` have those that break the contract of `docs/wire.md`.
#![cfg(feature = "client")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "the helpers of a test may give up as the test itself may"
)]

#[path = "road/server.rs"]
#[allow(dead_code, reason = "the tests need only some of what a server can do")]
mod server;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use homing::client::Client;
use homing::engine::{Event, Tuning};
use homing::settings::Settings;
use homing::words::FailureClass;
use server::{Conversation, Server};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);

const GOOD: &str = "HTTP/1.1 200 OK\r\nHoming-Settings: \"7\"\r\nContent-Length: 5\r\n\r\nhello";

fn well(conversation: &mut Conversation<'_>) {
    while conversation.request().is_some() {
        conversation.say(GOOD);
    }
}

/// An agent whose first priority is `bad` and whose second is `good`, ten times as fast as in the field.
fn start(bad: &Server, good: &Server) -> Client {
    let priorities: Vec<_> = [bad, good]
        .iter()
        .map(|server| {
            serde_json::json!({ "servers": [{
                "address": server.host(), "protocol": server.protocol(), "id": server.name(),
                "https_port": server.port(), "http_port": server.port(),
            }] })
        })
        .collect();
    let settings = serde_json::json!({
        "server_lists": [{ "name": "main", "priorities": priorities }],
        "group": { "name": "g", "communication": { "heartbeat_interval": "10s" } },
    });
    Client::builder(settings.to_string().parse::<Settings>().unwrap())
        .agent_id("agent-1".parse().unwrap())
        .tuning(Tuning::default().with_time_scale(0.1).unwrap())
        .seed(7)
        .start()
        .unwrap()
}

/// How the first attempt on `bad` failed, once the agent is attached to `good`.
fn fails(client: &Client, what: &str) -> (FailureClass, String) {
    let end = Instant::now() + LONG;
    let (mut failure, mut attached) = (None, false);
    while failure.is_none() || !attached {
        let Some(event) = client.next_event(end.saturating_duration_since(Instant::now())) else {
            panic!("{what}: {failure:?}, and then: {}", client.explain())
        };
        match event.event {
            Event::AttemptFailed { server, class, detail, .. } if server.as_str() == "bad" => {
                failure.get_or_insert((class, detail));
            }
            Event::Attached { server, .. } => {
                assert_eq!(server.as_str(), "good", "{what}");
                attached = true;
            }
            _ => {}
        }
    }
    failure.unwrap()
}

#[test]
fn whatever_breaks_http_has_its_class_and_the_next_server_is_taken() {
    use FailureClass::{Broken, Limit, Throttled, WrongServer};
    let ok = |rest: &str| format!("HTTP/1.1 200 OK\r\nHoming-Settings: 7\r\n{rest}");
    for (what, text, class) in [
        ("garbage", "\u{0}\u{1}\u{2}garbage".to_owned(), WrongServer),
        ("a TLS alert", "\u{15}\u{3}\u{3}\u{0}\u{2}\u{2}\u{28}".to_owned(), WrongServer),
        ("a head without end", ok(&format!("X: {}", "x".repeat(1 << 20))), Limit),
        ("thirty years", "HTTP/1.1 503 Busy\r\nRetry-After: 1000000000\r\n\r\n".to_owned(), Throttled),
        (
            "until a date",
            "HTTP/1.1 503 Busy\r\nRetry-After: Fri, 31 Dec 9999 23:59:59 GMT\r\n\r\n".to_owned(),
            Throttled,
        ),
        ("a flood of interim answers", "HTTP/1.1 102 Processing\r\n\r\n".repeat(1000), Limit),
        ("a thousand fields", ok(&("A: b\r\n".repeat(1000) + "\r\n")), Limit),
        ("too long by announcement", ok("Content-Length: 99999999\r\n\r\n"), Limit),
        ("a chunk without a size", ok("Transfer-Encoding: chunked\r\n\r\nzz\r\n"), WrongServer),
        ("a chunk that ends nowhere", ok("Transfer-Encoding: chunked\r\n\r\nff\r\nhello"), Broken),
        ("two lengths", ok("Content-Length: 0\r\nContent-Length: 1\r\n\r\n"), WrongServer),
        ("gzip nobody asked for", ok("Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"), WrongServer),
    ] {
        let good = Server::plain("good", well);
        let bad = Server::plain("bad", move |conversation| {
            if conversation.request().is_some() {
                conversation.say(&text);
            }
        });
        let client = start(&bad, &good);
        let (found, detail) = fails(&client, what);
        assert_eq!(found, class, "{what}: {detail}");
        let snapshot = client.snapshot();
        let health = snapshot.servers.iter().find(|server| server.server.as_str() == "bad");
        let health = health.unwrap().health;
        match class {
            WrongServer => assert_eq!(health, "quarantined", "{what}"),
            _ => assert!(!["up", "unknown"].contains(&health), "{what}: {health}"),
        }
    }
}

#[test]
fn an_answer_cut_after_any_byte_never_counts() {
    let good = Server::plain("good", well);
    let cut = Arc::new(AtomicUsize::new(0));
    let next = Arc::clone(&cut);
    // One cut after the other; when all were made, silence.
    let bad = Server::plain("bad", move |conversation| {
        if conversation.request().is_some() {
            let end = next.fetch_add(1, Ordering::SeqCst) % GOOD.len();
            conversation.say(&GOOD[..end]);
        }
    });
    for _ in 0..GOOD.len() {
        let client = start(&bad, &good);
        let (class, detail) = fails(&client, "cut");
        assert_eq!(class, FailureClass::Broken, "{detail}");
    }
    assert!(cut.load(Ordering::SeqCst) >= GOOD.len());
}

/// The most memory this process ever had, in KiB.
#[cfg(target_os = "linux")]
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn a_server_that_sends_without_end_fills_no_memory() {
    for framing in ["", "Transfer-Encoding: chunked\r\n"] {
        let good = Server::plain("good", well);
        let bad = Server::plain("bad", move |conversation| {
            if conversation.request().is_some() {
                conversation.say(&format!("HTTP/1.1 200 OK\r\nHoming-Settings: 7\r\n{framing}\r\n"));
                let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
                // 160 MiB, 160 times what one body may be.
                (0..2560).for_each(|_| conversation.say(&chunk));
            }
        });
        let before = peak();
        let client = start(&bad, &good);
        let (class, detail) = fails(&client, "endless");
        assert_eq!(class, FailureClass::Limit, "{detail}");
        let grown = peak() - before;
        assert!(grown < 16 * 1024, "{grown} KiB for a limit of 1 MiB");
    }
}
