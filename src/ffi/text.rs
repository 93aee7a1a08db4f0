//! Text and bytes across the boundary.
//!
//! Views go out, checked slices come in.

use std::ffi::{CStr, c_char};
use std::ptr;
use std::slice;

use super::status::{Failed, HOMING_ERROR_NULL, HOMING_ERROR_RANGE, HOMING_ERROR_UTF8};

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

/// Bytes a caller gave: NULL with length 0 is empty.
///
/// # Safety
/// If `data` is not NULL and `len` is at most `most`, `len` bytes can be read from it during `'a`.
pub(super) unsafe fn bytes<'a>(
    data: *const u8,
    len: usize,
    most: usize,
    name: &str,
) -> Result<&'a [u8], Failed> {
    if len > most {
        return Err(Failed::new(
            HOMING_ERROR_RANGE,
            format!("`{name}` has {len} bytes; at most {most} are taken"),
        ));
    }
    if len == 0 {
        return Ok(&[]);
    }
    if data.is_null() {
        return Err(Failed::null(name));
    }
    // SAFETY: the caller's promise; `most` is far below what a slice may have.
    Ok(unsafe { slice::from_raw_parts(data, len) })
}

/// An array a caller gave: NULL with length 0 is empty.
///
/// # Safety
/// As for [`bytes`], for values of `T`.
pub(super) unsafe fn array<'a, T>(
    data: *const T,
    count: usize,
    most: usize,
    name: &str,
) -> Result<&'a [T], Failed> {
    if count > most {
        return Err(Failed::new(
            HOMING_ERROR_RANGE,
            format!("`{name}` has {count} entries; at most {most} are taken"),
        ));
    }
    if count == 0 {
        return Ok(&[]);
    }
    if data.is_null() || !data.is_aligned() {
        return Err(Failed::null(name));
    }
    // SAFETY: the caller's promise; `most` is far below what a slice may have.
    Ok(unsafe { slice::from_raw_parts(data, count) })
}

/// NUL-terminated text a caller gave; `None` for NULL.
///
/// # Safety
/// If `text` is not NULL, it is NUL-terminated and can be read during `'a`.
pub(super) unsafe fn optional<'a>(text: *const c_char, name: &str) -> Result<Option<&'a str>, Failed> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller's promise.
    let text = unsafe { CStr::from_ptr(text) };
    match text.to_str() {
        Ok(text) => Ok(Some(text)),
        Err(_) => Err(Failed::new(HOMING_ERROR_UTF8, format!("`{name}` is not UTF-8"))),
    }
}

/// NUL-terminated text a caller has to give.
///
/// # Safety
/// As for [`optional`].
pub(super) unsafe fn required<'a>(text: *const c_char, name: &str) -> Result<&'a str, Failed> {
    // SAFETY: the caller's promise.
    unsafe { optional(text, name) }?
        .ok_or_else(|| Failed::new(HOMING_ERROR_NULL, format!("`{name}` is NULL")))
}
