//! What of a lane is in the files of its folder: taken over, given up, and removed when it is needed no more.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::ops::Range;

use super::{Grave, State};
use crate::store::outbox::event::OutboxEvent;
use crate::store::outbox::pen::Pen;
use crate::store::outbox::segment::Segment;
use crate::store::outbox::segment_name::SegmentName;
use crate::store::outbox::shelf::Shelves;
use crate::types::{Lane, Series};

/// What a file takes on a disk beside its bytes, at most.
const BLOCK: u64 = 4096;

/// So many files a lane may have, however small it is: more than a full one has segments.
const FEW_FILES: u64 = 64;

/// A file of which everything is done with is removed although it could grow, from this size on.
const WORTH_REMOVING: u64 = 64 << 10;

impl State {
    /// Removes segments that nothing is needed of.
    pub(in crate::store::outbox) fn bury(&mut self) {
        let last = self.segments.back().map(|segment| segment.id);
        let goes = |segment: &Segment| {
            let in_use = Some(segment.id) == last
                && !segment.sealed
                && (segment.bytes() == 0 || segment.disk.is_some())
                && segment.bytes() < WORTH_REMOVING;
            segment.is_spent() && !segment.in_flight && !in_use
        };
        // Mostly it is the first one; a lane of many files is not gone over for each.
        while self.segments.front().is_some_and(goes)
            && let Some(segment) = self.segments.pop_front()
        {
            self.bury_one(segment);
        }
        if self.segments.iter().any(goes) {
            for segment in std::mem::take(&mut self.segments) {
                match goes(&segment) {
                    true => self.bury_one(segment),
                    false => self.segments.push_back(segment),
                }
            }
        }
    }

    /// Each opening begins files of its own, and a small file takes a block. So a lane of many short lives is full when these blocks
    /// take as much as it may hold.
    pub(super) fn is_crowded(&self) -> bool {
        let most = (self.limits.bytes / BLOCK).max(FEW_FILES);
        // Spent ones are removed at once, but for the last.
        self.segments.len() as u64 > most
    }

    pub(super) fn bury_if_crowded(&mut self) {
        if self.is_crowded() {
            self.bury();
        }
    }

    fn bury_one(&mut self, segment: Segment) {
        let end = segment.end();
        if self.group.open == Some(segment.id)
            && let Some(pen) = &mut self.pen
        {
            // Its room on the disk is free only when nothing has it open.
            pen.put_down();
            self.group.open = None;
        }
        if let Some(disk) = segment.disk {
            self.graves.push(Grave { name: disk.name, end, aside: segment.damaged });
        }
    }

    /// Up to which number each series with files is done with; those of which nothing is are left out.
    pub(in crate::store::outbox) fn gone(&self) -> BTreeMap<Series, u64> {
        let mut gone = BTreeMap::new();
        let mut note = |series: Series, number: u64| {
            let most = gone.entry(series).or_insert(0);
            *most = number.max(*most);
        };
        self.graves.iter().for_each(|grave| note(grave.name.series, grave.end.saturating_sub(1)));
        let mut waiting = BTreeSet::new();
        for segment in &self.segments {
            if !waiting.contains(&segment.series) {
                note(segment.series, segment.front().saturating_sub(1));
            }
            if !segment.is_spent() {
                waiting.insert(segment.series);
            }
        }
        gone.retain(|_, number| *number > 0);
        gone
    }

    pub(in crate::store::outbox) fn take_graves(&mut self) -> Vec<Grave> {
        std::mem::take(&mut self.graves)
    }

    /// They could not be removed, and are tried again.
    pub(in crate::store::outbox) fn keep_graves(&mut self, graves: Vec<Grave>) {
        self.graves.extend(graves);
    }

    /// There is something to do for the writer that no submit waits for.
    pub(in crate::store::outbox) fn has_work(&self) -> bool {
        !self.graves.is_empty() || self.group.behind
    }

    /// Takes over what an earlier process left behind. It comes before everything else.
    pub(in crate::store::outbox) fn adopt(
        &mut self,
        found: Vec<Segment>,
        graves: Vec<(SegmentName, u64)>,
        damaged: u64,
    ) {
        for mut segment in found.into_iter().rev() {
            self.leave_out_what_is_known(&mut segment);
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
            && (self.account.waiting_bytes > self.limits.bytes || self.is_crowded())
            && self.drop_oldest()
        {
            self.account.dropped.full += 1;
            overflows = true;
            self.bury_if_crowded();
        }
        self.step(overflows);
        self.bury();
    }

    /// After a folder was removed, another one may be in its place: a copy, or what was moved out of it. A server may have been given
    /// higher numbers of a series meanwhile, and would take lower ones for known. These were sent, or counted as lost, so they do not come
    /// again. And what waits in memory may be in a file as well, written and not synced.
    fn leave_out_what_is_known(&self, found: &mut Segment) {
        let given = self.given.get(&found.series).copied().unwrap_or(0);
        while !found.is_spent() && found.front() <= given {
            found.pop();
        }
        let waits = |segment: &&Segment| segment.series == found.series && !segment.is_spent();
        if let Some(in_memory) = self.segments.iter().find(waits).filter(|segment| segment.disk.is_none()) {
            found.cut(in_memory.front());
        }
    }

    pub(in crate::store::outbox) fn attach(&mut self, shelves: Shelves, pen: Pen, opening: u32) {
        (self.shelves, self.pen) = (Some(shelves), Some(pen));
        self.group.attached = true;
        self.group.open = None;
        if opening != self.group.opening {
            (self.group.opening, self.group.count) = (opening, 0);
        }
    }

    /// The folder is not private any more: it is not written to until it is. What is in it waits on, and can be sent.
    pub(in crate::store::outbox) fn suspend(&mut self, problem: &str) {
        self.group.attached = false;
        problem.clone_into(&mut self.group.problem);
    }

    /// No folder is in use, not even a [suspended](Self::suspend) one.
    pub(in crate::store::outbox) fn is_detached(&self) -> bool {
        self.shelves.is_none()
    }

    /// The folder is private, or is so again.
    pub(in crate::store::outbox) fn resume(&mut self) {
        self.group.attached = !self.is_detached();
    }

    /// Something removed the file of this segment. What is in it is read once more, and goes into a new file.
    pub(in crate::store::outbox) fn take_back(&mut self, id: u64, mut file: File) {
        self.group.open = None;
        let Some(index) = self.segments.iter().position(|segment| segment.id == id) else { return };
        let segment = &mut self.segments[index];
        let Some(disk) = &segment.disk else { return };
        let (name, at, length) = (disk.name, disk.data_at, disk.synced);
        let read =
            self.shelves.as_ref().and_then(|shelves| shelves.shelf().read_at(&mut file, at, length).ok());
        let before = segment.first().saturating_sub(1);
        self.events.push(OutboxEvent::SetAside {
            file: name.to_string(),
            problem: "something removed it; what waits is written to a new file".to_owned(),
        });
        match read.filter(|bytes| bytes.len() as u64 == length) {
            Some(bytes) => segment.take_back(bytes),
            None => self.lose_what_is_only_on_disk(index..index + 1),
        }
        self.group.synced_to = self.group.synced_to.min(before);
        self.group.behind = true;
    }

    /// The folder is there no more, and what was only in it is lost.
    pub(in crate::store::outbox) fn detach(&mut self, problem: &str) {
        (self.shelves, self.pen) = (None, None);
        self.group.attached = false;
        self.group.open = None;
        problem.clone_into(&mut self.group.problem);
        self.graves.clear();
        self.lose_what_is_only_on_disk(0..self.segments.len());
        self.step(false);
        self.bury();
    }

    /// The files of these segments are gone.
    fn lose_what_is_only_on_disk(&mut self, indices: Range<usize>) {
        let before = self.account.dropped.damaged;
        // From behind: a segment that is split has its rest behind it.
        for index in indices.rev() {
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
    }

    /// Moves what is not on the disk out of this segment, whose file is not written any more.
    pub(in crate::store::outbox) fn split(&mut self, index: usize) {
        let id = self.new_id();
        if let Some(rest) = self.segments[index].split(id) {
            self.segments.insert(index + 1, rest);
        }
    }
}
