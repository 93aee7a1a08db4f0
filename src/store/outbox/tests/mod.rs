//! The outbox in virtual time, on folders that crash, lie and fill up.

mod bounds;
mod damage;
#[cfg(unix)]
mod disk;
#[cfg(unix)]
mod faults;
mod layout;
mod model;
#[cfg(unix)]
mod power;
#[cfg(unix)]
mod reading;
// Folders have modes, and are removed while their files are open.
#[cfg(unix)]
mod reattached;
mod refused;
#[cfg(unix)]
mod server;
mod unlearned;
#[cfg(unix)]
mod unreadable;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::home::Home;
use super::shelf::Systems;
use super::time::Now;
use super::*;
use crate::store::system::Real;
use crate::types::ReportKind;

/// A clock that goes when it is told to. Both clocks begin at a plausible time.
#[derive(Clone, Default)]
struct Watch {
    boot: Arc<AtomicU64>,
    wall: Arc<AtomicU64>,
}

impl Watch {
    fn new() -> Self {
        let watch = Self::default();
        watch.wall.store(1_800_000_000, Ordering::Relaxed);
        watch
    }

    fn pass(&self, seconds: u64) {
        self.boot.fetch_add(seconds, Ordering::Relaxed);
        self.wall.fetch_add(seconds, Ordering::Relaxed);
    }

    fn clock(&self) -> Clock {
        let watch = self.clone();
        Box::new(move || Now {
            boot: watch.boot.load(Ordering::Relaxed),
            wall: watch.wall.load(Ordering::Relaxed),
        })
    }
}

/// An outbox without a thread: `flush` does what the thread would do.
fn open_with(path: &Path, limits: &Limits, watch: &Watch, systems: Systems) -> Outbox {
    Outbox::with(Some(Home::new(path, systems)), limits, watch.clock(), false)
}

fn open(path: &Path, watch: &Watch) -> Outbox {
    open_with(path, &Limits::default(), watch, Arc::new(|| Box::new(Real)))
}

fn in_memory(limits: &Limits, watch: &Watch) -> Outbox {
    Outbox::with(None, limits, watch.clock(), false)
}

fn small(bytes: u64, seconds: u64) -> Limits {
    let lane = LaneLimits { bytes, age: Duration::from_secs(seconds) };
    Limits { critical: lane, status: lane, log: lane, applications: lane, ..Limits::default() }
}

/// In memory where that can be: these tests sync thousands of times.
fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

fn report(kind: ReportKind, body: impl Into<Vec<u8>>) -> Report {
    Report { kind, body: body.into() }
}

fn submit(outbox: &Outbox, kind: ReportKind, body: impl Into<Vec<u8>>) -> ReportId {
    outbox.submit(report(kind, body), Durability::Durable).unwrap()
}

/// Takes everything of a lane and settles it.
fn drain(outbox: &Outbox, lane: Lane) -> Vec<(ReportId, Vec<u8>)> {
    let mut drained = Vec::new();
    while let Some(batch) = outbox.take(lane, 10_000) {
        drained.extend(batch.reports().map(|report| (report.id, report.body.to_vec())));
        assert_eq!(outbox.settle(&batch, batch.last()), batch.len() as u64);
    }
    let account = outbox.account(lane);
    assert_eq!((account.waiting, account.waiting_bytes), (0, 0));
    drained
}

fn bodies(outbox: &Outbox, lane: Lane) -> Vec<Vec<u8>> {
    drain(outbox, lane).into_iter().map(|(_, body)| body).collect()
}

fn events(outbox: &Outbox) -> Vec<OutboxEvent> {
    std::iter::from_fn(|| outbox.poll_event()).collect()
}

/// Every report is somewhere.
fn assert_exact(outbox: &Outbox) {
    for lane in Lane::ALL {
        let account = outbox.account(lane);
        let known = account.submitted + account.recovered;
        assert_eq!(known, account.waiting + account.sent + account.dropped.total(), "{lane}: {account:?}");
    }
}

fn names(path: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(path).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn what_was_submitted_is_given_out_in_order_until_it_is_settled() {
    let folder = scratch();
    let watch = Watch::new();
    for outbox in [in_memory(&Limits::default(), &watch), open(&folder.path().join("outbox"), &watch)] {
        let ids: Vec<_> = ["a", "b", "c"]
            .map(|body| outbox.submit(report(ReportKind::Log, body), Durability::Buffered).unwrap())
            .to_vec();
        let batch = outbox.take(Lane::Log, 1000).unwrap();
        assert_eq!(batch.reports().map(|report| report.id).collect::<Vec<_>>(), ids);
        assert_eq!(outbox.take(Lane::Log, 1000).unwrap().first(), 1, "nothing was settled");
        assert_eq!(outbox.settle(&batch, 2), 2);
        assert_eq!(outbox.settle(&batch, 2), 0, "a second time settles nothing");
        assert_eq!(drain(&outbox, Lane::Log), [(ids[2], b"c".to_vec())]);
        assert!(outbox.take(Lane::Critical, 1000).is_none());
        assert_exact(&outbox);
    }
}

#[test]
fn a_number_outside_of_the_batch_settles_nothing() {
    let outbox = in_memory(&Limits::default(), &Watch::new());
    for body in ["a", "b", "c"] {
        outbox.submit(report(ReportKind::Log, body), Durability::Buffered).unwrap();
        outbox.submit(report(ReportKind::Status, body), Durability::Buffered).unwrap();
    }
    let batch = outbox.take(Lane::Log, 20).unwrap();
    assert_eq!((batch.first(), batch.last()), (1, 2));
    for outside in [0, 3, 4, u64::MAX] {
        assert_eq!(outbox.settle(&batch, outside), 0);
    }
    // A batch of another outbox has another series.
    let other = in_memory(&Limits::default(), &Watch::new());
    other.submit(report(ReportKind::Log, "x"), Durability::Buffered).unwrap();
    assert_eq!(outbox.settle(&other.take(Lane::Log, 100).unwrap(), 1), 0);
    assert_eq!(outbox.account(Lane::Log).waiting, 3);
    assert_eq!(outbox.account(Lane::Status).waiting, 3);
}

#[test]
fn a_batch_keeps_to_its_bytes_and_has_one_report_at_least() {
    let outbox = in_memory(&Limits::default(), &Watch::new());
    for length in [100, 100, 5000, 1] {
        outbox.submit(report(ReportKind::Log, vec![b'x'; length]), Durability::Buffered).unwrap();
    }
    let mut sizes = Vec::new();
    while let Some(batch) = outbox.take(Lane::Log, 300) {
        assert!(batch.body().len() <= 300 || batch.len() == 1);
        sizes.push(batch.len());
        outbox.settle(&batch, batch.last());
    }
    assert_eq!(sizes, [2, 1, 1]);
}

#[test]
fn after_413_half_as_many_and_a_lone_large_report_is_dropped_and_told() {
    let outbox = in_memory(&Limits::default(), &Watch::new());
    for length in [NEVER_TOO_LARGE, NEVER_TOO_LARGE + 1, 1] {
        outbox.submit(report(ReportKind::Log, vec![b'x'; length]), Durability::Buffered).unwrap();
    }
    let mut batch = outbox.take(Lane::Log, usize::MAX).unwrap();
    while let TooLarge::Smaller { at_most_bytes } = outbox.too_large(&batch) {
        assert!(at_most_bytes <= batch.body().len() / 2);
        batch = outbox.take(Lane::Log, at_most_bytes).unwrap();
    }
    assert_eq!((batch.first(), batch.len()), (1, 1));
    assert_eq!(outbox.too_large(&batch), TooLarge::ServerIsWrong, "so small a report is never dropped");
    outbox.settle(&batch, 1);
    let batch = outbox.take(Lane::Log, 1).unwrap();
    let id = batch.reports().next().unwrap().id;
    assert_eq!(outbox.too_large(&batch), TooLarge::Dropped { id });
    assert_eq!(outbox.too_large(&batch), TooLarge::Dropped { id }, "and counted once");
    assert_eq!(outbox.account(Lane::Log).dropped.too_large, 1);
    assert_eq!(events(&outbox), [OutboxEvent::TooLarge { id, bytes: NEVER_TOO_LARGE + 1 }]);
    assert_eq!(bodies(&outbox, Lane::Log), [b"x"]);
    assert_exact(&outbox);
}

#[test]
fn an_application_is_reported_once_while_learning_is_on_and_again_after_a_reset() {
    let outbox = in_memory(&small(4096, 100), &Watch::new());
    let submit = |body: &[u8]| outbox.submit(report(ReportKind::Application, body), Durability::Buffered);
    assert_eq!(submit(b"editor"), Err(SubmitError::NotLearning));
    outbox.learn_applications(true);
    assert!(submit(b"editor").is_ok());
    assert_eq!(submit(b"editor"), Err(SubmitError::AlreadyLearned));
    assert!(matches!(submit(&[0; 5000]), Err(SubmitError::TooLarge { .. })));
    assert!(matches!(submit(&[0; 5000]), Err(SubmitError::TooLarge { .. })), "it was not learned");
    outbox.forget_applications();
    assert!(submit(b"editor").is_ok());
    assert_eq!(bodies(&outbox, Lane::Applications), [b"editor", b"editor"]);
}

#[test]
fn an_application_is_not_reported_again_after_a_restart() {
    let folder = scratch();
    let path = folder.path().join("outbox");
    let watch = Watch::new();
    let learn = |outbox: &Outbox, body: &[u8]| {
        outbox.learn_applications(true);
        outbox.submit(report(ReportKind::Application, body), Durability::Buffered).map(drop)
    };
    let first = open(&path, &watch);
    assert_eq!(learn(&first, b"editor"), Ok(()));
    drop(first);
    let second = open(&path, &watch);
    assert_eq!(learn(&second, b"editor"), Err(SubmitError::AlreadyLearned));
    assert_eq!(learn(&second, b"browser"), Ok(()));
    second.forget_applications();
    drop(second);
    assert_eq!(learn(&open(&path, &watch), b"editor"), Ok(()));
}

#[test]
fn news_are_called_for_what_a_driver_should_look_at() {
    let outbox = in_memory(&small(4096, 100), &Watch::new());
    let calls = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&calls);
    outbox.on_news(move || {
        count.fetch_add(1, Ordering::Relaxed);
    });
    let called = || calls.swap(0, Ordering::Relaxed);
    let submit = |kind, length| outbox.submit(report(kind, vec![0; length]), Durability::Buffered);
    submit(ReportKind::Log, 1).unwrap();
    assert_eq!(called(), 1, "the lane was empty");
    submit(ReportKind::Log, 1).unwrap();
    assert_eq!(called(), 0);
    submit(ReportKind::Log, 3700).unwrap();
    assert_eq!(called(), 1, "the lane is nearly full");
    for _ in 0..2 {
        submit(ReportKind::Intrusion, 1).unwrap();
        assert_eq!(called(), 1, "it is critical");
    }
}

#[test]
fn reports_survive_a_restart_under_their_numbers_and_settled_ones_do_not_come_back() {
    let folder = scratch();
    let path = folder.path().join("outbox");
    let watch = Watch::new();
    let first = open(&path, &watch);
    let ids: Vec<_> = (0..3).map(|n| submit(&first, ReportKind::RiskFound, vec![n; 10])).collect();
    first.submit(report(ReportKind::Status, "buffered"), Durability::Buffered).unwrap();
    first.settle(&first.take(Lane::Critical, 1000).unwrap(), 1);
    drop(first);
    let second = open(&path, &watch);
    assert_eq!(second.account(Lane::Critical).recovered, 2);
    let new = submit(&second, ReportKind::RiskFound, "new");
    assert_ne!(new.series, ids[0].series);
    let batch = second.take(Lane::Critical, 1000).unwrap();
    assert_eq!((batch.series(), batch.first(), batch.last()), (ids[0].series, 2, 3), "one series at a time");
    let drained: Vec<_> = drain(&second, Lane::Critical).into_iter().map(|(id, _)| id).collect();
    assert_eq!(drained, [ids[1], ids[2], new]);
    assert_eq!(bodies(&second, Lane::Status), [b"buffered"]);
    second.flush().unwrap();
    assert_exact(&second);
    drop(second);
    let third = open(&path, &watch);
    assert!(Lane::ALL.iter().all(|&lane| third.take(lane, 1000).is_none()));
    assert_eq!(names(&path), ["head"], "nothing is left behind");
    assert_eq!(events(&third), []);
}
