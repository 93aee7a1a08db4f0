//! Folders that are refused, taken away and put back, beside a server that remembers the highest number of each series.

use std::fs;

use super::server::Server;
use super::*;

fn not_durable(outbox: &Outbox, body: &[u8]) {
    let result = outbox.submit(report(ReportKind::RiskFound, body), Durability::Durable);
    assert!(matches!(result, Err(SubmitError::NotDurable { .. })), "{result:?}");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for name in names(from) {
        fs::copy(from.join(&name), to.join(&name)).unwrap();
    }
}

/// Four reports on the disk, and five in memory, because something happens to the folder.
fn nine(path: &Path, watch: &Watch, happens: impl FnOnce()) -> Outbox {
    let outbox = open(path, watch);
    for n in 1..=4_u8 {
        submit(&outbox, ReportKind::RiskFound, [n]);
    }
    happens();
    watch.pass(1);
    (5..=9_u8).for_each(|n| not_durable(&outbox, &[n]));
    outbox
}

#[test]
fn a_folder_that_others_can_write_to_for_a_time_loses_nothing_and_is_read_meanwhile() {
    use std::os::unix::fs::PermissionsExt;
    for server_is_back_first in [false, true] {
        let above = scratch();
        let path = above.path().join("outbox");
        let set_mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let watch = Watch::new();
        let outbox = nine(&path, &watch, || set_mode(0o777));
        let mut server = Server::default();
        assert!(outbox.flush().is_err());
        let before = names(&path);
        if server_is_back_first {
            server.drain(&outbox, Lane::Critical);
            assert!(outbox.flush().is_err());
        }
        assert_eq!(names(&path), before, "nothing is written, and nothing removed");
        set_mode(0o700);
        watch.pass(1);
        submit(&outbox, ReportKind::RiskFound, [10]);
        outbox.flush().unwrap();
        let told = events(&outbox);
        assert!(
            matches!(&told[..], [OutboxEvent::NotStored { problem }, OutboxEvent::Stored]
                if problem.contains("chmod go-w")),
            "{told:?}"
        );
        server.drain(&outbox, Lane::Critical);
        assert!(server.taken.iter().map(|body| body[0]).eq(1..=10), "{:?}", server.taken);
        let account = outbox.account(Lane::Critical);
        assert_eq!((account.sent, account.recovered, account.dropped.total()), (10, 0, 0));
        outbox.flush().unwrap();
        drop(outbox);
        assert!(open(&path, &watch).take(Lane::Critical, 100).is_none());
    }
}

#[test]
fn what_waits_while_a_folder_is_refused_is_on_the_disk_when_it_is_private_again() {
    use std::os::unix::fs::PermissionsExt;
    let above = scratch();
    let path = above.path().join("outbox");
    let set_mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    let watch = Watch::new();
    let outbox = nine(&path, &watch, || set_mode(0o777));
    set_mode(0o700);
    outbox.flush().unwrap();
    let copied = above.path().join("copied");
    copy(&path, &copied);
    assert!(bodies(&open(&copied, &watch), Lane::Critical).into_iter().flatten().eq(1..=9));
    assert!(bodies(&outbox, Lane::Critical).into_iter().flatten().eq(1..=9));
}

#[test]
fn a_folder_that_comes_back_brings_nothing_below_what_was_sent_of_its_series() {
    for sent_before in [false, true] {
        let above = scratch();
        let (path, backup) = (above.path().join("outbox"), above.path().join("backup"));
        let watch = Watch::new();
        let outbox = nine(&path, &watch, || {
            copy(&path, &backup);
            fs::remove_dir_all(&path).unwrap();
        });
        assert_eq!(outbox.account(Lane::Critical).dropped.damaged, 4);
        let mut server = Server::default();
        if sent_before {
            server.drain(&outbox, Lane::Critical);
        }
        copy(&backup, &path);
        outbox.flush().unwrap();
        submit(&outbox, ReportKind::RiskFound, [10]);
        server.drain(&outbox, Lane::Critical);
        let first = if sent_before { 5 } else { 1 };
        assert!(server.taken.iter().map(|body| body[0]).eq(first..=10), "{:?}", server.taken);
        assert_eq!(outbox.account(Lane::Critical).dropped.damaged, 4, "counted as lost, and once");
        assert_exact(&outbox);
    }
}

#[test]
fn an_acknowledgement_across_an_attachment_settles_what_was_in_its_batch_and_nothing_else() {
    let above = scratch();
    let (path, backup) = (above.path().join("outbox"), above.path().join("backup"));
    let watch = Watch::new();
    let outbox = nine(&path, &watch, || {
        copy(&path, &backup);
        fs::remove_dir_all(&path).unwrap();
    });
    let mut server = Server::default();
    let batch = outbox.take(Lane::Critical, 1000).unwrap();
    assert_eq!((batch.first(), batch.last()), (5, 9));
    copy(&backup, &path);
    outbox.flush().unwrap();
    server.take(&batch);
    assert_eq!(outbox.settle(&batch, 9), 5);
    submit(&outbox, ReportKind::RiskFound, [10]);
    server.drain(&outbox, Lane::Critical);
    assert!(server.taken.iter().map(|body| body[0]).eq(5..=10));
    let account = outbox.account(Lane::Critical);
    assert_eq!((account.sent, account.dropped.damaged), (6, 4));
    assert_exact(&outbox);
}

#[test]
fn what_an_earlier_process_left_and_a_copy_brings_back_is_not_settled_by_an_older_batch() {
    let above = scratch();
    let (path, backup) = (above.path().join("outbox"), above.path().join("backup"));
    let watch = Watch::new();
    let first = open(&path, &watch);
    for n in 1..=9_u8 {
        submit(&first, ReportKind::RiskFound, [n]);
    }
    drop(first);
    copy(&path, &backup);
    let outbox = open(&path, &watch);
    let mut server = Server::default();
    let taken = outbox.take(Lane::Critical, 60).unwrap();
    server.take(&taken);
    outbox.settle(&taken, taken.last());
    // Given out, and never arrived.
    let under_way = outbox.take(Lane::Critical, 1).unwrap();
    fs::remove_dir_all(&path).unwrap();
    watch.pass(1);
    not_durable(&outbox, b"x");
    copy(&backup, &path);
    outbox.flush().unwrap();
    assert_eq!(outbox.settle(&under_way, under_way.last()), 0);
    server.drain(&outbox, Lane::Critical);
    assert_exact(&outbox);
    let lost = outbox.account(Lane::Critical).dropped.damaged;
    assert_eq!(lost, 9 - taken.len() as u64, "all that was only in the folder, when it was removed");
}

/// What would be there if the process were killed now.
fn on_the_disk(path: &Path, watch: &Watch) -> Vec<u8> {
    let above = scratch();
    copy(path, above.path());
    let outbox = open(above.path(), watch);
    bodies(&outbox, Lane::Critical).into_iter().flatten().collect()
}

fn remove_the_segment(path: &Path) {
    let name = names(path).into_iter().find(|name| name.starts_with("critical")).unwrap();
    fs::remove_file(path.join(name)).unwrap();
}

#[test]
fn a_file_that_something_removes_is_noticed_and_what_waits_is_written_again() {
    enum Next {
        Submit,
        Pass,
        Take,
    }
    for next in [Next::Submit, Next::Pass, Next::Take] {
        let above = scratch();
        let path = above.path().join("outbox");
        let watch = Watch::new();
        let outbox = open(&path, &watch);
        for n in 1..=4_u8 {
            submit(&outbox, ReportKind::RiskFound, [n]);
        }
        // Once it was read it stays readable.
        if !matches!(next, Next::Take) {
            outbox.settle(&outbox.take(Lane::Critical, 1).unwrap(), 1);
        }
        remove_the_segment(&path);
        submit(&outbox, ReportKind::RiskFound, [5]);
        let expected: Vec<u8> = match next {
            Next::Submit => {
                watch.pass(1);
                submit(&outbox, ReportKind::RiskFound, [6]);
                (2..=6).collect()
            }
            Next::Pass => {
                watch.pass(1);
                outbox.flush().unwrap();
                (2..=5).collect()
            }
            Next::Take => {
                assert_eq!(outbox.take(Lane::Critical, 1000).unwrap().len(), 5);
                (1..=5).collect()
            }
        };
        let told = events(&outbox);
        assert!(
            matches!(&told[..], [OutboxEvent::SetAside { problem, .. }] if problem.contains("removed it")),
            "{told:?}"
        );
        outbox.flush().unwrap();
        let found = on_the_disk(&path, &watch);
        // What was settled may come again: the head is written with the next removal.
        assert_eq!(found[found.len() - expected.len()..], expected);
        assert!(bodies(&outbox, Lane::Critical).into_iter().flatten().eq(expected));
        assert_exact(&outbox);
    }
}

#[test]
fn a_file_that_is_removed_again_and_again_costs_nothing() {
    let above = scratch();
    let path = above.path().join("outbox");
    let watch = Watch::new();
    let outbox = open(&path, &watch);
    for n in 1..=20_u8 {
        submit(&outbox, ReportKind::RiskFound, vec![n; 3]);
        remove_the_segment(&path);
        watch.pass(1);
    }
    outbox.flush().unwrap();
    assert_eq!(on_the_disk(&path, &watch).len(), 60);
    assert_eq!(bodies(&outbox, Lane::Critical).len(), 20);
    assert_exact(&outbox);
}
