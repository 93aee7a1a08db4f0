//! New settings: what of the records, the search and the conversations goes on.

use std::collections::BTreeSet;

use super::active::Active;
use super::by_id::ById;
use super::difference::{Change, is_same_place};
use super::health::Record;
use super::plan::Criteria;
use super::ranked_servers::RankedServers;
use super::{Attachment, Pause, Phase};
use crate::engine::context::Context;
use crate::engine::{Ending, Reason};
use crate::settings::{Effective, Settings};
use crate::types::{FailureClass, Moment, ServerId, SettingsId};

impl Attachment {
    /// Puts a list in force for the first time.
    pub(in crate::engine) fn install(&mut self, cx: &mut Context<'_>, effective: &Effective) {
        let records = cx.in_force.settings().servers().iter().map(|id| Record::new(id.clone(), cx.now));
        *self.servers.records_mut() = records.collect();
        self.servers.ranked_servers = RankedServers::new(&effective.server_list.value, &self.servers.agent);
        self.follow(cx, effective);
        if !effective.enabled.value {
            self.transition_to_disabled(cx);
        }
    }

    /// What the settings say of how the server in use is talked to.
    fn follow(&mut self, cx: &mut Context<'_>, effective: &Effective) {
        self.set_mode(cx, effective.mode.value);
        self.switch_reports(cx, effective);
        self.switch_reconnection(cx, effective);
        self.reads_policies = effective.download_from_management_server.value;
        self.accepts_over_http = cx.in_force.settings().accept_settings_over_http();
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
        then: Then,
    ) {
        if matches!(self.phase, Phase::Stopping { .. } | Phase::Stopped) {
            return;
        }
        let new_settings = cx.in_force.settings();
        let old_settings = before.unwrap_or(new_settings);
        let old_ranked_servers = std::mem::take(&mut self.servers.ranked_servers);
        let in_use = self.active().map(|active| self.servers.id(active.record()));
        let beside = cx.in_force.aside().map_or(&[][..], Settings::servers);
        let moved = self.carry_records_over(cx.now, new_settings, beside, in_use);
        let ranked_servers = RankedServers::new(&effective.server_list.value, &self.servers.agent);
        self.follow(cx, effective);
        let listed = ranked_servers.by_record();
        let change = Change { old_settings, new_settings, version: cx.in_force.id(), moved: &moved, listed };
        pardon(self.servers.records_mut(), cx.now, &old_ranked_servers, &change, then);
        let unchanged = old_ranked_servers.members().len() == ranked_servers.members().len()
            && old_ranked_servers.members().iter().all(|member| change.leaves_in_place(member));
        match &mut self.phase {
            Phase::Searching(race) => {
                let interval = cx.tuning.attachment.settings_interval;
                let again_too_soon = self.resettled.is_some_and(|last| last + interval > cx.now);
                change.apply_to_race(cx, race);
                race.renumber_failures(|record| change.record(record).filter(|_| again_too_soon));
                self.resettled = self.resettled.filter(|_| again_too_soon).or(Some(cx.now));
            }
            Phase::Attached(active) => {
                change.apply_to_search(cx, active);
                let registering = self.registrar.as_mut().and_then(|registrar| registrar.under_way.as_mut());
                change.apply_to_attempts(cx, active, registering);
                self.failback.retain(cx, change.version, &|member| change.stays(member));
                change.apply_to_server_in_use(cx, active);
            }
            Phase::Starting { .. }
            | Phase::Disabled
            | Phase::Paused { .. }
            | Phase::Stopping { .. }
            | Phase::Stopped => {}
        }
        drop(change);
        self.servers.ranked_servers = ranked_servers;
        self.after_change(cx, effective.enabled.value, unchanged, then);
    }

    /// The same settings go by another id from now on.
    pub(in crate::engine) fn renamed(&mut self, old: SettingsId, new: SettingsId) {
        if let Some(active) = self.active_mut()
            && active.policy.settings == old
        {
            active.policy.settings = new;
        }
    }

    /// The phase follows the settings.
    fn after_change(&mut self, cx: &mut Context<'_>, enabled: bool, unchanged: bool, then: Then) {
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
            Phase::Paused { .. } if then == Then::AsPlanned => {}
            Phase::Paused { cause: Pause::Waiting | Pause::Rejected, .. } if then == Then::SearchAtOnce => {
                self.search(cx, Reason::NewSettings);
            }
            Phase::Paused { cause, .. } if unchanged && *cause != Pause::Rejected => {}
            Phase::Paused { .. } => {
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

    /// Records of servers the settings still name are kept, those of the other settings of a trial, and that of the server
    /// in use. Returns where each old record went.
    fn carry_records_over(
        &mut self,
        now: Moment,
        settings: &Settings,
        beside: &[ServerId],
        in_use: Option<ServerId>,
    ) -> Vec<Option<usize>> {
        let mut wanted: Vec<ServerId> = settings.servers().to_vec();
        if !beside.is_empty() {
            let named: BTreeSet<_> = settings.servers().iter().collect();
            wanted.extend(beside.iter().filter(|id| !named.contains(id)).cloned());
        }
        if let Some(in_use) = in_use.filter(|id| !wanted.contains(id)) {
            wanted.push(in_use);
        }
        let before = std::mem::take(self.servers.records_mut());
        let found: Vec<_> = wanted.iter().map(finder(&before)).collect();
        let mut old: Vec<Option<Record>> = before.into_iter().map(Some).collect();
        let mut moved = vec![None; old.len()];
        for ((place, id), found) in wanted.iter().enumerate().zip(found) {
            let record = found.and_then(|found| {
                *moved.get_mut(found)? = Some(place);
                old.get_mut(found)?.take()
            });
            let mut record = record.unwrap_or_else(|| Record::new(id.clone(), now));
            if let Some(floor) = self.servers.recall_floor(id) {
                record.keep_floor(floor);
            }
            self.servers.records_mut().push(record);
        }
        for record in old.into_iter().flatten() {
            self.servers.keep_floor(now, &record);
        }
        moved
    }
}

/// Finds records by the ids of their servers. Most often the next one asked for is the next one there.
fn finder<'a>(records: &'a [Record]) -> impl FnMut(&ServerId) -> Option<usize> + use<'a> {
    let mut by_id: Option<ById<'a>> = None;
    let mut next = 0;
    move |id| {
        if records.get(next).is_none_or(|record| record.id != *id) {
            next = by_id.get_or_insert_with(|| ById::new(records)).get(id)?;
        }
        next += 1;
        Some(next - 1)
    }
}

/// What follows when other settings come into force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Then {
    /// An agent without a server looks for one by the new list, unless it did so a moment ago.
    Search,
    /// It looks for one now. They are one half of a trial: what servers have refused they have refused.
    SearchAtOnce,
    /// It goes on waiting for as long as it would have, for the same reason.
    AsPlanned,
}

/// Quarantines whose reason the new settings have removed end.
fn pardon(
    records: &mut [Record],
    now: Moment,
    old_ranked_servers: &RankedServers,
    change: &Change<'_>,
    then: Then,
) {
    for old in old_ranked_servers.members() {
        let Some(record) = change.record(old.record.into()) else {
            continue;
        };
        let listed = change.listed.of_record(record);
        let moved = listed.is_some_and(|new| !is_same_place(&new.server, &old.server));
        if let Some(record) = records.get_mut(record) {
            record.pardon(now, |class, policy| match class {
                FailureClass::NotAllowed => then == Then::Search,
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
