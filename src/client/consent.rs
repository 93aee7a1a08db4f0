//! What a product says of settings that a server sends.

use crate::settings::Settings;
use crate::types::ServerId;

/// What a product says of settings that a server sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Consent {
    /// They are put on trial.
    Accept,
    /// They are not used, for this reason.
    Refuse(String),
    /// They wait for [`Client::decide_settings`](super::Client::decide_settings). The newest wait; older ones are dropped.
    Later,
}

/// Settings that a server sends, as the product's hook sees them.
#[derive(Debug)]
pub struct OfferedSettings<'a> {
    /// Which server.
    pub server: &'a ServerId,
    /// Their entity tag.
    pub tag: &'a str,
    /// The document, as it came.
    pub text: &'a [u8],
    /// What it says.
    pub settings: &'a Settings,
    /// Whether one of the [keys](super::Builder::settings_keys) signed it.
    pub is_signed: bool,
}

/// Asked on the client's thread.
pub(super) type ConsentHook = Box<dyn FnMut(&OfferedSettings<'_>) -> Consent + Send>;
