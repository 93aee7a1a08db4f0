//! One lane: its segments, oldest first, and what became of its reports. Nothing here waits for a disk, but reading what is sent.

use std::collections::VecDeque;
use std::io;

use super::account::LaneLimits;
use super::batch::{Batch, Builder};
use super::entry::{HEADER, Header, Salt};
use super::event::{Events, Ladder, OutboxEvent};
use super::file::MOST_BYTES;
use super::pen::Pen;
use super::segment::Segment;
use super::segment_name::SegmentName;
use super::shelf::{Shelf, is_exhausted};
use super::time::Now;
use crate::types::{Lane, LaneAccount, ReportKind, Series};

/// A file that cannot be read, but is there, is tried this often before its reports are given up.
const MOST_FAILED_READS: u32 = 16;

/// A file of which everything is done with is removed although it could grow, from this size on.
const WORTH_REMOVING: u64 = 64 << 10;

/// A file of which nothing is needed any more.
#[derive(Debug)]
pub(super) struct Grave {
    pub(super) name: SegmentName,
    /// Behind the number of its last report.
    end: u64,
    /// Kept under another name, for a look at what is damaged.
    pub(super) aside: bool,
}

/// See the module.
pub(super) struct State {
    lane: Lane,
    limits: LaneLimits,
    series: Series,
    salt: Salt,
    pub(super) account: LaneAccount,
    pub(super) events: Events,
    ladder: Ladder,
    segments: VecDeque<Segment>,
    next_id: u64,
    /// The number of the next report.
    pub(super) next: u64,
    failed_reads: u32,
    /// What the writer of the head has to remove.
    graves: Vec<Grave>,
    /// Reports were settled since the head was written.
    pub(super) settled: bool,
    /// For reading from the folder, while it can be used.
    reader: Option<Shelf>,
    /// What writes to the folder. Not here while a thread uses it.
    pub(super) pen: Option<Pen>,
    pub(super) group: Group,
}

/// How the lane stands with its folder.
#[derive(Default)]
pub(super) struct Group {
    /// The folder can be used, as far as is known.
    pub(super) attached: bool,
    /// Every report up to this number of the present series is on the disk, or done with.
    pub(super) synced_to: u64,
    /// Up to this number, the last try to write failed.
    pub(super) failed_to: u64,
    pub(super) problem: String,
    /// Threads that wait for the end of a leader's turn.
    pub(super) waiters: usize,
    /// The writer was called and has not looked yet.
    pub(super) called: bool,
    /// The writer is not called before this second.
    pub(super) retry_at: u64,
    /// The segment whose file the pen has open.
    pub(super) open: Option<u64>,
    /// For the names of files.
    pub(super) opening: u32,
    pub(super) count: u32,
}

/// Why a report was not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    TooLarge,
    Full,
}

impl State {
    pub(super) fn new(lane: Lane, limits: LaneLimits, series: Series) -> Self {
        Self {
            lane,
            limits: limits.within_bounds(),
            series,
            salt: Salt::new(lane, series),
            account: LaneAccount::default(),
            events: Events::default(),
            ladder: Ladder::default(),
            segments: VecDeque::new(),
            next_id: 0,
            next: 1,
            failed_reads: 0,
            graves: Vec::new(),
            settled: false,
            reader: None,
            pen: None,
            group: Group::default(),
        }
    }

    pub(super) fn most_body(&self) -> usize {
        self.limits.most_body()
    }

    /// Entries within a thousandth of the age share their age, which bounds what has to be remembered of it. In seconds.
    pub(super) fn granularity(&self) -> u64 {
        self.limits.age.as_secs() / 1024
    }

    /// A lane has 16 segments when it is full, or more of the largest size.
    fn segment_bytes(&self) -> u64 {
        (self.limits.bytes / 16).min(MOST_BYTES)
    }

    /// Takes a report, and drops the oldest where there is no room. Returns its number.
    pub(super) fn append(&mut self, now: Now, kind: ReportKind, body: &[u8]) -> Result<u64, Refused> {
        self.drop_aged(now);
        if body.len() > self.most_body() {
            self.account.refused += 1;
            return Err(Refused::TooLarge);
        }
        let bytes = (HEADER + body.len()) as u64;
        let mut overflows = false;
        while self.account.waiting_bytes + bytes > self.limits.bytes {
            overflows = true;
            if self.lane == Lane::Critical {
                self.account.refused += 1;
                self.step(true);
                return Err(Refused::Full);
            }
            if !self.drop_oldest() {
                break;
            }
            self.account.dropped.full += 1;
        }
        let number = self.next;
        let (salt, granularity) = (self.salt, self.granularity());
        self.active().append(salt, now, granularity, kind, body);
        self.next += 1;
        self.account.submitted += 1;
        self.account.waiting += 1;
        self.account.waiting_bytes += bytes;
        self.step(overflows);
        Ok(number)
    }

    /// The segment that takes the next report.
    fn active(&mut self) -> &mut Segment {
        let most = self.segment_bytes();
        if let Some(last) = self.segments.back_mut().filter(|last| !last.sealed && last.bytes() >= most) {
            last.seal();
        }
        if self.segments.back().is_none_or(|last| last.sealed) {
            let id = self.new_id();
            let segment = Segment::new(id, self.series, self.next, super::segment::Origin::Here);
            self.segments.push_back(segment);
            self.bury();
        }
        // One was pushed if there was none; `bury` leaves the last one that is not sealed and has no bytes.
        let last = self.segments.len() - 1;
        &mut self.segments[last]
    }

    fn new_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    fn step(&mut self, overflows: bool) {
        let (used, most) = (self.account.waiting_bytes, self.limits.bytes);
        if let Some(event) = self.ladder.step(self.lane, used, most, overflows) {
            self.events.push(event);
        }
    }

    /// The first segment that has something to send.
    fn front(&mut self) -> Option<&mut Segment> {
        self.segments.iter_mut().find(|segment| !segment.is_spent())
    }

    fn drop_oldest(&mut self) -> bool {
        let Some(bytes) = self.front().and_then(Segment::pop) else { return false };
        self.is_gone(bytes);
        true
    }

    /// A report waits no more.
    fn is_gone(&mut self, bytes: u64) {
        self.account.waiting -= 1;
        self.account.waiting_bytes -= bytes;
    }

    /// Drops what is too old.
    pub(super) fn drop_aged(&mut self, now: Now) {
        let most = self.limits.age.as_secs();
        let mut dropped = false;
        while self.front().is_some_and(|segment| segment.age(now) > most) && self.drop_oldest() {
            self.account.dropped.aged += 1;
            dropped = true;
        }
        if dropped {
            self.step(false);
            self.bury();
        }
    }

    /// The oldest reports of one series, of at most so many bytes as a body; one at least.
    pub(super) fn take(&mut self, now: Now, at_most: usize) -> Option<Batch> {
        self.drop_aged(now);
        // Each turn without a batch has lost a report, or is the last.
        while let Some(series) = self.front().map(|segment| segment.series) {
            let before = self.account.dropped.damaged;
            let batch = self.collect(series, at_most);
            let lost = self.account.dropped.damaged - before;
            if lost > 0 {
                self.events.push(OutboxEvent::Damaged { lane: self.lane, reports: lost });
                self.step(false);
                self.bury();
            }
            if batch.is_some() || lost == 0 {
                return batch;
            }
        }
        None
    }

    fn collect(&mut self, series: Series, at_most: usize) -> Option<Batch> {
        let mut batch = Builder::new(self.lane, series);
        let salt = Salt::new(self.lane, series);
        for index in 0..self.segments.len() {
            let segment = &mut self.segments[index];
            if segment.is_spent() {
                continue;
            }
            let left = at_most.saturating_sub(batch.bytes());
            if segment.series != series || (!batch.is_empty() && left == 0) {
                break;
            }
            let Some(span) = segment.span(left as u64) else { continue };
            let bytes = match segment.read(&span, self.reader.as_mut()) {
                Ok(bytes) => bytes,
                Err(error) => {
                    self.cannot_read(index, &error);
                    break;
                }
            };
            self.failed_reads = 0;
            let mut lost = Vec::new();
            let mut full = false;
            for (number, range) in segment.entries(&span) {
                let entry = bytes.get(range).unwrap_or_default();
                let header = Header::read(entry, salt).filter(|header| header.number == number);
                let body = entry.get(HEADER..).unwrap_or_default();
                match header.filter(|header| header.fits(body, salt)) {
                    Some(header) => full = !batch.push(number, header.kind, body, at_most),
                    None => lost.push(number),
                }
                if full {
                    break;
                }
            }
            full |= span.until < segment.end_index();
            lost.into_iter().for_each(|number| self.lose(index, number));
            if full {
                break;
            }
        }
        batch.finish()
    }

    /// What is gone for good is given up at once; what may be readable later is tried again, and not for ever.
    fn cannot_read(&mut self, index: usize, error: &io::Error) {
        if is_exhausted(error) {
            return;
        }
        self.failed_reads += 1;
        let gone = matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof);
        if gone || self.failed_reads >= MOST_FAILED_READS {
            self.failed_reads = 0;
            self.segments[index].only_on_disk().for_each(|number| self.lose(index, number));
        }
    }

    fn lose(&mut self, index: usize, number: u64) {
        let bytes = self.segments[index].lose(number);
        if bytes > 0 {
            self.account.dropped.damaged += 1;
            self.is_gone(bytes);
        }
    }

    /// Settles the reports of a series up to this number. Returns how many that were.
    pub(super) fn settle(&mut self, series: Series, up_to: u64) -> u64 {
        let sent = self.remove(series, up_to);
        self.account.sent += sent;
        sent
    }

    /// Gives up a report that no server takes. `false`: it waits no more.
    pub(super) fn drop_refused(&mut self, series: Series, number: u64) -> bool {
        let dropped = self.remove(series, number);
        self.account.dropped.too_large += dropped;
        dropped > 0
    }

    fn remove(&mut self, series: Series, up_to: u64) -> u64 {
        let (mut removed, mut bytes) = (0, 0);
        for segment in self.segments.iter_mut().filter(|segment| segment.series == series) {
            while !segment.is_spent() && segment.front() <= up_to {
                bytes += segment.pop().unwrap_or(0);
                removed += 1;
            }
        }
        self.account.waiting -= removed;
        self.account.waiting_bytes -= bytes;
        self.settled |= removed > 0;
        self.step(false);
        self.bury();
        removed
    }

    /// Removes segments that nothing is needed of.
    pub(super) fn bury(&mut self) {
        let last = self.segments.back().map(|segment| segment.id);
        let mut kept = VecDeque::with_capacity(self.segments.len());
        for mut segment in self.segments.drain(..) {
            let in_use = Some(segment.id) == last
                && !segment.sealed
                && (segment.bytes() == 0 || segment.disk.is_some())
                && segment.bytes() < WORTH_REMOVING;
            if !segment.is_spent() || segment.in_flight || in_use {
                kept.push_back(segment);
                continue;
            }
            let end = segment.end();
            if self.group.open == Some(segment.id)
                && let Some(pen) = &mut self.pen
            {
                // Its room on the disk is free only when nothing has it open.
                pen.put_down();
                self.group.open = None;
            }
            if let Some(disk) = segment.disk.take() {
                self.graves.push(Grave { name: disk.name, end, aside: segment.damaged });
            }
        }
        self.segments = kept;
    }

    /// Up to which number each series with files is done with.
    pub(super) fn gone(&self) -> Vec<(Series, u64)> {
        let mut gone: Vec<(Series, u64)> = Vec::new();
        let mut waiting: Vec<Series> = Vec::new();
        let mut note = |series: Series, number: u64| match gone.iter_mut().find(|(known, _)| *known == series)
        {
            Some((_, most)) => *most = number.max(*most),
            None => gone.push((series, number)),
        };
        self.graves.iter().for_each(|grave| note(grave.name.series, grave.end.saturating_sub(1)));
        for segment in &self.segments {
            if !waiting.contains(&segment.series) {
                note(segment.series, segment.front().saturating_sub(1));
            }
            if !segment.is_spent() {
                waiting.push(segment.series);
            }
        }
        gone
    }

    pub(super) fn take_graves(&mut self) -> Vec<Grave> {
        std::mem::take(&mut self.graves)
    }

    /// They could not be removed, and are tried again.
    pub(super) fn keep_graves(&mut self, graves: Vec<Grave>) {
        self.graves.extend(graves);
    }

    pub(super) fn has_graves(&self) -> bool {
        !self.graves.is_empty()
    }

    /// Takes over what an earlier process left behind. It comes before everything else.
    pub(super) fn adopt(&mut self, found: Vec<Segment>, graves: Vec<(SegmentName, u64)>, damaged: u64) {
        // After the folder was away for a time, a file may have reports that wait in memory, written and not synced.
        let own = self.segments.iter().find(|segment| segment.series == self.series);
        let own = own.map_or(self.next, Segment::front);
        for mut segment in found.into_iter().rev() {
            if segment.series == self.series {
                segment.cut(own);
            }
            segment.id = self.new_id();
            let live = segment.live();
            self.account.recovered += live;
            self.account.waiting += live;
            self.account.waiting_bytes += segment.live_bytes();
            self.segments.push_front(segment);
        }
        self.account.recovered += damaged;
        self.account.dropped.damaged += damaged;
        if damaged > 0 {
            self.events.push(OutboxEvent::Damaged { lane: self.lane, reports: damaged });
        }
        self.graves.extend(graves.into_iter().map(|(name, end)| Grave { name, end, aside: false }));
        let mut overflows = false;
        while self.lane != Lane::Critical
            && self.account.waiting_bytes > self.limits.bytes
            && self.drop_oldest()
        {
            self.account.dropped.full += 1;
            overflows = true;
        }
        self.step(overflows);
        self.bury();
    }

    pub(super) fn attach(&mut self, reader: Shelf, pen: Pen, opening: u32) {
        (self.reader, self.pen) = (Some(reader), Some(pen));
        self.group.attached = true;
        self.group.open = None;
        if opening != self.group.opening {
            (self.group.opening, self.group.count) = (opening, 0);
        }
    }

    /// The folder is there no more, and what was only in it is lost.
    pub(super) fn detach(&mut self, problem: &str) {
        (self.reader, self.pen) = (None, None);
        self.group.attached = false;
        self.group.open = None;
        problem.clone_into(&mut self.group.problem);
        self.graves.clear();
        let before = self.account.dropped.damaged;
        for index in 0..self.segments.len() {
            self.segments[index].only_on_disk().for_each(|number| self.lose(index, number));
            if self.segments[index].in_flight {
                continue;
            }
            self.split(index);
            self.segments[index].disk = None;
        }
        let lost = self.account.dropped.damaged - before;
        if lost > 0 {
            self.events.push(OutboxEvent::Damaged { lane: self.lane, reports: lost });
        }
        self.step(false);
        self.bury();
    }

    /// Moves what is not on the disk out of this segment, whose file is not written any more.
    pub(super) fn split(&mut self, index: usize) {
        let id = self.new_id();
        if let Some(rest) = self.segments[index].split(id) {
            self.segments.insert(index + 1, rest);
        }
    }

    pub(super) fn segments(&mut self) -> &mut VecDeque<Segment> {
        &mut self.segments
    }

    pub(super) fn lane(&self) -> Lane {
        self.lane
    }

    pub(super) fn series(&self) -> Series {
        self.series
    }

    /// Whether this report of the present series waits no more.
    pub(super) fn is_done_with(&self, number: u64) -> bool {
        let own = |segment: &&Segment| segment.series == self.series && !segment.is_spent();
        self.segments.iter().find(own).is_none_or(|segment| number < segment.front())
    }
}
