//! The server in use, and what is under way with it.

use std::net::IpAddr;

use super::race::Race;
use super::ranked_servers::Member;
use crate::engine::context::Context;
use crate::engine::owners::Owner;
use crate::engine::session::{Attempt, Heartbeat, Link, Reader, Stream, Upload};
use crate::engine::tuning::attachment::Tuning;
use crate::engine::{Ending, Reason, Whereabouts};
use crate::types::{CertificatePolicyId, Moment, Proof, Route, SettingsId};

/// The one server the agent is attached to.
#[derive(Debug)]
pub(super) struct Active {
    /// As the list named it when the agent attached.
    pub(super) member: Member,
    /// Of the settings that named it last.
    pub(super) policy: CertificatePolicyId,
    /// Whether the list in force names it; if not, another is being looked for.
    pub(super) listed: bool,
    /// Whether a list in force has named it since the agent attached.
    pub(super) is_named: bool,
    pub(super) since: Moment,
    /// How its last answer came.
    pub(super) reached: Reached,
    pub(super) heartbeat: Heartbeat,
    /// The event stream of push mode.
    pub(super) stream: Option<Box<Stream>>,
    /// Reads the settings and the policy.
    pub(super) reader: Reader,
    pub(super) upload: Upload,
    /// Others are tried. The search may include an attempt on this server.
    pub(super) search: Option<Box<Race>>,
    /// The agent means to leave it.
    pub(super) leave: Option<Leave>,
    /// The agent came here as to a better server, and may yet find out that it is none.
    pub(super) on_probation: bool,
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

/// The agent means to leave the server in use for another, new link first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leave {
    pub(super) at: Moment,
    pub(super) reason: Reason,
    /// How often nobody else was found.
    pub(super) tries: u8,
}

impl Leave {
    pub(super) const fn new(at: Moment, reason: Reason) -> Self {
        Self { at, reason, tries: 0 }
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
        self.policy.settings == settings
            || self.heartbeat.refers_to(settings)
            || self.reader.refers_to(settings)
            || self.upload.refers_to(settings)
            || self.stream.as_ref().is_some_and(|stream| stream.refers_to(settings))
            || self.search.as_ref().is_some_and(|race| race.refers_to(settings))
    }

    /// When a read begins or has taken too long. What is uploaded before documents is waited for, and so is a registration.
    pub(super) fn reader_deadline(&self, registers: bool, tuning: &Tuning) -> Option<Moment> {
        let waits = (registers || self.upload.is_under_way()) && !self.reader.is_reading();
        if waits { None } else { self.reader.deadline(tuning) }
    }

    /// The kept link, for another request that gives it back.
    pub(super) fn lend_link(&mut self, now: Moment) -> Option<Link> {
        self.heartbeat.link().filter(|link| !link.has_ended(now))?;
        self.heartbeat.lend_link()
    }

    /// The kept link is not worth keeping for the next heartbeat. A stream that is about to begin has use for it.
    pub(super) fn part_with_link(&mut self, cx: &mut Context<'_>) {
        let Some(link) = self.heartbeat.lend_link() else {
            return;
        };
        let stream = self.stream.as_mut();
        if stream.is_some_and(|stream| stream.takes_over(cx.now, cx.tuning, link)) {
            cx.queue.hand_over(link.id.0, Owner::Stream);
        } else {
            cx.queue.close(link.id, Ending::Idle);
        }
    }

    /// Whether nothing is under way with it or beside it, the stream aside.
    pub(super) fn is_quiet(&self) -> bool {
        !self.heartbeat.is_under_way() && self.search.is_none()
    }

    /// Whether another is looked for because nothing is delivered.
    pub(super) fn is_unfed(&self) -> bool {
        self.leave.is_some_and(|leave| leave.reason == Reason::Unfed)
    }

    /// The exchange that is under way with it goes on in other hands.
    pub(super) fn hand_exchange_over(&mut self, cx: &mut Context<'_>, to: Owner) -> Option<Attempt> {
        match &mut self.search {
            Some(race) => {
                let mut attempt = race.take_incumbent_exchange()?;
                attempt.hand_over(cx, to);
                Some(attempt)
            }
            None => self.heartbeat.hand_exchange_over(cx, to),
        }
    }
}
