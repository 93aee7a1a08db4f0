//! How a server is listened to.

use serde::{Deserialize, Serialize};

/// How a server is listened to in push mode, the best first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Rung {
    /// By an answer that does not end.
    #[default]
    Stream,
    /// By answers that end with the first event.
    Poll,
    /// Not at all: heartbeats carry the news.
    Pull,
}
