//! A throw-away certification authority, for tests and demonstrations only: its key never leaves the process and is
//! gone with it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// An authority that signs whatever it is asked to.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// Who a server is: its certificate chain and its key.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
}

/// No identity came of it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IdentityError {
    /// A certificate could not be made.
    #[error("cannot make a certificate: {0}")]
    Make(#[from] rcgen::Error),
    /// A file could not be read.
    #[error("cannot read {}: {error}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A file holds something else.
    #[error("{}: {error}", path.display())]
    Parse {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        error: pem::Error,
    },
}

impl Authority {
    /// A new authority with a key of its own.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub(crate) fn new(name: &str) -> Result<Self, IdentityError> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.distinguished_name.push(DnType::CommonName, name);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        let pem = params.self_signed(&key)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), pem })
    }

    /// Its certificate: what a client has to trust.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// A server certificate for these names and addresses.
    ///
    /// # Errors
    /// One of them is no name.
    pub(crate) fn issue(&self, names: &[String]) -> Result<Identity, IdentityError> {
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name.push(DnType::CommonName, "homing example manager");
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Identity {
            chain: vec![certificate.der().clone()],
            key: PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        })
    }
}

impl Identity {
    /// Reads a chain (the server's own certificate first) and a key, both PEM.
    ///
    /// # Errors
    /// A file that cannot be read, or that holds no certificate or key.
    pub(crate) fn read(chain: &Path, key: &Path) -> Result<Self, IdentityError> {
        let parse = |path: &Path, error| IdentityError::Parse { path: path.to_owned(), error };
        let certificates: Vec<_> = CertificateDer::pem_slice_iter(&read(chain)?)
            .collect::<Result<_, _>>()
            .map_err(|error| parse(chain, error))?;
        if certificates.is_empty() {
            return Err(parse(chain, pem::Error::NoItemsFound));
        }
        let key = PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|error| parse(key, error))?;
        Ok(Self { chain: certificates, key })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, IdentityError> {
    fs::read(path).map_err(|error| IdentityError::Read { path: path.to_owned(), error })
}
