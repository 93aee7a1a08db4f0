//! What must outlive the process.
//!
//! The engine never sees a wall clock: durations here are what *remained* when the memory was made,
//! and whoever stores it says how long it was away.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::rung::Rung;
use crate::types::{AccountMode, NetworkId, ServerId, Span};

/// The engine's memory: one small value, to be stored as it is.
///
/// Anything may be missing, and what does not fit the settings any more is ignored: an old or damaged
/// memory costs progress, never correctness.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Memory {
    /// Searches in a row that failed and were not yet forgiven.
    pub misses: u8,
    /// How often in a row the agent had to leave a server within an hour after it had come back to it.
    pub damping: u8,
    /// The entity tag of the policy that the product has confirmed.
    pub policy: Option<Arc<str>>,
    /// Which settings worked, are on trial, or were rejected; none where the program gives settings without a name.
    pub settings: Option<Box<SettingsMemory>>,
    /// Servers of which something is known.
    pub servers: Vec<ServerMemory>,
    /// How servers can be listened to, where something was learnt of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub push: Vec<PushMemory>,
    /// Networks on which servers had to be reached by another way than the first; the one that was found last comes last.
    pub networks: Vec<NetworkMemory>,
    /// What a server has registered the agent as.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registration: Option<Box<RegistrationMemory>>,
}

impl Memory {
    /// The same with half as many servers, for a store that has no room for thousands: what took longest to learn is
    /// given up last.
    #[must_use]
    pub fn better_half(&self) -> Self {
        let mut servers: Vec<&ServerMemory> = self.servers.iter().collect();
        servers.sort_by_key(|server| server.worth());
        servers.truncate(servers.len() / 2);
        let servers = servers.into_iter().cloned().collect();
        Self { servers, ..self.clone() }
    }
}

/// What a server has registered the agent as.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct RegistrationMemory {
    /// The group that was named last.
    pub group: Option<Arc<str>>,
    /// The mode that was named last.
    pub mode: Option<AccountMode>,
}

/// What is remembered of one network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NetworkMemory {
    /// Which.
    pub id: NetworkId,
    /// How servers are reached there.
    #[serde(default)]
    pub ways: Vec<WayMemory>,
}

/// The way to a server on one network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WayMemory {
    /// Which server.
    pub server: ServerId,
    /// Which of the program's routes, from 0.
    #[serde(default)]
    pub route: u8,
    /// Another address of its name than the first, and how long ago it last worked.
    #[serde(default)]
    pub address: Option<(IpAddr, Span)>,
}

/// What names a settings document beyond the life of a process.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SettingsName {
    /// Says which document it is and no other: the client takes the SHA-256 of its bytes in hexadecimal.
    pub digest: Arc<str>,
    /// The entity tag that the server gave it, if a server did.
    #[serde(default)]
    pub tag: Option<Arc<str>>,
    /// Its serial number, if its signature proved one.
    #[serde(default)]
    pub serial: Option<u64>,
}

/// What is remembered of settings documents.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct SettingsMemory {
    /// The digest of the document that the program gave.
    pub given: Option<Arc<str>>,
    /// The last known good one: an exchange through it has worked.
    pub in_force: Option<SettingsName>,
    /// The one on trial.
    pub candidate: Option<CandidateMemory>,
    /// The one that was rejected last.
    pub rejected: Option<SettingsName>,
    /// The highest serial number of a document that worked.
    pub serial: Option<u64>,
}

/// What is remembered of settings on trial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CandidateMemory {
    /// Which.
    pub name: SettingsName,
    /// How much of their budget is spent.
    pub spent: Span,
    /// Searches through them that found no server.
    #[serde(default)]
    pub searches: u8,
}

/// What is remembered of one server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ServerMemory {
    /// Which.
    pub id: ServerId,
    /// Failures in a row that were not yet forgiven.
    #[serde(default)]
    pub misses: u8,
    /// Why it was left out, if it was.
    #[serde(default)]
    pub left_out: Option<LeftOut>,
    /// A better server than the one in use that was proving itself.
    #[serde(default)]
    pub proof: Option<Proven>,
    /// Where its name led when it last worked, and how long ago that was.
    #[serde(default)]
    pub last_good: Option<(IpAddr, Span)>,
}

impl ServerMemory {
    /// What is given up last if there is no room comes first.
    const fn worth(&self) -> u8 {
        match self {
            Self { proof: Some(_), .. } => 0,
            Self { last_good: Some(_), .. } => 1,
            Self { left_out: Some(_), .. } => 2,
            Self { .. } => 3,
        }
    }
}

/// What was learnt of how a server can be listened to, by one route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PushMemory {
    /// Which server.
    pub server: ServerId,
    /// By which proxy; `None`: directly.
    #[serde(default)]
    pub proxy: Option<u8>,
    /// What the way bears.
    pub rung: Rung,
    /// How much longer nothing better is tried.
    pub again: Span,
    /// For how long the server may say nothing.
    pub silence: Span,
    /// The shortest silence that no connection has survived, and how much longer that is believed.
    #[serde(default)]
    pub died: Option<(Span, Span)>,
}

/// A server that may not be used for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Why.
    pub reason: LeftOutReason,
    /// How long it still is.
    pub remaining: Span,
}

/// Why a server may not be used for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LeftOutReason {
    /// It failed.
    Down,
    /// It asked for patience with a 429.
    TooManyRequests,
    /// It asked for patience otherwise.
    Throttled,
    /// It rejected this agent.
    NotAllowed,
}

/// How far a better server had proved itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proven {
    /// Successes in a row.
    pub count: u8,
    /// How long ago the first of them was.
    pub ago: Span,
}

/// How long the engine was not there, as far as its driver can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Away {
    /// This long.
    For(Duration),
    /// The wall clock is not believable: what remained then still remains.
    Unknown,
}
