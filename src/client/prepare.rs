//! From settings to settings that can be put in force.
//!
//! The one place where files are read. Every policy of the settings is made into a verifier before
//! any part of them reaches the client's thread; if one cannot be, none of the settings is used.

use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use zeroize::Zeroize;

use super::stamp::{Stamp, Stamps};
use super::system_roots;
use super::trust_clock::TrustClock;
use crate::platform::{logging, read_file};
use crate::settings::{CertificatePolicy, Roots, Settings};
use crate::trust::{self, Material, Policy, Remark, Time, TrustError};
use crate::types::{Printable, SettingsId};

/// The largest bundle, certificate or key that is read: twenty times the bundle of all public authorities.
const MAX_FILE: u64 = 4 * 1024 * 1024;

/// The largest file of revocation lists: the largest that public authorities publish have some ten megabytes.
const MAX_REVOCATIONS: u64 = 16 * 1024 * 1024;

/// Things about one policy that are told at a time. Whoever has more has seen the first, and events are not for thousands.
const TOLD: usize = 32;

/// Settings with a verifier for each of their policies.
pub(super) struct PreparedSettings {
    /// Names them, and their verifiers, from now on.
    pub(super) id: SettingsId,
    pub(super) settings: Arc<Settings>,
    pub(super) policies: Vec<trust::Prepared>,
    /// What is odd about the files that are in force all the same.
    pub(super) warnings: Vec<String>,
    /// What their files were like before they were read.
    pub(super) stamps: Stamps,
}

/// Why settings cannot be put in force. Nothing of them is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrepareError {
    /// A file cannot be read.
    #[error("{place}: cannot read {}: {source}{}", Printable(file.display()), whereabouts(file))]
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

/// Where a file is looked for that is named without its folder.
fn whereabouts(file: &Path) -> &'static str {
    if file.is_relative() { "; a relative path begins at the working folder of the process" } else { "" }
}

/// Reads what the settings name, and builds their verifiers.
pub(super) fn prepare(
    settings: Arc<Settings>,
    clock: &Arc<TrustClock>,
) -> Result<PreparedSettings, PrepareError> {
    let mut material = Read::default();
    let mut policies: Vec<trust::Prepared> = Vec::new();
    let mut warnings: Vec<String> = settings.not_enforced().iter().map(ToString::to_string).collect();
    let mut stamps = Stamps::new();
    for (index, policy) in settings.policies().iter().enumerate() {
        let place = settings.policy_place(index);
        for (_, file, _) in files(policy) {
            stamps.entry(file.to_owned()).or_insert_with(|| Stamp::of(file));
        }
        read_files(policy, place, &mut material.0)?;
        let prepared = trust::prepare(policy, &material.0, clock.clone())
            .map_err(|source| PrepareError::Trust { place: place.to_owned(), source })?;
        let (counts, odd): (Vec<&Remark>, Vec<&Remark>) =
            prepared.policy.remarks().iter().partition(|remark| matches!(remark, Remark::System { .. }));
        for count in counts {
            logging::record!(Info, "{place}: {count}");
        }
        warnings.extend(told(&odd).map(|warning| format!("{place}: {warning}")));
        policies.push(prepared);
    }
    Ok(PreparedSettings { id: mint(), settings, policies, warnings, stamps })
}

/// An id that no other settings of this process have, whichever client they are for.
fn mint() -> SettingsId {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    SettingsId(NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Reads the files that a policy names and makes it one that can be asked, as a client does with each policy of its
/// settings: for programs with a TLS stack of their own, which then ask [`check_certificate`](trust::check_certificate).
///
/// `place` stands at the beginning of errors; [`Settings::policy_place`] has it. `time` is for what is remarked about
/// dates ([`Policy::remarks`]). Any thread; it waits for the disk.
///
/// # Errors
/// A file cannot be read, or the policy cannot be enforced.
///
/// ```no_run
/// use homing::client::read_policy;
/// use homing::settings::Settings;
/// use homing::trust::{Time, Timestamp};
///
/// let settings: Settings = std::fs::read_to_string("settings.json")?.parse()?;
/// let now = Time::new(Timestamp(1_800_000_000));
/// let policy = read_policy(&settings.policies()[0], settings.policy_place(0), now)?;
/// println!("{} roots", policy.roots());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_policy(policy: &CertificatePolicy, place: &str, time: Time) -> Result<Policy, PrepareError> {
    let mut material = Read::default();
    read_files(policy, place, &mut material.0)?;
    Policy::new(policy, &material.0, time)
        .map_err(|source| PrepareError::Trust { place: place.to_owned(), source })
}

/// What was read, overwritten in the end: there may be keys among it.
#[derive(Default)]
struct Read(Material);

impl Drop for Read {
    fn drop(&mut self) {
        self.0.files.values_mut().for_each(Zeroize::zeroize);
    }
}

/// What an application is told of a policy, in words.
pub(super) fn told<R: Display>(remarks: &[R]) -> impl Iterator<Item = String> {
    let more = remarks.len().saturating_sub(TOLD);
    let more = (more > 0).then(|| format!("and {more} more things"));
    remarks.iter().take(TOLD).map(ToString::to_string).chain(more)
}

/// Adds what a policy names and nobody has read yet.
fn read_files(policy: &CertificatePolicy, place: &str, material: &mut Material) -> Result<(), PrepareError> {
    for (field, file, most) in files(policy) {
        if material.files.contains_key(file) {
            continue;
        }
        let failed =
            |source| PrepareError::File { place: format!("{place}.{field}"), file: file.to_owned(), source };
        material.files.insert(file.to_owned(), read_file(file, most).map_err(failed)?);
    }
    if policy.roots.contains(&Roots::System) && material.system.is_none() {
        material.system = Some(system_roots::read());
    }
    Ok(())
}

/// The files a policy names: the field that names each, and how large each may be.
pub(super) fn files(policy: &CertificatePolicy) -> impl Iterator<Item = (String, &Path, u64)> {
    let bundles = policy.roots.iter().enumerate().filter_map(|(index, root)| match root {
        Roots::Bundle(file) => Some((format!("roots[{index}].bundle"), file.as_path(), MAX_FILE)),
        Roots::Exact(file) => Some((format!("roots[{index}].exact"), file.as_path(), MAX_FILE)),
        Roots::Public | Roots::System => None,
    });
    let lists = policy.crls.iter().enumerate();
    let lists = lists.map(|(index, file)| (format!("crls[{index}]"), file.as_path(), MAX_REVOCATIONS));
    let client = policy.client.iter().flat_map(|client| {
        [("client.certificate", &client.certificate), ("client.key", &client.key)]
            .map(|(field, file)| (field.to_owned(), file.as_path(), MAX_FILE))
    });
    bundles.chain(lists).chain(client)
}
