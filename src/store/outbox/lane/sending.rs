//! What of a lane is sent next, and what becomes of it.

use std::io;

use super::State;
use crate::store::outbox::batch::{Batch, Builder};
use crate::store::outbox::entry::{HEADER, Header, Salt};
use crate::store::outbox::event::OutboxEvent;
use crate::store::outbox::segment::{Segment, Span};
use crate::store::outbox::shelf::is_exhausted;
use crate::store::outbox::time::Now;
use crate::types::Series;

/// How long a file that is there and cannot be read is tried again before its reports are given up, in seconds.
const PATIENCE: u64 = 60;

impl State {
    /// The oldest reports of one series, of at most so many bytes as a body; one at least.
    pub(in crate::store::outbox) fn take(&mut self, now: Now, at_most: usize) -> Option<Batch> {
        self.drop_aged(now);
        // What cannot be read now holds back what is behind it in its series, because a server may take lower numbers for known
        // once it has seen higher ones. It holds back no other series.
        let mut held: Vec<Series> = Vec::new();
        // Each turn without a batch has lost a report, or has one series less.
        while let Some(series) = self.first_series(&held) {
            let before = self.account.dropped.damaged;
            let batch = self.collect(series, at_most, now);
            let lost = self.account.dropped.damaged - before;
            if lost > 0 {
                self.events.push(OutboxEvent::Damaged { lane: self.lane, reports: lost });
                self.step(false);
                self.bury();
            }
            if let Some(batch) = &batch {
                let given = self.given.entry(series).or_default();
                *given = batch.last().max(*given);
            }
            if batch.is_some() {
                return batch;
            }
            if lost == 0 {
                held.push(series);
            }
        }
        None
    }

    fn first_series(&self, held: &[Series]) -> Option<Series> {
        let waits = |segment: &&Segment| !segment.is_spent() && !held.contains(&segment.series);
        self.segments.iter().find(waits).map(|segment| segment.series)
    }

    fn collect(&mut self, series: Series, at_most: usize, now: Now) -> Option<Batch> {
        let mut batch = Builder::new(self.lane, series);
        let salt = Salt::new(self.lane, series);
        for index in 0..self.segments.len() {
            let segment = &mut self.segments[index];
            if segment.is_spent() || segment.series != series {
                continue;
            }
            let left = at_most.saturating_sub(batch.bytes());
            if !batch.is_empty() && left == 0 {
                break;
            }
            let Some(span) = segment.span(left as u64) else { continue };
            let bytes = match self.read(index, &span) {
                Ok(bytes) => bytes,
                Err(error) => {
                    self.cannot_read(index, &error, now);
                    break;
                }
            };
            self.segments[index].unread_since = None;
            let mut lost = Vec::new();
            let mut full = false;
            let segment = &self.segments[index];
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

    /// Reads from a segment. The file that is written to can be read though something removed it.
    fn read(&mut self, index: usize, span: &Span) -> io::Result<Vec<u8>> {
        let segment = &mut self.segments[index];
        let read = segment.read(span, self.reader.as_mut());
        let gone = read.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
        let id = segment.id;
        if !gone || self.group.open != Some(id) || self.is_detached() {
            return read;
        }
        // A leader that is at work finds out for itself.
        let Some(pen) = &mut self.pen else { return Err(io::ErrorKind::WouldBlock.into()) };
        let Some(file) = pen.give_up(id) else { return read };
        self.take_back(id, file);
        self.segments[index].read(span, self.reader.as_mut())
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
        let sent = self.remove(batch.series(), |number| number <= up_to && batch.has(number));
        self.account.sent += sent;
        sent
    }

    /// Gives up a report that no server takes. `false`: it waits no more.
    pub(in crate::store::outbox) fn drop_refused(&mut self, series: Series, number: u64) -> bool {
        let is_it = |segment: &&Segment| segment.series == series && segment.front() == number;
        let digest = self.segments.iter().find(is_it).and_then(|segment| segment.digest(number));
        let dropped = self.remove(series, |waiting| waiting == number);
        self.unlearned.extend(digest.filter(|_| dropped > 0));
        self.account.dropped.too_large += dropped;
        dropped > 0
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
