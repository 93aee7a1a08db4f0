//! What functions return.
//!
//! Here is the one place where errors of the library become numbers.

use std::borrow::Cow;
use std::fmt;

use super::view::homing_text;
use crate::client::{CredentialError, PrepareError, RouteError, StartError};
use crate::engine::TuningError;
use crate::net::LimitsError;
use crate::settings::SettingsError;
use crate::types::{AgentIdError, Printable};

/// What a function returns: `HOMING_OK`, or one of the negative numbers `HOMING_ERROR_…`.
#[allow(non_camel_case_types, reason = "the name it has in C")]
pub type homing_status = i32;

/// It worked.
pub const HOMING_OK: i32 = 0;
/// A pointer that must not be NULL is NULL, or is not aligned for its type.
pub const HOMING_ERROR_NULL: i32 = -1;
/// A text is not UTF-8.
pub const HOMING_ERROR_UTF8: i32 = -2;
/// A number, a length or a text is outside of what is allowed.
pub const HOMING_ERROR_RANGE: i32 = -3;
/// `struct_size` is too small to be right, or larger than this library knows: then the program was compiled
/// against a newer homing than the one it runs with.
pub const HOMING_ERROR_STRUCT_SIZE: i32 = -4;
/// The settings document cannot be used; the error's message says where and what.
pub const HOMING_ERROR_SETTINGS: i32 = -5;
/// The tuning, or the limits, cannot be used.
pub const HOMING_ERROR_TUNING: i32 = -6;
/// The text cannot be an agent id: 1 to 128 visible ASCII characters.
pub const HOMING_ERROR_AGENT_ID: i32 = -7;
/// A file cannot be read: the settings, or one that they name.
pub const HOMING_ERROR_FILE: i32 = -8;
/// A certificate policy of the settings cannot be enforced.
pub const HOMING_ERROR_CERTIFICATE: i32 = -9;
/// A header field cannot be sent.
pub const HOMING_ERROR_CREDENTIAL: i32 = -10;
/// A route is none, or there are too many.
pub const HOMING_ERROR_ROUTE: i32 = -11;
/// What an earlier engine remembered cannot be read.
pub const HOMING_ERROR_MEMORY: i32 = -12;
/// The system gave no thread, no descriptor or no randomness.
pub const HOMING_ERROR_SYSTEM: i32 = -13;
/// The client has stopped, and every event was fetched.
pub const HOMING_ERROR_STOPPED: i32 = -14;
/// Another thread is inside a function of this handle, which belongs to one thread at a time.
pub const HOMING_ERROR_BUSY: i32 = -15;
/// A fault of homing was caught while this handle was in use. It can only be freed. Please report it.
pub const HOMING_ERROR_POISONED: i32 = -16;
/// A fault of homing was caught. Please report it.
pub const HOMING_ERROR_INTERNAL: i32 = -17;
/// It has not come in time.
pub const HOMING_ERROR_TIMEOUT: i32 = -18;
/// The client was started by a parent of this process, before `fork` or `daemon`. Only the parent can use it; start
/// another one here.
pub const HOMING_ERROR_FORKED: i32 = -19;
/// The lane of the outbox is full, and drops nothing to make room: the report was not taken.
pub const HOMING_ERROR_FULL: i32 = -20;
/// The report was taken and will be sent, but waits in memory only: it is lost if the process ends before that.
pub const HOMING_ERROR_NOT_DURABLE: i32 = -21;
/// The report was not taken: a callback must not wait for the disk, applications are not learned, or this one was reported
/// before.
pub const HOMING_ERROR_NOT_TAKEN: i32 = -22;
/// The call was not made: its method, path or body is not allowed, or a callback would wait for it.
pub const HOMING_ERROR_CALL: i32 = -23;
/// So many calls wait or are under way already that no more are taken.
pub const HOMING_ERROR_TOO_MANY: i32 = -24;
/// No answer came to the call. A server may have taken it all the same.
pub const HOMING_ERROR_NO_ANSWER: i32 = -25;

/// Why a function failed: the number it returns and, for the functions that tell, the sentence.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) status: homing_status,
    pub(super) message: Cow<'static, str>,
}

impl Failed {
    pub(super) fn new(status: homing_status, message: impl fmt::Display) -> Self {
        Self { status, message: Cow::Owned(Printable(message).to_string()) }
    }

    /// The parameter of this name is NULL, or cannot point to what it should.
    pub(super) fn null(name: &str) -> Self {
        Self::new(HOMING_ERROR_NULL, format!("`{name}` is NULL, or not aligned"))
    }

    /// The same with a number of its own, if something was too much.
    pub(super) fn too_much(self, status: homing_status) -> Self {
        if self.status == HOMING_ERROR_RANGE { Self { status, ..self } } else { self }
    }

    /// With the number's own sentence. Allocates nothing.
    pub(super) fn plain(status: homing_status) -> Self {
        Self { status, message: Cow::Borrowed(words(status).unwrap_or_default()) }
    }
}

macro_rules! status_of {
    ($($error:ty => $status:expr,)+) => {
        $(impl From<$error> for Failed {
            fn from(error: $error) -> Self {
                Self::new($status, error)
            }
        })+
    };
}

status_of! {
    SettingsError => HOMING_ERROR_SETTINGS,
    TuningError => HOMING_ERROR_TUNING,
    LimitsError => HOMING_ERROR_TUNING,
    RouteError => HOMING_ERROR_ROUTE,
    AgentIdError => HOMING_ERROR_AGENT_ID,
    CredentialError => HOMING_ERROR_CREDENTIAL,
}

impl From<PrepareError> for Failed {
    fn from(error: PrepareError) -> Self {
        let status = match error {
            PrepareError::File { .. } => HOMING_ERROR_FILE,
            PrepareError::Trust { .. } => HOMING_ERROR_CERTIFICATE,
        };
        Self::new(status, error)
    }
}

impl From<StartError> for Failed {
    fn from(error: StartError) -> Self {
        let status = match error {
            StartError::Routes => HOMING_ERROR_ROUTE,
            StartError::StackSize { .. } => HOMING_ERROR_RANGE,
            StartError::Prepare(error) => return error.into(),
            StartError::UnknownLocation(_) => HOMING_ERROR_RANGE,
            StartError::NoRandomness | StartError::System(_) => HOMING_ERROR_SYSTEM,
        };
        Self::new(status, error)
    }
}

/// What a status means, in a sentence that lives for ever. `data` is NULL for a number this version does not know.
///
/// Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn homing_status_text(status: homing_status) -> homing_text {
    homing_text::of(words(status))
}

const fn words(status: homing_status) -> Option<&'static str> {
    Some(match status {
        HOMING_OK => "it worked",
        HOMING_ERROR_NULL => "a pointer that must not be NULL is NULL, or is not aligned",
        HOMING_ERROR_UTF8 => "a text is not UTF-8",
        HOMING_ERROR_RANGE => "a number, a length or a text is outside of what is allowed",
        HOMING_ERROR_STRUCT_SIZE => {
            "struct_size is not set, or the program was compiled against a newer homing than it runs with"
        }
        HOMING_ERROR_SETTINGS => "the settings document cannot be used",
        HOMING_ERROR_TUNING => "the tuning or the limits cannot be used",
        HOMING_ERROR_AGENT_ID => "an agent id is 1 to 128 visible ASCII characters, without spaces",
        HOMING_ERROR_FILE => "a file cannot be read: the settings, or one that they name",
        HOMING_ERROR_CERTIFICATE => "a certificate policy of the settings cannot be enforced",
        HOMING_ERROR_CREDENTIAL => "a header field cannot be sent",
        HOMING_ERROR_ROUTE => "a route is none, or there are too many",
        HOMING_ERROR_MEMORY => "what an earlier engine remembered cannot be read",
        HOMING_ERROR_SYSTEM => "the system gave no thread, no descriptor or no randomness",
        HOMING_ERROR_STOPPED => "the client has stopped, and every event was fetched",
        HOMING_ERROR_BUSY => "another thread is using this handle, which belongs to one thread at a time",
        HOMING_ERROR_POISONED => "a fault of homing was caught earlier; the handle can only be freed",
        HOMING_ERROR_INTERNAL => "a fault of homing was caught",
        HOMING_ERROR_TIMEOUT => "it has not come in time",
        HOMING_ERROR_FORKED => "the client was started by a parent of this process, which alone can use it",
        HOMING_ERROR_FULL => "the lane of the outbox is full: the report was not taken",
        HOMING_ERROR_NOT_DURABLE => "the report waits in memory only, and will be sent",
        HOMING_ERROR_NOT_TAKEN => {
            "the report was not taken: a callback must not wait for the disk, applications are not learned, or this one was reported before"
        }
        HOMING_ERROR_CALL => {
            "the call was not made: its method, path or body is not allowed, or a callback would wait for it"
        }
        HOMING_ERROR_TOO_MANY => "too many calls wait or are under way already",
        HOMING_ERROR_NO_ANSWER => "no answer came to the call, which a server may have taken all the same",
        _ => return None,
    })
}
