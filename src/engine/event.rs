//! What the application is told.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::{Evidence, State, Whereabouts, WhyLocation};
use crate::settings::Situation;
use crate::words::{Failure, FailureClass, ServerId, Span};

/// Something the application may want to know. Serialises as `{"event":"attached",…}`.
///
/// Priorities count from 1, as in the settings a person wrote. Durations read as `"1s 250ms"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// The state of [`Snapshot::state`](super::Snapshot::state) changed.
    State {
        /// What it is now.
        state: State,
        /// Why.
        why: Why,
    },
    /// A search for a server begins.
    Sweeping {
        /// Why.
        why: Why,
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
        reason: Why,
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
    /// No server is attached, and the next search begins later.
    Waiting {
        /// How long from now.
        until: Span,
        /// Why.
        why: Why,
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
    /// The event stream of push mode opened.
    PushOpened {
        /// With which server.
        server: ServerId,
    },
    /// The event stream of push mode ended; heartbeats go on.
    PushLost {
        /// With which server.
        server: ServerId,
        /// Why, in words.
        reason: String,
    },
    /// The server does not offer an event stream; heartbeats alone carry the news.
    PushUnavailable {
        /// Which server.
        server: ServerId,
        /// When it is asked again.
        retry: Span,
    },
    /// Something arrived on the event stream. Its text, if any, stands beside the event.
    Told {
        /// From which server.
        server: ServerId,
        /// `content` or `command`.
        kind: Told,
        /// Name of the content.
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<Arc<str>>,
    },
    /// The verdict on where the machine is changed, or other settings are in force because of it.
    Location {
        /// Where the machine is.
        situation: Situation,
        /// Why.
        why: WhyLocation,
        /// Why, in words.
        reason: Box<str>,
        /// The location whose settings are in force; `None` for the group's.
        location: Option<Arc<str>>,
        /// Whether the agent is attached to a management server, which is another matter.
        attached: bool,
    },
    /// The reference servers were asked, and this is what they said. The verdict may differ: it is damped.
    Round {
        /// Whether the agent is attached to a management server, which is another matter.
        attached: bool,
        /// Who was asked, what each answered, and how long it took.
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
    /// The memory could not be stored; the engine goes on without.
    CannotRemember {
        /// The version that is not stored.
        version: u64,
    },
    /// What an earlier life of the agent remembered cannot be used; this one begins with nothing known.
    /// Told by the driver, as the first event.
    MemoryIgnored {
        /// Why, in words.
        reason: String,
    },
    /// Something about what outlives the process is not as it should be; the agent goes on. Told by the driver.
    StoreProblem {
        /// What it is, what follows from it, and what to do.
        problem: String,
    },
    /// The engine has stopped. The last event.
    Stopped {},
}

impl Event {
    pub(super) fn attempt_failed(server: ServerId, failure: &Failure, next: Next) -> Self {
        Self::AttemptFailed { server, class: failure.class(), detail: failure.to_string(), next }
    }
}

/// What arrived on an event stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// New content waits.
    Content,
    /// A command for the product.
    Command,
}

/// What the engine does after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
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

/// Why something happened. Serialises as a name; [`Why::explain`] gives the sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Why {
    /// The engine has just been made.
    Start,
    /// The application asked.
    Asked,
    /// The settings changed.
    NewSettings,
    /// The application gave other credentials.
    NewCredentials,
    /// The server in use failed.
    ServerFailed,
    /// The server in use makes no progress; others are tried beside it.
    ServerSlow,
    /// The server in use is silent; a second opinion is sought.
    ServerSilent,
    /// The server in use asked to be left.
    ServerDraining,
    /// The server in use asks for more patience than there is.
    ServerThrottled,
    /// No heartbeat has been delivered for too long, whatever the server in use says.
    Unfed,
    /// An exchange with a better server, or the agent's own, succeeded.
    BetterServer,
    /// Another server answered in its place.
    OtherServerAnswered,
    /// Every server of the list failed.
    AllFailed,
    /// Nobody answers: it may be the network.
    NetworkSuspect,
    /// The certificates of several servers are outside their validity, or the clock is known to be wrong.
    ClockWrong,
    /// Something seems to answer in place of the servers: one server, or the control of the location, shows it.
    CaptiveSuspected,
    /// Something answers in place of the servers, as several of them show: a captive portal, perhaps.
    CaptivePortal,
    /// The same for a day, or on several networks: somebody is in between, or the authority was changed.
    Intercepted,
    /// No route leads from this machine to any server.
    NoNetwork,
    /// Every proxy failed or refused the way; the words of the servers say how.
    NoWay,
    /// No name resolves: the name service does not answer.
    NoNames,
    /// This machine does not let connections out: its packet filter, or the program's socket hook.
    HeldBack,
    /// This machine is out of sockets, ports or memory.
    OutOfResources,
    /// The network changed, or came back.
    NetworkChanged,
    /// The machine was suspended and runs again.
    Resumed,
    /// Every server has rejected this agent.
    Rejected,
    /// Every server asks for patience or may not be used now.
    NothingAvailable,
    /// The waiting time is over.
    WaitOver,
    /// Too many attempts in ten minutes; this protects the servers from a fault of ours.
    TooManyAttempts,
    /// The agent moved three times within two minutes, and calms down.
    MovedOften,
    /// Communication is switched off in the settings.
    Disabled,
    /// The application stops the engine.
    Stopping,
}

impl Why {
    /// The reason in words.
    pub const fn explain(self) -> &'static str {
        match self {
            Self::Start => "the agent starts",
            Self::Asked => "the application asked",
            Self::NewSettings => "the settings changed",
            Self::NewCredentials => "the application gave other credentials",
            Self::ServerFailed => "the server in use failed",
            Self::ServerSlow => "the server in use makes no progress",
            Self::ServerSilent => "the server in use is silent",
            Self::ServerDraining => "the server in use is draining",
            Self::ServerThrottled => "the server in use asks for a longer wait than the heartbeat interval",
            Self::Unfed => "no heartbeat has been delivered for too long",
            Self::BetterServer => "a better server has proved itself",
            Self::OtherServerAnswered => "another server answered in its place",
            Self::AllFailed => "every server of the list failed",
            Self::NetworkSuspect => "no server answers: it may be the network, so no server is blamed",
            Self::ClockWrong => "the clock of this machine seems to be wrong, so no server is blamed",
            Self::CaptiveSuspected => {
                "something seems to answer in place of the servers, perhaps a captive portal"
            }
            Self::CaptivePortal => "something answers in place of the servers, perhaps a captive portal",
            Self::Intercepted => {
                "something answers in place of the servers on every network: intercepted, or the authority was changed"
            }
            Self::NoNetwork => "this machine has no usable network",
            Self::NoWay => "no proxy leads to a server; check the proxies and their credentials",
            Self::NoNames => "no name resolves; check the name service",
            Self::HeldBack => {
                "this machine lets no connection out; check its packet filter and the program's socket hook"
            }
            Self::OutOfResources => "this machine is out of sockets, ports or memory",
            Self::NetworkChanged => "the network changed",
            Self::Resumed => "the machine was suspended and runs again",
            Self::Rejected => "every server has rejected this agent (401 or 403)",
            Self::NothingAvailable => {
                "no server may be tried now: each asked for a pause, or is left out for its certificate or for rejecting the agent"
            }
            Self::WaitOver => "the waiting time is over",
            Self::TooManyAttempts => {
                "too many connections in ten minutes; each server is tried once a minute"
            }
            Self::MovedOften => "the agent moved often within two minutes and backs off",
            Self::Disabled => "communication is switched off in the settings",
            Self::Stopping => "the application stops the agent",
        }
    }
}

/// How long, as the wire and the events write it: whole milliseconds.
pub(super) fn span(duration: Duration) -> Span {
    Span(Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
}
