//! The fields of a certificate that decide (RFC 5280 4.1).

use super::der::{self, NotDer, Reader, Value};
use super::time::{self, Timestamp};

/// A certificate, as far as the policy looks at it. Borrows the DER it was read from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Certificate<'a> {
    /// What is signed.
    pub(super) signed: &'a [u8],
    pub(super) serial: &'a [u8],
    /// Content of the issuer's name.
    pub(super) issuer: &'a [u8],
    pub(super) not_before: Timestamp,
    pub(super) not_after: Timestamp,
    /// Content of the subject's name.
    pub(super) subject: &'a [u8],
    /// The whole SubjectPublicKeyInfo: what a pin is the hash of.
    pub(super) key_info: &'a [u8],
    pub(super) key: Key,
    /// Content of the AlgorithmIdentifier of the signature upon it.
    pub(super) algorithm: &'a [u8],
    /// The signature upon it.
    pub(super) signature: &'a [u8],
    pub(super) extensions: Extensions<'a>,
}

/// What the extensions say.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Extensions<'a> {
    pub(super) basic_constraints: Option<BasicConstraints>,
    pub(super) key_usage: Option<KeyUsage>,
    /// Content of the sequence of alternative names.
    pub(super) names: Option<&'a [u8]>,
    /// Content of the name constraints.
    pub(super) name_constraints: Option<&'a [u8]>,
    /// The first critical one that nobody here knows.
    pub(super) unknown_critical: Option<&'a [u8]>,
    /// The first critical one that webpki refuses: also those about policies.
    pub(super) refused: Option<&'a [u8]>,
    /// Where the issuer's certificate can be had (authority information access).
    pub(super) names_its_issuer: bool,
}

/// RFC 5280 4.2.1.9.
#[derive(Clone, Copy, Debug)]
pub(super) struct BasicConstraints {
    pub(super) is_critical: bool,
    pub(super) is_authority: bool,
    pub(super) path_length: Option<usize>,
}

/// RFC 5280 4.2.1.3, as far as it matters to authorities.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeyUsage {
    pub(super) signs_certificates: bool,
    pub(super) signs_revocations: bool,
}

/// A public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Key {
    /// RSA with a modulus of this many bits.
    Rsa(usize),
    /// An elliptic curve over a field of this many bits.
    Curve(usize),
    /// Another kind, or a curve nobody here knows.
    Other,
}

impl Key {
    /// Too small to withstand an attacker: RSA below 2048 bits (NIST SP 800-57 part 1, since 2014), curves below 256.
    pub fn is_weak(self) -> bool {
        match self {
            Self::Rsa(bits) => bits < 2048,
            Self::Curve(bits) => bits < 256,
            Self::Other => false,
        }
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rsa(bits) => write!(f, "RSA key of {bits} bits"),
            Self::Curve(bits) => write!(f, "elliptic curve key of {bits} bits"),
            Self::Other => f.write_str("key of an unknown kind"),
        }
    }
}

impl<'a> Certificate<'a> {
    /// Reads one certificate and nothing after it.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, NotDer> {
        let mut outer = Reader::new(bytes);
        let mut certificate = outer.sequence()?;
        outer.end()?;
        let signed = certificate.any()?;
        if signed.tag != der::SEQUENCE {
            return Err(NotDer);
        }
        let mut fields = Reader::new(signed.content);
        let algorithm = certificate.expect(der::SEQUENCE)?;
        let signature = der::bits(certificate.expect(der::BIT_STRING)?)?;
        certificate.end()?;

        fields.optional(0xa0)?; // version
        let serial = fields.expect(der::INTEGER)?;
        fields.expect(der::SEQUENCE)?; // the algorithm once more
        let issuer = fields.expect(der::SEQUENCE)?;
        let mut validity = fields.sequence()?;
        let not_before = instant(validity.any()?)?;
        let not_after = instant(validity.any()?)?;
        let subject = fields.expect(der::SEQUENCE)?;
        let key_info = fields.any()?;
        if key_info.tag != der::SEQUENCE {
            return Err(NotDer);
        }
        fields.optional(0x81)?; // identifiers of issuer and subject
        fields.optional(0x82)?;
        let extensions = match fields.optional(0xa3)? {
            Some(list) => Extensions::read(Reader::new(list))?,
            None => Extensions::default(),
        };
        let (key, key_info) = (key(key_info.content)?, key_info.whole);
        Ok(Self {
            signed: signed.whole,
            serial,
            issuer,
            not_before,
            not_after,
            subject,
            key_info,
            key,
            algorithm,
            signature,
            extensions,
        })
    }

    /// The object identifier of the signature upon it; empty when it cannot be read.
    pub(super) fn signature_kind(&self) -> &'a [u8] {
        Reader::new(self.algorithm).expect(der::OID).unwrap_or_default()
    }

    /// Whether it names itself as its issuer.
    pub(super) fn is_self_issued(&self) -> bool {
        self.issuer == self.subject
    }
}

impl<'a> Extensions<'a> {
    fn read(mut list: Reader<'a>) -> Result<Self, NotDer> {
        let mut found = Self::default();
        let mut extensions = list.sequence()?;
        while !extensions.is_empty() {
            let mut extension = extensions.sequence()?;
            let name = extension.expect(der::OID)?;
            let is_critical = extension.flag()?;
            let mut value = Reader::new(extension.expect(der::OCTET_STRING)?);
            if is_critical && !matches!(name, [0x55, 0x1d, 15 | 17 | 19 | 30 | 31 | 37]) {
                found.refused = found.refused.or(Some(name));
            }
            match name {
                // id-ce-keyUsage
                [0x55, 0x1d, 15] => found.key_usage = Some(key_usage(&mut value)?),
                [0x55, 0x1d, 17] => found.names = Some(value.expect(der::SEQUENCE)?),
                [0x55, 0x1d, 19] => {
                    let mut fields = value.sequence()?;
                    let is_authority = fields.flag()?;
                    let path_length = fields.optional(der::INTEGER)?.map(small);
                    found.basic_constraints =
                        Some(BasicConstraints { is_critical, is_authority, path_length });
                }
                [0x55, 0x1d, 30] => found.name_constraints = Some(value.expect(der::SEQUENCE)?),
                // id-pe-authorityInfoAccess
                [0x2b, 6, 1, 5, 5, 7, 1, 1] => found.names_its_issuer = true,
                // Key identifiers, distribution points, policies, extended key usage: known, and webpki's business.
                [0x55, 0x1d, 14 | 31 | 32 | 33 | 35 | 36 | 37 | 54] => {}
                _ if is_critical => found.unknown_critical = found.unknown_critical.or(Some(name)),
                _ => {}
            }
        }
        Ok(found)
    }
}

fn instant(value: Value<'_>) -> Result<Timestamp, NotDer> {
    time::read(value.tag, value.content).ok_or(NotDer)
}

/// A number that counts something small; anything else is larger than whatever it is compared with.
fn small(digits: &[u8]) -> usize {
    match digits {
        [digit] if *digit < 0x80 => usize::from(*digit),
        _ => usize::MAX,
    }
}

fn key_usage(value: &mut Reader<'_>) -> Result<KeyUsage, NotDer> {
    let bits = value.expect(der::BIT_STRING)?;
    // The first byte counts unused bits; keyCertSign is bit 5 and cRLSign bit 6, from the left.
    let first = bits.get(1).copied().unwrap_or(0);
    Ok(KeyUsage { signs_certificates: first & 0x04 != 0, signs_revocations: first & 0x02 != 0 })
}

fn key(info: &[u8]) -> Result<Key, NotDer> {
    let mut info = Reader::new(info);
    let mut algorithm = info.sequence()?;
    let key = der::bits(info.expect(der::BIT_STRING)?)?;
    Ok(match algorithm.expect(der::OID)? {
        // rsaEncryption, and id-RSASSA-PSS, whose keys look alike
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1 | 10] => {
            let modulus = Reader::new(key).sequence()?.expect(der::INTEGER)?;
            let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
            let bits = modulus.get(zeros).map_or(0, |byte| 8 - byte.leading_zeros() as usize);
            Key::Rsa((modulus.len().saturating_sub(zeros + 1)) * 8 + bits)
        }
        // id-ecPublicKey, by its curve
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1] => match algorithm.any()?.content {
            [0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 1] => Key::Curve(192),
            [0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7] => Key::Curve(256),
            [0x2b, 0x81, 4, 0, 33] => Key::Curve(224),
            [0x2b, 0x81, 4, 0, 34] => Key::Curve(384),
            [0x2b, 0x81, 4, 0, 35] => Key::Curve(521),
            _ => Key::Other,
        },
        // Ed25519
        [0x2b, 0x65, 0x70] => Key::Curve(256),
        _ => Key::Other,
    })
}

/// A name as people read it: `CN=mgmt.example, O=Company`. Without control characters, at most 120 characters.
pub(super) fn name(content: &[u8]) -> String {
    let mut parts = Vec::new();
    let mut sets = Reader::new(content);
    while let Ok(set) = sets.expect(der::SET) {
        let mut attributes = Reader::new(set);
        while let Ok(mut attribute) = attributes.sequence() {
            let (Ok(kind), Ok(value)) = (attribute.expect(der::OID), attribute.any()) else { break };
            let kind = match kind {
                [0x55, 4, 3] => "CN",
                [0x55, 4, 6] => "C",
                [0x55, 4, 7] => "L",
                [0x55, 4, 8] => "ST",
                [0x55, 4, 10] => "O",
                [0x55, 4, 11] => "OU",
                _ => continue,
            };
            parts.push(format!("{kind}={}", text(value)));
        }
        // The message is one line; whoever puts more into a name wants to hide something in it.
        if parts.len() >= 8 {
            break;
        }
    }
    if parts.is_empty() {
        return "without a name".to_owned();
    }
    // Most specific first, as RFC 4514 writes it.
    parts.reverse();
    shortened(&parts.join(", "), 120)
}

/// The common name of a name's content.
pub(super) fn common_name(content: &[u8]) -> Option<String> {
    let mut sets = Reader::new(content);
    let mut found = None;
    while let Ok(set) = sets.expect(der::SET) {
        let mut attributes = Reader::new(set);
        while let Ok(mut attribute) = attributes.sequence() {
            if attribute.expect(der::OID) == Ok(&[0x55, 4, 3]) {
                found = attribute.any().ok().map(|value| shortened(&text(value), 120));
            }
        }
    }
    found
}

/// What a person may be shown of a text that somebody else wrote.
pub(super) fn shortened(text: &str, most: usize) -> String {
    let mut shown: String = text.chars().filter(|c| !c.is_control()).take(most).collect();
    if text.chars().nth(most).is_some() {
        shown.push('…');
    }
    shown
}

fn text(value: Value<'_>) -> String {
    match value.tag {
        // BMPString
        0x1e => {
            let units = value.content.chunks_exact(2).map(|pair| match pair {
                [high, low] => u16::from_be_bytes([*high, *low]),
                _ => 0xfffd,
            });
            char::decode_utf16(units.take(200)).map(|unit| unit.unwrap_or('\u{fffd}')).collect()
        }
        _ => String::from_utf8_lossy(value.content.get(..value.content.len().min(400)).unwrap_or_default())
            .into_owned(),
    }
}
