//! Bytes and age of a lane, and the account of what they cost.

use super::*;

#[test]
fn ten_thousand_submits_a_second_for_a_minute_without_a_server_stay_bounded_and_drop_the_oldest_exactly() {
    let folder = scratch();
    let watch = Watch::new();
    let limits = Limits { log: LaneLimits { bytes: 1 << 20, ..Limits::default().log }, ..Limits::default() };
    let on_disk = open_with(&folder.path().join("outbox"), &limits, &watch, Arc::new(|| Box::new(Real)));
    for outbox in [in_memory(&limits, &watch), on_disk] {
        let fits = (1 << 20) / (100 + 32);
        for second in 0..60_u64 {
            for n in 0..10_000_u64 {
                let mut body = vec![0; 100];
                body[..8].copy_from_slice(&(second * 10_000 + n).to_le_bytes());
                outbox.submit(report(ReportKind::Log, body), Durability::Buffered).unwrap();
                if n % 1000 == 0 {
                    outbox.flush().unwrap();
                }
            }
            let total = (second + 1) * 10_000;
            let account = outbox.account(Lane::Log);
            let waiting = total.min(fits);
            assert_eq!((account.submitted, account.waiting), (total, waiting));
            assert_eq!(account.waiting_bytes, waiting * 132);
            assert_eq!(account.dropped, Dropped { full: total - waiting, ..Dropped::default() });
            watch.pass(1);
        }
        let lane = Lane::Log;
        assert_eq!(events(&outbox), [OutboxEvent::NearlyFull { lane }, OutboxEvent::Full { lane }]);
        let left: Vec<u64> = bodies(&outbox, Lane::Log)
            .iter()
            .map(|body| u64::from_le_bytes(body[..8].try_into().unwrap()))
            .collect();
        assert!(left.into_iter().eq(600_000 - fits..600_000));
        assert_exact(&outbox);
        outbox.flush().unwrap();
    }
    // At most the lane and two segments were on the disk at any time; now that all is settled, one segment.
    let size: u64 = std::fs::read_dir(folder.path().join("outbox"))
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    assert!(size <= 70_000, "{size}");
}

#[test]
fn a_full_critical_lane_refuses_and_drops_nothing() {
    let outbox = in_memory(&small(4096, 1000), &Watch::new());
    let submit = || outbox.submit(report(ReportKind::Intrusion, vec![0; 1000]), Durability::Buffered);
    assert!((0..3).all(|_| submit().is_ok()));
    let lane = Lane::Critical;
    assert_eq!(submit(), Err(SubmitError::Full { lane }));
    assert_eq!(outbox.account(lane).refused, 1);
    assert_eq!(events(&outbox), [OutboxEvent::Full { lane }]);
    let batch = outbox.take(lane, 10_000).unwrap();
    assert_eq!((batch.first(), batch.last()), (1, 3));
    outbox.settle(&batch, 1);
    assert_eq!(events(&outbox), [OutboxEvent::Relieved { lane }]);
    assert_eq!(submit().unwrap().number, 4, "a refused report has no number");
    assert_exact(&outbox);
}

#[test]
fn a_report_of_nothing_is_one_and_one_byte_too_many_is_refused() {
    let watch = Watch::new();
    let outbox = in_memory(&Limits::default(), &watch);
    let submit = |body: Vec<u8>| outbox.submit(report(ReportKind::Log, body), Durability::Buffered);
    assert_eq!(submit(Vec::new()).unwrap().number, 1);
    assert_eq!(submit(vec![1; MAX_REPORT]).unwrap().number, 2);
    let most = MAX_REPORT;
    assert_eq!(submit(vec![1; most + 1]), Err(SubmitError::TooLarge { bytes: most + 1, most }));
    let huge = 1 << 30;
    assert_eq!(submit(vec![0; huge]), Err(SubmitError::TooLarge { bytes: huge, most }));
    let lengths: Vec<_> = bodies(&outbox, Lane::Log).iter().map(Vec::len).collect();
    assert_eq!(lengths, [0, MAX_REPORT]);
    // A lane that holds less takes less.
    let small = in_memory(&small(4096, 10), &watch);
    let bytes = 4096 - 32 + 1;
    let error = small.submit(report(ReportKind::Status, vec![0; bytes]), Durability::Buffered);
    assert_eq!(error, Err(SubmitError::TooLarge { bytes, most: bytes - 1 }));
    assert!(small.submit(report(ReportKind::Status, vec![0; bytes - 1]), Durability::Buffered).is_ok());
    // Reports of nothing are bounded as well.
    (0..1000).for_each(|_| drop(small.submit(report(ReportKind::Log, []), Durability::Buffered)));
    assert_eq!(small.account(Lane::Log).waiting, 4096 / 32);
}

#[test]
fn what_is_too_old_is_dropped_and_counted() {
    let watch = Watch::new();
    let outbox = in_memory(&small(1 << 20, 100), &watch);
    let submit = |body: &str| outbox.submit(report(ReportKind::Log, body), Durability::Buffered).unwrap();
    submit("at 0");
    watch.pass(60);
    submit("at 60");
    watch.pass(40);
    assert_eq!(outbox.backlog(Lane::Log).reports, 2);
    watch.pass(1);
    assert_eq!(outbox.account(Lane::Log).dropped, Dropped { aged: 1, ..Dropped::default() });
    assert_eq!(bodies(&outbox, Lane::Log), [b"at 60"]);
    assert_exact(&outbox);
}

#[test]
fn a_step_of_the_wall_clock_ages_nothing_of_this_process() {
    let watch = Watch::new();
    let outbox = in_memory(&small(1 << 20, 100), &watch);
    outbox.submit(report(ReportKind::Log, "x"), Durability::Buffered).unwrap();
    watch.wall.store(4_000_000_000, Ordering::Relaxed);
    assert_eq!(outbox.backlog(Lane::Log).reports, 1);
    watch.wall.store(0, Ordering::Relaxed);
    assert_eq!(outbox.backlog(Lane::Log).reports, 1);
}

#[test]
fn a_report_of_an_earlier_process_ages_by_a_wall_clock_that_has_had_time_to_be_set() {
    const DAY: u64 = 24 * 60 * 60;
    let folder = scratch();
    let path = folder.path().join("outbox");
    let watch = Watch::new();
    let limits = small(1 << 20, 10 * DAY);
    let open = || open_with(&path, &limits, &watch, Arc::new(|| Box::new(Real)));
    let waiting = |outbox: &Outbox| outbox.backlog(Lane::Critical).reports;
    submit(&open(), ReportKind::RiskFound, "x");
    // Off for nine days, and a clock that is years ahead for the first minutes.
    watch.pass(9 * DAY);
    watch.wall.fetch_add(5000 * DAY, Ordering::Relaxed);
    let outbox = open();
    assert_eq!(waiting(&outbox), 1);
    watch.wall.fetch_sub(5000 * DAY, Ordering::Relaxed);
    watch.pass(DAY / 2);
    assert_eq!(waiting(&outbox), 1);
    watch.pass(DAY);
    assert_eq!(waiting(&outbox), 0);
    assert_eq!(outbox.account(Lane::Critical).dropped.aged, 1);
    // Submitted in 1970, found in the present: its age is not known, and counts from the opening.
    watch.wall.store(1000, Ordering::Relaxed);
    submit(&outbox, ReportKind::RiskFound, "y");
    drop(outbox);
    watch.wall.store(1_900_000_000, Ordering::Relaxed);
    let outbox = open();
    watch.pass(10 * DAY);
    assert_eq!(waiting(&outbox), 1);
    watch.pass(1);
    assert_eq!(waiting(&outbox), 0);
}

#[test]
fn a_folder_with_more_than_its_lane_holds_drops_the_oldest_when_it_is_opened() {
    let folder = scratch();
    let path = folder.path().join("outbox");
    let watch = Watch::new();
    let outbox = open(&path, &watch);
    for n in 0..100 {
        submit(&outbox, ReportKind::Log, vec![n; 1000]);
        submit(&outbox, ReportKind::Intrusion, vec![n; n.into()]);
    }
    drop(outbox);
    let outbox = open_with(&path, &small(4096, 1000), &watch, Arc::new(|| Box::new(Real)));
    assert_eq!(outbox.account(Lane::Log).dropped.full, 97);
    assert_eq!(
        outbox.account(Lane::Critical).waiting,
        100,
        "critical ones are never dropped for their bytes"
    );
    assert!(outbox.submit(report(ReportKind::Intrusion, "x"), Durability::Buffered).is_err());
    assert_eq!(bodies(&outbox, Lane::Log), [97_u8, 98, 99].map(|n| vec![n; 1000]));
    assert_exact(&outbox);
}

// Windows refuses a folder in the place of the head before that.
#[cfg(unix)]
#[test]
fn a_head_that_cannot_be_written_lets_no_files_pile_up() {
    for blocked in ["head.new", "head"] {
        let above = scratch();
        let path = above.path().join("outbox");
        let watch = Watch::new();
        let outbox = open_with(&path, &small(64 << 10, 1000), &watch, Arc::new(|| Box::new(Real)));
        let _ = std::fs::remove_file(path.join(blocked));
        for name in [blocked.to_owned(), format!("{blocked}.aside")] {
            std::fs::create_dir(path.join(&name)).unwrap();
            std::fs::write(path.join(name).join("x"), "not empty").unwrap();
        }
        for _ in 0..200 {
            submit(&outbox, ReportKind::RiskFound, vec![0; 1000]);
            drain(&outbox, Lane::Critical);
            let _ = outbox.flush();
        }
        let files = names(&path).iter().filter(|name| name.starts_with("critical")).count();
        assert!(files <= 2, "{blocked}: {files}");
        let told = events(&outbox);
        assert!(matches!(&told[..], [OutboxEvent::NotStored { .. }]), "{blocked}: {told:?}");
        std::fs::remove_dir_all(path.join(format!("{blocked}.aside"))).unwrap();
        outbox.flush().unwrap();
        assert_eq!(events(&outbox), [OutboxEvent::Stored], "{blocked}");
    }
}

/// As many openings of a folder, each of which left one small report of two lanes.
fn many_lives(path: &Path, lives: u32) {
    std::fs::create_dir(path).unwrap();
    for opening in 1..=lives {
        for (lane, kind) in [(Lane::Log, ReportKind::Log), (Lane::Critical, ReportKind::Intrusion)] {
            let series = Series(u64::from(opening) << 8 | lane as u64);
            let mut bytes = file::header(series, 1).to_vec();
            let salt = entry::Salt::new(lane, series);
            entry::write(&mut bytes, salt, (1, 1_800_000_000), kind, &opening.to_le_bytes());
            let name = segment_name::SegmentName { lane, opening, series, count: 1 };
            std::fs::write(path.join(name.to_string()), bytes).unwrap();
        }
    }
}

#[test]
fn many_short_lives_leave_no_more_files_than_the_lane_holds_blocks() {
    let above = scratch();
    let path = above.path().join("outbox");
    many_lives(&path, 1000);
    let watch = Watch::new();
    let outbox = open_with(&path, &small(1 << 20, 1000), &watch, Arc::new(|| Box::new(Real)));
    let account = outbox.account(Lane::Log);
    assert_eq!((account.waiting, account.dropped.full), (256, 744));
    assert_exact(&outbox);
    // It begins a file of its own; from then on the oldest give way.
    for _ in 0..2 {
        submit(&outbox, ReportKind::Log, "the newest");
    }
    assert_eq!(outbox.account(Lane::Log).waiting, 257);
    assert_eq!(outbox.account(Lane::Critical).waiting, 1000, "nothing critical is dropped");
    let refused = outbox.submit(report(ReportKind::Intrusion, "x"), Durability::Durable);
    assert_eq!(refused, Err(SubmitError::Full { lane: Lane::Critical }));
    outbox.flush().unwrap();
    let files = names(&path).iter().filter(|name| name.starts_with("log")).count();
    assert!(files <= 257, "{files}");
    let left: Vec<u32> = drain(&outbox, Lane::Log)
        .iter()
        .filter_map(|(_, body)| Some(u32::from_le_bytes(body[..].try_into().ok()?)))
        .collect();
    assert!(left.into_iter().eq(746..=1000));
    for expected in 1..=800_u32 {
        let batch = outbox.take(Lane::Critical, 1000).unwrap();
        assert_eq!(batch.reports().next().unwrap().body, expected.to_le_bytes());
        outbox.settle(&batch, 1);
    }
    submit(&outbox, ReportKind::Intrusion, "there is room again");
    assert_exact(&outbox);
}
