//! Revocation lists: for which certificates each counts, and which cannot be used.

use std::slice::from_ref;

use homing::settings::{Revocation, RevocationScope};

use crate::forge::{
    Digest, Key, Kind, List, Made, PRINTABLE, distribution_point, name, point, sequence, standard, value,
};
use crate::world::World;

const SHARD: &str = "http://authority.example/1.crl";
const OTHER: &str = "http://authority.example/2.crl";

/// A root and a server below it, whose serial number is 7.
struct Scene {
    root: Made,
    server: Made,
}

impl Scene {
    fn new() -> Self {
        let [root, server] = [Kind::P256; 2].map(Key::new);
        let names: &[(u8, &[u8])] = &[(0x82, b"mgmt.example")];
        Self { root: Made::authority("root", &root), server: Made::server("server", &server, names) }
    }

    /// The server's certificate names this distribution point.
    fn with_point(mut self, address: &str) -> Self {
        self.server.put(standard(31, false, &sequence(&[&sequence(&[&point(address)])])));
        self
    }

    fn world(&self, lists: &[Vec<u8>]) -> World {
        World::new(&[self.root.self_signed()], &[self.server.signed_by(&self.root)]).listing(lists)
    }

    fn list(&self, list: &List) -> Vec<u8> {
        list.signed_by(&self.root)
    }
}

/// Asserts the name of the verdict, and that its words have these.
#[track_caller]
fn is(world: &World, expected: &str, words: &str) {
    let verdict = world.verdict();
    let told = verdict.as_ref().map_or_else(|reason| reason.to_string(), |_| String::new());
    assert_eq!(world.class(), expected, "{told}");
    assert!(told.contains(words), "{told}");
}

#[test]
fn a_list_counts_for_the_certificates_in_its_scope_alone() {
    let scene = Scene::new();
    let full = scene.list(&List::new().revoking(7, None));
    let newer = |list: List| list.dated("20260601000000Z", "20350101000000Z");
    let shard = |address: &str| newer(List::new()).with(distribution_point(&[&point(address)]));
    // Which names a shard, and the certificate no distribution point.
    is(&scene.world(&[full.clone(), scene.list(&shard(SHARD))]), "Revoked", "");
    is(&scene.world(&[scene.list(&shard(SHARD))]), "RevocationUnknown", "are for other certificates");
    let servers = List::new().with(distribution_point(&[&value(0x81, &[0xff])]));
    let authorities = newer(List::new()).with(distribution_point(&[&value(0x82, &[0xff])]));
    is(&scene.world(&[scene.list(&servers)]), "accepted", "");
    is(&scene.world(&[scene.list(&servers.clone().revoking(7, None))]), "Revoked", "");
    is(&scene.world(&[scene.list(&authorities)]), "RevocationUnknown", "are for other certificates");
    is(&scene.world(&[full, scene.list(&authorities)]), "Revoked", "");
    // With a distribution point.
    let scene = Scene::new().with_point(SHARD);
    is(&scene.world(&[scene.list(&shard(SHARD))]), "accepted", "");
    is(&scene.world(&[scene.list(&shard(OTHER))]), "RevocationUnknown", "");
    is(
        &scene.world(&[scene.list(&shard(OTHER).revoking(7, None)), scene.list(&shard(SHARD))]),
        "accepted",
        "",
    );
    is(&scene.world(&[scene.list(&shard(SHARD).revoking(7, None))]), "Revoked", "");
    // A full list says as much as the shard, and either may name it.
    let full = scene.list(&List::new().revoking(7, None));
    is(&scene.world(&[full, scene.list(&shard(SHARD))]), "Revoked", "");
}

#[test]
fn of_one_scope_the_newest_counts_and_none_of_the_future() {
    let scene = Scene::new();
    let at = |year: u32, revoked: bool| {
        let list = if revoked { List::new().revoking(7, None) } else { List::new() };
        scene.list(&list.dated(&format!("{year}0101000000Z"), "20450101000000Z"))
    };
    is(&scene.world(&[at(2024, true), at(2025, false)]), "accepted", "");
    is(&scene.world(&[at(2024, false), at(2025, true)]), "Revoked", "");
    let future = scene.world(&[at(2025, true), at(2035, false)]);
    is(&future, "Revoked", "");
    let told = "1.crl: the revocation list is dated 2035-01-01T00:00:00Z and not used until then";
    assert!(future.remarks()[0].starts_with(told), "{:?}", future.remarks());
    is(
        &scene.world(&[at(2035, false)]),
        "RevocationUnknown",
        "is dated 2035-01-01T00:00:00Z, now is 2027-01-15",
    );
    is(&scene.world(&[at(2035, true)]), "RevocationUnknown", "");
    // Of one date the one with the higher number.
    let numbered = |number: u8, revoked: bool| {
        let mut list = if revoked { List::new().revoking(7, None) } else { List::new() };
        list.extensions = vec![standard(20, false, &value(0x02, &[number]))];
        scene.list(&list)
    };
    is(&scene.world(&[numbered(9, true), numbered(8, false)]), "Revoked", "");
    is(&scene.world(&[numbered(8, true), numbered(9, false)]), "accepted", "");
    // One that is out of date says nothing good, and what it revoked stays so.
    let old = |revoked: bool| {
        let list = if revoked { List::new().revoking(7, None) } else { List::new() };
        scene.list(&list.dated("20240101000000Z", "20250101000000Z"))
    };
    is(&scene.world(&[old(false)]), "RevocationExpired", "2025-01-01T00:00:00Z");
    is(&scene.world(&[old(true)]), "Revoked", "");
}

#[test]
fn each_key_of_an_authority_speaks_for_what_it_issued() {
    let scene = Scene::new();
    let renewed = Made::authority("root", &Key::new(Kind::P256));
    let roots = [scene.root.self_signed(), renewed.self_signed()];
    let old_server = scene.server.signed_by(&scene.root);
    let new_server = scene.server.signed_by(&renewed);
    let (of_old, of_new) = (|list: List| list.signed_by(&scene.root), |list: List| list.signed_by(&renewed));
    let world = |server: &Vec<u8>, lists: &[Vec<u8>]| World::new(&roots, from_ref(server)).listing(lists);
    // Two lists: each server by its own, whichever is newer.
    for newer in ["20260601000000Z", "20250601000000Z"] {
        let both =
            [of_old(List::new()), of_new(List::new().revoking(7, None).dated(newer, "20350101000000Z"))];
        is(&world(&old_server, &both), "accepted", "");
        is(&world(&new_server, &both), "Revoked", "");
    }
    // One list: nothing is said of what the other key issued, and nothing is called forged.
    let one = [of_new(List::new())];
    is(&world(&new_server, &one), "accepted", "");
    is(
        &world(&old_server, &one),
        "RevocationUnknown",
        "is signed with another key than the one that issued it",
    );
    // The same without key identifiers: found by trying.
    let nameless = |made: &Made| List::new().signed_with(&made.key, &[], &made.subject);
    is(&world(&old_server, &[nameless(&scene.root), nameless(&renewed)]), "accepted", "");
    is(&world(&old_server, &[nameless(&renewed)]), "RevocationUnknown", "another key");
    // A list that names the key that did not sign it.
    let forged = List::new().signed_with(&renewed.key, &scene.root.key.id(), &scene.root.subject);
    is(&world(&old_server, &[forged]), "RevocationForged", "");
}

#[test]
fn a_difference_is_taken_together_with_its_list() {
    let scene = Scene::new();
    let delta = |base: u8, number: u8| {
        let mut list = List::new().dated("20260601000000Z", "20350101000000Z");
        list.extensions =
            vec![standard(20, false, &value(0x02, &[number])), standard(27, true, &value(0x02, &[base]))];
        list
    };
    let (base, revoking) = (scene.list(&List::new()), scene.list(&List::new().revoking(7, Some(6))));
    is(&scene.world(&[base.clone(), scene.list(&delta(5, 6))]), "accepted", "");
    is(&scene.world(&[base.clone(), scene.list(&delta(5, 6).revoking(7, Some(1)))]), "Revoked", "");
    is(&scene.world(&[revoking.clone(), scene.list(&delta(5, 6))]), "Revoked", "");
    is(&scene.world(&[revoking.clone(), scene.list(&delta(5, 6).revoking(7, Some(8)))]), "accepted", "");
    // One that goes on from a later list, or ends no later, says nothing of this one.
    is(&scene.world(&[base.clone(), scene.list(&delta(6, 7).revoking(7, None))]), "accepted", "");
    is(&scene.world(&[revoking.clone(), scene.list(&delta(4, 5).revoking(7, Some(8)))]), "Revoked", "");
    // What contradicts itself revokes.
    for [first, then] in [[Some(8), Some(1)], [Some(1), Some(8)]] {
        let both = scene.list(&delta(5, 6).revoking(7, first).revoking(7, then));
        is(&scene.world(&[base.clone(), both]), "Revoked", "");
    }
    // Out of date it lifts nothing and still revokes.
    let old = |list: List| scene.list(&list.dated("20260602000000Z", "20260603000000Z"));
    is(&scene.world(&[revoking, old(delta(5, 6).revoking(7, Some(8)))]), "Revoked", "");
    is(&scene.world(&[base, old(delta(5, 6).revoking(7, Some(1)))]), "Revoked", "");
    let alone = scene.world(&[scene.list(&delta(5, 6))]).policy().unwrap_err().to_string();
    assert!(alone.starts_with("0.crl: it is a delta list, and the list it continues"), "{alone}");
}

#[test]
fn a_list_with_a_weak_signature_or_a_name_in_another_form_is_told_for_what_it_is() {
    let mut scene = Scene::new();
    scene.root = Made::authority("root", &Key::new(Kind::Rsa(2048)));
    let weak = List { digest: Digest::Sha1, ..List::new() };
    is(
        &scene.world(&[scene.list(&weak)]),
        "RevocationUnverifiable",
        "signed with SHA-1, which can be forged",
    );
    let printable = List { issuer: name("ROOT", PRINTABLE), ..List::new() };
    is(&scene.world(&[scene.list(&printable)]), "accepted", "");
    let revoking = List { issuer: name("Root", PRINTABLE), ..List::new().revoking(7, None) };
    is(&scene.world(&[scene.list(&revoking)]), "Revoked", "");
    let mut no_signer = Scene::new();
    no_signer.root.put(standard(15, true, &value(0x03, &[2, 0x04])));
    is(&no_signer.world(&[no_signer.list(&List::new())]), "MayNotRevoke", "CN=root");
    is(&no_signer.world(&[]), "accepted", "");
}

#[test]
fn the_authorities_of_a_chain_are_looked_up_where_the_policy_says_so() {
    let scene = Scene::new();
    let between = Made { serial: vec![9], ..Made::authority("between", &Key::new(Kind::P256)) };
    let chain = [scene.server.signed_by(&between), between.signed_by(&scene.root)];
    let world = |lists: &[Vec<u8>], scope| {
        let mut world = World::new(&[scene.root.self_signed()], &chain).listing(lists);
        world.settings.revocation = Revocation { scope, ..Revocation::default() };
        world
    };
    let below = List::new().signed_by(&between);
    let (whole, server) = (RevocationScope::Chain, RevocationScope::Server);
    let authorities = List::new().with(distribution_point(&[&value(0x82, &[0xff])]));
    let servers = List::new().with(distribution_point(&[&value(0x81, &[0xff])]));
    is(&world(&[below.clone(), authorities.signed_by(&scene.root)], whole), "accepted", "");
    is(&world(&[below.clone(), servers.signed_by(&scene.root)], whole), "RevocationUnknown", "CN=between: ");
    is(
        &world(&[below.clone(), List::new().revoking(9, None).signed_by(&scene.root)], whole),
        "Revoked",
        "CN=between",
    );
    is(&world(&[below, List::new().revoking(9, None).signed_by(&scene.root)], server), "accepted", "");
    // What is revoked weighs more than what is not known.
    let revoked = List::new().revoking(9, None).signed_by(&scene.root);
    is(&world(&[revoked], whole), "Revoked", "CN=between");
}

#[test]
fn what_is_not_supported_is_told_when_the_policy_is_made() {
    let scene = Scene::new();
    let name = point(SHARD);
    let relative = value(0xa0, &value(0xa1, &sequence(&[&value(0x06, &[0x55, 4, 3]), &value(0x0c, b"x")])));
    let of_another = sequence(&[
        &value(0x02, &[7]),
        &value(0x17, b"250101000000Z"),
        &sequence(&[&standard(29, true, &sequence(&[&value(0x82, b"another")]))]),
    ]);
    let made = |list: &List| scene.world(&[scene.list(list)]).policy().map_err(|error| error.to_string());
    for fine in [
        List::new(),
        List::new().with(distribution_point(&[&name])),
        List::new().with(distribution_point(&[&value(0x81, &[0xff])])),
        List::new().with(distribution_point(&[&relative])),
    ] {
        assert!(made(&fine).is_ok());
    }
    for (list, words) in [
        (List::new().with(distribution_point(&[&name, &value(0x84, &[0xff])])), "an indirect list"),
        (List { revoked: of_another, ..List::new() }, "an indirect list"),
        (List::new().with(distribution_point(&[&name, &value(0x83, &[6, 0x40])])), "for some reasons only"),
        (List::new().with(distribution_point(&[&value(0x85, &[0xff])])), "attribute certificates"),
        (List::new().with(standard(99, true, &value(0x05, &[]))), "a critical extension of it is not known"),
        (List { version: Vec::new(), ..List::new() }, "version 1"),
        (List { next_update: None, ..List::new() }, "does not say when the next one is due"),
        (List { extensions: Vec::new(), ..List::new() }, "has no extensions"),
        (List { revoked: vec![1, 2, 3], ..List::new() }, "damaged"),
        (List::new().with(standard(20, false, &value(0x02, &[6]))), "damaged"),
    ] {
        let error = made(&list).unwrap_err();
        assert!(
            error.starts_with("0.crl: revocation list 1 cannot be used: ") && error.contains(words),
            "{words}: {error}"
        );
    }
}

#[test]
fn a_list_with_any_byte_changed_or_cut_is_used_as_it_is_or_refused() {
    let scene = Scene::new().with_point(SHARD);
    let list = List::new().with(distribution_point(&[&point(SHARD)])).revoking(7, Some(1)).revoking(9, None);
    let bytes = scene.list(&list);
    let world = scene.world(&[]);
    let (mut usable, mut refused) = (0, 0);
    let changed = (0..bytes.len()).flat_map(|at| {
        [0x00, 0x30, 0xff].map(|to| {
            let mut changed = bytes.clone();
            changed[at] = to;
            changed
        })
    });
    let cut = (0..bytes.len()).map(|at| bytes[..at].to_vec());
    for changed in changed.chain(cut) {
        if changed == bytes {
            continue;
        }
        let world = World { lists: vec![changed], ..world.clone() };
        match world.policy() {
            Ok(_) => {
                usable += 1;
                assert_ne!(world.class(), "accepted", "what is not signed says nothing good");
            }
            Err(_) => refused += 1,
        }
    }
    assert!(usable > 100 && refused > 100, "{usable} {refused}");
}
