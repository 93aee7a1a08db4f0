//! Links against servers that behave as told.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;

use super::*;
use crate::net::http_request::HttpRequest;
use crate::net::sink::Sink;
use crate::net::source::Source;
use crate::platform::Clock;
use crate::settings::CertificatePolicy;
use crate::trust;
use crate::types::ServerId;

/// No certificate is judged in these tests.
#[derive(Debug)]
struct Now;

impl trust::WallClock for Now {
    fn time(&self) -> trust::Time {
        trust::Time::new(trust::Timestamp::MADE)
    }
}

/// A link, and what it needs to move.
struct Drive {
    clock: Clock,
    sleep: Sleep,
    link: Link,
}

/// Runs `serve` with the first connection, and dials it.
fn dial(limits: Limits, serve: impl FnOnce(TcpStream) + Send + 'static) -> Drive {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || serve(listener.accept().unwrap().0));
    let server = Server {
        id: ServerId::new("a"),
        host: address.ip().to_string().parse().unwrap(),
        protocol: Protocol::Http,
        port: address.port(),
        weight: 1,
        inside: true,
        policy: 0,
        number: 0,
        literal: None,
        authority: address.to_string().into(),
    };
    let policy =
        trust::prepare(&CertificatePolicy::default(), &trust::Material::default(), Arc::new(Now)).unwrap();
    let clock = Clock::new();
    let plan = Plan {
        link: LinkId(3),
        server: Arc::new(server),
        policy,
        to: vec![address].into(),
        stagger: Duration::from_secs(1),
        proxy: None,
        hook: None,
    };
    let link = Link::new(plan, Arc::new(limits), clock.now());
    Drive { clock, sleep: Sleep::new(clock).unwrap(), link }
}

fn exchange(body: &[u8]) -> Exchange {
    let (source, sink) = (Source::bytes(body.into()), Sink::memory(Limits::default().body_bytes));
    Exchange::new(HttpRequest { head: "POST / HTTP/1.1\r\n".to_owned(), source, sink }, b"")
}

impl Drive {
    fn report(&mut self) -> Report {
        loop {
            let more = self.link.step(self.sleep.registry(), self.clock.now());
            if let Some(report) = self.link.report() {
                return report;
            }
            let until = if more { Some(self.clock.now()) } else { self.link.deadline() };
            self.sleep.until(until).unwrap();
            for token in self.sleep.ready() {
                assert_eq!(Link::of_token(token), LinkId(3));
                self.link.ready();
            }
        }
    }

    fn connected(mut self) -> Self {
        assert!(matches!(self.report(), Report::Connected(_)));
        self
    }

    fn say(&mut self, id: u64, body: &[u8]) {
        assert!(self.link.say(ExchangeId(id), exchange(body)));
    }

    fn answer(&mut self) -> Answer {
        assert!(matches!(self.report(), Report::FirstByte(_)));
        let Report::Answered(_, answer) = self.report() else { panic!("no answer") };
        answer
    }

    fn lost(&mut self) -> Cause {
        loop {
            let report = self.report();
            if let Report::Lost(failure) = report {
                return failure.cause;
            }
            assert!(matches!(report, Report::FirstByte(_)), "{report:?}");
        }
    }
}

/// Reads a request to the end of its head, and a body of this length.
fn read_request(stream: &mut TcpStream, body: usize) {
    let mut read = Vec::new();
    let mut byte = [0];
    while !read.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        read.push(byte[0]);
    }
    stream.read_exact(&mut vec![0; body]).unwrap();
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

#[test]
fn a_connection_carries_one_exchange_after_the_other_until_the_server_closes_it() {
    let mut drive = dial(Limits::default(), |mut stream| {
        for _ in 0..3 {
            read_request(&mut stream, 5);
            stream.write_all(OK).unwrap();
        }
    })
    .connected();
    for id in 0..3 {
        drive.say(id, b"hello");
        assert_eq!(drive.answer().body.into_bytes(), b"hi");
    }
    assert_eq!(drive.lost(), Cause::ClosedIdle);
}

#[test]
fn a_server_that_closes_instead_of_answering_is_broken_when_fresh_and_at_rest_when_used() {
    let mut drive = dial(Limits::default(), |mut stream| read_request(&mut stream, 5)).connected();
    drive.say(1, b"hello");
    assert_eq!(drive.lost(), Cause::Truncated);

    let mut drive = dial(Limits::default(), |mut stream| {
        read_request(&mut stream, 5);
        stream.write_all(OK).unwrap();
        read_request(&mut stream, 5);
    })
    .connected();
    drive.say(1, b"hello");
    drive.answer();
    drive.say(2, b"hello");
    assert_eq!(drive.lost(), Cause::ClosedIdle);
}

#[test]
fn an_answer_cut_short_is_truncated() {
    let mut drive = dial(Limits::default(), |mut stream| {
        read_request(&mut stream, 0);
        stream.write_all(&OK[..OK.len() - 1]).unwrap();
    })
    .connected();
    drive.say(1, b"");
    assert_eq!(drive.lost(), Cause::Truncated);
}

#[test]
fn an_answer_in_the_middle_of_a_large_request_is_heard() {
    let mut drive = dial(Limits::default(), |mut stream| {
        read_request(&mut stream, 1000);
        stream.write_all(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n").unwrap();
        // Kept open until the agent leaves, so that what was not read resets nothing.
        let _ = stream.read_to_end(&mut Vec::new());
    })
    .connected();
    drive.say(1, &vec![b'x'; 32 * 1024 * 1024]);
    assert_eq!(drive.answer().status, 413);
    assert_eq!(drive.lost(), Cause::ClosedIdle);
}

#[test]
fn an_answer_that_says_close_ends_the_link() {
    let mut drive = dial(Limits::default(), |mut stream| {
        read_request(&mut stream, 0);
        stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhi").unwrap();
    })
    .connected();
    drive.say(1, b"");
    assert_eq!(drive.answer().body.into_bytes(), b"hi");
    assert_eq!(drive.lost(), Cause::ClosedIdle);
}

#[test]
fn a_server_that_speaks_first_is_no_web_server() {
    let mut drive = dial(Limits::default(), |mut stream| {
        stream.write_all(b"220 mail.example ESMTP\r\n").unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    })
    .connected();
    assert_eq!(drive.lost(), Cause::NotHttp);
}

#[test]
fn a_dripping_answer_is_given_up() {
    let limits = Limits { drip_window: Duration::from_millis(300), drip_bytes: 1000, ..Limits::default() };
    let mut drive = dial(limits, |mut stream| {
        read_request(&mut stream, 0);
        let mut written = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n");
        while written.is_ok() {
            thread::sleep(Duration::from_millis(10));
            written = stream.write_all(b"x");
        }
    })
    .connected();
    drive.say(1, b"");
    assert_eq!(drive.lost(), Cause::Dripping);
}

#[test]
fn a_flood_is_bounded() {
    let mut drive = dial(Limits::default(), |mut stream| {
        read_request(&mut stream, 0);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
        while stream.write_all(&[b'x'; 4096]).is_ok() {}
    })
    .connected();
    drive.say(1, b"");
    assert_eq!(drive.lost(), Cause::HeadTooLarge);
}
