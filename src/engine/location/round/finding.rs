//! What a round has found, at any moment of it.

use std::time::Duration;

use super::question::{Names, Server, Try, TryState};
use super::{Finding, LEAD, Round, Tuning};
use crate::engine::Reached;
use crate::engine::context::Context;
use crate::engine::location::management::{Exchange, situation};
use crate::engine::network::Sign;
use crate::settings::{Settings, Situation};
use crate::types::{Cause, Failure, FailureClass, Host, Moment, ProbeId, Proof};

impl Round {
    pub(super) fn find(&self, cx: &Context<'_>, settings: &Settings) -> Option<(Finding, Option<usize>)> {
        let (now, tuning) = (cx.now, &cx.tuning.location);
        let direct = self.best(settings, |situation| situation == Situation::Internal);
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
            && !self.control.address_answered()
            && !self.control.was_not_asked()
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
        } else if answered && self.is_portal(cx, settings) {
            Finding::Captive
        } else {
            Finding::External
        };
        Some((finding, None))
    }

    /// Enough proof by way of a tunnel, when the time for a first location is over.
    pub(in crate::engine::location) fn tunnel_proof(&self, settings: &Settings) -> Option<Proof> {
        self.best(settings, |_| true).map(|(_, proof)| proof).filter(|proof| *proof > Proof::Tcp)
    }

    /// The best server in the order of the list among those that answered with enough proof.
    fn best(&self, settings: &Settings, wanted: impl Fn(Situation) -> bool) -> Option<(usize, Proof)> {
        let enough =
            self.answered().filter(|(one, reached)| self.shows(settings, one, reached).is_some_and(&wanted));
        // A verified one needs no look at the control, so it goes before a bare connection.
        let best = enough.min_by_key(|(one, reached)| (reached.proof == Proof::Tcp, one.server));
        best.map(|(one, reached)| (usize::from(one.server), reached.proof))
    }

    /// What an answer shows of the place where the machine is; `None` when it does not count.
    pub(super) fn shows(&self, settings: &Settings, one: &Try, reached: &Reached) -> Option<Situation> {
        let Reached { proof, via } = *reached;
        if proof == Proof::Tcp
            && (self.control.voids(self.is_named(one.server.into())) || self.control.was_not_asked())
        {
            return None;
        }
        if one.server == LEAD {
            let lead = Exchange { proof, medium: via.medium, ..self.lead.as_deref()?.clone() };
            return Some(lead.shows(settings)?.0);
        }
        let rules = settings.location_rules();
        let server = settings.reference_servers().get(usize::from(one.server))?;
        let enough = proof >= rules.required_proof && proof >= server.proof;
        if enough { situation(rules, &server.host, proof, via.medium) } else { None }
    }

    /// Whether the server at this place goes by a name.
    pub(super) fn is_named(&self, place: usize) -> bool {
        match self.servers.get(place) {
            Some(server) => server.is_named,
            None => self.lead.as_ref().is_some_and(|lead| matches!(lead.server.host, Host::Name(_))),
        }
    }

    /// Whether somebody answers in place of the servers: at an address where nobody may, or for every name beside another
    /// sign. Providers too answer for names that do not exist.
    pub(super) fn is_portal(&self, cx: &Context<'_>, settings: &Settings) -> bool {
        let other_sign = || cx.network.servers_show_signs() || self.is_intercepted(settings);
        self.control.address_answered() || (self.control.name_answered() && other_sign())
    }

    /// Whether one unknown issuer answered for several servers.
    fn is_intercepted(&self, settings: &Settings) -> bool {
        let refused = self.tries.iter().filter_map(|one| match &one.state {
            TryState::Failed { failure, .. } => {
                let server = settings.reference_servers().get(usize::from(one.server))?;
                Some((&server.host, failure.evidence?))
            }
            TryState::Running(_)
            | TryState::Answered { .. }
            | TryState::Silent { .. }
            | TryState::Dropped { .. } => None,
        });
        matches!(Sign::of(refused), Some(Sign::Interception { .. }))
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
            && !self.control.left_this_machine()
    }

    /// No name of the list resolves, and nobody has said that it does not exist.
    fn no_name_resolves(&self) -> bool {
        let mut named = self.servers.iter().filter(|server| server.is_named).peekable();
        let dead =
            |server: &Server| matches!(&server.names, Names::Failed(failure) if is_dead_service(failure));
        named.peek().is_some() && !self.control.name_service_lives() && named.all(dead)
    }

    /// When the control has been silent for long enough, if that is all that is waited for.
    pub(super) fn quiet_at(&self, tuning: &Tuning) -> Option<Moment> {
        let waits = !self.control.address_answered() && self.control.is_running();
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
            | TryState::Silent { .. }
            | TryState::Dropped { .. } => None,
        });
        times.max()
    }

    fn disbelieved(&self) -> bool {
        self.tries
            .iter()
            .any(|one| matches!(&one.state, TryState::Failed { failure, .. } if is_disbelief(failure)))
    }

    pub(super) fn answered(&self) -> impl Iterator<Item = (&Try, &Reached)> {
        self.tries.iter().filter_map(|one| match &one.state {
            TryState::Answered { reached, .. } => Some((one, reached)),
            TryState::Running(_)
            | TryState::Failed { .. }
            | TryState::Silent { .. }
            | TryState::Dropped { .. } => None,
        })
    }

    pub(super) fn running(&self) -> impl Iterator<Item = (ProbeId, &Try)> {
        self.tries.iter().filter_map(|one| match one.state {
            TryState::Running(probe) => Some((probe, one)),
            TryState::Answered { .. }
            | TryState::Failed { .. }
            | TryState::Silent { .. }
            | TryState::Dropped { .. } => None,
        })
    }

    pub(super) fn is_resolving(&self) -> bool {
        self.servers.iter().any(Server::is_resolving)
    }

    /// When it is over at the latest: a longer list takes longer than eight seconds.
    pub(super) fn limit(&self, tuning: &Tuning) -> Moment {
        let asked_for: usize =
            self.servers.iter().map(|server| usize::from(server.next) + server.left()).sum();
        let pairs = u32::try_from(asked_for).unwrap_or(u32::MAX);
        let lead = if self.lead.is_some() { tuning.patience } else { Duration::ZERO };
        self.started + lead + tuning.round_limit.max(tuning.pace.saturating_mul(pairs) + tuning.patience)
    }
}

fn is_dead_service(failure: &Failure) -> bool {
    matches!(failure.cause, Cause::NameServiceDead | Cause::NameServerFailed | Cause::NameTimeout)
}

/// Somebody answered the connection and did not prove to be that server.
pub(super) fn is_disbelief(failure: &Failure) -> bool {
    matches!(failure.class(), FailureClass::Certificate | FailureClass::Broken | FailureClass::Limit)
}
