//! A connection that stands.

use std::net::IpAddr;

use crate::settings::Server;
use crate::types::{Host, LinkId, Medium, Proof, Route};

/// A connection that stands, and what its other end has proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) struct Link {
    pub(in crate::engine) id: LinkId,
    /// The server's address; `None` behind a proxy.
    pub(in crate::engine) address: Option<IpAddr>,
    pub(in crate::engine) route: Route,
    /// Another endpoint of the server was reached before, and failed.
    pub(in crate::engine) is_detour: bool,
    pub(in crate::engine) proof: Proof,
    /// What it ran over when it was made.
    pub(in crate::engine) medium: Medium,
    /// The network changed, or the machine slept, since it was made: what it runs over now is not known.
    pub(in crate::engine) is_stale: bool,
}

impl Link {
    /// Where the server's name led; `None` for a literal address, and when a proxy looked it up.
    pub(in crate::engine) fn looked_up(&self, server: &Server) -> Option<IpAddr> {
        self.address.filter(|_| matches!(server.host, Host::Name(_)))
    }
}
