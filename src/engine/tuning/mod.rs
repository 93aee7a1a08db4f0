//! The constants of the rules, as values: what a program may change, and what a demonstration scales.
//!
//! Each part's constants have a file; here they are put together and read from JSON.

pub(super) mod attachment;
mod durations;
pub(super) mod location;
pub(super) mod network;
#[cfg(test)]
mod page;
pub(super) mod schedule;
pub(super) mod trial;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::types::{Span, Unreadable, read_object};

/// All constants of the engine. The program gives them, not the settings document.
///
/// As JSON: one object per part, durations as text, unknown names are errors:
/// `{ "attachment": { "spread": "5s" }, "time_scale": 0.1 }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Tuning {
    pub(super) network: network::Tuning,
    pub(super) attachment: attachment::Tuning,
    pub(super) location: location::Tuning,
    pub(super) schedule: schedule::Tuning,
    pub(super) trial: trial::Tuning,
    time_scale: f64,
}

/// Why a tuning cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TuningError {
    /// Not JSON, an unknown name, or a value of the wrong kind.
    #[error("{path}: {message}")]
    Unreadable {
        /// Where, as in `attachment.spread`; `tuning` for the whole text.
        path: String,
        /// What is wrong.
        message: String,
    },
    /// A value beyond its bounds.
    #[error("{path}: {value} is out of range; it must be {range}")]
    OutOfRange {
        /// Which value.
        path: &'static str,
        /// What was given.
        value: String,
        /// What is allowed.
        range: &'static str,
    },
}

/// What a text says. Not the parts themselves: derived code that reads each duration by its name is a twentieth of
/// the library for C.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Document {
    network: Durations,
    attachment: Durations,
    location: Durations,
    schedule: Durations,
    trial: Durations,
    time_scale: Option<f64>,
}

#[derive(Default)]
struct Durations(BTreeMap<Box<str>, Span>);

/// As a map reads itself, but for a name that stands there twice: of two durations one would be lost without a word.
impl<'de> Deserialize<'de> for Durations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ByName;
        impl<'de> Visitor<'de> for ByName {
            type Value = Durations;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object of durations")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Durations, A::Error> {
                let mut durations = BTreeMap::new();
                while let Some((name, duration)) = map.next_entry::<Box<str>, Span>()? {
                    if durations.insert(name.clone(), duration).is_some() {
                        return Err(A::Error::custom(format_args!("duplicate field `{name}`")));
                    }
                }
                Ok(Durations(durations))
            }
        }
        deserializer.deserialize_map(ByName)
    }
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            network: network::Tuning::default(),
            attachment: attachment::Tuning::default(),
            location: location::Tuning::default(),
            schedule: schedule::Tuning::default(),
            trial: trial::Tuning::default(),
            time_scale: 1.0,
        }
    }
}

impl Tuning {
    /// Reads a tuning from JSON. What the text leaves out keeps its default.
    ///
    /// # Errors
    /// Text that is not JSON, unknown names, values beyond their bounds: each with its path.
    ///
    /// ```
    /// let tuning = homing::engine::Tuning::parse(br#"{ "attachment": { "spread": "5s" } }"#)?;
    /// assert_eq!(tuning.spread(), std::time::Duration::from_secs(5));
    /// # Ok::<(), homing::engine::TuningError>(())
    /// ```
    pub fn parse(text: &[u8]) -> Result<Self, TuningError> {
        let unreadable = |Unreadable { path, message }| TuningError::Unreadable { path, message };
        let document = read_object(text, "tuning").map_err(unreadable)?;
        let Document { network, attachment, location, schedule, trial, time_scale } = document;
        let mut tuning = Self::default();
        let parts = [
            ("network", network),
            ("attachment", attachment),
            ("location", location),
            ("schedule", schedule),
            ("trial", trial),
        ];
        for (part, Durations(durations)) in parts {
            for (name, Span(value)) in durations {
                tuning.set(format!("{part}.{name}"), value)?;
            }
        }
        tuning.check()?;
        tuning.with_time_scale(time_scale.unwrap_or(1.0))
    }

    fn set(&mut self, path: String, value: Duration) -> Result<(), TuningError> {
        let mut known = Vec::new();
        for (name, duration) in self.durations() {
            if name == path {
                *duration = value;
                return Ok(());
            }
            known.push(name);
        }
        let message = format!("unknown field, expected one of {}", known.join(", "));
        Err(TuningError::Unreadable { path, message })
    }

    fn check(&mut self) -> Result<(), TuningError> {
        for (path, value) in self.durations() {
            let (range, words) = range(path);
            if !range.contains(value) {
                let value = Span(*value).to_string();
                return Err(TuningError::OutOfRange { path, value, range: words });
            }
        }
        Ok(())
    }

    /// Every duration, with its path.
    fn durations(&mut self) -> impl Iterator<Item = (&'static str, &mut Duration)> {
        let Self { network, attachment, location, schedule, trial, time_scale: _ } = self;
        let parts = network.durations().chain(attachment.durations());
        parts.chain(location.durations()).chain(schedule.durations()).chain(trial.durations())
    }

    /// The same tuning with every duration, and every duration of the settings, multiplied by this.
    /// For demonstrations; times a server names are not scaled.
    ///
    /// # Errors
    /// [`TuningError::OutOfRange`] outside 0.01 to 1.
    pub fn with_time_scale(self, time_scale: f64) -> Result<Self, TuningError> {
        check_scale(time_scale)?;
        Ok(self.scaled(time_scale))
    }

    /// By how much every duration is multiplied; 1 unless another was given.
    pub const fn time_scale(&self) -> f64 {
        self.time_scale
    }

    /// `attachment.spread`: over how long a fleet spreads when a server in use is lost. Default 1 s, at most 30 s.
    pub const fn spread(&self) -> Duration {
        self.attachment.spread
    }

    /// A duration of the settings, scaled.
    pub(super) fn scale(&self, duration: Duration) -> Duration {
        if self.time_scale == 1.0 { duration } else { duration.mul_f64(self.time_scale) }
    }

    fn scaled(mut self, by: f64) -> Self {
        if by != 1.0 {
            for (_, duration) in self.durations() {
                *duration = duration.mul_f64(by);
            }
        }
        self.time_scale *= by;
        self
    }
}

impl FromStr for Tuning {
    type Err = TuningError;

    fn from_str(text: &str) -> Result<Self, TuningError> {
        Self::parse(text.as_bytes())
    }
}

/// What a duration may be, and the words for it.
fn range(path: &str) -> (RangeInclusive<Duration>, &'static str) {
    let seconds = Duration::from_secs;
    let day = seconds(86_400);
    match path {
        "attachment.spread" => (Duration::ZERO..=seconds(30), "0s to 30s"),
        "attachment.ceiling" => (seconds(1)..=seconds(600), "1s to 10m"),
        "attachment.startup_spread" => (Duration::ZERO..=day, "0s to 24h"),
        _ => (Duration::ZERO..=day * 30, "0s to 30days"),
    }
}

fn check_scale(time_scale: f64) -> Result<(), TuningError> {
    if (0.01..=1.0).contains(&time_scale) {
        return Ok(());
    }
    Err(TuningError::OutOfRange { path: "time_scale", value: time_scale.to_string(), range: "0.01 to 1" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_say_where() {
        let message = |text: &str| Tuning::parse(text.as_bytes()).unwrap_err().to_string();
        assert!(message(r#"{"attachment":{"spraed":"1s"}}"#).starts_with("attachment.spraed: unknown field"));
        assert!(
            message(r#"{"attachment":{"spread":"1"}}"#)
                .starts_with("attachment.spread: `1` is not a duration")
        );
        assert_eq!(
            message(r#"{"attachment":{"spread":"31s"}}"#),
            "attachment.spread: 31s is out of range; it must be 0s to 30s"
        );
        let twice = message(r#"{"attachment":{"spread":"1s","spread":"2s"}}"#);
        assert!(twice.starts_with("attachment: duplicate field `spread`"), "{twice}");
        assert!(message(r#"{"attachment":[]}"#).contains("expected an object of durations"));
        for (text, range) in [
            (r#"{"attachment":{"ceiling":"999ms"}}"#, "1s to 10m"),
            (r#"{"attachment":{"ceiling":"601s"}}"#, "1s to 10m"),
            (r#"{"time_scale":0.009}"#, "0.01 to 1"),
            (r#"{"time_scale":1.1}"#, "0.01 to 1"),
        ] {
            assert!(message(text).ends_with(&format!(" is out of range; it must be {range}")), "{text}");
        }
        assert!(message("nonsense").starts_with("tuning: expected"));
        assert!(message("[]").starts_with("tuning: invalid type: sequence, expected an object"));
        assert!(message("{} {}").starts_with("tuning: trailing"));
        assert!(message("{").starts_with("tuning: EOF"), "{}", message("{"));
    }

    #[test]
    fn the_scale_reaches_every_duration() {
        let mut whole = Tuning::default();
        let mut tenth = Tuning::default().with_time_scale(0.1).unwrap();
        assert_eq!(whole.durations().count(), tenth.durations().count());
        for ((name, one), (_, other)) in whole.durations().zip(tenth.durations()) {
            assert_eq!(one.mul_f64(0.1), *other, "{name}");
        }
        assert_eq!(tenth.scale(Duration::from_secs(300)), Duration::from_secs(30));
    }
}
