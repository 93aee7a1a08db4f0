//! What comes from outside: the network, suspend, and what the application asks for.

use super::{Attachment, Pause, Phase};
use crate::engine::context::Context;
use crate::engine::fact::Fact;
use crate::engine::session::Routes;
use crate::engine::{Ending, NetworkChange, Reason};
use crate::types::NetworkId;

impl Attachment {
    // --- the world ---

    pub(in crate::engine) fn network_changed(&mut self, cx: &mut Context<'_>, change: NetworkChange) {
        self.servers.forget_network(cx.now, change);
        // Whether a server was the better one says nothing of another network.
        if let (Phase::Attached(active), NetworkChange::Changed) = (&mut self.phase, change) {
            active.on_probation = false;
            self.failback.forget_network();
        }
        if change == NetworkChange::Changed {
            self.ladders.elsewhere(cx.now);
            if let Some(stream) = self.active_mut().and_then(|active| active.stream.as_mut()) {
                stream.ladder.elsewhere(cx.now);
            }
        }
        match (&self.phase, change) {
            (
                Phase::Searching(_) | Phase::Paused { cause: Pause::Waiting | Pause::Captive, .. },
                NetworkChange::Gone,
            ) => self.transition_to_no_network(cx, Reason::NoNetwork),
            (_, NetworkChange::Gone) => {}
            (_, NetworkChange::Changed | NetworkChange::Elsewhere | NetworkChange::Returned) => {
                self.wake(cx, Reason::NetworkChanged)
            }
        }
    }

    /// The machine is on this network, or the driver cannot tell on which.
    pub(in crate::engine) fn arrive(&mut self, network: Option<NetworkId>) {
        self.servers.arrive(network);
    }

    pub(in crate::engine) fn resumed(&mut self, cx: &mut Context<'_>) {
        self.hunger.slept(cx.now);
        self.wake(cx, Reason::Resumed);
    }

    /// Links made before are worth nothing, and waiting may have lost its reason. Nobody is charged.
    fn wake(&mut self, cx: &mut Context<'_>, reason: Reason) {
        self.close_call_links(cx, Ending::Stale);
        self.give_registration_up(cx, Ending::Stale);
        if let Some(registrar) = &mut self.registrar {
            registrar.await_heartbeat();
        }
        match &mut self.phase {
            Phase::Attached(active) => {
                if let Some(mut race) = active.search.take() {
                    self.servers.disband(cx, &mut race, Ending::Stale);
                }
                active.heartbeat.give_up(cx, Ending::Stale);
                active.reader.give_up(cx, Ending::Stale);
                active.upload.give_up(cx, Ending::Stale);
                if let Some(stream) = &mut active.stream {
                    stream.rest(cx, Ending::Stale);
                }
                self.failback.drop_probes(cx);
                self.facts.add(Fact::Refresh { resumed: reason == Reason::Resumed });
            }
            Phase::Searching(race) => {
                race.network_changed();
                self.rearm(cx, reason);
            }
            // Servers that rejected the agent do so on every network.
            Phase::Paused { cause: Pause::Rejected, .. } => {}
            Phase::Paused { .. } => self.rearm(cx, reason),
            Phase::Starting { .. } | Phase::Disabled | Phase::Stopping { .. } | Phase::Stopped => {}
        }
    }

    /// Tries again soon, but not more often than links flap.
    fn rearm(&mut self, cx: &mut Context<'_>, reason: Reason) {
        let tuning = &cx.tuning.attachment;
        let earliest = self.rearmed.map_or(cx.now, |last| (last + tuning.rearm_interval).max(cx.now));
        let until = earliest + cx.rng.up_to(tuning.rearm_spread);
        match self.phase {
            Phase::Paused { until: planned, .. } if planned <= until => return,
            // A search that is young enough to have begun on this network goes on.
            Phase::Searching(_) if earliest > cx.now => return,
            Phase::Starting { .. }
            | Phase::Disabled
            | Phase::Searching(_)
            | Phase::Attached(_)
            | Phase::Paused { .. }
            | Phase::Stopping { .. }
            | Phase::Stopped => {}
        }
        self.rearmed = Some(until);
        self.transition_to_waiting(cx, until, reason);
    }

    // --- commands ---

    /// Other ways lead to the servers from now on.
    pub(in crate::engine) fn set_routes(&mut self, cx: &mut Context<'_>, routes: Routes) {
        if !self.servers.set_routes(routes) {
            return;
        }
        self.memorable = true;
        // No way leads anywhere without a network.
        if !matches!(self.phase, Phase::Paused { cause: Pause::NoNetwork, .. }) {
            self.wake(cx, Reason::RoutesChanged);
        }
    }

    /// A heartbeat now, or an attempt to attach now.
    pub(in crate::engine) fn beat_now(&mut self, cx: &mut Context<'_>) {
        match self.phase {
            Phase::Attached(_) => self.beat(cx),
            Phase::Starting { .. } | Phase::Paused { .. } => {
                self.pardon_refusals(cx);
                self.search(cx, Reason::Asked);
            }
            Phase::Searching(_) | Phase::Disabled | Phase::Stopping { .. } | Phase::Stopped => {}
        }
    }

    /// What was refused to the old credentials was not refused to these. Whoever waited for nothing else
    /// tries at once.
    pub(in crate::engine) fn new_credentials(&mut self, cx: &mut Context<'_>) {
        let refused = self.pardon_refusals(cx);
        if let Some(registrar) = &mut self.registrar {
            registrar.new_credentials(cx.now, &cx.tuning.attachment);
        }
        match self.phase {
            Phase::Paused { cause: Pause::Rejected, .. } => self.search(cx, Reason::NewCredentials),
            Phase::Paused { cause: Pause::Waiting, .. } if refused => self.search(cx, Reason::NewCredentials),
            Phase::Searching(_) => self.credentials_changed = true,
            Phase::Attached(ref active) => self.credentials_changed = !active.is_quiet(),
            Phase::Starting { .. }
            | Phase::Paused { .. }
            | Phase::Disabled
            | Phase::Stopping { .. }
            | Phase::Stopped => {}
        }
    }
}
