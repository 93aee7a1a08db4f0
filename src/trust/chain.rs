//! From the server's certificate to a root.
//!
//! webpki builds and verifies the path; what it does not look at is looked at here, in the
//! closure it calls for each path that has come as far as a root. That closure can only say yes or no, and
//! path building goes on after a no: a server certified by two authorities has several paths. So the
//! reason is kept aside, and the weightiest of them is reported when no path is left.

use std::cell::{Cell, RefCell};

use rustls::pki_types::{CertificateDer, SignatureVerificationAlgorithm, TrustAnchor};
use webpki::{EndEntityCert, KeyUsage, VerifiedPath};

use super::anchors::Details;
use super::certificate::{Certificate, Unreadable};
use super::path::{counted, is_beyond_length, places};
use super::policy::Policy;
use super::reject::{Bearer, Place, RejectReason, Unfit};
use super::rendition::{Changed, Shown, Through};
use super::revocation::{Issuer, Kin};
use super::time::{Time, Timestamp};
use super::{certificate, constraint, der, diagnosis, path_filter, pin, policies};
use crate::settings::PinState;

/// What a verified path says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Path {
    /// The newest `notBefore` of it: it is at least so late.
    pub(super) not_before: Timestamp,
    /// The earliest `notAfter` of it, the root's left out unless its validity is enforced.
    pub(super) not_after: Timestamp,
    /// The pin that was found.
    pub(super) pin: Option<PinState>,
    /// The server's certificate demands a stapled status.
    pub(super) demands_stapling: bool,
}

/// Finds a path that the policy accepts. `watch` is shown the certificates of that path, from the server up, and the place of its root.
///
/// `leaf` is what webpki is shown of the server's `own` certificate.
pub(super) fn find(
    policy: &Policy,
    own: &Shown<'_>,
    leaf: &EndEntityCert<'_>,
    others: &[CertificateDer<'_>],
    time: Time,
    watch: &dyn Fn(&[Certificate<'_>], Option<usize>),
) -> Result<Path, RejectReason> {
    let [first] = own.as_sent() else { return Err(RejectReason::NoCertificate) };
    let useful = path_filter::select(policy, first, others)?;
    let between = Shown::authorities(&useful, &policy.anchors);
    let changed: Vec<Changed<'_>> = own.changed().chain(between.changed()).collect();
    let kinds: Vec<Through<'_>> =
        policy.algorithms().iter().map(|kind| Through { kind: *kind, changed: &changed }).collect();
    let kinds: Vec<&dyn SignatureVerificationAlgorithm> = kinds.iter().map(|it| it as _).collect();
    let best: RefCell<Option<RejectReason>> = RefCell::new(None);
    let accepted = Cell::new(None);
    let sent = |shown: &CertificateDer<'_>| own.sent(shown).or_else(|| between.sent(shown));
    let candidate = |path: &VerifiedPath<'_>| match judge(policy, path, &sent, others, time, watch) {
        Ok(path) => {
            accepted.set(Some(path));
            Ok(())
        }
        Err(reason) => {
            let mut best = best.borrow_mut();
            if best.as_ref().is_none_or(|best| reason.weight() > best.weight()) {
                *best = Some(reason);
            }
            Err(webpki::Error::UnknownIssuer)
        }
    };
    let verified = leaf
        .verify_for_usage(
            &kinds,
            policy.anchors.as_slice(),
            between.shown(),
            time.verification().unix(),
            KeyUsage::server_auth(),
            // Revocation is looked up in the closure, where it is known which key issued what.
            None,
            Some(&candidate),
        )
        .map(|_| ());
    match (verified, accepted.take(), best.take()) {
        (Ok(()), Some(path), _) => Ok(path),
        // A path that came as far as a root explains more than one that did not.
        (_, _, Some(reason)) => Err(reason),
        (Err(error), _, None) => Err(diagnosis::of(&error, policy, first, others, time)),
        (Ok(()), None, None) => Err(RejectReason::TooComplex),
    }
}

/// Our own rules, for a path that webpki accepts. `sent` is what the server sent, of which webpki was shown something.
fn judge<'a>(
    policy: &Policy,
    path: &VerifiedPath<'_>,
    sent: &dyn Fn(&CertificateDer<'_>) -> Option<Result<Certificate<'a>, Unreadable>>,
    others: &[CertificateDer<'_>],
    time: Time,
    watch: &dyn Fn(&[Certificate<'_>], Option<usize>),
) -> Result<Path, RejectReason> {
    let shown = std::iter::once(path.end_entity().der())
        .chain(path.intermediate_certificates().map(|between| between.der()));
    let mut chain: Vec<Certificate<'_>> = Vec::new();
    for shown in shown {
        let read = sent(&shown).ok_or(RejectReason::NoCertificate)?;
        chain.push(read.map_err(unreadable)?);
    }
    for (certificate, place) in chain.iter().zip(places()) {
        check_certificate(policy, certificate, place)?;
    }
    let depth = chain.len().saturating_sub(1);
    if let Some(limit) = policy.max_chain_depth.filter(|limit| depth > *limit) {
        return Err(RejectReason::ChainTooLong { found: depth, limit });
    }
    let place = policy.anchors.place(path);
    let root = policy.anchors.details(place);
    if let Some(root) = root {
        check_root(policy, root, &chain, time)?;
    }
    check_lengths(&chain)?;
    check_policies(&chain)?;
    check_constraints(&chain, root)?;
    check_revocation(policy, &chain, path.anchor(), root, others, time)?;
    let not_before = chain.iter().map(|certificate| certificate.not_before).max();
    let not_after = chain
        .iter()
        .map(|certificate| certificate.not_after)
        .chain(root.filter(|_| policy.enforces_root_validity()).map(|root| root.not_after))
        .min();
    let pin = check_pins(policy, &chain, path.anchor(), root)?;
    watch(&chain, place);
    // The server's own certificate is always there.
    let missing = RejectReason::NoCertificate;
    let (Some(not_before), Some(not_after)) = (not_before, not_after) else { return Err(missing) };
    let demands_stapling = chain.first().is_some_and(|own| own.extensions.demands_stapling);
    Ok(Path { not_before, not_after, pin, demands_stapling })
}

fn check_certificate(
    policy: &Policy,
    certificate: &Certificate<'_>,
    place: Place,
) -> Result<(), RejectReason> {
    let subject = || Bearer::of(certificate, place);
    let extensions = &certificate.extensions;
    if let Some(extension) = extensions.unreadable {
        return Err(RejectReason::Malformed {
            subject: subject(),
            problem: format!("its extension {} cannot be read", der::extension_name(extension)),
        });
    }
    if certificate.key.is_weak() {
        return Err(RejectReason::WeakKey { subject: subject(), key: certificate.key });
    }
    let signs = extensions.key_usage.map(|usage| usage.signs_certificates);
    match place {
        // RFC 5280 6.1.4 (n).
        Place::Authority if signs == Some(false) => Err(RejectReason::MayNotSign { subject: subject() }),
        Place::Server if policy.strict && signs == Some(true) => {
            Err(RejectReason::NotStrict { subject: subject(), problem: Unfit::ServerMaySign })
        }
        Place::Server | Place::Authority | Place::Root => Ok(()),
    }
}

/// What webpki leaves out of a root: everything but its name, its key and its name constraints.
fn check_root(
    policy: &Policy,
    root: &Details,
    chain: &[Certificate<'_>],
    time: Time,
) -> Result<(), RejectReason> {
    let now = time.verification();
    let subject = || Bearer::root(root.subject.clone());
    if policy.enforces_root_validity() && (now < root.not_before || now > root.not_after) {
        let Details { not_before, not_after, .. } = *root;
        return Err(RejectReason::AnchorOutside { subject: subject(), not_before, not_after, time });
    }
    if policy.strict {
        if let Some(problem) = root.unfit {
            return Err(RejectReason::NotStrict { subject: subject(), problem });
        }
        if root.path_length.is_some_and(|most| counted(chain) > most) {
            return Err(RejectReason::PathLength { subject: subject() });
        }
    }
    Ok(())
}

/// How many authorities there are below each one. Self-issued ones do not count (RFC 5280 6.1.4 (l)).
fn check_lengths(chain: &[Certificate<'_>]) -> Result<(), RejectReason> {
    let beyond = chain.iter().enumerate().find(|(place, _)| is_beyond_length(chain, *place));
    match beyond {
        Some((_, it)) => Err(RejectReason::PathLength { subject: Bearer::of(it, Place::Authority) }),
        None => Ok(()),
    }
}

/// Critical policies are refused where they could decide something: where a certificate of the path demands one.
fn check_policies(chain: &[Certificate<'_>]) -> Result<(), RejectReason> {
    let mut critical = chain.iter().zip(places()).filter(|(it, _)| it.extensions.has_critical_policies);
    match critical.next() {
        Some((it, place)) if chain.iter().any(|it| it.extensions.demands_policies) => {
            let extension = der::extension_name(policies::POLICIES);
            Err(RejectReason::UnknownExtension { subject: Bearer::of(it, place), extension })
        }
        _ => Ok(()),
    }
}

/// The constraints of each authority on names that webpki does not compare, from the root down.
fn check_constraints(chain: &[Certificate<'_>], root: Option<&Details>) -> Result<(), RejectReason> {
    let of_root = root.and_then(|root| Some((root.name_constraints.as_deref()?, chain.len())));
    let of_each = chain.iter().enumerate().rev();
    let of_each = of_each.filter_map(|(place, it)| Some((it.extensions.name_constraints?, place)));
    for (constraints, place) in of_root.into_iter().chain(of_each) {
        let below = chain.get(..place).unwrap_or_default();
        let issuer = || match chain.get(place) {
            Some(authority) => certificate::name(authority.subject),
            None => root.map(|root| root.subject.clone()).unwrap_or_default(),
        };
        constraint::check_ours(constraints, below)
            .map_err(|broken| diagnosis::of_constraint(broken, below, issuer()))?;
    }
    Ok(())
}

/// Each certificate below the root, with the one that issued it; or the server's alone. The gravest reason is reported.
fn check_revocation(
    policy: &Policy,
    chain: &[Certificate<'_>],
    anchor: &TrustAnchor<'_>,
    root: Option<&Details>,
    sent: &[CertificateDer<'_>],
    time: Time,
) -> Result<(), RejectReason> {
    let lists = &policy.revocations;
    if lists.is_empty() {
        return Ok(());
    }
    let asked = if lists.is_for_server_only() { 1 } else { chain.len() };
    let root_key = der::wrap(der::SEQUENCE, anchor.subject_public_key_info.as_ref());
    let mut worst: Option<RejectReason> = None;
    for (number, (certificate, place)) in chain.iter().zip(places()).take(asked).enumerate() {
        let above = chain.get(number + 1..).unwrap_or_default();
        let issuer = issuer(above, &root_key, root, sent);
        let found = lists.check(certificate, place, &issuer, policy.signers(), time);
        if let Err(reason) = found
            && worst.as_ref().is_none_or(|worst| reason.weight() > worst.weight())
        {
            worst = Some(reason);
        }
    }
    worst.map_or(Ok(()), Err)
}

/// The issuer of a certificate that has these above it, from its issuer up to the root, of which nothing but the key need be known.
fn issuer<'a>(
    above: &'a [Certificate<'a>],
    root_key: &'a [u8],
    root: Option<&'a Details>,
    sent: &'a [CertificateDer<'a>],
) -> Issuer<'a> {
    let of_root = || Issuer {
        key_info: root_key,
        key_id: root.and_then(|root| root.key_id.as_deref()),
        signs_revocations: root.is_none_or(|root| root.signs_revocations),
        place: Place::Root,
        kin: Kin { above: Vec::new(), sent },
    };
    let Some((first, above)) = above.split_first() else { return of_root() };
    // A self-issued certificate is of the authority whose key is the next one on the path.
    let next = first.is_self_issued().then(|| issuer(above, root_key, root, sent));
    let kin = next.map_or(Vec::new(), |mut next| {
        next.kin.above.extend(Some(next.key_info).filter(|_| next.signs_revocations));
        next.kin.above
    });
    Issuer {
        key_info: first.key_info,
        key_id: first.extensions.key_id,
        signs_revocations: first.extensions.key_usage.is_none_or(|usage| usage.signs_revocations),
        place: Place::Authority,
        kin: Kin { above: kin, sent },
    }
}

fn check_pins(
    policy: &Policy,
    chain: &[Certificate<'_>],
    anchor: &TrustAnchor<'_>,
    root: Option<&Details>,
) -> Result<Option<PinState>, RejectReason> {
    if policy.pins.is_empty() {
        return Ok(None);
    }
    let keys = chain
        .iter()
        .zip(places())
        .map(|(certificate, place)| (Bearer::of(certificate, place), pin::hash(certificate.key_info)));
    let subject = certificate::name(anchor.subject.as_ref());
    let key =
        root.map_or_else(|| pin::hash_content(anchor.subject_public_key_info.as_ref()), |root| root.pin);
    policy.pins.check(keys.chain([(Bearer::root(subject), key)]))
}

fn unreadable(unreadable: Unreadable) -> RejectReason {
    RejectReason::Malformed {
        subject: Bearer { name: "a certificate of the chain".to_owned(), place: Place::Authority },
        problem: unreadable.0.to_owned(),
    }
}
