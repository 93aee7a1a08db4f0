//! The settings and the policy: documents that are read when the server names another than the agent has.
//!
//! They are read after a heartbeat, one after the other, on the kept link when that is free. A read that fails says nothing
//! of the server, and is made again after the next heartbeat; an answer of any kind ends it until the server names another
//! tag.

use std::time::Duration;

use super::attempt::Attempt;
use super::link::Link;
use super::step::Step;
use crate::engine::context::Context;
use crate::engine::tuning::attachment::Tuning;
use crate::engine::{Ending, Input};
use crate::types::{ExchangeId, Failure, Moment, NOT_MODIFIED, SettingsId};

/// What is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Document {
    Settings,
    Policy,
}

/// See the module.
#[derive(Debug, Default)]
pub(in crate::engine) struct Reader {
    /// `None`: nothing is wanted, and nothing is being read.
    desk: Option<Box<Desk>>,
}

/// What is wanted, and what is being read.
#[derive(Debug, Default)]
struct Desk {
    wants_settings: bool,
    wants_policy: bool,
    /// When what is wanted is read.
    at: Moment,
    reading: Option<(Document, Attempt)>,
}

/// What an input said of a read. Unless it goes on, it is over.
#[derive(Debug)]
pub(in crate::engine) enum Read<'a> {
    Nothing,
    /// An answer came, and its link stands.
    Answered {
        exchange: ExchangeId,
        link: Link,
        /// 304: the agent has it already.
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

impl Reader {
    // --- getters ---

    /// The document to be read now.
    pub(in crate::engine) fn due(&self, now: Moment) -> Option<Document> {
        let desk = self.desk.as_ref()?;
        desk.wanted().filter(|_| desk.at <= now)
    }

    /// Whether a read is under way.
    pub(in crate::engine) fn is_reading(&self) -> bool {
        self.attempt().is_some()
    }

    /// When a read begins, or has taken too long.
    pub(in crate::engine) fn deadline(&self, tuning: &Tuning) -> Option<Moment> {
        let desk = self.desk.as_ref()?;
        match &desk.reading {
            Some((_, attempt)) => Some(attempt.limit(tuning).0),
            None => desk.wanted().map(|_| desk.at),
        }
    }

    pub(in crate::engine) fn refers_to(&self, settings: SettingsId) -> bool {
        self.attempt().is_some_and(|attempt| attempt.refers_to(settings))
    }

    // --- commands ---

    /// The server names another document of this kind than the agent has. An instant that was drawn stays: to hear of it
    /// once more makes no agent come sooner.
    pub(in crate::engine) fn want(&mut self, at: Moment, document: Document) {
        let desk = self.desk.get_or_insert_default();
        if desk.reading.as_ref().is_some_and(|(reading, _)| *reading == document) {
            return;
        }
        if desk.wanted().is_none() {
            desk.at = at;
        }
        *desk.wants(document) = true;
    }

    pub(in crate::engine) fn begin(&mut self, document: Document, attempt: Attempt) {
        let desk = self.desk.get_or_insert_default();
        *desk.wants(document) = false;
        desk.reading = Some((document, attempt));
    }

    /// What is wanted has to wait for the next heartbeat.
    pub(in crate::engine) fn put_off(&mut self) {
        self.desk = self.desk.take().filter(|desk| desk.reading.is_some());
        if let Some(desk) = &mut self.desk {
            (desk.wants_settings, desk.wants_policy) = (false, false);
        }
    }

    /// A floor was heard: what has not asked yet stops for it.
    pub(in crate::engine) fn stop_unless_asked(&mut self, cx: &mut Context<'_>) {
        if self.attempt().is_some_and(|attempt| !attempt.is_exchanging()) {
            self.give_up(cx, Ending::Failed);
        }
    }

    pub(in crate::engine) fn give_up(&mut self, cx: &mut Context<'_>, reason: Ending) {
        if let Some((_, mut attempt)) = self.desk.take().and_then(|desk| desk.reading) {
            attempt.give_up(cx, reason);
        }
    }

    pub(in crate::engine) fn attempt_mut(&mut self) -> Option<&mut Attempt> {
        self.desk.as_mut()?.reading.as_mut().map(|(_, attempt)| attempt)
    }

    // --- handle ---

    /// `None`: the input is about nothing here.
    pub(in crate::engine) fn handle<'a>(
        &mut self,
        cx: &mut Context<'_>,
        input: Input<'a>,
    ) -> Option<(Document, Read<'a>)> {
        let (document, attempt) = self.desk.as_mut()?.reading.as_mut()?;
        if !attempt.is_about(&input) {
            return None;
        }
        let document = *document;
        let read = match attempt.handle(cx, input) {
            Step::Nothing | Step::Progress | Step::Notice(_) => return Some((document, Read::Nothing)),
            Step::Answered(answer) => Read::Answered {
                exchange: answer.exchange,
                link: answer.link,
                unchanged: answer.status == NOT_MODIFIED,
                tag: match document {
                    Document::Settings => answer.settings,
                    Document::Policy => answer.policy,
                },
                drain: answer.drain,
            },
            Step::Declined { status, drain } => Read::Declined { status, drain },
            Step::Failed { failure, drain } => Read::Failed { failure, drain },
        };
        self.is_over();
        Some((document, read))
    }

    /// A read took too long: how that is called, unless it goes on by another way.
    pub(in crate::engine) fn expire(&mut self, cx: &mut Context<'_>) -> Option<(Document, Failure)> {
        let (document, attempt) = self.desk.as_mut()?.reading.as_mut()?;
        if attempt.limit(&cx.tuning.attachment).0 > cx.now {
            return None;
        }
        let document = *document;
        let failure = attempt.expire(cx)?;
        self.is_over();
        Some((document, failure))
    }

    // --- helpers ---

    fn attempt(&self) -> Option<&Attempt> {
        self.desk.as_ref()?.reading.as_ref().map(|(_, attempt)| attempt)
    }

    /// The read is over. What else is wanted is next.
    fn is_over(&mut self) {
        if let Some(desk) = &mut self.desk {
            desk.reading = None;
        }
        self.desk = self.desk.take().filter(|desk| desk.wanted().is_some());
    }
}

impl Desk {
    /// The document to be read next, if none is being read.
    fn wanted(&self) -> Option<Document> {
        match (&self.reading, self.wants_settings, self.wants_policy) {
            (None, true, _) => Some(Document::Settings),
            (None, false, true) => Some(Document::Policy),
            (None, false, false) | (Some(_), _, _) => None,
        }
    }

    fn wants(&mut self, document: Document) -> &mut bool {
        match document {
            Document::Settings => &mut self.wants_settings,
            Document::Policy => &mut self.wants_policy,
        }
    }
}
