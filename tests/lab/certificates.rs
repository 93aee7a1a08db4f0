//! A throw-away authority and one certificate of it, as files: a server that is killed and started again is the same
//! server.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};

pub(crate) struct Certificates {
    /// What clients trust.
    pub(crate) authority: PathBuf,
    /// What servers show, for every address and name asked for.
    pub(crate) certificate: PathBuf,
    /// Its key.
    pub(crate) key: PathBuf,
    folder: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate of an agent and its key, as files.
pub(crate) struct Identity {
    pub(crate) certificate: PathBuf,
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
            folder: folder.to_owned(),
            issuer,
        }
    }

    /// Writes an agent's certificate that ends so many days from now, and its key; over those that were there.
    pub(crate) fn identity(&self, name: &str, days: i64) -> Identity {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(1970, 1, 1) + now;
        let day = Duration::from_secs(86_400) * u32::try_from(days.abs()).unwrap();
        if days < 0 {
            params.not_after -= day;
        } else {
            params.not_after += day;
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let [path, key_path] = ["agent.pem", "agent.key"].map(|name| self.folder.join(name));
        fs::write(&path, certificate.pem()).unwrap();
        fs::write(&key_path, key.serialize_pem()).unwrap();
        Identity { certificate: path, key: key_path }
    }
}
