//! The agent's own certificate and its key, shown to a server that asks (RFC 8446 4.4.2).
//!
//! Both are PEM files. A new certificate is a new policy: its verifier and its session store are new,
//! so no session that was made with the old certificate is resumed.

use std::fmt;
use std::sync::Arc;

use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};

use super::certificate::Certificate;
use super::pem;
use super::time::Timestamp;

/// A certificate chain and the key of its first certificate.
pub(super) struct Identity {
    certified: Arc<CertifiedKey>,
    not_before: Timestamp,
    not_after: Timestamp,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { certified, not_before, not_after } = self;
        let mut shown = f.debug_struct("Identity");
        shown
            .field("certificates", &certified.cert.len())
            .field("not_before", not_before)
            .field("not_after", not_after);
        shown.finish_non_exhaustive()
    }
}

/// Why the agent's own certificate cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// The file of the certificate is not PEM.
    #[error("it is not a PEM file: {0}")]
    NotPem(String),
    /// The file of the certificate has none.
    #[error("it holds no certificate")]
    NoCertificate,
    /// The certificate cannot be read.
    #[error("its first entry is not a certificate that TLS can use (X.509 version 3)")]
    BadCertificate,
    /// The file of the key has none.
    #[error("it holds no private key in PEM (PKCS#8, PKCS#1 or SEC 1)")]
    NoKey,
    /// The key is encrypted, and nobody is there to be asked for a password.
    #[error("its private key is encrypted; write it without a password: openssl pkey -in FILE -out FILE.key")]
    EncryptedKey,
    /// The key is of a kind that is not supported, or too small.
    #[error(
        "its private key cannot be used; make one of RSA with 2048 bits or more, on P-256 or P-384, or Ed25519"
    )]
    UnsupportedKey,
    /// The key is not that of the certificate.
    #[error("its private key is not that of the certificate")]
    OtherKey,
}

impl IdentityError {
    /// Whether it is about the file of the key.
    pub(super) fn is_about_key(&self) -> bool {
        match self {
            Self::NoKey | Self::EncryptedKey | Self::UnsupportedKey | Self::OtherKey => true,
            Self::NotPem(_) | Self::NoCertificate | Self::BadCertificate => false,
        }
    }
}

impl Identity {
    pub(super) fn read(certificate: &[u8], key: &[u8]) -> Result<Self, IdentityError> {
        let certificate = pem::unmarked(certificate);
        pem::labels(certificate).map_err(IdentityError::NotPem)?;
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(certificate)
            .collect::<Result<_, _>>()
            .map_err(|error| IdentityError::NotPem(pem::words(&error)))?;
        let own = chain.first().ok_or(IdentityError::NoCertificate)?;
        let own = Certificate::read(own).map_err(|_| IdentityError::BadCertificate)?;
        let (not_before, not_after) = (own.not_before, own.not_after);
        // What the file says instead, and what is said of it, must not reach a message: it may be a key.
        let key = pem::unmarked(key);
        if is_encrypted(key) {
            return Err(IdentityError::EncryptedKey);
        }
        let key = pem::private_key(key).ok_or(IdentityError::NoKey)?;
        // By reference, so that it can be overwritten afterwards.
        let key = any_supported_type(&key).map_err(|_| IdentityError::UnsupportedKey)?;
        let certified = CertifiedKey::new(chain, key);
        match certified.keys_match() {
            Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
            Err(Error::InconsistentKeys(_)) => return Err(IdentityError::OtherKey),
            Err(_) => return Err(IdentityError::BadCertificate),
        }
        Ok(Self { certified: Arc::new(certified), not_before, not_after })
    }

    pub(super) fn not_before(&self) -> Timestamp {
        self.not_before
    }

    pub(super) fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// In the form TLS takes.
    pub(super) fn certified(&self) -> Arc<CertifiedKey> {
        self.certified.clone()
    }
}

/// Whether a key is encrypted: as PKCS#8 (RFC 7468 11), or in the older way with a header (RFC 1421 4.6.1.1).
fn is_encrypted(key: &[u8]) -> bool {
    let labels = pem::labels(key).unwrap_or_default();
    let header = b"Proc-Type: 4,ENCRYPTED";
    labels.iter().any(|label| label == "ENCRYPTED PRIVATE KEY")
        || key.windows(header.len()).any(|window| window == header)
}
