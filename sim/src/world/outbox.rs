//! The outbox of a world: reports that are all alike, and how servers take them.

use std::collections::BTreeMap;

use homing::engine::Input;
use homing::types::{Backlog, Cause, Failure, Lane, Outcome, Verdict};

use super::World;

/// What each report counts for, in bytes.
pub const REPORT: u64 = 100;

/// How uploads are answered where a server is well.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Takes {
    #[default]
    All,
    /// Batches up to so many bytes; it calls others too large.
    AtMost(u64),
    /// None: it has no such request.
    Declines(u16),
    /// None: it fails like this.
    Fails(Cause),
    /// One of each batch.
    One,
    /// Every batch but those with more than so many reports, as if one of them were not to its taste.
    Fewer(u64),
}

/// See the module.
#[derive(Default)]
pub struct Outbox {
    waiting: BTreeMap<Lane, u64>,
    pub takes: Takes,
    /// Reports that a server has taken, of each lane.
    pub taken: BTreeMap<Lane, u64>,
    /// Whether the engine says that applications are learned.
    pub learns: bool,
}

impl Outbox {
    pub fn waiting(&self, lane: Lane) -> u64 {
        self.waiting.get(&lane).copied().unwrap_or_default()
    }

    fn backlog(&self, lane: Lane) -> Backlog {
        Backlog { reports: self.waiting(lane), bytes: self.waiting(lane) * REPORT }
    }

    /// What comes of an upload: the server took this much of it, or not.
    fn sent(&mut self, lane: Lane, at_most: u32) -> (Verdict<'static>, (u64, u64)) {
        let reports = (u64::from(at_most) / REPORT).max(1).min(self.waiting(lane));
        match self.takes {
            _ if reports == 0 => (Verdict::Declined { status: 0 }, (0, 0)),
            Takes::AtMost(bytes) if reports * REPORT > bytes => (Verdict::Declined { status: 413 }, (0, 0)),
            Takes::Fewer(most) if reports > most => {
                (Verdict::Failed(Cause::Misunderstood { status: 400 }.into()), (0, 0))
            }
            Takes::All | Takes::AtMost(_) | Takes::One | Takes::Fewer(_) => {
                let taken = if self.takes == Takes::One { 1 } else { reports };
                *self.waiting.entry(lane).or_default() -= taken;
                *self.taken.entry(lane).or_default() += taken;
                (Verdict::Success { status: 200, settings: None, policy: None }, (taken, reports - taken))
            }
            Takes::Declines(status) => (Verdict::Declined { status }, (0, 0)),
            Takes::Fails(cause) => (Verdict::Failed(Failure::from(cause)), (0, 0)),
        }
    }
}

impl World {
    /// The product submits so many reports.
    pub fn report(&mut self, lane: Lane, reports: u64) -> &mut Self {
        *self.outbox.waiting.entry(lane).or_default() += reports;
        self.waits(lane);
        self.drain();
        self
    }

    /// Tells the engine how much waits.
    fn waits(&mut self, lane: Lane) {
        let backlog = self.outbox.backlog(lane);
        self.input(Input::Waiting { lane, backlog });
    }

    /// A server that is well has heard an upload.
    pub(super) fn uploaded(&mut self, lane: Lane, at_most: u32) -> Outcome<'static> {
        let (verdict, (taken, left)) = self.outbox.sent(lane, at_most);
        self.waits(lane);
        Outcome::from(verdict).with_acknowledged(taken).with_unacknowledged(left)
    }
}
