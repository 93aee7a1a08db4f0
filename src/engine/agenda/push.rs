//! The event stream of push mode, as far as the engine sees it: wanted, open, or not to be had.

use crate::engine::context::Context;
use crate::words::Moment;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Push {
    stream: Stream,
    /// How often in a row the stream could not be opened or did not last.
    failures: u8,
}

#[derive(Clone, Copy, Debug, Default)]
enum Stream {
    /// A success with the server in use comes first.
    #[default]
    Resting,
    /// Opened as soon as possible.
    Wanted {
        at: Moment,
    },
    /// Being opened.
    Opening,
    Open {
        since: Moment,
    },
    /// Not to be had for now; pull does the same, later.
    FallenBack {
        until: Moment,
    },
}

impl Push {
    pub(super) fn deadline(&self) -> Option<Moment> {
        match self.stream {
            Stream::Wanted { at } => Some(at),
            Stream::Resting | Stream::Opening | Stream::Open { .. } | Stream::FallenBack { .. } => None,
        }
    }

    /// An exchange with the server in use succeeded: the stream may be opened.
    pub(super) fn want(&mut self, now: Moment) {
        match self.stream {
            Stream::Resting => self.stream = Stream::Wanted { at: now },
            // Asked again with the first heartbeat after its time, which needs no wake-up of its own.
            Stream::FallenBack { until } if until <= now => self.stream = Stream::Wanted { at: now },
            Stream::Wanted { .. } | Stream::Opening | Stream::Open { .. } | Stream::FallenBack { .. } => {}
        }
    }

    pub(super) fn take_due(&mut self, now: Moment) -> bool {
        let due = matches!(self.stream, Stream::Wanted { at } if at <= now);
        if due {
            self.stream = Stream::Opening;
        }
        due
    }

    pub(super) fn opened(&mut self, now: Moment) {
        self.stream = Stream::Open { since: now };
    }

    /// The stream ended. A first loss is nothing; a stream that cannot be had, or never lasts, is left
    /// alone for ever longer.
    pub(super) fn lost(&mut self, cx: &Context<'_>) {
        let tuning = &cx.tuning.agenda;
        if let Stream::Open { since } = self.stream
            && cx.now.since(since) >= tuning.push_lasting
        {
            self.failures = 0;
        }
        self.failures = self.failures.saturating_add(1);
        self.stream = match self.failures {
            1 => Stream::Resting,
            often => {
                let wait = (tuning.push_lasting * (1 << often.min(8))).min(tuning.push_retry);
                Stream::FallenBack { until: cx.now + wait }
            }
        };
    }

    /// The agent is attached to nobody, or to somebody new, or its links are stale: everything begins anew.
    pub(super) fn rest(&mut self) {
        *self = Self::default();
    }

    pub(super) fn declined(&mut self, cx: &Context<'_>) {
        self.stream = Stream::FallenBack { until: cx.now + cx.tuning.agenda.push_retry };
    }
}
