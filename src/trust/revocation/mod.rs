//! Revocation lists (RFC 5280 5 and 6.3): given as bytes, never fetched.
//!
//! Lists are read by `list`, and `scope` says for which certificates one speaks. webpki is not asked: it takes the first list of an
//! issuer's name, whatever key signed it and whatever it is for. Here a list counts for a certificate only when it
//!
//! 1. is of the issuer's name, in whatever string type that is written,
//! 2. is for certificates of this kind and of this distribution point,
//! 3. is signed with the very key that issued the certificate: an authority that changed its key has two lists, and each speaks
//!    for its own,
//! 4. is not of the future.
//!
//! Of the lists with one scope the newest counts, with the newest difference (delta list) that goes on from it. A
//! certificate is revoked when any of those says so, also one that is out of date, and in order when one that is current says nothing.
//!
//! Not supported, and refused when the policy is prepared: indirect lists, lists for some reasons only, differences without their
//! list, version 1, critical extensions that are not known. Stapled OCSP answers are not looked at.

mod list;
mod scope;

use std::path::Path;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateRevocationListDer, SignatureVerificationAlgorithm};

use self::list::{Entered, List};
use super::anchors::Anchors;
use super::certificate::{self, Certificate};
use super::reject::{Bearer, ListGap, Place, RejectReason};
use super::signature::{self, Signed};
use super::time::{Time, Timestamp};
use super::{der, names, pem};
use crate::settings::{Revocation, RevocationScope};

/// The lists of a policy, and how they are used.
#[derive(Debug)]
pub(super) struct Revocations {
    /// The newest first.
    lists: Vec<List>,
    rules: Revocation,
}

/// Who issued a certificate: what is needed to find and to verify its list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Issuer<'a> {
    /// The whole SubjectPublicKeyInfo.
    pub(super) key_info: &'a [u8],
    /// How its certificate calls that key.
    pub(super) key_id: Option<&'a [u8]>,
    /// Whether its key usage allows lists.
    pub(super) signs_revocations: bool,
    pub(super) place: Place,
}

/// Why a revocation list cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RevocationError {
    /// The file is not PEM, and not DER either.
    #[error("it is neither PEM nor DER: {0}")]
    NotPem(String),
    /// The file has no revocation list.
    #[error("it holds no revocation list")]
    Empty,
    /// It is not a revocation list, or of a form that is not supported.
    #[error("revocation list {number} cannot be used: {reason}")]
    Unsupported {
        /// Which of the file, from 1.
        number: usize,
        /// Why.
        reason: String,
    },
    /// It is the difference to a list that the policy does not have.
    #[error("it is a delta list, and the list it continues is not among the `crls`")]
    DeltaAlone,
}

impl Revocations {
    pub(super) fn new(rules: Revocation) -> Self {
        Self { lists: Vec::new(), rules }
    }

    /// Adds every list of a file, PEM or DER.
    ///
    /// # Errors
    /// One of them cannot be used.
    pub(super) fn add(&mut self, path: &Path, bytes: &[u8]) -> Result<(), RevocationError> {
        let mut number = 0;
        let mut add = |bytes: &[u8]| {
            number += 1;
            let list = List::read(path, bytes).map_err(|unusable| RevocationError::Unsupported {
                number,
                reason: unusable.words().to_owned(),
            })?;
            self.lists.push(list);
            Ok(())
        };
        if bytes.first() == Some(&der::SEQUENCE) {
            add(bytes)?;
        } else {
            let text = pem::unmarked(bytes);
            pem::labels(text).map_err(RevocationError::NotPem)?;
            for list in CertificateRevocationListDer::pem_slice_iter(text) {
                add(&list.map_err(|error| RevocationError::NotPem(pem::words(&error)))?)?;
            }
        }
        if number == 0 {
            return Err(RevocationError::Empty);
        }
        self.lists.sort_by(|one, other| other.age(one));
        Ok(())
    }

    /// The file with a difference to a list that is in no file.
    pub(super) fn delta_alone(&self) -> Option<&Path> {
        let has_base = |delta: &List| self.lists.iter().any(|list| !list.is_delta() && list.is_beside(delta));
        self.lists.iter().find(|list| list.is_delta() && !has_base(list)).map(|list| list.path.as_path())
    }

    /// Whether there is anything to look up.
    pub(super) fn is_empty(&self) -> bool {
        self.lists.is_empty()
    }

    /// Whether only the server's own certificate is looked up.
    pub(super) fn is_for_server_only(&self) -> bool {
        self.rules.scope == RevocationScope::Server
    }

    /// Whether the lists let a certificate pass that this issuer has issued. `anchors` are for the words alone.
    pub(super) fn check(
        &self,
        certificate: &Certificate<'_>,
        place: Place,
        issuer: Issuer<'_>,
        algorithms: &[&'static dyn SignatureVerificationAlgorithm],
        anchors: &Anchors,
        time: Time,
    ) -> Result<(), RejectReason> {
        let now = time.verification();
        let subject = || Bearer::of(certificate, place);
        let name = names::canonical(certificate.issuer);
        let named: Vec<&List> = self.lists.iter().filter(|list| list.is_of(&name)).collect();
        if named.is_empty() {
            return self.unknown(subject(), certificate, ListGap::NoList, time);
        }
        let mut covering = named;
        covering.retain(|list| list.scope.covers(certificate));
        if covering.is_empty() {
            return self.unknown(subject(), certificate, ListGap::OutOfScope, time);
        }
        let signed = |list: &List| list.is_signed_with(issuer.key_info, algorithms);
        let own: Vec<&List> = covering.iter().copied().filter(|list| signed(list) == Signed::Yes).collect();
        if own.is_empty() {
            let unsupported = covering.iter().find(|list| signed(list) == Signed::Unsupported);
            let is_of_other_key = |list: &List| match list.claims(issuer.key_info, issuer.key_id) {
                Some(claims) => !claims,
                None => anchors
                    .keys_of(certificate.issuer)
                    .any(|key| list.is_signed_with(&key, algorithms) == Signed::Yes),
            };
            let issuer = certificate::name(certificate.issuer);
            return match unsupported {
                Some(list) if !is_of_other_key(list) => {
                    Err(RejectReason::RevocationUnverifiable { issuer, algorithm: words(list) })
                }
                _ if covering.iter().all(|list| is_of_other_key(list)) => {
                    self.unknown(subject(), certificate, ListGap::OtherKey, time)
                }
                _ => Err(RejectReason::RevocationForged { issuer }),
            };
        }
        let present: Vec<&List> = own.iter().copied().filter(|list| list.this_update <= now).collect();
        if present.is_empty() {
            let first = own.iter().map(|list| list.this_update).min().unwrap_or(now);
            return self.unknown(subject(), certificate, ListGap::Future(first), time);
        }
        if !issuer.signs_revocations {
            let subject = Bearer { name: certificate::name(certificate.issuer), place: issuer.place };
            return Err(RejectReason::MayNotRevoke { subject });
        }
        self.look_up(certificate, subject(), &present, time)
    }

    /// What lists say that are all authentic, in scope and not of the future; the newest first.
    fn look_up(
        &self,
        certificate: &Certificate<'_>,
        subject: Bearer,
        lists: &[&List],
        time: Time,
    ) -> Result<(), RejectReason> {
        let now = time.verification();
        let is_current = |list: &List| self.rules.allow_expired_lists || now < list.next_update;
        let (mut is_known, mut latest) = (false, None);
        let complete = lists.iter().filter(|list| !list.is_delta());
        for (place, list) in complete.clone().enumerate() {
            // The newest of its scope.
            if complete.clone().take(place).any(|newer| newer.scope == list.scope) {
                continue;
            }
            let delta = lists.iter().find(|delta| delta.scope == list.scope && delta.continues(list));
            let added = delta.map_or(Entered::No, |delta| delta.entered(certificate.serial));
            let is_lifted = added == Entered::Removed && delta.is_some_and(|delta| is_current(delta));
            if added == Entered::Revoked || (list.entered(certificate.serial) != Entered::No && !is_lifted) {
                return Err(RejectReason::Revoked { subject });
            }
            is_known |= is_current(list);
            latest = latest.max(Some(list.next_update));
        }
        match latest {
            _ if is_known => Ok(()),
            Some(next_update) => Err(RejectReason::RevocationExpired {
                issuer: certificate::name(certificate.issuer),
                next_update,
                time,
            }),
            // Nothing but a difference whose list is of the future.
            None => self.unknown(subject, certificate, ListGap::NoList, time),
        }
    }

    /// No list says anything.
    fn unknown(
        &self,
        subject: Bearer,
        certificate: &Certificate<'_>,
        gap: ListGap,
        time: Time,
    ) -> Result<(), RejectReason> {
        if self.rules.allow_unknown_status {
            return Ok(());
        }
        let issuer = certificate::name(certificate.issuer);
        Err(RejectReason::RevocationUnknown { subject, issuer, gap, time })
    }

    /// Those that are out of date at this instant: their files, and when the next was due.
    pub(super) fn old(&self, now: Timestamp) -> impl Iterator<Item = (&Path, Timestamp)> {
        let old = self.lists.iter().filter(move |list| now >= list.next_update);
        old.map(|list| (list.path.as_path(), list.next_update))
    }

    /// Those that are dated later than this instant: their files, and the date.
    pub(super) fn future(&self, now: Timestamp) -> impl Iterator<Item = (&Path, Timestamp)> {
        let future = self.lists.iter().filter(move |list| now < list.this_update);
        future.map(|list| (list.path.as_path(), list.this_update))
    }

    /// The first instant after this one at which a list begins to count or ceases to.
    pub(super) fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        self.lists.iter().flat_map(|list| [list.this_update, list.next_update]).filter(|at| *at > now).min()
    }
}

/// What kind of signature a list bears that cannot be verified.
fn words(list: &List) -> String {
    let kind = list.algorithm_kind();
    signature::weak_digest(kind).map_or_else(
        || format!("an algorithm that is not supported ({})", der::dotted(kind)),
        |digest| format!("{digest}, which can be forged"),
    )
}
