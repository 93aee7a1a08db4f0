//! Reports on their way: batches of the outbox, and what became of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::asked::Asked;
use super::batches::{self, Batches};
use crate::client::reports::Reports;
use crate::engine::{Event, Fullness};
use crate::net::protocol::Content;
use crate::platform::Waker;
use crate::store::outbox::{Batch, Outbox, OutboxEvent, TooLarge};
use crate::types::{Backlog, Cause, ExchangeId, Lane, Outcome, Verdict};

/// See the module.
pub(super) struct Uploads {
    outbox: Arc<Outbox>,
    /// There is something to look at.
    news: Arc<AtomicBool>,
    /// What the engine was told of each lane.
    told: [Backlog; 4],
    batches: Batches,
    /// The upload whose batch is being read.
    reading: Option<ExchangeId>,
    /// What is on its way; one upload is at a time.
    batch: Option<(ExchangeId, Batch)>,
}

/// What there is to send.
pub(super) enum Taken {
    Content(Content),
    /// It is being read; [`Uploads::read`] gives it.
    Later,
    Nothing,
}

impl Uploads {
    pub(super) fn new(reports: &Reports, waker: Waker) -> Self {
        let outbox = Arc::clone(reports.outbox());
        // What an earlier process left is the first news.
        let news = Arc::new(AtomicBool::new(true));
        let raised = Arc::clone(&news);
        let batches = Batches::new(Arc::clone(&outbox), waker.clone());
        outbox.on_news(move || {
            if !raised.swap(true, Ordering::AcqRel) {
                waker.wake();
            }
        });
        Self { outbox, news, told: [Backlog::default(); 4], batches, reading: None, batch: None }
    }

    /// Whether something happened since the last look.
    pub(super) fn has_news(&self) -> bool {
        self.news.load(Ordering::Acquire)
    }

    /// How much waits in each lane of which the engine was told otherwise, and what the product should know.
    pub(super) fn look(&mut self) -> (Vec<(Lane, Backlog)>, Vec<Event>) {
        // First: what is submitted during the look wakes the loop again.
        self.news.swap(false, Ordering::AcqRel);
        let (backlogs, has_events) = self.outbox.backlogs();
        let changed = Lane::ALL.into_iter().zip(backlogs).zip(self.told);
        let changed =
            changed.filter(|((_, backlog), told)| backlog != told).map(|(changed, _)| changed).collect();
        self.told = backlogs;
        let events = if has_events {
            std::iter::from_fn(|| self.outbox.poll_event()).map(told).collect()
        } else {
            Vec::new()
        };
        (changed, events)
    }

    /// How much waits in this lane now.
    pub(super) fn level(&mut self, lane: Lane) -> Backlog {
        let backlog = self.outbox.backlog(lane);
        self.note(lane, backlog);
        backlog
    }

    /// How long after now the outbox wants a look though nothing may have been submitted.
    pub(super) fn next_tending(&self) -> Option<Duration> {
        self.outbox.next_tending()
    }

    /// The next batch of a lane.
    pub(super) fn take(&mut self, asked: Asked) -> Taken {
        match self.batches.take(asked) {
            batches::Taken::Now(batch) => self.taken(asked.exchange, batch),
            batches::Taken::Later => {
                self.reading = Some(asked.exchange);
                Taken::Later
            }
        }
    }

    /// What was read for an upload that still waits for it.
    pub(super) fn read(&mut self) -> Option<(Asked, Taken)> {
        let (asked, batch) = self.batches.read()?;
        self.reading.take_if(|exchange| *exchange == asked.exchange)?;
        Some((asked, self.taken(asked.exchange, batch)))
    }

    fn taken(&mut self, exchange: ExchangeId, batch: Option<Batch>) -> Taken {
        let Some(batch) = batch else { return Taken::Nothing };
        let (series, first, last, body) =
            (batch.series(), batch.first(), batch.last(), Arc::clone(batch.body()));
        self.batch = Some((exchange, batch));
        Taken::Content(Content::Reports { series, first, last, body })
    }

    /// An answer came, which acknowledges reports up to this number, or says why not.
    pub(super) fn answered(
        &mut self,
        exchange: ExchangeId,
        outcome: &Outcome<'_>,
        up_to: Option<u64>,
    ) -> Outcome<'static> {
        let batch = self.batch.take_if(|(known, _)| *known == exchange).map(|(_, batch)| batch);
        let mut taken = (0, 0);
        let verdict = match (&outcome.verdict, &batch) {
            (Verdict::Success { status, .. }, Some(batch)) => {
                let verdict;
                (verdict, taken) = settled(&self.outbox, batch, *status, up_to);
                verdict
            }
            (Verdict::Declined { status: 413 }, Some(batch)) => too_large(self.outbox.too_large(batch)),
            (Verdict::Failed(failure), batch) => {
                if let Some(batch) = batch.as_ref().filter(|_| failure.class().is_a_refusal()) {
                    self.outbox.refused(batch);
                }
                Verdict::Failed(failure.clone())
            }
            (Verdict::Success { status, .. } | Verdict::Declined { status }, _) => {
                Verdict::Declined { status: *status }
            }
        };
        Outcome::from(verdict)
            .with_drain(outcome.drain)
            .with_events(outcome.events)
            .with_acknowledged(taken.0)
            .with_unacknowledged(taken.1)
    }

    /// Nothing will be heard of this any more. The reports wait on.
    pub(super) fn forget(&mut self, exchange: ExchangeId) {
        self.reading.take_if(|known| *known == exchange);
        self.batch.take_if(|(known, _)| *known == exchange);
    }

    pub(super) fn learn_applications(&self, enabled: bool) {
        self.outbox.learn_applications(enabled);
    }

    fn note(&mut self, lane: Lane, backlog: Backlog) {
        for (known, told) in Lane::ALL.into_iter().zip(&mut self.told) {
            if known == lane {
                *told = backlog;
            }
        }
    }
}

/// A number that is not one of the batch settles nothing: it may be another lane's, or made up. With how many reports were taken,
/// and left.
fn settled(
    outbox: &Outbox,
    batch: &Batch,
    status: u16,
    up_to: Option<u64>,
) -> (Verdict<'static>, (u64, u64)) {
    let up_to = up_to.filter(|up_to| (batch.first()..=batch.last()).contains(up_to));
    let Some(up_to) = up_to else {
        outbox.refused(batch);
        let note = "Homing-Acknowledged names none of the reports";
        return (Verdict::Failed(crate::types::Failure::noted(Cause::NotAManager { status }, note)), (0, 0));
    };
    outbox.settle(batch, up_to);
    let taken = batch.reports().filter(|report| report.id.number <= up_to).count();
    let left = batch.reports().count() - taken;
    let counts = (taken.try_into().unwrap_or(u64::MAX), left.try_into().unwrap_or(u64::MAX));
    (Verdict::Success { status, settings: None, policy: None }, counts)
}

/// What is small enough for any server and is refused as too large says something of the server.
fn too_large(advice: TooLarge) -> Verdict<'static> {
    match advice {
        TooLarge::Smaller { .. } | TooLarge::Dropped { .. } => Verdict::Declined { status: 413 },
        TooLarge::ServerIsWrong => Verdict::Failed(Cause::Misunderstood { status: 413 }.into()),
    }
}

fn told(event: OutboxEvent) -> Event {
    let filled = |lane, fullness| Event::LaneFilled { lane, fullness };
    match event {
        OutboxEvent::NearlyFull { lane } => filled(lane, Fullness::NearlyFull),
        OutboxEvent::Full { lane } => filled(lane, Fullness::Full),
        OutboxEvent::Relieved { lane } => filled(lane, Fullness::Relieved),
        OutboxEvent::NotStored { problem } => Event::OutboxProblem { problem },
        OutboxEvent::Stored => Event::OutboxRecovered {},
        OutboxEvent::Damaged { lane, reports } => {
            let detail = "they could not be read from the disk".to_owned();
            Event::ReportsLost { lane, reports, detail }
        }
        OutboxEvent::SetAside { file, problem } => {
            Event::OutboxProblem { problem: format!("the file {file} is not used: {problem}") }
        }
        OutboxEvent::TooLarge { id, bytes } => {
            let detail = format!("the server refused {id} of {bytes} bytes as too large (413)");
            Event::ReportsLost { lane: id.lane, reports: 1, detail }
        }
        OutboxEvent::NotTaken { id, bytes, refusals } => {
            let detail = format!(
                "the server refused {id} of {bytes} bytes {refusals} times in a row, and took the report behind it"
            );
            Event::ReportsLost { lane: id.lane, reports: 1, detail }
        }
    }
}
