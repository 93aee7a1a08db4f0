//! A small HTTP proxy: reads one CONNECT, and does what its script says.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// What the proxy does with a CONNECT.
pub(crate) enum Conduct {
    /// Opens the way, after this head.
    Opens(&'static str),
    /// The same, and says this as if the server had said it.
    OpensAndAdds(&'static str, &'static str),
    /// Says this and closes.
    Says(String),
    /// Says this, one byte each 20 ms, until the client leaves.
    Drips(&'static str),
}

pub(crate) const ESTABLISHED: &str = "HTTP/1.1 200 Connection established\r\n\r\n";

/// A proxy on a loopback port of its own. Dropping it closes the port and every connection.
pub(crate) struct Proxy {
    address: SocketAddr,
    inner: Arc<Inner>,
    accepting: Option<JoinHandle<()>>,
}

struct Inner {
    conduct: Conduct,
    stopped: AtomicBool,
    heads: Mutex<Vec<String>>,
    open: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    pub(crate) fn new(conduct: Conduct) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (stopped, heads, open) = Default::default();
        let inner = Arc::new(Inner { conduct, stopped, heads, open });
        let accepting = thread::spawn({
            let inner = Arc::clone(&inner);
            move || accept(&listener, &inner)
        });
        Self { address, inner, accepting: Some(accepting) }
    }

    pub(crate) fn opens() -> Self {
        Self::new(Conduct::Opens(ESTABLISHED))
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// What the client is told of it.
    pub(crate) fn described(&self) -> homing::client::Proxy {
        homing::client::Proxy::new(self.address.ip().to_string().parse().unwrap(), self.port())
    }

    /// The heads of all requests so far.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.inner.heads.lock().unwrap().clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.inner.stopped.store(true, Ordering::SeqCst);
        // Ends the accept under way.
        drop(TcpStream::connect(self.address));
        if let Some(accepting) = self.accepting.take() {
            accepting.join().unwrap();
        }
        for stream in self.inner.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn accept(listener: &TcpListener, inner: &Arc<Inner>) {
    for stream in listener.incoming() {
        if inner.stopped.load(Ordering::SeqCst) {
            return;
        }
        let stream = stream.unwrap();
        inner.open.lock().unwrap().push(stream.try_clone().unwrap());
        let inner = Arc::clone(inner);
        // A client that leaves in the middle is no fault of the proxy.
        thread::spawn(move || {
            let _ = serve(&stream, &inner);
            let _ = stream.shutdown(Shutdown::Both);
        });
    }
}

fn serve(mut client: &TcpStream, inner: &Inner) -> io::Result<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        client.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let target = head.strip_prefix("CONNECT ").and_then(|rest| rest.split_once(' ')).unwrap().0.to_owned();
    inner.heads.lock().unwrap().push(head);
    match &inner.conduct {
        Conduct::Says(text) => client.write_all(text.as_bytes()),
        Conduct::Drips(text) => {
            for byte in text.bytes().chain(std::iter::repeat(b'x')) {
                client.write_all(&[byte])?;
                thread::sleep(Duration::from_millis(20));
            }
            Ok(())
        }
        Conduct::Opens(answer) => pass(client, &target, answer.as_bytes()),
        Conduct::OpensAndAdds(answer, early) => {
            // In one piece, so that it comes with the head.
            pass(client, &target, &[answer.as_bytes(), early.as_bytes()].concat())
        }
    }
}

/// Bytes in both directions, until both ends are done.
fn pass(client: &TcpStream, target: &str, first: &[u8]) -> io::Result<()> {
    let server = TcpStream::connect(target)?;
    let (mut up, mut down) = ((client.try_clone()?, server.try_clone()?), (server, client));
    down.1.write_all(first)?;
    thread::spawn(move || {
        let _ = io::copy(&mut up.0, &mut up.1);
        let _ = up.1.shutdown(Shutdown::Write);
    });
    io::copy(&mut down.0, &mut down.1)?;
    Ok(())
}
