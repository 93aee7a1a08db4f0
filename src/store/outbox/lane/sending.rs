//! What of a lane is sent next, and what becomes of it.

use std::io;

use super::State;
use crate::store::outbox::batch::{Batch, Builder};
use crate::store::outbox::entry::{HEADER, Header, Salt};
use crate::store::outbox::event::OutboxEvent;
use crate::store::outbox::reading::{InFile, Piece, Reading};
use crate::store::outbox::segment::Segment;
use crate::store::outbox::shelf::is_exhausted;
use crate::store::outbox::time::Now;
use crate::types::Series;

/// How long a file that is there and cannot be read is tried again before its reports are given up, in seconds.
const PATIENCE: u64 = 60;

/// What became of a reading.
pub(in crate::store::outbox) enum Collected {
    Batch(Batch),
    /// Nothing yet: something was lost, or changed meanwhile.
    Again,
    /// Nothing of this series can be read now.
    Held,
}

impl State {
    /// The series of the oldest report that waits, without these.
    pub(in crate::store::outbox) fn first_series(&self, held: &[Series]) -> Option<Series> {
        let waits = |segment: &&Segment| !segment.is_spent() && !held.contains(&segment.series);
        self.segments.iter().find(waits).map(|segment| segment.series)
    }

    /// The number of the first report of this series that waits.
    pub(super) fn front_of(&self, series: Series) -> Option<u64> {
        let waits = |segment: &&Segment| segment.series == series && !segment.is_spent();
        self.segments.iter().find(waits).map(Segment::front)
    }

    /// The oldest reports of a series, of at most so many bytes as a body; one at least.
    pub(in crate::store::outbox) fn plan(&mut self, series: Series, at_most: usize, now: Now) -> Reading {
        if let Some(left_out) = self.left_out(series, now) {
            let reading = self.plan_without(series, Some(left_out), at_most);
            if !reading.pieces.is_empty() {
                return reading;
            }
        }
        self.plan_without(series, None, at_most)
    }

    fn plan_without(&mut self, series: Series, without: Option<u64>, at_most: usize) -> Reading {
        let (mut pieces, mut left): (Vec<Piece>, _) = (Vec::new(), at_most as u64);
        for segment in self.segments.iter_mut().filter(|segment| segment.series == series) {
            if !pieces.is_empty() && left == 0 {
                break;
            }
            let leaves_out = usize::from(!segment.is_spent() && without == Some(segment.front()));
            let Some(piece) = segment.piece(leaves_out, left).filter(|piece| !piece.entries.is_empty())
            else {
                continue;
            };
            left = left.saturating_sub(piece.in_batch);
            let is_last = piece.is_last;
            pieces.push(piece);
            if !is_last {
                break;
            }
        }
        let first = pieces.first().and_then(|piece| piece.entries.first()).map_or(0, |(number, _)| *number);
        Reading { series, first, without, pieces, at_most }
    }

    /// Makes a batch of what was read, of what still waits.
    pub(in crate::store::outbox) fn collect(
        &mut self,
        reading: &mut Reading,
        failed: Option<(Piece, io::Error)>,
        now: Now,
    ) -> Collected {
        let series = reading.series;
        for piece in &mut reading.pieces {
            if let Some(InFile { name, file: Some(file), .. }) = piece.in_file.take()
                && let Some(segment) = self.segments.iter_mut().find(|segment| segment.id == piece.segment)
            {
                segment.was_read(name, file);
            }
        }
        // Something that came in front of it meanwhile goes first.
        let front = self.front_of(series);
        if front.is_none_or(|front| front < reading.first && reading.without != Some(front)) {
            return Collected::Again;
        }
        let before = self.account.dropped.damaged;
        let (batch, is_full) = self.put_together(reading);
        let again = match failed {
            Some((piece, error)) if !is_full => self.read_failed(&piece, &error, now),
            Some(_) | None => false,
        };
        let lost = self.account.dropped.damaged - before;
        if lost > 0 {
            self.events.push(OutboxEvent::Damaged { lane: self.lane, reports: lost });
            self.step(false);
            self.bury();
        }
        match batch {
            Some(batch) => {
                let given = self.given.entry(series).or_default();
                *given = batch.last().max(*given);
                Collected::Batch(batch)
            }
            None if lost > 0 || again => Collected::Again,
            None => Collected::Held,
        }
    }

    /// The batch, and whether it holds no more.
    fn put_together(&mut self, reading: &Reading) -> (Option<Batch>, bool) {
        let mut batch = Builder::new(self.lane, reading.series);
        let salt = Salt::new(self.lane, reading.series);
        let mut index = 0;
        for piece in &reading.pieces {
            for (number, range) in &piece.entries {
                let waits = |segment: &Segment| segment.series == reading.series && segment.has(*number);
                if !self.segments.get(index).is_some_and(waits) {
                    // Settled or dropped meanwhile, or the first one of another segment.
                    let Some(place) = self.segments.iter().position(waits) else { continue };
                    index = place;
                }
                let entry = piece.bytes.get(range.clone()).unwrap_or_default();
                let header = Header::read(entry, salt).filter(|header| header.number == *number);
                let body = entry.get(HEADER..).unwrap_or_default();
                match header.filter(|header| header.fits(body, salt)) {
                    Some(header) if batch.push(*number, header.kind, body, reading.at_most) => {}
                    Some(_) => return (batch.finish(), true),
                    None => self.lose(index, *number),
                }
            }
        }
        (batch.finish(), false)
    }

    /// Whether there is a reason to try again at once. The file that is written to can be read though something removed it.
    fn read_failed(&mut self, piece: &Piece, error: &io::Error, now: Now) -> bool {
        let (id, name) = (piece.segment, piece.in_file.as_ref().map(|in_file| in_file.name));
        let Some(index) = self.segments.iter().position(|segment| segment.id == id) else { return true };
        if self.segments[index].disk.as_ref().map(|disk| disk.name) != name {
            return true;
        }
        if error.kind() == io::ErrorKind::NotFound && self.group.open == Some(id) && !self.is_detached() {
            // A leader that is at work finds out for itself.
            let Some(pen) = &mut self.pen else { return false };
            if let Some(file) = pen.give_up(id) {
                self.take_back(id, file);
                return true;
            }
        }
        self.cannot_read(index, error, now);
        false
    }

    /// What is gone for good is given up at once; what may be readable later is tried again, and not for ever. Where it is a matter
    /// of rights, that is until its age: the administrator is told what to do.
    fn cannot_read(&mut self, index: usize, error: &io::Error, now: Now) {
        if is_exhausted(error) || error.kind() == io::ErrorKind::WouldBlock {
            return;
        }
        let segment = &mut self.segments[index];
        let is_new = segment.unread_since.is_none();
        let since = *segment.unread_since.get_or_insert(now.boot);
        let gone = matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof);
        let refused = error.kind() == io::ErrorKind::PermissionDenied;
        if gone || (!refused && now.boot.saturating_sub(since) >= PATIENCE) {
            segment.only_on_disk().for_each(|number| self.lose(index, number));
            return;
        }
        if let Some(disk) = segment.disk.as_ref().filter(|_| is_new) {
            let name = disk.name;
            let problem = format!("cannot be read now, and is tried again: {error}");
            self.events.push(OutboxEvent::SetAside { file: name.to_string(), problem });
            if name.series == self.series {
                self.begin_series();
            }
        }
    }

    pub(super) fn lose(&mut self, index: usize, number: u64) {
        let digest = self.segments[index].digest(number);
        let bytes = self.segments[index].lose(number);
        if bytes > 0 {
            self.unlearned.extend(digest);
            self.account.dropped.damaged += 1;
            self.is_gone(bytes);
        }
    }

    /// Settles the reports of a batch up to this number, and no other ones. Returns how many waited.
    pub(in crate::store::outbox) fn settle(&mut self, batch: &Batch, up_to: u64) -> u64 {
        self.give_up_before(batch);
        let sent = self.remove(batch.series(), |number| number <= up_to && batch.has(number));
        self.account.sent += sent;
        sent
    }

    /// Gives up a report that is too large for every server. `false`: it waits no more.
    pub(in crate::store::outbox) fn drop_too_large(&mut self, series: Series, number: u64) -> bool {
        let dropped = self.drop_one(series, number);
        self.account.dropped.too_large += u64::from(dropped);
        dropped
    }

    /// Drops this report, if it is the first of its series that waits.
    pub(super) fn drop_one(&mut self, series: Series, number: u64) -> bool {
        let is_it = |segment: &&Segment| segment.series == series && segment.front() == number;
        let digest = self.segments.iter().find(is_it).and_then(|segment| segment.digest(number));
        let dropped = self.remove(series, |waiting| waiting == number) > 0;
        self.unlearned.extend(digest.filter(|_| dropped));
        dropped
    }

    /// Removes the first reports of a series, up to the first one that is not `done`.
    fn remove(&mut self, series: Series, done: impl Fn(u64) -> bool) -> u64 {
        let (mut removed, mut bytes) = (0, 0);
        for segment in self.segments.iter_mut().filter(|segment| segment.series == series) {
            while !segment.is_spent() && done(segment.front()) {
                bytes += segment.pop().unwrap_or(0);
                removed += 1;
            }
            if !segment.is_spent() {
                break;
            }
        }
        self.account.waiting -= removed;
        self.account.waiting_bytes -= bytes;
        self.settled |= removed > 0;
        self.step(false);
        self.bury();
        removed
    }
}
