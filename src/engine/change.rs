//! Other settings come into force: at once, on trial, or because the machine is in another location.

use std::sync::Arc;

use super::attachment::Then;
use super::context::Context;
use super::location::{self, Location};
use super::memory::SettingsName;
use super::trial::{Step, Trial};
use super::{Engine, Event, State, warn};
use crate::settings::Settings;
use crate::types::SettingsId;

impl Engine {
    /// Puts settings in force at once, and for good.
    pub(super) fn reconfigure(
        &mut self,
        id: SettingsId,
        settings: Arc<Settings>,
        name: Option<SettingsName>,
    ) {
        if !self.in_force.names(id) {
            self.end_trial();
            self.trial.replaced(name);
        }
        let Some(before) = self.in_force.replace(id, settings) else {
            self.queue.stale_inputs += 1;
            return;
        };
        self.warn_of_settings();
        self.follow(&before, Then::Search);
    }

    /// The settings in force are others than these.
    fn follow(&mut self, before: &Settings, then: Then) {
        self.reconfigure_location(before);
        let _ = self.put_in_force(Some(before), then);
    }

    /// What is odd about the settings in force.
    fn warn_of_settings(&mut self) {
        let Self { rng, queue, network, guard, tuning, in_force, .. } = self;
        warn(&mut Context { now: self.now, rng, queue, tuning, network, in_force, guard });
        self.warn_of_unknown_location();
    }

    /// The part that finds the location is there when the settings want it.
    fn reconfigure_location(&mut self, before: &Settings) {
        let Self { rng, queue, network, guard, tuning, in_force, attachment, location, .. } = self;
        let cx = &mut Context { now: self.now, rng, queue, tuning, network, in_force, guard };
        let wanted = location::is_asked_for(cx.in_force.settings()) && attachment.state() != State::Stopping;
        match (location.as_mut(), wanted) {
            (Some(location), true) => location.reconfigure(cx, before),
            (Some(known), false) => {
                known.stop(cx);
                *location = None;
            }
            (None, true) => *location = Some(Box::new(Location::new(&self.agent, self.now, tuning))),
            (None, false) => {}
        }
    }

    /// Puts the settings of the location in force that the product has chosen, or that fits; with `before`, those of
    /// another document than that. Whether it is another location, which is told.
    pub(super) fn put_in_force(&mut self, before: Option<&Settings>, then: Then) -> bool {
        let fitting = || self.location.as_ref()?.fitting(self.in_force.settings());
        let name = self.in_force.location_or(fitting);
        let another = name != self.in_force.location;
        self.in_force.location = name;
        let Self { rng, queue, network, guard, tuning, in_force, attachment, schedule, location, .. } = self;
        let cx = &mut Context { now: self.now, rng, queue, tuning, network, in_force, guard };
        if before.is_some() || another {
            let mut effective = cx.in_force.effective();
            // Settings that end all communication are proved first.
            effective.enabled.value |= self.trial.is_on_trial();
            attachment.reconfigure(cx, before, &effective, then);
            schedule.reconfigure(cx, &self.agent, &effective);
            if let Some(location) = location {
                location.set_interval(cx.tuning.scale(effective.heartbeat_interval.value));
            }
        }
        if another {
            self.tell_location();
        }
        another
    }

    // --- on trial ---

    /// Puts settings on trial; those that nothing worked before simply come into force.
    pub(super) fn try_settings(
        &mut self,
        id: SettingsId,
        settings: Arc<Settings>,
        name: Option<SettingsName>,
        given: bool,
    ) {
        if self.in_force.names(id) {
            self.queue.stale_inputs += 1;
            return;
        }
        if given {
            self.trial.gives(name.as_ref());
        }
        let tag = name.as_ref().and_then(|name| name.tag.clone());
        let refused = |trial: &Trial| name.as_ref().is_some_and(|name| trial.has_rejected(name));
        if refused(&self.trial) {
            let detail = "they were on trial before, and no server was found through them".to_owned();
            self.queue.emit(Event::SettingsRefused { tag, detail });
            return self.in_force.release(id);
        }
        let known = |trial: &Trial| name.as_ref().is_some_and(|name| trial.has(name));
        if !known(&self.trial) && self.trial.has_known_good() {
            self.end_trial();
        }
        self.attachment.has_settings(tag.as_ref());
        match (known(&self.trial), given) {
            // The same document; the files that it names may have changed.
            (true, true) => return self.renew_settings(self.trial.had(self.in_force.id()), id, settings),
            (true, false) => return self.in_force.release(id),
            (false, _) => {}
        }
        if !self.trial.has_known_good() {
            return self.reconfigure(id, settings, name);
        }
        let before = self.in_force.id();
        self.in_force.put_aside(id, settings);
        self.trial.offer(self.now, id, before, name, self.memory.settings.as_deref());
    }

    /// The same settings, whose files were read again.
    pub(super) fn renew_settings(&mut self, old: SettingsId, id: SettingsId, settings: Arc<Settings>) {
        if self.in_force.renew_aside(old, id, &settings) {
            self.attachment.renamed(old, id);
            return self.trial.renamed(old, id);
        }
        let fits = self.in_force.id() == old;
        let Some(before) = fits.then(|| self.in_force.replace(id, settings)).flatten() else {
            self.queue.stale_inputs += 1;
            return;
        };
        self.trial.renamed(old, id);
        self.warn_of_settings();
        self.follow(&before, Then::Search);
    }

    /// This version of the memory is stored, or cannot be.
    pub(super) fn stored(&mut self, version: u64) {
        if self.trial.stored(self.now, version) {
            self.in_force.drop_aside();
        }
    }

    /// Does what the trial has decided. Whether there was something.
    pub(super) fn follow_trial(&mut self) -> bool {
        let Some(step) = self.trial.take_step() else {
            return false;
        };
        match step {
            Step::Begin => {
                let tag = self.trial.candidate_name().and_then(|name| name.tag.clone());
                let is_of_a_server = tag.is_some();
                self.queue.emit(Event::SettingsOnTrial { tag });
                self.trial.begin(self.attachment.is_attached());
                self.swap(Then::Search);
                self.warn_of_settings();
                // Where they name the server in use, one exchange with it is all they need. Those of a server were read at a
                // moment of this agent's own; those of a program may reach a whole fleet at once, and wait for the next heartbeat.
                if is_of_a_server && self.attachment.is_at_a_listed_server() {
                    self.beat();
                }
            }
            Step::FallBack => {
                let location = self.in_force.location.clone();
                let talks = |settings: &Settings| settings.effective(location.as_deref()).enabled.value;
                if self.in_force.aside().is_some_and(talks) {
                    self.swap(Then::SearchAtOnce);
                } else {
                    self.trial.cannot_fall_back();
                }
            }
            Step::Return => self.swap(Then::AsPlanned),
            Step::Ask => self.beat(),
            Step::Accept => self.accept(),
            Step::Reject { searches, spent } => {
                let detail = format!(
                    "{searches} searches within {spent} found no server through them, and the settings before them lead to one"
                );
                self.roll_back(detail);
                self.trial.reject();
            }
        }
        true
    }

    /// What is on trial makes way: what has worked stays, and what has not is taken back.
    pub(super) fn end_trial(&mut self) {
        if self.trial.is_undecided() {
            self.roll_back("other settings replace them before anything was proved".to_owned());
        } else {
            self.in_force.drop_aside();
        }
        self.trial.drop_candidate();
    }

    // --- helpers ---

    /// One heartbeat to the server in use, now.
    fn beat(&mut self) {
        let Self { rng, queue, network, guard, tuning, in_force, attachment, .. } = self;
        let cx = &mut Context { now: self.now, rng, queue, tuning, network, in_force, guard };
        attachment.beat(cx);
    }

    /// The product's choice may be a location that the settings do not have, or no longer.
    pub(super) fn warn_of_unknown_location(&mut self) {
        if let Some(unknown) = self.in_force.unknown_location() {
            let warning = format!("the group's settings apply: {unknown}");
            self.queue.emit(Event::SettingsWarning { warning });
        }
    }

    pub(super) fn tell_location(&mut self) {
        if let Some(location) = &self.location {
            self.queue.emit(location.event(self.now, self.in_force.location.clone()));
        }
    }

    fn accept(&mut self) {
        if self.trial.accept() {
            self.in_force.drop_aside();
        }
        let tag = self.trial.tag().cloned();
        self.queue.emit(Event::SettingsInForce { tag });
        if !self.in_force.effective().enabled.value {
            // They end all communication, which waited for this.
            let settings = self.in_force.shared();
            let _ = self.put_in_force(Some(&settings), Then::Search);
        }
    }

    /// The known good settings come back, and the candidate is let go.
    fn roll_back(&mut self, detail: String) {
        let was_used = self.trial.is_on_trial();
        let tag = self.trial.candidate_name().and_then(|name| name.tag.clone());
        if self.trial.candidate() == Some(self.in_force.id()) {
            self.swap(Then::AsPlanned);
        }
        self.in_force.drop_aside();
        if was_used {
            self.queue.emit(Event::SettingsRolledBack { tag, detail });
        }
    }

    /// The other settings of the trial are in force from now on.
    fn swap(&mut self, then: Then) {
        let Some(before) = self.in_force.swap() else {
            return;
        };
        self.follow(&before, then);
    }
}
