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
mod limits;
mod lint;
mod lint_kind;
mod list;
mod location;
mod not_enforced;
mod parsed;
mod read;
mod reference_lint;
mod resolve;
#[cfg(test)]
mod schema;
mod server_index;
#[cfg(test)]
mod testing;
mod value;

use std::str::FromStr;

pub use certificate::{
    CertificatePolicy, ClientCertificate, Pin, PinState, Profile, Revocation, RevocationScope, Roots,
};
pub use effective::{Chosen, Effective, Level, Mode};
pub use error::{CertificateProblem, ReferenceProblem, SettingsError, Warning, WarningKind};
pub use limits::{MAX_DEPTH, MAX_TEXT};
pub use lint_kind::{Lint, LintKind};
pub use list::{DEFAULT_HTTP_PORT, DEFAULT_HTTPS_PORT, Protocol, Server, ServerList};
pub use location::{Location, LocationRules, ReferenceServer, Situation, UnknownLocation};
use parsed::Text;
pub use parsed::{Parsed, Settings, Source};

impl Settings {
    /// Reads a settings document: UTF-8 JSON, with or without a byte order mark.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place. Nothing of a wrong document is used.
    pub fn parse(text: &[u8], source: Source) -> Result<Parsed, SettingsError> {
        let (document, mut warnings) = read::read(text, source)?;
        let mut settings = resolve::resolve(document, &mut warnings)?;
        settings.text = Text(Some(text.into()));
        Ok(Parsed { settings, warnings })
    }
}

impl FromStr for Settings {
    type Err = SettingsError;

    /// Reads what a person wrote; [`Settings::parse`] also gives the warnings.
    fn from_str(text: &str) -> Result<Self, SettingsError> {
        Self::parse(text.as_bytes(), Source::Person).map(|parsed| parsed.settings)
    }
}
