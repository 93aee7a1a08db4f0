//! What distinguishes the new settings from the old, and what that means for everything that is under way.

use std::sync::Arc;
use std::time::Duration;

use super::active::{Active, Leave};
use super::race::Race;
use super::ranked_servers::{ByRecord, Member};
use crate::engine::context::Context;
use crate::engine::session::{Registering, Try};
use crate::engine::{Ending, Reason};
use crate::settings::{Server, Settings};
use crate::types::SettingsId;

/// See the module.
pub(super) struct Change<'a> {
    pub(super) old_settings: &'a Settings,
    pub(super) new_settings: &'a Settings,
    /// The id of the new settings.
    pub(super) version: SettingsId,
    /// Where each old record went.
    pub(super) moved: &'a [Option<usize>],
    /// The new list.
    pub(super) listed: ByRecord<'a>,
}

impl Change<'_> {
    pub(super) fn record(&self, old: usize) -> Option<usize> {
        self.moved.get(old).copied().flatten()
    }

    pub(super) fn policies_agree(&self, new: u16, old: u16) -> bool {
        let new = self.new_settings.policies().get(usize::from(new));
        new.is_some() && new == self.old_settings.policies().get(usize::from(old))
    }

    /// The same server at the same place under the same policy: a link to one is a link to the other.
    pub(super) fn stays(&self, member: &Member) -> Option<Member> {
        let listed = self.listed.of_record(self.record(member.record.into())?)?;
        let (new, old) = (&listed.server, &member.server);
        (is_same_place(new, old) && self.policies_agree(new.policy, old.policy)).then(|| listed.clone())
    }

    /// The same server and policy at another place: an attempt that is under way may end, so that settings that change
    /// faster than a server answers do not keep the agent from attaching.
    fn moves(&self, member: &Member) -> Option<Member> {
        let listed = self.listed.of_record(self.record(member.record.into())?)?;
        self.policies_agree(listed.server.policy, member.server.policy).then(|| Member {
            server: Arc::new(Server {
                policy: listed.server.policy,
                number: listed.server.number,
                ..(*member.server).clone()
            }),
            ..listed.clone()
        })
    }

    /// Whether a server is the same, at the same place of the list.
    pub(super) fn leaves_in_place(&self, member: &Member) -> bool {
        self.stays(member)
            .is_some_and(|listed| listed.priority == member.priority && listed.rank == member.rank)
    }

    /// Attempts on servers that are still named go on; the others end without a charge.
    pub(super) fn apply_to_race(&self, cx: &mut Context<'_>, race: &mut Race) {
        race.incumbent = race.incumbent.and_then(|record| self.record(record));
        race.runners.retain_mut(|runner| {
            match self.stays(&runner.member).or_else(|| self.moves(&runner.member)) {
                Some(member) => {
                    runner.attempt.target.renumber(member.record.into(), &member.server, self.version);
                    runner.member = member;
                    true
                }
                None => {
                    runner.give_up(cx, Ending::Reconfigured);
                    false
                }
            }
        });
    }

    /// A search beside the server in use goes on when it runs beside a conversation with a server that stays. Where the
    /// agent meant to move, and from where, is decided anew.
    pub(super) fn apply_to_search(&self, cx: &mut Context<'_>, active: &mut Active) {
        let stays = self.stays(&active.member).is_some();
        let Some(race) = &mut active.search else {
            return;
        };
        if race.incumbent.is_some() && stays {
            self.apply_to_race(cx, race);
            race.renumber_failures(|_| None);
            return;
        }
        let owed = active.heartbeat.take_owed();
        if race.incumbent.is_some() || owed {
            active.heartbeat.plan(cx.now, Try::First);
        }
        for mut runner in race.runners.drain(..) {
            runner.give_up(cx, Ending::Reconfigured);
        }
        active.search = None;
    }

    /// What is under way with the server in use is called by its new number.
    pub(super) fn apply_to_attempts(
        &self,
        cx: &mut Context<'_>,
        active: &mut Active,
        registering: Option<&mut Registering>,
    ) {
        let record = self.record(active.record()).unwrap_or_default();
        let still_listed = self.stays(&active.member);
        let stream = active.stream.as_mut().and_then(|stream| stream.attempt_mut());
        let read = active.reader.attempt_mut();
        let upload = active.upload.reconfigured(cx);
        let registration = registering.map(|registering| &mut registering.attempt);
        let beat = active.heartbeat.attempt_mut().into_iter();
        for attempt in beat.chain(stream).chain(read).chain(upload).chain(registration) {
            match &still_listed {
                Some(member) => attempt.target.renumber(record, &member.server, self.version),
                None => attempt.target.record = record,
            }
        }
    }

    /// The server in use stays, or is left.
    pub(super) fn apply_to_server_in_use(&self, cx: &mut Context<'_>, active: &mut Active) {
        let record = self.record(active.record());
        if let Some(member) = self.stays(&active.member) {
            active.listed = true;
            active.policy = cx.in_force.certificate_policy(member.server.policy);
            active.is_named = true;
            active.member = member;
            active.leave = active.leave.filter(|leave| leave.reason != Reason::NewSettings);
            return;
        }
        // Under another policy, or at another address: the place itself may be as it was.
        let here = record.and_then(|record| self.listed.of_record(record));
        let judged_anew = here.is_some_and(|listed| listed.is_same_place(&active.member));
        active.listed = false;
        active.member.record = u16::try_from(record.unwrap_or_default()).unwrap_or(u16::MAX);
        active.member.priority = u16::MAX;
        // Other settings reach a fleet in one second. What is to be verified afresh is, at once; one that is no longer
        // named is left within a minute, and keeps the moment drawn first.
        let planned = active.leave.filter(|leave| leave.reason == Reason::NewSettings && !judged_anew);
        active.leave = planned.or_else(|| {
            let spread = cx.tuning.attachment.settings_spread;
            let wait = if judged_anew { Duration::ZERO } else { cx.rng.up_to(spread) };
            Some(Leave::new(cx.now + wait, Reason::NewSettings))
        });
    }
}

pub(super) fn is_same_place(new: &Server, old: &Server) -> bool {
    new.host == old.host && new.port == old.port && new.protocol == old.protocol
}
