//! What webpki's no means for this chain.
//!
//! webpki says what is wrong and not with which certificate, and of a chain that leads nowhere only that. Both
//! are found out here, from the same bytes. Nothing here accepts anything.

use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use webpki::{Error, RawPublicKeyEntity};

use super::certificate::{self, Certificate};
use super::der;
use super::policy::Policy;
use super::reject::RejectReason;
use super::time::{Time, Timestamp};

/// Certificates that are looked at for a reason. A server that presents more is not misconfigured but hostile.
const LOOKED_AT: usize = 32;

/// Signatures that are verified for a reason: those of the longest path there is.
const VERIFIED: usize = 6;

/// The reason behind an error of path building.
// webpki may add to its errors in any release.
#[allow(clippy::wildcard_enum_match_arm)]
pub(super) fn of(
    error: &Error,
    policy: &Policy,
    leaf: &CertificateDer<'_>,
    others: &[CertificateDer<'_>],
    time: Time,
) -> RejectReason {
    let Ok(leaf) = Certificate::read(leaf) else { return malformed(error) };
    let mut chain = vec![leaf];
    chain.extend(others.iter().take(LOOKED_AT).filter_map(|other| Certificate::read(other).ok()));
    let subject_of = |wanted: &dyn Fn(&Certificate<'_>) -> bool| {
        name(chain.iter().find(|certificate| wanted(certificate)).unwrap_or(&leaf))
    };
    match error {
        Error::CertExpired { not_after, .. } => {
            let not_after = Timestamp::from_unix(*not_after);
            let subject = subject_of(&|certificate| certificate.not_after == not_after);
            RejectReason::Expired { subject, not_after, time }
        }
        Error::CertNotValidYet { not_before, .. } => {
            let not_before = Timestamp::from_unix(*not_before);
            let subject = subject_of(&|certificate| certificate.not_before == not_before);
            RejectReason::NotYetValid { subject, not_before, time }
        }
        Error::UnknownIssuer | Error::MaximumPathDepthExceeded => dead_end(policy, leaf, &chain),
        Error::InvalidSignatureForPublicKey => {
            weak_key(policy, &chain).unwrap_or_else(|| other_key(policy, leaf, &chain))
        }
        Error::UnsupportedSignatureAlgorithmContext(_)
        | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => weak_digest(&chain)
            .or_else(|| weak_key(policy, &chain))
            .unwrap_or_else(|| RejectReason::UnsupportedAlgorithm {
                subject: name(&leaf),
                algorithm: der::dotted(leaf.signature_kind()),
            }),
        Error::EndEntityUsedAsCa => RejectReason::NotAnAuthority {
            subject: name(
                chain
                    .iter()
                    .skip(1)
                    .find(|certificate| {
                        !certificate.extensions.basic_constraints.is_some_and(|found| found.is_authority)
                    })
                    .unwrap_or(&leaf),
            ),
        },
        Error::CaUsedAsEndEntity if leaf.is_self_issued() && !policy.anchors.knows(leaf.issuer) => {
            RejectReason::SelfSigned { subject: name(&leaf) }
        }
        Error::CaUsedAsEndEntity => RejectReason::AuthorityAsServer { subject: name(&leaf) },
        Error::PathLenConstraintViolated => {
            let too_short = |place: usize, it: &Certificate<'_>| {
                let most = it.extensions.basic_constraints.and_then(|found| found.path_length);
                most.is_some_and(|most| place.saturating_sub(1) > most)
            };
            let way = way(leaf, &chain);
            let authority = way.iter().enumerate().find(|(place, it)| too_short(*place, it));
            RejectReason::PathLength {
                subject: authority.map_or_else(|| "an authority".to_owned(), |(_, it)| name(it)),
            }
        }
        Error::MaximumPathBuildCallsExceeded
        | Error::MaximumSignatureChecksExceeded
        | Error::MaximumNameConstraintComparisonsExceeded => RejectReason::TooComplex,
        Error::NameConstraintViolation => {
            let way = way(leaf, &chain);
            let below_root = || way.last().map(|top| certificate::name(top.issuer));
            let constrained = way.iter().find(|it| it.extensions.name_constraints.is_some());
            RejectReason::NameConstraints {
                subject: name(&leaf),
                issuer: constrained.map(name).or_else(below_root).unwrap_or_default(),
            }
        }
        Error::RequiredEkuNotFoundContext(_) | Error::EmptyEkuExtension => {
            RejectReason::WrongPurpose { subject: name(&leaf) }
        }
        Error::UnsupportedCriticalExtension => {
            let bearer = chain.iter().find(|certificate| certificate.extensions.refused.is_some());
            RejectReason::UnknownExtension {
                subject: name(bearer.unwrap_or(&leaf)),
                extension: bearer
                    .and_then(|bearer| bearer.extensions.refused)
                    .map(der::dotted)
                    .unwrap_or_default(),
            }
        }
        Error::CertRevoked => RejectReason::Revoked {
            subject: subject_of(&|certificate| {
                policy.revocations.name(certificate.issuer, certificate.serial)
            }),
        },
        Error::UnknownRevocationStatus => {
            let way = way(leaf, &chain);
            let unlisted = |it: &&Certificate<'_>| !policy.revocations.has_list_of(it.issuer);
            let unknown = asked_about(policy, &way).iter().find(unlisted).unwrap_or(&leaf);
            RejectReason::RevocationUnknown {
                subject: name(unknown),
                issuer: certificate::name(unknown.issuer),
            }
        }
        Error::CrlExpired { next_update, .. } => {
            let next_update = Timestamp::from_unix(*next_update);
            let issuer = policy.revocations.issuer_due_at(next_update).unwrap_or(leaf.issuer);
            RejectReason::RevocationExpired { issuer: certificate::name(issuer), next_update, time }
        }
        Error::IssuerNotCrlSigner => RejectReason::MayNotRevoke {
            subject: subject_of(&|certificate| {
                certificate.extensions.key_usage.is_some_and(|usage| !usage.signs_revocations)
                    && policy.revocations.has_list_of(certificate.subject)
            }),
        },
        Error::InvalidCrlSignatureForPublicKey
        | Error::UnsupportedCrlSignatureAlgorithmContext(_)
        | Error::UnsupportedCrlSignatureAlgorithmForPublicKeyContext(_) => {
            let way = way(leaf, &chain);
            let listed = |it: &&Certificate<'_>| policy.revocations.has_list_of(it.issuer);
            let issuers: Vec<String> = asked_about(policy, &way)
                .iter()
                .filter(listed)
                .map(|it| certificate::name(it.issuer))
                .collect();
            RejectReason::RevocationForged { issuer: issuers.join(" or ") }
        }
        Error::UnsupportedCertVersion => RejectReason::Malformed {
            subject: name(&leaf),
            problem: "not of version 3, which TLS wants".to_owned(),
        },
        _ => RejectReason::Malformed { subject: name(&leaf), problem: words(error) },
    }
}

/// The reason behind an error of reading the server's own certificate.
pub(super) fn of_leaf(error: &Error, leaf: &CertificateDer<'_>) -> RejectReason {
    let Ok(leaf) = Certificate::read(leaf) else { return malformed(error) };
    match (error, leaf.extensions.refused) {
        (Error::UnsupportedCriticalExtension, Some(extension)) => {
            RejectReason::UnknownExtension { subject: name(&leaf), extension: der::dotted(extension) }
        }
        (Error::UnsupportedCertVersion, _) => RejectReason::Malformed {
            subject: name(&leaf),
            problem: "not of version 3, which TLS wants".to_owned(),
        },
        _ => RejectReason::Malformed { subject: name(&leaf), problem: words(error) },
    }
}

fn malformed(error: &Error) -> RejectReason {
    RejectReason::Malformed { subject: "the server's certificate".to_owned(), problem: words(error) }
}

/// The certificates from the server's upwards, as far as their names lead. Ends where it comes back to itself.
fn way<'a>(leaf: Certificate<'a>, chain: &[Certificate<'a>]) -> Vec<Certificate<'a>> {
    let mut way = vec![leaf];
    let mut top = leaf;
    while let Some(issuer) = chain.iter().skip(1).find(|it| it.subject == top.issuer)
        && way.iter().all(|below| below.signed != issuer.signed)
    {
        way.push(*issuer);
        top = *issuer;
    }
    way
}

/// Those of a way whose status is looked up.
fn asked_about<'a, 'b>(policy: &Policy, way: &'b [Certificate<'a>]) -> &'b [Certificate<'a>] {
    let most = if policy.revocations.is_for_server_only() { 1 } else { way.len() };
    way.get(..most).unwrap_or_default()
}

/// Follows the issuers from the server up, to see where they end.
fn dead_end(policy: &Policy, leaf: Certificate<'_>, chain: &[Certificate<'_>]) -> RejectReason {
    if let Some(reason) = weak_digest(chain) {
        return reason;
    }
    let way = way(leaf, chain);
    let top = way.last().unwrap_or(&leaf);
    let (subject, issuer) = (name(top), certificate::name(top.issuer));
    if policy.anchors.knows(top.issuer) {
        return RejectReason::OtherKey { subject, issuer };
    }
    let is_alone = way.len() == 1;
    if top.is_self_issued() {
        return if is_alone {
            RejectReason::SelfSigned { subject }
        } else {
            RejectReason::UnknownIssuer { subject: name(&leaf), issuer }
        };
    }
    if way.iter().any(|below| below.subject == top.issuer) {
        return RejectReason::Loop { subject };
    }
    // A root is not sent, so an issuer that is not there can be the root. The server's own certificate
    // says where its issuer can be fetched only if that is no root.
    if is_alone && leaf.extensions.names_its_issuer {
        return RejectReason::MissingIntermediate { subject, issuer };
    }
    RejectReason::UnknownIssuer { subject, issuer }
}

/// The certificate that was not signed with the key that is known under the name of its issuer.
fn other_key(policy: &Policy, leaf: Certificate<'_>, chain: &[Certificate<'_>]) -> RejectReason {
    let way = way(leaf, chain);
    let good = way.iter().zip(way.iter().skip(1)).take(VERIFIED).take_while(|(below, issuer)| {
        // What a root says of itself is no link below one that is trusted.
        let is_root = issuer.is_self_issued() && policy.anchors.knows(issuer.subject);
        !is_root && is_signed_by(policy, below, issuer)
    });
    let below = way.get(good.count()).unwrap_or(&leaf);
    RejectReason::OtherKey { subject: name(below), issuer: certificate::name(below.issuer) }
}

fn is_signed_by(policy: &Policy, certificate: &Certificate<'_>, issuer: &Certificate<'_>) -> bool {
    let key = SubjectPublicKeyInfoDer::from(issuer.key_info);
    let Ok(key) = RawPublicKeyEntity::try_from(&key) else { return false };
    policy
        .algorithms()
        .iter()
        .filter(|algorithm| algorithm.signature_alg_id().as_ref() == certificate.algorithm)
        .any(|algorithm| key.verify_signature(*algorithm, certificate.signed, certificate.signature).is_ok())
}

/// The key that is too small to be believed, among those of the chain and of the roots above it.
fn weak_key(policy: &Policy, chain: &[Certificate<'_>]) -> Option<RejectReason> {
    let presented = chain.iter().find(|certificate| certificate.key.is_weak());
    let root =
        || chain.iter().flat_map(|below| policy.anchors.named(below.issuer)).find(|root| root.key.is_weak());
    match presented {
        Some(weak) => Some(RejectReason::WeakKey { subject: name(weak), key: weak.key }),
        None => root().map(|root| RejectReason::WeakKey { subject: root.subject.clone(), key: root.key }),
    }
}

fn weak_digest(chain: &[Certificate<'_>]) -> Option<RejectReason> {
    chain.iter().enumerate().find_map(|(place, certificate)| {
        // What a root says of itself nobody relies on.
        if place > 0 && certificate.is_self_issued() {
            return None;
        }
        let digest = digest_of(certificate.signature_kind())?;
        Some(RejectReason::WeakDigest { subject: name(certificate), digest })
    })
}

/// The digest of a signature, if it can be forged.
fn digest_of(algorithm: &[u8]) -> Option<&'static str> {
    match algorithm {
        // sha1WithRSAEncryption, sha1WithRSA (OIW), ecdsa-with-SHA1, dsa-with-sha1
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5]
        | [0x2b, 0x0e, 3, 2, 29]
        | [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1]
        | [0x2a, 0x86, 0x48, 0xce, 0x38, 4, 3] => Some("SHA-1"),
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 4] => Some("MD5"),
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 2] => Some("MD2"),
        _ => None,
    }
}

fn name(certificate: &Certificate<'_>) -> String {
    certificate::name(certificate.subject)
}

/// What webpki says, in its own words.
fn words(error: &Error) -> String {
    certificate::shortened(&error.to_string(), 100)
}
