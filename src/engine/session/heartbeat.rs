//! The heartbeat: the exchange that shows whether the server in use is there.
//!
//! It talks on the kept link where there is one. While an answer is awaited it may fall into *doubt*: without a sign of
//! life for too long others are tried beside it, and its attempt becomes a part of that search.

use std::time::Duration;

use super::attempt::Attempt;
use super::link::Link;
use super::patience::FirstBytes;
use super::step::{Answer, Step};
use crate::engine::context::Context;
use crate::engine::owners::Owner;
use crate::engine::tuning::attachment::Tuning;
use crate::engine::{Ending, Input, Reason};
use crate::types::{Cause, Failure, FailureClass, Moment, SettingsId};

/// See the module.
#[derive(Debug)]
pub(in crate::engine) struct Heartbeat {
    /// The connection kept for the next exchange.
    link: Option<Link>,
    exchange: Option<Exchange>,
    /// The next exchange comes at this time, and not before. Moving elsewhere does not wait for it.
    again: Option<Again>,
    /// One fell due while another server was tried.
    is_owed: bool,
    patience: FirstBytes,
    /// The exchange under way asks on a fresh link whether another server answers that does not drain.
    is_fresh_look: bool,
}

#[derive(Debug)]
struct Exchange {
    attempt: Attempt,
    which: Try,
    /// Others could not be tried beside it: its own limits decide.
    is_doubted: bool,
}

/// Which exchange this is after a connection broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Try {
    First,
    /// The one fresh link the server is given.
    FreshLink,
}

/// The same server once more, on a fresh link.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct Again {
    pub(in crate::engine) at: Moment,
    pub(in crate::engine) which: Try,
}

/// What an input said of the exchange. Unless it goes on, it is over.
#[derive(Debug)]
pub(in crate::engine) enum Heard<'a> {
    Nothing,
    /// A connection stands, after this long.
    Connected {
        time: Duration,
    },
    Answered(Answer<'a>),
    /// The kept link was closed before a word was said on it. The exchange is to be made on a fresh one.
    Stale {
        drain: Option<Duration>,
    },
    Failed {
        failure: Failure,
        drain: Option<Duration>,
        which: Try,
        /// The request was out.
        was_asked: bool,
    },
}

impl Heartbeat {
    /// The agent has just attached: the attach was the first exchange.
    pub(in crate::engine) fn new(cx: &mut Context<'_>, link: Option<Link>, first_byte: Duration) -> Self {
        let mut heartbeat = Self {
            link: None,
            exchange: None,
            again: None,
            is_owed: false,
            patience: FirstBytes::default(),
            is_fresh_look: false,
        };
        heartbeat.answered(cx, link, first_byte);
        heartbeat
    }

    // --- getters ---

    pub(in crate::engine) fn link(&self) -> Option<Link> {
        self.link
    }

    pub(in crate::engine) fn is_under_way(&self) -> bool {
        self.exchange.is_some()
    }

    pub(in crate::engine) fn again(&self) -> Option<Again> {
        self.again
    }

    /// When it has taken too long, or others are tried beside it. `stagger` is how long a connection may take before that.
    pub(in crate::engine) fn limit(
        &self,
        stagger: impl FnOnce() -> Duration,
        tuning: &Tuning,
    ) -> Option<Moment> {
        let limit = self.exchange.as_ref()?.attempt.limit(tuning).0;
        Some(self.doubt_at(stagger, tuning).map_or(limit, |(doubt, _)| doubt.min(limit)))
    }

    /// When it has gone without a sign of life for so long that others are tried beside it, and why.
    pub(in crate::engine) fn doubt_at(
        &self,
        stagger: impl FnOnce() -> Duration,
        tuning: &Tuning,
    ) -> Option<(Moment, Reason)> {
        let doubtable = |exchange: &&Exchange| !exchange.is_doubted && !exchange.attempt.has_spare();
        let Exchange { attempt, .. } = self.exchange.as_ref().filter(doubtable)?;
        let silent = attempt.unanswered_since().map(|since| since + self.patience.limit(tuning));
        let fresh = attempt.fresh_until(tuning);
        match (silent, fresh) {
            (Some(silent), fresh) => Some((silent.max(fresh.unwrap_or_default()), Reason::ServerSilent)),
            (None, None) => Some((attempt.started + stagger(), Reason::ServerSlow)),
            // Once an answer has begun, only its own limit ends it.
            (None, Some(_)) if attempt.is_answering() => None,
            (None, Some(fresh)) => Some((fresh, Reason::ServerSlow)),
        }
    }

    pub(in crate::engine) fn refers_to(&self, settings: SettingsId) -> bool {
        self.exchange.as_ref().is_some_and(|exchange| exchange.attempt.refers_to(settings))
    }

    // --- commands ---

    /// The next exchange comes then, and not before.
    pub(in crate::engine) fn plan(&mut self, at: Moment, which: Try) {
        self.again = Some(Again { at, which });
    }

    /// One fell due that has to wait for something else to end.
    pub(in crate::engine) fn owe(&mut self) {
        self.is_owed = true;
    }

    /// Whether one fell due meanwhile.
    pub(in crate::engine) fn take_owed(&mut self) -> bool {
        std::mem::take(&mut self.is_owed)
    }

    /// The link the next exchange may begin on; what was planned is this one.
    pub(in crate::engine) fn take_link(&mut self) -> Option<Link> {
        self.again = None;
        self.link.take()
    }

    /// The kept link, for another request that gives it back.
    pub(in crate::engine) fn lend_link(&mut self) -> Option<Link> {
        if self.is_under_way() { None } else { self.link.take() }
    }

    /// A link that was lent, or made for another request, may serve the next exchange.
    pub(in crate::engine) fn give_back(&mut self, cx: &mut Context<'_>, link: Link) {
        if self.link.is_some() || self.is_under_way() {
            return cx.queue.close(link.id, Ending::Idle);
        }
        cx.queue.hand_over(link.id.0, Owner::Heartbeat);
        self.link = Some(link);
    }

    pub(in crate::engine) fn begin(&mut self, attempt: Attempt, which: Try) {
        self.exchange = Some(Exchange { attempt, which, is_doubted: false });
    }

    /// The next exchange is made on a fresh link, and says whether another server answers there.
    pub(in crate::engine) fn look_afresh(&mut self, cx: &mut Context<'_>) {
        self.is_fresh_look = true;
        self.close_link(cx, Ending::Moved);
    }

    /// Whether the exchange that ended was to say whether another server answers.
    pub(in crate::engine) fn take_fresh_look(&mut self) -> bool {
        std::mem::take(&mut self.is_fresh_look)
    }

    /// An exchange with the server succeeded, its own or one of a search.
    pub(in crate::engine) fn answered(
        &mut self,
        cx: &mut Context<'_>,
        link: Option<Link>,
        first_byte: Duration,
    ) {
        if let Some(link) = link {
            cx.queue.hand_over(link.id.0, Owner::Heartbeat);
        }
        // One that was given back meanwhile.
        if let Some(other) = std::mem::replace(&mut self.link, link) {
            cx.queue.close(other.id, Ending::Idle);
        }
        self.patience.record(first_byte);
    }

    /// No other server is left to try.
    pub(in crate::engine) fn doubt(&mut self) {
        if let Some(exchange) = &mut self.exchange {
            exchange.is_doubted = true;
        }
    }

    /// The exchange goes on in other hands.
    pub(in crate::engine) fn hand_over(&mut self, cx: &mut Context<'_>, to: Owner) -> Option<Attempt> {
        let mut attempt = self.exchange.take()?.attempt;
        attempt.hand_over(cx, to);
        Some(attempt)
    }

    /// The same, if a request is out.
    pub(in crate::engine) fn hand_exchange_over(
        &mut self,
        cx: &mut Context<'_>,
        to: Owner,
    ) -> Option<Attempt> {
        self.exchange.as_ref().filter(|exchange| exchange.attempt.is_exchanging())?;
        self.hand_over(cx, to)
    }

    /// A floor was heard: what has not asked yet stops for it. Whether it did.
    pub(in crate::engine) fn stop_unless_asked(&mut self, cx: &mut Context<'_>) -> bool {
        let stops = self.exchange.as_mut().is_some_and(|exchange| exchange.attempt.heed_floor());
        if stops {
            self.give_up_exchange(cx, Ending::Failed);
        }
        stops
    }

    /// The settings changed; the attempt under way is told what the server is now.
    pub(in crate::engine) fn attempt_mut(&mut self) -> Option<&mut Attempt> {
        self.exchange.as_mut().map(|exchange| &mut exchange.attempt)
    }

    pub(in crate::engine) fn close_link(&mut self, cx: &mut Context<'_>, reason: Ending) {
        if let Some(link) = self.link.take() {
            cx.queue.close(link.id, reason);
        }
    }

    /// Drops the exchange, and the link with it.
    pub(in crate::engine) fn give_up(&mut self, cx: &mut Context<'_>, reason: Ending) {
        self.give_up_exchange(cx, reason);
        self.close_link(cx, reason);
        self.is_owed = false;
    }

    // --- handle ---

    /// The kept link is gone between exchanges: no server is charged, and the next exchange dials anew. How it went, if this
    /// is what the input says.
    pub(in crate::engine) fn link_lost(&mut self, input: &Input<'_>) -> Option<Failure> {
        let Input::Lost { link, failure } = input else {
            return None;
        };
        self.link.take_if(|kept| kept.id == *link).map(|_| failure.clone())
    }

    /// `None`: the input is about nothing here.
    pub(in crate::engine) fn handle<'a>(
        &mut self,
        cx: &mut Context<'_>,
        input: Input<'a>,
    ) -> Option<Heard<'a>> {
        let exchange = self.exchange.as_mut().filter(|exchange| exchange.attempt.is_about(&input))?;
        let (which, attempt) = (exchange.which, &mut exchange.attempt);
        let connected = matches!(input, Input::Connected { .. });
        let was_answering = attempt.is_answering();
        let was_asked = attempt.is_exchanging();
        Some(match attempt.handle(cx, input) {
            Step::Progress if connected => {
                Heard::Connected { time: attempt.connect_time.unwrap_or_default() }
            }
            Step::Nothing | Step::Progress | Step::Notice(_) => Heard::Nothing,
            Step::Answered(answer) => {
                self.exchange = None;
                self.answered(cx, Some(answer.link), answer.first_byte);
                Heard::Answered(answer)
            }
            Step::Declined { status, drain } => {
                self.exchange = None;
                let failure = Cause::NotAManager { status }.into();
                Heard::Failed { failure, drain, which, was_asked: false }
            }
            Step::Failed { failure, drain } => {
                // A kept link that breaks before any answer was closed before we spoke: it says nothing of the server.
                let stale = attempt.reused && !was_answering && is_broken(failure.class());
                self.exchange = None;
                if stale {
                    Heard::Stale { drain }
                } else {
                    Heard::Failed { failure, drain, which, was_asked }
                }
            }
        })
    }

    /// It took too long: how that is called, unless it goes on by another way.
    pub(in crate::engine) fn expire(&mut self, cx: &mut Context<'_>) -> Option<(Failure, Try)> {
        let tuning = &cx.tuning.attachment;
        let exchange =
            self.exchange.as_mut().filter(|exchange| exchange.attempt.limit(tuning).0 <= cx.now)?;
        let failure = exchange.attempt.expire(cx)?;
        let which = exchange.which;
        self.exchange = None;
        Some((failure, which))
    }

    // --- helpers ---

    fn give_up_exchange(&mut self, cx: &mut Context<'_>, reason: Ending) {
        if let Some(mut exchange) = self.exchange.take() {
            exchange.attempt.give_up(cx, reason);
        }
    }
}

fn is_broken(class: FailureClass) -> bool {
    matches!(class, FailureClass::Broken | FailureClass::ClosedIdle)
}
