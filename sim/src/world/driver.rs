//! The driver of a world: what the engine asks for is done as its servers behave, and what it tells is watched.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use homing::engine::{Action, Event, Input, Reached, Target, Turn};
use homing::settings::Protocol;
use homing::types::{
    Cause, ExchangeId, Failure, LinkId, Outcome, ProbeId, Proof, Purpose, QueryId, Request, Route, Verdict,
    Via,
};

use super::server::{Answer, Calls, ROUND_TRIP, Reach, Server};
use super::{World, s};
use crate::reference_network;
use crate::settings::{address, number};

/// Where the proxy is.
const PROXY: (IpAddr, u16) = (IpAddr::V4(Ipv4Addr::new(10, 9, 9, 9)), 3128);

/// What is on its way to the engine.
#[derive(Clone, Debug)]
pub(super) enum Happening {
    /// A look-up that had to wait begins.
    LookedUp(QueryId),
    Resolved(QueryId, String),
    Connected(LinkId),
    Secured(LinkId),
    Lost(LinkId, Failure),
    FirstByte(ExchangeId),
    Done(ExchangeId),
    Told(ExchangeId),
    /// A stream that is open shows that it is.
    Alive(ExchangeId),
    Found(QueryId, Result<Vec<IpAddr>, Failure>),
    Probed(ProbeId, reference_network::Answer),
}

#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) server: String,
    pub(super) peer: SocketAddr,
    pub(super) ready: bool,
    pub(super) busy: bool,
    pub(super) https: bool,
    /// How the server looks by the settings under which it was dialled, when not as it is.
    pub(super) astray: Option<Reach>,
}

impl World {
    pub fn input(&mut self, input: Input<'_>) {
        self.inputs += 1;
        self.heard = self.now;
        self.engine.handle(self.now, input);
    }

    pub fn drain(&mut self) {
        if self.wait_for_drain {
            return;
        }
        // Actions first, then events: an action may be the reason for an event.
        while let Some(action) = self.engine.poll_action() {
            self.act(action);
        }
        while let Some(event) = self.engine.poll_event() {
            self.watch(&event);
            self.told.push((self.now.since(self.started), event));
        }
        // What happens to a link that is gone at the very moment of a deadline is no input, and the deadline is still to come.
        if let Some((deadline, wake)) = self.engine.deadline().filter(|_| self.heard == self.now) {
            assert!(deadline > self.now, "a busy loop at {:?} for {wake:?}\n{}", self.now, self.story());
        }
        assert!(self.links.len() <= 10 + 2 * 64, "links pile up");
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Resolve { query, host } => self.resolve(query, &host),
            Action::Dial { link, server, to, certificate_policy, route, .. } => {
                self.prepared.begins(link.0, certificate_policy);
                self.policies.push(certificate_policy);
                let id = server.id.to_string();
                self.starts.push((self.now, id.clone()));
                let floor = self.floors.get(&id).copied().unwrap_or_default();
                assert!(self.now >= floor, "{id} was dialled before its floor\n{}", self.story());
                let https = server.protocol == Protocol::Https;
                let peer = match route {
                    Route::Direct => self.winner_of(&id, &to),
                    Route::Proxy(_) => PROXY.into(),
                };
                assert!(
                    route != Route::Direct || peer.ip() != PROXY.0,
                    "{id} was looked for where the proxy is"
                );
                let astray = self.lead_astray.get(&certificate_policy.settings).copied();
                let state = Link { server: id.clone(), peer, ready: false, busy: false, https, astray };
                self.links.insert(link, state);
                self.dialled(link, &id, peer, route);
            }
            Action::Exchange { exchange, link, request, deadline, next } => {
                assert!(deadline > self.now);
                self.promise_next(&request, next);
                let state = self.links.get_mut(&link).expect("an exchange on a link that stands");
                assert!(state.ready, "an exchange on a link that is not ready");
                assert!(!std::mem::replace(&mut state.busy, true), "two exchanges on one link");
                let id = state.server.clone();
                let floor = self.floors.get(&id).copied().unwrap_or_default();
                assert!(self.now >= floor, "{id} was spoken to before its floor\n{}", self.story());
                self.beats.push((self.now, id.clone(), request.clone()));
                self.exchanges.insert(exchange, (link, request.clone()));
                self.exchanged(exchange, link, &id, request);
            }
            Action::Adopt { exchange } => {
                assert!(self.succeeded.remove(&exchange), "adopted without a success");
            }
            Action::Abandon { exchange, .. } => {
                self.exchanges.remove(&exchange);
                self.succeeded.remove(&exchange);
                self.streams.remove(&exchange);
            }
            Action::Close { link, .. } => {
                self.prepared.ends(link.0);
                assert!(self.links.remove(&link).is_some(), "closed a link twice\n{}", self.story());
                self.streams.retain(|_, (stream, _)| *stream != link);
                self.exchanges
                    .retain(|_, (on, request)| *on != link || !matches!(request, Request::Listen(_)));
            }
            Action::Remember { version } => {
                self.memories.push(self.engine.memory().clone());
                if self.forgets {
                    return self.forgotten.push(version);
                }
                self.input(Input::Remembered(version));
            }
            Action::Probe { probe, target, to, proof, deadline } => {
                assert!(deadline > self.now);
                self.probed(probe, &target, to, proof);
            }
            Action::CancelProbe { probe } => {
                self.prepared.ends(probe.0);
                assert!(self.places.ends(probe), "cancelled what was not under way");
            }
            Action::Release { settings } => self.prepared.release(settings),
            Action::LearnApplications { enabled } => {
                assert_ne!(std::mem::replace(&mut self.outbox.learns, enabled), enabled, "told twice");
            }
            other => panic!("an action this world does not know: {other:?}"),
        }
    }

    fn resolve(&mut self, query: QueryId, host: &str) {
        let Some(server) = host.strip_suffix(".test").map(str::to_owned) else {
            self.looked_up.push(host.to_owned());
            if !self.places.names_hang {
                let (after, found) = self.places.look_up(host);
                self.later(after, Happening::Found(query, found));
            }
            return;
        };
        self.look_ups.push((self.now, server.clone()));
        if let Some(wait) = self.names_wait {
            self.input(Input::LookUp { query, turn: Turn::Waits });
            self.later(wait, Happening::LookedUp(query));
        }
        if !self.names_hang {
            let wait = self.names_wait.unwrap_or_default();
            self.later(wait + self.look_up_time, Happening::Resolved(query, server));
        }
    }

    /// What the server is told of the next heartbeat, which it will hold the agent to.
    fn promise_next(&self, request: &Request, next: Option<Duration>) {
        let is_kept =
            matches!(request, Request::Heartbeat { purpose: Purpose::Attach { .. } | Purpose::Beat });
        assert_eq!(next.is_some(), is_kept, "{request:?}");
        assert!(next.is_none_or(|next| next <= self.plan.interval), "{next:?}");
    }

    fn probed(&mut self, probe: ProbeId, target: &Target, to: SocketAddr, proof: Proof) {
        if let Target::Reference { certificate_policy, .. } | Target::Management { certificate_policy, .. } =
            target
        {
            self.prepared.begins(probe.0, *certificate_policy);
        }
        if matches!(target, Target::Management { .. }) {
            return self.probed_manager(probe, to, proof);
        }
        if let Some((after, answer)) = self.places.probe(self.now, probe, target, to, proof) {
            self.later(after, Happening::Probed(probe, answer));
        }
    }

    /// A probe of a management server hears what its links would.
    fn probed_manager(&mut self, probe: ProbeId, to: SocketAddr, proof: Proof) {
        let (id, &server) = self.servers.iter().nth(number(to.ip())).expect("the probe of a server there is");
        let id = id.clone();
        let floor = self.floors.get(&id).copied().unwrap_or_default();
        assert!(self.now >= floor, "{id} was asked before its floor\n{}", self.story());
        self.places.opens(probe);
        self.probed_managers.push((self.now, id));
        let reached = Reached { proof, via: Via { peer: to, medium: self.medium } };
        let (after, answer) = match server.reach {
            _ if self.cut_off => (Duration::ZERO, Err(Cause::NoRoute.into())),
            _ if self.direct_blocked => return,
            Reach::Connects(round_trip) => (round_trip * 2, Ok(reached)),
            Reach::Mute(round_trip) if proof == Proof::Tcp => (round_trip, Ok(reached)),
            Reach::BadHandshake(cause) => (ROUND_TRIP * 2, Err(cause.into())),
            Reach::Refuses(after) => (after, Err(Cause::ConnectionRefused.into())),
            Reach::NoRoute => (Duration::ZERO, Err(Cause::NoRoute.into())),
            Reach::Mute(_) | Reach::Drops => return,
        };
        self.later(after, Happening::Probed(probe, answer));
    }

    /// The first address that connects wins.
    fn winner_of(&self, id: &str, to: &[SocketAddr]) -> SocketAddr {
        let connects = |peer: &&SocketAddr| {
            matches!(self.how(id, **peer).reach, Reach::Connects(_) | Reach::Mute(_) | Reach::BadHandshake(_))
        };
        *to.iter().find(connects).or(to.first()).expect("an address to dial")
    }

    /// How a server looks at this address, or through the proxy.
    fn how(&self, id: &str, peer: SocketAddr) -> Server {
        if peer == PROXY.into() {
            return self.through_proxy.unwrap_or(self.servers[id]);
        }
        let there = self.addresses.iter().find(|(address, of, _)| *address == peer.ip() && of == id);
        there.map_or(self.servers[id], |(_, _, how)| *how)
    }

    fn dialled(&mut self, link: LinkId, id: &str, peer: SocketAddr, route: Route) {
        if route != Route::Direct && !matches!(self.proxy, Reach::Connects(_)) {
            if let Reach::Refuses(after) = self.proxy {
                self.later(after, Happening::Lost(link, Cause::ProxyUnreachable.into()));
            }
            return;
        }
        let reach = match self.links[&link].astray.unwrap_or(self.how(id, peer).reach) {
            _ if self.cut_off => Reach::NoRoute,
            _ if route == Route::Direct && self.direct_blocked => Reach::Drops,
            reach => reach,
        };
        match reach {
            Reach::Connects(round_trip) | Reach::Mute(round_trip) => {
                self.later(round_trip, Happening::Connected(link));
            }
            Reach::Refuses(after) => {
                self.later(after, Happening::Lost(link, Cause::ConnectionRefused.into()))
            }
            Reach::Drops => {}
            Reach::NoRoute => self.later(Duration::ZERO, Happening::Lost(link, Cause::NoRoute.into())),
            Reach::BadHandshake(_) => self.later(ROUND_TRIP, Happening::Connected(link)),
        }
    }

    fn exchanged(&mut self, exchange: ExchangeId, link: LinkId, id: &str, request: Request) {
        let server = self.how(id, self.links[&link].peer);
        let round_trip = match server.reach {
            Reach::Connects(round_trip) => round_trip,
            Reach::Refuses(after) => {
                return self.later(after, Happening::Lost(link, Cause::Reset.into()));
            }
            Reach::BadHandshake(_) => ROUND_TRIP,
            Reach::Drops | Reach::Mute(_) | Reach::NoRoute => return,
        };
        let after = round_trip + server.think;
        match server.answer {
            Answer::Silent => {}
            Answer::Breaks => self.later(after, Happening::Lost(link, Cause::Reset.into())),
            Answer::Good | Answer::Drain(_) | Answer::Fails(_) | Answer::Gray(_) => {
                if let Request::Listen(listening) = request {
                    return self.listened(exchange, link, listening, after);
                }
                let after = match (request, self.calls) {
                    (Request::Call { .. }, Calls::AnsweredAfter(more)) => after + more,
                    (Request::Call { .. }, Calls::Break) => {
                        return self.later(after, Happening::Lost(link, Cause::Reset.into()));
                    }
                    _ => after,
                };
                self.later(after, Happening::FirstByte(exchange));
                self.later(after, Happening::Done(exchange));
            }
        }
    }

    pub(super) fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::LookedUp(query) => self.input(Input::LookUp { query, turn: Turn::Begins }),
            Happening::Resolved(query, id) => {
                let index = self.servers.keys().position(|known| *known == id).unwrap();
                let others = self.addresses.iter().filter(|(_, of, _)| *of == id).map(|(there, ..)| *there);
                let addresses: Vec<IpAddr> = match self.moved.get(&id) {
                    Some(moved) => vec![*moved],
                    None => std::iter::once(address(index).into()).chain(others).collect(),
                };
                let answer = match self.names_fail {
                    Some(cause) => Err(cause.into()),
                    None => Ok(addresses.as_slice()),
                };
                self.input(Input::Resolved { query, answer });
            }
            Happening::Found(query, found) => {
                let answer = found.as_deref().map_err(Clone::clone);
                self.input(Input::Resolved { query, answer });
            }
            Happening::Probed(probe, answer) => {
                if self.places.ends(probe) {
                    self.prepared.ends(probe.0);
                    self.input(Input::Probed { probe, answer });
                }
            }
            Happening::Connected(link) => {
                let Some(state) = self.links.get_mut(&link) else {
                    return;
                };
                let (id, peer, https, astray) = (state.server.clone(), state.peer, state.https, state.astray);
                state.ready = !https;
                if !https {
                    self.prepared.ends(link.0);
                }
                self.input(Input::Connected { link, via: Via { peer, medium: self.medium } });
                match astray.unwrap_or(self.how(&id, peer).reach) {
                    Reach::Connects(round_trip) if https => self.later(round_trip, Happening::Secured(link)),
                    Reach::BadHandshake(cause) => self.later(ROUND_TRIP, Happening::Lost(link, cause.into())),
                    _ => {}
                }
            }
            Happening::Secured(link) => {
                let Some(state) = self.links.get_mut(&link) else {
                    return;
                };
                let ends = self.certificates_end.get(&state.server);
                if ends.is_some_and(|&ends| ends <= self.now) {
                    return self.happen(Happening::Lost(link, Cause::CertificateExpired.into()));
                }
                let valid_for = ends.map(|ends| ends.since(self.now));
                state.ready = true;
                self.prepared.ends(link.0);
                self.input(Input::Secured { link, proof: Proof::Tls, valid_for });
            }
            Happening::Lost(link, failure) => {
                if self.links.remove(&link).is_some() {
                    self.prepared.ends(link.0);
                    self.exchanges.retain(|_, (on, _)| *on != link);
                    self.streams.retain(|_, (on, _)| *on != link);
                    self.input(Input::Lost { link, failure });
                }
            }
            Happening::FirstByte(exchange) => {
                if self.exchanges.contains_key(&exchange) {
                    self.input(Input::FirstByte { exchange });
                }
            }
            Happening::Told(exchange) => self.hello(exchange),
            Happening::Alive(exchange) => self.alive(exchange),
            Happening::Done(exchange) => self.answer(exchange),
        }
    }

    fn answer(&mut self, exchange: ExchangeId) {
        let Some((link, request)) = self.exchanges.remove(&exchange) else {
            return;
        };
        self.streams.remove(&exchange);
        let listens = matches!(request, Request::Listen(_));
        let is_beat = request == Request::Heartbeat { purpose: Purpose::Beat };
        let Some(state) = self.links.get_mut(&link) else {
            return;
        };
        state.busy = false;
        let (id, peer) = (state.server.clone(), state.peer);
        let good = Verdict::Success { status: 200, settings: Some("\"s1\""), policy: None };
        let declined = Verdict::Declined { status: 204 };
        let how = self.how(&id, peer).answer;
        if let (Request::Upload { lane, at_most }, Answer::Good | Answer::Drain(_) | Answer::Gray(_)) =
            (&request, how)
        {
            let outcome = self.uploaded(*lane, *at_most);
            return self.done(exchange, id, outcome);
        }
        if let (Request::Register(_), Answer::Good | Answer::Drain(_) | Answer::Gray(_)) = (&request, how) {
            return self.done(exchange, id, self.registry.registered());
        }
        let (verdict, drain) = match how {
            _ if listens && self.middlebox.declines => (declined, None),
            Answer::Drain(window) => (good, Some(window)),
            Answer::Fails(cause) => (Verdict::Failed(cause.into()), None),
            Answer::Gray(cause) if is_beat => (Verdict::Failed(cause.into()), None),
            Answer::Good | Answer::Gray(_) | Answer::Silent | Answer::Breaks => (good, None),
        };
        let is_heartbeat = matches!(request, Request::Heartbeat { .. });
        let outcome = Outcome::from(verdict).with_drain(drain).with_events(is_beat && self.events_wait);
        let outcome = outcome.with_register(is_heartbeat && self.registry.asks);
        self.done(exchange, id, outcome.with_duplicate(is_heartbeat && self.registry.sees_twice));
    }

    fn done(&mut self, exchange: ExchangeId, server: String, outcome: Outcome<'_>) {
        match &outcome.verdict {
            Verdict::Success { .. } => {
                self.succeeded.insert(exchange);
            }
            Verdict::Failed(Failure { cause: Cause::Throttled { retry_after, .. }, .. }) => {
                let floor = retry_after.unwrap_or(s(30)).clamp(s(1), s(3600));
                self.floors.insert(server, self.now + floor);
            }
            Verdict::Failed(_) | Verdict::Declined { .. } => {}
            new => panic!("{new:?} is none of the world's"),
        }
        self.input(Input::Done { exchange, outcome });
    }

    /// The oracle: what is told must be consistent.
    fn watch(&mut self, event: &Event) {
        assert!(!event.to_string().contains('\n'), "{event}");
        match event {
            Event::Attached { server, .. } => {
                assert_eq!(self.active, None, "two active servers\n{}", self.story());
                self.active = Some(server.to_string());
            }
            Event::Detached { server, .. } => {
                assert_eq!(
                    self.active.take().as_deref(),
                    Some(server.as_str()),
                    "detached from another server"
                );
            }
            _ => {}
        }
    }

    pub(super) fn later(&mut self, after: Duration, happening: Happening) {
        self.schedule.push(self.now + after, happening);
    }
}
