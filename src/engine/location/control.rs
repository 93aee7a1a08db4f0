//! The negative control of a round: addresses and a name at which nobody may answer.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::Tuning;
use super::evidence::{ControlReply, Controlled};
use crate::engine::context::Context;
use crate::engine::owners::Owner;
use crate::engine::{Action, Reached, Target};
use crate::settings::{ReferenceServer, Settings};
use crate::types::{Cause, Failure, FailureClass, Host, Moment, ProbeId, Proof, QueryId};

/// See the module.
#[derive(Debug)]
pub(super) struct Control {
    started: Moment,
    /// IPv4, then IPv6; `None` without any reference server.
    addresses: [Option<Address>; 2],
    name: Arc<str>,
    query: QueryId,
    resolves: Resolves,
    /// The look-up is one of an earlier round, which nobody has answered: only that the name resolves is news.
    is_old: bool,
}

/// The look-up of the control's name that is under way: there is one at most, however long it takes.
#[derive(Debug, Default)]
pub(super) struct LookUp(Option<(QueryId, Arc<str>)>);

impl LookUp {
    /// It is not waited for any more.
    pub(super) fn forget(&mut self, cx: &mut Context<'_>) {
        if let Some((query, _)) = self.0.take() {
            cx.queue.forget(query.0);
        }
    }

    /// Whether this ends the one that is under way.
    pub(super) fn ends(&mut self, query: QueryId) -> bool {
        let ours = self.0.as_ref().is_some_and(|(under_way, _)| *under_way == query);
        if ours {
            self.0 = None;
        }
        ours
    }
}

#[derive(Debug)]
struct Address {
    to: SocketAddr,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Running(ProbeId),
    Silent,
    Answered,
    /// This machine has no way to that family.
    NoWay,
    /// It could not be asked, and nothing is known: no socket was left, or the program did not let this one be used.
    NotAsked,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resolves {
    Running,
    /// Somebody says that there is no such name.
    No,
    /// Nobody says anything.
    Unknown,
    /// It does, and must not.
    Yes,
}

impl Control {
    /// Starts before everything else, outside the pace. `lead`: who is asked before the reference servers.
    pub(super) fn begin(
        cx: &mut Context<'_>,
        settings: &Settings,
        lead: Option<SocketAddr>,
        look_up: &mut LookUp,
    ) -> Self {
        let rules = settings.location_rules();
        let both: [IpAddr; 2] = [rules.control_v4.into(), rules.control_v6.into()];
        let addresses = both.map(|address| {
            let servers = settings.reference_servers();
            // Also where all servers are of the other family: a network that has no way to any of them is a network.
            let (port, like) = match first(servers, address.is_ipv4()).or_else(|| servers.first()) {
                Some(first) => (first.ports.first().copied()?, first.host.address()),
                None => lead.map(|lead| (lead.port(), Some(lead.ip())))?,
            };
            let like = like.filter(|like| like.is_ipv4() == address.is_ipv4());
            let to = SocketAddr::new(address, port);
            let target = Target::Control { like };
            let probe = cx.queue.next_probe();
            let deadline = cx.now + cx.tuning.location.patience;
            cx.act(Action::Probe { probe, target, to, proof: Proof::Tcp, deadline });
            Some(Address { to, state: State::Running(probe) })
        });
        let is_old = look_up.0.is_some();
        let (query, name) = look_up.0.get_or_insert_with(|| {
            // Reserved never to exist (RFC 6761); a random label, so that nobody can prepare for it; absolute, because a
            // search list may lead any name to an office.
            let name: Arc<str> = format!("h{:013x}.invalid.", cx.rng.below(1 << 52)).into();
            let query = cx.queue.next_query(Owner::Location);
            cx.queue.act(Action::Resolve { query, host: name.clone() });
            (query, name)
        });
        let (query, name) = (*query, name.clone());
        Self { started: cx.now, addresses, name, query, resolves: Resolves::Running, is_old }
    }

    // --- getters ---

    /// Whether somebody is at an address where nobody may be.
    pub(super) fn address_answered(&self) -> bool {
        self.states().any(|state| state == State::Answered)
    }

    /// Whether the name resolves that must not exist.
    pub(super) fn name_answered(&self) -> bool {
        self.resolves == Resolves::Yes
    }

    /// Whether a bare connection proves nothing: to any server, or to one that goes by a name.
    pub(super) fn voids(&self, named: bool) -> bool {
        self.address_answered() || (named && (self.name_answered() || self.is_old))
    }

    pub(super) fn is_running(&self) -> bool {
        self.resolves == Resolves::Running || self.sockets() > 0
    }

    pub(super) fn sockets(&self) -> usize {
        self.states().filter(|state| matches!(state, State::Running(_))).count()
    }

    pub(super) fn deadline(&self, tuning: &Tuning) -> Option<Moment> {
        self.is_running().then(|| self.started + tuning.patience)
    }

    /// Whether it has been silent for long enough, beside an answer that took this long.
    pub(super) fn is_quiet(&self, now: Moment, answer: Option<Duration>, tuning: &Tuning) -> bool {
        if self.was_not_asked() {
            return false;
        }
        let Some(answer) = answer else { return !self.address_answered() };
        !self.address_answered() && (!self.is_running() || self.quiet_from(answer, tuning) <= now)
    }

    pub(super) fn quiet_from(&self, answer: Duration, tuning: &Tuning) -> Moment {
        self.started + tuning.control_least.max(answer * 2)
    }

    pub(super) fn left_this_machine(&self) -> bool {
        self.states().any(|state| !matches!(state, State::NoWay | State::NotAsked))
    }

    /// Whether somebody would have been asked and could not be: then a bare connection proves nothing.
    pub(super) fn was_not_asked(&self) -> bool {
        self.states().any(|state| state == State::NotAsked)
    }

    pub(super) fn name_service_lives(&self) -> bool {
        matches!(self.resolves, Resolves::No | Resolves::Yes)
    }

    pub(super) fn report(&self) -> Vec<Controlled> {
        let mut lines: Vec<Controlled> = Vec::new();
        for (address, family) in self.addresses.iter().zip(["IPv4", "IPv6"]) {
            lines.push(match address {
                None => Controlled { what: family.to_owned(), reply: ControlReply::NotApplicable },
                Some(Address { to, state }) => Controlled {
                    what: to.to_string(),
                    reply: match state {
                        State::Answered => ControlReply::Answered,
                        State::NoWay => ControlReply::NotApplicable,
                        State::NotAsked => ControlReply::NotAsked,
                        State::Running(_) | State::Silent => ControlReply::Silent,
                    },
                },
            });
        }
        let is_led_astray = self.resolves == Resolves::Yes;
        let reply = if is_led_astray { ControlReply::Answered } else { ControlReply::Silent };
        lines.push(Controlled { what: self.name.trim_end_matches('.').to_owned(), reply });
        lines
    }

    // --- handle ---

    /// `false`: it is not the control's.
    pub(super) fn resolved(&mut self, query: QueryId, answer: Result<&[IpAddr], &Failure>) -> bool {
        if query != self.query || self.resolves != Resolves::Running {
            return false;
        }
        self.resolves = match answer {
            Ok([_, ..]) => Resolves::Yes,
            _ if self.is_old => Resolves::Unknown,
            Ok([]) => Resolves::No,
            Err(failure) if failure.cause == Cause::NameNotFound => Resolves::No,
            Err(_) => Resolves::Unknown,
        };
        true
    }

    /// `false`: it is not the control's.
    pub(super) fn probed(&mut self, probe: ProbeId, answer: &Result<Reached, Failure>) -> bool {
        let mut addresses = self.addresses.iter_mut().flatten();
        let Some(address) = addresses.find(|address| address.state == State::Running(probe)) else {
            return false;
        };
        address.state = match answer {
            Ok(_) => State::Answered,
            Err(failure) if failure.cause == Cause::NoRoute => State::NoWay,
            Err(failure) if failure.class() == FailureClass::LocalNetwork => State::NotAsked,
            Err(_) => State::Silent,
        };
        true
    }

    pub(super) fn expire(&mut self, cx: &mut Context<'_>) {
        if self.started + cx.tuning.location.patience <= cx.now {
            self.give_up(cx);
        }
    }

    pub(super) fn give_up(&mut self, cx: &mut Context<'_>) {
        for address in self.addresses.iter_mut().flatten() {
            if let State::Running(probe) = address.state {
                cx.queue.act(Action::CancelProbe { probe });
                address.state = State::Silent;
            }
        }
        if self.resolves == Resolves::Running {
            self.resolves = Resolves::Unknown;
        }
    }

    fn states(&self) -> impl Iterator<Item = State> {
        self.addresses.iter().flatten().map(|address| address.state)
    }
}

/// The first reference server that may be of this family: a portal that answers on one interface for one port only
/// answers for that one. Where a name leads is not known when the control begins.
fn first(servers: &[ReferenceServer], v4: bool) -> Option<&ReferenceServer> {
    let may_be = |server: &&ReferenceServer| match &server.host {
        Host::Address(address) => address.is_ipv4() == v4,
        Host::Name(_) => true,
    };
    servers.iter().find(may_be)
}
