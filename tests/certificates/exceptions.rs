//! Servers that are believed without a chain: exactly named, or by their key alone; and what is said of certificates in the wrong file.

use std::slice::from_ref;

use homing::settings::{CertificatePolicy, Pin, PinState, Profile, Roots};
use homing::trust::{BundleError, Material, Policy, RejectReason, Time, Timestamp, check_certificate};
use rcgen::date_time_ymd;

use crate::forge::{
    CLIENT_AUTH, Key, Kind, List, Made, extension, pem, purposes, sequence, shown, standard, value,
};
use crate::world::{NOW, World, pin_of};

const NAMES: &[(u8, &[u8])] = &[(0x82, b"mgmt.example")];

/// A server's certificate with every oddity that there is.
fn oddities() -> Vec<(&'static str, Made)> {
    let own = Made::server("server", &Key::new(Kind::P256), NAMES);
    let with = |extension: Vec<u8>| {
        let mut made = own.clone();
        made.put(extension);
        made
    };
    let policies = sequence(&[&sequence(&[&value(0x06, &[0x55, 0x1d, 32, 0])])]);
    let mut twice = own.clone();
    twice.extensions.push(own.extensions[0].clone());
    vec![
        (
            "an unknown critical extension",
            with(extension(&[0x2b, 6, 1, 4, 1, 0x83, 0x8c, 0x1f], true, &[5, 0])),
        ),
        ("critical policies", with(standard(32, true, &policies))),
        ("for clients", with(purposes(&[CLIENT_AUTH]))),
        ("an authority", with(standard(19, true, &sequence(&[&value(0x01, &[0xff])])))),
        ("basic constraints that cannot be read", with(standard(19, true, &[1, 2, 3]))),
        ("an extension twice", twice),
    ]
}

#[test]
fn a_pinned_key_is_believed_whatever_its_certificate_says() {
    let version_1 = Made { version: 1, ..Made::server("server", &Key::new(Kind::P256), NAMES) };
    for (what, made) in oddities().into_iter().chain([("version 1", version_1)]) {
        let certificate = made.self_signed();
        let mut world = World::new(&[], from_ref(&certificate));
        world.settings.pin_only = true;
        world.settings.pins = vec![pin_of(&certificate)];
        assert_eq!(world.class(), "accepted", "{what}: {:?}", world.verdict());
        // The name, where the policy has one, is still compared.
        world.settings.expected_name = Some("mgmt.example".parse().unwrap());
        let expected = if what == "version 1" { "WrongName" } else { "accepted" };
        assert_eq!(world.class(), expected, "{what}");
        world.settings.expected_name = Some("other.example".parse().unwrap());
        assert_eq!(world.class(), "WrongName", "{what}");
    }
}

#[test]
fn an_exact_certificate_is_believed_for_its_time_and_its_name_and_no_other_is() {
    for (what, made) in oddities() {
        let certificate = made.self_signed();
        let world = World { exact: vec![certificate.clone()], ..World::new(&[], from_ref(&certificate)) };
        assert_eq!(world.class(), "accepted", "{what}: {:?}", world.verdict());
        let accepted = world.verdict().unwrap();
        assert_eq!(accepted.not_after, Some(Timestamp(date_time_ymd(2040, 1, 1).unix_timestamp())));
        assert_eq!(
            World { host: "other.example".to_owned(), ..world.clone() }.class(),
            "WrongName",
            "{what}"
        );
        let policy = world.policy().unwrap();
        assert_eq!(policy.roots(), 1);
        for (year, expected) in [(2019, "NotYetValid"), (2041, "Expired")] {
            let time = Time::exactly(Timestamp(date_time_ymd(year, 1, 1).unix_timestamp()));
            let verdict =
                check_certificate(&policy, &shown(&world.chain), &"mgmt.example".parse().unwrap(), time);
            assert!(format!("{verdict:?}").starts_with(&format!("Err({expected}")), "{what}: {verdict:?}");
        }
        // Another certificate of the same name, even of the same key.
        let renewed = Made { serial: vec![8], ..made.clone() }.self_signed();
        let other = World { chain: vec![renewed], ..world.clone() };
        if ![
            "an extension twice",
            "basic constraints that cannot be read",
            "critical policies",
            "an unknown critical extension",
        ]
        .contains(&what)
        {
            let reason = other.verdict().unwrap_err();
            assert!(matches!(reason, RejectReason::NotExact { .. }), "{what}: {reason}");
            assert!(reason.explain().contains("put it into the file that `exact` names"));
        }
        assert_ne!(other.class(), "accepted");
    }
    // One that an authority issued, without its authority; and nothing that it signed itself.
    let root = Made::authority("root", &Key::new(Kind::P256));
    let own = Made::server("server", &Key::new(Kind::P256), NAMES);
    let certificate = own.signed_by(&root);
    let exact = World { exact: vec![certificate.clone()], ..World::new(&[], &[certificate]) };
    assert_eq!(exact.class(), "accepted");
    let mut authority = own.clone();
    authority.put(standard(19, true, &sequence(&[&value(0x01, &[0xff])])));
    let below = Made::server("below", &Key::new(Kind::P256), NAMES).signed_by(&authority);
    let chain = [below, authority.self_signed()];
    let world = World { exact: vec![authority.self_signed()], ..World::new(&[], &chain) };
    assert_eq!(world.class(), "UnknownIssuer");
}

#[test]
fn a_pin_and_a_list_count_for_an_exact_certificate_too() {
    let root = Made::authority("root", &Key::new(Kind::P256));
    let own = Made::server("server", &Key::new(Kind::P256), NAMES);
    let certificate = own.signed_by(&root);
    let mut world = World {
        exact: vec![certificate.clone()],
        ..World::new(&[root.self_signed()], from_ref(&certificate))
    };
    world.lists = vec![List::new().signed_by(&root)];
    assert_eq!(world.class(), "accepted");
    world.settings.pins = vec![Pin { sha256: [7; 32], state: PinState::Active }];
    assert_eq!(world.class(), "PinMismatch");
    world.settings.pins = vec![pin_of(&certificate)];
    assert_eq!(world.class(), "accepted");
    world.settings.pins[0].state = PinState::Revoked;
    assert_eq!(world.class(), "PinRevoked");
    world.settings.pins.clear();
    world.lists = vec![List::new().revoking(7, None).signed_by(&root)];
    assert_eq!(world.class(), "Revoked");
    // Of a stranger of the same name.
    world.lists =
        vec![List::new().revoking(7, None).signed_by(&Made::authority("root", &Key::new(Kind::P256)))];
    assert_eq!(world.class(), "accepted");
}

#[test]
fn the_file_of_an_exact_certificate_has_that_alone() {
    let own = Made::server("server", &Key::new(Kind::P256), NAMES);
    let one = pem("CERTIFICATE", &own.self_signed());
    let with = |text: &str| {
        let settings = CertificatePolicy { roots: vec![Roots::Exact("s.pem".into())], ..Default::default() };
        let files = [("s.pem".into(), text.as_bytes().to_vec())].into();
        Policy::new(&settings, &Material { files, system: None }, NOW).map_err(|error| error.to_string())
    };
    assert_eq!(with(&one).unwrap().remarks(), []);
    for (text, words) in [
        (String::new(), BundleError::Empty.to_string()),
        (format!("{one}{one}"), "it holds 2 certificates; `exact` wants the server's own alone".to_owned()),
        (one.replace("CERTIFICATE", "PRIVATE KEY"), BundleError::PrivateKey.to_string()),
        (
            pem("CERTIFICATE", &[1, 2, 3]),
            "certificate 1 cannot be used: it is not a certificate in DER".to_owned(),
        ),
    ] {
        assert_eq!(with(&text).unwrap_err(), format!("s.pem: {words}"));
    }
    let mut stapled = own.clone();
    stapled.put(extension(&[0x2b, 6, 1, 5, 5, 7, 1, 24], false, &sequence(&[&value(0x02, &[5])])));
    let old = Made { not_after: "20270120000000Z".to_owned(), ..stapled };
    let remarks: Vec<String> = with(&pem("CERTIFICATE", &old.self_signed()))
        .unwrap()
        .remarks()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        remarks,
        [
            "s.pem: certificate 1 (CN=server) demands a stapled status (tlsFeature), which is not looked at",
            "s.pem: certificate 1 (CN=server) expires 2027-01-20T00:00:00Z"
        ]
    );
}

#[test]
fn a_server_in_a_bundle_is_told_and_the_advice_keeps_it_working() {
    let root = Made::authority("root", &Key::new(Kind::P256));
    let own = Made::server("server", &Key::new(Kind::P256), NAMES);
    let self_signed = own.self_signed();
    let world = World::new(from_ref(&self_signed), from_ref(&self_signed));
    assert_eq!(world.class(), "accepted");
    let told = "ca.pem: certificate 1 (CN=server) is the certificate of a server and believed for that server alone; name it as `{ \"exact\": FILE }` instead";
    assert_eq!(world.remarks(), [told]);
    assert_eq!(
        World { exact: vec![self_signed.clone()], ..World::new(&[], &[self_signed]) }.class(),
        "accepted"
    );
    // One that an authority issued is of no use there.
    let issued = own.signed_by(&root);
    let world = World::new(from_ref(&issued), from_ref(&issued));
    assert_eq!(world.class(), "UnknownIssuer");
    assert!(
        world.remarks()[0].contains("is the certificate of a server and not used"),
        "{:?}",
        world.remarks()
    );
    assert_eq!(World { exact: vec![issued.clone()], ..World::new(&[], &[issued]) }.class(), "accepted");
}

#[test]
fn the_strict_profile_wants_a_root_for_servers() {
    let mut root = Made::authority("root", &Key::new(Kind::P256));
    root.put(purposes(&[CLIENT_AUTH]));
    let own = Made::server("server", &Key::new(Kind::P256), NAMES);
    let mut world = World::new(&[root.self_signed()], &[own.signed_by(&root)]);
    assert_eq!(world.class(), "accepted");
    assert!(
        world.remarks()[0].contains("its extended key usage is not for servers"),
        "{:?}",
        world.remarks()
    );
    world.settings.profile = Profile::StrictPrivateCa;
    let reason = world.verdict().unwrap_err();
    assert_eq!(reason.to_string(), "CN=root: its extended key usage is not for servers");
    for fine in [&[0x2b, 6, 1, 5, 5, 7, 3, 1][..], &[0x55, 0x1d, 37, 0]] {
        root.put(purposes(&[CLIENT_AUTH, fine]));
        let fine = World { roots: vec![root.self_signed()], ..world.clone() };
        assert_eq!(World { chain: vec![own.signed_by(&root)], ..fine }.class(), "accepted");
    }
}

#[test]
fn a_leaf_that_demands_stapling_is_believed_and_that_is_told() {
    let root = Made::authority("root", &Key::new(Kind::P256));
    let mut own = Made::server("server", &Key::new(Kind::P256), NAMES);
    let world = |own: &Made| World::new(&[root.self_signed()], &[own.signed_by(&root)]);
    assert!(!world(&own).verdict().unwrap().demands_stapling);
    own.put(extension(&[0x2b, 6, 1, 5, 5, 7, 1, 24], false, &sequence(&[&value(0x02, &[5])])));
    assert!(world(&own).verdict().unwrap().demands_stapling);
}

#[test]
fn a_revoked_key_above_the_server_is_not_blamed_on_the_server() {
    let root = Made::authority("root", &Key::new(Kind::P256));
    let between = Made::authority("between", &Key::new(Kind::P256));
    let own = Made::server("server", &Key::new(Kind::P256), NAMES);
    let chain = [own.signed_by(&between), between.signed_by(&root)];
    for (certificate, named, advice) in [
        (chain[0].clone(), "CN=server: ", "give the server another key"),
        (
            chain[1].clone(),
            "CN=between: ",
            "issue the server a certificate from an authority with another key",
        ),
        (
            root.self_signed(),
            "CN=root: ",
            "issue the server a certificate from an authority with another key",
        ),
    ] {
        let mut world = World::new(&[root.self_signed()], &chain);
        world.settings.pins = vec![Pin { state: PinState::Revoked, ..pin_of(&certificate) }];
        let reason = world.verdict().unwrap_err();
        assert!(reason.to_string().starts_with(named), "{reason}");
        assert!(reason.explain().starts_with(advice), "{}", reason.explain());
    }
}
