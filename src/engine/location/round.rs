//! One round: every reference server is asked once, side by side, within eight seconds.
//!
//! All first ports come first, then all second ones. One start per 50 ms, so that a list of dead servers is walked in
//! seconds and no firewall sees a scan; a port that is refused gives way at once, to the same server's next port and to
//! the next server. The first answer with enough proof ends it, as a patient walk over the list would have ended.
//!
//! Beside it runs the control: an address and a name at which nobody may answer. If somebody does, the network
//! answers for everybody, and a bare connection proves nothing.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::Tuning;
use super::control::Control;
use super::evidence::{Asked, Evidence, Finding, Reply, Trigger};
use crate::engine::context::Context;
use crate::engine::event::span;
use crate::engine::{Action, Reached, Target};
use crate::settings::{ReferenceServer, Settings};
use crate::words::{Cause, Failure, FailureClass, Host, Moment, PolicyId, ProbeId, Proof, QueryId};

/// Sockets at once. With a start per 50 ms and 1.5 s each there are at most 30.
const MOST_IN_FLIGHT: usize = 32;

/// See the module.
#[derive(Debug)]
pub(super) struct Round {
    pub(super) started: Moment,
    pub(super) trigger: Trigger,
    version: u32,
    servers: Vec<Server>,
    tries: Vec<Try>,
    control: Control,
    /// Servers whose port was refused: their next one is asked at once.
    refused: VecDeque<u16>,
    last_start: Option<Moment>,
    /// When the next server of the list may be asked.
    pace: Moment,
    finding: Option<Finding>,
    /// The server whose answer ended the round.
    best: Option<usize>,
    /// When it was last looked at what is due.
    looked: Moment,
}

/// One reference server.
#[derive(Debug)]
struct Server {
    names: Names,
    is_named: bool,
    ports: u16,
    /// How many of its ports and addresses were asked.
    next: u16,
    answered: bool,
}

/// Where a server's name leads: the first address of each family, in the order the system gave them.
#[derive(Debug)]
enum Names {
    Resolving(QueryId),
    Known([Option<IpAddr>; 2]),
    Failed(Failure),
}

/// One question.
#[derive(Debug)]
struct Try {
    server: u16,
    port: u16,
    started: Moment,
    state: TryState,
}

#[derive(Debug)]
enum TryState {
    Running(ProbeId),
    Answered { reached: Reached, at: Moment },
    Failed { failure: Failure, at: Moment },
    Silent,
    Dropped { at: Moment },
}

/// What became of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Running,
    /// For the first time there is a finding.
    Found(Finding),
    /// The finding rested on a bare connection, and now the control has answered as well.
    Revoked,
    /// The control has ended too.
    Over,
}

impl Round {
    pub(super) fn begin(cx: &mut Context<'_>, settings: &Settings, version: u32, trigger: Trigger) -> Self {
        let control = Control::begin(cx, settings);
        let servers = settings.reference_servers().iter().map(|server| {
            let names = match &server.host {
                Host::Address(address) => Names::Known([Some(*address), None]),
                Host::Name(host) => {
                    let query = cx.queue.next_query();
                    cx.act(Action::Resolve { query, host: host.clone() });
                    Names::Resolving(query)
                }
            };
            Server {
                names,
                is_named: matches!(server.host, Host::Name(_)),
                ports: u16::try_from(server.ports.len()).unwrap_or(u16::MAX),
                next: 0,
                answered: false,
            }
        });
        let servers = servers.collect();
        Self {
            started: cx.now,
            trigger,
            version,
            servers,
            tries: Vec::new(),
            control,
            refused: VecDeque::new(),
            last_start: None,
            pace: cx.now,
            finding: None,
            best: None,
            looked: cx.now,
        }
    }

    // --- getters ---

    pub(super) fn finding(&self) -> Option<Finding> {
        self.finding
    }

    /// Whether nothing is under way any more.
    pub(super) fn is_over(&self) -> bool {
        self.finding.is_some() && !self.control.is_running()
    }

    pub(super) fn deadline(&self, tuning: &Tuning) -> Option<Moment> {
        let control = self.control.deadline(tuning);
        if self.finding.is_some() {
            return control;
        }
        let patience = self.running().map(|(_, one)| one.started + tuning.patience).min();
        let names = self.is_resolving().then(|| self.started + tuning.name_limit);
        let quiet = self.quiet_at(tuning);
        let all = [control, patience, names, quiet, self.next_start(tuning), Some(self.limit(tuning))];
        all.into_iter().flatten().filter(|at| *at > self.looked).min()
    }

    // --- handle ---

    /// Other settings that ask the same: the same policies under another number.
    pub(super) fn renumber(&mut self, version: u32) {
        self.version = version;
    }

    pub(super) fn resolved(&mut self, query: QueryId, answer: Result<&[IpAddr], &Failure>) -> bool {
        if self.control.resolved(query, answer) {
            return true;
        }
        let asking = |server: &&mut Server| matches!(server.names, Names::Resolving(ours) if ours == query);
        let Some(server) = self.servers.iter_mut().find(asking) else { return false };
        server.names = match answer {
            Ok([]) => Names::Failed(Cause::NameNotFound.into()),
            Ok(addresses) => Names::Known(one_of_each_family(addresses)),
            Err(failure) => Names::Failed(failure.clone()),
        };
        true
    }

    pub(super) fn probed(
        &mut self,
        cx: &mut Context<'_>,
        probe: ProbeId,
        answer: Result<Reached, Failure>,
    ) -> bool {
        if self.control.probed(probe, &answer) {
            return true;
        }
        let ours = |one: &&mut Try| matches!(one.state, TryState::Running(running) if running == probe);
        let Some(one) = self.tries.iter_mut().find(ours) else { return false };
        match answer {
            Ok(reached) => {
                one.state = TryState::Answered { reached, at: cx.now };
                if let Some(server) = self.servers.get_mut(usize::from(one.server)) {
                    server.answered = true;
                }
            }
            Err(failure) => {
                one.state = TryState::Failed { failure, at: cx.now };
                self.refused.push_back(one.server);
                self.pace = self.pace.min(cx.now);
            }
        }
        true
    }

    /// Starts and ends what is due, until the round waits or has its finding.
    pub(super) fn drive(&mut self, cx: &mut Context<'_>, settings: &Settings) -> Progress {
        let tuning = &cx.tuning.location;
        self.looked = cx.now;
        self.control.expire(cx);
        if let Some(finding) = self.finding {
            let by_connection = matches!(
                finding,
                Finding::Internal { proof: Proof::Tcp } | Finding::InternalViaVpn { proof: Proof::Tcp }
            );
            if by_connection && self.control.answered() {
                self.control.give_up(cx);
                return Progress::Revoked;
            }
            return if self.control.is_running() { Progress::Running } else { Progress::Over };
        }
        self.expire(cx);
        while self.next_start(tuning).is_some_and(|at| at <= cx.now) && self.limit(tuning) > cx.now {
            self.start(cx, settings);
        }
        let Some((finding, best)) = self.find(cx.now, settings, tuning) else { return Progress::Running };
        (self.finding, self.best) = (Some(finding), best);
        self.drop_tries(cx);
        // A verified server is what it is, whoever else answers.
        let verified = !matches!(
            finding,
            Finding::Internal { proof: Proof::Tcp } | Finding::InternalViaVpn { proof: Proof::Tcp }
        );
        if verified {
            self.control.give_up(cx);
        }
        Progress::Found(finding)
    }

    /// Drops whatever is under way.
    pub(super) fn give_up(&mut self, cx: &mut Context<'_>) {
        self.drop_tries(cx);
        self.control.give_up(cx);
    }

    // --- starts ---

    /// When the next question may be asked, if one is left.
    fn next_start(&self, tuning: &Tuning) -> Option<Moment> {
        if self.running().count() + self.control.sockets() >= MOST_IN_FLIGHT {
            return None;
        }
        let gap = self.last_start.map_or(self.started, |last| last + tuning.start_gap);
        if self.refused.iter().any(|server| self.has_more(usize::from(*server))) {
            return Some(gap);
        }
        self.candidate().map(|_| self.pace.max(gap))
    }

    /// The server that is next: first ports before second ones, then the order of the list.
    fn candidate(&self) -> Option<usize> {
        let open = self.servers.iter().enumerate().filter(|(index, _)| self.has_more(*index));
        open.min_by_key(|(index, server)| (server.depth(), *index)).map(|(index, _)| index)
    }

    fn has_more(&self, index: usize) -> bool {
        self.servers.get(index).is_some_and(Server::has_more)
    }

    fn start(&mut self, cx: &mut Context<'_>, settings: &Settings) {
        let tuning = &cx.tuning.location;
        let mut hurried = None;
        while let Some(server) = self.refused.pop_front() {
            if self.has_more(usize::from(server)) {
                hurried = Some(usize::from(server));
                break;
            }
        }
        if hurried.is_none() && self.pace > cx.now {
            return;
        }
        let Some(index) = hurried.or_else(|| self.candidate()) else { return };
        let Some((server, reference)) =
            self.servers.get_mut(index).zip(settings.reference_servers().get(index))
        else {
            return;
        };
        let Some((port, address)) = server.take_next(reference) else { return };
        let number = u16::try_from(index).unwrap_or(u16::MAX);
        let probe = cx.queue.next_probe();
        cx.act(Action::Probe {
            probe,
            target: Target::Reference {
                server: number,
                host: reference.host.clone(),
                policy: PolicyId { settings: self.version, index: reference.policy },
            },
            to: SocketAddr::new(address, port),
            proof: reference.proof,
            deadline: cx.now + tuning.patience,
        });
        self.tries.push(Try { server: number, port, started: cx.now, state: TryState::Running(probe) });
        self.last_start = Some(cx.now);
        if hurried.is_none() {
            self.pace = cx.now + tuning.pace;
        }
    }

    // --- ends ---

    fn expire(&mut self, cx: &mut Context<'_>) {
        let tuning = &cx.tuning.location;
        let over = self.limit(tuning) <= cx.now;
        for one in &mut self.tries {
            if let TryState::Running(probe) = one.state
                && (over || one.started + tuning.patience <= cx.now)
            {
                cx.queue.act(Action::CancelProbe { probe });
                one.state = TryState::Silent;
            }
        }
        if over || self.started + tuning.name_limit <= cx.now {
            for server in &mut self.servers {
                if matches!(server.names, Names::Resolving(_)) {
                    server.names = Names::Failed(Cause::NameTimeout.into());
                }
            }
        }
    }

    fn drop_tries(&mut self, cx: &mut Context<'_>) {
        for one in &mut self.tries {
            if let TryState::Running(probe) = one.state {
                cx.queue.act(Action::CancelProbe { probe });
                one.state = TryState::Dropped { at: cx.now };
            }
        }
    }

    // --- the finding ---

    fn find(&self, now: Moment, settings: &Settings, tuning: &Tuning) -> Option<(Finding, Option<usize>)> {
        let direct = self.best(settings, |reached| self.is_direct(settings, reached));
        if let Some((index, proof)) = direct
            && (proof > Proof::Tcp || self.control.is_quiet(now, self.longest(Proof::Tcp), tuning))
        {
            return Some((Finding::Internal { proof }, Some(index)));
        }
        if !self.is_complete(now, tuning) {
            return None;
        }
        // What has answered may be the same that answers for the control, a little later.
        let answered = self.answered().next().is_some() || self.disbelieved();
        if answered
            && !self.control.is_quiet(now, self.longest(Proof::Pin), tuning)
            && !self.control.answered()
        {
            return None;
        }
        if let Some((index, proof)) = self.best(settings, |_| true) {
            return Some((Finding::InternalViaVpn { proof }, Some(index)));
        }
        let finding = if self.nothing_left_this_machine() {
            Finding::NoNetwork
        } else if self.no_name_resolves() {
            Finding::NoNames
        } else if answered && self.control.answered() {
            Finding::Captive
        } else {
            Finding::External
        };
        Some((finding, None))
    }

    /// Enough proof by way of a tunnel, when the time for a first location is over.
    pub(super) fn tunnel_proof(&self, settings: &Settings) -> Option<Proof> {
        self.best(settings, |_| true).map(|(_, proof)| proof).filter(|proof| *proof > Proof::Tcp)
    }

    /// The best server in the order of the list among those that answered with enough proof.
    fn best(&self, settings: &Settings, way: impl Fn(&Reached) -> bool) -> Option<(usize, Proof)> {
        let enough =
            self.answered().filter(|(one, reached)| self.counts(settings, one, reached) && way(reached));
        // A verified one needs no look at the control, so it goes before a bare connection.
        let best = enough.min_by_key(|(one, reached)| (reached.proof == Proof::Tcp, one.server));
        best.map(|(one, reached)| (usize::from(one.server), reached.proof))
    }

    fn counts(&self, settings: &Settings, one: &Try, reached: &Reached) -> bool {
        let rules = settings.location_rules();
        let wanted = settings
            .reference_servers()
            .get(usize::from(one.server))
            .map_or(Proof::Pin, |server| server.proof);
        reached.proof >= rules.required_proof
            && reached.proof >= wanted
            && (reached.proof > Proof::Tcp || !self.control.answered())
    }

    fn is_direct(&self, settings: &Settings, reached: &Reached) -> bool {
        settings.location_rules().tunnel_proves_internal || !reached.path.tunnel
    }

    /// Whether everything was asked, and has answered or had its time.
    fn is_complete(&self, now: Moment, tuning: &Tuning) -> bool {
        let over = self.limit(tuning) <= now;
        over || (self.running().next().is_none()
            && self.servers.iter().all(|server| !server.has_more() && !server.is_resolving()))
    }

    fn nothing_left_this_machine(&self) -> bool {
        let stayed = |failure: &Failure| failure.class() == FailureClass::LocalNetwork;
        self.servers.iter().all(|server| match &server.names {
            Names::Failed(failure) => stayed(failure) || is_dead_service(failure),
            Names::Known(_) | Names::Resolving(_) => true,
        }) && self
            .tries
            .iter()
            .all(|one| matches!(&one.state, TryState::Failed { failure, .. } if stayed(failure)))
            && (!self.tries.is_empty() || !self.control.left_this_machine())
    }

    /// No name of the list resolves, and nobody has said that it does not exist.
    fn no_name_resolves(&self) -> bool {
        let mut named = self.servers.iter().filter(|server| server.is_named).peekable();
        let dead =
            |server: &Server| matches!(&server.names, Names::Failed(failure) if is_dead_service(failure));
        named.peek().is_some() && !self.control.name_service_lives() && named.all(dead)
    }

    /// When the control has been silent for long enough, if that is all that is waited for.
    fn quiet_at(&self, tuning: &Tuning) -> Option<Moment> {
        let waits = !self.control.answered() && self.control.is_running();
        let times = [self.longest(Proof::Tcp), self.longest(Proof::Pin)];
        let quiet = times.into_iter().flatten().map(|longest| self.control.quiet_from(longest, tuning));
        quiet.filter(|at| waits && *at > self.looked).min()
    }

    /// The longest time an answer took that proved at most this; a handshake that failed is one too.
    fn longest(&self, most: Proof) -> Option<Duration> {
        let times = self.tries.iter().filter_map(|one| match &one.state {
            TryState::Answered { reached, at } if reached.proof <= most => Some(at.since(one.started)),
            TryState::Failed { failure, at } if is_disbelief(failure) => Some(at.since(one.started)),
            TryState::Answered { .. }
            | TryState::Failed { .. }
            | TryState::Running(_)
            | TryState::Silent
            | TryState::Dropped { .. } => None,
        });
        times.max()
    }

    fn disbelieved(&self) -> bool {
        self.tries
            .iter()
            .any(|one| matches!(&one.state, TryState::Failed { failure, .. } if is_disbelief(failure)))
    }

    fn answered(&self) -> impl Iterator<Item = (&Try, &Reached)> {
        self.tries.iter().filter_map(|one| match &one.state {
            TryState::Answered { reached, .. } => Some((one, reached)),
            TryState::Running(_) | TryState::Failed { .. } | TryState::Silent | TryState::Dropped { .. } => {
                None
            }
        })
    }

    fn running(&self) -> impl Iterator<Item = (ProbeId, &Try)> {
        self.tries.iter().filter_map(|one| match one.state {
            TryState::Running(probe) => Some((probe, one)),
            TryState::Answered { .. }
            | TryState::Failed { .. }
            | TryState::Silent
            | TryState::Dropped { .. } => None,
        })
    }

    fn is_resolving(&self) -> bool {
        self.servers.iter().any(Server::is_resolving)
    }

    /// When it is over at the latest: a longer list takes longer than eight seconds.
    fn limit(&self, tuning: &Tuning) -> Moment {
        let asked_for: usize =
            self.servers.iter().map(|server| usize::from(server.next) + server.left()).sum();
        let pairs = u32::try_from(asked_for).unwrap_or(u32::MAX);
        self.started + tuning.round_limit.max(tuning.pace.saturating_mul(pairs) + tuning.patience)
    }

    // --- the report ---

    pub(super) fn evidence(&self, now: Moment, settings: &Settings, finding: Finding) -> Evidence {
        let references = settings.reference_servers();
        let name = |reference: &ReferenceServer| match &reference.host {
            Host::Address(IpAddr::V6(address)) => format!("[{address}]"),
            host @ (Host::Address(IpAddr::V4(_)) | Host::Name(_)) => host.to_string(),
        };
        let mut asked = Vec::new();
        for (index, (server, reference)) in self.servers.iter().zip(references).enumerate() {
            let place = index + 1;
            let line = |port: u16, reply, elapsed| Asked {
                place,
                server: name(reference),
                port,
                wanted: reference.proof,
                reply,
                elapsed: span(elapsed),
            };
            let ours: Vec<&Try> = self.tries.iter().filter(|one| usize::from(one.server) == index).collect();
            if let Names::Failed(failure) = &server.names {
                let port = reference.ports.first().copied().unwrap_or_default();
                let reply = Reply::NoAddress { detail: failure.to_string() };
                asked.push(line(port, reply, now.since(self.started)));
            } else if ours.is_empty() {
                let port = reference.ports.first().copied().unwrap_or_default();
                asked.push(line(port, Reply::NotAwaited {}, Duration::ZERO));
            }
            for one in ours {
                let (reply, end) = match &one.state {
                    TryState::Running(_) => (Reply::NotAwaited {}, now),
                    TryState::Dropped { at } => (Reply::NotAwaited {}, *at),
                    TryState::Silent => (Reply::Silent {}, now.min(one.started + PATIENCE_SHOWN)),
                    TryState::Answered { reached, at } => {
                        let counts = self.counts(settings, one, reached);
                        let Reached { proof, path } = *reached;
                        (Reply::Proved { proof, tunnel: path.tunnel, counts }, *at)
                    }
                    TryState::Failed { failure, at } => (said(failure), *at),
                };
                asked.push(line(one.port, reply, end.since(one.started)));
            }
        }
        let best = self.best.and_then(|index| {
            let (one, _) = self.answered().find(|(one, reached)| {
                usize::from(one.server) == index && self.counts(settings, one, reached)
            })?;
            Some(format!("{}:{}", name(references.get(index)?), one.port))
        });
        Evidence {
            trigger: self.trigger,
            finding,
            elapsed: span(now.since(self.started)),
            servers: references.len(),
            best,
            asked,
            control: self.control.report(),
        }
    }
}

/// What a silent server is said to have had; the rule's 1.5 s.
const PATIENCE_SHOWN: Duration = Duration::from_millis(1500);

impl Server {
    fn has_more(&self) -> bool {
        !self.answered && usize::from(self.next) < self.total()
    }

    /// How many questions are left, as far as is known: a name counts for one address until it has resolved.
    fn left(&self) -> usize {
        match self.names {
            Names::Resolving(_) => usize::from(self.ports),
            Names::Known(_) | Names::Failed(_) => self.total().saturating_sub(self.next.into()),
        }
    }

    fn total(&self) -> usize {
        usize::from(self.ports) * self.addresses().count()
    }

    fn addresses(&self) -> impl Iterator<Item = IpAddr> + Clone {
        let known = match self.names {
            Names::Known(addresses) => addresses,
            Names::Resolving(_) | Names::Failed(_) => [None, None],
        };
        known.into_iter().flatten()
    }

    /// Which of its ports is next, and at which of its addresses.
    fn depth(&self) -> (usize, usize) {
        let addresses = self.addresses().count().max(1);
        (usize::from(self.next) / addresses, usize::from(self.next) % addresses)
    }

    fn take_next(&mut self, reference: &ReferenceServer) -> Option<(u16, IpAddr)> {
        let (port, address) = self.depth();
        let next = (reference.ports.get(port).copied()?, self.addresses().nth(address)?);
        self.next = self.next.saturating_add(1);
        Some(next)
    }

    fn is_resolving(&self) -> bool {
        matches!(self.names, Names::Resolving(_))
    }
}

/// The first address of each family, in the order in which the families came.
fn one_of_each_family(addresses: &[IpAddr]) -> [Option<IpAddr>; 2] {
    let first = addresses.first().copied();
    let other = first
        .and_then(|first| addresses.iter().copied().find(|address| address.is_ipv4() != first.is_ipv4()));
    [first, other]
}

fn is_dead_service(failure: &Failure) -> bool {
    matches!(failure.cause, Cause::NameServiceDead | Cause::NameServerFailed | Cause::NameTimeout)
}

/// Somebody answered the connection and did not prove to be that server.
fn is_disbelief(failure: &Failure) -> bool {
    matches!(failure.class(), FailureClass::Certificate | FailureClass::Broken | FailureClass::Limit)
}

fn said(failure: &Failure) -> Reply {
    let detail = failure.to_string();
    match failure.class() {
        FailureClass::LocalNetwork => Reply::NotSent { detail },
        _ if is_disbelief(failure) => Reply::NotBelieved { detail },
        FailureClass::NoAnswer | FailureClass::Silent => Reply::Silent {},
        FailureClass::Refused
        | FailureClass::Name
        | FailureClass::Certificate
        | FailureClass::ServerError
        | FailureClass::Throttled
        | FailureClass::NotAllowed
        | FailureClass::WrongServer
        | FailureClass::Broken
        | FailureClass::Limit
        | FailureClass::Proxy
        | FailureClass::Draining
        | FailureClass::ClosedIdle => Reply::Refused { detail },
    }
}
