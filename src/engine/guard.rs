//! A guard against faults of our own: no server hears of one by a storm of dials.

use std::time::Duration;

use super::tuning::attachment::Tuning;
use crate::types::Moment;

/// Guards the servers against a fault of ours: at most 100 + 10 N dials of N servers in any ten minutes, and beyond
/// that one attempt for each server and minute, which may walk over every endpoint it has. What is over is not owed.
#[derive(Clone, Debug, Default)]
pub(super) struct Guard {
    /// Dials of the last ten tenths of the window and of the present one, which together cover the window.
    counts: [u16; TENTHS],
    /// The present tenth, counted from the origin of the clock.
    tenth: u64,
}

const TENTHS: usize = 11;

/// Dials in a window, however few servers there are: more than any search and every heartbeat of ten minutes need.
const DIALS: usize = 100;

/// And for each server, so that a long list can be searched.
const DIALS_FOR_EACH: usize = 10;

/// What says when a server may be dialled, beside what is known of the server.
#[derive(Clone, Copy)]
pub(super) struct Present<'a> {
    pub(super) now: Moment,
    pub(super) guard: &'a Guard,
    pub(super) tuning: &'a Tuning,
}

impl Guard {
    /// From when on one more dial is within the limit for so many servers.
    pub(super) fn opens(&self, now: Moment, servers: usize, tuning: &Tuning) -> Moment {
        let tenth = self.tenth_of(now, tuning);
        let most = u32::try_from(DIALS + DIALS_FOR_EACH * servers).unwrap_or(u32::MAX);
        if self.counts.iter().map(|&count| u32::from(count)).sum::<u32>() < most {
            return now;
        }
        // By the eleventh from now everything is forgotten.
        let free = |&later: &u64| later == TENTHS as u64 || self.counted(tenth + later) < most;
        match (0..=TENTHS as u64).find(free) {
            None | Some(0) => now,
            Some(later) => {
                let nanos = u128::from(tenth + later) * length(tuning).as_nanos();
                Moment::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
            }
        }
    }

    /// A dial is made.
    pub(super) fn spend(&mut self, now: Moment, tuning: &Tuning) {
        let tenth = self.tenth_of(now, tuning);
        for passed in self.tenth + 1..=tenth.min(self.tenth + TENTHS as u64) {
            if let Some(count) = self.counts.get_mut(slot(passed)) {
                *count = 0;
            }
        }
        self.tenth = tenth;
        if let Some(count) = self.counts.get_mut(slot(tenth)) {
            *count = count.saturating_add(1);
        }
    }

    /// What of the dials made counts in this tenth and the ten before.
    fn counted(&self, tenth: u64) -> u32 {
        let first = (tenth + 1).saturating_sub(TENTHS as u64);
        let known = (self.tenth + 1).saturating_sub(TENTHS as u64)..=self.tenth;
        let counts =
            known.filter(|&counted| counted >= first).filter_map(|tenth| self.counts.get(slot(tenth)));
        counts.map(|&count| u32::from(count)).sum()
    }

    fn tenth_of(&self, now: Moment, tuning: &Tuning) -> u64 {
        let tenth = u128::from(now.as_nanos()) / length(tuning).as_nanos();
        u64::try_from(tenth).unwrap_or(u64::MAX / 2).max(self.tenth)
    }
}

fn length(tuning: &Tuning) -> Duration {
    (tuning.guard_window / 10).max(Duration::from_millis(1))
}

const fn slot(tenth: u64) -> usize {
    (tenth % TENTHS as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guard_lets_no_more_through_in_any_ten_minutes() {
        let tuning = Tuning::default();
        let (mut guard, mut now, mut made) =
            (Guard::default(), Moment::ORIGIN + Duration::from_secs(5_000), vec![]);
        let end = now + Duration::from_secs(7_200);
        while now < end {
            if guard.opens(now, 8, &tuning) <= now {
                guard.spend(now, &tuning);
                made.push(now);
            }
            now = now + Duration::from_millis(500);
        }
        let window = Duration::from_secs(600);
        let most =
            made.iter().map(|&from| made.iter().filter(|&&at| at >= from && at.since(from) < window).count());
        assert_eq!(most.max(), Some(100 + 10 * 8));
        assert!(made.len() >= 180 * 10, "and not much less: {}", made.len());
    }

    #[test]
    fn the_guard_names_the_moment_at_which_it_opens() {
        let (tuning, start) = (Tuning::default(), Moment::ORIGIN + Duration::from_secs(5_000));
        let mut guard = Guard::default();
        while guard.opens(start, 1, &tuning) <= start {
            guard.spend(start, &tuning);
        }
        let opens = guard.opens(start, 1, &tuning);
        assert!((600..=660).contains(&opens.since(start).as_secs()), "{opens:?}");
        assert_eq!(guard.opens(opens, 1, &tuning), opens);
        assert!(guard.opens(opens - Duration::from_millis(1), 1, &tuning) == opens);
    }
}
