//! What a driver keeps for the settings it gave to an engine, and whether the engine keeps its word on them.

use std::collections::{BTreeMap, BTreeSet};

use homing::types::{CertificatePolicyId, SettingsId};

/// The settings that were prepared and not released, and the handshakes under way under their policies.
#[derive(Default)]
pub struct Prepared {
    newest: u32,
    released: BTreeSet<SettingsId>,
    /// Those on trial, which may be released though none came after them.
    on_trial: BTreeSet<SettingsId>,
    /// By the number of a link or a probe, which are counted together.
    handshakes: BTreeMap<u64, SettingsId>,
}

impl Prepared {
    /// Prepares other settings.
    pub fn prepare(&mut self) -> SettingsId {
        self.newest += 1;
        SettingsId(self.newest)
    }

    /// These are on trial.
    pub fn may_go(&mut self, id: SettingsId) {
        self.on_trial.insert(id);
    }

    /// What is prepared next is called this.
    pub fn next(&self) -> SettingsId {
        SettingsId(self.newest + 1)
    }

    pub fn begins(&mut self, handshake: u64, under: CertificatePolicyId) {
        assert!(!self.released.contains(&under.settings), "a dial under {under:?}, which was released");
        self.handshakes.insert(handshake, under.settings);
    }

    pub fn ends(&mut self, handshake: u64) {
        self.handshakes.remove(&handshake);
    }

    pub fn release(&mut self, settings: SettingsId) {
        let is_replaced = settings.0 < self.newest || self.on_trial.contains(&settings);
        assert!(is_replaced, "{settings:?} are in force");
        assert!(self.released.insert(settings), "{settings:?} are released twice");
        let under_way = self.handshakes.values().any(|under| *under == settings);
        assert!(!under_way, "{settings:?} are released in the middle of a handshake");
    }

    /// Settings that must be kept: those in force, and those still referred to.
    pub fn kept(&self) -> usize {
        self.newest as usize + 1 - self.released.len()
    }
}
