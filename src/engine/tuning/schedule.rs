//! The constants of what is said when, each with the reason for it.

use super::durations::durations;

durations! { "schedule",
    /// After suspend the first heartbeat comes within this, or within a thirtieth of the interval if that is less.
    resume_spread: 10_000 ms,
    /// After a network change the first heartbeat comes within this.
    network_spread: 5_000 ms,
    /// Heartbeats for network changes are no closer than this: links flap.
    network_interval: 30_000 ms,
    /// A server without an event stream is asked again after this: it may have been upgraded.
    push_retry: 3_600_000 ms,
    /// A stream that lived this long was a good one; one that did not, time and again, is left alone.
    push_lasting: 60_000 ms,
}
