//! The verifiers of all settings that the engine may still refer to, and the clock they judge by.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use crate::client::prepare;
use crate::client::trust_clock::TrustClock;
use crate::engine::Event;
use crate::net::Link;
use crate::trust::{Accepted, Prepared, Timestamp, WallClock};
use crate::types::{Cause, CertificatePolicyId, Failure, Proof, ServerId, SettingsId};

/// See the module.
pub(super) struct Policies {
    policies: BTreeMap<SettingsId, Vec<Prepared>>,
    clock: Arc<TrustClock>,
    /// What the floor of that clock rose to, until it is stored.
    floor: Option<Timestamp>,
    /// Servers whose certificates demand a stapled status, of which the application was told.
    stapled: BTreeSet<ServerId>,
    /// The day on which it was last looked whether the agent's own certificate expires.
    reminded: i64,
}

impl Policies {
    /// The first settings have just been looked at.
    pub(super) fn new(clock: Arc<TrustClock>) -> Self {
        let reminded = day(clock.time().verification());
        Self { policies: BTreeMap::new(), clock, floor: None, stapled: BTreeSet::new(), reminded }
    }

    /// Other settings are in force: what is odd about a certificate is told again.
    pub(super) fn reconfigured(&mut self) {
        self.stapled.clear();
    }

    pub(super) fn take_in(&mut self, id: SettingsId, policies: Vec<Prepared>) {
        self.policies.insert(id, policies);
    }

    pub(super) fn release(&mut self, id: SettingsId) {
        self.policies.remove(&id);
    }

    pub(super) fn get(&self, id: CertificatePolicyId) -> Result<Prepared, Failure> {
        let policies = self.policies.get(&id.settings);
        let policy = policies.and_then(|policies| policies.get(usize::from(id.index)));
        policy
            .cloned()
            .ok_or_else(|| Failure::noted(Cause::TlsFailed, "its certificate policy is not prepared"))
    }

    /// What a handshake shows beside its proof: the floor of the clock may rise, and the application is told this.
    pub(super) fn secured(&mut self, link: &Link, accepted: Accepted) -> Vec<Event> {
        self.floor = self.floor.max(accepted.not_before.filter(|time| self.clock.raise(*time)));
        let mut notices = Vec::new();
        if accepted.proof == Proof::Tcp {
            notices.push(Event::Unverified { server: link.server().id.clone() });
        }
        let server = &link.server().id;
        if accepted.demands_stapling && self.stapled.insert(server.clone()) {
            let told = "its certificate demands a stapled status (tlsFeature), which is not looked at";
            notices.push(Event::SettingsWarning { warning: format!("{server}: {told}") });
        }
        let time = self.clock.time();
        let today = day(time.verification());
        if mem::replace(&mut self.reminded, today) != today {
            let remarks = link.policy().remarks_at(time);
            notices.extend(prepare::told(&remarks).map(|warning| Event::SettingsWarning { warning }));
        }
        notices
    }

    /// For how much longer what is believed now stays so.
    pub(super) fn valid_for(&self, accepted: &Accepted) -> Option<Duration> {
        accepted.valid_for(self.clock.time())
    }

    /// The floor of the clock, if it rose since this was asked.
    pub(super) fn risen_floor(&mut self) -> Option<Timestamp> {
        self.floor.take()
    }
}

fn day(time: Timestamp) -> i64 {
    time.0.div_euclid(86_400)
}
