//! From findings to the verdict, which has one writer.

use super::damping::{Decision, Sight};
use super::{Finding, Location, LocationReason, Trigger, Tuning};
use crate::engine::Event;
use crate::engine::context::Context;
use crate::settings::{Settings, Situation};
use crate::types::{Moment, Proof};

impl Location {
    // --- findings ---

    /// A round has found this; `by_lead`: because the management server, which it asked first, has answered.
    pub(super) fn found(&mut self, cx: &mut Context<'_>, finding: Finding, started: Moment, by_lead: bool) {
        if let Some(evidence) = self.evidence.clone() {
            let attached = self.management.attached.is_some();
            cx.emit(Event::Round { attached, evidence });
        }
        let tuning = &cx.tuning.location;
        match finding {
            Finding::Internal { proof } if by_lead => {
                self.found_by_management(cx, Situation::Internal, proof);
            }
            Finding::InternalViaVpn { proof } if by_lead => {
                self.found_by_management(cx, Situation::InternalViaVpn, proof);
            }
            Finding::Internal { proof } => {
                self.usable.get_or_insert(started);
                let sight = Sight { started, situation: Situation::Internal, proof: Some(proof) };
                self.judge(cx, sight, LocationReason::ReferenceServer);
            }
            Finding::InternalViaVpn { .. } | Finding::External | Finding::Captive => {
                self.usable.get_or_insert(started);
                // The round may have been asked for although the management server proves enough.
                if let Some((situation, proof)) = self.management_sight(cx) {
                    return self.found_by_management(cx, situation, proof);
                }
                if cx.in_force.settings().reference_servers().is_empty() {
                    // The management server was asked and is not there, and there is nobody else.
                    self.unsure.get_or_insert(started);
                    return;
                }
                let believed = self.management.is_verified(cx.now, self.interval, tuning);
                // A network on which a management server was verified is no portal.
                let finding =
                    if believed && finding == Finding::Captive { Finding::External } else { finding };
                if finding == Finding::Captive {
                    self.look_for_the_portals_end(cx);
                }
                let (situation, proof, reason) = match finding {
                    Finding::InternalViaVpn { proof } => {
                        (Situation::InternalViaVpn, Some(proof), LocationReason::ReferenceServer)
                    }
                    Finding::Captive => (Situation::Captive, None, LocationReason::EverybodyAnswers),
                    Finding::External | Finding::Internal { .. } | Finding::NoNetwork | Finding::NoNames => {
                        (Situation::External, None, LocationReason::NobodyAnswered)
                    }
                };
                self.judge(cx, Sight { started, situation, proof }, reason);
            }
            Finding::NoNetwork => {
                self.usable = None;
                self.unsure.get_or_insert(started);
                if self.situation == Situation::Unknown {
                    self.reason = LocationReason::NoNetwork;
                }
                self.schedule(cx.now + tuning.confirm_step, Trigger::Confirming);
            }
            Finding::NoNames => {
                self.unsure.get_or_insert(started);
                self.schedule((started + tuning.confirm_step).max(cx.now), Trigger::Confirming);
                if self.situation == Situation::Unknown {
                    self.incomplete(cx);
                } else if self.held_until(cx.in_force.settings(), tuning).is_some_and(|at| at <= cx.now) {
                    self.give_up_what_is_held(cx);
                }
            }
        }
    }

    /// The management server shows that the machine is inside.
    pub(super) fn found_by_management(&mut self, cx: &mut Context<'_>, situation: Situation, proof: Proof) {
        self.usable.get_or_insert(cx.now);
        let sight = Sight { started: cx.now, situation, proof: Some(proof) };
        self.judge(cx, sight, LocationReason::ManagementServer);
        let asked = self.round.as_ref().is_some_and(|round| round.trigger == Trigger::Asked);
        if self.situation == situation && !asked {
            self.give_up_round(cx);
        }
    }

    fn judge(&mut self, cx: &mut Context<'_>, sight: Sight, reason: LocationReason) {
        self.unsure = None;
        match self.damping.judge(cx.now, self.situation, sight, &cx.tuning.location) {
            Decision::Stay => {
                self.reason = reason;
                self.proof = sight.proof;
            }
            Decision::Again { at, trigger } => self.schedule(at.max(cx.now), trigger),
            Decision::Change => self.transition_to(cx, sight.situation, reason, sight.proof),
        }
    }

    /// A portal lets a machine out without a word.
    fn look_for_the_portals_end(&mut self, cx: &mut Context<'_>) {
        let wait = cx.network.captive_wait(cx.now, &cx.tuning.network);
        let wait = cx.rng.around(wait, 50, 150);
        self.schedule(cx.now + wait, Trigger::Confirming);
    }

    /// A bare connection gave `internal`, and then the control answered too.
    pub(super) fn revoked(&mut self, cx: &mut Context<'_>, finding: Finding) {
        let rested =
            matches!(self.reason, LocationReason::ReferenceServer | LocationReason::ManagementServer)
                && self.proof == Some(Proof::Tcp);
        if finding == Finding::Captive {
            cx.network.saw_control(cx.now, true);
            self.look_for_the_portals_end(cx);
            if rested {
                self.transition_to(cx, Situation::Captive, LocationReason::EverybodyAnswers, None);
            }
        } else if rested {
            self.transition_to(cx, Situation::External, LocationReason::NobodyAnswered, None);
        }
        self.damping.disagreed();
    }

    /// The time for a first location is over: what has not answered by now is taken to be silent.
    pub(super) fn incomplete(&mut self, cx: &mut Context<'_>) {
        let by_tunnel = self.round.as_ref().and_then(|round| round.tunnel_proof(cx.in_force.settings()));
        let (situation, reason) = match by_tunnel {
            Some(_) => (Situation::InternalViaVpn, LocationReason::ReferenceServer),
            None => (Situation::External, LocationReason::Incomplete),
        };
        self.transition_to(cx, situation, reason, by_tunnel);
    }

    /// What was known has been held for long enough.
    pub(super) fn give_up_what_is_held(&mut self, cx: &mut Context<'_>) {
        if self.held_until(cx.in_force.settings(), &cx.tuning.location).is_none_or(|at| at > cx.now) {
            return;
        }
        match self.usable {
            None => self.transition_to(cx, Situation::Unknown, LocationReason::NoNetwork, None),
            Some(_) if cx.in_force.settings().reference_servers().is_empty() => {
                self.transition_to(cx, Situation::Unknown, LocationReason::NobodyToAsk, None);
            }
            Some(_) => self.transition_to(cx, Situation::External, LocationReason::Incomplete, None),
        }
    }

    // --- the verdict: its only writer ---

    fn transition_to(
        &mut self,
        cx: &mut Context<'_>,
        situation: Situation,
        reason: LocationReason,
        proof: Option<Proof>,
    ) {
        (self.reason, self.proof) = (reason, proof);
        if situation == self.situation {
            return;
        }
        self.damping.changed(cx.now, self.situation, situation, cx.tuning.location.trust_pause);
        (self.situation, self.since) = (situation, cx.now);
        self.changed = true;
    }

    // --- limits ---

    /// When a location has to be given although nothing is certain.
    pub(super) fn first_location(&self, settings: &Settings, tuning: &Tuning) -> Option<Moment> {
        let wanted = self.situation == Situation::Unknown && !settings.reference_servers().is_empty();
        self.usable.filter(|_| wanted).map(|usable| usable + tuning.first_location)
    }

    /// Until when the verdict is held although nothing supports it. A round that is under way may still speak.
    pub(super) fn held_until(&self, settings: &Settings, tuning: &Tuning) -> Option<Moment> {
        let settled = match self.usable {
            None => self.situation == Situation::Unknown,
            Some(_) if settings.reference_servers().is_empty() => self.situation == Situation::Unknown,
            Some(_) => !self.situation.is_inside(),
        };
        if settled || self.round.is_some() {
            return None;
        }
        self.unsure.map(|since| since + tuning.hold)
    }
}
