//! Whom to blame: the servers, or the network of this machine.
//!
//! A laptop without a network must not conclude that every server is dead. This part looks at what
//! the driver says of the network and at how a whole sweep failed, and says what to blame.

use std::time::Duration;

use super::NetworkChange;
use super::tuning::tuning;
use crate::words::{Cause, Failure, FailureClass};

tuning! { "network",
    /// First look again after the network went away. The driver reports changes; this catches the missed one.
    recheck: 5_000 ms,
    /// The looks double up to this: a machine without network for hours should sleep.
    recheck_ceiling: 60_000 ms,
}

/// What is thought of the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Network {
    /// Nothing speaks against it.
    #[default]
    Up,
    /// In the last sweep nobody answered.
    Suspect,
    /// There is none. Looked at again after this wait.
    Gone {
        /// The present wait between looks.
        wait: Duration,
    },
}

/// Whom a failed sweep is charged to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blame {
    /// Each server its own failure.
    Servers,
    /// Nobody: no server answered at all, so it may be the network.
    Nobody,
    /// Nobody: this machine has no network.
    NoNetwork,
}

impl Network {
    /// How long until a machine without a network looks again.
    pub(super) fn recheck(self) -> Option<Duration> {
        match self {
            Self::Up | Self::Suspect => None,
            Self::Gone { wait } => Some(wait),
        }
    }

    /// Somebody answered, so there is a network.
    pub(super) fn heard_somebody(&mut self) {
        *self = Self::Up;
    }

    /// The driver says something.
    pub(super) fn change(&mut self, change: NetworkChange, tuning: &Tuning) {
        match change {
            NetworkChange::Changed => *self = Self::Up,
            NetworkChange::Gone if self.recheck().is_some() => {}
            NetworkChange::Gone => self.go(tuning),
        }
    }

    /// A sweep failed with these failures.
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
            *self = Self::Suspect;
            return Blame::Nobody;
        }
        self.heard_somebody();
        Blame::Servers
    }

    fn go(&mut self, tuning: &Tuning) {
        let wait = match *self {
            Self::Up | Self::Suspect => tuning.recheck,
            Self::Gone { wait } => (wait * 2).min(tuning.recheck_ceiling),
        };
        *self = Self::Gone { wait };
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
        network.change(NetworkChange::Changed, &tuning);
        assert_eq!(network.recheck(), None);
    }
}
