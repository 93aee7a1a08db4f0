//! What has failed in a race, each server once.

use std::collections::BTreeMap;

use crate::types::{Failure, FailureClass};

/// A failure that waits to be charged.
#[derive(Clone, Debug)]
pub(super) struct Ended {
    pub(super) record: usize,
    pub(super) policy: u16,
    pub(super) failure: Failure,
    pub(super) charge: Charge,
}

/// Whether a server has paid for a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Charge {
    /// It pays when the race is over.
    Due,
    Paid,
}

/// How it is known that an attempt has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Certainty {
    /// Something said so: an answer, a refusal, a connection that ended.
    Definite,
    /// Nothing did, in the time it had.
    OutOfTime,
}

/// See the module. Each question has the same cost however many servers have failed.
#[derive(Clone, Debug, Default)]
pub(super) struct Failures {
    /// In the order in which they failed.
    ended: Vec<Ended>,
    known: BTreeMap<usize, Known>,
    /// Servers that rejected this agent.
    rejections: usize,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    charge: Charge,
    rejected: bool,
}

impl Failures {
    /// Adds a failure. A server that is heard of twice (a silent connection and a fresh one) fails once: the later word
    /// counts, and what was paid stays paid.
    pub(super) fn add(&mut self, mut ended: Ended) {
        if let Some(before) = self.known.remove(&ended.record) {
            ended.charge = ended.charge.max(before.charge);
            self.rejections -= usize::from(before.rejected);
            self.ended.retain(|earlier| earlier.record != ended.record);
        }
        let rejected = ended.failure.class() == FailureClass::NotAllowed;
        self.rejections += usize::from(rejected);
        self.known.insert(ended.record, Known { charge: ended.charge, rejected });
        self.ended.push(ended);
    }

    pub(super) fn has(&self, record: usize) -> bool {
        self.known.contains_key(&record)
    }

    /// Whether this server rejected the agent.
    pub(super) fn has_rejected(&self, record: usize) -> bool {
        self.known.get(&record).is_some_and(|known| known.rejected)
    }

    /// How many servers rejected the agent.
    pub(super) fn rejections(&self) -> usize {
        self.rejections
    }

    pub(super) fn iter(&self) -> std::slice::Iter<'_, Ended> {
        self.ended.iter()
    }

    /// Takes everything out.
    pub(super) fn take(&mut self) -> Vec<Ended> {
        std::mem::take(self).ended
    }
}
