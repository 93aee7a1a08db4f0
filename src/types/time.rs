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
/// There is as much room before the origin as after it, 292 years: a clock may count from the start of the machine
/// or of the program, and what is remembered of an earlier life lies before that.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
// Never zero, so that "no moment" needs no room of its own: an engine holds many.
pub struct Moment(NonZeroU64);

impl Moment {
    /// The origin of the driver's clock.
    pub const ORIGIN: Self = Self(NonZeroU64::MIN.saturating_add((1 << 63) - 1));

    /// The moment this many nanoseconds after the origin.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(Self::ORIGIN.0.saturating_add(nanos))
    }

    /// Nanoseconds since the origin; none for what lies before it.
    pub const fn as_nanos(self) -> u64 {
        self.0.get().saturating_sub(Self::ORIGIN.0.get())
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
        Self(NonZeroU64::new(self.0.get().saturating_sub(nanos)).unwrap_or(NonZeroU64::MIN))
    }
}

impl fmt::Debug for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if *self < Self::ORIGIN { "-" } else { "" };
        let nanos = self.0.get().abs_diff(Self::ORIGIN.0.get());
        write!(f, "{sign}{}.{:09}s", nanos / 1_000_000_000, nanos % 1_000_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_instead_of_wrapping() {
        let late = Moment::from_nanos((1 << 63) - 2);
        assert_eq!(late + Duration::from_secs(5), Moment::from_nanos(u64::MAX));
        assert_eq!(Moment::ORIGIN + Duration::MAX, Moment::from_nanos(u64::MAX));
        assert_eq!(Moment::ORIGIN - Duration::MAX, Moment::ORIGIN - Duration::MAX - Duration::from_secs(1));
        assert_eq!(Moment::ORIGIN.since(late), Duration::ZERO);
    }

    #[test]
    fn what_was_before_the_clock_began_has_its_age() {
        let hour = Duration::from_secs(3600);
        let before = Moment::from_nanos(5) - hour;
        assert!(before < Moment::ORIGIN);
        assert_eq!((before + hour).as_nanos(), 5);
        assert_eq!(Moment::ORIGIN.since(before), hour - Duration::from_nanos(5));
        assert_eq!(before.as_nanos(), 0);
        assert_eq!(format!("{:?}", before), "-3599.999999995s");
    }

    #[test]
    fn no_moment_needs_no_room_of_its_own() {
        assert_eq!(size_of::<Option<Moment>>(), 8);
        assert_eq!(Moment::from_nanos(7).as_nanos(), 7);
        assert_eq!(Moment::default(), Moment::from_nanos(0));
    }
}
