//! A chaotic driver of the engine: it answers what was asked, what was not asked, twice, late, or never;
//! it jumps in time and drains when it likes. After everything it does, it looks whether the promises hold.

mod deed;
mod shape;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use homing::engine::{
    Action, Away, Command, Event, Input, Memory, NetworkChange, Reached, Setup, Target, Turn,
};
use homing::settings::Situation;
use homing::types::{
    AccountMode, Backlog, CallId, Cause, ExchangeId, Identity, Lane, LinkId, Medium, Moment, News, Outcome,
    ProbeId, Proof, QueryId, Repeat, Request, Route, Verdict, Via,
};

pub use self::deed::{Answer, Deed, Found, Opening, Trouble};
use self::shape::settings;
use crate::mount::{Mount, Mounting};
use crate::prepared::Prepared;

/// Does all of it; then every server is well, and the agent has to find its way out again.
pub fn live_through(mounting: Mounting, opening: Opening, deeds: &[Deed]) {
    let mut chaos = Chaos::new(mounting, opening);
    for &deed in deeds {
        chaos.perform(deed);
    }
    chaos.drain();
    chaos.recover();
    assert_eq!(chaos.engine.snapshot(chaos.now).active.map(|id| id.to_string()), chaos.active);
}

/// What the engine has been given and has not given back.
pub struct Chaos {
    pub engine: Box<dyn Mount>,
    pub now: Moment,
    queries: Vec<QueryId>,
    links: BTreeMap<LinkId, bool>,
    exchanges: BTreeMap<ExchangeId, LinkId>,
    succeeded: BTreeSet<ExchangeId>,
    adopted: BTreeSet<ExchangeId>,
    /// What each probe asks for.
    probes: BTreeMap<ProbeId, (Target, Proof)>,
    prepared: Prepared,
    /// A reference server, or a management server over TLS, has proved that it is itself.
    has_proof: bool,
    active: Option<String>,
    stopped: bool,
    learns: bool,
    /// Calls made.
    calls: u64,
    /// Those that have not ended.
    open_calls: BTreeSet<CallId>,
    /// Registrations begun.
    registrations: BTreeSet<ExchangeId>,
}

impl Chaos {
    pub fn new(mounting: Mounting, opening: Opening) -> Self {
        let Opening { shape, push, named, seed } = opening;
        let mut setup = Setup::new(settings(shape, push, named), "x".parse().unwrap());
        if seed.is_multiple_of(2) {
            setup.routes = [Route::Proxy(0), Route::Direct].into();
        }
        // Some products give no identity, and some of those say later who uses the machine.
        setup.identity = (!seed.is_multiple_of(3)).then(Arc::<Identity>::default);
        let mut engine = mounting(setup, "{}", Memory::default(), Away::Unknown, seed, Moment::ORIGIN);
        engine.handle(Moment::ORIGIN, Input::Timeout);
        Self {
            engine,
            now: Moment::ORIGIN,
            queries: Vec::new(),
            links: BTreeMap::new(),
            exchanges: BTreeMap::new(),
            succeeded: BTreeSet::new(),
            adopted: BTreeSet::new(),
            probes: BTreeMap::new(),
            prepared: Prepared::default(),
            has_proof: false,
            active: None,
            stopped: false,
            learns: false,
            calls: 0,
            open_calls: BTreeSet::new(),
            registrations: BTreeSet::new(),
        }
    }

    fn link(&self, index: u8) -> Option<LinkId> {
        self.links.keys().nth(usize::from(index) % self.links.len().max(1)).copied()
    }

    fn exchange(&self, index: u8) -> Option<ExchangeId> {
        self.exchanges.keys().nth(usize::from(index) % self.exchanges.len().max(1)).copied()
    }

    fn probe(&self, index: u8) -> Option<ProbeId> {
        self.probes.keys().nth(usize::from(index) % self.probes.len().max(1)).copied()
    }

    fn probed(&mut self, probe: ProbeId, found: Found) {
        let Some((target, wanted)) = self.probes.remove(&probe) else { return };
        self.prepared.ends(probe.0);
        let (proof, tunnel) = match (found, target) {
            (Found::Fails(trouble), _) => {
                return self.input(Input::Probed { probe, answer: Err(trouble.cause().into()) });
            }
            (Found::Itself { tunnel }, Target::Reference { .. } | Target::Management { .. }) => {
                (wanted, tunnel)
            }
            (Found::Itself { .. } | Found::Accepts, _) => (Proof::Tcp, false),
        };
        self.has_proof |= proof >= Proof::Tls;
        let via = Via {
            peer: ([10, 99, 0, 1], 443).into(),
            medium: if tunnel { Medium::Tunnel } else { Medium::Direct },
        };
        self.input(Input::Probed { probe, answer: Ok(Reached { proof, via }) });
    }

    fn input(&mut self, input: Input<'_>) {
        self.engine.handle(self.now, input);
    }

    fn resolved(&mut self, query: QueryId, ok: bool) {
        let address: [IpAddr; 1] = [Ipv4Addr::LOCALHOST.into()];
        let answer = if ok { Ok(&address[..]) } else { Err(Cause::NameTimeout.into()) };
        self.input(Input::Resolved { query, answer });
    }

    fn connected(&mut self, link: LinkId) {
        let via = Via { peer: ([10, 0, 0, 1], 443).into(), medium: Medium::Direct };
        self.input(Input::Connected { link, via });
    }

    fn secured(&mut self, link: LinkId) {
        self.prepared.ends(link.0);
        self.input(Input::Secured { link, proof: Proof::Tls, valid_for: None });
    }

    fn told(&mut self, exchange: ExchangeId, kind: u8) {
        let news = [
            News::Hello,
            News::KeepAlive,
            News::Settings { tag: "x", within: Duration::ZERO },
            News::Command("x"),
            News::Drain(Duration::from_millis(u64::MAX)),
        ];
        self.input(Input::Notice { exchange, news: news[usize::from(kind) % 5] });
    }

    fn lose(&mut self, link: LinkId, trouble: Trouble) {
        self.prepared.ends(link.0);
        self.links.remove(&link);
        self.exchanges.retain(|_, on| *on != link);
        self.input(Input::Lost { link, failure: trouble.cause().into() });
    }

    fn done(&mut self, exchange: ExchangeId, answer: Answer) {
        self.exchanges.remove(&exchange);
        let (verdict, drain) = match answer {
            Answer::Good => (Verdict::Success { status: 200, settings: Some("a"), policy: Some("b") }, None),
            Answer::Drain => (
                Verdict::Success { status: 200, settings: None, policy: None },
                Some(Duration::from_millis(u64::MAX)),
            ),
            Answer::Declined => (Verdict::Declined { status: 404 }, Some(Duration::from_secs(1))),
            Answer::TooMuch => (Verdict::Declined { status: 413 }, None),
            Answer::Fails(trouble) => (Verdict::Failed(trouble.cause().into()), None),
        };
        if matches!(verdict, Verdict::Success { .. }) {
            self.has_proof = true;
            self.succeeded.insert(exchange);
        }
        // A heartbeat acknowledges nothing, and the engine must not mind.
        let outcome = Outcome::from(verdict).with_drain(drain).with_acknowledged(exchange.0 % 3);
        // And a server may say anything of a registration, with whatever answer.
        let group = exchange.0.is_multiple_of(2).then(|| "Default".parse().unwrap());
        let mode = [None, Some(AccountMode::User), Some(AccountMode::Computer)];
        let outcome = outcome
            .with_registered(group, mode[exchange.0 as usize % 3])
            .with_register(exchange.0.is_multiple_of(4))
            .with_duplicate(exchange.0.is_multiple_of(7));
        self.input(Input::Done { exchange, outcome });
    }

    pub fn perform(&mut self, deed: Deed) {
        match deed {
            Deed::Pass { milliseconds } => {
                self.now = self.now + Duration::from_millis(milliseconds.into());
                self.input(Input::Timeout);
            }
            Deed::WaitForDeadline => {
                self.drain();
                if let Some((deadline, _)) = self.engine.deadline() {
                    self.now = deadline;
                    self.input(Input::Timeout);
                }
            }
            Deed::Drain => self.drain(),
            Deed::Resolve(index, ok) => {
                if let Some(&query) = self.queries.get(usize::from(index)) {
                    self.resolved(query, ok);
                }
            }
            Deed::LookUp(index, begins) => {
                if let Some(&query) = self.queries.get(usize::from(index)) {
                    let turn = if begins { Turn::Begins } else { Turn::Waits };
                    self.input(Input::LookUp { query, turn });
                }
            }
            Deed::Connect(index) => {
                if let Some(link) = self.link(index) {
                    self.connected(link);
                }
            }
            Deed::Secure(index) => {
                if let Some(link) = self.link(index) {
                    self.secured(link);
                }
            }
            Deed::Lose(index, trouble) => {
                if let Some(link) = self.link(index) {
                    self.lose(link, trouble);
                }
            }
            Deed::FirstByte(index) => {
                if let Some(exchange) = self.exchange(index) {
                    self.input(Input::FirstByte { exchange });
                }
            }
            Deed::Done(index, answer) => {
                if let Some(exchange) = self.exchange(index) {
                    self.done(exchange, answer);
                }
            }
            Deed::Tell(index, kind) => {
                if let Some(exchange) = self.exchange(index) {
                    self.told(exchange, kind);
                }
            }
            Deed::Stale(id, kind) => self.stale(id, kind),
            Deed::Probe(index, found) => {
                if let Some(probe) = self.probe(index) {
                    self.probed(probe, found);
                }
            }
            Deed::ProbeNow => self.input(Input::Command(Command::ProbeNow)),
            Deed::Network(up) => {
                self.input(Input::Network(if up { NetworkChange::Changed } else { NetworkChange::Gone }));
            }
            Deed::Resume => self.input(Input::Resumed),
            Deed::BeatNow => self.input(Input::Command(Command::BeatNow)),
            Deed::Reconfigure(shape) => self.reconfigure(shape),
            Deed::Location(some) => {
                self.input(Input::Command(Command::SetLocation(some.then(|| "nowhere".into()))));
            }
            Deed::CannotRemember => self.input(Input::CannotRemember(7)),
            Deed::Waiting(lane, reports) => self.waits(lane, reports),
            Deed::Call(within) => self.call(within),
            Deed::User(user) => self.user_changed(user),
            Deed::Routes(shape) => self.set_routes(shape),
            Deed::Stop => self.input(Input::Command(Command::Stop { grace: Duration::from_secs(2) })),
        }
    }

    fn reconfigure(&mut self, shape: u8) {
        let id = self.prepared.prepare();
        let settings = settings(shape, false, false);
        self.input(Input::Command(Command::Reconfigure { id, settings }));
    }

    fn waits(&mut self, lane: u8, reports: u16) {
        let lane = Lane::ALL[usize::from(lane) % Lane::ALL.len()];
        let backlog = Backlog { reports: reports.into(), bytes: u64::from(reports) * 100 };
        self.input(Input::Waiting { lane, backlog });
    }

    fn call(&mut self, within: u16) {
        self.calls += 1;
        let repeat = if within.is_multiple_of(2) { Repeat::Never } else { Repeat::OnceElsewhere };
        let (call, within) = (CallId(self.calls), Duration::from_millis(u64::from(within)));
        // What comes after the end is not heard.
        self.drain();
        if !self.stopped {
            self.open_calls.insert(call);
        }
        self.input(Input::Command(Command::Call { call, within, repeat }));
    }

    fn user_changed(&mut self, user: u8) {
        let name = format!("user {}", user / 2);
        let user = user.is_multiple_of(2).then(|| name.parse().unwrap());
        self.input(Input::Command(Command::UserChanged(user)));
    }

    fn set_routes(&mut self, shape: u8) {
        let ways = [Route::Direct, Route::Proxy(0), Route::Proxy(1 + shape % 3)];
        let ways = ways.into_iter().cycle().skip(usize::from(shape % 3));
        let (routes, proxies) = (ways.take(usize::from(shape % 4)).collect(), Arc::default());
        self.input(Input::Command(Command::SetRoutes { routes, proxies }));
    }

    /// From now on every server answers well. Whatever was before, the agent is attached within the longest
    /// wait there is: nine hours, when every server had rejected it for long.
    fn recover(&mut self) {
        let end = self.now + Duration::from_secs(10 * 3600);
        self.input(Input::Network(NetworkChange::Changed));
        while !self.stopped && self.active.is_none() {
            self.drain();
            for query in std::mem::take(&mut self.queries) {
                self.resolved(query, true);
            }
            self.drain();
            for link in self.links.keys().copied().collect::<Vec<_>>() {
                self.connected(link);
                self.secured(link);
            }
            self.drain();
            for exchange in self.exchanges.keys().copied().collect::<Vec<_>>() {
                self.done(exchange, Answer::Good);
            }
            for probe in self.probes.keys().copied().collect::<Vec<_>>() {
                self.probed(probe, Found::Itself { tunnel: false });
            }
            self.drain();
            let due = self.engine.deadline().map_or(end, |(at, _)| at);
            assert!(due <= end || self.active.is_some(), "{}", self.engine.snapshot(self.now).explain());
            self.now = self.now.max(due);
            self.input(Input::Timeout);
        }
    }

    /// Stale and invented ids change nothing that can be seen.
    fn stale(&mut self, id: u64, kind: u8) {
        self.drain();
        // Ids given out count from 1; these were never given out.
        let id = id | (1 << 63);
        let before = (self.engine.snapshot(self.now), self.engine.deadline());
        match kind % 6 {
            0 => self.input(Input::Lost { link: LinkId(id), failure: Cause::Reset.into() }),
            1 => self.done_stale(ExchangeId(id)),
            2 => self.input(Input::FirstByte { exchange: ExchangeId(id) }),
            3 => self.input(Input::Secured {
                link: LinkId(id),
                proof: Proof::Pin,
                valid_for: Some(Duration::ZERO),
            }),
            4 => {
                let via = Via { peer: ([10, 99, 0, 1], 443).into(), medium: Medium::Direct };
                let answer = Ok(Reached { proof: Proof::Pin, via });
                self.input(Input::Probed { probe: ProbeId(id), answer });
            }
            _ => self.input(Input::Resolved { query: QueryId(id), answer: Err(Cause::NoRoute.into()) }),
        }
        let mut after = (self.engine.snapshot(self.now), self.engine.deadline());
        let counted = u64::from(!self.stopped);
        assert_eq!(after.0.stale_inputs, before.0.stale_inputs + counted);
        after.0.stale_inputs = before.0.stale_inputs;
        assert_eq!(before, after);
    }

    fn done_stale(&mut self, exchange: ExchangeId) {
        let verdict = Verdict::Success { status: 200, settings: None, policy: None };
        self.input(Input::Done { exchange, outcome: verdict.into() });
    }

    pub fn drain(&mut self) {
        while let Some(action) = self.engine.poll_action() {
            self.act(action);
        }
        while let Some(event) = self.engine.poll_event() {
            self.watch(&event);
        }
        let deadline = self.engine.deadline();
        assert!(deadline.is_none_or(|(at, _)| at > self.now), "a busy loop: {deadline:?} at {:?}", self.now);
        assert!(
            deadline.is_some() || self.stopped,
            "nothing is ever due: {}",
            self.engine.snapshot(self.now).explain()
        );
        assert!(self.links.len() <= 10 + 2 + 8 + 4, "{} links", self.links.len());
        // Those in force, those of the server in use, and what a handshake or an attempt may still need.
        let most = 3 + self.links.len() + self.probes.len();
        let kept = self.prepared.kept();
        assert!(self.stopped || kept <= most, "{kept} settings are kept");
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Resolve { query, .. } => self.queries.insert(0, query),
            Action::Dial { link, to, route, certificate_policy, .. } => {
                self.prepared.begins(link.0, certificate_policy);
                assert!(!to.is_empty() || route != Route::Direct);
                assert!(self.links.insert(link, true).is_none(), "an id was reused");
            }
            Action::Exchange { exchange, link, request, .. } => {
                self.registers(exchange, &request);
                // The link may be lost while the request for the exchange waits to be drained.
                if self.links.contains_key(&link) {
                    assert!(self.exchanges.values().all(|&on| on != link), "two exchanges on one link");
                    self.exchanges.insert(exchange, link);
                }
            }
            Action::Adopt { exchange } => {
                assert!(self.succeeded.contains(&exchange), "adopted what did not succeed");
                assert!(self.adopted.insert(exchange), "adopted twice");
            }
            Action::Abandon { exchange, .. } => {
                self.exchanges.remove(&exchange);
            }
            Action::Close { link, .. } => {
                self.prepared.ends(link.0);
                self.links.remove(&link);
                self.exchanges.retain(|_, on| *on != link);
            }
            Action::Probe { probe, target, proof, .. } => {
                if let Target::Reference { certificate_policy, .. } = &target {
                    self.prepared.begins(probe.0, *certificate_policy);
                }
                assert!(self.probes.insert(probe, (target, proof)).is_none(), "an id was reused");
                assert!(self.probes.len() <= 32, "{} probes at once", self.probes.len());
            }
            Action::CancelProbe { probe } => {
                self.prepared.ends(probe.0);
                self.probes.remove(&probe);
            }
            Action::Release { settings } => self.prepared.release(settings),
            Action::Remember { version } => self.input(Input::Remembered(version)),
            Action::LearnApplications { enabled } => {
                assert_ne!(std::mem::replace(&mut self.learns, enabled), enabled, "told twice");
            }
            other => panic!("{other:?}"),
        }
    }

    /// One registration at a time, and none before the agent is attached.
    fn registers(&mut self, exchange: ExchangeId, request: &Request) {
        if let Request::Register(said) = request {
            assert!(said.last_group.is_none() || said.last_group.as_ref().unwrap().as_str() == "Default");
            let under_way = self.registrations.iter().filter(|other| self.exchanges.contains_key(other));
            assert_eq!(under_way.count(), 0, "two registrations at once");
            self.registrations.insert(exchange);
        }
    }

    fn watch(&mut self, event: &Event) {
        assert!(!self.stopped, "{event:?} after the end");
        match event {
            Event::Attached { server, .. } => {
                assert!(self.active.is_none(), "two active servers");
                assert!(!self.adopted.is_empty(), "active without a success");
                self.active = Some(server.to_string());
            }
            Event::Detached { server, .. } => {
                assert_eq!(self.active.take().as_deref(), Some(server.as_str()));
            }
            Event::Location { situation, .. } => {
                let inside = matches!(situation, Situation::Internal | Situation::InternalViaVpn);
                assert!(!inside || self.has_proof, "inside without a proof");
            }
            Event::Called { call, .. } | Event::CallFailed { call, .. } => {
                assert!(self.open_calls.remove(call), "a call has ended twice");
            }
            Event::Registered { server, .. } | Event::RegistrationFailed { server, .. } => {
                assert_eq!(self.active.as_deref(), Some(server.as_str()), "registered with another server");
                assert!(!self.registrations.is_empty() || matches!(event, Event::RegistrationFailed { .. }));
            }
            Event::Duplicate { server } => {
                assert_eq!(self.active.as_deref(), Some(server.as_str()), "another server sees it twice");
            }
            Event::Stopped {} => {
                assert!(self.open_calls.is_empty(), "calls that never ended: {:?}", self.open_calls);
                self.stopped = true;
                assert!(self.links.is_empty(), "links outlive the engine");
                assert!(self.probes.is_empty(), "probes outlive the engine");
            }
            _ => {}
        }
    }
}
