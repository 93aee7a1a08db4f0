//! The names of the fields, for an administrator who has misspelt one.
//!
//! They are asked of the shapes themselves: what reads a document also knows what it would have read.

use serde::Deserialize;
use serde::de::value::Error as Nothing;
use serde::de::{Deserializer, Error, Visitor};

use super::document;
use crate::types::nearest;

/// The fields of one shape.
type Fields = fn() -> &'static [&'static str];

/// Where an object of each shape stands in a document, without the numbers; the longest that fits counts.
const SHAPES: [(&str, Fields); 17] = [
    ("", fields::<document::Document>),
    ("site", fields::<document::Site>),
    ("certificate", fields::<document::Certificate>),
    ("certificate.revocation", fields::<document::Revocation>),
    ("certificate.pins", fields::<document::Pin>),
    ("certificate.client", fields::<document::ClientCertificate>),
    ("server_lists", fields::<document::ServerList>),
    ("server_lists.priorities", fields::<document::Priority>),
    ("server_lists.priorities.servers", fields::<document::Server>),
    ("reference_servers", fields::<document::ReferenceServers>),
    ("reference_servers.servers", fields::<document::ReferenceServer>),
    ("location", fields::<document::LocationRules>),
    ("group", fields::<document::Group>),
    ("group.reconnection", fields::<document::Reconnection>),
    ("communication", fields::<document::Communication>),
    ("communication.download_randomisation", fields::<document::DownloadRandomisation>),
    ("locations", fields::<document::Location>),
];

/// What to do about a field that no shape has at this place.
pub(super) fn advice(path: &str) -> String {
    let (parent, name) = path.rsplit_once('.').unwrap_or(("", path));
    let parent = without_numbers(parent);
    let here = SHAPES
        .iter()
        .filter(|(place, _)| parent == *place || parent.ends_with(&format!(".{place}")))
        .max_by_key(|(place, _)| place.len());
    if let Some(meant) = here.and_then(|(_, fields)| nearest(name, fields().iter().copied())) {
        return format!("did you mean {meant}?");
    }
    let elsewhere = SHAPES.iter().find(|(_, fields)| fields().contains(&name));
    match elsewhere {
        Some(("", _)) => "it belongs to the outermost object".to_owned(),
        Some((place, _)) => format!("it belongs in `{place}`"),
        None => "remove it; docs/settings.md has every field".to_owned(),
    }
}

/// `server_lists[0].priorities[1]` as `server_lists.priorities`.
fn without_numbers(path: &str) -> String {
    let parts = path.split('.').map(|part| part.split('[').next().unwrap_or_default());
    parts.collect::<Vec<_>>().join(".")
}

/// The fields that a derived shape would read.
fn fields<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
    let mut found: &[&str] = &[];
    // Always an error: there is nothing to read.
    let _ = T::deserialize(Asked { found: &mut found });
    found
}

/// Has nothing to give, and notes what it is asked for.
struct Asked<'a> {
    found: &'a mut &'static [&'static str],
}

impl<'de> Deserializer<'de> for Asked<'_> {
    type Error = Nothing;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Nothing> {
        *self.found = fields;
        Err(Nothing::custom("only asked"))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Nothing> {
        Err(Nothing::custom("only asked"))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct
        seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_of_the_schema_is_known_with_its_fields() {
        let schema = serde_json::to_value(schemars::schema_for!(document::Document)).unwrap();
        let shapes = schema["$defs"].as_object().unwrap().values().chain([&schema]);
        let mut written: Vec<Vec<&str>> = shapes
            .filter(|shape| shape["type"] == "object")
            .map(|shape| shape["properties"].as_object().unwrap().keys().map(String::as_str).collect())
            .collect();
        let mut known: Vec<Vec<&str>> = SHAPES.iter().map(|(_, fields)| fields().to_vec()).collect();
        for fields in written.iter_mut().chain(&mut known) {
            fields.sort_unstable();
        }
        written.sort_unstable();
        known.sort_unstable();
        assert_eq!(known, written);
    }

    #[test]
    fn a_misspelt_field_is_told_with_what_was_meant() {
        for (path, expected) in [
            ("comunication", "remove it; docs/settings.md has every field"),
            ("group.comunication", "did you mean `communication`?"),
            ("server_lists[0].priorities[0].servers[3].port", "did you mean `http_port` or `https_port`?"),
            ("server_lists[0].priorities[0].server", "did you mean `servers`?"),
            ("reference_servers.servers[0].port", "did you mean `ports`?"),
            ("locations[1].communication.heartbeat", "did you mean `heartbeat_interval`?"),
            ("group.heartbeat_interval", "it belongs in `communication`"),
            ("server_lists[0].certificate.pins[0].sha", "remove it; docs/settings.md has every field"),
            ("group.server_lists", "did you mean `server_list`?"),
            ("site.locations", "it belongs to the outermost object"),
            ("flavour", "remove it; docs/settings.md has every field"),
        ] {
            assert_eq!(advice(path), expected, "{path}");
        }
    }
}
