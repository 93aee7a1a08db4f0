//! A server behind something narrow.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

/// A server behind something that refuses every body as too large. What it was asked: head and body.
pub(crate) struct Narrow {
    pub(crate) port: u16,
    pub(crate) asked: Receiver<(String, usize)>,
}

impl Narrow {
    /// It serves as long as the test process lives. `closes`: with the refusal, as many proxies do.
    pub(crate) fn start(closes: bool) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (send, asked) = channel();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, send) = (stream.unwrap(), send.clone());
                thread::spawn(move || {
                    while let Some((head, body)) = request(&mut stream) {
                        let refused = body > 0;
                        // The test is over when nobody listens.
                        let _ = send.send((head, body));
                        let answer = match (refused, closes) {
                            (false, _) => "200 OK\r\nHoming-Settings: \"1\"",
                            (true, false) => "413 Too Large",
                            (true, true) => "413 Too Large\r\nConnection: close",
                        };
                        let answer = format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n");
                        if stream.write_all(answer.as_bytes()).is_err() || (refused && closes) {
                            return;
                        }
                    }
                });
            }
        });
        Self { port, asked }
    }
}

/// The head of the next request, and how many bytes of body came with it.
fn request(stream: &mut impl Read) -> Option<(String, usize)> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let length = field(&head, "Content-Length").unwrap().parse().unwrap();
    stream.read_exact(&mut vec![0; length]).ok()?;
    Some((head, length))
}

pub(crate) fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}
