//! A disk that is slow to give out what waits: it holds up the one that takes, and nothing else.

use std::thread;

use super::disk::Disk;
use super::*;

/// An outbox with four reports of an earlier process, in two files.
fn four(disk: &Disk, watch: &Watch) -> Outbox {
    let limits = small(4096, 1000);
    let earlier = disk.open(&limits, watch);
    for n in 1..=4 {
        submit(&earlier, ReportKind::Log, vec![n; 400]);
    }
    drop(earlier);
    disk.open(&limits, watch)
}

/// Takes a batch, and does something when it has begun to read and before it can.
fn take_while(disk: &Disk, outbox: &Outbox, meanwhile: impl FnOnce()) -> Option<Batch> {
    let held = disk.hold_reads();
    let calls = disk.calls().len();
    thread::scope(|scope| {
        let taking = scope.spawn(|| outbox.take(Lane::Log, 1 << 20));
        disk.until("read_begins", calls);
        meanwhile();
        assert!(!taking.is_finished());
        drop(held);
        taking.join().unwrap()
    })
}

fn firsts(batch: &Batch) -> Vec<u8> {
    batch.reports().map(|report| report.body[0]).collect()
}

#[test]
fn submits_looks_and_what_is_in_memory_wait_for_no_read() {
    let (disk, watch) = (Disk::new(), Watch::new());
    let outbox = four(&disk, &watch);
    let batch = take_while(&disk, &outbox, || {
        outbox.submit(report(ReportKind::Log, [9]), Durability::Buffered).unwrap();
        submit(&outbox, ReportKind::Log, [9]);
        outbox.submit(report(ReportKind::RiskFound, [8]), Durability::Buffered).unwrap();
        assert_eq!(outbox.backlog(Lane::Log).reports, 6);
        assert_eq!(events(&outbox), []);
        outbox.tend();
        assert_eq!(bodies(&outbox, Lane::Critical), [[8]]);
    });
    let batch = batch.unwrap();
    assert_eq!(firsts(&batch), [1, 2, 3, 4]);
    outbox.settle(&batch, batch.last());
    assert_eq!(bodies(&outbox, Lane::Log), [[9], [9]]);
    assert_exact(&outbox);
}

#[test]
fn what_is_settled_or_dropped_meanwhile_is_not_in_the_batch() {
    let (disk, watch) = (Disk::new(), Watch::new());
    let outbox = four(&disk, &watch);
    let before = outbox.take(Lane::Log, 1 << 20).unwrap();
    let batch = take_while(&disk, &outbox, || {
        assert_eq!(outbox.settle(&before, 3), 3);
        // The file that is being read is removed.
        outbox.flush().unwrap();
    });
    assert_eq!(firsts(&batch.unwrap()), [4]);
    let batch = take_while(&disk, &outbox, || {
        watch.pass(1001);
        assert_eq!(outbox.account(Lane::Log).dropped.aged, 1);
    });
    assert!(batch.is_none());
    assert_exact(&outbox);
}

#[test]
fn a_folder_that_vanishes_meanwhile_is_accounted_for() {
    let (disk, watch) = (Disk::new(), Watch::new());
    let outbox = four(&disk, &watch);
    let batch = take_while(&disk, &outbox, || {
        std::fs::remove_dir_all(disk.path()).unwrap();
        watch.pass(1);
        assert!(outbox.flush().is_err());
        outbox.submit(report(ReportKind::Log, [9]), Durability::Buffered).unwrap();
    });
    assert_eq!(firsts(&batch.unwrap()), [9]);
    assert_eq!(outbox.account(Lane::Log).dropped.damaged, 4);
    assert_exact(&outbox);
}

#[test]
fn two_that_take_at_once_are_given_the_same() {
    let (disk, watch) = (Disk::new(), Watch::new());
    let outbox = four(&disk, &watch);
    let held = disk.hold_reads();
    let calls = disk.calls().len();
    thread::scope(|scope| {
        let takers: Vec<_> = (0..2).map(|_| scope.spawn(|| outbox.take(Lane::Log, 1 << 20))).collect();
        disk.until("read_begins", calls);
        drop(held);
        for taker in takers {
            assert_eq!(firsts(&taker.join().unwrap().unwrap()), [1, 2, 3, 4]);
        }
    });
}
