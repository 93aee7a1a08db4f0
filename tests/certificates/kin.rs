//! Lists of another key of the authority: which of them speak, and which do not.

use homing::settings::{Revocation, RevocationScope};

use crate::forge::{Key, Kind, List, Made, distribution_point, extension, point, sequence, standard, value};
use crate::world::World;

const LINKS: &str = "http://authority.example/links.crl";

/// An authority with two keys, the certificate by which the first vouches for the second, and a server that the first has issued.
struct Scene {
    first: Made,
    second: Made,
    link: Made,
    server: Made,
}

impl Scene {
    fn new() -> Self {
        let [first, second, server] = [Kind::P256; 3].map(Key::new);
        let second = Made::authority("root", &second);
        let mut link = Made { serial: vec![9], ..second.clone() };
        // It has a list of its own, so that the list for all others is that of the second key.
        link.put(standard(31, false, &sequence(&[&sequence(&[&point(LINKS)])])));
        Self {
            first: Made::authority("root", &first),
            server: Made::server("server", &server, &[(0x82, b"mgmt.example")]),
            second,
            link,
        }
    }

    /// The server shows its own certificate and this link.
    fn world(&self, link: &[u8], lists: &[Vec<u8>]) -> World {
        let chain = [self.server.signed_by(&self.first), link.to_vec()];
        World::new(&[self.first.self_signed()], &chain).listing(lists)
    }

    fn of_second(&self, list: &List) -> Vec<u8> {
        list.signed_by(&self.second)
    }
}

#[test]
fn a_list_of_a_key_that_is_vouched_for_says_as_much_as_one_of_the_issuing_key() {
    let scene = Scene::new();
    let link = scene.link.signed_by(&scene.first);
    let (good, bad) = (List::new(), List::new().revoking(7, None));
    assert_eq!(scene.world(&link, &[scene.of_second(&good)]).class(), "accepted");
    assert_eq!(scene.world(&link, &[scene.of_second(&bad)]).class(), "Revoked");
    // A certificate that either names is revoked, whichever list is newer.
    for date in ["20250101000000Z", "20260601000000Z"] {
        let other = good.clone().dated(date, "20350101000000Z");
        let lists = [scene.of_second(&bad), other.signed_by(&scene.first)];
        assert_eq!(scene.world(&link, &lists).class(), "Revoked");
        let lists = [bad.signed_by(&scene.first), scene.of_second(&other)];
        assert_eq!(scene.world(&link, &lists).class(), "Revoked");
    }
    // One that is current makes up for one that is not.
    let old = good.clone().dated("20250101000000Z", "20260101000000Z");
    assert_eq!(scene.world(&link, &[scene.of_second(&old)]).class(), "RevocationExpired");
    let lists = [scene.of_second(&old), good.signed_by(&scene.first)];
    assert_eq!(scene.world(&link, &lists).class(), "accepted");
    // A key for lists alone, whose certificate is no authority's.
    let mut for_lists = scene.link.clone();
    for_lists.put(standard(19, true, &sequence(&[])));
    for_lists.put(standard(15, true, &value(0x03, &[1, 0x02])));
    let link = for_lists.signed_by(&scene.first);
    assert_eq!(scene.world(&link, &[scene.of_second(&good)]).class(), "accepted");
}

#[test]
fn a_key_that_is_not_vouched_for_lends_nothing() {
    let scene = Scene::new();
    let stranger = Made::authority("root", &Key::new(Kind::P256));
    let list = scene.of_second(&List::new());
    let changed = |change: &dyn Fn(&mut Made)| {
        let mut link = scene.link.clone();
        change(&mut link);
        link.signed_by(&scene.first)
    };
    for (what, link) in [
        ("signed by itself", scene.second.self_signed()),
        ("signed by a stranger of the same name", scene.link.signed_by(&stranger)),
        ("expired", changed(&|link| link.not_after = "20260101000000Z".to_owned())),
        ("not valid yet", changed(&|link| link.not_before = "20300101000000Z".to_owned())),
        ("without cRLSign", changed(&|link| link.put(standard(15, true, &value(0x03, &[2, 0x04]))))),
        (
            "of a server, not for lists",
            changed(&|link| {
                link.put(standard(19, true, &sequence(&[])));
                link.put(standard(15, true, &value(0x03, &[7, 0x80])));
            }),
        ),
        (
            "with something critical that is not known",
            changed(&|link| {
                link.put(extension(&[0x2b, 6, 1, 4, 1, 0x83, 0x8c, 0x1f], true, &[5, 0]));
            }),
        ),
        (
            "of another name",
            changed(&|link| link.subject.clone_from(&Made::authority("other", &link.key).subject)),
        ),
        ("cut", scene.link.signed_by(&scene.first)[..200].to_vec()),
    ] {
        let reason = scene.world(&link, std::slice::from_ref(&list)).verdict().unwrap_err();
        assert!(reason.to_string().contains("is signed with another key"), "{what}: {reason}");
    }
    // The certificate of the second key was revoked.
    let link = scene.link.signed_by(&scene.first);
    let of_links = List::new().with(distribution_point(&[&point(LINKS)]));
    let world = |of_links: &List| scene.world(&link, &[list.clone(), of_links.signed_by(&scene.first)]);
    assert_eq!(world(&of_links).class(), "accepted");
    assert_eq!(world(&of_links.revoking(9, None)).class(), "RevocationUnknown");
}

/// Windows' certificate services issue such links by themselves, and keep one list for each key all the same.
#[test]
fn a_list_of_windows_certificate_services_is_for_its_own_key() {
    let scene = Scene::new();
    let link = scene.link.signed_by(&scene.first);
    let version = extension(&[0x2b, 6, 1, 4, 1, 0x82, 0x37, 21, 1], false, &value(0x02, &[1, 0, 1]));
    let list = List::new().with(version);
    assert_eq!(scene.world(&link, &[scene.of_second(&list)]).class(), "RevocationUnknown");
    let both = [scene.of_second(&list), list.signed_by(&scene.first)];
    assert_eq!(scene.world(&link, &both).class(), "accepted");
    let both = [scene.of_second(&list.clone().revoking(7, None)), list.signed_by(&scene.first)];
    assert_eq!(scene.world(&link, &both).class(), "accepted", "the serial number is another certificate's");
}

#[test]
fn a_server_that_sends_many_links_is_judged_soon() {
    let scene = Scene::new();
    let stranger = Made::authority("root", &Key::new(Kind::P256));
    let mut world = scene.world(&scene.link.signed_by(&scene.first), &[scene.of_second(&List::new())]);
    for serial in 0..200 {
        let link = Made { serial: vec![1, serial], key: Key::new(Kind::P256), ..scene.link.clone() };
        world.chain.insert(1, link.signed_by(&stranger));
    }
    let begun = std::time::Instant::now();
    // The true link is behind more forged ones than are looked at.
    assert!(matches!(world.class().as_str(), "RevocationUnknown" | "TooComplex"), "{}", world.class());
    assert!(begun.elapsed() < std::time::Duration::from_secs(5));
}

#[test]
fn the_links_of_a_path_are_looked_up_like_every_authority() {
    let scene = Scene::new();
    let chain = [scene.server.signed_by(&scene.second), scene.link.signed_by(&scene.first)];
    let world = |lists: &[Vec<u8>], scope| {
        let mut world = World::new(&[scene.first.self_signed()], &chain).listing(lists);
        world.settings.revocation = Revocation { scope, ..Revocation::default() };
        world.class()
    };
    let (server, whole) = (RevocationScope::Server, RevocationScope::Chain);
    let of_first = |list: List| list.signed_by(&scene.first);
    assert_eq!(world(&[of_first(List::new())], server), "accepted");
    assert_eq!(world(&[of_first(List::new())], whole), "accepted");
    assert_eq!(world(&[of_first(List::new().revoking(7, None))], server), "Revoked");
    assert_eq!(world(&[of_first(List::new().revoking(9, None))], server), "accepted");
    assert_eq!(world(&[of_first(List::new().revoking(9, None))], whole), "Revoked");
}
