//! What to do about a certificate that is not believed.

use std::borrow::Cow;

use super::reject::{Bearer, ListGap, NameMistake, Place, RejectReason, Unfit};

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
            Self::Malformed { .. } => {
                "reissue it as X.509 version 3 in DER, with dates after 1970, at most 64 KiB"
            }
            Self::Expired { time, .. } if time.behind().is_some() => {
                "renew the certificate, and set the clock of this machine: it is wrong"
            }
            Self::Expired { subject: Bearer { place: Place::Server, .. }, .. } => {
                "renew the certificate; if it was renewed, look at the clock of this machine"
            }
            Self::Expired { .. } => {
                "let the server send the newer certificate of this authority; if there is a root of this name, add it to a bundle of the policy"
            }
            Self::NotYetValid { time, .. } if time.behind().is_some() => {
                "set the clock of this machine: it is wrong"
            }
            Self::NotYetValid { .. } => "look at the clocks of this machine and of the authority",
            Self::UnknownIssuer { .. } | Self::MissingIntermediate { .. } => {
                "if this issuer is a root, add it to a bundle of the policy; if it is below one, let the server send its certificate too; if it is neither, the connection may be intercepted"
            }
            Self::SelfSigned { .. } => {
                "if it is the server's, name it in the roots as `{ \"exact\": FILE }`, or pin its key with `pin_only`"
            }
            Self::NotExact { .. } => {
                "if the server has a new certificate, put it into the file that `exact` names; if it has not, the connection may be intercepted"
            }
            Self::OtherSpelling { .. } => {
                "reissue it with the issuer's name copied byte by byte from the issuer's certificate"
            }
            Self::OtherKey { .. } => {
                "if the issuer has a new key, put its new certificate where the old one is: in the bundle, or in what the server sends; if it has not, the certificate is forged"
            }
            Self::Loop { .. } | Self::TooComplex => {
                "let the server send only the certificates that lead to the root"
            }
            Self::NotAnAuthority { .. } => "reissue with an authority whose basic constraints say cA",
            Self::MayNotSign { .. } => "reissue the authority with keyCertSign in its key usage",
            Self::AuthorityAsServer { .. } => {
                "issue a certificate of its own for the server, without cA; or name this one in the roots as `{ \"exact\": FILE }`"
            }
            Self::ChainTooLong { .. } => {
                "raise `max_chain_depth` (6 at most), or issue from an authority nearer to the root"
            }
            Self::PathLength { .. } => {
                "issue from an authority nearer to the root, or reissue it with a larger path length"
            }
            Self::WeakKey { subject, .. } => match subject.place {
                Place::Server => {
                    "make a new key of at least 2048 bits (RSA) or 256 bits (elliptic curve) for the server, and reissue"
                }
                Place::Authority | Place::Root => {
                    "issue from an authority with a key of at least 2048 bits (RSA) or 256 bits (elliptic curve)"
                }
            },
            Self::UnsupportedKey { subject, .. } => match subject.place {
                Place::Server => {
                    "make a new key for the server: RSA of 2048 to 8192 bits, P-256, P-384 or Ed25519"
                }
                Place::Authority | Place::Root => {
                    "issue from an authority with another key: RSA of 2048 to 8192 bits, P-256, P-384 or Ed25519"
                }
            },
            Self::WeakDigest { .. } => "reissue this certificate with SHA-256 or better",
            Self::UnsupportedAlgorithm { .. } => {
                "reissue this certificate with a signature of RSA, ECDSA on P-256 or P-384, or Ed25519"
            }
            Self::NameConstraints { .. } => {
                "issue from an authority that may vouch for all of its names, or leave out those it may not"
            }
            Self::ConstraintNotCompared { .. } => {
                "issue from an authority without constraints of this kind, or leave out the names of this kind"
            }
            Self::WrongPurpose { subject } => match subject.place {
                Place::Server => "reissue with the extended key usage serverAuth",
                Place::Authority | Place::Root => {
                    "issue from an authority with serverAuth in its extended key usage, or without that extension"
                }
            },
            Self::UnknownExtension { .. } => {
                "reissue this certificate without the extension, or with the extension marked as not critical"
            }
            Self::WrongName { mistake: Some(NameMistake::AddressAsName), .. } => {
                "reissue with the address as an iPAddress of the subject alternative name, not as a dNSName"
            }
            Self::WrongName { mistake: Some(NameMistake::CommonNameOnly(_)), .. } => {
                "reissue with a subject alternative name; the common name alone is not looked at"
            }
            Self::WrongName { .. } => {
                "reissue with this name, use one that is there as the address, or set `expected_name`"
            }
            Self::Revoked { subject } => match subject.place {
                Place::Server => "issue a new certificate with a new key",
                Place::Authority | Place::Root => {
                    "issue the server a certificate from another authority: everything below this one is refused"
                }
            },
            Self::RevocationUnknown { gap, .. } => match gap {
                ListGap::NoList => {
                    "add the revocation list of its issuer to `crls`, or allow an unknown status"
                }
                ListGap::OutOfScope => {
                    "add the list for this certificate to `crls`: the one its distribution point names, or a full one"
                }
                ListGap::OtherKey => {
                    "add the list that is signed with the key that issued it: an authority that changed its key has one for each"
                }
                ListGap::Future(_) => {
                    "fetch the present list; if this is it, look at the clock of this machine"
                }
            },
            Self::RevocationExpired { .. } => "fetch the present revocation list of the issuer",
            Self::RevocationForged { .. } => "fetch the revocation list from the issuer again",
            Self::RevocationUnverifiable { .. } => {
                "let the authority sign its revocation lists with SHA-256 or better, by RSA, ECDSA or Ed25519"
            }
            Self::MayNotRevoke { .. } => "reissue the authority with cRLSign in its key usage",
            Self::PinMismatch { .. } => {
                "pin the new key if it is the server's; otherwise the connection may be intercepted"
            }
            Self::PinRevoked { subject, .. } => match subject.place {
                Place::Server => "give the server another key",
                Place::Authority | Place::Root => {
                    "issue the server a certificate from an authority with another key: this one's is revoked"
                }
            },
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
            Self::NotForServers => {
                "reissue the root with serverAuth in its extended key usage, or without that extension"
            }
            Self::ServerMaySign => "reissue the server's certificate without keyCertSign",
        }
    }
}
