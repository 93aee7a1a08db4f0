//! The trial as others see it: the snapshot, and the memory.

use std::hash::{Hash, Hasher};
use std::num::NonZeroU64;
use std::time::Duration;

use siphasher::sip::SipHasher13;

use super::{SEARCHES, Stage, Trial};
use crate::engine::event::span;
use crate::engine::memory::{CandidateMemory, SettingsMemory, SettingsName};
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
        if self.has_nothing_to_remember() {
            return None;
        }
        let candidate = self.unfinished().map(|(name, spent, searches)| CandidateMemory {
            name: name.clone(),
            spent: span(spent),
            searches,
        });
        Some(Box::new(SettingsMemory {
            given: self.names.as_ref().and_then(|names| names.given.clone()),
            in_force: self.in_force().cloned(),
            candidate,
            rejected: self.rejected().cloned(),
            serial: self.names.as_ref().and_then(|names| names.serial),
        }))
    }

    /// The number that differs when the memory is worth a write; `rest` is that of the rest of it.
    pub(in crate::engine) fn digest(&self, rest: u64, tuning: &Tuning) -> NonZeroU64 {
        let number = if self.has_nothing_to_remember() { rest } else { self.digest_with(rest, tuning) };
        NonZeroU64::new(number).unwrap_or(NonZeroU64::MIN)
    }

    fn digest_with(&self, rest: u64, tuning: &Tuning) -> u64 {
        let digest = &mut SipHasher13::new();
        let names = self.names.as_ref().map(|names| names.number);
        (rest, names, self.in_force().is_some()).hash(digest);
        if let Some((name, spent, searches)) = self.unfinished() {
            let step = tuning.budget_step.as_nanos().max(1);
            (name, span(spent).0.as_nanos() / step, searches.min(SEARCHES)).hash(digest);
        }
        digest.finish()
    }

    fn has_nothing_to_remember(&self) -> bool {
        self.in_force().is_none() && self.unfinished().is_none() && self.rejected().is_none()
    }

    /// The settings that have worked.
    fn in_force(&self) -> Option<&SettingsName> {
        self.known_good().filter(|_| self.is_proved)
    }

    /// The candidate of which the next life goes on to find out whether it works, with what is spent of its budget and the
    /// searches that found no server.
    fn unfinished(&self) -> Option<(&SettingsName, Duration, u8)> {
        let candidate = self.candidate.as_ref()?;
        let (spent, searches) = match &candidate.stage {
            Stage::Storing { spent, searches, .. } => (*spent, *searches),
            Stage::Trying(trying) => (trying.spent, trying.searches),
            Stage::Accepted { .. } => return None,
        };
        Some((candidate.name.as_ref()?, spent, searches))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Moment, SettingsId};

    fn name(digest: &str, tag: Option<&str>) -> SettingsName {
        SettingsName { digest: digest.into(), tag: tag.map(Into::into), serial: None }
    }

    #[test]
    fn the_digest_is_another_whenever_the_memory_is() {
        let tuning = Tuning::default();
        let mut trial = Trial::new(Some(name("a", None)), Some("a".into()), None);
        let mut known = Vec::new();
        let offer = |trial: &mut Trial, name| {
            trial.offer(Moment::ORIGIN, SettingsId(2), SettingsId(1), Some(name), None);
        };
        let steps: [&dyn Fn(&mut Trial); 9] = [
            &|_| {},
            &|trial| offer(trial, name("b", Some("1"))),
            &|trial| _ = trial.accept(),
            &|trial| trial.gives(Some(&name("c", None))),
            &|trial| offer(trial, name("c", None)),
            &Trial::reject,
            &|trial| offer(trial, name("d", Some("2"))),
            &|trial| _ = trial.accept(),
            // Nothing has worked and nothing is on trial: nothing is remembered.
            &|trial| trial.replaced(Some(name("b", Some("1")))),
        ];
        for step in steps {
            step(&mut trial);
            known.push((trial.memory(), trial.digest(7, &tuning)));
        }
        for (memory, digest) in &known {
            for (other, its) in &known {
                assert_eq!(memory == other, digest == its, "{memory:?} {other:?}");
            }
        }
        assert_eq!(known.first(), known.last());
    }
}
