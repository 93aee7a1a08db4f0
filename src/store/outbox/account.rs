//! How much may wait.

use std::time::Duration;

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
