//! What came of an exchange.

use std::time::Duration;

use super::{AccountMode, Failure, Name};

/// How one exchange ended, as its driver reports it. A driver makes one of a [`Verdict`].
///
/// ```
/// use homing::types::{Outcome, Verdict};
///
/// let verdict = Verdict::Success { status: 200, settings: Some("\"7\""), policy: None };
/// let outcome = Outcome::from(verdict).with_drain(Some(std::time::Duration::from_secs(60)));
/// assert!(!outcome.events);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome<'a> {
    /// Success, or not.
    pub verdict: Verdict<'a>,
    /// The server asks to be left within this time (`Homing-Drain`); it may say so with any answer.
    pub drain: Option<Duration>,
    /// Something waits at the server's events (`Homing-Events: 1`): an agent that does not listen there asks for it, once.
    pub events: bool,
    /// The agent is to register again (`Homing-Register: 1`); heard in the answer to a heartbeat.
    pub register: bool,
    /// The server sees this agent id on more than one machine (`Homing-Duplicate: 1`); heard in the answer to a heartbeat.
    pub duplicate: bool,
    /// The group that the server has put the agent into (`Homing-Group`); of a registration.
    pub group: Option<Name>,
    /// The mode that the server has given the agent (`Homing-Account-Mode`); of a registration.
    pub account_mode: Option<AccountMode>,
    /// How many reports the server has acknowledged with this answer (`Homing-Acknowledged`) that waited until now; 0 for
    /// anything but an upload.
    pub acknowledged: u64,
    /// How many reports of the batch it has not acknowledged.
    pub unacknowledged: u64,
}

impl Outcome<'_> {
    /// The same, with what the server said of leaving it.
    #[must_use]
    pub fn with_drain(self, drain: Option<Duration>) -> Self {
        Self { drain, ..self }
    }

    /// The same, with what the server said of its events.
    #[must_use]
    pub fn with_events(self, events: bool) -> Self {
        Self { events, ..self }
    }

    /// The same, with whether the agent is to register again.
    #[must_use]
    pub fn with_register(self, register: bool) -> Self {
        Self { register, ..self }
    }

    /// The same, with whether the server sees the agent id on more than one machine.
    #[must_use]
    pub fn with_duplicate(self, duplicate: bool) -> Self {
        Self { duplicate, ..self }
    }

    /// The same, with what the server has registered the agent as.
    #[must_use]
    pub fn with_registered(self, group: Option<Name>, account_mode: Option<AccountMode>) -> Self {
        Self { group, account_mode, ..self }
    }

    /// The same, with how many reports were acknowledged.
    #[must_use]
    pub fn with_acknowledged(self, acknowledged: u64) -> Self {
        Self { acknowledged, ..self }
    }

    /// The same, with how many reports of the batch were not.
    #[must_use]
    pub fn with_unacknowledged(self, unacknowledged: u64) -> Self {
        Self { unacknowledged, ..self }
    }
}

impl<'a> From<Verdict<'a>> for Outcome<'a> {
    /// The answer said nothing else.
    fn from(verdict: Verdict<'a>) -> Self {
        Self {
            verdict,
            drain: None,
            events: false,
            register: false,
            duplicate: false,
            group: None,
            account_mode: None,
            acknowledged: 0,
            unacknowledged: 0,
        }
    }
}

/// The three ways an exchange ends.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict<'a> {
    /// The request was done. For a heartbeat: a complete 2xx answer within the limits that carried
    /// `Homing-Settings` or `Homing-Policy`; for an upload: one that acknowledged reports of the batch; for a registration: one
    /// that named a group or a mode. In a driven product,
    /// its driver says so.
    Success {
        /// HTTP status, or whatever number the product's protocol has; for the event only.
        status: u16,
        /// The current entity tag of the settings, when the server named one. A tag with a character that is not seen
        /// ([`Printable`](super::Printable)) counts as absent, here and below.
        settings: Option<&'a str>,
        /// The current entity tag of the policy, when the server named one.
        policy: Option<&'a str>,
    },
    /// The server works but does not do this request (404, 409, 410, 412, 413, 416, 422 to anything but
    /// a heartbeat). It costs the server nothing. A driver that cannot run a request says this too. An upload with 413 is
    /// done again with half as many bytes.
    Declined {
        /// HTTP status; 0 when the driver itself declined.
        status: u16,
    },
    /// It did not work.
    Failed(Failure),
}

impl Outcome<'_> {
    /// The exchange failed and nothing else was said.
    pub fn failed(failure: Failure) -> Self {
        Verdict::Failed(failure).into()
    }
}

/// The status of an answer that says: the one you have is still the one (RFC 9110, section 15.4.5).
pub(crate) const NOT_MODIFIED: u16 = 304;

/// Something a server said on an event stream, or in the answer to a poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum News<'a> {
    /// The first word: it is the server that speaks. What comes before is not heard.
    Hello,
    /// A sign that the connection lives.
    KeepAlive,
    /// The settings have this entity tag.
    Settings {
        /// Which.
        tag: &'a str,
        /// Over how long the agents are to spread their reads; zero: at once.
        within: Duration,
    },
    /// The policy has this entity tag.
    Policy {
        /// Which.
        tag: &'a str,
        /// Over how long the agents are to spread their reads; zero: at once.
        within: Duration,
    },
    /// New content of this name waits.
    Content(&'a str),
    /// The server has a command of this name for the product; its bytes are between the driver and the product.
    Command(&'a str),
    /// The server asks to be left within this time.
    Drain(Duration),
}
