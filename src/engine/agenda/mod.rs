//! What is said, and when: heartbeats, and the event stream of push mode.
//!
//! The agenda owns instants. It hears facts from the attachment and answers with at most one need:
//! a heartbeat, or a stream. Critical reports and content downloads will stand here as well.

mod heartbeat;
mod push;

use heartbeat::Heartbeat;
use push::Push;

use super::context::Context;
use super::fact::Fact;
use crate::settings::{Effective, Mode};
use crate::words::{AgentId, Moment};

/// See the module.
#[derive(Debug)]
pub(super) struct Agenda {
    heartbeat: Heartbeat,
    push: Option<Box<Push>>,
    /// The settings have just said pull.
    stream_ends: bool,
}

/// What the agenda wants of the attachment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// A heartbeat exchange with the server in use.
    Beat,
    /// An event stream from it.
    Stream,
    /// No event stream any more.
    NoStream,
}

impl Agenda {
    pub(super) fn new(agent: &AgentId, effective: &Effective, cx: &Context<'_>) -> Self {
        let interval = cx.tuning.scale(effective.heartbeat_interval.value);
        let heartbeat = Heartbeat::new(agent, interval, cx.now);
        Self { heartbeat, push: push_for(effective), stream_ends: false }
    }

    // --- getters ---

    pub(super) fn deadline(&self) -> Option<Moment> {
        let push = self.push.as_ref().and_then(|push| push.deadline());
        self.heartbeat.due().into_iter().chain(push).min()
    }

    /// When the next heartbeat is due.
    pub(super) fn next_heartbeat(&self) -> Option<Moment> {
        self.heartbeat.due()
    }

    // --- handle ---

    pub(super) fn reconfigure(&mut self, cx: &mut Context<'_>, agent: &AgentId, effective: &Effective) {
        self.heartbeat.set_interval(cx, agent, cx.tuning.scale(effective.heartbeat_interval.value));
        match (self.push.is_some(), effective.mode.value) {
            (true, Mode::Push) | (false, Mode::Pull) => {}
            (true, Mode::Pull) => {
                self.push = None;
                self.stream_ends = true;
            }
            (false, Mode::Push) => {
                self.push = push_for(effective);
                let attached = self.heartbeat.due().is_some();
                if let Some(push) = self.push.as_mut().filter(|_| attached) {
                    push.want(cx.now);
                }
            }
        }
    }

    pub(super) fn hear(&mut self, cx: &mut Context<'_>, fact: Fact) {
        match fact {
            Fact::Attached { server: _ } => {
                self.heartbeat.begin(cx);
                // A stream that was open ended with the move.
                if let Some(push) = &mut self.push {
                    push.rest();
                }
            }
            Fact::Detached => {
                self.heartbeat.end();
                if let Some(push) = &mut self.push {
                    push.rest();
                }
            }
            Fact::Proved { .. } => {
                self.heartbeat.proved(cx);
                if let Some(push) = &mut self.push {
                    push.want(cx.now);
                }
            }
            Fact::StreamOpened => {
                if let Some(push) = &mut self.push {
                    push.opened(cx.now);
                }
            }
            Fact::StreamLost { was_open } => {
                if let Some(push) = &mut self.push {
                    push.lost(cx);
                }
                // A fresh exchange says whether the server is well; the stream follows its success.
                if was_open {
                    // All of a server's streams are lost together.
                    let tuning = &cx.tuning.attachment;
                    self.heartbeat.within(cx, tuning.spread.max(tuning.stream_spread));
                }
            }
            Fact::StreamDeclined => {
                if let Some(push) = &mut self.push {
                    push.declined(cx);
                }
            }
            Fact::Refresh { resumed } => {
                if let Some(push) = &mut self.push {
                    push.rest();
                }
                self.heartbeat.refresh(cx, resumed);
            }
        }
    }

    /// What is due now.
    pub(super) fn poll_need(&mut self, now: Moment) -> Option<Need> {
        if std::mem::take(&mut self.stream_ends) {
            return Some(Need::NoStream);
        }
        if self.heartbeat.take_due(now) {
            return Some(Need::Beat);
        }
        self.push.as_mut().is_some_and(|push| push.take_due(now)).then_some(Need::Stream)
    }

    /// A beat was asked for and begun, or was covered by what was under way: the next one is planned.
    pub(super) fn asked(&mut self, cx: &mut Context<'_>) {
        self.heartbeat.plan(cx);
    }
}

fn push_for(effective: &Effective) -> Option<Box<Push>> {
    (effective.mode.value == Mode::Push).then(Box::default)
}
