//! What comes from outside: settings, the network, suspend, and what the application asks for.

use std::sync::Arc;
use std::time::Duration;

use super::active::{Active, Leave};
use super::health::Record;
use super::plan::Criteria;
use super::race::Race;
use super::ranked_servers::{Member, RankedServers};
use super::{Attachment, Phase};
use crate::engine::context::Context;
use crate::engine::fact::Fact;
use crate::engine::owners::Owner;
use crate::engine::session::Try;
use crate::engine::{Ending, NetworkChange, Reason};
use crate::settings::{Effective, Server, Settings};
use crate::types::{FailureClass, Moment, ServerId, SettingsId};

impl Attachment {
    // --- settings ---

    /// Puts a list in force for the first time.
    pub(in crate::engine) fn install(&mut self, cx: &mut Context<'_>, effective: &Effective) {
        let records =
            cx.in_force.settings().servers().iter().map(|id| Record::new(id.clone(), cx.now)).collect();
        self.servers.records = records;
        self.servers.ranked_servers = self.ranked_servers(effective);
        self.follow(cx, effective);
        if !effective.enabled.value {
            self.transition_to_disabled(cx);
        }
    }

    /// What the settings say of how the server in use is talked to.
    fn follow(&mut self, cx: &mut Context<'_>, effective: &Effective) {
        self.set_mode(cx, effective.mode.value);
        self.reads_policies = effective.download_from_management_server.value;
        self.interval = cx.tuning.scale(effective.heartbeat_interval.value);
        self.hunger.set_interval(self.interval, &cx.tuning.attachment);
    }

    /// Other settings than those `before` are in force, or with `None` another location's list of the same settings. A
    /// server in use that is still named stays in use; one that is not is left once another has answered.
    pub(in crate::engine) fn reconfigure(
        &mut self,
        cx: &mut Context<'_>,
        before: Option<&Settings>,
        effective: &Effective,
    ) {
        if matches!(self.phase, Phase::Stopping { .. } | Phase::Stopped) {
            return;
        }
        let in_force = cx.in_force;
        let new_settings = in_force.settings();
        let old_settings = before.unwrap_or(new_settings);
        let old_ranked_servers = std::mem::take(&mut self.servers.ranked_servers);
        let in_use = self.active().map(|active| self.servers.id(active.record()));
        let moved = self.carry_records_over(cx.now, new_settings, in_use);
        self.servers.ranked_servers = self.ranked_servers(effective);
        self.follow(cx, effective);
        let change = Change { old_settings, new_settings, moved: &moved };
        let same = |server: &Server, other: &Server| change.is_same(server, other);

        pardon(&mut self.servers.records, cx.now, &old_ranked_servers, &self.servers.ranked_servers, &change);
        let (ranked_servers, version) = (&self.servers.ranked_servers, in_force.id());
        let stays = |member: &Member| {
            let record = change.record(member.record.into())?;
            ranked_servers.of_record(record).filter(|listed| same(&listed.server, &member.server)).cloned()
        };
        // The same server and policy at another place: an attempt that is under way may end, so that settings that
        // change faster than a server answers do not keep the agent from attaching.
        let moves = |member: &Member| {
            let record = change.record(member.record.into())?;
            let listed = ranked_servers.of_record(record)?;
            change.policies_agree(listed.server.policy, member.server.policy).then(|| Member {
                server: Arc::new(Server { policy: listed.server.policy, ..(*member.server).clone() }),
                ..listed.clone()
            })
        };
        let goes_on = |member: &Member| stays(member).or_else(|| moves(member));
        let unchanged = old_ranked_servers.members().len() == ranked_servers.members().len()
            && old_ranked_servers.members().iter().all(|member| {
                stays(member)
                    .is_some_and(|listed| listed.priority == member.priority && listed.rank == member.rank)
            });

        let interval = cx.tuning.attachment.settings_interval;
        let again_too_soon = self.resettled.is_some_and(|last| last + interval > cx.now);
        match &mut self.phase {
            Phase::Searching(race) => {
                retain(cx, race, &change, version, &goes_on);
                race.renumber_failures(again_too_soon, |record| change.record(record));
                self.resettled = self.resettled.filter(|_| again_too_soon).or(Some(cx.now));
            }
            Phase::Attached(active) => {
                let record = change.record(active.record()).unwrap_or_default();
                let still_listed = stays(&active.member);
                // Under another policy, or at another address: the place itself may be as it was.
                let here =
                    ranked_servers.of_record(record).filter(|_| change.record(active.record()).is_some());
                let judged_anew = here.is_some_and(|listed| listed.is_same_place(&active.member));
                match &mut active.search {
                    None => {}
                    Some(race) if race.incumbent.is_some() && still_listed.is_some() => {
                        retain(cx, race, &change, version, &goes_on);
                        race.renumber_failures(false, |_| None);
                    }
                    // Where the agent meant to move, and from where, is decided anew.
                    Some(race) => {
                        let owed = active.heartbeat.take_owed();
                        if race.incumbent.is_some() || owed {
                            active.heartbeat.plan(cx.now, Try::First);
                        }
                        for mut runner in race.runners.drain(..) {
                            runner.give_up(cx, Ending::Reconfigured);
                        }
                        active.search = None;
                    }
                }
                let stream = active.stream.as_mut().and_then(|stream| stream.attempt_mut());
                let policy = active.policy_read.attempt_mut();
                for attempt in active.heartbeat.attempt_mut().into_iter().chain(stream).chain(policy) {
                    match &still_listed {
                        Some(member) => attempt.target.renumber(record, &member.server, version),
                        None => attempt.target.record = record,
                    }
                }
                self.failback.retain(cx, version, &stays);
                active.listed = still_listed.is_some();
                match still_listed {
                    Some(member) => {
                        active.policy = in_force.certificate_policy(member.server.policy);
                        active.member = member;
                        active.leave = active.leave.filter(|leave| leave.reason != Reason::NewSettings);
                    }
                    None => {
                        active.member.record = u16::try_from(record).unwrap_or(u16::MAX);
                        active.member.priority = u16::MAX;
                        // Other settings reach a fleet in one second. What is to be verified afresh is, at once; one that
                        // is no longer named is left within a minute, and keeps the moment drawn first.
                        let planned =
                            active.leave.filter(|leave| leave.reason == Reason::NewSettings && !judged_anew);
                        active.leave = planned.or_else(|| {
                            let spread = cx.tuning.attachment.settings_spread;
                            let wait = if judged_anew { Duration::ZERO } else { cx.rng.up_to(spread) };
                            Some(Leave::new(cx.now + wait, Reason::NewSettings))
                        });
                    }
                }
            }
            Phase::Starting { .. }
            | Phase::Disabled
            | Phase::Waiting { .. }
            | Phase::NoNetwork { .. }
            | Phase::Captive { .. }
            | Phase::Rejected { .. }
            | Phase::Stopping { .. }
            | Phase::Stopped => {}
        }
        self.after_change(cx, effective.enabled.value, unchanged);
    }

    /// The phase follows the settings.
    fn after_change(&mut self, cx: &mut Context<'_>, enabled: bool, unchanged: bool) {
        if !enabled {
            if !matches!(self.phase, Phase::Disabled) {
                self.transition_to_disabled(cx);
            }
            return;
        }
        let without = self.active().map(Active::record);
        let plan = self.servers.plan(cx, Criteria { without, ..Criteria::default() });
        match &mut self.phase {
            Phase::Disabled => self.search_for_settings(cx),
            Phase::Waiting { .. } | Phase::NoNetwork { .. } | Phase::Captive { .. } if unchanged => {}
            Phase::Waiting { .. }
            | Phase::NoNetwork { .. }
            | Phase::Captive { .. }
            | Phase::Rejected { .. } => {
                self.pardon_refusals(cx);
                self.searches = 0;
                self.search_for_settings(cx);
            }
            Phase::Searching(race) => {
                race.replan(plan);
                self.drive_search(cx);
            }
            Phase::Attached(active) => {
                if let Some(race) = &mut active.search {
                    race.replan(plan);
                }
                let (listed, member) = (active.listed, active.member.clone());
                if listed {
                    self.failback.aim(cx, &self.servers, &member);
                } else {
                    self.failback.rest(cx, Ending::Reconfigured);
                }
                self.tick(cx);
            }
            Phase::Starting { .. } | Phase::Stopping { .. } | Phase::Stopped => {}
        }
    }

    /// A new list is tried at once, but lists that follow each other faster do not each begin a search.
    fn search_for_settings(&mut self, cx: &mut Context<'_>) {
        let earliest = self.resettled.map(|last| last + cx.tuning.attachment.settings_interval);
        match earliest.filter(|&earliest| earliest > cx.now) {
            Some(earliest) => self.transition_to_waiting(cx, earliest, Reason::NewSettings),
            None => {
                self.resettled = Some(cx.now);
                self.search(cx, Reason::NewSettings);
            }
        }
    }

    fn ranked_servers(&self, effective: &Effective) -> RankedServers {
        let records = &self.servers.records;
        let find = |server: &Server| records.iter().position(|record| record.id == server.id);
        RankedServers::new(&effective.server_list.value, &self.servers.agent, find)
    }

    /// Records of servers the settings still name are kept, and that of the server in use. Returns where
    /// each old record went.
    fn carry_records_over(
        &mut self,
        now: Moment,
        settings: &Settings,
        in_use: Option<ServerId>,
    ) -> Vec<Option<usize>> {
        let mut wanted: Vec<ServerId> = settings.servers().to_vec();
        wanted.extend(in_use.filter(|id| !settings.servers().contains(id)));
        let mut old: Vec<Option<Record>> =
            std::mem::take(&mut self.servers.records).into_iter().map(Some).collect();
        let mut moved = vec![None; old.len()];
        for (place, id) in wanted.iter().enumerate() {
            let found = old.iter().position(|record| record.as_ref().is_some_and(|record| record.id == *id));
            let record = found.and_then(|found| {
                *moved.get_mut(found)? = Some(place);
                old.get_mut(found)?.take()
            });
            let mut record = record.unwrap_or_else(|| Record::new(id.clone(), now));
            if let Some(floor) = self.servers.recall_floor(id) {
                record.keep_floor(floor);
            }
            self.servers.records.push(record);
        }
        for record in old.into_iter().flatten() {
            self.servers.keep_floor(now, &record);
        }
        moved
    }

    // --- the world ---

    pub(in crate::engine) fn network_changed(&mut self, cx: &mut Context<'_>, change: NetworkChange) {
        self.servers.forget_network(cx.now, change == NetworkChange::Changed);
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
            (Phase::Searching(_) | Phase::Waiting { .. } | Phase::Captive { .. }, NetworkChange::Gone) => {
                self.transition_to_no_network(cx, Reason::NoNetwork)
            }
            (_, NetworkChange::Gone) => {}
            (_, NetworkChange::Changed | NetworkChange::Elsewhere | NetworkChange::Returned) => {
                self.wake(cx, Reason::NetworkChanged)
            }
        }
    }

    pub(in crate::engine) fn resumed(&mut self, cx: &mut Context<'_>) {
        self.hunger.slept(cx.now);
        self.wake(cx, Reason::Resumed);
    }

    /// Links made before are worth nothing, and waiting may have lost its reason. Nobody is charged.
    fn wake(&mut self, cx: &mut Context<'_>, reason: Reason) {
        match &mut self.phase {
            Phase::Attached(active) => {
                if let Some(mut race) = active.search.take() {
                    self.servers.disband(cx, &mut race, Ending::Stale);
                }
                active.heartbeat.give_up(cx, Ending::Stale);
                active.policy_read.give_up(cx, Ending::Stale);
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
            Phase::Waiting { .. } | Phase::NoNetwork { .. } | Phase::Captive { .. } => self.rearm(cx, reason),
            Phase::Starting { .. }
            | Phase::Disabled
            | Phase::Rejected { .. }
            | Phase::Stopping { .. }
            | Phase::Stopped => {}
        }
    }

    /// Tries again soon, but not more often than links flap.
    fn rearm(&mut self, cx: &mut Context<'_>, reason: Reason) {
        let tuning = &cx.tuning.attachment;
        let earliest = self.rearmed.map_or(cx.now, |last| (last + tuning.rearm_interval).max(cx.now));
        let until = earliest + cx.rng.up_to(tuning.rearm_spread);
        match self.phase {
            Phase::Waiting { until: planned, .. }
            | Phase::NoNetwork { until: planned, .. }
            | Phase::Captive { until: planned, .. }
                if planned <= until =>
            {
                return;
            }
            // A search that is young enough to have begun on this network goes on.
            Phase::Searching(_) if earliest > cx.now => return,
            Phase::Starting { .. }
            | Phase::Disabled
            | Phase::Searching(_)
            | Phase::Attached(_)
            | Phase::Waiting { .. }
            | Phase::NoNetwork { .. }
            | Phase::Captive { .. }
            | Phase::Rejected { .. }
            | Phase::Stopping { .. }
            | Phase::Stopped => {}
        }
        self.rearmed = Some(until);
        self.transition_to_waiting(cx, until, reason);
    }

    // --- commands ---

    /// A heartbeat now, or an attempt to attach now.
    pub(in crate::engine) fn beat_now(&mut self, cx: &mut Context<'_>) {
        match self.phase {
            Phase::Attached(_) => self.beat(cx),
            Phase::Starting { .. }
            | Phase::Waiting { .. }
            | Phase::NoNetwork { .. }
            | Phase::Captive { .. }
            | Phase::Rejected { .. } => {
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
        match self.phase {
            Phase::Rejected { .. } => self.search(cx, Reason::NewCredentials),
            Phase::Waiting { .. } if refused => self.search(cx, Reason::NewCredentials),
            Phase::Searching(_) => self.credentials_changed = true,
            Phase::Attached(ref active) => self.credentials_changed = !active.is_quiet(),
            Phase::Starting { .. }
            | Phase::Waiting { .. }
            | Phase::NoNetwork { .. }
            | Phase::Captive { .. }
            | Phase::Disabled
            | Phase::Stopping { .. }
            | Phase::Stopped => {}
        }
    }

    /// Finishes a running exchange with the server in use within the grace, then stops for good.
    pub(in crate::engine) fn stop(&mut self, cx: &mut Context<'_>, grace: Duration) {
        if matches!(self.phase, Phase::Stopping { .. } | Phase::Stopped) {
            return;
        }
        let running = self
            .active_mut()
            .filter(|_| !grace.is_zero())
            .and_then(|active| active.hand_exchange_over(cx, Owner::Farewell));
        match running {
            Some(attempt) => {
                self.transition_to_stopping(cx, cx.now + grace, Box::new(attempt));
            }
            None => self.transition_to_stopped(cx),
        }
    }
}

/// What distinguishes a server of the old settings from one of the new.
struct Change<'a> {
    old_settings: &'a Settings,
    new_settings: &'a Settings,
    /// Where each old record went.
    moved: &'a [Option<usize>],
}

impl Change<'_> {
    fn record(&self, old: usize) -> Option<usize> {
        self.moved.get(old).copied().flatten()
    }

    fn policies_agree(&self, new: u16, old: u16) -> bool {
        let new = self.new_settings.policies().get(usize::from(new));
        new.is_some() && new == self.old_settings.policies().get(usize::from(old))
    }

    /// The same place under the same policy: a link to one is a link to the other.
    fn is_same(&self, new: &Server, old: &Server) -> bool {
        is_same_place(new, old) && self.policies_agree(new.policy, old.policy)
    }
}

fn is_same_place(new: &Server, old: &Server) -> bool {
    new.host == old.host && new.port == old.port && new.protocol == old.protocol
}

/// Quarantines whose reason the new settings have removed end.
fn pardon(
    records: &mut [Record],
    now: Moment,
    old_ranked_servers: &RankedServers,
    new_ranked_servers: &RankedServers,
    change: &Change<'_>,
) {
    for old in old_ranked_servers.members() {
        let Some(record) = change.record(old.record.into()) else {
            continue;
        };
        let listed = new_ranked_servers.of_record(record);
        let moved = listed.is_some_and(|new| !is_same_place(&new.server, &old.server));
        if let Some(record) = records.get_mut(record) {
            record.pardon(now, |class, policy| match class {
                FailureClass::NotAllowed => true,
                FailureClass::WrongServer => moved,
                FailureClass::Certificate => {
                    moved || listed.is_some_and(|new| !change.policies_agree(new.server.policy, policy))
                }
                FailureClass::Refused
                | FailureClass::NoAnswer
                | FailureClass::LocalNetwork
                | FailureClass::Name
                | FailureClass::ServerError
                | FailureClass::Throttled
                | FailureClass::TooLarge
                | FailureClass::Misunderstood
                | FailureClass::Silent
                | FailureClass::Broken
                | FailureClass::Limit
                | FailureClass::Proxy
                | FailureClass::Draining
                | FailureClass::ClosedIdle => false,
            });
            record.translate_policy(listed.map(|new| new.server.policy));
        }
    }
}

/// Attempts on servers that are still named go on; the others end without a charge.
fn retain(
    cx: &mut Context<'_>,
    race: &mut Race,
    change: &Change<'_>,
    settings: SettingsId,
    stays: &impl Fn(&Member) -> Option<Member>,
) {
    race.incumbent = race.incumbent.and_then(|record| change.record(record));
    race.runners.retain_mut(|runner| match stays(&runner.member) {
        Some(member) => {
            runner.attempt.target.renumber(member.record.into(), &member.server, settings);
            runner.member = member;
            true
        }
        None => {
            runner.give_up(cx, Ending::Reconfigured);
            false
        }
    });
}
