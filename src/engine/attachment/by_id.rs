//! Records by the ids of their servers.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use siphasher::sip::SipHasher13;

use super::health::Record;
use crate::types::ServerId;

/// See the module.
pub(super) struct ById<'a>(BTreeMap<(u64, &'a ServerId), usize>);

impl<'a> ById<'a> {
    pub(super) fn new(records: &'a [Record]) -> Self {
        let places = records.iter().enumerate().map(|(index, record)| (Self::key(&record.id), index));
        Self(places.collect())
    }

    pub(super) fn get(&self, id: &ServerId) -> Option<usize> {
        self.0.get(&Self::key(id)).copied()
    }

    /// A number comes first: ids of one site are alike up to their last bytes, and are slow to compare.
    fn key(id: &ServerId) -> (u64, &ServerId) {
        let mut hasher = SipHasher13::new();
        id.hash(&mut hasher);
        (hasher.finish(), id)
    }
}
