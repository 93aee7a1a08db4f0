//! Names of every form.

use super::case::{Case, key, right};
use super::rule::Rule;
use crate::forge::{Kind, Made};
use crate::world::World;

/// Names of every form.
pub(super) fn names() -> Vec<Case> {
    let root = Made::authority("root", &key(Kind::P256, 50));
    let own = key(Kind::P256, 51);
    let world = |made: &Made, host: &str| World {
        host: host.to_owned(),
        ..World::new(&[root.self_signed()], &[made.signed_by(&root)])
    };
    let server = |common: &str, names: &[(u8, &[u8])]| Made::server(common, &own, names);
    let v6: &[u8] = &[0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    let mut cases = Vec::new();
    for (common, names, host) in [
        ("server", &[(0x82_u8, &b"mgmt.example"[..])][..], "mgmt.example"),
        ("", &[(0x82, b"mgmt.example")], "mgmt.example"),
        ("server", &[(0x82, b"*.b.example")], "a.b.example"),
        ("server", &[(0x82, b"MGMT.EXAMPLE")], "mgmt.example"),
        ("server", &[(0x87, &[192, 0, 2, 7])], "192.0.2.7"),
        ("server", &[(0x87, v6)], "2001:db8::1"),
        ("server", &[(0x82, b"other.example"), (0x82, b"mgmt.example")], "mgmt.example"),
    ] {
        cases.push(right(format!("name {names:?} for {host}"), world(&server(common, names), host)));
    }
    let address = "as an iPAddress of the subject alternative name";
    let common_name = Some(Rule::CommonName);
    for (common, names, host, advice, rule) in [
        ("server", &[(0x82_u8, &b"other.example"[..])][..], "mgmt.example", "use one that is there", None),
        ("server", &[(0x82, b"*.example")], "a.b.example", "use one that is there", None),
        ("server", &[(0x82, b"192.0.2.7")], "192.0.2.7", address, None),
        ("server", &[(0x82, b"[2001:db8::1]")], "2001:db8::1", address, None),
        ("server", &[(0x82, b"[192.0.2.7]")], "192.0.2.7", address, None),
        ("mgmt.example", &[], "mgmt.example", "with a subject alternative name", common_name),
        ("server", &[(0x87, &[192, 0, 2, 8])], "192.0.2.7", "use one that is there", None),
    ] {
        let right: &[(u8, &[u8])] =
            &[(0x82, b"mgmt.example"), (0x82, b"a.b.example"), (0x87, &[192, 0, 2, 7]), (0x87, v6)];
        cases.push(Case {
            label: format!("name {names:?} for {host}"),
            world: world(&server(common, names), host),
            reason: "WrongName",
            named: format!("CN={common}"),
            advice,
            rule,
            cured: Some(world(&server(common, right), host)),
        });
    }
    // Without a subject the names are what it is called.
    let mut expired = server("", &[(0x82, b"mgmt.example")]);
    expired.not_after = "20260101000000Z".to_owned();
    cases.push(Case {
        label: "without a subject, expired".to_owned(),
        world: world(&expired, "mgmt.example"),
        reason: "Expired",
        named: "the certificate for mgmt.example".to_owned(),
        advice: "renew the certificate",
        rule: None,
        cured: Some(world(&server("", &[(0x82, b"mgmt.example")]), "mgmt.example")),
    });
    cases
}
