//! What a connection runs over.

use super::status::{Failed, HOMING_ERROR_RANGE};
use crate::types::Medium;

/// A cable or radio of this machine, or something that is carried by one.
pub const HOMING_MEDIUM_DIRECT: i32 = 1;
/// A tunnel (a VPN), or an interface of which a driver that knows tunnels cannot say what it is: what answers there does not
/// show that the machine is inside by itself.
pub const HOMING_MEDIUM_TUNNEL: i32 = 2;
/// The driver never says. A verified server counts, a bare connection does not.
pub const HOMING_MEDIUM_UNKNOWN: i32 = 3;
/// Nothing: the peer has an address of this machine, and shows nothing of where that is.
pub const HOMING_MEDIUM_THIS_MACHINE: i32 = 4;

pub(super) fn read_medium(medium: i32) -> Result<Medium, Failed> {
    match medium {
        HOMING_MEDIUM_DIRECT => Ok(Medium::Direct),
        HOMING_MEDIUM_TUNNEL => Ok(Medium::Tunnel),
        HOMING_MEDIUM_UNKNOWN => Ok(Medium::Unknown),
        HOMING_MEDIUM_THIS_MACHINE => Ok(Medium::ThisMachine),
        other => Err(Failed::new(HOMING_ERROR_RANGE, format!("`medium` {other} is no medium"))),
    }
}
