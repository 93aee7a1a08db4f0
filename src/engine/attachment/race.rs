//! The search: a race over priorities, started in plan order and decided by priority.
//!
//! A patient agent would try one server after another and give each 1.5 seconds; with nine dead
//! servers ahead it would need a quarter of a minute. A race starts the next server while the last
//! one is still thinking, and yet ends where the patient walk would have ended: a success of a
//! lower priority is held in reserve for as long as a better attempt may still come.
//!
//! This file decides who starts when and who has won. It touches no link: its owner starts, stops
//! and adopts, and tells the race.

use std::collections::VecDeque;
use std::time::Duration;

use super::Tuning;
use super::failures::{Certainty, Charge, Ended, Failures};
use super::plan::Entry;
use super::ranked_servers::Member;
use crate::engine::Reason;
use crate::engine::session::{Attempt, Link};
use crate::types::{ExchangeId, Failure, Moment, SettingsId};

/// More at once would look like a port scan, and would cost a small site its uplink.
const MOST_IN_FLIGHT: usize = 10;

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Race {
    /// Names the search; attempts with one name carry one body.
    pub(super) search: u64,
    pub(super) reason: Reason,
    pub(super) begun: Moment,
    /// The server in use whose dial or exchange this race runs beside: its success ends it at once.
    pub(super) incumbent: Option<usize>,
    pub(super) runners: Vec<Runner>,
    /// What has failed; charged when the race is over.
    pub(super) failed: Failures,
    plan: VecDeque<Entry>,
    /// Gave their place to others; started once more at the end.
    evicted: Vec<Entry>,
    /// The best priority among them.
    best_evicted: Option<u16>,
    last_chances: bool,
    pace: StartPace,
    /// How many of the next starts need not wait.
    at_once: u8,
    /// Until when the incumbent's fresh link is waited for although another has succeeded.
    second_opinion_until: Option<Moment>,
}

/// When the next start is due.
#[derive(Clone, Debug, Default)]
struct StartPace {
    last_start: Option<Moment>,
    last_priority: u16,
    wait: Duration,
    /// Where progress of the newest attempt has moved the end of the wait, once.
    extended_to: Option<Moment>,
    /// A definite failure since the last start.
    definite: bool,
}

/// An attempt that takes part.
#[derive(Clone, Debug)]
pub(super) struct Runner {
    pub(super) attempt: Attempt,
    pub(super) member: Member,
    pub(super) held: Option<Held>,
    last_chance: bool,
}

/// A success that waits for better ones.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) since: Moment,
    pub(super) exchange: ExchangeId,
    pub(super) link: Link,
    /// Whether the link still stands; a server may close it with its answer.
    pub(super) open: bool,
    pub(super) status: u16,
    pub(super) elapsed: Duration,
    pub(super) first_byte: Duration,
    pub(super) settings: Option<Box<str>>,
    pub(super) policy: Option<Box<str>>,
    pub(super) drain: Option<Duration>,
    /// Something waits at the server's events.
    pub(super) events: bool,
    /// The agent is to register again.
    pub(super) register: bool,
    /// The server sees the agent's id on more than one machine.
    pub(super) duplicate: bool,
}

/// What the owner does next.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Nothing until [`Race::deadline`] or an input.
    Wait,
    /// Start this server.
    Start(Entry),
    /// Give this runner's place to another.
    Evict(usize),
    /// This server may not be dialled for a while: the guard or a floor has stopped what was planned.
    Skip,
    /// This runner has won.
    Promote(usize),
    /// Everything has failed.
    Failed,
}

impl Race {
    // --- beginning ---

    pub(super) fn new(search: u64, reason: Reason, now: Moment, plan: Vec<Entry>) -> Self {
        Self {
            search,
            reason,
            begun: now,
            incumbent: None,
            runners: Vec::new(),
            failed: Failures::default(),
            plan: plan.into(),
            evicted: Vec::new(),
            best_evicted: None,
            last_chances: false,
            pace: StartPace::default(),
            at_once: 0,
            second_opinion_until: None,
        }
    }

    /// Continues after the server in use has failed.
    pub(super) fn after(mut self, ended: Ended) -> Self {
        self.failed.add(ended);
        self
    }

    /// The settings changed. What failed under the old ones is tried again, not charged, but for what
    /// keeps a record: settings that change all the time do not make a race without end.
    pub(super) fn renumber_failures(&mut self, record: impl Fn(usize) -> Option<usize>) {
        for ended in self.failed.take() {
            if let Some(record) = record(ended.record) {
                self.failed.add(Ended { record, charge: Charge::Paid, ..ended });
            }
        }
        self.last_chances = false;
    }

    /// Leaves an empty race behind.
    pub(super) fn take(&mut self) -> Self {
        let empty = Self::new(self.search, self.reason, self.begun, Vec::new());
        std::mem::replace(self, empty)
    }

    /// Runs beside a dial or an exchange with the server in use, whose success ends it.
    pub(super) fn beside(mut self, attempt: Attempt, member: Member, wait: Duration) -> Self {
        self.incumbent = Some(attempt.target.record);
        self.pace = StartPace {
            last_start: Some(attempt.started),
            last_priority: member.priority,
            wait,
            extended_to: attempt.progress,
            definite: false,
        };
        self.at_once = 1;
        self.runners.push(Runner { attempt, member, held: None, last_chance: true });
        self
    }

    /// The incumbent is silent: its fresh link and the next server start together, and the fresh
    /// link is given a head start before another's success counts.
    pub(super) fn with_second_opinion(mut self, until: Moment) -> Self {
        self.at_once = 2;
        self.second_opinion_until = Some(until);
        self
    }

    // --- getters ---

    /// How many attempts are under way.
    pub(super) fn in_flight(&self) -> usize {
        self.runners.iter().filter(|runner| runner.held.is_none()).count()
    }

    /// How many servers are still to be started.
    pub(super) fn left(&self) -> usize {
        self.plan.len() + if self.last_chances { 0 } else { self.evicted.len() }
    }

    /// Whether an attempt on this server is under way or planned.
    pub(super) fn has(&self, record: usize) -> bool {
        self.runners.iter().any(|runner| runner.attempt.target.record == record)
            || self.plan.iter().chain(&self.evicted).any(|entry| usize::from(entry.member.record) == record)
    }

    /// Servers that gave up their place and were not started again.
    pub(super) fn still_evicted(&self) -> impl Iterator<Item = &Member> {
        self.evicted.iter().map(|entry| &entry.member)
    }

    /// When [`Self::next`] may say something else than at `now`.
    pub(super) fn deadline(
        &self,
        now: Moment,
        smoothed: Option<Duration>,
        opens: impl Fn(&Entry) -> Moment,
        tuning: &Tuning,
    ) -> Option<Moment> {
        let running = self.runners.iter().filter(|runner| runner.held.is_none());
        let limits = running.clone().map(|runner| runner.attempt.limit(tuning).0);
        let reserve = self.best_held().into_iter().flat_map(|(_, held_since)| {
            let ends = self.runners.iter().filter(|runner| runner.held.is_none()).flat_map(move |runner| {
                [Some(runner.attempt.started + tuning.patience), runner.attempt.fresh_until(tuning)]
            });
            ends.chain([Some(held_since + tuning.reserve), self.second_opinion_until]).flatten()
        });
        let start = self.startable().map(|entry| {
            let (earliest, opens) = (self.earliest(entry, now, tuning), opens(entry));
            // One that has to wait for long is passed over when its turn comes.
            if opens > earliest + tuning.server_interval { earliest } else { earliest.max(opens) }
        });
        let full = self.in_flight() >= MOST_IN_FLIGHT && self.startable().is_some();
        let places = running.filter(|_| full).map(|runner| evictable_from(runner, smoothed, tuning));
        limits.chain(reserve).chain(start).chain(places).filter(|&moment| moment > now).min()
    }

    // --- what happened ---

    /// An attempt was started for an entry that [`Self::next`] gave out.
    pub(super) fn started(&mut self, attempt: Attempt, member: Member, stagger: Duration, tuning: &Tuning) {
        self.at_once = self.at_once.saturating_sub(1);
        let stalled =
            self.pace.last_start.is_some() && self.pace.extended_to.is_none() && !self.pace.definite;
        let wait = if stalled { (self.pace.wait / 2).max(tuning.stagger_least) } else { stagger };
        self.pace = StartPace {
            last_start: Some(attempt.started),
            last_priority: member.priority,
            wait,
            extended_to: None,
            definite: false,
        };
        self.runners.push(Runner { attempt, member, held: None, last_chance: self.last_chances });
    }

    /// A runner made progress. That of the newest moves the end of the running wait, once.
    pub(super) fn progressed(&mut self, index: usize, now: Moment, tuning: &Tuning) {
        let newest = self.runners.len().checked_sub(1) == Some(index);
        if newest && self.pace.extended_to.is_none() {
            let connect_time = self.runners.get(index).and_then(|runner| runner.attempt.connect_time);
            self.pace.extended_to = Some(now + connect_time.unwrap_or_default() * 2 + tuning.progress_grace);
        }
    }

    /// A runner failed. It is out of the race.
    pub(super) fn failed(&mut self, index: usize, failure: Failure, certainty: Certainty, charge: Charge) {
        let runner = self.runners.remove(index);
        let record = runner.attempt.target.record;
        self.pace.definite |= certainty == Certainty::Definite;
        self.failed.add(Ended { record, policy: runner.member.server.policy, failure, charge });
    }

    /// Whether an attempt was, or will be, dialled under a policy of these settings.
    pub(super) fn refers_to(&self, settings: SettingsId) -> bool {
        self.runners.iter().any(|runner| runner.attempt.refers_to(settings))
    }

    /// The exchange with the server in use beside which this race runs, if one is under way.
    pub(super) fn take_incumbent_exchange(&mut self) -> Option<Attempt> {
        let is_it = |runner: &Runner| {
            runner.held.is_none()
                && runner.attempt.is_exchanging()
                && Some(runner.attempt.target.record) == self.incumbent
        };
        let index = self.runners.iter().position(is_it)?;
        Some(self.runners.remove(index).attempt)
    }

    /// A runner is out of the race without having failed.
    pub(super) fn dropped(&mut self, index: usize) -> Runner {
        self.runners.remove(index)
    }

    /// A runner gave up its place and will have another chance.
    pub(super) fn evicted(&mut self, index: usize) -> Runner {
        let runner = self.runners.remove(index);
        let priority = runner.member.priority;
        self.best_evicted = Some(self.best_evicted.map_or(priority, |best| best.min(priority)));
        self.evicted.push(Entry::new(runner.member.clone()));
        runner
    }

    /// The plan changed under the race: what has been tried in it already is not tried again.
    pub(super) fn replan(&mut self, plan: Vec<Entry>) {
        let tried = |entry: &Entry| {
            let record = usize::from(entry.member.record);
            // An attempt on the place a server had before is none on its present one.
            let here = |runner: &Runner| {
                runner.attempt.target.record == record && runner.member.is_same_place(&entry.member)
            };
            self.incumbent == Some(record) || self.runners.iter().any(here) || self.failed.has(record)
        };
        self.plan = plan.into_iter().filter(|entry| !tried(entry)).collect();
        self.evicted.clear();
        self.best_evicted = None;
    }

    /// The network changed, or the machine slept: see [`Attempt::network_changed`].
    pub(super) fn network_changed(&mut self) {
        for runner in &mut self.runners {
            runner.attempt.network_changed();
            if let Some(held) = &mut runner.held {
                held.link.is_stale = true;
            }
        }
    }

    // --- what to do ---

    /// `opens`: from when on a server may be dialled, whatever the race says.
    pub(super) fn next(
        &mut self,
        now: Moment,
        smoothed: Option<Duration>,
        opens: impl Fn(&Entry) -> Moment,
        tuning: &Tuning,
    ) -> Step {
        if let Some(winner) = self.winner(now, tuning) {
            return Step::Promote(winner);
        }
        if self.plan.is_empty() && !self.last_chances && self.best_held().is_none() {
            self.last_chances = true;
            self.plan = self.evicted.drain(..).collect();
            self.best_evicted = None;
            let order = |entry: &Entry| (entry.member.priority, entry.member.rank);
            self.plan.make_contiguous().sort_by_key(order);
        }
        let Some(entry) = self.startable() else {
            return if self.runners.is_empty() { Step::Failed } else { Step::Wait };
        };
        let (earliest, opens) = (self.earliest(entry, now, tuning), opens(entry));
        if earliest > now {
            return Step::Wait;
        }
        if opens > now + tuning.server_interval {
            self.plan.pop_front();
            return Step::Skip;
        }
        if opens > now {
            return Step::Wait;
        }
        if self.in_flight() >= MOST_IN_FLIGHT {
            return self.place(now, smoothed, tuning).map_or(Step::Wait, Step::Evict);
        }
        self.plan.pop_front().map_or(Step::Wait, Step::Start)
    }

    // --- helpers ---

    /// The next server, unless a success is held that it could not beat.
    fn startable(&self) -> Option<&Entry> {
        let entry = self.plan.front()?;
        let beats = |held: &Runner| !held.drains() && held.member.priority <= entry.member.priority;
        let beaten = self.best_held().is_some_and(|(index, _)| self.runners.get(index).is_some_and(beats));
        (!beaten).then_some(entry)
    }

    fn earliest(&self, entry: &Entry, now: Moment, tuning: &Tuning) -> Moment {
        let Some(last) = self.pace.last_start.filter(|_| self.at_once == 0) else {
            return now;
        };
        let gap = last + tuning.start_gap;
        let crossing = entry.member.priority > self.pace.last_priority;
        let above_pending = || {
            let above = |member: &Member| member.priority < entry.member.priority;
            self.runners.iter().any(|runner| above(&runner.member))
                || self.best_evicted.is_some_and(|best| best < entry.member.priority)
        };
        let end = match crossing {
            true if !above_pending() => gap,
            true => (last + tuning.crossing).max(self.pace.extended_to.unwrap_or_default()),
            false if self.pace.definite => gap,
            false => (last + self.pace.wait).max(self.pace.extended_to.unwrap_or_default()),
        };
        if !self.is_refused() {
            return end;
        }
        // Two have rejected this agent: the others are asked one by one, as a patient walk would.
        let alone = if self.in_flight() == 0 { tuning.server_interval } else { tuning.patience };
        end.max(last + alone)
    }

    /// Whether two servers have rejected this agent.
    fn is_refused(&self) -> bool {
        self.failed.rejections() >= 2
    }

    /// The best success held, and since when the first of them is held.
    fn best_held(&self) -> Option<(usize, Moment)> {
        let held = self
            .runners
            .iter()
            .enumerate()
            .filter_map(|(index, runner)| Some((index, runner, runner.held.as_ref()?)));
        let since = held.clone().map(|(_, _, held)| held.since).min()?;
        // One that wants to be left is still better than none.
        let best =
            held.min_by_key(|(_, runner, _)| (runner.drains(), runner.member.priority, runner.member.rank))?;
        Some((best.0, since))
    }

    fn winner(&self, now: Moment, tuning: &Tuning) -> Option<usize> {
        let by_incumbent = self
            .runners
            .iter()
            .position(|runner| runner.held.is_some() && Some(runner.attempt.target.record) == self.incumbent);
        if by_incumbent.is_some() {
            return by_incumbent;
        }
        let (best, held_since) = self.best_held()?;
        let (best_priority, drains) = {
            let best = self.runners.get(best)?;
            (best.member.priority, best.drains())
        };
        if drains && now < held_since + tuning.reserve && (self.in_flight() > 0 || self.startable().is_some())
        {
            return None;
        }
        let may_still_come = |runner: &&Runner| {
            let attempt = &runner.attempt;
            if self.second_opinion_until.is_some_and(|until| now < until)
                && Some(attempt.target.record) == self.incumbent
            {
                return true;
            }
            let young = now < attempt.started + tuning.patience;
            let fresh = attempt.fresh_until(tuning).is_some_and(|until| now < until);
            runner.member.priority < best_priority && (young || (fresh && now < held_since + tuning.reserve))
        };
        let pending =
            self.runners.iter().filter(|runner| runner.held.is_none()).any(|runner| may_still_come(&runner));
        (!pending).then_some(best)
    }

    /// Whose place may be given to another: the oldest attempt that has shown no life for long enough.
    fn place(&self, now: Moment, smoothed: Option<Duration>, tuning: &Tuning) -> Option<usize> {
        let may_go = |runner: &Runner| now >= evictable_from(runner, smoothed, tuning);
        let candidates = self.runners.iter().enumerate().filter(|(_, runner)| may_go(runner));
        candidates.min_by_key(|(_, runner)| runner.attempt.started).map(|(index, _)| index)
    }
}

impl Runner {
    /// It answered well and wants to be left.
    fn drains(&self) -> bool {
        self.held.as_ref().is_some_and(|held| held.drain.is_some())
    }
}

fn evictable_from(runner: &Runner, smoothed: Option<Duration>, tuning: &Tuning) -> Moment {
    // The agent's own server of a priority is where the agent belongs: it keeps its place.
    if runner.held.is_some() || runner.last_chance || runner.member.rank == 0 {
        return Moment::from_nanos(u64::MAX);
    }
    let old_enough = runner.attempt.started + tuning.patience.max(smoothed.unwrap_or_default() * 2);
    old_enough.max(runner.attempt.fresh_until(tuning).unwrap_or_default())
}
