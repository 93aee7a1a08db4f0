//! One round: every reference server is asked once, side by side, within eight seconds.
//!
//! All first ports come first, then all second ones. One start per 50 ms, so that a list of dead servers is walked in
//! seconds and no firewall sees a scan; a port that is refused gives way at once, to the same server's next port and to
//! the next server. The first answer with enough proof ends it, as a patient walk over the list would have ended.
//!
//! Beside it runs the control: an address and a name at which nobody may answer. If somebody does, the network
//! answers for everybody, and a bare connection proves nothing.

mod account;
mod finding;
mod question;

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use question::{Names, Server, Try, TryState, names};

use super::Tuning;
use super::control::{Control, LookUp};
use super::evidence::{Finding, Trigger};
use super::management::Exchange;
use crate::engine::context::Context;
use crate::engine::owners::Owner;
use crate::engine::{Action, Reached, Target};
use crate::settings::Settings;
use crate::types::{Cause, Failure, Host, Moment, ProbeId, Proof, QueryId, SettingsId};

/// The place of the management server among the servers that are asked.
const LEAD: u16 = u16::MAX;

/// Sockets at once. With a start per 50 ms and 1.5 s each there are at most 30.
const MOST_IN_FLIGHT: usize = 32;

/// See the module.
#[derive(Debug)]
pub(super) struct Round {
    pub(super) started: Moment,
    pub(super) trigger: Trigger,
    servers: Vec<Server>,
    /// The management server, when it is asked before the reference servers.
    lead: Option<Box<Exchange>>,
    /// The management server may still decide.
    waits_for_lead: bool,
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

/// What became of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Running,
    /// For the first time there is a finding.
    Found(Finding),
    /// The finding rested on a bare connection, and now the control has answered as well: what is found instead.
    Revoked(Finding),
    /// The control has ended too.
    Over,
}

impl Round {
    /// With a `lead` that can be asked, the others are asked once that has failed.
    pub(super) fn begin(
        cx: &mut Context<'_>,
        trigger: Trigger,
        lead: Option<Box<Exchange>>,
        look_up: &mut LookUp,
    ) -> Self {
        let settings = cx.in_force.settings();
        let control = Control::begin(cx, settings, lead.as_deref().and_then(|lead| lead.peer), look_up);
        let mut tries = Vec::new();
        tries.extend(lead.as_deref().and_then(|lead| ask(cx, lead)));
        let servers = settings.reference_servers().iter().map(|server| {
            let names = match &server.host {
                Host::Address(address) => Names::Known([Some(*address), None]),
                Host::Name(host) => {
                    let query = cx.queue.next_query(Owner::Location);
                    cx.act(Action::Resolve { query, host: host.clone() });
                    Names::Resolving(query)
                }
            };
            Server {
                names,
                is_named: matches!(server.host, Host::Name(_)),
                may_be_here: server.host.is_this_machine(),
                ports: u16::try_from(server.ports.len()).unwrap_or(u16::MAX),
                next: 0,
                answered: false,
            }
        });
        let servers = servers.collect();
        Self {
            started: cx.now,
            trigger,
            servers,
            waits_for_lead: lead.is_some(),
            lead,
            tries,
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

    /// Whether somebody is at an address where nobody may be.
    pub(super) fn control_answered(&self) -> bool {
        self.control.address_answered()
    }

    /// What the management server proved, if it was asked and answered.
    pub(super) fn lead_answered(&self) -> Option<Reached> {
        self.answered().find(|(one, _)| one.server == LEAD).map(|(_, reached)| *reached)
    }

    /// Whether the finding rests on the management server.
    pub(super) fn is_by_lead(&self) -> bool {
        self.best == Some(usize::from(LEAD))
    }

    /// Whether the management server was asked first.
    pub(super) fn has_lead(&self) -> bool {
        self.lead.is_some()
    }

    /// Whether nothing is under way any more.
    pub(super) fn is_over(&self) -> bool {
        self.finding.is_some() && !self.control.is_running()
    }

    /// Whether a handshake is under way that began under a policy of these settings.
    pub(super) fn refers_to(&self, settings: SettingsId) -> bool {
        self.running().any(|(_, one)| one.settings == settings)
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

    pub(super) fn resolved(&mut self, query: QueryId, answer: Result<&[IpAddr], &Failure>) -> bool {
        if self.control.resolved(query, answer) {
            return true;
        }
        let asking = |server: &&mut Server| matches!(server.names, Names::Resolving(ours) if ours == query);
        let Some(server) = self.servers.iter_mut().find(asking) else { return false };
        server.names = match answer {
            Ok(addresses) => names(addresses, server.may_be_here),
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
    pub(super) fn drive(&mut self, cx: &mut Context<'_>) -> Progress {
        let settings = cx.in_force.settings();
        let tuning = &cx.tuning.location;
        self.looked = cx.now;
        self.control.expire(cx);
        if let Some(finding) = self.finding {
            if is_by_connection(finding)
                && self.control.voids(self.best.is_some_and(|best| self.is_named(best)))
            {
                let finding = if self.is_portal(cx, settings) { Finding::Captive } else { Finding::External };
                self.control.give_up(cx);
                self.finding = Some(finding);
                return Progress::Revoked(finding);
            }
            return if self.control.is_running() { Progress::Running } else { Progress::Over };
        }
        self.expire(cx);
        self.waits_for_lead = self.tries.iter().any(|one| match &one.state {
            TryState::Running(_) => one.server == LEAD,
            TryState::Answered { reached, .. } => {
                one.server == LEAD && self.shows(settings, one, reached).is_some()
            }
            TryState::Failed { .. } | TryState::Silent { .. } | TryState::Dropped { .. } => false,
        });
        while self.next_start(tuning).is_some_and(|at| at <= cx.now) && self.limit(tuning) > cx.now {
            self.start(cx, settings);
        }
        let Some((finding, best)) = self.find(cx, settings) else { return Progress::Running };
        (self.finding, self.best) = (Some(finding), best);
        self.drop_tries(cx);
        // A verified server is what it is, whoever else answers.
        if !is_by_connection(finding) {
            self.control.give_up(cx);
        }
        Progress::Found(finding)
    }

    /// Drops whatever is under way.
    pub(super) fn give_up(&mut self, cx: &mut Context<'_>) {
        self.drop_tries(cx);
        self.control.give_up(cx);
        self.forget_names(cx);
    }

    /// The round is over. Names that are still looked up came too late.
    pub(super) fn forget_names(&mut self, cx: &mut Context<'_>) {
        for server in &self.servers {
            if let Names::Resolving(query) = server.names {
                cx.queue.forget(query.0);
            }
        }
    }

    // --- starts ---

    /// When the next question may be asked, if one is left.
    fn next_start(&self, tuning: &Tuning) -> Option<Moment> {
        if self.waits_for_lead || self.running().count() + self.control.sockets() >= MOST_IN_FLIGHT {
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
                certificate_policy: cx.in_force.certificate_policy(reference.policy),
            },
            to: SocketAddr::new(address, port),
            proof: reference.proof,
            deadline: cx.now + tuning.patience,
        });
        let (settings, state) = (cx.in_force.id(), TryState::Running(probe));
        self.tries.push(Try { server: number, port, settings, started: cx.now, state });
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
                one.state = TryState::Silent { at: cx.now.min(one.started + tuning.patience) };
            }
        }
        if over || self.started + tuning.name_limit <= cx.now {
            for server in &mut self.servers {
                if let Names::Resolving(query) = server.names {
                    cx.queue.forget(query.0);
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
}

/// Asks the management server as a probe does, if there is a way to.
fn ask(cx: &mut Context<'_>, lead: &Exchange) -> Option<Try> {
    let (to, policy) = (lead.peer?, lead.policy?);
    let probe = cx.queue.next_probe();
    cx.act(Action::Probe {
        probe,
        target: Target::Management { host: lead.server.host.clone(), certificate_policy: policy },
        to,
        proof: lead.proof,
        deadline: cx.now + cx.tuning.location.patience,
    });
    let (settings, state) = (policy.settings, TryState::Running(probe));
    Some(Try { server: LEAD, port: to.port(), settings, started: cx.now, state })
}

fn is_by_connection(finding: Finding) -> bool {
    matches!(finding, Finding::Internal { proof: Proof::Tcp } | Finding::InternalViaVpn { proof: Proof::Tcp })
}
