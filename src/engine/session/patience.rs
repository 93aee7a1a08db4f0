//! How long silence is borne from a server.

use std::time::Duration;

use crate::engine::tuning::attachment::Tuning;

/// How long the server usually takes to begin an answer: the last ten times, in milliseconds.
#[derive(Clone, Debug, Default)]
pub(super) struct FirstBytes {
    times: [u16; 10],
    count: u8,
    next: u8,
}

impl FirstBytes {
    pub(super) fn record(&mut self, time: Duration) {
        let milliseconds = u16::try_from(time.as_millis()).unwrap_or(u16::MAX);
        if let Some(slot) = self.times.get_mut(usize::from(self.next)) {
            *slot = milliseconds;
        }
        self.next = (self.next + 1) % self.times.len() as u8;
        self.count = (self.count + 1).min(self.times.len() as u8);
    }

    /// How long silence is borne.
    pub(super) fn limit(&self, tuning: &Tuning) -> Duration {
        let sum: u32 = self.times.iter().map(|&time| u32::from(time)).sum();
        let mean = match u32::from(self.count) {
            0 => tuning.first_byte_unknown,
            count => Duration::from_millis((sum / count).into()),
        };
        (mean * 4 + tuning.silence_margin).max(tuning.silence_least).min(tuning.silence_most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_follows_the_last_ten_answers_within_bounds() {
        let tuning = Tuning::default();
        let mut times = FirstBytes::default();
        let seconds = |times: &FirstBytes| times.limit(&tuning).as_secs_f64();
        assert_eq!(seconds(&times), 2.0, "4 × 250 ms + 1 s");
        times.record(Duration::from_millis(500));
        assert_eq!(seconds(&times), 3.0);
        for _ in 0..10 {
            times.record(Duration::from_secs(60));
        }
        assert_eq!(seconds(&times), 10.0);
        for _ in 0..10 {
            times.record(Duration::from_millis(1));
        }
        assert_eq!(seconds(&times), 2.0);
    }
}
