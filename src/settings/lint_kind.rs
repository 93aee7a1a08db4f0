//! What a lint says, and what to do about it.

use std::fmt;
use std::sync::Arc;

use crate::types::{Proof, Span};

/// Something that is allowed but hardly meant. Displays as `place: what; what to do`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lint {
    /// Where in the document.
    pub path: String,
    /// What.
    pub kind: LintKind,
}

/// What is hardly meant. Displays as a sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LintKind {
    /// A server is spoken to without TLS.
    #[error("plain http: anybody on the way can read and change everything, and can be the server")]
    PlainHttp,
    /// A server stood earlier in the list.
    #[error("the same server as {first}, where it stays; this entry is ignored")]
    SameServerTwice {
        /// Where it stays.
        first: String,
    },
    /// A server stood earlier in the list under another id.
    #[error("the same address, protocol and port as {first} under another id, so one server counts as two")]
    TwoIds {
        /// Where the first stands.
        first: String,
    },
    /// A priority has no server.
    #[error("a priority without servers")]
    EmptyPriority,
    /// A list is assigned neither to the group nor to a location.
    #[error("list `{name}` is assigned to nothing: its priorities do not count")]
    ListNotAssigned {
        /// Its name.
        name: Arc<str>,
    },
    /// A heartbeat is shorter than a minute.
    #[error("a heartbeat every {interval} is a heavy load on the servers of a large fleet")]
    ShortHeartbeat {
        /// The interval.
        interval: Span,
    },
    /// Applications ought to be learned, and the site does not allow it.
    #[error("no application is learned, because `site.learn_applications` is not true")]
    LearningBlocked,
    /// This version of the library does not do what the field says. From
    /// [`Settings::not_enforced`](crate::settings::Settings::not_enforced) only.
    #[error("{reason}")]
    NotEnforced {
        /// What happens instead.
        reason: &'static str,
    },
    /// A location has no `when`.
    #[error("location `{name}` has no `when`: it applies only where the product names it")]
    LocationWithoutWhen {
        /// Its name.
        name: Arc<str>,
    },
    /// Earlier locations take every situation of this one.
    #[error(
        "location `{name}` never applies by itself: earlier locations take every situation in its `when`"
    )]
    LocationShadowed {
        /// Its name.
        name: Arc<str>,
    },
    /// A public authority is asked to vouch for an IP address.
    #[error("public certificate authorities hardly ever vouch for an IP address, so it will not be believed")]
    HttpsToAddress,
    /// One key is pinned and no other.
    #[error(
        "only one pin can be accepted: the day that key is lost or changed, no agent can be reached any more"
    )]
    SinglePin,
    /// A certificate policy verifies nothing.
    #[error("`danger_no_verification`: anybody on the way can be the server")]
    NoVerification,
    /// A reference server is asked on port 20.
    #[error("nobody listens on port 20: active FTP only sends from it")]
    FtpData,
    /// A bare connection to an address that home routers use.
    #[error("many home networks have this address, and a bare connection to theirs would be inside")]
    HomeAddress,
    /// The name of a reference server has no dot.
    #[error("this name only resolves with a search suffix, which another network may set")]
    NeedsSearchSuffix,
    /// A reference server stood earlier in the list.
    #[error("the same server and port as {first}")]
    SameReferenceTwice {
        /// Where the first stands.
        first: String,
    },
    /// Every reference server is a management server as well.
    #[error("only management servers: when they are gone, so is every sign of being inside")]
    OnlyManagementServers,
    /// No reference server can give the required proof.
    #[error("`{}` is required to be inside, but the best a reference server can give is `{}`", required.word(), best.word())]
    ProofOutOfReach {
        /// What is required.
        required: Proof,
        /// The best there is.
        best: Proof,
    },
    /// A round over the reference servers takes long.
    #[error(
        "{pairs} pairs of reference server and port: a round takes up to {round}, and the first location may come before its end"
    )]
    LongRound {
        /// How many pairs there are.
        pairs: usize,
        /// How long a whole round may take.
        round: Span,
    },
}

impl LintKind {
    /// What to do about it.
    pub const fn advice(&self) -> &'static str {
        match self {
            Self::PlainHttp => "use https",
            Self::SameServerTwice { .. } => "remove one of the two",
            Self::TwoIds { .. } => "remove one of the two, or give both the same id",
            Self::EmptyPriority => "add a server or remove the priority",
            Self::ListNotAssigned { .. } => "assign it in `group.server_list` or in a location, or remove it",
            Self::ShortHeartbeat { .. } => "use 60s or more",
            Self::LearningBlocked => "set `site.learn_applications` to true, or leave this out",
            Self::NotEnforced { .. } => "leave it out until a later version does it",
            Self::LocationWithoutWhen { .. } => "add `when`, unless the product chooses this location itself",
            Self::LocationShadowed { .. } => "move it up, change its `when`, or remove it",
            Self::SinglePin => "pin the key that comes next as well, as `next`",
            Self::HttpsToAddress => "use a name, or add a bundle or a pin to its certificate policy",
            Self::NoVerification => "name a bundle or a pin instead",
            Self::FtpData => "use port 21",
            Self::HomeAddress => "ask for `tls` or `pin`, or use another server",
            Self::NeedsSearchSuffix => "write it with its domain",
            Self::SameReferenceTwice { .. } => "remove one of the two",
            Self::OnlyManagementServers => "add a server that stays when they go",
            Self::ProofOutOfReach { .. } => {
                "give a reference server a stronger proof, or require a weaker one (`tcp` must be written on both sides)"
            }
            Self::LongRound { .. } => "remove servers or ports until there are 120 pairs or fewer",
        }
    }
}

impl fmt::Display for Lint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.path, self.kind, self.kind.advice())
    }
}
