//! The search for a server: how a search begins, and what comes of it.

use std::time::Duration;

use super::backoff::delay;
use super::failures::{Charge, Ended};
use super::plan::{Criteria, LastResort};
use super::race::Race;
use super::servers::Finish;
use super::{Attachment, Leave, Phase};
use crate::engine::context::Context;
use crate::engine::fact::Fact;
use crate::engine::session::Try;
use crate::engine::{Event, Reason};
use crate::types::{Failure, FailureClass};

/// Searches of an outage that try every server; later ones take turns.
const WHOLE_SEARCHES: u32 = 3;

/// What a loss means for the search that follows.
pub(super) enum Loss {
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
            self.transition_to_waiting(cx, until, reason);
            return self.facts.add(Fact::SearchFailed { attached: false, tried: false });
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

    /// The server in use failed and nothing is under way: on to the others.
    pub(super) fn lose(&mut self, cx: &mut Context<'_>, failure: Failure, charge: Charge) {
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
        let ended = Ended { record, policy, failure, charge };
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
    pub(super) fn count_loss(&mut self, cx: &mut Context<'_>) -> Loss {
        let tuning = &cx.tuning.attachment;
        let calm = self.moves.record(cx.now, tuning);
        // Back at once, and not so soon again.
        if self.end_probation(cx) { Loss::BackAtOnce } else { Loss::Calm(calm) }
    }

    /// The agent leaves the server in use, which failed it. One it had come to as to a better one, less than an hour ago,
    /// has to prove itself for longer from now on. Whether it is such a one.
    pub(super) fn end_probation(&mut self, cx: &Context<'_>) -> bool {
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
    pub(super) fn stay(&mut self, cx: &mut Context<'_>, leave: Leave) {
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

    /// The wall clock was set: what was wrong with certificates may be right now.
    pub(in crate::engine) fn clock_stepped(&mut self, cx: &mut Context<'_>) {
        if matches!(self.phase, Phase::Paused { reason: Reason::ClockWrong, .. }) {
            self.search(cx, Reason::WaitOver);
        }
    }

    /// A race or a beat is over during which the credentials changed: its refusals may be about the old
    /// ones. Whether that was so.
    pub(super) fn forgive_old_refusals(&mut self, cx: &mut Context<'_>) -> bool {
        let changed = std::mem::take(&mut self.credentials_changed);
        if changed {
            self.pardon_refusals(cx);
        }
        changed
    }

    /// Servers that rejected this agent are asked again. Whether there were any.
    pub(super) fn pardon_refusals(&mut self, cx: &mut Context<'_>) -> bool {
        let mut any = false;
        for record in self.servers.records_mut() {
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
            active.reader.stop_unless_asked(cx);
            active.upload.stop_unless_asked(cx);
            if let Some(stream) = &mut active.stream {
                stream.stop_unless_asked(cx);
            }
            self.stop_registration_unless_asked(cx);
        }
    }
}
