//! Whom to blame: the servers, or the network of this machine.
//!
//! A laptop without a network must not conclude that every server is dead. This part looks at what
//! the driver says of the network and at how a whole search failed, and says what to blame.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::captive::{Captive, Servers};
use super::tuning::network::Tuning;
use super::{NetworkChange, Reason};
use crate::types::{Cause, Evidence, Failure, FailureClass, Host, Moment};

/// What is thought of the network, and of who else may be on it.
#[derive(Debug, Default)]
pub(super) struct Network {
    reach: Reach,
    captive: Option<Box<Captive>>,
}

/// Whether it leads anywhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Reach {
    /// Nothing speaks against it.
    #[default]
    Up,
    /// In the last search nobody answered.
    Suspect,
    /// There is none. Looked at again after this wait.
    Gone {
        /// The present wait between looks.
        wait: Duration,
    },
}

/// Whom a failed search is charged to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blame {
    /// Each server its own failure.
    Servers,
    /// Nobody: no server answered at all, so it may be the network.
    Nobody,
    /// Nobody: this machine has no network.
    NoNetwork,
}

/// What refused certificates of several servers show together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// The clock of this machine is wrong.
    Clock,
    /// Somebody is in between, or the authority was changed.
    Interception {
        /// Whose certificates all of them have.
        issuer: u64,
        /// Of how many servers.
        servers: usize,
    },
}

impl Sign {
    /// What this evidence shows, if it is from servers at these addresses. One address is one witness.
    pub(super) fn of<'a>(found: impl Iterator<Item = (&'a Host, Evidence)> + Clone) -> Option<Self> {
        if found.clone().any(|(_, evidence)| evidence == Evidence::ClockBehind) {
            return Some(Self::Clock);
        }
        // Two servers whose certificates end together may really have been forgotten together.
        let differ = |dates: &BTreeMap<&Host, i64>| dates.values().collect::<BTreeSet<_>>().len() > 1;
        let (mut over, mut later) = (BTreeMap::new(), BTreeMap::new());
        let mut issuers: BTreeMap<u64, BTreeSet<&Host>> = BTreeMap::new();
        for (host, evidence) in found {
            match evidence {
                Evidence::ExpiredBefore(end) => drop(over.insert(host, end)),
                Evidence::ValidLater(begin) => drop(later.insert(host, begin)),
                Evidence::UnknownIssuer(issuer) => drop(issuers.entry(issuer).or_default().insert(host)),
                Evidence::ClockBehind | Evidence::Portal => {}
            }
        }
        if (differ(&over) && later.is_empty()) || (differ(&later) && over.is_empty()) {
            return Some(Self::Clock);
        }
        let (issuer, hosts) = issuers.into_iter().find(|(_, hosts)| hosts.len() > 1)?;
        Some(Self::Interception { issuer, servers: hosts.len() })
    }

    /// Whether this failure is a part of it, and its server not to blame.
    pub(super) fn explains(self, failure: &Failure) -> bool {
        match (self, failure.evidence) {
            (
                Self::Clock,
                Some(Evidence::ClockBehind | Evidence::ExpiredBefore(_) | Evidence::ValidLater(_)),
            ) => true,
            (Self::Interception { issuer, .. }, Some(Evidence::UnknownIssuer(found))) => found == issuer,
            (Self::Clock | Self::Interception { .. }, _) => false,
        }
    }
}

impl Network {
    /// How long until a machine without a network looks again.
    pub(super) fn recheck(&self) -> Option<Duration> {
        match self.reach {
            Reach::Up | Reach::Suspect => None,
            Reach::Gone { wait } => Some(wait),
        }
    }

    /// Somebody answered, so there is a network.
    pub(super) fn heard_somebody(&mut self) {
        self.reach = Reach::Up;
    }

    /// Somebody answered and was believed: nobody stands in between.
    pub(super) fn believed_somebody(&mut self) {
        self.heard_somebody();
        self.captive = None;
    }

    /// The driver says something.
    pub(super) fn change(&mut self, now: Moment, change: NetworkChange, tuning: &Tuning) {
        match change {
            NetworkChange::Changed | NetworkChange::Elsewhere | NetworkChange::Returned => {
                self.reach = Reach::Up;
            }
            NetworkChange::Gone if self.recheck().is_some() => {}
            NetworkChange::Gone => self.go(tuning),
        }
        if change == NetworkChange::Changed
            && let Some(captive) = &mut self.captive
        {
            captive.network_changed(now);
        }
    }

    // --- who else may be on it ---

    pub(super) fn is_captive(&self) -> bool {
        self.captive.is_some()
    }

    /// Why it is thought that somebody answers in place of the servers, if it is.
    pub(super) fn captive(&self, now: Moment, tuning: &Tuning) -> Option<Reason> {
        self.captive.as_ref().map(|captive| captive.reason(now, tuning))
    }

    /// Whether servers showed signs of it in the last search.
    pub(super) fn servers_show_signs(&self) -> bool {
        self.captive.as_ref().is_some_and(|captive| captive.is_shown_by_servers())
    }

    /// How long until the next look whether somebody still does.
    pub(super) fn captive_wait(&self, now: Moment, tuning: &Tuning) -> Duration {
        self.captive.as_ref().map_or(tuning.captive_late, |captive| captive.wait(now, tuning))
    }

    /// A whole search has failed, and so many servers showed the same sign.
    pub(super) fn saw_servers(&mut self, now: Moment, signs: usize) {
        let servers = match signs {
            0 => Servers::None,
            1 => Servers::One,
            _ => Servers::Several,
        };
        self.saw(now, servers != Servers::None, |captive| captive.saw_servers(servers));
    }

    /// Somebody answered where nobody may, or nobody did.
    pub(super) fn saw_control(&mut self, now: Moment, answered: bool) {
        self.saw(now, answered, |captive| captive.saw_control(answered));
    }

    fn saw(&mut self, now: Moment, sign: bool, tell: impl FnOnce(&mut Captive)) {
        if sign {
            self.captive.get_or_insert_with(|| Box::new(Captive::new(now)));
        }
        if let Some(captive) = &mut self.captive {
            tell(captive);
            if captive.is_over() {
                self.captive = None;
            }
        }
    }

    // --- whom to blame ---

    /// A search failed with these failures.
    pub(super) fn blame<'a>(
        &mut self,
        failures: impl Iterator<Item = &'a Failure> + Clone,
        tuning: &Tuning,
    ) -> Blame {
        if failures.clone().next().is_none() {
            return Blame::Servers;
        }
        if failures.clone().all(|failure| is_local(failure.cause)) {
            self.go(tuning);
            return Blame::NoNetwork;
        }
        if failures.clone().all(|failure| is_local(failure.cause) || proves_nobody(failure.class())) {
            self.reach = Reach::Suspect;
            return Blame::Nobody;
        }
        self.heard_somebody();
        Blame::Servers
    }

    fn go(&mut self, tuning: &Tuning) {
        let wait = match self.reach {
            Reach::Up | Reach::Suspect => tuning.recheck,
            Reach::Gone { wait } => (wait * 2).min(tuning.recheck_ceiling),
        };
        self.reach = Reach::Gone { wait };
    }
}

/// Failures that never left this machine, its name service or its proxy.
fn is_local(cause: Cause) -> bool {
    matches!(cause.class(), FailureClass::LocalNetwork | FailureClass::Proxy)
        || matches!(cause, Cause::NameServerFailed | Cause::NameTimeout)
}

/// Failures without any sign of the other side.
fn proves_nobody(class: FailureClass) -> bool {
    matches!(class, FailureClass::NoAnswer | FailureClass::Silent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blame(causes: &[Cause]) -> Blame {
        let failures: Vec<Failure> = causes.iter().map(|&cause| cause.into()).collect();
        Network::default().blame(failures.iter(), &Tuning::default())
    }

    #[test]
    fn one_answer_of_any_kind_means_that_the_network_works() {
        assert_eq!(blame(&[Cause::NoRoute, Cause::NameTimeout]), Blame::NoNetwork);
        assert_eq!(blame(&[Cause::NoRoute, Cause::ConnectTimeout]), Blame::Nobody);
        assert_eq!(blame(&[Cause::ConnectTimeout, Cause::Evicted]), Blame::Nobody);
        assert_eq!(blame(&[Cause::ConnectTimeout, Cause::ConnectionRefused]), Blame::Servers);
        assert_eq!(blame(&[Cause::NameNotFound]), Blame::Servers);
    }

    #[test]
    fn a_machine_without_network_looks_again_ever_more_seldom() {
        let tuning = Tuning::default();
        let mut network = Network::default();
        let mut waits = Vec::new();
        for _ in 0..6 {
            network.blame([Cause::NoRoute.into()].iter(), &tuning);
            waits.push(network.recheck().unwrap().as_secs());
        }
        assert_eq!(waits, [5, 10, 20, 40, 60, 60]);
        network.change(Moment::ORIGIN, NetworkChange::Changed, &tuning);
        assert_eq!(network.recheck(), None);
    }

    fn sign(found: &[(&str, Evidence)]) -> Option<Sign> {
        let found: Vec<(Host, Evidence)> =
            found.iter().map(|(host, evidence)| (host.parse().unwrap(), *evidence)).collect();
        Sign::of(found.iter().map(|(host, evidence)| (host, *evidence)))
    }

    #[test]
    fn two_servers_that_expired_at_different_times_show_a_wrong_clock_and_one_does_not() {
        let over = Evidence::ExpiredBefore;
        assert_eq!(sign(&[("a", over(5)), ("b", over(6))]), Some(Sign::Clock));
        assert_eq!(
            sign(&[("a", Evidence::ValidLater(5)), ("b", Evidence::ValidLater(6))]),
            Some(Sign::Clock)
        );
        assert_eq!(sign(&[("a", over(5)), ("b", over(5))]), None);
        assert_eq!(sign(&[("a", over(5)), ("a", over(6))]), None);
        assert_eq!(sign(&[("a", over(5)), ("b", over(6)), ("c", Evidence::ValidLater(9))]), None);
        assert_eq!(sign(&[("a", Evidence::ClockBehind)]), Some(Sign::Clock));
        assert_eq!(sign(&[]), None);
    }

    #[test]
    fn one_unknown_issuer_at_two_addresses_shows_somebody_in_between() {
        let unknown = Evidence::UnknownIssuer;
        assert_eq!(
            sign(&[("a", unknown(7)), ("b", unknown(7))]),
            Some(Sign::Interception { issuer: 7, servers: 2 })
        );
        assert_eq!(sign(&[("a", unknown(7)), ("b", unknown(8))]), None);
        assert_eq!(sign(&[("a", unknown(7)), ("a", unknown(7))]), None);
        let failure = |evidence| Failure { evidence, ..Cause::UnknownIssuer.into() };
        let found = Sign::Interception { issuer: 7, servers: 2 };
        assert!(found.explains(&failure(Some(unknown(7)))));
        assert!(!found.explains(&failure(Some(unknown(8)))) && !found.explains(&failure(None)));
    }
}
