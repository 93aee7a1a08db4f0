//! A small HTTP proxy: reads one CONNECT, and does what its script says.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::listener::Listener;

/// What the proxy does with a CONNECT.
pub(crate) enum Conduct {
    /// Opens the way, after this head.
    Opens(&'static str),
    /// The same, and says this as if the server had said it.
    OpensAndAdds(&'static str, &'static str),
    /// Opens a way that leads to this place, wherever it was to lead.
    LeadsTo(SocketAddr),
    /// Opens the way and says nothing more.
    FallsSilent,
    /// Says this and closes.
    Says(String),
    /// Says this, one byte each 20 ms, until the client leaves.
    Drips(&'static str),
}

pub(crate) const ESTABLISHED: &str = "HTTP/1.1 200 Connection established\r\n\r\n";

/// A proxy on a loopback port of its own. Dropping it closes the port and every connection.
pub(crate) struct Proxy {
    listener: Listener,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    pub(crate) fn new(conduct: Conduct) -> Self {
        let heads = Arc::<Mutex<Vec<_>>>::default();
        let listener = Listener::start({
            let heads = Arc::clone(&heads);
            move |client| serve(client, &conduct, &heads)
        });
        Self { listener, heads }
    }

    pub(crate) fn opens() -> Self {
        Self::new(Conduct::Opens(ESTABLISHED))
    }

    pub(crate) fn port(&self) -> u16 {
        self.listener.address().port()
    }

    /// What the client is told of it.
    pub(crate) fn described(&self) -> homing::client::Proxy {
        homing::client::Proxy::new(self.listener.address().ip().to_string().parse().unwrap(), self.port())
    }

    /// The heads of all requests so far.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

fn serve(mut client: &TcpStream, conduct: &Conduct, heads: &Mutex<Vec<String>>) -> io::Result<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        client.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let target = head.strip_prefix("CONNECT ").and_then(|rest| rest.split_once(' ')).unwrap().0.to_owned();
    heads.lock().unwrap().push(head);
    match conduct {
        Conduct::Says(text) => client.write_all(text.as_bytes()),
        Conduct::Drips(text) => {
            for byte in text.bytes().chain(std::iter::repeat(b'x')) {
                client.write_all(&[byte])?;
                thread::sleep(Duration::from_millis(20));
            }
            Ok(())
        }
        Conduct::LeadsTo(place) => pass(client, &place.to_string(), ESTABLISHED.as_bytes()),
        Conduct::FallsSilent => {
            client.write_all(ESTABLISHED.as_bytes())?;
            io::copy(&mut client, &mut io::sink()).map(drop)
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
