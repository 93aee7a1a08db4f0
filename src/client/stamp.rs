//! What files were like when they were read.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// What tells a file from the one that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    /// Differs for a file that was renamed over the old one.
    number: u64,
}

/// The files of settings, each as it was when it was read.
pub(super) type Stamps = BTreeMap<PathBuf, Stamp>;

impl Stamp {
    /// What the file at this path is like now. One that is not there is like nothing.
    pub(super) fn of(path: &Path) -> Self {
        let Ok(found) = fs::metadata(path) else { return Self { modified: None, length: 0, number: 0 } };
        #[cfg(unix)]
        let number = std::os::unix::fs::MetadataExt::ino(&found);
        #[cfg(not(unix))]
        let number = 0;
        Self { modified: found.modified().ok(), length: found.len(), number }
    }
}
