//! Calls that fail, folders that cannot be used, and disks that are full.

use super::disk::{Disk, Fault};
use super::*;

/// A life that does everything once, with a fault at this call; whether there was such a call.
fn life(call: usize, fault: Fault) -> bool {
    let disk = Disk::new();
    let watch = Watch::new();
    let limits = small(64 << 10, 1_000_000);
    let earlier = disk.open(&limits, &watch);
    for n in 0..4 {
        submit(&earlier, ReportKind::RiskFound, vec![n; 3000]);
    }
    earlier.settle(&earlier.take(Lane::Critical, 1).unwrap(), 1);
    drop(earlier);

    let before = disk.calls().len();
    disk.fault(call, fault);
    let outbox = disk.open(&limits, &watch);
    let mut durable = Vec::new();
    for n in 4..9 {
        if outbox.submit(report(ReportKind::RiskFound, vec![n; 3000]), Durability::Durable).is_ok() {
            durable.push(n);
        }
    }
    outbox.submit(report(ReportKind::Log, "buffered"), Durability::Buffered).unwrap();
    let settled = outbox.take(Lane::Critical, 1).map(|batch| {
        outbox.settle(&batch, batch.last());
        batch.reports().next().unwrap().body[0]
    });
    let _ = outbox.flush();
    let calls = disk.calls();
    let was = calls.get(before + call).copied();
    let about = format!("{fault:?} at {call} ({was:?})");
    // The process is killed; what was called durable has to be there.
    disk.off_after(0);
    drop(outbox);
    disk.kill();

    let outbox = disk.open(&limits, &watch);
    let found: Vec<u8> = bodies(&outbox, Lane::Critical).iter().map(|body| body[0]).collect();
    for n in (1..4).chain(durable) {
        assert!(found.contains(&n) || settled == Some(n), "{about}: {n} is lost: {found:?}");
    }
    let mut sorted = found.clone();
    sorted.dedup();
    assert_eq!(sorted, found, "{about}: nothing comes twice");
    assert_eq!(events(&outbox), [], "{about}");
    assert_exact(&outbox);
    was.is_some()
}

#[test]
fn any_call_may_fail_once_and_nothing_that_was_called_durable_is_lost() {
    for fault in [Fault::Fails, Fault::Late] {
        let lives = (0..).take_while(|&call| life(call, fault)).count();
        assert!(lives >= 30, "a life does more than {lives} calls");
    }
}

#[test]
fn one_failed_sync_costs_a_new_file_and_no_promise() {
    let disk = Disk::new();
    let watch = Watch::new();
    let outbox = disk.open(&Limits::default(), &watch);
    submit(&outbox, ReportKind::RiskFound, "first");
    let before = disk.calls().len();
    submit(&outbox, ReportKind::RiskFound, "second");
    assert_eq!(disk.calls()[before..], ["write", "sync_begins", "sync"], "two calls for a durable submit");
    disk.fault(2, Fault::Fails);
    let before = disk.calls().len();
    submit(&outbox, ReportKind::RiskFound, "third");
    let calls = &disk.calls()[before..];
    assert_eq!(
        calls,
        [
            "write",
            "sync_begins",
            "sync",
            "look_at_folder",
            "create",
            "write",
            "sync_begins",
            "sync",
            "sync_folder"
        ],
        "the old file is not touched again"
    );
    submit(&outbox, ReportKind::RiskFound, "fourth");
    disk.off_after(0);
    drop(outbox);
    let mut random = rand_core::SeedableRng::seed_from_u64(1);
    disk.lose_power(&mut random);
    let outbox = disk.open(&Limits::default(), &watch);
    assert_eq!(bodies(&outbox, Lane::Critical), [b"first".as_slice(), b"second", b"third", b"fourth"]);
}

#[test]
fn what_was_not_synced_is_not_claimed_and_is_written_when_the_disk_is_well_again() {
    let disk = Disk::new();
    let watch = Watch::new();
    let outbox = disk.open(&Limits::default(), &watch);
    submit(&outbox, ReportKind::RiskFound, "first");
    disk.off_after(0);
    let error = outbox.submit(report(ReportKind::RiskFound, "second"), Durability::Durable).unwrap_err();
    let SubmitError::NotDurable { id, problem } = error else { panic!("{error}") };
    assert!(problem.contains("the power is off"), "{problem}");
    assert_eq!(id.number, 2);
    assert!(outbox.submit(report(ReportKind::RiskFound, "third"), Durability::Durable).is_err());
    assert!(matches!(&events(&outbox)[..], [OutboxEvent::NotStored { .. }]), "told once");
    disk.off_after(usize::MAX);
    submit(&outbox, ReportKind::RiskFound, "fourth");
    assert_eq!(events(&outbox), [OutboxEvent::Stored]);
    disk.off_after(0);
    drop(outbox);
    disk.kill();
    let outbox = disk.open(&Limits::default(), &watch);
    let found = bodies(&outbox, Lane::Critical);
    assert_eq!(found, [b"first".as_slice(), b"second", b"third", b"fourth"]);
}

#[test]
fn while_a_sync_hangs_everything_but_what_waits_for_it_goes_on() {
    let disk = Disk::new();
    let outbox = disk.open(&Limits::default(), &Watch::new());
    submit(&outbox, ReportKind::RiskFound, "first");
    let held = disk.hold_syncs();
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| submit(&outbox, ReportKind::RiskFound, "second"));
        while disk.calls().last() != Some(&"sync_begins") {
            std::thread::yield_now();
        }
        // All of this would hang if it waited for the disk.
        let batch = outbox.take(Lane::Critical, 1000).unwrap();
        assert_eq!(batch.last(), 2, "what is not synced yet can be sent");
        assert_eq!(outbox.settle(&batch, 1), 1);
        outbox.submit(report(ReportKind::RiskFound, "third"), Durability::Buffered).unwrap();
        assert_eq!(outbox.backlog(Lane::Critical).reports, 2);
        assert!(!waits.is_finished());
        drop(held);
        assert_eq!(waits.join().unwrap().number, 2);
    });
    assert_eq!(bodies(&outbox, Lane::Critical), [b"second".as_slice(), b"third"]);
}

#[test]
fn a_full_disk_costs_durability_until_a_server_takes_what_waits() {
    let disk = Disk::new();
    let watch = Watch::new();
    let outbox = disk.open(&Limits::default(), &watch);
    disk.set_room(100_000);
    let mut stored = 0;
    while outbox.submit(report(ReportKind::RiskFound, vec![0; 1000]), Durability::Durable).is_ok() {
        stored += 1;
    }
    assert!((90..100).contains(&stored), "{stored}");
    for _ in 0..50 {
        assert!(outbox.submit(report(ReportKind::RiskFound, vec![1; 1000]), Durability::Durable).is_err());
    }
    assert!(matches!(&events(&outbox)[..], [OutboxEvent::NotStored { .. }]));
    // In the order in which they came, those in memory behind those on the disk.
    let batch = outbox.take(Lane::Critical, 200_000).unwrap();
    assert_eq!(batch.last(), stored + 51);
    outbox.settle(&batch, stored);
    outbox.flush().unwrap();
    assert_eq!(events(&outbox), [OutboxEvent::Stored]);
    submit(&outbox, ReportKind::RiskFound, "stored again");
    let left = outbox.account(Lane::Critical).waiting;
    drop(outbox);
    let outbox = disk.open(&Limits::default(), &watch);
    assert_eq!(outbox.account(Lane::Critical).recovered, left);
    assert_eq!(drain(&outbox, Lane::Critical).len() as u64, left);
}

#[test]
fn a_folder_that_vanishes_is_told_and_another_in_its_place_is_used() {
    let above = scratch();
    let path = above.path().join("outbox");
    let watch = Watch::new();
    let outbox = open(&path, &watch);
    submit(&outbox, ReportKind::RiskFound, "gone with the folder");
    std::fs::remove_dir_all(&path).unwrap();
    watch.pass(1);
    let error = outbox.submit(report(ReportKind::RiskFound, "in memory"), Durability::Durable).unwrap_err();
    assert!(error.to_string().contains("the folder was removed"), "{error}");
    assert!(!path.exists(), "not made again behind anybody's back");
    let told = events(&outbox);
    assert!(told.contains(&OutboxEvent::Damaged { lane: Lane::Critical, reports: 1 }), "{told:?}");
    assert!(outbox.flush().is_err());
    std::fs::create_dir(&path).unwrap();
    outbox.flush().unwrap();
    submit(&outbox, ReportKind::RiskFound, "on the disk");
    assert_exact(&outbox);
    drop(outbox);
    let outbox = open(&path, &watch);
    assert_eq!(bodies(&outbox, Lane::Critical), [b"in memory".as_slice(), b"on the disk"]);
}

#[test]
fn a_lane_that_finds_the_folder_gone_takes_the_others_along_and_none_has_a_report_twice() {
    let above = scratch();
    let path = above.path().join("outbox");
    let watch = Watch::new();
    let outbox = open(&path, &watch);
    submit(&outbox, ReportKind::RiskFound, "lost");
    submit(&outbox, ReportKind::Log, "lost");
    std::fs::rename(&path, above.path().join("elsewhere")).unwrap();
    // It still has its place, and goes on.
    watch.pass(1);
    submit(&outbox, ReportKind::Log, "lost as well");
    std::fs::rename(above.path().join("elsewhere"), &path).unwrap();
    std::fs::remove_dir_all(&path).unwrap();
    watch.pass(1);
    assert!(outbox.submit(report(ReportKind::Log, "in memory"), Durability::Durable).is_err());
    std::fs::create_dir(&path).unwrap();
    outbox.flush().unwrap();
    submit(&outbox, ReportKind::RiskFound, "on the disk");
    assert_eq!(bodies(&outbox, Lane::Log), [b"in memory"]);
    assert_eq!(bodies(&outbox, Lane::Critical), [b"on the disk"]);
    assert_eq!(outbox.account(Lane::Log).dropped.damaged, 2);
    assert_exact(&outbox);
}

#[test]
fn a_second_outbox_on_a_folder_runs_in_memory_until_the_first_has_ended() {
    let above = scratch();
    let path = above.path().join("outbox");
    let watch = Watch::new();
    let first = open(&path, &watch);
    submit(&first, ReportKind::RiskFound, "of the first");
    let second = open(&path, &watch);
    let told = events(&second);
    assert!(
        matches!(&told[..], [OutboxEvent::NotStored { problem }] if problem.contains("in use by another")),
        "{told:?}"
    );
    let error = second.submit(report(ReportKind::RiskFound, "of the second"), Durability::Durable);
    assert!(matches!(error, Err(SubmitError::NotDurable { .. })), "{error:?}");
    assert_eq!(second.account(Lane::Critical).recovered, 0);
    drop(first);
    second.flush().unwrap();
    assert_eq!(events(&second), [OutboxEvent::Stored]);
    assert_eq!(bodies(&second, Lane::Critical), [b"of the first".as_slice(), b"of the second"]);
    assert_exact(&second);
}

#[cfg(unix)]
#[test]
fn a_folder_that_others_can_write_to_is_refused_and_used_when_that_is_mended() {
    use std::os::unix::fs::PermissionsExt;
    let above = scratch();
    let path = above.path().join("outbox");
    std::fs::create_dir(&path).unwrap();
    let set_mode = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    set_mode(0o777);
    let watch = Watch::new();
    let outbox = open(&path, &watch);
    let told = events(&outbox);
    assert!(
        matches!(&told[..], [OutboxEvent::NotStored { problem }] if problem.contains("chmod go-w")),
        "{told:?}"
    );
    assert!(outbox.submit(report(ReportKind::Log, "x"), Durability::Durable).is_err());
    set_mode(0o700);
    outbox.flush().unwrap();
    assert_eq!(events(&outbox), [OutboxEvent::Stored]);
    submit(&outbox, ReportKind::Log, "y");
    let name = names(&path).into_iter().find(|name| name.starts_with("log")).unwrap();
    let mode = std::fs::metadata(path.join(name)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn without_a_folder_a_durable_submit_says_so_and_the_report_waits() {
    let outbox = in_memory(&Limits::default(), &Watch::new());
    let error = outbox.submit(report(ReportKind::Log, "x"), Durability::Durable).unwrap_err();
    assert!(error.to_string().ends_with("the outbox has no folder"), "{error}");
    assert_eq!(bodies(&outbox, Lane::Log), [b"x"]);
    outbox.flush().unwrap();
    assert_eq!(events(&outbox), []);
}

#[test]
fn threads_share_syncs_and_each_has_its_own_number() {
    let disk = Disk::new();
    let outbox = disk.open(&Limits::default(), &Watch::new());
    let ids: Vec<ReportId> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8_u8)
            .map(|thread| {
                let outbox = &outbox;
                scope.spawn(move || {
                    (0..50)
                        .map(|n| submit(outbox, ReportKind::RiskFound, vec![thread, n]))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), 400);
    let drained = drain(&outbox, Lane::Critical);
    assert!(drained.iter().map(|(id, _)| id.number).eq(1..=400));
    for thread in 0..8 {
        let own = drained.iter().map(|(_, body)| body).filter(|body| body[0] == thread);
        assert!(own.map(|body| body[1]).eq(0..50), "in the order in which a thread submitted them");
    }
}

#[test]
fn the_end_waits_for_a_disk_that_hangs_no_longer_than_it_says_and_the_rest_is_written_behind_it() {
    let disk = Disk::new();
    let watch = Watch::new();
    let home = Home::new(&disk.path(), disk.systems());
    let mut outbox = Outbox::with(Some(home), &Limits::default(), watch.clock(), true);
    outbox.submit(report(ReportKind::Log, "first"), Durability::Buffered).unwrap();
    let held = disk.hold_syncs();
    outbox.submit(report(ReportKind::Log, "second"), Durability::Buffered).unwrap();
    let began = std::time::Instant::now();
    assert!(!outbox.close(Duration::from_millis(50)));
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    let shared = Arc::downgrade(&outbox.shared);
    drop(held);
    drop(outbox);
    while shared.strong_count() > 0 {
        std::thread::yield_now();
    }
    assert_eq!(bodies(&disk.open(&Limits::default(), &watch), Lane::Log), [b"first".as_slice(), b"second"]);
}

#[test]
fn damage_that_is_found_while_the_folder_is_in_trouble_is_news_at_once() {
    let above = scratch();
    let path = above.path().join("outbox");
    let watch = Watch::new();
    let outbox = open(&path, &watch);
    submit(&outbox, ReportKind::Log, "gone with the folder");
    submit(&outbox, ReportKind::Status, "gone as well");
    let calls = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&calls);
    outbox.on_news(move || {
        count.fetch_add(1, Ordering::Relaxed);
    });
    std::fs::remove_dir_all(&path).unwrap();
    watch.pass(1);
    assert!(outbox.submit(report(ReportKind::Status, "x"), Durability::Durable).is_err());
    assert_eq!(events(&outbox).len(), 2);
    calls.store(0, Ordering::Relaxed);
    assert!(outbox.flush().is_err());
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    assert_eq!(events(&outbox), [OutboxEvent::Damaged { lane: Lane::Log, reports: 1 }]);
}

#[test]
fn an_outbox_in_trouble_says_when_it_should_be_tended_and_is_mended_then() {
    let above = scratch();
    let path = above.path().join("outbox");
    let watch = Watch::new();
    let systems: Systems = Arc::new(|| Box::new(Real));
    let outbox = Outbox::with(Some(Home::new(&path, systems)), &Limits::default(), watch.clock(), true);
    assert_eq!(outbox.next_tending(), None);
    submit(&outbox, ReportKind::RiskFound, "gone with the folder");
    std::fs::remove_dir_all(&path).unwrap();
    watch.pass(1);
    assert!(outbox.submit(report(ReportKind::RiskFound, "waits"), Durability::Durable).is_err());
    while outbox.next_tending().is_none() {
        std::thread::yield_now();
    }
    assert_eq!(outbox.next_tending(), Some(Duration::from_secs(30)));
    std::fs::create_dir(&path).unwrap();
    outbox.tend();
    watch.pass(29);
    outbox.tend();
    assert_eq!(outbox.next_tending(), Some(Duration::from_secs(1)));
    watch.pass(1);
    assert_eq!(outbox.next_tending(), Some(Duration::ZERO));
    outbox.tend();
    while outbox.next_tending().is_some() {
        std::thread::yield_now();
    }
    assert!(names(&path).iter().any(|name| name.starts_with("critical")), "on the disk");
}
