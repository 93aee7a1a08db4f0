//! Reading DER, as far as certificates and revocation lists need it (X.690).
//!
//! Nothing here trusts a length: what does not fit is [`NotDer`]. Whoever decides has webpki parse
//! the same bytes; this reader adds the fields that webpki keeps to itself.

/// The bytes are not DER, or not the DER that was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotDer;

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OID: u8 = 0x06;
pub(super) const ENUMERATED: u8 = 0x0a;
pub(super) const UTF8_STRING: u8 = 0x0c;
pub(super) const BMP_STRING: u8 = 0x1e;
pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// One value: its tag, what it contains, and all its bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Value<'a> {
    pub(super) tag: u8,
    pub(super) content: &'a [u8],
    pub(super) whole: &'a [u8],
}

/// Values one after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What was not read.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The tag of the next value.
    pub(super) fn tag(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// The next value.
    pub(super) fn any(&mut self) -> Result<Value<'a>, NotDer> {
        let [tag, length, rest @ ..] = self.rest else { return Err(NotDer) };
        // Tags of several bytes occur in nothing that is read here.
        if tag & 0x1f == 0x1f {
            return Err(NotDer);
        }
        let (length, rest) = match length {
            0..=0x7f => (usize::from(*length), rest),
            0x81..=0x84 => {
                let (digits, rest) = rest.split_at_checked(usize::from(length & 0x7f)).ok_or(NotDer)?;
                (digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit)), rest)
            }
            // Indefinite lengths are BER, and nothing here has four gigabytes.
            _ => return Err(NotDer),
        };
        let (content, rest) = rest.split_at_checked(length).ok_or(NotDer)?;
        let (whole, _) = self.rest.split_at_checked(self.rest.len() - rest.len()).ok_or(NotDer)?;
        self.rest = rest;
        Ok(Value { tag: *tag, content, whole })
    }

    /// The content of the next value, which has to have this tag.
    pub(super) fn expect(&mut self, tag: u8) -> Result<&'a [u8], NotDer> {
        let value = self.any()?;
        if value.tag == tag { Ok(value.content) } else { Err(NotDer) }
    }

    /// The content of the next value if it has this tag; otherwise nothing is read.
    pub(super) fn optional(&mut self, tag: u8) -> Result<Option<&'a [u8]>, NotDer> {
        if self.tag() == Some(tag) { self.expect(tag).map(Some) } else { Ok(None) }
    }

    /// The values within the next sequence.
    pub(super) fn sequence(&mut self) -> Result<Self, NotDer> {
        self.expect(SEQUENCE).map(Self::new)
    }

    /// `DEFAULT FALSE`.
    pub(super) fn flag(&mut self) -> Result<bool, NotDer> {
        match self.optional(BOOLEAN)? {
            None | Some([0]) => Ok(false),
            Some([0xff]) => Ok(true),
            Some(_) => Err(NotDer),
        }
    }

    /// Nothing may follow.
    pub(super) fn end(&self) -> Result<(), NotDer> {
        if self.is_empty() { Ok(()) } else { Err(NotDer) }
    }
}

/// The bytes of a bit string that has whole bytes, as keys and signatures have.
pub(super) fn bits(content: &[u8]) -> Result<&[u8], NotDer> {
    match content {
        [0, bytes @ ..] => Ok(bytes),
        _ => Err(NotDer),
    }
}

/// Whether a value is a text: UTF8String, PrintableString, TeletexString, IA5String, VisibleString, BMPString.
pub(super) fn is_text(tag: u8) -> bool {
    matches!(tag, UTF8_STRING | 0x13 | 0x14 | 0x16 | 0x1a | BMP_STRING)
}

/// The DER of one value.
pub(super) fn wrap(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let digits =
        length.iter().position(|byte| *byte != 0).and_then(|zeros| length.get(zeros..)).unwrap_or(&[0]);
    let mut whole = vec![tag];
    match digits {
        [short] if *short < 0x80 => whole.push(*short),
        _ => {
            // A length has at most eight digits.
            whole.push(0x80 | digits.len() as u8);
            whole.extend(digits);
        }
    }
    whole.extend(content);
    whole
}

/// An object identifier as people write it: `1.2.840.113549`.
pub(super) fn dotted(oid: &[u8]) -> String {
    let mut arcs: Vec<u64> = Vec::new();
    let mut arc: u64 = 0;
    for byte in oid {
        arc = arc << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            if arcs.is_empty() {
                let first = (arc / 40).min(2);
                arcs.push(first);
                arc -= first * 40;
            }
            arcs.push(arc);
            arc = 0;
        }
    }
    let arcs: Vec<String> = arcs.iter().take(20).map(ToString::to_string).collect();
    arcs.join(".")
}

/// An extension with its number and, where it is a usual one, its name.
pub(super) fn extension_name(oid: &[u8]) -> String {
    let name = match oid {
        [0x55, 0x1d, 14] => "subjectKeyIdentifier",
        [0x55, 0x1d, 15] => "keyUsage",
        [0x55, 0x1d, 17] => "subjectAltName",
        [0x55, 0x1d, 19] => "basicConstraints",
        [0x55, 0x1d, 30] => "nameConstraints",
        [0x55, 0x1d, 31] => "cRLDistributionPoints",
        [0x55, 0x1d, 32] => "certificatePolicies",
        [0x55, 0x1d, 33] => "policyMappings",
        [0x55, 0x1d, 35] => "authorityKeyIdentifier",
        [0x55, 0x1d, 36] => "policyConstraints",
        [0x55, 0x1d, 37] => "extKeyUsage",
        [0x55, 0x1d, 54] => "inhibitAnyPolicy",
        [0x2b, 6, 1, 5, 5, 7, 1, 24] => "tlsFeature",
        _ => return dotted(oid),
    };
    format!("{name} ({})", dotted(oid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_that_does_not_fit_is_no_value() {
        for bytes in [
            &[][..],
            &[0x30],
            &[0x30, 1],
            &[0x30, 0x80, 0, 0],
            &[0x30, 0x85, 0, 0, 0, 0, 0],
            &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
            &[0x30, 0x82, 1],
            &[0x1f, 1, 0],
        ] {
            assert_eq!(Reader::new(bytes).any().err(), Some(NotDer), "{bytes:?}");
        }
    }

    #[test]
    fn a_value_knows_its_content_and_its_bytes() {
        let bytes = [0x30, 0x81, 2, 5, 0, 9];
        let mut reader = Reader::new(&bytes);
        let value = reader.any().unwrap();
        assert_eq!((value.tag, value.content, value.whole), (SEQUENCE, &[5, 0][..], &bytes[..5]));
        assert_eq!(reader.tag(), Some(9));
    }

    #[test]
    fn what_is_wrapped_is_read_again() {
        for length in [0, 1, 0x7f, 0x80, 0xff, 0x100, 0x1_0000] {
            let (content, bytes) = (vec![7; length], wrap(SEQUENCE, &vec![7; length]));
            let mut reader = Reader::new(&bytes);
            assert_eq!(reader.expect(SEQUENCE), Ok(content.as_slice()));
            assert_eq!(reader.end(), Ok(()));
        }
    }

    #[test]
    fn identifiers_are_written_with_dots() {
        assert_eq!(dotted(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5]), "1.2.840.113549.1.1.5");
        assert_eq!(dotted(&[0x55, 0x1d, 0x0f]), "2.5.29.15");
        assert_eq!(dotted(&[0x88, 0x37]), "2.999");
        assert_eq!(dotted(&[0xff; 40]), "");
    }
}
