//! What the program gives to an engine.

use std::sync::Arc;

use super::memory::SettingsName;
use super::{TakesSettings, Tuning};
use crate::settings::Settings;
use crate::types::{AgentId, Identity, Route, SettingsId};

/// What an engine is made of.
#[derive(Clone, Debug)]
pub struct Setup {
    /// What an administrator wrote.
    pub settings: Arc<Settings>,
    /// Names them in [`Action::Dial`](crate::engine::Action::Dial), until they are replaced and released.
    pub settings_id: SettingsId,
    /// Who this agent is. Decides its own server and the phase of its heartbeats.
    pub agent: AgentId,
    /// The constants of the rules.
    pub tuning: Arc<Tuning>,
    /// The ways to the servers, tried in this order inside one attempt, beginning with the one that last
    /// worked on the present network. Empty is the same as [`Route::Direct`] alone.
    pub routes: Arc<[Route]>,
    /// What failures call the proxies, by their numbers: `proxy.example:3128`. A proxy that is not here goes by its
    /// number, from 1. What is not seen is escaped.
    pub proxies: Arc<[(u8, Arc<str>)]>,
    /// Names the settings in the memory; `None`: nothing is remembered of settings.
    pub settings_name: Option<SettingsName>,
    /// The digest of what the program gave, which may be other settings than those above.
    pub given: Option<Arc<str>>,
    /// Whether servers may give the agent other settings.
    pub takes_settings: TakesSettings,
    /// What is said of the machine when the agent registers; `None`: it does not register.
    pub identity: Option<Arc<Identity>>,
}

impl Setup {
    /// An engine with the default constants that goes directly to the servers. The settings have the id 0.
    pub fn new(settings: Arc<Settings>, agent: AgentId) -> Self {
        let (settings_id, tuning, routes) = (SettingsId::default(), Arc::default(), [Route::Direct].into());
        Self {
            settings,
            settings_id,
            agent,
            tuning,
            routes,
            proxies: Arc::default(),
            settings_name: None,
            given: None,
            takes_settings: TakesSettings::default(),
            identity: None,
        }
    }
}
