//! Records by the ids of their servers.

use std::hash::{Hash, Hasher};

use siphasher::sip::SipHasher13;

use super::health::Record;
use crate::types::ServerId;

/// See the module.
pub(super) struct ById<'a> {
    records: &'a [Record],
    /// A number of each id and the place of its record, sorted: numbers are sorted faster than ids, which in one site are alike
    /// up to their last bytes.
    places: Vec<(u64, usize)>,
}

impl<'a> ById<'a> {
    pub(super) fn new(records: &'a [Record]) -> Self {
        let numbered = records.iter().enumerate().map(|(place, record)| (number(&record.id), place));
        let mut places: Vec<_> = numbered.collect();
        places.sort_unstable();
        Self { records, places }
    }

    pub(super) fn get(&self, id: &ServerId) -> Option<usize> {
        let number = number(id);
        let first = self.places.partition_point(|(other, _)| *other < number);
        let alike = self.places.iter().skip(first).take_while(|(other, _)| *other == number);
        let is_it = |place: &usize| self.records.get(*place).is_some_and(|record| record.id == *id);
        alike.map(|(_, place)| *place).find(is_it)
    }
}

fn number(id: &ServerId) -> u64 {
    let mut hasher = SipHasher13::new();
    id.hash(&mut hasher);
    hasher.finish()
}
