//! What of a lane is sent next, and what becomes of it.

use std::io;

use super::State;
use crate::store::outbox::batch::{Batch, Builder};
use crate::store::outbox::entry::{HEADER, Header, Salt};
use crate::store::outbox::event::OutboxEvent;
use crate::store::outbox::segment::Span;
use crate::store::outbox::shelf::is_exhausted;
use crate::store::outbox::time::Now;
use crate::types::Series;

/// A file that cannot be read, but is there, is tried this often before its reports are given up.
const MOST_FAILED_READS: u32 = 16;

impl State {
    /// The oldest reports of one series, of at most so many bytes as a body; one at least.
    pub(in crate::store::outbox) fn take(&mut self, now: Now, at_most: usize) -> Option<Batch> {
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
            if let Some(batch) = &batch {
                let given = self.given.entry(series).or_default();
                *given = batch.last().max(*given);
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
            let bytes = match self.read(index, &span) {
                Ok(bytes) => bytes,
                Err(error) => {
                    self.cannot_read(index, &error);
                    break;
                }
            };
            self.failed_reads = 0;
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

    /// What is gone for good is given up at once; what may be readable later is tried again, and not for ever.
    fn cannot_read(&mut self, index: usize, error: &io::Error) {
        if is_exhausted(error) || error.kind() == io::ErrorKind::WouldBlock {
            return;
        }
        self.failed_reads += 1;
        let gone = matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof);
        if gone || self.failed_reads >= MOST_FAILED_READS {
            self.failed_reads = 0;
            self.segments[index].only_on_disk().for_each(|number| self.lose(index, number));
        }
    }

    pub(super) fn lose(&mut self, index: usize, number: u64) {
        let bytes = self.segments[index].lose(number);
        if bytes > 0 {
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
        let dropped = self.remove(series, |waiting| waiting == number);
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
