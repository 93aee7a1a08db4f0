//! What a reason says: one line of facts.

use std::fmt;

use super::pin;
use super::reject::{A_DAY, Bearer, ListGap, NameMistake, RejectReason, Unfit};
use super::time::Time;

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
                write!(
                    f,
                    "{subject}: its issuer {issuer} is no root of the policy, and the server did not send its certificate"
                )
            }
            Self::SelfSigned { subject } => write!(f, "{subject}: self-signed, and not trusted itself"),
            Self::NotExact { subject } => {
                write!(f, "{subject}: another certificate than the one of this name that `exact` names")
            }
            Self::OtherSpelling { subject, issuer } => write!(
                f,
                "{subject}: its issuer {issuer} is known under this name in another spelling (string type, case or spaces)"
            ),
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
            Self::UnsupportedKey { subject, key } => write!(f, "{subject}: {key}, which is not supported"),
            Self::WeakDigest { subject, digest } => {
                write!(f, "{subject}: signed with {digest}, which can be forged")
            }
            Self::UnsupportedAlgorithm { subject, algorithm } => {
                write!(f, "{subject}: signature or key of an unsupported kind ({algorithm})")
            }
            Self::NameConstraints { subject, issuer } => {
                write!(f, "{subject}: has a name that {issuer} may not vouch for")
            }
            Self::ConstraintNotCompared { subject, issuer, kind } => {
                write!(f, "{subject}: {issuer} constrains names of the kind {kind}, which are not compared")
            }
            Self::WrongPurpose { subject } => write!(f, "{subject}: not meant for servers"),
            Self::UnknownExtension { subject, extension } => {
                write!(f, "{subject}: critical extension {extension} is not supported")
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
            Self::RevocationUnknown { subject, issuer, gap, time } => match gap {
                ListGap::NoList => write!(f, "{subject}: there is no revocation list of its issuer {issuer}"),
                ListGap::OutOfScope => {
                    write!(
                        f,
                        "{subject}: the revocation lists of its issuer {issuer} are for other certificates"
                    )
                }
                ListGap::OtherKey => write!(
                    f,
                    "{subject}: the revocation list of its issuer {issuer} is signed with another key than the one that issued it"
                ),
                ListGap::Future(when) => write!(
                    f,
                    "{subject}: the revocation list of its issuer {issuer} is dated {when}, {}",
                    Now(*time)
                ),
            },
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
            Self::RevocationUnverifiable { issuer, algorithm } => {
                write!(f, "{issuer}: its revocation list is signed with {algorithm}")
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
