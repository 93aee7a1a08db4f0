//! What time it is, for judging certificates.
//!
//! A laptop whose battery died wakes in 1970 and would find every certificate not yet valid; one set
//! back by hand would accept certificates that expired long ago. So there is a *floor* below which no
//! time is believed: the day this version was made, or the newest `notBefore` of a chain that was
//! verified by trusted roots or pins, whichever is later. Certificates are judged at the later of wall
//! clock and floor. The floor never comes from the wall clock itself: one day in 2106 would be for ever.

use std::fmt;
use std::time::Duration;

use rustls::pki_types::UnixTime;

/// Seconds since 1970-01-01T00:00:00Z, without leap seconds. Prints as `2026-11-22T03:14:15Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// 2026-01-01: this version is no older, so a clock that says so is wrong. A constant, and not the
    /// time of the build, so that the same sources make the same library.
    pub const MADE: Self = Self(1_767_225_600);

    /// From one to the other, in whole seconds; negative when `earlier` is later.
    pub const fn seconds_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// What webpki and rustls reckon with; times before 1970 become 1970.
    pub(super) fn unix(self) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(self.0).unwrap_or(0)))
    }

    /// Midnight of a day plus seconds (RFC 5280 4.1.2.5 has no other calendar).
    pub(super) fn from_civil(year: i64, month: i64, day: i64, seconds: i64) -> Self {
        // Days from civil: years begin in March, so that the leap day is the last one.
        let year = if month <= 2 { year - 1 } else { year };
        let era = year.div_euclid(400);
        let of_era = year.rem_euclid(400);
        let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        let day_of_era = of_era * 365 + of_era / 4 - of_era / 100 + day_of_year;
        Self((era * 146_097 + day_of_era - 719_468) * DAY + seconds)
    }
}

/// Seconds of a day.
const DAY: i64 = 86_400;

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = self.0.div_euclid(DAY) + 719_468;
        let seconds = self.0.rem_euclid(DAY);
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * of_era + of_era / 4 - of_era / 100);
        let shifted = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted + 2) / 5 + 1;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        let year = of_era + era * 400 + i64::from(month <= 2);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

/// The time at which certificates are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time {
    /// What the wall clock says.
    pub wall: Timestamp,
    /// The time it must be at least.
    pub floor: Timestamp,
}

/// How far the wall clock may be below the floor before it is called wrong: a certificate is sometimes
/// made on a machine of another time zone whose clock counts local time as UTC.
const TOLERANCE: i64 = DAY;

/// A floor beyond this is not believed, wherever it comes from: it would expire every certificate for ever.
/// 2100-01-01, when this version will not be in use.
pub(crate) const HIGHEST_FLOOR: Timestamp = Timestamp(4_102_444_800);

impl Time {
    /// The wall clock with the floor of this version, [`Timestamp::MADE`].
    pub fn new(wall: Timestamp) -> Self {
        Self { wall, floor: Timestamp::MADE }
    }

    /// The wall clock with a floor found earlier: the newest [`not_before`](super::Accepted::not_before) there was. One before
    /// [`Timestamp::MADE`] is that, and so is one after 2099, which would expire every certificate for ever.
    pub fn with_floor(wall: Timestamp, floor: Timestamp) -> Self {
        let floor = Some(floor).filter(|floor| *floor <= HIGHEST_FLOOR).unwrap_or(Timestamp::MADE);
        Self { wall, floor: floor.max(Timestamp::MADE) }
    }

    /// This instant and nothing else: for looking back.
    pub fn exactly(instant: Timestamp) -> Self {
        Self { wall: instant, floor: instant }
    }

    /// The later of wall clock and floor: what certificates are compared with.
    pub fn verification(self) -> Timestamp {
        self.wall.max(self.floor)
    }

    /// How far the wall clock is behind the floor, if by more than a day. Then it is wrong.
    pub fn behind(self) -> Option<Duration> {
        let seconds = self.floor.seconds_since(self.wall);
        (seconds > TOLERANCE).then(|| Duration::from_secs(seconds.unsigned_abs()))
    }
}

/// Whoever knows what time it is. Asked at each handshake.
pub(crate) trait WallClock: Send + Sync + fmt::Debug {
    /// The present wall clock and the present floor.
    fn time(&self) -> Time;
}

/// Reads a `Time` of X.509 (RFC 5280 4.1.2.5). `None` for what is not one.
pub(super) fn read(tag: u8, text: &[u8]) -> Option<Timestamp> {
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0_i64, |sum, digit| {
            digit.is_ascii_digit().then(|| sum * 10 + i64::from(digit.wrapping_sub(b'0')))
        })
    };
    let (year, rest) = match tag {
        super::der::UTC_TIME => {
            let (year, rest) = text.split_at_checked(2)?;
            let year = number(year)?;
            (if year < 50 { year + 2000 } else { year + 1900 }, rest)
        }
        super::der::GENERALIZED_TIME => {
            let (year, rest) = text.split_at_checked(4)?;
            (number(year)?, rest)
        }
        _ => return None,
    };
    let [m1, m0, d1, d0, h1, h0, n1, n0, s1, s0, b'Z'] = *rest else { return None };
    let month = number(&[m1, m0]).filter(|month| (1..=12).contains(month))?;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let day = number(&[d1, d0]).filter(|day| (1..=days).contains(day))?;
    let hour = number(&[h1, h0]).filter(|hour| *hour < 24)?;
    let minute = number(&[n1, n0]).filter(|minute| *minute < 60)?;
    let second = number(&[s1, s0]).filter(|second| *second < 60)?;
    Some(Timestamp::from_civil(year, month, day, hour * 3600 + minute * 60 + second))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::der::{GENERALIZED_TIME, UTC_TIME};

    #[test]
    fn times_are_read_and_written_alike() {
        for (tag, text, written) in [
            (UTC_TIME, "700101000000Z", "1970-01-01T00:00:00Z"),
            (UTC_TIME, "491231235959Z", "2049-12-31T23:59:59Z"),
            (UTC_TIME, "500101000000Z", "1950-01-01T00:00:00Z"),
            (UTC_TIME, "240229120000Z", "2024-02-29T12:00:00Z"),
            (GENERALIZED_TIME, "21060207062815Z", "2106-02-07T06:28:15Z"),
            (GENERALIZED_TIME, "99991231235959Z", "9999-12-31T23:59:59Z"),
            (GENERALIZED_TIME, "00010101000000Z", "0001-01-01T00:00:00Z"),
        ] {
            assert_eq!(read(tag, text.as_bytes()).unwrap().to_string(), written);
        }
    }

    #[test]
    fn a_floor_lies_in_the_years_that_the_pages_name() {
        assert_eq!(Timestamp::MADE.to_string(), "2026-01-01T00:00:00Z");
        assert_eq!(HIGHEST_FLOOR.to_string(), "2100-01-01T00:00:00Z");
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "7001010000Z",
            "701301000000Z",
            "230229000000Z",
            "700101240000Z",
            "700101000000+01",
            "7x0101000000Z",
        ] {
            assert_eq!(read(UTC_TIME, text.as_bytes()), None, "{text}");
        }
        assert_eq!(read(0x0c, b"700101000000Z"), None);
    }

    #[test]
    fn a_clock_below_the_floor_is_wrong_after_a_day() {
        let floor = Timestamp(1_800_000_000);
        let at = |wall| Time { wall: Timestamp(wall), floor };
        assert_eq!(
            (at(0).verification(), at(1_900_000_000).verification()),
            (floor, Timestamp(1_900_000_000))
        );
        assert_eq!(at(floor.0 - DAY).behind(), None);
        assert_eq!(at(floor.0 - DAY - 1).behind(), Some(Duration::from_secs(DAY as u64 + 1)));
        assert_eq!(at(i64::MAX).behind(), None);
        assert!(at(i64::MIN).behind().is_some());
    }
}
