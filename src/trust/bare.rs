//! A certificate with nothing but the key and the names of another one.
//!
//! webpki reads no certificate with something in it that it does not support. Where the policy says that this does not matter, because the key
//! is pinned or the very certificate is named, webpki is given this one, to compare names with it and to verify the signature of a handshake
//! with its key. No signature *on* it is ever looked at.

use std::borrow::Cow;

use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

use super::certificate::Certificate;
use super::der;

/// `None` for bytes that are no certificate.
pub(super) fn of(bytes: &[u8]) -> Option<CertificateDer<'static>> {
    let certificate = Certificate::read(bytes).ok()?;
    let algorithm = der::wrap(der::SEQUENCE, certificate.algorithm);
    let any_time = [der::wrap(der::UTC_TIME, b"700101000000Z"), der::wrap(der::UTC_TIME, b"491231235959Z")];
    let extensions = certificate.extensions.names.map(|names| {
        let name = der::wrap(der::OID, &[0x55, 0x1d, 17]);
        let value = der::wrap(der::OCTET_STRING, &der::wrap(der::SEQUENCE, names));
        let extension = der::wrap(der::SEQUENCE, &[name, value].concat());
        der::wrap(0xa3, &der::wrap(der::SEQUENCE, &extension))
    });
    let signed = [
        der::wrap(0xa0, &der::wrap(der::INTEGER, &[2])),
        der::wrap(der::INTEGER, certificate.serial),
        algorithm.clone(),
        der::wrap(der::SEQUENCE, certificate.issuer),
        der::wrap(der::SEQUENCE, &any_time.concat()),
        der::wrap(der::SEQUENCE, certificate.subject),
        certificate.key_info.to_vec(),
        extensions.unwrap_or_default(),
    ];
    let signature = der::wrap(der::BIT_STRING, &[0]);
    let whole = [der::wrap(der::SEQUENCE, &signed.concat()), algorithm, signature].concat();
    Some(der::wrap(der::SEQUENCE, &whole).into())
}

/// A certificate with the same key that rustls can read: itself, mostly.
///
/// For a product that has rustls shake hands and asks [`check_certificate`](super::check_certificate) about the chain. rustls verifies the signature of the
/// handshake with the key of a certificate that it reads by itself, and it reads none of version 1, and none with a critical extension that webpki
/// does not support. Such a one can be believed by a pin, as `exact`, or with critical policies: give `rustls::crypto::verify_tls13_signature`
/// and `verify_tls12_signature` what this returns in its place. Nothing is judged here. Any thread.
pub fn readable<'a>(certificate: &'a CertificateDer<'_>) -> Cow<'a, CertificateDer<'a>> {
    match EndEntityCert::try_from(certificate) {
        Ok(_) => Cow::Borrowed(certificate),
        Err(_) => of(certificate).map_or(Cow::Borrowed(certificate), Cow::Owned),
    }
}
