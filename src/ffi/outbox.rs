//! Reports that wait for a server: the outbox, and batches of it.

use std::ffi::c_char;

use super::boundary::{Growing, Place, SizedPlace, free, no_padding, read_sized, reference, status, view};
use super::lane::{lane_code, lane_of};
use super::report::submit;
use super::status::{
    Failed, HOMING_ERROR_FORKED, HOMING_ERROR_NOT_DURABLE, HOMING_ERROR_RANGE, homing_status,
};
use super::text::{self, homing_bytes};
use crate::client::Process;
use crate::store::outbox::{Batch, LaneLimits, Limits, Outbox, TooLarge};
use crate::types::Lane;

/// The batch was too large: take one of at most `*at_most` bytes.
pub const HOMING_TOO_LARGE_SMALLER: i32 = 1;
/// The report was alone and large: it is dropped and counted.
pub const HOMING_TOO_LARGE_DROPPED: i32 = 2;
/// The report was alone and small. It waits on; what is wrong is the server.
pub const HOMING_TOO_LARGE_SERVER_IS_WRONG: i32 = 3;

/// What an outbox is made of. Zero everything, set `struct_size`, and what is to differ from the default.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct homing_outbox_options {
    /// `sizeof(homing_outbox_options)`.
    pub struct_size: u64,
    /// The folder in which reports wait, NUL-terminated UTF-8; it is made if it is not there, and is for one outbox at a time.
    /// NULL: they wait in memory, and a durable submit is `HOMING_ERROR_NOT_DURABLE`.
    pub folder: *const c_char,
    /// The most bytes of each lane, in the order of `HOMING_LANE_…`: 4 KiB to 4 GiB; 0 for the default: 4, 1, 16 and 4 MiB.
    pub bytes: [u64; 4],
    /// The most seconds a report of each lane waits; 0 for the default: 30 days, 1 day, 7 days, 30 days.
    pub age_s: [u64; 4],
}

const POINTER: usize = size_of::<*const u8>();
const _: () = assert!(no_padding(size_of::<homing_outbox_options>(), &[8, POINTER, 32, 32]));

// SAFETY: `repr(C)`, the size first, and all zero are NULL and numbers.
unsafe impl Growing for homing_outbox_options {
    const LEAST: usize = 8 + size_of::<usize>();
}

/// What became of the reports of one lane since its outbox was opened: `submitted` and `recovered` together are `waiting`,
/// `sent` and all that were dropped.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct homing_lane_account {
    /// `sizeof(homing_lane_account)`, set by the caller.
    pub struct_size: u64,
    /// Taken by a submit.
    pub submitted: u64,
    /// Found in the folder.
    pub recovered: u64,
    /// Acknowledged by a server.
    pub sent: u64,
    /// Waiting now.
    pub waiting: u64,
    /// Bytes of what waits, 32 for each report included.
    pub waiting_bytes: u64,
    /// Dropped because the lane was full.
    pub dropped_full: u64,
    /// Dropped because they were too old.
    pub dropped_aged: u64,
    /// Dropped because a server refused them, one by one, as too large.
    pub dropped_too_large: u64,
    /// Dropped because they could not be read any more.
    pub dropped_damaged: u64,
    /// Not taken, because the lane was full or the report too large.
    pub refused: u64,
    /// Dropped because a server refused each of them alone, again and again, and took the report behind it.
    pub dropped_not_taken: u64,
}

const _: () = assert!(no_padding(size_of::<homing_lane_account>(), &[96]));

// SAFETY: `repr(C)`, the size first, and numbers.
unsafe impl Growing for homing_lane_account {
    const LEAST: usize = 16;
}

/// Reports that wait for a server. Any thread may use it; it is freed once, by `homing_outbox_free`, when no thread does any
/// more.
///
/// It belongs to the process that opened it. In a child of that process, after `fork` or `daemon`, every function of the outbox
/// returns `HOMING_ERROR_FORKED` at once, and `homing_outbox_free` does nothing.
pub struct homing_outbox {
    outbox: Outbox,
    process: Process,
}

/// The oldest reports of a lane, ready to be sent. It never changes, and belongs to the caller.
pub struct homing_batch(Batch);

/// Opens an outbox. A folder that cannot be used is no error: reports wait in memory, a durable submit says why, and the
/// folder is tried again.
///
/// Errors: `HOMING_ERROR_RANGE`, `HOMING_ERROR_UTF8`. A thread that waits for the disk.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_outbox_open(
    options: *const homing_outbox_options,
    out: *mut *mut homing_outbox,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        status(|| {
            let out = Place::new(out, "out")?;
            let options = read_sized(options, "options")?;
            let limits = limits(&options);
            let outbox = match text::optional(options.folder, "options.folder")? {
                Some(folder) => Outbox::open(folder, limits),
                None => Outbox::in_memory(limits),
            };
            out.give(homing_outbox { outbox, process: Process::current() });
            Ok(())
        })
    }
}

/// Takes a report: `len` bytes at `body`, at most 256 KiB. `kind` is `HOMING_REPORT_…`, `durability` `HOMING_DURABILITY_…`. Its
/// number in its lane goes to `*number`, which may be NULL.
///
/// Errors: `HOMING_ERROR_NOT_DURABLE`: it waits in memory, and will be sent; submitting it again would send it
/// twice. `HOMING_ERROR_FULL`: the lane drops nothing to make room. `HOMING_ERROR_NOT_TAKEN`: applications are not learned, or
/// this one was reported before. `HOMING_ERROR_RANGE`: it is too large. After the last three it was not taken.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_outbox_submit(
    outbox: *const homing_outbox,
    kind: i32,
    body: *const u8,
    len: usize,
    durability: i32,
    number: *mut u64,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        status(|| {
            let outbox = own(outbox)?;
            submit((kind, body, len, durability), number, |report, durability| {
                outbox.submit(report, durability)
            })
        })
    }
}

/// Copies the oldest reports of a lane, all of one series, in a body of at most `at_most` bytes, and one at least. `*out` is a
/// batch the caller owns, or NULL when nothing waits. The reports wait on until they are settled.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_outbox_take(
    outbox: *const homing_outbox,
    lane: i32,
    at_most: u64,
    out: *mut *mut homing_batch,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        status(|| {
            let out = Place::new(out, "out")?;
            let lane = read_lane(lane)?;
            let at_most = usize::try_from(at_most).unwrap_or(usize::MAX);
            match own(outbox)?.take(lane, at_most) {
                Some(batch) => out.give(homing_batch(batch)),
                None => out.write(std::ptr::null_mut()),
            }
            Ok(())
        })
    }
}

/// Settles the reports of a batch up to this number, which a server has acknowledged; `*settled`, which may be NULL, is how many
/// of them waited until now. A number that is not of the batch settles nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_outbox_settle(
    outbox: *const homing_outbox,
    batch: *const homing_batch,
    up_to: u64,
    settled: *mut u64,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        status(|| {
            let place = Place::optional(settled);
            let settled = own(outbox)?.settle(&reference(batch, "batch")?.0, up_to);
            if let Some(place) = place {
                place.write(settled);
            }
            Ok(())
        })
    }
}

/// Says what to do after a server refused a batch as too large: `*advice` is `HOMING_TOO_LARGE_…`; with `HOMING_TOO_LARGE_SMALLER`
/// `*at_most`, which may be NULL, is for the next `homing_outbox_take`. A lone report above 16 KiB is dropped by this.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_outbox_too_large(
    outbox: *const homing_outbox,
    batch: *const homing_batch,
    advice: *mut i32,
    at_most: *mut u64,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        status(|| {
            let (place, at_most) = (Place::new(advice, "advice")?, Place::optional(at_most));
            let advice = own(outbox)?.too_large(&reference(batch, "batch")?.0);
            let (advice, bytes) = match advice {
                TooLarge::Smaller { at_most_bytes } => (HOMING_TOO_LARGE_SMALLER, at_most_bytes as u64),
                TooLarge::Dropped { .. } => (HOMING_TOO_LARGE_DROPPED, 0),
                TooLarge::ServerIsWrong => (HOMING_TOO_LARGE_SERVER_IS_WRONG, 0),
            };
            place.write(advice);
            if let Some(at_most) = at_most {
                at_most.write(bytes);
            }
            Ok(())
        })
    }
}

/// Says that a server has answered, and does not take this batch, for another reason than its size. A connection that breaks is not told
/// here. A report that is refused alone 12 times in a row may be at fault itself: a `homing_outbox_take` within 10 s gives the ones behind
/// it, and where a server takes them, the first one is dropped, counted as `dropped_not_taken` and told.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_outbox_refused(
    outbox: *const homing_outbox,
    batch: *const homing_batch,
) -> homing_status {
    // SAFETY: the caller's promises.
    unsafe {
        status(|| {
            own(outbox)?.refused(&reference(batch, "batch")?.0);
            Ok(())
        })
    }
}

/// How much waits in a lane, and what became of its reports, to `*account`, whose `struct_size` the caller has set. Drops what
/// is too old.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_outbox_account(
    outbox: *const homing_outbox,
    lane: i32,
    account: *mut homing_lane_account,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        status(|| {
            let place = SizedPlace::new(account, "account")?;
            place.write(&account_of(own(outbox)?, read_lane(lane)?));
            Ok(())
        })
    }
}

/// Opens the lane of learned applications when `enabled` is not 0, else closes it; it is closed at first.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_outbox_learn_applications(
    outbox: *const homing_outbox,
    enabled: u32,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        status(|| {
            own(outbox)?.learn_applications(enabled != 0);
            Ok(())
        })
    }
}

/// Forgets which applications were reported, so that each is taken once more: the management server asks for all of them again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_outbox_forget_applications(outbox: *const homing_outbox) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        status(|| {
            own(outbox)?.forget_applications();
            Ok(())
        })
    }
}

/// Writes all that waits in memory to the disk, and waits for that. `HOMING_ERROR_NOT_DURABLE` when it cannot.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_outbox_flush(outbox: *const homing_outbox) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        status(|| {
            let flushed = own(outbox)?.flush();
            flushed.map_err(|problem| Failed::new(HOMING_ERROR_NOT_DURABLE, problem))
        })
    }
}

/// Writes what waits in memory to the disk, waits for that, 5 s at most, and closes the outbox. What takes longer goes on behind it, and
/// is logged. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_outbox_free(outbox: *mut homing_outbox) {
    // SAFETY: the caller's promise; what is the parent's is left alone.
    unsafe {
        if own(outbox).is_ok() {
            free(outbox);
        }
    }
}

/// The lane of a batch: `HOMING_LANE_…`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_batch_lane(batch: *const homing_batch) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { view(batch, 0, |batch| lane_code(batch.0.lane())) }
}

/// The series of all reports of a batch: with the lane and its number it names a report for ever. On the wire it is 16
/// hexadecimal digits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_batch_series(batch: *const homing_batch) -> u64 {
    // SAFETY: the caller's promise.
    unsafe { view(batch, 0, |batch| batch.0.series().0) }
}

/// The number of the first report of a batch.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_batch_first(batch: *const homing_batch) -> u64 {
    // SAFETY: the caller's promise.
    unsafe { view(batch, 0, |batch| batch.0.first()) }
}

/// The number of the last report of a batch.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_batch_last(batch: *const homing_batch) -> u64 {
    // SAFETY: the caller's promise.
    unsafe { view(batch, 0, |batch| batch.0.last()) }
}

/// How many reports there are up to this number; all of them for one above the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_batch_reports(batch: *const homing_batch, up_to: u64) -> u64 {
    let count =
        |batch: &homing_batch| batch.0.reports().filter(|report| report.id.number <= up_to).count() as u64;
    // SAFETY: the caller's promise.
    unsafe { view(batch, 0, count) }
}

/// The body of the request that uploads the batch: each report behind a line with its number, its kind and its length, and a
/// line feed behind it. It lives as long as the batch.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_batch_body(batch: *const homing_batch) -> homing_bytes {
    // SAFETY: the caller's promise.
    unsafe { view(batch, homing_bytes::NONE, |batch| homing_bytes::new(batch.0.body())) }
}

/// Frees a batch. NULL is fine; the reports wait on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_batch_free(batch: *mut homing_batch) {
    // SAFETY: the caller's promise.
    unsafe { free(batch) }
}

/// The outbox, when it is this process's. Asked before anything that could wait: a thread of the parent may have held any lock
/// when the child was made.
///
/// # Safety
/// It is NULL or lives as long as the reference.
unsafe fn own<'a>(outbox: *const homing_outbox) -> Result<&'a Outbox, Failed> {
    // SAFETY: the caller's promise.
    let handle = unsafe { reference(outbox, "outbox") }?;
    if handle.process.is_current() { Ok(&handle.outbox) } else { Err(Failed::plain(HOMING_ERROR_FORKED)) }
}

fn limits(options: &homing_outbox_options) -> Limits {
    let mut limits = Limits::default();
    let lanes = [&mut limits.critical, &mut limits.status, &mut limits.log, &mut limits.applications];
    for ((lane, bytes), age) in lanes.into_iter().zip(options.bytes).zip(options.age_s) {
        let default = *lane;
        *lane = LaneLimits {
            bytes: if bytes == 0 { default.bytes } else { bytes },
            age: if age == 0 { default.age } else { std::time::Duration::from_secs(age) },
        };
    }
    limits
}

/// The outbox of a folder, for a client.
pub(super) fn of_folder(folder: &str) -> Outbox {
    Outbox::open(folder, Limits::default())
}

pub(super) fn read_lane(code: i32) -> Result<Lane, Failed> {
    lane_of(code).ok_or_else(|| Failed::new(HOMING_ERROR_RANGE, format!("`lane` {code} is no lane")))
}

pub(super) fn account_of(outbox: &Outbox, lane: Lane) -> homing_lane_account {
    // Drops what is too old before it is counted.
    outbox.backlog(lane);
    let account = outbox.account(lane);
    homing_lane_account {
        struct_size: 0,
        submitted: account.submitted,
        recovered: account.recovered,
        sent: account.sent,
        waiting: account.waiting,
        waiting_bytes: account.waiting_bytes,
        dropped_full: account.dropped.full,
        dropped_aged: account.dropped.aged,
        dropped_too_large: account.dropped.too_large,
        dropped_damaged: account.dropped.damaged,
        refused: account.refused,
        dropped_not_taken: account.dropped.not_taken,
    }
}
