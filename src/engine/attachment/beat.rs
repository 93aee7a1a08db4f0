//! Talking to the server in use: the beat, its doubts and its failures.

use std::time::Duration;

use super::Attachment;
use super::active::{Active, Leave};
use super::failures::Charge;
use super::health::{Health, floor};
use super::plan::{Criteria, Entry};
use super::race::Race;
use crate::engine::context::Context;
use crate::engine::event::{Next, span};
use crate::engine::owners::Owner;
use crate::engine::session::{Answer, Attempt, Heard, Target, Try};
use crate::engine::tuning::attachment::Tuning;
use crate::engine::{Action, Ending, Event, Input, Reason};
use crate::types::{Cause, Failure, FailureClass, Moment, Purpose, Request};

impl Attachment {
    // --- commands ---

    /// A heartbeat is due. Whatever is under way with the server in use is one already.
    pub(in crate::engine) fn beat(&mut self, cx: &mut Context<'_>) {
        let floor = self.beat_floor(cx).filter(|&floor| floor > cx.now);
        let Some(active) = self.active_mut() else {
            return;
        };
        let beside = active.search.as_ref().map(|race| race.incumbent.is_some());
        match (beside, floor) {
            // The exchange that is planned is this one.
            _ if active.heartbeat.again().is_some() => {}
            // What is under way is one.
            _ if active.heartbeat.is_under_way() => {}
            // Nothing is said before the floor the server set, and nobody is dialled twice in a second.
            (None, Some(floor)) => active.heartbeat.plan(floor, Try::First),
            (None, None) => self.start_beat(cx, Try::First),
            (Some(false), _) => active.heartbeat.owe(),
            (Some(true), _) => {}
        }
    }

    /// The next exchange is due at `next`: is the kept link still worth keeping?
    pub(in crate::engine) fn settle(&mut self, cx: &mut Context<'_>, next: Option<Moment>) {
        if let Some(calls) = &mut self.calls {
            calls.next_beat = next.unwrap_or(cx.now);
        }
        let keep = next.is_some_and(|next| next.after(cx.now) <= cx.tuning.attachment.keep_alive);
        let wanted = self.upload_wants_link(cx.now) || self.registers(cx.now);
        let Some(active) = self.active_mut() else {
            return;
        };
        if !keep && active.is_quiet() && active.reader.due(cx.now).is_none() && !wanted {
            active.part_with_link(cx);
        }
    }

    // --- handle ---

    /// Hands an input to the beat, or to the kept link, it is about. `false`: it is about neither.
    pub(super) fn beat_input(&mut self, cx: &mut Context<'_>, input: Input<'_>) -> bool {
        let Some(active) = self.active_mut() else {
            return false;
        };
        if let Some(failure) = active.heartbeat.link_lost(&input) {
            if failure.class() == FailureClass::Limit {
                self.idle_link_misused(cx, failure);
            }
            return true;
        }
        let Some(heard) = active.heartbeat.handle(cx, input) else {
            return false;
        };
        match heard {
            Heard::Nothing => {}
            Heard::Connected { time } => {
                let record = active.record();
                self.servers.connected_in(record, time);
                cx.network.heard_somebody();
            }
            Heard::Answered(answer) => self.beat_answered(cx, answer),
            Heard::Stale { drain } => {
                self.drained(cx, drain);
                self.start_beat(cx, Try::First);
            }
            Heard::Failed { failure, drain, which, was_asked } => {
                self.drained(cx, drain);
                self.beat_failed(cx, failure, which, was_asked);
            }
        }
        true
    }

    fn beat_answered(&mut self, cx: &mut Context<'_>, answer: Answer<'_>) {
        let Some(active) = self.active_mut() else {
            return;
        };
        let fresh_look = active.heartbeat.take_fresh_look();
        let record = active.record();
        let member = active.member.server.clone();
        self.hunger.delivered(cx.now);
        if fresh_look && answer.drain.is_none() {
            self.servers.end_drain(cx, record);
        }
        self.servers.succeed(cx, record, &member, &answer.link);
        self.memorable = true;
        cx.act(Action::Adopt { exchange: answer.exchange });
        self.stream_follows(cx, &answer);
        let server = self.servers.id(record);
        self.announced.settings(cx, &server, answer.settings);
        self.announced.policy(cx, &server, answer.policy);
        cx.emit(Event::Heartbeat { server, status: answer.status, elapsed: span(answer.elapsed) });
        self.proved(cx, answer.link, answer.drain);
        self.heard_of_registration(cx, &answer.link, (answer.register, answer.duplicate));
        if answer.events {
            self.called(cx);
        }
    }

    /// When the heartbeat under way is doubted, and why.
    fn doubt_at(&self, tuning: &Tuning) -> Option<(Moment, Reason)> {
        let active = self.active()?;
        active.heartbeat.doubt_at(|| self.servers.stagger_beside(active.record(), tuning), tuning)
    }

    /// Does whatever is due while attached.
    pub(super) fn tick_attached(&mut self, cx: &mut Context<'_>) {
        let doubt = self.doubt_at(&cx.tuning.attachment).filter(|&(at, _)| at <= cx.now);
        let unfed = self.hunger.is_unfed(cx.now);
        let Some(active) = self.active_mut() else {
            return;
        };
        if unfed && !active.is_unfed() {
            active.leave = Some(Leave::new(cx.now, Reason::Unfed));
        }
        if active.heartbeat.is_under_way() {
            if let Some((failure, which)) = active.heartbeat.expire(cx) {
                self.beat_failed(cx, failure, which, false);
            } else if let Some((_, reason)) = doubt {
                self.doubt(cx, reason);
            }
        } else if active.search.is_some() {
            self.drive_beside(cx);
        } else if let Some(again) = active.heartbeat.again().filter(|again| again.at <= cx.now) {
            self.start_beat(cx, again.which);
        } else if let Some(leave) = active.leave.filter(|leave| leave.at <= cx.now) {
            self.move_away(cx, leave);
        }
        self.tick_registration(cx);
        self.tick_reader(cx);
        self.tick_upload(cx);
        self.tick_stream(cx);
        self.tick_failback(cx);
    }

    // --- helpers ---

    /// Before when the server in use asked not to be spoken to.
    pub(in crate::engine) fn floor(&self) -> Option<Moment> {
        self.servers.record(self.active()?.record())?.throttled_until()
    }

    /// Before when the server in use is not spoken to. On a kept link only what it asks for holds.
    fn beat_floor(&self, cx: &Context<'_>) -> Option<Moment> {
        let active = self.active()?;
        match active.heartbeat.link() {
            Some(_) => self.servers.record(active.record())?.throttled_until(),
            None => Some(self.servers.opens(cx.present(), active.record())),
        }
    }

    /// Asks the server in use on a fresh link, whatever link is kept.
    pub(super) fn ask_on_a_fresh_link(&mut self, cx: &mut Context<'_>) {
        let Some(active) = self.active_mut() else {
            return;
        };
        active.heartbeat.look_afresh(cx);
        self.beat(cx);
    }

    fn tick_failback(&mut self, cx: &mut Context<'_>) {
        if !self.is_attached() {
            return;
        }
        let Some(better) = self.failback.tick(cx, &mut self.servers) else {
            return;
        };
        if self.active().is_some_and(Active::is_quiet) {
            let plan = vec![Entry::new(better)];
            let race = Race::new(cx.queue.next_id(), Reason::BetterServer, cx.now, plan);
            self.search_beside(cx, race);
        }
    }

    /// The server in use, under the policy of the settings that named it last.
    pub(super) fn active_target(&self, cx: &Context<'_>) -> Option<Target> {
        let active = self.active()?;
        let target = self.servers.target(cx, &active.member);
        Some(Target { policy: active.policy, ..target })
    }

    /// On the kept link where there is one, else on a fresh one.
    fn start_beat(&mut self, cx: &mut Context<'_>, which: Try) {
        let Some(target) = self.active_target(cx) else {
            return;
        };
        self.drop_ended_link(cx);
        if let Some(floor) = self.beat_floor(cx).filter(|&floor| floor > cx.now) {
            return self.again(floor, which);
        }
        let request = Request::Heartbeat { purpose: Purpose::Beat };
        let link = self.active_mut().and_then(|active| active.heartbeat.take_link());
        let may_dial = self.servers.opens(cx.present(), target.record) <= cx.now;
        let attempt = match link {
            Some(link) if may_dial && link.may_have_moved(&target.server, cx.now) => {
                self.servers.renew(cx, Owner::Heartbeat, target, request, link)
            }
            Some(link) => Attempt::on_link(cx, Owner::Heartbeat, target, request, link),
            None => self.servers.begin_target(cx, Owner::Heartbeat, target, request),
        };
        if let Some(active) = self.active_mut() {
            active.heartbeat.begin(attempt, which);
        }
    }

    /// A kept link whose certificate has ended is not used any more.
    fn drop_ended_link(&mut self, cx: &mut Context<'_>) {
        let Some(active) = self.active_mut() else {
            return;
        };
        if active.heartbeat.link().is_some_and(|link| link.has_ended(cx.now)) {
            active.heartbeat.close_link(cx, Ending::Replaced);
            let server = active.member.server.id.clone();
            cx.emit(Event::CertificateEnded { server });
        }
    }

    /// No sign of life for too long: others are tried beside it.
    fn doubt(&mut self, cx: &mut Context<'_>, reason: Reason) {
        let tuning = &cx.tuning.attachment;
        let Some(active) = self.active() else {
            return;
        };
        let member = active.member.clone();
        let without = Some(active.record());
        let mut plan = self.servers.plan(cx, Criteria { without, ..Criteria::default() });
        // One that the settings no longer name is left rather than dialled again.
        let second_opinion = reason == Reason::ServerSilent && active.listed;
        if second_opinion {
            plan.insert(0, Entry::new(member.clone()));
            for asked_now in plan.iter_mut().take(2) {
                asked_now.second_opinion = true;
            }
        }
        let stagger = self.servers.stagger(tuning);
        let Some(active) = self.active_mut() else {
            return;
        };
        if plan.is_empty() {
            return active.heartbeat.doubt();
        }
        let Some(attempt) = active.heartbeat.hand_over(cx, Owner::Search) else {
            return;
        };
        let servers = plan.len();
        let mut race = Race::new(cx.queue.next_id(), reason, cx.now, plan).beside(attempt, member, stagger);
        if second_opinion {
            race = race.with_second_opinion(cx.now + stagger.min(tuning.second_opinion));
        }
        cx.emit(Event::Searching { reason, servers });
        self.search_beside(cx, race);
    }

    /// The exchange with the server in use failed. What that means depends on the class.
    fn beat_failed(&mut self, cx: &mut Context<'_>, failure: Failure, which: Try, was_asked: bool) {
        let Some(active) = self.active_mut() else {
            return;
        };
        active.heartbeat.take_fresh_look();
        let (record, policy) = (active.record(), active.member.server.policy);
        self.hunger.failed();
        let tuning = &cx.tuning.attachment;
        let server = self.servers.id(record);
        self.memorable = true;
        match failure.class() {
            FailureClass::Broken if which == Try::First => {
                self.servers.charge(cx, record, policy, &failure);
                if self.is_down(record) {
                    cx.emit(Event::attempt_failed(server, &failure, Next::NextServer));
                    return self.lose(cx, failure, Charge::Paid);
                }
                cx.emit(Event::attempt_failed(server, &failure, Next::SameServer));
                // A connection in use was lost, perhaps by everybody: come back spread.
                let wait = if was_asked { cx.rng.up_to(tuning.spread) } else { Duration::ZERO };
                self.again(cx.now + wait, Try::FreshLink);
            }
            FailureClass::ServerError | FailureClass::TooLarge | FailureClass::Misunderstood => {
                self.servers.charge(cx, record, policy, &failure);
                if self.is_down(record) {
                    cx.emit(Event::attempt_failed(server, &failure, Next::NextServer));
                    return self.lose(cx, failure, Charge::Paid);
                }
                cx.emit(Event::attempt_failed(server, &failure, Next::SameServer));
                let wait = cx.rng.between(tuning.recheck_least, tuning.recheck_most);
                self.again(cx.now + wait, Try::First);
            }
            FailureClass::Throttled => {
                self.throttled(cx, &failure);
                let until = self.floor().unwrap_or(cx.now);
                cx.emit(Event::attempt_failed(server, &failure, Next::Later));
                self.again(until, Try::First);
            }
            FailureClass::Refused
            | FailureClass::NoAnswer
            | FailureClass::LocalNetwork
            | FailureClass::Name
            | FailureClass::Certificate
            | FailureClass::NotAllowed
            | FailureClass::Silent
            | FailureClass::WrongServer
            | FailureClass::Broken
            | FailureClass::Limit
            | FailureClass::Proxy
            | FailureClass::Draining
            | FailureClass::ClosedIdle => {
                cx.emit(Event::attempt_failed(server, &failure, Next::NextServer));
                self.lose(cx, failure, Charge::Due);
            }
        }
    }

    /// The server in use asks for patience, whatever it was asked. No heartbeat is made before that is over, so an agent that cannot
    /// wait so long looks for another server.
    pub(super) fn throttled(&mut self, cx: &mut Context<'_>, failure: &Failure) {
        let Some(active) = self.active() else {
            return;
        };
        let (record, policy) = (active.record(), active.member.server.policy);
        self.servers.charge(cx, record, policy, failure);
        self.memorable = true;
        self.hunger.failed();
        let asked = if let Cause::Throttled { retry_after, .. } = failure.cause { retry_after } else { None };
        let is_long = floor(asked, &cx.tuning.attachment) > self.interval;
        let unfed = self.hunger.is_unfed(cx.now);
        let Some(active) = self.active_mut() else {
            return;
        };
        let leaves_now = active.leave.is_some_and(|leave| leave.at <= cx.now);
        if unfed && !active.is_unfed() {
            active.leave = Some(Leave::new(cx.now, Reason::Unfed));
        } else if is_long && !leaves_now && !active.is_unfed() {
            active.leave = Some(Leave::new(cx.now, Reason::ServerThrottled));
        }
    }

    /// Between exchanges the server in use sent more than anybody should.
    fn idle_link_misused(&mut self, cx: &mut Context<'_>, failure: Failure) {
        let Some(active) = self.active() else { return };
        let (record, policy) = (active.record(), active.member.server.policy);
        self.servers.charge(cx, record, policy, &failure);
        self.memorable = true;
        let server = self.servers.id(record);
        if self
            .servers
            .record(record)
            .is_some_and(|record| matches!(record.health, Health::Quarantined { .. }))
        {
            cx.emit(Event::attempt_failed(server, &failure, Next::NextServer));
            return self.lose(cx, failure, Charge::Paid);
        }
        cx.emit(Event::attempt_failed(server, &failure, Next::SameServer));
    }

    fn again(&mut self, at: Moment, which: Try) {
        if let Some(active) = self.active_mut() {
            active.heartbeat.plan(at, which);
        }
    }

    fn is_down(&self, record: usize) -> bool {
        self.servers.record(record).is_some_and(|record| matches!(record.health, Health::Down { .. }))
    }
}
