//! The kept link that an attempt on the same server may fall back upon.
//!
//! A link that is old is not used before its server's name was looked up again. When the name leads elsewhere, the exchange
//! is made on a new link; when it does not, when the look-up fails, or when no new link can be had, on the old one. A
//! failure on the way is told and charged to no server: the old link shows that the server is there.

use super::Attempt;
use crate::engine::context::Context;
use crate::engine::event::Next;
use crate::engine::owners::Owner;
use crate::engine::session::link::Link;
use crate::engine::session::target::Target;
use crate::engine::{Ending, Event};
use crate::types::{Failure, LinkId, Request};

impl Attempt {
    /// Begins with a look whether the server's name still leads to where an old link stands. If not, the exchange is made on
    /// a new one; and on the old one after all if that cannot be had.
    pub(in crate::engine) fn renewing(
        cx: &mut Context<'_>,
        owner: Owner,
        target: Target,
        request: Request,
        old: Link,
    ) -> Self {
        let mut attempt = Self::new(cx.now, owner, target, request);
        attempt.spare = Some(Box::new(old));
        attempt.take_route(cx);
        attempt
    }

    /// Whether there is an old link to fall back upon: then nothing is wrong with the server yet.
    pub(in crate::engine) fn has_spare(&self) -> bool {
        self.spare.is_some()
    }

    pub(super) fn is_spare(&self, link: LinkId) -> bool {
        self.spare.as_ref().is_some_and(|spare| spare.id == link)
    }

    pub(super) fn close_spare(&mut self, cx: &mut Context<'_>, reason: Ending) {
        if let Some(spare) = self.spare.take() {
            cx.queue.close(spare.id, reason);
        }
    }

    /// Makes the exchange on the old link: its name still leads there, or a new one failed, which says nothing of the server.
    pub(super) fn fall_back(&mut self, cx: &mut Context<'_>, failure: Option<Failure>) {
        let Some(spare) = self.spare.take() else {
            return;
        };
        if let Some(failure) = failure {
            cx.emit(Event::attempt_failed(self.target.server.id.clone(), &failure, Next::SameServer));
        }
        (self.started, self.reused) = (cx.now, true);
        (self.connect_time, self.progress) = (None, None);
        let old_at = Link::grows_old_at(cx);
        self.exchange(cx, Link { old_at, ..*spare });
    }
}
