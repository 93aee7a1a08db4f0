//! Servers that tire the agent out, at each stage of a connection over TLS: what each is taken for, what it is charged
//! with, how much work it makes for the client's thread, and how much memory that holds.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use homing::client::Client;
use homing::client::Limits;
use homing::engine::{Event, Tuning};
use homing::settings::Settings;
use homing::types::FailureClass;
use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use rustls::{ConnectionTrafficSecrets, ServerConfig, ServerConnection};

use super::listener::Listener;
use super::memory::Meter;
use super::server::Authority;
use super::{GOOD, LONG, Price, THIRD, charged};

/// Where the connection is when the server turns bad.
#[derive(Clone, Copy, Debug)]
enum Stage {
    /// It accepted, and reads nothing.
    BeforeHandshake,
    /// Its first flight lacks the last bytes.
    InHandshake,
    /// The first heartbeat was answered, and the connection is at rest.
    Idle,
    InHead,
    InBody,
    /// Together with the end of the answer.
    AfterAnswer,
}

/// What it does then.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// Records that carry nothing, as fast as they go.
    Flood(Record),
    /// A byte now and then.
    Drip,
    Garbage,
    Silence,
    Reset,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Flood(_) => "flood",
            Self::Drip => "drip",
            Self::Garbage => "garbage",
            Self::Silence => "silence",
            Self::Reset => "reset",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Record {
    Empty,
    OneByte,
    Padding,
    Ticket,
    KeyUpdate,
    /// A warning, of which TLS 1.3 knows one.
    Alert,
}

/// Seals records as rustls would, which does not send what is wanted here.
struct Sealer {
    key: LessSafeKey,
    iv: Vec<u8>,
    sequence: u64,
}

const DATA: u8 = 23;
const HANDSHAKE: u8 = 22;
const ALERT: u8 = 21;

impl Sealer {
    fn new(connection: ServerConnection) -> Self {
        let (sequence, secrets) = connection.dangerous_extract_secrets().unwrap().tx;
        let (algorithm, key, iv) = match secrets {
            ConnectionTrafficSecrets::Aes128Gcm { key, iv } => (&AES_128_GCM, key, iv),
            ConnectionTrafficSecrets::Aes256Gcm { key, iv } => (&AES_256_GCM, key, iv),
            _ => panic!("another suite"),
        };
        let key = LessSafeKey::new(UnboundKey::new(algorithm, key.as_ref()).unwrap());
        Self { key, iv: iv.as_ref().to_vec(), sequence }
    }

    /// One record of TLS 1.3.
    fn record(&mut self, kind: u8, text: &[u8], padding: usize) -> Vec<u8> {
        let mut inner = [text, &[kind], vec![0; padding].as_slice()].concat();
        let [high, low] = u16::try_from(inner.len() + 16).unwrap().to_be_bytes();
        let header = [DATA, 3, 3, high, low];
        let mut nonce = <[u8; 12]>::try_from(self.iv.as_slice()).unwrap();
        for (byte, counter) in nonce.iter_mut().skip(4).zip(self.sequence.to_be_bytes()) {
            *byte ^= counter;
        }
        self.sequence += 1;
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.key.seal_in_place_append_tag(nonce, Aad::from(header), &mut inner).unwrap();
        [header.as_slice(), &inner].concat()
    }

    fn of(&mut self, record: Record) -> Vec<u8> {
        match record {
            Record::Empty => self.record(DATA, b"", 0),
            Record::OneByte => self.record(DATA, b"x", 0),
            Record::Alert => self.record(ALERT, &[1, 90], 0),
            Record::Padding => self.record(DATA, b"", 16_000),
            Record::Ticket => {
                let ticket =
                    [&[0, 0, 1, 0], [7; 4].as_slice(), &[1, 1], &[0, 100], &[9; 100], &[0, 0]].concat();
                let length = u8::try_from(ticket.len()).unwrap();
                self.record(HANDSHAKE, &[&[4, 0, 0, length], ticket.as_slice()].concat(), 0)
            }
            // Not one that asks for an answer: rustls stops those by itself. The next records use another key, so
            // one alone can be sealed here; a flood of them is rustls' own, in `key_updates`.
            Record::KeyUpdate => unreachable!("see `key_updates`"),
        }
    }
}

/// Serves one connection over TLS until `stage`, and then does as `kind` says.
fn serve(mut stream: &TcpStream, config: &Arc<ServerConfig>, stage: Stage, kind: Kind) -> io::Result<()> {
    if let Stage::BeforeHandshake = stage {
        // The fragments of a handshake message that has no end.
        let mut place = 0usize;
        let mut fragment = move || {
            let byte = [2, 0, 0xff, 0xff].get(place).copied().unwrap_or(0);
            place += 1;
            vec![HANDSHAKE, 3, 3, 0, 1, byte]
        };
        return be_bad(stream, kind, |_| fragment());
    }
    let mut tls = ServerConnection::new(Arc::clone(config)).unwrap();
    if let Stage::InHandshake = stage {
        while !tls.wants_write() {
            tls.read_tls(&mut stream)?;
            tls.process_new_packets().map_err(io::Error::other)?;
        }
        let mut flight = Vec::new();
        while tls.wants_write() {
            tls.write_tls(&mut flight)?;
        }
        stream.write_all(&flight[..flight.len() - 80])?;
        return be_bad(stream, kind, |_| vec![0; 100]);
    }
    tls.complete_io(&mut stream)?;
    if kind == Kind::Flood(Record::KeyUpdate) {
        return key_updates(tls, stream, stage);
    }
    read_request(&mut tls, stream)?;
    let mut sealer = Sealer::new(tls);
    let begun = sealer.record(DATA, begin(stage).as_bytes(), 0);
    stream.write_all(&begun)?;
    if let Stage::Idle = stage {
        thread::sleep(Duration::from_millis(200));
    }
    be_bad(stream, kind, |record| sealer.of(record))
}

/// What is said before the server turns bad.
fn begin(stage: Stage) -> String {
    match stage {
        Stage::BeforeHandshake | Stage::InHandshake => String::new(),
        Stage::Idle | Stage::AfterAnswer => GOOD.to_owned(),
        Stage::InHead => "HTTP/1.1 200 OK\r\nHoming-Settings: \"7\"\r\nX: ".to_owned(),
        Stage::InBody => {
            "HTTP/1.1 200 OK\r\nHoming-Settings: \"7\"\r\nContent-Length: 100000\r\n\r\nhello".to_owned()
        }
    }
}

fn be_bad(mut stream: &TcpStream, kind: Kind, mut record: impl FnMut(Record) -> Vec<u8>) -> io::Result<()> {
    match kind {
        Kind::Flood(kind) => loop {
            stream.write_all(&record(kind))?;
        },
        Kind::Drip => loop {
            for byte in record(Record::OneByte) {
                stream.write_all(&[byte])?;
                thread::sleep(Duration::from_millis(20));
            }
        },
        Kind::Garbage => stream.write_all(&[b'?'; 1000])?,
        Kind::Silence => {}
        Kind::Reset => return socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO)),
    }
    // Kept open until the agent leaves.
    io::copy(&mut stream, &mut io::sink()).map(drop)
}

/// Reads a request, which may have come together with the end of the handshake.
fn read_request(tls: &mut ServerConnection, mut stream: &TcpStream) -> io::Result<()> {
    while tls.reader().read(&mut [0; 4096]).is_err() {
        tls.read_tls(&mut stream)?;
        tls.process_new_packets().map_err(io::Error::other)?;
    }
    Ok(())
}

fn key_updates(mut tls: ServerConnection, mut stream: &TcpStream, stage: Stage) -> io::Result<()> {
    read_request(&mut tls, stream)?;
    tls.writer().write_all(begin(stage).as_bytes())?;
    tls.complete_io(&mut stream)?;
    if let Stage::Idle = stage {
        thread::sleep(Duration::from_millis(200));
    }
    loop {
        tls.refresh_traffic_keys().map_err(io::Error::other)?;
        while tls.wants_write() {
            tls.write_tls(&mut stream)?;
        }
    }
}

/// What the thread of a client has done so far: turns of its loop, and its time on a processor.
fn work(thread: u32) -> (u64, Duration) {
    let path = format!("/proc/self/task/{thread}");
    let status = std::fs::read_to_string(format!("{path}/status")).unwrap();
    let switches = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).unwrap();
    let time = std::fs::read_to_string(format!("{path}/schedstat")).unwrap();
    let nanoseconds = time.split(' ').next().unwrap().parse().unwrap();
    (switches.trim().parse().unwrap(), Duration::from_nanos(nanoseconds))
}

/// What the thread of a client holds at most: the connection, what a head may be, and the little that was announced of a body.
const MEMORY: usize = 128 * 1024;

/// What is expected: a failure and its price, or nothing at all.
type Expected = Option<(FailureClass, Price)>;

/// Lets a client meet this server, and looks what became of it.
fn meets(authority: &Authority, stage: Stage, kind: Kind, expected: Expected) -> Result<(), String> {
    let (config, _) = authority.server_config();
    let mut config = ServerConfig::clone(&config);
    config.enable_secret_extraction = true;
    let config = Arc::new(config);
    let bad = Listener::start(move |stream| serve(stream, &config, stage, kind));
    let settings = serde_json::json!({
        "certificate": authority.policy(),
        "server_lists": [{ "name": "main", "priorities": [
            { "servers": [{ "address": "127.0.0.1", "id": "bad", "https_port": bad.address().port() }] },
        ] }],
        // Nothing is asked again while the server is looked at.
        "group": { "name": "g", "communication": { "heartbeat_interval": "1h" } },
    });
    let tuning = tuning(stage, kind).to_string();
    let (sender, thread) = channel();
    let memory = Meter::new();
    let client =
        Client::builder(settings.to_string().parse::<Settings>().unwrap(), "agent-1".parse().unwrap())
            .tuning(Tuning::parse(tuning.as_bytes()).unwrap())
            .limits(Limits { drip_window: Duration::from_secs(1), ..Limits::default() })
            // So that what is sent is what is read, and little more.
            .on_socket(|socket, _| socket2::SockRef::from(&socket).set_recv_buffer_size(4096))
            .on_thread_start(move || {
                memory.enter();
                sender.send(rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs()).unwrap()
            })
            .seed(7)
            .start()
            .unwrap();
    let thread = thread.recv().unwrap();
    let failure = first_failure(&client, expected.is_some());
    let what = format!("{stage:?} {kind:?}");
    let found = failure.as_ref().map(|(class, _)| *class);
    if found != expected.map(|(class, _)| class) {
        return Err(format!("{what}: {failure:?} instead of {expected:?}; {}", client.explain()));
    }
    charged(&client, expected.map_or(("up", None), |(_, price)| price), &what);
    let (turns, time) = work(thread);
    // What is counted is bounded; the time is that of a slow machine without optimisation.
    if turns > 700 || time > Duration::from_secs(5) {
        return Err(format!("{what}: {turns} turns, {time:?}"));
    }
    if memory.most() > MEMORY {
        return Err(format!("{what}: {} bytes at once", memory.most()));
    }
    Ok(())
}

/// Only the limit that is about to be passed is short: a busy machine must not pass another one before.
fn tuning(stage: Stage, kind: Kind) -> serde_json::Value {
    let is_awaited = matches!(kind, Kind::Silence | Kind::Drip);
    let limit = |short: &'static str, is_here: bool| if is_awaited && is_here { short } else { "5m" };
    let in_handshake = matches!(stage, Stage::BeforeHandshake | Stage::InHandshake);
    let in_answer = matches!(stage, Stage::InHead | Stage::InBody);
    serde_json::json!({ "attachment": {
        "connect_limit": "5m", "attempt_limit": "10m", "keep_alive": "3h",
        "tls_limit": limit("1s", in_handshake), "exchange_limit": limit("3s", in_answer),
    } })
}

/// How the server failed first; when none is awaited, after a moment in which it could have.
fn first_failure(client: &Client, awaited: bool) -> Option<(FailureClass, String)> {
    let mut end = Instant::now() + LONG;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        match client.next_event_timeout(left).unwrap()?.event {
            Event::AttemptFailed { class, detail, .. } => return Some((class, detail)),
            Event::Attached { .. } if !awaited => end = Instant::now() + Duration::from_secs(2),
            _ => {}
        }
    }
}

#[test]
fn whatever_a_server_does_at_whatever_stage_has_its_class_its_price_and_an_end() {
    use FailureClass::{Broken, Limit};
    use Kind::{Drip, Flood, Garbage, Reset, Silence};
    use Record::{Alert, Empty, KeyUpdate, OneByte, Padding, Ticket};
    use Stage::{AfterAnswer, BeforeHandshake, Idle, InBody, InHandshake, InHead};
    let (broken, limit) = (Some((Broken, THIRD)), Some((Limit, THIRD)));
    let authority = Authority::new();
    let mut cases = vec![
        (BeforeHandshake, Flood(OneByte), limit),
        (BeforeHandshake, Drip, limit),
        (BeforeHandshake, Garbage, broken),
        (BeforeHandshake, Silence, limit),
        (BeforeHandshake, Reset, broken),
        (InHandshake, Flood(Empty), broken), // the first of it ends a record, which does not decrypt
        (InHandshake, Drip, limit),
        (InHandshake, Garbage, broken),
        (InHandshake, Silence, limit),
        (InHandshake, Reset, broken),
    ];
    for stage in [InHead, InBody] {
        cases.extend([(stage, Drip, limit), (stage, Garbage, broken)]);
        cases.extend([(stage, Silence, limit), (stage, Reset, broken)]);
    }
    for stage in [Idle, AfterAnswer] {
        // A used connection that ends says nothing of the server.
        cases.extend([(stage, Garbage, None), (stage, Silence, None), (stage, Reset, None)]);
    }
    // What speaks where nobody asked ends the connection.
    cases.extend([(Idle, Drip, None), (AfterAnswer, Drip, None)]);
    cases.extend([Idle, InHead, InBody, AfterAnswer].map(|stage| (stage, Flood(Alert), limit)));
    for stage in [Idle, InHead, InBody, AfterAnswer] {
        let records = [Empty, Padding, Ticket, KeyUpdate];
        cases.extend(records.map(|record| (stage, Flood(record), limit)));
    }
    cases.extend([(InHead, Flood(OneByte), limit), (InBody, Flood(OneByte), limit)]);
    let wrong: String = thread::scope(|scope| {
        let running: Vec<_> = cases
            .iter()
            .map(|&(stage, kind, expected)| {
                let authority = &authority;
                scope.spawn(move || meets(authority, stage, kind, expected))
            })
            .collect();
        let failed = |case: thread::ScopedJoinHandle<'_, Result<(), String>>| {
            case.join().unwrap_or_else(|_| Err("one panicked, see above".to_owned())).err()
        };
        running.into_iter().filter_map(failed).fold(String::new(), |all, one| all + &one + "\n")
    });
    assert!(wrong.is_empty(), "{wrong}");
    // Each of the five kinds was met at each of the six stages.
    let mut met: Vec<_> = cases.iter().map(|(stage, kind, _)| (*stage as u8, kind.name())).collect();
    met.sort_unstable();
    met.dedup();
    assert_eq!(met.len(), 30, "{met:?}");
}
