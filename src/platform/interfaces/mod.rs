//! The network interfaces of this machine: whether there is a usable network, which ways lead through a tunnel, and when
//! any of that changes.
//!
//! On Linux the kernel tells of changes on a socket of the client's loop. On Windows and Apple's systems netwatcher does, and wakes
//! the loop; elsewhere the product says [`network_changed`](crate::client::Client::network_changed).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{Clock, Sleep};
use crate::types::Moment;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
use linux as system;

#[cfg(any(windows, target_vendor = "apple"))]
mod others;
#[cfg(any(windows, target_vendor = "apple"))]
use others as system;

#[cfg(not(target_os = "linux"))]
mod source_only;

#[cfg(not(any(target_os = "linux", windows, target_vendor = "apple")))]
mod silent;
#[cfg(not(any(target_os = "linux", windows, target_vendor = "apple")))]
use silent as system;

pub(crate) use system::{Planned, network, use_way_to};

/// Addresses, routes and links change one after the other; what comes within this is one change.
const DEBOUNCE: std::time::Duration = std::time::Duration::from_millis(250);

/// The way to these is the way to everywhere: addresses for documentation, at which nobody is.
const EVERYWHERE: [SocketAddr; 2] = [
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 0),
    SocketAddr::new(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)), 0),
];

/// Management servers whose ways are watched: the one in use, and those a move may go to.
const MOST_SERVERS: usize = 8;

/// Reference servers and their ports: as many servers as a list may have, each with an address of both families.
const MOST_REFERENCES: usize = 640;

/// The addresses and ports whose ways are watched: a rule may lead one port elsewhere. What changes elsewhere is no change.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    /// Management servers and proxies, the newest last.
    servers: VecDeque<SocketAddr>,
    references: BTreeSet<SocketAddr>,
    /// A reference server goes by a name: where that leads may change with the way to everywhere.
    named: bool,
    /// Some are new.
    grown: bool,
}

impl Peers {
    /// This management server, or proxy, is about to be dialled.
    pub(crate) fn server(&mut self, address: SocketAddr) {
        if self.servers.contains(&address) {
            return;
        }
        if self.servers.len() >= MOST_SERVERS {
            self.servers.pop_front();
        }
        self.servers.push_back(address);
        self.grown = true;
    }

    /// This reference server is about to be asked.
    pub(crate) fn reference(&mut self, address: SocketAddr, named: bool) {
        self.named |= named;
        if self.references.len() < MOST_REFERENCES {
            self.grown |= self.references.insert(address);
        }
    }

    /// Other settings name other servers.
    pub(crate) fn forget_references(&mut self) {
        (self.references, self.named) = (BTreeSet::new(), false);
    }
}

/// Where everything goes that matters.
#[derive(Clone, Debug, Default)]
struct Picture {
    is_usable: bool,
    everywhere: Vec<Option<system::Hop>>,
    servers: BTreeMap<SocketAddr, Option<system::Hop>>,
    references: BTreeMap<SocketAddr, Option<system::Hop>>,
    named: bool,
}

/// What differs between two pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Difference {
    None,
    /// Not the ways to the reference servers.
    Elsewhere,
    References,
}

impl Picture {
    fn now(peers: &Peers) -> Self {
        let mut scout = system::Scout::new();
        let everywhere = EVERYWHERE.iter().map(|address| scout.hop(*address)).collect();
        let mut picture = Self { is_usable: system::Cover::now().is_usable, everywhere, ..Self::default() };
        picture.learn(peers, &mut scout);
        picture
    }

    /// Adds those that are new.
    fn learn(&mut self, peers: &Peers, scout: &mut system::Scout) {
        self.named = peers.named;
        self.servers.retain(|address, _| peers.servers.contains(address));
        self.references.retain(|address, _| peers.references.contains(address));
        for address in &peers.servers {
            self.servers.entry(*address).or_insert_with(|| scout.hop(*address));
        }
        for address in &peers.references {
            self.references.entry(*address).or_insert_with(|| scout.hop(*address));
        }
    }

    fn difference(&self, other: &Self) -> Difference {
        type Hops = BTreeMap<SocketAddr, Option<system::Hop>>;
        let differ = |one: &Hops, other: &Hops| {
            one.iter().any(|(address, hop)| other.get(address).is_some_and(|known| known != hop))
        };
        let everywhere = self.everywhere != other.everywhere;
        if differ(&self.references, &other.references) || (everywhere && (self.named || other.named)) {
            Difference::References
        } else if everywhere || differ(&self.servers, &other.servers) {
            Difference::Elsewhere
        } else {
            Difference::None
        }
    }

    fn hops(&self) -> impl Iterator<Item = &system::Hop> {
        self.everywhere.iter().chain(self.servers.values()).chain(self.references.values()).flatten()
    }
}

/// Watches the interfaces.
pub(crate) struct Interfaces {
    watch: Option<system::Watch>,
    seen: Picture,
    /// The last that was usable.
    known: Option<Picture>,
    begins_unplugged: bool,
    /// When to look what the change has come to.
    look: Option<Moment>,
}

/// What has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interfered {
    /// Ways to the reference servers, or all there are.
    Changed,
    /// Other ways.
    Elsewhere,
    /// Nothing: they were away for a while.
    Returned,
    /// No address beyond this machine and this link is left.
    Gone,
}

impl Interfaces {
    /// Begins to watch; a system that does not tell is watched by nobody.
    pub(crate) fn new(sleep: &Sleep) -> io::Result<Self> {
        let (watch, seen) = (system::Watch::new(sleep)?, Picture::now(&Peers::default()));
        let known = seen.is_usable.then(|| seen.clone());
        let begins_unplugged = known.is_none() && system::Cover::now().is_unplugged;
        Ok(Self { watch, seen, known, begins_unplugged, look: None })
    }

    /// Whether all there is to begin with is a network that is not plugged in.
    pub(crate) fn begins_unplugged(&self) -> bool {
        self.begins_unplugged
    }

    /// When [`change`](Self::change) wants to be asked.
    pub(crate) fn deadline(&self) -> Option<Moment> {
        self.look
    }

    /// Hears what the system told before the last sleep ended.
    pub(crate) fn hear(&mut self, sleep: &Sleep, clock: Clock) {
        if self.watch.as_mut().is_some_and(|watch| watch.has_told(sleep)) {
            self.look.get_or_insert(clock.now() + DEBOUNCE);
        }
    }

    /// Looks at the ways to new peers.
    pub(crate) fn learn(&mut self, peers: &mut Peers) {
        if std::mem::take(&mut peers.grown) && self.watch.is_some() {
            let mut scout = system::Scout::new();
            self.seen.learn(peers, &mut scout);
            if self.seen.is_usable {
                self.known = Some(self.seen.clone());
            }
        }
    }

    /// What has changed. The kernel also tells of what is only confirmed, as each router advertisement does, and of what is of
    /// no concern, as the networks of containers are: that is none.
    pub(crate) fn change(&mut self, now: Moment, peers: &Peers) -> Option<Interfered> {
        if self.look.is_none_or(|look| look > now) {
            return None;
        }
        self.look = None;
        let interrupted = self.watch.as_mut().is_some_and(|watch| watch.interrupted(self.seen.hops()));
        let was_usable = std::mem::replace(&mut self.seen, Picture::now(peers)).is_usable;
        if !self.seen.is_usable {
            return was_usable.then_some(Interfered::Gone);
        }
        let known = self.known.replace(self.seen.clone());
        match known.map(|known| known.difference(&self.seen)) {
            None | Some(Difference::References) => Some(Interfered::Changed),
            Some(Difference::Elsewhere) if was_usable => Some(Interfered::Elsewhere),
            Some(Difference::Elsewhere) => Some(Interfered::Changed),
            Some(Difference::None) if was_usable && !interrupted => None,
            Some(Difference::None) => Some(Interfered::Returned),
        }
    }
}

/// Whether an address leads beyond this machine and this link.
#[cfg(any(target_os = "linux", windows, target_vendor = "apple"))]
fn leads_out(address: IpAddr) -> bool {
    let is_link_local = match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    !(is_link_local || address.is_loopback() || address.is_unspecified())
}
