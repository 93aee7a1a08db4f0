//! What the application is told.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Evidence, LocationReason, Reason, Rung, State, Whereabouts};
use crate::settings::Situation;
use crate::types::{AccountMode, CallId, Failure, FailureClass, Lane, Name, ServerId, Span};

/// Something the application may want to know. Serialises as `{"event":"attached",…}`.
///
/// Priorities count from 1, as in the settings a person wrote. Durations are whole milliseconds, in fields that end in `_ms`;
/// `docs/events.md` has every event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// The state of [`Snapshot::state`](super::Snapshot::state) changed.
    State {
        /// What it is now.
        state: State,
        /// Why.
        reason: Reason,
    },
    /// A search for a server begins.
    Searching {
        /// Why.
        reason: Reason,
        /// How many servers it may try.
        servers: usize,
    },
    /// The agent is attached to this server: an exchange with it succeeded.
    Attached {
        /// Which.
        server: ServerId,
        /// Its priority in the list in force, from 1; `None` when the list does not name it.
        priority: Option<usize>,
        /// Since the search began.
        #[serde(rename = "elapsed_ms", with = "crate::types::milliseconds")]
        #[cfg_attr(test, schemars(with = "u64"))]
        elapsed: Span,
        /// Where it is, and how it was reached. Boxed: every event that waits has room for the largest.
        #[serde(flatten)]
        at: Box<Whereabouts>,
    },
    /// The agent is no longer attached to this server.
    Detached {
        /// Which.
        server: ServerId,
        /// Why.
        reason: Reason,
    },
    /// An attempt on a server failed.
    AttemptFailed {
        /// Which.
        server: ServerId,
        /// The kind of failure.
        class: FailureClass,
        /// The failure in words.
        detail: String,
        /// What the engine does now.
        next: Next,
    },
    /// A heartbeat was answered. The body of the answer stands beside the event.
    Heartbeat {
        /// By which server.
        server: ServerId,
        /// HTTP status.
        status: u16,
        /// From the request to the complete answer.
        #[serde(rename = "elapsed_ms", with = "crate::types::milliseconds")]
        #[cfg_attr(test, schemars(with = "u64"))]
        elapsed: Span,
    },
    /// A server named a new entity tag of the settings.
    SettingsAnnounced {
        /// Which server.
        server: ServerId,
        /// The tag.
        tag: Arc<str>,
    },
    /// A server named a new entity tag of the policy.
    PolicyAnnounced {
        /// Which server.
        server: ServerId,
        /// The tag.
        tag: Arc<str>,
    },
    /// The policy of the product, which the server named by a tag the product does not have. Its bytes come with the event
    /// ([`ClientEvent::body`](crate::client::ClientEvent::body)). Told once in each life of the agent until the product
    /// [confirms](super::Command::ConfirmPolicy) the tag.
    Policy {
        /// Which server.
        server: ServerId,
        /// Its entity tag.
        tag: Arc<str>,
    },
    /// The policy could not be read. Unless the server has none it is tried again after the next heartbeat.
    PolicyFailed {
        /// Which server.
        server: ServerId,
        /// Why.
        detail: String,
    },
    /// No server is attached, and the next search begins later.
    Waiting {
        /// How long.
        #[serde(rename = "wait_ms", with = "crate::types::milliseconds")]
        #[cfg_attr(test, schemars(with = "u64"))]
        wait: Span,
        /// Why.
        reason: Reason,
    },
    /// The agent goes back to a better server, or to its own.
    Failback {
        /// From this server.
        from: ServerId,
        /// To this one.
        to: ServerId,
    },
    /// A server that would be better than the present one was asked.
    Probed {
        /// Which.
        server: ServerId,
        /// The failure in words; `None` when it answered well.
        failure: Option<String>,
    },
    /// The server in use is listened to: what changes there is told at once.
    PushOpened {
        /// Which server.
        server: ServerId,
        /// By an event stream, or by polls because none comes through.
        by: Rung,
    },
    /// The event stream of push mode, or a poll, ended; heartbeats go on.
    PushLost {
        /// With which server.
        server: ServerId,
        /// Why, in words.
        detail: String,
    },
    /// The server offers no event stream, or nothing of the kind comes through: heartbeats alone carry the news.
    PushUnavailable {
        /// Which server.
        server: ServerId,
        /// How long until it is asked again.
        #[serde(rename = "retry_ms", with = "crate::types::milliseconds")]
        #[cfg_attr(test, schemars(with = "u64"))]
        retry: Span,
    },
    /// Something arrived on the event stream. Its text, if any, stands beside the event.
    Notice {
        /// From which server.
        server: ServerId,
        /// `content` or `command`.
        kind: Notice,
        /// Name of the content or the command, escaped as by [`Printable`](crate::types::Printable).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, schemars(with = "String"))]
        name: Option<Arc<str>>,
    },
    /// A command came over a connection that was not verified. It is not handed over: use https, and verify the server.
    CommandRefused {
        /// From which server.
        server: ServerId,
        /// Its name, escaped as by [`Printable`](crate::types::Printable).
        name: Arc<str>,
    },
    /// The verdict on where the machine is changed, or other settings are in force because of it.
    Location {
        /// Where the machine is.
        situation: Situation,
        /// Why.
        reason: LocationReason,
        /// Why, in words.
        detail: Box<str>,
        /// The location whose settings are in force; `None` for the group's.
        location: Option<Arc<str>>,
        /// Whether the agent is attached to a management server, which is another matter.
        attached: bool,
    },
    /// The reference servers were asked, and this is what they said. The verdict may differ: it is damped.
    Round {
        /// Whether the agent is attached to a management server, which is another matter.
        attached: bool,
        /// Which servers were asked, what each answered, and how long it took.
        evidence: Box<Evidence>,
    },
    /// The settings are in force but something about them is odd.
    SettingsWarning {
        /// What, and what to do.
        warning: String,
    },
    /// A connection stands to a server that has proved nothing: its policy is `danger_no_verification`. Once for
    /// each connection. Told by the driver.
    Unverified {
        /// Which server.
        server: ServerId,
    },
    /// The server, or a proxy in front of it, refused the product's status as too large (413). Heartbeats to this server
    /// go without the status until it is smaller or an hour has passed. Told by the driver.
    StatusTooLarge {
        /// Which server.
        server: ServerId,
        /// Bytes of the status that was refused: the server takes less.
        size: usize,
    },
    /// A certificate by which the server in use was verified has ended since its connection was made. The connection is not
    /// used any more; the next one is verified afresh.
    CertificateEnded {
        /// Which server.
        server: ServerId,
    },
    /// The memory could not be stored; the engine goes on without. Told once until it is stored again, however often it is
    /// tried.
    CannotRemember {
        /// The version that is not stored.
        version: u64,
    },
    /// What an earlier life of the agent remembered cannot be used; this one begins with nothing known.
    /// Told by the driver, as the first event.
    MemoryIgnored {
        /// Why, in words.
        detail: String,
    },
    /// Something about what outlives the process is not as it should be; the agent goes on. A store that stays broken is told
    /// once, and again when the reason changes. Told by the driver.
    StoreProblem {
        /// What it is, what follows from it, and what to do.
        problem: String,
    },
    /// The server has other settings for this agent. Their bytes come with the event
    /// ([`ClientEvent::body`](crate::client::ClientEvent::body)).
    Settings {
        /// Which server.
        server: ServerId,
        /// Their entity tag.
        tag: Arc<str>,
    },
    /// The settings could not be read. Unless the server has none they are read again after the next heartbeat.
    SettingsFailed {
        /// Which server.
        server: ServerId,
        /// Why.
        detail: String,
    },
    /// Settings are refused, and those before them stay. Told by the driver, and by the engine for settings that were on
    /// trial before and failed.
    SettingsRefused {
        /// Their entity tag, if a server gave them.
        tag: Option<Arc<str>>,
        /// Why.
        detail: String,
    },
    /// Settings are on trial: they are used, and those before them are kept until an exchange has worked.
    SettingsOnTrial {
        /// Their entity tag, if a server gave them.
        tag: Option<Arc<str>>,
    },
    /// An exchange through the settings on trial has worked: they stay.
    SettingsInForce {
        /// Their entity tag, if a server gave them.
        tag: Option<Arc<str>>,
    },
    /// The settings on trial are given up, and those before them are back.
    SettingsRolledBack {
        /// Their entity tag, if a server gave them.
        tag: Option<Arc<str>>,
        /// Why.
        detail: String,
    },
    /// The engine has stopped. The last event.
    Stopped {},
    /// What was not stored is stored now: the store problem that was told last is over. Told by the driver.
    StoreRecovered {},
    /// A server has acknowledged reports, which wait no more.
    Uploaded {
        /// Which server.
        server: ServerId,
        /// Of which lane.
        lane: Lane,
        /// How many.
        reports: u64,
        /// How many still wait in the lane.
        waiting: u64,
    },
    /// Reports could not be uploaded. They wait, and are sent again.
    UploadFailed {
        /// To which server.
        server: ServerId,
        /// Of which lane.
        lane: Lane,
        /// Why.
        detail: String,
    },
    /// A lane of the outbox is nearly full, or full, or no longer so. Told by the driver.
    LaneFilled {
        /// Which lane.
        lane: Lane,
        /// How full it is.
        fullness: Fullness,
    },
    /// Reports are lost, and counted as dropped. Told by the driver.
    ReportsLost {
        /// Of which lane.
        lane: Lane,
        /// How many, as far as that can be told.
        reports: u64,
        /// Why.
        detail: String,
    },
    /// A server has answered a call, whatever with. The body of the answer comes with the event, or lies where the call wanted it.
    Called {
        /// Which call.
        call: CallId,
        /// Which server.
        server: ServerId,
        /// The HTTP status.
        status: u16,
        /// From the request to the end of the answer.
        #[serde(rename = "elapsed_ms", with = "crate::types::milliseconds")]
        #[cfg_attr(test, schemars(with = "u64"))]
        elapsed: Span,
    },
    /// A call has no answer.
    CallFailed {
        /// Which call.
        call: CallId,
        /// Which server it was made to; `None` when it was made to none.
        server: Option<ServerId>,
        /// What failed; `None` when it was made to no server.
        class: Option<FailureClass>,
        /// Why.
        detail: String,
    },
    /// The server has decided what the agent is registered as.
    Registered {
        /// Which server.
        server: ServerId,
        /// The group it has put the agent into; `None`: it named none, and the one before stays.
        group: Option<Name>,
        /// The mode it has given the agent; `None`: it named none, and the one before stays.
        mode: Option<AccountMode>,
    },
    /// The agent could not register. Nothing that is remembered is given up, and the agent stays attached.
    RegistrationFailed {
        /// With which server.
        server: ServerId,
        /// Why.
        detail: String,
        /// How long until it tries again; `None`: not before it is attached to a verified server.
        #[serde(rename = "retry_ms", with = "crate::types::milliseconds")]
        #[cfg_attr(test, schemars(with = "Option<u64>"))]
        retry: Option<Span>,
    },
    /// The server sees this agent's id on more than one machine: a copied disk or folder, most often. Told when it begins.
    Duplicate {
        /// Which server.
        server: ServerId,
    },
    /// Something about the folder of the outbox is not as it should be. Reports go on waiting in memory. Told by the driver.
    OutboxProblem {
        /// What it is, and what to do.
        problem: String,
    },
    /// The folder of the outbox can be used again, and what waited in memory is on the disk. Told by the driver.
    OutboxRecovered {},
}

impl Event {
    pub(super) fn attempt_failed(server: ServerId, failure: &Failure, next: Next) -> Self {
        Self::AttemptFailed { server, class: failure.class(), detail: failure.to_string(), next }
    }
}

/// How full a lane of the outbox is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Fullness {
    /// 90 % of its bytes are in use.
    NearlyFull,
    /// Something had to give way: the oldest report, or in the critical lane the newest.
    Full,
    /// Less than 80 % are in use again.
    Relieved,
}

/// What arrived on an event stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Notice {
    /// New content waits.
    Content,
    /// A command for the product.
    Command,
}

/// What the engine does after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Next {
    /// Other servers of the same search.
    NextServer,
    /// The same server once more, on a fresh connection.
    SameServer,
    /// It stays with this server and asks again later.
    Later,
    /// Nothing is left to try in this search.
    Nothing,
}

/// How long, as the wire and the events write it: whole milliseconds.
pub(super) fn span(duration: Duration) -> Span {
    Span(Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
}
