//! A connection that stands.

use std::net::IpAddr;

use crate::engine::context::Context;
use crate::settings::Server;
use crate::types::{Host, LinkId, Medium, Moment, Proof, Route};

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
    /// From then on it is old: its name may lead elsewhere.
    pub(in crate::engine) old_at: Moment,
    /// When the first certificate of its chain ends.
    pub(in crate::engine) ends_at: Moment,
}

impl Link {
    /// When a link that is made now is old. Drawn, so that a fleet that connected together does not look together.
    pub(in crate::engine) fn grows_old_at(cx: &mut Context<'_>) -> Moment {
        let tuning = &cx.tuning.attachment;
        cx.now + cx.rng.between(tuning.link_age_least, tuning.link_age_most)
    }

    /// Where the server's name led; `None` for a literal address, and when a proxy looked it up.
    pub(in crate::engine) fn looked_up(&self, server: &Server) -> Option<IpAddr> {
        self.address.filter(|_| matches!(server.host, Host::Name(_)))
    }

    /// Whether a new look at the server's name may show that it leads elsewhere by now.
    pub(in crate::engine) fn may_have_moved(&self, server: &Server, now: Moment) -> bool {
        self.old_at <= now && matches!(server.host, Host::Name(_))
    }

    /// Whether a certificate that vouches for it has ended.
    pub(in crate::engine) fn has_ended(&self, now: Moment) -> bool {
        self.ends_at <= now
    }
}
