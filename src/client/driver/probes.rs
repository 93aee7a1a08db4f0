//! Questions to reference servers. They are no links: nothing can be said on one.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::net::{IpAddr, SocketAddr};

use mio::Registry;

use crate::engine::Reached;
use crate::net::{Probe, SocketHook};
use crate::trust::Prepared;
use crate::types::{Failure, Host, Moment, ProbeId};

/// See the module.
pub(super) struct Probes {
    hook: Option<SocketHook>,
    probes: BTreeMap<ProbeId, Probe>,
    /// Those that may have something to do at once.
    pending: BTreeSet<ProbeId>,
}

impl Probes {
    pub(super) fn new(hook: Option<SocketHook>) -> Self {
        Self { hook, probes: BTreeMap::new(), pending: BTreeSet::new() }
    }

    pub(super) fn is_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Begins a question; with `security` it makes a handshake, `like` says by whose interface it is asked.
    pub(super) fn begin(
        &mut self,
        id: ProbeId,
        to: SocketAddr,
        security: Option<(Prepared, Host)>,
        like: Option<IpAddr>,
        now: Moment,
    ) {
        self.probes.insert(id, Probe::new(id, to, security, like, self.hook.clone(), now));
        self.pending.insert(id);
    }

    /// The socket of this probe may be ready.
    pub(super) fn ready(&mut self, id: ProbeId) {
        if let Some(probe) = self.probes.get_mut(&id) {
            probe.ready();
            self.pending.insert(id);
        }
    }

    /// Looks at those that may have moved. Returns the answers.
    pub(super) fn step(
        &mut self,
        registry: &Registry,
        now: Moment,
    ) -> Vec<(ProbeId, Result<Reached, Failure>)> {
        let mut answers = Vec::new();
        for id in mem::take(&mut self.pending) {
            let Some(probe) = self.probes.get_mut(&id) else { continue };
            if let Some(answer) = probe.step(registry, now) {
                self.probes.remove(&id);
                answers.push((id, answer.map(|(proof, via)| Reached { proof, via })));
            }
        }
        answers
    }

    pub(super) fn cancel(&mut self, id: ProbeId) {
        self.probes.remove(&id);
    }
}
