//! The wall clock by which certificates are judged, and its floor.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::trust::{HIGHEST_FLOOR, Time, Timestamp, WallClock};

/// What time it is. Shared by the verifiers of all policies; the client's thread alone raises the floor.
#[derive(Debug)]
pub(crate) struct TrustClock {
    floor: AtomicI64,
}

impl TrustClock {
    /// A clock with the floor of an earlier life, if there was one.
    pub(super) fn new(earlier: Option<Timestamp>) -> Self {
        let earlier = earlier.unwrap_or(Timestamp::MADE);
        Self { floor: AtomicI64::new(Time::with_floor(earlier, earlier).floor.0) }
    }

    /// It is at least this late. Whether that is news.
    pub(super) fn raise(&self, floor: Timestamp) -> bool {
        floor <= HIGHEST_FLOOR && self.floor.fetch_max(floor.0, Ordering::Relaxed) < floor.0
    }

    /// The present floor.
    pub(super) fn floor(&self) -> Timestamp {
        Timestamp(self.floor.load(Ordering::Relaxed))
    }
}

impl WallClock for TrustClock {
    fn time(&self) -> Time {
        let seconds = |duration: std::time::Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
        let wall = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => seconds(since),
            Err(before) => -seconds(before.duration()),
        };
        Time { wall: Timestamp(wall), floor: self.floor() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_floor_only_rises_and_never_beyond_reason() {
        let clock = TrustClock::new(None);
        assert_eq!(clock.floor(), Timestamp::MADE);
        let later = Timestamp(Timestamp::MADE.0 + 1000);
        assert!(clock.raise(later));
        assert!(!clock.raise(later));
        assert!(!clock.raise(Timestamp::MADE));
        assert!(!clock.raise(Timestamp(i64::MAX)));
        assert_eq!(clock.floor(), later);
    }

    #[test]
    fn the_floor_of_an_earlier_life_is_believed_within_reason() {
        let later = Timestamp(Timestamp::MADE.0 + 1000);
        for (earlier, expected) in [
            (Timestamp(0), Timestamp::MADE),
            (later, later),
            (Timestamp(i64::MAX), Timestamp::MADE),
            (Timestamp(i64::MIN), Timestamp::MADE),
        ] {
            assert_eq!(TrustClock::new(Some(earlier)).floor(), expected);
        }
    }
}
