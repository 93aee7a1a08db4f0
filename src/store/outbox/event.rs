//! What an outbox has to tell the product.

use std::collections::VecDeque;

use crate::types::{Lane, ReportId};

/// Something the product should know about its outbox. [`Outbox::poll_event`](super::Outbox::poll_event) gives them out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutboxEvent {
    /// 90 % of the lane's bytes are in use. Told again only after the lane fell below 80 %.
    NearlyFull {
        /// Which lane.
        lane: Lane,
    },
    /// A report was dropped, or refused in the critical lane, because the lane is full. Told again only after the lane fell below 80 %.
    Full {
        /// Which lane.
        lane: Lane,
    },
    /// The lane fell below 80 % after it was nearly full or full.
    Relieved {
        /// Which lane.
        lane: Lane,
    },
    /// The folder cannot be used. Reports wait in memory, and a durable submit is an error, until [`Stored`](Self::Stored).
    NotStored {
        /// What is the matter, and what to do about it.
        problem: String,
    },
    /// The folder is used again, and what waited in memory is on the disk.
    Stored,
    /// Reports could not be read from the disk, and are dropped.
    Damaged {
        /// Which lane.
        lane: Lane,
        /// How many, as far as that can be told; at least this many.
        reports: u64,
    },
    /// A file of the folder is not used, or not now: it is damaged, of another version, cannot be read, or something removed it. The
    /// problem says whether it was renamed, stays or is tried again.
    SetAside {
        /// Its name before.
        file: String,
        /// What is the matter with it.
        problem: String,
    },
    /// A server refused this report as too large although it was alone. It is dropped.
    TooLarge {
        /// Its name.
        id: ReportId,
        /// Bytes of its body.
        bytes: usize,
    },
    /// A server refused this report alone, again and again, and took the one behind it. It is dropped.
    NotTaken {
        /// Its name.
        id: ReportId,
        /// Bytes of its body.
        bytes: usize,
        /// How often it was refused in a row.
        refusals: u32,
    },
}

/// Events that wait for the product.
#[derive(Debug, Default)]
pub(super) struct Events(VecDeque<OutboxEvent>);

impl Events {
    /// A product that never asks costs no more memory than this many.
    const MOST: usize = 64;

    /// The oldest goes when there are too many.
    pub(super) fn push(&mut self, event: OutboxEvent) {
        if self.0.len() == Self::MOST {
            self.0.pop_front();
        }
        self.0.push_back(event);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn pop(&mut self) -> Option<OutboxEvent> {
        self.0.pop_front()
    }
}

/// How full a lane is, told when it changes and not while it trembles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ladder {
    #[default]
    Low,
    NearlyFull,
    Full,
}

impl Ladder {
    /// What to tell when this much of that many bytes is in use; `overflows`: something had to give way.
    pub(super) fn step(&mut self, lane: Lane, used: u64, most: u64, overflows: bool) -> Option<OutboxEvent> {
        // In tenths. The numbers are at most 4 GiB.
        let is_nearly_full = used.saturating_mul(10) >= most.saturating_mul(9);
        let is_relieved = used.saturating_mul(10) < most.saturating_mul(8);
        let next = match *self {
            Self::Low | Self::NearlyFull if overflows => Self::Full,
            Self::Full | Self::NearlyFull if is_relieved && !overflows => Self::Low,
            Self::Low if is_nearly_full => Self::NearlyFull,
            Self::Low | Self::NearlyFull | Self::Full => *self,
        };
        if next == *self {
            return None;
        }
        *self = next;
        Some(match next {
            Self::Low => OutboxEvent::Relieved { lane },
            Self::NearlyFull => OutboxEvent::NearlyFull { lane },
            Self::Full => OutboxEvent::Full { lane },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ladder_tells_each_step_once_until_the_lane_was_relieved() {
        let lane = Lane::Log;
        let mut ladder = Ladder::default();
        let mut told = Vec::new();
        let story = [
            (89, false),
            (90, false),
            (89, false),
            (91, false),
            (100, true),
            (95, true),
            (80, false),
            (79, false),
        ];
        for (used, overflows) in story.into_iter().chain([(90, false), (79, false), (100, true)]) {
            told.extend(ladder.step(lane, used, 100, overflows));
        }
        let (nearly, full) = (OutboxEvent::NearlyFull { lane }, OutboxEvent::Full { lane });
        let relieved = OutboxEvent::Relieved { lane };
        assert_eq!(told, [nearly.clone(), full.clone(), relieved.clone(), nearly, relieved, full]);
    }

    #[test]
    fn events_that_nothing_fetches_are_bounded() {
        let mut events = Events::default();
        (0..1000).for_each(|reports| events.push(OutboxEvent::Damaged { lane: Lane::Log, reports }));
        assert_eq!(events.0.len(), Events::MOST);
        assert_eq!(events.pop(), Some(OutboxEvent::Damaged { lane: Lane::Log, reports: 936 }));
    }
}
