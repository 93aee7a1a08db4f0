//! Bad sectors: files that are there and cannot be read.

use super::disk::Disk;
use super::server::Server;
use super::*;

/// Eight reports of an earlier process in files of two each, and one of this process.
fn nine(disk: &Disk, watch: &Watch) -> Outbox {
    let limits = small(4096, 1000);
    let earlier = disk.open(&limits, watch);
    for n in 1..=8_u8 {
        submit(&earlier, ReportKind::RiskFound, vec![n; 100]);
    }
    drop(earlier);
    let outbox = disk.open(&limits, watch);
    submit(&outbox, ReportKind::RiskFound, vec![9; 100]);
    outbox
}

fn firsts(server: &Server) -> Vec<u8> {
    server.taken.iter().map(|body| body[0]).collect()
}

#[test]
fn what_cannot_be_read_holds_back_its_own_series_only_and_comes_in_order_when_it_can() {
    let disk = Disk::new();
    let watch = Watch::new();
    let outbox = nine(&disk, &watch);
    disk.set_bad(Some("critical-00000001"));
    let mut server = Server::default();
    server.drain(&outbox, Lane::Critical);
    assert_eq!(firsts(&server), [9], "at once");
    let told = events(&outbox);
    assert!(
        matches!(&told[..], [OutboxEvent::SetAside { problem, .. }] if problem.contains("cannot be read now")),
        "{told:?}"
    );
    watch.pass(50);
    server.drain(&outbox, Lane::Critical);
    assert_eq!(events(&outbox), [], "told once");
    disk.set_bad(None);
    server.drain(&outbox, Lane::Critical);
    assert_eq!(firsts(&server), [9, 1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(outbox.account(Lane::Critical).dropped.total(), 0);
    assert_exact(&outbox);
}

#[test]
fn what_cannot_be_read_for_a_minute_is_given_up_and_what_is_behind_it_is_sent() {
    let disk = Disk::new();
    let watch = Watch::new();
    let outbox = nine(&disk, &watch);
    let second = names(&disk.path()).into_iter().filter(|name| name.starts_with("critical-00000001")).nth(1);
    disk.set_bad(second.as_deref());
    let mut server = Server::default();
    server.drain(&outbox, Lane::Critical);
    assert_eq!(firsts(&server), [1, 2, 9]);
    watch.pass(59);
    server.drain(&outbox, Lane::Critical);
    assert_eq!(outbox.account(Lane::Critical).waiting, 6);
    watch.pass(1);
    server.drain(&outbox, Lane::Critical);
    assert_eq!(firsts(&server), [1, 2, 9, 5, 6, 7, 8]);
    let told = events(&outbox);
    assert_eq!(told[1..], [OutboxEvent::Damaged { lane: Lane::Critical, reports: 2 }]);
    disk.set_bad(None);
    outbox.flush().unwrap();
    drop(outbox);
    let again = disk.open(&small(4096, 1000), &watch);
    assert!(again.take(Lane::Critical, 1000).is_none(), "it does not come back below what was sent");
}

#[test]
fn a_report_that_is_submitted_while_its_own_series_cannot_be_read_is_sent_at_once() {
    let disk = Disk::new();
    let watch = Watch::new();
    let outbox = disk.open(&small(4096, 1000), &watch);
    let before: Vec<_> = (1..=3_u8).map(|n| submit(&outbox, ReportKind::RiskFound, vec![n; 100])).collect();
    let first = names(&disk.path()).into_iter().find(|name| name.starts_with("critical"));
    disk.set_bad(first.as_deref());
    let mut server = Server::default();
    server.drain(&outbox, Lane::Critical);
    assert_eq!(firsts(&server), [0_u8; 0], "the third waits for the first two");
    let after: Vec<_> = (4..=6_u8).map(|n| submit(&outbox, ReportKind::RiskFound, vec![n; 100])).collect();
    assert!(after.iter().all(|id| id.series == after[0].series && id.series != before[0].series));
    server.drain(&outbox, Lane::Critical);
    assert_eq!(firsts(&server), [4, 5, 6]);
    disk.set_bad(None);
    // The process is killed before the server comes to it.
    disk.kill();
    drop(outbox);
    let outbox = disk.open(&small(4096, 1000), &watch);
    let left: Vec<_> = drain(&outbox, Lane::Critical).into_iter().map(|(id, _)| id).collect();
    assert!(before.iter().all(|id| left.contains(id)), "{left:?}");
    assert_exact(&outbox);
}
