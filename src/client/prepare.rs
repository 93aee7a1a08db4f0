//! From settings to settings that can be put in force.
//!
//! The one place where files are read. Every policy of the settings is made into a verifier before
//! any part of them reaches the client's thread; if one cannot be, none of the settings is used.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::system_roots;
use super::trust_clock::TrustClock;
use crate::platform::journal;
use crate::settings::{CertificatePolicy, Roots, Settings};
use crate::trust::{self, Material, Remark, TrustError};

/// The largest bundle, certificate or key that is read: twenty times the bundle of all public authorities.
const MAX_FILE: u64 = 4 * 1024 * 1024;

/// The largest file of revocation lists: the largest that public authorities publish have some ten megabytes.
const MAX_REVOCATIONS: u64 = 16 * 1024 * 1024;

/// Settings with a verifier for each of their policies.
pub(super) struct PreparedSettings {
    pub(super) settings: Arc<Settings>,
    pub(super) policies: Vec<trust::Prepared>,
    /// What is odd about the files that are in force all the same.
    pub(super) warnings: Vec<String>,
}

/// Why settings cannot be put in force. Nothing of them is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrepareError {
    /// A file cannot be read.
    #[error("{place}: cannot read {}: {source}", file.display())]
    File {
        /// Where the settings name it.
        place: String,
        /// Which file; a relative path is relative to the working folder of the process.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A certificate policy cannot be enforced.
    #[error("{place}: {source}")]
    Trust {
        /// Where the settings write it.
        place: String,
        /// Why.
        source: TrustError,
    },
}

/// Reads what the settings name, and builds their verifiers.
pub(super) fn prepare(
    settings: Arc<Settings>,
    clock: &Arc<TrustClock>,
) -> Result<PreparedSettings, PrepareError> {
    let mut material = Material::default();
    let mut policies: Vec<trust::Prepared> = Vec::new();
    let mut warnings = Vec::new();
    for (index, policy) in settings.policies().iter().enumerate() {
        let place = || settings.policy_place(index).to_owned();
        for (file, most) in files(policy) {
            if material.files.contains_key(file) {
                continue;
            }
            let content = read(file, most).map_err(|source| PrepareError::File {
                place: place(),
                file: file.to_owned(),
                source,
            })?;
            material.files.insert(file.to_owned(), content);
        }
        if policy.roots.contains(&Roots::System) && material.system.is_none() {
            material.system = Some(system_roots::read());
        }
        let prepared = trust::prepare(policy, &material, clock.clone())
            .map_err(|source| PrepareError::Trust { place: place(), source })?;
        for remark in prepared.policy.remarks() {
            if let Remark::System { .. } = remark {
                journal::tell!(Info, "{}: {remark}", place());
            } else {
                warnings.push(format!("{}: {remark}", place()));
            }
        }
        policies.push(prepared);
    }
    Ok(PreparedSettings { settings, policies, warnings })
}

/// The files a policy names, and how large each may be.
fn files(policy: &CertificatePolicy) -> impl Iterator<Item = (&Path, u64)> {
    let bundles = policy.roots.iter().filter_map(|root| match root {
        Roots::Bundle(file) => Some((file.as_path(), MAX_FILE)),
        Roots::Public | Roots::System => None,
    });
    let lists = policy.crls.iter().map(|file| (file.as_path(), MAX_REVOCATIONS));
    let client = policy.client.iter().flat_map(|client| [&client.certificate, &client.key]);
    bundles.chain(lists).chain(client.map(|file| (file.as_path(), MAX_FILE)))
}

fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path)?.take(most + 1).read_to_end(&mut content)?;
    if content.len() as u64 > most {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it is larger than {most} bytes")));
    }
    Ok(content)
}
