//! Who is asked in a round: where a server's name leads, which of its ports is next, and what became of each question.

use std::net::IpAddr;

use crate::engine::Reached;
use crate::settings::ReferenceServer;
use crate::types::{Cause, Failure, Moment, ProbeId, QueryId, SettingsId};

/// One reference server.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) names: Names,
    pub(super) is_named: bool,
    /// Whether it may be this machine: it is written so.
    pub(super) may_be_here: bool,
    pub(super) ports: u16,
    /// How many of its ports and addresses were asked.
    pub(super) next: u16,
    pub(super) answered: bool,
}

/// Where a server's name leads: the first address of each family, in the order the system gave them.
#[derive(Debug)]
pub(super) enum Names {
    Resolving(QueryId),
    Known([Option<IpAddr>; 2]),
    Failed(Failure),
}

/// One question.
#[derive(Debug)]
pub(super) struct Try {
    pub(super) server: u16,
    pub(super) port: u16,
    /// Whose policy the handshake is made under.
    pub(super) settings: SettingsId,
    pub(super) started: Moment,
    pub(super) state: TryState,
}

#[derive(Debug)]
pub(super) enum TryState {
    Running(ProbeId),
    Answered { reached: Reached, at: Moment },
    Failed { failure: Failure, at: Moment },
    Silent { at: Moment },
    Dropped { at: Moment },
}

impl Server {
    pub(super) fn has_more(&self) -> bool {
        !self.answered && usize::from(self.next) < self.total()
    }

    /// How many questions are left, as far as is known: a name counts for one address until it has resolved.
    pub(super) fn left(&self) -> usize {
        match self.names {
            Names::Resolving(_) => usize::from(self.ports),
            Names::Known(_) | Names::Failed(_) => self.total().saturating_sub(self.next.into()),
        }
    }

    fn total(&self) -> usize {
        usize::from(self.ports) * self.addresses().count()
    }

    fn addresses(&self) -> impl Iterator<Item = IpAddr> + Clone {
        let known = match self.names {
            Names::Known(addresses) => addresses,
            Names::Resolving(_) | Names::Failed(_) => [None, None],
        };
        known.into_iter().flatten()
    }

    /// Which of its ports is next, and at which of its addresses.
    pub(super) fn depth(&self) -> (usize, usize) {
        let addresses = self.addresses().count().max(1);
        (usize::from(self.next) / addresses, usize::from(self.next) % addresses)
    }

    pub(super) fn take_next(&mut self, reference: &ReferenceServer) -> Option<(u16, IpAddr)> {
        let (port, address) = self.depth();
        let next = (reference.ports.get(port).copied()?, self.addresses().nth(address)?);
        self.next = self.next.saturating_add(1);
        Some(next)
    }

    pub(super) fn is_resolving(&self) -> bool {
        matches!(self.names, Names::Resolving(_))
    }
}

/// Where a name leads, as far as somebody may be there. Filters answer 0.0.0.0 or 127.0.0.1 for names they do not like, and
/// whoever listens on this machine is no reference server, unless it `may_be_here`.
pub(super) fn names(addresses: &[IpAddr], may_be_here: bool) -> Names {
    let may_be = |address: &IpAddr| is_elsewhere(*address) || (may_be_here && address.is_loopback());
    let elsewhere: Vec<IpAddr> = addresses.iter().copied().filter(may_be).collect();
    match (addresses, elsewhere.as_slice()) {
        ([], _) => Names::Failed(Cause::NameNotFound.into()),
        ([nobody, ..], []) => Names::Failed(Failure::noted(
            Cause::NameNotFound,
            format_args!("{nobody} was answered, where no other machine is"),
        )),
        (_, elsewhere) => Names::Known(one_of_each_family(elsewhere)),
    }
}

/// Whether another machine can have this address, and be reached by it alone: one of a link needs its interface.
fn is_elsewhere(address: IpAddr) -> bool {
    let address = address.to_canonical();
    let nobody = match address {
        IpAddr::V4(address) => address.is_broadcast(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    !nobody && !address.is_loopback() && !address.is_unspecified() && !address.is_multicast()
}

/// The first address of each family, in the order in which the families came.
fn one_of_each_family(addresses: &[IpAddr]) -> [Option<IpAddr>; 2] {
    let first = addresses.first().copied();
    let other = first
        .and_then(|first| addresses.iter().copied().find(|address| address.is_ipv4() != first.is_ipv4()));
    [first, other]
}
