//! The settings in force for one location, and which level each came from.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ServerList;

/// Where a value was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Nowhere: the default of the library.
    Default,
    /// `site`.
    Site,
    /// `group`.
    Group,
    /// The location.
    Location,
}

/// A value and the level that won.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Chosen<T> {
    /// The value in force.
    pub value: T,
    /// Where it was written.
    pub from: Level,
}

/// How the agent hears of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// At every heartbeat.
    #[default]
    Pull,
    /// At once, over a connection that stays open; heartbeats go on.
    Push,
}

/// What is in force for one location (or for the group alone).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effective {
    /// The location these are for; `None` for the group.
    pub location: Option<Arc<str>>,
    /// Whether the agent communicates at all.
    pub enabled: Chosen<bool>,
    /// The one list in force.
    pub server_list: Chosen<Arc<ServerList>>,
    /// Push or pull.
    pub mode: Chosen<Mode>,
    /// Mean time between heartbeats, 10 s to 24 h.
    pub heartbeat_interval: Chosen<Duration>,
    /// Whether critical reports leave at once.
    pub upload_critical_immediately: Chosen<bool>,
    /// Whether applications are learned; needs the site-wide switch as well.
    pub learn_applications: Chosen<bool>,
    /// Over which window a content download is spread; `None` when it is not.
    pub download_window: Chosen<Option<Duration>>,
    /// Whether policies and content come from the management server; group only.
    pub download_from_management_server: Chosen<bool>,
    /// Whether the last-used group is offered at registration; group only.
    pub keep_group: Chosen<bool>,
    /// Whether the last-used user or computer mode is offered at registration; group only.
    pub keep_mode: Chosen<bool>,
}
