//! The search for a server: how a search begins, and what comes of it.

use std::collections::BTreeSet;
use std::time::Duration;

use super::active::Reached;
use super::backoff::{MOST_MISSES, delay};
use super::plan::{Criteria, LastResort};
use super::race::{Ended, Held, Race, Runner};
use super::servers::Finish;
use super::{Attachment, Leave, Phase};
use crate::engine::context::Context;
use crate::engine::event::span;
use crate::engine::fact::Fact;
use crate::engine::network::{Blame, Sign};
use crate::engine::session::{Link, Try};
use crate::engine::{Action, Ending, Event, Reason};
use crate::types::{Cause, Evidence, Failure, FailureClass};

/// Searches of an outage that try every server; later ones take turns.
const WHOLE_SEARCHES: u32 = 3;

/// What a loss means for the search that follows.
enum Loss {
    /// The agent had just come back by failback: it returns to where it was.
    BackAtOnce,
    /// The search begins after a pause of at most this.
    Calm(Duration),
}

impl Attachment {
    /// Begins a search now, or says when one can begin.
    pub(super) fn search(&mut self, cx: &mut Context<'_>, reason: Reason) {
        // A portal lets a machine out at once, so each search for the way out is a whole one.
        let in_turns = self.searches >= WHOLE_SEARCHES && !cx.network.is_captive();
        let plan = self.servers.plan(cx, Criteria { in_turns, ..Criteria::default() });
        if plan.is_empty() {
            let ceiling = cx.now + cx.tuning.attachment.ceiling;
            let (opens, by_guard) = self.servers.next_opening(cx).unwrap_or((ceiling, false));
            let reason = if by_guard { Reason::TooManyAttempts } else { Reason::NothingAvailable };
            let until = opens + cx.rng.up_to(cx.tuning.attachment.first_window);
            return self.transition_to_waiting(cx, until, reason);
        }
        let race = Race::new(cx.queue.next_id(), reason, cx.now, plan);
        self.transition_to_searching(cx, Box::new(race));
        self.drive_search(cx);
    }

    pub(super) fn drive_search(&mut self, cx: &mut Context<'_>) {
        let Phase::Searching(race) = &mut self.phase else {
            return;
        };
        let Some(finish) = self.servers.drive(cx, race) else {
            return;
        };
        let race = race.take();
        match finish {
            Finish::Won(runner, held) => self.won(cx, race, runner, held),
            Finish::Failed => self.gave_up(cx, race),
        }
    }

    /// The race that runs while the agent is attached.
    pub(super) fn drive_beside(&mut self, cx: &mut Context<'_>) {
        let Some(active) = self.active_mut() else {
            return;
        };
        let record = active.record();
        // The race is driven on its own and put back.
        let Some(mut race) = active.search.take() else {
            return;
        };
        let finish = self.servers.drive(cx, &mut race);
        let beside = race.incumbent.is_some();
        match finish {
            Some(Finish::Won(runner, held)) => self.won(cx, *race, runner, held),
            Some(Finish::Failed) if beside => self.gave_up(cx, *race),
            Some(Finish::Failed) => self.nobody_better(cx, *race),
            None if beside && !race.has(record) => {
                // The server in use failed for good while others are still being tried.
                self.hunger.failed();
                self.count_loss(cx);
                self.transition_to_searching(cx, race);
            }
            None => {
                if let Some(active) = self.active_mut() {
                    active.search = Some(race);
                }
            }
        }
    }

    /// The server in use failed and nothing is under way: on to the others. `charged`: it has paid already.
    pub(super) fn lose(&mut self, cx: &mut Context<'_>, failure: Failure, charged: bool) {
        let Some(active) = self.active() else {
            return;
        };
        let tuning = &cx.tuning.attachment;
        let (record, policy) = (active.record(), active.member.server.policy);
        let wait = match self.count_loss(cx) {
            Loss::BackAtOnce => Duration::ZERO,
            Loss::Calm(longest) => {
                cx.rng.up_to(longest).max(delay(self.misses, tuning.ceiling, tuning, cx.rng))
            }
        };
        let ended = Ended { record, policy, failure, charged };
        if !wait.is_zero() {
            let alone = Race::new(cx.queue.next_id(), Reason::ServerFailed, cx.now, Vec::new()).after(ended);
            self.blame(cx, &alone);
            let often = self.moves.are_many();
            let reason = if often { Reason::MovedOften } else { Reason::ServerFailed };
            return self.transition_to_waiting(cx, cx.now + wait, reason);
        }
        let plan = self.servers.plan(cx, Criteria { without: Some(record), ..Criteria::default() });
        let race = Race::new(cx.queue.next_id(), Reason::ServerFailed, cx.now, plan).after(ended);
        self.transition_to_searching(cx, Box::new(race));
        self.drive_search(cx);
    }

    /// The server in use is lost.
    fn count_loss(&mut self, cx: &mut Context<'_>) -> Loss {
        let tuning = &cx.tuning.attachment;
        let calm = self.moves.record(cx.now, tuning);
        // Back at once, and not so soon again.
        if self.end_probation(cx) { Loss::BackAtOnce } else { Loss::Calm(calm) }
    }

    /// The agent leaves the server in use, which failed it. One it had come to as to a better one, less than an hour ago,
    /// has to prove itself for longer from now on. Whether it is such a one.
    fn end_probation(&mut self, cx: &Context<'_>) -> bool {
        let probation = cx.tuning.attachment.probation;
        let Some(active) = self.active_mut() else {
            return false;
        };
        let soon = std::mem::take(&mut active.on_probation) && cx.now.since(active.since) < probation;
        if soon {
            self.failback.damp(cx.now, &cx.tuning.attachment);
        }
        soon
    }

    /// Where an agent looks that means to leave.
    fn leave_criteria(&self, cx: &Context<'_>, reason: Reason, record: usize) -> Criteria {
        let throttled = self.servers.record(record).is_some_and(|record| record.is_available_later(cx.now));
        let unfed = self.hunger.is_unfed(cx.now);
        let last_resort = if reason == Reason::Unfed {
            LastResort::Always
        } else if reason == Reason::ServerDraining {
            LastResort::Never
        } else {
            LastResort::IfNothingElse
        };
        Criteria {
            // New settings may name the server in use with another certificate policy or at another place: then it is
            // the first to be asked again.
            without: (reason != Reason::NewSettings).then_some(record),
            // 429 means: available, only not now.
            lowest: self.active().filter(|_| throttled && !unfed).map(|active| active.member.priority),
            last_resort,
            in_turns: false,
        }
    }

    /// Nobody better was found: the agent stays, and looks again later.
    fn stay(&mut self, cx: &mut Context<'_>, leave: Leave) {
        let drains = leave.reason == Reason::ServerDraining;
        let tuning = &cx.tuning.attachment;
        let tries = leave.tries.saturating_add(1);
        let wait = if drains {
            let mean = tuning.drain_look.saturating_mul(1 << leave.tries.min(16)).min(tuning.drain_look_most);
            cx.rng.around(mean, 50, 150)
        } else {
            delay(tries, tuning.ceiling, tuning, cx.rng)
        };
        let Some(active) = self.active_mut() else {
            return;
        };
        active.leave = Some(Leave { at: cx.now + wait, tries, ..leave });
        if drains && leave.tries == 0 && active.is_quiet() {
            // A balancer may have another one behind the same address.
            self.ask_on_a_fresh_link(cx);
        }
    }

    /// Looks for another server while staying with the present one.
    pub(super) fn move_away(&mut self, cx: &mut Context<'_>, leave: Leave) {
        let Some(record) = self.active().map(super::Active::record) else {
            return;
        };
        let criteria = self.leave_criteria(cx, leave.reason, record);
        let plan = self.servers.plan(cx, criteria);
        if plan.is_empty() {
            return self.stay(cx, leave);
        }
        let Some(active) = self.active_mut() else {
            return;
        };
        active.leave = Some(leave);
        let servers = plan.len();
        cx.emit(Event::Searching { reason: leave.reason, servers });
        let race = Race::new(cx.queue.next_id(), leave.reason, cx.now, plan);
        self.search_beside(cx, race);
    }

    /// Others are tried while the agent stays attached.
    pub(super) fn search_beside(&mut self, cx: &mut Context<'_>, race: Race) {
        if let Some(active) = self.active_mut() {
            active.search = Some(Box::new(race));
        }
        self.drive_beside(cx);
    }

    fn won(&mut self, cx: &mut Context<'_>, race: Race, winner: Box<Runner>, held: Held) {
        let record = winner.attempt.target.record;
        self.hunger.delivered(cx.now);
        self.charge_all(cx, &race);
        let evicted: Vec<_> = race.still_evicted().cloned().collect();
        for member in evicted {
            self.servers.charge(cx, member.record.into(), member.server.policy, &Cause::Evicted.into());
        }
        let stays =
            self.active().is_some_and(|active| active.record() == record) && race.incumbent == Some(record);
        let charged = |silent: usize| race.failed.iter().any(|ended| ended.record == silent);
        let silent = race
            .incumbent
            .filter(|&silent| !stays && race.reason == Reason::ServerSilent && !charged(silent));
        if let Some(silent) = silent {
            let policy = self.active().map_or(0, |active| active.member.server.policy);
            self.servers.charge(cx, silent, policy, &Cause::NoFirstByte.into());
        }
        if race.incumbent.is_some() && !stays && self.active().is_some() {
            self.count_loss(cx);
        }
        if matches!(race.reason, Reason::ServerThrottled | Reason::Unfed) {
            self.end_probation(cx);
        }
        self.servers.succeed(cx, record, &winner.member.server, &held.link);
        cx.act(Action::Adopt { exchange: held.exchange });
        let answer = held.clone();
        if stays {
            let Some(active) = self.active_mut() else {
                return;
            };
            active.heartbeat.answered(cx, held.open.then_some(held.link), held.first_byte);
        } else {
            self.transition_to_attached(cx, winner.member, held, &race);
        }
        self.disband(cx, race, Ending::LostRace);
        let server = self.servers.id(record);
        self.announced.settings(cx, &server, answer.settings.as_deref());
        self.announced.policy(cx, &server, answer.policy.as_deref());
        cx.emit(Event::Heartbeat { server, status: answer.status, elapsed: span(answer.elapsed) });
        self.proved(cx, answer.link, answer.drain);
        if answer.events {
            self.called(cx);
        }
    }

    /// A heartbeat exchange with the server in use succeeded.
    pub(super) fn proved(&mut self, cx: &mut Context<'_>, link: Link, drain: Option<Duration>) {
        self.forgive_old_refusals(cx);
        let Some(active) = self.active() else {
            return;
        };
        let tuning = &cx.tuning.attachment;
        let (record, service) = (active.record(), cx.now.since(active.since));
        let (server, policy) = (active.member.server.clone(), active.policy);
        let on_probation = active.on_probation;
        if service >= tuning.forgive_all {
            // The outage is over; servers that flap have their own count.
            self.misses = 0;
        }
        if on_probation && service >= tuning.probation {
            self.failback.damping = 0;
        }
        if let Some(active) = self.active_mut() {
            active.reached = Reached::by(&link);
            if let Some(stream) = &mut active.stream {
                stream.want(cx.now);
            }
        }
        self.want_policy(cx, Duration::ZERO);
        let Link { proof, address, medium, is_stale, .. } = link;
        let medium = (!is_stale).then_some(medium);
        self.facts.add(Fact::Proved { server, policy, proof, peer: address, medium });
        if is_stale {
            self.drop_stale_link(cx);
        }
        self.drained(cx, drain);
        let drains = self.servers.record(record).is_some_and(|record| record.is_draining());
        // It may no longer ask for what made the agent mean to leave.
        if let Some(active) = self.active_mut() {
            let over = |reason| {
                matches!(reason, Reason::ServerThrottled | Reason::Unfed)
                    || (reason == Reason::ServerDraining && !drains)
            };
            active.leave = active.leave.filter(|leave| !over(leave.reason));
        }
    }

    /// An answer came over a link that was made before the network changed. The server is well, and where the machine is
    /// now a fresh link says.
    fn drop_stale_link(&mut self, cx: &mut Context<'_>) {
        if let Some(active) = self.active_mut() {
            active.heartbeat.close_link(cx, Ending::Stale);
        }
        self.facts.add(Fact::Refresh { resumed: false });
    }

    /// The server in use may have asked to be left within this time.
    pub(super) fn drained(&mut self, cx: &mut Context<'_>, window: Option<Duration>) {
        let (Some(window), Some(record)) = (window, self.active().map(super::Active::record)) else {
            return;
        };
        self.servers.drain(cx, record, window);
        let at = cx.now + cx.rng.up_to(window.min(cx.tuning.attachment.drain_most));
        if let Some(active) = self.active_mut()
            && active.leave.is_none()
        {
            active.leave = Some(Leave::new(at, Reason::ServerDraining));
        }
    }

    /// A search found nobody, and the agent is attached to none any more.
    fn gave_up(&mut self, cx: &mut Context<'_>, race: Race) {
        self.hunger.failed();
        let refused = |record: usize| {
            let now =
                |ended: &Ended| ended.record == record && ended.failure.class() == FailureClass::NotAllowed;
            race.failed.iter().any(now)
                || self.servers.record(record).is_some_and(|record| record.is_refusing(cx.now))
        };
        let members = self.servers.ranked_servers.members();
        if !members.is_empty() && members.iter().all(|member| refused(member.record.into())) {
            self.refused(cx, race);
        } else {
            self.wait_after(cx, race);
        }
    }

    /// Every server has rejected this agent. If they said so of credentials that have been replaced meanwhile, they are
    /// asked again.
    fn refused(&mut self, cx: &mut Context<'_>, race: Race) {
        self.charge_all(cx, &race);
        self.disband(cx, race, Ending::Failed);
        if self.forgive_old_refusals(cx) {
            return self.search(cx, Reason::NewCredentials);
        }
        self.transition_to_rejected(cx);
    }

    /// Every server failed, and the agent is attached to none any more.
    fn wait_after(&mut self, cx: &mut Context<'_>, race: Race) {
        let blame = self.blame(cx, &race);
        self.forgive_old_refusals(cx);
        if self.active().is_some() {
            self.count_loss(cx);
        }
        let sign = self.sign(&race);
        if blame != Blame::NoNetwork {
            let intercepted = if let Some(Sign::Interception { servers, .. }) = sign { servers } else { 0 };
            cx.network.saw_servers(cx.now, intercepted.max(self.portals(&race)));
            if cx.network.is_captive() {
                return self.transition_to_captive(cx);
            }
        }
        self.misses = self.misses.saturating_add(1).min(MOST_MISSES);
        self.searches = self.searches.saturating_add(1);
        let tuning = &cx.tuning.attachment;
        let wait = delay(self.misses, tuning.ceiling, tuning, cx.rng);
        match blame {
            Blame::NoNetwork => {
                let reason = held_up_by(race.failed.iter().map(|ended| ended.failure.cause));
                self.transition_to_no_network(cx, reason);
            }
            Blame::Nobody => self.transition_to_waiting(cx, cx.now + wait, Reason::NetworkSuspect),
            Blame::Servers => {
                let reason = if sign == Some(Sign::Clock) { Reason::ClockWrong } else { Reason::AllFailed };
                self.transition_to_waiting(cx, cx.now + wait, reason);
            }
        }
    }

    /// The agent wanted to move and found nobody: it stays.
    fn nobody_better(&mut self, cx: &mut Context<'_>, race: Race) {
        // The server in use answers, so it is not the network.
        self.charge_all(cx, &race);
        if race.reason == Reason::BetterServer {
            for ended in &race.failed {
                self.failback.disappoint(cx, ended.record);
            }
        }
        let reason = race.reason;
        self.disband(cx, race, Ending::Failed);
        let Some(active) = self.active_mut() else {
            return;
        };
        if reason != Reason::BetterServer {
            let tries = active.leave.map_or(0, |leave| leave.tries);
            self.stay(cx, Leave { at: cx.now, reason, tries });
        }
        let Some(active) = self.active_mut() else {
            return;
        };
        if active.heartbeat.take_owed() {
            self.beat(cx);
        }
    }

    fn blame(&mut self, cx: &mut Context<'_>, race: &Race) -> Blame {
        let failures = race.failed.iter().map(|ended| &ended.failure);
        let blame = cx.network.blame(failures, &cx.tuning.network);
        match blame {
            Blame::Servers => {
                let sign = self.sign(race);
                let (spared, others): (Vec<_>, Vec<_>) =
                    race.failed.iter().filter(|ended| !ended.charged).partition(|ended| {
                        is_portal(&ended.failure) || sign.is_some_and(|sign| sign.explains(&ended.failure))
                    });
                for ended in spared {
                    self.servers.note(cx.now, ended.record, &ended.failure);
                }
                for ended in others {
                    self.servers.charge(cx, ended.record, ended.policy, &ended.failure);
                }
            }
            Blame::Nobody | Blame::NoNetwork => {
                for ended in &race.failed {
                    self.servers.note(cx.now, ended.record, &ended.failure);
                }
            }
        }
        blame
    }

    /// What the certificates that were refused show together.
    fn sign(&self, race: &Race) -> Option<Sign> {
        Sign::of(race.failed.iter().filter_map(|ended| {
            let member = self.servers.ranked_servers.of_record(ended.record)?;
            Some((&member.server.host, ended.failure.evidence?))
        }))
    }

    /// How many servers gave a page for a person in place of an answer. One address is one witness.
    fn portals(&self, race: &Race) -> usize {
        let shown = race.failed.iter().filter(|ended| is_portal(&ended.failure));
        let hosts =
            shown.filter_map(|ended| Some(&self.servers.ranked_servers.of_record(ended.record)?.server.host));
        hosts.collect::<BTreeSet<_>>().len()
    }

    /// The wall clock was set: what was wrong with certificates may be right now.
    pub(in crate::engine) fn clock_stepped(&mut self, cx: &mut Context<'_>) {
        if matches!(self.phase, Phase::Waiting { reason: Reason::ClockWrong, .. }) {
            self.search(cx, Reason::WaitOver);
        }
    }

    fn charge_all(&mut self, cx: &mut Context<'_>, race: &Race) {
        for ended in race.failed.iter().filter(|ended| !ended.charged) {
            self.servers.charge(cx, ended.record, ended.policy, &ended.failure);
        }
    }

    fn disband(&mut self, cx: &mut Context<'_>, mut race: Race, reason: Ending) {
        self.servers.disband(cx, &mut race, reason);
    }

    /// A race or a beat is over during which the credentials changed: its refusals may be about the old
    /// ones. Whether that was so.
    fn forgive_old_refusals(&mut self, cx: &mut Context<'_>) -> bool {
        let changed = std::mem::take(&mut self.credentials_changed);
        if changed {
            self.pardon_refusals(cx);
        }
        changed
    }

    /// Servers that rejected this agent are asked again. Whether there were any.
    pub(super) fn pardon_refusals(&mut self, cx: &mut Context<'_>) -> bool {
        let mut any = false;
        for record in &mut self.servers.records {
            any |= record.is_refusing(cx.now);
            record.pardon(cx.now, |class, _| class == FailureClass::NotAllowed);
        }
        any
    }

    /// A floor was heard: what is planned or under way and has not asked yet stops for it.
    pub(super) fn heed_floors(&mut self, cx: &mut Context<'_>) {
        if !std::mem::take(&mut self.servers.floor_heard) {
            return;
        }
        self.failback.heed_floors(cx, &self.servers);
        if let Phase::Searching(race) = &mut self.phase {
            self.servers.heed_floors(cx, race);
            return;
        }
        let Some(record) = self.active().map(super::Active::record) else {
            return;
        };
        let floor = self.servers.record(record).and_then(|record| record.throttled_until());
        let Phase::Attached(active) = &mut self.phase else {
            return;
        };
        let throttled = floor.is_some_and(|floor| cx.now < floor);
        let waits = match &mut active.search {
            None => throttled && active.heartbeat.stop_unless_asked(cx),
            Some(race) => {
                let had = race.incumbent.is_some() && race.has(record);
                self.servers.heed_floors(cx, race);
                let stops = had && !race.has(record);
                if stops {
                    // It has not failed: the others are tried beside it, as when the agent means to leave.
                    race.incumbent = None;
                }
                stops
            }
        };
        if let Some(floor) = floor.filter(|_| waits) {
            active.heartbeat.plan(floor, Try::First);
        }
        if throttled {
            active.policy_read.stop_unless_asked(cx);
            if let Some(stream) = &mut active.stream {
                stream.stop_unless_asked(cx);
            }
        }
    }
}

/// What keeps everything on this machine, by failures of which none came from a server.
fn held_up_by(causes: impl Iterator<Item = Cause> + Clone) -> Reason {
    let all = |fits: fn(Cause) -> bool| causes.clone().all(fits);
    if causes.clone().any(|cause| cause.class() == FailureClass::Proxy) {
        Reason::NoWay
    } else if all(|cause| {
        matches!(cause, Cause::NameServerFailed | Cause::NameTimeout | Cause::NameServiceDead)
    }) {
        Reason::NoNames
    } else if all(|cause| matches!(cause, Cause::LocalFirewall | Cause::SocketRefused)) {
        Reason::HeldBack
    } else if all(|cause| cause == Cause::OutOfResources) {
        Reason::OutOfResources
    } else {
        Reason::NoNetwork
    }
}

fn is_portal(failure: &Failure) -> bool {
    failure.evidence == Some(Evidence::Portal)
}
