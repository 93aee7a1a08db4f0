//! The settings an engine works with, and those it still refers to.
//!
//! Settings have one owner, which lends them to the parts. A driver prepares a verifier for each certificate policy
//! before the engine hears of the settings, and must keep it for as long as the engine may name it: a server that is
//! in use stays so although new settings leave it out, under the policy of those that named it last. So the ids that
//! were replaced are kept here until no part refers to them, and only then is the driver told to drop them.

use std::sync::Arc;

use crate::settings::{Effective, Settings, UnknownLocation};
use crate::types::{CertificatePolicyId, SettingsId};

/// See the module.
#[derive(Debug)]
pub(super) struct InForce {
    id: SettingsId,
    settings: Arc<Settings>,
    /// The other ones of a trial: the candidate, or while that is in force the known good ones.
    aside: Option<Box<(SettingsId, Arc<Settings>)>>,
    /// The location the product has chosen.
    pub(super) chosen: Option<Arc<str>>,
    /// The location whose settings are in force.
    pub(super) location: Option<Arc<str>>,
    /// Replaced, and not yet released. Never more than there are links and probes.
    replaced: Vec<SettingsId>,
}

impl InForce {
    pub(super) fn new(id: SettingsId, settings: Arc<Settings>) -> Self {
        Self { id, settings, aside: None, chosen: None, location: None, replaced: Vec::new() }
    }

    // --- getters ---

    pub(super) fn id(&self) -> SettingsId {
        self.id
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(super) fn shared(&self) -> Arc<Settings> {
        self.settings.clone()
    }

    /// The other settings of a trial.
    pub(super) fn aside(&self) -> Option<&Settings> {
        self.aside.as_ref().map(|aside| &*aside.1)
    }

    /// Whether this id names settings that were not released.
    pub(super) fn names(&self, id: SettingsId) -> bool {
        self.id == id || self.aside.as_ref().is_some_and(|aside| aside.0 == id) || self.replaced.contains(&id)
    }

    /// One of the certificate policies of these settings.
    pub(super) fn certificate_policy(&self, index: u16) -> CertificatePolicyId {
        CertificatePolicyId { settings: self.id, index }
    }

    /// What the settings say for the location in force.
    pub(super) fn effective(&self) -> Effective {
        self.settings.effective(self.location.as_deref())
    }

    /// Why the location that the product has chosen is none of these settings.
    pub(super) fn unknown_location(&self) -> Option<UnknownLocation> {
        self.settings.check_location(self.chosen.as_deref()?).err()
    }

    /// The location that the product has chosen, else the one that fits. A choice that the settings do not have is none.
    pub(super) fn location_or(&self, fitting: impl FnOnce() -> Option<Arc<str>>) -> Option<Arc<str>> {
        match &self.chosen {
            Some(chosen) => self.settings.check_location(chosen).is_ok().then(|| chosen.clone()),
            None => fitting(),
        }
    }

    // --- commands ---

    /// Puts other settings in force and returns those before them; `None`, and nothing changes, when the id still names
    /// others.
    pub(super) fn replace(&mut self, id: SettingsId, settings: Arc<Settings>) -> Option<Arc<Settings>> {
        if self.names(id) {
            return None;
        }
        self.replaced.push(std::mem::replace(&mut self.id, id));
        Some(std::mem::replace(&mut self.settings, settings))
    }

    /// Keeps these beside the ones in force.
    pub(super) fn put_aside(&mut self, id: SettingsId, settings: Arc<Settings>) {
        self.drop_aside();
        self.aside = Some(Box::new((id, settings)));
    }

    /// Puts the ones aside in force, and those in force aside; returns the latter.
    pub(super) fn swap(&mut self) -> Option<Arc<Settings>> {
        let (id, settings) = &mut **self.aside.as_mut()?;
        std::mem::swap(&mut self.id, id);
        std::mem::swap(&mut self.settings, settings);
        Some(settings.clone())
    }

    /// Settings that never come into force.
    pub(super) fn release(&mut self, id: SettingsId) {
        self.replaced.push(id);
    }

    /// The ones aside are of no use any more.
    pub(super) fn drop_aside(&mut self) {
        if let Some(aside) = self.aside.take() {
            self.replaced.push(aside.0);
        }
    }

    /// The ones aside are the same under another id. `false`: they are not these.
    pub(super) fn renew_aside(&mut self, old: SettingsId, id: SettingsId, settings: &Arc<Settings>) -> bool {
        let fits = self.aside.as_ref().is_some_and(|aside| aside.0 == old) && !self.names(id);
        if fits {
            self.put_aside(id, settings.clone());
        }
        fits
    }

    /// Forgets the replaced settings that nothing refers to any more, and returns the next of them.
    pub(super) fn poll_release(&mut self, is_referred_to: impl Fn(SettingsId) -> bool) -> Option<SettingsId> {
        let index = self.replaced.iter().position(|id| !is_referred_to(*id))?;
        Some(self.replaced.remove(index))
    }
}
