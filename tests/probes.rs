//! Reference servers over real sockets: what is asked, what is believed, and that not one byte is said to them beyond a
//! handshake.
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
#[path = "client/server.rs"]
#[allow(dead_code, reason = "the tests need only some of what a server can do")]
mod server;

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use homing::client::Client;
use homing::engine::{Event, Evidence, Finding, Reply, Tuning};
use homing::settings::{Settings, Situation};
use homing::types::Proof;
use rustls::ServerConnection;
use server::Authority;

const LONG: Duration = Duration::from_secs(100);

/// What one conversation with a reference server has shown it.
struct Seen {
    /// Every byte that came.
    raw: Vec<u8>,
    /// What came inside TLS.
    said: Vec<u8>,
    handshake_done: bool,
}

/// A connection that keeps what it reads.
struct Recorded<'a> {
    stream: &'a TcpStream,
    raw: &'a mut Vec<u8>,
}

impl Read for Recorded<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.stream.read(buffer)?;
        self.raw.extend_from_slice(&buffer[..length]);
        Ok(length)
    }
}

impl Write for Recorded<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// A reference server that records every conversation to its end; with an authority it speaks TLS.
fn reference(authority: Option<&Authority>) -> (u16, Receiver<Seen>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let config = authority.map(|authority| authority.server_config().0);
    let (sender, seen) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            stream.set_read_timeout(Some(LONG)).unwrap();
            let mut raw = Vec::new();
            let (mut said, mut handshake_done) = (Vec::new(), false);
            let mut wire = Recorded { stream: &stream, raw: &mut raw };
            match &config {
                None => drop(wire.read_to_end(&mut Vec::new())),
                Some(config) => {
                    let mut tls = ServerConnection::new(config.clone()).unwrap();
                    while let Ok((read, _)) = tls.complete_io(&mut wire) {
                        handshake_done |= !tls.is_handshaking();
                        let _ = tls.reader().read_to_end(&mut said);
                        if read == 0 {
                            break;
                        }
                    }
                    handshake_done |= !tls.is_handshaking();
                    let _ = tls.reader().read_to_end(&mut said);
                }
            }
            if sender.send(Seen { raw, said, handshake_done }).is_err() {
                return;
            }
        }
    });
    (port, seen)
}

/// A port of loopback on which nobody listens.
fn closed() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A client whose reference servers have all the time they need: a busy machine must not look like a silent server.
fn start(servers: serde_json::Value, required: &str) -> Client {
    let tuning = br#"{ "location": { "patience": "20s", "name_limit": "25s", "first_location": "25s", "round_limit": "28s" } }"#;
    start_with(servers, required, tuning)
}

fn start_with(servers: serde_json::Value, required: &str, tuning: &[u8]) -> Client {
    let settings = serde_json::json!({
        "server_lists": [{ "name": "main", "priorities": [{ "servers": [{ "address": "127.0.0.1", "https_port": closed() }] }] }],
        "reference_servers": { "servers": servers },
        // Nobody is at this address of loopback, and refuses: the control must not leave the machine.
        "location": { "required_proof": required, "control": ["127.0.0.99"] },
    });
    Client::builder(settings.to_string().parse::<Settings>().unwrap(), "agent-1".parse().unwrap())
        .tuning(Tuning::parse(tuning).unwrap())
        .seed(7)
        .start()
        .unwrap()
}

fn round(client: &Client) -> Evidence {
    let end = Instant::now() + LONG;
    while Instant::now() < end {
        let Ok(Some(event)) = client.next_event_timeout(end - Instant::now()) else { break };
        if let Event::Round { evidence, .. } = event.event {
            return *evidence;
        }
    }
    panic!("no round ended\n{}", client.explain());
}

#[test]
fn a_bare_connection_says_nothing_at_all() {
    let (port, seen) = reference(None);
    let client =
        start(serde_json::json!([{ "address": "127.0.0.1", "ports": [port], "proof": "tcp" }]), "tcp");
    assert_eq!(round(&client).finding, Finding::Internal { proof: Proof::Tcp });
    let seen = seen.recv_timeout(LONG).unwrap();
    assert_eq!(seen.raw, [0u8; 0]);
    assert_eq!(client.snapshot().location.unwrap().situation, Situation::Internal);
}

#[test]
fn a_handshake_is_all_that_a_verified_server_hears() {
    for authority in [Authority::new(), Authority::new().with_tls12_only()] {
        let (port, seen) = reference(Some(&authority));
        let server = serde_json::json!([{ "address": "127.0.0.1", "ports": [port], "certificate": authority.policy() }]);
        let client = start(server, "tls");
        assert_eq!(round(&client).finding, Finding::Internal { proof: Proof::Tls });
        let seen = seen.recv_timeout(LONG).unwrap();
        assert!(seen.handshake_done, "the server too knows that it worked");
        assert_eq!(seen.said, [0u8; 0], "nothing was said inside TLS");
        // Outside nothing but records of a handshake: its own, a change of cipher, and in TLS 1.3 the sealed last word.
        let mut rest = seen.raw.as_slice();
        let mut sealed = 0;
        while let [kind, _, _, high, low, body @ ..] = rest {
            let length = usize::from(*high) << 8 | usize::from(*low);
            sealed += usize::from(*kind == 23);
            assert!(matches!(kind, 20 | 22 | 23), "a record of type {kind}");
            rest = &body[length..];
        }
        assert!(sealed <= 1 && rest.is_empty(), "{sealed} sealed records");
    }
}

#[test]
fn everybody_is_told_apart_and_an_impostor_is_not_believed() {
    let (authority, other) = (Authority::new(), Authority::new());
    let (impostor, _impostor) = reference(Some(&other));
    let (plain, _plain) = reference(None);
    let policy = authority.policy();
    let one = |port| serde_json::json!({ "address": "127.0.0.1", "ports": [port], "certificate": policy });
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent_port = silent.local_addr().unwrap().port();
    let servers = serde_json::json!([one(closed()), one(impostor), one(silent_port), one(plain)]);
    // The silent ones are waited for.
    let client = start_with(servers, "tls", br#"{ "location": { "patience": "5s" } }"#);
    let evidence = round(&client);
    assert_eq!(evidence.finding, Finding::External);
    let replies: Vec<_> = evidence.asked.iter().map(|asked| asked.reply.clone()).collect();
    assert!(matches!(&replies[0], Reply::Refused { .. }), "{replies:?}");
    assert!(
        matches!(&replies[1], Reply::NotBelieved { detail } if detail.contains("issued by nobody")),
        "{replies:?}"
    );
    assert!(matches!(&replies[2], Reply::Silent {}), "{replies:?}");
    assert!(matches!(&replies[3], Reply::Silent {}), "{replies:?}");
    assert!(client.explain().contains("external: 4 of 4 reference servers did not prove enough"));
}

#[test]
fn probe_now_asks_again_and_a_name_is_looked_up() {
    let (port, seen) = reference(None);
    let list = serde_json::json!([{ "address": "localhost", "ports": [closed(), port], "proof": "tcp" }]);
    let client = start(list, "tcp");
    assert_eq!(round(&client).finding, Finding::Internal { proof: Proof::Tcp });
    client.probe_now();
    let evidence = round(&client);
    assert_eq!(evidence.best, Some(format!("localhost:{port}")));
    assert_eq!((0..2).map(|_| seen.recv_timeout(LONG).unwrap().raw.len()).sum::<usize>(), 0);
}

#[test]
fn a_client_that_stops_leaves_no_probe_behind() {
    let silent: Vec<_> = (0..20).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let policy = Authority::new().policy();
    let list: Vec<_> = silent
        .iter()
        .map(|listener| {
            let port = listener.local_addr().unwrap().port();
            serde_json::json!({ "address": "127.0.0.1", "ports": [port], "certificate": policy })
        })
        .collect();
    let client = start(list.into(), "tls");
    // Each is asked in its turn, and none has answered when the client stops.
    let asked: Vec<_> = silent.iter().take(3).map(|listener| listener.accept().unwrap().0).collect();
    client.stop(Duration::from_secs(1));
    for mut stream in asked {
        stream.set_read_timeout(Some(LONG)).unwrap();
        // All that was sent ends: the socket is closed.
        stream.read_to_end(&mut Vec::new()).unwrap();
    }
}
