//! Whom an attempt is for, and the ways that lead there.

use std::net::IpAddr;
use std::sync::Arc;

use super::endpoints::Endpoints;
use crate::settings::Server;
use crate::types::{CertificatePolicyId, SettingsId};

/// See the module.
#[derive(Clone, Debug)]
pub(in crate::engine) struct Target {
    /// Which record of the attachment.
    pub(in crate::engine) record: usize,
    pub(in crate::engine) server: Arc<Server>,
    pub(in crate::engine) policy: CertificatePolicyId,
    /// Where the name led when it last worked; used when it no longer resolves.
    pub(in crate::engine) last_good: Option<IpAddr>,
    /// That address is tried first: on this network another one of the name was reached and failed.
    pub(in crate::engine) prefers_last_good: bool,
    /// The ways there.
    pub(in crate::engine) endpoints: Endpoints,
}

impl Target {
    /// The settings changed and still name the server as it was: it goes by other numbers now.
    pub(in crate::engine) fn renumber(&mut self, record: usize, server: &Arc<Server>, settings: SettingsId) {
        self.record = record;
        self.server = server.clone();
        self.policy = CertificatePolicyId { settings, index: server.policy };
    }
}
