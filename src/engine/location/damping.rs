//! From findings to a verdict that does not flap.
//!
//! Towards caution one failing round on a new network is enough, and three on one that is known, because a server
//! that restarts is no change of place. Towards trust a verified server is enough, and two bare connections some
//! seconds apart; but a reference server that flaps for hours must not switch a firewall profile each time, so after
//! two changes towards trust the next one waits.

use std::time::Duration;

use super::{Trigger, Tuning};
use crate::settings::Situation;
use crate::types::{Moment, Proof};

/// Failing rounds that it takes to leave the inside on a network that is known.
const FAILING_ROUNDS: u8 = 3;

/// See the module. Belongs to one network.
#[derive(Clone, Debug, Default)]
pub(super) struct Damping {
    /// Nothing was found yet since the network or the list changed.
    new_network: bool,
    failing: u8,
    /// When the last failing round that counts began.
    failed: Option<Moment>,
    /// When the first of two agreeing rounds of bare connections began.
    agreed: Option<Moment>,
    /// The last two changes towards trust, the older one first.
    trusted: [Option<Moment>; 2],
    /// Before when the next one does not come.
    opens: Option<Moment>,
}

/// What a round, or an exchange with the management server, has seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sight {
    pub(super) started: Moment,
    pub(super) situation: Situation,
    pub(super) proof: Option<Proof>,
}

/// What becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// It is what is known already.
    Stay,
    /// It is the verdict from now on.
    Change,
    /// It has to be seen once more, at this time.
    Again { at: Moment, trigger: Trigger },
}

impl Damping {
    /// What was seen before says nothing of what will be seen now; how often trust was given counts on, if it is the
    /// `same` network: a link that flaps must not wash it away.
    pub(super) fn network_changed(&mut self, same: bool) {
        let before = std::mem::take(self);
        let kept = if same { before } else { Self::default() };
        *self = Self { new_network: true, trusted: kept.trusted, opens: kept.opens, ..Self::default() };
    }

    pub(super) fn judge(
        &mut self,
        now: Moment,
        present: Situation,
        sight: Sight,
        tuning: &Tuning,
    ) -> Decision {
        let new_network = std::mem::take(&mut self.new_network);
        let (before, after) = (trust(present), trust(sight.situation));
        if after >= before {
            (self.failing, self.failed) = (0, None);
        }
        if after <= before {
            self.agreed = None;
        }
        if sight.situation == present {
            return Decision::Stay;
        }
        if present == Situation::Unknown || after == before {
            return Decision::Change;
        }
        if after < before {
            return if new_network { Decision::Change } else { self.fails(sight.started, tuning) };
        }
        if sight.proof.is_none_or(|proof| proof == Proof::Tcp) {
            let first = *self.agreed.get_or_insert(sight.started);
            let second = first + tuning.agree_step;
            if sight.started < second {
                return Decision::Again { at: second, trigger: Trigger::Confirming };
            }
        }
        match self.trust_opens(now, tuning) {
            Some(at) if at > now => Decision::Again { at, trigger: Trigger::Calmed },
            Some(_) | None => Decision::Change,
        }
    }

    /// The verdict changed.
    pub(super) fn changed(&mut self, now: Moment, from: Situation, to: Situation, pause: Duration) {
        (self.failing, self.failed, self.agreed) = (0, None, None);
        self.opens = Some(now + pause);
        // A first verdict waits for nothing, and counts all the same.
        if trust(to) > trust(from) {
            let [_, newer] = self.trusted;
            self.trusted = [newer, Some(now)];
        }
    }

    /// A bare connection turned out to prove nothing.
    pub(super) fn disagreed(&mut self) {
        self.agreed = None;
    }

    fn fails(&mut self, started: Moment, tuning: &Tuning) -> Decision {
        if self.failed.is_none_or(|last| started >= last + tuning.confirm_step) {
            self.failing = self.failing.saturating_add(1);
            self.failed = Some(started);
        }
        if self.failing >= FAILING_ROUNDS {
            return Decision::Change;
        }
        let last = self.failed.unwrap_or(started);
        Decision::Again { at: last + tuning.confirm_step, trigger: Trigger::Confirming }
    }

    /// When the next change towards trust may come, if two came not long ago.
    fn trust_opens(&self, now: Moment, tuning: &Tuning) -> Option<Moment> {
        let older = self.trusted[0]?;
        self.opens.filter(|_| now.since(older) < tuning.trust_window)
    }
}

/// How much a situation trusts the network.
const fn trust(situation: Situation) -> u8 {
    match situation {
        Situation::Internal => 2,
        Situation::InternalViaVpn => 1,
        Situation::External | Situation::Captive | Situation::Unknown => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUT: Situation = Situation::External;
    const IN: Situation = Situation::Internal;
    const PAUSE: Duration = Duration::from_secs(1800);

    fn at(seconds: u64) -> Moment {
        Moment::ORIGIN + Duration::from_secs(seconds)
    }

    fn sees(damping: &mut Damping, seconds: u64, present: Situation, seen: Situation) -> Decision {
        let proof = (seen == IN).then_some(Proof::Tls);
        let sight = Sight { started: at(seconds), situation: seen, proof };
        damping.judge(at(seconds), present, sight, &Tuning::default())
    }

    #[test]
    fn three_failing_rounds_ten_seconds_apart_leave_the_inside() {
        let mut damping = Damping::default();
        let again = |seconds| Decision::Again { at: at(seconds), trigger: Trigger::Confirming };
        assert_eq!(sees(&mut damping, 100, IN, OUT), again(110));
        assert_eq!(sees(&mut damping, 103, IN, OUT), again(110), "too soon to count");
        assert_eq!(sees(&mut damping, 110, IN, OUT), again(120));
        assert_eq!(sees(&mut damping, 120, IN, OUT), Decision::Change);
    }

    #[test]
    fn one_good_round_between_them_begins_the_count_anew() {
        let mut damping = Damping::default();
        sees(&mut damping, 100, IN, OUT);
        sees(&mut damping, 110, IN, OUT);
        assert_eq!(sees(&mut damping, 115, IN, IN), Decision::Stay);
        assert_ne!(sees(&mut damping, 120, IN, OUT), Decision::Change);
    }

    #[test]
    fn on_a_new_network_the_first_round_decides() {
        let mut damping = Damping::default();
        damping.network_changed(false);
        assert_eq!(sees(&mut damping, 100, IN, OUT), Decision::Change);
    }

    #[test]
    fn the_third_change_towards_trust_within_an_hour_waits_for_half_an_hour() {
        let mut damping = Damping::default();
        for seconds in [0, 60] {
            assert_eq!(sees(&mut damping, seconds, OUT, IN), Decision::Change);
            damping.changed(at(seconds), OUT, IN, PAUSE);
            damping.changed(at(seconds + 30), IN, OUT, PAUSE);
        }
        let wait = Decision::Again { at: at(90 + 1800), trigger: Trigger::Calmed };
        assert_eq!(sees(&mut damping, 100, OUT, IN), wait);
        assert_eq!(sees(&mut damping, 90 + 1800, OUT, IN), Decision::Change);
    }
}
