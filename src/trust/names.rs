//! Names of authorities (RFC 5280 4.1.2.4), compared as RFC 5280 7.1 wants it: whatever string type, case or spaces they are written with.

use super::certificate;
use super::der::{self, Reader};

/// The content of a name in a form that is equal for names that mean the same.
pub(super) fn canonical(name: &[u8]) -> Vec<u8> {
    let mut found = Vec::with_capacity(name.len());
    let mut sets = Reader::new(name);
    while let Ok(set) = sets.expect(der::SET) {
        let mut attributes = Vec::new();
        let mut values = Reader::new(set);
        while let Ok(attribute) = values.any() {
            attributes.push(self::attribute(attribute.content));
        }
        attributes.sort();
        found.extend(der::wrap(der::SET, &attributes.concat()));
    }
    // What cannot be read is compared as it is.
    found.extend(sets.rest());
    found
}

/// The kind of an attribute and its value: one text in lower case, with single spaces; what is no text as it is.
fn attribute(content: &[u8]) -> Vec<u8> {
    let mut fields = Reader::new(content);
    let (Ok(kind), Ok(value)) = (fields.expect(der::OID), fields.any()) else {
        return der::wrap(der::SEQUENCE, content);
    };
    let value = if der::is_text(value.tag) {
        let text = certificate::text(value).to_lowercase();
        der::wrap(der::UTF8_STRING, text.split_whitespace().collect::<Vec<_>>().join(" ").as_bytes())
    } else {
        value.whole.to_vec()
    };
    der::wrap(der::SEQUENCE, &[der::wrap(der::OID, kind), value].concat())
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
