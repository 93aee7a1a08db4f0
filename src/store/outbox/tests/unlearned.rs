//! An application that no server got is reported again.

use super::*;

fn learn(outbox: &Outbox, body: &[u8]) -> Result<(), SubmitError> {
    outbox.learn_applications(true);
    outbox.submit(report(ReportKind::Application, body), Durability::Buffered).map(drop)
}

/// So long that the lane holds three of them.
fn application(n: u8) -> Vec<u8> {
    vec![n; 1200]
}

const KNOWN: Result<(), SubmitError> = Err(SubmitError::AlreadyLearned);

fn limits() -> Limits {
    small(4096, 100)
}

#[test]
fn an_application_that_was_dropped_as_full_or_as_too_old_is_taken_again() {
    let folder = scratch();
    let watch = Watch::new();
    let path = folder.path().join("outbox");
    let on_disk = open_with(&path, &limits(), &watch, Arc::new(|| Box::new(Real)));
    for outbox in [in_memory(&limits(), &watch), on_disk] {
        (1..=4).for_each(|n| learn(&outbox, &application(n)).unwrap());
        outbox.flush().unwrap();
        assert_eq!(outbox.account(Lane::Applications).dropped.full, 1);
        assert_eq!(learn(&outbox, &application(4)), KNOWN);
        assert_eq!(learn(&outbox, &application(1)), Ok(()), "it was dropped");
        assert_eq!(learn(&outbox, &application(2)), Ok(()), "it had to give way");
        watch.pass(101);
        outbox.backlog(Lane::Applications);
        assert_eq!(outbox.account(Lane::Applications).dropped.aged, 3);
        (1..=3).for_each(|n| learn(&outbox, &application(n)).unwrap());
        drain(&outbox, Lane::Applications);
        (1..=3).for_each(|n| assert_eq!(learn(&outbox, &application(n)), KNOWN, "a server has it"));
    }
}

#[test]
fn an_application_that_a_server_calls_too_large_is_taken_again() {
    let outbox = in_memory(&Limits::default(), &Watch::new());
    let large = vec![1; NEVER_TOO_LARGE + 1];
    learn(&outbox, &large).unwrap();
    let batch = outbox.take(Lane::Applications, 1).unwrap();
    assert!(matches!(outbox.too_large(&batch), TooLarge::Dropped { .. }));
    assert_eq!(learn(&outbox, &large), Ok(()));
}

#[test]
fn what_an_earlier_process_left_is_taken_again_when_it_is_dropped_or_damaged() {
    let folder = scratch();
    let path = folder.path().join("outbox");
    let watch = Watch::new();
    let outbox = open(&path, &watch);
    (1..=4).for_each(|n| learn(&outbox, &application(n)).unwrap());
    drop(outbox);
    let outbox = open_with(&path, &limits(), &watch, Arc::new(|| Box::new(Real)));
    assert_eq!(outbox.account(Lane::Applications).dropped.full, 1);
    assert_eq!(learn(&outbox, &application(2)), KNOWN);
    assert_eq!(learn(&outbox, &application(1)), Ok(()));
    drop(outbox);
    for name in names(&path).iter().filter(|name| name.starts_with("applications")) {
        let mut bytes = std::fs::read(path.join(name)).unwrap();
        let end = bytes.len() - 1;
        bytes[end] ^= 1;
        std::fs::write(path.join(name), bytes).unwrap();
    }
    let outbox = open(&path, &watch);
    assert!(outbox.account(Lane::Applications).dropped.damaged > 0);
    assert_eq!(learn(&outbox, &application(1)), Ok(()));
}
