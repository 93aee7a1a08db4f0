//! The server in use, and what is under way with it.

use std::net::IpAddr;
use std::time::Duration;

use super::Tuning;
use super::attempt::{Attempt, Link};
use super::race::Race;
use super::roster::Member;
use crate::engine::{Whereabouts, Why};
use crate::words::{CertificatePolicyId, Moment, Proof, Route, SettingsId};

/// The one server the agent is attached to.
#[derive(Debug)]
pub(super) struct Active {
    /// As the list named it when the agent attached.
    pub(super) member: Member,
    pub(super) policy: CertificatePolicyId,
    /// Whether the list in force names it; if not, another is being looked for.
    pub(super) listed: bool,
    pub(super) since: Moment,
    /// How its last answer came.
    pub(super) reached: Reached,
    /// The connection kept for the next exchange.
    pub(super) link: Option<Link>,
    pub(super) talk: Talk,
    /// The next exchange with it comes at this time, and not before. Moving elsewhere does not wait for it.
    pub(super) again: Option<Again>,
    /// A beat fell due while another server was tried.
    pub(super) beat_waits: bool,
    /// The agent means to leave it.
    pub(super) leave: Option<Leave>,
    pub(super) patience: FirstBytes,
    /// The agent came here as to a better server, and may yet find out that it is none.
    pub(super) on_probation: bool,
    /// The beat under way asks on a fresh link whether another server answers that does not drain.
    pub(super) fresh_look: bool,
}

/// How a server was reached, and what it proved.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reached {
    /// `None` behind a proxy.
    pub(super) address: Option<IpAddr>,
    pub(super) route: Route,
    pub(super) proof: Proof,
}

impl Reached {
    pub(super) fn by(link: &Link) -> Self {
        Self { address: link.address, route: link.route, proof: link.proof }
    }
}

/// The same server once more, on a fresh link.
#[derive(Clone, Copy, Debug)]
pub(super) struct Again {
    pub(super) at: Moment,
    /// A connection broke, and this is the one fresh link it is given.
    pub(super) retried: bool,
}

/// What is under way with the server in use, or beside it.
#[derive(Debug)]
pub(super) enum Talk {
    Quiet,
    Beat {
        attempt: Attempt,
        retried: bool,
        doubted: bool,
    },
    /// Others are tried. The race may include an attempt on this server.
    Racing(Box<Race>),
}

/// The agent means to leave the server in use for another, new link first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leave {
    pub(super) at: Moment,
    pub(super) why: Why,
    /// How often nobody else was found.
    pub(super) tries: u8,
}

impl Leave {
    pub(super) const fn new(at: Moment, why: Why) -> Self {
        Self { at, why, tries: 0 }
    }
}

impl Active {
    pub(super) fn record(&self) -> usize {
        self.member.record.into()
    }

    /// Where it is, for the application.
    pub(super) fn whereabouts(&self) -> Whereabouts {
        let Reached { address, route, proof } = self.reached;
        Whereabouts {
            host: self.member.server.host.clone(),
            port: self.member.server.port,
            address,
            route,
            proof,
        }
    }

    /// Whether it, or an attempt beside it, is dialled under a policy of these settings.
    pub(super) fn refers_to(&self, settings: SettingsId) -> bool {
        let beside = match &self.talk {
            Talk::Quiet => false,
            Talk::Beat { attempt, .. } => attempt.refers_to(settings),
            Talk::Racing(race) => race.refers_to(settings),
        };
        beside || self.policy.settings == settings
    }

    /// Whether another is looked for because nothing is delivered.
    pub(super) fn is_unfed(&self) -> bool {
        self.leave.is_some_and(|leave| leave.why == Why::Unfed)
    }

    /// The exchange that is under way with it, if one is.
    pub(super) fn take_exchange(&mut self) -> Option<Attempt> {
        match &mut self.talk {
            Talk::Beat { attempt, .. } if attempt.is_exchanging() => {
                let Talk::Beat { attempt, .. } = std::mem::replace(&mut self.talk, Talk::Quiet) else {
                    return None;
                };
                Some(attempt)
            }
            Talk::Racing(race) => race.take_incumbent_exchange(),
            Talk::Quiet | Talk::Beat { .. } => None,
        }
    }

    /// When a beat has gone without a sign of life for so long that others are tried beside it, and why.
    pub(super) fn doubt_at(&self, stagger: Duration, tuning: &Tuning) -> Option<(Moment, Why)> {
        let Talk::Beat { attempt, doubted: false, .. } = &self.talk else {
            return None;
        };
        let silent = attempt.unanswered_since().map(|since| since + self.patience.limit(tuning));
        let fresh = attempt.fresh_until(tuning);
        match (silent, fresh) {
            (Some(silent), fresh) => Some((silent.max(fresh.unwrap_or_default()), Why::ServerSilent)),
            (None, None) => Some((attempt.started + stagger, Why::ServerSlow)),
            // Once an answer has begun, only its own limit ends it.
            (None, Some(_)) if attempt.is_answering() => None,
            (None, Some(fresh)) => Some((fresh, Why::ServerSlow)),
        }
    }
}

/// How long the server usually takes to begin an answer: the last ten times, in milliseconds.
#[derive(Clone, Debug, Default)]
pub(super) struct FirstBytes {
    times: [u16; 10],
    count: u8,
    next: u8,
}

impl FirstBytes {
    pub(super) fn record(&mut self, time: Duration) {
        let milliseconds = u16::try_from(time.as_millis()).unwrap_or(u16::MAX);
        if let Some(slot) = self.times.get_mut(usize::from(self.next)) {
            *slot = milliseconds;
        }
        self.next = (self.next + 1) % self.times.len() as u8;
        self.count = (self.count + 1).min(self.times.len() as u8);
    }

    /// How long silence is borne.
    pub(super) fn limit(&self, tuning: &Tuning) -> Duration {
        let sum: u32 = self.times.iter().map(|&time| u32::from(time)).sum();
        let mean = match u32::from(self.count) {
            0 => tuning.first_byte_unknown,
            count => Duration::from_millis((sum / count).into()),
        };
        (mean * 4 + tuning.silence_margin).max(tuning.silence_least).min(tuning.silence_most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_follows_the_last_ten_answers_within_bounds() {
        let tuning = Tuning::default();
        let mut times = FirstBytes::default();
        let seconds = |times: &FirstBytes| times.limit(&tuning).as_secs_f64();
        assert_eq!(seconds(&times), 2.0, "4 × 250 ms + 1 s");
        times.record(Duration::from_millis(500));
        assert_eq!(seconds(&times), 3.0);
        for _ in 0..10 {
            times.record(Duration::from_secs(60));
        }
        assert_eq!(seconds(&times), 10.0);
        for _ in 0..10 {
            times.record(Duration::from_millis(1));
        }
        assert_eq!(seconds(&times), 2.0);
    }
}
