//! How a manager behaves: well, or badly in one of the ways that servers in the field do.

use std::str::FromStr;

/// One way to behave. As text it is one of [`Behaviour::LIST`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// As the wire contract says.
    #[default]
    Well,
    /// Nothing listens; open connections are closed.
    Refuse,
    /// Connections are accepted, and then nothing is read and nothing said: not even a TLS handshake.
    Silent,
    /// Requests are read and never answered.
    Mute,
    /// Every request is answered with this status.
    Status {
        /// 100 to 599.
        status: u16,
        /// The value of `Retry-After`, good or garbage.
        retry_after: Option<String>,
    },
    /// New TLS connections get a certificate of an authority that nobody knows.
    WrongCertificate,
    /// Good answers whose bodies come one byte a second.
    Drip,
    /// Good answers that ask the client to leave within so many seconds.
    Drain {
        /// The value of `Homing-Drain`.
        seconds: u64,
    },
    /// 200 without the fields that make it the answer of a management server.
    Empty,
    /// 200 with a web page, as a captive portal gives it.
    Html,
    /// Everything well, but there are no events.
    NoEvents,
    /// Everything well, but what is told at `events`.
    Events(Tells),
    /// Everything well, but what becomes of uploads.
    Uploads(Takes),
    /// Everything well, but calls are answered after so many seconds.
    LateCalls(u64),
    /// Everything well, but what becomes of registrations.
    Registers(Registers),
}

/// How a manager registers agents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Registers {
    #[default]
    Well,
    /// It answers with a group and a mode that cannot be any.
    Nonsense,
    /// It answers with a group of a mebibyte.
    Flood,
    /// It answers with this status.
    Status(u16),
    /// It has no such request.
    Not,
    /// It asks for a registration with each heartbeat.
    Again,
}

/// How a manager takes reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Takes {
    #[default]
    Well,
    /// It takes them, and does not say so.
    Unacknowledged,
    /// Of each batch the first half.
    Half,
    /// It acknowledges after so many seconds.
    Late(u64),
    /// It calls bodies of more bytes too large.
    AtMost(usize),
    /// It has no such request.
    Not,
}

/// How a manager tells its agents of changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tells {
    #[default]
    Well,
    /// Not a word of a stream comes through; polls do.
    HeldBack,
    /// Hello, and then nothing: not even a sign that the connection lives.
    Nothing,
    /// Streams end after so many seconds.
    Cut(u64),
    /// Thousands of events a second.
    Flood,
    /// A line that never ends.
    Endless,
    /// No UTF-8, and line ends of every kind.
    Garbage,
}

impl Behaviour {
    /// Every behaviour as it is written, and what it does.
    pub(crate) const LIST: &[(&str, &str)] = &[
        ("well", "as the wire contract says (the default)"),
        ("refuse", "stop listening, close every connection, keep the ports"),
        ("silent", "accept connections, then read nothing and say nothing"),
        ("mute", "read requests and never answer them"),
        ("status:CODE", "answer everything with this status, for example status:500"),
        ("status:CODE:RETRY", "the same with `Retry-After: RETRY`, for example status:429:600"),
        ("wrong-certificate", "show a certificate of an authority that nobody knows"),
        ("drip", "send the body one byte a second"),
        ("drain:SECONDS", "ask the client to leave within so many seconds"),
        ("empty", "answer 200 without the Homing- fields"),
        ("html", "answer 200 with a web page"),
        ("events:none", "offer no events (204)"),
        ("events:held-back", "send nothing of an event stream, as some proxies do; polls work"),
        ("events:nothing", "say hello on an event stream, and nothing more"),
        ("events:cut:SECONDS", "end event streams after so many seconds"),
        ("events:flood", "send thousands of events a second"),
        ("events:endless", "send a line that never ends"),
        ("events:garbage", "send what is no UTF-8"),
        ("uploads:unacknowledged", "take reports, and do not say so"),
        ("uploads:half", "take and acknowledge half of each batch"),
        ("uploads:late:SECONDS", "acknowledge reports after so many seconds"),
        ("uploads:at-most:BYTES", "refuse larger batches as too large (413)"),
        ("uploads:none", "have no such request (404)"),
        ("calls:late:SECONDS", "answer calls after so many seconds"),
        ("registers:nonsense", "name a group and a mode that cannot be any"),
        ("registers:flood", "name a group of a mebibyte"),
        ("registers:status:CODE", "answer registrations with this status, for example 401"),
        ("registers:none", "have no such request (404)"),
        ("registers:again", "ask for a registration with each heartbeat"),
    ];
}

/// The text is none of [`Behaviour::LIST`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no behaviour; see --help for the list")]
pub(crate) struct BehaviourError(String);

impl FromStr for Behaviour {
    type Err = BehaviourError;

    fn from_str(text: &str) -> Result<Self, BehaviourError> {
        let bad = || BehaviourError(text.to_owned());
        let mut parts = text.splitn(3, ':');
        let behaviour = match (parts.next().unwrap_or_default(), parts.next(), parts.next()) {
            ("well", None, None) => Self::Well,
            ("refuse", None, None) => Self::Refuse,
            ("silent", None, None) => Self::Silent,
            ("mute", None, None) => Self::Mute,
            ("status", Some(code), retry) => Self::Status {
                status: code.parse().ok().filter(|code| (100..=599).contains(code)).ok_or_else(bad)?,
                retry_after: retry.map(str::to_owned),
            },
            ("wrong-certificate", None, None) => Self::WrongCertificate,
            ("drip", None, None) => Self::Drip,
            ("drain", Some(seconds), None) => Self::Drain { seconds: seconds.parse().map_err(|_| bad())? },
            ("empty", None, None) => Self::Empty,
            ("html", None, None) => Self::Html,
            ("events", Some("none"), None) => Self::NoEvents,
            ("events", Some("held-back"), None) => Self::Events(Tells::HeldBack),
            ("events", Some("nothing"), None) => Self::Events(Tells::Nothing),
            ("events", Some("cut"), Some(seconds)) => {
                Self::Events(Tells::Cut(seconds.parse().map_err(|_| bad())?))
            }
            ("events", Some("flood"), None) => Self::Events(Tells::Flood),
            ("events", Some("endless"), None) => Self::Events(Tells::Endless),
            ("events", Some("garbage"), None) => Self::Events(Tells::Garbage),
            ("uploads", Some("unacknowledged"), None) => Self::Uploads(Takes::Unacknowledged),
            ("uploads", Some("half"), None) => Self::Uploads(Takes::Half),
            ("uploads", Some("late"), Some(seconds)) => {
                Self::Uploads(Takes::Late(seconds.parse().map_err(|_| bad())?))
            }
            ("uploads", Some("at-most"), Some(bytes)) => {
                Self::Uploads(Takes::AtMost(bytes.parse().map_err(|_| bad())?))
            }
            ("uploads", Some("none"), None) => Self::Uploads(Takes::Not),
            ("calls", Some("late"), Some(seconds)) => Self::LateCalls(seconds.parse().map_err(|_| bad())?),
            ("registers", Some("nonsense"), None) => Self::Registers(Registers::Nonsense),
            ("registers", Some("flood"), None) => Self::Registers(Registers::Flood),
            ("registers", Some("status"), Some(code)) => Self::Registers(Registers::Status(
                code.parse().ok().filter(|code| (100..=599).contains(code)).ok_or_else(bad)?,
            )),
            ("registers", Some("none"), None) => Self::Registers(Registers::Not),
            ("registers", Some("again"), None) => Self::Registers(Registers::Again),
            _ => return Err(bad()),
        };
        Ok(behaviour)
    }
}
