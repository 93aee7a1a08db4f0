//! Text and bytes that a caller gives, checked.

use std::ffi::{CStr, c_char};
use std::slice;

use super::status::{Failed, HOMING_ERROR_NULL, HOMING_ERROR_RANGE, HOMING_ERROR_UTF8};
pub(super) use super::view::{homing_bytes, homing_text};

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
