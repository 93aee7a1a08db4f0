//! Text and bytes across the boundary.

use std::ffi::c_char;
use std::ptr;

/// A view of UTF-8 text that homing owns: not NUL-terminated, print it with `%.*s`.
///
/// `data` is NULL where there is no text, and not NULL where there is an empty one. How long the view
/// lives is said where it is given out.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct homing_text {
    /// The first byte, or NULL.
    pub data: *const c_char,
    /// How many bytes.
    pub len: usize,
}

/// A view of bytes that homing owns. `data` is NULL where there are none.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct homing_bytes {
    /// The first byte, or NULL.
    pub data: *const u8,
    /// How many.
    pub len: usize,
}

impl homing_text {
    /// There is no text.
    pub(super) const NONE: Self = Self { data: ptr::null(), len: 0 };

    pub(super) const fn new(text: &str) -> Self {
        Self { data: text.as_ptr().cast(), len: text.len() }
    }

    pub(super) fn of(text: Option<&str>) -> Self {
        text.map_or(Self::NONE, Self::new)
    }
}

impl homing_bytes {
    /// There are no bytes.
    pub(super) const NONE: Self = Self { data: ptr::null(), len: 0 };

    pub(super) const fn new(bytes: &[u8]) -> Self {
        Self { data: bytes.as_ptr(), len: bytes.len() }
    }
}
