//! The part of the world that location is about: reference servers, the control, names, tunnels.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use homing::engine::{Reached, Target};
use homing::types::{Cause, Evidence, Failure, Medium, Moment, ProbeId, Proof, Via};

use crate::ms;

/// How an address and port is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Place {
    /// Accepts after this time, and proves what it is asked for after twice that.
    Answers(Duration),
    /// Accepts after this time, and cannot prove anything.
    Accepts(Duration),
    /// Accepts, and shows certificates of one of these unknown authorities, by turns.
    Intercepts(Duration, [u64; 2]),
    Refuses(Duration),
    Drops,
    /// Nothing leaves this machine.
    NoRoute,
    /// The system has no socket left for it.
    NoSocket,
}

/// See the module.
pub struct Places {
    pub at: BTreeMap<SocketAddr, Place>,
    /// Everything that is not in the list.
    pub elsewhere: Place,
    /// How the addresses of the control are, where they are not in the list.
    pub control: Place,
    /// Where names lead, and after which time; names that are not here do not exist.
    pub names: BTreeMap<String, (Duration, Vec<IpAddr>)>,
    /// What happens to look-ups while the name service is not well.
    pub names_fail: Option<(Duration, Cause)>,
    /// Look-ups are never answered.
    pub names_hang: bool,
    /// A name that must not exist leads here.
    pub every_name: Option<IpAddr>,
    /// A search list leads every name here that is not absolute.
    pub searched: Option<IpAddr>,
    /// What everything leads over.
    pub medium: Medium,
    /// What leads to these over something else.
    pub mediums: BTreeMap<IpAddr, Medium>,
    pub asked: Vec<(Moment, SocketAddr)>,
    open: BTreeSet<ProbeId>,
    pub most_open: usize,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            at: BTreeMap::new(),
            elsewhere: Place::Drops,
            control: Place::Drops,
            names: BTreeMap::new(),
            names_fail: None,
            names_hang: false,
            every_name: None,
            searched: None,
            medium: Medium::Direct,
            mediums: BTreeMap::new(),
            asked: Vec::new(),
            open: BTreeSet::new(),
            most_open: 0,
        }
    }
}

pub type Answer = Result<Reached, Failure>;

impl Places {
    /// A probe begins: what it will hear, and when; `None` when it hears nothing.
    pub fn probe(
        &mut self,
        now: Moment,
        probe: ProbeId,
        target: &Target,
        to: SocketAddr,
        proof: Proof,
    ) -> Option<(Duration, Answer)> {
        self.opens(probe);
        let place = match target {
            Target::Control { .. } => {
                assert_eq!(proof, Proof::Tcp, "the control has no certificate");
                self.at.get(&to).copied().unwrap_or(self.control)
            }
            Target::Reference { .. } => {
                self.asked.push((now, to));
                self.at.get(&to).copied().unwrap_or(self.elsewhere)
            }
            other => panic!("{other:?}"),
        };
        let medium = self.mediums.get(&to.ip()).copied().unwrap_or(self.medium);
        let reached = Reached { proof, via: Via { peer: to, medium } };
        match place {
            Place::Answers(after) if proof == Proof::Tcp => Some((after, Ok(reached))),
            Place::Answers(after) => Some((after * 2, Ok(reached))),
            Place::Accepts(after) if proof == Proof::Tcp => Some((after, Ok(reached))),
            Place::Accepts(after) => Some((after * 2, Err(Cause::UnknownIssuer.into()))),
            Place::Intercepts(after, authorities) => {
                let evidence = Some(Evidence::UnknownIssuer(authorities[self.asked.len() % 2]));
                Some((after * 2, Err(Failure::from(Cause::UnknownIssuer).with_evidence(evidence))))
            }
            Place::Refuses(after) => Some((after, Err(Cause::ConnectionRefused.into()))),
            Place::Drops => None,
            Place::NoRoute => Some((Duration::ZERO, Err(Cause::NoRoute.into()))),
            Place::NoSocket => Some((Duration::ZERO, Err(Cause::OutOfResources.into()))),
        }
    }

    /// A socket is open for this probe.
    pub fn opens(&mut self, probe: ProbeId) {
        assert!(self.open.insert(probe), "an id was used twice");
        self.most_open = self.most_open.max(self.open.len());
        assert!(self.open.len() <= 32, "{} sockets at once", self.open.len());
    }

    /// Whether the probe is still waited for; it is not from now on.
    pub fn ends(&mut self, probe: ProbeId) -> bool {
        self.open.remove(&probe)
    }

    pub fn open(&self) -> usize {
        self.open.len()
    }

    pub fn look_up(&self, host: &str) -> (Duration, Result<Vec<IpAddr>, Failure>) {
        if let Some((after, cause)) = self.names_fail {
            return (after, Err(cause.into()));
        }
        match (self.names.get(host), self.every_name) {
            (_, Some(address)) => (ms(1), Ok(vec![address])),
            (Some((after, addresses)), None) => (*after, Ok(addresses.clone())),
            (None, None) => match self.searched.filter(|_| !host.ends_with('.')) {
                Some(address) => (ms(1), Ok(vec![address])),
                None => (ms(1), Err(Cause::NameNotFound.into())),
            },
        }
    }
}

/// The address of the n-th reference server.
pub fn reference(index: usize) -> IpAddr {
    Ipv4Addr::from(0x0A63_0001 + u32::try_from(index).unwrap()).into()
}

/// So many reference servers with these ports and this proof.
pub fn references(count: usize, ports: &[u16], proof: &str) -> serde_json::Value {
    let certificate =
        serde_json::json!({ "pins": [{ "sha256": "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" }] });
    let servers: Vec<_> = (0..count)
        .map(|index| {
            serde_json::json!({ "address": reference(index).to_string(), "ports": ports, "proof": proof,
                "certificate": certificate })
        })
        .collect();
    serde_json::json!({ "limit": 320, "servers": servers })
}
