//! Slow, or dripping: how the bytes of an answer come in.
//!
//! A peer may think as long as the engine lets it. Once its answer has begun, each window has to
//! bring a minimum, or the peer is holding on to us with a byte now and then.

use super::Limits;
use crate::types::{Cause, Failure, Moment};

/// The bytes of one answer, and since when how many of them were there.
#[derive(Default)]
pub(super) struct Pace {
    heard: u64,
    window: Option<(Moment, u64)>,
}

impl Pace {
    /// Notes that this many bytes came; whether they are the first.
    pub(super) fn hear(&mut self, bytes: usize, now: Moment) -> bool {
        let first = bytes > 0 && self.heard == 0;
        if first {
            self.window = Some((now, 0));
        }
        self.heard += bytes as u64;
        first
    }

    /// Whether anything came.
    pub(super) fn heard_something(&self) -> bool {
        self.heard > 0
    }

    /// When [`check`](Self::check) has something to say.
    pub(super) fn deadline(&self, limits: &Limits) -> Option<Moment> {
        self.window.map(|(since, _)| since + limits.drip_window)
    }

    /// Fails when the window is over and too little came in it.
    pub(super) fn check(&mut self, now: Moment, limits: &Limits) -> Result<(), Failure> {
        let Some((since, before)) = self.window else { return Ok(()) };
        if now < since + limits.drip_window {
            return Ok(());
        }
        let brought = self.heard - before;
        if brought < limits.drip_bytes as u64 {
            let window = limits.drip_window.as_secs();
            return Err(Failure::noted(Cause::Dripping, format!("{brought} bytes in {window} s")));
        }
        self.window = Some((now, self.heard));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_answer_is_slow_or_dripping_by_what_each_window_brings() {
        let limits = Limits { drip_window: Duration::from_secs(5), drip_bytes: 1000, ..Limits::default() };
        let second = |at| Moment::ORIGIN + Duration::from_secs(at);
        let mut pace = Pace::default();
        assert!(pace.check(second(100), &limits).is_ok());
        assert_eq!(pace.deadline(&limits), None);
        for (at, bytes, fails) in [
            (100, 1, false),
            (104, 999, false),
            (105, 0, false), // 1,000 in the first window
            (109, 999, false),
            (110, 0, true), // one less in the second
        ] {
            assert_eq!(pace.hear(bytes, second(at)), at == 100, "at {at} s");
            assert_eq!(pace.check(second(at), &limits).is_err(), fails, "at {at} s");
        }
        assert_eq!(pace.deadline(&limits), Some(second(110)));
    }
}
