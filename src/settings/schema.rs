//! The JSON Schema of the document, for editors and for servers in other languages.
//!
//! Generated from the types in `document`, and committed, so that a change of the format shows in
//! a review. `HOMING_BLESS=1 cargo test` writes it anew.

use std::borrow::Cow;
use std::path::Path;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::Value;

use super::document::Document;
use super::value::{Object, Word};

macro_rules! as_what_it_holds {
    ($($wrapper:ident),*) => {$(
        impl<T: JsonSchema> JsonSchema for $wrapper<T> {
            fn schema_name() -> Cow<'static, str> {
                T::schema_name()
            }

            fn schema_id() -> Cow<'static, str> {
                T::schema_id()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                T::json_schema(generator)
            }
        }
    )*};
}

as_what_it_holds!(Object, Word);

#[test]
fn the_committed_schema_is_the_one_of_the_types() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/settings.schema.json");
    let schema = serde_json::to_string_pretty(&schemars::schema_for!(Document)).unwrap() + "\n";
    if std::env::var_os("HOMING_BLESS").is_some() {
        std::fs::write(&file, &schema).unwrap();
    }
    let committed = std::fs::read_to_string(&file).unwrap();
    assert!(committed == schema, "docs/settings.schema.json is out of date; run `HOMING_BLESS=1 cargo test`");
}

#[test]
fn the_schema_knows_the_ranges_that_the_reading_enforces() {
    let schema = serde_json::to_value(schemars::schema_for!(Document)).unwrap();
    let of = |name: &str, what: &str| schema["$defs"][name][what].clone();
    assert_eq!(of("Port", "minimum"), 1);
    assert_eq!(of("Port", "maximum"), 65535);
    assert_eq!(of("Weight", "maximum"), 10_000);
    assert_eq!(of("ReferenceLimit", "maximum"), 320);
    assert_eq!(of("Name", "maxLength"), 128);
    assert_eq!(schema["required"], serde_json::json!(["server_lists"]));
}

#[test]
fn no_object_of_the_schema_takes_unknown_fields() {
    let schema = serde_json::to_value(schemars::schema_for!(Document)).unwrap();
    let definitions = schema["$defs"].as_object().unwrap().iter();
    let objects: Vec<(&str, &Value)> = definitions
        .map(|(name, definition)| (name.as_str(), definition))
        .chain([("Document", &schema)])
        .filter(|(_, definition)| definition["type"] == "object")
        .collect();
    assert_eq!(objects.len(), 17, "{objects:#?}");
    for (name, object) in objects {
        assert_eq!(object["additionalProperties"], false, "{name}");
    }
}
