//! What the server tells by itself: an event stream, or polls that stand in for it.
//!
//! ```text
//!  Resting ── a heartbeat succeeded ──► Wanted ──► Opening ── hello ──► Open ── lost ──► Resting
//!                                         ▲                              │
//!                                         └───────── Pausing ◄── a poll was answered
//! ```
//! It has a link of its own, and it does not decide about the server: when only the stream dies, a fresh heartbeat gives
//! the second opinion. It is opened after a heartbeat has succeeded. Whether it is a stream or polls, and for how long it
//! may be silent, says the [`Ladder`] of the way to this server.

use std::time::Duration;

use super::attempt::Attempt;
use super::ladder::{Fall, Ladder};
use super::link::Link;
use super::step::{Answer, Step};
use crate::engine::context::Context;
use crate::engine::{Ending, Input, Rung, Tuning};
use crate::types::{Cause, Failure, Listening, Moment, News, Proof, Request, Route, SettingsId};

/// See the module.
#[derive(Debug)]
pub(in crate::engine) struct Stream {
    /// What is known of the way to the server.
    pub(in crate::engine) ladder: Ladder,
    /// Which way that is.
    pub(in crate::engine) route: Route,
    state: State,
    /// A link that stands and is for nothing else.
    link: Option<Link>,
    /// When it was last begun.
    begun: Moment,
    /// The application knows that the server is listened to.
    is_known: bool,
    /// Only what waits is asked for, once; then nothing is listened to.
    once: bool,
}

#[derive(Debug)]
enum State {
    /// A heartbeat with the server comes first.
    Resting,
    /// Begun as soon as possible.
    Wanted {
        at: Moment,
    },
    Opening(Box<Attempt>),
    Open {
        attempt: Box<Attempt>,
        since: Moment,
        /// When something last came.
        heard: Moment,
    },
    /// A poll was answered, and the next one follows.
    Pausing {
        until: Moment,
    },
}

/// What an input, or the time, did to the stream.
#[derive(Debug)]
pub(in crate::engine) enum Streamed<'a> {
    Nothing,
    /// The server is listened to, which the application does not know yet.
    Opened(Rung),
    /// Something was said.
    Told(News<'a>),
    /// A poll was answered.
    Answered {
        drain: Option<Duration>,
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
    /// It had been open, and a heartbeat has to say whether the server is there.
    pub(in crate::engine) was_open: bool,
}

impl Stream {
    pub(in crate::engine) fn new(ladder: Ladder, route: Route) -> Self {
        let (state, begun) = (State::Resting, Moment::ORIGIN);
        Self { ladder, route, state, link: None, begun, is_known: false, once: false }
    }

    /// One that asks for what waits, and ends.
    pub(in crate::engine) fn once(ladder: Ladder, route: Route, now: Moment) -> Self {
        Self { state: State::Wanted { at: now }, once: true, ..Self::new(ladder, route) }
    }

    // --- getters ---

    /// When it is begun, has been silent for too long, or is to learn to be silent for longer.
    pub(in crate::engine) fn deadline(&self, tuning: &Tuning) -> Option<Moment> {
        match &self.state {
            State::Resting => None,
            State::Wanted { at } | State::Pausing { until: at } => Some(*at),
            State::Opening(attempt) => Some(attempt.limit(&tuning.attachment).0),
            State::Open { attempt, .. } if is_poll(&attempt.request) => {
                Some(attempt.limit(&tuning.attachment).0)
            }
            State::Open { attempt, heard, .. } => {
                let silent = *heard + self.ladder.allowed(&tuning.schedule);
                let ends = attempt.link().map_or(silent, |link| link.ends_at.min(silent));
                Some(self.ladder.grows_at(&tuning.schedule).map_or(ends, |grows| grows.min(ends)))
            }
        }
    }

    /// What the server is to be asked now, if it is to be asked.
    pub(in crate::engine) fn due(&self, now: Moment, tuning: &Tuning) -> Option<Request> {
        let (State::Wanted { at } | State::Pausing { until: at }) = self.state else {
            return None;
        };
        let listening = match self.ladder.rung(now) {
            _ if at > now => return None,
            _ if self.once => Listening::Poll { wait: Duration::ZERO },
            Rung::Stream => Listening::Stream { silence: self.ladder.silence() },
            Rung::Poll => Listening::Poll { wait: self.ladder.wait(&tuning.schedule) },
            Rung::Pull => return None,
        };
        Some(Request::Listen(listening))
    }

    /// Whether it asks for what waits, and ends.
    pub(in crate::engine) fn is_once(&self) -> bool {
        self.once
    }

    /// Whether it has nothing more to do.
    pub(in crate::engine) fn is_over(&self) -> bool {
        self.once && matches!(self.state, State::Resting)
    }

    /// The link of a stream that is open.
    pub(in crate::engine) fn open_link(&self) -> Option<Link> {
        match &self.state {
            State::Open { attempt, .. } if !is_poll(&attempt.request) => attempt.link(),
            State::Open { .. }
            | State::Resting
            | State::Wanted { .. }
            | State::Opening(_)
            | State::Pausing { .. } => None,
        }
    }

    /// What the server has proved on the connection on which it is listened to.
    pub(in crate::engine) fn proof(&self) -> Option<Proof> {
        self.attempt()?.link().map(|link| link.proof)
    }

    pub(in crate::engine) fn refers_to(&self, settings: SettingsId) -> bool {
        self.attempt().is_some_and(|attempt| attempt.refers_to(settings))
    }

    // --- commands ---

    /// A heartbeat with the server succeeded: it may be listened to.
    pub(in crate::engine) fn want(&mut self, now: Moment) {
        if matches!(self.state, State::Resting) && self.ladder.rung(now) != Rung::Pull {
            self.state = State::Wanted { at: now };
        }
    }

    /// The server has said that something waits. What is listened to anyhow brings it.
    pub(in crate::engine) fn call(&mut self, now: Moment) {
        if matches!(self.state, State::Resting) && self.ladder.rung(now) == Rung::Pull {
            self.state = State::Wanted { at: now };
            self.once = true;
        }
    }

    /// Takes over a link that nothing else needs, if it is about to begin and has none. Whether it does.
    pub(in crate::engine) fn takes_over(&mut self, now: Moment, tuning: &Tuning, link: Link) -> bool {
        let takes = self.link.is_none() && self.due(now, tuning).is_some();
        if takes {
            self.link = Some(link);
        }
        takes
    }

    /// The link that it has, to begin on.
    pub(in crate::engine) fn take_link(&mut self) -> Option<Link> {
        self.link.take()
    }

    pub(in crate::engine) fn begin(&mut self, now: Moment, attempt: Attempt) {
        self.begun = now;
        self.state = State::Opening(Box::new(attempt));
    }

    /// It cannot be begun now: the next heartbeat says when.
    pub(in crate::engine) fn put_off(&mut self, cx: &mut Context<'_>) {
        self.give_up(cx, Ending::Failed);
        self.state = State::Resting;
    }

    /// Nothing is asked for now: what was wanted is not.
    pub(in crate::engine) fn rest_if_due(&mut self, cx: &mut Context<'_>) {
        let due = |at: Moment| at <= cx.now;
        if matches!(self.state, State::Wanted { at } | State::Pausing { until: at } if due(at)) {
            self.put_off(cx);
        }
    }

    /// A floor was heard: what has not asked yet stops for it.
    pub(in crate::engine) fn stop_unless_asked(&mut self, cx: &mut Context<'_>) {
        if self.attempt_mut().is_some_and(Attempt::heed_floor) {
            self.put_off(cx);
        }
    }

    /// Links are not worth anything any more: everything begins anew.
    pub(in crate::engine) fn rest(&mut self, cx: &mut Context<'_>, reason: Ending) {
        self.give_up(cx, reason);
        (self.state, self.is_known) = (State::Resting, false);
    }

    pub(in crate::engine) fn give_up(&mut self, cx: &mut Context<'_>, reason: Ending) {
        if let Some(attempt) = self.attempt_mut() {
            attempt.give_up(cx, reason);
        }
        if let Some(link) = self.link.take() {
            cx.queue.close(link.id, reason);
        }
    }

    pub(in crate::engine) fn attempt_mut(&mut self) -> Option<&mut Attempt> {
        match &mut self.state {
            State::Opening(attempt) | State::Open { attempt, .. } => Some(attempt),
            State::Resting | State::Wanted { .. } | State::Pausing { .. } => None,
        }
    }

    // --- handle ---

    /// `None`: the input is about nothing here.
    pub(in crate::engine) fn handle<'a>(
        &mut self,
        cx: &mut Context<'_>,
        input: Input<'a>,
    ) -> Option<Streamed<'a>> {
        if let Input::Lost { link, .. } = &input
            && self.link.is_some_and(|kept| kept.id == *link)
        {
            self.link = None;
            return Some(Streamed::Nothing);
        }
        let attempt = self.attempt_mut().filter(|attempt| attempt.is_about(&input))?;
        Some(match attempt.handle(cx, input) {
            Step::Nothing | Step::Progress => Streamed::Nothing,
            Step::Notice(news) => self.told(cx, news),
            Step::Declined { drain, .. } => {
                self.ladder.declined(&cx.tuning.schedule, cx.now);
                (self.state, self.is_known) = (State::Resting, false);
                Streamed::Declined { drain }
            }
            Step::Answered(answer) => self.answered(cx, answer),
            Step::Failed { failure, drain } => Streamed::Lost(self.lost(cx, Some(failure), drain, false)),
        })
    }

    /// The certificate of an open stream has ended, or that of a link kept for the next poll: it is closed. Whether that was so.
    pub(in crate::engine) fn end_with_certificate(&mut self, cx: &mut Context<'_>) -> bool {
        let kept = self.link.is_some_and(|link| link.has_ended(cx.now));
        let open = self.open_link().is_some_and(|link| link.has_ended(cx.now));
        if kept || open {
            self.rest(cx, Ending::Replaced);
        }
        kept || open
    }

    /// What has taken too long ends, and what has been calm for long learns to be silent for longer.
    pub(in crate::engine) fn expire(&mut self, cx: &mut Context<'_>) -> Streamed<'static> {
        if self.deadline(cx.tuning).is_none_or(|deadline| deadline > cx.now) {
            return Streamed::Nothing;
        }
        let tuning = &cx.tuning.schedule;
        let allowed = self.ladder.allowed(tuning);
        match &mut self.state {
            State::Resting | State::Wanted { .. } | State::Pausing { .. } => Streamed::Nothing,
            State::Opening(attempt) => {
                let (was_asked, poll) = (attempt.is_exchanging(), is_poll(&attempt.request));
                match attempt.expire(cx) {
                    // It goes on by another way.
                    None => Streamed::Nothing,
                    Some(failure) if was_asked && !poll => {
                        self.ladder.held_back(tuning, cx.now);
                        self.state = State::Wanted { at: cx.now };
                        let failure = Some(Failure::noted(failure.cause, "no hello; polls are tried"));
                        Streamed::Lost(Loss { failure, drain: None, was_open: false })
                    }
                    Some(failure) => Streamed::Lost(self.lost(cx, Some(failure), None, was_asked)),
                }
            }
            State::Open { attempt, heard, .. } if is_poll(&attempt.request) || *heard + allowed <= cx.now => {
                attempt.give_up(cx, Ending::Failed);
                let silence = cx.now.since(*heard).as_secs();
                let failure = Failure::noted(Cause::ExchangeTimeout, format!("silent for {silence} s"));
                Streamed::Lost(self.lost(cx, Some(failure), None, true))
            }
            State::Open { attempt, .. } => {
                attempt.give_up(cx, Ending::Idle);
                self.ladder.grow(tuning, cx.now);
                self.state = State::Wanted { at: cx.now };
                Streamed::Nothing
            }
        }
    }

    // --- helpers ---

    /// Until the server says hello, something else may be talking.
    fn told<'a>(&mut self, cx: &Context<'_>, news: News<'a>) -> Streamed<'a> {
        match std::mem::replace(&mut self.state, State::Resting) {
            State::Opening(attempt) if news == News::Hello => {
                let rung = if is_poll(&attempt.request) { Rung::Poll } else { Rung::Stream };
                self.state = State::Open { attempt, since: cx.now, heard: cx.now };
                self.ladder.opened(cx.now);
                let was_known = std::mem::replace(&mut self.is_known, !self.once);
                if was_known || self.once { Streamed::Nothing } else { Streamed::Opened(rung) }
            }
            State::Open { attempt, since, heard } => {
                self.ladder.survives(cx.now.since(heard));
                if cx.now.since(since) >= cx.tuning.schedule.push_lasting {
                    self.ladder.bears();
                }
                self.state = State::Open { attempt, since, heard: cx.now };
                match news {
                    News::Hello | News::KeepAlive => Streamed::Nothing,
                    News::Settings { .. }
                    | News::Policy { .. }
                    | News::Content(_)
                    | News::Command(_)
                    | News::Drain(_) => Streamed::Told(news),
                }
            }
            other @ (State::Resting | State::Wanted { .. } | State::Opening(_) | State::Pausing { .. }) => {
                self.state = other;
                Streamed::Nothing
            }
        }
    }

    fn answered<'a>(&mut self, cx: &mut Context<'_>, answer: Answer<'a>) -> Streamed<'a> {
        cx.queue.abandon(answer.exchange, Ending::Unchanged);
        let (heard, poll) = match &self.state {
            State::Open { attempt, heard, .. } => (Some(*heard), is_poll(&attempt.request)),
            State::Opening(_) | State::Resting | State::Wanted { .. } | State::Pausing { .. } => {
                (None, false)
            }
        };
        let Some(heard) = heard.filter(|_| poll) else {
            cx.queue.close(answer.link.id, Ending::Failed);
            let not_ours =
                || Failure::noted(Cause::NotAManager { status: answer.status }, "it says no hello");
            let failure = heard.is_none().then(not_ours);
            return Streamed::Lost(self.lost(cx, failure, answer.drain, false));
        };
        self.ladder.survives(cx.now.since(heard));
        self.ladder.bears();
        if self.once || self.ladder.rung(cx.now) == Rung::Pull {
            cx.queue.close(answer.link.id, Ending::Idle);
            self.state = State::Resting;
        } else {
            self.link = Some(answer.link);
            self.state = State::Pausing { until: cx.now.max(self.begun + cx.tuning.schedule.poll_gap) };
        }
        Streamed::Answered { drain: answer.drain }
    }

    fn lost(
        &mut self,
        cx: &Context<'_>,
        failure: Option<Failure>,
        drain: Option<Duration>,
        in_silence: bool,
    ) -> Loss {
        let (lasted, silence) = match &self.state {
            State::Open { since, heard, .. } => (Some(cx.now.since(*since)), cx.now.since(*heard)),
            State::Opening(_) | State::Resting | State::Wanted { .. } | State::Pausing { .. } => {
                (None, Duration::ZERO)
            }
        };
        if !self.once {
            self.ladder.lost(&cx.tuning.schedule, cx.now, Fall { lasted, silence, in_silence });
        }
        (self.state, self.is_known) = (State::Resting, false);
        Loss { failure, drain, was_open: lasted.is_some() && !self.once }
    }

    fn attempt(&self) -> Option<&Attempt> {
        match &self.state {
            State::Opening(attempt) | State::Open { attempt, .. } => Some(attempt),
            State::Resting | State::Wanted { .. } | State::Pausing { .. } => None,
        }
    }
}

fn is_poll(request: &Request) -> bool {
    matches!(request, Request::Listen(Listening::Poll { .. }))
}
