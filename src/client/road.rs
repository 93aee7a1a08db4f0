//! Carries out what the engine asks for, and collects what came of it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::SystemTime;

use mio::Registry;

use super::prepare::{self, PreparedSettings};
use super::reread::{Found, Look, Reread};
use super::status::Status;
use super::too_large::TooLarge;
use super::trust_clock::TrustClock;
use super::wallet::Wallet;
use crate::engine::{Action, Command, Event, Input, NetworkChange, Reached, Target, Turn};
use crate::net::protocol::{Content, Protocol};
use crate::net::{Answer, Exchange, Limits, Link, Looked, Plan, Probe, Proxy, Report, Resolver, SocketHook};
use crate::platform::{Peers, Waker, journal};
use crate::trust::{self, Accepted, Timestamp, WallClock};
use crate::words::{
    Cause, CertificatePolicyId, Errand, ExchangeId, Failure, LinkId, Moment, Outcome, Path, ProbeId, Proof,
    Purpose, QueryId, Route, ServerId, SettingsId, Verdict,
};

/// Answers kept until the engine says whether they count. It has at most ten attempts and a few
/// probes under way, so more than this can only be answers it has forgotten.
const ANSWERS: usize = 64;

/// Sweeps whose body is kept for attempts still to come; there is one at a time.
const SWEEPS: usize = 4;

/// Something the engine is to be told: [`Input`], owning what it lends.
pub(super) enum Heard {
    Timeout,
    Resumed,
    ClockStepped,
    Network(NetworkChange),
    Command(Command),
    LookUp(QueryId, Turn),
    Resolved(QueryId, Result<Arc<[IpAddr]>, Failure>),
    Connected(LinkId, Path),
    Secured(LinkId, Proof),
    FirstByte(ExchangeId),
    Answered(ExchangeId, Errand, Answer),
    Declined(ExchangeId),
    Lost(LinkId, Failure),
    Probed(ProbeId, Result<Reached, Failure>),
    Remembered(u64),
    CannotRemember(u64),
}

/// What a road is made of.
pub(super) struct Outfit {
    pub(super) protocol: Box<dyn Protocol>,
    pub(super) limits: Arc<Limits>,
    /// The first settings.
    pub(super) settings: PreparedSettings,
    pub(super) clock: Arc<TrustClock>,
    pub(super) status: Status,
    pub(super) wallet: Wallet,
    /// In the order of the routes the engine knows.
    pub(super) proxies: Vec<Arc<Proxy>>,
    pub(super) hook: Option<SocketHook>,
}

/// Who wants a name looked up.
#[derive(Clone, PartialEq)]
enum Asker {
    Engine(QueryId),
    /// Every link that waits for the address of this proxy.
    Proxy(u8),
}

/// An exchange that is under way.
struct UnderWay {
    id: ExchangeId,
    errand: Errand,
    content: Content,
    /// Which credentials the server was shown; `None` when it may be shown no others.
    credentials: Option<u64>,
    /// Its first byte was told of.
    begun: bool,
}

/// Every link, look-up and answer of a client.
pub(super) struct Road {
    protocol: Box<dyn Protocol>,
    limits: Arc<Limits>,
    status: Status,
    too_large: TooLarge,
    wallet: Wallet,
    proxies: Vec<Arc<Proxy>>,
    hook: Option<SocketHook>,
    resolver: Resolver<Asker>,
    /// When a name that waits may get a place.
    resolver_due: Option<Moment>,
    links: BTreeMap<LinkId, Link>,
    /// Links that may have something to do at once.
    pending: BTreeSet<LinkId>,
    /// Where links and probes lead, for whoever watches the ways there.
    peers: Peers,
    /// Questions to reference servers. They are no links: nothing can be said on one.
    probes: BTreeMap<ProbeId, Probe>,
    /// Those that may have something to do at once.
    pending_probes: BTreeSet<ProbeId>,
    /// The exchange under way on each link.
    exchanges: BTreeMap<LinkId, UnderWay>,
    /// Bodies of answers whose fate is open.
    answers: BTreeMap<ExchangeId, Arc<[u8]>>,
    /// Bodies of answers that count, for the events that tell of them.
    adopted: VecDeque<Arc<[u8]>>,
    /// What is said in each sweep.
    sweeps: BTreeMap<u64, Arc<[u8]>>,
    /// The verifiers of all settings that the engine may still refer to.
    policies: BTreeMap<SettingsId, Vec<trust::Prepared>>,
    heard: VecDeque<Heard>,
    /// By which certificates are judged.
    clock: Arc<TrustClock>,
    /// Whether files of the policies changed.
    reread: Reread,
    /// What the floor of that clock rose to, until it is stored.
    floor: Option<Timestamp>,
    /// For the application.
    notices: VecDeque<Event>,
    /// Servers whose certificates demand a stapled status, of which the application was told.
    stapled: BTreeSet<ServerId>,
    /// The day on which it was last looked whether the agent's own certificate expires.
    reminded: i64,
}

impl Road {
    pub(super) fn new(outfit: Outfit, waker: Waker) -> Self {
        let Outfit { protocol, limits, settings, clock, status, wallet, proxies, hook } = outfit;
        // The policies have just been looked at.
        let reminded = clock.time().verification().0.div_euclid(86_400);
        Self {
            protocol,
            limits,
            status,
            too_large: TooLarge::default(),
            wallet,
            proxies,
            hook,
            resolver: Resolver::system(waker),
            resolver_due: None,
            links: BTreeMap::new(),
            pending: BTreeSet::new(),
            peers: Peers::default(),
            probes: BTreeMap::new(),
            pending_probes: BTreeSet::new(),
            exchanges: BTreeMap::new(),
            answers: BTreeMap::new(),
            adopted: VecDeque::new(),
            sweeps: BTreeMap::new(),
            reread: Reread::new(&settings, Arc::clone(&clock)),
            policies: BTreeMap::from([(settings.id, settings.policies)]),
            heard: VecDeque::new(),
            clock,
            floor: None,
            notices: settings
                .warnings
                .into_iter()
                .map(|warning| Event::SettingsWarning { warning })
                .collect(),
            stapled: BTreeSet::new(),
            reminded,
        }
    }

    /// Something to tell the engine that did not happen on the road, or happened before what did.
    pub(super) fn hear(&mut self, heard: Heard) {
        if matches!(heard, Heard::Network(_)) {
            self.resolver.network_changed();
        }
        self.heard.push_back(heard);
    }

    /// The next thing to tell the engine.
    pub(super) fn next(&mut self) -> Option<Heard> {
        self.heard.pop_front()
    }

    /// Takes the verifiers of these settings in, and gives the command for the engine.
    pub(super) fn reconfigure(&mut self, prepared: PreparedSettings) -> Command {
        self.reread.reconfigured(&prepared);
        self.stapled.clear();
        self.policies.insert(prepared.id, prepared.policies);
        self.wallet.reconfigured();
        self.peers.forget_references();
        let warnings = prepared.warnings.into_iter();
        self.notices.extend(warnings.map(|warning| Event::SettingsWarning { warning }));
        Command::Reconfigure { id: prepared.id, settings: prepared.settings }
    }

    /// A look at the files of the policies that is due.
    pub(super) fn look_at_files(&mut self, now: Moment) -> Option<Look> {
        self.reread.due(now)
    }

    /// Puts policies in force whose files were read again, and gives the command for the engine.
    pub(super) fn reread(&mut self, found: Found) -> Option<Command> {
        let (prepared, told) = self.reread.found(found);
        self.notices.extend(told);
        prepared.map(|prepared| self.reconfigure(prepared))
    }

    /// This link's socket may be ready.
    pub(super) fn ready(&mut self, link: LinkId) {
        if let Some(known) = self.links.get_mut(&link) {
            known.ready();
            self.pending.insert(link);
        } else if let Some(known) = self.probes.get_mut(&ProbeId(link.0)) {
            // They are numbered together.
            known.ready();
            self.pending_probes.insert(ProbeId(link.0));
        }
    }

    /// Whether there is something to do without waiting for a socket.
    pub(super) fn is_pending(&self) -> bool {
        !self.pending.is_empty() || !self.pending_probes.is_empty() || !self.heard.is_empty()
    }

    /// When a link wants to be looked at though no socket is ready.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.links.values().filter_map(Link::deadline).chain(self.resolver_due).min()
    }

    /// Looks at everything that may have moved.
    pub(super) fn step(&mut self, registry: &Registry, now: Moment) {
        for looked in self.resolver.answers() {
            match looked {
                Looked::Waits(Asker::Engine(query)) => {
                    self.heard.push_back(Heard::LookUp(query, Turn::Waits));
                }
                Looked::Begun(Asker::Engine(query)) => {
                    self.heard.push_back(Heard::LookUp(query, Turn::Begins));
                }
                Looked::Waits(Asker::Proxy(_)) | Looked::Begun(Asker::Proxy(_)) => {}
                Looked::Ended(Asker::Engine(query), found) => {
                    self.heard.push_back(Heard::Resolved(query, found));
                }
                Looked::Ended(Asker::Proxy(index), found) => {
                    let Some(proxy) = self.proxies.get(usize::from(index)) else { continue };
                    for (id, link) in self.links.iter_mut().filter(|(_, link)| link.is_through(proxy)) {
                        link.found(&found, now);
                        self.pending.insert(*id);
                    }
                }
            }
        }
        self.resolver_due = self.resolver.retry().map(|after| now + after);
        self.step_probes(registry, now);
        let due =
            self.links.iter().filter(|(_, link)| link.deadline().is_some_and(|deadline| deadline <= now));
        self.pending.extend(due.map(|(id, _)| *id));
        for id in mem::take(&mut self.pending) {
            let Some(link) = self.links.get_mut(&id) else { continue };
            if link.step(registry, now) {
                self.pending.insert(id);
            }
            while let Some(report) = self.links.get_mut(&id).and_then(Link::report) {
                self.report(id, report, now);
            }
        }
    }

    fn step_probes(&mut self, registry: &Registry, now: Moment) {
        for id in mem::take(&mut self.pending_probes) {
            let Some(probe) = self.probes.get_mut(&id) else { continue };
            if let Some(answer) = probe.step(registry, now) {
                self.probes.remove(&id);
                if let Err(failure) = &answer {
                    self.reread.rejected(failure);
                }
                let answer = answer.map(|(proof, path)| Reached { proof, path });
                self.heard.push_back(Heard::Probed(id, answer));
            }
        }
    }

    /// Where links and probes lead.
    pub(super) fn peers(&mut self) -> &mut Peers {
        &mut self.peers
    }

    /// What happened on a link.
    fn report(&mut self, link: LinkId, report: Report, now: Moment) {
        match report {
            Report::Connected(path) => {
                self.peers.server(path.peer.ip());
                self.heard.push_back(Heard::Connected(link, path));
            }
            Report::Secured(accepted) => self.secured(link, accepted),
            Report::FirstByte(exchange) => {
                if let Some(under_way) = self.exchanges.get_mut(&link)
                    && !mem::replace(&mut under_way.begun, true)
                {
                    self.heard.push_back(Heard::FirstByte(exchange));
                }
            }
            Report::Answered(exchange, answer) => {
                // What was given up meanwhile is no news.
                let Some(under_way) = self.exchanges.remove(&link).filter(|known| known.id == exchange)
                else {
                    return;
                };
                if answer.status == 401 {
                    return self.refused(link, under_way, answer);
                }
                if answer.status == 413 && under_way.content.len() > 0 {
                    return self.too_large(link, under_way, answer, now);
                }
                if (200..300).contains(&answer.status) {
                    self.wallet.accepted();
                }
                self.heard.push_back(Heard::Answered(exchange, under_way.errand, answer));
            }
            Report::Lost(failure) => {
                self.reread.rejected(&failure);
                self.heard.push_back(Heard::Lost(link, failure));
                self.links.remove(&link);
                self.exchanges.remove(&link);
            }
        }
    }

    /// What a handshake proves is told to the engine; what else it shows, to the application.
    fn secured(&mut self, link: LinkId, accepted: Accepted) {
        self.heard.push_back(Heard::Secured(link, accepted.proof));
        self.floor = self.floor.max(accepted.not_before.filter(|time| self.clock.raise(*time)));
        let Some(link) = self.links.get(&link) else { return };
        if accepted.proof == Proof::Tcp {
            self.notices.push_back(Event::Unverified { server: link.server().id.clone() });
        }
        let server = &link.server().id;
        if accepted.demands_stapling && self.stapled.insert(server.clone()) {
            let told = "its certificate demands a stapled status (tlsFeature), which is not looked at";
            self.notices.push_back(Event::SettingsWarning { warning: format!("{server}: {told}") });
        }
        let time = self.clock.time();
        let today = time.verification().0.div_euclid(86_400);
        if mem::replace(&mut self.reminded, today) != today {
            let remarks = link.policy().remarks_at(time);
            self.notices.extend(prepare::told(&remarks).map(|warning| Event::SettingsWarning { warning }));
        }
    }

    /// What the application is to be told that the engine does not know.
    pub(super) fn notice(&mut self) -> Option<Event> {
        self.notices.pop_front()
    }

    /// The floor of the clock, if it rose since this was asked.
    pub(super) fn risen_floor(&mut self) -> Option<Timestamp> {
        self.floor.take()
    }

    /// The server wants other credentials. If there are others, it is asked once more: on the same
    /// link the engine need not know; where that was closed, the engine is told that it may try again.
    fn refused(&mut self, link: LinkId, mut under_way: UnderWay, answer: Answer) {
        let server = self.links.get(&link).map(|link| link.server().id.clone());
        let renewed = match (under_way.credentials.take(), server) {
            (Some(version), Some(server)) => self.wallet.renew(version, &server),
            _ => false,
        };
        if !renewed {
            return self.heard.push_back(Heard::Answered(under_way.id, under_way.errand, answer));
        }
        if answer.reusable {
            return self.say(link, under_way, false);
        }
        self.heard.push_back(Heard::Answered(under_way.id, under_way.errand, answer));
        if self.wallet.may_insist() {
            self.heard.push_back(Heard::Command(Command::NewCredentials));
        }
    }

    /// The server refused the body as too large. The exchange is repeated without it: on the same link the engine
    /// need not know; where that was closed, the engine repeats it on a fresh one.
    fn too_large(&mut self, link: LinkId, mut under_way: UnderWay, answer: Answer, now: Moment) {
        if let Some(link) = self.links.get(&link) {
            let (server, size) = (link.server().id.clone(), under_way.content.len());
            self.too_large.refused(server.clone(), size, now);
            self.notices.push_back(Event::StatusTooLarge { server, size });
        }
        if !answer.reusable {
            return self.heard.push_back(Heard::Answered(under_way.id, under_way.errand, answer));
        }
        under_way.content = Content::Omitted;
        let renewable = under_way.credentials.is_some();
        self.say(link, under_way, renewable);
    }

    /// Does what the engine asks for.
    pub(super) fn perform(&mut self, action: Action, now: Moment) {
        match action {
            Action::Resolve { query, host } => self.resolver.ask(Asker::Engine(query), &host),
            Action::Dial { link, server, certificate_policy, to, stagger, route } => {
                journal::tell!(Debug, "link {}: dials {} at {to:?}, {route:?}", link.0, server.id);
                let Some(policy) = self.policy(certificate_policy) else {
                    let failure = Failure::noted(Cause::TlsFailed, "its certificate policy is not prepared");
                    return self.heard.push_back(Heard::Lost(link, failure));
                };
                let proxy = match route {
                    Route::Direct => None,
                    Route::Proxy(index) => match self.proxies.get(usize::from(index)) {
                        Some(proxy) => Some(Arc::clone(proxy)),
                        None => {
                            let failure = Failure::noted(Cause::ProxyUnreachable, "there is no such proxy");
                            return self.heard.push_back(Heard::Lost(link, failure));
                        }
                    },
                };
                let hook = self.hook.clone();
                let plan = Plan { link, server, policy, to, stagger, proxy, hook };
                let made = Link::new(plan, Arc::clone(&self.limits), now);
                if let (Some(name), Route::Proxy(index)) = (made.wanted_name(), route) {
                    self.resolver.ask(Asker::Proxy(index), name);
                }
                self.links.insert(link, made);
                self.pending.insert(link);
            }
            Action::Exchange { exchange, link, errand, deadline: _ } => {
                self.exchange(exchange, link, errand, now);
            }
            Action::Adopt { exchange } => {
                self.adopted.push_back(self.answers.remove(&exchange).unwrap_or_default())
            }
            Action::Abandon { exchange, reason } => {
                journal::tell!(Debug, "exchange {}: given up, {}", exchange.0, reason.explain());
                self.exchanges.retain(|_, under_way| under_way.id != exchange);
                self.answers.remove(&exchange);
            }
            Action::Close { link, reason } => {
                journal::tell!(Debug, "link {}: closed, {}", link.0, reason.explain());
                self.exchanges.remove(&link);
                if let Some(link) = self.links.remove(&link) {
                    link.close();
                }
            }
            Action::Probe { probe, target, to, proof, deadline: _ } => {
                self.probe(probe, target, to, proof, now)
            }
            Action::CancelProbe { probe } => {
                self.probes.remove(&probe);
            }
            Action::Release { settings } => {
                self.policies.remove(&settings);
            }
            // The worker's: it has the store.
            Action::Remember { .. } => {}
        }
    }

    /// Turns what was heard into what the engine hears, and lends it out. The body of a success is
    /// kept until the engine says whether it counts.
    pub(super) fn tell<T>(&mut self, heard: Heard, engine: impl FnOnce(Input<'_>) -> T) -> T {
        match heard {
            Heard::Timeout => engine(Input::Timeout),
            Heard::Resumed => engine(Input::Resumed),
            Heard::ClockStepped => engine(Input::ClockStepped),
            Heard::Network(change) => engine(Input::Network(change)),
            Heard::Command(command) => engine(Input::Command(command)),
            Heard::LookUp(query, turn) => engine(Input::LookUp { query, turn }),
            Heard::Resolved(query, answer) => {
                let answer = answer.as_ref().map(|addresses| &**addresses).map_err(Failure::clone);
                engine(Input::Resolved { query, answer })
            }
            Heard::Connected(link, path) => engine(Input::Connected { link, path }),
            Heard::Secured(link, proof) => engine(Input::Secured { link, proof }),
            Heard::FirstByte(exchange) => engine(Input::FirstByte { exchange }),
            Heard::Lost(link, failure) => engine(Input::Lost { link, failure }),
            Heard::Probed(probe, answer) => engine(Input::Probed { probe, answer }),
            Heard::Remembered(version) => engine(Input::Remembered(version)),
            Heard::CannotRemember(version) => engine(Input::CannotRemember(version)),
            Heard::Declined(exchange) => {
                let verdict = Verdict::Declined { status: 0 };
                engine(Input::Done { exchange, outcome: Outcome { verdict, drain: None } })
            }
            Heard::Answered(exchange, errand, answer) => {
                let outcome = self.protocol.outcome(errand, &answer, SystemTime::now());
                let succeeded = matches!(outcome.verdict, Verdict::Success { .. });
                let told = engine(Input::Done { exchange, outcome });
                if succeeded {
                    self.answers.insert(exchange, answer.body.into_bytes().into());
                    if self.answers.len() > ANSWERS {
                        self.answers.pop_first();
                    }
                }
                told
            }
        }
    }

    /// The body for the oldest heartbeat that was not told of yet.
    pub(super) fn adopted(&mut self) -> Option<Arc<[u8]>> {
        self.adopted.pop_front()
    }

    /// The events of this input were told; a body nobody asked for belongs to none of the next.
    pub(super) fn settle(&mut self) {
        self.adopted.clear();
    }

    /// Closes what is open. Look-ups under way are left behind.
    pub(super) fn close(self) {
        self.links.into_values().for_each(Link::close);
    }

    /// Asks a reference server, or nobody. Directly: a proxy would answer for those who are not there.
    fn probe(&mut self, probe: ProbeId, target: Target, to: SocketAddr, proof: Proof, now: Moment) {
        let like = if let Target::Control { like } = target { like } else { None };
        if let Target::Reference { host, .. } = &target {
            self.peers.reference(to.ip(), host.address().is_none());
        }
        let security = match target {
            Target::Reference { host, certificate_policy, .. }
            | Target::Management { host, certificate_policy }
                if proof > Proof::Tcp =>
            {
                let Some(policy) = self.policy(certificate_policy) else {
                    let failure = Failure::noted(Cause::TlsFailed, "its certificate policy is not prepared");
                    return self.heard.push_back(Heard::Probed(probe, Err(failure)));
                };
                Some((policy, host))
            }
            Target::Reference { .. } | Target::Management { .. } | Target::Control { .. } => None,
        };
        self.probes.insert(probe, Probe::new(probe, to, security, like, self.hook.clone(), now));
        self.pending_probes.insert(probe);
    }

    fn policy(&self, id: CertificatePolicyId) -> Option<trust::Prepared> {
        self.policies.get(&id.settings)?.get(usize::from(id.index)).cloned()
    }

    fn exchange(&mut self, exchange: ExchangeId, link: LinkId, errand: Errand, now: Moment) {
        let body = self.body(errand);
        let server = self.links.get(&link).map(|link| &link.server().id);
        let held = server.is_some_and(|server| self.too_large.holds(server, body.len(), now));
        let content = if held { Content::Omitted } else { Content::Status(body) };
        let under_way = UnderWay { id: exchange, errand, content, credentials: None, begun: false };
        self.say(link, under_way, true);
    }

    /// Says it on this link, with the newest credentials. If they are refused, others may be tried when
    /// `renewable`.
    fn say(&mut self, link: LinkId, mut under_way: UnderWay, renewable: bool) {
        // Lost meanwhile: the engine is about to hear of it.
        let Some(link) = self.links.get_mut(&link) else { return };
        let UnderWay { id, errand, ref content, .. } = under_way;
        let Some(request) = self.protocol.request(errand, link.server(), content.clone()) else {
            return self.heard.push_back(Heard::Declined(id));
        };
        let shown = self.wallet.show(&link.server().id, link.is_verified());
        under_way.credentials = shown.version.filter(|_| renewable);
        if !link.say(id, Exchange::new(request, &shown.lines)) {
            return journal::tell!(Error, "exchange {}: its link is not free", id.0);
        }
        self.pending.insert(link.id());
        self.exchanges.insert(link.id(), under_way);
    }

    /// What is said: the newest status, the same for every attempt of one sweep, nothing in a probe.
    fn body(&mut self, errand: Errand) -> Arc<[u8]> {
        match errand {
            Errand::Heartbeat { purpose: Purpose::Probe } | Errand::Listen => Arc::from([]),
            Errand::Heartbeat { purpose: Purpose::Beat } => self.status.newest(),
            Errand::Heartbeat { purpose: Purpose::Attach { sweep } } => {
                let body = self.sweeps.entry(sweep).or_insert_with(|| self.status.newest()).clone();
                if self.sweeps.len() > SWEEPS {
                    self.sweeps.pop_first();
                }
                body
            }
        }
    }
}
