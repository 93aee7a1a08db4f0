//! The event stream of push mode: wanted, being opened, open, or not to be had for now.
//!
//! It has a link of its own, and it does not decide about the server: when only the stream dies, a fresh heartbeat gives
//! the second opinion. It is opened after a heartbeat has succeeded.

use std::time::Duration;

use super::attempt::Attempt;
use super::step::Step;
use crate::engine::context::Context;
use crate::engine::tuning::attachment::Tuning;
use crate::engine::{Ending, Input};
use crate::types::{Failure, Moment, News, SettingsId};

/// See the module.
#[derive(Debug, Default)]
pub(in crate::engine) struct Stream {
    state: State,
    /// How often in a row it could not be opened or did not last.
    failures: u8,
}

#[derive(Debug, Default)]
enum State {
    /// A heartbeat with the server comes first.
    #[default]
    Resting,
    /// Opened as soon as possible.
    Wanted {
        at: Moment,
    },
    Opening(Attempt),
    Open {
        attempt: Attempt,
        since: Moment,
    },
    /// Not to be had for now; pull does the same, later.
    FallenBack {
        until: Moment,
    },
}

/// What an input said of the stream.
#[derive(Debug)]
pub(in crate::engine) enum Streamed<'a> {
    Nothing,
    /// The first of these opens it.
    Notice {
        news: News<'a>,
        opened: bool,
    },
    /// The server offers none.
    Declined {
        drain: Option<Duration>,
    },
    /// It is gone.
    Lost(Loss),
}

/// How the stream ended.
#[derive(Debug)]
pub(in crate::engine) struct Loss {
    /// `None`: the server ended it in good order.
    pub(in crate::engine) failure: Option<Failure>,
    pub(in crate::engine) drain: Option<Duration>,
    pub(in crate::engine) was_open: bool,
}

impl Stream {
    // --- getters ---

    /// When it is opened, or opening it has taken too long. An open stream may last for ever.
    pub(in crate::engine) fn deadline(&self, tuning: &Tuning) -> Option<Moment> {
        match &self.state {
            State::Wanted { at } => Some(*at),
            State::Opening(attempt) => Some(attempt.limit(tuning).0),
            State::Resting | State::Open { .. } | State::FallenBack { .. } => None,
        }
    }

    /// Whether it is to be opened now.
    pub(in crate::engine) fn is_due(&self, now: Moment) -> bool {
        matches!(self.state, State::Wanted { at } if at <= now)
    }

    pub(in crate::engine) fn refers_to(&self, settings: SettingsId) -> bool {
        self.attempt().is_some_and(|attempt| attempt.refers_to(settings))
    }

    // --- commands ---

    /// A heartbeat with the server succeeded: the stream may be opened.
    pub(in crate::engine) fn want(&mut self, now: Moment) {
        match self.state {
            State::Resting => self.state = State::Wanted { at: now },
            // Asked again with the first heartbeat after its time, which needs no wake-up of its own.
            State::FallenBack { until } if until <= now => self.state = State::Wanted { at: now },
            State::Wanted { .. } | State::Opening(_) | State::Open { .. } | State::FallenBack { .. } => {}
        }
    }

    pub(in crate::engine) fn open(&mut self, attempt: Attempt) {
        self.state = State::Opening(attempt);
    }

    /// It cannot be opened now, or did not last. A first loss is nothing; a stream that cannot be had, or never lasts, is
    /// left alone for ever longer.
    pub(in crate::engine) fn lose(&mut self, cx: &Context<'_>) {
        let tuning = &cx.tuning.schedule;
        if let State::Open { since, .. } = self.state
            && cx.now.since(since) >= tuning.push_lasting
        {
            self.failures = 0;
        }
        self.failures = self.failures.saturating_add(1);
        self.state = match self.failures {
            1 => State::Resting,
            often => {
                let wait = (tuning.push_lasting * (1 << often.min(8))).min(tuning.push_retry);
                State::FallenBack { until: cx.now + wait }
            }
        };
    }

    /// A floor was heard: what has not asked yet stops for it.
    pub(in crate::engine) fn stop_unless_asked(&mut self, cx: &mut Context<'_>) {
        let waits = self.attempt_mut().is_some_and(Attempt::heed_floor);
        if waits {
            self.give_up(cx, Ending::Failed);
            self.lose(cx);
        }
    }

    /// Links are not worth anything any more: everything begins anew.
    pub(in crate::engine) fn rest(&mut self, cx: &mut Context<'_>, reason: Ending) {
        self.give_up(cx, reason);
        *self = Self::default();
    }

    pub(in crate::engine) fn give_up(&mut self, cx: &mut Context<'_>, reason: Ending) {
        if let Some(attempt) = self.attempt_mut() {
            attempt.give_up(cx, reason);
        }
    }

    pub(in crate::engine) fn attempt_mut(&mut self) -> Option<&mut Attempt> {
        match &mut self.state {
            State::Opening(attempt) | State::Open { attempt, .. } => Some(attempt),
            State::Resting | State::Wanted { .. } | State::FallenBack { .. } => None,
        }
    }

    // --- handle ---

    /// `None`: the input is about nothing here.
    pub(in crate::engine) fn handle<'a>(
        &mut self,
        cx: &mut Context<'_>,
        input: Input<'a>,
    ) -> Option<Streamed<'a>> {
        let was_open = matches!(self.state, State::Open { .. });
        let attempt = self.attempt_mut().filter(|attempt| attempt.is_about(&input))?;
        Some(match attempt.handle(cx, input) {
            Step::Nothing | Step::Progress => Streamed::Nothing,
            Step::Notice(news) => {
                if !was_open {
                    self.opened(cx.now);
                }
                Streamed::Notice { news, opened: !was_open }
            }
            Step::Declined { drain, .. } => {
                self.state = State::FallenBack { until: cx.now + cx.tuning.schedule.push_retry };
                Streamed::Declined { drain }
            }
            Step::Answered(answer) => {
                cx.queue.abandon(answer.exchange, Ending::Failed);
                cx.queue.close(answer.link.id, Ending::Failed);
                self.lose(cx);
                Streamed::Lost(Loss { failure: None, drain: None, was_open })
            }
            Step::Failed { failure, drain } => {
                self.lose(cx);
                Streamed::Lost(Loss { failure: Some(failure), drain, was_open })
            }
        })
    }

    /// Opening it took too long: how that is called, unless it goes on by another way.
    pub(in crate::engine) fn expire(&mut self, cx: &mut Context<'_>) -> Option<Failure> {
        let State::Opening(attempt) = &mut self.state else {
            return None;
        };
        if attempt.limit(&cx.tuning.attachment).0 > cx.now {
            return None;
        }
        let failure = attempt.expire(cx)?;
        self.lose(cx);
        Some(failure)
    }

    // --- helpers ---

    fn opened(&mut self, now: Moment) {
        if let State::Opening(attempt) = &self.state {
            self.state = State::Open { attempt: attempt.clone(), since: now };
        }
    }

    fn attempt(&self) -> Option<&Attempt> {
        match &self.state {
            State::Opening(attempt) | State::Open { attempt, .. } => Some(attempt),
            State::Resting | State::Wanted { .. } | State::FallenBack { .. } => None,
        }
    }
}
