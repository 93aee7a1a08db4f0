//! Field names, and how their values are read.

use std::fmt::Write;
use std::time::{Duration, SystemTime};

use crate::net::exchange::Answer;
use crate::types::Name;

pub(super) const AGENT: &str = "Homing-Agent";
pub(super) const PURPOSE: &str = "Homing-Purpose";
pub(super) const SETTINGS: &str = "Homing-Settings";
pub(super) const POLICY: &str = "Homing-Policy";
pub(super) const DRAIN: &str = "Homing-Drain";
pub(super) const EVENTS: &str = "Homing-Events";
pub(super) const KEEP_ALIVE: &str = "Homing-Keep-Alive";
pub(super) const LAST_EVENT: &str = "Last-Event-ID";
pub(super) const PREFER: &str = "Prefer";
pub(super) const OMITTED: &str = "Homing-Omitted";
pub(super) const NEXT: &str = "Homing-Next";
pub(super) const SIGNATURE: &str = "Homing-Signature";
pub(super) const ETAG: &str = "ETag";
pub(super) const IF_NONE_MATCH: &str = "If-None-Match";
pub(super) const SERIES: &str = "Homing-Series";
pub(super) const SEQUENCE: &str = "Homing-Sequence";
pub(super) const ACKNOWLEDGED: &str = "Homing-Acknowledged";
pub(super) const IDEMPOTENCY_KEY: &str = "Idempotency-Key";
pub(super) const USER: &str = "Homing-User";
pub(super) const PREFERRED_GROUP: &str = "Homing-Preferred-Group";
pub(super) const PREFERRED_MODE: &str = "Homing-Preferred-Mode";
pub(super) const LAST_GROUP: &str = "Homing-Last-Group";
pub(super) const LAST_MODE: &str = "Homing-Last-Mode";
pub(super) const GROUP: &str = "Homing-Group";
pub(super) const ACCOUNT_MODE: &str = "Homing-Account-Mode";
pub(super) const REGISTER: &str = "Homing-Register";
pub(super) const DUPLICATE: &str = "Homing-Duplicate";
pub(super) const INSTANCE: &str = "Homing-Instance";

/// A name in visible ASCII: every other byte of its UTF-8, the space and the percent sign as `%XX`.
pub(super) fn written(name: &Name) -> String {
    let mut value = String::with_capacity(name.as_str().len());
    for byte in name.as_str().bytes() {
        if byte.is_ascii_graphic() && byte != b'%' {
            value.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(value, "%{byte:02X}");
        }
    }
    value
}

/// The name of a value, if it is one. A space may stand as it is.
pub(super) fn name(value: &str) -> Option<Name> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(if byte == b'%' { digit(rest.next()?)? * 16 + digit(rest.next()?)? } else { byte });
    }
    std::str::from_utf8(&bytes).ok()?.parse().ok()
}

fn digit(byte: u8) -> Option<u8> {
    u8::try_from(char::from(byte).to_digit(16)?).ok()
}

/// A whole number of seconds. What is too large to count is as long as can be.
pub(super) fn seconds(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| Duration::from_secs(text.parse().unwrap_or(u64::MAX)))
}

/// From the server's own `Date`, or else from our wall clock, to the date. A date that has passed
/// asks for nothing.
pub(super) fn until(text: &str, answer: &Answer, wall: SystemTime) -> Option<Duration> {
    let date = httpdate::parse_http_date(text.trim()).ok()?;
    let sent = answer.fields.text("Date").and_then(|text| httpdate::parse_http_date(text).ok());
    date.duration_since(sent.unwrap_or(wall)).ok()
}

/// An entity tag that is there, printable, and of at most this length.
pub(super) fn tag<'a>(answer: &'a Answer, name: &str, most: usize) -> Option<&'a str> {
    answer.fields.text(name).filter(|tag| !tag.is_empty() && tag.len() <= most)
}
