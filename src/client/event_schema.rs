//! The JSON Schema of events and snapshots, and the page that describes them: both generated from the types, and committed,
//! so that a change shows in a review. `HOMING_BLESS=1 cargo test` writes them anew.

use std::fmt::Write as _;
use std::path::Path;

use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::event_line::Line;
use crate::engine::{Event, Snapshot};

/// What follows this line of the page is written here.
const GENERATED: &str = "<!-- events begin -->\n";

fn schema() -> Value {
    let mut generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    generator.subschema_for::<Line<Event, String>>();
    generator.subschema_for::<Snapshot>();
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Events of homing, one on each line; and, under `$defs`, its snapshot",
        "$ref": "#/$defs/ClientEvent",
        "$defs": generator.take_definitions(true),
    });
    reword(&mut schema);
    schema
}

/// Descriptions speak of JSON, not of Rust.
fn reword(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            for (name, value) in fields {
                if name == "description"
                    && let Value::String(text) = value
                {
                    *text = plain(text);
                } else {
                    reword(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(reword),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Without links into the documentation of Rust, on one line.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, link)) = rest.split_once('[') {
        let (words, after) = link.split_once(']').unwrap();
        let target = after.strip_prefix('(').and_then(|target| target.split_once(')'));
        let _ = write!(plain, "{before}{words}");
        rest = target.map_or(after, |(_, after)| after);
    }
    plain += rest;
    plain.replace("`None`", "`null`").split_whitespace().collect::<Vec<_>>().join(" ")
}

fn page(schema: &Value) -> String {
    let definitions = schema["$defs"].as_object().unwrap();
    let event = &definitions["ClientEvent"];
    let mut page = String::from("\n## Every event\n\n");
    table(&mut page, event, "");
    page += "\n## Events\n";
    for event in event["oneOf"].as_array().unwrap() {
        let name = event["properties"]["event"]["const"].as_str().unwrap();
        let _ = write!(page, "\n### `{name}`\n\n{}\n", text(event));
        table(&mut page, event, "event");
    }
    page += "\n## Snapshot\n\n";
    let _ = writeln!(page, "{}", text(&definitions["Snapshot"]));
    table(&mut page, &definitions["Snapshot"], "");
    page += "\n## Words and objects\n";
    for (name, definition) in definitions {
        if name == "ClientEvent" || name == "Snapshot" {
            continue;
        }
        let _ = write!(page, "\n### {name}\n\n{}\n\n", text(definition));
        table(&mut page, definition, "");
        for word in definition["enum"].as_array().into_iter().flatten() {
            let _ = writeln!(page, "- `{}`", word.as_str().unwrap());
        }
        for one in definition["oneOf"].as_array().into_iter().flatten() {
            alternative(&mut page, one);
        }
    }
    while page.contains("\n\n\n") {
        page = page.replace("\n\n\n", "\n\n");
    }
    page.trim_end().to_owned() + "\n\n<!-- events end -->\n"
}

/// One word of several, or the object that a word in one of its fields makes.
fn alternative(page: &mut String, one: &Value) {
    for word in one["enum"].as_array().into_iter().flatten().chain(one.get("const")) {
        let _ = writeln!(page, "- `{}`: {}", word.as_str().unwrap(), text(one));
    }
    let Some(fields) = one["properties"].as_object() else { return };
    let tag = fields.iter().find_map(|(field, schema)| Some((field, schema.get("const")?)));
    if let Some((field, word)) = tag {
        let _ = writeln!(page, "\n`{field}`: `{}`. {}\n", word.as_str().unwrap(), text(one));
        table(page, one, field);
    } else {
        let names: Vec<_> =
            fields.iter().map(|(field, schema)| format!("`{field}` ({})", kind(schema))).collect();
        let _ = writeln!(page, "- an object with {}: {}", names.join(", "), text(one));
    }
}

fn table(page: &mut String, schema: &Value, without: &str) {
    let Some(fields) = schema["properties"].as_object() else { return };
    let fields: Vec<_> = fields.iter().filter(|(field, _)| *field != without).collect();
    let parts = schema["allOf"].as_array().into_iter().flatten().chain(schema.get("$ref").map(|_| schema));
    let parts: Vec<_> = parts.map(kind).collect();
    if !fields.is_empty() {
        page.push_str("\n| field | type | what |\n|---|---|---|\n");
        let required = schema["required"].as_array();
        for (field, schema) in fields {
            let is_there = required.is_some_and(|all| all.iter().any(|name| name == field));
            let absent = if is_there { "" } else { ", or absent" };
            let _ = writeln!(page, "| `{field}` | {}{absent} | {} |", kind(schema), text(schema));
        }
    }
    if !parts.is_empty() {
        let _ = writeln!(page, "\nBeside them, the fields of {}.", parts.join(" and "));
    }
}

fn text(schema: &Value) -> &str {
    schema["description"].as_str().unwrap_or_default()
}

fn kind(schema: &Value) -> String {
    if let Some(target) = schema["$ref"].as_str() {
        let name = target.rsplit('/').next().unwrap();
        return format!("[{name}](#{})", name.to_lowercase());
    }
    let several = |kinds: &Vec<Value>, each: &dyn Fn(&Value) -> String| {
        kinds.iter().map(each).collect::<Vec<_>>().join(" or ")
    };
    if let Some(any) = schema["anyOf"].as_array().or_else(|| schema["oneOf"].as_array()) {
        return several(any, &kind);
    }
    if schema["type"] == "array" {
        return format!("array of {}", kind(&schema["items"]));
    }
    let kinds = &schema["type"];
    if let Some(kinds) = kinds.as_array() {
        return several(kinds, &|kind| kind.as_str().unwrap().to_owned());
    }
    kinds.as_str().unwrap_or("any").to_owned()
}

#[test]
fn the_committed_schema_and_page_are_those_of_the_types() {
    let schema = schema();
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let read = |name: &str| std::fs::read_to_string(docs.join(name)).unwrap_or_default();
    let by_hand = read("events.md").split(GENERATED).next().unwrap().to_owned();
    let files = [
        ("events.schema.json", serde_json::to_string_pretty(&schema).unwrap() + "\n"),
        ("events.md", by_hand + GENERATED + &page(&schema)),
    ];
    for (name, text) in files {
        if std::env::var_os("HOMING_BLESS").is_some() {
            std::fs::write(docs.join(name), &text).unwrap();
        }
        assert!(read(name) == text, "docs/{name} is out of date; run `HOMING_BLESS=1 cargo test`");
    }
}

#[test]
fn every_duration_is_a_number_with_its_unit() {
    let schema = schema();
    let mut fields = Vec::new();
    collect(&schema, &mut fields);
    let durations: Vec<_> = fields.iter().filter(|(name, _)| name.ends_with("_ms")).collect();
    assert!(durations.len() > 15, "{durations:?}");
    for (name, field) in &durations {
        let numbers = ["integer", "[\"integer\",\"null\"]"];
        let kind = field["type"].to_string();
        assert!(numbers.contains(&kind.trim_matches('"')), "{name}: {field}");
    }
}

fn collect<'a>(schema: &'a Value, fields: &mut Vec<(&'a str, &'a Value)>) {
    if let Some(properties) = schema["properties"].as_object() {
        fields.extend(properties.iter().map(|(name, field)| (name.as_str(), field)));
    }
    let inner: Vec<&Value> = match schema {
        Value::Object(parts) => parts.values().collect(),
        Value::Array(parts) => parts.iter().collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    };
    inner.into_iter().for_each(|part| collect(part, fields));
}
