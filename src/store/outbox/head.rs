//! The head file: up to which number each series is done with. `docs/outbox-format.md` has the table.
//!
//! It is replaced as a whole, and synced before any segment is removed. Without it everything in the segments is sent again, under the same
//! numbers.

use crate::types::{Lane, Series};

/// Its name in the folder.
pub(super) const NAME: &str = "head";

const MAGIC: [u8; 8] = *b"HOMINGOH";
const VERSION: u32 = 1;
const FRONT: usize = 24;
const ENTRY: usize = 24;

/// More series than this never wait at once: each needs a file. Bounds what is read of a damaged folder.
const MOST: usize = 65_536;

/// The largest head.
pub(super) const MOST_BYTES: u64 = (FRONT + MOST * ENTRY + 4) as u64;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    /// How often the folder was opened.
    pub(super) opening: u32,
    /// Lane, series, and the last number that is done with.
    pub(super) gone: Vec<(Lane, Series, u64)>,
}

/// Why there is no head.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    Damaged,
    Foreign(u32),
}

impl Head {
    pub(super) fn gone_to(&self, lane: Lane, series: Series) -> u64 {
        let found = self.gone.iter().find(|(a, b, _)| (*a, *b) == (lane, series));
        found.map_or(0, |&(_, _, number)| number)
    }

    pub(super) fn write(&self) -> Vec<u8> {
        let gone = &self.gone[..self.gone.len().min(MOST)];
        let mut bytes = Vec::with_capacity(FRONT + gone.len() * ENTRY + 4);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&self.opening.to_le_bytes());
        bytes.extend_from_slice(&(gone.len() as u64).to_le_bytes());
        for (lane, series, number) in gone {
            bytes.extend_from_slice(&u64::from(code_of(*lane)).to_le_bytes());
            bytes.extend_from_slice(&series.0.to_le_bytes());
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        let check = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&check.to_le_bytes());
        bytes
    }

    pub(super) fn read(bytes: &[u8]) -> Result<Self, Unreadable> {
        let (content, check) = bytes.split_last_chunk::<4>().ok_or(Unreadable::Damaged)?;
        if content.len() < FRONT || content[..8] != MAGIC || *check != crc32fast::hash(content).to_le_bytes()
        {
            return Err(Unreadable::Damaged);
        }
        let number = |at: usize, length: usize| {
            content[at..at + length].iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
        };
        let half = |at: usize| u32::try_from(number(at, 4)).unwrap_or(u32::MAX);
        if half(8) != VERSION {
            return Err(Unreadable::Foreign(half(8)));
        }
        let count = usize::try_from(number(16, 8)).ok().filter(|&count| count <= MOST);
        let count =
            count.filter(|count| content.len() == FRONT + count * ENTRY).ok_or(Unreadable::Damaged)?;
        let mut gone = Vec::with_capacity(count);
        for at in (0..count).map(|index| FRONT + index * ENTRY) {
            let lane = Lane::ALL.into_iter().find(|&lane| u64::from(code_of(lane)) == number(at, 8));
            let lane = lane.ok_or(Unreadable::Damaged)?;
            gone.push((lane, Series(number(at + 8, 8)), number(at + 16, 8)));
        }
        Ok(Self { opening: half(12), gone })
    }
}

const fn code_of(lane: Lane) -> u8 {
    match lane {
        Lane::Critical => 1,
        Lane::Status => 2,
        Lane::Log => 3,
        Lane::Applications => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_reads_back_and_every_cut_and_flipped_bit_is_seen() {
        let gone = vec![(Lane::Critical, Series(7), 9), (Lane::Log, Series(u64::MAX), 1)];
        let head = Head { opening: 3, gone };
        let bytes = head.write();
        assert_eq!(Head::read(&bytes), Ok(head.clone()));
        assert_eq!(head.gone_to(Lane::Critical, Series(7)), 9);
        assert_eq!(head.gone_to(Lane::Status, Series(7)), 0);
        for length in 0..bytes.len() {
            assert_eq!(Head::read(&bytes[..length]), Err(Unreadable::Damaged), "{length}");
        }
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Head::read(&flipped), Err(Unreadable::Damaged), "{bit}");
        }
    }

    #[test]
    fn a_head_of_another_version_is_told_from_a_damaged_one() {
        let mut bytes = Head::default().write();
        bytes.truncate(FRONT);
        bytes[8] = 2;
        let check = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&check.to_le_bytes());
        assert_eq!(Head::read(&bytes), Err(Unreadable::Foreign(2)));
    }
}
