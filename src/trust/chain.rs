//! From the server's certificate to a root.
//!
//! webpki builds and verifies the path; what it does not look at is looked at here, in the
//! closure it calls for each path that has come as far as a root. That closure can only say yes or no, and
//! path building goes on after a no: a server certified by two authorities has several paths. So the
//! reason is kept aside, and the weightiest of them is reported when no path is left.

use std::cell::{Cell, RefCell};

use rustls::pki_types::CertificateDer;
use webpki::{EndEntityCert, KeyUsage, VerifiedPath};

use super::anchors::Details;
use super::certificate::Certificate;
use super::policy::Policy;
use super::reject::{RejectReason, Unfit};
use super::time::{Time, Timestamp};
use super::{certificate, diagnosis, pin, useful};
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
}

/// Finds a path that the policy accepts.
pub(super) fn find(
    policy: &Policy,
    leaf: &EndEntityCert<'_>,
    others: &[CertificateDer<'_>],
    time: Time,
) -> Result<Path, RejectReason> {
    let useful = useful::select(policy, &leaf.der(), others)?;
    let best: RefCell<Option<RejectReason>> = RefCell::new(None);
    let accepted = Cell::new(None);
    let candidate = |path: &VerifiedPath<'_>| match judge(policy, path, time) {
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
    let verified = policy.revocations.with_options(|revocation| {
        leaf.verify_for_usage(
            policy.algorithms(),
            policy.anchors.as_slice(),
            &useful,
            time.verification().unix(),
            KeyUsage::server_auth(),
            revocation,
            Some(&candidate),
        )
        .map(|_| ())
    });
    match (verified, accepted.take(), best.take()) {
        (Ok(()), Some(path), _) => Ok(path),
        // A path that came as far as a root explains more than one that did not.
        (_, _, Some(reason)) => Err(reason),
        (Err(error), _, None) => Err(diagnosis::of(&error, policy, &leaf.der(), others, time)),
        (Ok(()), None, None) => Err(RejectReason::TooComplex),
    }
}

/// Our own rules, for a path that webpki accepts.
fn judge(policy: &Policy, path: &VerifiedPath<'_>, time: Time) -> Result<Path, RejectReason> {
    let bytes = path.end_entity().der();
    let leaf = read(&bytes)?;
    check_key(&leaf)?;
    let mut keys = Vec::new();
    let wants_keys = !policy.pins.is_empty();
    if wants_keys {
        keys.push(pin::hash(leaf.key_info));
    }
    if policy.strict && leaf.extensions.key_usage.is_some_and(|usage| usage.signs_certificates) {
        let subject = certificate::name(leaf.subject);
        return Err(RejectReason::NotStrict { subject, problem: Unfit::ServerMaySign });
    }
    let mut found = Path { not_before: leaf.not_before, not_after: leaf.not_after, pin: None };
    let mut depth = 0;
    for intermediate in path.intermediate_certificates() {
        let bytes = intermediate.der();
        let authority = read(&bytes)?;
        check_key(&authority)?;
        // RFC 5280 6.1.4 (n).
        if authority.extensions.key_usage.is_some_and(|usage| !usage.signs_certificates) {
            return Err(RejectReason::MayNotSign { subject: certificate::name(authority.subject) });
        }
        found.not_before = found.not_before.max(authority.not_before);
        found.not_after = found.not_after.min(authority.not_after);
        depth += 1;
        if wants_keys {
            keys.push(pin::hash(authority.key_info));
        }
    }
    if let Some(limit) = policy.max_chain_depth.filter(|limit| depth > *limit) {
        return Err(RejectReason::ChainTooLong { found: depth, limit });
    }
    let root = policy.anchors.of_path(path);
    if let Some(root) = root {
        check_root(policy, root, path, depth, time)?;
        if policy.enforces_root_validity() {
            found.not_after = found.not_after.min(root.not_after);
        }
    }
    if wants_keys {
        keys.push(root.map_or_else(
            || pin::hash_content(path.anchor().subject_public_key_info.as_ref()),
            |root| root.pin,
        ));
        found.pin = policy.pins.check(leaf.subject, keys.into_iter())?;
    }
    Ok(found)
}

/// What webpki leaves out of a root: everything but its name, its key and its name constraints.
fn check_root(
    policy: &Policy,
    root: &Details,
    path: &VerifiedPath<'_>,
    depth: usize,
    time: Time,
) -> Result<(), RejectReason> {
    let now = time.verification();
    if policy.enforces_root_validity() && (now < root.not_before || now > root.not_after) {
        let Details { subject, not_before, not_after, .. } = root;
        return Err(RejectReason::AnchorOutside {
            subject: subject.clone(),
            not_before: *not_before,
            not_after: *not_after,
            time,
        });
    }
    if policy.strict {
        if let Some(problem) = root.unfit {
            return Err(RejectReason::NotStrict { subject: root.subject.clone(), problem });
        }
        if root.path_length.is_some_and(|most| depth > most) {
            return Err(RejectReason::PathLength { subject: root.subject.clone() });
        }
    }
    let is_asked = depth == 0 || !policy.revocations.is_for_server_only();
    if is_asked && !root.signs_revocations && policy.revocations.has_list_of(&path.anchor().subject) {
        return Err(RejectReason::MayNotRevoke { subject: root.subject.clone() });
    }
    Ok(())
}

fn check_key(certificate: &Certificate<'_>) -> Result<(), RejectReason> {
    if certificate.key.is_weak() {
        let subject = certificate::name(certificate.subject);
        return Err(RejectReason::WeakKey { subject, key: certificate.key });
    }
    Ok(())
}

fn read<'a>(bytes: &'a CertificateDer<'_>) -> Result<Certificate<'a>, RejectReason> {
    Certificate::read(bytes).map_err(|_| RejectReason::Malformed {
        subject: "a certificate of the chain".to_owned(),
        problem: "its fields cannot be read".to_owned(),
    })
}
