//! A generator of networks: offices, hotels and what is between them, as they come one after the other in the life of a laptop.
//!
//! Beside each stands the truth: whether anything in it may make the machine inside. The engine knows nothing of that, and must never be
//! inside where nothing may make it so. `HOMING_LOCATION_WORLDS` says how many lives there are, `HOMING_FIRST_WORLD` with which seed they begin.

use std::env;
use std::net::IpAddr;
use std::panic::catch_unwind;
use std::time::Duration;

use homing::engine::{Event, NetworkChange};
use homing::settings::Situation;
use homing::types::{Cause, Medium, Moment, Proof, Route};
use homing_sim::dice::Dice;
use homing_sim::reference_network::{Place, reference};

use crate::world::*;

/// How long evidence may be old: ten minutes, and the rounds that confirm that it no longer holds.
const STALE: Duration = Duration::from_secs(710);

/// After a network change nothing older than that counts: names may be dead for a minute.
const HELD: Duration = Duration::from_secs(90);

/// What an administrator wrote.
#[derive(Debug)]
struct Wrote {
    required: Proof,
    references: Vec<(Proof, bool)>,
    manager_counts: bool,
    http: bool,
    proxy: bool,
    tunnel_proves: bool,
    interval: u64,
}

/// How a network is.
#[derive(Clone, Debug)]
struct Network {
    /// How the management server and each reference server are, and over what they are reached.
    manager: (Server, Medium),
    references: Vec<(Place, Medium)>,
    control: Place,
    every_name: bool,
}

const PROOFS: [Proof; 3] = [Proof::Tcp, Proof::Tls, Proof::Pin];
const MEDIUMS: [Medium; 6] =
    [Medium::Direct, Medium::Direct, Medium::Tunnel, Medium::Tunnel, Medium::Unknown, Medium::ThisMachine];

impl Wrote {
    fn any(dice: &mut Dice) -> Self {
        let count = dice.one(&[0, 1, 1, 2, 3]);
        Self {
            required: dice.one(&PROOFS),
            references: (0..count).map(|_| (dice.one(&PROOFS), dice.one_in(3))).collect(),
            manager_counts: !dice.one_in(3),
            http: dice.one_in(4),
            proxy: dice.one_in(6),
            tunnel_proves: dice.one_in(5),
            interval: dice.one(&[10, 60, 300, 3600, 86_400]),
        }
    }

    fn start(&self, seed: u64) -> World {
        let certificate =
            serde_json::json!({ "pins": [{ "sha256": "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" }] });
        let servers: Vec<_> = (0..self.references.len())
            .map(|index| {
                let (proof, named) = self.references[index];
                let address = if named { name_of(index) } else { reference(index).to_string() };
                serde_json::json!({ "address": address, "proof": proof.word(), "certificate": certificate })
            })
            .collect();
        let mut plan = priorities(&[1])
            .seed(seed)
            .interval(s(self.interval))
            .with("reference_servers", serde_json::json!({ "servers": servers }))
            .with(
                "location",
                serde_json::json!({ "required_proof": self.required.word(),
                    "management_server_counts": self.manager_counts, "tunnel_proves_internal": self.tunnel_proves }),
            )
            .with("locations", serde_json::json!([{ "name": "Office", "when": ["internal"] }]))
            .routes(&[if self.proxy { Route::Proxy(0) } else { Route::Direct }]);
        plan.http = self.http;
        plan.start()
    }

    /// Whether an answer with this proof over this medium may make the machine inside, directly or at all.
    fn shows(&self, proof: Proof, medium: Medium, at_all: bool) -> bool {
        let way = match medium {
            Medium::Direct => true,
            Medium::Tunnel => self.tunnel_proves || at_all,
            Medium::Unknown => proof > Proof::Tcp || self.tunnel_proves,
            Medium::ThisMachine => false,
        };
        way && proof >= self.required
    }

    /// Whether anything on this network may make the machine inside.
    fn may_be_inside(&self, network: &Network, at_all: bool) -> bool {
        let (manager, medium) = network.manager;
        let proof = if self.http { Proof::Tcp } else { Proof::Tls };
        let medium = if self.proxy { Medium::Tunnel } else { medium };
        // Who accepts where a plain one was is believed for as long as the control is silent.
        let forged = self.http && matches!((manager.reach, network.control), (Reach::Mute(_), Place::Drops));
        let answers = forged || matches!(manager.reach, Reach::Connects(_));
        if self.manager_counts && answers && self.shows(proof, medium, at_all) {
            return true;
        }
        self.references.iter().zip(&network.references).any(|((wanted, named), (place, medium))| {
            let proved = match place {
                Place::Answers(_) => *wanted,
                // Who forges a bare connection has to leave out the control.
                Place::Accepts(_) if *wanted == Proof::Tcp => Proof::Tcp,
                _ => return false,
            };
            let void = matches!(network.control, Place::Accepts(_)) || (*named && network.every_name);
            (proved > Proof::Tcp || !void) && self.shows(proved, *medium, at_all)
        })
    }
}

impl Network {
    fn any(dice: &mut Dice, wrote: &Wrote) -> Self {
        // An office, a hotel, a portal, or one of each kind of trouble.
        let kind = dice.below(6);
        let place = |dice: &mut Dice| match kind {
            0 => Place::Answers(ms(1 + dice.below(100))),
            1 => Place::Drops,
            2 | 3 => Place::Accepts(ms(1 + dice.below(100))),
            4 => Place::Refuses(ms(1)),
            _ => dice.one(&[Place::Answers(ms(30)), Place::Drops, Place::NoRoute, Place::Accepts(ms(3))]),
        };
        let medium = dice.one(&MEDIUMS);
        let references = wrote
            .references
            .iter()
            // A rule may lead one server elsewhere.
            .map(|_| (place(dice), if dice.one_in(4) { dice.one(&MEDIUMS) } else { medium }))
            .collect();
        let manager = match kind {
            0 => up(),
            2 | 3 => Server { reach: Reach::BadHandshake(Cause::UnknownIssuer), ..silent() },
            _ => dice.one(&[up(), black_hole(), down(), mute(), far(ms(200))]),
        };
        let manager =
            if wrote.http && matches!(manager.reach, Reach::BadHandshake(_)) { mute() } else { manager };
        Self {
            manager: (manager, if dice.one_in(4) { dice.one(&MEDIUMS) } else { medium }),
            references,
            // One that lies leaves out what shows it.
            control: if kind == 2 { Place::Accepts(ms(1)) } else { Place::Drops },
            every_name: dice.one_in(4),
        }
    }

    fn begins(&self, world: &mut World, wrote: &Wrote) {
        world.set_all(self.manager.0);
        world.medium = self.manager.1;
        world.places.control = self.control;
        world.places.every_name = self.every_name.then(|| reference(99));
        if self.every_name {
            // What resolves every name has somebody who accepts there.
            world.places.at.insert((reference(99), 443).into(), Place::Accepts(ms(2)));
        }
        for (index, (place, medium)) in self.references.iter().enumerate() {
            let address: IpAddr = reference(index);
            world.places.at.insert((address, 443).into(), *place);
            world.places.mediums.insert(address, *medium);
            if wrote.references[index].1 {
                world.places.names.insert(name_of(index), (ms(3), vec![address]));
            }
        }
    }
}

fn name_of(index: usize) -> String {
    format!("r{index}.corp.example")
}

/// One life. Whether the machine was inside in it.
fn live(seed: u64) -> bool {
    let mut dice = Dice(seed);
    let wrote = Wrote::any(&mut dice);
    let mut network = Network::any(&mut dice, &wrote);
    let mut world = wrote.start(seed);
    network.begins(&mut world, &wrote);
    // The last moment at which the machine may have been inside, directly and at all.
    let mut last: [Option<Moment>; 2] = [None, None];
    let mut changed = world.now;
    let (mut was_inside, mut situation, mut story) = (false, Situation::Unknown, Vec::new());
    world.network(NetworkChange::Changed);
    for _ in 0..2 + dice.below(7) {
        story.push(format!("{:?} {network:?}", world.now));
        let stays = dice.one(&[3, 20, 90, 700, 1900]);
        let end = world.now + s(1 + dice.below(stays));
        while world.now < end {
            for (at_all, last) in [false, true].into_iter().zip(&mut last) {
                if wrote.may_be_inside(&network, at_all) {
                    *last = Some(world.now);
                }
            }
            let left = end.since(world.now);
            world.run(left.min(ms(1000 + dice.below(9000))));
            // Every verdict of this time, and the one that holds.
            let told = std::mem::take(&mut world.told).into_iter().filter_map(|(_, event)| match event {
                Event::Location { situation, .. } => Some(situation),
                _ => None,
            });
            let verdicts: Vec<_> = told.collect();
            let held = *verdicts.last().unwrap_or(&situation);
            for verdict in verdicts.into_iter().chain([held]) {
                let [direct, at_all] = last;
                let rests_on = match verdict {
                    Situation::Internal => direct,
                    Situation::InternalViaVpn => at_all,
                    _ => continue,
                };
                was_inside = true;
                let fresh = rests_on.is_some_and(|at| {
                    world.now.since(at) <= STALE && (at >= changed || world.now.since(changed) <= HELD)
                });
                assert!(fresh, "seed {seed}: {verdict:?}, {rests_on:?}\n{wrote:#?}\n{story:#?}");
            }
            situation = held;
        }
        let next = Network::any(&mut dice, &wrote);
        let sign = match dice.below(6) {
            // Only who answers is another.
            0 => {
                let references = next.references.iter().zip(&network.references);
                let references = references.map(|((place, _), (_, medium))| (*place, *medium)).collect();
                network = Network { manager: (next.manager.0, network.manager.1), references, ..next };
                None
            }
            1 => {
                network = Network { manager: next.manager, ..network };
                Some(NetworkChange::Elsewhere)
            }
            other => {
                network = next;
                Some(if other == 2 { NetworkChange::Returned } else { NetworkChange::Changed })
            }
        };
        if dice.one_in(5) && sign == Some(NetworkChange::Changed) {
            world.network(NetworkChange::Gone).run(s(dice.below(90)));
        }
        network.begins(&mut world, &wrote);
        if let Some(sign) = sign {
            if sign != NetworkChange::Elsewhere {
                changed = world.now;
            }
            world.network(sign);
        }
    }
    was_inside
}

#[test]
fn no_network_makes_a_machine_inside_that_may_not() {
    let lives: u64 = env::var("HOMING_LOCATION_WORLDS").map_or(1000, |count| count.parse().unwrap());
    let first: u64 = env::var("HOMING_FIRST_WORLD").map_or(0, |first| first.parse().unwrap());
    // Which life it was is told when anything in it panics.
    let one = |seed: u64| catch_unwind(|| live(seed)).unwrap_or_else(|_| panic!("seed {seed}"));
    let inside = (first..first + lives).filter(|seed| one(*seed)).count();
    println!("{inside} of {lives} lives were inside for a while");
    assert!(inside as u64 * 5 > lives, "hardly ever inside, so nothing was tested");
}
