//! What to do about a certificate that is not believed.

use std::borrow::Cow;

use super::reject::{NameMistake, RejectReason, Unfit};

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
            Self::Malformed { .. } => "reissue the certificate; X.509 version 3 in DER is wanted",
            Self::Expired { time, .. } if time.behind().is_some() => {
                "renew the certificate, and set the clock of this machine: it is wrong"
            }
            Self::Expired { .. } => {
                "renew the certificate; if it was renewed, look at the clock of this machine"
            }
            Self::NotYetValid { time, .. } if time.behind().is_some() => {
                "set the clock of this machine: it is wrong"
            }
            Self::NotYetValid { .. } => "look at the clocks of this machine and of the authority",
            Self::UnknownIssuer { .. } => {
                "if this issuer is a root, add it to a bundle of the policy; if it is below one, let the server send its certificate too; if nobody knows it, somebody is in between"
            }
            Self::MissingIntermediate { .. } => {
                "let the server send the whole chain, its issuer's certificate included"
            }
            Self::SelfSigned { .. } => "add it to a bundle, or pin its key with `pin_only`",
            Self::OtherKey { .. } => {
                "if the issuer has a new key, put its new certificate where the old one is: in the bundle, or in what the server sends; if it has not, somebody pretends to be it"
            }
            Self::Loop { .. } => "let the server send only the certificates that lead to the root",
            Self::NotAnAuthority { .. } => "reissue with an authority whose basic constraints say cA",
            Self::MayNotSign { .. } => "reissue the authority with keyCertSign in its key usage",
            Self::AuthorityAsServer { .. } => {
                "issue a certificate of its own for the server, without cA; a self-signed one of this kind needs `pin_only`"
            }
            Self::ChainTooLong { .. } => {
                "raise `max_chain_depth`, or issue from an authority nearer to the root"
            }
            Self::PathLength { .. } => {
                "issue from an authority nearer to the root, or reissue it with a larger path length"
            }
            Self::TooComplex => "let the server send only the certificates that lead to the root",
            Self::WeakKey { .. } => {
                "make a new key of at least 2048 bits (RSA) or 256 bits (elliptic curve), and reissue"
            }
            Self::WeakDigest { .. } => "reissue with SHA-256 or better",
            Self::UnsupportedAlgorithm { .. } => "reissue with RSA, ECDSA on P-256 or P-384, or Ed25519",
            Self::NameConstraints { .. } => {
                "issue from an authority that may vouch for all of its names, or leave out those it may not"
            }
            Self::WrongPurpose { .. } => "reissue with the extended key usage serverAuth",
            Self::UnknownExtension { .. } => "reissue without the critical extension",
            Self::WrongName { mistake: Some(NameMistake::AddressAsName), .. } => {
                "reissue with the address as an iPAddress of the subject alternative name, not as a dNSName"
            }
            Self::WrongName { mistake: Some(NameMistake::CommonNameOnly(_)), .. } => {
                "reissue with a subject alternative name; the common name alone is not looked at"
            }
            Self::WrongName { .. } => {
                "reissue with this name, use one that is there as the address, or set `expected_name`"
            }
            Self::Revoked { .. } => "issue a new certificate with a new key",
            Self::RevocationUnknown { .. } => {
                "add the revocation list of its issuer, or allow an unknown status"
            }
            Self::RevocationExpired { .. } => "fetch the present revocation list of the issuer",
            Self::RevocationForged { .. } => "fetch the revocation list from the issuer again",
            Self::MayNotRevoke { .. } => "reissue the authority with cRLSign in its key usage",
            Self::PinMismatch { .. } => {
                "pin the new key if it is the server's; otherwise somebody is in between"
            }
            Self::PinRevoked { .. } => "give the server another key",
            Self::AnchorOutside { .. } => "replace the root in the bundle",
            Self::NotStrict { problem, .. } => problem.explain(),
            Self::Both { chain, .. } => chain.advice(),
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
            Self::ServerMaySign => "reissue the server's certificate without keyCertSign",
        }
    }
}
