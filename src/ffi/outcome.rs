//! What came of an exchange, and what was said on a stream.

use std::ffi::c_char;
use std::time::Duration;

use super::boundary::{Growing, no_padding, number, read_sized};
use super::failure::{homing_failure, read_failure};
use super::identity::{read_mode, read_name};
use super::status::{Failed, HOMING_ERROR_RANGE};
use super::text;
use crate::types::{News, Outcome, Verdict};

/// The request was done. For a heartbeat: a complete 2xx answer with `Homing-Settings` or `Homing-Policy`, or what
/// counts for that in the product's own protocol.
pub const HOMING_VERDICT_SUCCESS: i32 = 1;
/// The server works but does not do this request. It costs the server nothing.
pub const HOMING_VERDICT_DECLINED: i32 = 2;
/// It did not work; `failure` says how.
pub const HOMING_VERDICT_FAILED: i32 = 3;

/// A comment that keeps the connection alive.
pub const HOMING_NEWS_KEEP_ALIVE: i32 = 1;
/// The settings have a new entity tag.
pub const HOMING_NEWS_SETTINGS: i32 = 2;
/// The policy has a new entity tag.
pub const HOMING_NEWS_POLICY: i32 = 3;
/// New content of this name waits.
pub const HOMING_NEWS_CONTENT: i32 = 4;
/// The server has a command of this name for the product.
pub const HOMING_NEWS_COMMAND: i32 = 5;
/// The server asks to be left within a time.
pub const HOMING_NEWS_DRAIN: i32 = 6;
/// The first word: it is the server that speaks. What comes before is not heard.
pub const HOMING_NEWS_HELLO: i32 = 7;

/// How an exchange ended. Zero everything, set `struct_size` and `verdict`, and what applies.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct homing_outcome {
    /// `sizeof(homing_outcome)`.
    pub struct_size: u64,
    /// `HOMING_VERDICT_…`.
    pub verdict: i32,
    /// HTTP status, or whatever number the product's protocol has, at most 65535; for the event only.
    pub status: u32,
    /// The current entity tag of the settings, NUL-terminated UTF-8 of at most 1,024 bytes; NULL when none was named.
    pub settings_tag: *const c_char,
    /// The current entity tag of the policy; as above.
    pub policy_tag: *const c_char,
    /// For `HOMING_VERDICT_FAILED`: what went wrong.
    pub failure: *const homing_failure,
    /// The server asks to be left within this many milliseconds; NULL when it does not.
    pub drain_ms: *const u64,
    /// 1 when something waits at the server's events (`Homing-Events: 1`), else 0.
    pub events: u64,
    /// Of an upload: how many reports the server has acknowledged.
    pub acknowledged: u64,
    /// Of an upload: how many reports of the batch it has not. The next batch is smaller then, and follows after a second.
    pub unacknowledged: u64,
    /// Of a registration: the group that the server has put the agent into, a name as in `homing_identity`; NULL when it named none.
    pub group: *const c_char,
    /// Of a registration: the mode that the server has given the agent, `HOMING_ACCOUNT_…`; 0 when it named none.
    pub account_mode: i32,
    /// Of a heartbeat: 1 when the agent is to register again (`Homing-Register: 1`), else 0.
    pub registers: u32,
    /// Of a heartbeat: 1 when the server sees the agent's id on more than one machine (`Homing-Duplicate: 1`), else 0.
    pub duplicate: u64,
}

const POINTER: usize = size_of::<*const u8>();
const _: () = assert!(no_padding(
    size_of::<homing_outcome>(),
    &[8, 4, 4, POINTER, POINTER, POINTER, POINTER, 8, 8, 8, POINTER, 4, 4, 8]
));

// SAFETY: `repr(C)`, the size first, and all zero are NULL and 0.
unsafe impl Growing for homing_outcome {
    const LEAST: usize = 16;
}

/// What an outcome a caller gave says.
///
/// # Safety
/// `given` is NULL, or points to an outcome whose pointers are NULL or can be read during `'a`.
pub(super) unsafe fn read_outcome<'a>(given: *const homing_outcome) -> Result<Outcome<'a>, Failed> {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        let given = read_sized(given, "outcome")?;
        let status = u16::try_from(given.status).map_err(|_| {
            Failed::new(HOMING_ERROR_RANGE, format!("`outcome.status` {} is no status", given.status))
        })?;
        let drain = number(given.drain_ms).map(Duration::from_millis);
        let verdict = match given.verdict {
            HOMING_VERDICT_SUCCESS => Verdict::Success {
                status,
                settings: short(given.settings_tag, "outcome.settings_tag")?,
                policy: short(given.policy_tag, "outcome.policy_tag")?,
            },
            HOMING_VERDICT_DECLINED => Verdict::Declined { status },
            HOMING_VERDICT_FAILED => Verdict::Failed(read_failure(given.failure)?),
            other => {
                return Err(Failed::new(
                    HOMING_ERROR_RANGE,
                    format!("`outcome.verdict` {other} is no verdict"),
                ));
            }
        };
        let outcome = Outcome::from(verdict).with_drain(drain).with_events(given.events != 0);
        let outcome = outcome.with_acknowledged(given.acknowledged);
        let outcome = outcome.with_register(given.registers != 0).with_duplicate(given.duplicate != 0);
        let group = read_name(given.group, "outcome.group")?;
        let account_mode = read_mode(given.account_mode, "outcome.account_mode")?;
        Ok(outcome.with_unacknowledged(given.unacknowledged).with_registered(group, account_mode))
    }
}

/// What news a caller brought.
///
/// # Safety
/// `about` is NULL, or NUL-terminated and can be read during `'a`.
pub(super) unsafe fn read_news<'a>(
    kind: i32,
    about: *const c_char,
    within_ms: u64,
) -> Result<News<'a>, Failed> {
    // SAFETY: the caller's promise.
    let about = unsafe { short(about, "about") }?;
    let named = || about.ok_or_else(|| Failed::null("about"));
    let within = Duration::from_millis(within_ms);
    Ok(match kind {
        HOMING_NEWS_KEEP_ALIVE => News::KeepAlive,
        HOMING_NEWS_HELLO => News::Hello,
        HOMING_NEWS_SETTINGS => News::Settings { tag: named()?, within },
        HOMING_NEWS_POLICY => News::Policy { tag: named()?, within },
        HOMING_NEWS_CONTENT => News::Content(named()?),
        HOMING_NEWS_COMMAND => News::Command(named()?),
        HOMING_NEWS_DRAIN => News::Drain(within),
        other => return Err(Failed::new(HOMING_ERROR_RANGE, format!("`kind` {other} is no news"))),
    })
}

/// Longer than any entity tag or name that makes sense: the engine keeps what it is told.
const LONGEST: usize = 1024;

unsafe fn short<'a>(text: *const c_char, name: &str) -> Result<Option<&'a str>, Failed> {
    // SAFETY: the caller's promise.
    let text = unsafe { text::optional(text, name) }?;
    if text.is_some_and(|text| text.len() > LONGEST) {
        return Err(Failed::new(HOMING_ERROR_RANGE, format!("`{name}` is longer than {LONGEST} bytes")));
    }
    Ok(text)
}
