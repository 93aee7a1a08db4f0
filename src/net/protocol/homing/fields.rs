//! Field names, and how their values are read.

use std::time::{Duration, SystemTime};

use crate::net::exchange::Answer;

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
