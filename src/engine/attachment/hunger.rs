//! How long the agent has delivered nothing, and when it stops being patient with those that cause it.
//!
//! A server may answer every heartbeat with "later" and never be at fault by any other rule. So patience has an end: an
//! agent that has delivered nothing for one *patience*, although it tried, is *unfed* and looks elsewhere.

use std::time::Duration;

use super::Tuning;
use crate::types::Moment;

/// See the module.
#[derive(Debug)]
pub(super) struct Hunger {
    /// When a heartbeat was delivered last; later by what does not count.
    fed: Moment,
    /// Since when time does not count: communication is off, or there is no network.
    paused: Option<Moment>,
    /// A heartbeat has failed since.
    failed: bool,
    patience: Duration,
}

impl Hunger {
    pub(super) fn new(now: Moment) -> Self {
        Self { fed: now, paused: None, failed: false, patience: Duration::MAX }
    }

    /// One patience is two intervals, or one and an hour; never less than ten minutes.
    pub(super) fn set_interval(&mut self, interval: Duration, tuning: &Tuning) {
        let beyond = interval.saturating_add(tuning.unfed_beyond);
        self.patience = interval.saturating_mul(2).min(beyond).max(tuning.unfed_least);
    }

    /// When the agent is unfed, if nothing is delivered until then.
    pub(super) fn unfed_at(&self) -> Option<Moment> {
        (self.failed && self.paused.is_none()).then(|| self.fed + self.patience)
    }

    pub(super) fn is_unfed(&self, now: Moment) -> bool {
        self.unfed_at().is_some_and(|at| at <= now)
    }

    pub(super) fn delivered(&mut self, now: Moment) {
        (self.fed, self.failed) = (now, false);
    }

    pub(super) fn failed(&mut self) {
        self.failed = true;
    }

    /// A long sleep alone is no hunger.
    pub(super) fn slept(&mut self, now: Moment) {
        if !self.failed {
            self.fed = now;
        }
    }

    /// Whether time counts from now on.
    pub(super) fn count(&mut self, now: Moment, counts: bool) {
        match (self.paused, counts) {
            (None, false) => self.paused = Some(now),
            (Some(since), true) => {
                self.fed = self.fed + now.since(since);
                self.paused = None;
            }
            (None, true) | (Some(_), false) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::ORIGIN + Duration::from_secs(seconds)
    }

    fn hunger(interval: u64) -> Hunger {
        let mut hunger = Hunger::new(at(0));
        hunger.set_interval(Duration::from_secs(interval), &Tuning::default());
        hunger
    }

    #[test]
    fn patience_is_two_intervals_within_bounds() {
        for (interval, patience) in [(10, 600), (300, 600), (400, 800), (3_600, 7_200), (86_400, 90_000)] {
            let mut hunger = hunger(interval);
            assert_eq!(hunger.unfed_at(), None, "nothing has failed");
            hunger.failed();
            assert_eq!(hunger.unfed_at(), Some(at(patience)), "{interval}");
        }
    }

    #[test]
    fn time_without_a_network_and_a_long_sleep_do_not_count() {
        let mut hunger = hunger(60);
        hunger.failed();
        hunger.count(at(100), false);
        assert!(!hunger.is_unfed(at(10_000)));
        hunger.count(at(10_000), true);
        assert_eq!(hunger.unfed_at(), Some(at(10_500)));
        hunger.delivered(at(10_100));
        hunger.slept(at(50_000));
        hunger.failed();
        assert_eq!(hunger.unfed_at(), Some(at(50_600)));
        hunger.slept(at(50_500));
        assert_eq!(hunger.unfed_at(), Some(at(50_600)), "it was hungry before it slept");
    }
}
