//! What became of reports.

use serde::{Deserialize, Serialize};

/// What became of the reports of one lane since the outbox was made.
///
/// Exact: `submitted + recovered` is `waiting + sent + dropped.total()`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LaneAccount {
    /// Taken by a submit.
    pub submitted: u64,
    /// Found in the folder, from an earlier process.
    pub recovered: u64,
    /// Acknowledged by a server.
    pub sent: u64,
    /// Waiting now.
    pub waiting: u64,
    /// Bytes of what waits, 32 for each report included.
    pub waiting_bytes: u64,
    /// Given up.
    pub dropped: Dropped,
    /// Not taken, because the lane was full or the report too large.
    pub refused: u64,
}

/// Reports that were given up, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Dropped {
    /// The lane was full, and they were the oldest.
    pub full: u64,
    /// They were older than the lane allows.
    pub aged: u64,
    /// The server refused them as too large, one by one.
    pub too_large: u64,
    /// A server refused each of them alone, again and again, and took the report behind it.
    #[serde(default)]
    pub not_taken: u64,
    /// They could not be read any more. Where a stretch of a file is damaged in which nothing can be told apart, it counts as one.
    pub damaged: u64,
}

impl Dropped {
    /// All of them.
    pub const fn total(&self) -> u64 {
        self.full + self.aged + self.too_large + self.not_taken + self.damaged
    }
}
