//! What of the records is worth a write to a disk, in one number that is kept while they change.

use std::hash::{Hash, Hasher};
use std::net::IpAddr;

use siphasher::sip::SipHasher13;

use super::health::{Health, Record};
use crate::types::{FailureClass, Moment, ServerId};

/// Waiting times have doubled to the longest ceiling there is, 600 s, after ten misses.
pub(super) const TELLING_MISSES: u8 = 10;

const DAY_NANOS: u64 = 24 * 3600 * 1_000_000_000;

/// See the module. The sum of the numbers of all records; one that changed changes its own summand.
#[derive(Debug, Default)]
pub(super) struct Digest {
    sum: u64,
    /// The next floor in the sum ends then; `None` when the sum has to be made anew.
    holds_until: Option<Moment>,
}

/// What a later life would act upon differently.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Essence {
    misses: u8,
    /// Until when it is left out because it rejected this agent.
    rejected: Option<Moment>,
    throttle: Option<(Moment, u16)>,
    /// With the day on which it worked.
    address: Option<(IpAddr, u64)>,
}

impl Digest {
    /// Changes one record, and the number with it.
    pub(super) fn change<T>(
        &mut self,
        now: Moment,
        record: &mut Record,
        by: impl FnOnce(&mut Record) -> T,
    ) -> T {
        let before = Essence::of(record, now);
        let result = by(record);
        let after = Essence::of(record, now);
        if before != after {
            self.sum =
                self.sum.wrapping_sub(before.number(&record.id)).wrapping_add(after.number(&record.id));
            self.holds_until = self.holds_until.map(|until| until.min(after.ends()));
        }
        result
    }

    /// Many records changed: the number is made anew when it is next asked for.
    pub(super) fn forget(&mut self) {
        self.holds_until = None;
    }

    pub(super) fn number(&mut self, now: Moment, records: &[Record]) -> u64 {
        if self.holds_until.is_none_or(|until| until <= now) {
            (self.sum, self.holds_until) = (0, Some(NEVER));
            for record in records {
                let essence = Essence::of(record, now);
                self.sum = self.sum.wrapping_add(essence.number(&record.id));
                self.holds_until = self.holds_until.map(|until| until.min(essence.ends()));
            }
        }
        self.sum
    }
}

const NEVER: Moment = Moment::from_nanos(u64::MAX);

impl Essence {
    fn of(record: &Record, now: Moment) -> Self {
        let rejected = match record.health {
            Health::Quarantined { until, class: FailureClass::NotAllowed, .. } => Some(until),
            Health::Quarantined { .. }
            | Health::Down { .. }
            | Health::Unknown
            | Health::Up
            | Health::Suspect { .. }
            | Health::Probation
            | Health::Draining { .. } => None,
        };
        let throttle = record.throttle.filter(|throttle| throttle.until > now);
        Self {
            misses: record.misses.count().min(TELLING_MISSES),
            rejected: rejected.filter(|&until| until > now),
            throttle: throttle.map(|throttle| (throttle.until, throttle.status)),
            address: record.last_good_known().map(|known| (known.address, known.at.as_nanos() / DAY_NANOS)),
        }
    }

    /// When the first of its floors ends.
    fn ends(&self) -> Moment {
        let throttle = self.throttle.map(|(until, _)| until);
        self.rejected.into_iter().chain(throttle).min().unwrap_or(NEVER)
    }

    /// 0 when there is nothing to remember.
    fn number(&self, id: &ServerId) -> u64 {
        let nothing =
            self.misses == 0 && self.rejected.is_none() && self.throttle.is_none() && self.address.is_none();
        if nothing {
            return 0;
        }
        let mut hasher = SipHasher13::new();
        (id, self).hash(&mut hasher);
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::engine::attachment::health::Throttle;

    fn at(seconds: u64) -> Moment {
        Moment::ORIGIN + Duration::from_secs(seconds)
    }

    fn records() -> Vec<Record> {
        ["a", "b", "c"].map(|id| Record::new(ServerId::new(id), at(0))).into()
    }

    #[test]
    fn a_record_that_changes_and_changes_back_leaves_no_trace() {
        let (mut digest, mut records) = (Digest::default(), records());
        let nothing = digest.number(at(0), &records);
        digest.change(at(1), &mut records[1], |record| record.misses.add());
        let one = digest.number(at(1), &records);
        assert_ne!(nothing, one);
        assert_eq!(one, Digest::default().number(at(1), &records), "as if it were made anew");
        digest.change(at(2), &mut records[1], |record| record.misses = Default::default());
        assert_eq!(digest.number(at(2), &records), nothing);
    }

    #[test]
    fn the_same_change_of_two_servers_is_two_changes() {
        let (mut digest, mut records) = (Digest::default(), records());
        let nothing = digest.number(at(0), &records);
        for record in &mut records[..2] {
            digest.change(at(1), record, |record| record.misses.add());
        }
        assert_ne!(digest.number(at(1), &records), nothing);
    }

    #[test]
    fn a_floor_that_has_ended_counts_no_more() {
        let (mut digest, mut records) = (Digest::default(), records());
        let nothing = digest.number(at(0), &records);
        let floor = Throttle { until: at(60), status: 503 };
        digest.change(at(1), &mut records[0], |record| record.keep_floor(floor));
        let throttled = digest.number(at(59), &records);
        assert_ne!(throttled, nothing);
        digest.change(at(30), &mut records[2], |record| record.misses.add());
        digest.change(at(40), &mut records[2], |record| record.misses = Default::default());
        assert_eq!(digest.number(at(59), &records), throttled);
        assert_eq!(digest.number(at(60), &records), nothing);
    }
}
