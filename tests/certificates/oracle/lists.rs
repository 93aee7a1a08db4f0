//! Revocation lists of every scope, age and signer.

use super::case::{Case, key, right};
use super::rule::Rule;
use crate::forge::{Kind, List, Made, distribution_point, point, sequence, standard, value};
use crate::world::World;

pub(super) fn lists() -> Vec<Case> {
    [of_each_kind(), of_kin(), odd()].into_iter().flatten().collect()
}

/// A scope of lists: what it is called, the fields of its issuing distribution point, and which servers it is for.
type Scope = (&'static str, Vec<Vec<u8>>, [bool; 2]);

/// Lists: who signed them, for what they are, how old they are, and whether they name the server.
fn of_each_kind() -> Vec<Case> {
    let [root, server, other] = [0, 1, 2].map(|number| key(Kind::P256, 40 + number));
    let root = Made::authority("root", &root);
    let renewed = Made::authority("root", &other);
    let mut plain = Made::server("server", &server, &[(0x82, b"mgmt.example")]);
    let (here, there) = ("http://a.example/1.crl", "http://a.example/2.crl");
    let mut pointed = plain.clone();
    pointed.put(standard(31, false, &sequence(&[&sequence(&[&point(here)])])));
    plain.serial = vec![7];
    // For servers without a distribution point, and with one.
    let scopes: [Scope; 5] = [
        ("full", vec![], [true, true]),
        ("servers", vec![value(0x81, &[0xff])], [true, true]),
        ("authorities", vec![value(0x82, &[0xff])], [false, false]),
        ("its point", vec![point(here)], [false, true]),
        ("another point", vec![point(there)], [false, false]),
    ];
    let ages = [
        ("current", "20260101000000Z", "20300101000000Z"),
        ("old", "20250101000000Z", "20260101000000Z"),
        ("future", "20290101000000Z", "20300101000000Z"),
    ];
    let mut cases = Vec::new();
    for (is_pointed, certificate) in [(false, &plain), (true, &pointed)] {
        let chain = [certificate.signed_by(&root)];
        let world = |lists: &[Vec<u8>]| World::new(&[root.self_signed()], &chain).listing(lists);
        let cured = world(&[List::new().signed_by(&root)]);
        for (scope, fields, covers) in &scopes {
            for (age, from, until) in ages {
                for (is_named, signer) in [false, true]
                    .into_iter()
                    .flat_map(|is_named| ["own", "other key", "impostor"].map(|signer| (is_named, signer)))
                {
                    let mut list = List::new().dated(from, until);
                    if !fields.is_empty() {
                        let fields: Vec<&[u8]> = fields.iter().map(Vec::as_slice).collect();
                        list = list.with(distribution_point(&fields));
                    }
                    if is_named {
                        list = list.revoking(7, None);
                    }
                    let list = match signer {
                        "own" => list.signed_by(&root),
                        "other key" => list.signed_by(&renewed),
                        _ => list.signed_with(&renewed.key, &root.key.id(), &root.subject),
                    };
                    let is_covered = covers[usize::from(is_pointed)];
                    let (reason, advice) = match (is_covered, signer, age, is_named) {
                        (false, ..) => ("RevocationUnknown", "add the list for this certificate"),
                        (_, "other key", ..) => ("RevocationUnknown", "signed with the key that issued it"),
                        (_, "impostor", ..) => {
                            ("RevocationForged", "fetch the revocation list from the issuer")
                        }
                        (_, _, "future", _) => ("RevocationUnknown", "fetch the present list"),
                        (.., true) => ("Revoked", "issue a new certificate with a new key"),
                        (_, _, "old", _) => ("RevocationExpired", "fetch the present revocation list"),
                        _ => ("accepted", ""),
                    };
                    let about_list = matches!(reason, "RevocationForged" | "RevocationExpired");
                    cases.push(Case {
                        label: format!(
                            "list: {scope}, {age}, by {signer}, names it: {is_named}, point: {is_pointed}"
                        ),
                        world: world(&[list]),
                        reason,
                        named: match reason {
                            "accepted" => String::new(),
                            _ if about_list => "CN=root".to_owned(),
                            _ => "CN=server".to_owned(),
                        },
                        advice,
                        rule: None,
                        // A new certificate, or the list that is wanted.
                        cured: (reason != "accepted").then(|| match reason {
                            "Revoked" => {
                                let renewed = Made { serial: vec![8], ..certificate.clone() };
                                World {
                                    chain: vec![renewed.signed_by(&root)],
                                    ..world(&[List::new().revoking(7, None).signed_by(&root)])
                                }
                            }
                            _ => cured.clone(),
                        }),
                    });
                }
            }
        }
    }
    cases
}

/// An authority that changed its key, and vouches for one key with the other: which list speaks for which server.
fn of_kin() -> Vec<Case> {
    let [old, new, server] = [0, 2, 1].map(|number| key(Kind::P256, 40 + number));
    let (old, new) = (Made::authority("root", &old), Made::authority("root", &new));
    let link = Made { serial: vec![9], ..new.clone() }.signed_by(&old);
    let server = Made::server("server", &server, &[(0x82, b"mgmt.example")]);
    let (of_old, of_new) = (server.signed_by(&old), server.signed_by(&new));
    let (good, bad) = (List::new(), List::new().revoking(7, None));
    let world = |chain: &[Vec<u8>], lists: &[Vec<u8>]| World::new(&[old.self_signed()], chain).listing(lists);
    let revoked = |label: &str, chain: &[Vec<u8>], list: Vec<u8>| Case {
        label: label.to_owned(),
        world: world(chain, &[list]),
        reason: "Revoked",
        named: "CN=server".to_owned(),
        advice: "issue a new certificate with a new key",
        rule: None,
        cured: Some(world(
            &[Made { serial: vec![8], ..server.clone() }.signed_by(&old)],
            &[bad.signed_by(&old)],
        )),
    };
    let unknown = |label: &str, roots: &[Vec<u8>], chain: &[Vec<u8>]| Case {
        label: label.to_owned(),
        world: World::new(roots, chain).listing(&[good.signed_by(&new)]),
        reason: "RevocationUnknown",
        named: "CN=server".to_owned(),
        advice: "add the list that is signed with the key that issued it",
        rule: None,
        cured: Some(World::new(roots, chain).listing(&[good.signed_by(&new), good.signed_by(&old)])),
    };
    let mut lent = right(
        "list of a key that the issuing key vouched for".to_owned(),
        world(&[of_old.clone(), link.clone()], &[good.signed_by(&new)]),
    );
    lent.rule = Some(Rule::Kin);
    vec![
        lent,
        revoked(
            "revoked by a key that the issuing key vouched for",
            &[of_old.clone(), link.clone()],
            bad.signed_by(&new),
        ),
        right(
            "list of the key that vouched for the issuing key".to_owned(),
            world(&[of_new.clone(), link.clone()], &[good.signed_by(&old)]),
        ),
        revoked("revoked by the key that vouched for the issuing key", &[of_new, link], bad.signed_by(&old)),
        unknown("two keys without a link", &[old.self_signed()], std::slice::from_ref(&of_old)),
        unknown(
            "two roots of one name without a link",
            &[old.self_signed(), new.self_signed()],
            &[of_old, new.self_signed()],
        ),
    ]
}

/// Serial numbers, entries, dates and distribution points as few authorities write them.
fn odd() -> Vec<Case> {
    let root = Made::authority("root", &key(Kind::P384, 45));
    let server = Made::server("server", &key(Kind::Ed25519, 46), &[(0x82, b"mgmt.example")]);
    let entry = |serial: &[u8]| sequence(&[&value(0x02, serial), &value(0x17, b"250601000000Z")]);
    let world = |server: &Made, list: &List| {
        World::new(&[root.self_signed()], &[server.signed_by(&root)]).listing(&[list.signed_by(&root)])
    };
    let case = |label: &str, reason, advice, world: World| Case {
        label: label.to_owned(),
        world,
        reason,
        named: if reason == "RevocationExpired" { "CN=root".to_owned() } else { "CN=server".to_owned() },
        advice,
        rule: None,
        cured: Some(world_of_another(&root, &server)),
    };
    let new_key = "issue a new certificate with a new key";
    let mut cases = Vec::new();
    let longest: Vec<u8> = (0..20).map(|digit| 0x7f - digit).collect();
    for serial in [&longest[..], &[0x80, 1, 2], &[0, 0x80, 1], &[0]] {
        let server = Made { serial: serial.to_vec(), ..server.clone() };
        let revoking = |serial: &[u8]| List { revoked: entry(serial), ..List::new() };
        cases.push(case(
            &format!("serial {serial:x?}"),
            "Revoked",
            new_key,
            world(&server, &revoking(serial)),
        ));
        let next = [&[1], serial].concat();
        cases.push(right(format!("serial {serial:x?} beside another"), world(&server, &revoking(&next))));
    }
    // Ten thousand others, in no order, with the server's among them and without it.
    let others = |without: u16| -> Vec<u8> {
        let serial = |number: u16| [&[1][..], &number.wrapping_mul(7919).to_be_bytes()].concat();
        (0..10_000).filter(|number| *number != without).flat_map(|number| entry(&serial(number))).collect()
    };
    let server_5000 =
        Made { serial: [&[1][..], &5000_u16.wrapping_mul(7919).to_be_bytes()].concat(), ..server.clone() };
    let many = |without| List { revoked: others(without), ..List::new() };
    cases.push(case("among ten thousand", "Revoked", new_key, world(&server_5000, &many(10_000))));
    cases.push(right("beside ten thousand".to_owned(), world(&server_5000, &many(5000))));
    // A list that ended before it began; one for servers alone and for authorities alone at once.
    let ended = List::new().dated("20260601000000Z", "20260101000000Z");
    cases.push(case(
        "ended before it began",
        "RevocationExpired",
        "fetch the present",
        world(&server, &ended),
    ));
    let neither = List::new().with(distribution_point(&[&value(0x81, &[0xff]), &value(0x82, &[0xff])]));
    cases.push(case("for neither", "RevocationUnknown", "add the list for this", world(&server, &neither)));
    // Two distribution points, of which the list is one, and a list that is at two.
    let (here, there) = (point("http://a.example/1.crl"), point("http://a.example/2.crl"));
    let mut pointed = server.clone();
    pointed.put(standard(31, false, &sequence(&[&sequence(&[&here]), &sequence(&[&there])])));
    let at = |point: &[u8]| List::new().with(distribution_point(&[point]));
    cases.push(right("at the second of two points".to_owned(), world(&pointed, &at(&there))));
    let revoking = at(&there).revoking(7, Some(4));
    cases.push(case("revoked at the second of two points", "Revoked", new_key, world(&pointed, &revoking)));
    let both = value(
        0xa0,
        &value(0xa0, &[address("http://b.example/3.crl"), address("http://a.example/1.crl")].concat()),
    );
    cases.push(right("a list with two addresses".to_owned(), world(&pointed, &at(&both))));
    cases
}

/// A server with another key and serial number, and a list that is in order.
fn world_of_another(root: &Made, server: &Made) -> World {
    let another = Made { serial: vec![8], key: key(Kind::P256, 47), ..server.clone() };
    World::new(&[root.self_signed()], &[another.signed_by(root)]).listing(&[List::new().signed_by(root)])
}

fn address(text: &str) -> Vec<u8> {
    value(0x86, text.as_bytes())
}
