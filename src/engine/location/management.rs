//! The management server as evidence: what its last exchange shows, and for how long.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::Tuning;
use crate::engine::Reached;
use crate::settings::{LocationRules, Server, Settings, Situation};
use crate::types::{CertificatePolicyId, Host, Medium, Moment, Proof, ServerId};

/// What is known of the management server.
#[derive(Debug, Default)]
pub(super) struct Management {
    pub(super) attached: Option<ServerId>,
    /// The last exchange since the last network change.
    pub(super) exchange: Option<Box<Exchange>>,
    pub(super) lost: Option<Moment>,
}

/// An exchange that succeeded.
#[derive(Clone, Debug)]
pub(super) struct Exchange {
    pub(super) at: Moment,
    pub(super) proof: Proof,
    pub(super) medium: Medium,
    /// Where the server is; `None` behind a proxy.
    pub(super) peer: Option<SocketAddr>,
    pub(super) server: Arc<Server>,
    /// Under which its certificate was verified; `None` when those settings are no longer in force.
    pub(super) policy: Option<CertificatePolicyId>,
}

impl Management {
    /// What the management server shows at present, if it shows anything.
    pub(super) fn sight(
        &self,
        now: Moment,
        settings: &Settings,
        interval: Duration,
        tuning: &Tuning,
    ) -> Option<(Situation, Proof)> {
        let exchange = self.exchange.as_ref()?;
        let fresh = now.since(exchange.at) < interval.min(tuning.evidence);
        if fresh { exchange.shows(settings) } else { None }
    }
}

impl Management {
    /// Whether a server was verified on this network not long ago.
    pub(super) fn is_verified(&self, now: Moment, interval: Duration, tuning: &Tuning) -> bool {
        let exchange = self.exchange.as_ref().filter(|exchange| exchange.proof > Proof::Tcp);
        exchange.is_some_and(|exchange| now.since(exchange.at) < interval.min(tuning.evidence))
    }

    /// A round that began by asking the management server has found something. An `answer` on which that rests replaces the
    /// exchange it was asked for; without one the exchange shows nothing any more. Another one meanwhile stands.
    pub(super) fn lead_ended(&mut self, now: Moment, started: Moment, answer: Option<Reached>) {
        let Some(mut exchange) = self.exchange.take_if(|exchange| exchange.at <= started) else { return };
        if let Some(Reached { proof, via }) = answer {
            (exchange.at, exchange.proof, exchange.medium) = (now, proof, via.medium);
            self.exchange = Some(exchange);
        }
    }
}

impl Exchange {
    /// What it shows of the place where the machine is.
    pub(super) fn shows(&self, settings: &Settings) -> Option<(Situation, Proof)> {
        let rules = settings.location_rules();
        let counts = rules.management_server_counts && self.server.inside;
        if !counts || self.proof < rules.required_proof {
            return None;
        }
        let situation = situation(rules, &self.server.host, self.proof, self.medium)?;
        // Where there are reference servers they decide what is behind a tunnel.
        let decides = situation == Situation::Internal || settings.reference_servers().is_empty();
        decides.then_some((situation, self.proof))
    }
}

/// What enough proof from this host over this medium shows. A host that is written as this machine itself is one that the
/// settings believe, for demonstrations.
pub(super) fn situation(
    rules: &LocationRules,
    host: &Host,
    proof: Proof,
    medium: Medium,
) -> Option<Situation> {
    let here = host.is_this_machine();
    match medium {
        Medium::ThisMachine if !here => None,
        _ if rules.tunnel_proves_internal => Some(Situation::Internal),
        Medium::Tunnel => Some(Situation::InternalViaVpn),
        Medium::Unknown if proof == Proof::Tcp => None,
        Medium::Direct | Medium::Unknown | Medium::ThisMachine => Some(Situation::Internal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn defaults() -> Settings {
        let text = r#"{ "server_lists": [{ "name": "a", "priorities": [{ "servers": [{ "address": "m.example" }] }] }] }"#;
        text.parse().unwrap()
    }

    #[test]
    fn what_a_proof_shows_depends_on_what_it_came_over() {
        use Medium::{Direct, ThisMachine, Tunnel, Unknown};
        use Proof::{Pin, Tcp, Tls};
        use Situation::{Internal, InternalViaVpn};
        let rules = |tunnel_proves_internal| LocationRules {
            tunnel_proves_internal,
            ..defaults().location_rules().clone()
        };
        let (away, here): (Host, Host) = ("r.example".parse().unwrap(), "localhost".parse().unwrap());
        for (medium, proof, host, cautious, believing) in [
            (Direct, Tcp, &away, Some(Internal), Some(Internal)),
            (Direct, Pin, &away, Some(Internal), Some(Internal)),
            (Tunnel, Tcp, &away, Some(InternalViaVpn), Some(Internal)),
            (Tunnel, Pin, &away, Some(InternalViaVpn), Some(Internal)),
            (Unknown, Tcp, &away, None, Some(Internal)),
            (Unknown, Tls, &away, Some(Internal), Some(Internal)),
            (ThisMachine, Tcp, &away, None, None),
            (ThisMachine, Pin, &away, None, None),
            (ThisMachine, Tcp, &here, Some(Internal), Some(Internal)),
        ] {
            for (believes, expected) in [(false, cautious), (true, believing)] {
                let found = situation(&rules(believes), host, proof, medium);
                assert_eq!(found, expected, "{medium:?} {proof:?} {host} {believes}");
            }
        }
    }
}
