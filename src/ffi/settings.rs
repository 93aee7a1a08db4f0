//! Settings: parsed once, valid for ever.

use std::ffi::c_char;
use std::path::Path;
use std::sync::Arc;

use super::boundary::{Place, free, reference, status, view};
use super::error::{homing_error, telling};
use super::status::{Failed, HOMING_ERROR_FILE, HOMING_ERROR_INTERNAL, HOMING_ERROR_RANGE, homing_status};
use super::string::homing_string;
use super::text::{self, homing_text};
use crate::client::read_file;
use crate::settings::{Lint, MAX_TEXT, Parsed, Settings, SettingsError, Source};

/// A settings document that was understood. It never changes; any number of threads, clients and engines may
/// use one at the same time. Clients and engines keep what they need: it may be freed once they were made.
pub struct homing_settings {
    pub(super) settings: Arc<Settings>,
    warnings: Vec<String>,
    lints: Vec<String>,
    not_enforced: Vec<String>,
}

impl From<Settings> for homing_settings {
    fn from(settings: Settings) -> Self {
        Self::new(Parsed { settings, warnings: Vec::new() })
    }
}

impl homing_settings {
    fn new(parsed: Parsed) -> Self {
        let Parsed { settings, warnings } = parsed;
        let words = |lints: &[Lint]| lints.iter().map(ToString::to_string).collect();
        Self {
            warnings: warnings.iter().map(ToString::to_string).collect(),
            lints: words(&settings.lint()),
            not_enforced: words(&settings.not_enforced()),
            settings: Arc::new(settings),
        }
    }
}

/// The text was written by a person: an unknown field is a misspelt one, and an error.
pub const HOMING_SOURCE_PERSON: i32 = 0;
/// The text came from a server: an unknown field is one of next year, and a warning.
pub const HOMING_SOURCE_SERVER: i32 = 1;

/// Reads a settings document: UTF-8 JSON of `len` bytes at `json`, at most 1 MiB, not NUL-terminated.
///
/// `source` is `HOMING_SOURCE_…`. On success `*out` is owned by the caller. Any thread.
///
/// Errors: `HOMING_ERROR_SETTINGS` with the first thing that is wrong and its place; text that is not UTF-8 is one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_settings_parse(
    json: *const u8,
    len: usize,
    source: i32,
    out: *mut *mut homing_settings,
    error: *mut *mut homing_error,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        telling(error, || {
            let out = Place::new(out, "out")?;
            if len > MAX_TEXT {
                return Err(SettingsError::TooLarge { bytes: len }.into());
            }
            let json = text::bytes(json, len, MAX_TEXT, "json")?;
            let source = match source {
                HOMING_SOURCE_PERSON => Source::Person,
                HOMING_SOURCE_SERVER => Source::Server,
                other => {
                    return Err(Failed::new(HOMING_ERROR_RANGE, format!("`source` {other} is no source")));
                }
            };
            out.give(parse(json, source)?);
            Ok(())
        })
    }
}

/// Reads the settings document in a file that a person wrote. `path` is NUL-terminated UTF-8; a relative one
/// is relative to the working folder of the process.
///
/// On success `*out` is owned by the caller. Any thread; it waits for the disk. Only a regular file is read, of at most 1 MiB.
///
/// Errors: `HOMING_ERROR_FILE`, `HOMING_ERROR_SETTINGS`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_settings_read(
    path: *const c_char,
    out: *mut *mut homing_settings,
    error: *mut *mut homing_error,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        telling(error, || {
            let out = Place::new(out, "out")?;
            let path = text::required(path, "path")?;
            let json = read_file(Path::new(path), MAX_TEXT as u64)
                .map_err(|error| Failed::new(HOMING_ERROR_FILE, format!("cannot read {path}: {error}")))?;
            let settings = parse(&json, Source::Person);
            out.give(
                settings
                    .map_err(|failed| Failed::new(failed.status, format!("{path}: {}", failed.message)))?,
            );
            Ok(())
        })
    }
}

fn parse(json: &[u8], source: Source) -> Result<homing_settings, Failed> {
    Ok(homing_settings::new(Settings::parse(json, source)?))
}

/// How many things in the text were ignored or merged. 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_settings_warning_count(settings: *const homing_settings) -> usize {
    // SAFETY: the caller's promise.
    unsafe { view(settings, 0, |settings| settings.warnings.len()) }
}

/// One of them: where and what. No text for an index beyond the last. The view lives until the settings are freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_settings_warning(
    settings: *const homing_settings,
    index: usize,
) -> homing_text {
    // SAFETY: the caller's promise.
    unsafe {
        view(settings, homing_text::NONE, |settings| {
            homing_text::of(settings.warnings.get(index).map(String::as_str))
        })
    }
}

/// How many things are allowed but hardly meant. 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_settings_lint_count(settings: *const homing_settings) -> usize {
    // SAFETY: the caller's promise.
    unsafe { view(settings, 0, |settings| settings.lints.len()) }
}

/// One of them: where, what, and what to do about it. No text for an index beyond the last. The view lives until
/// the settings are freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_settings_lint(settings: *const homing_settings, index: usize) -> homing_text {
    // SAFETY: the caller's promise.
    unsafe {
        view(settings, homing_text::NONE, |settings| {
            homing_text::of(settings.lints.get(index).map(String::as_str))
        })
    }
}

/// How many fields ask for something that this version does not do. A client tells each as
/// `HOMING_EVENT_SETTINGS_WARNING` when it puts the settings in force. 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_settings_not_enforced_count(settings: *const homing_settings) -> usize {
    // SAFETY: the caller's promise.
    unsafe { view(settings, 0, |settings| settings.not_enforced.len()) }
}

/// One of them: where, and what happens instead. No text for an index beyond the last. The view lives until the settings
/// are freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_settings_not_enforced(
    settings: *const homing_settings,
    index: usize,
) -> homing_text {
    // SAFETY: the caller's promise.
    unsafe {
        view(settings, homing_text::NONE, |settings| {
            homing_text::of(settings.not_enforced.get(index).map(String::as_str))
        })
    }
}

/// How many servers the document names, each counted once. 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_settings_server_count(settings: *const homing_settings) -> usize {
    // SAFETY: the caller's promise.
    unsafe { view(settings, 0, |settings| settings.settings.servers().len()) }
}

/// The id of one of them, in the order of the file. No text for an index beyond the last. The view lives until
/// the settings are freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_settings_server(
    settings: *const homing_settings,
    index: usize,
) -> homing_text {
    // SAFETY: the caller's promise.
    unsafe {
        view(settings, homing_text::NONE, |settings| {
            homing_text::of(settings.settings.servers().get(index).map(|id| id.as_str()))
        })
    }
}

/// How many locations the document names. 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_settings_location_count(settings: *const homing_settings) -> usize {
    // SAFETY: the caller's promise.
    unsafe { view(settings, 0, |settings| settings.settings.locations().len()) }
}

/// The name of one of them, in the order of the file. No text for an index beyond the last. The view lives until
/// the settings are freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_settings_location(
    settings: *const homing_settings,
    index: usize,
) -> homing_text {
    // SAFETY: the caller's promise.
    unsafe {
        view(settings, homing_text::NONE, |settings| {
            homing_text::of(settings.settings.locations().nth(index).map(|name| &**name))
        })
    }
}

/// What is in force in a location, as JSON: each value with the level it came from
/// (`"heartbeat_interval": {"value": "5m", "from": "group"}`).
///
/// `location` is NUL-terminated UTF-8; NULL, and a name that is no location, mean the group. On success the
/// caller owns `*out`. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_settings_effective(
    settings: *const homing_settings,
    location: *const c_char,
    out: *mut *mut homing_string,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        status(|| {
            let out = Place::new(out, "out")?;
            let settings = reference(settings, "settings")?;
            let location = text::optional(location, "location")?;
            let json = serde_json::to_string(&settings.settings.effective(location))
                .map_err(|error| Failed::new(HOMING_ERROR_INTERNAL, error))?;
            out.give(homing_string::new(json));
            Ok(())
        })
    }
}

/// The same settings with communication switched off for the group and every location: the reference servers find out
/// where the machine is, and no management server is asked. For tools that answer this one question. The caller owns `*out`;
/// `settings` stay as they are.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_settings_reference_servers_only(
    settings: *const homing_settings,
    out: *mut *mut homing_settings,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        status(|| {
            let out = Place::new(out, "out")?;
            let settings = Settings::clone(&reference(settings, "settings")?.settings);
            out.give(settings.reference_servers_only().into());
            Ok(())
        })
    }
}

/// Frees settings. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_settings_free(settings: *mut homing_settings) {
    // SAFETY: the caller's promise.
    unsafe { free(settings) }
}
