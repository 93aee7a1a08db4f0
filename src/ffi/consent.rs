//! Which settings of servers an agent takes.

use std::ffi::c_void;
use std::sync::Arc;

use super::handle::homing_client;
use super::text::homing_text;
use super::user_data::UserData;
use crate::client::{Builder, Consent};
use crate::engine::TakesSettings;

/// From none: settings come from the program alone.
pub const HOMING_TAKES_NO_SETTINGS: i32 = 0;
/// From a server that was verified by its certificate or key; from another one where the settings in force say so
/// (`accept_settings_over_http`).
pub const HOMING_TAKES_VERIFIED: i32 = 1;
/// From any server, unless the settings in force say otherwise: the driver takes none without a signature.
pub const HOMING_TAKES_SIGNED: i32 = 2;

/// The settings are put on trial.
pub const HOMING_CONSENT_ACCEPT: i32 = 0;
/// They are not used.
pub const HOMING_CONSENT_REFUSE: i32 = 1;
/// They wait for `homing_client_decide_settings`; the newest wait, and older ones are dropped.
pub const HOMING_CONSENT_LATER: i32 = 2;

/// A consent of the application's.
pub(super) fn consent(code: i32) -> Option<Consent> {
    match code {
        HOMING_CONSENT_ACCEPT => Some(Consent::Accept),
        HOMING_CONSENT_REFUSE => Some(Consent::Refuse("its hook says so".to_owned())),
        HOMING_CONSENT_LATER => Some(Consent::Later),
        _ => None,
    }
}

/// From which servers settings are taken.
pub(super) const fn takes_settings(code: i32) -> Option<TakesSettings> {
    match code {
        HOMING_TAKES_NO_SETTINGS => Some(TakesSettings::Never),
        HOMING_TAKES_VERIFIED => Some(TakesSettings::Verified),
        HOMING_TAKES_SIGNED => Some(TakesSettings::Signed),
        _ => None,
    }
}

/// What is asked about each settings document: see the options of a client.
pub(super) type OnSettings = unsafe extern "C" fn(
    user_data: *mut c_void,
    client: *mut homing_client,
    server: homing_text,
    tag: homing_text,
    data: *const u8,
    len: usize,
) -> i32;

/// With the application's function that is asked about each of them.
pub(super) fn asked(
    builder: Builder,
    on_settings: Option<OnSettings>,
    data: &Arc<UserData>,
    handle: &Arc<homing_client>,
) -> Builder {
    let Some(on_settings) = on_settings else { return builder };
    let (data, handle) = (Arc::clone(data), Arc::clone(handle));
    builder.on_settings(move |offered| {
        let (server, tag) = (homing_text::new(offered.server.as_str()), homing_text::new(offered.tag));
        let (bytes, len) = (offered.text.as_ptr(), offered.text.len());
        // SAFETY: the function is what the options say it is, and `data` lives as long as whatever holds it.
        let code = unsafe { on_settings(data.get(), handle.pointer(), server, tag, bytes, len) };
        consent(code).unwrap_or_else(|| Consent::Refuse(format!("its hook returned {code}")))
    })
}
