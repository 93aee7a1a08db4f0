//! What time it is, by the two clocks that ageing needs.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::platform;

/// Both clocks at one instant, in whole seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Now {
    /// By a clock that is never set: how long something has waited in this process.
    pub(super) boot: u64,
    /// Since 1970 by the wall clock: how long something has waited since an earlier process.
    pub(super) wall: u64,
}

/// Where the time comes from; tests bring their own.
pub(super) type Clock = Box<dyn Fn() -> Now + Send + Sync>;

/// The clocks of the system.
pub(super) fn system_clock() -> Clock {
    let boot = platform::Clock::new();
    Box::new(move || Now {
        boot: boot.now().as_nanos() / 1_000_000_000,
        wall: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
    })
}
