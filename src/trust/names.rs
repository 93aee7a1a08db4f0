//! Names of authorities (RFC 5280 4.1.2.4), compared as RFC 5280 7.1 wants it: whatever string type, case or spaces they are written with.

use super::der::{self, NotDer, Reader, Value};

/// The content of a name in a form that is equal for names that mean the same. What cannot be read is compared as it is.
pub(super) fn canonical(name: &[u8]) -> Vec<u8> {
    readable(name).unwrap_or_else(|| name.to_vec())
}

/// The same; `None` for what cannot be read to its end. The form of a name begins with that of every name above it in the directory.
pub(super) fn readable(name: &[u8]) -> Option<Vec<u8>> {
    let mut found = Vec::with_capacity(name.len());
    let mut sets = Reader::new(name);
    while !sets.is_empty() {
        let mut values = Reader::new(sets.expect(der::SET).ok()?);
        let mut attributes = Vec::new();
        while !values.is_empty() {
            attributes.push(attribute(values.sequence().ok()?).ok()?);
        }
        attributes.sort();
        found.extend(der::wrap(der::SET, &attributes.concat()));
    }
    Some(found)
}

/// The kind of an attribute and its value: one text in lower case, with single spaces; what is no text as it is.
fn attribute(mut fields: Reader<'_>) -> Result<Vec<u8>, NotDer> {
    let (kind, value) = (fields.expect(der::OID)?, fields.any()?);
    fields.end()?;
    let value = match text(value) {
        Some(text) => {
            let text = text.to_lowercase();
            let words: Vec<&str> = text.split_whitespace().collect();
            der::wrap(der::UTF8_STRING, words.join(" ").as_bytes())
        }
        None => value.whole.to_vec(),
    };
    Ok(der::wrap(der::SEQUENCE, &[der::wrap(der::OID, kind), value].concat()))
}

/// A text whose characters are certain.
fn text(value: Value<'_>) -> Option<String> {
    let bytes = value.content.to_vec();
    match value.tag {
        der::UTF8_STRING => String::from_utf8(bytes).ok(),
        der::BMP_STRING => {
            let (pairs, rest) = bytes.as_chunks();
            let units = pairs.iter().map(|pair| u16::from_be_bytes(*pair));
            rest.is_empty().then(|| char::decode_utf16(units).collect::<Result<_, _>>().ok())?
        }
        // Beyond ASCII a TeletexString means what its author meant.
        tag if der::is_text(tag) && bytes.is_ascii() => String::from_utf8(bytes).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(values: &[(u8, &[u8])]) -> Vec<u8> {
        let attribute = |(tag, text): &(u8, &[u8])| {
            let fields = [der::wrap(der::OID, &[0x55, 4, 3]), der::wrap(*tag, text)].concat();
            der::wrap(der::SET, &der::wrap(der::SEQUENCE, &fields))
        };
        values.iter().flat_map(attribute).collect()
    }

    #[test]
    fn a_name_is_the_same_in_every_string_type_and_case() {
        let one = canonical(&name(&[(0x13, b"Corp  CA")]));
        for other in [&(0x0c, &b"corp ca"[..]), &(0x16, b" Corp CA "), &(0x1e, b"\0C\0o\0r\0p\0 \0C\0A")] {
            assert_eq!(canonical(&name(&[*other])), one);
        }
        for other in
            [&[(0x13, &b"CorpCA"[..])][..], &[(0x04, b"Corp CA")], &[], &[(0x13, b"Corp"), (0x13, b"CA")]]
        {
            assert_ne!(canonical(&name(other)), one);
        }
        assert_ne!(canonical(&[1, 2]), canonical(&[1, 3]), "what is no name is only itself");
    }
}
