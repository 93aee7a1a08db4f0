//! Chains with one fault each, and chains of all kinds of keys.

use super::case::{Case, right};
use super::chain::{Chain, NOISE, Noise};
use super::fault::{FAULTS, expected};
use super::rule::Rule;
use crate::forge::Kind;

/// Every fault at every place, with every noise.
pub(super) fn faults() -> Vec<Case> {
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
pub(super) fn keys() -> Vec<Case> {
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
        rule: Some(Rule::Algorithm),
        cured: Some(Chain::new(1, Noise::Root).world()),
    });
    cases
}
