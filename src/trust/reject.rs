//! Why a certificate is not believed.

use std::hash::Hasher;

use siphasher::sip::SipHasher24;

use super::certificate::{Certificate, Key};
use super::time::{Time, Timestamp};
use crate::types::{Cause, Evidence, Failure, Host, printable};

/// Characters of a reason that stand in the events of an agent: more than any has but those that list many names.
const TOLD: usize = 300;

/// Certificates that are outside their validity by less than this have just been forgotten; beyond, the clock may be wrong.
pub(super) const A_DAY: i64 = 86_400;

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
        subject: Bearer,
        /// What is wrong with it.
        problem: String,
    },
    /// The certificate, or one above it, has expired (RFC 5280 4.1.2.5).
    Expired {
        /// Whose certificate.
        subject: Bearer,
        /// Its last second.
        not_after: Timestamp,
        /// With which times it was compared.
        time: Time,
    },
    /// The certificate, or one above it, is not valid yet.
    NotYetValid {
        /// Whose certificate.
        subject: Bearer,
        /// Its first second.
        not_before: Timestamp,
        /// With which times it was compared.
        time: Time,
    },
    /// No root of the policy has issued it.
    UnknownIssuer {
        /// Whose certificate.
        subject: Bearer,
        /// The issuer that is not known.
        issuer: String,
    },
    /// The server left out the certificate of the issuer, which every server has to send but the last one
    /// (RFC 8446 4.4.2).
    MissingIntermediate {
        /// Whose certificate.
        subject: Bearer,
        /// Whose is missing.
        issuer: String,
    },
    /// It is self-signed, and the policy does not name it.
    SelfSigned {
        /// Whose certificate.
        subject: Bearer,
    },
    /// The policy names exactly one certificate of this name, and this is another one.
    NotExact {
        /// Whose certificate.
        subject: Bearer,
    },
    /// The issuer is known under the same name in another spelling: another string type, case or number of spaces. Issuers are
    /// found by the bytes of their names.
    OtherSpelling {
        /// Whose certificate.
        subject: Bearer,
        /// The issuer.
        issuer: String,
    },
    /// Signed with another key than the one that is known under the name of its issuer.
    OtherKey {
        /// Whose certificate.
        subject: Bearer,
        /// The issuer: a root of the policy, or an authority whose certificate the server sent.
        issuer: String,
    },
    /// The issuers vouch for each other and lead nowhere.
    Loop {
        /// Where the circle begins.
        subject: Bearer,
    },
    /// The issuer is no authority (RFC 5280 4.2.1.9).
    NotAnAuthority {
        /// The issuer.
        subject: Bearer,
    },
    /// The issuer's key may not sign certificates: key usage without keyCertSign (RFC 5280 4.2.1.3).
    MayNotSign {
        /// The issuer.
        subject: Bearer,
    },
    /// The certificate of an authority where a server's belongs.
    AuthorityAsServer {
        /// Whose certificate.
        subject: Bearer,
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
        subject: Bearer,
    },
    /// There are too many ways through what the server presented.
    TooComplex,
    /// A key that is too small.
    WeakKey {
        /// Whose.
        subject: Bearer,
        /// What key.
        key: Key,
    },
    /// A key that is large enough and of a kind or size that is not supported.
    UnsupportedKey {
        /// Whose.
        subject: Bearer,
        /// What key.
        key: Key,
    },
    /// A signature with a digest that can be forged.
    WeakDigest {
        /// Whose certificate bears it.
        subject: Bearer,
        /// SHA-1, MD5 or MD2.
        digest: &'static str,
    },
    /// A kind of signature or key that this library does not know.
    UnsupportedAlgorithm {
        /// Whose certificate.
        subject: Bearer,
        /// The object identifier of the signature.
        algorithm: String,
    },
    /// An authority vouches for other names only (RFC 5280 4.2.1.10).
    NameConstraints {
        /// Whose certificate.
        subject: Bearer,
        /// The authority.
        issuer: String,
    },
    /// An authority constrains names of a kind that is not compared, so nothing below it is believed (RFC 5280 4.2.1.10).
    ConstraintNotCompared {
        /// Whose certificate.
        subject: Bearer,
        /// The authority.
        issuer: String,
        /// What kind: `otherName`, `registeredID` and so on.
        kind: &'static str,
    },
    /// It is for another purpose than to be a server (RFC 5280 4.2.1.12).
    WrongPurpose {
        /// Whose certificate.
        subject: Bearer,
    },
    /// It demands something that is not supported (RFC 5280 4.2).
    UnknownExtension {
        /// Whose certificate.
        subject: Bearer,
        /// The object identifier of the extension.
        extension: String,
    },
    /// It is for other names.
    WrongName {
        /// Whose certificate.
        subject: Bearer,
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
        subject: Bearer,
    },
    /// No revocation list says anything about it, and the policy wants one that does.
    RevocationUnknown {
        /// Whose certificate.
        subject: Bearer,
        /// Whose list would have to say something.
        issuer: String,
        /// What is the matter with the lists that there are.
        gap: ListGap,
        /// With which times they were compared.
        time: Time,
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
    /// The signature of the revocation list cannot be verified: its algorithm is too weak, or not supported.
    RevocationUnverifiable {
        /// Whose list.
        issuer: String,
        /// What algorithm.
        algorithm: String,
    },
    /// The issuer may not sign revocation lists: key usage without cRLSign (RFC 5280 4.2.1.3).
    MayNotRevoke {
        /// The issuer.
        subject: Bearer,
    },
    /// None of its keys is pinned.
    PinMismatch {
        /// Whose certificate.
        subject: Bearer,
        /// The SHA-256 of its own key.
        presented: [u8; 32],
    },
    /// It, or one above it, has a key whose pin is revoked.
    PinRevoked {
        /// Whose certificate.
        subject: Bearer,
        /// The SHA-256 of that key.
        presented: [u8; 32],
    },
    /// The root is outside its own validity, which the policy enforces.
    AnchorOutside {
        /// Which root.
        subject: Bearer,
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
        subject: Bearer,
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

/// Which certificate a reason is about. Prints as its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bearer {
    /// Its subject, or the names it is for when it has none.
    pub name: String,
    /// Its place in the chain.
    pub place: Place,
}

/// A place in a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// The server's own certificate.
    Server,
    /// A certificate between the server and the root.
    Authority,
    /// The root.
    Root,
}

impl Bearer {
    pub(super) fn of(certificate: &Certificate<'_>, place: Place) -> Self {
        Self { name: certificate.called(), place }
    }

    pub(super) fn server(name: String) -> Self {
        Self { name, place: Place::Server }
    }

    pub(super) fn root(name: String) -> Self {
        Self { name, place: Place::Root }
    }
}

/// Why no revocation list says anything about a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ListGap {
    /// There is no list of its issuer.
    NoList,
    /// The lists of its issuer are for other certificates (RFC 5280 5.2.5).
    OutOfScope,
    /// The lists of that name are signed with another key than the one that issued it.
    OtherKey,
    /// The list of its issuer is dated later than now.
    Future(Timestamp),
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
    /// The root demands something that is not supported (RFC 5280 4.2).
    UnknownCriticalExtension,
    /// The extended key usage of the root is not for servers (RFC 5280 4.2.1.12).
    NotForServers,
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
            | Self::NotExact { .. }
            | Self::OtherSpelling { .. }
            | Self::OtherKey { .. }
            | Self::Loop { .. } => Cause::UnknownIssuer,
            Self::WrongName { .. } => Cause::WrongName,
            Self::Revoked { .. } => Cause::Revoked,
            Self::PinMismatch { .. } | Self::PinRevoked { .. } => Cause::PinMismatch,
            Self::WeakKey { .. } | Self::WeakDigest { .. } => Cause::WeakKey,
            Self::RevocationUnknown { .. }
            | Self::RevocationExpired { .. }
            | Self::RevocationForged { .. }
            | Self::RevocationUnverifiable { .. }
            | Self::MayNotRevoke { .. } => Cause::RevocationUnknown,
            Self::NoCertificate
            | Self::Malformed { .. }
            | Self::NotAnAuthority { .. }
            | Self::MayNotSign { .. }
            | Self::AuthorityAsServer { .. }
            | Self::ChainTooLong { .. }
            | Self::PathLength { .. }
            | Self::TooComplex
            | Self::UnsupportedKey { .. }
            | Self::UnsupportedAlgorithm { .. }
            | Self::NameConstraints { .. }
            | Self::ConstraintNotCompared { .. }
            | Self::WrongPurpose { .. }
            | Self::UnknownExtension { .. }
            | Self::AnchorOutside { .. }
            | Self::NotStrict { .. } => Cause::BadCertificate,
            Self::Both { chain, .. } => chain.cause(),
        }
    }

    /// The failure of an attempt that ended with this; its note has the reason and what to do.
    pub fn failure(&self) -> Failure {
        let note = format!("{}; {}", printable(self, TOLD), self.explain());
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
