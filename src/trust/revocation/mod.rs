//! Revocation lists (RFC 5280 5 and 6.3): given as bytes, never fetched.
//!
//! Lists are read by `list`, and `scope` says for which certificates one speaks. webpki is not asked: it takes the first list of an
//! issuer's name, whatever key signed it and whatever it is for. Here a list counts for a certificate only when it
//!
//! 1. is of the issuer's name, in whatever string type that is written,
//! 2. is for certificates of this kind and of this distribution point,
//! 3. is signed with the very key that issued the certificate, or with a key of the same authority that is its `kin`: an authority that
//!    changed its key without a certificate from one key for the other has two lists, and each speaks for its own,
//! 4. is not of the future.
//!
//! Of the lists with one scope and one key the newest counts, with the newest difference (delta list) that goes on from it. A
//! certificate is revoked when any of those says so, also one that is out of date, and in order when one that is current says nothing.
//!
//! Not supported, and refused when the policy is prepared: indirect lists, lists for some reasons only, differences without their
//! list, version 1, critical extensions that are not known. Stapled OCSP answers are not looked at.

mod kin;
mod list;
mod scope;
mod unusable;

use std::path::Path;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateRevocationListDer, SignatureVerificationAlgorithm};

pub(super) use self::kin::Kin;
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
#[derive(Clone, Debug)]
pub(super) struct Issuer<'a> {
    /// The whole SubjectPublicKeyInfo.
    pub(super) key_info: &'a [u8],
    /// How its certificate calls that key.
    pub(super) key_id: Option<&'a [u8]>,
    /// Whether its key usage allows lists.
    pub(super) signs_revocations: bool,
    pub(super) place: Place,
    pub(super) kin: Kin<'a>,
}

/// The keys that may have signed a list, and the algorithms.
#[derive(Clone, Copy)]
pub(super) struct Signers<'a> {
    pub(super) anchors: &'a Anchors,
    pub(super) algorithms: &'a [&'static dyn SignatureVerificationAlgorithm],
}

/// What lists say of a certificate. The worst comes last, and the second worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Said {
    /// There is none but a difference whose list is of the future.
    Nothing,
    /// Nothing bad, and they are out of date: this is when the next was due.
    Old(Timestamp),
    InOrder,
    Revoked,
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

    /// Whether the lists let a certificate pass that this issuer has issued. The anchors are for the words alone.
    pub(super) fn check(
        &self,
        certificate: &Certificate<'_>,
        place: Place,
        issuer: &Issuer<'_>,
        signers: Signers<'_>,
        time: Time,
    ) -> Result<(), RejectReason> {
        let now = time.verification();
        let unknown = |gap| self.unknown(Bearer::of(certificate, place), certificate, gap, time);
        let name = names::canonical(certificate.issuer);
        let mut covering: Vec<&List> = self.lists.iter().filter(|list| list.is_of(&name)).collect();
        if covering.is_empty() {
            return unknown(ListGap::NoList);
        }
        covering.retain(|list| list.scope.covers(certificate));
        if covering.is_empty() {
            return unknown(ListGap::OutOfScope);
        }
        let (own, others): (Vec<&List>, Vec<&List>) =
            covering.into_iter().partition(|list| is_signed_with(list, issuer.key_info, signers));
        let mut authentic = self.of_kin(&others, certificate, issuer, signers, now);
        if issuer.signs_revocations && !own.is_empty() {
            authentic.push(own);
        } else if authentic.is_empty() && !own.is_empty() {
            let subject = Bearer { name: certificate::name(certificate.issuer), place: issuer.place };
            return Err(RejectReason::MayNotRevoke { subject });
        }
        let Some(first) = authentic.iter().flatten().map(|list| list.this_update).min() else {
            return match not_authentic(&others, certificate, issuer, signers) {
                Some(reason) => Err(reason),
                None => unknown(ListGap::OtherKey),
            };
        };
        if now < first {
            return unknown(ListGap::Future(first));
        }
        let said = authentic.iter().map(|lists| self.look_up(certificate, lists, now)).max();
        let issuer = || certificate::name(certificate.issuer);
        match said {
            Some(Said::Revoked) => Err(RejectReason::Revoked { subject: Bearer::of(certificate, place) }),
            Some(Said::InOrder) => Ok(()),
            Some(Said::Old(next_update)) => {
                Err(RejectReason::RevocationExpired { issuer: issuer(), next_update, time })
            }
            Some(Said::Nothing) | None => unknown(ListGap::NoList),
        }
    }

    /// Which of these lists are signed with other keys of the issuer that are kin to the one that issued the certificate; those of each key
    /// by themselves.
    fn of_kin<'l>(
        &self,
        lists: &[&'l List],
        certificate: &Certificate<'_>,
        issuer: &Issuer<'_>,
        signers: Signers<'_>,
        now: Timestamp,
    ) -> Vec<Vec<&'l List>> {
        let lists: Vec<&List> = lists.iter().copied().filter(|list| !list.is_of_one_key).collect();
        if lists.is_empty() {
            return Vec::new();
        }
        let is_revoked = |kin: &Certificate<'_>| {
            let of_issuer = self.lists.iter().filter(|list| {
                list.is_of(&names::canonical(kin.issuer))
                    && list.scope.covers(kin)
                    && is_signed_with(list, issuer.key_info, signers)
            });
            self.look_up(kin, &of_issuer.collect::<Vec<_>>(), now) == Said::Revoked
        };
        let below = issuer.kin.below(certificate.issuer, issuer.key_info, signers.algorithms, now);
        let below = below.iter().filter(|kin| !is_revoked(kin)).map(|kin| kin.key_info);
        let keys = issuer.kin.above.iter().copied().chain(below);
        keys.map(|key| lists.iter().copied().filter(|list| is_signed_with(list, key, signers)).collect())
            .filter(|lists: &Vec<&List>| !lists.is_empty())
            .collect()
    }

    /// What lists of one key say that are all authentic and in scope; the newest first.
    fn look_up(&self, certificate: &Certificate<'_>, lists: &[&List], now: Timestamp) -> Said {
        let is_current = |list: &List| self.rules.allow_expired_lists || now < list.next_update;
        let present = || lists.iter().filter(|list| list.this_update <= now);
        let complete = || present().filter(|list| !list.is_delta());
        let mut said = Said::Nothing;
        for (place, list) in complete().enumerate() {
            // The newest of its scope.
            if complete().take(place).any(|newer| newer.scope == list.scope) {
                continue;
            }
            let delta = present().find(|delta| delta.scope == list.scope && delta.continues(list));
            let added = delta.map_or(Entered::No, |delta| delta.entered(certificate.serial));
            let is_lifted = added == Entered::Removed && delta.is_some_and(|delta| is_current(delta));
            if added == Entered::Revoked || (list.entered(certificate.serial) != Entered::No && !is_lifted) {
                return Said::Revoked;
            }
            said = said.max(if is_current(list) { Said::InOrder } else { Said::Old(list.next_update) });
        }
        said
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

fn is_signed_with(list: &List, key_info: &[u8], signers: Signers<'_>) -> bool {
    list.is_signed_with(key_info, signers.algorithms) == Signed::Yes
}

/// What is wrong with lists that are signed neither with the key that issued the certificate nor with its kin; `None` when each is in order and
/// of another key.
fn not_authentic(
    lists: &[&List],
    certificate: &Certificate<'_>,
    issuer: &Issuer<'_>,
    signers: Signers<'_>,
) -> Option<RejectReason> {
    let is_of_other_key = |list: &List| match list.claims(issuer.key_info, issuer.key_id) {
        Some(claims) => !claims,
        None => signers.anchors.keys_of(certificate.issuer).any(|key| is_signed_with(list, &key, signers)),
    };
    let is_unsupported =
        |list: &List| list.is_signed_with(issuer.key_info, signers.algorithms) == Signed::Unsupported;
    let name = certificate::name(certificate.issuer);
    match lists.iter().find(|list| is_unsupported(list)) {
        Some(list) if !is_of_other_key(list) => {
            Some(RejectReason::RevocationUnverifiable { issuer: name, algorithm: words(list) })
        }
        _ if lists.iter().all(|list| is_of_other_key(list)) => None,
        _ => Some(RejectReason::RevocationForged { issuer: name }),
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
