//! Names of things: the agent, a server, and the handles the engine gives out.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};

/// Who this agent is: 1 to 128 visible ASCII bytes, often a UUID.
///
/// Sent as `Homing-Agent` with every request, and hashed as those bytes to choose the agent's own
/// server and the phase of its heartbeats. It is a name, not a secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct AgentId(Arc<str>);

/// Bytes of an agent id: four times those of a UUID.
const LONGEST: usize = 128;

/// The text cannot be an agent id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an agent id is 1 to {LONGEST} visible ASCII characters (0x21 to 0x7E), without spaces")]
pub struct AgentIdError;

impl AgentId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AgentId {
    type Err = AgentIdError;

    fn from_str(text: &str) -> Result<Self, AgentIdError> {
        let fits = (1..=LONGEST).contains(&text.len());
        if !fits || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(AgentIdError);
        }
        Ok(Self(text.into()))
    }
}

impl<'de> Deserialize<'de> for AgentId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which management server: the id somebody wrote in the settings, or protocol, address and port
/// (`https://mgmt.example:443`).
///
/// Two entries with one id are one server, with one health.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ServerId(Arc<str>);

impl ServerId {
    /// Names a server. Any text will do; settings make sure that it is short and printable.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for ServerId {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl fmt::Display for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One call of the product. The driver gives it, and never twice within the life of an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CallId(pub u64);

macro_rules! handle {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// Given out by the engine, never reused within its life.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);
    };
}

handle! {
    /// One connection to a management server, from the dial to the close.
    LinkId
}
handle! {
    /// One request and its answer on a link.
    ExchangeId
}
handle! {
    /// One name look-up.
    QueryId
}
handle! {
    /// One question to a reference server, or to nobody: see [`Action::Probe`](crate::engine::Action::Probe).
    ProbeId
}

/// Names a network the machine is on, among all it is ever on: the same number whenever it is on that network again. A driver
/// makes it of what distinguishes networks, such as the gateway of the default route and its link address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NetworkId(pub u64);

/// Names one settings document among all that a driver gives to an engine. The driver chooses the numbers; none is
/// used twice in the life of an engine.
///
/// [`Action::Release`](crate::engine::Action::Release) says when an engine no longer refers to one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SettingsId(pub u32);

/// Names the certificate policy under which a link is dialled: the settings it stands in, and which of
/// [`Settings::policies`](crate::settings::Settings::policies) it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CertificatePolicyId {
    /// Those that named the server when the engine last looked.
    pub settings: SettingsId,
    /// Index into the policies of those settings.
    pub index: u16,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_id_is_visible_ascii_of_bounded_length() {
        assert!("f81d4fae-7dec-11d0-a765-00a0c91e6bf6".parse::<AgentId>().is_ok());
        assert!("x".repeat(128).parse::<AgentId>().is_ok());
        for bad in ["", "two words", "tab\t", "naïve", "line\r\nbreak", &"x".repeat(129)] {
            assert_eq!(bad.parse::<AgentId>(), Err(AgentIdError), "{bad:?}");
        }
    }
}
