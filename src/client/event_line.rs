//! An event as one line of JSON: written for programs in other languages, and read back.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::ClientEvent;
use crate::engine::Event;
use crate::types::is_unseen;

/// What the line says: with an event and a text that are lent to be written, or are one's own once they are read.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "ClientEvent"))]
pub(super) struct Line<E, B> {
    /// When it happened: since the start of the client, suspended time included.
    at_ms: u64,
    #[serde(flatten)]
    event: E,
    /// The body of the server's answer beside `heartbeat`, the policy beside `policy`, and what came with a `notice`; absent
    /// when there is none, or when it had to make room for others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "String"))]
    body: Option<B>,
    /// The same in Base64, in place of `body`: it is not UTF-8, or has characters that a person does not see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "String"))]
    body_base64: Option<String>,
    /// Beside `heartbeat`: the number of the newest request for a heartbeat that it covers; absent when it covers none.
    #[serde(default, skip_serializing_if = "is_zero")]
    covers: u64,
}

const fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Serialize for ClientEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.body.as_deref().and_then(|body| std::str::from_utf8(body).ok());
        let body = text.filter(|text| !text.contains(|c| is_unseen(c) && !matches!(c, '\t' | '\r' | '\n')));
        let hidden = self.body.as_ref().filter(|_| body.is_none());
        let at_ms = u64::try_from(self.at.as_millis()).unwrap_or(u64::MAX);
        let body_base64 = hidden.map(|body| STANDARD.encode(body));
        Line { at_ms, event: &self.event, body, body_base64, covers: self.covers }.serialize(serializer)
    }
}

/// An event of a kind that this version does not know is an error.
impl<'de> Deserialize<'de> for ClientEvent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let line: Line<Event, String> = Line::deserialize(deserializer)?;
        let decoded = line.body_base64.map(|text| STANDARD.decode(text)).transpose();
        let decoded = decoded.map_err(serde::de::Error::custom)?;
        let body = line.body.map(String::into_bytes).or(decoded).map(Into::into);
        Ok(Self { at: Duration::from_millis(line.at_ms), event: line.event, body, covers: line.covers })
    }
}
