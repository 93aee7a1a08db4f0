//! Text that the caller owns.

use super::boundary::{free, view};
use super::text::homing_text;

/// Text that was made for the caller, who owns it. Any thread may read it.
pub struct homing_string(Box<str>);

impl homing_string {
    pub(super) fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }
}

/// The text. The view lives until the string is freed. NULL gives no text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_string_text(string: *const homing_string) -> homing_text {
    // SAFETY: the caller's promise.
    unsafe { view(string, homing_text::NONE, |string| homing_text::new(&string.0)) }
}

/// Frees a string. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_string_free(string: *mut homing_string) {
    // SAFETY: the caller's promise.
    unsafe { free(string) }
}
