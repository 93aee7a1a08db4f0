//! Which applications were reported: a bounded set of digests.

use std::collections::{BTreeSet, VecDeque};
use std::hash::Hasher;

use siphasher::sip::SipHasher24;

/// Digests are keyed by a random number, so that no application can be made to look like one that was reported.
pub(super) struct Learned {
    key: (u64, u64),
    most: usize,
    known: BTreeSet<u64>,
    order: VecDeque<u64>,
    pub(super) enabled: bool,
}

impl Learned {
    pub(super) fn new(key: (u64, u64), most: usize) -> Self {
        let most = most.clamp(1, 1 << 20);
        Self { key, most, known: BTreeSet::new(), order: VecDeque::new(), enabled: false }
    }

    /// Notes an application. `None`: it is known. Else what takes the note back.
    pub(super) fn note(&mut self, application: &[u8]) -> Option<u64> {
        let mut hasher = SipHasher24::new_with_keys(self.key.0, self.key.1);
        hasher.write(application);
        let digest = hasher.finish();
        if !self.known.insert(digest) {
            return None;
        }
        self.order.push_back(digest);
        if self.order.len() > self.most
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        Some(digest)
    }

    /// The application was not taken after all.
    pub(super) fn take_back(&mut self, digest: u64) {
        self.known.remove(&digest);
        self.order.retain(|&known| known != digest);
    }

    /// Every application is new again.
    pub(super) fn forget(&mut self) {
        self.known.clear();
        self.order.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_application_is_new_once_until_it_is_forgotten_or_pushed_out() {
        let mut learned = Learned::new((1, 2), 2);
        assert!(learned.note(b"a").is_some());
        assert!(learned.note(b"a").is_none());
        assert!(learned.note(b"b").is_some());
        assert!(learned.note(b"c").is_some(), "pushes `a` out");
        assert!(learned.note(b"b").is_none());
        assert!(learned.note(b"a").is_some());
        learned.forget();
        let digest = learned.note(b"c").unwrap();
        learned.take_back(digest);
        assert!(learned.note(b"c").is_some());
        assert_eq!(learned.order.len(), learned.known.len());
    }
}
