//! When the next heartbeat is due.
//!
//! T is the longest gap between two heartbeats: servers' session tickets, and consoles that call an agent offline, count
//! from it. Heartbeats stand on a grid of T′ = 0.96 T: anchor + i·T′ + φ, where φ is the agent's phase, a hash of its id. A
//! fleet that attached in one second therefore beats evenly over T′ from then on, and no beat
//! depends on when the last one was: there is no drift and no echo of an outage.

use std::time::Duration;

use crate::engine::context::Context;
use crate::engine::phase::phase;
use crate::types::{AgentId, Moment};

/// See the module.
#[derive(Debug)]
pub(super) struct Heartbeat {
    anchor: Moment,
    /// T.
    interval: Duration,
    phase: Duration,
    /// The last heartbeat exchange that succeeded.
    last: Option<Moment>,
    due: Option<Due>,
    /// The first place of the grid that has not had its beat.
    next_place: u64,
    /// When the last network change was, or will be, answered with a beat.
    refreshed: Option<Moment>,
}

#[derive(Clone, Copy, Debug)]
struct Due {
    at: Moment,
    /// Which place of the grid; `None` for an extra beat.
    place: Option<u64>,
}

impl Heartbeat {
    pub(super) fn new(agent: &AgentId, interval: Duration, anchor: Moment) -> Self {
        Self {
            anchor,
            interval,
            phase: phase(agent, period(interval)),
            last: None,
            due: None,
            next_place: 0,
            refreshed: None,
        }
    }

    pub(super) fn due(&self) -> Option<Moment> {
        self.due.map(|due| due.at)
    }

    pub(super) fn set_interval(&mut self, cx: &mut Context<'_>, agent: &AgentId, interval: Duration) {
        if interval == self.interval {
            return;
        }
        self.interval = interval;
        self.phase = phase(agent, period(interval));
        self.next_place = 0;
        if self.due.take().is_some() {
            self.plan(cx);
        }
    }

    /// The agent is attached: the attach is the first heartbeat.
    pub(super) fn begin(&mut self, cx: &mut Context<'_>) {
        self.last = Some(cx.now);
        self.due = None;
        self.plan(cx);
    }

    pub(super) fn end(&mut self) {
        self.due = None;
    }

    pub(super) fn proved(&mut self, cx: &mut Context<'_>) {
        self.last = Some(cx.now);
        if self.due.is_some() {
            self.plan(cx);
        }
    }

    /// An extra beat soon: somewhere within this time.
    pub(super) fn within(&mut self, cx: &mut Context<'_>, spread: Duration) {
        let at = cx.now + cx.rng.up_to(spread);
        if self.due.is_some_and(|due| due.at > at) {
            self.due = Some(Due { at, place: None });
        }
    }

    /// After suspend, or a network change: one beat soon, which is everything that was missed.
    pub(super) fn refresh(&mut self, cx: &mut Context<'_>, resumed: bool) {
        let tuning = &cx.tuning.schedule;
        let at = if resumed {
            cx.now + cx.rng.up_to(tuning.resume_spread.min(self.interval / 30))
        } else {
            let earliest = self.refreshed.map_or(cx.now, |last| (last + tuning.network_interval).max(cx.now));
            earliest + cx.rng.up_to(tuning.network_spread)
        };
        // One that was missed while the machine slept is no reason to hurry; one that comes sooner stays.
        if self.due.is_some_and(|due| due.at > at || due.at <= cx.now) {
            self.due = Some(Due { at, place: None });
            if !resumed {
                self.refreshed = Some(at);
            }
        }
    }

    /// Whether a beat is due. What was missed coalesces into one.
    pub(super) fn take_due(&mut self, now: Moment) -> bool {
        match self.due {
            Some(due) if due.at <= now => {
                self.due = None;
                // The jitter may have brought the beat before its place, which must not be taken again.
                self.next_place = due.place.map_or(self.next_place, |place| place.saturating_add(1));
                true
            }
            Some(_) | None => false,
        }
    }

    /// Plans the next place of the grid, unless a heartbeat has just succeeded.
    pub(super) fn plan(&mut self, cx: &mut Context<'_>) {
        let just = self.interval / 50;
        let earliest = self.last.map_or(cx.now, |last| (last + just).max(cx.now));
        let place = self.place_after(earliest).max(self.next_place);
        if self.due.is_some_and(|due| due.place == Some(place)) {
            return;
        }
        let period = period(self.interval);
        let planned = self.anchor + self.phase + times(period, place);
        // ±2 %: enough that two agents with one phase part, too little to be called drift.
        let jitter = cx.rng.up_to(period / 25);
        let at = (planned + jitter) - period / 50;
        self.due = Some(Due { at: at.max(cx.now + Duration::from_nanos(1)), place: Some(place) });
    }

    /// The first place of the grid after this moment.
    fn place_after(&self, moment: Moment) -> u64 {
        let passed = moment.since(self.anchor + self.phase);
        if moment < self.anchor + self.phase {
            return 0;
        }
        let period = period(self.interval);
        u64::try_from(passed.as_nanos() / period.as_nanos().max(1)).unwrap_or(u64::MAX).saturating_add(1)
    }
}

/// T′: with a jitter of ±2 % and what is skipped after a success no gap is longer than T.
fn period(interval: Duration) -> Duration {
    interval / 25 * 24
}

fn times(interval: Duration, count: u64) -> Duration {
    Duration::from_nanos(u64::try_from(interval.as_nanos() * u128::from(count)).unwrap_or(u64::MAX))
}
