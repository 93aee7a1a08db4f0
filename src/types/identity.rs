//! Who uses this machine, and in which group of the management server it is: what an agent is registered as.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};

use super::is_unseen;

/// The name of a group or of a user: 1 to 256 bytes of UTF-8, without characters that are not seen
/// ([`Printable`](super::Printable)).
///
/// ```
/// use homing::types::Name;
///
/// let group: Name = r"My Company\Köln".parse()?;
/// assert_eq!(group.as_str(), r"My Company\Köln");
/// assert!("two\nlines".parse::<Name>().is_err());
/// # Ok::<(), homing::types::NameError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Name(Arc<str>);

/// Bytes of a name: directories bound those of groups by 64 to 256.
const LONGEST: usize = 256;

/// The text cannot be the name of a group or a user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name is 1 to {LONGEST} bytes of UTF-8, without control characters and others that are not seen")]
pub struct NameError;

impl Name {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let fits = (1..=LONGEST).contains(&text.len()) && !text.chars().any(is_unseen);
        if fits { Ok(Self(text.into())) } else { Err(NameError) }
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Whose settings the agent has: those of the machine, or those of the user that is logged on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum AccountMode {
    /// Its group is that of the user.
    User,
    /// Its group is that of the machine, whoever is logged on.
    Computer,
}

impl AccountMode {
    /// The word for it, as on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Computer => "computer",
        }
    }

    /// The mode of this word.
    pub fn of_word(word: &str) -> Option<Self> {
        [Self::User, Self::Computer].into_iter().find(|mode| mode.as_str() == word)
    }
}

impl fmt::Display for AccountMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a product says of the machine when the agent registers; the server decides what it makes of it. An agent without one
/// does not register.
///
/// ```
/// use homing::types::{AccountMode, Identity};
///
/// let identity = Identity::default()
///     .with_user(Some("CORP\\alice".parse()?))
///     .with_preferred_group(Some("Laptops".parse()?))
///     .with_preferred_mode(Some(AccountMode::User));
/// # Ok::<(), homing::types::NameError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Identity {
    /// Who is logged on; `None`: no user is, or the product does not say.
    pub user: Option<Name>,
    /// The group in which the machine is meant to be, from its installation package for example.
    pub preferred_group: Option<Name>,
    /// The mode in which it is meant to be.
    pub preferred_mode: Option<AccountMode>,
}

impl Identity {
    /// The same, with this user.
    #[must_use]
    pub fn with_user(self, user: Option<Name>) -> Self {
        Self { user, ..self }
    }

    /// The same, with this preferred group.
    #[must_use]
    pub fn with_preferred_group(self, preferred_group: Option<Name>) -> Self {
        Self { preferred_group, ..self }
    }

    /// The same, with this preferred mode.
    #[must_use]
    pub fn with_preferred_mode(self, preferred_mode: Option<AccountMode>) -> Self {
        Self { preferred_mode, ..self }
    }
}

/// What is said in one registration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Registration {
    /// What the product says.
    pub identity: Arc<Identity>,
    /// The group that a server named last; `None` when none did, or the settings do not offer it
    /// (`group.reconnection.keep_group`).
    pub last_group: Option<Name>,
    /// The mode that a server named last; `None` when none did, or the settings do not offer it
    /// (`group.reconnection.keep_mode`).
    pub last_mode: Option<AccountMode>,
}

impl Registration {
    /// What an agent says of which nothing is remembered.
    pub fn new(identity: Arc<Identity>) -> Self {
        Self { identity, last_group: None, last_mode: None }
    }

    /// The same, with what a server named last.
    #[must_use]
    pub fn with_last(self, last_group: Option<Name>, last_mode: Option<AccountMode>) -> Self {
        Self { last_group, last_mode, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_bounded_and_seen() {
        for good in ["a", " ", "My Company\\Köln", "更大", &"x".repeat(LONGEST)] {
            assert_eq!(good.parse::<Name>().unwrap().as_str(), good);
        }
        for bad in ["", "a\nb", "a\0", "\u{202e}abc", "a\u{200b}", &"x".repeat(LONGEST + 1), &"ä".repeat(129)]
        {
            assert_eq!(bad.parse::<Name>(), Err(NameError), "{bad}");
        }
        assert!(serde_json::from_str::<Name>("\"a\\u0007\"").is_err(), "the same wherever it is read");
    }

    #[test]
    fn a_mode_has_one_word() {
        for mode in [AccountMode::User, AccountMode::Computer] {
            assert_eq!(AccountMode::of_word(mode.as_str()), Some(mode));
            assert_eq!(serde_json::to_value(mode).unwrap(), mode.as_str());
        }
        for other in ["", "User", "user ", "robot"] {
            assert_eq!(AccountMode::of_word(other), None, "{other}");
        }
    }
}
