//! A call: what the product says itself to the server in use, and the answer to it.
//!
//! The driver alone knows what is said, and the product judges the answer.

use std::time::Duration;

use super::attempt::Attempt;
use super::link::Link;
use super::step::Step;
use crate::engine::context::Context;
use crate::engine::tuning::attachment::Tuning;
use crate::engine::{Ending, Input};
use crate::types::{CallId, Cause, ExchangeId, Failure, Moment, Repeat, SettingsId};

/// A call under way.
#[derive(Debug)]
pub(in crate::engine) struct Calling {
    pub(in crate::engine) call: CallId,
    /// Its own time limit.
    pub(in crate::engine) until: Moment,
    pub(in crate::engine) repeat: Repeat,
    /// Its link is that of the heartbeats.
    pub(in crate::engine) is_lent: bool,
    pub(in crate::engine) attempt: Attempt,
}

/// What an input said of a call.
#[derive(Debug)]
pub(in crate::engine) enum Called {
    /// It goes on.
    Nothing,
    /// The server has answered, and its link stands.
    Answered { exchange: ExchangeId, link: Link, status: u16, elapsed: Duration, drain: Option<Duration> },
    /// There is no answer.
    Failed { failure: Failure, drain: Option<Duration> },
    /// The driver does not make it.
    Declined,
}

impl Calling {
    /// When it has taken too long.
    pub(in crate::engine) fn deadline(&self, tuning: &Tuning) -> Moment {
        self.attempt.limit(tuning).0.min(self.until)
    }

    pub(in crate::engine) fn refers_to(&self, settings: SettingsId) -> bool {
        self.attempt.refers_to(settings)
    }

    pub(in crate::engine) fn give_up(&mut self, cx: &mut Context<'_>, reason: Ending) {
        self.attempt.give_up(cx, reason);
    }

    /// Takes an input that is about its attempt.
    pub(in crate::engine) fn handle(&mut self, cx: &mut Context<'_>, input: Input<'_>) -> Called {
        match self.attempt.handle(cx, input) {
            Step::Nothing | Step::Progress | Step::Notice(_) => Called::Nothing,
            Step::Answered(answer) => Called::Answered {
                exchange: answer.exchange,
                link: answer.link,
                status: answer.status,
                elapsed: answer.elapsed,
                drain: answer.drain,
            },
            Step::Declined { .. } => Called::Declined,
            Step::Failed { failure, drain } => Called::Failed { failure, drain },
        }
    }

    /// If it took too long: how its end is called, unless it goes on by another way.
    pub(in crate::engine) fn expire(&mut self, cx: &mut Context<'_>) -> Option<Failure> {
        if self.until <= cx.now {
            self.attempt.give_up(cx, Ending::Failed);
            return Some(Cause::AttemptTimeout.into());
        }
        if self.attempt.limit(&cx.tuning.attachment).0 > cx.now { None } else { self.attempt.expire(cx) }
    }
}
