//! Without an outbox nothing waits, and nothing is uploaded.

use std::time::Duration;

use super::asked::Asked;
use crate::client::reports::Reports;
use crate::engine::Event;
use crate::net::protocol::Content;
use crate::platform::Waker;
use crate::types::{Backlog, ExchangeId, Lane, Outcome, Verdict};

/// See the module.
pub(super) struct Uploads;

/// What there is to send.
#[allow(dead_code, reason = "there is never anything")]
pub(super) enum Taken {
    Content(Content),
    Later,
    Nothing,
}

impl Uploads {
    pub(super) fn new(_: &Reports, _: Waker) -> Self {
        Self
    }

    pub(super) fn look(&mut self) -> (Vec<(Lane, Backlog)>, Vec<Event>) {
        (Vec::new(), Vec::new())
    }

    pub(super) fn has_news(&self) -> bool {
        false
    }

    pub(super) fn level(&mut self, _: Lane) -> Backlog {
        Backlog::default()
    }

    pub(super) fn next_tending(&self) -> Option<Duration> {
        None
    }

    pub(super) fn take(&mut self, _: Asked) -> Taken {
        Taken::Nothing
    }

    pub(super) fn read(&mut self) -> Option<(Asked, Taken)> {
        None
    }

    pub(super) fn answered(&mut self, _: ExchangeId, _: &Outcome<'_>, _: Option<u64>) -> Outcome<'static> {
        Verdict::Declined { status: 0 }.into()
    }

    pub(super) fn forget(&mut self, _: ExchangeId) {}

    pub(super) fn learn_applications(&self, _: bool) {}
}
