//! The calls of the product: those that wait, those that are under way, and links that wait for the next.

use std::collections::VecDeque;

use crate::engine::context::Context;
use crate::engine::guard::Guard;
use crate::engine::session::{Calling, Link};
use crate::engine::tuning::attachment::Tuning;
use crate::engine::{Ending, Input};
use crate::types::{CallId, CertificatePolicyId, Failure, Moment, Repeat, SettingsId};

/// Calls that wait. More are refused by the driver, and by the engine.
pub(super) const MOST_WAITING: usize = 64;

/// Calls under way at the same time.
pub(super) const MOST_UNDER_WAY: usize = 4;

/// Both together.
#[cfg(feature = "client")]
pub(crate) const MOST_CALLS: usize = MOST_WAITING + MOST_UNDER_WAY;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Calls {
    pub(super) waiting: VecDeque<Waiting>,
    pub(super) under_way: Vec<Calling>,
    /// Links that were made for calls to the server in use, and that the next call may take.
    pub(super) kept: Vec<Kept>,
    /// Nothing is begun before: the server in use asks for patience, or the guard is closed.
    pub(super) begins_at: Option<Moment>,
    /// When the next heartbeat is due.
    pub(super) next_beat: Moment,
    /// Counts what is dialled for calls, so that they cost no heartbeat its dial.
    pub(super) guard: Guard,
    /// A call that breaks makes no heartbeat before.
    pub(super) doubts_at: Moment,
}

/// A link that has carried a call.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) link: Link,
    /// As it was dialled under.
    pub(super) policy: CertificatePolicyId,
    pub(super) until: Moment,
}

/// A call that waits for a server.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) call: CallId,
    pub(super) until: Moment,
    pub(super) repeat: Repeat,
    /// The server that it has failed on already, and how.
    pub(super) failed: Option<(usize, Failure)>,
}

impl Calls {
    /// Whether nothing waits, is under way or is kept.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.under_way.is_empty() && self.kept.is_empty()
    }

    /// Whether a handshake for a call may be under way under a policy of these settings.
    pub(super) fn refers_to(&self, settings: SettingsId) -> bool {
        self.under_way.iter().any(|calling| calling.refers_to(settings))
    }

    /// When a call begins, or has taken too long, or a link is closed.
    pub(super) fn deadline(&self, may_begin: bool, now: Moment, tuning: &Tuning) -> Option<Moment> {
        let over = self.waiting.iter().map(|waiting| waiting.until).min();
        let ends = self.under_way.iter().map(|calling| calling.deadline(tuning)).min();
        let is_free = may_begin && self.under_way.len() < MOST_UNDER_WAY && !self.waiting.is_empty();
        let begins = is_free.then(|| self.begins_at.unwrap_or(now));
        let closes = self.kept.iter().map(|kept| kept.until).min();
        [over, ends, begins, closes].into_iter().flatten().min()
    }

    /// A link that waits for a call to the server in use under this policy.
    pub(super) fn take_link(&mut self, cx: &mut Context<'_>, policy: CertificatePolicyId) -> Option<Link> {
        while let Some(kept) = self.kept.pop() {
            if kept.policy == policy && !kept.link.has_ended(cx.now) {
                return Some(kept.link);
            }
            cx.queue.close(kept.link.id, Ending::Replaced);
        }
        None
    }

    /// Whether a link that waits for a call is lost.
    pub(super) fn has_lost(&mut self, input: &Input<'_>) -> bool {
        let before = self.kept.len();
        self.kept.retain(|kept| !matches!(input, Input::Lost { link, .. } if *link == kept.link.id));
        self.kept.len() < before
    }

    /// The first that may be said to this server.
    pub(super) fn next_for(&self, record: usize) -> Option<usize> {
        self.waiting
            .iter()
            .position(|waiting| waiting.failed.as_ref().is_none_or(|(failed, _)| *failed != record))
    }
}
