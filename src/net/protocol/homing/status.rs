//! What an answer means that is no success, whatever was asked.

use std::time::SystemTime;

use super::fields::{seconds, until};
use crate::net::exchange::Answer;
use crate::types::{Cause, Evidence, Failure};

/// Whether a server says so that it has no such request, or not for what was asked of it (RFC 9110, section 15.5, and 501).
pub(super) const fn is_declined(status: u16) -> bool {
    matches!(status, 404..=406 | 409 | 410 | 412 | 413 | 416 | 422 | 501)
}

/// The same of a request with a body, of whose kind a server may say that as well (415).
pub(super) const fn is_declined_with_body(status: u16) -> bool {
    status == 415 || is_declined(status)
}

/// The failure of an answer with this status, when the request itself has no better word for it.
pub(super) fn failure(answer: &Answer, wall: SystemTime) -> Failure {
    let status = answer.status;
    let failure = match status {
        401 => Cause::NotAllowed { status }.into(),
        // Maintenance pages and web application firewalls say 403 as well.
        403 if answer.fields.any_begins_with("Homing-") => Cause::NotAllowed { status }.into(),
        413 => Cause::TooLarge.into(),
        429 | 503 => throttled(answer, wall),
        500..=599 => Cause::ServerError { status }.into(),
        300..=399 => {
            let to = answer.fields.text("Location").unwrap_or("nowhere");
            Failure::noted(Cause::NotAManager { status }, format!("redirects to {to}"))
        }
        403 | 404 | 410 => Cause::NotAManager { status }.into(),
        400..=499 => Cause::Misunderstood { status }.into(),
        _ => Cause::NotAManager { status }.into(),
    };
    or_a_page(answer, failure)
}

/// The same failure; a page for a person where a manager was expected is a sign of a portal. The status decides first:
/// an error page in HTML is none when the status has a cause of its own.
pub(super) fn or_a_page(answer: &Answer, failure: Failure) -> Failure {
    let is_page =
        matches!(failure.cause, Cause::NotAManager { .. }) && answer.fields.media_type_is("text/html");
    Failure { evidence: is_page.then_some(Evidence::Portal), ..failure }
}

/// 429 asks for patience by itself, 503 only with a readable `Retry-After`.
fn throttled(answer: &Answer, wall: SystemTime) -> Failure {
    let status = answer.status;
    let written = answer.fields.all("Retry-After").next();
    let retry_after = answer
        .fields
        .text("Retry-After")
        .and_then(|text| seconds(text).or_else(|| until(text, answer, wall)));
    let cause = match (status, retry_after) {
        (503, None) => Cause::ServerError { status },
        (_, retry_after) => Cause::Throttled { status, retry_after },
    };
    match written {
        Some(value) if retry_after.is_none() => {
            let value = String::from_utf8_lossy(value);
            Failure::noted(cause, format!("unreadable Retry-After: {value}"))
        }
        _ => cause.into(),
    }
}
