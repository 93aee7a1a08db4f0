//! Where the machine is: what the settings say about finding out.
//!
//! Only the rules are here; the finding out is the engine's.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::value::quoted;
use crate::types::{Host, Proof, nearest};

/// Names of locations in a message: those of most groups, and still a line.
const SHOWN_NAMES: usize = 8;
/// A server whose answer shows that the machine is inside, and that never manages.
///
/// Nothing turns it into a [`Server`](super::Server): it has no id, no weight and no protocol, so it
/// cannot be dialled for an exchange.
///
/// ```compile_fail,E0308
/// use std::sync::Arc;
/// use homing::settings::{ReferenceServer, Server};
///
/// fn make_it_manage(reference: Arc<ReferenceServer>) -> Arc<Server> {
///     reference
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferenceServer {
    /// Where it is.
    pub host: Host,
    /// Its ports in the order in which they are tried; 1 to 16, each once, never 0.
    pub ports: Vec<u16>,
    /// What its answer proves.
    pub proof: Proof,
    /// Its certificate policy: index into [`Settings::policies`](super::Settings::policies). Means
    /// nothing when `proof` is [`Proof::Tcp`].
    pub policy: u16,
}

/// The settings have no location of this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no location {name}; {advice}")]
pub struct UnknownLocation {
    /// The name, in quotes.
    name: String,
    /// What was meant, as far as it can be guessed.
    advice: String,
}

impl UnknownLocation {
    pub(super) fn new<'a>(name: &str, known: impl Iterator<Item = &'a Arc<str>> + Clone) -> Self {
        let meant = nearest(name, known.clone().map(|known| &**known));
        let names: Vec<_> = known.take(SHOWN_NAMES).map(|known| quoted(known)).collect();
        let advice = match meant {
            Some(meant) => format!("did you mean {meant}?"),
            None if names.is_empty() => "the settings have no locations".to_owned(),
            None => format!("the settings have {}", names.join(", ")),
        };
        Self { name: quoted(name), advice }
    }
}

/// What it takes to be inside, and which location applies then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocationRules {
    /// The weakest proof that gives `internal`.
    pub required_proof: Proof,
    /// Whether an exchange with a management server counts.
    pub management_server_counts: bool,
    /// Whether an answer through a tunnel gives plain `internal`.
    pub tunnel_proves_internal: bool,
    /// An address at which nobody may answer; if somebody does, the network answers for everybody.
    pub control_v4: Ipv4Addr,
    /// The same for IPv6.
    pub control_v6: Ipv6Addr,
    /// The locations in the order of the file; the first that fits applies.
    pub locations: Vec<Location>,
}

/// When a location applies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// Its name.
    pub name: Arc<str>,
    /// The situations in which it applies. Empty: only when the product names it.
    pub when: Vec<Situation>,
}

/// Where the machine is, as far as the agent knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Situation {
    /// Inside.
    Internal,
    /// Inside, but only by way of a tunnel.
    InternalViaVpn,
    /// Outside.
    External,
    /// Not known yet, or there is no network.
    Unknown,
    /// Behind a portal that answers for everybody.
    Captive,
}

impl fmt::Display for Situation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.explain())
    }
}

impl Situation {
    /// Whether the machine is inside, by whatever way.
    pub const fn is_inside(self) -> bool {
        match self {
            Self::Internal | Self::InternalViaVpn => true,
            Self::External | Self::Unknown | Self::Captive => false,
        }
    }

    /// The situation in a word or two.
    pub const fn explain(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::InternalViaVpn => "internal via vpn",
            Self::External => "external",
            Self::Unknown => "unknown",
            Self::Captive => "captive",
        }
    }
}
