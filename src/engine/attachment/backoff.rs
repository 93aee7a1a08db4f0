//! How long to wait before the next search, and before a server that failed is tried again.
//!
//! Two things make a fleet arrive in one second: everybody waits equally long, or everybody's wait
//! is cut off at the same bound. So every wait is drawn, and a draw is never clamped.

use std::collections::VecDeque;
use std::time::Duration;

use super::Tuning;
use crate::engine::rng::Rng;
use crate::types::Moment;

/// Searches and failures beyond this change nothing any more: the ceiling was reached long before.
pub(super) const MOST_MISSES: u8 = 32;

/// The delay before search number `misses` of an outage; also how long a server stays down after its
/// `misses`-th failure in a row.
///
/// Doubling from max(spread, 2 s) up to the ceiling, then about the ceiling for ever.
pub(super) fn delay(misses: u8, ceiling: Duration, tuning: &Tuning, rng: &mut Rng) -> Duration {
    let Some(doublings) = misses.checked_sub(1) else {
        return Duration::ZERO;
    };
    let first = tuning.spread.max(tuning.first_window);
    let window = |doublings: u8| first.saturating_mul(1u32.checked_shl(doublings.into()).unwrap_or(u32::MAX));
    if window(doublings) < ceiling {
        return tuning.spread.max(tuning.shortest_wait) + rng.up_to(window(doublings));
    }
    let reached_before = doublings.checked_sub(1).is_some_and(|fewer| window(fewer) >= ceiling);
    if !reached_before {
        return tuning.shortest_wait + rng.up_to(ceiling);
    }
    rng.around(ceiling, 90, 110)
}

/// Failures in a row, forgiven only by service that lasts: a flapping server must cost more each time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Misses {
    count: u8,
    /// How much of the service since the last failure has been counted already.
    credited: u8,
}

impl Misses {
    pub(super) const fn new(count: u8) -> Self {
        Self { count, credited: 0 }
    }

    pub(super) const fn count(self) -> u8 {
        self.count
    }

    pub(super) fn add(&mut self) {
        self.count = self.count.saturating_add(1).min(MOST_MISSES);
        self.credited = 0;
    }

    /// Good service begins; what an earlier spell of it forgave is not asked for again.
    pub(super) fn begin_service(&mut self) {
        self.credited = 0;
    }

    /// Service has lasted this long since the last failure: one less per `step`, but none left only after `all`.
    pub(super) fn forgive(&mut self, service: Duration, tuning: &Tuning) {
        if self.count == 0 {
            return;
        }
        let steps = service.as_nanos() / tuning.forgive_step.as_nanos().max(1);
        let steps = u8::try_from(steps).unwrap_or(u8::MAX);
        let left = self.count.saturating_sub(steps.saturating_sub(self.credited));
        self.credited = self.credited.max(steps);
        self.count = if service >= tuning.forgive_all { left } else { left.max(1) };
    }
}

/// Involuntary moves of the last two minutes.
#[derive(Clone, Debug, Default)]
pub(super) struct Moves(VecDeque<Moment>);

impl Moves {
    /// Whether the last loss was one of many.
    pub(super) fn are_many(&self) -> bool {
        self.0.len() >= 3
    }

    /// A server in use was lost. Returns the longest pause before the search for another begins.
    pub(super) fn record(&mut self, now: Moment, tuning: &Tuning) -> Duration {
        self.0.retain(|&at| now.since(at) < tuning.moves_window);
        let pause = match self.0.len() {
            0 | 1 => Duration::ZERO,
            2 => tuning.moves_pause,
            3 => tuning.moves_pause * 4,
            _ => tuning.moves_pause * 15,
        };
        // Five tell everything the law above asks.
        self.0.truncate(4);
        self.0.push_front(now);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_to_the_ceiling_and_are_drawn_around_it_for_ever() {
        let (tuning, mut rng) = (Tuning::default(), Rng::new(1));
        let seconds = |s: f64| Duration::from_secs_f64(s);
        for (misses, low, high) in [
            (0, 0.0, 0.0),
            (1, 1.0, 3.0),   // 1 + U(0, 2)
            (2, 1.0, 5.0),   // 1 + U(0, 4)
            (5, 1.0, 33.0),  // 1 + U(0, 32)
            (6, 1.0, 61.0),  // 64 s is the first beyond the ceiling: 1 + U(0, 60)
            (7, 54.0, 66.0), // 60 × U(0.9, 1.1)
            (32, 54.0, 66.0),
        ] {
            let drawn: Vec<_> = (0..2000).map(|_| delay(misses, tuning.ceiling, &tuning, &mut rng)).collect();
            let (least, most) = (drawn.iter().min().unwrap(), drawn.iter().max().unwrap());
            assert!(*least >= seconds(low) && *most <= seconds(high), "{misses}: {least:?} {most:?}");
            // The draw uses the whole range and piles up nowhere.
            assert!(high == 0.0 || *most - *least > seconds((high - low) * 0.95), "{misses}");
            assert!(high == 0.0 || drawn.iter().filter(|d| **d == *most).count() == 1, "{misses}");
        }
    }

    #[test]
    fn only_service_that_lasts_forgives() {
        let tuning = Tuning::default();
        let seconds = Duration::from_secs;
        let mut misses = Misses::default();
        for _ in 0..3 {
            misses.add();
        }
        misses.forgive(seconds(59), &tuning);
        assert_eq!(misses.count(), 3);
        misses.forgive(seconds(61), &tuning);
        misses.forgive(seconds(62), &tuning);
        assert_eq!(misses.count(), 2, "one per minute, counted once");
        misses.forgive(seconds(299), &tuning);
        assert_eq!(misses.count(), 1, "the last one stays for five minutes");
        misses.forgive(seconds(300), &tuning);
        assert_eq!(misses.count(), 0);
    }

    #[test]
    fn the_third_move_within_two_minutes_is_calmed() {
        let (tuning, mut moves) = (Tuning::default(), Moves::default());
        let at = |s| Moment::ORIGIN + Duration::from_secs(s);
        let pauses: Vec<_> = [0, 10, 20, 30, 40, 50].map(|s| moves.record(at(s), &tuning).as_secs()).into();
        assert_eq!(pauses, [0, 0, 2, 8, 30, 30]);
        assert_eq!(moves.record(at(500), &tuning), Duration::ZERO);
    }
}
