//! Servers that break HTTP or TLS, or tire the agent out: what each is taken for, what it is charged with, and that the
//! agent goes on to the next. `road` and `misbehaving_manager` have those that break the contract of `docs/wire.md`.
#![cfg(feature = "client")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "the helpers of a test may give up as the test itself may"
)]

#[path = "client/listener.rs"]
#[allow(dead_code, reason = "other tests ask more of it")]
mod listener;
#[cfg(target_os = "linux")]
#[path = "bad_peers/memory.rs"]
mod memory;
#[path = "client/server.rs"]
#[allow(dead_code, reason = "the tests need only some of what a server can do")]
mod server;
#[cfg(target_os = "linux")]
#[path = "bad_peers/stages.rs"]
mod stages;

#[cfg(target_os = "linux")]
#[global_allocator]
static METERED: memory::Metered = memory::Metered;

use std::time::{Duration, Instant};

use homing::client::Client;
use homing::engine::Event;
use homing::settings::Settings;
use homing::types::FailureClass;
use server::{Authority, Conversation, Server};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);

const GOOD: &str = "HTTP/1.1 200 OK\r\nHoming-Settings: \"7\"\r\nContent-Length: 5\r\n\r\nhello";

fn well(conversation: &mut Conversation<'_>) {
    while conversation.request().is_some() {
        conversation.say(GOOD);
    }
}

/// An agent whose first priority is `bad` and whose second is `good`.
fn start(bad: &Server, good: &Server, certificate: &serde_json::Value) -> Client {
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
        "certificate": certificate,
        "server_lists": [{ "name": "main", "priorities": priorities }],
        "group": { "name": "g", "communication": { "heartbeat_interval": "10s" } },
    });
    Client::builder(settings.to_string().parse::<Settings>().unwrap(), "agent-1".parse().unwrap())
        .seed(7)
        .start()
        .unwrap()
}

/// How the first attempt on `bad` failed, once the agent is attached to `good`.
fn fails(client: &Client, what: &str) -> (FailureClass, String) {
    let end = Instant::now() + LONG;
    let (mut failure, mut attached) = (None, false);
    while failure.is_none() || !attached {
        let Ok(Some(event)) = client.next_event_timeout(end.saturating_duration_since(Instant::now())) else {
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

/// Reads a request, says this and closes.
fn answers(text: impl Into<String>) -> Server {
    let text = text.into();
    Server::plain("bad", move |conversation| {
        if conversation.request().is_some() {
            conversation.say(&text);
        }
    })
}

/// Says this instead of a handshake, and keeps the connection open.
fn interrupts_tls(text: &'static str) -> Server {
    let script = move |conversation: &mut Conversation<'_>| {
        conversation.say(text);
        conversation.wait_for_end();
    };
    Server::plain("bad", script).claiming_tls()
}

/// What a server pays: its health, and for how many seconds at least and at most it is left out.
type Price = (&'static str, Option<(u64, u64)>);

/// A third of a failure.
const THIRD: Price = ("suspect", None);
/// 30 s and up to a tenth more.
const QUARANTINE: Price = ("quarantined", Some((30, 33)));
/// Ten minutes.
const LEFT_OUT: Price = ("quarantined", Some((600, 600)));

/// As long as it asked, and up to a quarter or 5 s more.
fn patience(seconds: u64) -> Price {
    ("throttled", Some((seconds, seconds + (seconds / 4).max(5))))
}

/// What `bad` paid.
fn charged(client: &Client, (health, left_out): Price, what: &str) {
    let snapshot = client.snapshot();
    let server = snapshot.servers.iter().find(|server| server.server.as_str() == "bad").unwrap();
    assert_eq!(server.health.as_str(), health, "{what}");
    let left = server.left_out.map(|left| left.0.as_secs());
    match (left, left_out) {
        // A moment has passed since, on a busy machine more than that.
        (Some(left), Some((least, most))) => {
            assert!((least / 10..=most).contains(&left), "{what}: {left} s");
        }
        (left, left_out) => assert_eq!((left, left_out), (None, None), "{what}"),
    }
}

#[test]
fn every_bad_answer_has_its_class_and_its_price_and_the_next_server_is_taken() {
    use FailureClass::{
        Broken, Certificate, Limit, Misunderstood, NotAllowed, ServerError, Throttled, TooLarge, WrongServer,
    };
    let authority = Authority::new();
    let ok = |rest: &str| answers(format!("HTTP/1.1 200 OK\r\nHoming-Settings: 7\r\n{rest}"));
    let chunks = |rest: &str| ok(&format!("Transfer-Encoding: chunked\r\n\r\n{rest}"));
    let status = |line: &str| answers(format!("HTTP/1.1 {line}\r\nContent-Length: 0\r\n\r\n"));
    let busy = |after: &str| status(&format!("503 Busy\r\nRetry-After: {after}"));
    for (what, bad, class, price) in [
        ("garbage", answers("\u{0}\u{1}\u{2}garbage"), WrongServer, QUARANTINE),
        ("another protocol", answers("SSH-2.0-OpenSSH_9.6\r\n"), WrongServer, QUARANTINE),
        ("TLS where none is due", answers("\u{15}\u{3}\u{3}\u{0}\u{2}\u{2}\u{28}"), WrongServer, QUARANTINE),
        ("a redirect", status("302 Found\r\nLocation: http://portal/"), WrongServer, QUARANTINE),
        ("another status", status("404 Not Found"), WrongServer, QUARANTINE),
        ("an unknown status", status("999 What"), WrongServer, QUARANTINE),
        ("another protocol from now on", status("101 Switching Protocols"), WrongServer, QUARANTINE),
        ("an empty 200", status("200 OK"), WrongServer, QUARANTINE),
        ("a page", status("200 OK\r\nContent-Type: text/html"), WrongServer, QUARANTINE),
        ("two lengths", ok("Content-Length: 0\r\nContent-Length: 1\r\n\r\n"), WrongServer, QUARANTINE),
        (
            "a length and chunks",
            ok("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            WrongServer,
            QUARANTINE,
        ),
        (
            "a framing nobody asked for",
            ok("Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
            WrongServer,
            QUARANTINE,
        ),
        ("a chunk without a size", chunks("zz\r\n"), WrongServer, QUARANTINE),
        ("a chunk longer than its size", chunks("2\r\nhello\r\n"), WrongServer, QUARANTINE),
        (
            "two codings of chunks",
            ok("Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
            WrongServer,
            QUARANTINE,
        ),
        ("a folded field", ok("X: a\r\n b\r\nContent-Length: 0\r\n\r\n"), WrongServer, QUARANTINE),
        ("a field without a name", ok(": x\r\nContent-Length: 0\r\n\r\n"), WrongServer, QUARANTINE),
        ("a space before the colon", ok("Content-Length : 5\r\n\r\nhello"), WrongServer, QUARANTINE),
        ("a NUL in a field", ok("X: a\0b\r\nContent-Length: 0\r\n\r\n"), WrongServer, QUARANTINE),
        (
            "a bare carriage return",
            ok("X: a\rHoming-Policy: 1\r\nContent-Length: 0\r\n\r\n"),
            WrongServer,
            QUARANTINE,
        ),
        ("a length with a sign", ok("Content-Length: +5\r\n\r\nhello"), WrongServer, QUARANTINE),
        ("a length below nothing", ok("Content-Length: -5\r\n\r\nhello"), WrongServer, QUARANTINE),
        ("a length in another base", ok("Content-Length: 0x5\r\n\r\nhello"), WrongServer, QUARANTINE),
        ("a list of lengths", ok("Content-Length: 5, 6\r\n\r\nhello"), WrongServer, QUARANTINE),
        (
            "a length beyond all numbers",
            ok("Content-Length: 18446744073709551616\r\n\r\nhello"),
            WrongServer,
            QUARANTINE,
        ),
        ("a status of four digits", status("2000 OK"), WrongServer, QUARANTINE),
        ("HTTP/2", answers("\0\0\u{12}\u{4}\0\0\0\0\0"), WrongServer, QUARANTINE),
        ("a page of HTTP/0.9", answers("<html>Room number?</html>"), WrongServer, QUARANTINE),
        ("401", status("401 Who"), NotAllowed, LEFT_OUT),
        ("403 of a manager", status("403 No\r\nHoming-Reason: no"), NotAllowed, LEFT_OUT),
        ("403 of something else", status("403 No"), WrongServer, QUARANTINE),
        ("400", status("400 What"), Misunderstood, THIRD),
        ("421", status("421 Elsewhere"), Misunderstood, THIRD),
        ("413 of nothing", status("413 Too much"), TooLarge, THIRD),
        ("500", status("500 Oops"), ServerError, THIRD),
        ("503 alone", status("503 Busy"), ServerError, THIRD),
        ("503 for some time", busy("soon"), ServerError, THIRD),
        ("503 for less than nothing", busy("-1"), ServerError, THIRD),
        ("503 until a date that has passed", busy("Thu, 01 Jan 2015 00:00:00 GMT"), ServerError, THIRD),
        ("503 for 100 s", busy("100"), Throttled, patience(100)),
        ("503 for no time", busy("0"), Throttled, patience(1)),
        ("503 for thirty years", busy("1000000000"), Throttled, patience(3600)),
        ("503 until a date", busy("Fri, 31 Dec 9999 23:59:59 GMT"), Throttled, patience(3600)),
        (
            "503 until a date of its own clock",
            busy("Sat, 01 Jan 2000 00:01:40 GMT\r\nDate: Sat, 01 Jan 2000 00:00:00 GMT"),
            Throttled,
            patience(100),
        ),
        ("nothing", answers(""), Broken, THIRD),
        ("a body shorter than announced", ok("Content-Length: 100\r\n\r\nhello"), Broken, THIRD),
        ("a chunk that ends nowhere", chunks("ff\r\nhello"), Broken, THIRD),
        ("a head without end", ok(&format!("X: {}", "x".repeat(1 << 20))), Limit, THIRD),
        ("a thousand fields", ok(&("A: b\r\n".repeat(1000) + "\r\n")), Limit, THIRD),
        ("a flood of interim answers", answers("HTTP/1.1 102 Processing\r\n\r\n".repeat(1000)), Limit, THIRD),
        ("a body too long by announcement", ok("Content-Length: 99999999\r\n\r\n"), Limit, THIRD),
        ("a chunk too long by announcement", chunks("ffffffffff\r\n"), Limit, THIRD),
        ("an extension of a chunk without end", chunks(&format!("1;{}", "x".repeat(16 << 20))), Limit, THIRD),
        (
            "a flood of chunks with extensions",
            chunks(&format!("1;{}\r\nx\r\n", "x".repeat(60)).repeat(200_000)),
            Limit,
            THIRD,
        ),
        ("a size of zeros without end", chunks(&"0".repeat(16 << 20)), Limit, THIRD),
        (
            "interim answers with large heads",
            answers(format!("HTTP/1.1 103 Hints\r\nX: {}\r\n\r\n", "x".repeat(15_000)).repeat(9)),
            Limit,
            THIRD,
        ),
        ("a trailer without end", chunks(&format!("0\r\nX: {}", "x".repeat(1 << 20))), Limit, THIRD),
        ("no TLS where it is due", interrupts_tls("HTTP/1.1 400 Bad Request\r\n\r\n"), Broken, THIRD),
        (
            "a fatal alert: handshake_failure",
            interrupts_tls("\u{15}\u{3}\u{3}\u{0}\u{2}\u{2}\u{28}"),
            Broken,
            THIRD,
        ),
        ("a goodbye: close_notify", interrupts_tls("\u{15}\u{3}\u{3}\u{0}\u{2}\u{1}\u{0}"), Broken, THIRD),
        ("a goodbye in TLS 1.0", interrupts_tls("\u{15}\u{3}\u{1}\u{0}\u{2}\u{1}\u{0}"), Broken, THIRD),
        ("a fatal goodbye", interrupts_tls("\u{15}\u{3}\u{3}\u{0}\u{2}\u{2}\u{0}"), Broken, THIRD),
        (
            "an alert about our certificate: bad_certificate",
            interrupts_tls("\u{15}\u{3}\u{3}\u{0}\u{2}\u{2}\u{2a}"),
            NotAllowed,
            LEFT_OUT,
        ),
        (
            "an alert for want of one: certificate_required",
            interrupts_tls("\u{15}\u{3}\u{3}\u{0}\u{2}\u{2}\u{74}"),
            NotAllowed,
            LEFT_OUT,
        ),
        (
            "a server that wants our certificate",
            Server::tls("bad", &authority.wants_client_certificates(), well),
            NotAllowed,
            LEFT_OUT,
        ),
        (
            "a certificate of somebody else",
            Server::tls("bad", &Authority::new(), well),
            Certificate,
            QUARANTINE,
        ),
        (
            "a certificate for another name",
            Server::tls("bad", &authority.named("other.example"), well),
            Certificate,
            QUARANTINE,
        ),
    ] {
        let good = Server::plain("good", well);
        let client = start(&bad, &good, &authority.policy());
        let (found, detail) = fails(&client, what);
        assert_eq!(found, class, "{what}: {detail}");
        charged(&client, price, what);
    }
}

#[test]
fn a_429_is_waited_for_and_an_agent_without_a_server_passes_by() {
    for (what, after, seconds) in [
        ("alone", "", 30),
        ("unreadable", "\r\nRetry-After: soon", 30),
        ("100 s", "\r\nRetry-After: 100", 100),
    ] {
        let bad = answers(format!("HTTP/1.1 429 Slowly{after}\r\nContent-Length: 0\r\n\r\n"));
        let good = Server::plain("good", well);
        let client = start(&bad, &good, &serde_json::json!({}));
        let (class, detail) = fails(&client, what);
        assert_eq!(class, FailureClass::Throttled, "{what}: {detail}");
        charged(&client, patience(seconds), what);
        assert_eq!((bad.connections(), good.connections()), (1, 1), "{what}");
    }
}

#[test]
fn a_429_beside_a_dead_server_does_not_keep_an_agent_without_a_server_from_the_next_priority() {
    let busy = answers("HTTP/1.1 429 Slowly\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n");
    let good = Server::plain("good", well);
    let server = |name: &str, port: u16| serde_json::json!({ "address": "127.0.0.1", "protocol": "http", "http_port": port, "id": name });
    // Nothing listens on port 1.
    let best = [server("dead", 1), server("busy", busy.port())];
    let priorities = serde_json::json!([{ "servers": best }, { "servers": [server("good", good.port())] }]);
    let settings = serde_json::json!({ "server_lists": [{ "name": "main", "priorities": priorities }] });
    // Whichever of the two it asks first.
    for agent in ["agent-1", "agent-2", "agent-3", "agent-4"] {
        let settings: Settings = settings.to_string().parse().unwrap();
        let client = Client::builder(settings, agent.parse().unwrap()).seed(7).start().unwrap();
        let mut failed = Vec::new();
        let attached = loop {
            let Ok(Some(event)) = client.next_event_timeout(LONG) else { panic!("{}", client.explain()) };
            match event.event {
                Event::AttemptFailed { server, class, .. } => failed.push((server.to_string(), class)),
                Event::Attached { server, .. } => break server.to_string(),
                _ => {}
            }
        };
        failed.sort_by(|one, other| one.0.cmp(&other.0));
        assert_eq!(attached, "good");
        let expected = [("busy", FailureClass::Throttled), ("dead", FailureClass::Refused)];
        assert_eq!(failed, expected.map(|(server, class)| (server.to_owned(), class)));
    }
    assert_eq!((busy.connections(), good.connections()), (4, 4));
}

#[test]
fn what_is_only_unusual_is_a_good_answer_and_its_body_comes_as_it_was_sent() {
    let head = |rest: &str| format!("HTTP/1.1 200 OK\r\nHoming-Settings: 7\r\n{rest}\r\n\r\n");
    for (what, text, body) in [
        // A coding of the content is the product's affair; homing never looks into a body.
        (
            "gzip nobody asked for",
            head("Content-Encoding: gzip\r\nContent-Length: 4") + "\u{1f}\u{b}zz",
            "\u{1f}\u{b}zz",
        ),
        ("more than was announced", head("Content-Length: 5") + "hello, world", "hello"),
        ("no length, and an end", head("Server: old"), ""),
        ("a page with our fields", head("Content-Type: text/html\r\nContent-Length: 5") + "hello", "hello"),
        ("an early hint", format!("HTTP/1.1 103 Early Hints\r\n\r\n{}", head("Content-Length: 0")), ""),
    ] {
        let odd = answers(text);
        let good = Server::plain("good", well);
        let client = start(&odd, &good, &serde_json::json!({}));
        let end = Instant::now() + LONG;
        let event = loop {
            let event =
                client.next_event_timeout(end.saturating_duration_since(Instant::now())).unwrap().unwrap();
            assert!(!matches!(event.event, Event::AttemptFailed { .. }), "{what}: {event:?}");
            if matches!(event.event, Event::Heartbeat { .. }) {
                break event;
            }
        };
        assert_eq!(event.body.as_deref(), Some(body.as_bytes()), "{what}");
        assert_eq!(good.connections(), 0, "{what}");
    }
}

#[test]
fn an_answer_cut_after_any_byte_never_counts() {
    let good = Server::plain("good", well);
    for cut in 0..GOOD.len() {
        let bad = answers(&GOOD[..cut]);
        let client = start(&bad, &good, &serde_json::json!({}));
        let (class, detail) = fails(&client, "cut");
        assert_eq!(class, FailureClass::Broken, "after {cut} bytes: {detail}");
    }
}

#[test]
fn a_connection_over_tls_cut_after_any_byte_of_handshake_or_answer_is_broken() {
    let authority = Authority::new();
    let (bad, good) = (Server::tls("bad", &authority, well), Server::plain("good", well));
    let policy = authority.policy();
    let attached = |client: &Client| loop {
        if let Event::Attached { server, .. } = client.next_event_timeout(LONG).unwrap().unwrap().event {
            return server.to_string();
        }
    };
    let whole = start(&bad, &good, &policy);
    assert_eq!(attached(&whole), "bad");
    let length = bad.sent();
    drop(whole);
    assert!(length > 500 + GOOD.len(), "{length} bytes are no handshake");
    for cut in 0..length {
        bad.cut_after(cut);
        let client = start(&bad, &good, &policy);
        let (class, detail) = fails(&client, "cut");
        assert_eq!(class, FailureClass::Broken, "after {cut} of {length} bytes: {detail}");
    }
    bad.cut_after(length);
    assert_eq!(attached(&start(&bad, &good, &policy)), "bad", "with the last byte it is whole");
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
        let client = start(&bad, &good, &serde_json::json!({}));
        let (class, detail) = fails(&client, "endless");
        assert_eq!(class, FailureClass::Limit, "{detail}");
        let grown = peak() - before;
        assert!(grown < 16 * 1024, "{grown} KiB for a limit of 1 MiB");
    }
}
