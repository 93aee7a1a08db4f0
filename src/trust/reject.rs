//! Why a certificate is not believed.

use std::fmt;
use std::hash::Hasher;

use siphasher::sip::SipHasher24;

use super::certificate::{self, Key};
use super::pin;
use super::time::{Time, Timestamp};
use crate::words::{Cause, Evidence, Failure, Host};

/// Characters of a reason that stand in the events of an agent: more than any has but those that list many names.
const TOLD: usize = 300;

/// Certificates that are outside their validity by less than this have just been forgotten; beyond, the clock may be wrong.
const A_DAY: i64 = 86_400;

/// Why a certificate is not believed: what an administrator has to reissue, and why.
///
/// Prints as one line of facts; [`explain`](Self::explain) says what to do. Subjects and issuers are
/// texts the peer wrote: shortened, and without control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RejectReason {
    /// The server presented no certificate.
    NoCertificate,
    /// It is no certificate, or one of a kind that TLS does not use (RFC 5280 4.1).
    Malformed {
        /// Its subject, if that can be read.
        subject: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The certificate, or one above it, has expired (RFC 5280 4.1.2.5).
    Expired {
        /// Whose certificate.
        subject: String,
        /// Its last second.
        not_after: Timestamp,
        /// With which times it was compared.
        time: Time,
    },
    /// The certificate, or one above it, is not valid yet.
    NotYetValid {
        /// Whose certificate.
        subject: String,
        /// Its first second.
        not_before: Timestamp,
        /// With which times it was compared.
        time: Time,
    },
    /// Nobody the policy trusts has issued it.
    UnknownIssuer {
        /// Whose certificate.
        subject: String,
        /// The issuer nobody knows.
        issuer: String,
    },
    /// The server left out the certificate of the issuer, which every server has to send but the last one
    /// (RFC 8446 4.4.2).
    MissingIntermediate {
        /// Whose certificate.
        subject: String,
        /// Whose is missing.
        issuer: String,
    },
    /// It vouches for itself, and the policy does not name it.
    SelfSigned {
        /// Whose certificate.
        subject: String,
    },
    /// Signed with another key than the one that is known under the name of its issuer.
    OtherKey {
        /// Whose certificate.
        subject: String,
        /// The issuer: a root of the policy, or somebody whose certificate the server sent.
        issuer: String,
    },
    /// The issuers vouch for each other and lead nowhere.
    Loop {
        /// Where the circle begins.
        subject: String,
    },
    /// The issuer is no authority (RFC 5280 4.2.1.9).
    NotAnAuthority {
        /// The issuer.
        subject: String,
    },
    /// The issuer's key may not sign certificates: key usage without keyCertSign (RFC 5280 4.2.1.3).
    MayNotSign {
        /// The issuer.
        subject: String,
    },
    /// The certificate of an authority where a server's belongs.
    AuthorityAsServer {
        /// Whose certificate.
        subject: String,
    },
    /// More certificates between server and root than the policy allows.
    ChainTooLong {
        /// How many there are.
        found: usize,
        /// How many the policy allows.
        limit: usize,
    },
    /// More certificates below an authority than it allows (RFC 5280 4.2.1.9, pathLenConstraint).
    PathLength {
        /// The authority.
        subject: String,
    },
    /// There are too many ways through what the server presented.
    TooComplex,
    /// A key that is too small.
    WeakKey {
        /// Whose.
        subject: String,
        /// What key.
        key: Key,
    },
    /// A signature with a digest that can be forged.
    WeakDigest {
        /// Whose certificate bears it.
        subject: String,
        /// SHA-1, MD5 or MD2.
        digest: &'static str,
    },
    /// A kind of signature or key that this library does not know.
    UnsupportedAlgorithm {
        /// Whose certificate.
        subject: String,
        /// The object identifier of the signature.
        algorithm: String,
    },
    /// An authority vouches for other names only (RFC 5280 4.2.1.10).
    NameConstraints {
        /// Whose certificate.
        subject: String,
        /// The authority.
        issuer: String,
    },
    /// It is for another purpose than to be a server (RFC 5280 4.2.1.12).
    WrongPurpose {
        /// Whose certificate.
        subject: String,
    },
    /// It demands something nobody here knows (RFC 5280 4.2).
    UnknownExtension {
        /// Whose certificate.
        subject: String,
        /// The object identifier of the extension.
        extension: String,
    },
    /// It is for other names.
    WrongName {
        /// Whose certificate.
        subject: String,
        /// The name that was wanted.
        expected: Host,
        /// The names it is for, at most sixteen.
        present: Vec<String>,
        /// How many more there are.
        more: usize,
        /// A mistake that many make.
        mistake: Option<NameMistake>,
    },
    /// It was revoked (RFC 5280 6.3).
    Revoked {
        /// Whose certificate.
        subject: String,
    },
    /// No revocation list says anything about it, and the policy wants one that does.
    RevocationUnknown {
        /// Whose certificate.
        subject: String,
        /// Who would have to say something.
        issuer: String,
    },
    /// The revocation list is out of date.
    RevocationExpired {
        /// Whose list.
        issuer: String,
        /// When the next one was due.
        next_update: Timestamp,
        /// With which times that was compared.
        time: Time,
    },
    /// The signature of the revocation list is not its issuer's.
    RevocationForged {
        /// Whose list it says it is.
        issuer: String,
    },
    /// The issuer may not sign revocation lists: key usage without cRLSign (RFC 5280 4.2.1.3).
    MayNotRevoke {
        /// The issuer.
        subject: String,
    },
    /// None of its keys is pinned.
    PinMismatch {
        /// Whose certificate.
        subject: String,
        /// The SHA-256 of its own key.
        presented: [u8; 32],
    },
    /// It, or one above it, has a key whose pin is revoked.
    PinRevoked {
        /// Whose certificate.
        subject: String,
        /// The SHA-256 of that key.
        presented: [u8; 32],
    },
    /// The root is outside its own validity, which the policy enforces.
    AnchorOutside {
        /// Which root.
        subject: String,
        /// Its first second.
        not_before: Timestamp,
        /// Its last second.
        not_after: Timestamp,
        /// With which times they were compared.
        time: Time,
    },
    /// The root, or the certificate, is not as a strict private authority makes it.
    NotStrict {
        /// Whose certificate.
        subject: String,
        /// What it lacks.
        problem: Unfit,
    },
    /// The chain and the name are both wrong.
    Both {
        /// What is wrong with the chain.
        chain: Box<RejectReason>,
        /// What is wrong with the name.
        name: Box<RejectReason>,
    },
}

/// Why a name does not fit though a person may think so.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameMistake {
    /// The IP address stands among the host names (dNSName), where it means nothing (RFC 9525 6.3).
    AddressAsName,
    /// It has a common name and no subject alternative name (RFC 9525 2: common names are not looked at).
    CommonNameOnly(String),
}

/// What a strict private authority does otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Unfit {
    /// The root does not say that it is an authority (RFC 5280 4.2.1.9).
    NoBasicConstraints,
    /// It says so, and not as something critical.
    BasicConstraintsNotCritical,
    /// It says that it is none.
    NotAnAuthority,
    /// The key usage of the root leaves out keyCertSign (RFC 5280 4.2.1.3).
    NoCertificateSigning,
    /// The root demands something nobody here knows (RFC 5280 4.2).
    UnknownCriticalExtension,
    /// The server's certificate may sign others: keyCertSign.
    ServerMaySign,
}

impl RejectReason {
    /// What happened, in the words of the engine.
    pub fn cause(&self) -> Cause {
        match self {
            Self::Expired { .. } => Cause::CertificateExpired,
            Self::NotYetValid { .. } => Cause::CertificateNotYetValid,
            Self::UnknownIssuer { .. }
            | Self::MissingIntermediate { .. }
            | Self::SelfSigned { .. }
            | Self::OtherKey { .. }
            | Self::Loop { .. } => Cause::UnknownIssuer,
            Self::WrongName { .. } => Cause::WrongName,
            Self::Revoked { .. } => Cause::Revoked,
            Self::PinMismatch { .. } | Self::PinRevoked { .. } => Cause::PinMismatch,
            Self::WeakKey { .. } | Self::WeakDigest { .. } => Cause::WeakKey,
            Self::RevocationUnknown { .. }
            | Self::RevocationExpired { .. }
            | Self::RevocationForged { .. }
            | Self::MayNotRevoke { .. } => Cause::RevocationUnknown,
            Self::NoCertificate
            | Self::Malformed { .. }
            | Self::NotAnAuthority { .. }
            | Self::MayNotSign { .. }
            | Self::AuthorityAsServer { .. }
            | Self::ChainTooLong { .. }
            | Self::PathLength { .. }
            | Self::TooComplex
            | Self::UnsupportedAlgorithm { .. }
            | Self::NameConstraints { .. }
            | Self::WrongPurpose { .. }
            | Self::UnknownExtension { .. }
            | Self::AnchorOutside { .. }
            | Self::NotStrict { .. } => Cause::BadCertificate,
            Self::Both { chain, .. } => chain.cause(),
        }
    }

    /// The failure of an attempt that ended with this; its note has the reason and what to do.
    pub fn failure(&self) -> Failure {
        let note = format!("{}; {}", certificate::shortened(&self.to_string(), TOLD), self.explain());
        Failure { cause: self.cause(), note: Some(note.into()), evidence: self.evidence() }
    }

    /// What it says about more than this server.
    // Most reasons say nothing.
    #[allow(clippy::wildcard_enum_match_arm)]
    fn evidence(&self) -> Option<Evidence> {
        let evidence = match self {
            Self::Expired { time, .. } | Self::NotYetValid { time, .. } if time.behind().is_some() => {
                Evidence::ClockBehind
            }
            Self::Expired { not_after, time, .. }
                if time.verification().seconds_since(*not_after) > A_DAY =>
            {
                Evidence::ExpiredBefore(not_after.0)
            }
            Self::NotYetValid { not_before, time, .. }
                if not_before.seconds_since(time.verification()) > A_DAY =>
            {
                Evidence::ValidLater(not_before.0)
            }
            Self::UnknownIssuer { issuer, .. } => {
                let mut fingerprint = SipHasher24::new();
                fingerprint.write(issuer.as_bytes());
                Evidence::UnknownIssuer(fingerprint.finish())
            }
            Self::Both { chain, .. } => return chain.evidence(),
            _ => return None,
        };
        Some(evidence)
    }

    /// How much a reason explains, if several ways to a root failed: the way that got furthest wins.
    pub(super) fn weight(&self) -> u8 {
        if matches!(self, Self::Revoked { .. } | Self::PinRevoked { .. }) {
            4
        } else if matches!(self, Self::MayNotRevoke { .. } | Self::PinMismatch { .. }) {
            3
        } else if matches!(self, Self::AnchorOutside { .. } | Self::NotStrict { .. }) {
            2
        } else {
            1
        }
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoBasicConstraints => "it has no basic constraints",
            Self::BasicConstraintsNotCritical => "its basic constraints are not critical",
            Self::NotAnAuthority => "its basic constraints say that it is no authority",
            Self::NoCertificateSigning => "its key usage has no keyCertSign",
            Self::UnknownCriticalExtension => "it has a critical extension that is not known",
            Self::ServerMaySign => "a server's key usage has keyCertSign",
        })
    }
}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCertificate => f.write_str("it presented no certificate"),
            Self::Malformed { subject, problem } => write!(f, "{subject}: {problem}"),
            Self::Expired { subject, not_after, time } => {
                write!(f, "{subject}: expired {not_after}, {}", Now(*time))
            }
            Self::NotYetValid { subject, not_before, time } => {
                write!(f, "{subject}: valid from {not_before}, {}", Now(*time))
            }
            Self::UnknownIssuer { subject, issuer } => {
                write!(f, "{subject}: its issuer {issuer} is not trusted")
            }
            Self::MissingIntermediate { subject, issuer } => {
                write!(f, "{subject}: the server did not send the certificate of its issuer {issuer}")
            }
            Self::SelfSigned { subject } => write!(f, "{subject}: self-signed, and not trusted itself"),
            Self::OtherKey { subject, issuer } => {
                write!(
                    f,
                    "{subject}: signed with another key than the one that is known of its issuer {issuer}"
                )
            }
            Self::Loop { subject } => write!(f, "{subject}: its issuers vouch for each other in a circle"),
            Self::NotAnAuthority { subject } => {
                write!(f, "{subject}: has issued a certificate and is no authority")
            }
            Self::MayNotSign { subject } => {
                write!(f, "{subject}: has issued a certificate without keyCertSign in its key usage")
            }
            Self::AuthorityAsServer { subject } => {
                write!(f, "{subject}: an authority in the place of a server")
            }
            Self::ChainTooLong { found, limit } => {
                write!(f, "certificates between server and root: {found}; the policy allows {limit}")
            }
            Self::PathLength { subject } => {
                write!(f, "{subject}: more authorities below it than it allows")
            }
            Self::TooComplex => f.write_str("too many ways through the certificates it sent"),
            Self::WeakKey { subject, key } => write!(f, "{subject}: {key}, which is too small"),
            Self::WeakDigest { subject, digest } => {
                write!(f, "{subject}: signed with {digest}, which can be forged")
            }
            Self::UnsupportedAlgorithm { subject, algorithm } => {
                write!(f, "{subject}: signature or key of an unsupported kind ({algorithm})")
            }
            Self::NameConstraints { subject, issuer } => {
                write!(f, "{subject}: has a name that {issuer} may not vouch for")
            }
            Self::WrongPurpose { subject } => write!(f, "{subject}: not meant for servers"),
            Self::UnknownExtension { subject, extension } => {
                write!(f, "{subject}: critical extension {extension} is not known")
            }
            Self::WrongName { subject, expected, present, more, mistake } => {
                write!(f, "{subject}: not for {expected}")?;
                match mistake {
                    Some(NameMistake::CommonNameOnly(name)) => {
                        let advice = "reissue with a subject alternative name";
                        return write!(f, ": common name only ({name}), {advice}");
                    }
                    Some(NameMistake::AddressAsName) => f.write_str(": IP address put in a dNSName")?,
                    None => {}
                }
                match present.as_slice() {
                    [] => f.write_str("; it has no names")?,
                    _ => write!(f, "; its names: {}", present.join(", "))?,
                }
                if *more > 0 { write!(f, " and {more} more") } else { Ok(()) }
            }
            Self::Revoked { subject } => write!(f, "{subject}: revoked"),
            Self::RevocationUnknown { subject, issuer } => {
                write!(f, "{subject}: no revocation list of its issuer {issuer} says anything about it")
            }
            Self::RevocationExpired { issuer, next_update, time } => {
                write!(
                    f,
                    "{issuer}: its revocation list should have been renewed {next_update}, {}",
                    Now(*time)
                )
            }
            Self::RevocationForged { issuer } => {
                write!(f, "{issuer}: its revocation list is not signed with its key")
            }
            Self::MayNotRevoke { subject } => {
                write!(f, "{subject}: has issued a revocation list without cRLSign in its key usage")
            }
            Self::PinMismatch { subject, presented } => {
                write!(f, "{subject}: none of its keys is pinned; its own is {}", pin::text(presented))
            }
            Self::PinRevoked { subject, presented } => {
                write!(f, "{subject}: the pin {} of a key it relies on is revoked", pin::text(presented))
            }
            Self::AnchorOutside { subject, not_before, not_after, time } => {
                write!(f, "root {subject}: valid from {not_before} to {not_after}, {}", Now(*time))
            }
            Self::NotStrict { subject, problem } => write!(f, "{subject}: {problem}"),
            Self::Both { chain, name } => write!(f, "{chain}; and {name}"),
        }
    }
}

impl std::error::Error for RejectReason {}

/// What time it was, and how wrong the clock is if it is.
struct Now(Time);

impl fmt::Display for Now {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.behind() {
            None => write!(f, "now is {}", self.0.verification()),
            Some(behind) => {
                let days = behind.as_secs() / A_DAY.unsigned_abs();
                write!(
                    f,
                    "now is at least {}; the clock says {}, {days} days behind",
                    self.0.floor, self.0.wall
                )
            }
        }
    }
}
