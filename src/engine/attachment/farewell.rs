//! The end: what is under way is finished, critical reports leave, and then nothing more is said.

use std::time::Duration;

use super::{Attachment, Phase};
use crate::engine::context::Context;
use crate::engine::event::span;
use crate::engine::owners::Owner;
use crate::engine::session::{Answer, Attempt, Step};
use crate::engine::{Action, Ending, Event, Input};
use crate::types::Request;

impl Attachment {
    /// Finishes a running exchange with the server in use, and uploads critical reports, within the grace; then stops for
    /// good.
    pub(in crate::engine) fn stop(&mut self, cx: &mut Context<'_>, grace: Duration) {
        if matches!(self.phase, Phase::Stopping { .. } | Phase::Stopped) {
            return;
        }
        let last = if grace.is_zero() { None } else { self.last_exchange(cx) };
        match last {
            Some(attempt) => self.transition_to_stopping(cx, cx.now + grace, Box::new(attempt)),
            None => self.transition_to_stopped(cx),
        }
    }

    /// What is under way with the server in use, or else critical reports that can be sent to it.
    fn last_exchange(&mut self, cx: &mut Context<'_>) -> Option<Attempt> {
        let active = self.active_mut()?;
        if let Some(attempt) = active.hand_exchange_over(cx, Owner::Farewell) {
            return Some(attempt);
        }
        if let Some(mut attempt) = active.upload.take_critical() {
            attempt.hand_over(cx, Owner::Farewell);
            return Some(attempt);
        }
        let request = self.critical_request()?;
        let target = self.active_target(cx)?;
        if self.servers.opens_beside(cx.present(), target.record) > cx.now {
            return None;
        }
        match self.active_mut().and_then(|active| active.lend_link(cx.now)) {
            Some(link) => {
                cx.queue.hand_over(link.id.0, Owner::Farewell);
                Some(Attempt::on_link(cx, Owner::Farewell, target, request, link))
            }
            None => Some(self.servers.begin_target(cx, Owner::Farewell, target, request)),
        }
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
            Step::Nothing | Step::Progress | Step::Notice(_) => {}
            Step::Answered(answer) => self.answered_while_stopping(cx, answer),
            Step::Declined { .. } | Step::Failed { .. } => self.transition_to_stopped(cx),
        }
        true
    }

    /// Critical reports that still wait follow on the same link.
    fn answered_while_stopping(&mut self, cx: &mut Context<'_>, answer: Answer<'_>) {
        let Phase::Stopping { attempt, .. } = &self.phase else {
            return;
        };
        let Answer { exchange, link, status, elapsed, acknowledged, unacknowledged, .. } = answer;
        let target = attempt.target.clone();
        let record = target.record;
        let is_well = if let Request::Upload { lane, .. } = attempt.request {
            cx.queue.abandon(exchange, Ending::Unchanged);
            self.uploaded(cx, lane, record, (acknowledged, unacknowledged));
            acknowledged > 0
        } else {
            cx.act(Action::Adopt { exchange });
            cx.emit(Event::Heartbeat { server: self.servers.id(record), status, elapsed: span(elapsed) });
            true
        };
        match (self.critical_request().filter(|_| is_well), &mut self.phase) {
            (Some(request), Phase::Stopping { attempt, .. }) => {
                **attempt = Attempt::on_link(cx, Owner::Farewell, target, request, link);
            }
            _ => {
                cx.queue.close(link.id, Ending::Stopped);
                self.transition_to_stopped(cx);
            }
        }
    }
}
