//! A report that a server refuses again and again must not hold up what is behind it, and a server that is unwell must cost none.

use super::*;

const ENOUGH: usize = 12;

/// Takes a report alone.
fn one(outbox: &Outbox) -> Batch {
    outbox.take(Lane::Log, 1).unwrap()
}

fn three(watch: &Watch) -> Outbox {
    let outbox = in_memory(&Limits::default(), watch);
    for body in ["poison", "b", "c"] {
        outbox.submit(report(ReportKind::Log, body), Durability::Buffered).unwrap();
    }
    outbox
}

fn refuse(outbox: &Outbox, times: usize) {
    for _ in 0..times {
        let batch = one(outbox);
        assert_eq!((batch.first(), batch.len()), (1, 1));
        outbox.refused(&batch);
    }
}

#[test]
fn one_that_is_refused_alone_again_and_again_is_given_up_when_the_one_behind_it_is_taken() {
    let watch = Watch::new();
    let outbox = three(&watch);
    refuse(&outbox, ENOUGH);
    let behind = one(&outbox);
    assert_eq!((behind.first(), behind.last()), (2, 2));
    assert_eq!(outbox.account(Lane::Log).waiting, 3, "nothing is given up before");
    assert_eq!(outbox.settle(&behind, 2), 1);
    let told = events(&outbox);
    assert!(
        matches!(&told[..], [OutboxEvent::NotTaken { id, bytes: 6, refusals: 12 }] if id.number == 1),
        "{told:?}"
    );
    let account = outbox.account(Lane::Log);
    assert_eq!((account.sent, account.dropped.not_taken, account.waiting), (1, 1, 1));
    assert_eq!(bodies(&outbox, Lane::Log), [b"c"]);
    assert_exact(&outbox);
}

#[test]
fn where_the_one_behind_it_is_refused_too_it_is_the_server() {
    let watch = Watch::new();
    let outbox = three(&watch);
    for _ in 0..3 {
        refuse(&outbox, ENOUGH);
        let behind = one(&outbox);
        assert_eq!(behind.first(), 2);
        outbox.refused(&behind);
    }
    assert_eq!(bodies(&outbox, Lane::Log), [b"poison".as_slice(), b"b", b"c"]);
    assert_eq!(outbox.account(Lane::Log).dropped.total(), 0);
    assert_eq!(events(&outbox), []);
}

#[test]
fn a_server_that_may_have_become_well_is_asked_again() {
    let watch = Watch::new();
    let outbox = three(&watch);
    refuse(&outbox, ENOUGH);
    watch.pass(11);
    assert_eq!(one(&outbox).first(), 1);
    refuse(&outbox, 1);
    watch.pass(10);
    assert_eq!(one(&outbox).first(), 2, "right after a refusal");
    // Another one of its batches came through meanwhile.
    watch.pass(11);
    let batch = outbox.take(Lane::Log, 1000).unwrap();
    outbox.settle(&batch, 1);
    assert_eq!(one(&outbox).first(), 2);
    assert_eq!(outbox.account(Lane::Log).dropped.total(), 0);
}

#[test]
fn only_a_report_that_was_refused_alone_and_in_a_row_is_suspected() {
    let watch = Watch::new();
    let outbox = three(&watch);
    for _ in 0..2 * ENOUGH {
        outbox.refused(&outbox.take(Lane::Log, 1000).unwrap());
    }
    assert_eq!(one(&outbox).first(), 1);
    refuse(&outbox, ENOUGH - 1);
    outbox.settle(&one(&outbox), 1);
    outbox.refused(&one(&outbox));
    assert_eq!(one(&outbox).first(), 2, "each report has its own");
}

#[test]
fn with_nothing_behind_it_it_waits_on_until_something_is() {
    let folder = scratch();
    let watch = Watch::new();
    let path = folder.path().join("outbox");
    let outbox = open(&path, &watch);
    submit(&outbox, ReportKind::Log, "poison");
    refuse(&outbox, 3 * ENOUGH);
    drop(outbox);
    // It is of a series of its own in the next life, which goes on without it.
    let outbox = open(&path, &watch);
    submit(&outbox, ReportKind::Log, "b");
    refuse(&outbox, 3 * ENOUGH);
    outbox.settle(&one(&outbox), 1);
    assert_eq!(bodies(&outbox, Lane::Log), [b"b"]);
    assert_exact(&outbox);
}

#[test]
fn it_is_left_out_at_the_end_of_a_file_and_from_the_disk_and_stays_dropped() {
    let folder = scratch();
    let watch = Watch::new();
    let path = folder.path().join("outbox");
    let outbox = open(&path, &watch);
    submit(&outbox, ReportKind::Log, vec![b'a'; 200_000]);
    for _ in 0..10 {
        submit(&outbox, ReportKind::Log, vec![b'b'; 200_000]);
    }
    for front in 1..=10 {
        for _ in 0..ENOUGH {
            let batch = one(&outbox);
            assert_eq!(batch.first(), front);
            outbox.refused(&batch);
        }
        let behind = one(&outbox);
        assert_eq!(behind.first(), front + 1);
        if front == 10 {
            outbox.settle(&behind, 11);
        } else {
            outbox.refused(&behind);
            outbox.settle(&one(&outbox), front);
        }
    }
    let account = outbox.account(Lane::Log);
    assert_eq!((account.sent, account.dropped.not_taken, account.waiting), (10, 1, 0));
    assert_exact(&outbox);
    outbox.flush().unwrap();
    drop(outbox);
    assert_eq!(bodies(&open(&path, &watch), Lane::Log), Vec::<Vec<u8>>::new());
}

#[test]
fn an_application_that_is_given_up_may_be_reported_again() {
    let watch = Watch::new();
    let outbox = in_memory(&Limits::default(), &watch);
    outbox.learn_applications(true);
    let learn = |body: &str| outbox.submit(report(ReportKind::Application, body), Durability::Buffered);
    learn("one").unwrap();
    learn("two").unwrap();
    for _ in 0..ENOUGH {
        outbox.refused(&outbox.take(Lane::Applications, 1).unwrap());
    }
    let behind = outbox.take(Lane::Applications, 1).unwrap();
    outbox.settle(&behind, behind.last());
    assert!(learn("one").is_ok());
    assert_eq!(learn("two"), Err(SubmitError::AlreadyLearned));
}
