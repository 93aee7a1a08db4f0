//! Why a text is not settings, and what is odd about a text that is.

use std::fmt;

use super::limits::{MAX_DEPTH, MAX_TEXT};

/// Why a text is not settings. Nothing of such a text is used.
///
/// Where a place in the document is to blame, the message begins with it:
/// `server_lists[0].priorities[1].servers[2].https_port: 0 is not a port; write 1 to 65535`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The text is larger than [`MAX_TEXT`].
    #[error("the settings have {bytes} bytes; at most {} are read", MAX_TEXT)]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// There is no text.
    #[error("the settings are empty; write at least one server list (docs/settings.md)")]
    Empty,
    /// The text is UTF-16, as some editors on Windows save it.
    #[error("the settings are UTF-16; save the file as UTF-8")]
    Utf16,
    /// The text is not UTF-8.
    #[error("the settings are not UTF-8 (byte {at}); save the file as UTF-8")]
    NotUtf8 {
        /// Offset of the first byte that is not.
        at: usize,
    },
    /// The text is not JSON.
    #[error("the settings are not JSON: {detail} at line {line}, column {column}")]
    NotJson {
        /// Counted from 1.
        line: usize,
        /// Counted from 1; 0 stands before the first character.
        column: usize,
        /// What is wrong there.
        detail: String,
    },
    /// Brackets within brackets, deeper than any settings go.
    #[error(
        "the settings are nested more than {} levels deep at line {line}, column {column}; a bracket is probably missing",
        MAX_DEPTH
    )]
    TooDeep {
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
    },
    /// The document is of a version that this library does not know.
    #[error(
        "version: {found} is not a version this agent understands (it understands 1); \
         update the agent, or write the settings in version 1"
    )]
    Version {
        /// What it says of itself.
        found: String,
    },
    /// The document asks for something that this library cannot do.
    #[error(
        "{path}: this agent does not know {name}, which the settings require; update the agent, or leave it out"
    )]
    Requirement {
        /// Where.
        path: String,
        /// What is asked for, in quotes.
        name: String,
    },
    /// Nothing in the document has this name at this place.
    #[error("{path}: unknown field; {advice}")]
    UnknownField {
        /// Where.
        path: String,
        /// What was meant, as far as it can be guessed.
        advice: String,
    },
    /// A location tries to change what belongs to the group.
    #[error("{path}: belongs to the group, and a location cannot change it; write it in `group`")]
    GroupOnly {
        /// Where.
        path: String,
    },
    /// Something has the wrong type, is missing, stands twice, or is out of its range.
    #[error("{path}: {problem}")]
    Value {
        /// Where.
        path: String,
        /// What is wrong, in words.
        problem: String,
    },
    /// There is more of something than an agent takes.
    #[error("{path}: {found} {what}, at most {limit} are allowed; remove some")]
    TooMany {
        /// Where.
        path: String,
        /// What, in the plural.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many there may be.
        limit: usize,
    },
    /// Not one management server is named.
    #[error("server_lists: no server is named; write at least one in `priorities[0].servers` of a list")]
    NoServer,
    /// Two lists, or two locations, have one name.
    #[error("{path}: {name} is already the name of {first}; give one of the two another name")]
    NameTaken {
        /// Where the second stands.
        path: String,
        /// The name, in quotes.
        name: String,
        /// Where the first stands.
        first: String,
    },
    /// Two different servers of one list have one id.
    #[error(
        "{path}: {id} is already the id of {first}, which has another address, protocol or port; give one of the two another id"
    )]
    IdTaken {
        /// Where the second stands.
        path: String,
        /// The id, in quotes.
        id: String,
        /// Where the first stands.
        first: String,
    },
    /// A list is named that does not exist.
    #[error("{path}: there is no server list {name}; {advice}")]
    NoSuchList {
        /// Where it is named.
        path: String,
        /// The name, in quotes.
        name: String,
        /// What was meant, as far as it can be guessed.
        advice: String,
    },
    /// The parts of a certificate policy contradict each other.
    #[error("{path}: {problem}")]
    Certificate {
        /// Where.
        path: String,
        /// What is wrong.
        problem: CertificateProblem,
    },
    /// A reference server could never give the proof it is there for.
    #[error("{path}: {problem}")]
    Reference {
        /// Where.
        path: String,
        /// What is wrong.
        problem: ReferenceProblem,
    },
}

/// How the parts of a certificate policy contradict each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateProblem {
    /// `roots` is an empty list.
    #[error("nobody is believed; name a root, or leave `roots` out for the public ones")]
    NoRoots,
    /// `pin_only` and no pin that could match.
    #[error(
        "`pin_only` needs a pin that is `active`, `next` or `retiring`, else no server could ever be believed"
    )]
    PinOnlyWithoutPins,
    /// `pin_only` and `roots`.
    #[error("with `pin_only` the roots would not count; leave out one of the two")]
    PinOnlyWithRoots,
    /// `pin_only` beside a field that is about chains.
    #[error(
        "with `pin_only` there is no chain, so `{0}` would do nothing; leave it out, or trust `roots` beside the pins"
    )]
    PinOnlyWith(&'static str),
    /// `roots` with `public` beside a field that looks at the certificates of roots.
    #[error(
        "`{0}` looks at the certificates of the roots, and the public ones are compiled in without; use `system` or a bundle"
    )]
    PublicWith(&'static str),
    /// `revocation` without `crls`.
    #[error("there are no `crls` to which this could apply; name a revocation list, or leave it out")]
    RevocationWithoutLists,
    /// One key twice.
    #[error("this key is pinned twice; remove one of the two")]
    PinTwice,
    /// `danger_no_verification` and something to verify.
    #[error("`danger_no_verification` verifies nothing, so `{0}` would not count; leave out one of the two")]
    DangerWith(&'static str),
}

/// Why a reference server could never give its proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReferenceProblem {
    /// `proof` is `pin`, and its certificate policy has none.
    #[error(
        "the proof is `pin`, but its certificate policy has no pin that could match; add one to `certificate.pins`"
    )]
    NoPin,
    /// `proof` is `tls` or `pin`, and its certificate policy verifies nothing.
    #[error(
        "the proof takes a verified certificate, but its certificate policy has `danger_no_verification`; name a bundle or a \
         pin instead, or ask for `tcp`"
    )]
    NotVerified,
    /// `ports` is an empty list.
    #[error("at least one port is needed; leave `ports` out for 443")]
    NoPort,
    /// One port twice.
    #[error("{0} stands twice; remove one of the two")]
    PortTwice(u16),
    /// Two control addresses of one family.
    #[error("at most one address of each family can be the control; remove the others")]
    ControlTwice,
}

/// Something odd about settings that are in force all the same. Displays as `place: what; what to do`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Where.
    pub path: String,
    /// What.
    pub kind: WarningKind,
}

/// What is odd.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WarningKind {
    /// A field that this library does not know, in settings that a server sent.
    #[error("unknown field, ignored")]
    UnknownField,
    /// More unknown fields, which are not listed.
    #[error("{0} more unknown fields, ignored")]
    MoreUnknownFields(usize),
    /// The same server stood earlier in the list, where it stays.
    #[error("the same server as {first}, where it stays; this entry is ignored")]
    Merged {
        /// Where it stays.
        first: String,
    },
}

impl WarningKind {
    /// What to do about it.
    pub const fn advice(&self) -> &'static str {
        match self {
            Self::UnknownField => "update the agent, or leave it out",
            Self::MoreUnknownFields(_) => "update the agent, or leave them out",
            Self::Merged { .. } => "remove one of the two",
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.path, self.kind, self.kind.advice())
    }
}
