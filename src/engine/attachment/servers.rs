//! Every server of the settings with its record, the list in force, and how an attempt is begun,
//! charged and raced.

use std::sync::Arc;
use std::time::Duration;

use super::by_id::ById;
use super::digest::Digest;
use super::failures::{Certainty, Charge};
use super::health::{Record, Throttle, smooth};
use super::plan::{self, Criteria, Entry};
use super::race::{Held, Race, Runner, Step};
use super::ranked_servers::{Member, RankedServers};
use super::runner::held;
use super::ways::{self, Way, Ways};
use crate::engine::context::Context;
use crate::engine::event::Next;
use crate::engine::guard::Present;
use crate::engine::networks::Networks;
use crate::engine::owners::Owner;
use crate::engine::session::{Attempt, Endpoints, Link, Routes, Step as Progress, Target};
use crate::engine::{Ending, Event, Input, NetworkChange, Reason};
use crate::settings::Server;
use crate::types::{AgentId, Cause, Failure, FailureClass, Moment, NetworkId, Purpose, Request, ServerId};

/// See the module.
#[derive(Debug)]
pub(super) struct Servers {
    pub(super) agent: AgentId,
    /// One for each distinct server of the settings.
    records: Vec<Record>,
    digest: Digest,
    /// The list in force.
    pub(super) ranked_servers: RankedServers,
    /// How long connections take on this network.
    pub(super) connect_time: Option<Duration>,
    /// Floors of servers the settings no longer name: they hold should such a server come back.
    floors: Vec<(ServerId, Throttle)>,
    /// A floor was heard that may have to stop what is planned.
    pub(super) floor_heard: bool,
    routes: Arc<Routes>,
    /// The one by which a server was last reached on this network; tried first for those of which nothing is known.
    good_route: u8,
    /// The ways that had to be found out, on this network and on those before.
    pub(super) networks: Networks<Ways>,
}

/// How a race ended.
#[derive(Debug)]
pub(super) enum Finish {
    Won(Box<Runner>, Held),
    Failed,
}

/// More floors of servers that left the settings than this would be a settings document that does nothing else.
const MOST_FLOORS: usize = 64;

impl Servers {
    pub(super) fn new(agent: AgentId, routes: Routes) -> Self {
        Self {
            agent,
            records: Vec::new(),
            digest: Digest::default(),
            ranked_servers: RankedServers::default(),
            connect_time: None,
            floors: Vec::new(),
            floor_heard: false,
            routes: Arc::new(routes),
            good_route: 0,
            networks: Networks::default(),
        }
    }

    // --- getters ---

    /// Every server of the settings, in their order, and then perhaps one that they no longer name.
    pub(super) fn records(&self) -> &[Record] {
        &self.records
    }

    /// For what may change many of them.
    pub(super) fn records_mut(&mut self) -> &mut Vec<Record> {
        self.digest.forget();
        &mut self.records
    }

    /// A number that differs when the records differ in a way worth a write to a disk.
    pub(super) fn digest(&mut self, now: Moment) -> u64 {
        self.digest.number(now, &self.records)
    }

    pub(super) fn record(&self, record: usize) -> Option<&Record> {
        self.records.get(record)
    }

    pub(super) fn id(&self, record: usize) -> ServerId {
        // Records are made with the ranked servers and only replaced with it, so the fallback names nobody.
        self.records.get(record).map_or_else(|| ServerId::new("?"), |record| record.id.clone())
    }

    /// The records by the ids of their servers.
    pub(super) fn by_id(&self) -> ById<'_> {
        ById::new(&self.records)
    }

    /// How long an attempt runs alone before the next is started beside it.
    pub(super) fn stagger(&self, tuning: &super::Tuning) -> Duration {
        self.connect_time.map_or(tuning.stagger_unknown, |time| {
            (time * 2).max(tuning.stagger_least).min(tuning.stagger_most)
        })
    }

    /// How long an attempt on the server in use runs alone. What has always been slow is not dead.
    pub(super) fn stagger_beside(&self, record: usize, tuning: &super::Tuning) -> Duration {
        match self.records.get(record).and_then(Record::connect_time) {
            Some(time) => (time * 2).max(tuning.stagger_least).min(tuning.beside_most),
            None => self.stagger(tuning),
        }
    }

    pub(super) fn plan(&self, cx: &Context<'_>, criteria: Criteria) -> Vec<Entry> {
        // One that had its dial less than a second ago is waited for.
        let soon = cx.now + cx.tuning.attachment.server_interval;
        let may_start = |member: &Member| self.opens(cx.present(), member.record.into()) <= soon;
        plan::plan(&self.ranked_servers, &self.records, cx.now, criteria, may_start)
    }

    /// When the first server that a plan could contain may be used, and whether the guard alone keeps it from that.
    pub(super) fn next_opening(&self, cx: &Context<'_>) -> Option<(Moment, bool)> {
        let opening = |member: &Member| {
            let record = usize::from(member.record);
            let floor = self.records.get(record)?.floor().unwrap_or_default();
            let opens = self.opens(cx.present(), record);
            Some((floor.max(opens), floor < opens)).filter(|(at, _)| *at > cx.now)
        };
        self.ranked_servers.members().iter().filter_map(opening).min()
    }

    /// From when on a server may be dialled: its own floor, the distance of two dials, and the guard.
    pub(super) fn opens(&self, at: Present<'_>, record: usize) -> Moment {
        let last_start = self.records.get(record).and_then(|known| known.last_start);
        let distance = last_start.map_or(Moment::default(), |start| start + at.tuning.server_interval);
        distance.max(self.opens_beside(at, record))
    }

    /// The same for a dial beside the link in use, a second opinion or a stream: without the distance of two dials.
    pub(super) fn opens_beside(&self, at: Present<'_>, record: usize) -> Moment {
        let Some(known) = self.records.get(record) else {
            return at.now;
        };
        let after = |distance| known.last_start.map_or(Moment::default(), |start| start + distance);
        let guard = at.guard.opens(at.now, self.ranked_servers.members().len(), at.tuning);
        let guard = guard.min(after(at.tuning.guard_trickle));
        guard.max(known.throttled_until().unwrap_or_default())
    }

    fn opens_for(&self, at: Present<'_>, entry: &Entry) -> Moment {
        let record = entry.member.record.into();
        if entry.second_opinion { self.opens_beside(at, record) } else { self.opens(at, record) }
    }

    /// When a race has something to do.
    pub(super) fn race_deadline(&self, at: Present<'_>, race: &Race) -> Option<Moment> {
        let opens = |entry: &Entry| self.opens_for(at, entry);
        race.deadline(at.now, self.connect_time, opens, at.tuning)
    }

    // --- floors of servers that come and go ---

    /// The settings no longer name this server; what it asked for is kept.
    pub(super) fn keep_floor(&mut self, now: Moment, record: &Record) {
        let Some(throttle) = record.throttle.filter(|throttle| now < throttle.until) else {
            return;
        };
        self.remember_floor(now, record.id.clone(), throttle);
    }

    pub(super) fn remember_floor(&mut self, now: Moment, id: ServerId, throttle: Throttle) {
        self.floors.retain(|(known, throttle)| *known != id && now < throttle.until);
        self.floors.push((id, throttle));
        if self.floors.len() > MOST_FLOORS {
            self.floors.sort_by_key(|(_, throttle)| std::cmp::Reverse(throttle.until));
            self.floors.truncate(MOST_FLOORS);
        }
    }

    /// The settings name a server: what it asked for in an earlier life holds.
    pub(super) fn recall_floor(&mut self, id: &ServerId) -> Option<Throttle> {
        let place = self.floors.iter().position(|(known, _)| known == id)?;
        Some(self.floors.swap_remove(place).1)
    }

    pub(super) fn floors(&self) -> &[(ServerId, Throttle)] {
        &self.floors
    }

    // --- attempts ---

    pub(super) fn begin(
        &mut self,
        cx: &mut Context<'_>,
        owner: Owner,
        member: &Member,
        request: Request,
    ) -> Attempt {
        let target = self.target(cx, member);
        self.begin_target(cx, owner, target, request)
    }

    pub(super) fn begin_target(
        &mut self,
        cx: &mut Context<'_>,
        owner: Owner,
        target: Target,
        request: Request,
    ) -> Attempt {
        if let Some(record) = self.records.get_mut(target.record) {
            record.last_start = Some(cx.now);
        }
        Attempt::begin(cx, owner, target, request)
    }

    /// The same, with an old link to the server in hand.
    pub(super) fn renew(
        &mut self,
        cx: &mut Context<'_>,
        owner: Owner,
        target: Target,
        request: Request,
        old: Link,
    ) -> Attempt {
        if let Some(record) = self.records.get_mut(target.record) {
            record.last_start = Some(cx.now);
        }
        Attempt::renewing(cx, owner, target, request, old)
    }

    pub(super) fn target(&self, cx: &Context<'_>, member: &Member) -> Target {
        let record = usize::from(member.record);
        let known = self.records.get(record);
        let route = known.and_then(Record::good_route).unwrap_or(self.good_route);
        Target {
            record,
            server: member.server.clone(),
            policy: cx.in_force.certificate_policy(member.server.policy),
            last_good: known.and_then(|record| record.last_good(cx.now, &cx.tuning.attachment)),
            prefers_last_good: known.is_some_and(Record::prefers_last_good),
            endpoints: Endpoints::new(self.routes.clone(), route),
        }
    }

    /// What is slow and which way leads out has to be learned anew. On another network, what a server showed on the last one
    /// counts no more.
    pub(super) fn forget_network(&mut self, now: Moment, change: NetworkChange) {
        (self.connect_time, self.good_route) = (None, 0);
        self.records_mut().iter_mut().for_each(|record| record.forget_network(now, change));
        self.recall();
    }

    /// These are the ways to the servers from now on; what was learned of those before them is forgotten. `false`: they are the same.
    pub(super) fn set_routes(&mut self, routes: Routes) -> bool {
        if *self.routes == routes {
            return false;
        }
        (self.routes, self.good_route) = (Arc::new(routes), 0);
        ways::forget_routes(&mut self.networks, &mut self.records);
        self.digest.forget();
        true
    }

    /// The machine is on this network, as the driver says.
    pub(super) fn arrive(&mut self, network: Option<NetworkId>) {
        self.networks.arrive(network);
        self.recall();
    }

    /// What is remembered of this network is tried first.
    fn recall(&mut self) {
        self.good_route = ways::recall(&self.networks, &mut self.records).unwrap_or(self.good_route);
        self.digest.forget();
    }

    /// A connection to this server stood after this long.
    pub(super) fn connected_in(&mut self, record: usize, time: Duration) {
        self.connect_time = Some(self.connect_time.map_or(time, |smoothed| smooth(smoothed, time)));
        if let Some(record) = self.records.get_mut(record) {
            record.connected_in(time);
        }
    }

    pub(super) fn charge(&mut self, cx: &mut Context<'_>, record: usize, policy: u16, failure: &Failure) {
        self.change(cx.now, record, |record| {
            record.charge(cx.now, failure, policy, &cx.tuning.attachment, cx.rng);
        });
        self.floor_heard |= failure.class() == FailureClass::Throttled;
    }

    pub(super) fn note(&mut self, now: Moment, record: usize, failure: &Failure) {
        if let Some(record) = self.records.get_mut(record) {
            record.note(now, failure);
        }
    }

    /// An exchange with this server succeeded on this link.
    pub(super) fn succeed(&mut self, cx: &mut Context<'_>, record: usize, server: &Server, link: &Link) {
        cx.network.believed_somebody();
        let route = self.routes.routes.iter().position(|&route| route == link.route).unwrap_or_default();
        self.good_route = u8::try_from(route).unwrap_or_default();
        let (good_route, networks) = (self.good_route, &mut self.networks);
        let Some(record) = self.records.get_mut(record) else {
            return;
        };
        self.digest.change(cx.now, record, |record| {
            record.succeed(cx.now, &cx.tuning.attachment);
            record.remember_route(good_route);
            record.remember_address(cx.now, link.looked_up(server), link.is_detour);
            let address = record.last_good_known().filter(|known| known.preferred);
            ways::note(networks, &record.id, Way { route: good_route, address });
        });
    }

    pub(super) fn drain(&mut self, cx: &mut Context<'_>, record: usize, window: Duration) {
        self.change(cx.now, record, |record| record.drain(cx.now, window, &cx.tuning.attachment));
    }

    pub(super) fn end_drain(&mut self, cx: &Context<'_>, record: usize) {
        self.change(cx.now, record, |record| record.end_drain(cx.now));
    }

    fn change(&mut self, now: Moment, record: usize, by: impl FnOnce(&mut Record)) {
        if let Some(record) = self.records.get_mut(record) {
            self.digest.change(now, record, by);
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
            self.fail(cx, race, index, Cause::ClosedIdle.into(), Certainty::Definite);
            return true;
        }
        let step = runner.attempt.handle(cx, input);
        if connected && let Some(time) = runner.attempt.connect_time {
            let record = runner.attempt.target.record;
            self.connected_in(record, time);
            cx.network.heard_somebody();
        }
        match step {
            Progress::Nothing | Progress::Notice(_) => {}
            Progress::Progress => race.progressed(index, cx.now, &cx.tuning.attachment),
            Progress::Answered(answer) => {
                let record = runner.attempt.target.record;
                runner.held = Some(held(cx.now, &answer));
                if let Some(window) = answer.drain {
                    self.drain(cx, record, window);
                    // An agent that leaves a draining server gains nothing by another that drains.
                    if race.reason == Reason::ServerDraining {
                        if let Some(runner) = race.runners.get_mut(index) {
                            runner.give_up(cx, Ending::Failed);
                        }
                        self.fail(cx, race, index, Cause::Draining.into(), Certainty::Definite);
                    }
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
                self.fail(cx, race, index, failure, Certainty::OutOfTime);
            }
        }
        loop {
            let at = cx.present();
            let opens = |entry: &Entry| self.opens_for(at, entry);
            match race.next(at.now, self.connect_time, opens, at.tuning) {
                Step::Wait => return None,
                Step::Skip => {}
                Step::Start(entry) => {
                    let stagger = self.stagger(tuning);
                    let request = Request::Heartbeat { purpose: Purpose::Attach { search: race.search } };
                    let attempt = self.begin(cx, Owner::Search, &entry.member, request);
                    race.started(attempt, entry.member, stagger, tuning);
                }
                Step::Evict(index) => race.evicted(index).attempt.give_up(cx, Ending::Evicted),
                Step::Promote(index) => {
                    let runner = race.runners.remove(index);
                    let Some(held) = runner.held.clone() else {
                        return Some(Finish::Failed);
                    };
                    return Some(Finish::Won(Box::new(runner), held));
                }
                Step::Failed => return Some(Finish::Failed),
            }
        }
    }

    /// A server asked for patience, whoever heard it: what has not yet asked it in this race does not.
    pub(super) fn heed_floors(&self, cx: &mut Context<'_>, race: &mut Race) {
        let now = cx.now;
        let stops = |runner: &mut Runner| {
            let record = self.records.get(runner.attempt.target.record);
            runner.held.is_none()
                && record.is_some_and(|record| record.is_throttled(now))
                && runner.attempt.heed_floor()
        };
        while let Some(index) = race.runners.iter_mut().position(stops) {
            race.dropped(index).give_up(cx, Ending::Failed);
        }
    }

    /// Gives up every runner.
    pub(super) fn disband(&mut self, cx: &mut Context<'_>, race: &mut Race, reason: Ending) {
        race.runners.drain(..).for_each(|mut runner| runner.give_up(cx, reason));
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
        self.fail(cx, race, index, failure, Certainty::Definite);
    }

    fn fail(
        &mut self,
        cx: &mut Context<'_>,
        race: &mut Race,
        index: usize,
        failure: Failure,
        certainty: Certainty,
    ) {
        let Some(runner) = race.runners.get(index) else {
            return;
        };
        let record = runner.attempt.target.record;
        let listed = self.ranked_servers.with_record_of(&runner.member);
        // Where it was at a place the settings no longer name, the present one is not charged.
        let has_moved = listed.is_some_and(|listed| !listed.is_same_place(&runner.member));
        let server = self.id(record);
        // What a server asks for holds from the moment it is heard, whatever becomes of the race and wherever the server was.
        let mut charge = if has_moved { Charge::Paid } else { Charge::Due };
        if failure.class() == FailureClass::Throttled {
            charge = Charge::Paid;
            let policy = race.runners.get(index).map_or(0, |runner| runner.member.server.policy);
            self.charge(cx, record, policy, &failure);
        }
        race.failed(index, failure.clone(), certainty, charge);
        if has_moved {
            return;
        }
        let next = if race.in_flight() + race.left() > 0 { Next::NextServer } else { Next::Nothing };
        cx.emit(Event::attempt_failed(server, &failure, next));
    }
}

#[cfg(all(test, target_pointer_width = "64"))]
mod tests {
    use super::*;

    #[test]
    fn a_server_costs_an_engine_at_most_160_bytes() {
        let size = size_of::<Record>() + size_of::<Member>();
        assert!(size <= 160, "{size}");
    }
}
