//! How much may wait, and what became of every report.

use std::time::Duration;

use serde::Serialize;

use super::entry::{HEADER, MAX_BODY};
use crate::types::Lane;

/// As many applications are remembered as reported: more than a rich machine has.
const APPLICATIONS: usize = 16_384;

/// How much one lane may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneLimits {
    /// Bytes of waiting reports, each counted with 32 bytes beside its body. 4 KiB to 4 GiB; a value outside is moved to the bound.
    pub bytes: u64,
    /// An older report is dropped. At least 1 s.
    pub age: Duration,
}

impl LaneLimits {
    /// Smaller than one report and its neighbours would be no queue; larger would not be a queue of reports.
    const BYTES: (u64, u64) = (4 << 10, 4 << 30);

    pub(super) fn within_bounds(self) -> Self {
        let (least, most) = Self::BYTES;
        Self { bytes: self.bytes.clamp(least, most), age: self.age.max(Duration::from_secs(1)) }
    }

    /// The largest body this lane takes.
    pub(super) fn most_body(self) -> usize {
        usize::try_from(self.bytes).unwrap_or(usize::MAX).saturating_sub(HEADER).min(MAX_BODY)
    }
}

/// How much each lane may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Default: 4 MiB, 30 days.
    pub critical: LaneLimits,
    /// Default: 1 MiB, 1 day.
    pub status: LaneLimits,
    /// Default: 16 MiB, 7 days.
    pub log: LaneLimits,
    /// Default: 4 MiB, 30 days.
    pub applications: LaneLimits,
    /// How many applications are remembered as reported; the one learned first is forgotten first. Default: 16,384, which is a rich
    /// machine's; at most 1,048,576.
    pub applications_known: usize,
}

impl Default for Limits {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        let lane = |mebibytes: u64, days: u32| LaneLimits { bytes: mebibytes << 20, age: DAY * days };
        Self {
            critical: lane(4, 30),
            status: lane(1, 1),
            log: lane(16, 7),
            applications: lane(4, 30),
            applications_known: APPLICATIONS,
        }
    }
}

impl Limits {
    /// Those of one lane.
    pub const fn of(&self, lane: Lane) -> LaneLimits {
        match lane {
            Lane::Critical => self.critical,
            Lane::Status => self.status,
            Lane::Log => self.log,
            Lane::Applications => self.applications,
        }
    }
}

/// What became of the reports of one lane since the outbox was made.
///
/// Exact: `submitted + recovered` is `waiting + sent + dropped.total()`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Dropped {
    /// The lane was full, and they were the oldest.
    pub full: u64,
    /// They were older than the lane allows.
    pub aged: u64,
    /// The server refused them as too large, one by one.
    pub too_large: u64,
    /// They could not be read any more. Where a stretch of a file is damaged in which nothing can be told apart, it counts as one.
    pub damaged: u64,
}

impl Dropped {
    /// All of them.
    pub const fn total(&self) -> u64 {
        self.full + self.aged + self.too_large + self.damaged
    }
}

/// How much waits in a lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Reports.
    pub reports: u64,
    /// Their bytes, 32 for each report included.
    pub bytes: u64,
}
