//! Every server of the settings with its record, the list in force, and how an attempt is begun,
//! charged and raced.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::attempt::{Answer, Attempt, Step as Progress, Target};
use super::backoff::Guard;
use super::health::Record;
use super::plan::{self, Entry};
use super::race::{Held, Race, Runner, Step};
use super::roster::{Member, Roster};
use crate::engine::context::Context;
use crate::engine::event::Next;
use crate::engine::{Ending, Event, Input};
use crate::words::{AgentId, Cause, Errand, Failure, FailureClass, Moment, Purpose, Route, ServerId};

/// See the module.
#[derive(Debug)]
pub(super) struct Servers {
    pub(super) agent: AgentId,
    /// One for each distinct server of the settings.
    pub(super) records: Vec<Record>,
    /// The list in force.
    pub(super) roster: Roster,
    /// How long connections take on this network.
    pub(super) connect_time: Option<Duration>,
    guard: Guard,
    /// The ways to the servers, in the program's order.
    routes: Arc<[Route]>,
    /// The one that last worked on this network.
    good_route: u8,
}

/// How a race ended.
#[derive(Debug)]
pub(super) enum Finish {
    Won(Box<Runner>, Held),
    Rejected,
    Failed,
}

impl Servers {
    pub(super) fn new(agent: AgentId, routes: Arc<[Route]>) -> Self {
        Self {
            agent,
            records: Vec::new(),
            roster: Roster::default(),
            connect_time: None,
            guard: Guard::full(),
            routes,
            good_route: 0,
        }
    }

    // --- getters ---

    pub(super) fn record(&self, record: usize) -> Option<&Record> {
        self.records.get(record)
    }

    pub(super) fn id(&self, record: usize) -> ServerId {
        // Records are made with the roster and only replaced with it, so the fallback names nobody.
        self.records.get(record).map_or_else(|| ServerId::new("?"), |record| record.id.clone())
    }

    pub(super) fn find(&self, id: &ServerId) -> Option<usize> {
        self.records.iter().position(|record| record.id == *id)
    }

    /// How long an attempt runs alone before the next is started beside it.
    pub(super) fn stagger(&self, tuning: &super::Tuning) -> Duration {
        self.connect_time.map_or(tuning.stagger_unknown, |time| {
            (time * 2).max(tuning.stagger_least).min(tuning.stagger_most)
        })
    }

    pub(super) fn plan(
        &self,
        now: Moment,
        without: Option<usize>,
        is_long_outage: bool,
        tuning: &super::Tuning,
    ) -> Vec<Entry> {
        plan::plan(
            &self.roster,
            &plan::Request { records: &self.records, now, without, is_long_outage },
            tuning,
        )
    }

    /// When the first server that a plan could contain may be used.
    pub(super) fn next_opening(&self, now: Moment) -> Option<Moment> {
        plan::next_opening(&self.roster, &self.records, now)
    }

    /// From when on the guard lets a sweep of this size begin.
    pub(super) fn guard_opens(&self, attempts: usize, tuning: &super::Tuning) -> Moment {
        self.guard.ready(attempts, self.roster.members().len(), tuning)
    }

    // --- attempts ---

    pub(super) fn begin(&mut self, cx: &mut Context<'_>, member: &Member, errand: Errand) -> Attempt {
        let target = self.target(cx, member);
        self.begin_target(cx, target, errand)
    }

    pub(super) fn begin_target(&mut self, cx: &mut Context<'_>, target: Target, errand: Errand) -> Attempt {
        self.guard.spend(cx.now, self.roster.members().len(), &cx.tuning.attachment);
        if let Some(record) = self.records.get_mut(target.record) {
            record.last_start = Some(cx.now);
        }
        Attempt::begin(cx, target, errand)
    }

    pub(super) fn target(&self, cx: &Context<'_>, member: &Member) -> Target {
        let record = usize::from(member.record);
        Target {
            record,
            server: member.server.clone(),
            policy: cx.in_force.certificate_policy(member.server.policy),
            last_good: self
                .records
                .get(record)
                .and_then(|record| record.last_good(cx.now, &cx.tuning.attachment)),
            routes: self.routes.clone(),
            first_route: self.good_route,
        }
    }

    /// Another network: what is slow and which way leads out has to be learned anew.
    pub(super) fn forget_network(&mut self) {
        self.connect_time = None;
        self.good_route = 0;
    }

    /// A connection stood after this long, by this route.
    pub(super) fn connected_in(&mut self, time: Duration, route: u8) {
        self.good_route = route;
        // The weight of TCP's own smoothed round-trip time (RFC 6298).
        self.connect_time = Some(self.connect_time.map_or(time, |smoothed| (smoothed * 7 + time) / 8));
    }

    pub(super) fn charge(&mut self, cx: &mut Context<'_>, record: usize, policy: u16, failure: &Failure) {
        if let Some(record) = self.records.get_mut(record) {
            record.charge(cx.now, failure, policy, &cx.tuning.attachment, cx.chance);
        }
    }

    pub(super) fn note(&mut self, now: Moment, record: usize, failure: &Failure) {
        if let Some(record) = self.records.get_mut(record) {
            record.note(now, failure);
        }
    }

    pub(super) fn succeed(&mut self, cx: &mut Context<'_>, record: usize, address: Option<IpAddr>) {
        cx.network.believed_somebody();
        if let Some(record) = self.records.get_mut(record) {
            record.succeed(cx.now, &cx.tuning.attachment);
            record.remember_address(cx.now, address);
        }
    }

    pub(super) fn drain(&mut self, cx: &mut Context<'_>, record: usize, window: Duration) {
        if let Some(record) = self.records.get_mut(record) {
            record.drain(cx.now, window, &cx.tuning.attachment);
        }
    }

    // --- races ---

    /// Hands an input to the runner it is about. `false`: it is about none.
    pub(super) fn race_input(&mut self, cx: &mut Context<'_>, race: &mut Race, input: Input<'_>) -> bool {
        let Some(index) = race.runners.iter().position(|runner| runner.is_about(&input)) else {
            return false;
        };
        let connected = matches!(input, Input::Connected { .. });
        let Some(runner) = race.runners.get_mut(index) else {
            return false;
        };
        if let Some(held) = &mut runner.held {
            if let Input::Lost { failure, .. } = &input
                && failure.class() == FailureClass::ClosedIdle
            {
                // Many servers close with each answer. The success counts; only the link is not kept.
                held.open = false;
                return true;
            }
            // The link of a success in reserve is gone before it was needed.
            cx.queue.abandon(held.exchange, Ending::Failed);
            self.fail(cx, race, index, Cause::ClosedIdle.into(), true);
            return true;
        }
        let step = runner.attempt.handle(cx, input);
        if connected && let Some(time) = runner.attempt.connect_time {
            let route = runner.attempt.route();
            self.connected_in(time, route);
            cx.network.heard_somebody();
        }
        match step {
            Progress::Nothing | Progress::Told(_) => {}
            Progress::Progress => race.progressed(index, cx.now, &cx.tuning.attachment),
            Progress::Answered(answer) => {
                let record = runner.attempt.target.record;
                runner.held = Some(held(cx.now, &answer));
                if let Some(window) = answer.drain {
                    self.drain(cx, record, window);
                }
            }
            Progress::Declined { status, drain } => {
                let failure = Cause::NotAManager { status }.into();
                self.race_failure(cx, race, index, failure, drain);
            }
            Progress::Failed { failure, drain } => self.race_failure(cx, race, index, failure, drain),
        }
        true
    }

    /// Starts, evicts and expires runners until the race waits or ends.
    pub(super) fn drive(&mut self, cx: &mut Context<'_>, race: &mut Race) -> Option<Finish> {
        let tuning = &cx.tuning.attachment;
        while let Some(index) = race
            .runners
            .iter()
            .position(|runner| runner.held.is_none() && runner.attempt.limit(tuning).0 <= cx.now)
        {
            let Some(runner) = race.runners.get_mut(index) else {
                break;
            };
            if let Some(failure) = runner.attempt.expire(cx) {
                self.fail(cx, race, index, failure, false);
            }
        }
        loop {
            match race.next(cx.now, self.connect_time, tuning) {
                Step::Wait => return None,
                Step::Start(entry) => {
                    let stagger = self.stagger(tuning);
                    let errand = Errand::Heartbeat { purpose: Purpose::Attach { sweep: race.sweep } };
                    let attempt = self.begin(cx, &entry.member, errand);
                    race.started(attempt, entry.member, stagger, tuning);
                }
                Step::Evict(index) => race.evicted(index).attempt.give_up(cx, Ending::Evicted),
                Step::Drop(index) => race.dropped(index).give_up(cx, Ending::LostRace),
                Step::Promote(index) => {
                    let runner = race.runners.remove(index);
                    let Some(held) = runner.held.clone() else {
                        return Some(Finish::Failed);
                    };
                    return Some(Finish::Won(Box::new(runner), held));
                }
                Step::Rejected => return Some(Finish::Rejected),
                Step::Failed => {
                    let only = self.roster.members().len() == 1;
                    let refused =
                        race.failed.iter().any(|ended| ended.failure.class() == FailureClass::NotAllowed);
                    return Some(if only && refused { Finish::Rejected } else { Finish::Failed });
                }
            }
        }
    }

    /// Gives up every runner.
    pub(super) fn disband(&mut self, cx: &mut Context<'_>, race: &mut Race, reason: Ending) {
        for mut runner in race.runners.drain(..) {
            runner.give_up(cx, reason);
        }
    }

    // --- helpers ---

    fn race_failure(
        &mut self,
        cx: &mut Context<'_>,
        race: &mut Race,
        index: usize,
        failure: Failure,
        drain: Option<Duration>,
    ) {
        if let (Some(window), Some(runner)) = (drain, race.runners.get(index)) {
            self.drain(cx, runner.attempt.target.record, window);
        }
        self.fail(cx, race, index, failure, true);
    }

    fn fail(
        &mut self,
        cx: &mut Context<'_>,
        race: &mut Race,
        index: usize,
        failure: Failure,
        definite: bool,
    ) {
        let Some(record) = race.runners.get(index).map(|runner| runner.attempt.target.record) else {
            return;
        };
        let server = self.id(record);
        // What a server asks for holds from the moment it is heard, whatever becomes of the race.
        let at_once = failure.class() == FailureClass::Throttled;
        if at_once {
            let policy = race.runners.get(index).map_or(0, |runner| runner.member.server.policy);
            self.charge(cx, record, policy, &failure);
        }
        race.failed(index, failure.clone(), definite, at_once);
        let next = if race.in_flight() + race.left() > 0 { Next::NextServer } else { Next::Nothing };
        cx.tell(Event::attempt_failed(server, &failure, next));
    }
}

impl Runner {
    pub(super) fn give_up(&mut self, cx: &mut Context<'_>, reason: Ending) {
        match self.held.take() {
            Some(held) => {
                cx.queue.abandon(held.exchange, reason);
                if held.open {
                    cx.queue.close(held.link.id, reason);
                }
            }
            None => self.attempt.give_up(cx, reason),
        }
    }

    fn is_about(&self, input: &Input<'_>) -> bool {
        match (&self.held, input) {
            (Some(held), Input::Lost { link, .. }) => held.link.id == *link,
            (Some(_), _) => false,
            (None, input) => self.attempt.is_about(input),
        }
    }
}

fn held(now: Moment, answer: &Answer<'_>) -> Held {
    Held {
        since: now,
        exchange: answer.exchange,
        link: answer.link,
        open: true,
        status: answer.status,
        elapsed: answer.elapsed,
        first_byte: answer.first_byte,
        settings: answer.settings.map(Into::into),
        policy: answer.policy.map(Into::into),
        drain: answer.drain,
    }
}

#[cfg(all(test, target_pointer_width = "64"))]
mod tests {
    use super::*;

    #[test]
    fn a_server_costs_an_engine_at_most_128_bytes() {
        let size = size_of::<Record>() + size_of::<Member>();
        assert!(size <= 128, "{size}");
    }
}
