//! What went wrong, precisely enough to know whom to blame and what to do.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::printable::{Printable, printable};

/// One failure: its cause, and what the library underneath said of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Failure {
    /// What happened.
    pub cause: Cause,
    /// The words of the system or of a library, if they add something. At most a line; a peer may have a say in it, so
    /// show it as `Display` of the failure does ([`Printable`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Box<str>>,
    /// What it says about more than one server, if the driver knows. Not kept beyond the life of the process.
    #[serde(skip)]
    pub evidence: Option<Evidence>,
}

/// What a failure, mostly a refused certificate, says about more than its server: together with those of other servers
/// it may show that none of them is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Evidence {
    /// It was issued by somebody nobody trusts: a fingerprint of that issuer. One such issuer on several servers is
    /// somebody in between, or an authority that was changed.
    UnknownIssuer(u64),
    /// It has expired, by more than a day: its end, in seconds since 1970.
    ExpiredBefore(i64),
    /// It is not valid yet, by more than a day: its begin, in seconds since 1970.
    ValidLater(i64),
    /// It is outside its validity, and the clock of this machine is known to be wrong.
    ClockBehind,
    /// No certificate: a page for a person came where an answer was due, over a way on which anybody may answer.
    Portal,
}

/// Characters of a note: a line in a log, and no more of a peer's choosing than that.
const NOTE: usize = 200;

impl Failure {
    /// A failure with a note, cut to 200 characters and escaped ([`Printable`]): a peer may have a say in the text.
    pub fn noted(cause: Cause, note: impl fmt::Display) -> Self {
        let note = printable(note, NOTE);
        Self { cause, note: (!note.is_empty()).then(|| note.into()), evidence: None }
    }

    /// The same failure, and what it says about more than one server.
    #[must_use]
    pub fn with_evidence(self, evidence: Option<Evidence>) -> Self {
        Self { evidence, ..self }
    }

    /// Which row of the table of costs this is.
    pub const fn class(&self) -> FailureClass {
        self.cause.class()
    }
}

impl From<Cause> for Failure {
    fn from(cause: Cause) -> Self {
        Self { cause, note: None, evidence: None }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause.fmt(f)?;
        match &self.note {
            // A driver may have written it itself.
            Some(note) => write!(f, " ({})", Printable(note)),
            None => Ok(()),
        }
    }
}

/// The classes of failure. What each costs the server stands in
/// [`engine::attachment`](crate::engine): the class decides, the cause explains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FailureClass {
    /// Connection refused, or the network said that the host cannot be reached.
    Refused,
    /// Nothing answered.
    NoAnswer,
    /// This machine has no way to anybody.
    LocalNetwork,
    /// The name did not resolve.
    Name,
    /// The server did not prove that it is the server.
    Certificate,
    /// The server says that it has a fault.
    ServerError,
    /// The server asks for patience.
    Throttled,
    /// The server rejected this agent (401, or 403 with a `Homing-` field).
    NotAllowed,
    /// What was sent is larger than the server takes (413).
    TooLarge,
    /// The server did not understand the request (another 4xx).
    Misunderstood,
    /// The connection stands and nothing comes.
    Silent,
    /// Something answers, but it is not a management server.
    WrongServer,
    /// The connection broke in the middle.
    Broken,
    /// The server went beyond a limit of size or time.
    Limit,
    /// The proxy failed, not the server.
    Proxy,
    /// The server asks to be left.
    Draining,
    /// The server closed a connection on which nothing was under way.
    ClosedIdle,
}

impl FailureClass {
    /// Whether the server, or something before it, has answered that it does not take what was sent, perhaps for what that is.
    #[cfg_attr(
        not(feature = "outbox"),
        allow(dead_code, reason = "what is sent without an outbox is no report")
    )]
    pub(crate) const fn is_a_refusal(self) -> bool {
        matches!(self, Self::ServerError | Self::Misunderstood | Self::WrongServer)
    }

    /// Its name, as in JSON: `no_answer`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::NoAnswer => "no_answer",
            Self::LocalNetwork => "local_network",
            Self::Name => "name",
            Self::Certificate => "certificate",
            Self::ServerError => "server_error",
            Self::Throttled => "throttled",
            Self::NotAllowed => "not_allowed",
            Self::TooLarge => "too_large",
            Self::Misunderstood => "misunderstood",
            Self::Silent => "silent",
            Self::WrongServer => "wrong_server",
            Self::Broken => "broken",
            Self::Limit => "limit",
            Self::Proxy => "proxy",
            Self::Draining => "draining",
            Self::ClosedIdle => "closed_idle",
        }
    }
}

impl fmt::Display for FailureClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What happened. Each cause belongs to exactly one [`FailureClass`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Cause {
    /// The host answered with a reset: nothing listens on that port.
    ConnectionRefused,
    /// A router answered that the host cannot be reached (ICMP).
    HostUnreachable,
    /// No answer to the connection attempt within its limit.
    ConnectTimeout,
    /// No answer yet when the place was needed for another server.
    Evicted,
    /// This machine has no route, or no usable interface.
    NoRoute,
    /// The system ran out of sockets, ports or memory for them.
    OutOfResources,
    /// The program's own socket hook did not let the socket be used.
    SocketRefused,
    /// A packet filter of this machine did not let the connection out.
    LocalFirewall,
    /// No name resolves: the name service is dead or out of reach.
    NameServiceDead,
    /// The name does not exist.
    NameNotFound,
    /// The name service answered with an error.
    NameServerFailed,
    /// The name service did not answer within the limit.
    NameTimeout,
    /// The certificate has expired.
    CertificateExpired,
    /// The certificate is not valid yet.
    CertificateNotYetValid,
    /// Nobody the policy trusts has issued it.
    UnknownIssuer,
    /// It is for another name.
    WrongName,
    /// It has been revoked.
    Revoked,
    /// It is none of the pinned keys.
    PinMismatch,
    /// Its key is too small, or a signature uses a digest that can be forged.
    WeakKey,
    /// The policy wants a revocation list that says something about it, and there is none that is current.
    RevocationUnknown,
    /// It is unusable for another reason.
    BadCertificate,
    /// A 5xx answer without a usable `Retry-After`.
    ServerError {
        /// HTTP status.
        status: u16,
    },
    /// 429, or 503 with a `Retry-After`.
    Throttled {
        /// HTTP status.
        status: u16,
        /// `Retry-After` as the server sent it; `None` when absent, negative or unreadable.
        retry_after: Option<Duration>,
    },
    /// 401, or 403 with a field whose name begins with `Homing-`.
    NotAllowed {
        /// HTTP status.
        status: u16,
    },
    /// 413: the body of the request is larger than the server, or a proxy in front of it, takes.
    TooLarge,
    /// A 4xx that has no cause of its own.
    Misunderstood {
        /// HTTP status.
        status: u16,
    },
    /// A TLS alert about our own certificate.
    ClientCertificateRefused,
    /// No first byte of an answer within the limit.
    NoFirstByte,
    /// A status no management server gives to this request: 1xx, 3xx, 404, 410, 403 without a `Homing-` field, or a 2xx
    /// without the `Homing-` fields.
    NotAManager {
        /// HTTP status.
        status: u16,
    },
    /// What came back is not HTTP.
    NotHttp,
    /// The connection was reset.
    Reset,
    /// The connection was closed before the answer was complete.
    Truncated,
    /// A TLS error or alert that concerns no certificate.
    TlsFailed,
    /// The TLS handshake took too long.
    TlsTimeout,
    /// The exchange took too long.
    ExchangeTimeout,
    /// The whole attempt took too long.
    AttemptTimeout,
    /// The head of the answer is too large, or has too many fields.
    HeadTooLarge,
    /// Too many interim (1xx) answers.
    TooManyInterim,
    /// The body of the answer is too large.
    BodyTooLarge,
    /// The body comes too slowly.
    Dripping,
    /// Too many TLS records that carry nothing: tickets, key updates, empty ones, padding.
    EmptyRecords,
    /// The proxy cannot be reached, or its name does not resolve.
    ProxyUnreachable,
    /// The proxy wants other credentials (407).
    ProxyNotAllowed,
    /// The proxy refused the way to the server, or answered what is no answer to CONNECT.
    ProxyRefused {
        /// HTTP status of its answer; 0 when it was none.
        status: u16,
    },
    /// The server asks to be left.
    Draining,
    /// The server closed a connection on which nothing was under way.
    ClosedIdle,
    /// The machine was suspended; what the connection is worth is not known.
    Suspended,
}

impl Cause {
    /// The class this cause belongs to.
    pub const fn class(self) -> FailureClass {
        match self {
            Self::ConnectionRefused | Self::HostUnreachable => FailureClass::Refused,
            Self::ConnectTimeout | Self::Evicted => FailureClass::NoAnswer,
            Self::NoRoute
            | Self::OutOfResources
            | Self::SocketRefused
            | Self::LocalFirewall
            | Self::NameServiceDead => FailureClass::LocalNetwork,
            Self::NameNotFound | Self::NameServerFailed | Self::NameTimeout => FailureClass::Name,
            Self::CertificateExpired
            | Self::CertificateNotYetValid
            | Self::UnknownIssuer
            | Self::WrongName
            | Self::Revoked
            | Self::PinMismatch
            | Self::WeakKey
            | Self::RevocationUnknown
            | Self::BadCertificate => FailureClass::Certificate,
            Self::ServerError { .. } => FailureClass::ServerError,
            Self::Throttled { .. } => FailureClass::Throttled,
            Self::NotAllowed { .. } | Self::ClientCertificateRefused => FailureClass::NotAllowed,
            Self::TooLarge => FailureClass::TooLarge,
            Self::Misunderstood { .. } => FailureClass::Misunderstood,
            Self::NoFirstByte => FailureClass::Silent,
            Self::NotAManager { .. } | Self::NotHttp => FailureClass::WrongServer,
            Self::Reset | Self::Truncated | Self::TlsFailed => FailureClass::Broken,
            Self::TlsTimeout
            | Self::ExchangeTimeout
            | Self::AttemptTimeout
            | Self::HeadTooLarge
            | Self::TooManyInterim
            | Self::BodyTooLarge
            | Self::Dripping
            | Self::EmptyRecords => FailureClass::Limit,
            Self::ProxyUnreachable | Self::ProxyNotAllowed | Self::ProxyRefused { .. } => FailureClass::Proxy,
            Self::Draining => FailureClass::Draining,
            Self::ClosedIdle | Self::Suspended => FailureClass::ClosedIdle,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match self {
            Self::ConnectionRefused => "connection refused: nothing listens on that port",
            Self::HostUnreachable => "host unreachable",
            Self::ConnectTimeout => "no answer to the connection attempt",
            Self::Evicted => "no answer yet, its place was given to another server",
            Self::NoRoute => "this machine has no route to it, or no address or free port to reach it from",
            Self::OutOfResources => "this machine is out of sockets, ports or memory",
            Self::SocketRefused => "the socket hook of the program did not let the socket be used",
            Self::LocalFirewall => "a packet filter of this machine did not let the connection out",
            Self::NameServiceDead => "no name resolves: the name service is out of reach",
            Self::NameNotFound => "the name does not exist",
            Self::NameServerFailed => "the name service answered with an error",
            Self::NameTimeout => "the name service did not answer in time",
            Self::CertificateExpired => "its certificate has expired",
            Self::CertificateNotYetValid => "its certificate is not valid yet",
            Self::UnknownIssuer => "its certificate was issued by nobody the policy trusts",
            Self::WrongName => "its certificate is for another name",
            Self::Revoked => "its certificate was revoked",
            Self::PinMismatch => "its key is none of the pinned ones",
            Self::WeakKey => "its key or its signature is too weak",
            Self::RevocationUnknown => "nothing current says that its certificate is not revoked",
            Self::BadCertificate => "its certificate is unusable",
            Self::ServerError { status } => return write!(f, "server error {status}"),
            Self::Throttled { status, retry_after: Some(after) } => {
                return write!(f, "status {status}: asks to wait {} s", after.as_secs());
            }
            Self::Throttled { status, retry_after: None } => {
                return write!(f, "status {status}: asks to wait");
            }
            Self::NotAllowed { status: 403 } => {
                "status 403 with a `Homing-` field: the management server rejected this agent; look for it there"
            }
            Self::NotAllowed { status } => {
                return write!(f, "status {status}: it rejected this agent; check the credentials");
            }
            Self::TooLarge => "status 413: the status sent is larger than it takes",
            Self::Misunderstood { status } => {
                return write!(f, "status {status}: it did not understand the request");
            }
            Self::ClientCertificateRefused => "it refuses our certificate",
            Self::NoFirstByte => "connected, but no answer comes",
            Self::NotAManager { status: 403 } => {
                "status 403 without a `Homing-` field: not from the management server, perhaps a maintenance page or a \
                 firewall in front of it"
            }
            Self::NotAManager { status } => {
                return write!(
                    f,
                    "status {status}: not the answer of a management server, perhaps maintenance"
                );
            }
            Self::NotHttp => "what answers does not speak HTTP",
            Self::Reset => "connection reset",
            Self::Truncated => "connection closed before the answer was complete",
            Self::TlsFailed => "TLS failed",
            Self::TlsTimeout => {
                "the TLS handshake timed out: large packets may not get through, check the path MTU"
            }
            Self::ExchangeTimeout => "the exchange took too long",
            Self::AttemptTimeout => "the attempt took too long",
            Self::HeadTooLarge => "the head of the answer is too large",
            Self::TooManyInterim => "too many interim answers",
            Self::BodyTooLarge => "the body of the answer is too large",
            Self::Dripping => "the answer comes too slowly",
            Self::EmptyRecords => "it sends too many TLS records that carry nothing",
            Self::ProxyUnreachable => "the proxy cannot be reached",
            Self::ProxyNotAllowed => "the proxy wants other credentials (407)",
            Self::ProxyRefused { status: 0 } => "the proxy does not answer as a proxy",
            Self::ProxyRefused { status } => return write!(f, "the proxy answered {status} to CONNECT"),
            Self::Draining => "it asks to be left",
            Self::ClosedIdle => "it closed the idle connection",
            Self::Suspended => "the machine was suspended",
        };
        f.write_str(words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_one_short_line_whatever_the_peer_wrote() {
        let failure = Failure::noted(Cause::NotHttp, format!("SSH-2.0\r\n{}", "x".repeat(5000)));
        let note = failure.note.as_deref().unwrap();
        assert_eq!(note.chars().count(), 200);
        assert!(note.starts_with(r"SSH-2.0\r\nx"), "{note}");
        let bare = Failure { note: Some("a\u{202e}b\u{85}".into()), ..Cause::NotHttp.into() };
        assert!(bare.to_string().ends_with(r"(a\u{202e}b\u{85})"), "{bare}");
    }

    #[test]
    fn each_kind_of_403_says_which_it_is() {
        let words = |cause: Cause| cause.to_string();
        let (from_server, from_others) =
            (words(Cause::NotAllowed { status: 403 }), words(Cause::NotAManager { status: 403 }));
        assert!(from_server.starts_with("status 403 with a `Homing-` field: "), "{from_server}");
        assert!(from_others.starts_with("status 403 without a `Homing-` field: "), "{from_others}");
    }

    #[test]
    fn the_serialised_names_are_the_documented_ones() {
        let name = |class: FailureClass| serde_json::to_string(&class).unwrap();
        assert_eq!(name(FailureClass::ClosedIdle), "\"closed_idle\"");
        assert_eq!(name(FailureClass::NoAnswer), "\"no_answer\"");
        assert_eq!(name(FailureClass::TooLarge), "\"too_large\"");
        assert_eq!(name(FailureClass::Misunderstood), "\"misunderstood\"");
    }
}
