//! One server, perhaps several addresses: the first that accepts wins (RFC 8305).
//!
//! The next address is started when the last one has had its time, or at once when it failed; those
//! before it stay in the race. When the last of them has failed, the most telling failure is reported.

use std::io;
use std::net::{SocketAddr, TcpStream as StdStream};
use std::sync::Arc;
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, Socket, Type};

use super::failure;
use super::hook::{self, SocketHook};
use crate::platform::Planned;
use crate::types::{Cause, Failure, FailureClass, Moment, Via};

/// Connections under way to the addresses of one server.
pub(super) struct Race {
    to: Arc<[SocketAddr]>,
    stagger: Duration,
    hook: Option<SocketHook>,
    /// Which address is next, and when it starts if nothing happens before.
    next: usize,
    next_start: Moment,
    running: Vec<Runner>,
    failure: Option<Failure>,
}

struct Runner {
    stream: TcpStream,
    address: SocketAddr,
    planned: Planned,
}

/// What became of a race.
pub(super) enum Finish {
    /// This one accepted; it is registered under the token of its address.
    Won { stream: TcpStream, via: Via },
    /// All failed.
    Lost(Failure),
}

impl Race {
    /// A race that has not begun: [`step`](Self::step) starts it.
    pub(super) fn new(
        to: Arc<[SocketAddr]>,
        stagger: Duration,
        hook: Option<SocketHook>,
        now: Moment,
    ) -> Self {
        Self { to, stagger, hook, next: 0, next_start: now, running: Vec::new(), failure: None }
    }

    /// When [`step`](Self::step) wants to be called though no socket is ready.
    pub(super) fn deadline(&self) -> Option<Moment> {
        (self.next < self.to.len()).then_some(self.next_start)
    }

    /// Looks at every socket and starts what is due. `token` names the socket of the n-th address.
    pub(super) fn step(
        &mut self,
        registry: &Registry,
        token: impl Fn(usize) -> Token,
        now: Moment,
    ) -> Option<Finish> {
        loop {
            let mut at = 0;
            while let Some(runner) = self.running.get(at) {
                match progress(&runner.stream) {
                    Ok(false) => at += 1,
                    Ok(true) => {
                        let Runner { stream, address, planned } = self.running.swap_remove(at);
                        let medium = planned.medium(&stream, address);
                        return Some(Finish::Won { stream, via: Via { peer: address, medium } });
                    }
                    Err(error) => {
                        self.running.swap_remove(at);
                        self.failed(failure::of_answer(&error), now);
                    }
                }
            }
            let Some(address) = self.to.get(self.next).copied() else { break };
            if self.next_start > now {
                break;
            }
            self.next_start = now + self.stagger;
            match start(address, self.hook.as_ref(), registry, token(self.next)) {
                Ok((stream, planned)) => self.running.push(Runner { stream, address, planned }),
                Err(failure) => self.failed(failure, now),
            }
            self.next += 1;
        }
        let over = self.running.is_empty() && self.next >= self.to.len();
        over.then(|| Finish::Lost(self.failure.take().unwrap_or_else(|| Cause::NoRoute.into())))
    }

    /// Keeps the more telling failure and lets the next address start at once.
    fn failed(&mut self, failure: Failure, now: Moment) {
        // That this machine has no way in one family says nothing when the server refused in the other.
        let telling = |failure: &Failure| failure.class() != FailureClass::LocalNetwork;
        if self.failure.as_ref().is_none_or(|kept| telling(&failure) || !telling(kept)) {
            self.failure = Some(failure);
        }
        self.next_start = now;
    }
}

/// A connection under way, registered.
fn start(
    address: SocketAddr,
    hook: Option<&SocketHook>,
    registry: &Registry,
    token: Token,
) -> Result<(TcpStream, Planned), Failure> {
    let socket = socket(address).map_err(|error| failure::of_dial(&error))?;
    if let Some(hook) = hook {
        hook::show(hook, &socket, &address)?;
    }
    let planned = Planned::new(&socket, address);
    let stream = connect(socket, address, registry, token).map_err(|error| failure::of_dial(&error))?;
    Ok((stream, planned))
}

fn socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    // A request leaves in one piece; waiting for the acknowledgement of an earlier one gains nothing.
    socket.set_tcp_nodelay(true)?;
    Ok(socket)
}

fn connect(socket: Socket, address: SocketAddr, registry: &Registry, token: Token) -> io::Result<TcpStream> {
    match socket.connect(&address.into()) {
        Err(error) if !is_under_way(&error) => return Err(error),
        _ => {}
    }
    let mut stream = TcpStream::from_std(StdStream::from(socket));
    registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
    Ok(stream)
}

fn is_under_way(error: &io::Error) -> bool {
    #[cfg(unix)]
    let under_way = error.raw_os_error() == Some(libc::EINPROGRESS);
    #[cfg(not(unix))]
    let under_way = false;
    under_way || error.kind() == io::ErrorKind::WouldBlock
}

/// Whether the connection stands.
fn progress(stream: &TcpStream) -> io::Result<bool> {
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    match stream.peer_addr() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::platform::{Clock, Sleep};

    const LONG: Duration = Duration::from_secs(600);

    fn run(to: Vec<SocketAddr>, stagger: Duration) -> Finish {
        run_with(to, stagger, None)
    }

    fn run_with(to: Vec<SocketAddr>, stagger: Duration, hook: Option<SocketHook>) -> Finish {
        let clock = Clock::new();
        let mut sleep = Sleep::new(clock).unwrap();
        let mut race = Race::new(to.into(), stagger, hook, clock.now());
        loop {
            if let Some(finish) =
                race.step(sleep.registry(), |at| Token(Sleep::FIRST_TOKEN + at), clock.now())
            {
                return finish;
            }
            sleep.until(race.deadline()).unwrap();
        }
    }

    fn listening() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    fn refusing() -> SocketAddr {
        listening().1
    }

    /// An address of documentation: where it has a route at all, nobody answers.
    fn nowhere() -> SocketAddr {
        "192.0.2.1:9".parse().unwrap()
    }

    #[test]
    fn a_refused_address_gives_way_at_once() {
        let (_listener, good) = listening();
        let Finish::Won { via, .. } = run(vec![refusing(), refusing(), good], LONG) else { panic!("lost") };
        assert_eq!(via, Via { peer: good, medium: crate::types::Medium::ThisMachine });
    }

    #[test]
    fn a_silent_address_gives_way_after_its_time() {
        let (_listener, good) = listening();
        let Finish::Won { via, .. } = run(vec![nowhere(), good], Duration::from_millis(10)) else {
            panic!("lost")
        };
        assert_eq!(via.peer, good);
    }

    #[test]
    fn when_all_fail_the_failure_is_reported() {
        let Finish::Lost(failure) = run(vec![refusing(), refusing()], LONG) else { panic!("won") };
        assert_eq!(failure.cause, Cause::ConnectionRefused);
    }

    #[test]
    fn the_hook_sees_each_socket_before_it_is_connected_and_may_refuse_it() {
        let (_listener, good) = listening();
        let refused = refusing();
        let (sender, seen) = std::sync::mpsc::channel();
        let hook: SocketHook = Arc::new(move |socket, address| {
            let socket = socket2::SockRef::from(&socket);
            let is_connected = socket.peer_addr().is_ok();
            socket.set_keepalive(true)?;
            sender.send((is_connected, *address)).unwrap();
            Ok(())
        });
        let Finish::Won { stream, .. } = run_with(vec![refused, good], LONG, Some(hook)) else {
            panic!("lost")
        };
        assert_eq!(seen.try_iter().collect::<Vec<_>>(), [(false, refused), (false, good)]);
        assert!(socket2::SockRef::from(&stream).keepalive().unwrap());

        let hooks: [(SocketHook, &str); 2] = [
            (Arc::new(|_, _| Err(io::Error::other("no mark today"))), "no mark today"),
            (Arc::new(|_, _| panic!("a fault of the application")), "the socket hook panicked"),
        ];
        for (hook, words) in hooks {
            let Finish::Lost(failure) = run_with(vec![good], LONG, Some(hook)) else { panic!("won") };
            assert_eq!((failure.cause, failure.note.as_deref()), (Cause::SocketRefused, Some(words)));
        }
    }

    #[test]
    fn a_family_without_a_route_does_not_hide_what_the_server_said_in_the_other() {
        let (local, refused) = (io::ErrorKind::NetworkUnreachable, io::ErrorKind::ConnectionRefused);
        for (kinds, expected) in [
            ([local, refused], Cause::ConnectionRefused),
            ([refused, local], Cause::ConnectionRefused),
            ([local, local], Cause::NoRoute),
        ] {
            let mut race = Race::new(vec![refusing()].into(), LONG, None, Moment::ORIGIN);
            for kind in kinds {
                race.failed(failure::of_dial(&kind.into()), Moment::ORIGIN);
            }
            assert_eq!(race.failure.unwrap().cause, expected, "{kinds:?}");
        }
    }
}
