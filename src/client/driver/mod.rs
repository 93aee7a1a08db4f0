//! Carries out what the engine asks for, and collects what came of it.
//!
//! `links` has the connections to management servers, `exchanges` what is said on them and what became of it, `probes` the
//! questions to reference servers, `policies` the verifiers of all settings the engine may still refer to. This file
//! joins them: it takes actions apart, and puts what was heard in one queue, in the order in which it happened.

mod answers;
mod asked;
#[cfg(feature = "outbox")]
mod batches;
mod event_ids;
mod exchanges;
mod heard;
mod links;
mod policies;
mod probes;
#[cfg_attr(not(feature = "outbox"), path = "no_uploads.rs")]
mod uploads;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mio::Registry;

use self::answers::Adopted;
use self::exchanges::{Exchanges, Next};
use self::links::Links;
use self::policies::Policies;
use self::probes::Probes;
use self::uploads::Uploads;
pub(super) use heard::Heard;

use super::arrived::Ready;
use super::credential_provider::CredentialProvider;
use super::mail::Found;
use super::prepare::PreparedSettings;
use super::reports::Reports;
use super::reread::{Look, Reread};
use super::routes::{Proxies, RouteChoice};
use super::status::Status;
use super::trust_clock::TrustClock;
use crate::engine::{Action, Command, Event, Input, Target, Turn};
use crate::net::protocol::{Announcement, Protocol};
use crate::net::{Limits, Looked, Report, Resolver, SocketHook};
use crate::platform::{Clock, Peers, Waker, logging};
use crate::settings::{Server, Settings};
use crate::trust::Timestamp;
use crate::types::{
    Call, CallId, CertificatePolicyId, Failure, LinkId, Moment, News, Outcome, ProbeId, Proof, QueryId,
    Route, SettingsId,
};

/// What a driver is made of.
pub(super) struct Config {
    pub(super) protocol: Box<dyn Protocol>,
    pub(super) limits: Arc<Limits>,
    /// The first settings.
    pub(super) settings: PreparedSettings,
    pub(super) clock: Arc<TrustClock>,
    pub(super) status: Status,
    pub(super) reports: Reports,
    pub(super) credential_provider: CredentialProvider,
    /// In the order of the routes the engine knows.
    pub(super) proxies: Proxies,
    pub(super) hook: Option<SocketHook>,
}

/// An outbox that had its look and wants another one has it so much later: the disk may take its time.
const TENDING: Duration = Duration::from_secs(30);

/// Who wants a name looked up.
#[derive(Clone, PartialEq)]
enum Asker {
    Engine(QueryId),
    /// Every link that waits for the address of this proxy.
    Proxy(u8),
}

/// Every link, look-up, probe and answer of a client.
pub(super) struct Driver {
    links: Links,
    exchanges: Exchanges,
    probes: Probes,
    policies: Policies,
    /// Where links and probes lead: the ways there are watched.
    peers: Peers,
    /// Whether files of the policies changed.
    reread: Reread,
    resolver: Resolver<Asker>,
    /// When a name that waits may get a place.
    resolver_due: Option<Moment>,
    /// When the outbox wants a look.
    tend_at: Option<Moment>,
    heard: VecDeque<Heard>,
    /// For the application.
    notices: VecDeque<Event>,
}

impl Driver {
    pub(super) fn new(config: Config, waker: Waker) -> Self {
        let uploads = Uploads::new(&config.reports, waker.clone());
        let Config { protocol, limits, settings, clock, status, credential_provider, proxies, hook, .. } =
            config;
        let mut driver = Self {
            links: Links::new(limits, proxies, hook.clone()),
            exchanges: Exchanges::new(protocol, status, uploads, credential_provider),
            probes: Probes::new(hook),
            peers: Peers::default(),
            reread: Reread::new(&settings, Arc::clone(&clock)),
            policies: Policies::new(clock),
            resolver: Resolver::system(waker),
            resolver_due: None,
            tend_at: None,
            heard: VecDeque::new(),
            notices: VecDeque::new(),
        };
        let _ = driver.take_in(settings);
        driver
    }

    // --- getters ---

    /// Whether there is something to do without waiting for a socket.
    pub(super) fn is_pending(&self) -> bool {
        self.links.is_pending() || self.probes.is_pending() || !self.heard.is_empty()
    }

    /// When there is something to do though no socket is ready.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.links.deadline().into_iter().chain(self.resolver_due).chain(self.tend_at).min()
    }

    /// Where links and probes lead.
    pub(super) fn peers(&mut self) -> &mut Peers {
        &mut self.peers
    }

    // --- what happened ---

    /// Something to tell the engine that did not happen here, or happened before what did.
    pub(super) fn hear(&mut self, heard: Heard) {
        if matches!(heard, Heard::Network(_)) {
            self.resolver.network_changed();
        }
        self.heard.push_back(heard);
    }

    /// Takes the verifiers of settings in that are to be tried, and gives the command for the engine.
    pub(super) fn try_settings(&mut self, ready: Ready) -> Command {
        let Ready { prepared, name, given } = ready;
        self.reread.watch(&prepared);
        self.policies.reconfigured();
        self.exchanges.reconfigured();
        self.peers.forget_references();
        let (id, settings) = self.take_in(prepared);
        Command::Try { id, settings, name, given }
    }

    /// A look at the files of the policies that is due.
    pub(super) fn look_at_files(&mut self, now: Moment) -> Option<Look> {
        self.reread.due(now)
    }

    /// Takes policies in whose files were read again, and gives the commands for the engine.
    pub(super) fn reread(&mut self, found: Found) -> Vec<Command> {
        let (renewed, told) = self.reread.found(found);
        self.notices.extend(told);
        let mut renew = |(old, prepared): (_, PreparedSettings)| {
            self.reread.watch(&prepared);
            self.policies.reconfigured();
            self.exchanges.reconfigured();
            self.peers.forget_references();
            let (id, settings) = self.take_in(prepared);
            Command::Renew { old, id, settings }
        };
        renewed.into_iter().map(&mut renew).collect()
    }

    /// These are the ways to the servers from now on.
    pub(super) fn set_routes(&mut self, choices: Vec<RouteChoice>) {
        self.heard.push_back(Heard::Command(self.links.set_routes(choices)));
    }

    /// The product has something to say itself.
    pub(super) fn call(&mut self, id: CallId, call: Arc<Call>) {
        let (within, repeat) = (call.within, call.repeat);
        self.exchanges.calls.insert(id, call);
        self.heard.push_back(Heard::Command(Command::Call { call: id, within, repeat }));
    }

    /// A call has ended.
    pub(super) fn forget_call(&mut self, id: CallId) {
        self.exchanges.calls.remove(&id);
    }

    /// Looks at the outbox, if there is something new or it is time for that, and sends what was read of it.
    pub(super) fn look_at_outbox(&mut self, clock: Clock) {
        let is_due = self.tend_at.is_some_and(|at| at <= clock.now());
        if is_due || self.exchanges.outbox_has_news() {
            self.tend_outbox();
        }
        let least = if is_due { TENDING } else { Duration::ZERO };
        self.tend_at = self.exchanges.next_tending().map(|after| clock.now() + after.max(least));
        if let Some((asked, taken)) = self.exchanges.batch_read()
            // Lost meanwhile: the engine is about to hear of it.
            && let Some(link) = self.links.get(asked.link)
        {
            let next = self.exchanges.upload(asked, taken, link);
            self.go_on(next);
        }
    }

    /// Looks at the outbox, though nothing may have been submitted: reports grow old, and its folder may be usable again.
    fn tend_outbox(&mut self) {
        let (changed, events) = self.exchanges.look_at_outbox();
        self.heard.extend(changed.into_iter().map(|(lane, backlog)| Heard::Waiting(lane, backlog)));
        self.notices.extend(events);
    }

    /// The socket of this link or probe, which are numbered together, may be ready.
    pub(super) fn ready(&mut self, id: LinkId) {
        if !self.links.ready(id) {
            self.probes.ready(ProbeId(id.0));
        }
    }

    /// Looks at everything that may have moved.
    pub(super) fn step(&mut self, registry: &Registry, now: Moment) {
        self.step_resolver(now);
        for (probe, answer) in self.probes.step(registry, now) {
            if let Err(failure) = &answer {
                self.reread.rejected(failure);
            }
            self.heard.push_back(Heard::Probed(probe, answer));
        }
        self.links.begin_turn(now);
        while let Some(id) = self.links.next_due() {
            self.links.step(id, registry, now);
            while let Some(report) = self.links.report(id) {
                self.report(id, report, now);
            }
        }
    }

    // --- what is done ---

    /// The next thing to tell the engine.
    pub(super) fn next(&mut self) -> Option<Heard> {
        self.heard.pop_front()
    }

    /// Turns what was heard into what the engine hears, and lends it out.
    pub(super) fn emit<T>(&mut self, heard: Heard, engine: impl FnOnce(Input<'_>) -> T) -> T {
        match heard {
            Heard::Timeout => engine(Input::Timeout),
            Heard::OnNetwork(network) => engine(Input::OnNetwork(network)),
            Heard::Resumed => engine(Input::Resumed),
            Heard::ClockStepped => engine(Input::ClockStepped),
            Heard::Network(change) => engine(Input::Network(change)),
            Heard::Command(command) => engine(Input::Command(command)),
            Heard::LookUp(query, turn) => engine(Input::LookUp { query, turn }),
            Heard::Resolved(query, answer) => {
                let answer = answer.as_ref().map(|addresses| &**addresses).map_err(Failure::clone);
                engine(Input::Resolved { query, answer })
            }
            Heard::Connected(link, via) => engine(Input::Connected { link, via }),
            Heard::Secured(link, proof, valid_for) => engine(Input::Secured { link, proof, valid_for }),
            Heard::FirstByte(exchange) => engine(Input::FirstByte { exchange }),
            Heard::Lost(link, failure) => engine(Input::Lost { link, failure }),
            Heard::Probed(probe, answer) => engine(Input::Probed { probe, answer }),
            Heard::Remembered(version) => engine(Input::Remembered(version)),
            Heard::CannotRemember(version) => engine(Input::CannotRemember(version)),
            Heard::Notice(exchange, announced) => {
                let news = announced.as_ref().map_or(News::KeepAlive, Announcement::news);
                let told = engine(Input::Notice { exchange, news });
                if let Some(body) = announced.and_then(Announcement::into_body) {
                    self.exchanges.bring(body);
                }
                told
            }
            Heard::Done(exchange, outcome) => engine(Input::Done { exchange, outcome }),
            Heard::Waiting(lane, backlog) => engine(Input::Waiting { lane, backlog }),
            Heard::Answered { exchange, request, covers, answer } => {
                let engine = |outcome: Outcome<'_>| engine(Input::Done { exchange, outcome });
                self.exchanges.emit(exchange, request, covers, answer, engine)
            }
        }
    }

    /// Does what the engine asks for.
    pub(super) fn perform(&mut self, action: Action, now: Moment) {
        match action {
            Action::Resolve { query, host } => self.resolver.ask(Asker::Engine(query), &host),
            Action::Dial { link, server, certificate_policy, to, stagger, route } => {
                logging::record!(Debug, "link {}: dials {} at {to:?}, {route:?}", link.0, server.id);
                if let Err(failure) = self.dial(link, server, certificate_policy, to, stagger, route, now) {
                    self.heard.push_back(Heard::Lost(link, failure));
                }
            }
            Action::Exchange { exchange, link, request, deadline: _, next } => {
                // Lost meanwhile: the engine is about to hear of it.
                let Some(link) = self.links.get(link) else { return };
                let next = self.exchanges.begin(exchange, request, next, link, now);
                self.go_on(next);
            }
            Action::Adopt { exchange } => self.exchanges.adopt(exchange),
            Action::Abandon { exchange, ending } => {
                logging::record!(Debug, "exchange {}: given up, {}", exchange.0, ending.explain());
                self.exchanges.abandon(exchange);
            }
            Action::Close { link, ending } => {
                logging::record!(Debug, "link {}: closed, {}", link.0, ending.explain());
                self.exchanges.lost(link);
                self.links.close(link);
            }
            Action::Probe { probe, target, to, proof, deadline: _ } => {
                if let Err(failure) = self.probe(probe, target, to, proof, now) {
                    self.heard.push_back(Heard::Probed(probe, Err(failure)));
                }
            }
            Action::CancelProbe { probe } => self.probes.cancel(probe),
            Action::Release { settings } => {
                self.policies.release(settings);
                self.reread.release(settings);
            }
            Action::LearnApplications { enabled } => self.exchanges.learn_applications(enabled),
            // The worker's: it has the store.
            Action::Remember { .. } => {}
        }
    }

    /// The events of this input were told; a body nobody asked for belongs to none of the next.
    pub(super) fn settle(&mut self) {
        self.exchanges.settle();
    }

    /// What belongs to the oldest heartbeat that was not told of yet.
    pub(super) fn adopted(&mut self) -> Option<Adopted> {
        self.exchanges.adopted()
    }

    /// What the application is to be told that the engine does not know.
    pub(super) fn notice(&mut self) -> Option<Event> {
        self.notices.pop_front()
    }

    /// The floor of the clock, if it rose since this was asked.
    pub(super) fn risen_floor(&mut self) -> Option<Timestamp> {
        self.policies.risen_floor()
    }

    /// Closes what is open. Look-ups under way are left behind.
    pub(super) fn close(self) {
        self.links.close_all();
    }

    // --- helpers ---

    fn take_in(&mut self, prepared: PreparedSettings) -> (SettingsId, Arc<Settings>) {
        let PreparedSettings { id, settings, policies, warnings, stamps: _ } = prepared;
        self.policies.take_in(id, policies);
        self.notices.extend(warnings.into_iter().map(|warning| Event::SettingsWarning { warning }));
        (id, settings)
    }

    fn step_resolver(&mut self, now: Moment) {
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
                Looked::Ended(Asker::Proxy(index), found) => self.links.found(index, &found, now),
            }
        }
        self.resolver_due = self.resolver.retry().map(|after| now + after);
    }

    #[allow(clippy::too_many_arguments, reason = "they are the members of one action")]
    fn dial(
        &mut self,
        link: LinkId,
        server: Arc<Server>,
        policy: CertificatePolicyId,
        to: Arc<[SocketAddr]>,
        stagger: Duration,
        route: Route,
        now: Moment,
    ) -> Result<(), Failure> {
        let policy = self.policies.get(policy)?;
        let name = self.links.dial(link, server, policy, to, stagger, route, now)?;
        if let (Some(name), Route::Proxy(index)) = (name, route) {
            self.resolver.ask(Asker::Proxy(index), &name);
        }
        Ok(())
    }

    /// Asks a reference server, or nobody. Directly: a proxy would answer for those who are not there.
    fn probe(
        &mut self,
        probe: ProbeId,
        target: Target,
        to: SocketAddr,
        proof: Proof,
        now: Moment,
    ) -> Result<(), Failure> {
        if let Target::Reference { host, .. } = &target {
            self.peers.reference(to, host.address().is_none());
        }
        let (like, security) = match target {
            Target::Control { like } => (like, None),
            Target::Reference { host, certificate_policy, .. }
            | Target::Management { host, certificate_policy }
                if proof > Proof::Tcp =>
            {
                (None, Some((self.policies.get(certificate_policy)?, host)))
            }
            Target::Reference { .. } | Target::Management { .. } => (None, None),
        };
        self.probes.begin(probe, to, security, like, now);
        Ok(())
    }

    fn go_on(&mut self, next: Next) {
        match next {
            Next::Said(link) => self.links.wants_a_step(link),
            Next::Heard { heard, insists } => {
                if heard.is_answer_to_heartbeat() {
                    // If it counts, what waits by now has its turn.
                    self.tend_outbox();
                }
                self.heard.push_back(heard);
                if insists {
                    self.heard.push_back(Heard::Command(Command::NewCredentials));
                }
            }
            Next::Uploaded { lane, backlog, heard } => {
                self.heard.push_back(Heard::Waiting(lane, backlog));
                self.heard.push_back(heard);
            }
            Next::Nothing => {}
        }
    }

    /// What happened on a link.
    fn report(&mut self, id: LinkId, report: Report, now: Moment) {
        match report {
            Report::Connected(via) => {
                self.peers.server(via.peer);
                self.heard.push_back(Heard::Connected(id, via));
            }
            Report::Secured(accepted) => {
                let valid_for = self.policies.valid_for(&accepted);
                self.heard.push_back(Heard::Secured(id, accepted.proof, valid_for));
                if let Some(link) = self.links.get(id) {
                    self.notices.extend(self.policies.secured(link, accepted));
                }
            }
            Report::FirstByte(exchange) => {
                if self.exchanges.first_byte(id) {
                    self.heard.push_back(Heard::FirstByte(exchange));
                }
            }
            Report::Spoken(exchange, spoken) => {
                if let Some(link) = self.links.get(id) {
                    self.heard.extend(self.exchanges.spoken(exchange, spoken, link));
                }
            }
            Report::Answered(exchange, answer) => {
                let link = self.links.get(id);
                let (next, told) = self.exchanges.answered(id, exchange, answer, link, now);
                self.notices.extend(told);
                self.go_on(next);
            }
            Report::Lost(failure) => {
                self.reread.rejected(&failure);
                self.heard.push_back(Heard::Lost(id, failure));
                self.links.forget(id);
                self.exchanges.lost(id);
            }
        }
    }
}
