//! Calls of the product: they wait for a server, and go to the one in use, a few at a time.
//!
//! A call that has begun goes on when the agent moves. Its answer never says anything about a server; what a server asks for
//! holds for calls too. A connection that is lost makes a heartbeat find out.

use super::calls::{Kept, MOST_UNDER_WAY, MOST_WAITING, Waiting};
use super::{Attachment, Phase};
use crate::engine::context::Context;
use crate::engine::event::span;
use crate::engine::owners::Owner;
use crate::engine::session::{Attempt, Called, Calling, Link};
use crate::engine::tuning::attachment::Tuning;
use crate::engine::{Action, Ending, Event, Input};
use crate::types::{CallId, Failure, FailureClass, Moment, Repeat, Request, ServerId};

impl Attachment {
    // --- getters ---

    /// When a call begins, or has taken too long.
    pub(super) fn calls_deadline(&self, now: Moment, tuning: &Tuning) -> Option<Moment> {
        let calls = self.calls.as_ref()?;
        let may_begin = self.active().is_some_and(|active| calls.next_for(active.record()).is_some());
        calls.deadline(may_begin, now, tuning)
    }

    /// Whether nothing new is said to any server.
    pub(super) fn is_silent(&self) -> bool {
        matches!(self.phase, Phase::Disabled | Phase::Stopping { .. } | Phase::Stopped)
    }

    // --- commands ---

    /// The product has something to say of its own.
    pub(in crate::engine) fn call(
        &mut self,
        cx: &mut Context<'_>,
        call: CallId,
        until: Moment,
        repeat: Repeat,
    ) {
        if self.is_silent() {
            return refused(cx, call, "communication is switched off, or the agent stops");
        }
        let calls = self.calls.get_or_insert_default();
        if calls.waiting.len() >= MOST_WAITING {
            return refused(cx, call, "too many calls wait already");
        }
        calls.waiting.push_back(Waiting { call, until, repeat, failed: None });
        calls.begins_at = None;
    }

    /// Ends every call: nothing more is said.
    pub(super) fn end_calls(&mut self, cx: &mut Context<'_>, ending: Ending) {
        self.close_call_links(cx, ending);
        let Some(calls) = &mut self.calls else {
            return;
        };
        let (waiting, under_way) = (std::mem::take(&mut calls.waiting), std::mem::take(&mut calls.under_way));
        for mut calling in under_way {
            calling.give_up(cx, ending);
            refused(cx, calling.call, "the agent has stopped speaking to servers");
        }
        for waiting in waiting {
            refused(cx, waiting.call, "the agent has stopped speaking to servers");
        }
    }

    /// Begins what can be begun, and ends what takes too long.
    pub(super) fn tick_calls(&mut self, cx: &mut Context<'_>) {
        self.expire_calls(cx);
        while let Some(waiting) = self.next_call(cx) {
            self.begin_call(cx, waiting);
        }
    }

    /// Links that wait for a call are worth nothing any more.
    pub(super) fn close_call_links(&mut self, cx: &mut Context<'_>, ending: Ending) {
        for kept in self.calls.iter_mut().flat_map(|calls| calls.kept.drain(..)) {
            cx.queue.close(kept.link.id, ending);
        }
    }

    // --- handle ---

    /// Hands an input to the call it is about. `false`: it is about none.
    pub(super) fn call_input(&mut self, cx: &mut Context<'_>, input: Input<'_>) -> bool {
        let Some(calls) = &mut self.calls else {
            return false;
        };
        let Some(place) = calls.under_way.iter().position(|calling| calling.attempt.is_about(&input)) else {
            return calls.has_lost(&input);
        };
        let Some(calling) = calls.under_way.get_mut(place) else {
            return false;
        };
        let called = calling.handle(cx, input);
        if matches!(called, Called::Nothing) {
            return true;
        }
        let calling = calls.under_way.swap_remove(place);
        self.call_over(cx, calling, called);
        true
    }

    fn call_over(&mut self, cx: &mut Context<'_>, calling: Calling, called: Called) {
        let record = calling.attempt.target.record;
        let drain = match called {
            Called::Nothing => None,
            Called::Answered { exchange, link, status, elapsed, drain } => {
                self.keep_call_link(cx, &calling, link);
                cx.act(Action::Adopt { exchange });
                let server = self.servers.id(record);
                cx.emit(Event::Called { call: calling.call, server, status, elapsed: span(elapsed) });
                drain
            }
            Called::Failed { failure, drain } => {
                self.call_failed(cx, calling, &failure);
                drain
            }
            Called::Declined => {
                refused(cx, calling.call, "the driver does not make it");
                None
            }
        };
        if self.active().is_some_and(|active| active.record() == record) {
            self.drained(cx, drain);
        }
    }

    // --- helpers ---

    fn expire_calls(&mut self, cx: &mut Context<'_>) {
        let Some(calls) = &mut self.calls else {
            return;
        };
        while let Some(place) = calls.waiting.iter().position(|waiting| waiting.until <= cx.now) {
            match calls.waiting.remove(place) {
                Some(Waiting { call, failed: Some((record, failure)), .. }) => {
                    tell_failure(cx, call, self.servers.id(record), &failure);
                }
                Some(Waiting { call, failed: None, .. }) => {
                    refused(cx, call, "no server was there to take it in time");
                }
                None => {}
            }
        }
        while let Some(place) = calls.kept.iter().position(|kept| kept.until <= cx.now) {
            cx.queue.close(calls.kept.swap_remove(place).link.id, Ending::Idle);
        }
        let mut failed = Vec::new();
        let mut place = 0;
        while let Some(calling) = calls.under_way.get_mut(place) {
            match calling.expire(cx) {
                Some(failure) => failed.push((calls.under_way.swap_remove(place), failure)),
                None => place += 1,
            }
        }
        for (calling, failure) in failed {
            self.call_failed(cx, calling, &failure);
        }
    }

    /// The next call that may begin now.
    fn next_call(&mut self, cx: &Context<'_>) -> Option<Waiting> {
        let record = self.active()?.record();
        let floor = self.servers.record(record).and_then(|record| record.throttled_until());
        let servers = self.servers.ranked_servers.members().len();
        let calls = self.calls.as_mut()?;
        let guard = calls.guard.opens(cx.now, servers, &cx.tuning.attachment);
        let opens = guard.max(floor.unwrap_or_default());
        let place = calls.next_for(record)?;
        if calls.under_way.len() >= MOST_UNDER_WAY {
            return None;
        }
        if opens > cx.now {
            calls.begins_at = Some(opens);
            return None;
        }
        calls.begins_at = None;
        calls.waiting.remove(place)
    }

    fn begin_call(&mut self, cx: &mut Context<'_>, waiting: Waiting) {
        let Some(target) = self.active_target(cx) else {
            return;
        };
        let Waiting { call, until, repeat, .. } = waiting;
        let within_ms = u32::try_from(until.since(cx.now).as_millis()).unwrap_or(u32::MAX);
        let request = Request::Call { call, within_ms };
        let kept = self.calls.as_mut().and_then(|calls| calls.take_link(cx, target.policy));
        // A link that has rested for long may be closed as the call comes, and then the server may have seen it or not.
        let may_lend = kept.is_none() && repeat == Repeat::OnceElsewhere;
        let is_free = may_lend && self.calls.as_ref().is_some_and(|calls| calls.next_beat > until);
        let lent = if is_free { self.active_mut().and_then(|active| active.lend_link(cx.now)) } else { None };
        if let Some(link) = lent {
            cx.queue.hand_over(link.id.0, Owner::Call);
        }
        let attempt = match kept.or(lent) {
            Some(link) => Attempt::on_link(cx, Owner::Call, target, request, link),
            None => Attempt::begin(cx, Owner::Call, target, request),
        };
        if let Some(calls) = &mut self.calls {
            if !attempt.reused {
                calls.guard.spend(cx.now, &cx.tuning.attachment);
            }
            calls.under_way.push(Calling { call, until, repeat, is_lent: lent.is_some(), attempt });
        }
    }

    /// A call has its answer: its link goes back to the heartbeats, or waits a while for the next call.
    fn keep_call_link(&mut self, cx: &mut Context<'_>, calling: &Calling, link: Link) {
        let target = &calling.attempt.target;
        let until = cx.now + cx.tuning.attachment.call_keep_alive;
        match (&mut self.phase, &mut self.calls) {
            (Phase::Attached(active), Some(calls)) if active.record() == target.record => {
                if calling.is_lent {
                    active.heartbeat.give_back(cx, link);
                } else {
                    calls.kept.push(Kept { link, policy: target.policy, until });
                }
            }
            _ => cx.queue.close(link.id, Ending::Idle),
        }
    }

    /// There is no answer. What may be said twice waits for another server once, if time is left.
    fn call_failed(&mut self, cx: &mut Context<'_>, calling: Calling, failure: &Failure) {
        let Calling { call, until, repeat, attempt, .. } = calling;
        let record = attempt.target.record;
        let was_closed = attempt.reused && failure.class() == FailureClass::ClosedIdle;
        if let (Some(calls), Repeat::OnceElsewhere, true) =
            (&mut self.calls, repeat, until > cx.now && was_closed)
        {
            // Most probably the kept link was closed before the server saw the request: a fresh one tells.
            return calls.waiting.push_front(Waiting { call, until, repeat, failed: None });
        }
        if matches!(failure.class(), FailureClass::Refused | FailureClass::NoAnswer | FailureClass::Broken)
            && self.active().is_some_and(|active| active.record() == record)
            && let Some(calls) = self.calls.as_mut().filter(|calls| calls.doubts_at <= cx.now)
        {
            // Whether the server is there at all is not for a call to say.
            calls.doubts_at = cx.now + cx.tuning.attachment.guard_trickle;
            self.beat(cx);
        }
        match &mut self.calls {
            Some(calls) if repeat == Repeat::OnceElsewhere && until > cx.now => {
                let failed = Some((record, failure.clone()));
                calls.waiting.push_front(Waiting { call, until, repeat: Repeat::Never, failed });
            }
            _ => tell_failure(cx, call, self.servers.id(record), failure),
        }
    }
}

fn tell_failure(cx: &mut Context<'_>, call: CallId, server: ServerId, failure: &Failure) {
    let detail = failure.to_string();
    cx.emit(Event::CallFailed { call, server: Some(server), class: Some(failure.class()), detail });
}

fn refused(cx: &mut Context<'_>, call: CallId, why: &str) {
    cx.emit(Event::CallFailed { call, server: None, class: None, detail: why.to_owned() });
}
