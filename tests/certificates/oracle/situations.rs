//! Situations that are not one fault in one chain.

use std::slice::from_ref;

use super::case::{Case, key, right};
use super::rule::Rule;
use crate::forge::{Kind, Made, PRINTABLE, UTF8, directory, extension, name, sequence, standard, value};
use crate::world::World;

pub(super) fn situations() -> Vec<Case> {
    [cross_signed(), unknown_roots(), self_signed(), self_issued(), directories(), several_paths()]
        .into_iter()
        .flatten()
        .collect()
}

const NAMES: &[(u8, &[u8])] = &[(0x82, b"mgmt.example")];

/// Two roots, and a server that the new one has issued.
fn roots() -> [Made; 3] {
    let [root, old, own] = [0, 1, 2].map(|number| key(Kind::P256, 60 + number));
    let server = Made::server("server", &own, NAMES);
    [Made::authority("new root", &root), Made::authority("old root", &old), server]
}

/// With either root, and with a cross-certificate that is over.
fn cross_signed() -> Vec<Case> {
    let [root, old, server] = roots();
    let below = server.signed_by(&root);
    let cross = |until: &str| Made { not_after: until.to_owned(), ..root.clone() }.signed_by(&old);
    let expired = cross("20260101000000Z");
    let mut cases = Vec::new();
    for roots in
        [vec![old.self_signed()], vec![root.self_signed()], vec![root.self_signed(), old.self_signed()]]
    {
        cases.push(right(
            format!("cross-signed, {} roots", roots.len()),
            World::new(&roots, &[below.clone(), cross("20350101000000Z")]),
        ));
    }
    cases.push(right(
        "an old cross-certificate beside the root".to_owned(),
        World::new(&[root.self_signed()], &[below.clone(), expired.clone()]),
    ));
    cases.push(Case {
        label: "a cross-certificate that is over".to_owned(),
        world: World::new(&[old.self_signed()], &[below.clone(), expired.clone()]),
        reason: "Expired",
        named: "CN=new root".to_owned(),
        advice: "if there is a root of this name, add it to a bundle",
        rule: None,
        cured: Some(World::new(&[old.self_signed(), root.self_signed()], &[below.clone(), expired])),
    });
    cases
}

/// The root is not known, and where its certificate is can be read in the server's.
fn unknown_roots() -> Vec<Case> {
    let [root, old, server] = roots();
    let mut pointing = server.clone();
    pointing.put(extension(&[0x2b, 6, 1, 5, 5, 7, 1, 1], false, &sequence(&[])));
    let made = [
        ("unknown root", &server, "UnknownIssuer"),
        ("unknown root, with a place for it", &pointing, "MissingIntermediate"),
    ];
    let case = |(label, made, reason): (&str, &Made, &'static str)| {
        let chain = [made.signed_by(&root)];
        Case {
            label: label.to_owned(),
            world: World::new(&[old.self_signed()], &chain),
            reason,
            named: "CN=server".to_owned(),
            advice: "if this issuer is a root, add it to a bundle",
            rule: None,
            cured: Some(World::new(&[old.self_signed(), root.self_signed()], &chain)),
        }
    };
    made.map(case).into()
}

fn self_signed() -> Vec<Case> {
    let [_, old, server] = roots();
    let mut cases = Vec::new();
    for is_authority in [false, true] {
        let mut own = server.clone();
        if is_authority {
            own.put(standard(19, true, &sequence(&[&value(0x01, &[0xff])])));
        }
        let own = own.self_signed();
        let exact = World { exact: vec![own.clone()], ..World::new(&[], from_ref(&own)) };
        cases.push(Case {
            label: format!("self-signed, an authority: {is_authority}"),
            world: World::new(&[old.self_signed()], from_ref(&own)),
            reason: "SelfSigned",
            named: "CN=server".to_owned(),
            advice: "name it in the roots as `{ \"exact\": FILE }`",
            rule: None,
            cured: Some(exact.clone()),
        });
        let in_bundle = World::new(from_ref(&own), from_ref(&own));
        if is_authority {
            cases.push(Case {
                label: "self-signed authority in the bundle".to_owned(),
                world: in_bundle,
                reason: "AuthorityAsServer",
                named: "CN=server".to_owned(),
                advice: "`{ \"exact\": FILE }`",
                rule: Some(Rule::AuthorityAsServer),
                cured: Some(exact),
            });
        } else {
            cases.push(right("self-signed server in the bundle".to_owned(), in_bundle));
        }
    }
    cases
}

/// After a change of keys: the new key vouched for by the old one. It does not count for a path length (RFC 5280 6.1.4 (l)); other authorities do.
fn self_issued() -> Vec<Case> {
    let [_, old, server] = roots();
    let newer = Made::authority("old root", &key(Kind::P256, 63));
    let mut short = old.clone();
    short.put(standard(19, true, &sequence(&[&value(0x01, &[0xff]), &value(0x02, &[0])])));
    let above = Made::authority("top", &key(Kind::P256, 64));
    let lower = Made::authority("lower", &key(Kind::P256, 65));
    let own = server.signed_by(&newer);
    let top = [above.self_signed()];
    let beyond =
        [server.signed_by(&lower), lower.signed_by(&newer), newer.signed_by(&short), short.signed_by(&above)];
    vec![
        right(
            "self-issued".to_owned(),
            World::new(&[old.self_signed()], &[own.clone(), newer.signed_by(&old)]),
        ),
        right(
            "self-issued below a path length of 0".to_owned(),
            World::new(&top, &[own, newer.signed_by(&short), short.signed_by(&above)]),
        ),
        Case {
            label: "self-issued and another below a path length of 0".to_owned(),
            world: World::new(&top, &beyond),
            reason: "PathLength",
            named: "CN=old root".to_owned(),
            advice: "nearer to the root",
            rule: None,
            cured: Some(World::new(&top, &[server.signed_by(&above)])),
        },
    ]
}

/// A server within, beside and above the part of the directory that its authority may vouch for.
fn directories() -> Vec<Case> {
    let root = Made::authority("root", &key(Kind::P256, 60));
    let (corp, unit) = ((10, "Corp", UTF8), (11, "Unit", UTF8));
    let base = value(0xa4, &directory(&[corp, unit]));
    let subtrees = |list| standard(30, true, &sequence(&[&value(list, &sequence(&[&base]))]));
    let mut cases = Vec::new();
    for (subject, is_within) in [
        (&[corp, unit, (3, "server", UTF8)][..], true),
        (&[corp, unit], true),
        (&[(10, "CORP", PRINTABLE), (11, " unit ", UTF8), (3, "server", UTF8)], true),
        (&[corp, (3, "server", UTF8)], false),
        (&[unit, corp, (3, "server", UTF8)], false),
        (&[corp, (11, "Unity", UTF8), (3, "server", UTF8)], false),
        (&[corp, (3, "Unit", UTF8)], false),
        (&[(3, "server", UTF8), corp, unit], false),
    ] {
        for list in [0xa0, 0xa1] {
            let mut between = Made::authority("between", &key(Kind::P256, 65));
            between.put(subtrees(list));
            let server =
                Made { subject: directory(subject), ..Made::server("", &key(Kind::P256, 62), NAMES) };
            let with = |between: &Made| {
                World::new(&[root.self_signed()], &[server.signed_by(between), between.signed_by(&root)])
            };
            let (label, world) = (format!("{subject:?} in list {list:x}"), with(&between));
            if is_within == (list == 0xa0) {
                cases.push(right(label, world));
                continue;
            }
            let free = Made::authority("between", &key(Kind::P256, 65));
            cases.push(Case {
                label,
                world,
                reason: "NameConstraints",
                named: String::new(),
                advice: "issue from an authority that may vouch for all of its names",
                rule: None,
                cured: Some(with(&free)),
            });
        }
    }
    cases
}

/// One path that is not in order beside one that is, and servers and authorities in places where they are not expected.
fn several_paths() -> Vec<Case> {
    let root = Made::authority("root", &key(Kind::P256, 60));
    let between = Made::authority("between", &key(Kind::P256, 65));
    let server = Made::server("server", &key(Kind::P256, 62), NAMES);
    let own = server.signed_by(&between);
    let constrained = |common: &str| {
        let mut made = between.clone();
        let base = value(0xa4, &name(common, UTF8));
        made.put(standard(30, true, &sequence(&[&value(0xa0, &sequence(&[&base]))])));
        made.signed_by(&root)
    };
    let policies = standard(32, true, &sequence(&[&sequence(&[&value(0x06, &[0x55, 0x1d, 32, 0])])]));
    let with_policies = |made: &Made| {
        let mut made = made.clone();
        made.put(policies.clone());
        made
    };
    let mut demanding = Made::authority("stranger", &key(Kind::P256, 66));
    demanding.put(standard(36, true, &sequence(&[&value(0x80, &[0])])));
    let expired = Made { not_after: "20260101000000Z".to_owned(), ..between.clone() };
    let namesake = Made { subject: root.subject.clone(), ..server.clone() };
    let with = |chain: &[Vec<u8>]| World::new(&[root.self_signed()], chain);
    let good = between.signed_by(&root);
    let mut cases = Vec::new();
    for (label, chain) in [
        (
            "the same authority, expired and renewed",
            vec![own.clone(), expired.signed_by(&root), good.clone()],
        ),
        (
            "the same authority, renewed and expired",
            vec![own.clone(), good.clone(), expired.signed_by(&root)],
        ),
        ("not constrained, and to others", vec![own.clone(), good.clone(), constrained("elsewhere")]),
        (
            "critical policies everywhere, and a stranger who demands one",
            vec![
                with_policies(&server).signed_by(&between),
                demanding.self_signed(),
                with_policies(&between).signed_by(&root),
            ],
        ),
        (
            "a server with the key of its issuer",
            vec![Made { key: root.key.clone(), ..server.clone() }.signed_by(&root)],
        ),
    ] {
        cases.push(right(label.to_owned(), with(&chain)));
    }
    for (label, chain, rule) in [
        (
            "constrained to others, and not",
            vec![own.clone(), constrained("elsewhere"), good.clone()],
            Rule::Ways,
        ),
        (
            "constrained to others, and to this",
            vec![own.clone(), constrained("elsewhere"), constrained("server")],
            Rule::Ways,
        ),
        ("a server with the name of its issuer", vec![namesake.signed_by(&root)], Rule::Namesake),
    ] {
        cases.push(Case { rule: Some(rule), ..right(label.to_owned(), with(&chain)) });
    }
    let mut in_bundle = right(
        "an authority that is no root in the bundle".to_owned(),
        World::new(from_ref(&good), &[own.clone(), good.clone()]),
    );
    in_bundle.rule = Some(Rule::Between);
    cases.push(in_bundle);
    cases.push(Case {
        label: "every path is constrained to others".to_owned(),
        world: with(&[own.clone(), constrained("elsewhere"), constrained("nowhere")]),
        reason: "NameConstraints",
        named: "CN=server".to_owned(),
        advice: "issue from an authority that may vouch for all of its names",
        rule: None,
        cured: Some(with(&[own, good])),
    });
    cases
}
