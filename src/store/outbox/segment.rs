//! A stretch of one lane: entries of one series with numbers that follow each other, in a file, in memory, or the first part in a
//! file and the rest in memory.
//!
//! The bytes stay where they are. In memory there is the length of each entry, and when runs of them were submitted. A segment
//! shrinks from its front only, and is removed as a whole.

use std::collections::VecDeque;
use std::fs::File;

use super::batch::LEAST_FRAME;
use super::entry::{self, HEADER, Salt};
use super::reading::{InFile, Piece};
use super::segment_name::SegmentName;
use super::time::Now;
use crate::types::{ReportKind, Series};

/// Marks a length as that of a stretch without a readable entry.
const HOLE: u32 = 1 << 31;

/// How long the wall clock has to be right after an opening before a report of an earlier process is dropped as too old, in seconds. A machine
/// may start with a wrong clock and be corrected by the network.
const GRACE: u64 = 10 * 60;

/// 2024-01-01: before that, the clock was not set when the report was submitted.
const PLAUSIBLE: u64 = 1_704_067_200;

/// Which clock says when an entry was submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// Submitted in this process: the clock that is never set.
    Here,
    /// Found at an opening, which was at this second of that clock: the wall clock.
    Before { opened: u64 },
}

/// Entries that were submitted at about one time.
#[derive(Debug)]
struct Run {
    /// Index of the first entry behind it.
    until: usize,
    oldest: u64,
    newest: u64,
}

/// The part that is on the disk.
#[derive(Debug)]
pub(super) struct OnDisk {
    pub(super) name: SegmentName,
    /// Where in the file the first entry is.
    pub(super) data_at: u64,
    /// Bytes of entries that are known to be synced. The file may have more, which count for nothing.
    pub(super) synced: u64,
    /// For reading; opened when it is first needed.
    reader: Option<File>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Segment {
    /// Names it within its lane for as long as the outbox lives.
    pub(super) id: u64,
    pub(super) series: Series,
    origin: Origin,
    first: u64,
    lengths: Vec<u32>,
    /// What each application is noted as; empty in other lanes. 0: it is not known.
    digests: Vec<u64>,
    runs: VecDeque<Run>,
    /// How many entries at the front are done with.
    gone: usize,
    gone_bytes: u64,
    bytes: u64,
    pub(super) disk: Option<OnDisk>,
    /// Entries that are not known to be on the disk.
    pub(super) tail: Vec<u8>,
    /// Nothing is appended any more.
    pub(super) sealed: bool,
    /// Something in its file could not be read: it is kept for a look.
    pub(super) damaged: bool,
    /// Is being written at the moment.
    pub(super) in_flight: bool,
    /// Since this second its file cannot be read.
    pub(super) unread_since: Option<u64>,
}

/// The next entries to send.
struct Span {
    from: usize,
    until: usize,
    start: u64,
    end: u64,
    /// Bytes of a batch, at least.
    in_batch: u64,
}

impl Segment {
    pub(super) fn new(id: u64, series: Series, first: u64, origin: Origin) -> Self {
        Self {
            id,
            series,
            origin,
            first,
            lengths: Vec::new(),
            digests: Vec::new(),
            runs: VecDeque::new(),
            gone: 0,
            gone_bytes: 0,
            bytes: 0,
            disk: None,
            tail: Vec::new(),
            sealed: false,
            damaged: false,
            in_flight: false,
            unread_since: None,
        }
    }

    /// One that was found on the disk, still without entries.
    pub(super) fn found(id: u64, name: SegmentName, first: u64, data_at: u64, opened: u64) -> Self {
        let mut segment = Self::new(id, name.series, first, Origin::Before { opened });
        segment.disk = Some(OnDisk { name, data_at, synced: 0, reader: None });
        segment.sealed = true;
        segment
    }

    /// Submitted in this process.
    pub(super) fn is_own(&self) -> bool {
        self.origin == Origin::Here
    }

    /// Bytes of all its entries, those that are done with included.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Nothing of it is left to send.
    pub(super) fn is_spent(&self) -> bool {
        self.gone == self.lengths.len()
    }

    /// The number the next entry behind it has.
    pub(super) fn end(&self) -> u64 {
        self.first + self.lengths.len() as u64
    }

    /// The number of its first entry, whether that is left or not.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// The number of its first entry that is left; [`end`](Self::end) when there is none.
    pub(super) fn front(&self) -> u64 {
        self.first + self.gone as u64
    }

    /// Readable entries that are left.
    pub(super) fn live(&self) -> u64 {
        self.lengths[self.gone..].iter().filter(|&&length| length & HOLE == 0).count() as u64
    }

    /// Bytes of the readable entries that are left.
    pub(super) fn live_bytes(&self) -> u64 {
        let live = self.lengths[self.gone..].iter().filter(|&&length| length & HOLE == 0);
        live.map(|&length| u64::from(length)).sum()
    }

    /// Appends an entry in memory. `granularity`: entries within so many seconds share their age.
    pub(super) fn append(&mut self, salt: Salt, now: Now, granularity: u64, kind: ReportKind, body: &[u8]) {
        let number = self.end();
        entry::write(&mut self.tail, salt, (number, now.wall), kind, body);
        self.count(HEADER + body.len(), now.boot, granularity);
    }

    /// What the last entry is noted as.
    pub(super) fn note(&mut self, digest: u64) {
        self.digests.resize(self.lengths.len() - 1, 0);
        self.digests.push(digest);
    }

    /// Notes each entry of its file, which has these bytes.
    pub(super) fn note_all(&mut self, bytes: &[u8], digest: impl Fn(&[u8]) -> u64) {
        let Some(span) = self.span(0, u64::MAX) else { return };
        let data_at = self.disk.as_ref().map_or(0, |disk| disk.data_at);
        let at = usize::try_from(data_at + span.start).unwrap_or(usize::MAX);
        self.digests = vec![0; self.lengths.len()];
        for (number, range) in self.entries(&span) {
            let body = bytes.get(at + range.start + HEADER..at + range.end).unwrap_or_default();
            self.digests[(number - self.first) as usize] = digest(body);
        }
    }

    /// What the entry of this number is noted as, if that is known.
    pub(super) fn digest(&self, number: u64) -> Option<u64> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.digests.get(index).copied().filter(|&digest| digest != 0)
    }

    /// Counts an entry that is in its place; `when` by the clock of its origin.
    pub(super) fn count(&mut self, length: usize, when: u64, granularity: u64) {
        // A length is at most MAX_BODY and a header.
        self.lengths.push(u32::try_from(length).unwrap_or(HOLE - 1));
        self.bytes += length as u64;
        let until = self.lengths.len();
        match self.runs.back_mut() {
            Some(run) if when.saturating_sub(run.oldest) <= granularity => {
                (run.until, run.newest) = (until, run.newest.max(when));
                run.oldest = run.oldest.min(when);
            }
            Some(_) | None => self.runs.push_back(Run { until, oldest: when, newest: when }),
        }
        self.found_bytes(length);
    }

    /// Counts a stretch in which this many numbers cannot be read.
    pub(super) fn count_hole(&mut self, numbers: u64, bytes: usize) {
        if numbers == 0 {
            return;
        }
        self.damaged = true;
        // A stretch is part of a file, which is shorter than that.
        let mut length = u32::try_from(bytes).unwrap_or(HOLE - 1);
        for _ in 0..numbers {
            self.lengths.push(HOLE | length);
            length = 0;
        }
        self.bytes += bytes as u64;
        if let Some(run) = self.runs.back_mut() {
            run.until = self.lengths.len();
        }
        self.found_bytes(bytes);
        self.skip_holes();
    }

    /// What was found on a disk is there.
    fn found_bytes(&mut self, bytes: usize) {
        if let (Origin::Before { .. }, Some(disk)) = (self.origin, &mut self.disk) {
            disk.synced += bytes as u64;
        }
    }

    /// Gives back room that only growing needs.
    pub(super) fn seal(&mut self) {
        self.sealed = true;
        self.lengths.shrink_to_fit();
    }

    /// Forgets the entries from this number on: a later file has them. Returns how many readable ones that were.
    pub(super) fn cut(&mut self, number: u64) -> u64 {
        let keep = usize::try_from(number.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let keep = keep.clamp(self.gone, self.lengths.len());
        let cut: Vec<u32> = self.lengths.drain(keep..).collect();
        self.digests.truncate(keep);
        self.bytes -= cut.iter().map(|length| u64::from(length & !HOLE)).sum::<u64>();
        self.runs.iter_mut().for_each(|run| run.until = run.until.min(keep));
        cut.iter().filter(|&&length| length & HOLE == 0).count() as u64
    }

    /// Removes the first entry that is left, and returns its bytes.
    pub(super) fn pop(&mut self) -> Option<u64> {
        let length = self.step()?;
        self.skip_holes();
        Some(length)
    }

    fn step(&mut self) -> Option<u64> {
        let length = self.lengths.get(self.gone)? & !HOLE;
        self.gone += 1;
        self.gone_bytes += u64::from(length);
        while self.runs.front().is_some_and(|run| run.until <= self.gone) {
            self.runs.pop_front();
        }
        Some(length.into())
    }

    fn skip_holes(&mut self) {
        while self.lengths.get(self.gone).is_some_and(|length| length & HOLE != 0) {
            self.step();
        }
    }

    /// How many seconds its first entry has waited, within the granularity of the lane and never too many.
    pub(super) fn age(&self, now: Now) -> u64 {
        let Some(run) = self.runs.front() else { return 0 };
        let Origin::Before { opened } = self.origin else { return now.boot.saturating_sub(run.newest) };
        let here = now.boot.saturating_sub(opened);
        if here < GRACE {
            return 0;
        }
        let believable = (PLAUSIBLE..=now.wall).contains(&run.newest);
        if believable { here.max(now.wall - run.newest) } else { here }
    }

    /// The next entries that may fit into so many bytes of a batch, behind so many that are left out; one at least. `None`: there
    /// is none.
    fn span(&self, without: usize, at_most: u64) -> Option<Span> {
        let left_out = self.lengths[self.gone..].iter().take(without);
        let start = self.gone_bytes + left_out.map(|length| u64::from(length & !HOLE)).sum::<u64>();
        let from = self.lengths.len().min(self.gone + without);
        let mut span = Span { from, until: from, start, end: start, in_batch: 0 };
        for &length in &self.lengths[from..] {
            let length = u64::from(length & !HOLE);
            // In a batch, no report has less beside its body than an entry has.
            let in_batch = span.in_batch + length.saturating_sub((HEADER - LEAST_FRAME) as u64);
            if span.until > span.from && in_batch > at_most {
                break;
            }
            (span.until, span.end, span.in_batch) = (span.until + 1, span.end + length, in_batch);
        }
        (span.until > span.from).then_some(span)
    }

    /// Those entries, to be read: from the file, as far as they are in it, and from memory.
    pub(super) fn piece(&mut self, without: usize, at_most: u64) -> Option<Piece> {
        let span = self.span(without, at_most)?;
        let synced = self.disk.as_ref().map_or(0, |disk| disk.synced);
        let in_file = self.disk.as_mut().filter(|_| span.start < synced).map(|disk| InFile {
            name: disk.name,
            at: disk.data_at + span.start,
            length: span.end.min(synced) - span.start,
            file: disk.reader.take(),
        });
        let in_memory = span.start.max(synced)..span.end.max(synced);
        let index = |at: u64| usize::try_from(at - synced).unwrap_or(usize::MAX);
        let tail = self.tail.get(index(in_memory.start)..index(in_memory.end)).unwrap_or_default();
        Some(Piece {
            segment: self.id,
            entries: self.entries(&span),
            in_batch: span.in_batch,
            is_last: span.until == self.lengths.len(),
            in_file,
            bytes: tail.to_vec(),
        })
    }

    /// Its file was read, and is kept open for the next time.
    pub(super) fn was_read(&mut self, name: SegmentName, file: File) {
        self.unread_since = None;
        if let Some(disk) = self.disk.as_mut().filter(|disk| disk.name == name) {
            disk.reader = Some(file);
        }
    }

    /// Whether the entry of this number can be read and waits.
    pub(super) fn has(&self, number: u64) -> bool {
        let index = usize::try_from(number.saturating_sub(self.first)).unwrap_or(usize::MAX);
        number >= self.front() && self.lengths.get(index).is_some_and(|length| length & HOLE == 0)
    }

    /// The entries of a span, each with its number and where its bytes are in what was read; holes left out.
    fn entries(&self, span: &Span) -> Vec<(u64, std::ops::Range<usize>)> {
        let mut at = 0;
        let mut entries = Vec::with_capacity(span.until - span.from);
        for index in span.from..span.until {
            let length = self.lengths[index];
            let end = at + (length & !HOLE) as usize;
            if length & HOLE == 0 {
                entries.push((self.first + index as u64, at..end));
            }
            at = end;
        }
        entries
    }

    /// An entry turned out not to be readable. Returns its bytes.
    pub(super) fn lose(&mut self, number: u64) -> u64 {
        let index = usize::try_from(number.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let Some(length) = self.lengths.get_mut(index).filter(|length| **length & HOLE == 0) else {
            return 0;
        };
        let bytes = u64::from(*length);
        *length |= HOLE;
        self.damaged = true;
        self.skip_holes();
        bytes
    }

    /// The numbers of the entries that are only in the file.
    pub(super) fn only_on_disk(&self) -> std::ops::Range<u64> {
        let synced = self.disk.as_ref().map_or(0, |disk| disk.synced);
        let (mut index, mut at) = (self.gone, self.gone_bytes);
        while at < synced && index < self.lengths.len() {
            at += u64::from(self.lengths[index] & !HOLE);
            index += 1;
        }
        self.front()..self.first + index as u64
    }

    /// Takes what is only in memory out into a segment of its own, because the file cannot be written any further.
    pub(super) fn split(&mut self, id: u64) -> Option<Self> {
        let synced = self.disk.as_ref()?.synced;
        if self.tail.is_empty() {
            return None;
        }
        let (mut index, mut at) = (0, 0);
        while at < synced && index < self.lengths.len() {
            at += u64::from(self.lengths[index] & !HOLE);
            index += 1;
        }
        let mut rest = Self::new(id, self.series, self.first + index as u64, self.origin);
        rest.lengths = self.lengths.split_off(index);
        rest.digests = self.digests.split_off(index.min(self.digests.len()));
        rest.bytes = self.bytes - synced;
        rest.tail = std::mem::take(&mut self.tail);
        rest.sealed = self.sealed;
        for run in &self.runs {
            if run.until > index {
                rest.runs.push_back(Run { until: run.until - index, ..*run });
            }
        }
        self.bytes = synced;
        self.runs.iter_mut().for_each(|run| run.until = run.until.min(index));
        self.seal();
        // Of what went over, some may have been done with.
        while self.gone > index {
            self.gone -= 1;
            rest.step();
        }
        self.gone_bytes = self.gone_bytes.min(synced);
        Some(rest)
    }

    /// Its file is gone, and these are the bytes that were in it: all of it is in memory only.
    pub(super) fn take_back(&mut self, mut bytes: Vec<u8>) {
        bytes.append(&mut self.tail);
        (self.disk, self.tail) = (None, bytes);
    }

    /// These bytes of the tail were synced to the file of this name.
    pub(super) fn synced(&mut self, name: SegmentName, data_at: u64, bytes: usize) {
        let disk = self.disk.get_or_insert(OnDisk { name, data_at, synced: 0, reader: None });
        disk.synced += bytes as u64;
        self.tail.drain(..bytes.min(self.tail.len()));
        if self.tail.is_empty() && self.sealed {
            self.tail = Vec::new();
        }
    }
}
