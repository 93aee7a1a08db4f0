//! What every part is lent while it handles an input.

use std::time::Duration;

use super::guard::{Guard, Present};
use super::in_force::InForce;
use super::network::Network;
use super::queue::Queue;
use super::rng::Rng;
use super::{Action, Event, Tuning};
use crate::types::Moment;

/// The time, the dice, the constants, the settings, and a place for what is decided.
pub(super) struct Context<'a> {
    pub(super) now: Moment,
    pub(super) rng: &'a mut Rng,
    pub(super) queue: &'a mut Queue,
    pub(super) tuning: &'a Tuning,
    pub(super) in_force: &'a InForce,
    /// What is thought of the network; asked whom to blame, and told when somebody answers.
    pub(super) network: &'a mut Network,
    /// Counts every dial, and says when the next may be made.
    pub(super) guard: &'a mut Guard,
}

impl Context<'_> {
    /// What says when a server may be dialled.
    pub(super) fn present(&self) -> Present<'_> {
        Present { now: self.now, guard: self.guard, tuning: &self.tuning.attachment }
    }

    /// T: the longest gap between heartbeats.
    pub(super) fn interval(&self) -> Duration {
        self.tuning.scale(self.in_force.effective().heartbeat_interval.value)
    }

    pub(super) fn act(&mut self, action: Action) {
        self.queue.act(action);
    }

    pub(super) fn emit(&mut self, event: Event) {
        self.queue.emit(event);
    }
}
