//! The other side, as far as an outbox can notice it.

use std::collections::BTreeMap;

use super::*;

/// A server as `docs/wire.md` advises: what is not above the highest number of its series is known, and not taken again.
#[derive(Default)]
pub(super) struct Server {
    highest: BTreeMap<Series, u64>,
    pub(super) taken: Vec<Vec<u8>>,
}

impl Server {
    /// Takes a batch, and counts what it does not take.
    pub(super) fn take(&mut self, batch: &Batch) -> usize {
        let mut known = 0;
        for report in batch.reports() {
            let highest = self.highest.entry(report.id.series).or_default();
            if report.id.number > *highest {
                *highest = report.id.number;
                self.taken.push(report.body.to_vec());
            } else {
                known += 1;
            }
        }
        known
    }

    /// Takes all that waits; nothing of it is known.
    pub(super) fn drain(&mut self, outbox: &Outbox, lane: Lane) {
        while let Some(batch) = outbox.take(lane, 60) {
            assert_eq!(self.take(&batch), 0, "{batch:?} has lower numbers than one before it");
            outbox.settle(&batch, batch.last());
        }
    }
}
