//! A picture of the engine at one moment, for people and for monitoring.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{LocationSnapshot, Reason};
use crate::types::{AccountMode, Host, Lane, LaneAccount, Name, Proof, Route, ServerId, Span};

/// Where the agent stands, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum State {
    /// Made, and not yet begun.
    Starting,
    /// Searching, and attached to no server.
    Searching,
    /// Attached to a server.
    Attached,
    /// Attached to no server; the next search begins later.
    Waiting,
    /// Attached to no server, because this machine has no network.
    NoNetwork,
    /// Attached to no server, and no proxy leads to one.
    NoWay,
    /// Attached to no server, because something else answers in place of the servers.
    Captive,
    /// Attached to no server, because every server has rejected this agent.
    Rejected,
    /// Communication is switched off in the settings.
    Disabled,
    /// Finishing what is under way.
    Stopping,
    /// Stopped for good.
    Stopped,
}

/// The engine at one moment. Serialises to JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Snapshot {
    /// Where the agent stands.
    pub state: State,
    /// Why it searches, waits or does nothing; `None` when all is well.
    pub reason: Option<Reason>,
    /// The server it is attached to.
    pub active: Option<ServerId>,
    /// Where that server is, and how its last answer came.
    pub active_at: Option<Whereabouts>,
    /// For how long.
    #[serde(rename = "attached_for_ms", with = "crate::types::milliseconds")]
    #[cfg_attr(test, schemars(with = "Option<u64>"))]
    pub attached_for: Option<Span>,
    /// Until the next heartbeat, when one is due.
    #[serde(rename = "next_heartbeat_ms", with = "crate::types::milliseconds")]
    #[cfg_attr(test, schemars(with = "Option<u64>"))]
    pub next_heartbeat: Option<Span>,
    /// Until the next search, when one is due.
    #[serde(rename = "next_search_ms", with = "crate::types::milliseconds")]
    #[cfg_attr(test, schemars(with = "Option<u64>"))]
    pub next_search: Option<Span>,
    /// The name of the server list in force; `None` where none is assigned, and every known server counts at one priority.
    pub list: Option<Arc<str>>,
    /// Which settings are in force, on trial or rejected; `None` where the program gave them without a name and none is on
    /// trial.
    pub settings: Option<SettingsSnapshot>,
    /// Every server of the list in force, in the order it would be tried.
    pub servers: Vec<ServerSnapshot>,
    /// Where the machine is; `None` when the settings do not ask.
    pub location: Option<LocationSnapshot>,
    /// What became of the product's reports, by lane. Filled in by a driver that has an outbox.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reports: BTreeMap<Lane, LaneAccount>,
    /// What the agent is registered as; `None` where the product gave no identity and nothing is remembered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registration: Option<RegistrationSnapshot>,
    /// Whether the server in use sees the agent's id on more than one machine.
    #[serde(default)]
    pub duplicate: bool,
    /// Inputs that named something the engine had given up.
    pub stale_inputs: u64,
}

/// Where a server is, by which way it was reached, and what it proved then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Whereabouts {
    /// As the settings write it.
    #[cfg_attr(test, schemars(with = "String"))]
    pub host: Host,
    /// The port in use.
    pub port: u16,
    /// The address that was connected to; `None` behind a proxy, which looks names up itself.
    pub address: Option<IpAddr>,
    /// Directly, or through which proxy of the program's list, counted from 0.
    pub route: Route,
    /// What it proved when it was reached; without TLS, that something accepted a connection.
    pub proof: Proof,
}

/// How a server is, as this agent knows it. Serialises to, and displays as, one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ServerHealth {
    /// Nothing is known.
    Unknown,
    /// The last exchange was good.
    Up,
    /// It failed once or twice in a mild way.
    Suspect,
    /// It failed, and is left out for a while.
    Down,
    /// It may be used again, and its earlier failures still count.
    Probation,
    /// It asked for patience.
    Throttled,
    /// It is not what it should be, or rejected this agent.
    Quarantined,
    /// It asks to be left.
    Draining,
}

impl ServerHealth {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Up => "up",
            Self::Suspect => "suspect",
            Self::Down => "down",
            Self::Probation => "probation",
            Self::Throttled => "throttled",
            Self::Quarantined => "quarantined",
            Self::Draining => "draining",
        }
    }
}

impl fmt::Display for ServerHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Which settings the agent has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SettingsSnapshot {
    /// The entity tag of those in force, or of the last known good ones while others are on trial; `None` where the program
    /// gave them.
    pub tag: Option<Arc<str>>,
    /// Their digest.
    pub digest: Option<Arc<str>>,
    /// Whether an exchange through them has worked.
    pub proved: bool,
    /// Those on trial.
    pub trial: Option<TrialSnapshot>,
    /// The tag, or the digest, of those that were rejected last.
    pub rejected: Option<Arc<str>>,
}

/// What the agent is registered as.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct RegistrationSnapshot {
    /// The group that a server named last; `None`: none did.
    pub group: Option<Name>,
    /// The mode that a server named last; `None`: none did.
    pub mode: Option<AccountMode>,
    /// Which server it was; `None`: none in this life of the agent.
    pub server: Option<ServerId>,
    /// Until the agent registers again, when it is to and nothing else is in the way.
    #[serde(rename = "next_ms", with = "crate::types::milliseconds")]
    #[cfg_attr(test, schemars(with = "Option<u64>"))]
    pub next: Option<Span>,
}

/// Settings on trial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct TrialSnapshot {
    /// Their entity tag; `None` where the program gave them.
    pub tag: Option<Arc<str>>,
    /// How much of their budget is spent. It runs while the settings before them answer.
    #[serde(rename = "spent_ms", with = "crate::types::milliseconds")]
    #[cfg_attr(test, schemars(with = "u64"))]
    pub spent: Span,
    /// Searches through them that found no server.
    pub searches: u8,
    /// Whether the settings before them answer.
    pub known_good_answers: bool,
}

/// One server of the list in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ServerSnapshot {
    /// Which.
    pub server: ServerId,
    /// Its priority, from 1.
    pub priority: usize,
    /// Its rank for this agent within the priority, from 1: 1 is the agent's own server.
    pub rank: usize,
    /// How it is.
    pub health: ServerHealth,
    /// How long it has been so.
    #[serde(rename = "since_ms", with = "crate::types::milliseconds")]
    #[cfg_attr(test, schemars(with = "u64"))]
    pub since: Span,
    /// Whether nothing of its certificate is verified (`danger_no_verification`): anybody on the way can be it.
    pub unverified: bool,
    /// How long it is left out, if it is.
    #[serde(rename = "left_out_ms", with = "crate::types::milliseconds")]
    #[cfg_attr(test, schemars(with = "Option<u64>"))]
    pub left_out: Option<Span>,
    /// Its last failure, in words.
    pub last_failure: Option<String>,
    /// How long ago that was.
    #[serde(rename = "last_failure_ago_ms", with = "crate::types::milliseconds")]
    #[cfg_attr(test, schemars(with = "Option<u64>"))]
    pub last_failure_ago: Option<Span>,
    /// Until it is next probed as a better server than the one in use.
    #[serde(rename = "next_probe_ms", with = "crate::types::milliseconds")]
    #[cfg_attr(test, schemars(with = "Option<u64>"))]
    pub next_probe: Option<Span>,
    /// Until the agent moves to it: it has proved itself.
    #[serde(rename = "move_in_ms", with = "crate::types::milliseconds")]
    #[cfg_attr(test, schemars(with = "Option<u64>"))]
    pub move_in: Option<Span>,
}
