//! The agent's own certificate and its key, shown to a server that asks (RFC 8446 4.4.2).
//!
//! Both are PEM files. A new certificate is a new policy: its verifier and its session store are new,
//! so no session that was made with the old certificate is resumed.

use std::fmt;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::bundle;
use super::certificate::Certificate;
use super::time::Timestamp;

/// A certificate chain and the key of its first certificate.
pub(super) struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    not_before: Timestamp,
    not_after: Timestamp,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { chain, key: _, not_before, not_after } = self;
        let mut shown = f.debug_struct("Identity");
        shown
            .field("certificates", &chain.len())
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
    #[error("its first entry is not a certificate")]
    BadCertificate,
    /// The file of the key has none, or one of an unknown form.
    #[error("it holds no private key in PEM (PKCS#8, PKCS#1 or SEC 1, not encrypted)")]
    NoKey,
}

impl IdentityError {
    /// Whether it is about the file of the key.
    pub(super) fn is_about_key(&self) -> bool {
        match self {
            Self::NoKey => true,
            Self::NotPem(_) | Self::NoCertificate | Self::BadCertificate => false,
        }
    }
}

impl Identity {
    pub(super) fn read(certificate: &[u8], key: &[u8]) -> Result<Self, IdentityError> {
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(certificate)
            .collect::<Result<_, _>>()
            .map_err(|error| IdentityError::NotPem(bundle::words(&error)))?;
        let own = chain.first().ok_or(IdentityError::NoCertificate)?;
        let own = Certificate::read(own).map_err(|_| IdentityError::BadCertificate)?;
        let (not_before, not_after) = (own.not_before, own.not_after);
        // What the file says instead must not reach a message: it may be a key.
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| IdentityError::NoKey)?;
        Ok(Self { chain, key, not_before, not_after })
    }

    pub(super) fn not_before(&self) -> Timestamp {
        self.not_before
    }

    pub(super) fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// In the form TLS takes.
    pub(super) fn parts(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        (self.chain.clone(), self.key.clone_key())
    }
}
