//! The lanes in which reports wait.

use crate::engine::Fullness;
use crate::types::Lane;

/// What is uploaded at once.
pub const HOMING_LANE_CRITICAL: i32 = 1;
/// How the machine is.
pub const HOMING_LANE_STATUS: i32 = 2;
/// What happened.
pub const HOMING_LANE_LOG: i32 = 3;
/// Applications that were seen for the first time.
pub const HOMING_LANE_APPLICATIONS: i32 = 4;

/// 90 % of the bytes of a lane are in use.
pub const HOMING_FULLNESS_NEARLY_FULL: i32 = 1;
/// Something had to give way.
pub const HOMING_FULLNESS_FULL: i32 = 2;
/// Less than 80 % are in use again.
pub const HOMING_FULLNESS_RELIEVED: i32 = 3;

pub(super) const fn lane_code(value: Lane) -> i32 {
    match value {
        Lane::Critical => HOMING_LANE_CRITICAL,
        Lane::Status => HOMING_LANE_STATUS,
        Lane::Log => HOMING_LANE_LOG,
        Lane::Applications => HOMING_LANE_APPLICATIONS,
    }
}

pub(super) const fn lane_of(code: i32) -> Option<Lane> {
    Some(match code {
        HOMING_LANE_CRITICAL => Lane::Critical,
        HOMING_LANE_STATUS => Lane::Status,
        HOMING_LANE_LOG => Lane::Log,
        HOMING_LANE_APPLICATIONS => Lane::Applications,
        _ => return None,
    })
}

pub(super) const fn fullness_code(value: Fullness) -> i32 {
    match value {
        Fullness::NearlyFull => HOMING_FULLNESS_NEARLY_FULL,
        Fullness::Full => HOMING_FULLNESS_FULL,
        Fullness::Relieved => HOMING_FULLNESS_RELIEVED,
    }
}
