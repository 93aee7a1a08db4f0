//! An upload: reports of one lane, which wait until the server has acknowledged them.
//!
//! One is under way at a time. Which reports these are knows the driver alone. A failed upload says nothing of the server,
//! unless it asks for patience: whether it is well, the heartbeat shows.

use std::time::Duration;

use super::attempt::Attempt;
use super::link::Link;
use super::step::Step;
use crate::engine::context::Context;
use crate::engine::tuning::attachment::Tuning;
use crate::engine::{Ending, Input};
use crate::types::{Failure, Lane, Moment, SettingsId};

/// See the module.
#[derive(Debug, Default)]
pub(in crate::engine) enum Upload {
    #[default]
    Resting,
    Sending(Box<Sending>),
}

/// Reports on their way.
#[derive(Debug)]
pub(in crate::engine) struct Sending {
    pub(in crate::engine) lane: Lane,
    pub(in crate::engine) attempt: Attempt,
    pub(in crate::engine) to: Taker,
}

/// Which server takes reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Taker {
    Active,
    /// Another one of the same priority, because the server in use asks for patience and the reports are critical.
    Another,
}

/// What an input said of the upload.
#[derive(Debug)]
pub(in crate::engine) enum Sent {
    /// It goes on.
    Nothing,
    /// What was sent, and how that ended.
    Over(Box<Sending>, Receipt),
}

/// How an upload ended.
#[derive(Debug)]
pub(in crate::engine) enum Receipt {
    /// The server has acknowledged so many reports of the batch, and left others; its link stands.
    Acknowledged {
        link: Link,
        reports: u64,
        left: u64,
        drain: Option<Duration>,
    },
    /// The server does not do this, or not with so much at once.
    Declined {
        status: u16,
        drain: Option<Duration>,
    },
    Failed {
        failure: Failure,
        drain: Option<Duration>,
    },
}

impl Upload {
    // --- getters ---

    pub(in crate::engine) fn is_under_way(&self) -> bool {
        matches!(self, Self::Sending(_))
    }

    /// When it has taken too long.
    pub(in crate::engine) fn deadline(&self, tuning: &Tuning) -> Option<Moment> {
        match self {
            Self::Sending(sending) => Some(sending.attempt.limit(tuning).0),
            Self::Resting => None,
        }
    }

    pub(in crate::engine) fn refers_to(&self, settings: SettingsId) -> bool {
        match self {
            Self::Sending(sending) => sending.attempt.refers_to(settings),
            Self::Resting => false,
        }
    }

    // --- commands ---

    pub(in crate::engine) fn begin(&mut self, lane: Lane, attempt: Attempt, to: Taker) {
        *self = Self::Sending(Box::new(Sending { lane, attempt, to }));
    }

    /// A floor was heard of the server in use: what has not asked it yet stops for it.
    pub(in crate::engine) fn stop_unless_asked(&mut self, cx: &mut Context<'_>) {
        if let Self::Sending(sending) = self
            && sending.to == Taker::Active
            && !sending.attempt.is_exchanging()
        {
            self.give_up(cx, Ending::Failed);
        }
    }

    /// The settings changed. Which server another one is may have changed with them.
    pub(in crate::engine) fn reconfigured(&mut self, cx: &mut Context<'_>) -> Option<&mut Attempt> {
        if let Self::Sending(sending) = self
            && sending.to == Taker::Another
        {
            self.give_up(cx, Ending::Reconfigured);
        }
        match self {
            Self::Sending(sending) => Some(&mut sending.attempt),
            Self::Resting => None,
        }
    }

    pub(in crate::engine) fn give_up(&mut self, cx: &mut Context<'_>, reason: Ending) {
        if let Some(mut sending) = self.take() {
            sending.attempt.give_up(cx, reason);
        }
    }

    /// Critical reports that the server in use was asked to take, for other hands.
    pub(in crate::engine) fn take_critical(&mut self) -> Option<Attempt> {
        let is_critical = matches!(self, Self::Sending(sending)
            if sending.lane == Lane::Critical && sending.to == Taker::Active && sending.attempt.is_exchanging());
        if is_critical { self.take().map(|sending| sending.attempt) } else { None }
    }

    fn take(&mut self) -> Option<Box<Sending>> {
        match std::mem::take(self) {
            Self::Sending(sending) => Some(sending),
            Self::Resting => None,
        }
    }

    // --- handle ---

    /// `None`: the input is about nothing here.
    pub(in crate::engine) fn handle(&mut self, cx: &mut Context<'_>, input: Input<'_>) -> Option<Sent> {
        let Self::Sending(sending) = self else {
            return None;
        };
        if !sending.attempt.is_about(&input) {
            return None;
        }
        let receipt = match sending.attempt.handle(cx, input) {
            Step::Nothing | Step::Progress | Step::Notice(_) => return Some(Sent::Nothing),
            Step::Answered(answer) => {
                // Nothing of it is for the product.
                cx.queue.abandon(answer.exchange, Ending::Unchanged);
                let (reports, left) = (answer.acknowledged, answer.unacknowledged);
                Receipt::Acknowledged { link: answer.link, reports, left, drain: answer.drain }
            }
            Step::Declined { status, drain } => Receipt::Declined { status, drain },
            Step::Failed { failure, drain } => Receipt::Failed { failure, drain },
        };
        Some(self.take().map_or(Sent::Nothing, |sending| Sent::Over(sending, receipt)))
    }

    /// If it took too long: what was sent, and how its end is called, unless it goes on by another way.
    pub(in crate::engine) fn expire(&mut self, cx: &mut Context<'_>) -> Option<(Box<Sending>, Failure)> {
        let Self::Sending(sending) = self else {
            return None;
        };
        if sending.attempt.limit(&cx.tuning.attachment).0 > cx.now {
            return None;
        }
        let failure = sending.attempt.expire(cx)?;
        self.take().map(|sending| (sending, failure))
    }
}
