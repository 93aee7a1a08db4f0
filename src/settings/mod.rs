//! What an administrator wrote: parsed once, valid for ever.
//!
//! A *settings document* is one JSON text: the management servers in their lists, how the agent's
//! group talks to them, and what is different in each of the group's locations. Its way through this
//! floor has four stations:
//!
//! 1. `read` turns bytes into the `document`. The shape, every number and every name is judged
//!    here, leaf by leaf (`value`), so that an error names its exact place.
//! 2. `resolve` follows the names the parts of the document have for each other, works out what
//!    was left out, and gives [`Settings`]. Nobody checks them again. Each part is at home in the
//!    file of its noun: `assignment` (which list is in force where), `server_index` (every server, once),
//!    `list`, `certificate`, `location`.
//! 3. [`Settings::effective`] says what is in force in one location, and for each field which level
//!    had the last word: site, group, or location.
//! 4. [`Settings::lint`] says what is allowed but hardly meant, and [`Settings::not_enforced`] what this version of the
//!    library does not do yet.
//!
//! Text that a person wrote is read strictly: an unknown field is a misspelt one, and an error. Text
//! that a server sent is read leniently: an unknown field is one of next year, and a warning. What
//! must not be ignored a document says in `requires`. An unknown *word* where a few are allowed
//! is an error from both: guessing would mean weaker checks, or another server than the one meant.
//!
//! Nothing here opens a file or a socket or looks at a clock. Settings name files; whoever uses them
//! reads them.

mod assignment;
mod certificate;
mod document;
mod effective;
mod error;
mod field;
mod lint;
mod list;
mod location;
mod not_enforced;
mod read;
mod reference_lint;
mod resolve;
#[cfg(test)]
mod schema;
mod server_index;
mod value;

use std::str::FromStr;
use std::sync::Arc;

use crate::types::ServerId;

pub use certificate::{
    CertificatePolicy, ClientCertificate, Pin, PinState, Profile, Revocation, RevocationScope, Roots,
};
pub use effective::{Chosen, Effective, Level, Mode};
pub use error::{CertificateProblem, ReferenceProblem, SettingsError, Warning, WarningKind};
pub use lint::{Lint, LintKind};
pub use list::{DEFAULT_HTTP_PORT, DEFAULT_HTTPS_PORT, Protocol, Server, ServerList};
pub use location::{Location, LocationRules, ReferenceServer, Situation, UnknownLocation};
pub use read::{MAX_DEPTH, MAX_TEXT};

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
    lists: Vec<Arc<ServerList>>,
    servers: Vec<ServerId>,
    policies: Vec<CertificatePolicy>,
    /// Where each of the policies was written first; empty for the one nobody wrote.
    policy_paths: Vec<String>,
    reference_servers: Vec<ReferenceServer>,
    location_rules: LocationRules,
    group_name: Option<Arc<str>>,
    accept_settings_over_http: Option<bool>,
    levels: effective::Levels,
    merged: Vec<Merged>,
}

/// An entry that was left out because its server stood earlier in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Merged {
    list: usize,
    priority: usize,
    position: usize,
    /// Where its server stands.
    first: String,
}

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
    /// Reads a settings document: UTF-8 JSON, with or without a byte order mark.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place. Nothing of a wrong document is used.
    pub fn parse(text: &[u8], source: Source) -> Result<Parsed, SettingsError> {
        let (document, mut warnings) = read::read(text, source)?;
        let settings = resolve::resolve(document, &mut warnings)?;
        Ok(Parsed { settings, warnings })
    }

    /// What is allowed but hardly meant, in the order of the document. Worked out anew at each call.
    pub fn lint(&self) -> Vec<Lint> {
        lint::lint(self)
    }

    /// What is written and asks for something that this version of the library does not do, in the order of the document.
    /// A client tells each as [`Event::SettingsWarning`](crate::engine::Event::SettingsWarning) when it puts the settings in
    /// force.
    ///
    /// ```
    /// # use homing::settings::Settings;
    /// let settings: Settings = r#"{
    ///     "server_lists": [ { "name": "main", "priorities": [ { "servers": [ { "address": "a.example" } ] } ] } ],
    ///     "group": { "reconnection": { "keep_group": true } }
    /// }"#.parse()?;
    /// assert_eq!(settings.not_enforced()[0].path, "group.reconnection.keep_group");
    /// # Ok::<(), homing::settings::SettingsError>(())
    /// ```
    pub fn not_enforced(&self) -> Vec<Lint> {
        not_enforced::not_enforced(self)
    }

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

    /// The certificate policies in use, each once. [`Server::policy`] and [`ReferenceServer::policy`]
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

    /// Whether a server may send settings over plain http; `None` when nobody wrote it, which
    /// means: only if every server in force is http.
    pub const fn accept_settings_over_http(&self) -> Option<bool> {
        self.accept_settings_over_http
    }
}

impl FromStr for Settings {
    type Err = SettingsError;

    /// Reads what a person wrote; [`Settings::parse`] also gives the warnings.
    fn from_str(text: &str) -> Result<Self, SettingsError> {
        Self::parse(text.as_bytes(), Source::Person).map(|parsed| parsed.settings)
    }
}
