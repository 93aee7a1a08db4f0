//! Extensions that are judged by us and not by webpki: that nothing is believed for it which is not signed as it is.

use crate::forge::{Key, Kind, Made, UTF8, name, sequence, standard, value};
use crate::world::World;

const NAMES: &[(u8, &[u8])] = &[(0x82, b"mgmt.example")];

/// A root, an authority below it and a server.
struct Scene {
    root: Made,
    between: Made,
    server: Made,
}

fn scene() -> Scene {
    let [root, between, server] = [Kind::P256; 3].map(Key::new);
    Scene {
        root: Made::authority("root", &root),
        between: Made::authority("between", &between),
        server: Made::server("server", &server, NAMES),
    }
}

impl Scene {
    fn world(&self) -> World {
        let chain = [self.server.signed_by(&self.between), self.between.signed_by(&self.root)];
        World::new(&[self.root.self_signed()], &chain)
    }
}

fn policies() -> Vec<u8> {
    standard(32, true, &sequence(&[&sequence(&[&value(0x06, &[0x55, 0x1d, 32, 0])])]))
}

/// Constraints to these bases.
fn permitted(bases: &[Vec<u8>]) -> Vec<u8> {
    let subtrees: Vec<u8> = bases.iter().flat_map(|base| sequence(&[base])).collect();
    standard(30, true, &sequence(&[&value(0xa0, &subtrees)]))
}

/// What is signed of a certificate, and the rest of it.
fn halves(certificate: &[u8]) -> (Vec<u8>, Vec<u8>) {
    // Both have lengths of two bytes.
    let (outer, inner) =
        (&certificate[4..], usize::from(u16::from_be_bytes([certificate[6], certificate[7]])) + 4);
    assert_eq!([certificate[1], certificate[5]], [0x82; 2]);
    (outer[..inner].to_vec(), outer[inner..].to_vec())
}

/// An ECDSA signature on P-256 has a twin, which anybody can compute: the same first number, and the order less the second.
fn twin(algorithm_and_signature: &[u8]) -> Vec<u8> {
    const ORDER: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa,
        0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let algorithm = usize::from(algorithm_and_signature[1]) + 2;
    let (algorithm, bits) = algorithm_and_signature.split_at(algorithm);
    let numbers = &bits[5..];
    let (r, s) = numbers.split_at(usize::from(numbers[1]) + 2);
    let mut digits = [0; 32];
    let s = s[2..].strip_prefix(&[0]).unwrap_or(&s[2..]);
    digits[32 - s.len()..].copy_from_slice(s);
    let mut borrow = 0;
    for place in (0..32).rev() {
        let left = i16::from(ORDER[place]) - i16::from(digits[place]) - borrow;
        borrow = i16::from(left < 0);
        digits[place] = left.rem_euclid(256) as u8;
    }
    let mut digits = digits.to_vec();
    while digits[0] == 0 && digits[1] < 0x80 {
        digits.remove(0);
    }
    if digits[0] >= 0x80 {
        digits.insert(0, 0);
    }
    let signature = sequence(&[r, &value(0x02, &digits)]);
    [algorithm, &value(0x03, &[&[0][..], &signature].concat())].concat()
}

/// A server sends, beside a certificate, what webpki is shown of it, with a signature that is right for the one that was sent.
#[test]
fn what_is_shown_in_the_place_of_a_certificate_is_not_believed_itself() {
    let scene = scene();
    let mut constrained = scene.between.clone();
    constrained.put(permitted(&[value(0xa4, &name("elsewhere", UTF8))]));
    let mut short = scene.between.clone();
    short.put(standard(19, true, &sequence(&[&value(0x01, &[0xff]), &value(0x02, &[0])])));
    for (what, restricted, reason) in
        [("constrained", constrained, "NameConstraints"), ("short", short, "PathLength")]
    {
        let sent = restricted.signed_by(&scene.root);
        let mut free = scene.between.clone();
        if what == "short" {
            free.put(standard(19, true, &sequence(&[&value(0x01, &[0xff])])));
        }
        let (free, _) = halves(&free.signed_by(&scene.root));
        let (_, signature) = halves(&sent);
        let forged = [sequence(&[&free, &signature]), sequence(&[&free, &twin(&signature)])];
        // Below the authority, a self-issued one and another.
        let newer = Made::authority("between", &Key::new(Kind::P256));
        let lower = Made::authority("lower", &Key::new(Kind::P256));
        let below = if what == "short" {
            vec![scene.server.signed_by(&lower), lower.signed_by(&newer), newer.signed_by(&scene.between)]
        } else {
            vec![scene.server.signed_by(&scene.between)]
        };
        let class = |authorities: &[Vec<u8>]| {
            World::new(&[scene.root.self_signed()], &[&below, authorities].concat()).class()
        };
        assert_eq!(class(std::slice::from_ref(&sent)), reason);
        for forged in &forged {
            for authorities in
                [vec![forged.clone()], vec![sent.clone(), forged.clone()], vec![forged.clone(), sent.clone()]]
            {
                let class = class(&authorities);
                assert!([reason, "OtherKey"].contains(&class.as_str()), "{what}: {class}");
            }
        }
    }
    // And the twin is what it should be, or this test shows nothing.
    let (signed, signature) = halves(&scene.between.signed_by(&scene.root));
    let twin = sequence(&[&signed, &twin(&signature)]);
    let world = World::new(&[scene.root.self_signed()], &[scene.server.signed_by(&scene.between), twin]);
    assert_eq!(world.class(), "accepted");
}

#[test]
fn a_certificate_in_which_anything_is_odd_is_webpkis_matter() {
    let dir = value(0xa4, &name("", UTF8));
    let with = |extension: Vec<u8>| {
        let mut scene = scene();
        scene.between.put(extension);
        scene.world()
    };
    assert_eq!(with(permitted(std::slice::from_ref(&dir))).class(), "accepted");
    assert_eq!(with(policies()).class(), "accepted");
    // A field that RFC 5280 does not allow; an extension that ends too late or is written longer than it has to be.
    let maximum = sequence(&[&value(0xa0, &sequence(&[&dir, &value(0x81, &[5])]))]);
    let late = [sequence(&[&value(0xa0, &sequence(&[&dir]))]), vec![5, 0]].concat();
    let mut long = value(0xa0, &sequence(&[&dir]));
    long.splice(1..2, [0x81, long[1]]);
    for content in [maximum, late, sequence(&[&long]), vec![0x30, 0x81, 0]] {
        let world = with(standard(30, true, &content));
        assert_ne!(world.class(), "accepted", "{content:x?}: {:?}", world.verdict());
        let reason = world.verdict().unwrap_err().to_string();
        assert!(reason.starts_with("CN=between: ") || reason.contains("CN=between constrains"), "{reason}");
    }
    // A base that is no name, below which a server without a subject has none that could break it.
    let mut nameless = with(standard(30, true, &sequence(&[&value(0xa0, &sequence(&[&value(0x04, b"x")]))])));
    let server = Made::server("", &Key::new(Kind::P256), NAMES);
    nameless.chain[0] = server.signed_by(&scene().between);
    assert_ne!(nameless.class(), "accepted");
    // Policies twice, policies that cannot be read, and what else is critical.
    let mut twice = scene();
    twice.between.extensions.extend([policies(), policies()]);
    assert_eq!(twice.world().class(), "Malformed");
    assert_eq!(with(standard(32, true, &sequence(&[]))).class(), "UnknownExtension");
    for number in [33, 36, 54] {
        assert_eq!(with(standard(number, true, &value(0x02, &[0]))).class(), "UnknownExtension");
    }
    let mut unknown = scene();
    unknown.server.extensions.extend([policies(), standard(99, true, &[5, 0])]);
    let reason = unknown.world().verdict().unwrap_err();
    assert!(reason.to_string().contains("critical extension 2.5.29.99 "), "{reason}");
}

#[test]
fn constraints_of_several_kinds_count_each_for_its_own() {
    let mut scene = scene();
    let (host, other) = (value(0x82, b"example"), value(0x82, b"other.example"));
    let (dir, elsewhere) = (value(0xa4, &name("server", UTF8)), value(0xa4, &name("elsewhere", UTF8)));
    for (bases, expected) in [
        (vec![host.clone(), dir.clone()], "accepted"),
        (vec![dir.clone(), host.clone(), other.clone()], "accepted"),
        (vec![host.clone(), elsewhere.clone(), dir.clone()], "accepted"),
        (vec![host, elsewhere], "NameConstraints"),
        (vec![other, dir], "NameConstraints"),
    ] {
        scene.between.put(permitted(&bases));
        assert_eq!(scene.world().class(), expected, "{bases:x?}");
        // The same of the root.
        let mut root = scene.root.clone();
        root.put(permitted(&bases));
        let world = World::new(&[root.self_signed()], &[scene.server.signed_by(&scene.root)]);
        assert_eq!(world.class(), expected, "{bases:x?}");
        if expected != "accepted" {
            let reason = world.verdict().unwrap_err().to_string();
            assert_eq!(reason, "CN=server: has a name that CN=root may not vouch for");
        }
    }
}

#[test]
fn a_directory_name_beside_the_names_of_hosts_has_to_be_within_too() {
    let mut scene = scene();
    scene.between.put(permitted(&[value(0xa4, &name("server", UTF8))]));
    for (other, expected) in [("server", "accepted"), ("elsewhere", "NameConstraints")] {
        let names = [NAMES[0], (0xa4, &name(other, UTF8))];
        scene.server = Made::server("server", &scene.server.key, &names);
        assert_eq!(scene.world().class(), expected);
    }
    // As a value of a type that no name has.
    scene.server = Made::server("server", &scene.server.key, &[NAMES[0], (0x84, b"elsewhere")]);
    assert_ne!(scene.world().class(), "accepted");
}

#[test]
fn a_thousand_names_below_a_thousand_constraints_take_no_time() {
    let bases: Vec<Vec<u8>> =
        (0..1500).map(|number| value(0xa4, &name(&format!("x{number}"), UTF8))).collect();
    let mut scene = scene();
    scene.between.put(permitted(&bases));
    let directories: Vec<Vec<u8>> = (0..1500).map(|number| name(&format!("x{number}"), UTF8)).collect();
    let names = directories.iter().map(|name| (0xa4, name.as_slice()));
    let names: Vec<(u8, &[u8])> = NAMES.iter().copied().chain(names).collect();
    scene.server = Made::server("", &scene.server.key, &names);
    let begun = std::time::Instant::now();
    assert_eq!(scene.world().class(), "TooComplex", "{:?}", scene.world().verdict());
    assert!(begun.elapsed() < std::time::Duration::from_secs(5), "{:?}", begun.elapsed());
}
