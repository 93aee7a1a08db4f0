//! The network interfaces of this machine: whether there is a usable network, which ways lead through a tunnel, and when
//! any of that changes.
//!
//! On Linux the kernel tells of changes on a socket of the client's loop. Elsewhere nobody does yet: the product says
//! [`network_changed`](crate::client::Client::network_changed).

use std::io;
use std::net::IpAddr;

use mio::{Registry, Token};

use crate::words::Moment;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
use linux as system;

#[cfg(not(target_os = "linux"))]
mod silent;
#[cfg(not(target_os = "linux"))]
use silent as system;

pub(crate) use system::is_tunnel;

/// Addresses, routes and links change one after the other; what comes within this is one change.
const DEBOUNCE: std::time::Duration = std::time::Duration::from_millis(250);

/// Watches the interfaces.
pub(crate) struct Interfaces {
    watch: Option<system::Watch>,
    seen: system::Picture,
    /// When to look what the change has come to.
    look: Option<Moment>,
}

/// What has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interfered {
    /// Other addresses or ways than before.
    Changed,
    /// No address beyond this machine and this link is left.
    Gone,
}

impl Interfaces {
    /// Begins to watch; a system that does not tell is watched by nobody.
    pub(crate) fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        Ok(Self { watch: system::Watch::new(registry, token)?, seen: system::Picture::now(), look: None })
    }

    /// When [`change`](Self::change) wants to be asked.
    pub(crate) fn deadline(&self) -> Option<Moment> {
        self.look
    }

    /// The system has told of something.
    pub(crate) fn ready(&mut self, now: Moment) {
        if self.watch.as_mut().is_some_and(system::Watch::drain) {
            self.look.get_or_insert(now + DEBOUNCE);
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
        Some(if self.seen.is_usable() { Interfered::Changed } else { Interfered::Gone })
    }
}

/// Whether an address leads beyond this machine and this link.
#[cfg(target_os = "linux")]
fn leads_out(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            !address.is_loopback() && !address.is_link_local() && !address.is_unspecified()
        }
        IpAddr::V6(address) => {
            !address.is_loopback() && !address.is_unicast_link_local() && !address.is_unspecified()
        }
    }
}
