//! A registration: who uses the machine, and in which group it is or would be. The server decides, and its answer says what
//! the agent is registered as.

use std::time::Duration;

use super::attempt::Attempt;
use super::link::Link;
use super::step::Step;
use crate::engine::context::Context;
use crate::engine::tuning::attachment::Tuning;
use crate::engine::{Ending, Input};
use crate::types::{AccountMode, Failure, Moment, Name, SettingsId};

/// A registration under way.
#[derive(Debug)]
pub(in crate::engine) struct Registering {
    pub(in crate::engine) attempt: Attempt,
}

/// What an input said of a registration. Unless it goes on, it is over.
#[derive(Debug)]
pub(in crate::engine) enum Registered {
    /// It goes on.
    Nothing,
    /// The server has decided, and its link stands.
    Answered { link: Link, group: Option<Name>, mode: Option<AccountMode>, drain: Option<Duration> },
    /// The server, or the driver, does no such request.
    Declined { status: u16, drain: Option<Duration> },
    /// It did not work.
    Failed { failure: Failure, drain: Option<Duration> },
}

impl Registering {
    /// When it has taken too long.
    pub(in crate::engine) fn deadline(&self, tuning: &Tuning) -> Moment {
        self.attempt.limit(tuning).0
    }

    pub(in crate::engine) fn refers_to(&self, settings: SettingsId) -> bool {
        self.attempt.refers_to(settings)
    }

    pub(in crate::engine) fn give_up(&mut self, cx: &mut Context<'_>, reason: Ending) {
        self.attempt.give_up(cx, reason);
    }

    /// Takes an input that is about its attempt.
    pub(in crate::engine) fn handle(&mut self, cx: &mut Context<'_>, input: Input<'_>) -> Registered {
        match self.attempt.handle(cx, input) {
            Step::Nothing | Step::Progress | Step::Notice(_) => Registered::Nothing,
            Step::Answered(answer) => {
                // Nothing of it is for the product but what the event says.
                cx.queue.abandon(answer.exchange, Ending::Unchanged);
                Registered::Answered {
                    link: answer.link,
                    group: answer.group,
                    mode: answer.account_mode,
                    drain: answer.drain,
                }
            }
            Step::Declined { status, drain } => Registered::Declined { status, drain },
            Step::Failed { failure, drain } => Registered::Failed { failure, drain },
        }
    }

    /// If it took too long: how its end is called, unless it goes on by another way.
    pub(in crate::engine) fn expire(&mut self, cx: &mut Context<'_>) -> Option<Failure> {
        if self.deadline(&cx.tuning.attachment) > cx.now { None } else { self.attempt.expire(cx) }
    }
}
