//! The network interfaces of this machine: whether there is a usable network, which ways lead through a tunnel, and when
//! any of that changes.
//!
//! On Linux the kernel tells of changes on a socket of the client's loop. On Windows and Apple's systems netwatcher does, and wakes
//! the loop; elsewhere the product says [`network_changed`](crate::client::Client::network_changed).

use std::io;

use super::{Clock, Sleep};
use crate::words::Moment;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
use linux as system;

#[cfg(any(windows, target_vendor = "apple"))]
mod others;
#[cfg(any(windows, target_vendor = "apple"))]
use others as system;

#[cfg(not(any(target_os = "linux", windows, target_vendor = "apple")))]
mod silent;
#[cfg(not(any(target_os = "linux", windows, target_vendor = "apple")))]
use silent as system;

pub(crate) use system::{is_tunnel, use_way_to};

/// Addresses, routes and links change one after the other; what comes within this is one change.
const DEBOUNCE: std::time::Duration = std::time::Duration::from_millis(250);

/// Watches the interfaces.
pub(crate) struct Interfaces {
    watch: Option<system::Watch>,
    seen: system::Picture,
    /// The last that was usable.
    known: Option<system::Picture>,
    /// When to look what the change has come to.
    look: Option<Moment>,
}

/// What has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interfered {
    /// Other addresses or ways than before.
    Changed,
    /// The same: they were away for a while.
    Returned,
    /// No address beyond this machine and this link is left.
    Gone,
}

impl Interfaces {
    /// Begins to watch; a system that does not tell is watched by nobody.
    pub(crate) fn new(sleep: &Sleep) -> io::Result<Self> {
        let (watch, seen) = (system::Watch::new(sleep)?, system::Picture::now());
        let known = seen.is_usable().then(|| seen.clone());
        Ok(Self { watch, seen, known, look: None })
    }

    /// Whether all there is to begin with is a network that is not plugged in.
    pub(crate) fn begins_unplugged(&self) -> bool {
        self.known.is_none() && self.seen.is_unplugged()
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

    /// What has changed. The kernel also tells of what is only confirmed, as each router advertisement does: that is none.
    pub(crate) fn change(&mut self, now: Moment) -> Option<Interfered> {
        if self.look.is_none_or(|look| look > now) {
            return None;
        }
        self.look = None;
        let picture = system::Picture::now();
        if picture == self.seen {
            return None;
        }
        self.seen = picture;
        if !self.seen.is_usable() {
            return Some(Interfered::Gone);
        }
        let known = self.known.replace(self.seen.clone());
        let same = known.is_some_and(|known| known.is_same_network(&self.seen));
        Some(if same { Interfered::Returned } else { Interfered::Changed })
    }
}

/// Whether an address leads beyond this machine and this link.
#[cfg(any(target_os = "linux", windows, target_vendor = "apple"))]
fn leads_out(address: std::net::IpAddr) -> bool {
    let is_link_local = match address {
        std::net::IpAddr::V4(address) => address.is_link_local(),
        std::net::IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    !(is_link_local || address.is_loopback() || address.is_unspecified())
}
