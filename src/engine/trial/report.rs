//! The trial as others see it: the snapshot, and the memory.

use std::hash::{Hash, Hasher};
use std::time::Duration;

use siphasher::sip::SipHasher13;

use super::{SEARCHES, Stage, Trial};
use crate::engine::event::span;
use crate::engine::memory::{CandidateMemory, SettingsMemory};
use crate::engine::snapshot::{SettingsSnapshot, TrialSnapshot};
use crate::engine::tuning::trial::Tuning;

impl Trial {
    pub(in crate::engine) fn snapshot(&self) -> Option<SettingsSnapshot> {
        let trial = self.candidate.as_ref().filter(|_| self.is_undecided()).map(|candidate| {
            let (spent, searches, answers) = match &candidate.stage {
                Stage::Trying(trying) => (trying.spent, trying.searches, trying.answers),
                Stage::Storing { spent, searches, .. } => (*spent, *searches, false),
                Stage::Accepted { .. } => (Duration::ZERO, 0, false),
            };
            let tag = candidate.name.as_ref().and_then(|name| name.tag.clone());
            TrialSnapshot { tag, spent: span(spent), searches, known_good_answers: answers }
        });
        let (rejected, known_good) = (self.rejected(), self.known_good());
        let nothing = trial.is_none() && rejected.is_none() && known_good.is_none();
        (!nothing).then(|| SettingsSnapshot {
            tag: known_good.and_then(|name| name.tag.clone()),
            digest: known_good.map(|name| name.digest.clone()),
            proved: self.is_proved,
            trial,
            rejected: rejected.map(|name| name.tag.clone().unwrap_or_else(|| name.digest.clone())),
        })
    }

    /// What the next life has to know.
    pub(in crate::engine) fn memory(&self) -> Option<Box<SettingsMemory>> {
        let in_force = self.known_good().cloned().filter(|_| self.is_proved);
        let candidate = self.candidate.as_ref().and_then(|candidate| {
            let (spent, searches) = match &candidate.stage {
                Stage::Storing { spent, searches, .. } => (*spent, *searches),
                Stage::Trying(trying) => (trying.spent, trying.searches),
                Stage::Accepted { .. } => return None,
            };
            Some(CandidateMemory { name: candidate.name.clone()?, spent: span(spent), searches })
        });
        if in_force.is_none() && candidate.is_none() && self.rejected().is_none() {
            return None;
        }
        Some(Box::new(SettingsMemory {
            given: self.names.as_ref().and_then(|names| names.given.clone()),
            in_force,
            candidate,
            rejected: self.rejected().cloned(),
            serial: self.names.as_ref().and_then(|names| names.serial),
        }))
    }

    /// The number that differs when the memory is worth a write; `rest` is that of the rest of it.
    pub(in crate::engine) fn digest(&self, rest: u64, tuning: &Tuning) -> u64 {
        let Some(memory) = self.memory() else { return rest };
        let digest = &mut SipHasher13::new();
        rest.hash(digest);
        let SettingsMemory { given, in_force, candidate, rejected, serial } = *memory;
        (given, in_force, rejected, serial).hash(digest);
        if let Some(CandidateMemory { name, spent, searches }) = candidate {
            let step = tuning.budget_step.as_nanos().max(1);
            (name, spent.0.as_nanos() / step, searches.min(SEARCHES)).hash(digest);
        }
        digest.finish()
    }
}
