//! Durations as people write them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::printable::printable;

/// A duration that reads and writes as text: `"300s"`, `"5m"`, `"1h 30m"`, `"250ms"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(pub Duration);

/// The text is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a duration; write a number and a unit, like \"300s\", \"5m\" or \"250ms\"")]
pub struct DurationError {
    /// What was read instead.
    pub text: String,
}

impl Span {
    /// For people: the two largest units, and nothing finer than they need. `<1ms`, `250ms`, `1s 250ms`, `12s`, `5m 3s`,
    /// `1h 30m`, `2d 4h`.
    pub fn brief(self) -> impl fmt::Display {
        Brief(self.0)
    }
}

impl From<Duration> for Span {
    fn from(duration: Duration) -> Self {
        Self(duration)
    }
}

impl From<Span> for Duration {
    fn from(Span(duration): Span) -> Self {
        duration
    }
}

struct Brief(Duration);

impl fmt::Display for Brief {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, millis) = (self.0.as_secs(), self.0.subsec_millis());
        if seconds == 0 && millis == 0 {
            return f.pad("<1ms");
        }
        // Beyond ten seconds a part of one is of no interest.
        let millis = if seconds < 10 { u64::from(millis) } else { 0 };
        let units = [
            (seconds / 86_400, "d"),
            (seconds / 3_600 % 24, "h"),
            (seconds / 60 % 60, "m"),
            (seconds % 60, "s"),
            (millis, "ms"),
        ];
        let largest = units.iter().position(|(count, _)| *count > 0).unwrap_or_default();
        let shown = units.iter().skip(largest).take(2).filter(|(count, _)| *count > 0);
        let text: Vec<String> = shown.map(|(count, unit)| format!("{count}{unit}")).collect();
        f.pad(&text.join(" "))
    }
}

impl FromStr for Span {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        humantime::parse_duration(text).map(Self).map_err(|_| DurationError { text: printable(text, 60) })
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Reads a bare [`Duration`] as a [`Span`]: `#[serde(with = "crate::types::text_duration")]`.
#[cfg(feature = "client")]
pub(crate) mod text_duration {
    use super::{Deserialize, Deserializer, Duration, Span};

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        Span::deserialize(deserializer).map(|span| span.0)
    }
}

/// Writes a [`Span`], or the one that may be there, as whole milliseconds: `#[serde(with = "crate::types::milliseconds")]`.
pub(crate) mod milliseconds {
    use super::{Deserialize, Deserializer, Duration, Serialize, Serializer, Span};

    /// What is written as milliseconds.
    pub(crate) trait Spans: Sized {
        type Number: Serialize + for<'de> Deserialize<'de>;

        fn to_number(&self) -> Self::Number;
        fn from_number(number: Self::Number) -> Self;
    }

    impl Spans for Span {
        type Number = u64;

        fn to_number(&self) -> u64 {
            u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
        }

        fn from_number(number: u64) -> Self {
            Self(Duration::from_millis(number))
        }
    }

    impl Spans for Option<Span> {
        type Number = Option<u64>;

        fn to_number(&self) -> Option<u64> {
            self.as_ref().map(Span::to_number)
        }

        fn from_number(number: Option<u64>) -> Self {
            number.map(Span::from_number)
        }
    }

    pub(crate) fn serialize<T: Spans, S: Serializer>(span: &T, serializer: S) -> Result<S::Ok, S::Error> {
        span.to_number().serialize(serializer)
    }

    pub(crate) fn deserialize<'de, T: Spans, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
        T::Number::deserialize(deserializer).map(T::from_number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write_and_writes_what_it_reads() {
        for (text, seconds) in [("300s", 300), ("5m", 300), ("1h 30m", 5400), ("0s", 0)] {
            let span: Span = text.parse().unwrap();
            assert_eq!(span.0, Duration::from_secs(seconds), "{text}");
            assert_eq!(span.to_string().parse::<Span>().unwrap(), span);
        }
    }

    #[test]
    fn people_are_told_two_units_at_most() {
        for (nanos, expected) in [
            (0, "<1ms"),
            (999_999, "<1ms"),
            (1_000_000, "1ms"),
            (250_999_999, "250ms"),
            (1_000_000_000, "1s"),
            (1_250_400_000, "1s 250ms"),
            (12_900_000_000, "12s"),
            (303_000_000_000, "5m 3s"),
            (300_000_000_000, "5m"),
            (3_600_000_000_000, "1h"),
            (5_403_000_000_000, "1h 30m"),
            (86_400_000_000_000 + 59_000_000_000, "1d"),
            (187_200_000_000_000, "2d 4h"),
        ] {
            let span = Span(Duration::from_nanos(nanos));
            assert_eq!(span.brief().to_string(), expected);
            if nanos >= 1_000_000 {
                assert!(expected.parse::<Span>().unwrap() <= span, "it is read back");
            }
        }
        assert_eq!(format!("{:>6}", Span(Duration::from_secs(5)).brief()), "    5s");
    }

    #[test]
    fn a_bare_number_says_what_is_missing() {
        let error = "300".parse::<Span>().unwrap_err();
        assert!(error.to_string().contains("a number and a unit"), "{error}");
    }
}
