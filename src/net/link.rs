//! One connection to one server, from the dial to the close.
//!
//! A link is dialled, led through a proxy when the route says so, secured when the protocol says so, and
//! then carries one exchange at a time. It
//! is moved on by [`Link::step`], whenever one of its sockets may be ready or its deadline has come,
//! and it tells what happened in [`Report`]s. Whatever the peer does ends in one of them: an answer,
//! or the loss of the link with the reason. After a loss the socket is closed already.
//!
//! Time limits are the engine's business, with one exception: only the link sees how the bytes of an
//! answer come in, so only it can tell slow from dripping.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use mio::{Registry, Token};

use super::Limits;
use super::dial::{Finish, Race};
use super::event_stream::{EventStream, Spoken};
use super::exchange::{Answer, Exchange};
use super::hook::SocketHook;
use super::pace::Pace;
use super::proxy::{self, Proxy, Tunnel};
use super::tls::{Received, Stream};
use crate::platform::{Sleep, logging};
use crate::settings::{Protocol, Server};
use crate::trust::{Accepted, Policy, Prepared};
use crate::types::{Cause, ExchangeId, Failure, FailureClass, Host, LinkId, Moment, Proof, Via};

/// Where a link leads and how it is made.
pub(crate) struct Plan {
    pub(crate) link: LinkId,
    pub(crate) server: Arc<Server>,
    pub(crate) policy: Prepared,
    /// Where the server is; of no interest on the way through a proxy.
    pub(crate) to: Arc<[SocketAddr]>,
    pub(crate) stagger: Duration,
    pub(crate) proxy: Option<Arc<Proxy>>,
    pub(crate) hook: Option<SocketHook>,
}

/// What happened on a link.
#[derive(Debug)]
pub(crate) enum Report {
    /// An address accepted, and the proxy opened the way if there is one.
    Connected(Via),
    /// TLS stands.
    Secured(Accepted),
    /// The first byte of an answer came.
    FirstByte(ExchangeId),
    /// Something was said in an answer that is an event stream.
    Spoken(ExchangeId, Spoken),
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
    proxy: Option<Arc<Proxy>>,
    limits: Arc<Limits>,
    /// What the peer has proved so far.
    proof: Proof,
    state: State,
    reports: VecDeque<Report>,
}

enum State {
    /// The addresses of the proxy are being looked up.
    Naming {
        stagger: Duration,
        hook: Option<SocketHook>,
    },
    Dialling(Race),
    Tunnelling(Box<TunnelHandshake>),
    Securing(Stream),
    Idle(Open),
    Busy(Open, Box<Activity>),
    Gone,
}

/// A connection to a proxy that is asked for the way to the server.
struct TunnelHandshake {
    stream: Stream,
    via: Via,
    tunnel: Tunnel,
    input: Vec<u8>,
    pace: Pace,
}

/// A connection that is ready for exchanges.
struct Open {
    stream: Stream,
    /// What came and is not used up.
    input: Vec<u8>,
    /// Whether an exchange was completed on it.
    used: bool,
}

struct Activity {
    id: ExchangeId,
    exchange: Exchange,
    pace: Pace,
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
        let Plan { link: id, server, policy, to, stagger, proxy, hook } = plan;
        let race = |to: Arc<[SocketAddr]>| {
            let to = if to.len() > SOCKETS { to.iter().copied().take(SOCKETS).collect() } else { to };
            State::Dialling(Race::new(to, stagger, hook.clone(), now))
        };
        let state = match proxy.as_deref().map(|proxy| (proxy.host(), proxy.port())) {
            None => race(to),
            Some((Host::Address(address), port)) => race([SocketAddr::new(*address, port)].into()),
            Some((Host::Name(_), _)) => State::Naming { stagger, hook },
        };
        Self { id, server, policy, proxy, limits, proof: Proof::Tcp, state, reports: VecDeque::new() }
    }

    /// The name of a proxy that has to be looked up before anything else; [`found`](Self::found) goes on.
    pub(crate) fn wanted_name(&self) -> Option<&Arc<str>> {
        match self.proxy.as_deref().filter(|_| matches!(self.state, State::Naming { .. }))?.host() {
            Host::Name(name) => Some(name),
            Host::Address(_) => None,
        }
    }

    /// The proxy's name was looked up.
    pub(crate) fn found(&mut self, found: &Result<Arc<[IpAddr]>, Failure>, now: Moment) {
        let Some(port) = self.proxy.as_deref().map(Proxy::port) else { return };
        if let State::Naming { stagger, hook } = &mut self.state {
            match found {
                Ok(addresses) => {
                    let to = addresses.iter().map(|address| SocketAddr::new(*address, port));
                    let race = Race::new(to.take(SOCKETS).collect(), *stagger, hook.take(), now);
                    self.state = State::Dialling(race);
                }
                Err(failure) => {
                    self.state = State::Gone;
                    self.reports.push_back(Report::Lost(proxy::not_reached(failure.clone())));
                }
            }
        }
    }

    /// Whether it leads through this proxy.
    pub(crate) fn is_through(&self, proxy: &Arc<Proxy>) -> bool {
        self.proxy.as_ref().is_some_and(|ours| Arc::ptr_eq(ours, proxy))
    }

    /// Whether the peer has proved by a certificate that it is the server.
    pub(crate) fn is_verified(&self) -> bool {
        self.proof >= Proof::Tls
    }

    /// Which link this is.
    pub(crate) fn id(&self) -> LinkId {
        self.id
    }

    /// Where it leads.
    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    /// What it has to prove.
    pub(crate) fn policy(&self) -> &Policy {
        &self.policy.policy
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
                let activity = Activity { id, exchange, pace: Pace::default() };
                self.state = State::Busy(open, Box::new(activity));
                true
            }
            busy @ (State::Naming { .. }
            | State::Dialling(_)
            | State::Tunnelling(_)
            | State::Securing(_)
            | State::Busy(..)
            | State::Gone) => {
                self.state = busy;
                false
            }
        }
    }

    /// When [`step`](Self::step) wants to be called though no socket is ready.
    pub(crate) fn deadline(&self) -> Option<Moment> {
        match &self.state {
            State::Dialling(race) => race.deadline(),
            State::Tunnelling(handshake) => handshake.pace.deadline(&self.limits),
            State::Busy(_, activity) if activity.exchange.hears_events() => None,
            State::Busy(_, activity) => activity.pace.deadline(&self.limits),
            State::Naming { .. } | State::Securing(_) | State::Idle(_) | State::Gone => None,
        }
    }

    /// One of its sockets may be ready.
    pub(crate) fn ready(&mut self) {
        match &mut self.state {
            State::Tunnelling(handshake) => handshake.stream.ready(),
            State::Securing(stream) => stream.ready(),
            State::Idle(open) | State::Busy(open, _) => open.stream.ready(),
            State::Naming { .. } | State::Dialling(_) | State::Gone => {}
        }
    }

    /// Moves on as far as the sockets allow. Returns whether there may be more to do at once: then
    /// it wants to be called again after the others.
    pub(crate) fn step(&mut self, registry: &Registry, now: Moment) -> bool {
        for _ in 0..READS {
            let moved = match std::mem::replace(&mut self.state, State::Gone) {
                naming @ State::Naming { .. } => Ok(Next::Wait(naming)),
                State::Dialling(race) => self.dial(race, registry, now),
                State::Tunnelling(handshake) => self.tunnel_on(handshake, now),
                State::Securing(stream) => self.secure(stream),
                State::Idle(open) => listen(open),
                State::Busy(open, activity) => self.activity(open, activity, now),
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
            State::Idle(open) | State::Busy(open, _) => open.stream.close(),
            State::Securing(stream) => stream.close(),
            State::Tunnelling(handshake) => handshake.stream.close(),
            State::Naming { .. } | State::Dialling(_) | State::Gone => {}
        }
    }

    fn dial(&mut self, mut race: Race, registry: &Registry, now: Moment) -> Result<Next, Failure> {
        let first = first_token(self.id.0);
        let token = |address: usize| Token(first.wrapping_add(address));
        match race.step(registry, token, now) {
            None => Ok(Next::Wait(State::Dialling(race))),
            Some(Finish::Lost(failure)) if self.proxy.is_some() => Err(proxy::not_reached(failure)),
            Some(Finish::Lost(failure)) => Err(failure),
            Some(Finish::Won { stream, via }) => {
                let stream = Stream::plain(stream);
                let Some(proxy) = &self.proxy else { return self.connected(stream, via, Vec::new()) };
                let tunnel = Tunnel::new(proxy, &self.server);
                let (input, pace) = (Vec::new(), Pace::default());
                Ok(Next::On(State::Tunnelling(Box::new(TunnelHandshake {
                    stream,
                    via,
                    tunnel,
                    input,
                    pace,
                }))))
            }
        }
    }

    /// Asks the proxy for the way. Until it is open, whatever goes wrong is the proxy's.
    fn tunnel_on(&mut self, mut handshake: Box<TunnelHandshake>, now: Moment) -> Result<Next, Failure> {
        let broke = |failure: Failure| {
            if failure.cause == Cause::OutOfResources { failure } else { proxy::no_answer(failure) }
        };
        let TunnelHandshake { stream, tunnel, input, pace, .. } = &mut *handshake;
        let sent = stream.send(tunnel.unsent());
        if let Ok(length) = sent {
            tunnel.sent(length);
        }
        let before = input.len();
        let received = stream.receive(input).map_err(broke)?;
        pace.hear(input.len() - before, now);
        if tunnel.receive(input, &self.limits)? {
            let TunnelHandshake { stream, via, input, .. } = *handshake;
            return self.connected(stream, via, input);
        }
        match received {
            Received::Something => Ok(Next::On(State::Tunnelling(handshake))),
            Received::Blocked => {
                // As with a server: what cannot be sent may have been answered all the same.
                sent.map_err(broke)?;
                pace.check(now, &self.limits).map_err(broke)?;
                Ok(Next::Wait(State::Tunnelling(handshake)))
            }
            Received::End { .. } => Err(proxy::no_answer(Cause::Truncated)),
        }
    }

    /// The way to the server is open; `early` came from it already.
    fn connected(&mut self, stream: Stream, via: Via, early: Vec<u8>) -> Result<Next, Failure> {
        self.reports.push_back(Report::Connected(via));
        match self.server.protocol {
            Protocol::Http => Ok(Next::On(State::Idle(Open { input: early, ..Open::new(stream) }))),
            Protocol::Https => {
                let name = self
                    .policy
                    .server_name(&self.server.host)
                    .ok_or_else(|| Failure::noted(Cause::WrongName, "no certificate can carry this name"))?;
                Ok(Next::On(State::Securing(stream.secure(early, &self.policy, name)?)))
            }
        }
    }

    fn secure(&mut self, mut stream: Stream) -> Result<Next, Failure> {
        stream.flush()?;
        let mut input = Vec::new();
        let received = stream.receive(&mut input)?;
        if !stream.is_handshaking() {
            stream.flush()?;
            // Asked here and not only in the handshake: nobody verifies a resumed session.
            let accepted = self.policy.judge(stream.peer_certificates(), &self.server.host)?;
            if accepted.proof == Proof::Tcp {
                logging::record!(
                    Warn,
                    "{}: connected without any verification (danger_no_verification)",
                    self.server.id
                );
            }
            stream.renew();
            self.proof = accepted.proof;
            self.reports.push_back(Report::Secured(accepted));
            return Ok(Next::On(State::Idle(Open { input, ..Open::new(stream) })));
        }
        match received {
            Received::Something => Ok(Next::On(State::Securing(stream))),
            Received::Blocked => Ok(Next::Wait(State::Securing(stream))),
            Received::End { .. } => Err(Failure::noted(Cause::Truncated, "closed in the TLS handshake")),
        }
    }

    fn activity(
        &mut self,
        mut open: Open,
        mut activity: Box<Activity>,
        now: Moment,
    ) -> Result<Next, Failure> {
        let sent = open.stream.send(activity.exchange.unsent());
        let mut has_more = false;
        if let Ok(length) = sent {
            let piece = activity.exchange.unsent().len();
            activity.exchange.sent(length);
            has_more = length == piece && !activity.exchange.unsent().is_empty();
        }
        let before = open.input.len();
        let received =
            open.stream.receive(&mut open.input).map_err(|failure| open.broke(&activity, failure))?;
        if activity.pace.hear(open.input.len() - before, now) {
            self.reports.push_back(Report::FirstByte(activity.id));
        }
        let mut answer = activity.exchange.receive(&mut open.input, &self.limits)?;
        let events = match &mut answer {
            Some(answer) => answer.body.event_stream(),
            None => activity.exchange.event_stream(),
        };
        if let Some(events) = events {
            self.hear(activity.id, events, now)?;
        }
        let answer = match (answer, received) {
            (Some(answer), _) => answer,
            (None, Received::End { clean }) => {
                activity.exchange.ended(clean).map_err(|failure| open.broke(&activity, failure))?
            }
            (None, Received::Something) => return Ok(Next::On(State::Busy(open, activity))),
            // There was room for a whole piece of the request, so there may be room for the next.
            (None, Received::Blocked) if has_more => return Ok(Next::On(State::Busy(open, activity))),
            (None, Received::Blocked) => {
                // A request that cannot be sent may have been answered all the same, so this comes after the reading.
                sent.map_err(|failure| open.broke(&activity, failure))?;
                if !activity.exchange.hears_events() {
                    activity.pace.check(now, &self.limits)?;
                }
                return Ok(Next::Wait(State::Busy(open, activity)));
            }
        };
        let reusable = answer.reusable;
        self.reports.push_back(Report::Answered(activity.id, answer));
        if !reusable {
            open.stream.close();
            return Err(Cause::ClosedIdle.into());
        }
        open.used = true;
        open.stream.renew();
        Ok(Next::On(State::Idle(open)))
    }

    /// Tells what was said in an event stream.
    fn hear(&mut self, exchange: ExchangeId, events: &mut EventStream, now: Moment) -> Result<(), Failure> {
        while let Some(said) = events.poll()? {
            self.reports.push_back(Report::Spoken(exchange, said));
        }
        events.check(now)
    }
}

/// The first token of what has this id: links and probes are numbered together.
pub(super) fn first_token(id: u64) -> usize {
    (id as usize).wrapping_mul(SOCKETS).wrapping_add(Sleep::FIRST_TOKEN)
}

impl Open {
    fn new(stream: Stream) -> Self {
        Self { stream, input: Vec::new(), used: false }
    }

    /// What it means that the connection broke during this exchange.
    fn broke(&self, activity: &Activity, failure: Failure) -> Failure {
        let at_rest = matches!(failure.cause, Cause::Truncated | Cause::Reset);
        if self.used && !activity.pace.heard_something() && at_rest {
            // The server closed a connection at rest while the next request was on its way to it.
            return Failure::noted(Cause::ClosedIdle, failure);
        }
        failure
    }
}

/// Between exchanges a server has nothing to say but goodbye.
fn listen(mut open: Open) -> Result<Next, Failure> {
    if open.input.is_empty() {
        let received = open.stream.flush().and_then(|_| open.stream.receive(&mut open.input));
        let at_rest = |failure: Failure| {
            let blameless = open.used && failure.class() != FailureClass::Limit;
            if blameless { Failure::noted(Cause::ClosedIdle, failure) } else { failure }
        };
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
mod tests;
