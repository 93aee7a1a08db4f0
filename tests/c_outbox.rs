//! The outbox by way of C, for products that drive the engine, and the reports of a managed client.
#![cfg(feature = "capi")]
#![allow(unsafe_code, reason = "the functions are those of C")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests and their helpers may fail like tests")]

use std::ffi::CString;
use std::ptr;

use homing::ffi::*;

/// An outbox that is freed with this.
struct Box(*mut homing_outbox);

impl Box {
    fn open(folder: Option<&str>) -> Self {
        let folder = folder.map(|folder| CString::new(folder).unwrap());
        let options = homing_outbox_options {
            struct_size: size_of::<homing_outbox_options>() as u64,
            folder: folder.as_ref().map_or(ptr::null(), |folder| folder.as_ptr()),
            bytes: [0; 4],
            age_s: [0; 4],
        };
        let mut outbox = ptr::null_mut();
        // SAFETY: all of it lives until the call returns.
        assert_eq!(unsafe { homing_outbox_open(&options, &mut outbox) }, HOMING_OK);
        Self(outbox)
    }

    fn submit(&self, kind: i32, body: &str, durability: i32) -> (homing_status, u64) {
        let mut number = 0;
        // SAFETY: all of it lives until the call returns.
        let status =
            unsafe { homing_outbox_submit(self.0, kind, body.as_ptr(), body.len(), durability, &mut number) };
        (status, number)
    }

    fn take(&self, lane: i32, at_most: u64) -> *mut homing_batch {
        let mut batch = ptr::null_mut();
        // SAFETY: all of it lives until the call returns.
        assert_eq!(unsafe { homing_outbox_take(self.0, lane, at_most, &mut batch) }, HOMING_OK);
        batch
    }

    fn account(&self, lane: i32) -> homing_lane_account {
        let mut account = homing_lane_account {
            struct_size: size_of::<homing_lane_account>() as u64,
            ..Default::default()
        };
        // SAFETY: all of it lives until the call returns.
        assert_eq!(unsafe { homing_outbox_account(self.0, lane, &mut account) }, HOMING_OK);
        account
    }
}

impl Drop for Box {
    fn drop(&mut self) {
        // SAFETY: it was opened, and is freed once.
        unsafe { homing_outbox_free(self.0) }
    }
}

fn body(batch: *const homing_batch) -> Vec<u8> {
    // SAFETY: the batch lives.
    unsafe {
        let view = homing_batch_body(batch);
        std::slice::from_raw_parts(view.data, view.len).to_vec()
    }
}

#[test]
fn a_driven_product_takes_sends_and_settles() {
    let outbox = Box::open(None);
    let submitted = outbox.submit(HOMING_REPORT_RISK_FOUND, "eicar", HOMING_DURABILITY_BUFFERED);
    assert_eq!(submitted, (HOMING_OK, 1));
    outbox.submit(HOMING_REPORT_INTRUSION, "knock", HOMING_DURABILITY_BUFFERED);
    let batch = outbox.take(HOMING_LANE_CRITICAL, 65_536);
    assert_eq!(body(batch), b"1 risk_found 5\neicar\n2 intrusion 5\nknock\n");
    // SAFETY: the batch and the outbox live.
    unsafe {
        assert_eq!((homing_batch_first(batch), homing_batch_last(batch)), (1, 2));
        assert_eq!(homing_batch_lane(batch), HOMING_LANE_CRITICAL);
        assert_ne!(homing_batch_series(batch), 0);
        assert_eq!((homing_batch_reports(batch, 1), homing_batch_reports(batch, u64::MAX)), (1, 2));
        let mut settled = 7;
        assert_eq!(homing_outbox_settle(outbox.0, batch, 3, &mut settled), HOMING_OK);
        assert_eq!(settled, 0, "no number of the batch");
        assert_eq!(homing_outbox_settle(outbox.0, batch, 1, &mut settled), HOMING_OK);
        assert_eq!(settled, 1);
        assert_eq!(homing_outbox_settle(outbox.0, batch, 2, ptr::null_mut()), HOMING_OK);
        homing_batch_free(batch);
    }
    assert!(outbox.take(HOMING_LANE_CRITICAL, 65_536).is_null());
    let account = outbox.account(HOMING_LANE_CRITICAL);
    assert_eq!((account.submitted, account.sent, account.waiting), (2, 2, 0));
}

#[test]
fn what_is_durable_waits_again_after_the_outbox_was_opened_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox");
    let path = path.to_str().unwrap();
    {
        let outbox = Box::open(Some(path));
        assert_eq!(outbox.submit(HOMING_REPORT_LOG, "a line", HOMING_DURABILITY_DURABLE).0, HOMING_OK);
        // SAFETY: it lives.
        assert_eq!(unsafe { homing_outbox_flush(outbox.0) }, HOMING_OK);
    }
    let outbox = Box::open(Some(path));
    let account = outbox.account(HOMING_LANE_LOG);
    assert_eq!((account.recovered, account.waiting), (1, 1));
}

#[test]
fn each_refusal_has_its_number() {
    let outbox = Box::open(None);
    let submitted = outbox.submit(HOMING_REPORT_LOG, "a line", HOMING_DURABILITY_DURABLE);
    assert_eq!(submitted, (HOMING_ERROR_NOT_DURABLE, 0));
    assert_eq!(outbox.account(HOMING_LANE_LOG).waiting, 1, "it waits in memory");
    let application =
        |outbox: &Box| outbox.submit(HOMING_REPORT_APPLICATION, "sh", HOMING_DURABILITY_BUFFERED).0;
    assert_eq!(application(&outbox), HOMING_ERROR_NOT_TAKEN);
    // SAFETY: it lives.
    assert_eq!(unsafe { homing_outbox_learn_applications(outbox.0, 1) }, HOMING_OK);
    assert_eq!((application(&outbox), application(&outbox)), (HOMING_OK, HOMING_ERROR_NOT_TAKEN));
    // SAFETY: it lives.
    assert_eq!(unsafe { homing_outbox_forget_applications(outbox.0) }, HOMING_OK);
    assert_eq!((application(&outbox), application(&outbox)), (HOMING_OK, HOMING_ERROR_NOT_TAKEN));
    let large = "x".repeat(256 * 1024 + 1);
    assert_eq!(outbox.submit(HOMING_REPORT_LOG, &large, HOMING_DURABILITY_BUFFERED).0, HOMING_ERROR_RANGE);
    assert_eq!(outbox.account(HOMING_LANE_LOG).refused, 1);
    assert_eq!(outbox.submit(99, "", HOMING_DURABILITY_BUFFERED).0, HOMING_ERROR_RANGE);
    assert_eq!(outbox.submit(HOMING_REPORT_LOG, "", 99).0, HOMING_ERROR_RANGE);
    let most = "x".repeat(256 * 1024);
    let mut status = HOMING_OK;
    for _ in 0..20 {
        status = outbox.submit(HOMING_REPORT_INTRUSION, &most, HOMING_DURABILITY_BUFFERED).0;
    }
    assert_eq!(status, HOMING_ERROR_FULL);
}

#[test]
fn a_lone_large_report_is_dropped_and_a_small_one_never() {
    let outbox = Box::open(None);
    let advice = |lane| {
        let batch = outbox.take(lane, 1);
        let (mut advice, mut at_most) = (0, 0);
        // SAFETY: the batch and the outbox live.
        unsafe {
            assert_eq!(homing_outbox_too_large(outbox.0, batch, &mut advice, &mut at_most), HOMING_OK);
            homing_batch_free(batch);
        }
        advice
    };
    outbox.submit(HOMING_REPORT_STATUS, "small", HOMING_DURABILITY_BUFFERED);
    outbox.submit(HOMING_REPORT_LOG, &"x".repeat(20_000), HOMING_DURABILITY_BUFFERED);
    assert_eq!(advice(HOMING_LANE_STATUS), HOMING_TOO_LARGE_SERVER_IS_WRONG);
    assert_eq!(advice(HOMING_LANE_LOG), HOMING_TOO_LARGE_DROPPED);
    assert_eq!(outbox.account(HOMING_LANE_LOG).dropped_too_large, 1);
}

#[test]
fn a_report_that_is_refused_alone_is_given_up_when_the_one_behind_it_is_taken() {
    let outbox = Box::open(None);
    outbox.submit(HOMING_REPORT_LOG, "poison", HOMING_DURABILITY_BUFFERED);
    outbox.submit(HOMING_REPORT_LOG, "fine", HOMING_DURABILITY_BUFFERED);
    for _ in 0..12 {
        let batch = outbox.take(HOMING_LANE_LOG, 1);
        // SAFETY: the batch and the outbox live.
        unsafe {
            assert_eq!(homing_batch_first(batch), 1);
            assert_eq!(homing_outbox_refused(outbox.0, batch), HOMING_OK);
            homing_batch_free(batch);
        }
    }
    let batch = outbox.take(HOMING_LANE_LOG, 1);
    // SAFETY: the batch and the outbox live.
    unsafe {
        assert_eq!(homing_batch_first(batch), 2);
        assert_eq!(homing_outbox_settle(outbox.0, batch, 2, ptr::null_mut()), HOMING_OK);
        homing_batch_free(batch);
    }
    let account = outbox.account(HOMING_LANE_LOG);
    assert_eq!((account.sent, account.dropped_not_taken, account.waiting), (1, 1, 0));
}
