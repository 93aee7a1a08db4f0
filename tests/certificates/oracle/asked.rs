//! What a policy asks beside a path, and what a server sends that leads to none.

use std::slice::from_ref;

use homing::settings::{Pin, PinState, Profile};

use super::case::{Case, key};
use super::rule::Rule;
use crate::forge::{Digest, Key, Kind, List, Made, sequence, standard, value};
use crate::world::{World, pin_of};

const NAMES: &[(u8, &[u8])] = &[(0x82, b"mgmt.example")];

/// A root, an authority below it and a server.
struct Scene {
    root: Made,
    between: Made,
    server: Made,
}

impl Scene {
    fn new() -> Self {
        let [root, between, server] = [0, 1, 2].map(|number| key(Kind::P256, 70 + number));
        Self {
            root: Made::authority("root", &root),
            between: Made::authority("between", &between),
            server: Made::server("server", &server, NAMES),
        }
    }

    fn world(&self) -> World {
        let chain = [self.server.signed_by(&self.between), self.between.signed_by(&self.root)];
        World::new(&[self.root.self_signed()], &chain)
    }
}

pub(super) fn asked() -> Vec<Case> {
    [pins(), roots(), chains(), lists()].into_iter().flatten().collect()
}

fn case(reason: &'static str, named: &str, advice: &'static str, world: World, cured: World) -> Case {
    Case {
        label: reason.to_owned(),
        world,
        reason,
        named: named.to_owned(),
        advice,
        rule: None,
        cured: Some(cured),
    }
}

fn pins() -> Vec<Case> {
    let good = Scene::new().world();
    let (server, between) = (pin_of(&good.chain[0]), pin_of(&good.chain[1]));
    let with = |pins: &[Pin]| {
        let mut world = good.clone();
        world.settings.pins = pins.to_vec();
        world
    };
    let revoked = |pin: Pin| Pin { state: PinState::Revoked, ..pin };
    let other = Made::server("server", &key(Kind::P256, 73), NAMES);
    let other = other.signed_by(&Scene::new().root);
    let renewed = |pins: &[Pin]| World { chain: vec![other.clone()], ..with(pins) };
    let mut cases = vec![
        case(
            "PinMismatch",
            "CN=server",
            "pin the new key",
            with(&[Pin { sha256: [7; 32], state: PinState::Active }]),
            with(&[server]),
        ),
        case(
            "PinRevoked",
            "CN=server",
            "give the server another key",
            with(&[revoked(server)]),
            renewed(&[revoked(server)]),
        ),
        case(
            "PinRevoked",
            "CN=between",
            "from an authority with another key",
            with(&[revoked(between)]),
            renewed(&[revoked(between)]),
        ),
    ];
    cases.iter_mut().for_each(|case| case.rule = Some(Rule::Asked));
    cases
}

fn roots() -> Vec<Case> {
    let scene = Scene::new();
    let strict = |root: Made| {
        let mut world = World::new(&[root.self_signed()], &[scene.server.signed_by(&root)]);
        world.settings.profile = Profile::StrictPrivateCa;
        world
    };
    let good = strict(scene.root.clone());
    let mut lax = scene.root.clone();
    lax.put(standard(19, false, &sequence(&[&value(0x01, &[0xff])])));
    let old = Made { not_after: "20260101000000Z".to_owned(), ..scene.root.clone() };
    let mut not_strict =
        case("NotStrict", "CN=root", "critical basic constraints that say cA", strict(lax), good.clone());
    not_strict.rule = Some(Rule::Asked);
    vec![not_strict, case("AnchorOutside", "CN=root", "replace the root in the bundle", strict(old), good)]
}

fn chains() -> Vec<Case> {
    let scene = Scene::new();
    let good = scene.world();
    let mut short = good.clone();
    short.settings.max_chain_depth = Some(0);
    let mut raised = good.clone();
    raised.settings.max_chain_depth = Some(1);
    let mut too_long = case("ChainTooLong", "certificates between", "raise `max_chain_depth`", short, raised);
    too_long.rule = Some(Rule::Asked);
    // Two authorities that vouch for each other.
    let [one, other] = ["one", "other"].map(|name| Made::authority(name, &key(Kind::P256, 74)));
    let circle = [scene.server.signed_by(&one), one.signed_by(&other), other.signed_by(&one)];
    // Forty of one name, of which one names the root.
    let stranger = Made::authority("stranger", &Key::new(Kind::P256));
    let namesake = || Made::authority("stranger", &Key::new(Kind::P256));
    let mut tangle = vec![scene.server.signed_by(&stranger)];
    tangle.extend((0..40).map(|_| namesake().signed_by(&stranger)));
    tangle.push(namesake().signed_by(&scene.root));
    let with = |chain: &[Vec<u8>]| World { chain: chain.to_vec(), ..good.clone() };
    let only = "let the server send only the certificates that lead to the root";
    let unknown = Made { digest: Digest::Sha512, ..scene.server.clone() }.signed_by(&scene.root);
    let mut algorithm = case(
        "UnsupportedAlgorithm",
        "CN=server",
        "with a signature of RSA, ECDSA on P-256",
        with(&[unknown]),
        with(&[scene.server.signed_by(&scene.root)]),
    );
    algorithm.rule = Some(Rule::Algorithm);
    let own = scene.server.self_signed();
    let renewed = Made { serial: vec![8], ..scene.server.clone() }.self_signed();
    let exact = |file: &Vec<u8>| World { exact: vec![file.clone()], ..World::new(&[], from_ref(&renewed)) };
    vec![
        too_long,
        algorithm,
        case("Loop", "CN=", only, with(&circle), good.clone()),
        case("TooComplex", "too many ways", only, with(&tangle), good.clone()),
        case("NoCertificate", "it presented no", "configure a certificate", with(&[]), good.clone()),
        case(
            "NotExact",
            "CN=server",
            "put it into the file that `exact` names",
            exact(&own),
            exact(&renewed),
        ),
    ]
}

fn lists() -> Vec<Case> {
    let scene = Scene::new();
    let root = Made::authority("root", &key(Kind::Rsa(2048), 75));
    let mut cannot = root.clone();
    cannot.put(standard(15, true, &value(0x03, &[2, 0x04])));
    let with = |root: &Made, list: &List| {
        World::new(&[root.self_signed()], &[scene.server.signed_by(root)]).listing(&[list.signed_by(root)])
    };
    let good = with(&root, &List::new());
    let mut weak = case(
        "RevocationUnverifiable",
        "CN=root",
        "sign its revocation lists with SHA-256",
        with(&root, &List { digest: Digest::Sha1, ..List::new() }),
        good.clone(),
    );
    weak.rule = Some(Rule::WeakDigest);
    vec![
        weak,
        case(
            "MayNotRevoke",
            "CN=root",
            "reissue the authority with cRLSign",
            with(&cannot, &List::new()),
            good,
        ),
    ]
}
