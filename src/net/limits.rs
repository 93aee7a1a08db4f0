//! How much a server may send before it is given up.

use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;

use crate::types::{Span, Unreadable, read_object, text_duration};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// The most a peer may make the agent take in. Everything a server sends is held in memory against
/// one of these numbers; going beyond is a failure of class `limit`.
///
/// The ranges are those of [`parse`](Self::parse).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Bytes of one head: status line and fields. Default 16 KiB, twice what common servers
    /// accept themselves, so nothing legitimate comes near it. 1 KiB to 1 MiB.
    pub head_bytes: usize,
    /// Header fields of one answer. Default 100, as in most servers. At most 128 are ever parsed. 1 to 128.
    pub head_fields: usize,
    /// Interim (1xx) answers before the final one. Default 8: one is common, more than two are not. 0 to 100.
    pub interim_answers: u32,
    /// Bytes of one body. Default 1 MiB: the bodies of heartbeats are the product's small messages.
    /// 0 to 256 MiB.
    pub body_bytes: usize,
    /// Bytes of one entity tag in `Homing-Settings` or `Homing-Policy`. Default 256; a hash in any
    /// spelling is below 130. 1 to 8 KiB.
    pub tag_bytes: usize,
    /// How often the progress of an answer is looked at once it began. Default 5 s: long enough to
    /// ride out a retransmission or two. 1 s to 5 min.
    #[serde(with = "text_duration")]
    pub drip_window: Duration,
    /// Bytes an unfinished answer must bring within each window. Default 1,280, that is 256 bytes a
    /// second, a tenth of what the slowest mobile network gives. 1 to 1 MiB.
    pub drip_bytes: usize,
}

/// Why a text is not limits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LimitsError {
    /// Not JSON, an unknown name, or a value of the wrong kind.
    #[error("{path}: {message}")]
    Unreadable {
        /// Where, as in `head_bytes`; `limits` for the whole text.
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
        range: String,
    },
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_bytes: 16 * KIB,
            head_fields: 100,
            interim_answers: 8,
            body_bytes: MIB,
            tag_bytes: 256,
            drip_window: Duration::from_secs(5),
            drip_bytes: 1280,
        }
    }
}

impl Limits {
    /// Reads limits from a JSON object with the names of the fields: sizes in bytes, durations as text. What
    /// the text leaves out keeps its default.
    ///
    /// # Errors
    /// Text that is not such an object, unknown names, values beyond their bounds: each with its path.
    ///
    /// ```
    /// use homing::client::Limits;
    ///
    /// let limits = Limits::parse(br#"{ "body_bytes": 8388608, "drip_window": "10s" }"#)?;
    /// assert_eq!(limits.body_bytes, 8 * 1024 * 1024);
    /// assert_eq!(limits.head_bytes, Limits::default().head_bytes);
    /// # Ok::<(), homing::client::LimitsError>(())
    /// ```
    pub fn parse(text: &[u8]) -> Result<Self, LimitsError> {
        let unreadable = |Unreadable { path, message }| LimitsError::Unreadable { path, message };
        let limits: Self = read_object(text, "limits").map_err(unreadable)?;
        check("head_bytes", limits.head_bytes, KIB..=MIB)?;
        check("head_fields", limits.head_fields, 1..=128)?;
        check("interim_answers", limits.interim_answers, 0..=100)?;
        check("body_bytes", limits.body_bytes, 0..=256 * MIB)?;
        check("tag_bytes", limits.tag_bytes, 1..=8 * KIB)?;
        let windows = Span(Duration::from_secs(1))..=Span(Duration::from_secs(300));
        check("drip_window", Span(limits.drip_window), windows)?;
        check("drip_bytes", limits.drip_bytes, 1..=MIB)?;
        Ok(limits)
    }
}

impl FromStr for Limits {
    type Err = LimitsError;

    fn from_str(text: &str) -> Result<Self, LimitsError> {
        Self::parse(text.as_bytes())
    }
}

fn check<T>(path: &'static str, value: T, range: RangeInclusive<T>) -> Result<(), LimitsError>
where
    T: PartialOrd + ToString,
{
    if range.contains(&value) {
        return Ok(());
    }
    let range = format!("{} to {}", range.start().to_string(), range.end().to_string());
    Err(LimitsError::OutOfRange { path, value: value.to_string(), range })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_keeps_its_default() {
        assert_eq!(Limits::parse(b"{}"), Ok(Limits::default()));
        let all =
            br#"{ "head_bytes": 1024, "head_fields": 128, "interim_answers": 0, "body_bytes": 268435456,
            "tag_bytes": 8192, "drip_window": "5m", "drip_bytes": 1 }"#;
        let expected = Limits {
            head_bytes: 1024,
            head_fields: 128,
            interim_answers: 0,
            body_bytes: 256 * MIB,
            tag_bytes: 8192,
            drip_window: Duration::from_secs(300),
            drip_bytes: 1,
        };
        assert_eq!(Limits::parse(all), Ok(expected));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (text, expected) in [
            (r#"{ "head_byte": 1 }"#, "head_byte: unknown field `head_byte`"),
            (r#"{ "head_bytes": "1k" }"#, "head_bytes: invalid type"),
            (r#"{ "head_bytes": -1 }"#, "head_bytes: invalid value"),
            (r#"{ "head_bytes": 1023 }"#, "head_bytes: 1023 is out of range; it must be 1024 to 1048576"),
            (r#"{ "head_fields": 129 }"#, "head_fields: 129 is out of range; it must be 1 to 128"),
            (r#"{ "interim_answers": 101 }"#, "interim_answers: 101 is out of range; it must be 0 to 100"),
            (
                r#"{ "body_bytes": 268435457 }"#,
                "body_bytes: 268435457 is out of range; it must be 0 to 268435456",
            ),
            (r#"{ "tag_bytes": 0 }"#, "tag_bytes: 0 is out of range; it must be 1 to 8192"),
            (r#"{ "drip_window": 5 }"#, "drip_window: invalid type"),
            (r#"{ "drip_window": "5" }"#, "drip_window: `5` is not a duration"),
            (r#"{ "drip_window": "999ms" }"#, "drip_window: 999ms is out of range; it must be 1s to 5m"),
            (r#"{ "drip_bytes": 0 }"#, "drip_bytes: 0 is out of range; it must be 1 to 1048576"),
            ("[]", "limits: invalid type: sequence, expected an object"),
            ("{} {}", "limits: trailing characters"),
            ("", "limits: EOF"),
        ] {
            let message = Limits::parse(text.as_bytes()).unwrap_err().to_string();
            assert!(message.starts_with(expected), "{text}: {message}");
        }
    }
}
