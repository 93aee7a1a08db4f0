//! A world as a value: virtual time, servers that behave as told, and an oracle that watches.
//!
//! The scenario builder walks an engine to any state: name the servers, say how each behaves, let time
//! pass, look at what was told. After every step the promises of safety are checked.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use homing::engine::{
    Action, Away, Command, Event, Evidence, Input, LocationSnapshot, Memory, NetworkChange, Setup, Snapshot,
    State,
};
use homing::settings::{Protocol, Settings, Situation};
use homing::words::{
    Cause, Errand, ExchangeId, Failure, LinkId, Moment, News, Outcome, Path, PolicyId, ProbeId, Proof,
    QueryId, Route, Verdict,
};

use crate::mount::{self, Engine};
use crate::places::{self, Places};

pub fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

pub fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// How a server is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Server {
    pub reach: Reach,
    pub answer: Answer,
    /// From the request to the answer, beyond the round trip.
    pub think: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reach {
    /// Connects and secures, each within this round trip.
    Connects(Duration),
    /// Connects within this round trip, then says nothing at all.
    Mute(Duration),
    /// Refuses after this round trip.
    Refuses(Duration),
    /// Never answers.
    Drops,
    /// The machine has no way there.
    NoRoute,
    /// Connects, and fails the handshake like this.
    BadHandshake(Cause),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Answer {
    Good,
    /// Good, and asks to be left within this time.
    Drain(Duration),
    /// Says nothing.
    Silent,
    /// Fails like this.
    Fails(Cause),
    /// Breaks the connection.
    Breaks,
}

/// Where the proxy is.
const PROXY: (IpAddr, u16) = (IpAddr::V4(Ipv4Addr::new(10, 9, 9, 9)), 3128);

pub const ROUND_TRIP: Duration = Duration::from_millis(5);

pub fn up() -> Server {
    Server { reach: Reach::Connects(ROUND_TRIP), answer: Answer::Good, think: Duration::ZERO }
}

pub fn slow(think: Duration) -> Server {
    Server { think, ..up() }
}

pub fn far(round_trip: Duration) -> Server {
    Server { reach: Reach::Connects(round_trip), ..up() }
}

pub fn down() -> Server {
    Server { reach: Reach::Refuses(ms(1)), ..up() }
}

pub fn black_hole() -> Server {
    Server { reach: Reach::Drops, ..up() }
}

pub fn mute() -> Server {
    Server { reach: Reach::Mute(ROUND_TRIP), ..up() }
}

pub fn silent() -> Server {
    Server { answer: Answer::Silent, ..up() }
}

pub fn failing(cause: Cause) -> Server {
    Server { answer: Answer::Fails(cause), ..up() }
}

pub fn status(status: u16) -> Server {
    failing(match status {
        429 => Cause::Throttled { status, retry_after: None },
        401 | 403 => Cause::NotAllowed { status },
        500.. => Cause::ServerError { status },
        _ => Cause::NotAManager { status },
    })
}

/// Ten letters are enough for every story; larger lists count on.
pub fn name(index: usize) -> String {
    match u8::try_from(index) {
        Ok(small @ 0..26) => char::from(b'a' + small).to_string(),
        _ => format!("s{index}"),
    }
}

/// What a world is made of.
pub struct Plan {
    pub priorities: Vec<Vec<String>>,
    pub interval: Duration,
    pub push: bool,
    pub agent: String,
    pub seed: u64,
    pub tuning: String,
    pub memory: Memory,
    pub away: Away,
    pub names: bool,
    pub routes: Vec<Route>,
    /// Further parts of the document: reference servers, rules of location, locations.
    pub parts: serde_json::Map<String, serde_json::Value>,
}

/// Servers `a`, `b`, … in priorities of these sizes. All are up until told otherwise.
pub fn priorities(sizes: &[usize]) -> Plan {
    let mut next = 0..;
    let priorities = sizes.iter().map(|&size| next.by_ref().take(size).map(name).collect()).collect();
    Plan {
        priorities,
        interval: s(300),
        push: false,
        agent: "agent-1".to_owned(),
        seed: 1,
        tuning: "{}".to_owned(),
        memory: Memory::default(),
        away: Away::Unknown,
        names: false,
        routes: vec![Route::Direct],
        parts: serde_json::Map::new(),
    }
}

impl Plan {
    /// With this part of the document.
    pub fn with(mut self, part: &str, value: serde_json::Value) -> Self {
        self.parts.insert(part.to_owned(), value);
        self
    }

    pub fn interval(self, interval: Duration) -> Self {
        Self { interval, ..self }
    }

    pub fn push(self) -> Self {
        Self { push: true, ..self }
    }

    pub fn agent(self, agent: &str) -> Self {
        Self { agent: agent.to_owned(), ..self }
    }

    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    pub fn tuning(self, tuning: &str) -> Self {
        Self { tuning: tuning.to_owned(), ..self }
    }

    pub fn remembering(self, memory: Memory, away: Away) -> Self {
        Self { memory, away, ..self }
    }

    pub fn routes(self, routes: &[Route]) -> Self {
        Self { routes: routes.to_vec(), ..self }
    }

    /// Servers have names instead of addresses.
    pub fn named(self) -> Self {
        Self { names: true, ..self }
    }

    pub fn settings(&self) -> Arc<Settings> {
        let mut number = 0u32;
        let mut server = |id: &String| {
            number += 1;
            let address = if self.names {
                format!("{id}.test")
            } else {
                Ipv4Addr::from(0x0A00_0000 + number).to_string()
            };
            serde_json::json!({ "id": id, "address": address })
        };
        let priorities: Vec<_> = self
            .priorities
            .iter()
            .map(|servers| serde_json::json!({ "servers": servers.iter().map(&mut server).collect::<Vec<_>>() }))
            .collect();
        let mut text = serde_json::json!({
            "server_lists": [{ "name": "main", "priorities": priorities }],
            "group": { "name": "g", "server_list": "main", "communication": {
                "heartbeat_interval": format!("{}s", self.interval.as_secs()),
                "mode": if self.push { "push" } else { "pull" },
            } },
        });
        text.as_object_mut().unwrap().extend(self.parts.clone());
        Arc::new(text.to_string().parse().unwrap())
    }

    pub fn start(self) -> World {
        self.start_at(Moment::ORIGIN + s(1000))
    }

    pub fn start_at(self, now: Moment) -> World {
        let mut setup = Setup::new(self.settings(), self.agent.parse().unwrap());
        setup.routes = self.routes.clone().into();
        let mut engine = mount::engine(setup, &self.tuning, self.memory.clone(), self.away, self.seed, now);
        engine.handle(now, Input::Timeout);
        let servers = self.priorities.iter().flatten().map(|id| (id.clone(), up())).collect();
        World {
            engine,
            plan: self,
            now,
            started: now,
            servers,
            happenings: BTreeMap::new(),
            sequence: 0,
            links: BTreeMap::new(),
            exchanges: BTreeMap::new(),
            succeeded: BTreeSet::new(),
            told: Vec::new(),
            starts: Vec::new(),
            policies: Vec::new(),
            beats: Vec::new(),
            active: None,
            floors: BTreeMap::new(),
            cut_off: false,
            proxy: Reach::Connects(ROUND_TRIP),
            direct_blocked: false,
            inputs: 0,
            streams: BTreeMap::new(),
            names_fail: None,
            look_up_time: ms(1),
            names_hang: false,
            wait_for_drain: false,
            memories: Vec::new(),
            places: Places::default(),
        }
    }
}

/// What is on its way to the engine.
#[derive(Clone, Debug)]
enum Happening {
    Resolved(QueryId, String),
    Connected(LinkId),
    Secured(LinkId),
    Lost(LinkId, Failure),
    FirstByte(ExchangeId),
    Done(ExchangeId),
    Told(ExchangeId),
    Found(QueryId, Result<Vec<IpAddr>, Failure>),
    Probed(ProbeId, places::Answer),
}

#[derive(Clone, Debug)]
struct Link {
    server: String,
    peer: std::net::SocketAddr,
    ready: bool,
    busy: bool,
    https: bool,
}

/// See the module.
pub struct World {
    pub engine: Engine,
    pub plan: Plan,
    pub now: Moment,
    pub started: Moment,
    servers: BTreeMap<String, Server>,
    happenings: BTreeMap<(Moment, u64), Happening>,
    sequence: u64,
    links: BTreeMap<LinkId, Link>,
    exchanges: BTreeMap<ExchangeId, (LinkId, Errand)>,
    succeeded: BTreeSet<ExchangeId>,
    /// Everything told, with the time since the start.
    pub told: Vec<(Duration, Event)>,
    /// Every dial: when, and of which server.
    pub starts: Vec<(Moment, String)>,
    /// Under which policy each dial was.
    pub policies: Vec<PolicyId>,
    /// Every exchange begun: when, with which server, what for.
    pub beats: Vec<(Moment, String, Errand)>,
    active: Option<String>,
    /// Before which time nothing may be said to a server.
    floors: BTreeMap<String, Moment>,
    cut_off: bool,
    /// How the proxy is: it connects, refuses, or drops.
    pub proxy: Reach,
    /// A firewall lets nothing out but through the proxy.
    pub direct_blocked: bool,
    pub inputs: u64,
    /// Open event streams.
    pub streams: BTreeMap<ExchangeId, (LinkId, String)>,
    /// Why names do not resolve at present.
    pub names_fail: Option<Cause>,
    /// How long a look-up takes.
    pub look_up_time: Duration,
    /// Names are not answered at all.
    pub names_hang: bool,
    /// Leaves what the engine decided in its queues: draining late must be safe.
    pub wait_for_drain: bool,
    /// Reference servers and the control.
    pub places: Places,
    /// Every memory the engine asked to be stored.
    pub memories: Vec<Memory>,
}

impl World {
    // --- telling the world how to be ---

    pub fn set(&mut self, server: &str, how: Server) -> &mut Self {
        assert!(self.servers.insert(server.to_owned(), how).is_some(), "no server {server}");
        self
    }

    pub fn set_all(&mut self, how: Server) -> &mut Self {
        self.servers.values_mut().for_each(|server| *server = how);
        self
    }

    /// No packet leaves the machine.
    pub fn cut_off(&mut self, cut_off: bool) -> &mut Self {
        self.cut_off = cut_off;
        self
    }

    /// Breaks every connection to a server, as its death does.
    pub fn break_links(&mut self, server: &str) -> &mut Self {
        self.end_links(server, Cause::Reset)
    }

    /// The server closes its connections in good order.
    pub fn close_links(&mut self, server: &str) -> &mut Self {
        self.end_links(server, Cause::ClosedIdle)
    }

    fn end_links(&mut self, server: &str, cause: Cause) -> &mut Self {
        let links: Vec<_> =
            self.links.iter().filter(|(_, link)| link.server == server).map(|(id, _)| *id).collect();
        for link in links {
            self.later(Duration::ZERO, Happening::Lost(link, cause.into()));
        }
        self
    }

    /// The open links of a server.
    pub fn open_links(&self, server: &str) -> usize {
        self.links.values().filter(|link| link.server == server).count()
    }

    pub fn command(&mut self, command: Command) -> &mut Self {
        self.input(Input::Command(command));
        self.drain();
        self
    }

    pub fn network(&mut self, change: NetworkChange) -> &mut Self {
        self.input(Input::Network(change));
        self.drain();
        self
    }

    /// The machine sleeps: time passes, nothing happens, and what was under way is broken.
    pub fn suspend(&mut self, duration: Duration) -> &mut Self {
        self.now = self.now + duration;
        self.input(Input::Resumed);
        self.drain();
        self
    }

    pub fn reconfigure(&mut self, plan: Plan) -> &mut Self {
        for id in plan.priorities.iter().flatten() {
            self.servers.entry(id.clone()).or_insert_with(up);
        }
        let settings = plan.settings();
        self.plan = plan;
        self.command(Command::Reconfigure(settings))
    }

    /// The same, with one of the new servers not as it should be.
    pub fn reconfigure_with(&mut self, plan: Plan, server: &str, how: Server) -> &mut Self {
        self.servers.insert(server.to_owned(), how);
        self.reconfigure(plan)
    }

    /// Says something on every open event stream.
    pub fn tell_streams(&mut self, news: News<'_>) -> &mut Self {
        for exchange in self.streams.keys().copied().collect::<Vec<_>>() {
            self.input(Input::Told { exchange, news });
        }
        self.drain();
        self
    }

    // --- letting time pass ---

    pub fn run(&mut self, duration: Duration) -> &mut Self {
        let end = self.now + duration;
        while self.step(end) {}
        self
    }

    /// Runs until something was told that satisfies the condition; fails after `limit`.
    pub fn until(&mut self, limit: Duration, what: &str, condition: impl Fn(&Event) -> bool) -> Duration {
        let (end, seen) = (self.now + limit, self.told.len());
        loop {
            if let Some((_, event)) = self.told[seen..].iter().find(|(_, event)| condition(event)) {
                let _ = event;
                return self.now.since(self.started);
            }
            assert!(self.step(end), "{what} did not come within {limit:?}:\n{}", self.story());
        }
    }

    /// Runs until the agent is attached to this server.
    pub fn until_attached(&mut self, server: &str, limit: Duration) -> Duration {
        self.drain();
        if self.active.as_deref() == Some(server) {
            return self.now.since(self.started);
        }
        let found = self.until(limit, &format!("attached to {server}"), |event| attached_to(event, server));
        assert_eq!(self.active.as_deref(), Some(server));
        found
    }

    /// One thing happens, unless `end` comes first.
    fn step(&mut self, end: Moment) -> bool {
        self.drain();
        let happening = self.happenings.keys().next().copied();
        let deadline = self.engine.deadline().map(|(at, _)| at);
        let next = happening.map(|(at, _)| at).into_iter().chain(deadline).min();
        let Some(next) = next.filter(|&at| at <= end) else {
            self.now = end;
            return false;
        };
        self.now = self.now.max(next);
        match happening.filter(|&(at, _)| at <= self.now) {
            Some(key) => {
                let happening = self.happenings.remove(&key).unwrap();
                self.happen(happening);
            }
            None => self.input(Input::Timeout),
        }
        self.drain();
        true
    }

    // --- looking ---

    pub fn snapshot(&self) -> Snapshot {
        self.engine.snapshot(self.now)
    }

    pub fn location(&self) -> LocationSnapshot {
        self.snapshot().location.expect("settings that ask for the location")
    }

    pub fn situation(&self) -> Situation {
        self.location().situation
    }

    /// Every verdict, with the time since the start.
    pub fn verdicts(&self) -> Vec<(Duration, Situation)> {
        let mut verdicts: Vec<(Duration, Situation)> = Vec::new();
        for (at, event) in &self.told {
            if let Event::Location { situation, .. } = event
                && verdicts.last().is_none_or(|(_, last)| last != situation)
            {
                verdicts.push((*at, *situation));
            }
        }
        verdicts
    }

    /// What each round found.
    pub fn rounds(&self) -> Vec<(Duration, Evidence)> {
        let round = |(at, event): &(Duration, Event)| match event {
            Event::Round { evidence, .. } => Some((*at, (**evidence).clone())),
            _ => None,
        };
        self.told.iter().filter_map(round).collect()
    }

    pub fn state(&self) -> State {
        self.snapshot().state
    }

    pub fn active(&self) -> Option<&str> {
        self.active.as_deref()
    }

    pub fn health(&self, server: &str) -> &'static str {
        let snapshot = self.snapshot();
        snapshot.servers.iter().find(|s| s.server.as_str() == server).unwrap().health
    }

    /// How often something was told.
    pub fn count(&self, condition: impl Fn(&Event) -> bool) -> usize {
        self.told.iter().filter(|(_, event)| condition(event)).count()
    }

    /// The servers attached to, in order.
    pub fn attachments(&self) -> Vec<String> {
        let server = |(_, event): &(Duration, Event)| match event {
            Event::Attached { server, .. } => Some(server.to_string()),
            _ => None,
        };
        self.told.iter().filter_map(server).collect()
    }

    pub fn dials(&self, server: &str) -> Vec<Duration> {
        self.starts.iter().filter(|(_, id)| id == server).map(|(at, _)| at.since(self.started)).collect()
    }

    /// Under which policies a server was dialled.
    pub fn dialled_policies(&self, server: &str) -> Vec<PolicyId> {
        let dials = self.starts.iter().zip(&self.policies);
        dials.filter(|((_, id), _)| id == server).map(|(_, policy)| *policy).collect()
    }

    /// Every event on a line, for a failed assertion.
    pub fn story(&self) -> String {
        let line = |(at, event): &(Duration, Event)| format!("{:>10.3} {event:?}\n", at.as_secs_f64());
        let lines: String = self.told.iter().map(line).collect();
        format!("{lines}{}", self.engine.snapshot(self.now).explain())
    }

    // --- the driver ---

    pub fn input(&mut self, input: Input<'_>) {
        self.inputs += 1;
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
        if let Some((deadline, wake)) = self.engine.deadline() {
            assert!(deadline > self.now, "a busy loop at {:?} for {wake:?}\n{}", self.now, self.story());
        }
        assert!(self.links.len() <= 10 + 2 * 64, "links pile up");
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Resolve { query, host } => {
                let Some(server) = host.strip_suffix(".test").map(str::to_owned) else {
                    let (after, found) = self.places.look_up(&host);
                    return self.later(after, Happening::Found(query, found));
                };
                if !self.names_hang {
                    self.later(self.look_up_time, Happening::Resolved(query, server));
                }
            }
            Action::Dial { link, server, to, policy, route, .. } => {
                self.policies.push(policy);
                let id = server.id.to_string();
                self.starts.push((self.now, id.clone()));
                let floor = self.floors.get(&id).copied().unwrap_or_default();
                assert!(self.now >= floor, "{id} was dialled before its floor\n{}", self.story());
                let https = server.protocol == Protocol::Https;
                let peer = match route {
                    Route::Direct => *to.first().expect("an address to dial"),
                    Route::Proxy(_) => PROXY.into(),
                };
                assert!(
                    route != Route::Direct || peer.ip() != PROXY.0,
                    "{id} was looked for where the proxy is"
                );
                self.links.insert(link, Link { server: id.clone(), peer, ready: false, busy: false, https });
                self.dialled(link, &id, route);
            }
            Action::Exchange { exchange, link, errand, deadline } => {
                assert!(deadline > self.now);
                let state = self.links.get_mut(&link).expect("an exchange on a link that stands");
                assert!(state.ready, "an exchange on a link that is not ready");
                assert!(!std::mem::replace(&mut state.busy, true), "two exchanges on one link");
                let id = state.server.clone();
                let floor = self.floors.get(&id).copied().unwrap_or_default();
                assert!(self.now >= floor, "{id} was spoken to before its floor\n{}", self.story());
                self.beats.push((self.now, id.clone(), errand));
                self.exchanges.insert(exchange, (link, errand));
                self.exchanged(exchange, link, &id, errand);
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
                assert!(self.links.remove(&link).is_some(), "closed a link twice\n{}", self.story());
                self.streams.retain(|_, (stream, _)| *stream != link);
            }
            Action::Remember { version } => {
                self.memories.push(self.engine.memory().clone());
                self.input(Input::Remembered(version));
            }
            Action::Probe { probe, target, to, proof, deadline } => {
                assert!(deadline > self.now);
                if let Some((after, answer)) = self.places.probe(self.now, probe, &target, to, proof) {
                    self.later(after, Happening::Probed(probe, answer));
                }
            }
            Action::CancelProbe { probe } => {
                assert!(self.places.ends(probe), "cancelled what was not under way");
            }
            other => panic!("an action this world does not know: {other:?}"),
        }
    }

    fn dialled(&mut self, link: LinkId, id: &str, route: Route) {
        if route != Route::Direct && !matches!(self.proxy, Reach::Connects(_)) {
            if let Reach::Refuses(after) = self.proxy {
                self.later(after, Happening::Lost(link, Cause::ProxyUnreachable.into()));
            }
            return;
        }
        let reach = match self.servers[id].reach {
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

    fn exchanged(&mut self, exchange: ExchangeId, link: LinkId, id: &str, errand: Errand) {
        let server = self.servers[id];
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
            Answer::Good | Answer::Drain(_) | Answer::Fails(_) if errand == Errand::Listen => {
                self.later(after, Happening::Told(exchange));
            }
            Answer::Good | Answer::Drain(_) | Answer::Fails(_) => {
                self.later(after, Happening::FirstByte(exchange));
                self.later(after, Happening::Done(exchange));
            }
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Resolved(query, id) => {
                let index = self.servers.keys().position(|known| *known == id).unwrap();
                let address: IpAddr = Ipv4Addr::from(0x0A00_0001 + index as u32).into();
                let answer = match self.names_fail {
                    Some(cause) => Err(cause.into()),
                    None => Ok(std::slice::from_ref(&address)),
                };
                self.input(Input::Resolved { query, answer });
            }
            Happening::Found(query, found) => {
                let answer = found.as_deref().map_err(Clone::clone);
                self.input(Input::Resolved { query, answer });
            }
            Happening::Probed(probe, answer) => {
                if self.places.ends(probe) {
                    self.input(Input::Probed { probe, answer });
                }
            }
            Happening::Connected(link) => {
                let Some(state) = self.links.get_mut(&link) else {
                    return;
                };
                let (id, peer, https) = (state.server.clone(), state.peer, state.https);
                state.ready = !https;
                self.input(Input::Connected { link, path: Path { peer, tunnel: false } });
                match self.servers[&id].reach {
                    Reach::Connects(round_trip) if https => self.later(round_trip, Happening::Secured(link)),
                    Reach::BadHandshake(cause) => self.later(ROUND_TRIP, Happening::Lost(link, cause.into())),
                    _ => {}
                }
            }
            Happening::Secured(link) => {
                let Some(state) = self.links.get_mut(&link) else {
                    return;
                };
                state.ready = true;
                self.input(Input::Secured { link, proof: Proof::Tls });
            }
            Happening::Lost(link, failure) => {
                if self.links.remove(&link).is_some() {
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
            Happening::Told(exchange) => {
                if let Some((link, _)) = self.exchanges.remove(&exchange) {
                    self.streams.insert(exchange, (link, self.links[&link].server.clone()));
                    self.input(Input::Told { exchange, news: News::KeepAlive });
                }
            }
            Happening::Done(exchange) => self.answer(exchange),
        }
    }

    fn answer(&mut self, exchange: ExchangeId) {
        let Some((link, _)) = self.exchanges.remove(&exchange) else {
            return;
        };
        let Some(state) = self.links.get_mut(&link) else {
            return;
        };
        state.busy = false;
        let id = state.server.clone();
        let good = Verdict::Success { status: 200, settings: Some("\"s1\""), policy: None };
        let (verdict, drain) = match self.servers[&id].answer {
            Answer::Drain(window) => (good, Some(window)),
            Answer::Fails(cause) => (Verdict::Failed(cause.into()), None),
            Answer::Good | Answer::Silent | Answer::Breaks => (good, None),
        };
        match verdict {
            Verdict::Success { .. } => {
                self.succeeded.insert(exchange);
            }
            Verdict::Failed(Failure { cause: Cause::Throttled { retry_after, .. }, .. }) => {
                let floor = retry_after.unwrap_or(s(30)).clamp(s(1), s(3600));
                self.floors.insert(id, self.now + floor);
            }
            Verdict::Failed(_) | Verdict::Declined { .. } => {}
        }
        self.input(Input::Done { exchange, outcome: Outcome { verdict, drain } });
    }

    /// The oracle: what is told must be consistent.
    fn watch(&mut self, event: &Event) {
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

    fn later(&mut self, after: Duration, happening: Happening) {
        self.sequence += 1;
        self.happenings.insert((self.now + after, self.sequence), happening);
    }
}

pub fn attached_to(event: &Event, name: &str) -> bool {
    matches!(event, Event::Attached { server, .. } if server.as_str() == name)
}

pub fn is_heartbeat(event: &Event) -> bool {
    matches!(event, Event::Heartbeat { .. })
}

pub fn is_waiting(event: &Event) -> bool {
    matches!(event, Event::Waiting { .. })
}

/// The own server of each priority for this plan's agent, and the others in their order.
pub fn ranking(world: &World) -> Vec<String> {
    world.snapshot().servers.iter().map(|server| server.server.to_string()).collect()
}
