//! Somebody who answers in place of the servers: a portal that waits for a log-in, or worse.
//!
//! Signs come from searches (pages instead of answers, one unknown issuer at several addresses) and from the control of
//! the location. While one stands no server is blamed for it, the search is repeated soon, and nothing is believed more
//! easily than before. One success ends it.

use std::time::Duration;

use super::Reason;
use super::tuning::network::Tuning;
use crate::types::Moment;

/// See the module.
#[derive(Debug)]
pub(super) struct Captive {
    since: Moment,
    /// Since when on this network.
    here: Moment,
    /// What servers showed in the last search.
    servers: Servers,
    /// Whether somebody answered where nobody may.
    control: bool,
    /// On how many networks there were signs, two at most.
    networks: u8,
    /// The network changed since the last sign.
    moved: bool,
}

/// How many servers showed a sign together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Servers {
    #[default]
    None,
    One,
    Several,
}

impl Captive {
    pub(super) fn new(now: Moment) -> Self {
        let (servers, control) = (Servers::None, false);
        Self { since: now, here: now, servers, control, networks: 1, moved: false }
    }

    /// What is thought of it.
    pub(super) fn reason(&self, now: Moment, tuning: &Tuning) -> Reason {
        let long = now.since(self.since);
        if long >= tuning.intercepted || (self.networks > 1 && long >= tuning.captive_soon) {
            return Reason::Intercepted;
        }
        match (self.servers, self.control) {
            (Servers::Several, _) | (Servers::One, true) => Reason::CaptivePortal,
            (Servers::None | Servers::One, _) => Reason::CaptiveSuspected,
        }
    }

    /// How long until the next look, before it is spread: 5, 10, 20, 30 s and so on, later a minute.
    pub(super) fn wait(&self, now: Moment, tuning: &Tuning) -> Duration {
        let here = now.since(self.here);
        if here >= tuning.captive_soon {
            return tuning.captive_late;
        }
        (tuning.captive_first + here).min(tuning.captive_ceiling)
    }

    pub(super) fn is_shown_by_servers(&self) -> bool {
        self.servers != Servers::None
    }

    pub(super) fn saw_servers(&mut self, servers: Servers) {
        self.servers = servers;
        self.saw(servers != Servers::None);
    }

    pub(super) fn saw_control(&mut self, answered: bool) {
        self.control = answered;
        self.saw(answered);
    }

    /// Another network: looks are soon again, and a sign there is one more.
    pub(super) fn network_changed(&mut self, now: Moment) {
        (self.here, self.moved, self.control) = (now, true, false);
    }

    /// Whether nothing speaks for it any more.
    pub(super) fn is_over(&self) -> bool {
        self.servers == Servers::None && !self.control && !self.moved
    }

    fn saw(&mut self, sign: bool) {
        if sign && std::mem::take(&mut self.moved) {
            self.networks = self.networks.saturating_add(1).min(2);
        }
        // A search or a round on this network has said that there is none.
        self.moved &= sign;
    }
}
