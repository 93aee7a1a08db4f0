//! The power fails, or the process is killed, at any call: no report that was called durable is lost, and the folder opens.

use std::collections::{BTreeMap, BTreeSet};

use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::disk::{Disk, Fault};
use super::*;

/// What the product knows.
#[derive(Default)]
struct Ledger {
    submitted: BTreeMap<ReportId, Vec<u8>>,
    durable: BTreeSet<ReportId>,
    settled: BTreeSet<ReportId>,
}

impl Ledger {
    fn submit(&mut self, outbox: &Outbox, random: &mut Xoshiro256PlusPlus) {
        let kinds = [ReportKind::RiskFound, ReportKind::Log];
        let kind = kinds[random.next_u32() as usize % kinds.len()];
        let body: Vec<u8> = (0..random.next_u32() % 1500).map(|_| random.next_u32() as u8).collect();
        let durable = !random.next_u32().is_multiple_of(3);
        let durability = if durable { Durability::Durable } else { Durability::Buffered };
        let id = match outbox.submit(report(kind, body.clone()), durability) {
            Ok(id) => {
                if durable {
                    self.durable.insert(id);
                }
                id
            }
            Err(SubmitError::NotDurable { id, .. }) => id,
            Err(error) => panic!("{error}"),
        };
        assert_eq!(self.submitted.insert(id, body), None, "{id} was given twice");
    }

    fn check(&self, batch: &Batch) {
        for report in batch.reports() {
            let body = self.submitted.get(&report.id).unwrap_or_else(|| panic!("{} is not known", report.id));
            assert_eq!(body, report.body, "{}", report.id);
        }
    }

    fn settle(&mut self, outbox: &Outbox, random: &mut Xoshiro256PlusPlus) {
        let lane = [Lane::Critical, Lane::Log][random.next_u32() as usize % 2];
        let Some(batch) = outbox.take(lane, random.next_u32() as usize % 20_000) else { return };
        self.check(&batch);
        let up_to = batch.first() + u64::from(random.next_u32()) % (batch.last() - batch.first() + 1);
        outbox.settle(&batch, up_to);
        self.settled.extend(batch.reports().map(|report| report.id).filter(|id| id.number <= up_to));
    }

    /// What has to be there.
    fn owed(&self) -> BTreeSet<ReportId> {
        self.durable.difference(&self.settled).copied().collect()
    }
}

fn story(seed: u64) {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let watch = Watch::new();
    // Segments of 16 KiB, and room for all that is submitted.
    let limits = small(256 << 10, 1_000_000);
    let disk = Disk::new();
    let mut ledger = Ledger::default();
    for _ in 0..3 {
        disk.off_after(random.next_u32() as usize % 250);
        let faults = [Fault::Fails, Fault::Late];
        disk.fault(random.next_u32() as usize % 150, faults[random.next_u32() as usize % 2]);
        let outbox = disk.open(&limits, &watch);
        for _ in 0..random.next_u32() % 60 {
            match random.next_u32() % 8 {
                0 | 1 => ledger.settle(&outbox, &mut random),
                2 => drop(outbox.flush()),
                3 => watch.pass(1),
                _ => ledger.submit(&outbox, &mut random),
            }
        }
        // Nothing more gets to the disk.
        disk.off_after(0);
        drop(outbox);
        match random.next_u32() % 4 {
            0 => disk.kill(),
            _ => disk.lose_power(&mut random),
        }
    }
    let outbox = disk.open(&limits, &watch);
    let mut seen = BTreeSet::new();
    for lane in [Lane::Critical, Lane::Log] {
        while let Some(batch) = outbox.take(lane, 5000) {
            ledger.check(&batch);
            assert!(batch.reports().all(|report| seen.insert(report.id)), "{batch:?} has a report twice");
            outbox.settle(&batch, batch.last());
        }
        assert_eq!(outbox.account(lane).dropped.full, 0);
    }
    let lost: Vec<_> = ledger.owed().difference(&seen).copied().collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    assert_exact(&outbox);
    outbox.flush().unwrap();
    assert!(names(&disk.path()).iter().all(|name| !name.ends_with(".new")));
}

#[test]
fn no_durable_report_is_lost_with_the_power_or_the_process() {
    let runs: u64 = std::env::var("HOMING_OUTBOX_RUNS").map_or(200, |runs| runs.parse().unwrap());
    for seed in 0..runs {
        let told = std::panic::catch_unwind(|| story(seed));
        assert!(told.is_ok(), "seed {seed}");
    }
}
