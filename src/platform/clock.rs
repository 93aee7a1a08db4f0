//! The clock behind every [`Moment`].

use crate::types::Moment;

#[cfg(target_os = "linux")]
pub(crate) use linux::Clock;
#[cfg(not(target_os = "linux"))]
pub(crate) use portable::Clock;

#[cfg(target_os = "linux")]
mod linux {
    use rustix::time::{ClockId, clock_gettime};

    use super::Moment;

    /// `CLOCK_BOOTTIME`: nanoseconds since boot, the suspended ones included.
    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Clock;

    impl Clock {
        pub(crate) fn new() -> Self {
            Self
        }

        pub(crate) fn now(self) -> Moment {
            let time = clock_gettime(ClockId::Boottime);
            // Neither part is ever negative on this clock.
            let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
            let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
            Moment::from_nanos(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod portable {
    use std::time::Instant;

    use super::Moment;

    /// The standard library's monotonic clock, counted from the making of this value.
    ///
    /// Whether it runs through suspend is the system's choice: on Windows it does, on macOS it does
    /// not. Where it stands still, a suspend is noticed only when the application says
    /// [`resumed`](crate::client::Client::resumed), or by the connections it cost.
    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Clock {
        origin: Instant,
    }

    impl Clock {
        pub(crate) fn new() -> Self {
            Self { origin: Instant::now() }
        }

        pub(crate) fn now(self) -> Moment {
            Moment::ORIGIN + self.origin.elapsed()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_never_runs_back() {
        let clock = Clock::new();
        let moments: Vec<_> = (0..1000).map(|_| clock.now()).collect();
        assert!(moments.is_sorted());
        assert!(moments.first() < moments.last());
    }
}
