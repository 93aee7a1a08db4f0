//! What an input did to an attempt, and what an answer is about.

use std::net::IpAddr;
use std::time::Duration;

use super::link::Link;
use crate::types::{AccountMode, Cause, Evidence, ExchangeId, Failure, Name, News, Proof};

/// What an input did to an attempt.
#[derive(Debug)]
pub(in crate::engine) enum Step<'a> {
    /// Nothing that matters to its owner.
    Nothing,
    /// A sign of life.
    Progress,
    /// A complete answer; the link stands.
    Answered(Answer<'a>),
    /// The server does not do this request; the link stands.
    Declined { status: u16, drain: Option<Duration> },
    /// Something was said on the event stream.
    Notice(News<'a>),
    /// It is over, and its link closed.
    Failed { failure: Failure, drain: Option<Duration> },
}

/// A success.
#[derive(Debug)]
pub(in crate::engine) struct Answer<'a> {
    pub(in crate::engine) exchange: ExchangeId,
    pub(in crate::engine) link: Link,
    /// The other addresses its name leads to; `None` when it was not looked up for this.
    pub(in crate::engine) others: Option<Vec<IpAddr>>,
    pub(in crate::engine) status: u16,
    pub(in crate::engine) elapsed: Duration,
    /// From the request to the first byte.
    pub(in crate::engine) first_byte: Duration,
    pub(in crate::engine) settings: Option<&'a str>,
    pub(in crate::engine) policy: Option<&'a str>,
    pub(in crate::engine) drain: Option<Duration>,
    /// Something waits at the server's events.
    pub(in crate::engine) events: bool,
    /// The agent is to register again.
    pub(in crate::engine) register: bool,
    /// The server sees the agent's id on more than one machine.
    pub(in crate::engine) duplicate: bool,
    /// What a registration has brought.
    pub(in crate::engine) group: Option<Name>,
    pub(in crate::engine) account_mode: Option<AccountMode>,
    /// Reports that the server has taken.
    pub(in crate::engine) acknowledged: u64,
    /// Reports of the batch that it has left.
    pub(in crate::engine) unacknowledged: u64,
}

/// Whether something between this machine and the server has answered in its place. Over a verified link the server itself
/// has said what it said.
pub(super) fn shows_portal(failure: &Failure, proof: Proof) -> bool {
    let page = failure.evidence == Some(Evidence::Portal) || is_redirect(failure.cause);
    failure.cause == Cause::ServerError { status: NETWORK_AUTHENTICATION } || (page && proof == Proof::Tcp)
}

/// "Network Authentication Required", which only a machine in between may say (RFC 6585, section 6).
const NETWORK_AUTHENTICATION: u16 = 511;

/// Answers after which the same server is asked once more, on a fresh link: too large (the driver leaves the body out),
/// too slow (408), meant for another server (421), too early (425).
pub(super) const fn is_about_the_request(cause: Cause) -> bool {
    matches!(cause, Cause::TooLarge | Cause::Misunderstood { status: 408 | 421 | 425 })
}

const fn is_redirect(cause: Cause) -> bool {
    matches!(cause, Cause::NotAManager { status: 300..=399 })
}
