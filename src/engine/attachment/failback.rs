//! The way back: better servers are probed by a side link, and the agent moves only to one that has
//! proved itself, and only when an exchange on the new link has succeeded.
//!
//! A *prospect* is a server the agent would rather be on. On a lower priority, the agent's own server
//! of every better priority is one, and a third of the others in turn, the longest not tried first; within
//! its priority, its own server is one. A prospect is probed slowly until it answers, then every half a
//! minute; once it has answered often enough for long enough, the agent moves at a random instant, so that a
//! fleet does not arrive at once.
//!
//! The server it moved to is on probation for an hour. Should the agent have to leave it within that time, it stays
//! away from all better servers for an hour, and then they have to answer for four times as long (1, 4, 16, 60 min). An
//! hour's stay sets that back. So a server that flaps, in whatever pattern, moves an agent twice an hour at most.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use siphasher::sip::SipHasher13;

use super::Tuning;
use super::by_id::ById;
use super::ranked_servers::Member;
use super::servers::Servers;
use crate::engine::context::Context;
use crate::engine::owners::Owner;
use crate::engine::session::{Attempt, Link, Step};
use crate::engine::{Ending, Event, Input};
use crate::types::{Cause, Failure, FailureClass, Moment, Purpose, Request, ServerId, SettingsId};

/// Successes a prospect needs, at least: one could be luck, two could be one short spell.
const PROOFS: u8 = 3;
/// What the dwell is multiplied by after so many failed probations.
const DAMPING: [u32; 4] = [1, 4, 16, 60];
/// A dwell that grows to an hour is probed no more often than this part of it.
const PROBES_IN_A_DWELL: u32 = 12;

#[derive(Debug, Default)]
pub(super) struct Failback {
    prospects: Vec<Prospect>,
    /// How often in a row the agent had to leave a server within an hour after it had come back to it.
    pub(super) damping: u8,
    /// After a failed probation the agent stays where it is until then.
    rests_until: Option<Moment>,
    /// Proofs from before a restart, until the agent is attached again and knows whom it would rather be on.
    earlier: Vec<(ServerId, Proof)>,
    /// A probe ended: what is remembered of its server may have changed.
    pub(super) memorable: bool,
}

/// A server the agent would rather be on.
#[derive(Debug)]
pub(super) struct Prospect {
    pub(super) member: Member,
    kind: Kind,
    /// How often in a row it was probed without success; sets the cadence.
    misses: u8,
    /// How often in a row it asked for patience.
    throttled: u8,
    due: Moment,
    probe: Option<Box<Attempt>>,
    pub(super) proof: Option<Proof>,
    /// Proven: when the agent moves.
    move_at: Option<Moment>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The agent's own server of a better priority.
    Own,
    /// Another server of a better priority; a different one after each failure.
    Other,
    /// The agent's own server of the present priority.
    Home,
}

/// Successes in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Proof {
    pub(super) first: Moment,
    pub(super) count: u8,
}

impl Failback {
    // --- getters ---

    /// The prospects by their records.
    pub(super) fn by_record(&self) -> BTreeMap<u16, &Prospect> {
        // Of two with one record the first counts.
        self.prospects.iter().rev().map(|prospect| (prospect.member.record, prospect)).collect()
    }

    /// How far servers have proved themselves, by record. `by_id` finds the records of an earlier life.
    pub(super) fn proofs<'a>(&self, by_id: impl FnOnce() -> ById<'a>) -> BTreeMap<usize, Proof> {
        let mut proofs = BTreeMap::new();
        if !self.earlier.is_empty() {
            let records = by_id();
            let earlier = self.earlier.iter().rev();
            proofs.extend(earlier.filter_map(|(id, proof)| Some((records.get(id)?, *proof))));
        }
        for (record, prospect) in self.by_record() {
            match prospect.proof {
                Some(proof) => drop(proofs.insert(record.into(), proof)),
                None => drop(proofs.remove(&record.into())),
            }
        }
        proofs
    }

    /// A number that differs when the proofs differ.
    pub(super) fn digest(&self) -> u64 {
        let number = |(id, proof): (&ServerId, &Proof)| {
            let mut hasher = SipHasher13::new();
            (id, proof.count, proof.first).hash(&mut hasher);
            hasher.finish()
        };
        let prospects = self.prospects.iter();
        let proofs =
            prospects.filter_map(|prospect| Some((&prospect.member.server.id, prospect.proof.as_ref()?)));
        let earlier = self.earlier.iter().map(|(id, proof)| (id, proof));
        proofs.chain(earlier).map(number).fold(0, u64::wrapping_add)
    }

    /// `may_move`: nothing else is under way with the server in use, so a settled move can begin.
    pub(super) fn deadline(&self, may_move: bool, tuning: &Tuning) -> Option<Moment> {
        self.prospects.iter().filter_map(|prospect| prospect.deadline(may_move, tuning)).min()
    }

    // --- commands ---

    /// The agent is now on this server: who would be better? Prospects that stay keep their progress.
    pub(super) fn aim(&mut self, cx: &mut Context<'_>, servers: &Servers, active: &Member) {
        let mut wanted: Vec<(Kind, Member)> = Vec::new();
        for priority in servers.ranked_servers.priorities().take_while(|&priority| priority < active.priority)
        {
            let members = servers.ranked_servers.priority(priority);
            wanted.extend(members.first().map(|own| (Kind::Own, own.clone())));
            let others = members.iter().skip(1).take(others(members.len()));
            wanted.extend(others.map(|other| (Kind::Other, other.clone())));
        }
        if active.rank > 0 {
            wanted.extend(
                servers
                    .ranked_servers
                    .priority(active.priority)
                    .first()
                    .map(|home| (Kind::Home, home.clone())),
            );
        }
        let mut before = std::mem::take(&mut self.prospects);
        for (kind, member) in wanted {
            let same = |old: &Prospect| {
                let alike = old.kind == kind && old.member.priority == member.priority;
                alike && (kind == Kind::Other || old.member.record == member.record)
            };
            match before.iter().position(same) {
                Some(index) => self.prospects.push(before.swap_remove(index)),
                None => {
                    let due = cx.now + cadence(cx, 0, 0);
                    let (misses, throttled, probe, move_at) = (0, 0, None, None);
                    let earlier = self.earlier.iter().find(|(id, _)| *id == member.server.id);
                    let proof = earlier.map(|&(_, proof)| proof);
                    self.prospects.push(Prospect {
                        member,
                        kind,
                        misses,
                        throttled,
                        due,
                        probe,
                        proof,
                        move_at,
                    });
                }
            }
        }
        self.earlier.clear();
        for mut prospect in before {
            prospect.drop_probe(cx, Ending::Probed);
        }
    }

    /// Whether a probe was, or will be, dialled under a policy of these settings.
    pub(super) fn refers_to(&self, settings: SettingsId) -> bool {
        let mut probes = self.prospects.iter().filter_map(|prospect| prospect.probe.as_ref());
        probes.any(|probe| probe.refers_to(settings))
    }

    /// The settings changed: prospects they no longer name, or name differently, are dropped.
    pub(super) fn retain(
        &mut self,
        cx: &mut Context<'_>,
        settings: SettingsId,
        stays: &impl Fn(&Member) -> Option<Member>,
    ) {
        self.prospects.retain_mut(|prospect| match stays(&prospect.member) {
            Some(member) => {
                if let Some(probe) = &mut prospect.probe {
                    probe.target.renumber(member.record.into(), &member.server, settings);
                }
                prospect.member = member;
                true
            }
            None => {
                prospect.drop_probe(cx, Ending::Reconfigured);
                false
            }
        });
    }

    /// The agent is on no server, or on one the list does not name: there is nothing to come back from.
    ///
    /// One that stops leaves off in the middle: the next life goes on where this one was.
    pub(super) fn rest(&mut self, cx: &mut Context<'_>, reason: Ending) {
        for mut prospect in std::mem::take(&mut self.prospects) {
            if reason == Ending::Stopped
                && let Some(proof) = prospect.proof
            {
                self.remember(prospect.member.server.id.clone(), proof);
            }
            prospect.drop_probe(cx, reason);
        }
    }

    /// Links are not worth anything any more; what was proved stays.
    pub(super) fn drop_probes(&mut self, cx: &mut Context<'_>) {
        for prospect in &mut self.prospects {
            prospect.drop_probe(cx, Ending::Stale);
        }
    }

    /// A server had been proving itself before a restart; should it be a prospect again, it goes on from there.
    pub(super) fn remember(&mut self, server: ServerId, proof: Proof) {
        self.earlier.push((server, proof));
    }

    /// The move to this server failed: it begins anew.
    pub(super) fn disappoint(&mut self, cx: &mut Context<'_>, record: usize) {
        for prospect in
            self.prospects.iter_mut().filter(|prospect| usize::from(prospect.member.record) == record)
        {
            prospect.set_back(cx);
            self.memorable = true;
        }
    }

    /// A server was lost soon after the agent came back to it: from now on proving takes four times as long.
    pub(super) fn damp(&mut self, now: Moment, tuning: &Tuning) {
        self.damping = self.damping.saturating_add(1).min(DAMPING.len() as u8 - 1);
        self.rests_until = Some(now + tuning.probation);
    }

    /// On another network what happened on the last one is no reason to stay.
    pub(super) fn forget_network(&mut self) {
        self.rests_until = None;
    }

    /// A server asked for patience, whoever heard it: a probe that has not yet asked it does not.
    pub(super) fn heed_floors(&mut self, cx: &mut Context<'_>, servers: &Servers) {
        for prospect in &mut self.prospects {
            let record = servers.record(prospect.member.record.into());
            let throttled = record.is_some_and(|record| record.is_throttled(cx.now));
            if throttled && prospect.probe.as_mut().is_some_and(|probe| probe.heed_floor()) {
                prospect.drop_probe(cx, Ending::Failed);
            }
        }
    }

    // --- handle ---

    /// Hands an input to the probe it is about. `false`: it is about none.
    pub(super) fn handle(&mut self, cx: &mut Context<'_>, servers: &mut Servers, input: Input<'_>) -> bool {
        let about = |prospect: &Prospect| prospect.probe.as_ref().is_some_and(|probe| probe.is_about(&input));
        let Some(index) = self.prospects.iter().position(about) else {
            return false;
        };
        let (damping, rests_until) = (self.damping, self.rests_until);
        let Some(prospect) = self.prospects.get_mut(index) else {
            return false;
        };
        let Some(probe) = prospect.probe.as_mut() else {
            return false;
        };
        match probe.handle(cx, input) {
            Step::Nothing | Step::Progress | Step::Notice(_) => {}
            Step::Answered(answer) => {
                self.memorable = true;
                // A probe's answer has no effect but this one.
                cx.queue.abandon(answer.exchange, Ending::Probed);
                cx.queue.close(answer.link.id, Ending::Probed);
                match answer.drain {
                    Some(window) => {
                        servers.drain(cx, prospect.member.record.into(), window);
                        prospect.failed(cx, servers, &Cause::Draining.into());
                    }
                    None => {
                        prospect.succeeded(cx, servers, &answer.link, damping, rests_until);
                    }
                }
            }
            Step::Declined { status, .. } => {
                self.memorable = true;
                prospect.failed(cx, servers, &Cause::NotAManager { status }.into());
            }
            Step::Failed { failure, .. } => {
                self.memorable = true;
                prospect.failed(cx, servers, &failure);
            }
        }
        true
    }

    /// Starts and expires probes. Returns the best server whose time to move has come.
    pub(super) fn tick(&mut self, cx: &mut Context<'_>, servers: &mut Servers) -> Option<Member> {
        for index in 0..self.prospects.len() {
            self.take_turns(index, cx, servers);
            if let Some(prospect) = self.prospects.get_mut(index) {
                self.memorable |= prospect.tick(cx, servers);
            }
        }
        let ready = self.prospects.iter().filter(|prospect| prospect.move_at.is_some_and(|at| at <= cx.now));
        ready
            .min_by_key(|prospect| (prospect.member.priority, prospect.member.rank))
            .map(|best| best.member.clone())
    }

    // --- helpers ---

    /// The prospect that is due next may be another server of its priority: the longest not tried that may be spoken to.
    /// Turns by place would not do: who is left out for a while changes, and one could be missed for long.
    fn take_turns(&mut self, index: usize, cx: &Context<'_>, servers: &Servers) {
        let Some(prospect) = self.prospects.get(index).filter(|prospect| prospect.takes_turns(cx.now)) else {
            return;
        };
        let is_free = |member: &&Member| {
            let mut others = self.prospects.iter().enumerate().filter(|(other, _)| *other != index);
            !others.any(|(_, other)| other.member.record == member.record)
        };
        let turn = |member: &&Member| {
            let record = servers.record(member.record.into());
            let floor = record.and_then(|record| record.floor()).filter(|&floor| floor > cx.now);
            (floor, record.and_then(|record| record.last_start), member.rank)
        };
        let members = servers.ranked_servers.priority(prospect.member.priority);
        let next = members.iter().skip(1).filter(is_free).min_by_key(turn).cloned();
        if let (Some(next), Some(prospect)) = (next, self.prospects.get_mut(index)) {
            prospect.member = next;
        }
    }
}

/// How many servers of a better priority of `count` are probed beside the agent's own, so that each has its turn often
/// enough for the agent to be back within 750 s of the return of any.
fn others(count: usize) -> usize {
    count.saturating_sub(1).div_ceil(3)
}

impl Prospect {
    /// When it is next probed; `None` while a probe runs or the move is settled.
    pub(super) fn next_probe(&self) -> Option<Moment> {
        (self.probe.is_none() && self.move_at.is_none()).then_some(self.due)
    }

    pub(super) fn move_at(&self) -> Option<Moment> {
        self.move_at
    }

    /// Whether its next probe may be of another server.
    fn takes_turns(&self, now: Moment) -> bool {
        self.kind == Kind::Other
            && self.proof.is_none()
            && self.probe.is_none()
            && self.move_at.is_none()
            && self.due <= now
    }

    fn deadline(&self, may_move: bool, tuning: &Tuning) -> Option<Moment> {
        match (&self.probe, self.move_at) {
            (Some(probe), _) => Some(probe.limit(tuning).0),
            (None, Some(move_at)) => may_move.then_some(move_at),
            (None, None) => Some(self.due),
        }
    }

    /// Whether a probe ended because its time was over.
    fn tick(&mut self, cx: &mut Context<'_>, servers: &mut Servers) -> bool {
        if let Some(probe) = &mut self.probe {
            if probe.limit(&cx.tuning.attachment).0 <= cx.now
                && let Some(failure) = probe.expire(cx)
            {
                self.failed(cx, servers, &failure);
                return true;
            }
            return false;
        }
        if let Some(move_at) = self.move_at {
            // Neither a proven server is moved to before it may be spoken to.
            let record = usize::from(self.member.record);
            let floor = servers.record(record).and_then(|record| record.floor()).unwrap_or_default();
            self.move_at = Some(move_at.max(floor).max(servers.opens(cx.present(), record)));
            return false;
        }
        if self.due > cx.now {
            return false;
        }
        let record = usize::from(self.member.record);
        let floor = servers.record(record).and_then(|record| record.floor());
        let floor = floor.max(Some(servers.opens(cx.present(), record)));
        match floor.filter(|&floor| floor > cx.now) {
            Some(floor) => self.due = floor,
            None => {
                let request = Request::Heartbeat { purpose: Purpose::Probe };
                self.probe = Some(Box::new(servers.begin(cx, Owner::Failback, &self.member, request)));
            }
        }
        false
    }

    fn succeeded(
        &mut self,
        cx: &mut Context<'_>,
        servers: &mut Servers,
        link: &Link,
        damping: u8,
        rests_until: Option<Moment>,
    ) {
        let record = usize::from(self.member.record);
        self.probe = None;
        (self.misses, self.throttled) = (0, 0);
        servers.succeed(cx, record, &self.member.server, link);
        cx.emit(Event::Probed { server: servers.id(record), failure: None });
        let proof = self.proof.get_or_insert(Proof { first: cx.now, count: 0 });
        proof.count = proof.count.saturating_add(1);
        let tuning = &cx.tuning.attachment;
        let dwell = match self.kind {
            Kind::Own | Kind::Other => tuning.dwell,
            Kind::Home => tuning.home_dwell,
        };
        let factor = DAMPING.get(usize::from(damping)).copied().unwrap_or(DAMPING[DAMPING.len() - 1]);
        let most = if self.kind == Kind::Home { tuning.dwell_most * 2 } else { tuning.dwell_most };
        let dwell = (dwell * factor).min(most);
        if proof.count < PROOFS || cx.now.since(proof.first) < dwell {
            let seldom = dwell / PROBES_IN_A_DWELL;
            self.due = cx.now + cx.rng.between(tuning.proving_least, tuning.proving_most).max(seldom);
            return;
        }
        let delay = match self.kind {
            Kind::Own | Kind::Other => cx.rng.up_to(tuning.failback_spread),
            Kind::Home => cx.rng.exponential(tuning.home_delay),
        };
        self.move_at = Some(rests_until.map_or(cx.now, |until| until.max(cx.now)) + delay);
    }

    fn failed(&mut self, cx: &mut Context<'_>, servers: &mut Servers, failure: &Failure) {
        let record = usize::from(self.member.record);
        servers.charge(cx, record, self.member.server.policy, failure);
        cx.emit(Event::Probed { server: servers.id(record), failure: Some(failure.to_string()) });
        let throttled = failure.class() == FailureClass::Throttled;
        self.throttled = if throttled { self.throttled.saturating_add(1) } else { 0 };
        self.set_back(cx);
    }

    fn set_back(&mut self, cx: &mut Context<'_>) {
        self.drop_probe(cx, Ending::Failed);
        self.proof = None;
        self.move_at = None;
        self.misses = self.misses.saturating_add(1);
        self.due = cx.now + cadence(cx, self.misses, self.throttled);
    }

    fn drop_probe(&mut self, cx: &mut Context<'_>, reason: Ending) {
        if let Some(mut probe) = self.probe.take() {
            probe.give_up(cx, reason);
            self.due = cx.now + cadence(cx, self.misses, self.throttled);
        }
    }
}

/// Until the next probe of a server that has not answered: 30 s, 60 s, then 120 s, each × U(0.5, 1.5).
/// One that asks for patience is asked ever more seldom, up to half an hour.
fn cadence(cx: &mut Context<'_>, misses: u8, throttled: u8) -> std::time::Duration {
    let tuning = &cx.tuning.attachment;
    let mean = (tuning.probe_first * (1 << misses.min(4))).min(tuning.probe_slowest);
    let mean = (mean * (1 << throttled.min(8))).min(tuning.probe_throttled.max(mean));
    cx.rng.around(mean, 50, 150)
}
