//! Talking to the server in use: the beat, its doubts and its failures.

use std::time::Duration;

use super::active::{Active, Again, Leave, Talk};
use super::attempt::{Attempt, Step, Target};
use super::health::{Health, floor};
use super::plan::{Entry, Request};
use super::race::Race;
use super::{Attachment, Phase};
use crate::engine::context::Context;
use crate::engine::event::{Next, span};
use crate::engine::owners::Owner;
use crate::engine::{Action, Ending, Event, Input, Why};
use crate::words::{Cause, Errand, Failure, FailureClass, Moment, Purpose};

impl Attachment {
    // --- commands ---

    /// A heartbeat is due. Whatever is under way with the server in use is one already.
    pub(in crate::engine) fn beat(&mut self, cx: &mut Context<'_>) {
        let floor = self.beat_floor(cx).filter(|&floor| floor > cx.now);
        let Some(active) = self.active_mut() else {
            return;
        };
        match (&active.talk, floor) {
            // The exchange that is planned is this one.
            _ if active.again.is_some() => {}
            // Nothing is said before the floor the server set, and nobody is dialled twice in a second.
            (Talk::Quiet, Some(floor)) => active.again = Some(Again { at: floor, retried: false }),
            (Talk::Quiet, None) => self.start_beat(cx, false),
            (Talk::Racing(race), _) if race.incumbent.is_none() => active.beat_waits = true,
            (Talk::Beat { .. } | Talk::Racing(_), _) => {}
        }
    }

    /// The next exchange is due at `next`: is the kept link still worth keeping?
    pub(in crate::engine) fn settle(&mut self, cx: &mut Context<'_>, next: Option<Moment>) {
        let keep = next.is_some_and(|next| next.after(cx.now) <= cx.tuning.attachment.keep_alive);
        let Some(active) = self.active_mut() else {
            return;
        };
        if keep || !matches!(active.talk, Talk::Quiet) {
            return;
        }
        if let Some(link) = active.link.take() {
            cx.queue.close(link.id, Ending::Idle);
        }
    }

    // --- handle ---

    /// Hands an input to the beat, or to the kept link, it is about. `false`: it is about neither.
    pub(super) fn beat_input(&mut self, cx: &mut Context<'_>, input: Input<'_>) -> bool {
        let Some(active) = self.active_mut() else {
            return false;
        };
        if let Input::Lost { link, failure } = &input
            && active.link.is_some_and(|kept| kept.id == *link)
        {
            // Between exchanges a server may close: nobody is charged, and the next exchange dials anew.
            active.link = None;
            if failure.class() == FailureClass::Limit {
                self.idle_link_misused(cx, failure);
            }
            return true;
        }
        let Talk::Beat { attempt, .. } = &mut active.talk else {
            return false;
        };
        if !attempt.is_about(&input) {
            return false;
        }
        let connected = matches!(input, Input::Connected { .. });
        let was_answering = attempt.is_answering();
        let in_exchange = attempt.unanswered_since().is_some() || was_answering;
        let (reused, connect_time) = (attempt.reused, attempt.connect_time);
        match attempt.handle(cx, input) {
            Step::Nothing | Step::Told(_) => {}
            Step::Progress => {
                if connected && let Some(time) = connect_time.or(attempt.connect_time) {
                    let (record, route) = (attempt.target.record, attempt.route());
                    self.servers.connected_in(record, time, route);
                    cx.network.heard_somebody();
                }
            }
            Step::Answered(answer) => {
                active.link = Some(answer.link);
                active.talk = Talk::Quiet;
                active.patience.record(answer.first_byte);
                let fresh_look = std::mem::take(&mut active.fresh_look);
                let record = active.record();
                let address = answer.link.looked_up(&active.member.server);
                self.hunger.delivered(cx.now);
                if fresh_look && answer.drain.is_none() {
                    self.servers.end_drain(cx, record);
                }
                self.servers.succeed(cx, record, address);
                self.memorable = true;
                cx.act(Action::Adopt { exchange: answer.exchange });
                let server = self.servers.id(record);
                self.announced.settings(cx, &server, answer.settings);
                self.announced.policy(cx, &server, answer.policy);
                cx.tell(Event::Heartbeat { server, status: answer.status, elapsed: span(answer.elapsed) });
                self.proved(cx, answer.link, answer.drain);
            }
            Step::Declined { status, drain } => {
                self.drained(cx, drain);
                self.beat_failed(cx, Cause::NotAManager { status }.into(), false);
            }
            Step::Failed { failure, drain } => {
                self.drained(cx, drain);
                // A kept link that breaks before any answer was closed before we spoke: it says nothing of the server.
                let stale = reused && !was_answering && is_broken(failure.class());
                if stale {
                    self.start_beat(cx, false);
                } else {
                    self.beat_failed(cx, failure, in_exchange);
                }
            }
        }
        true
    }

    /// Does whatever is due while attached.
    pub(super) fn tick_attached(&mut self, cx: &mut Context<'_>) {
        let record = self.active().map_or(0, Active::record);
        let stagger = self.servers.stagger_beside(record, &cx.tuning.attachment);
        let unfed = self.hunger.is_unfed(cx.now);
        let Some(active) = self.active_mut() else {
            return;
        };
        if unfed && !active.is_unfed() {
            active.leave = Some(Leave::new(cx.now, Why::Unfed));
        }
        match &mut active.talk {
            Talk::Beat { attempt, .. } if attempt.limit(&cx.tuning.attachment).0 <= cx.now => {
                if let Some(failure) = attempt.expire(cx) {
                    self.beat_failed(cx, failure, false);
                }
            }
            Talk::Beat { .. } => {
                let doubt = active.doubt_at(stagger, &cx.tuning.attachment);
                if let Some((_, why)) = doubt.filter(|&(at, _)| at <= cx.now) {
                    self.doubt(cx, why);
                }
            }
            Talk::Racing(_) => self.drive_beside(cx),
            Talk::Quiet => {
                if let Some(again) = active.again.filter(|again| again.at <= cx.now) {
                    self.start_beat(cx, again.retried);
                } else if let Some(leave) = active.leave.filter(|leave| leave.at <= cx.now) {
                    self.move_away(cx, leave);
                }
            }
        }
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
        match active.link {
            Some(_) => self.servers.record(active.record())?.throttled_until(),
            None => Some(self.servers.opens(cx.present(), active.record(), false)),
        }
    }

    /// Asks the server in use on a fresh link, whatever link is kept.
    pub(super) fn ask_on_a_fresh_link(&mut self, cx: &mut Context<'_>) {
        let Some(active) = self.active_mut() else {
            return;
        };
        active.fresh_look = true;
        if let Some(link) = active.link.take() {
            cx.queue.close(link.id, Ending::Moved);
        }
        self.beat(cx);
    }

    fn tick_failback(&mut self, cx: &mut Context<'_>) {
        if !self.is_attached() {
            return;
        }
        let Some(better) = self.failback.tick(cx, &mut self.servers) else {
            return;
        };
        let Some(active) = self.active_mut() else {
            return;
        };
        if !matches!(active.talk, Talk::Quiet) {
            return;
        }
        let plan = vec![Entry::new(better)];
        let race = Race::new(cx.queue.next_id(), Why::BetterServer, cx.now, plan);
        active.talk = Talk::Racing(Box::new(race));
        self.drive_beside(cx);
    }

    /// The server in use, under the policy of the settings that named it last.
    pub(super) fn active_target(&self, cx: &Context<'_>) -> Option<Target> {
        let active = self.active()?;
        let target = self.servers.target(cx, &active.member);
        Some(Target { policy: active.policy, ..target })
    }

    /// On the kept link where there is one, else on a fresh one.
    fn start_beat(&mut self, cx: &mut Context<'_>, retried: bool) {
        let Some(target) = self.active_target(cx) else {
            return;
        };
        if let Some(floor) = self.beat_floor(cx).filter(|&floor| floor > cx.now) {
            return self.again(floor, retried);
        }
        let errand = Errand::Heartbeat { purpose: Purpose::Beat };
        let link = self.active_mut().and_then(|active| {
            active.again = None;
            active.link.take()
        });
        let attempt = match link {
            Some(link) => Attempt::on_link(cx, Owner::Heartbeat, target, errand, link),
            None => self.servers.begin_target(cx, Owner::Heartbeat, target, errand),
        };
        if let Some(active) = self.active_mut() {
            active.talk = Talk::Beat { attempt, retried, doubted: false };
        }
    }

    /// No sign of life for too long: others are tried beside it.
    fn doubt(&mut self, cx: &mut Context<'_>, why: Why) {
        let tuning = &cx.tuning.attachment;
        let Some(active) = self.active() else {
            return;
        };
        let member = active.member.clone();
        let without = Some(active.record());
        let mut plan = self.servers.plan(cx, Request { without, ..Request::default() });
        // One that the settings no longer name is left rather than dialled again.
        let second_opinion = why == Why::ServerSilent && active.listed;
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
            // There is nobody else: its own limits decide.
            if let Talk::Beat { doubted, .. } = &mut active.talk {
                *doubted = true;
            }
            return;
        }
        let Talk::Beat { mut attempt, .. } = std::mem::replace(&mut active.talk, Talk::Quiet) else {
            return;
        };
        attempt.hand_over(cx, Owner::Search);
        let servers = plan.len();
        let mut race = Race::new(cx.queue.next_id(), why, cx.now, plan).beside(attempt, member, stagger);
        if second_opinion {
            race = race.with_second_opinion(cx.now + stagger.min(tuning.second_opinion));
        }
        active.talk = Talk::Racing(Box::new(race));
        cx.tell(Event::Sweeping { why, servers });
        self.drive_beside(cx);
    }

    /// The exchange with the server in use failed. What that means depends on the class.
    fn beat_failed(&mut self, cx: &mut Context<'_>, failure: Failure, in_exchange: bool) {
        let Some(active) = self.active_mut() else {
            return;
        };
        let retried = matches!(active.talk, Talk::Beat { retried: true, .. });
        active.talk = Talk::Quiet;
        active.fresh_look = false;
        let (record, policy) = (active.record(), active.member.server.policy);
        self.hunger.failed();
        let tuning = &cx.tuning.attachment;
        let server = self.servers.id(record);
        self.memorable = true;
        match failure.class() {
            FailureClass::Broken if !retried => {
                self.servers.charge(cx, record, policy, &failure);
                if self.is_down(record) {
                    cx.tell(Event::attempt_failed(server, &failure, Next::NextServer));
                    return self.lose(cx, failure, true);
                }
                cx.tell(Event::attempt_failed(server, &failure, Next::SameServer));
                // A connection in use was lost, perhaps by everybody: come back spread.
                let wait = if in_exchange { cx.chance.up_to(tuning.spread) } else { Duration::ZERO };
                self.again(cx.now + wait, true);
            }
            FailureClass::ServerError | FailureClass::TooLarge | FailureClass::Misunderstood => {
                self.servers.charge(cx, record, policy, &failure);
                if self.is_down(record) {
                    cx.tell(Event::attempt_failed(server, &failure, Next::NextServer));
                    return self.lose(cx, failure, true);
                }
                cx.tell(Event::attempt_failed(server, &failure, Next::SameServer));
                let wait = cx.chance.between(tuning.recheck_least, tuning.recheck_most);
                self.again(cx.now + wait, false);
            }
            FailureClass::Throttled => {
                self.servers.charge(cx, record, policy, &failure);
                let asked =
                    if let Cause::Throttled { retry_after, .. } = failure.cause { retry_after } else { None };
                let asked = floor(asked, tuning);
                let record = self.servers.record(record);
                let until = record.and_then(|record| record.throttled_until()).unwrap_or(cx.now);
                cx.tell(Event::attempt_failed(server, &failure, Next::Later));
                self.again(until, false);
                if asked > self.interval {
                    self.move_away(cx, Leave::new(cx.now, Why::ServerThrottled));
                }
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
                cx.tell(Event::attempt_failed(server, &failure, Next::NextServer));
                self.lose(cx, failure, false);
            }
        }
    }

    /// Between exchanges the server in use sent more than anybody should.
    fn idle_link_misused(&mut self, cx: &mut Context<'_>, failure: &Failure) {
        let Some(active) = self.active() else { return };
        let (record, policy) = (active.record(), active.member.server.policy);
        self.servers.charge(cx, record, policy, failure);
        self.memorable = true;
        let server = self.servers.id(record);
        if self
            .servers
            .record(record)
            .is_some_and(|record| matches!(record.health, Health::Quarantined { .. }))
        {
            cx.tell(Event::attempt_failed(server, failure, Next::NextServer));
            return self.lose(cx, failure.clone(), true);
        }
        cx.tell(Event::attempt_failed(server, failure, Next::SameServer));
    }

    fn again(&mut self, at: Moment, retried: bool) {
        if let Some(active) = self.active_mut() {
            active.again = Some(Again { at, retried });
        }
    }

    fn is_down(&self, record: usize) -> bool {
        self.servers.record(record).is_some_and(|record| matches!(record.health, Health::Down { .. }))
    }

    /// What was under way when the engine began to stop.
    pub(super) fn stopping_input(&mut self, cx: &mut Context<'_>, input: Input<'_>) -> bool {
        let Phase::Stopping { attempt, .. } = &mut self.phase else {
            return false;
        };
        if !attempt.is_about(&input) {
            return false;
        }
        match attempt.handle(cx, input) {
            Step::Nothing | Step::Progress | Step::Told(_) => {}
            Step::Answered(answer) => {
                cx.act(Action::Adopt { exchange: answer.exchange });
                cx.queue.close(answer.link.id, Ending::Stopped);
                let server = self.servers.id(attempt.target.record);
                cx.tell(Event::Heartbeat { server, status: answer.status, elapsed: span(answer.elapsed) });
                self.transition_to_stopped(cx);
            }
            Step::Declined { .. } | Step::Failed { .. } => self.transition_to_stopped(cx),
        }
        true
    }
}

fn is_broken(class: FailureClass) -> bool {
    matches!(class, FailureClass::Broken | FailureClass::ClosedIdle)
}
