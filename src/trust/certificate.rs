//! The fields of a certificate that decide (RFC 5280 4.1).

use super::der::{self, NotDer, Reader, Value};
use super::policies;
use super::server_names::{Present, present};
use super::time::{self, Timestamp};
use crate::types::printable;

/// A certificate, as far as the policy looks at it. Borrows the DER it was read from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Certificate<'a> {
    /// Version 3, which alone has extensions.
    pub(super) is_version_3: bool,
    /// What is signed.
    pub(super) signed: &'a [u8],
    pub(super) serial: &'a [u8],
    /// Content of the issuer's name.
    pub(super) issuer: &'a [u8],
    pub(super) not_before: Timestamp,
    pub(super) not_after: Timestamp,
    /// Content of the subject's name.
    pub(super) subject: &'a [u8],
    /// The subject's name as a value.
    pub(super) whole_subject: &'a [u8],
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
    /// The first critical one that is refused on every path.
    pub(super) refused: Option<&'a [u8]>,
    /// It has critical policies, and they are understood.
    pub(super) has_critical_policies: bool,
    /// It demands that its policies, or those below it, decide.
    pub(super) demands_policies: bool,
    /// Where the issuer's certificate can be had (authority information access).
    pub(super) names_its_issuer: bool,
    /// Content of the extended key usage.
    pub(super) purposes: Option<&'a [u8]>,
    /// Content of the distribution points of revocation lists.
    pub(super) distribution_points: Option<&'a [u8]>,
    /// How the issuer calls its key.
    pub(super) key_id: Option<&'a [u8]>,
    /// It demands a stapled status (RFC 7633).
    pub(super) demands_stapling: bool,
    /// The first that stands in it twice.
    pub(super) twice: Option<&'a [u8]>,
    /// The first that is known and cannot be read.
    pub(super) unreadable: Option<&'a [u8]>,
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

/// Bits of the smallest RSA key that withstands an attacker: NIST SP 800-57 part 1, since 2014.
const LEAST_RSA: usize = 2048;

/// Bits of the largest that *ring* verifies signatures with.
const MOST_RSA: usize = 8192;

/// The same for curves: as strong as RSA of 3072 bits, and no authority issues less.
const LEAST_CURVE: usize = 256;

impl Key {
    /// Whether signatures with it can be verified here: RSA up to 8192 bits, P-256, P-384, Ed25519. A weak one is not asked about.
    pub fn is_supported(self) -> bool {
        match self {
            Self::Rsa(bits) => bits <= MOST_RSA,
            Self::Curve(bits) => bits == 256 || bits == 384,
            Self::Other => false,
        }
    }

    /// Too small to withstand an attacker.
    pub fn is_weak(self) -> bool {
        match self {
            Self::Rsa(bits) => bits < LEAST_RSA,
            Self::Curve(bits) => bits < LEAST_CURVE,
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
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, Unreadable> {
        let mut outer = Reader::new(bytes);
        let mut certificate = outer.sequence()?;
        outer.end().map_err(|NotDer| Unreadable("bytes follow its end"))?;
        let signed = certificate.any()?;
        if signed.tag != der::SEQUENCE {
            return Err(NotDer.into());
        }
        let mut fields = Reader::new(signed.content);
        let algorithm = certificate.expect(der::SEQUENCE)?;
        let signature = der::bits(certificate.expect(der::BIT_STRING)?)?;
        certificate.end()?;

        let version = fields.optional(0xa0)?;
        let is_version_3 = version == Some(&[der::INTEGER, 1, 2]);
        let serial = fields.expect(der::INTEGER)?;
        fields.expect(der::SEQUENCE)?; // the algorithm once more
        let issuer = fields.expect(der::SEQUENCE)?;
        let mut validity = fields.sequence()?;
        let no_date = |NotDer| Unreadable("its dates cannot be read");
        let not_before = instant(validity.any()?).map_err(no_date)?;
        let not_after = instant(validity.any()?).map_err(no_date)?;
        let whole_subject = fields.any()?;
        let subject = Reader::new(whole_subject.whole).expect(der::SEQUENCE)?;
        let key_info = fields.any()?;
        if key_info.tag != der::SEQUENCE {
            return Err(NotDer.into());
        }
        fields.optional(0x81)?; // identifiers of issuer and subject
        fields.optional(0x82)?;
        let extensions = match fields.optional(0xa3)? {
            Some(list) => Extensions::read(Reader::new(list))
                .map_err(|NotDer| Unreadable("its extensions cannot be read"))?,
            None => Extensions::default(),
        };
        let key = key(key_info.content).map_err(|NotDer| Unreadable("its key cannot be read"))?;
        let key_info = key_info.whole;
        Ok(Self {
            is_version_3,
            signed: signed.whole,
            serial,
            issuer,
            not_before,
            not_after,
            subject,
            whole_subject: whole_subject.whole,
            key_info,
            key,
            algorithm,
            signature,
            extensions,
        })
    }

    /// The object identifier of the signature upon it; empty when it cannot be read.
    pub(super) fn signature_kind(&self) -> &'a [u8] {
        super::signature::kind(self.algorithm)
    }

    /// What messages call it: its subject, or the names it is for when it has none.
    pub(super) fn called(&self) -> String {
        if let Some(name) = written(self.subject) {
            return name;
        }
        let names: Vec<String> = self.names().take(3).map(|name| name.to_string()).collect();
        if names.is_empty() {
            NAMELESS.to_owned()
        } else {
            printable(format_args!("the certificate for {}", names.join(", ")), 120)
        }
    }

    /// The names it is for.
    pub(super) fn names(&self) -> impl Iterator<Item = Present> + use<'a> {
        present(self.extensions.names)
    }

    /// Whether it says that it is an authority.
    pub(super) fn is_authority(&self) -> bool {
        self.extensions.basic_constraints.is_some_and(|constraints| constraints.is_authority)
    }

    /// Whether its extended key usage, if it has one, is for servers.
    pub(super) fn is_for_servers(&self) -> bool {
        self.extensions.purposes.is_none_or(|purposes| self::purposes(purposes).any(|it| it == SERVER_AUTH))
    }

    /// Whether it is made for a server: it has names that servers have, and is no authority.
    pub(super) fn is_of_a_server(&self) -> bool {
        !self.is_authority() && self.names().next().is_some()
    }

    /// Whether it names itself as its issuer.
    pub(super) fn is_self_issued(&self) -> bool {
        self.issuer == self.subject
    }
}

impl<'a> Extensions<'a> {
    fn read(mut list: Reader<'a>) -> Result<Self, NotDer> {
        let mut found = Self::default();
        let mut seen: Vec<&[u8]> = Vec::new();
        let mut extensions = list.sequence()?;
        while !extensions.is_empty() {
            let mut extension = extensions.sequence()?;
            let name = extension.expect(der::OID)?;
            let is_critical = extension.flag()?;
            let value = Reader::new(extension.expect(der::OCTET_STRING)?);
            if is_critical && policies::are_understood(name, value) {
                found.has_critical_policies = true;
            } else if is_critical && !matches!(name, [0x55, 0x1d, 15 | 17 | 19 | 30 | 31 | 37]) {
                found.refused = found.refused.or(Some(name));
            }
            // Those of RFC 5280: of others there can be any number.
            if let [0x55, 0x1d, _] = name {
                if seen.contains(&name) {
                    found.twice = found.twice.or(Some(name));
                } else {
                    seen.push(name);
                }
            }
            if found.remember(name, is_critical, value).is_err() {
                found.unreadable = found.unreadable.or(Some(name));
            }
        }
        Ok(found)
    }

    fn remember(&mut self, name: &'a [u8], is_critical: bool, mut value: Reader<'a>) -> Result<(), NotDer> {
        match name {
            // id-ce-subjectKeyIdentifier
            [0x55, 0x1d, 14] => self.key_id = Some(value.expect(der::OCTET_STRING)?),
            // id-ce-keyUsage
            [0x55, 0x1d, 15] => self.key_usage = Some(key_usage(&mut value)?),
            [0x55, 0x1d, 17] => self.names = Some(value.expect(der::SEQUENCE)?),
            [0x55, 0x1d, 19] => {
                let mut fields = value.sequence()?;
                let is_authority = fields.flag()?;
                let path_length = fields.optional(der::INTEGER)?.map(small);
                self.basic_constraints = Some(BasicConstraints { is_critical, is_authority, path_length });
            }
            [0x55, 0x1d, 30] => self.name_constraints = Some(value.expect(der::SEQUENCE)?),
            [0x55, 0x1d, 31] => self.distribution_points = Some(value.expect(der::SEQUENCE)?),
            [0x55, 0x1d, 37] => self.purposes = Some(value.expect(der::SEQUENCE)?),
            // id-pe-authorityInfoAccess
            [0x2b, 6, 1, 5, 5, 7, 1, 1] => self.names_its_issuer = true,
            // id-pe-tlsfeature, of which 5 is status_request
            [0x2b, 6, 1, 5, 5, 7, 1, 24] => {
                let mut features = value.sequence()?;
                while !features.is_empty() {
                    self.demands_stapling |= features.expect(der::INTEGER)? == [5];
                }
                if is_critical {
                    self.unknown_critical = self.unknown_critical.or(Some(name));
                }
            }
            [0x55, 0x1d, 36] => self.demands_policies = policies::are_demanded(value),
            // Key identifiers and policies: known, and nothing is read from them.
            [0x55, 0x1d, 32 | 33 | 35 | 54] => {}
            _ if is_critical => self.unknown_critical = self.unknown_critical.or(Some(name)),
            _ => {}
        }
        Ok(())
    }
}

/// Why bytes are no certificate, in words for a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unreadable(pub(super) &'static str);

impl From<NotDer> for Unreadable {
    fn from(NotDer: NotDer) -> Self {
        Self("it is not a certificate in DER")
    }
}

/// id-kp-serverAuth
pub(super) const SERVER_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
/// anyExtendedKeyUsage
pub(super) const ANY_PURPOSE: &[u8] = &[0x55, 0x1d, 37, 0];

/// The purposes in an extended key usage.
pub(super) fn purposes(content: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut purposes = Reader::new(content);
    std::iter::from_fn(move || purposes.expect(der::OID).ok())
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

/// What key the content of a SubjectPublicKeyInfo holds.
pub(super) fn key(info: &[u8]) -> Result<Key, NotDer> {
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

/// What is called that has no name.
const NAMELESS: &str = "a certificate without a name";

/// A name as people read it: `CN=mgmt.example, O=Company`. Escaped, at most 120 characters.
pub(super) fn name(content: &[u8]) -> String {
    written(content).unwrap_or_else(|| NAMELESS.to_owned())
}

/// The same; `None` when nothing of it can be shown.
fn written(content: &[u8]) -> Option<String> {
    let mut parts = Vec::new();
    let mut sets = Reader::new(content);
    while let Ok(set) = sets.expect(der::SET) {
        let mut attributes = Reader::new(set);
        while let Ok(mut attribute) = attributes.sequence() {
            let (Ok(kind), Ok(value)) = (attribute.expect(der::OID), attribute.any()) else { break };
            let kind = match kind {
                [0x55, 4, 3] => "CN",
                [0x55, 4, 5] => "SERIALNUMBER",
                [0x55, 4, 6] => "C",
                [0x55, 4, 7] => "L",
                [0x55, 4, 8] => "ST",
                [0x55, 4, 10] => "O",
                [0x55, 4, 11] => "OU",
                [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25] => "DC",
                [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1] => "E",
                _ => continue,
            };
            parts.push(format!("{kind}={}", text(value)));
        }
        // The message is one line; a name with more parts hides something in them.
        if parts.len() >= 8 {
            break;
        }
    }
    // Most specific first, as RFC 4514 writes it.
    parts.reverse();
    (!parts.is_empty()).then(|| printable(parts.join(", "), 120))
}

/// The common name of a name's content.
pub(super) fn common_name(content: &[u8]) -> Option<String> {
    let mut sets = Reader::new(content);
    let mut found = None;
    while let Ok(set) = sets.expect(der::SET) {
        let mut attributes = Reader::new(set);
        while let Ok(mut attribute) = attributes.sequence() {
            if attribute.expect(der::OID) == Ok(&[0x55, 4, 3]) {
                found = attribute.any().ok().map(|value| printable(text(value), 120));
            }
        }
    }
    found
}

/// The mail addresses in a name's content, as they are written.
pub(super) fn mail_addresses(content: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut sets = Reader::new(content);
    let sets = std::iter::from_fn(move || sets.expect(der::SET).ok());
    sets.flat_map(|set| {
        let mut attributes = Reader::new(set);
        std::iter::from_fn(move || attributes.sequence().ok())
    })
    .filter_map(|mut attribute| {
        let is_mail = attribute.expect(der::OID) == Ok(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1]);
        attribute.any().ok().filter(|_| is_mail).map(|value| value.content)
    })
}

/// A text of any string type, at most 400 bytes of it.
pub(super) fn text(value: Value<'_>) -> String {
    match value.tag {
        der::BMP_STRING => {
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
