//! Settings, once they are read: what can be asked of them.

#[cfg(feature = "client")]
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::certificate::CertificatePolicy;
use super::effective::{Effective, Levels};
use super::error::Warning;
use super::list::{Merged, ServerList};
use super::location::{LocationRules, ReferenceServer, UnknownLocation};
use crate::types::ServerId;

/// The settings of one agent. Cheap to share in an `Arc`, never changed, free of contradictions.
///
/// ```
/// use homing::settings::Settings;
///
/// let settings: Settings = r#"{ "server_lists": [
///     { "name": "default", "priorities": [ { "servers": [ { "address": "mgmt.example" } ] } ] }
/// ] }"#.parse()?;
/// let effective = settings.effective(None);
/// assert_eq!(effective.heartbeat_interval.value.as_secs(), 300);
/// assert_eq!(settings.servers()[0].as_str(), "https://mgmt.example:443");
/// # Ok::<(), homing::settings::SettingsError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub(super) serial: Option<u64>,
    pub(super) audience: Option<Arc<str>>,
    pub(super) text: Text,
    pub(super) lists: Vec<Arc<ServerList>>,
    pub(super) servers: Vec<ServerId>,
    pub(super) policies: Vec<CertificatePolicy>,
    /// Where each of the policies was written first; empty for the one nobody wrote.
    pub(super) policy_paths: Vec<String>,
    pub(super) reference_servers: Vec<ReferenceServer>,
    pub(super) location_rules: LocationRules,
    pub(super) group_name: Option<Arc<str>>,
    pub(super) accept_settings_over_http: Option<bool>,
    pub(super) levels: Levels,
    pub(super) merged: Vec<Merged>,
}

/// The bytes that were read. Two documents that say the same are the same, however they are written.
#[derive(Clone, Debug, Default)]
pub(super) struct Text(pub(super) Option<Arc<[u8]>>);

impl PartialEq for Text {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Text {}

/// Who wrote the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// A person, in a file: read strictly.
    Person,
    /// A server: read leniently, so that next year's server does not strand this year's agents.
    Server,
}

/// Settings, and what is odd about their text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// The settings.
    pub settings: Settings,
    /// What was ignored or merged, in the order in which it was found.
    pub warnings: Vec<Warning>,
}

impl Settings {
    /// The same settings with communication switched off for the group and every location: where the machine is is found
    /// out by the reference servers, and no management server is asked. For tools that answer this one question.
    ///
    /// ```
    /// # use homing::settings::Settings;
    /// # let settings: Settings = r#"{ "server_lists": [
    /// #     { "name": "main", "priorities": [ { "servers": [ { "address": "a.example" } ] } ] }
    /// # ] }"#.parse()?;
    /// assert!(!settings.reference_servers_only().effective(None).enabled.value);
    /// # Ok::<(), homing::settings::SettingsError>(())
    /// ```
    #[must_use]
    pub fn reference_servers_only(mut self) -> Self {
        // They are no longer what was written.
        self.text = Text::default();
        let levels = &mut self.levels;
        for share in levels.locations.iter_mut().map(|(_, share)| share).chain([&mut levels.group]) {
            share.enabled = Some(false);
        }
        self
    }

    /// Whether there is a location of this name.
    ///
    /// # Errors
    /// There is none; what was meant, as far as it can be guessed.
    pub fn check_location(&self, name: &str) -> Result<(), UnknownLocation> {
        if self.locations().any(|known| **known == *name) {
            return Ok(());
        }
        Err(UnknownLocation::new(name, self.locations()))
    }

    /// What is in force in this location. For `None`, and for a name that is no location, the group's.
    pub fn effective(&self, location: Option<&str>) -> Effective {
        self.levels.effective(location)
    }

    /// The names of the locations, in the order of the file.
    pub fn locations(&self) -> impl ExactSizeIterator<Item = &Arc<str>> + Clone {
        self.location_rules.locations.iter().map(|location| &location.name)
    }

    /// What it takes to be inside, and when each location applies.
    pub fn location_rules(&self) -> &LocationRules {
        &self.location_rules
    }

    /// The servers that show where the machine is, in the order in which they are asked. Empty when
    /// they are switched off.
    pub fn reference_servers(&self) -> &[ReferenceServer] {
        &self.reference_servers
    }

    /// Every list, in the order of the file, whether it is assigned or not.
    pub fn lists(&self) -> &[Arc<ServerList>] {
        &self.lists
    }

    /// Every server, once, in the order of the file.
    pub fn servers(&self) -> &[ServerId] {
        &self.servers
    }

    /// The same settings, in which these policies are new ones: their files have changed.
    #[cfg(feature = "client")]
    pub(crate) fn renewed(&self, is_new: impl Fn(&CertificatePolicy) -> bool) -> Self {
        let mut settings = self.clone();
        for policy in settings.policies.iter_mut().filter(|policy| is_new(policy)) {
            policy.edition = policy.edition.wrapping_add(1);
        }
        settings
    }

    /// The same settings with their files where `place` says that they are.
    ///
    /// # Errors
    /// What `place` says of the first file that has no place.
    #[cfg(feature = "client")]
    pub(crate) fn place_files(
        &mut self,
        place: impl Fn(&Path) -> Result<PathBuf, String>,
    ) -> Result<(), String> {
        for policy in &mut self.policies {
            for file in policy.files_mut() {
                *file = place(file)?;
            }
        }
        Ok(())
    }

    /// Whether an agent that has these settings talks to no server, wherever it is.
    #[cfg(feature = "client")]
    pub(crate) fn ends_communication(&self) -> bool {
        let talks = |location: Option<&str>| self.effective(location).enabled.value;
        !talks(None) && !self.locations().any(|location| talks(Some(location)))
    }

    /// The bytes that were read; `None` when these settings are others than were written.
    pub fn text(&self) -> Option<&[u8]> {
        self.text.0.as_deref()
    }

    /// Which edition the document is.
    pub const fn serial(&self) -> Option<u64> {
        self.serial
    }

    /// For whom the document is.
    pub fn audience(&self) -> Option<&str> {
        self.audience.as_deref()
    }

    /// The certificate policies in use, each once. [`Server::policy`](crate::settings::Server::policy) and
    /// [`ReferenceServer::policy`](crate::settings::ReferenceServer::policy)
    /// are indices into it.
    pub fn policies(&self) -> &[CertificatePolicy] {
        &self.policies
    }

    /// Where the policy of this index was written first, for messages.
    pub fn policy_place(&self, index: usize) -> &str {
        match self.policy_paths.get(index).map(String::as_str) {
            None | Some("") => "certificate (default)",
            Some(path) => path,
        }
    }

    /// The name of the agent's group.
    pub fn group_name(&self) -> Option<&Arc<str>> {
        self.group_name.as_ref()
    }

    /// Whether settings are taken from a server that was not verified; `None` when nobody wrote it, which
    /// means: signed ones alone.
    pub const fn accept_settings_over_http(&self) -> Option<bool> {
        self.accept_settings_over_http
    }
}
