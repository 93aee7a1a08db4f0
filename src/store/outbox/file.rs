//! The file of a segment: its name, its header, and what can be read of it. `docs/outbox-format.md` has the tables.

use super::entry::{HEADER as ENTRY_HEADER, Header, Salt};
use super::segment::Segment;
use super::segment_name::SegmentName;
use crate::types::Series;

/// Bytes before the first entry.
pub(super) const HEADER: usize = 40;

const MAGIC: [u8; 8] = *b"HOMINGOB";

/// Of this format. A file of another version is set aside.
pub(super) const VERSION: u32 = 1;

/// A segment takes no more entries when it has this many bytes: small enough that little is read again, kept too long or lost with a file,
/// large enough that a folder has few files.
pub(super) const MOST_BYTES: u64 = 1 << 20;

/// Larger than any file that was ever written: a full segment and one more entry.
pub(super) const MOST_TO_READ: u64 = MOST_BYTES + (super::entry::MAX_BODY + ENTRY_HEADER + HEADER) as u64;

/// The bytes before the first entry. `first` is the number it has.
pub(super) fn header(series: Series, first: u64) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..8].copy_from_slice(&MAGIC);
    header[8..12].copy_from_slice(&VERSION.to_le_bytes());
    header[16..24].copy_from_slice(&series.0.to_le_bytes());
    header[24..32].copy_from_slice(&first.to_le_bytes());
    let check = crc32fast::hash(&header[..36]);
    header[36..].copy_from_slice(&check.to_le_bytes());
    header
}

/// What a file turned out to be.
#[derive(Debug)]
pub(super) enum Found {
    /// Readable entries, and perhaps holes between them. How many reports could not be read, at least.
    Entries(Box<Segment>, u64),
    /// Nothing was ever written into it that a submit waited for.
    Empty,
    /// It has the header of another version.
    Foreign(u32),
    /// There is something, and nothing of it can be read.
    Nothing,
}

enum Head {
    Ours(u64),
    Foreign(u32),
    Damaged,
}

fn read_header(bytes: &[u8], series: Series) -> Head {
    let Some(bytes) = bytes.first_chunk::<HEADER>() else { return Head::Damaged };
    let number = |at: usize, length: usize| {
        bytes[at..at + length].iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
    };
    // The first twelve bytes and the check sum have their places in every version.
    if bytes[..8] != MAGIC || number(36, 4) != u64::from(crc32fast::hash(&bytes[..36])) {
        return Head::Damaged;
    }
    let version = u32::try_from(number(8, 4)).unwrap_or(u32::MAX);
    if version != VERSION {
        return Head::Foreign(version);
    }
    if number(16, 8) == series.0 { Head::Ours(number(24, 8)) } else { Head::Damaged }
}

/// Reads what can be read. Each byte is looked at a bounded number of times, whatever it is.
pub(super) fn scan(bytes: &[u8], name: SegmentName, (id, opened): (u64, u64), granularity: u64) -> Found {
    let first = match read_header(bytes, name.series) {
        Head::Foreign(version) => return Found::Foreign(version),
        Head::Ours(first) => Some(first.min(u64::MAX / 2)),
        Head::Damaged => None,
    };
    let salt = Salt::new(name.lane, name.series);
    let mut scan = Scan { bytes, salt, next: first, segment: None, lost: 0 };
    // Where the header is damaged, its entries begin where they always do.
    let mut at = HEADER;
    while let Some(entry) = scan.entry_at(at) {
        let (number, gap) = (entry.header.number, entry.at - at);
        // What lies before it could not be read.
        scan.lost += scan.next.map_or(u64::from(gap > 0), |next| number - next);
        let segment = match &mut scan.segment {
            Some(segment) => {
                segment.count_hole(number - segment.end(), gap);
                segment
            }
            none => none.insert(Box::new(Segment::found(id, name, number, entry.at as u64, opened))),
        };
        let length = entry.header.entry_length();
        if entry.whole {
            segment.count(length, entry.header.wall, granularity);
        } else {
            segment.count_hole(1, length);
            scan.lost += 1;
        }
        scan.next = Some(entry.header.number + 1);
        at = entry.at + length;
    }
    let rest = bytes.len().saturating_sub(at);
    scan.lost += u64::from(rest > 0);
    match scan.segment {
        Some(mut segment) if segment.live() > 0 => {
            segment.damaged |= scan.lost > 0 || first.is_none();
            segment.seal();
            Found::Entries(segment, scan.lost)
        }
        _ if rest == 0 && scan.lost == 0 && (first.is_some() || bytes.len() < HEADER) => Found::Empty,
        _ => Found::Nothing,
    }
}

struct Scan<'a> {
    bytes: &'a [u8],
    salt: Salt,
    /// The number that comes next, when that is known.
    next: Option<u64>,
    segment: Option<Box<Segment>>,
    /// Reports that could not be read.
    lost: u64,
}

struct EntryAt {
    at: usize,
    header: Header,
    /// Its body is as it was written.
    whole: bool,
}

impl Scan<'_> {
    /// The first entry at this place or behind it. One that runs past the end of the file is none.
    fn entry_at(&self, from: usize) -> Option<EntryAt> {
        let last = self.bytes.len().checked_sub(ENTRY_HEADER)?;
        (from..=last).find_map(|at| {
            let rest = &self.bytes[at..];
            // There is always room to count on.
            let header = Header::read(rest, self.salt).filter(|header| header.number < u64::MAX / 2)?;
            // What was skipped is one entry at least, and has no more entries than bytes for their headers.
            let (least, most) = (u64::from(at > from), ((at - from) / ENTRY_HEADER) as u64);
            let fits = |next: u64| (next + least..=next + most).contains(&header.number);
            if !self.next.is_none_or(fits) {
                return None;
            }
            let body = rest.get(ENTRY_HEADER..header.entry_length())?;
            Some(EntryAt { at, header, whole: header.fits(body, self.salt) })
        })
    }
}
