//! The sentence that goes with a failed call.

use super::boundary::{free, guarded, view};
use super::status::{Failed, homing_status};
use super::text::homing_text;

/// Why a call failed, for a log or a person: where, what, and what to do.
///
/// Functions that can fail in ways worth a sentence take a `homing_error **error`. It may be NULL. When the
/// call fails, and only then, it is set to an error that the caller owns. Any thread may read it.
pub struct homing_error(Failed);

/// The status the failed call returned. 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_error_status(error: *const homing_error) -> homing_status {
    // SAFETY: the caller's promise.
    unsafe { view(error, 0, |error| error.0.status) }
}

/// The sentence: UTF-8, lower case, no full stop. The view lives until the error is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_error_message(error: *const homing_error) -> homing_text {
    // SAFETY: the caller's promise.
    unsafe { view(error, homing_text::NONE, |error| homing_text::new(&error.0.message)) }
}

/// Frees an error. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_error_free(error: *mut homing_error) {
    // SAFETY: the caller's promise.
    unsafe { free(error) }
}

/// Runs the body of a function that tells why it failed.
///
/// # Safety
/// `error` is NULL or can be written to.
pub(super) unsafe fn telling(
    error: *mut *mut homing_error,
    body: impl FnOnce() -> Result<(), Failed>,
) -> homing_status {
    let Err(failed) = guarded(body) else { return super::status::HOMING_OK };
    let status = failed.status;
    if !error.is_null() && error.is_aligned() {
        // SAFETY: the caller's promise.
        unsafe { error.write(Box::into_raw(Box::new(homing_error(failed)))) };
    }
    status
}
