//! Whom a policy trusts: roots, and what their certificates say.
//!
//! webpki keeps the name, the key and the name constraints of a root and forgets the rest. The rest is
//! kept here beside it: dates, key usage, basic constraints. The public roots as compiled in have no
//! certificates, so nothing more is known of those.

use std::ops::Range;

use rustls::pki_types::{CertificateDer, Der, TrustAnchor};
use webpki::VerifiedPath;

use super::certificate::{self, Certificate, Key, Unreadable};
use super::der::{NotDer, Reader};
use super::reject::Unfit;
use super::time::Timestamp;
use super::{constraint, der, malformed, names};

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
    /// How it calls its key.
    pub(super) key_id: Option<Vec<u8>>,
    /// Content of its name constraints.
    pub(super) name_constraints: Option<Vec<u8>>,
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
        let certificate = Certificate::read(bytes).map_err(|Unreadable(words)| words.to_owned())?;
        let anchor = webpki::anchor_from_trusted_cert(bytes).map_err(|error| {
            format!("{}: {}", certificate.called(), malformed::unreadable(&error, &certificate))
        })?;
        let mut anchor = anchor.to_owned();
        if let Some(left) = certificate.extensions.name_constraints.filter(|it| constraint::has_ours(it)) {
            // webpki refuses what it does not compare; see `rendition`.
            let left =
                constraint::without_ours(left).map_err(|NotDer| "its name constraints cannot be read")?;
            anchor.name_constraints = Some(left.into()).filter(|left: &Der<'_>| !left.is_empty());
        }
        self.anchors.push(anchor);
        self.details.push(Some(Details::of(&certificate)));
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.anchors.len()
    }

    pub(super) fn as_slice(&self) -> &[TrustAnchor<'static>] {
        &self.anchors
    }

    /// The place of the root at the end of this path, which tells of several with one name and
    /// key which it is: a root that was renewed differs from its predecessor in its dates alone.
    pub(super) fn place(&self, path: &VerifiedPath<'_>) -> Option<usize> {
        let end: *const TrustAnchor<'_> = path.anchor();
        self.anchors.iter().position(|anchor| std::ptr::eq(std::ptr::from_ref(anchor), end.cast()))
    }

    /// What is known of the root at this place.
    pub(super) fn details(&self, place: Option<usize>) -> Option<&Details> {
        self.details.get(place?)?.as_ref()
    }

    /// What is known of those at these places.
    pub(super) fn at(&self, places: Range<usize>) -> impl Iterator<Item = &Details> {
        self.details.get(places).unwrap_or_default().iter().flatten()
    }

    /// Whether a root has this name.
    pub(super) fn knows(&self, subject: &[u8]) -> bool {
        self.anchors.iter().any(|anchor| anchor.subject.as_ref() == subject)
    }

    /// Whether a root has this name and this key, a whole SubjectPublicKeyInfo.
    pub(super) fn has(&self, subject: &[u8], key_info: &[u8]) -> bool {
        let key = Reader::new(key_info).expect(der::SEQUENCE);
        self.named(subject).any(|(anchor, _)| key == Ok(anchor.subject_public_key_info.as_ref()))
    }

    /// Whether a root has this name in another spelling.
    pub(super) fn spells(&self, subject: &[u8]) -> bool {
        let name = names::canonical(subject);
        self.anchors.iter().any(|anchor| names::canonical(&anchor.subject) == name)
    }

    /// The roots with this name, and what is known of each.
    pub(super) fn named(
        &self,
        subject: &[u8],
    ) -> impl Iterator<Item = (&TrustAnchor<'static>, Option<&Details>)> {
        let all = self.anchors.iter().zip(&self.details);
        all.filter(move |(anchor, _)| anchor.subject.as_ref() == subject)
            .map(|(anchor, details)| (anchor, details.as_ref()))
    }

    /// The keys of the roots with this name, each a whole SubjectPublicKeyInfo.
    pub(super) fn keys_of(&self, subject: &[u8]) -> impl Iterator<Item = Vec<u8>> {
        self.named(subject).map(|(anchor, _)| der::wrap(der::SEQUENCE, &anchor.subject_public_key_info))
    }
}

impl Details {
    fn of(certificate: &Certificate<'_>) -> Self {
        let extensions = &certificate.extensions;
        let usage = extensions.key_usage;
        Self {
            subject: certificate.called(),
            not_before: certificate.not_before,
            not_after: certificate.not_after,
            key: certificate.key,
            key_id: extensions.key_id.map(<[u8]>::to_vec),
            name_constraints: extensions.name_constraints.map(<[u8]>::to_vec),
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
    let is_for_any = |purposes| certificate::purposes(purposes).any(|it| it == certificate::ANY_PURPOSE);
    if !root.is_for_servers() && !extensions.purposes.is_some_and(is_for_any) {
        return Some(Unfit::NotForServers);
    }
    extensions.unknown_critical.map(|_| Unfit::UnknownCriticalExtension)
}
