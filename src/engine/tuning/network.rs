//! The constants of what is thought of the network, each with the reason for it.

use super::durations::durations;

durations! { "network",
    /// First look again after the network went away. The driver reports changes; this catches the missed one.
    recheck: 5_000 ms,
    /// The looks double up to this: a machine without network for hours should sleep.
    recheck_ceiling: 60_000 ms,
    /// First look again after a portal was suspected: a person who logs in takes some seconds. Each later one doubles.
    captive_first: 5_000 ms,
    /// Up to this, while somebody may be about to log in.
    captive_ceiling: 30_000 ms,
    /// For how long that may be.
    captive_soon: 600_000 ms,
    /// Later looks.
    captive_late: 60_000 ms,
    /// A portal that lasts longer, or that follows the machine to another network for longer than `captive_soon`, is none.
    intercepted: 86_400_000 ms,
}
