//! The leaves of the document: numbers, names, addresses, durations.
//!
//! Each is checked while it is read, so that the error stands at the exact place, and is valid for
//! ever after. The ranges are here, with the reason for each.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::value::StrDeserializer;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

pub(super) use crate::types::Object;
use crate::types::{Host, Span, is_unseen, printable};

/// Long enough for any name a person gives, short enough for a line of a log.
const NAME_CHARACTERS: usize = 128;
/// A few sentences.
const DESCRIPTION_CHARACTERS: usize = 1024;
/// The longest path Linux opens (`PATH_MAX`).
const PATH_BYTES: usize = 4096;
/// Weights are shares; nobody has servers that differ by more than four orders of magnitude.
const MAX_WEIGHT: u32 = 10_000;
/// Faster, and a fleet is a denial of service to its own servers.
const SHORTEST_HEARTBEAT: Duration = Duration::from_secs(10);
/// Slower, and the console calls a healthy machine missing.
const LONGEST_HEARTBEAT: Duration = Duration::from_secs(24 * 60 * 60);
/// A window below a second spreads nothing.
const SHORTEST_WINDOW: Duration = Duration::from_secs(1);
/// Content is published daily: a longer window would never be used up.
const LONGEST_WINDOW: Duration = Duration::from_secs(24 * 60 * 60);

/// One of a few words. Derived code would also take `{ "word": null }`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Word<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = text(deserializer, "a word in quotes")?;
        let word = StrDeserializer::<serde::de::value::Error>::new(&text);
        let explain = |error: serde::de::value::Error| {
            D::Error::custom(error.to_string().replacen("unknown variant", "unknown value", 1))
        };
        T::deserialize(word).map(Self).map_err(explain)
    }
}

/// A TCP port, 1 to 65535.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(extend("minimum" = 1)))]
pub(super) struct Port(pub(super) u16);

impl<'de> Deserialize<'de> for Port {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = serde_json::Number::deserialize(deserializer)?;
        let port = number.as_u64().and_then(|number| u16::try_from(number).ok()).filter(|port| *port != 0);
        port.map(Self)
            .ok_or_else(|| D::Error::custom(format_args!("{number} is not a port; write 1 to 65535")))
    }
}

/// A server's share of its priority, 0 to 10,000.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(extend("minimum" = 0, "maximum" = MAX_WEIGHT)))]
pub(super) struct Weight(pub(super) u32);

impl<'de> Deserialize<'de> for Weight {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        whole(deserializer, 0, MAX_WEIGHT, "weight").map(Self)
    }
}

/// How many reference servers may be written, 1 to 320.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(extend("minimum" = 1, "maximum" = MAX_REFERENCE_SERVERS)))]
pub(super) struct ReferenceLimit(pub(super) u32);

/// At one start per 50 ms, more would not be asked within the 16 seconds a round may take.
const MAX_REFERENCE_SERVERS: u32 = 320;

impl<'de> Deserialize<'de> for ReferenceLimit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        whole(deserializer, 1, MAX_REFERENCE_SERVERS, "limit of reference servers").map(Self)
    }
}

/// The most certificates between the server's own and the root, 0 to 6.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(extend("minimum" = 0, "maximum" = MAX_CHAIN_DEPTH)))]
pub(super) struct ChainDepth(pub(super) u8);

/// What path building goes through at most; real chains have one or two.
const MAX_CHAIN_DEPTH: u32 = 6;

impl<'de> Deserialize<'de> for ChainDepth {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        whole(deserializer, 0, MAX_CHAIN_DEPTH, "chain depth").map(|depth| Self(depth as u8))
    }
}

/// Days before an end from which on it is mentioned, 0 to 365.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(extend("minimum" = 0, "maximum" = MAX_WARNING_DAYS)))]
pub(super) struct WarningDays(pub(super) u16);

/// A year: whoever wants to know earlier keeps a calendar.
const MAX_WARNING_DAYS: u32 = 365;

impl<'de> Deserialize<'de> for WarningDays {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        whole(deserializer, 0, MAX_WARNING_DAYS, "number of days").map(|days| Self(days as u16))
    }
}

/// A name that a person gave: 1 to 128 characters, all of which are seen: it stands in events and logs as it was written.
#[derive(Clone, Debug)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(extend("minLength" = 1, "maxLength" = NAME_CHARACTERS)))]
pub(super) struct Name(#[cfg_attr(test, schemars(with = "String"))] pub(super) Arc<str>);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = plain_text(deserializer, NAME_CHARACTERS)?;
        if name.is_empty() {
            return Err(D::Error::custom("is empty"));
        }
        if name.chars().any(is_unseen) {
            let problem = "has a character that is not seen, which is shown here as an escape; leave it out";
            return Err(D::Error::custom(format_args!("{} {problem}", quoted(&name))));
        }
        Ok(Self(name.into()))
    }
}

/// What a person wrote about something: at most 1,024 characters, none of them a control character.
#[derive(Clone, Debug)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(extend("maxLength" = DESCRIPTION_CHARACTERS)))]
pub(super) struct Description(#[cfg_attr(test, schemars(with = "String"))] pub(super) Arc<str>);

impl<'de> Deserialize<'de> for Description {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        plain_text(deserializer, DESCRIPTION_CHARACTERS).map(|text| Self(text.into()))
    }
}

/// An IPv4 or IPv6 address, a host name or a fully qualified domain name, nothing around it.
#[derive(Clone, Debug)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(extend("minLength" = 1)))]
pub(super) struct Address(#[cfg_attr(test, schemars(with = "String"))] pub(super) Host);

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = text(deserializer, "an IP address or a host name")?;
        let explain = |reason| D::Error::custom(format_args!("{} {reason}", quoted(&text)));
        text.parse().map(Self).map_err(explain)
    }
}

/// An IPv4 or IPv6 address.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Ip(pub(super) IpAddr);

impl<'de> Deserialize<'de> for Ip {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = text(deserializer, "an IP address")?;
        let explain = |_| D::Error::custom(format_args!("{} is not an IP address", quoted(&text)));
        text.parse().map(Self).map_err(explain)
    }
}

/// A file, as the operating system names it. It is not opened here.
#[derive(Clone, Debug)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(extend("minLength" = 1, "maxLength" = PATH_BYTES)))]
pub(super) struct File(pub(super) PathBuf);

impl<'de> Deserialize<'de> for File {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let path = text(deserializer, "a path of a file")?;
        if path.is_empty() {
            return Err(D::Error::custom("is empty; write the path of a file"));
        }
        if path.len() > PATH_BYTES || path.chars().any(char::is_control) {
            let problem = format!("{} is not the path of a file", quoted(&path));
            return Err(D::Error::custom(problem));
        }
        Ok(Self(path.into()))
    }
}

/// SHA-256 of a public key (SubjectPublicKeyInfo), as Base64 with padding.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(extend("pattern" = "^[A-Za-z0-9+/]{43}=$")))]
pub(super) struct KeyHash(#[cfg_attr(test, schemars(with = "String"))] pub(super) [u8; 32]);

impl<'de> Deserialize<'de> for KeyHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = text(deserializer, "a SHA-256 in Base64")?;
        let hash = STANDARD.decode(&text).ok().and_then(|bytes| bytes.try_into().ok());
        let problem = "is not a SHA-256 in Base64, which has 44 characters and ends with `=`";
        hash.map(Self).ok_or_else(|| D::Error::custom(format_args!("{} {problem}", quoted(&text))))
    }
}

/// The mean time between two heartbeats, 10 s to 24 h.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(extend("examples" = ["300s", "5m", "1h 30m"])))]
pub(super) struct HeartbeatInterval(#[cfg_attr(test, schemars(with = "String"))] pub(super) Duration);

impl<'de> Deserialize<'de> for HeartbeatInterval {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        duration(deserializer, SHORTEST_HEARTBEAT, LONGEST_HEARTBEAT).map(Self)
    }
}

/// The window over which downloads are spread, 1 s to 24 h.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(extend("examples" = ["300s", "1h"])))]
pub(super) struct DownloadWindow(#[cfg_attr(test, schemars(with = "String"))] pub(super) Duration);

impl<'de> Deserialize<'de> for DownloadWindow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        duration(deserializer, SHORTEST_WINDOW, LONGEST_WINDOW).map(Self)
    }
}

/// Text in quotes for an error: short, and with nothing in it that is not seen.
pub(super) fn quoted(text: &str) -> String {
    format!("`{}`", printable(text, 60))
}

fn whole<'de, D: Deserializer<'de>>(
    deserializer: D,
    least: u32,
    most: u32,
    what: &str,
) -> Result<u32, D::Error> {
    let number = serde_json::Number::deserialize(deserializer)?;
    let value = number.as_u64().and_then(|number| u32::try_from(number).ok());
    value.filter(|value| (least..=most).contains(value)).ok_or_else(|| {
        D::Error::custom(format_args!(
            "{number} is not a {what}; write a whole number from {least} to {most}"
        ))
    })
}

fn duration<'de, D: Deserializer<'de>>(
    deserializer: D,
    least: Duration,
    most: Duration,
) -> Result<Duration, D::Error> {
    let text = text(deserializer, "a duration in quotes, like \"300s\" or \"5m\"")?;
    let Ok(Span(duration)) = text.parse() else {
        let hint = "write a number and a unit, like \"300s\" or \"5m\"";
        return Err(D::Error::custom(format_args!("{} is not a duration; {hint}", quoted(&text))));
    };
    if !(least..=most).contains(&duration) {
        let (least, most) = (Span(least), Span(most));
        return Err(D::Error::custom(format_args!("{} is not between {least} and {most}", quoted(&text))));
    }
    Ok(duration)
}

fn plain_text<'de, D: Deserializer<'de>>(deserializer: D, most: usize) -> Result<String, D::Error> {
    let text = text(deserializer, "a text in quotes")?;
    if text.chars().nth(most).is_some() {
        return Err(D::Error::custom(format_args!("has more than {most} characters")));
    }
    if text.chars().any(char::is_control) {
        return Err(D::Error::custom(format_args!("{} has a control character", quoted(&text))));
    }
    Ok(text)
}

fn text<'de, D: Deserializer<'de>>(deserializer: D, expected: &'static str) -> Result<String, D::Error> {
    deserializer.deserialize_str(Text { expected })
}

struct Text {
    expected: &'static str,
}

impl Visitor<'_> for Text {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }

    fn visit_string<E: Error>(self, text: String) -> Result<String, E> {
        Ok(text)
    }
}
