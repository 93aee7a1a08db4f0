//! Plain values that every floor speaks: time, names, addresses, failures, requests.
//!
//! Nothing here decides, and nothing here does I/O. A word is parsed once, at the edge, and is valid
//! for ever after; no other floor checks it again.

mod account;
mod address;
#[cfg(feature = "client")]
mod call;
mod duration;
mod failure;
#[cfg(feature = "client")]
pub(crate) mod header_field;
mod id;
mod identity;
mod json;
mod nearest;
mod outcome;
#[cfg(feature = "client")]
mod paths;
mod printable;
mod proof;
mod report;
mod request;
mod time;

pub use account::{Dropped, LaneAccount};
pub use address::{Host, HostError};
#[cfg(feature = "client")]
pub use call::{Call, CallAnswer, CallError};
pub(crate) use duration::milliseconds;
#[cfg(feature = "client")]
pub(crate) use duration::text_duration;
pub use duration::{DurationError, Span};
pub use failure::{Cause, Evidence, Failure, FailureClass};
pub use id::{
    AgentId, AgentIdError, CallId, CertificatePolicyId, ExchangeId, LinkId, NetworkId, ProbeId, QueryId,
    ServerId, SettingsId,
};
pub use identity::{AccountMode, Identity, Name, NameError, Registration};
pub(crate) use json::{Object, Unreadable, read_object};
pub(crate) use nearest::nearest;
pub(crate) use outcome::NOT_MODIFIED;
pub use outcome::{News, Outcome, Verdict};
#[cfg(feature = "client")]
pub use paths::{Paths, PathsError};
pub use printable::Printable;
pub(crate) use printable::{is_unseen, printable};
pub use proof::{Medium, Proof, Route, Via};
pub use report::{Backlog, Durability, Lane, Report, ReportId, ReportKind, Series, SubmitError};
pub use request::{Listening, Purpose, Repeat, Request};
pub use time::Moment;
