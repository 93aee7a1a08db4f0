//! Connections as a loop wants them: nothing here waits.

use std::io::{Error, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use homing::types::{Cause, ExchangeId, Failure, Moment};
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with, sockopt};

use crate::wire::{self, Answer};

/// A connection the engine asked for. The first address that accepts wins.
pub(crate) struct Link {
    pub(crate) authority: String,
    to: Arc<[SocketAddr]>,
    stagger: Duration,
    next: usize,
    next_start: Moment,
    racing: Vec<(SocketAddr, TcpStream)>,
    failure: Option<Failure>,
    ready: Option<Ready>,
}

/// A connection that stands.
struct Ready {
    stream: TcpStream,
    talking: Option<ExchangeId>,
    begun: bool,
    used: bool,
    request: Vec<u8>,
    input: Vec<u8>,
}

/// What happened on a link.
pub(crate) enum Report {
    Connected(SocketAddr),
    FirstByte(ExchangeId),
    Answered(ExchangeId, Answer),
    /// The last report.
    Lost(Failure),
}

impl Link {
    pub(crate) fn new(authority: String, to: Arc<[SocketAddr]>, stagger: Duration) -> Self {
        let (next_start, racing) = (Moment::ORIGIN, Vec::new());
        Self { authority, to, stagger, next: 0, next_start, racing, failure: None, ready: None }
    }

    /// Says something. On a link that does not stand the engine is about to hear of its loss.
    pub(crate) fn say(&mut self, exchange: ExchangeId, request: Vec<u8>) {
        if let Some(ready) = &mut self.ready {
            (ready.talking, ready.begun, ready.request) = (Some(exchange), false, request);
        }
    }

    /// What to wait for, and whether that is writing.
    pub(crate) fn sockets(&self) -> impl Iterator<Item = (BorrowedFd<'_>, bool)> {
        let racing = self.racing.iter().map(|(_, stream)| (stream.as_fd(), true));
        let ready = self.ready.iter().map(|ready| (ready.stream.as_fd(), !ready.request.is_empty()));
        racing.chain(ready)
    }

    /// When to look at it though no socket is ready.
    pub(crate) fn deadline(&self) -> Option<Moment> {
        (self.ready.is_none() && self.next < self.to.len()).then_some(self.next_start)
    }

    /// Moves on as far as the sockets allow.
    pub(crate) fn step(&mut self, now: Moment) -> Vec<Report> {
        match &mut self.ready {
            None => self.race(now),
            Some(ready) => ready.talk(),
        }
        .unwrap_or_else(|failure| vec![Report::Lost(failure)])
    }

    /// One address after the other, each as soon as the one before has failed or had its time; all stay in the race.
    fn race(&mut self, now: Moment) -> Result<Vec<Report>, Failure> {
        for (address, stream) in std::mem::take(&mut self.racing) {
            match progress(&stream) {
                Ok(true) => {
                    self.racing.clear();
                    let (request, input) = (Vec::new(), Vec::new());
                    self.ready =
                        Some(Ready { stream, talking: None, begun: false, used: false, request, input });
                    return Ok(vec![Report::Connected(address)]);
                }
                Ok(false) => self.racing.push((address, stream)),
                Err(error) => self.failed(&error, now),
            }
        }
        while let Some(address) = self.to.get(self.next).copied().filter(|_| self.next_start <= now) {
            self.next += 1;
            self.next_start = now + self.stagger;
            match start(address) {
                Ok(stream) => self.racing.push((address, stream)),
                Err(error) => self.failed(&error, now),
            }
        }
        match self.failure.take_if(|_| self.racing.is_empty()) {
            Some(failure) => Err(failure),
            None => Ok(Vec::new()),
        }
    }

    fn failed(&mut self, error: &Error, now: Moment) {
        self.failure = Some(of_error(error, true));
        self.next_start = now;
    }
}

impl Ready {
    /// Sends and receives what there is.
    fn talk(&mut self) -> Result<Vec<Report>, Failure> {
        while !self.request.is_empty() {
            match self.stream.write(&self.request) {
                Ok(length) => drop(self.request.drain(..length)),
                // When the server does not take it, it may have answered all the same.
                Err(_) => break,
            }
        }
        let mut piece = [0; 4096];
        let mut end = None;
        // Nobody gets more of a turn than this.
        for _ in 0..16 {
            match self.stream.read(&mut piece) {
                Ok(0) => end = Some(None),
                Ok(length) => self.input.extend_from_slice(piece.get(..length).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => end = Some(Some(error)),
            }
            if end.is_some() {
                break;
            }
        }
        if self.input.len() > wire::ANSWER {
            return Err(Cause::BodyTooLarge.into());
        }
        self.hear(end)
    }

    /// What the server has said so far. `end`: it says no more, and perhaps the error that was its end.
    fn hear(&mut self, end: Option<Option<Error>>) -> Result<Vec<Report>, Failure> {
        let mut reports = Vec::new();
        let broke = || match &end {
            Some(Some(error)) => of_error(error, false),
            Some(None) | None => Cause::Truncated.into(),
        };
        if self.input.is_empty() && end.is_none() {
            return Ok(reports);
        }
        let Some(exchange) = self.talking.filter(|_| !self.input.is_empty()) else {
            // Between exchanges a server has nothing to say but goodbye, and it may cross with the next request.
            return Err(if self.used {
                Cause::ClosedIdle.into()
            } else if self.input.is_empty() {
                broke()
            } else {
                Failure::noted(Cause::NotHttp, "it spoke first")
            });
        };
        if !std::mem::replace(&mut self.begun, true) {
            reports.push(Report::FirstByte(exchange));
        }
        match wire::read(&self.input, matches!(end, Some(None))) {
            Ok(None) if end.is_some() => reports.push(Report::Lost(broke())),
            Ok(None) => {}
            Err(failure) => reports.push(Report::Lost(failure)),
            Ok(Some(answer)) => {
                let goes_on = answer.reusable && end.is_none() && self.request.is_empty();
                reports.push(Report::Answered(exchange, answer));
                if !goes_on {
                    reports.push(Report::Lost(Cause::ClosedIdle.into()));
                }
                self.talking = None;
                self.used = true;
                self.input.clear();
            }
        }
        Ok(reports)
    }
}

/// A connection that is under way.
fn start(address: SocketAddr) -> Result<TcpStream, Error> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(family, SocketType::STREAM, flags, None)?;
    sockopt::set_tcp_nodelay(&socket, true)?;
    match connect(&socket, &address) {
        Ok(()) | Err(rustix::io::Errno::INPROGRESS) => Ok(socket.into()),
        Err(error) => Err(error.into()),
    }
}

/// Whether the connection stands.
fn progress(stream: &TcpStream) -> Result<bool, Error> {
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    match stream.peer_addr() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotConnected => Ok(false),
        Err(error) => Err(error),
    }
}

/// What an error of the system means, for a connection that is being made or one that stood.
#[allow(clippy::wildcard_enum_match_arm, reason = "the standard library may name more errors in any release")]
fn of_error(error: &Error, dialling: bool) -> Failure {
    use rustix::io::Errno;
    match error.kind() {
        ErrorKind::ConnectionRefused => Cause::ConnectionRefused.into(),
        ErrorKind::HostUnreachable => Cause::HostUnreachable.into(),
        ErrorKind::TimedOut if dialling => Cause::ConnectTimeout.into(),
        ErrorKind::TimedOut
        | ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe => Cause::Reset.into(),
        _ => {
            let exhausted = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
            let exhausted = Errno::from_io_error(error).is_some_and(|number| exhausted.contains(&number));
            let cause = match dialling {
                _ if exhausted => Cause::OutOfResources,
                true => Cause::NoRoute,
                false => Cause::Reset,
            };
            Failure::noted(cause, error)
        }
    }
}
