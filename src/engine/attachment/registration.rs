//! What the product says of the machine, what a server has made of it, and when it is said again.

use std::sync::Arc;

use super::Tuning;
use super::backoff::{MOST_MISSES, delay};
use crate::engine::context::Context;
use crate::engine::memory::RegistrationMemory;
use crate::engine::session::Registering;
use crate::settings::Effective;
use crate::types::{AccountMode, Identity, Moment, Name, Registration, ServerId, SettingsId};

/// See the module. An agent whose product gave no identity, and that remembers none of an earlier life, has none.
#[derive(Debug, Default)]
pub(super) struct Registrar {
    /// `None`: the product does not say who uses the machine, and nothing is registered.
    identity: Option<Arc<Identity>>,
    /// What a server named last, in this life or an earlier one.
    pub(super) group: Option<Name>,
    pub(super) mode: Option<AccountMode>,
    /// Which server named it in this life.
    pub(super) by: Option<ServerId>,
    wish: Wish,
    /// The network changed, or the machine slept: a heartbeat comes first, spread as the rules of those say.
    awaits_heartbeat: bool,
    pub(super) under_way: Option<Registering>,
    /// When the last one began.
    begun: Option<Moment>,
    /// Failures in a row.
    misses: u8,
    /// Which server has failed last, and whether it refused the credentials.
    last_failure: Option<(ServerId, bool)>,
}

/// Whether the agent is to register.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Wish {
    /// It is not.
    #[default]
    Nothing,
    /// It is, from then on.
    From(Moment),
    /// It is, with a server that was verified; the one in use was not, which is told.
    Verified,
}

/// What is offered of what was used last: what the settings say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Keeps {
    group: bool,
    mode: bool,
}

impl Keeps {
    pub(super) fn new(effective: &Effective) -> Self {
        Self { group: effective.keep_group.value, mode: effective.keep_mode.value }
    }
}

impl Registrar {
    /// What an earlier life remembers.
    pub(super) fn restored(memory: &RegistrationMemory) -> Self {
        // A damaged memory may hold anything.
        let group = memory.group.as_deref().and_then(|group| group.parse().ok());
        Self { group, mode: memory.mode, ..Self::default() }
    }

    // --- getters ---

    pub(super) fn refers_to(&self, settings: SettingsId) -> bool {
        self.under_way.as_ref().is_some_and(|registering| registering.refers_to(settings))
    }

    /// From when on the agent is to register, when it is; nothing of it is under way.
    pub(super) fn from(&self) -> Option<Moment> {
        match (&self.under_way, self.wish) {
            (None, Wish::From(at)) if !self.awaits_heartbeat => Some(at),
            (Some(_), _) | (None, Wish::Nothing | Wish::Verified | Wish::From(_)) => None,
        }
    }

    pub(super) fn is_due(&self, now: Moment) -> bool {
        self.from().is_some_and(|at| at <= now)
    }

    /// When one that is under way has taken too long, or the next may begin.
    pub(super) fn deadline(&self, may_begin: bool, tuning: &Tuning) -> Option<Moment> {
        match &self.under_way {
            Some(registering) => Some(registering.deadline(tuning)),
            None => self.from().filter(|_| may_begin),
        }
    }

    /// What is said, as far as the settings let it.
    pub(super) fn says(&self, keeps: Keeps) -> Option<Registration> {
        let identity = self.identity.clone()?;
        let group = self.group.clone().filter(|_| keeps.group);
        Some(Registration::new(identity).with_last(group, self.mode.filter(|_| keeps.mode)))
    }

    pub(super) fn memory(&self) -> Option<RegistrationMemory> {
        let group = self.group.as_ref().map(|group| Arc::from(group.as_str()));
        (group.is_some() || self.mode.is_some()).then_some(RegistrationMemory { group, mode: self.mode })
    }

    // --- commands ---

    /// The product says of the machine what it can.
    pub(super) fn identify(&mut self, identity: Arc<Identity>, now: Moment) {
        self.identity = Some(identity);
        self.wish = Wish::From(now);
    }

    /// Another user uses the machine, or none.
    pub(super) fn user_changed(&mut self, now: Moment, user: Option<Name>, tuning: &Tuning) {
        let identity = self.identity.take().map(Arc::unwrap_or_clone).unwrap_or_default();
        self.identity = Some(Arc::new(identity.with_user(user)));
        self.want(now, tuning);
    }

    /// The agent is to register again, and soon: no sooner than a while after the last time. Only where there is something
    /// to say.
    pub(super) fn want(&mut self, now: Moment, tuning: &Tuning) {
        if self.identity.is_some() {
            let gap = |begun: Moment| begun + tuning.register_gap;
            self.wish = Wish::From(self.begun.map_or(now, gap).max(now));
        }
    }

    /// A server asks the agent to register again. One that has failed to is not asked any sooner.
    pub(super) fn asked(&mut self, now: Moment, tuning: &Tuning) {
        if self.misses == 0 && self.wish == Wish::Nothing {
            self.want(now, tuning);
        }
    }

    /// Nothing is said before the next heartbeat is delivered.
    pub(super) fn await_heartbeat(&mut self) {
        self.awaits_heartbeat = true;
    }

    /// A heartbeat was delivered to this server: another one than failed is asked at once.
    pub(super) fn delivered(&mut self, now: Moment, server: &ServerId, is_verified: bool) {
        self.awaits_heartbeat = false;
        let is_another = self.last_failure.as_ref().is_some_and(|(failed, _)| failed != server);
        match self.wish {
            Wish::From(_) if is_another => self.wish = Wish::From(now),
            Wish::Verified if is_verified => self.wish = Wish::From(now),
            Wish::From(_) | Wish::Verified | Wish::Nothing => {}
        }
        if is_another {
            self.last_failure = None;
        }
    }

    /// The driver has other credentials.
    pub(super) fn new_credentials(&mut self, now: Moment, tuning: &Tuning) {
        if let (Wish::From(_), Some((_, true))) = (self.wish, &self.last_failure) {
            self.want(now, tuning);
        }
    }

    pub(super) fn begins(&mut self, now: Moment, registering: Registering) {
        (self.wish, self.begun) = (Wish::Nothing, Some(now));
        self.under_way = Some(registering);
    }

    /// What was to be said is said then.
    pub(super) fn put_off(&mut self, until: Moment) {
        self.wish = Wish::From(until);
    }

    /// The server in use was not verified.
    pub(super) fn wait_for_proof(&mut self) {
        self.wish = Wish::Verified;
    }

    /// What is under way ends, and is begun anew when there is a server for it.
    pub(super) fn interrupt(&mut self, now: Moment) -> Option<Registering> {
        let registering = self.under_way.take()?;
        if self.wish == Wish::Nothing {
            self.wish = Wish::From(now);
        }
        Some(registering)
    }

    /// A server has decided. What it did not name stays.
    pub(super) fn decided(&mut self, server: ServerId, group: Option<Name>, mode: Option<AccountMode>) {
        self.group = group.or_else(|| self.group.take());
        self.mode = mode.or(self.mode);
        (self.by, self.misses, self.last_failure) = (Some(server), 0, None);
    }

    /// A server has not. Returns from when on it is asked again.
    pub(super) fn failed(&mut self, cx: &mut Context<'_>, server: ServerId, has_refused: bool) -> Moment {
        let tuning = &cx.tuning.attachment;
        self.misses = self.misses.saturating_add(1).min(MOST_MISSES);
        self.last_failure = Some((server, has_refused));
        let at = cx.now + delay(self.misses, tuning.register_ceiling, tuning, cx.rng);
        self.comes_back(at)
    }

    /// A server has no such request. Returns from when on it is asked again.
    pub(super) fn declined(&mut self, cx: &mut Context<'_>, server: ServerId) -> Moment {
        self.misses = self.misses.saturating_add(1).min(MOST_MISSES);
        self.last_failure = Some((server, false));
        let at = cx.now + cx.rng.around(cx.tuning.attachment.register_declined, 90, 110);
        self.comes_back(at)
    }

    /// Something else may have asked for it meanwhile.
    fn comes_back(&mut self, at: Moment) -> Moment {
        let at = if let Wish::From(sooner) = self.wish { at.min(sooner) } else { at };
        self.wish = Wish::From(at);
        at
    }
}
