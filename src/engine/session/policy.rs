//! The policy: bytes of the product's, read when the server names another than the product has.
//!
//! It is read after a heartbeat, on the kept link when that is free. A read that fails says nothing of the server, and is
//! made again after the next heartbeat; an answer of any kind ends it until the server names another tag.

use std::time::Duration;

use super::attempt::Attempt;
use super::link::Link;
use super::step::Step;
use crate::engine::context::Context;
use crate::engine::tuning::attachment::Tuning;
use crate::engine::{Ending, Input};
use crate::types::{ExchangeId, Failure, Moment, NOT_MODIFIED, SettingsId};

/// See the module.
#[derive(Debug, Default)]
pub(in crate::engine) enum Policy {
    #[default]
    Resting,
    /// Read as soon as this moment has come and the server may be asked.
    Wanted {
        at: Moment,
    },
    Reading(Box<Attempt>),
}

/// What an input said of the read. Unless it goes on, it is over.
#[derive(Debug)]
pub(in crate::engine) enum Read<'a> {
    Nothing,
    /// An answer came, and its link stands.
    Answered {
        exchange: ExchangeId,
        link: Link,
        /// 304: the product has it already.
        unchanged: bool,
        tag: Option<&'a str>,
        drain: Option<Duration>,
    },
    /// The server has none for this agent.
    Declined {
        status: u16,
        drain: Option<Duration>,
    },
    Failed {
        failure: Failure,
        drain: Option<Duration>,
    },
}

impl Policy {
    // --- getters ---

    pub(in crate::engine) fn is_due(&self, now: Moment) -> bool {
        matches!(self, Self::Wanted { at } if *at <= now)
    }

    /// When it begins, or has taken too long.
    pub(in crate::engine) fn deadline(&self, tuning: &Tuning) -> Option<Moment> {
        match self {
            Self::Reading(attempt) => Some(attempt.limit(tuning).0),
            Self::Wanted { at } => Some(*at),
            Self::Resting => None,
        }
    }

    pub(in crate::engine) fn refers_to(&self, settings: SettingsId) -> bool {
        match self {
            Self::Reading(attempt) => attempt.refers_to(settings),
            Self::Resting | Self::Wanted { .. } => false,
        }
    }

    // --- commands ---

    /// The server names another policy than the product has. An instant that was drawn stays: to hear of it
    /// once more makes no agent come sooner.
    pub(in crate::engine) fn want(&mut self, at: Moment) {
        if matches!(self, Self::Resting) {
            *self = Self::Wanted { at };
        }
    }

    pub(in crate::engine) fn begin(&mut self, attempt: Attempt) {
        *self = Self::Reading(Box::new(attempt));
    }

    /// It has to wait for the next heartbeat.
    pub(in crate::engine) fn put_off(&mut self) {
        *self = Self::Resting;
    }

    /// A floor was heard: what has not asked yet stops for it.
    pub(in crate::engine) fn stop_unless_asked(&mut self, cx: &mut Context<'_>) {
        if let Self::Reading(attempt) = self
            && !attempt.is_exchanging()
        {
            self.give_up(cx, Ending::Failed);
        }
    }

    pub(in crate::engine) fn give_up(&mut self, cx: &mut Context<'_>, reason: Ending) {
        if let Self::Reading(attempt) = self {
            attempt.give_up(cx, reason);
        }
        *self = Self::Resting;
    }

    pub(in crate::engine) fn attempt_mut(&mut self) -> Option<&mut Attempt> {
        match self {
            Self::Reading(attempt) => Some(attempt),
            Self::Resting | Self::Wanted { .. } => None,
        }
    }

    // --- handle ---

    /// `None`: the input is about nothing here.
    pub(in crate::engine) fn handle<'a>(
        &mut self,
        cx: &mut Context<'_>,
        input: Input<'a>,
    ) -> Option<Read<'a>> {
        let Self::Reading(attempt) = self else {
            return None;
        };
        if !attempt.is_about(&input) {
            return None;
        }
        let read = match attempt.handle(cx, input) {
            Step::Nothing | Step::Progress | Step::Notice(_) => return Some(Read::Nothing),
            Step::Answered(answer) => Read::Answered {
                exchange: answer.exchange,
                link: answer.link,
                unchanged: answer.status == NOT_MODIFIED,
                tag: answer.policy,
                drain: answer.drain,
            },
            Step::Declined { status, drain } => Read::Declined { status, drain },
            Step::Failed { failure, drain } => Read::Failed { failure, drain },
        };
        *self = Self::Resting;
        Some(read)
    }

    /// It took too long: how that is called, unless it goes on by another way.
    pub(in crate::engine) fn expire(&mut self, cx: &mut Context<'_>) -> Option<Failure> {
        let Self::Reading(attempt) = self else {
            return None;
        };
        if attempt.limit(&cx.tuning.attachment).0 > cx.now {
            return None;
        }
        let failure = attempt.expire(cx)?;
        *self = Self::Resting;
        Some(failure)
    }
}
