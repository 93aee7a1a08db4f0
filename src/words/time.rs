//! A point in time, as the engine knows it.

use std::fmt;
use std::num::NonZeroU64;
use std::ops::{Add, Sub};
use std::time::Duration;

/// Nanoseconds on a clock that runs through suspend and is never set by anybody.
///
/// The origin is the driver's choice; only differences mean anything. On Linux the client uses
/// `CLOCK_BOOTTIME`. Arithmetic saturates at both ends: a peer that sends a huge number of seconds
/// cannot make time overflow.
///
/// It is kept one higher than it counts, so that "no moment" needs no room of its own: an engine holds
/// many. The price is the last nanosecond of 584 years, which equals the one before.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(NonZeroU64);

impl Moment {
    /// The origin of the driver's clock.
    pub const ORIGIN: Self = Self(NonZeroU64::MIN);

    /// The moment this many nanoseconds after the origin.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(NonZeroU64::MIN.saturating_add(nanos))
    }

    /// Nanoseconds since the origin.
    pub const fn as_nanos(self) -> u64 {
        self.0.get() - 1
    }

    /// How long ago `earlier` was; zero when it lies in the future.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.get().saturating_sub(earlier.0.get()))
    }

    /// How long until this moment; zero when it has passed.
    pub const fn after(self, now: Self) -> Duration {
        self.since(now)
    }
}

impl Default for Moment {
    fn default() -> Self {
        Self::ORIGIN
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanos))
    }
}

impl Sub<Duration> for Moment {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Self::from_nanos(self.as_nanos().saturating_sub(nanos))
    }
}

impl fmt::Debug for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}s", self.as_nanos() / 1_000_000_000, self.as_nanos() % 1_000_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_instead_of_wrapping() {
        let late = Moment::from_nanos(u64::MAX - 1);
        assert_eq!(late + Duration::from_secs(5), Moment::from_nanos(u64::MAX));
        assert_eq!(Moment::ORIGIN + Duration::MAX, Moment::from_nanos(u64::MAX));
        assert_eq!(Moment::ORIGIN - Duration::from_secs(1), Moment::ORIGIN);
        assert_eq!(Moment::ORIGIN.since(late), Duration::ZERO);
    }

    #[test]
    fn no_moment_needs_no_room_of_its_own() {
        assert_eq!(size_of::<Option<Moment>>(), 8);
        assert_eq!(Moment::from_nanos(7).as_nanos(), 7);
        assert_eq!(Moment::default(), Moment::from_nanos(0));
    }
}
