//! Whether something is signed with a key.

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use rustls::pki_types::{SignatureVerificationAlgorithm, SubjectPublicKeyInfoDer};
use webpki::{Error, RawPublicKeyEntity};

use super::der::{self, Reader};

/// Whether a signature is that of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signed {
    Yes,
    No,
    /// It cannot be told: the algorithm is not known, or not for this key.
    Unsupported,
}

/// Verifies one signature. `algorithm` is the content of its AlgorithmIdentifier, `key_info` a whole SubjectPublicKeyInfo.
// webpki may add to its errors in any release.
#[allow(clippy::wildcard_enum_match_arm)]
pub(super) fn verify(
    algorithms: &[&'static dyn SignatureVerificationAlgorithm],
    algorithm: &[u8],
    signed: &[u8],
    signature: &[u8],
    key_info: &[u8],
) -> Signed {
    let key = SubjectPublicKeyInfoDer::from(key_info);
    let Ok(key) = RawPublicKeyEntity::try_from(&key) else { return Signed::Unsupported };
    let mut found = Signed::Unsupported;
    for candidate in algorithms.iter().filter(|it| it.signature_alg_id().as_ref() == algorithm) {
        match key.verify_signature(*candidate, signed, signature) {
            Ok(()) => return Signed::Yes,
            Err(Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_)) => {}
            Err(_) => found = Signed::No,
        }
    }
    found
}

/// The object identifier of an algorithm; empty when it cannot be read. Content of an AlgorithmIdentifier.
pub(super) fn kind(algorithm: &[u8]) -> &[u8] {
    Reader::new(algorithm).expect(der::OID).unwrap_or_default()
}

/// The digest of a signature, if it can be forged.
pub(super) fn weak_digest(kind: &[u8]) -> Option<&'static str> {
    match kind {
        // sha1WithRSAEncryption, sha1WithRSA (OIW), ecdsa-with-SHA1, dsa-with-sha1
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5]
        | [0x2b, 0x0e, 3, 2, 29]
        | [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1]
        | [0x2a, 0x86, 0x48, 0xce, 0x38, 4, 3] => Some("SHA-1"),
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 4] => Some("MD5"),
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 2] => Some("MD2"),
        _ => None,
    }
}

/// The identifier that most authorities give a key (RFC 5280 4.2.1.2, method 1). It names a key and proves nothing.
pub(super) fn key_id(key_info: &[u8]) -> Option<Vec<u8>> {
    let mut fields = Reader::new(key_info).sequence().ok()?;
    fields.expect(der::SEQUENCE).ok()?;
    let key = der::bits(fields.expect(der::BIT_STRING).ok()?).ok()?;
    Some(digest(&SHA1_FOR_LEGACY_USE_ONLY, key).as_ref().to_vec())
}
