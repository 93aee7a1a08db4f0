//! Sticky weighted rendezvous: which server of a priority is this agent's own.
//!
//! Every agent ranks the servers of a priority by itself, without asking anybody, and always the
//! same way. Over many agents each server is first as often as its weight says. When a server goes,
//! only its own agents move, and they spread evenly over the rest; the order of the file does not matter.
//!
//! For agent and server, u = (SipHash-2-4(agent id ‖ 0 ‖ server id) + ½) / 2⁶⁴ and E = −log₂(u) / weight;
//! the smallest E is first (weighted rendezvous hashing: Schindelhauer and Schomaker, 2005; the
//! base of the logarithm does not change the order). Integers only, so that every platform agrees.

use std::cmp::Ordering;
use std::hash::Hasher;

use siphasher::sip::SipHasher24;

use crate::engine::rng::negative_log2;
use crate::types::{AgentId, ServerId};

/// The published key of the hash: bytes of "homing: balance ". It separates this use of the hash
/// from others; it is no secret.
pub(in crate::engine) const KEY: [u8; 16] = *b"homing: balance ";

/// What the ranking of one server needs. Ordered best first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Draw<'a> {
    exponent: u64,
    weight: u32,
    id: &'a ServerId,
}

impl<'a> Draw<'a> {
    /// `weight` 0 means "only if nothing else": such servers rank behind all others.
    pub(super) fn new(agent: &AgentId, id: &'a ServerId, weight: u32) -> Self {
        Self { exponent: negative_log2(hash(agent, id)), weight, id }
    }
}

impl Ord for Draw<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        if self.weight == other.weight {
            return self.exponent.cmp(&other.exponent).then_with(|| self.id.cmp(other.id));
        }
        // Weight 0 everywhere is 1 everywhere, and behind any other weight: both follow from comparing
        // "has a weight" first and taking 0 as 1 after that.
        let spare = |draw: &Self| draw.weight == 0;
        let scaled = |one: &Self, by: &Self| u128::from(one.exponent) * u128::from(by.weight.max(1));
        spare(self)
            .cmp(&spare(other))
            .then_with(|| scaled(self, other).cmp(&scaled(other, self)))
            .then_with(|| self.id.cmp(other.id))
    }
}

impl PartialOrd for Draw<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn hash(agent: &AgentId, id: &ServerId) -> u64 {
    let mut hasher = SipHasher24::new_with_key(&KEY);
    hasher.write(agent.as_str().as_bytes());
    hasher.write(&[0]);
    hasher.write(id.as_str().as_bytes());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(count: usize) -> Vec<ServerId> {
        (0..count).map(|n| ServerId::new(&format!("https://m{n}.example:443"))).collect()
    }

    /// How many of the agents 0…99,999 call each server their own.
    fn shares(servers: &[(ServerId, u32)]) -> Vec<usize> {
        let mut counts = vec![0; servers.len()];
        for agent in 0..100_000 {
            counts[own(&agent.to_string().parse().unwrap(), servers)] += 1;
        }
        counts
    }

    fn own(agent: &AgentId, servers: &[(ServerId, u32)]) -> usize {
        let draw = |&index: &usize| Draw::new(agent, &servers[index].0, servers[index].1);
        (0..servers.len()).min_by_key(draw).unwrap()
    }

    fn weighted(weight: u32, ids: Vec<ServerId>) -> Vec<(ServerId, u32)> {
        ids.into_iter().map(|id| (id, weight)).collect()
    }

    #[test]
    fn eight_equal_servers_share_a_hundred_thousand_agents_evenly() {
        let counts = shares(&weighted(1, servers(8)));
        let largest = *counts.iter().max().unwrap() as f64;
        assert!(largest / 12_500.0 <= 1.02, "{counts:?}");
    }

    #[test]
    fn a_server_that_goes_moves_only_its_own_agents_and_evenly() {
        let all = weighted(1, servers(8));
        let rest = all[..7].to_vec();
        let mut moved = vec![0usize; 7];
        for agent in 0..100_000 {
            let agent = agent.to_string().parse().unwrap();
            let (before, after) = (own(&agent, &all), own(&agent, &rest));
            if before == 7 {
                moved[after] += 1;
            } else {
                assert_eq!(before, after, "{agent} moved although its server stayed");
            }
        }
        let mean = moved.iter().sum::<usize>() as f64 / 7.0;
        assert!(moved.iter().all(|&count| (count as f64 / mean - 1.0).abs() < 0.1), "{moved:?}");
    }

    #[test]
    fn weights_are_shares_and_the_order_of_the_file_does_not_matter() {
        let mut list: Vec<_> = servers(3).into_iter().zip([1, 2, 5]).collect();
        let counts = shares(&list);
        for (count, expected) in counts.iter().zip([12_500.0, 25_000.0, 62_500.0]) {
            assert!((*count as f64 / expected - 1.0).abs() < 0.03, "{counts:?}");
        }
        list.reverse();
        assert_eq!(shares(&list), counts.into_iter().rev().collect::<Vec<_>>());
    }

    #[test]
    fn weight_zero_is_for_when_nothing_else_is_left_and_zero_everywhere_is_one_everywhere() {
        let ids = servers(2);
        assert_eq!(shares(&[(ids[0].clone(), 0), (ids[1].clone(), 1)]), [0, 100_000]);
        assert_eq!(shares(&weighted(0, ids.clone())), shares(&weighted(1, ids)));
    }

    #[test]
    fn published_vectors_hold() {
        // A port of the engine must agree with these.
        let agent = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6".parse().unwrap();
        let value = |id: &str| {
            let id = ServerId::new(id);
            (hash(&agent, &id), negative_log2(hash(&agent, &id)))
        };
        assert_eq!(value("https://10.1.0.5:443"), (643_346_603_001_263_250, 5_323_424_290_962));
        assert_eq!(value("https://mgmt-b.example:443"), (12_357_788_167_616_143_530, 635_457_960_738));
    }
}
