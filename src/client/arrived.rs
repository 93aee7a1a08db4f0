//! Settings on their way to the client's thread, ready to be tried.

use std::sync::Arc;

use super::prepare::PreparedSettings;
use crate::engine::SettingsName;

/// Settings that are ready to be tried.
pub(super) struct Ready {
    pub(super) prepared: PreparedSettings,
    pub(super) name: Option<SettingsName>,
    /// Whether the program gives them.
    pub(super) given: bool,
}

/// What became of settings that came from a server.
pub(super) struct Arrived {
    pub(super) tag: Option<Arc<str>>,
    pub(super) ready: Result<Ready, String>,
}
