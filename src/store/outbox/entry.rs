//! One report as bytes of a segment: a header of 32 bytes and the body. `docs/outbox-format.md` has the table.
//!
//! Both check sums begin with a number made of the lane and the random series. So what a report says about itself cannot pass for
//! an entry, even where a damaged header makes the reader search for the next one inside of a body.

use crc32fast::Hasher;

use crate::types::{Lane, ReportKind, Series};

/// Bytes of an entry beside its body. Each waiting report counts this much more than its body.
pub(super) const HEADER: usize = 32;

/// The largest body, in bytes. More belongs into a file that the product uploads by itself.
pub(super) const MAX_BODY: usize = 256 * 1024;

/// What the check sums of one lane and series begin with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Salt(u32);

impl Salt {
    pub(super) fn new(lane: Lane, series: Series) -> Self {
        let mut hasher = Hasher::new();
        hasher.update(lane.as_str().as_bytes());
        hasher.update(&series.0.to_le_bytes());
        Self(hasher.finalize())
    }
}

/// What stands before a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) number: u64,
    /// Seconds since 1970 by the wall clock of the submit.
    pub(super) wall: u64,
    pub(super) kind: ReportKind,
    /// Bytes of the body.
    pub(super) length: usize,
    body_check: u32,
}

impl Header {
    /// Bytes of the whole entry.
    pub(super) fn entry_length(&self) -> usize {
        HEADER + self.length
    }

    /// Reads the header that stands at the beginning of `bytes`. `None`: there is none, or it is damaged.
    pub(super) fn read(bytes: &[u8], salt: Salt) -> Option<Self> {
        let bytes: &[u8; HEADER] = bytes.first_chunk()?;
        // The cheap looks come first: a search goes over every byte.
        let kind = kind_of(bytes[24])?;
        let length = usize::try_from(number(&bytes[4..8])).ok().filter(|&length| length <= MAX_BODY)?;
        if bytes[25..28] != [0; 3] {
            return None;
        }
        let check = check(salt, &bytes[4..]);
        if bytes[..4] != check.to_le_bytes() {
            return None;
        }
        let body_check = u32::try_from(number(&bytes[28..32])).ok()?;
        Some(Self { number: number(&bytes[8..16]), wall: number(&bytes[16..24]), kind, length, body_check })
    }

    /// Whether this is the body that was written behind the header.
    pub(super) fn fits(&self, body: &[u8], salt: Salt) -> bool {
        body.len() == self.length && body_check(salt, self.number, body) == self.body_check
    }
}

/// Appends one entry.
pub(super) fn write(
    out: &mut Vec<u8>,
    salt: Salt,
    (number, wall): (u64, u64),
    kind: ReportKind,
    body: &[u8],
) {
    // A body is never longer than MAX_BODY, which the lane has checked.
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    let mut header = [0; HEADER];
    header[4..8].copy_from_slice(&length.to_le_bytes());
    header[8..16].copy_from_slice(&number.to_le_bytes());
    header[16..24].copy_from_slice(&wall.to_le_bytes());
    header[24] = code_of(kind);
    header[28..].copy_from_slice(&body_check(salt, number, body).to_le_bytes());
    let check = check(salt, &header[4..]);
    header[..4].copy_from_slice(&check.to_le_bytes());
    out.extend_from_slice(&header);
    out.extend_from_slice(body);
}

fn check(salt: Salt, bytes: &[u8]) -> u32 {
    let mut hasher = Hasher::new_with_initial(salt.0);
    hasher.update(bytes);
    hasher.finalize()
}

/// The number is in it, so that no body passes for another entry's.
fn body_check(salt: Salt, number: u64, body: &[u8]) -> u32 {
    let mut hasher = Hasher::new_with_initial(salt.0);
    hasher.update(&number.to_le_bytes());
    hasher.update(body);
    hasher.finalize()
}

/// Little endian, at most eight bytes.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

/// Never 0: an empty page of a disk is no entry.
const fn code_of(kind: ReportKind) -> u8 {
    match kind {
        ReportKind::RiskFound => 1,
        ReportKind::CookieFound => 2,
        ReportKind::Intrusion => 3,
        ReportKind::SystemChange => 4,
        ReportKind::Status => 5,
        ReportKind::Log => 6,
        ReportKind::Application => 7,
    }
}

fn kind_of(code: u8) -> Option<ReportKind> {
    ReportKind::ALL.into_iter().find(|&kind| code_of(kind) == code)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERIES: Series = Series(0x1234_5678_9abc_def0);

    #[test]
    fn an_entry_reads_back_and_every_flipped_bit_is_seen() {
        let salt = Salt::new(Lane::Log, SERIES);
        let mut bytes = Vec::new();
        write(&mut bytes, salt, (7, 1_800_000_000), ReportKind::SystemChange, b"what happened");
        let header = Header::read(&bytes, salt).unwrap();
        assert_eq!((header.number, header.wall), (7, 1_800_000_000));
        assert_eq!((header.kind, header.length), (ReportKind::SystemChange, 13));
        assert!(header.fits(&bytes[HEADER..], salt));
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            let whole = Header::read(&bytes, salt).is_some_and(|header| header.fits(&bytes[HEADER..], salt));
            assert!(!whole, "bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }

    #[test]
    fn an_entry_of_another_lane_or_series_is_none() {
        let mut bytes = Vec::new();
        write(&mut bytes, Salt::new(Lane::Log, SERIES), (1, 2), ReportKind::Log, b"");
        assert!(Header::read(&bytes, Salt::new(Lane::Status, SERIES)).is_none());
        assert!(Header::read(&bytes, Salt::new(Lane::Log, Series(1))).is_none());
        assert!(Header::read(&[0; HEADER], Salt::new(Lane::Log, SERIES)).is_none());
    }
}
