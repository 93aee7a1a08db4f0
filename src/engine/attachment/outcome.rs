//! What comes of a search: who has won, who is charged, how long the agent waits.

use std::collections::BTreeSet;
use std::time::Duration;

use super::active::{Leave, Reached};
use super::backoff::{MOST_MISSES, delay};
use super::failures::Charge;
use super::race::{Held, Race, Runner};
use super::{Active, Attachment};
use crate::engine::context::Context;
use crate::engine::event::span;
use crate::engine::fact::Fact;
use crate::engine::network::{Blame, Sign};
use crate::engine::session::Link;
use crate::engine::{Action, Ending, Event, Reason};
use crate::types::{Cause, Evidence, Failure, FailureClass};

impl Attachment {
    pub(super) fn won(&mut self, cx: &mut Context<'_>, race: Race, winner: Box<Runner>, held: Held) {
        let record = winner.attempt.target.record;
        self.hunger.delivered(cx.now);
        self.memorable = true;
        self.charge_all(cx, &race);
        let evicted: Vec<_> = race.still_evicted().cloned().collect();
        for member in evicted {
            self.servers.charge(cx, member.record.into(), member.server.policy, &Cause::Evicted.into());
        }
        let stays =
            self.active().is_some_and(|active| active.record() == record) && race.incumbent == Some(record);
        let silent = race
            .incumbent
            .filter(|&silent| !stays && race.reason == Reason::ServerSilent && !race.failed.has(silent));
        if let Some(silent) = silent {
            let policy = self.active().map_or(0, |active| active.member.server.policy);
            self.servers.charge(cx, silent, policy, &Cause::NoFirstByte.into());
        }
        if race.incumbent.is_some() && !stays && self.active().is_some() {
            self.count_loss(cx);
        }
        if matches!(race.reason, Reason::ServerThrottled | Reason::Unfed) {
            self.end_probation(cx);
        }
        self.servers.succeed(cx, record, &winner.member.server, &held.link);
        cx.act(Action::Adopt { exchange: held.exchange });
        let answer = held.clone();
        if stays {
            let Some(active) = self.active_mut() else {
                return;
            };
            active.heartbeat.answered(cx, held.open.then_some(held.link), held.first_byte);
        } else {
            self.transition_to_attached(cx, winner.member, held, &race);
        }
        self.disband(cx, race, Ending::LostRace);
        let server = self.servers.id(record);
        self.announced.settings(cx, &server, answer.settings.as_deref());
        self.announced.policy(cx, &server, answer.policy.as_deref());
        cx.emit(Event::Heartbeat { server, status: answer.status, elapsed: span(answer.elapsed) });
        self.proved(cx, answer.link, answer.drain);
        self.heard_of_registration(cx, &answer.link, (answer.register, answer.duplicate));
        if answer.events {
            self.called(cx);
        }
    }

    /// A heartbeat exchange with the server in use succeeded.
    pub(super) fn proved(&mut self, cx: &mut Context<'_>, link: Link, drain: Option<Duration>) {
        self.forgive_old_refusals(cx);
        let Some(active) = self.active() else {
            return;
        };
        let tuning = &cx.tuning.attachment;
        let (record, service) = (active.record(), cx.now.since(active.since));
        let (server, policy) = (active.member.server.clone(), active.policy);
        let (on_probation, is_named) = (active.on_probation, active.is_named);
        if service >= tuning.forgive_all {
            // The outage is over; servers that flap have their own count.
            self.misses = 0;
        }
        if on_probation && service >= tuning.probation {
            self.failback.damping = 0;
        }
        if let Some(active) = self.active_mut() {
            active.reached = Reached::by(&link);
            if let Some(stream) = &mut active.stream {
                stream.want(cx.now);
            }
        }
        self.want_documents(cx);
        if let Some(backlogs) = &mut self.backlogs {
            backlogs.delivered();
        }
        let Link { proof, address, medium, is_stale, .. } = link;
        let medium = (!is_stale).then_some(medium);
        self.facts.add(Fact::Proved { server, policy, proof, peer: address, medium, is_named });
        if is_stale {
            self.drop_stale_link(cx);
        }
        self.drained(cx, drain);
        let drains = self.servers.record(record).is_some_and(|record| record.is_draining());
        // It may no longer ask for what made the agent mean to leave.
        if let Some(active) = self.active_mut() {
            let over = |reason| {
                matches!(reason, Reason::ServerThrottled | Reason::Unfed)
                    || (reason == Reason::ServerDraining && !drains)
            };
            active.leave = active.leave.filter(|leave| !over(leave.reason));
        }
    }

    /// An answer came over a link that was made before the network changed. The server is well, and where the machine is
    /// now a fresh link says.
    fn drop_stale_link(&mut self, cx: &mut Context<'_>) {
        if let Some(active) = self.active_mut() {
            active.heartbeat.close_link(cx, Ending::Stale);
        }
        self.facts.add(Fact::Refresh { resumed: false });
    }

    /// The server in use may have asked to be left within this time.
    pub(super) fn drained(&mut self, cx: &mut Context<'_>, window: Option<Duration>) {
        let (Some(window), Some(record)) = (window, self.active().map(Active::record)) else {
            return;
        };
        self.servers.drain(cx, record, window);
        let at = cx.now + cx.rng.up_to(window.min(cx.tuning.attachment.drain_most));
        if let Some(active) = self.active_mut()
            && active.leave.is_none()
        {
            active.leave = Some(Leave::new(at, Reason::ServerDraining));
        }
    }

    /// A search found nobody, and the agent is attached to none any more.
    pub(super) fn gave_up(&mut self, cx: &mut Context<'_>, race: Race) {
        self.hunger.failed();
        let refused = |record: usize| {
            race.failed.has_rejected(record)
                || self.servers.record(record).is_some_and(|record| record.is_refusing(cx.now))
        };
        let members = self.servers.ranked_servers.members();
        if !members.is_empty() && members.iter().all(|member| refused(member.record.into())) {
            self.refused(cx, race);
        } else {
            self.wait_after(cx, race);
        }
    }

    /// Every server has rejected this agent. If they said so of credentials that have been replaced meanwhile, they are
    /// asked again.
    fn refused(&mut self, cx: &mut Context<'_>, race: Race) {
        self.charge_all(cx, &race);
        self.disband(cx, race, Ending::Failed);
        if self.forgive_old_refusals(cx) {
            return self.search(cx, Reason::NewCredentials);
        }
        self.transition_to_rejected(cx);
        self.facts.add(Fact::SearchFailed { attached: false, tried: true });
    }

    /// Every server failed, and the agent is attached to none any more.
    fn wait_after(&mut self, cx: &mut Context<'_>, race: Race) {
        let blame = self.blame(cx, &race);
        self.forgive_old_refusals(cx);
        if self.active().is_some() {
            self.count_loss(cx);
        }
        let sign = self.sign(&race);
        if blame != Blame::NoNetwork {
            let intercepted = if let Some(Sign::Interception { servers, .. }) = sign { servers } else { 0 };
            cx.network.saw_servers(cx.now, intercepted.max(self.portals(&race)));
            if cx.network.is_captive() {
                return self.transition_to_captive(cx);
            }
        }
        self.misses = self.misses.saturating_add(1).min(MOST_MISSES);
        self.searches = self.searches.saturating_add(1);
        let tuning = &cx.tuning.attachment;
        let wait = delay(self.misses, tuning.ceiling, tuning, cx.rng);
        match blame {
            Blame::NoNetwork => {
                let reason = held_up_by(race.failed.iter().map(|ended| ended.failure.cause));
                self.transition_to_no_network(cx, reason);
                // That says nothing of the settings.
                return;
            }
            Blame::Nobody => self.transition_to_waiting(cx, cx.now + wait, Reason::NetworkSuspect),
            Blame::Servers => {
                let reason = if sign == Some(Sign::Clock) { Reason::ClockWrong } else { Reason::AllFailed };
                self.transition_to_waiting(cx, cx.now + wait, reason);
            }
        }
        self.facts.add(Fact::SearchFailed { attached: false, tried: true });
    }

    /// The agent wanted to move and found nobody: it stays.
    pub(super) fn nobody_better(&mut self, cx: &mut Context<'_>, race: Race) {
        // The server in use answers, so it is not the network.
        self.charge_all(cx, &race);
        if race.reason == Reason::BetterServer {
            for ended in race.failed.iter() {
                self.failback.disappoint(cx, ended.record);
            }
        }
        let reason = race.reason;
        self.disband(cx, race, Ending::Failed);
        if reason == Reason::NewSettings {
            self.facts.add(Fact::SearchFailed { attached: true, tried: true });
        }
        let Some(active) = self.active_mut() else {
            return;
        };
        if reason != Reason::BetterServer {
            let tries = active.leave.map_or(0, |leave| leave.tries);
            self.stay(cx, Leave { at: cx.now, reason, tries });
        }
        let Some(active) = self.active_mut() else {
            return;
        };
        if active.heartbeat.take_owed() {
            self.beat(cx);
        }
    }

    pub(super) fn blame(&mut self, cx: &mut Context<'_>, race: &Race) -> Blame {
        let failures = race.failed.iter().map(|ended| &ended.failure);
        let blame = cx.network.blame(failures, &cx.tuning.network);
        match blame {
            Blame::Servers => {
                let sign = self.sign(race);
                let (spared, others): (Vec<_>, Vec<_>) =
                    race.failed.iter().filter(|ended| ended.charge == Charge::Due).partition(|ended| {
                        is_portal(&ended.failure) || sign.is_some_and(|sign| sign.explains(&ended.failure))
                    });
                for ended in spared {
                    self.servers.note(cx.now, ended.record, &ended.failure);
                }
                for ended in others {
                    self.servers.charge(cx, ended.record, ended.policy, &ended.failure);
                }
            }
            Blame::Nobody | Blame::NoNetwork => {
                for ended in race.failed.iter() {
                    self.servers.note(cx.now, ended.record, &ended.failure);
                }
            }
        }
        blame
    }

    /// What the certificates that were refused show together.
    fn sign(&self, race: &Race) -> Option<Sign> {
        let members = self.servers.ranked_servers.by_record();
        Sign::of(race.failed.iter().filter_map(|ended| {
            let member = members.of_record(ended.record)?;
            Some((&member.server.host, ended.failure.evidence?))
        }))
    }

    /// How many servers gave a page for a person in place of an answer. One address is one witness.
    fn portals(&self, race: &Race) -> usize {
        let shown = race.failed.iter().filter(|ended| is_portal(&ended.failure));
        let members = self.servers.ranked_servers.by_record();
        let hosts = shown.filter_map(|ended| Some(&members.of_record(ended.record)?.server.host));
        hosts.collect::<BTreeSet<_>>().len()
    }

    fn charge_all(&mut self, cx: &mut Context<'_>, race: &Race) {
        for ended in race.failed.iter().filter(|ended| ended.charge == Charge::Due) {
            self.servers.charge(cx, ended.record, ended.policy, &ended.failure);
        }
    }

    fn disband(&mut self, cx: &mut Context<'_>, mut race: Race, reason: Ending) {
        self.servers.disband(cx, &mut race, reason);
    }
}

/// What keeps everything on this machine, by failures of which none came from a server.
fn held_up_by(causes: impl Iterator<Item = Cause> + Clone) -> Reason {
    let all = |fits: fn(Cause) -> bool| causes.clone().all(fits);
    if causes.clone().any(|cause| cause.class() == FailureClass::Proxy) {
        Reason::NoWay
    } else if all(|cause| {
        matches!(cause, Cause::NameServerFailed | Cause::NameTimeout | Cause::NameServiceDead)
    }) {
        Reason::NoNames
    } else if all(|cause| matches!(cause, Cause::LocalFirewall | Cause::SocketRefused)) {
        Reason::HeldBack
    } else if all(|cause| cause == Cause::OutOfResources) {
        Reason::OutOfResources
    } else {
        Reason::NoNetwork
    }
}

fn is_portal(failure: &Failure) -> bool {
    failure.evidence == Some(Evidence::Portal)
}
