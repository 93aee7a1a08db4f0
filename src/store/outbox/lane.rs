//! One lane: its segments, oldest first, and what became of its reports. Nothing here waits for a disk.

mod files;
mod refused;
mod sending;

use std::collections::{BTreeMap, VecDeque};

pub(super) use self::sending::Collected;
use super::account::LaneLimits;
use super::entry::{HEADER, Salt};
use super::event::{Events, Ladder};
use super::file::MOST_BYTES;
use super::pen::Pen;
use super::random::random;
use super::segment::Segment;
use super::segment_name::SegmentName;
use super::shelf::Shelves;
use super::suspect::Suspect;
use super::time::Now;
use crate::types::{Lane, LaneAccount, ReportKind, Series};

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
    /// Of the next report.
    series: Series,
    salt: Salt,
    pub(super) account: LaneAccount,
    pub(super) events: Events,
    ladder: Ladder,
    segments: VecDeque<Segment>,
    /// The highest number that was given out of each series. A server may know it, and all below it.
    given: BTreeMap<Series, u64>,
    /// What applications are noted as that were dropped.
    pub(super) unlearned: Vec<u64>,
    next_id: u64,
    /// The number of the next report.
    pub(super) next: u64,
    /// What the writer of the head has to remove.
    graves: Vec<Grave>,
    /// Reports were settled since the head was written.
    pub(super) settled: bool,
    /// For reading from the folder, while it can be used.
    pub(super) shelves: Option<Shelves>,
    /// The report that a server refused alone.
    suspect: Option<Suspect>,
    /// What writes to the folder. Not here while a thread uses it.
    pub(super) pen: Option<Pen>,
    pub(super) group: Group,
}

/// How the lane stands with its folder.
#[derive(Default)]
pub(super) struct Group {
    /// The folder can be used, as far as is known.
    pub(super) attached: bool,
    /// Every report of this process up to this number is on the disk, or done with.
    pub(super) synced_to: u64,
    /// Something that was on the disk is in memory only.
    pub(super) behind: bool,
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
            given: BTreeMap::new(),
            unlearned: Vec::new(),
            next_id: 0,
            next: 1,
            graves: Vec::new(),
            settled: false,
            shelves: None,
            suspect: None,
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
    pub(super) fn append(
        &mut self,
        now: Now,
        (kind, body): (ReportKind, &[u8]),
        digest: Option<u64>,
    ) -> Result<u64, Refused> {
        self.drop_aged(now);
        if body.len() > self.most_body() {
            self.account.refused += 1;
            return Err(Refused::TooLarge);
        }
        let bytes = (HEADER + body.len()) as u64;
        let mut overflows = false;
        while self.account.waiting_bytes + bytes > self.limits.bytes || self.is_crowded() {
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
            self.bury_if_crowded();
        }
        let number = self.next;
        let (salt, granularity) = (self.salt, self.granularity());
        let active = self.active();
        active.append(salt, now, granularity, kind, body);
        digest.into_iter().for_each(|digest| active.note(digest));
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

    /// What is submitted from now on is of a series of its own, so that it need not wait for what is before it. The numbers go on.
    fn begin_series(&mut self) {
        self.series = Series(random(self.lane as u8));
        self.salt = Salt::new(self.lane, self.series);
        if let Some(last) = self.segments.back_mut() {
            last.seal();
        }
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
        let Some(segment) = self.front() else { return false };
        let digest = segment.digest(segment.front());
        let Some(bytes) = segment.pop() else { return false };
        self.unlearned.extend(digest);
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

    pub(super) fn segments(&mut self) -> &mut VecDeque<Segment> {
        &mut self.segments
    }

    pub(super) fn lane(&self) -> Lane {
        self.lane
    }

    pub(super) fn series(&self) -> Series {
        self.series
    }

    /// Whether this report of this process waits no more.
    pub(super) fn is_done_with(&self, number: u64) -> bool {
        let own = |segment: &&Segment| segment.is_own() && !segment.is_spent();
        self.segments.iter().find(own).is_none_or(|segment| number < segment.front())
    }
}
