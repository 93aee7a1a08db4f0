//! When something is said: instants, and nothing else.
//!
//! The schedule hears facts from the attachment and says when a heartbeat is due. Critical reports and content downloads
//! will have their instants here as well.

mod heartbeat;

use heartbeat::Heartbeat;

use super::context::Context;
use super::fact::Fact;
use crate::settings::Effective;
use crate::types::{AgentId, Moment};

/// See the module.
#[derive(Debug)]
pub(super) struct Schedule {
    heartbeat: Heartbeat,
}

impl Schedule {
    pub(super) fn new(agent: &AgentId, effective: &Effective, cx: &Context<'_>) -> Self {
        let interval = cx.tuning.scale(effective.heartbeat_interval.value);
        Self { heartbeat: Heartbeat::new(agent, interval, cx.now) }
    }

    // --- getters ---

    /// When the next heartbeat is due.
    pub(super) fn next_heartbeat(&self) -> Option<Moment> {
        self.heartbeat.due()
    }

    // --- handle ---

    pub(super) fn reconfigure(&mut self, cx: &mut Context<'_>, agent: &AgentId, effective: &Effective) {
        self.heartbeat.set_interval(cx, agent, cx.tuning.scale(effective.heartbeat_interval.value));
    }

    pub(super) fn hear(&mut self, cx: &mut Context<'_>, fact: Fact) {
        match fact {
            Fact::Attached { server: _ } => self.heartbeat.begin(cx),
            Fact::Detached => self.heartbeat.end(),
            Fact::Proved { .. } => self.heartbeat.proved(cx),
            // A fresh exchange says whether the server is well; the stream follows its success. All of a server's streams
            // are lost together.
            Fact::StreamLost => {
                let tuning = &cx.tuning.attachment;
                self.heartbeat.within(cx, tuning.spread.max(tuning.stream_spread));
            }
            Fact::Refresh { resumed } => self.heartbeat.refresh(cx, resumed),
            Fact::SearchFailed { .. } => {}
        }
    }

    /// Whether a heartbeat is due now.
    pub(super) fn take_heartbeat(&mut self, now: Moment) -> bool {
        self.heartbeat.take_due(now)
    }

    /// A heartbeat was asked for and begun, or was covered by what was under way: the next one is planned.
    pub(super) fn asked(&mut self, cx: &mut Context<'_>) {
        self.heartbeat.plan(cx);
    }
}
