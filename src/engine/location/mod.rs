//! Am I inside?
//!
//! ```text
//!                     Proved, Detached                    the verdict changed
//! attachment ───────────────────────────┐              ┌──────────────────────► settings in force
//!                                       ▼              │
//! Network, Resumed, the clock ───►  Location ──► damping: Stay, Change, Again
//!                                       │              ▲
//!                          begins a     ▼              │
//!                                     round ───────────┘ its finding
//!                                       │ ▲
//!                         Probe, Resolve▼ │Probed, Resolved
//! ```
//! A *round* asks the reference servers once and has a *finding*. The *location* is the damped verdict: one finding
//! is enough for it where nothing was known or the network is new, and several where a flapping server would make
//! it flap. The management server is asked first: while an exchange with it proves enough, no round is made; when that gets
//! old, a round asks it before the reference servers.
//!
//! What is known holds for a while when nothing can be found out (no network, no names, a network that changes
//! without end); then it is given up, towards caution.

mod control;
mod damping;
mod evidence;
mod management;
mod report;
mod round;
mod verdict;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

pub use evidence::{Asked, ControlReply, Controlled, Evidence, Finding, LocationReason, LocationSnapshot};
pub use evidence::{Reply, Trigger};

use control::LookUp;
use damping::Damping;
use management::{Exchange, Management};
use round::{Progress, Round};

use super::context::Context;
use super::fact::Fact;
use super::phase::phase;
use super::tuning::location::Tuning;
use super::{Event, Input, NetworkChange, Reached};
use crate::settings::{Settings, Situation};
use crate::types::{AgentId, Failure, Moment, ProbeId, Proof, QueryId, SettingsId};

/// See the module.
#[derive(Debug)]
pub(super) struct Location {
    /// The interval of heartbeats: an exchange with the management server counts no longer.
    interval: Duration,
    situation: Situation,
    since: Moment,
    reason: LocationReason,
    /// What the verdict rests on, when it is inside.
    proof: Option<Proof>,
    damping: Damping,
    round: Option<Box<Round>>,
    /// The last round that had a finding.
    evidence: Option<Box<Evidence>>,
    due: Option<(Moment, Trigger)>,
    /// The next regular round.
    regular: Moment,
    management: Management,
    /// The look-up of the control's name.
    look_up: LookUp,
    /// Since when there has been a usable network; `None` while there is none.
    usable: Option<Moment>,
    /// Since when the verdict rests on nothing that was seen on this network.
    unsure: Option<Moment>,
    /// The verdict changed and nobody was told.
    changed: bool,
}

/// Whether there is anything to find out, and anybody to whom it matters.
pub(super) fn is_asked_for(settings: &Settings) -> bool {
    !settings.reference_servers().is_empty()
        || settings.location_rules().locations.iter().any(|location| !location.when.is_empty())
}

impl Location {
    pub(super) fn new(agent: &AgentId, now: Moment, tuning: &super::Tuning) -> Self {
        Self {
            interval: Duration::ZERO,
            situation: Situation::Unknown,
            since: now,
            reason: LocationReason::NothingKnown,
            proof: None,
            damping: Damping::default(),
            round: None,
            evidence: None,
            due: Some((now, Trigger::Start)),
            regular: now + phase(agent, tuning.location.period),
            management: Management::default(),
            look_up: LookUp::default(),
            usable: Some(now),
            unsure: Some(now),
            changed: false,
        }
    }

    // --- getters ---

    /// When [`Self::tick`] has something to do.
    pub(super) fn deadline(&self, settings: &Settings, tuning: &super::Tuning) -> Option<Moment> {
        let round = self.round.as_ref().and_then(|round| round.deadline(&tuning.location));
        let asks = !settings.reference_servers().is_empty();
        let due = self.due.map(|(at, _)| at);
        let regular = (asks && self.usable.is_some()).then_some(self.regular);
        let first = self.first_location(settings, &tuning.location);
        let held = self.held_until(settings, &tuning.location);
        let stale = self.stale_at(settings, &tuning.location);
        [round, due, regular, first, held, stale].into_iter().flatten().min()
    }

    /// The location whose `when` names this situation.
    pub(super) fn fitting(&self, settings: &Settings) -> Option<Arc<str>> {
        let locations = &settings.location_rules().locations;
        let fits = locations.iter().find(|location| location.when.contains(&self.situation));
        fits.map(|location| location.name.clone())
    }

    /// Whether a handshake is under way that began under a policy of these settings.
    pub(super) fn refers_to(&self, settings: SettingsId) -> bool {
        self.round.as_ref().is_some_and(|round| round.refers_to(settings))
    }

    /// Whether the verdict changed since this was last asked.
    pub(super) fn take_change(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// The verdict, and the location whose settings are in force.
    pub(super) fn event(&self, now: Moment, location: Option<Arc<str>>) -> Event {
        Event::Location {
            situation: self.situation,
            reason: self.reason,
            detail: self.detail(now).into(),
            location,
            attached: self.management.attached.is_some(),
        }
    }

    // --- handle ---

    pub(super) fn hear(&mut self, cx: &mut Context<'_>, fact: &Fact) {
        match fact {
            Fact::Attached { server } => {
                let returned = self.management.attached.replace(server.clone()).is_none();
                self.management.lost = None;
                // What a round that has just begun asks is asked by way of this contact.
                let asks = self.round.as_ref().is_some_and(|round| {
                    round.finding().is_none() && round.started + cx.tuning.location.patience > cx.now
                });
                if returned && !asks {
                    let at = cx.now + cx.rng.up_to(cx.tuning.attachment.spread);
                    self.schedule(at, Trigger::ContactReturned);
                }
            }
            Fact::Detached => {
                self.management = Management { lost: Some(cx.now), ..Management::default() };
                let at = cx.now + cx.rng.up_to(cx.tuning.attachment.spread);
                self.schedule(at, Trigger::ServerLost);
            }
            // One that began before the network changed says nothing of where the machine is now.
            Fact::Proved { medium: None, .. } => {}
            Fact::Proved { server, policy, proof, peer, medium: Some(medium), is_named: _ } => {
                self.management.exchange = Some(Box::new(Exchange {
                    at: cx.now,
                    proof: *proof,
                    medium: *medium,
                    peer: peer.map(|peer| SocketAddr::new(peer, server.port)),
                    server: server.clone(),
                    policy: Some(*policy),
                }));
                if let Some((situation, proof)) = self.management_sight(cx) {
                    self.found_by_management(cx, situation, proof);
                }
            }
            Fact::StreamLost | Fact::Refresh { .. } | Fact::SearchFailed { .. } => {}
        }
    }

    pub(super) fn network_changed(&mut self, cx: &mut Context<'_>, change: NetworkChange) {
        let tuning = &cx.tuning.location;
        self.management.exchange = None;
        self.unsure.get_or_insert(cx.now);
        if change == NetworkChange::Elsewhere {
            // The list is asked once more by the same ways, and what is known of them stands.
            let at = cx.now + tuning.debounce + cx.rng.up_to(tuning.debounce_spread);
            return self.schedule(at, Trigger::NetworkChanged);
        }
        self.give_up_round(cx);
        self.damping.network_changed(change != NetworkChange::Changed);
        match change {
            NetworkChange::Gone => {
                self.usable = None;
                self.due = None;
            }
            NetworkChange::Changed | NetworkChange::Elsewhere | NetworkChange::Returned => {
                self.usable.get_or_insert(cx.now);
                // Whoever changes the network without end does not keep what was known of another.
                self.give_up_what_is_held(cx);
                // The first of many changes in a row says when, or nothing would ever be asked.
                self.due = self.due.filter(|(_, trigger)| *trigger == Trigger::NetworkChanged);
                let at = cx.now + tuning.debounce + cx.rng.up_to(tuning.debounce_spread);
                self.schedule(at, Trigger::NetworkChanged);
            }
        }
    }

    pub(super) fn resumed(&mut self, cx: &mut Context<'_>) {
        self.give_up_round(cx);
        if self.usable.is_some() {
            let at = cx.now + cx.rng.up_to(cx.tuning.location.resume_spread);
            self.schedule(at, Trigger::Resumed);
        }
    }

    pub(super) fn probe_now(&mut self, cx: &mut Context<'_>) {
        if self.round.as_ref().is_none_or(|round| round.finding().is_some()) {
            self.begin_round(cx, Trigger::Asked, None);
        }
    }

    /// Other settings than these are in force. The verdict stays until the new list has spoken.
    pub(super) fn reconfigure(&mut self, cx: &mut Context<'_>, before: &Settings) {
        let settings = cx.in_force.settings();
        let asks_the_same = settings.reference_servers() == before.reference_servers()
            && settings.policies() == before.policies()
            && settings.location_rules() == before.location_rules();
        if let Some(exchange) = &mut self.management.exchange {
            exchange.policy = None;
        }
        if asks_the_same {
            return;
        }
        self.give_up_round(cx);
        self.damping.network_changed(true);
        let at = cx.now + cx.rng.up_to(cx.tuning.attachment.spread);
        self.schedule(at, Trigger::NewSettings);
    }

    /// How far heartbeats are apart.
    pub(super) fn set_interval(&mut self, interval: Duration) {
        self.interval = interval;
    }

    /// Takes the answer to a look-up or a probe. `false`: nothing here asked that.
    pub(super) fn handle(&mut self, cx: &mut Context<'_>, input: Input<'_>) -> bool {
        match input {
            Input::Resolved { query, answer } => self.resolved(cx, query, answer),
            Input::Probed { probe, answer } => self.probed(cx, probe, answer),
            // Names have the limit of their round, whenever their look-ups begin.
            Input::LookUp { .. } => true,
            Input::Timeout
            | Input::Connected { .. }
            | Input::Secured { .. }
            | Input::Lost { .. }
            | Input::FirstByte { .. }
            | Input::Done { .. }
            | Input::Notice { .. }
            | Input::Network(_)
            | Input::OnNetwork(_)
            | Input::Resumed
            | Input::ClockStepped
            | Input::Remembered(_)
            | Input::CannotRemember(_)
            | Input::Waiting { .. }
            | Input::Command(_) => false,
        }
    }

    fn resolved(&mut self, cx: &mut Context<'_>, query: QueryId, answer: Result<&[IpAddr], Failure>) -> bool {
        let ours = self.look_up.ends(query);
        let Some(round) = &mut self.round else { return ours };
        let known = round.resolved(query, answer.as_ref().copied());
        self.drive(cx);
        known || ours
    }

    fn probed(&mut self, cx: &mut Context<'_>, probe: ProbeId, answer: Result<Reached, Failure>) -> bool {
        let Some(round) = &mut self.round else { return false };
        let known = round.probed(cx, probe, answer);
        self.drive(cx);
        known
    }

    /// Does whatever is due. `floor`: before when the management server asked not to be spoken to.
    pub(super) fn tick(&mut self, cx: &mut Context<'_>, floor: Option<Moment>) {
        self.drive(cx);
        if self.regular <= cx.now {
            let period = cx.tuning.location.period.max(Duration::from_millis(1));
            let missed = cx.now.since(self.regular).as_nanos() / period.as_nanos();
            let places = u32::try_from(missed).unwrap_or(u32::MAX).saturating_add(1);
            self.regular = self.regular + period.saturating_mul(places);
            if self.usable.is_some() {
                self.schedule(cx.now, Trigger::Regular);
            }
        }
        if let Some((_, trigger)) = self.due.filter(|(at, _)| *at <= cx.now) {
            self.due = None;
            // What a round has asked before contact returned says nothing.
            let again = trigger == Trigger::ContactReturned;
            if again || self.round.as_ref().is_none_or(|round| round.finding().is_some()) {
                self.begin_round(cx, trigger, floor);
            }
        }
        if self.stale_at(cx.in_force.settings(), &cx.tuning.location).is_some_and(|at| at <= cx.now) {
            self.begin_round(cx, Trigger::Stale, floor);
        }
        if self.first_location(cx.in_force.settings(), &cx.tuning.location).is_some_and(|at| at <= cx.now) {
            self.incomplete(cx);
        }
        if self.held_until(cx.in_force.settings(), &cx.tuning.location).is_some_and(|at| at <= cx.now) {
            self.give_up_what_is_held(cx);
        }
    }

    /// Drops whatever is under way, for good.
    pub(super) fn stop(&mut self, cx: &mut Context<'_>) {
        self.give_up_round(cx);
        self.look_up.forget(cx);
        // Nobody asks any more.
        cx.network.saw_control(cx.now, false);
        self.due = None;
    }

    // --- rounds ---

    fn begin_round(&mut self, cx: &mut Context<'_>, trigger: Trigger, floor: Option<Moment>) {
        self.give_up_round(cx);
        if !matches!(trigger, Trigger::Asked | Trigger::Stale)
            && let Some((situation, proof)) = self.management_sight(cx)
        {
            return self.found_by_management(cx, situation, proof);
        }
        let lead = self.lead(cx, trigger, floor);
        if cx.in_force.settings().reference_servers().is_empty() && lead.is_none() {
            self.unsure.get_or_insert(cx.now);
            return;
        }
        self.round = Some(Box::new(Round::begin(cx, trigger, lead, &mut self.look_up)));
        self.drive(cx);
    }

    /// The management server, if a round has to ask it first: it showed where the machine is, and too long ago. One that
    /// cannot be asked has shown it for the last time.
    fn lead(&mut self, cx: &Context<'_>, trigger: Trigger, floor: Option<Moment>) -> Option<Box<Exchange>> {
        let shows = |exchange: &&Exchange| exchange.shows(cx.in_force.settings()).is_some();
        let exchange =
            self.management.exchange.as_deref().filter(shows).filter(|_| trigger != Trigger::Asked)?;
        let askable = exchange.peer.is_some() && exchange.policy.is_some();
        if askable && floor.is_none_or(|floor| floor <= cx.now) {
            return self.management.exchange.clone();
        }
        self.management.exchange = None;
        None
    }

    fn drive(&mut self, cx: &mut Context<'_>) {
        let Some(round) = &mut self.round else { return };
        match round.drive(cx) {
            Progress::Running => {}
            Progress::Found(finding) => {
                let (started, by_lead) = (round.started, round.is_by_lead());
                if round.has_lead() {
                    let answer = round.lead_answered().filter(|_| by_lead);
                    self.management.lead_ended(cx.now, started, answer);
                }
                match finding {
                    Finding::Internal { proof: Proof::Tls | Proof::Pin } => cx.network.believed_somebody(),
                    Finding::NoNetwork => {}
                    Finding::Internal { proof: Proof::Tcp }
                    | Finding::InternalViaVpn { .. }
                    | Finding::External
                    | Finding::NoNames
                    | Finding::Captive => {
                        // Nobody stands between this machine and a server that has just been verified.
                        let answered = round.control_answered()
                            && !self.management.is_verified(cx.now, self.interval, &cx.tuning.location);
                        cx.network.saw_control(cx.now, answered);
                    }
                }
                self.evidence = Some(Box::new(round.evidence(cx.now, cx.in_force.settings(), finding)));
                if round.is_over() {
                    self.end_round(cx);
                }
                self.found(cx, finding, started, by_lead);
            }
            Progress::Revoked(finding) => {
                self.evidence = Some(Box::new(round.evidence(cx.now, cx.in_force.settings(), finding)));
                if round.is_by_lead() {
                    self.management.exchange = None;
                }
                self.end_round(cx);
                self.revoked(cx, finding);
            }
            Progress::Over => self.end_round(cx),
        }
    }

    fn end_round(&mut self, cx: &mut Context<'_>) {
        if let Some(mut round) = self.round.take() {
            round.forget_names(cx);
        }
    }

    fn give_up_round(&mut self, cx: &mut Context<'_>) {
        if let Some(mut round) = self.round.take() {
            round.give_up(cx);
        }
    }

    // --- helpers ---

    fn schedule(&mut self, at: Moment, trigger: Trigger) {
        if self.due.is_none_or(|(due, _)| due > at) {
            self.due = Some((at, trigger));
        }
    }

    /// What the management server shows at present.
    fn management_sight(&self, cx: &Context<'_>) -> Option<(Situation, Proof)> {
        self.management.sight(cx.now, cx.in_force.settings(), self.interval, &cx.tuning.location)
    }

    /// When what the management server showed has to be asked for once more. With short intervals the heartbeat comes first.
    fn stale_at(&self, settings: &Settings, tuning: &Tuning) -> Option<Moment> {
        let exchange = self.management.exchange.as_ref()?;
        let asks = self.round.as_ref().is_some_and(|round| round.finding().is_none());
        if asks || exchange.shows(settings).is_none() {
            return None;
        }
        Some(exchange.at + (self.interval + tuning.confirm_step).min(tuning.evidence_asked))
    }
}
