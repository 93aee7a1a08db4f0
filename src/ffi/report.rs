//! What a product reports.

use super::boundary::Place;
use super::status::{
    Failed, HOMING_ERROR_FULL, HOMING_ERROR_NOT_DURABLE, HOMING_ERROR_NOT_TAKEN, HOMING_ERROR_RANGE,
};
use super::text;
use crate::store::outbox::MAX_REPORT;
use crate::types::{Durability, Report, ReportId, ReportKind, SubmitError};

/// Malware or another risk was found. Critical.
pub const HOMING_REPORT_RISK_FOUND: i32 = 1;
/// A tracking cookie was found: a risk by name, and not critical.
pub const HOMING_REPORT_COOKIE_FOUND: i32 = 2;
/// An intrusion was attempted or blocked. Critical.
pub const HOMING_REPORT_INTRUSION: i32 = 3;
/// Something of the system changed. Not critical.
pub const HOMING_REPORT_SYSTEM_CHANGE: i32 = 4;
/// How the machine is.
pub const HOMING_REPORT_STATUS: i32 = 5;
/// Anything else that is worth a line in a log.
pub const HOMING_REPORT_LOG: i32 = 6;
/// An application that ran; the same one is reported once.
pub const HOMING_REPORT_APPLICATION: i32 = 7;

/// A submit returns after the report was forced to the disk.
pub const HOMING_DURABILITY_DURABLE: i32 = 1;
/// A submit returns at once; a crash within the next moments loses the report.
pub const HOMING_DURABILITY_BUFFERED: i32 = 2;

/// Submits what a caller gave by this way.
///
/// # Safety
/// The bytes can be read, and `number` is NULL or can be written.
pub(super) unsafe fn submit(
    (kind, body, len, durability): (i32, *const u8, usize, i32),
    number: *mut u64,
    by: impl FnOnce(Report, Durability) -> Result<ReportId, SubmitError>,
) -> Result<(), Failed> {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        let place = Place::optional(number);
        let kind = kind_of(kind)?;
        let durability = match durability {
            HOMING_DURABILITY_DURABLE => Durability::Durable,
            HOMING_DURABILITY_BUFFERED => Durability::Buffered,
            other => return Err(Failed::new(HOMING_ERROR_RANGE, format!("`durability` {other} is none"))),
        };
        // What is too long is refused, and counted, by the outbox; what the caller gave is not read for that.
        let body = match len {
            0..=MAX_REPORT => text::bytes(body, len, MAX_REPORT, "body")?.to_vec(),
            _ => vec![0; MAX_REPORT + 1],
        };
        let id = by(Report { kind, body }, durability).map_err(|error| refused(&of_length(error, len)))?;
        if let Some(place) = place {
            place.write(id.number);
        }
        Ok(())
    }
}

/// Says what the caller gave.
fn of_length(error: SubmitError, len: usize) -> SubmitError {
    if let SubmitError::TooLarge { most, .. } = error {
        return SubmitError::TooLarge { bytes: len, most };
    }
    error
}

fn refused(error: &SubmitError) -> Failed {
    let status = match error {
        SubmitError::TooLarge { .. } => HOMING_ERROR_RANGE,
        SubmitError::Full { .. } => HOMING_ERROR_FULL,
        SubmitError::NotDurable { .. } => HOMING_ERROR_NOT_DURABLE,
        SubmitError::InCallback | SubmitError::NotLearning | SubmitError::AlreadyLearned => {
            HOMING_ERROR_NOT_TAKEN
        }
    };
    Failed::new(status, error)
}

fn kind_of(code: i32) -> Result<ReportKind, Failed> {
    Ok(match code {
        HOMING_REPORT_RISK_FOUND => ReportKind::RiskFound,
        HOMING_REPORT_COOKIE_FOUND => ReportKind::CookieFound,
        HOMING_REPORT_INTRUSION => ReportKind::Intrusion,
        HOMING_REPORT_SYSTEM_CHANGE => ReportKind::SystemChange,
        HOMING_REPORT_STATUS => ReportKind::Status,
        HOMING_REPORT_LOG => ReportKind::Log,
        HOMING_REPORT_APPLICATION => ReportKind::Application,
        other => return Err(Failed::new(HOMING_ERROR_RANGE, format!("`kind` {other} is no report"))),
    })
}
