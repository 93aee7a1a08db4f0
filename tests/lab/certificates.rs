//! A throw-away authority and one certificate of it, as files: a server that is killed and started again is the same
//! server.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

pub(crate) struct Certificates {
    /// What clients trust.
    pub(crate) authority: PathBuf,
    /// What servers show, for every address and name asked for.
    pub(crate) certificate: PathBuf,
    /// Its key.
    pub(crate) key: PathBuf,
}

impl Certificates {
    pub(crate) fn new(folder: &Path, names: &[&str]) -> Self {
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        authority.distinguished_name.push(DnType::CommonName, "homing lab, throw-away authority");
        let authority_key = KeyPair::generate().unwrap();
        let authority_pem = authority.self_signed(&authority_key).unwrap().pem();
        let issuer = Issuer::new(authority, authority_key);

        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();

        let write = |name: &str, text: &str| {
            let path = folder.join(name);
            fs::write(&path, text).unwrap();
            path
        };
        Self {
            authority: write("authority.pem", &authority_pem),
            certificate: write("certificate.pem", &certificate.pem()),
            key: write("key.pem", &key.serialize_pem()),
        }
    }
}
