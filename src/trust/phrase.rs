//! What a reason says: one line of facts.

use std::fmt;

use super::pin;
use super::reject::{A_DAY, Bearer, ListGap, NameMistake, RejectReason, Unfit};
use super::time::Time;
use crate::types::Host;

impl fmt::Display for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoBasicConstraints => "it has no basic constraints",
            Self::BasicConstraintsNotCritical => "its basic constraints are not critical",
            Self::NotAnAuthority => "its basic constraints say that it is no authority",
            Self::NoCertificateSigning => "its key usage has no keyCertSign",
            Self::UnknownCriticalExtension => "it has a critical extension that is not supported",
            Self::NotForServers => "its extended key usage is not for servers",
            Self::ServerMaySign => "a server's key usage has keyCertSign",
        })
    }
}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Both { chain, name } = self {
            return write!(f, "{chain}; and {name}");
        }
        if let Some(whose) = self.whose() {
            write!(f, "{whose}: ")?;
        }
        self.fact(f)
    }
}

impl RejectReason {
    /// What the certificate or the authority is called that it is about.
    fn whose(&self) -> Option<&str> {
        match self {
            Self::Malformed { subject, .. }
            | Self::Expired { subject, .. }
            | Self::NotYetValid { subject, .. }
            | Self::UnknownIssuer { subject, .. }
            | Self::MissingIntermediate { subject, .. }
            | Self::SelfSigned { subject }
            | Self::NotExact { subject }
            | Self::OtherSpelling { subject, .. }
            | Self::OtherKey { subject, .. }
            | Self::Loop { subject }
            | Self::NotAnAuthority { subject }
            | Self::MayNotSign { subject }
            | Self::AuthorityAsServer { subject }
            | Self::PathLength { subject }
            | Self::WeakKey { subject, .. }
            | Self::UnsupportedKey { subject, .. }
            | Self::WeakDigest { subject, .. }
            | Self::UnsupportedAlgorithm { subject, .. }
            | Self::NameConstraints { subject, .. }
            | Self::ConstraintNotCompared { subject, .. }
            | Self::WrongPurpose { subject }
            | Self::UnknownExtension { subject, .. }
            | Self::WrongName { subject, .. }
            | Self::Revoked { subject }
            | Self::RevocationUnknown { subject, .. }
            | Self::MayNotRevoke { subject }
            | Self::PinMismatch { subject, .. }
            | Self::PinRevoked { subject, .. }
            | Self::AnchorOutside { subject, .. }
            | Self::NotStrict { subject, .. } => Some(&subject.name),
            Self::RevocationExpired { issuer, .. }
            | Self::RevocationForged { issuer }
            | Self::RevocationUnverifiable { issuer, .. } => Some(issuer),
            Self::NoCertificate | Self::ChainTooLong { .. } | Self::TooComplex | Self::Both { .. } => None,
        }
    }

    /// What is the matter with it.
    fn fact(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCertificate => write!(f, "it presented no certificate"),
            Self::Malformed { problem, .. } => write!(f, "{problem}"),
            Self::Expired { not_after, time, .. } => write!(f, "expired {not_after}, {}", Now(*time)),
            Self::NotYetValid { not_before, time, .. } => {
                write!(f, "valid from {not_before}, {}", Now(*time))
            }
            Self::UnknownIssuer { issuer, .. } => write!(f, "its issuer {issuer} is not trusted"),
            Self::MissingIntermediate { issuer, .. } => write!(
                f,
                "its issuer {issuer} is no root of the policy, and the server did not send its certificate"
            ),
            Self::SelfSigned { .. } => write!(f, "self-signed, and not trusted itself"),
            Self::NotExact { .. } => {
                write!(f, "another certificate than the one of this name that `exact` names")
            }
            Self::OtherSpelling { issuer, .. } => write!(
                f,
                "its issuer {issuer} is known under this name in another spelling (string type, case or spaces)"
            ),
            Self::OtherKey { issuer, .. } => {
                write!(f, "signed with another key than the one that is known of its issuer {issuer}")
            }
            Self::Loop { .. } => write!(f, "its issuers vouch for each other in a circle"),
            Self::NotAnAuthority { .. } => write!(f, "has issued a certificate and is no authority"),
            Self::MayNotSign { .. } => {
                write!(f, "has issued a certificate without keyCertSign in its key usage")
            }
            Self::AuthorityAsServer { .. } => write!(f, "an authority in the place of a server"),
            Self::ChainTooLong { found, limit } => {
                write!(f, "certificates between server and root: {found}; the policy allows {limit}")
            }
            Self::PathLength { .. } => write!(f, "more authorities below it than it allows"),
            Self::TooComplex => write!(f, "too many ways through the certificates it sent"),
            Self::WeakKey { key, .. } => write!(f, "{key}, which is too small"),
            Self::UnsupportedKey { key, .. } => write!(f, "{key}, which is not supported"),
            Self::WeakDigest { digest, .. } => write!(f, "signed with {digest}, which can be forged"),
            Self::UnsupportedAlgorithm { algorithm, .. } => {
                write!(f, "signature or key of an unsupported kind ({algorithm})")
            }
            Self::NameConstraints { issuer, .. } => write!(f, "has a name that {issuer} may not vouch for"),
            Self::ConstraintNotCompared { issuer, kind, .. } => {
                write!(f, "{issuer} constrains names of the kind {kind}, which are not compared")
            }
            Self::WrongPurpose { .. } => write!(f, "not meant for servers"),
            Self::UnknownExtension { extension, .. } => {
                write!(f, "critical extension {extension} is not supported")
            }
            Self::WrongName { expected, present, more, mistake, .. } => {
                wrong_name(f, expected, present, *more, mistake.as_ref())
            }
            Self::Revoked { .. } => write!(f, "revoked"),
            Self::RevocationUnknown { issuer, gap, time, .. } => unknown_status(f, issuer, *gap, *time),
            Self::RevocationExpired { next_update, time, .. } => {
                write!(f, "its revocation list should have been renewed {next_update}, {}", Now(*time))
            }
            Self::RevocationForged { .. } => write!(f, "its revocation list is not signed with its key"),
            Self::RevocationUnverifiable { algorithm, .. } => {
                write!(f, "its revocation list is signed with {algorithm}")
            }
            Self::MayNotRevoke { .. } => {
                write!(f, "has issued a revocation list without cRLSign in its key usage")
            }
            Self::PinMismatch { presented, .. } => {
                write!(f, "none of its keys is pinned; its own is {}", pin::text(presented))
            }
            Self::PinRevoked { presented, .. } => {
                write!(f, "the pin {} of a key it relies on is revoked", pin::text(presented))
            }
            Self::AnchorOutside { not_before, not_after, time, .. } => {
                write!(f, "the root is valid from {not_before} to {not_after}, {}", Now(*time))
            }
            Self::NotStrict { problem, .. } => write!(f, "{problem}"),
            Self::Both { .. } => Ok(()),
        }
    }
}

/// A certificate that is for other names.
fn wrong_name(
    f: &mut fmt::Formatter<'_>,
    expected: &Host,
    present: &[String],
    more: usize,
    mistake: Option<&NameMistake>,
) -> fmt::Result {
    write!(f, "not for {expected}")?;
    match mistake {
        Some(NameMistake::CommonNameOnly(name)) => {
            return write!(f, ": common name only ({name}), reissue with a subject alternative name");
        }
        Some(NameMistake::AddressAsName) => f.write_str(": IP address put in a dNSName")?,
        None => {}
    }
    match present {
        [] => f.write_str("; it has no names")?,
        _ => write!(f, "; its names: {}", present.join(", "))?,
    }
    if more > 0 { write!(f, " and {more} more") } else { Ok(()) }
}

/// A certificate of which no revocation list says anything.
fn unknown_status(f: &mut fmt::Formatter<'_>, issuer: &str, gap: ListGap, time: Time) -> fmt::Result {
    match gap {
        ListGap::NoList => write!(f, "there is no revocation list of its issuer {issuer}"),
        ListGap::OutOfScope => {
            write!(f, "the revocation lists of its issuer {issuer} are for other certificates")
        }
        ListGap::OtherKey => write!(
            f,
            "the revocation list of its issuer {issuer} is signed with another key than the one that issued it"
        ),
        ListGap::Future(when) => {
            write!(f, "the revocation list of its issuer {issuer} is dated {when}, {}", Now(time))
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
