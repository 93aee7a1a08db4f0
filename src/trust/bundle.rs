//! A bundle: roots in a PEM file, and what is odd about them.

use std::collections::BTreeSet;
use std::fmt;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::anchors::{self, Anchors};
use super::certificate::{Certificate, Key};
use super::reject::Unfit;
use super::time::{Time, Timestamp};
use super::{constraint, der, pem};

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
    /// Its key is of a kind or size that is not supported; nothing it signed is believed.
    UnsupportedKey(Key),
    /// It is the certificate of a server. A self-signed one works as long as it is none of an authority; of one that an authority issued
    /// nothing is used.
    Server {
        /// Whether it is self-signed.
        is_self_signed: bool,
    },
    /// It demands a stapled status (RFC 7633), which is not looked at.
    DemandsStapling,
    /// It stands in the bundle twice.
    Duplicate,
    /// It constrains names of a kind that is not honoured (RFC 5280 4.2.1.10): what it vouches for is
    /// refused if it has such a name. Kinds: `otherName`, `registeredID` and so on.
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
            FindingKind::UnsupportedKey(key) => {
                write!(f, "has an {key}, which is not supported: nothing it signed is believed")
            }
            FindingKind::Server { is_self_signed: true } => f.write_str(
                "is the certificate of a server and believed for that server alone; name it as `{ \"exact\": FILE }` instead",
            ),
            FindingKind::Server { is_self_signed: false } => f.write_str(
                "is the certificate of a server and not used; name it as `{ \"exact\": FILE }` instead, or put its authority here",
            ),
            FindingKind::DemandsStapling => {
                f.write_str("demands a stapled status (tlsFeature), which is not looked at")
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
    /// It holds more than the one certificate that `exact` names.
    #[error("it holds {0} certificates; `exact` wants the server's own alone")]
    Several(usize),
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
    let mut findings = Vec::new();
    let mut seen = BTreeSet::new();
    for (bytes, number) in certificates(text)?.iter().zip(1..) {
        anchors.add(bytes).map_err(|reason| BundleError::Unparsable { number, reason })?;
        if let Ok(certificate) = Certificate::read(bytes) {
            let subject = certificate.called();
            let found = |kind| Finding { number, subject: subject.clone(), kind };
            findings.extend(lint(&certificate).into_iter().map(found));
            if !seen.insert(super::pin::hash(bytes)) {
                findings.push(found(FindingKind::Duplicate));
            }
        }
    }
    Ok(findings)
}

/// The certificates of a PEM file that has nothing else, at least one.
pub(super) fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, BundleError> {
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
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    match found.map_err(|error| BundleError::NotPem(pem::words(&error)))? {
        found if found.is_empty() => Err(BundleError::Empty),
        found => Ok(found),
    }
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
    let mut found = Vec::new();
    if root.is_of_a_server() {
        found.push(FindingKind::Server { is_self_signed: root.is_self_issued() });
    } else {
        found.extend(anchors::unfit(root).map(FindingKind::Unfit));
    }
    if root.key.is_weak() {
        found.push(FindingKind::WeakKey(root.key));
    } else if !root.key.is_supported() {
        found.push(FindingKind::UnsupportedKey(root.key));
    }
    if let Some(constraints) = root.extensions.name_constraints {
        let kind = constraint::first_not_compared(constraints);
        found.extend(kind.map(|kind| FindingKind::NameConstraint(kind.to_owned())));
    }
    found
}
