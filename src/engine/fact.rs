//! What the attachment lets the other parts know.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;

use crate::settings::Server;
use crate::types::{CertificatePolicyId, Medium, Proof, ServerId};

/// What the other parts learn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fact {
    /// The agent is attached to another server than before.
    Attached { server: ServerId },
    /// It is attached to none.
    Detached,
    /// A heartbeat exchange with the server in use succeeded. `peer`: where it is, unless a proxy led there. `medium`:
    /// what it ran over, unless the network changed meanwhile. `is_named`: the settings of `policy` named it in the list in force.
    Proved {
        server: Arc<Server>,
        policy: CertificatePolicyId,
        proof: Proof,
        peer: Option<IpAddr>,
        medium: Option<Medium>,
        is_named: bool,
    },
    /// A search through the list in force found no server. `attached`: beside the server in use, because the settings no longer
    /// name that. `tried`: a server was asked.
    SearchFailed { attached: bool, tried: bool },
    /// The event stream had been open, and is gone.
    StreamLost,
    /// The machine or its network woke up: look soon whether the server is still there.
    Refresh { resumed: bool },
}

/// Facts in the order they came about; one input causes only a few.
#[derive(Debug)]
pub(super) struct Facts(VecDeque<Fact>);

/// An attach has two. What more needed is given back.
const ROOM: usize = 2;

impl Default for Facts {
    fn default() -> Self {
        Self(VecDeque::with_capacity(ROOM))
    }
}

impl Facts {
    pub(super) fn add(&mut self, fact: Fact) {
        self.0.push_back(fact);
    }

    pub(super) fn poll(&mut self) -> Option<Fact> {
        let oldest = self.0.pop_front();
        if oldest.is_none() && self.0.capacity() > ROOM {
            self.0.shrink_to(ROOM);
        }
        oldest
    }
}
