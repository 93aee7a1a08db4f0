//! Events and snapshots beside `docs/events.schema.json`, strictly: a field that it does not name is an error, and so is a
//! keyword of the schema that nothing here checks.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

use serde_json::{Map, Value};

static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/events.schema.json");
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
});

/// Whether one more is worth the time: a world of many days tells the same over and over.
#[allow(dead_code, reason = "not every test that looks at events has as many")]
pub(crate) fn is_due() -> bool {
    thread_local! { static LEFT: Cell<u32> = const { Cell::new(1000) } }
    LEFT.with(|left| left.replace(left.get().saturating_sub(1)) > 0)
}

/// The line of a client's event, with its time.
#[allow(dead_code, reason = "not every test that looks at events looks at both")]
pub(crate) fn check_event(line: &Value) {
    is("ClientEvent", line);
}

#[allow(dead_code, reason = "not every test that looks at events looks at both")]
pub(crate) fn check_snapshot(snapshot: &Value) {
    is("Snapshot", snapshot);
}

fn is(name: &str, value: &Value) {
    if let Err(why) = fits(&SCHEMA["$defs"][name], value) {
        panic!("docs/events.schema.json has no such {name}: {why}\n{value:#}");
    }
}

/// The value is what the schema says, and has no field beside.
fn fits(schema: &Value, value: &Value) -> Result<(), String> {
    let named = applies(schema, value)?;
    let fields = value.as_object().into_iter().flat_map(Map::keys);
    match fields.into_iter().find(|field| !named.contains(field.as_str())) {
        Some(field) => Err(format!("`{field}` is not described")),
        None => Ok(()),
    }
}

/// The value is what the schema says. Returns the fields that it names.
fn applies<'a>(schema: &'a Value, value: &Value) -> Result<BTreeSet<&'a str>, String> {
    let mut named = BTreeSet::new();
    for (keyword, says) in schema.as_object().unwrap() {
        let all = || says.as_array().unwrap();
        match keyword.as_str() {
            "$ref" => {
                let name = says.as_str().unwrap().strip_prefix("#/$defs/").unwrap();
                named.extend(applies(&SCHEMA["$defs"][name], value)?);
            }
            "allOf" => {
                for part in all() {
                    named.extend(applies(part, value)?);
                }
            }
            "oneOf" | "anyOf" => {
                let tried: Vec<_> = all().iter().map(|one| applies(one, value)).collect();
                let fitting = tried.iter().flatten().count();
                if fitting == 0 || (fitting > 1 && keyword == "oneOf") {
                    return Err(format!("{fitting} alternatives fit: {tried:?}"));
                }
                named.extend(tried.into_iter().flatten().flatten());
            }
            "properties" => {
                for (field, schema) in says.as_object().unwrap() {
                    if let Some(value) = value.get(field) {
                        fits(schema, value).map_err(|why| format!("{field}: {why}"))?;
                        named.insert(field.as_str());
                    }
                }
            }
            "required" => {
                for field in all().iter().filter_map(Value::as_str) {
                    value.get(field).ok_or_else(|| format!("`{field}` is missing"))?;
                }
            }
            "items" => {
                for (at, item) in value.as_array().into_iter().flatten().enumerate() {
                    fits(says, item).map_err(|why| format!("[{at}]: {why}"))?;
                }
            }
            "type" => {
                let is = |kind: &Value| is_of(kind.as_str().unwrap(), value);
                if !says.as_array().map_or_else(|| is(says), |kinds| kinds.iter().any(is)) {
                    return Err(format!("{value} is not of type {says}"));
                }
            }
            "additionalProperties" => {
                assert_eq!(says, &Value::Bool(false), "nothing here knows another");
                let fields = value.as_object().into_iter().flat_map(Map::keys);
                if let Some(field) =
                    fields.into_iter().find(|field| schema["properties"].get(field).is_none())
                {
                    return Err(format!("`{field}` is not one of its fields"));
                }
            }
            "const" if says != value => return Err(format!("{value} is not {says}")),
            "enum" if !all().contains(value) => return Err(format!("{value} is none of {says}")),
            "minimum" if value.is_number() && value.as_f64() < says.as_f64() => {
                return Err(format!("{value} is below {says}"));
            }
            "maximum" if value.is_number() && value.as_f64() > says.as_f64() => {
                return Err(format!("{value} is above {says}"));
            }
            "const" | "enum" | "minimum" | "maximum" => {}
            // They constrain nothing: `format` only repeats how large an integer is, or that a text is an address.
            "description" | "title" | "format" | "default" => {}
            other => panic!("nothing here knows `{other}`"),
        }
    }
    Ok(named)
}

fn is_of(kind: &str, value: &Value) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("nothing here knows the type `{other}`"),
    }
}
