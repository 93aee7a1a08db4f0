//! Whom a policy trusts: roots, and what their certificates say.
//!
//! webpki keeps the name, the key and the name constraints of a root and forgets the rest. The rest is
//! kept here beside it: dates, key usage, basic constraints. The public roots as compiled in have no
//! certificates, so nothing more is known of those.

use std::ops::Range;

use rustls::pki_types::{CertificateDer, TrustAnchor};
use webpki::VerifiedPath;

use super::certificate::{self, Certificate, Key};
use super::reject::Unfit;
use super::time::Timestamp;

/// Roots. The union of everything that was added.
#[derive(Debug, Default)]
pub(super) struct Anchors {
    anchors: Vec<TrustAnchor<'static>>,
    /// What is known of the anchor at the same place.
    details: Vec<Option<Details>>,
}

/// What the certificate of a root says.
#[derive(Clone, Debug)]
pub(super) struct Details {
    pub(super) subject: String,
    pub(super) not_before: Timestamp,
    pub(super) not_after: Timestamp,
    pub(super) key: Key,
    pub(super) signs_revocations: bool,
    /// How many certificates of authorities it allows below itself.
    pub(super) path_length: Option<usize>,
    /// What a strict private authority does otherwise.
    pub(super) unfit: Option<Unfit>,
    /// SHA-256 of its key.
    pub(super) pin: [u8; 32],
}

impl Anchors {
    pub(super) fn add_public(&mut self) {
        self.anchors.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        self.details.resize(self.anchors.len(), None);
    }

    /// Adds the certificate of a root.
    ///
    /// # Errors
    /// It is none, with the reason.
    pub(super) fn add(&mut self, bytes: &CertificateDer<'_>) -> Result<(), String> {
        let certificate = Certificate::read(bytes).map_err(|_| "it is not a certificate".to_owned())?;
        let anchor = webpki::anchor_from_trusted_cert(bytes)
            .map_err(|error| format!("{}: {error}", certificate::name(certificate.subject)))?;
        self.anchors.push(anchor.to_owned());
        self.details.push(Some(Details::of(&certificate)));
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.anchors.len()
    }

    pub(super) fn as_slice(&self) -> &[TrustAnchor<'static>] {
        &self.anchors
    }

    /// What is known of the root at the end of this path. The place tells which of several with one name and
    /// key it is: a root that was renewed differs from its predecessor in its dates alone.
    pub(super) fn of_path(&self, path: &VerifiedPath<'_>) -> Option<&Details> {
        let end: *const TrustAnchor<'_> = path.anchor();
        let place =
            self.anchors.iter().position(|anchor| std::ptr::eq(std::ptr::from_ref(anchor), end.cast()))?;
        self.details.get(place)?.as_ref()
    }

    /// What is known of those at these places.
    pub(super) fn at(&self, places: Range<usize>) -> impl Iterator<Item = &Details> {
        self.details.get(places).unwrap_or_default().iter().flatten()
    }

    /// Whether a root has this name.
    pub(super) fn knows(&self, subject: &[u8]) -> bool {
        self.anchors.iter().any(|anchor| anchor.subject.as_ref() == subject)
    }

    /// What is known of the roots with this name.
    pub(super) fn named(&self, subject: &[u8]) -> impl Iterator<Item = &Details> {
        self.anchors
            .iter()
            .zip(&self.details)
            .filter(move |(anchor, _)| anchor.subject.as_ref() == subject)
            .filter_map(|(_, details)| details.as_ref())
    }
}

impl Details {
    fn of(certificate: &Certificate<'_>) -> Self {
        let extensions = &certificate.extensions;
        let usage = extensions.key_usage;
        Self {
            subject: certificate::name(certificate.subject),
            not_before: certificate.not_before,
            not_after: certificate.not_after,
            key: certificate.key,
            signs_revocations: usage.is_none_or(|usage| usage.signs_revocations),
            path_length: extensions.basic_constraints.and_then(|constraints| constraints.path_length),
            unfit: unfit(certificate),
            pin: super::pin::hash(certificate.key_info),
        }
    }
}

/// What a strict private authority would do otherwise with its root.
pub(super) fn unfit(root: &Certificate<'_>) -> Option<Unfit> {
    let extensions = &root.extensions;
    match extensions.basic_constraints {
        None => return Some(Unfit::NoBasicConstraints),
        Some(constraints) if !constraints.is_authority => return Some(Unfit::NotAnAuthority),
        Some(constraints) if !constraints.is_critical => return Some(Unfit::BasicConstraintsNotCritical),
        Some(_) => {}
    }
    if extensions.key_usage.is_some_and(|usage| !usage.signs_certificates) {
        return Some(Unfit::NoCertificateSigning);
    }
    extensions.unknown_critical.map(|_| Unfit::UnknownCriticalExtension)
}
