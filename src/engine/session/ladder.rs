//! What the way to a server bears: an event stream, long polls, or heartbeats alone; and for how long it may be silent.
//!
//! ```text
//!   stream ── no hello: something holds the answer back until it ends ──► poll ── fails as well ──► pull
//!     │  └──── ends time and again before it was of any use ─────────────┘                           ▲
//!     └──────── connections die although they are hardly idle; the server offers none ───────────────┘
//! ```
//! Middleboxes forget connections that are idle: some after four minutes, some after thirty seconds, most without a word. So
//! the server is asked to break its silence in time, and the time is learnt: it grows slowly while nothing is lost, and is
//! halved by a connection that died of silence. A length that killed one is not tried again.

use std::time::Duration;

use crate::engine::rung::Rung;
use crate::engine::tuning::schedule::Tuning;
use crate::types::Moment;

/// How a connection that was listened on ended.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct Fall {
    /// For how long it had been of use; `None`: it had never been.
    pub(in crate::engine) lasted: Option<Duration>,
    /// How long nothing had come.
    pub(in crate::engine) silence: Duration,
    /// Nothing ended it: it was given up because nothing came.
    pub(in crate::engine) in_silence: bool,
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::engine) struct Ladder {
    rung: Rung,
    /// When a better rung is tried again.
    again: Moment,
    /// For how long the server may say nothing.
    silence: Duration,
    /// The longest silence that a connection has survived.
    survived: Duration,
    /// The shortest that none has survived, and until when that is believed.
    died: Option<(Duration, Moment)>,
    /// Since when nothing was lost and `silence` is what it is.
    calm: Moment,
    /// Connections in a row that were of no use for long.
    troubles: u8,
    /// Connections in a row that ended after a silence that none has survived.
    suspects: u8,
    /// How often in a row a better rung was tried again in vain.
    relapses: u8,
}

/// This often in a row says that a rung does not bear; less may be a server that is started anew.
const TROUBLES: u8 = 3;

/// One connection that ends in silence may have ended for any reason; not two of them.
const SUSPECTS: u8 = 2;

impl Ladder {
    pub(in crate::engine) fn new(tuning: &Tuning, now: Moment) -> Self {
        Self {
            rung: Rung::Stream,
            again: now,
            silence: tuning.push_silence,
            survived: Duration::ZERO,
            died: None,
            calm: now,
            troubles: 0,
            suspects: 0,
            relapses: 0,
        }
    }

    /// What an earlier life has learnt.
    pub(in crate::engine) fn known(
        tuning: &Tuning,
        now: Moment,
        rung: Rung,
        again: Moment,
        silence: Duration,
        died: Option<(Duration, Moment)>,
    ) -> Self {
        let silence = silence.clamp(tuning.push_silence_least, tuning.push_silence_most);
        Self { rung, again, silence, died, ..Self::new(tuning, now) }
    }

    // --- getters ---

    /// Whether nothing was learnt yet.
    pub(in crate::engine) fn is_new(&self, tuning: &Tuning, now: Moment) -> bool {
        self.rung(now) == Rung::Stream && self.silence == tuning.push_silence && self.died(now).is_none()
    }

    /// When a better rung is tried again.
    pub(in crate::engine) fn again(&self) -> Moment {
        self.again
    }

    /// The shortest silence that no connection has survived, and until when that is believed.
    pub(in crate::engine) fn died(&self, now: Moment) -> Option<(Duration, Moment)> {
        self.died.filter(|(_, until)| *until > now)
    }

    /// How the server is listened to now.
    pub(in crate::engine) fn rung(&self, now: Moment) -> Rung {
        if self.again <= now { Rung::Stream } else { self.rung }
    }

    /// For how long the server may say nothing.
    pub(in crate::engine) fn silence(&self) -> Duration {
        self.silence
    }

    /// For how long nothing may come before a stream is taken for dead.
    pub(in crate::engine) fn allowed(&self, tuning: &Tuning) -> Duration {
        self.silence + self.silence / 10 + tuning.push_margin
    }

    /// For how long a poll may wait.
    pub(in crate::engine) fn wait(&self, tuning: &Tuning) -> Duration {
        self.silence.min(tuning.poll_wait)
    }

    /// When a longer silence may be tried, if one may.
    pub(in crate::engine) fn grows_at(&self, tuning: &Tuning) -> Option<Moment> {
        let longer = self.longer(tuning);
        (longer > self.silence).then(|| self.calm + tuning.push_calm)
    }

    // --- what happened ---

    /// A connection has begun on which silences can be borne.
    pub(in crate::engine) fn opened(&mut self, now: Moment) {
        self.calm = now;
    }

    /// A longer silence is tried from now on.
    pub(in crate::engine) fn grow(&mut self, tuning: &Tuning, now: Moment) {
        self.silence = self.longer(tuning);
        self.calm = now;
    }

    /// A connection has survived a silence of this length.
    pub(in crate::engine) fn survives(&mut self, silence: Duration) {
        self.survived = self.survived.max(silence);
    }

    /// A connection has been of use for long enough.
    pub(in crate::engine) fn bears(&mut self) {
        (self.troubles, self.suspects, self.relapses) = (0, 0, 0);
    }

    /// Nothing came of a stream, not even the first word: something holds it back.
    pub(in crate::engine) fn held_back(&mut self, tuning: &Tuning, now: Moment) {
        self.descend(Rung::Poll, tuning.push_relook, tuning, now);
    }

    /// The server has none.
    pub(in crate::engine) fn declined(&mut self, tuning: &Tuning, now: Moment) {
        (self.rung, self.again) = (Rung::Pull, now + tuning.push_retry);
    }

    /// A connection was lost.
    pub(in crate::engine) fn lost(&mut self, tuning: &Tuning, now: Moment, fall: Fall) {
        let rung = self.rung(now);
        self.calm = now;
        let lasted = fall.lasted.is_some_and(|lasted| lasted >= tuning.push_lasting);
        if fall.in_silence {
            return self.silence_kills(tuning, now, self.asked(rung, tuning), tuning.push_relook);
        }
        // What has been survived is no reason to die.
        let is_suspect = fall.lasted.is_some() && fall.silence > self.survived.max(tuning.push_margin / 2);
        self.suspects = if is_suspect { self.suspects.saturating_add(1) } else { 0 };
        if self.suspects >= SUSPECTS {
            return self.silence_kills(tuning, now, fall.silence, tuning.push_retry);
        }
        if lasted {
            self.relapses = 0;
            self.troubles = 0;
        } else if !is_suspect {
            self.troubles = self.troubles.saturating_add(1);
        }
        if self.troubles >= TROUBLES {
            let below = if rung == Rung::Stream { Rung::Poll } else { Rung::Pull };
            self.descend(below, tuning.push_retry, tuning, now);
        }
    }

    /// It is another network: what is below the best may do there. What was learnt of silences does no harm.
    pub(in crate::engine) fn elsewhere(&mut self, now: Moment) {
        self.again = now;
        self.bears();
    }

    // --- helpers ---

    fn asked(&self, rung: Rung, tuning: &Tuning) -> Duration {
        if rung == Rung::Stream { self.silence } else { self.wait(tuning) }
    }

    /// A connection died of a silence of this length.
    fn silence_kills(&mut self, tuning: &Tuning, now: Moment, length: Duration, again: Duration) {
        let shortest = self.died(now).map_or(length, |(died, _)| died.min(length));
        self.died = Some((shortest, now + tuning.push_died));
        if self.silence <= tuning.push_silence_least {
            return self.descend(Rung::Pull, again, tuning, now);
        }
        self.silence = (self.silence / 2).max(tuning.push_silence_least);
    }

    /// What fails time and again is tried ever less often.
    fn descend(&mut self, to: Rung, wait: Duration, tuning: &Tuning, now: Moment) {
        self.rung = to;
        self.again = now + (wait * (1 << self.relapses.min(8))).min(tuning.push_relook.max(wait));
        self.relapses = self.relapses.saturating_add(1);
        (self.troubles, self.suspects) = (0, 0);
    }

    fn longer(&self, tuning: &Tuning) -> Duration {
        let longer = (self.silence * 3 / 2).min(tuning.push_silence_most);
        // Not even near to a length that none has survived.
        match self.died {
            Some((died, until)) if longer >= died / 5 * 4 && self.calm < until => self.silence,
            Some(_) | None => longer,
        }
    }
}
