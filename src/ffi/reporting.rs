//! The reports of a client, and what its events say of them.

use super::boundary::{SizedPlace, status, view};
use super::client::with;
use super::event::homing_event;
use super::handle::homing_client;
use super::lane::{fullness_code, lane_code};
use super::outbox::{account_of, homing_lane_account, read_lane};
use super::report::submit;
use super::status::homing_status;
use crate::engine::Event;

/// Takes a report for the management server: `len` bytes at `body`, at most 256 KiB. It waits in the outbox until a server has
/// acknowledged it. `kind` is `HOMING_REPORT_…`, `durability` `HOMING_DURABILITY_…`; its number in its lane goes to `*number`, which may be NULL.
///
/// A critical report leaves at once where the settings say `upload_critical_immediately`, which is the default; all others
/// follow the next heartbeat. `HOMING_EVENT_UPLOADED` tells what a server has taken.
///
/// Errors: as of `homing_outbox_submit`. In a callback nothing can be submitted durably (`HOMING_ERROR_NOT_TAKEN`).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_client_submit(
    client: *mut homing_client,
    kind: i32,
    body: *const u8,
    len: usize,
    durability: i32,
    number: *mut u64,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        status(|| {
            with(client, |client| {
                submit((kind, body, len, durability), number, |report, durability| {
                    client.submit(report, durability)
                })
            })
        })
    }
}

/// How many reports wait in a lane, `HOMING_LANE_…`, and what became of the others, to `*account`, whose `struct_size` the
/// caller has set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_client_account(
    client: *mut homing_client,
    lane: i32,
    account: *mut homing_lane_account,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        status(|| {
            let place = SizedPlace::new(account, "account")?;
            let lane = read_lane(lane)?;
            place.write(&with(client, |client| Ok(account_of(client.outbox(), lane)))?);
            Ok(())
        })
    }
}

/// Forgets which applications were reported, so that each is taken once more: the management server asks for all of them again, by a
/// command to the product for example (`HOMING_EVENT_NOTICE`).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_client_forget_applications(client: *mut homing_client) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        status(|| {
            with(client, |client| {
                client.outbox().forget_applications();
                Ok(())
            })
        })
    }
}

/// The lane of reports that an event is about: `HOMING_LANE_…`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_event_lane(event: *const homing_event) -> i32 {
    let lane = |event: &homing_event| {
        if let Event::Uploaded { lane, .. }
        | Event::UploadFailed { lane, .. }
        | Event::LaneFilled { lane, .. }
        | Event::ReportsLost { lane, .. } = event.told()
        {
            lane_code(*lane)
        } else {
            0
        }
    };
    // SAFETY: the caller's promise.
    unsafe { view(event, 0, lane) }
}

/// How full a lane is: `HOMING_FULLNESS_…`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_event_fullness(event: *const homing_event) -> i32 {
    let fullness = |event: &homing_event| {
        if let Event::LaneFilled { fullness, .. } = event.told() { fullness_code(*fullness) } else { 0 }
    };
    // SAFETY: the caller's promise.
    unsafe { view(event, 0, fullness) }
}

/// How many reports a server has taken, or are lost.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_event_reports(event: *const homing_event) -> u64 {
    let reports = |event: &homing_event| {
        if let Event::Uploaded { reports, .. } | Event::ReportsLost { reports, .. } = event.told() {
            *reports
        } else {
            0
        }
    };
    // SAFETY: the caller's promise.
    unsafe { view(event, 0, reports) }
}

/// How many reports still wait in the lane of which a server has taken some.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_event_waiting(event: *const homing_event) -> u64 {
    let waiting = |event: &homing_event| {
        if let Event::Uploaded { waiting, .. } = event.told() { *waiting } else { 0 }
    };
    // SAFETY: the caller's promise.
    unsafe { view(event, 0, waiting) }
}
