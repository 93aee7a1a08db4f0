//! What to do about a certificate that is not believed.

use std::borrow::Cow;

use super::reject::{ListGap, NameMistake, Place, RejectReason, Unfit};

impl RejectReason {
    /// What to do about it, in a sentence for an administrator.
    pub fn explain(&self) -> Cow<'static, str> {
        if let Self::Both { chain, name } = self {
            return format!("{}; {}", chain.explain(), name.explain()).into();
        }
        self.advice().into()
    }

    fn advice(&self) -> &'static str {
        match self {
            Self::NoCertificate => "configure a certificate on the server",
            Self::Malformed { .. } => MALFORMED,
            Self::Expired { time, .. } if time.behind().is_some() => EXPIRED_AND_CLOCK,
            Self::Expired { subject, .. } => subject.place.either(EXPIRED_SERVER, EXPIRED_AUTHORITY),
            Self::NotYetValid { time, .. } if time.behind().is_some() => CLOCK,
            Self::NotYetValid { .. } => "look at the clocks of this machine and of the authority",
            Self::UnknownIssuer { .. } | Self::MissingIntermediate { .. } => UNKNOWN_ISSUER,
            Self::SelfSigned { .. } => SELF_SIGNED,
            Self::NotExact { .. } => NOT_EXACT,
            Self::OtherSpelling { .. } => OTHER_SPELLING,
            Self::OtherKey { .. } => OTHER_KEY,
            Self::Loop { .. } | Self::TooComplex => {
                "let the server send only the certificates that lead to the root"
            }
            Self::NotAnAuthority { .. } => "reissue with an authority whose basic constraints say cA",
            Self::MayNotSign { .. } => "reissue the authority with keyCertSign in its key usage",
            Self::AuthorityAsServer { .. } => AUTHORITY_AS_SERVER,
            Self::ChainTooLong { .. } => CHAIN_TOO_LONG,
            Self::PathLength { .. } => PATH_LENGTH,
            Self::WeakKey { subject, .. } => subject.place.either(WEAK_SERVER, WEAK_AUTHORITY),
            Self::UnsupportedKey { subject, .. } => {
                subject.place.either(UNSUPPORTED_SERVER, UNSUPPORTED_AUTHORITY)
            }
            Self::WeakDigest { .. } => "reissue this certificate with SHA-256 or better",
            Self::UnsupportedAlgorithm { .. } => UNSUPPORTED_ALGORITHM,
            Self::NameConstraints { .. } => NAME_CONSTRAINTS,
            Self::ConstraintNotCompared { .. } => CONSTRAINT_NOT_COMPARED,
            Self::WrongPurpose { subject } => subject.place.either(PURPOSE_SERVER, PURPOSE_AUTHORITY),
            Self::UnknownExtension { .. } => UNKNOWN_EXTENSION,
            Self::WrongName { mistake, .. } => match mistake {
                Some(NameMistake::AddressAsName) => ADDRESS_AS_NAME,
                Some(NameMistake::CommonNameOnly(_)) => COMMON_NAME_ONLY,
                None => WRONG_NAME,
            },
            Self::Revoked { subject } => subject.place.either(REVOKED_SERVER, REVOKED_AUTHORITY),
            Self::RevocationUnknown { gap, .. } => gap.explain(),
            Self::RevocationExpired { .. } => "fetch the present revocation list of the issuer",
            Self::RevocationForged { .. } => "fetch the revocation list from the issuer again",
            Self::RevocationUnverifiable { .. } => UNVERIFIABLE,
            Self::MayNotRevoke { .. } => "reissue the authority with cRLSign in its key usage",
            Self::PinMismatch { .. } => PIN_MISMATCH,
            Self::PinRevoked { subject, .. } => {
                subject.place.either("give the server another key", PIN_REVOKED_AUTHORITY)
            }
            Self::AnchorOutside { .. } => "replace the root in the bundle",
            Self::NotStrict { problem, .. } => problem.explain(),
            Self::Both { chain, .. } => chain.advice(),
        }
    }
}

const MALFORMED: &str = "reissue it as X.509 version 3 in DER, with dates after 1970, at most 64 KiB";
const EXPIRED_AND_CLOCK: &str = "renew the certificate, and set the clock of this machine: it is wrong";
const EXPIRED_SERVER: &str = "renew the certificate; if it was renewed, look at the clock of this machine";
const EXPIRED_AUTHORITY: &str = "let the server send the newer certificate of this authority; if there is a root of this name, add it to a bundle of the policy";
const CLOCK: &str = "set the clock of this machine: it is wrong";
const UNKNOWN_ISSUER: &str = "if this issuer is a root, add it to a bundle of the policy; if it is below one, let the server send its certificate too; if it is neither, the connection may be intercepted";
const SELF_SIGNED: &str =
    "if it is the server's, name it in the roots as `{ \"exact\": FILE }`, or pin its key with `pin_only`";
const NOT_EXACT: &str = "if the server has a new certificate, put it into the file that `exact` names; if it has not, the connection may be intercepted";
const OTHER_SPELLING: &str =
    "reissue it with the issuer's name copied byte by byte from the issuer's certificate";
const OTHER_KEY: &str = "if the issuer has a new key, put its new certificate where the old one is: in the bundle, or in what the server sends; if it has not, the certificate is forged";
const AUTHORITY_AS_SERVER: &str = "issue a certificate of its own for the server, without cA; or name this one in the roots as `{ \"exact\": FILE }`";
const CHAIN_TOO_LONG: &str =
    "raise `max_chain_depth` (6 at most), or issue from an authority nearer to the root";
const PATH_LENGTH: &str =
    "issue from an authority nearer to the root, or reissue it with a larger path length";
const WEAK_SERVER: &str =
    "make a new key of at least 2048 bits (RSA) or 256 bits (elliptic curve) for the server, and reissue";
const WEAK_AUTHORITY: &str =
    "issue from an authority with a key of at least 2048 bits (RSA) or 256 bits (elliptic curve)";
const UNSUPPORTED_SERVER: &str =
    "make a new key for the server: RSA of 2048 to 8192 bits, P-256, P-384 or Ed25519";
const UNSUPPORTED_AUTHORITY: &str =
    "issue from an authority with another key: RSA of 2048 to 8192 bits, P-256, P-384 or Ed25519";
const UNSUPPORTED_ALGORITHM: &str =
    "reissue this certificate with a signature of RSA, ECDSA on P-256 or P-384, or Ed25519";
const NAME_CONSTRAINTS: &str =
    "issue from an authority that may vouch for all of its names, or leave out those it may not";
const CONSTRAINT_NOT_COMPARED: &str =
    "issue from an authority without constraints of this kind, or leave out the names of this kind";
const PURPOSE_SERVER: &str = "reissue with the extended key usage serverAuth";
const PURPOSE_AUTHORITY: &str =
    "issue from an authority with serverAuth in its extended key usage, or without that extension";
const UNKNOWN_EXTENSION: &str =
    "reissue this certificate without the extension, or with the extension marked as not critical";
const ADDRESS_AS_NAME: &str =
    "reissue with the address as an iPAddress of the subject alternative name, not as a dNSName";
const COMMON_NAME_ONLY: &str =
    "reissue with a subject alternative name; the common name alone is not looked at";
const WRONG_NAME: &str =
    "reissue with this name, use one that is there as the address, or set `expected_name`";
const REVOKED_SERVER: &str = "issue a new certificate with a new key";
const REVOKED_AUTHORITY: &str =
    "issue the server a certificate from another authority: everything below this one is refused";
const UNVERIFIABLE: &str =
    "let the authority sign its revocation lists with SHA-256 or better, by RSA, ECDSA or Ed25519";
const PIN_MISMATCH: &str =
    "pin the new key if it is the server's; otherwise the connection may be intercepted";
const PIN_REVOKED_AUTHORITY: &str =
    "issue the server a certificate from an authority with another key: this one's is revoked";

impl Place {
    /// What to say of the server's own certificate, or of one above it.
    fn either(self, server: &'static str, above: &'static str) -> &'static str {
        match self {
            Self::Server => server,
            Self::Authority | Self::Root => above,
        }
    }
}

impl ListGap {
    /// What to do about it.
    fn explain(self) -> &'static str {
        match self {
            Self::NoList => "add the revocation list of its issuer to `crls`, or allow an unknown status",
            Self::OutOfScope => {
                "add the list for this certificate to `crls`: the one its distribution point names, or a full one"
            }
            Self::OtherKey => {
                "add the list that is signed with the key that issued it: an authority that changed its key has one for each"
            }
            Self::Future(_) => "fetch the present list; if this is it, look at the clock of this machine",
        }
    }
}

impl Unfit {
    /// What to do about it.
    pub fn explain(self) -> &'static str {
        match self {
            Self::NoBasicConstraints | Self::BasicConstraintsNotCritical | Self::NotAnAuthority => {
                "reissue the root with critical basic constraints that say cA"
            }
            Self::NoCertificateSigning => "reissue the root with keyCertSign in its key usage",
            Self::UnknownCriticalExtension => "reissue the root without the critical extension",
            Self::NotForServers => {
                "reissue the root with serverAuth in its extended key usage, or without that extension"
            }
            Self::ServerMaySign => "reissue the server's certificate without keyCertSign",
        }
    }
}
