//! From settings to settings that can be put in force.
//!
//! The one place where files are read. Every policy of the settings is made into a verifier before
//! any part of them reaches the client's thread; if one cannot be, none of the settings is used.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::settings::{Roots, Settings};
use crate::trust::{self, Files, TrustError};

/// The largest file that is read: twenty times the bundle of all public authorities.
const MAX_FILE: u64 = 4 * 1024 * 1024;

/// Settings with a verifier for each of their policies.
pub(super) struct PreparedSettings {
    pub(super) settings: Arc<Settings>,
    pub(super) policies: Vec<trust::Prepared>,
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
pub(super) fn prepare(settings: Arc<Settings>) -> Result<PreparedSettings, PrepareError> {
    let mut files = Files::new();
    let mut policies = Vec::new();
    for (index, policy) in settings.policies().iter().enumerate() {
        let place = || settings.policy_place(index).to_owned();
        for root in &policy.roots {
            let Roots::Bundle(file) = root else { continue };
            if files.contains_key(file) {
                continue;
            }
            let content = read(file).map_err(|source| PrepareError::File {
                place: place(),
                file: file.clone(),
                source,
            })?;
            files.insert(file.clone(), content);
        }
        let prepared = trust::prepare(policy, &files);
        policies.push(prepared.map_err(|source| PrepareError::Trust { place: place(), source })?);
    }
    Ok(PreparedSettings { settings, policies })
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut content)?;
    if content.len() as u64 > MAX_FILE {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it is larger than {MAX_FILE} bytes"),
        ));
    }
    Ok(content)
}
