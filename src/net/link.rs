//! One connection to one server, from the dial to the close.
//!
//! A link is dialled, secured when the protocol says so, and then carries one exchange at a time. It
//! is moved on by [`Link::step`], whenever one of its sockets may be ready or its deadline has come,
//! and it tells what happened in [`Report`]s. Whatever the peer does ends in one of them: an answer,
//! or the loss of the link with the reason. After a loss the socket is closed already.
//!
//! Time limits are the engine's business, with one exception: only the link sees how the bytes of an
//! answer come in, so only it can tell slow from dripping.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mio::{Registry, Token};

use super::Limits;
use super::dial::{Finish, Race};
use super::exchange::{Answer, Exchange};
use super::tls::{Received, Stream};
use crate::platform::Sleep;
use crate::settings::{Protocol, Server};
use crate::trust::{self, Prepared};
use crate::words::{Cause, ExchangeId, Failure, LinkId, Moment, Path, Proof};

/// Where a link leads and how it is made.
pub(crate) struct Plan {
    pub(crate) link: LinkId,
    pub(crate) server: Arc<Server>,
    pub(crate) policy: Prepared,
    pub(crate) to: Arc<[SocketAddr]>,
    pub(crate) stagger: Duration,
}

/// What happened on a link.
#[derive(Debug)]
pub(crate) enum Report {
    /// An address accepted.
    Connected(Path),
    /// TLS stands.
    Secured(Proof),
    /// The first byte of an answer came.
    FirstByte(ExchangeId),
    /// A whole answer came.
    Answered(ExchangeId, Answer),
    /// The link is gone, and its exchange with it. The last report.
    Lost(Failure),
}

/// One connection.
pub(crate) struct Link {
    id: LinkId,
    server: Arc<Server>,
    policy: Prepared,
    limits: Arc<Limits>,
    state: State,
    reports: VecDeque<Report>,
}

enum State {
    Dialling(Race),
    Securing(Stream),
    Idle(Open),
    Talking(Open, Box<Talk>),
    Gone,
}

/// A connection that is ready for exchanges.
struct Open {
    stream: Stream,
    /// What came and is not used up.
    input: Vec<u8>,
    /// Whether an exchange was completed on it.
    used: bool,
}

struct Talk {
    id: ExchangeId,
    exchange: Exchange,
    /// Bytes of the answer so far.
    heard: u64,
    drip: Option<Drip>,
}

/// Since when how many bytes of an answer were there.
struct Drip {
    since: Moment,
    heard: u64,
}

/// Where a step of a state leads.
enum Next {
    /// Nothing more for now.
    Wait(State),
    /// Go on at once.
    On(State),
}

/// Reads of one step, of at most 16 KiB each. A peer that sends without end gets no more of the
/// thread than the others before it is their turn.
const READS: usize = 16;

/// Sockets a link may have while it dials: as many as the engine names addresses.
const SOCKETS: usize = 16;

impl Link {
    /// A link about to be dialled; [`step`](Self::step) begins.
    pub(crate) fn new(plan: Plan, limits: Arc<Limits>, now: Moment) -> Self {
        let Plan { link: id, server, policy, to, stagger } = plan;
        let to = if to.len() > SOCKETS { to.iter().copied().take(SOCKETS).collect() } else { to };
        let state = State::Dialling(Race::new(to, stagger, now));
        Self { id, server, policy, limits, state, reports: VecDeque::new() }
    }

    /// Which link this is.
    pub(crate) fn id(&self) -> LinkId {
        self.id
    }

    /// Where it leads.
    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    /// The link whose socket has this token. Link ids count up from zero, so even where a token has 32
    /// bits there are enough for a link a second for eight years.
    pub(crate) fn of_token(token: Token) -> LinkId {
        LinkId((token.0.wrapping_sub(Sleep::FIRST_TOKEN) / SOCKETS) as u64)
    }

    /// Begins an exchange. Whether the link was free for it.
    pub(crate) fn say(&mut self, id: ExchangeId, exchange: Exchange) -> bool {
        match std::mem::replace(&mut self.state, State::Gone) {
            State::Idle(open) => {
                let talk = Talk { id, exchange, heard: 0, drip: None };
                self.state = State::Talking(open, Box::new(talk));
                true
            }
            busy @ (State::Dialling(_) | State::Securing(_) | State::Talking(..) | State::Gone) => {
                self.state = busy;
                false
            }
        }
    }

    /// When [`step`](Self::step) wants to be called though no socket is ready.
    pub(crate) fn deadline(&self) -> Option<Moment> {
        match &self.state {
            State::Dialling(race) => race.deadline(),
            State::Talking(_, talk) => talk.drip.as_ref().map(|drip| drip.since + self.limits.drip_window),
            State::Securing(_) | State::Idle(_) | State::Gone => None,
        }
    }

    /// Moves on as far as the sockets allow. Returns whether there may be more to do at once: then
    /// it wants to be called again after the others.
    pub(crate) fn step(&mut self, registry: &Registry, now: Moment) -> bool {
        for _ in 0..READS {
            let moved = match std::mem::replace(&mut self.state, State::Gone) {
                State::Dialling(race) => self.dial(race, registry, now),
                State::Securing(stream) => self.secure(stream),
                State::Idle(open) => listen(open),
                State::Talking(open, talk) => self.talk(open, talk, now),
                State::Gone => Ok(Next::Wait(State::Gone)),
            };
            match moved {
                Ok(Next::On(state)) => self.state = state,
                Ok(Next::Wait(state)) => {
                    self.state = state;
                    return false;
                }
                Err(failure) => {
                    self.reports.push_back(Report::Lost(failure));
                    return false;
                }
            }
        }
        true
    }

    /// The next thing that happened.
    pub(crate) fn report(&mut self) -> Option<Report> {
        self.reports.pop_front()
    }

    /// Closes the connection, cleanly when nothing is under way.
    pub(crate) fn close(self) {
        match self.state {
            State::Idle(open) | State::Talking(open, _) => open.stream.close(),
            State::Securing(stream) => stream.close(),
            State::Dialling(_) | State::Gone => {}
        }
    }

    fn dial(&mut self, mut race: Race, registry: &Registry, now: Moment) -> Result<Next, Failure> {
        let first = (self.id.0 as usize).wrapping_mul(SOCKETS).wrapping_add(Sleep::FIRST_TOKEN);
        let token = |address: usize| Token(first.wrapping_add(address));
        match race.step(registry, token, now) {
            None => Ok(Next::Wait(State::Dialling(race))),
            Some(Finish::Lost(failure)) => Err(failure),
            Some(Finish::Won { stream, address }) => {
                self.reports.push_back(Report::Connected(Path { peer: address }));
                match self.server.protocol {
                    Protocol::Http => Ok(Next::On(State::Idle(Open::new(Stream::plain(stream))))),
                    Protocol::Https => {
                        let name = trust::expected_name(&self.server.host).ok_or_else(|| {
                            Failure::noted(Cause::WrongName, "no certificate can carry this name")
                        })?;
                        Ok(Next::On(State::Securing(Stream::secure(stream, &self.policy, name)?)))
                    }
                }
            }
        }
    }

    fn secure(&mut self, mut stream: Stream) -> Result<Next, Failure> {
        stream.flush()?;
        let mut input = Vec::new();
        let received = stream.receive(&mut input)?;
        if !stream.is_handshaking() {
            stream.flush()?;
            if self.policy.proof == Proof::Tcp {
                log::warn!("{}: connected without any verification (danger_no_verification)", self.server.id);
            }
            self.reports.push_back(Report::Secured(self.policy.proof));
            return Ok(Next::On(State::Idle(Open { input, ..Open::new(stream) })));
        }
        match received {
            Received::Something => Ok(Next::On(State::Securing(stream))),
            Received::Blocked => Ok(Next::Wait(State::Securing(stream))),
            Received::End { .. } => Err(Failure::noted(Cause::Truncated, "closed in the TLS handshake")),
        }
    }

    fn talk(&mut self, mut open: Open, mut talk: Box<Talk>, now: Moment) -> Result<Next, Failure> {
        let sent = open.stream.send(talk.exchange.unsent());
        if let Ok(length) = sent {
            talk.exchange.sent(length);
        }
        let before = open.input.len();
        let received = open.stream.receive(&mut open.input).map_err(|failure| open.broke(&talk, failure))?;
        talk.hear(open.input.len() - before, now, &mut self.reports);
        let answer = match (talk.exchange.receive(&mut open.input, &self.limits)?, received) {
            (Some(answer), _) => answer,
            (None, Received::End { clean }) => {
                talk.exchange.ended(clean).map_err(|failure| open.broke(&talk, failure))?
            }
            (None, Received::Something) => return Ok(Next::On(State::Talking(open, talk))),
            (None, Received::Blocked) => {
                // A request that cannot be sent may have been answered all the same, so this comes after the reading.
                sent.map_err(|failure| open.broke(&talk, failure))?;
                talk.check(now, &self.limits)?;
                return Ok(Next::Wait(State::Talking(open, talk)));
            }
        };
        let reusable = answer.reusable;
        self.reports.push_back(Report::Answered(talk.id, answer));
        if !reusable {
            open.stream.close();
            return Err(Cause::ClosedIdle.into());
        }
        open.used = true;
        Ok(Next::On(State::Idle(open)))
    }
}

impl Open {
    fn new(stream: Stream) -> Self {
        Self { stream, input: Vec::new(), used: false }
    }

    /// What it means that the connection broke during this exchange.
    fn broke(&self, talk: &Talk, failure: Failure) -> Failure {
        let at_rest = matches!(failure.cause, Cause::Truncated | Cause::Reset);
        if self.used && talk.heard == 0 && at_rest {
            // The server closed a connection at rest while the next request was on its way to it.
            return Failure::noted(Cause::ClosedIdle, failure);
        }
        failure
    }
}

impl Talk {
    /// Notes that this many bytes came.
    fn hear(&mut self, bytes: usize, now: Moment, reports: &mut VecDeque<Report>) {
        if bytes == 0 {
            return;
        }
        if self.heard == 0 {
            reports.push_back(Report::FirstByte(self.id));
            self.drip = Some(Drip { since: now, heard: 0 });
        }
        self.heard += bytes as u64;
    }

    /// Fails when the window is over and too little came in it.
    fn check(&mut self, now: Moment, limits: &Limits) -> Result<(), Failure> {
        let Some(drip) = &mut self.drip else { return Ok(()) };
        if now < drip.since + limits.drip_window {
            return Ok(());
        }
        let brought = self.heard - drip.heard;
        if brought < limits.drip_bytes as u64 {
            let window = limits.drip_window.as_secs();
            return Err(Failure::noted(Cause::Dripping, format!("{brought} bytes in {window} s")));
        }
        *drip = Drip { since: now, heard: self.heard };
        Ok(())
    }
}

/// Between exchanges a server has nothing to say but goodbye.
fn listen(mut open: Open) -> Result<Next, Failure> {
    if open.input.is_empty() {
        let received = open.stream.flush().and_then(|_| open.stream.receive(&mut open.input));
        let at_rest = |failure| if open.used { Failure::noted(Cause::ClosedIdle, failure) } else { failure };
        match received.map_err(at_rest)? {
            Received::Blocked => return Ok(Next::Wait(State::Idle(open))),
            Received::End { .. } if open.used => return Err(Cause::ClosedIdle.into()),
            Received::End { .. } => {
                return Err(Failure::noted(Cause::Truncated, "closed before anything was said"));
            }
            Received::Something if open.input.is_empty() => return Ok(Next::On(State::Idle(open))),
            Received::Something => {}
        }
    }
    let said = String::from_utf8_lossy(&open.input);
    // A used connection is often ended with a word, like 408; a fresh one that speaks first is no web server.
    let cause = if open.used { Cause::ClosedIdle } else { Cause::NotHttp };
    Err(Failure::noted(cause, said))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{Ipv4Addr, TcpListener, TcpStream};
    use std::thread;

    use ureq_proto::http::Request;

    use super::*;
    use crate::platform::Clock;
    use crate::settings::CertificatePolicy;
    use crate::words::ServerId;

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
            literal: None,
        };
        let policy = trust::prepare(&CertificatePolicy::default(), &trust::Files::new()).unwrap();
        let clock = Clock::new();
        let plan = Plan {
            link: LinkId(3),
            server: Arc::new(server),
            policy,
            to: vec![address].into(),
            stagger: Duration::from_secs(1),
        };
        let link = Link::new(plan, Arc::new(limits), clock.now());
        Drive { clock, sleep: Sleep::new(clock).unwrap(), link }
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
                assert!(self.sleep.ready().all(|token| Link::of_token(token) == LinkId(3)));
            }
        }

        fn connected(mut self) -> Self {
            assert!(matches!(self.report(), Report::Connected(_)));
            self
        }

        fn say(&mut self, id: u64, body: &[u8]) {
            let request =
                Request::post("http://127.0.0.1/homing/v1/heartbeat").header("Content-Length", body.len());
            let exchange = Exchange::new(request.body(()).unwrap(), body).unwrap();
            assert!(self.link.say(ExchangeId(id), exchange));
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
            assert_eq!(drive.answer().body, b"hi");
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
        assert_eq!(drive.answer().body, b"hi");
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
        let limits =
            Limits { drip_window: Duration::from_millis(300), drip_bytes: 1000, ..Limits::default() };
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
    fn an_answer_is_slow_or_dripping_by_what_each_window_brings() {
        let limits = Limits { drip_window: Duration::from_secs(5), drip_bytes: 1000, ..Limits::default() };
        let request = Request::post("http://a/").header("Content-Length", 0).body(()).unwrap();
        let exchange = Exchange::new(request, b"").unwrap();
        let mut talk = Talk { id: ExchangeId(1), exchange, heard: 0, drip: None };
        let (mut reports, second) = (VecDeque::new(), |at| Moment::ORIGIN + Duration::from_secs(at));
        // The server may think as long as the engine lets it.
        assert!(talk.check(second(100), &limits).is_ok());
        for (at, bytes, fails) in [
            (100, 1, false),
            (104, 999, false),
            (105, 0, false), // 1,000 in the first window
            (109, 999, false),
            (110, 0, true), // one less in the second
        ] {
            talk.hear(bytes, second(at), &mut reports);
            assert_eq!(talk.check(second(at), &limits).is_err(), fails, "at {at} s");
        }
        assert_eq!(reports.len(), 1);
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
}
