//! Objects as people write them in JSON, and where they went wrong.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::printable::printable;

/// Characters of a path or a message: either can quote the text.
const SHOWN: usize = 300;

/// Something written as `{ … }`. Derived code would also take `[ … ]`, field by field.
#[derive(Debug)]
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Braces(PhantomData)).map(Self)
    }
}

struct Braces<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Braces<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object `{ … }`")
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(fields))
    }
}

/// Where a text is not the object it ought to be, and what is wrong there.
pub(crate) struct Unreadable {
    pub(crate) path: String,
    pub(crate) message: String,
}

/// Reads a text that is one object and nothing else. In errors, the whole of it has this name.
pub(crate) fn read_object<'de, T: Deserialize<'de>>(text: &'de [u8], name: &str) -> Result<T, Unreadable> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let unreadable = |path: String, error: serde_json::Error| Unreadable {
        // `serde_path_to_error` has no better names for the whole text, and for text that is no JSON.
        path: if path == "." || path == "?" { name.to_owned() } else { printable(path, SHOWN) },
        message: printable(error, SHOWN),
    };
    let Object(value) = serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| unreadable(error.path().to_string(), error.into_inner()))?;
    reader.end().map_err(|error| unreadable(".".to_owned(), error))?;
    Ok(value)
}
