//! Hundreds of chains and lists, made with one fault each, and judged twice: by homing and by `openssl verify`.
//!
//! A fault says what has to come out: the reason, the certificate it names, a piece of the advice, and, where OpenSSL says otherwise, the rule
//! why. The advice is followed: what it says is done, and then the server is believed.

use std::collections::BTreeMap;
use std::slice::from_ref;
use std::sync::{LazyLock, Mutex};
use std::thread;

use crate::forge::{
    CLIENT_AUTH, Digest, Key, Kind, List, Made, PRINTABLE, UTF8, distribution_point, extension, name,
    openssl, pem, point, purposes, sequence, standard, value,
};
use crate::world::World;

/// What has to come out of a case.
struct Case {
    label: String,
    world: World,
    /// The name of the reason, or `accepted`.
    reason: &'static str,
    /// What the reason names, and a piece of the advice.
    named: String,
    advice: &'static str,
    /// Why OpenSSL says otherwise, if it does.
    rule: Option<&'static str>,
    /// What the advice leads to.
    cured: Option<World>,
}

/// One thing that is wrong with a certificate of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Expired,
    Future,
    EndsBeforeItBegins,
    Before1970,
    ForClients,
    WeakKey,
    UnsupportedKey,
    Sha1,
    NoAuthority,
    MayNotSign,
    UnknownExtension,
    CriticalPolicies,
    Version1,
    Twice,
    /// The server does not send it.
    Missing,
    /// What is known under its name has another key.
    OtherKey,
    /// What is below it writes its name as another type of string.
    Spelled,
    /// It allows no authority below itself.
    NoLength,
    /// It constrains names: to others; to these; by directory name.
    OtherNames,
    TheseNames,
    DirectoryNames,
}

/// What is sent besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Noise {
    None,
    Root,
    Reversed,
    Twice,
    /// Certificates of strangers, one signed with SHA-1, one with a weak key, one that expired.
    Junk,
}

const NOISE: [Noise; 5] = [Noise::None, Noise::Root, Noise::Reversed, Noise::Twice, Noise::Junk];

/// Keys are made once for each kind and use: the larger ones take their time.
fn key(kind: Kind, number: usize) -> Key {
    static KEYS: LazyLock<Mutex<BTreeMap<(Kind, usize), Key>>> = LazyLock::new(Mutex::default);
    let mut keys = KEYS.lock().unwrap();
    keys.entry((kind, number)).or_insert_with(|| Key::new(kind)).clone()
}

/// A chain: how many authorities are between, what keys they have, and the fault of one of them, from the server (0) up to the root.
#[derive(Clone)]
struct Chain {
    between: usize,
    kinds: Vec<Kind>,
    fault: Option<(Fault, usize)>,
    noise: Noise,
}

impl Chain {
    fn new(between: usize, noise: Noise) -> Self {
        Self { between, kinds: vec![Kind::P256; between + 2], fault: None, noise }
    }

    fn with(&self, fault: Fault, place: usize) -> Self {
        Self { fault: Some((fault, place)), ..self.clone() }
    }

    fn has(&self, fault: Fault, place: usize) -> bool {
        self.fault == Some((fault, place))
    }

    fn called(&self, place: usize) -> &'static str {
        match place {
            0 => "server",
            place if place == self.between + 1 => "root",
            1 => "lower",
            _ => "upper",
        }
    }

    /// The certificate at a place, with its fault, before it is signed.
    fn made(&self, place: usize) -> Made {
        let kind = match self.fault {
            Some((Fault::WeakKey, at)) if at == place => Kind::Rsa(1024),
            Some((Fault::UnsupportedKey, at)) if at == place => Kind::P521,
            // OpenSSL signs with SHA-1, and of what is issued with it the key of the issuer is RSA.
            Some((Fault::Sha1, at)) if at + 1 == place => Kind::Rsa(2048),
            _ => self.kinds[place],
        };
        let key = key(kind, place);
        let mut made = if place == 0 {
            Made::server("server", &key, &[(0x82, b"mgmt.example")])
        } else {
            Made::authority(self.called(place), &key)
        };
        if let Some((fault, at)) = self.fault
            && at == place
        {
            afflict(&mut made, fault);
        }
        if self.has(Fault::Spelled, place + 1) {
            made.issuer = name(self.called(place + 1), PRINTABLE);
        }
        made
    }

    fn world(&self) -> World {
        let root = self.made(self.between + 1);
        let mut above = root.clone();
        let mut chain = Vec::new();
        for place in (0..=self.between).rev() {
            let mut made = self.made(place);
            let certificate = made.signed_by(&above);
            if self.has(Fault::OtherKey, place) {
                // What is below is signed with another key than the one that is sent.
                made.key = key(Kind::P256, 100);
            }
            if !self.has(Fault::Missing, place) {
                chain.insert(0, certificate);
            }
            above = made;
        }
        let known = if self.has(Fault::OtherKey, self.between + 1) {
            Made { key: key(Kind::P256, 101), ..root.clone() }.self_signed()
        } else {
            root.self_signed()
        };
        let own = chain.remove(0);
        match self.noise {
            Noise::None => {}
            Noise::Root => chain.push(root.self_signed()),
            Noise::Reversed => chain.reverse(),
            Noise::Twice => chain.extend(chain.clone()),
            Noise::Junk => {
                chain.splice(0..0, JUNK.iter().cloned());
            }
        }
        chain.insert(0, own);
        World::new(&[known], &chain)
    }
}

static JUNK: LazyLock<[Vec<u8>; 3]> = LazyLock::new(|| {
    let sha1 = Made { digest: Digest::Sha1, ..Made::authority("junk", &key(Kind::Rsa(2048), 90)) };
    let weak = Made::authority("weak junk", &key(Kind::Rsa(1024), 91));
    let old =
        Made { not_after: "20210101000000Z".to_owned(), ..Made::authority("old junk", &key(Kind::P256, 92)) };
    [sha1.signed_by(&sha1), weak.signed_by(&sha1), old.self_signed()]
});

fn afflict(made: &mut Made, fault: Fault) {
    let date = |text: &str| text.to_owned();
    let constrained = |names: &[u8]| standard(30, true, &sequence(&[&value(0xa0, &sequence(&[names]))]));
    match fault {
        Fault::Expired => made.not_after = date("20260101000000Z"),
        Fault::Future => made.not_before = date("20300101000000Z"),
        Fault::EndsBeforeItBegins => made.not_before = date("20500101000000Z"),
        Fault::Before1970 => made.not_before = date("19600101000000Z"),
        Fault::ForClients => made.put(purposes(&[CLIENT_AUTH])),
        Fault::Sha1 => made.digest = Digest::Sha1,
        Fault::NoAuthority => made.put(standard(19, true, &sequence(&[]))),
        Fault::MayNotSign => made.put(standard(15, true, &value(0x03, &[1, 0x02]))),
        Fault::UnknownExtension => made.put(extension(&[0x2b, 6, 1, 4, 1, 0x83, 0x8c, 0x1f], true, &[5, 0])),
        Fault::CriticalPolicies => {
            let any = sequence(&[&sequence(&[&value(0x06, &[0x55, 0x1d, 32, 0])])]);
            made.put(standard(32, true, &any));
        }
        Fault::Version1 => made.version = 1,
        Fault::Twice => {
            let again = made.extensions[1].clone();
            made.extensions.push(again);
        }
        Fault::NoLength => {
            made.put(standard(19, true, &sequence(&[&value(0x01, &[0xff]), &value(0x02, &[0])])));
        }
        Fault::OtherNames => made.put(constrained(&value(0x82, b"other.example"))),
        Fault::TheseNames => made.put(constrained(&value(0x82, b"example"))),
        Fault::DirectoryNames => {
            let names = [value(0x82, b"example"), value(0xa4, &name("", UTF8))];
            let subtrees: Vec<u8> = names.iter().flat_map(|name| sequence(&[name])).collect();
            made.put(standard(30, true, &sequence(&[&value(0xa0, &subtrees)])));
        }
        Fault::WeakKey | Fault::UnsupportedKey | Fault::Missing | Fault::OtherKey | Fault::Spelled => {}
    }
}

/// What a fault leads to: the reason, the place of the certificate that is named, a piece of the advice, and why OpenSSL says otherwise.
/// `None` where there can be no such chain.
fn expected(
    fault: Fault,
    place: usize,
    chain: &Chain,
) -> Option<(&'static str, usize, &'static str, Option<&'static str>)> {
    let root = chain.between + 1;
    let (is_server, is_root) = (place == 0, place == root);
    let of_root = Some("of a root only the name, the key and the name constraints count");
    let roots_signature = Some("what a root says of itself is not verified");
    Some(match fault {
        Fault::Expired if is_root => ("accepted", place, "", of_root),
        Fault::Expired if is_server => ("Expired", place, "renew the certificate", None),
        Fault::Expired => ("Expired", place, "let the server send the newer certificate", None),
        Fault::Future if is_root => ("accepted", place, "", of_root),
        Fault::Future => ("NotYetValid", place, "look at the clocks", None),
        Fault::EndsBeforeItBegins if is_root => ("accepted", place, "", of_root),
        Fault::EndsBeforeItBegins => ("Malformed", place, "reissue it", None),
        Fault::Before1970 if is_root => ("accepted", place, "", None),
        Fault::Before1970 => {
            ("Malformed", place, "with dates after 1970", Some("times before 1970 are not read"))
        }
        Fault::ForClients if is_root => ("accepted", place, "", of_root),
        Fault::ForClients if is_server => {
            ("WrongPurpose", place, "reissue with the extended key usage", None)
        }
        Fault::ForClients => ("WrongPurpose", place, "issue from an authority with serverAuth", None),
        Fault::WeakKey if is_server => {
            ("WeakKey", place, "make a new key", Some("OpenSSL has no least size here"))
        }
        Fault::WeakKey => {
            ("WeakKey", place, "issue from an authority with a key", Some("OpenSSL has no least size here"))
        }
        Fault::UnsupportedKey if is_server => return None,
        Fault::UnsupportedKey => (
            "UnsupportedKey",
            place,
            "issue from an authority with another key",
            Some("P-521 is not supported"),
        ),
        Fault::Sha1 if is_root => ("accepted", place, "", roots_signature.filter(|_| false)),
        Fault::Sha1 => {
            ("WeakDigest", place, "reissue this certificate with SHA-256", Some("OpenSSL takes SHA-1 here"))
        }
        Fault::NoAuthority if is_server => return None,
        Fault::NoAuthority if is_root => ("accepted", place, "", of_root),
        Fault::NoAuthority => ("NotAnAuthority", place, "basic constraints say cA", None),
        Fault::MayNotSign if is_server => return None,
        Fault::MayNotSign if is_root => ("accepted", place, "", of_root),
        Fault::MayNotSign => ("MayNotSign", place, "keyCertSign", None),
        Fault::UnknownExtension if is_root => ("accepted", place, "", of_root),
        Fault::UnknownExtension => ("UnknownExtension", place, "without the extension", None),
        Fault::CriticalPolicies if is_root => ("accepted", place, "", None),
        Fault::CriticalPolicies => (
            "UnknownExtension",
            place,
            "marked as not critical",
            Some("certificate policies are not supported"),
        ),
        Fault::Version1 if is_server => return None,
        Fault::Version1 if is_root => ("accepted", place, "", None),
        Fault::Version1 => ("Malformed", place, "version 3", None),
        Fault::Twice if is_root => return None,
        Fault::Twice => ("Malformed", place, "reissue it", None),
        Fault::Missing if is_server || is_root => return None,
        Fault::Missing => ("UnknownIssuer", place - 1, "let the server send its certificate too", None),
        Fault::OtherKey if is_server => return None,
        Fault::OtherKey => ("OtherKey", place - 1, "if the issuer has a new key", None),
        Fault::Spelled if is_server => return None,
        Fault::Spelled => (
            "OtherSpelling",
            place - 1,
            "copied byte by byte",
            Some("issuers are found by the bytes of their names"),
        ),
        Fault::NoLength if is_server => return None,
        Fault::NoLength if is_root && chain.between > 0 => ("accepted", place, "", of_root),
        Fault::NoLength if place > 1 => ("PathLength", place, "nearer to the root", None),
        Fault::NoLength => ("accepted", place, "", None),
        Fault::OtherNames | Fault::TheseNames | Fault::DirectoryNames if is_server => return None,
        Fault::OtherNames => ("NameConstraints", 0, "leave out those it may not", None),
        Fault::TheseNames => ("accepted", place, "", None),
        Fault::DirectoryNames => (
            "ConstraintNotCompared",
            0,
            "constrains dNSName and iPAddress alone",
            Some("directory names are not compared"),
        ),
    })
}

const FAULTS: [Fault; 21] = [
    Fault::Expired,
    Fault::Future,
    Fault::EndsBeforeItBegins,
    Fault::Before1970,
    Fault::ForClients,
    Fault::WeakKey,
    Fault::UnsupportedKey,
    Fault::Sha1,
    Fault::NoAuthority,
    Fault::MayNotSign,
    Fault::UnknownExtension,
    Fault::CriticalPolicies,
    Fault::Version1,
    Fault::Twice,
    Fault::Missing,
    Fault::OtherKey,
    Fault::Spelled,
    Fault::NoLength,
    Fault::OtherNames,
    Fault::TheseNames,
    Fault::DirectoryNames,
];

/// Every fault at every place, with every noise.
fn faults() -> Vec<Case> {
    let mut cases = Vec::new();
    for (between, noise) in (1..=2).flat_map(|between| NOISE.map(|noise| (between, noise))) {
        let good = Chain::new(between, noise);
        for (fault, place) in
            FAULTS.iter().flat_map(|fault| (0..=between + 1).map(move |place| (*fault, place)))
        {
            let chain = good.with(fault, place);
            let Some((reason, named, advice, rule)) = expected(fault, place, &chain) else { continue };
            cases.push(Case {
                label: format!("{fault:?} at {} of {between}, {noise:?}", chain.called(place)),
                world: chain.world(),
                reason,
                named: if reason == "accepted" {
                    String::new()
                } else {
                    format!("CN={}", chain.called(named))
                },
                advice,
                rule,
                // Reissued, sent or renewed: what every advice of these comes to.
                cured: (reason != "accepted").then(|| good.world()),
            });
        }
    }
    cases
}

/// Chains without a fault: every kind of key in every place.
fn keys() -> Vec<Case> {
    let kinds = [Kind::P256, Kind::P384, Kind::Ed25519, Kind::Rsa(2048), Kind::Rsa(3072)];
    let mut cases = Vec::new();
    for (between, kind) in (0..=2).flat_map(|between| kinds.map(|kind| (between, kind))) {
        for place in 0..=between + 1 {
            let mut chain = Chain::new(between, Noise::None);
            chain.kinds[place] = kind;
            cases.push(right(format!("{kind:?} at {} of {between}", chain.called(place)), chain.world()));
        }
    }
    // Larger than anybody verifies.
    let mut chain = Chain::new(1, Noise::Root);
    chain.kinds[2] = Kind::Rsa(8256);
    cases.push(Case {
        label: "RSA of 8256 bits".to_owned(),
        world: chain.world(),
        reason: "UnsupportedKey",
        named: "CN=root".to_owned(),
        advice: "issue from an authority with another key",
        rule: Some("RSA above 8192 bits is not supported"),
        cured: Some(Chain::new(1, Noise::Root).world()),
    });
    cases
}

fn right(label: String, world: World) -> Case {
    Case { label, world, reason: "accepted", named: String::new(), advice: "", rule: None, cured: None }
}

/// A scope of lists: what it is called, the fields of its issuing distribution point, and which servers it is for.
type Scope = (&'static str, Vec<Vec<u8>>, [bool; 2]);

/// Lists: who signed them, for what they are, how old they are, and whether they name the server.
fn lists() -> Vec<Case> {
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

/// Names of every form.
fn names() -> Vec<Case> {
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
    let common_name = Some("common names are not looked at");
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

/// Situations that are not one fault in one chain.
fn situations() -> Vec<Case> {
    let [root, old, own] = [0, 1, 2].map(|number| key(Kind::P256, 60 + number));
    let names: &[(u8, &[u8])] = &[(0x82, b"mgmt.example")];
    let (root, old) = (Made::authority("new root", &root), Made::authority("old root", &old));
    let server = Made::server("server", &own, names);
    let below = server.signed_by(&root);
    let cross = |until: &str| Made { not_after: until.to_owned(), ..root.clone() }.signed_by(&old);
    let expired = cross("20260101000000Z");
    let mut cases = Vec::new();
    // Cross-signed, with either root, and with a cross-certificate that is over.
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
    // The root is not known, and where its certificate is can be read in the server's.
    let mut pointing = server.clone();
    pointing.put(extension(&[0x2b, 6, 1, 5, 5, 7, 1, 1], false, &sequence(&[])));
    for (label, made, reason) in [
        ("unknown root", &server, "UnknownIssuer"),
        ("unknown root, with a place for it", &pointing, "MissingIntermediate"),
    ] {
        let chain = [made.signed_by(&root)];
        cases.push(Case {
            label: label.to_owned(),
            world: World::new(&[old.self_signed()], &chain),
            reason,
            named: "CN=server".to_owned(),
            advice: "if this issuer is a root, add it to a bundle",
            rule: None,
            cured: Some(World::new(&[old.self_signed(), root.self_signed()], &chain)),
        });
    }
    // Self-signed.
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
                rule: Some("an authority is no server"),
                cured: Some(exact),
            });
        } else {
            cases.push(right("self-signed server in the bundle".to_owned(), in_bundle));
        }
    }
    // Self-issued, after a change of keys: the new key vouched for by the old one.
    let mut short = Made::authority("old root", &key(Kind::P256, 61));
    let newer = Made::authority("old root", &key(Kind::P256, 63));
    let chain = |top: &Made| [server.signed_by(&newer), newer.signed_by(top)];
    cases.push(right("self-issued".to_owned(), World::new(&[short.self_signed()], &chain(&short))));
    let above = Made::authority("top", &key(Kind::P256, 64));
    short.put(standard(19, true, &sequence(&[&value(0x01, &[0xff]), &value(0x02, &[0])])));
    let [leaf, newest] = chain(&short);
    let world = World::new(&[above.self_signed()], &[leaf, newest, short.signed_by(&above)]);
    let mut cured = world.clone();
    cured.roots.push(newer.self_signed());
    cases.push(Case {
        label: "self-issued below a path length of 0".to_owned(),
        world,
        reason: "PathLength",
        named: "CN=old root".to_owned(),
        advice: "as a root",
        rule: Some("self-issued certificates are counted"),
        cured: Some(cured),
    });
    cases
}

/// Whether `openssl verify` accepts it.
fn openssl_accepts(world: &World) -> Result<(), String> {
    let bundle =
        |certificates: &[Vec<u8>]| certificates.iter().map(|it| pem("CERTIFICATE", it)).collect::<String>();
    let (own, others) = world.chain.split_first().unwrap();
    let (roots, others, own) = (bundle(&world.roots), bundle(others), pem("CERTIFICATE", own));
    let lists: String = world.lists.iter().map(|list| pem("X509 CRL", list)).collect();
    let is_address = world.host.parse::<std::net::IpAddr>().is_ok();
    let mut arguments = vec![
        "verify",
        "-attime",
        "1800000000",
        "-purpose",
        "sslserver",
        "-no-CApath",
        "-no-CAstore",
        "-CAfile",
        "ca.pem",
        if is_address { "-verify_ip" } else { "-verify_hostname" },
        &world.host,
    ];
    let mut files: Vec<(&str, &[u8])> = vec![("ca.pem", roots.as_bytes()), ("own.pem", own.as_bytes())];
    if !others.is_empty() {
        arguments.extend(["-untrusted", "others.pem"]);
        files.push(("others.pem", others.as_bytes()));
    }
    if !lists.is_empty() {
        arguments.extend(["-crl_check", "-CRLfile", "lists.pem"]);
        files.push(("lists.pem", lists.as_bytes()));
    }
    arguments.push("own.pem");
    openssl(&arguments, &files).map(|_| ())
}

/// What is wrong with the outcome of a case.
fn faults_of(case: &Case) -> Vec<String> {
    let mut found = Vec::new();
    let verdict = case.world.verdict();
    let (told, advice) = match &verdict {
        Ok(_) => (String::new(), String::new()),
        Err(reason) => (reason.to_string(), reason.explain().into_owned()),
    };
    let class = case.world.class();
    if class != case.reason {
        found.push(format!("should be {}, and is {class}: {told}", case.reason));
    } else if !told.starts_with(&case.named) {
        found.push(format!("should name {}: {told}", case.named));
    } else if !advice.contains(case.advice) {
        found.push(format!("should advise `{}`: {told}; {advice}", case.advice));
    }
    let theirs = openssl_accepts(&case.world);
    if (theirs.is_ok() == verdict.is_ok()) != case.rule.is_none() {
        found.push(format!("OpenSSL says {theirs:?}, and the rule is {:?}: {told}", case.rule));
    }
    if let Some(cured) = &case.cured
        && let Err(reason) = cured.verdict()
    {
        found.push(format!("the advice led to: {reason}"));
    }
    found.into_iter().map(|fault| format!("{}: {fault}", case.label)).collect()
}

#[test]
fn every_verdict_is_that_of_openssl_or_a_rule_says_why_and_the_advice_cures_it() {
    let cases: Vec<Case> = [faults(), keys(), lists(), names(), situations()].into_iter().flatten().collect();
    assert!(cases.len() >= 300, "{}", cases.len());
    // Most of the time is spent in waiting for processes.
    let found: Vec<String> = thread::scope(|scope| {
        let parts: Vec<_> = cases.chunks(cases.len() / 4 + 1).collect();
        let threads: Vec<_> = parts
            .into_iter()
            .map(|part| scope.spawn(move || part.iter().flat_map(faults_of).collect::<Vec<_>>()))
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(found.is_empty(), "{} of {}\n{}", found.len(), cases.len(), found.join("\n"));
}
