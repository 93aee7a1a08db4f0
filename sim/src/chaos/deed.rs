//! What is done to an engine, as `proptest` draws it or a fuzzer writes it.

use std::time::Duration;

use homing::types::Cause;

/// One thing to do. The index of a link or an exchange is taken modulo how many there are.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Deed {
    Pass { milliseconds: u32 },
    WaitForDeadline,
    Drain,
    Resolve(u8, bool),
    LookUp(u8, bool),
    Connect(u8),
    Secure(u8),
    Lose(u8, Trouble),
    FirstByte(u8),
    Done(u8, Answer),
    Tell(u8, u8),
    Stale(u64, u8),
    Probe(u8, Found),
    ProbeNow,
    Network(bool),
    Resume,
    BeatNow,
    Reconfigure(u8),
    Location(bool),
    CannotRemember,
    Waiting(u8, u16),
    Call(u16),
    User(u8),
    Routes(u8),
    Stop,
}

#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Answer {
    Good,
    Drain,
    Declined,
    TooMuch,
    Fails(Trouble),
}

/// What a probe finds.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Found {
    /// It accepts, and proves nothing.
    Accepts,
    /// The server itself, directly or by a tunnel.
    Itself {
        tunnel: bool,
    },
    Fails(Trouble),
}

/// What can go wrong: something of each kind the engine treats in its own way.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Trouble {
    ConnectionRefused,
    ConnectTimeout,
    NoRoute,
    Reset,
    UnknownIssuer,
    NotHttp,
    BodyTooLarge,
    ClosedIdle,
    NotAllowed,
    ServerError,
    Throttled { seconds: Option<u32> },
    ThrottledForEver,
}

impl Trouble {
    pub(super) fn cause(self) -> Cause {
        match self {
            Self::ConnectionRefused => Cause::ConnectionRefused,
            Self::ConnectTimeout => Cause::ConnectTimeout,
            Self::NoRoute => Cause::NoRoute,
            Self::Reset => Cause::Reset,
            Self::UnknownIssuer => Cause::UnknownIssuer,
            Self::NotHttp => Cause::NotHttp,
            Self::BodyTooLarge => Cause::BodyTooLarge,
            Self::ClosedIdle => Cause::ClosedIdle,
            Self::NotAllowed => Cause::NotAllowed { status: 401 },
            Self::ServerError => Cause::ServerError { status: 500 },
            Self::Throttled { seconds } => Cause::Throttled {
                status: 429,
                retry_after: seconds.map(|seconds| Duration::from_secs(seconds.into())),
            },
            Self::ThrottledForEver => {
                Cause::Throttled { status: 503, retry_after: Some(Duration::from_millis(u64::MAX)) }
            }
        }
    }
}

/// How a story begins.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct Opening {
    pub shape: u8,
    pub push: bool,
    pub named: bool,
    pub seed: u64,
}
