//! Which applications were reported: a bounded set of digests, kept in a file from one opening to the next.

use std::collections::{BTreeSet, VecDeque};
use std::hash::Hasher;

use siphasher::sip::SipHasher24;

/// Digests are keyed by a random number, so that no application can be made to look like one that was reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key(pub(super) u64, pub(super) u64);

impl Key {
    /// What an application is noted as.
    pub(super) fn digest(self, application: &[u8]) -> u64 {
        let mut hasher = SipHasher24::new_with_keys(self.0, self.1);
        hasher.write(application);
        hasher.finish()
    }
}

/// See the module.
pub(super) struct Learned {
    key: Key,
    most: usize,
    known: BTreeSet<u64>,
    order: VecDeque<u64>,
    pub(super) enabled: bool,
    /// Since it was last kept.
    pub(super) changed: bool,
    /// The second in which it was last kept.
    kept: u64,
}

/// Its name in the folder.
pub(super) const NAME: &str = "learned";

/// More are never remembered.
const MOST: usize = 1 << 20;

/// The largest file.
pub(super) const MOST_BYTES: u64 = (FRONT + MOST * 8 + 4) as u64;

const MAGIC: [u8; 8] = *b"HOMINGOL";
const VERSION: u64 = 1;
/// Magic, version, and the two halves of the key.
const FRONT: usize = 32;

/// The file is written whole, so not for each application that is learned: in seconds.
const PACE: u64 = 60;

impl Learned {
    pub(super) fn new(key: Key, most: usize) -> Self {
        let most = most.clamp(1, MOST);
        let (known, order) = (BTreeSet::new(), VecDeque::new());
        Self { key, most, known, order, enabled: false, changed: false, kept: 0 }
    }

    /// That of the file, if it has one; else the present one.
    pub(super) fn key_of(&self, bytes: &[u8]) -> Key {
        parse(bytes).map_or(self.key, |(key, _)| key)
    }

    /// The bytes of the file, if it should be written now.
    pub(super) fn take_changed(&mut self, now: u64, at_once: bool) -> Option<Vec<u8>> {
        if !self.changed || !(at_once || now.saturating_sub(self.kept) >= PACE) {
            return None;
        }
        (self.changed, self.kept) = (false, now);
        let mut bytes = MAGIC.to_vec();
        let front = [VERSION, self.key.0, self.key.1];
        front.iter().chain(&self.order).for_each(|number| bytes.extend_from_slice(&number.to_le_bytes()));
        let check = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&check.to_le_bytes());
        Some(bytes)
    }

    /// Takes over what the file says. Damaged, or of another version, it says nothing. What was learned before is forgotten: it may be reported
    /// once more.
    pub(super) fn read(&mut self, bytes: &[u8]) {
        let Some((key, digests)) = parse(bytes) else { return };
        self.key = key;
        self.order = digests.iter().map(|digest| u64::from_le_bytes(*digest)).collect();
        self.order.drain(..self.order.len().saturating_sub(self.most));
        self.known = self.order.iter().copied().collect();
        self.changed = false;
    }

    /// Notes an application. `None`: it is known. Else what takes the note back.
    pub(super) fn note(&mut self, application: &[u8]) -> Option<u64> {
        let digest = self.key.digest(application);
        if !self.known.insert(digest) {
            return None;
        }
        self.changed = true;
        self.order.push_back(digest);
        if self.order.len() > self.most
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        Some(digest)
    }

    /// The applications were not taken after all, or no server got them.
    pub(super) fn take_back(&mut self, digests: &[u64]) {
        let mut removed = false;
        digests.iter().for_each(|digest| removed |= self.known.remove(digest));
        if removed {
            self.changed = true;
            let known = &self.known;
            self.order.retain(|digest| known.contains(digest));
        }
    }

    /// Every application is new again, and that is kept at the next chance.
    pub(super) fn forget(&mut self) {
        (self.changed, self.kept) = (true, 0);
        self.known.clear();
        self.order.clear();
    }
}

/// The key and the digests of a file, if it is whole and of this version.
fn parse(bytes: &[u8]) -> Option<(Key, &[[u8; 8]])> {
    let (content, check) = bytes.split_last_chunk::<4>()?;
    let (numbers, rest) = content.as_chunks::<8>();
    let [magic, version, one, two, digests @ ..] = numbers else { return None };
    let whole = rest.is_empty() && *check == crc32fast::hash(content).to_le_bytes();
    let is_ours = whole && *magic == MAGIC && u64::from_le_bytes(*version) == VERSION;
    is_ours.then_some((Key(u64::from_le_bytes(*one), u64::from_le_bytes(*two)), digests))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_application_is_new_once_until_it_is_forgotten_or_pushed_out() {
        let mut learned = Learned::new(Key(1, 2), 2);
        assert!(learned.note(b"a").is_some());
        assert!(learned.note(b"a").is_none());
        assert!(learned.note(b"b").is_some());
        assert!(learned.note(b"c").is_some(), "pushes `a` out");
        assert!(learned.note(b"b").is_none());
        assert!(learned.note(b"a").is_some());
        learned.forget();
        let digest = learned.note(b"c").unwrap();
        learned.take_back(&[digest]);
        assert!(learned.note(b"c").is_some());
        assert_eq!(learned.order.len(), learned.known.len());
    }

    #[test]
    fn what_was_learned_is_kept_once_a_minute_and_reads_back_unless_it_is_damaged() {
        let mut learned = Learned::new(Key(1, 2), 10);
        assert!(learned.take_changed(100, true).is_none(), "nothing has changed");
        learned.note(b"a");
        assert!(learned.take_changed(100, false).is_some());
        learned.note(b"b");
        assert!(learned.take_changed(159, false).is_none());
        let bytes = learned.take_changed(160, false).unwrap();
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            let mut next = Learned::new(Key(3, 4), 10);
            next.read(&damaged);
            next.read(&bytes[..at]);
            assert!(next.note(b"a").is_some(), "{at}");
        }
        let mut next = Learned::new(Key(3, 4), 10);
        next.read(&bytes);
        assert!(next.note(b"a").is_none() && next.note(b"b").is_none() && next.note(b"c").is_some());
        let mut smaller = Learned::new(Key(3, 4), 1);
        smaller.read(&bytes);
        assert!(smaller.note(b"b").is_none() && smaller.note(b"a").is_some());
    }
}
