//! One server of a race, as the owner of its links sees it.

use super::race::{Held, Runner};
use crate::engine::context::Context;
use crate::engine::session::Answer;
use crate::engine::{Ending, Input};
use crate::types::Moment;

impl Runner {
    pub(super) fn give_up(&mut self, cx: &mut Context<'_>, reason: Ending) {
        match self.held.take() {
            Some(held) => {
                cx.queue.abandon(held.exchange, reason);
                if held.open {
                    cx.queue.close(held.link.id, reason);
                }
            }
            None => self.attempt.give_up(cx, reason),
        }
    }

    pub(super) fn is_about(&self, input: &Input<'_>) -> bool {
        match (&self.held, input) {
            (Some(held), Input::Lost { link, .. }) => held.link.id == *link,
            (Some(_), _) => false,
            (None, input) => self.attempt.is_about(input),
        }
    }
}

/// What a success is kept as, until the race is decided.
pub(super) fn held(now: Moment, answer: &Answer<'_>) -> Held {
    Held {
        since: now,
        exchange: answer.exchange,
        link: answer.link,
        open: true,
        status: answer.status,
        elapsed: answer.elapsed,
        first_byte: answer.first_byte,
        settings: answer.settings.map(Into::into),
        policy: answer.policy.map(Into::into),
        drain: answer.drain,
        events: answer.events,
        register: answer.register,
        duplicate: answer.duplicate,
    }
}
