//! A bundle: roots in a PEM file, and what is odd about them.

use std::collections::BTreeSet;
use std::fmt;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::anchors::{self, Anchors};
use super::certificate::{self, Certificate, Key};
use super::der::{self, Reader};
use super::pem;
use super::reject::Unfit;
use super::time::{Time, Timestamp};

/// Something odd about an entry of a bundle. It does not keep the bundle from being used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which certificate of the bundle, from 1.
    pub number: usize,
    /// Its subject, as far as it can be read.
    pub subject: String,
    /// What is odd.
    pub kind: FindingKind,
}

/// What is odd about an entry of a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FindingKind {
    /// It has expired. Used all the same, unless the policy enforces the validity of roots.
    Expired(Timestamp),
    /// It expires soon.
    Expiring(Timestamp),
    /// It is not valid yet.
    NotYetValid(Timestamp),
    /// A strict private authority would do otherwise.
    Unfit(Unfit),
    /// Its key is too small; nothing it signed is believed.
    WeakKey(Key),
    /// It stands in the bundle twice.
    Duplicate,
    /// It constrains names of a kind that is not honoured (RFC 5280 4.2.1.10): what it vouches for is
    /// refused if it has such a name. Kinds: `directoryName`, `rfc822Name`, `uniformResourceIdentifier`, or a number.
    NameConstraint(String),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "certificate {} ({}) ", self.number, self.subject)?;
        match &self.kind {
            FindingKind::Expired(when) => write!(f, "expired {when}"),
            FindingKind::Expiring(when) => write!(f, "expires {when}"),
            FindingKind::NotYetValid(when) => write!(f, "is valid from {when}"),
            FindingKind::Unfit(unfit) => write!(f, "is used, but {unfit}; {}", unfit.explain()),
            FindingKind::WeakKey(key) => {
                write!(f, "has an {key}, which is too small: nothing it signed is believed")
            }
            FindingKind::Duplicate => f.write_str("stands in the bundle twice"),
            FindingKind::NameConstraint(kind) => {
                write!(f, "constrains names of the kind {kind}, so certificates with such names are refused")
            }
        }
    }
}

/// Why a bundle cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// It is not PEM.
    #[error("it is not a PEM file: {0}")]
    NotPem(String),
    /// It has no certificate.
    #[error("it holds no certificate")]
    Empty,
    /// It is one certificate in DER.
    #[error("it is not PEM but DER; convert it: openssl x509 -inform der -in FILE -out FILE.pem")]
    Der,
    /// It has a key where certificates belong.
    #[error("it holds a private key where certificates belong; take it out, and do not distribute it")]
    PrivateKey,
    /// It has something else where certificates belong, such as a `TRUSTED CERTIFICATE` or a `PKCS7`.
    #[error("it holds a `{0}`; write each root as a `CERTIFICATE`")]
    Other(String),
    /// An entry is no certificate, or none that could be trusted.
    #[error("certificate {number} cannot be used: {reason}")]
    Unparsable {
        /// Which, from 1.
        number: usize,
        /// Why, with its subject if that can be read.
        reason: String,
    },
}

/// Every certificate of a bundle, or none: a bundle of which a part cannot be read is a broken file. What there is to say
/// of dates changes with them: [`Look`] says it.
pub(super) fn read(text: &[u8], anchors: &mut Anchors) -> Result<Vec<Finding>, BundleError> {
    let text = pem::unmarked(text);
    if text.first() == Some(&der::SEQUENCE) && Certificate::read(text).is_ok() {
        return Err(BundleError::Der);
    }
    let labels = pem::labels(text).map_err(BundleError::NotPem)?;
    match labels.into_iter().find(|label| label != "CERTIFICATE") {
        Some(label) if pem::is_key(&label) => return Err(BundleError::PrivateKey),
        Some(label) => return Err(BundleError::Other(label)),
        None => {}
    }
    let mut findings = Vec::new();
    let mut seen = BTreeSet::new();
    let mut number = 0;
    for bytes in CertificateDer::pem_slice_iter(text) {
        let bytes = bytes.map_err(|error| BundleError::NotPem(pem::words(&error)))?;
        number += 1;
        anchors.add(&bytes).map_err(|reason| BundleError::Unparsable { number, reason })?;
        if let Ok(certificate) = Certificate::read(&bytes) {
            let subject = certificate::name(certificate.subject);
            let found = |kind| Finding { number, subject: subject.clone(), kind };
            findings.extend(lint(&certificate).into_iter().map(found));
            if !seen.insert(super::pin::hash(&bytes)) {
                findings.push(found(FindingKind::Duplicate));
            }
        }
    }
    if number == 0 { Err(BundleError::Empty) } else { Ok(findings) }
}

/// When dates are looked at, and how far ahead.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) time: Time,
    /// Days before the end of a certificate from which on it is mentioned.
    pub(super) days: u32,
}

impl Look {
    /// What there is to say of a validity.
    pub(super) fn validity(self, not_before: Timestamp, not_after: Timestamp) -> Option<FindingKind> {
        let now = self.time.verification();
        if now > not_after {
            return Some(FindingKind::Expired(not_after));
        }
        if now < not_before {
            return Some(FindingKind::NotYetValid(not_before));
        }
        let soon = not_after.seconds_since(now) < i64::from(self.days) * 86_400;
        soon.then_some(FindingKind::Expiring(not_after))
    }
}

fn lint(root: &Certificate<'_>) -> Vec<FindingKind> {
    let mut found: Vec<FindingKind> = anchors::unfit(root).map(FindingKind::Unfit).into_iter().collect();
    if root.key.is_weak() {
        found.push(FindingKind::WeakKey(root.key));
    }
    if let Some(constraints) = root.extensions.name_constraints {
        found.extend(not_honoured(constraints).map(FindingKind::NameConstraint));
    }
    found
}

/// The first kind of name that is constrained and that webpki refuses rather than compares.
fn not_honoured(constraints: &[u8]) -> Option<String> {
    let mut lists = Reader::new(constraints);
    while let Ok(list) = lists.any() {
        let mut subtrees = Reader::new(list.content);
        while let Ok(mut subtree) = subtrees.sequence() {
            let Some(tag) = subtree.tag() else { break };
            match tag & 0x1f {
                2 | 7 => {}
                1 => return Some("rfc822Name".to_owned()),
                4 => return Some("directoryName".to_owned()),
                6 => return Some("uniformResourceIdentifier".to_owned()),
                other => return Some(other.to_string()),
            }
            if subtree.any().is_err() {
                break;
            }
        }
    }
    None
}
