//! Forms of revocation lists that are not supported: each is refused when the policy is made, with words.

use std::collections::BTreeMap;

use homing::settings::CertificatePolicy;
use homing::trust::{Material, Policy, Time, Timestamp};

use crate::mischief::value;

const NOW: Time = Time { wall: Timestamp(1_800_000_000), floor: Timestamp::MADE };

/// What a list is made of (RFC 5280 5.1); nobody looks at the signature before a certificate is judged.
struct List {
    version: Vec<u8>,
    next_update: Vec<u8>,
    revoked: Vec<u8>,
    extensions: Vec<u8>,
}

impl List {
    /// One as it should be.
    fn new() -> Self {
        Self {
            version: value(0x02, &[1]),
            next_update: value(0x17, b"350101000000Z"),
            revoked: Vec::new(),
            extensions: extension(20, false, &value(0x02, &[1])),
        }
    }

    fn with(mut self, extension: &[u8]) -> Self {
        self.extensions.extend(extension);
        self
    }

    fn der(&self) -> Vec<u8> {
        // ecdsa-with-SHA256, and a name of one part.
        let algorithm = sequence(&[&value(0x06, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2])]);
        let part = sequence(&[&value(0x06, &[0x55, 4, 3]), &value(0x0c, b"authority")]);
        let issuer = sequence(&[&value(0x31, &part)]);
        let this_update = value(0x17, b"250101000000Z");
        let extensions = match self.extensions.as_slice() {
            [] => Vec::new(),
            list => value(0xa0, &value(0x30, list)),
        };
        let revoked = if self.revoked.is_empty() { Vec::new() } else { value(0x30, &self.revoked) };
        let signed = sequence(&[
            &self.version,
            &algorithm,
            &issuer,
            &this_update,
            &self.next_update,
            &revoked,
            &extensions,
        ]);
        sequence(&[&signed, &algorithm, &value(0x03, &[0, 0x30, 0])])
    }
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    value(0x30, &parts.concat())
}

/// An extension of the arc id-ce.
fn extension(number: u8, is_critical: bool, content: &[u8]) -> Vec<u8> {
    let critical = if is_critical { value(0x01, &[0xff]) } else { Vec::new() };
    sequence(&[&value(0x06, &[0x55, 0x1d, number]), &critical, &value(0x04, content)])
}

/// An issuing distribution point (RFC 5280 5.2.5) with these fields.
fn distribution_point(fields: &[&[u8]]) -> Vec<u8> {
    extension(28, true, &sequence(fields))
}

fn made(list: &List) -> Result<Policy, String> {
    let settings = CertificatePolicy { crls: vec!["x.crl".into()], ..CertificatePolicy::default() };
    let files = BTreeMap::from([("x.crl".into(), list.der())]);
    Policy::new(&settings, &Material { files, system: None }, NOW).map_err(|error| error.to_string())
}

#[test]
fn what_is_not_supported_is_told_when_the_policy_is_made() {
    let name = value(0xa0, &value(0xa0, &value(0x86, b"http://authority.example/x.crl")));
    let relative = value(0xa0, &value(0xa1, &sequence(&[&value(0x06, &[0x55, 4, 3]), &value(0x0c, b"x")])));
    let of_another = sequence(&[
        &value(0x02, &[7]),
        &value(0x17, b"250101000000Z"),
        &sequence(&[&extension(29, true, &sequence(&[&value(0x82, b"another")]))]),
    ]);
    assert!(made(&List::new()).is_ok());
    assert!(made(&List::new().with(&distribution_point(&[&name]))).is_ok());
    let without = |change: fn(&mut List)| {
        let mut list = List::new();
        change(&mut list);
        list
    };
    for (list, words) in [
        (List::new().with(&extension(27, true, &value(0x02, &[1]))), "a delta list"),
        (List::new().with(&distribution_point(&[&name, &value(0x84, &[0xff])])), "an indirect list"),
        (List { revoked: of_another, ..List::new() }, "an indirect list"),
        (List::new().with(&distribution_point(&[&name, &value(0x83, &[6, 0x40])])), "for some reasons only"),
        (List::new().with(&distribution_point(&[&value(0x81, &[0xff])])), "has no full name"),
        (List::new().with(&distribution_point(&[&relative])), "has no full name"),
        (
            List::new().with(&extension(99, true, &value(0x05, &[]))),
            "a critical extension of it is not known",
        ),
        (without(|list| list.version.clear()), "version 1"),
        (without(|list| list.next_update.clear()), "does not say when the next one is due"),
        (without(|list| list.extensions.clear()), "has no extensions"),
        (List { revoked: vec![1, 2, 3], ..List::new() }, "damaged"),
    ] {
        let error = made(&list).unwrap_err();
        assert!(
            error.starts_with("x.crl: revocation list 1 cannot be used: ") && error.contains(words),
            "{error}"
        );
    }
}
