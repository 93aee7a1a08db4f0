//! A report that a server refuses again and again. It must not keep for ever what waits behind it, and a server that is merely
//! unwell must not cost a report.

use super::State;
use crate::store::outbox::batch::Batch;
use crate::store::outbox::event::OutboxEvent;
use crate::store::outbox::suspect::{AT_ONCE, ENOUGH, Suspect};
use crate::store::outbox::time::Now;
use crate::types::{ReportId, Series};

impl State {
    /// A server has answered that it does not take this batch.
    pub(in crate::store::outbox) fn refused(&mut self, batch: &Batch, now: Now) {
        if let Some(suspect) = self.suspect_before(batch) {
            // What is behind it is refused as well: it is not the report.
            suspect.refusals = 0;
            return;
        }
        let mut reports = batch.reports();
        let (Some(report), None) = (reports.next(), reports.next()) else { return };
        let (series, number) = (report.id.series, report.id.number);
        let known = self.suspect.filter(|suspect| (suspect.series, suspect.number) == (series, number));
        let refusals = known.map_or(0, |suspect| suspect.refusals).saturating_add(1);
        self.suspect = Some(Suspect { series, number, bytes: report.body.len(), refusals, at: now.boot });
    }

    /// The first report of this series, if the one behind it is to tell whether the report or the server is wrong.
    pub(super) fn left_out(&self, series: Series, now: Now) -> Option<u64> {
        let suspect =
            self.suspect.filter(|suspect| suspect.series == series && suspect.refusals >= ENOUGH)?;
        let is_now = now.boot.saturating_sub(suspect.at) <= AT_ONCE;
        (is_now && self.front_of(series) == Some(suspect.number)).then_some(suspect.number)
    }

    /// A server takes this batch: a report that was left out before it is given up.
    pub(super) fn give_up_before(&mut self, batch: &Batch) {
        let Some(&mut Suspect { series, number, bytes, refusals, .. }) = self.suspect_before(batch) else {
            return;
        };
        self.suspect = None;
        if self.drop_one(series, number) {
            self.account.dropped.not_taken += 1;
            let id = ReportId { lane: self.lane, series, number };
            self.events.push(OutboxEvent::NotTaken { id, bytes, refusals });
        }
    }

    /// The report that waits and was left out before this batch.
    fn suspect_before(&mut self, batch: &Batch) -> Option<&mut Suspect> {
        let front = self.front_of(batch.series());
        let is_it = |suspect: &&mut Suspect| {
            suspect.series == batch.series()
                && suspect.number < batch.first()
                && front == Some(suspect.number)
        };
        self.suspect.as_mut().filter(is_it)
    }
}
