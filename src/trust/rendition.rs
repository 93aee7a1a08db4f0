//! What webpki is shown of a certificate.
//!
//! Three things webpki refuses rather than looks at: critical policies, names below a constraint of directory names, mail addresses or
//! URIs, and self-issued certificates beyond a path length, which RFC 5280 does not count. They are judged here (`policies`, `constraint`,
//! `chain`), and webpki is shown the certificate without them. Every other byte is as it was sent, and each signature is verified over what was
//! sent ([`Through`]). So paths are still built and verified by webpki alone: dates, cA, purposes, names of hosts and every signature.
//!
//! A certificate in which anything is odd, such as an extension twice, is shown as it is.
//!
//! What was shown is found again by its address, never by its content: a server could send, beside a certificate, what would be shown of it, and that
//! one nobody has signed.

use std::borrow::Cow;

use rustls::pki_types::{
    AlgorithmIdentifier, CertificateDer, InvalidSignature, SignatureVerificationAlgorithm,
};
use webpki::EndEntityCert;

use super::anchors::Anchors;
use super::certificate::{Certificate, Unreadable};
use super::der::{self, NotDer, Reader};
use super::{constraint, policies};

/// The field of a certificate that has the extensions.
const EXTENSIONS: u8 = 0xa3;

/// id-ce-basicConstraints
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 19];

/// id-ce-nameConstraints
const NAME_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 30];

/// Certificates, and what webpki is shown of each.
pub(super) struct Shown<'a> {
    sent: &'a [CertificateDer<'a>],
    read: Vec<Result<Certificate<'a>, Unreadable>>,
    shown: Cow<'a, [CertificateDer<'a>]>,
}

impl<'a> Shown<'a> {
    /// The certificate of a server.
    pub(super) fn server(sent: &'a CertificateDer<'a>) -> Self {
        Self::with(std::slice::from_ref(sent), vec![Certificate::read(sent)], Lengths::Shown)
    }

    /// Certificates of authorities below these roots.
    pub(super) fn authorities(sent: &'a [CertificateDer<'a>], anchors: &Anchors) -> Self {
        let read: Vec<_> = sent.iter().map(|sent| Certificate::read(sent)).collect();
        // The root itself is often sent too, and counts for nothing.
        let is_extra = |it: &Certificate<'_>| it.is_self_issued() && !anchors.has(it.subject, it.key_info);
        let lengths = if read.iter().flatten().any(is_extra) { Lengths::Left } else { Lengths::Shown };
        Self::with(sent, read, lengths)
    }

    fn with(
        sent: &'a [CertificateDer<'a>],
        read: Vec<Result<Certificate<'a>, Unreadable>>,
        lengths: Lengths,
    ) -> Self {
        let both = sent.iter().zip(&read);
        let renditions: Vec<_> =
            both.map(|(sent, read)| read.ok().and_then(|read| of(sent, &read, lengths))).collect();
        let shown = if renditions.iter().all(Option::is_none) {
            Cow::Borrowed(sent)
        } else {
            let shown = sent.iter().zip(renditions);
            Cow::Owned(
                shown.map(|(sent, it)| it.unwrap_or_else(|| CertificateDer::from(sent.as_ref()))).collect(),
            )
        };
        Self { sent, read, shown }
    }

    pub(super) fn as_sent(&self) -> &'a [CertificateDer<'a>] {
        self.sent
    }

    pub(super) fn shown(&self) -> &[CertificateDer<'a>] {
        &self.shown
    }

    /// The first as that of a server.
    pub(super) fn end_entity(&self) -> Result<EndEntityCert<'_>, webpki::Error> {
        self.shown.first().ok_or(webpki::Error::BadDer).and_then(EndEntityCert::try_from)
    }

    /// The certificate that was sent, of which webpki was shown this.
    pub(super) fn sent(&self, shown: &[u8]) -> Option<Result<Certificate<'a>, Unreadable>> {
        let place = self.shown.iter().position(|it| std::ptr::eq(it.as_ref(), shown))?;
        self.read.get(place).copied()
    }

    /// What is signed of each certificate that is shown otherwise than it was sent.
    pub(super) fn changed(&self) -> impl Iterator<Item = Changed<'_>> {
        let both = self.shown.iter().zip(self.sent);
        both.filter(|(shown, sent)| !std::ptr::eq(shown.as_ref(), sent.as_ref())).filter_map(
            |(shown, sent)| Some(Changed { shown: signed(shown).ok()?, sent: signed(sent).ok()? }),
        )
    }
}

/// What is signed of a certificate, as webpki is shown it and as it was sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Changed<'a> {
    shown: &'a [u8],
    sent: &'a [u8],
}

/// A kind of signature that is verified over what was sent.
#[derive(Debug)]
pub(super) struct Through<'a> {
    pub(super) kind: &'static dyn SignatureVerificationAlgorithm,
    pub(super) changed: &'a [Changed<'a>],
}

impl SignatureVerificationAlgorithm for Through<'_> {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        let changed = self.changed.iter().find(|changed| std::ptr::eq(changed.shown, message));
        let message = changed.map_or(message, |changed| changed.sent);
        self.kind.verify_signature(public_key, message, signature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.kind.public_key_alg_id()
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.kind.signature_alg_id()
    }
}

/// What becomes of path lengths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lengths {
    Shown,
    /// They are left out.
    Left,
}

/// What webpki is shown of a certificate in whatever place, path lengths included; `None` when that is the certificate itself.
pub(super) fn rendition(sent: &CertificateDer<'_>) -> Option<CertificateDer<'static>> {
    of(sent, &Certificate::read(sent).ok()?, Lengths::Shown)
}

fn of(sent: &[u8], read: &Certificate<'_>, lengths: Lengths) -> Option<CertificateDer<'static>> {
    let extensions = &read.extensions;
    let is_odd = extensions.twice.is_some() || extensions.unreadable.is_some();
    let is_changed = extensions.has_critical_policies
        || extensions.name_constraints.is_some_and(constraint::has_ours)
        || lengths == Lengths::Left
            && extensions.basic_constraints.is_some_and(|it| it.path_length.is_some());
    if is_odd || !is_changed {
        return None;
    }
    rewritten(sent, lengths).ok().map(CertificateDer::from)
}

/// The certificate with other extensions.
fn rewritten(sent: &[u8], lengths: Lengths) -> Result<Vec<u8>, NotDer> {
    let mut certificate = open(&mut Reader::new(sent), der::SEQUENCE)?;
    let mut fields = open(&mut certificate, der::SEQUENCE)?;
    let mut signed = Vec::with_capacity(sent.len());
    while !fields.is_empty() {
        if fields.tag() == Some(EXTENSIONS) {
            let mut content = open(&mut fields, EXTENSIONS)?;
            let extensions = extensions(open(&mut content, der::SEQUENCE)?, lengths)?;
            content.end()?;
            signed.extend(der::wrap(EXTENSIONS, &der::wrap(der::SEQUENCE, &extensions)));
        } else {
            signed.extend(fields.any()?.whole);
        }
    }
    let whole = [&der::wrap(der::SEQUENCE, &signed), certificate.rest()].concat();
    Ok(der::wrap(der::SEQUENCE, &whole))
}

/// The extensions without what is judged here.
fn extensions(mut list: Reader<'_>, lengths: Lengths) -> Result<Vec<u8>, NotDer> {
    let mut kept = Vec::new();
    while !list.is_empty() {
        let mut rest = list;
        let whole = list.any()?.whole;
        let mut extension = open(&mut rest, der::SEQUENCE)?;
        let fields = extension.rest();
        let name = extension.expect(der::OID)?;
        let is_critical = extension.flag()?;
        let head = fields.get(..fields.len() - extension.rest().len()).unwrap_or_default();
        let mut value = open(&mut extension, der::OCTET_STRING)?;
        extension.end()?;
        if is_critical && policies::are_understood(name, value) {
            continue;
        }
        let left = match name {
            NAME_CONSTRAINTS => constraint::without_ours(open(&mut value, der::SEQUENCE)?.rest())?,
            BASIC_CONSTRAINTS if lengths == Lengths::Left => {
                without_length(open(&mut value, der::SEQUENCE)?)?
            }
            _ => {
                kept.extend(whole);
                continue;
            }
        };
        value.end()?;
        // Constraints of which none is left are no constraints; basic constraints without anything are some.
        if !left.is_empty() || name == BASIC_CONSTRAINTS {
            let value = der::wrap(der::OCTET_STRING, &der::wrap(der::SEQUENCE, &left));
            kept.extend(der::wrap(der::SEQUENCE, &[head, &value].concat()));
        }
    }
    Ok(kept)
}

/// The fields of basic constraints without a path length, which is a number that is compared here.
fn without_length(mut fields: Reader<'_>) -> Result<Vec<u8>, NotDer> {
    let all = fields.rest();
    fields.flag()?;
    let left = all.get(..all.len() - fields.rest().len()).unwrap_or_default();
    match fields.optional(der::INTEGER)? {
        None | Some([0..0x80]) => {}
        Some(_) => return Err(NotDer),
    }
    fields.end()?;
    Ok(left.to_vec())
}

/// The next value, whose length is written as DER writes it: what is written anew must not be better than what was sent.
fn open<'a>(reader: &mut Reader<'a>, tag: u8) -> Result<Reader<'a>, NotDer> {
    let value = reader.any()?;
    let is_der = value.tag == tag && der::wrap(tag, value.content) == value.whole;
    if is_der { Ok(Reader::new(value.content)) } else { Err(NotDer) }
}

/// What is signed of a certificate.
fn signed(certificate: &[u8]) -> Result<&[u8], NotDer> {
    Reader::new(certificate).sequence()?.any().map(|signed| signed.whole)
}
