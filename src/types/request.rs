//! Why something is said to a server.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::{CallId, Lane, Registration};

/// What the engine wants said on a link. It never knows the bytes: the driver turns it into
/// bytes and the answer into an [`Outcome`](crate::types::Outcome).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Request {
    /// `POST /homing/v1/heartbeat`: the product's status goes up, its answer comes down.
    Heartbeat {
        /// What the engine will make of a success.
        purpose: Purpose,
    },
    /// `GET /homing/v1/events`: the server tells when something changed. What it says is told as it comes
    /// ([`Input::Notice`](crate::engine::Input::Notice)).
    Listen(Listening),
    /// `GET /homing/v1/settings`: the settings document of this agent.
    Settings {
        /// The entity tag of the one it has; the server answers 304 when that is still the one. Sent as `If-None-Match`.
        known: Option<Arc<str>>,
    },
    /// `GET /homing/v1/policy`: the policy of the product, which knows alone what it means.
    Policy {
        /// The entity tag of the one it has; the server answers 304 when that is still the one. Sent as `If-None-Match`.
        known: Option<Arc<str>>,
    },
    /// `POST /homing/v1/upload/{lane}`: the oldest reports of a lane that wait. A driver takes them from its outbox, and
    /// removes those that the server acknowledged before it reports the end.
    Upload {
        /// Which lane.
        lane: Lane,
        /// The most bytes the body may have, unless one report alone has more.
        at_most: u32,
    },
    /// `POST /homing/v1/register`: who uses this machine, and in which group it is or would be. The server decides, and says so
    /// in its answer. Only ever said to a verified server.
    Register(Arc<Registration>),
    /// What the product says itself: the driver knows what, and the product judges the answer, whatever its status is.
    Call {
        /// Which call.
        call: CallId,
        /// How long it may still take, in milliseconds.
        within_ms: u32,
    },
}

/// Whether a call may be made twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Repeat {
    /// A server may have taken it although no answer came, and must not take it again.
    #[default]
    Never,
    /// It does the same when it is done twice. After a failure it is made once more, by another server.
    OnceElsewhere,
}

impl Request {
    /// Whether the next heartbeat follows after it.
    pub(crate) const fn says_next(&self) -> bool {
        match self {
            Self::Heartbeat { purpose: Purpose::Attach { .. } | Purpose::Beat } => true,
            Self::Heartbeat { purpose: Purpose::Probe }
            | Self::Listen(_)
            | Self::Settings { .. }
            | Self::Policy { .. }
            | Self::Upload { .. }
            | Self::Register(_)
            | Self::Call { .. } => false,
        }
    }
}

/// How a server is listened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Listening {
    /// By an answer that stays open. A driver that cannot do so declines.
    Stream {
        /// The server says something at least this often, if only to show that it is there. Sent as `Homing-Keep-Alive`, in
        /// seconds.
        silence: Duration,
    },
    /// By an answer that ends: with the first event, or after this time.
    Poll {
        /// Zero: at once, with what there is. Sent as `Prefer: wait=SECONDS`.
        wait: Duration,
    },
}

/// What a heartbeat is for. Sent as `Homing-Purpose`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// One of several attempts of a search. All attempts with one `search` carry the same body and the
    /// same `Idempotency-Key`, because the answer of one of them counts and the others are dropped.
    Attach {
        /// Which search; never reused within the life of the engine.
        search: u64,
    },
    /// The regular heartbeat to the server the agent is attached to.
    Beat,
    /// Is that server well? The body is empty, and the answer has no effect but on its health.
    Probe,
}

impl Purpose {
    /// The value of the header field `Homing-Purpose`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Attach { .. } => "attach",
            Self::Beat => "beat",
            Self::Probe => "probe",
        }
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Heartbeat { purpose: Purpose::Beat } => f.pad("heartbeat"),
            Self::Heartbeat { purpose } => write!(f, "heartbeat ({purpose})"),
            Self::Listen(Listening::Stream { .. }) => f.pad("event stream"),
            Self::Listen(Listening::Poll { .. }) => f.pad("poll"),
            Self::Settings { .. } => f.pad("settings"),
            Self::Policy { .. } => f.pad("policy"),
            Self::Upload { lane, .. } => write!(f, "upload ({lane})"),
            Self::Register(_) => f.pad("registration"),
            Self::Call { call, .. } => write!(f, "call {}", call.0),
        }
    }
}
