//! What every request of one client begins with.

use std::sync::Arc;

use super::fields;
use crate::net::Limits;
use crate::net::authority::authority;
use crate::settings::{self, Server};
use crate::types::AgentId;

/// What is the same in every request of one client.
pub(crate) struct Homing {
    /// The field that names the agent.
    pub(super) agent: String,
    pub(super) limits: Arc<Limits>,
    /// Makes the idempotency keys of this life of the client differ from those of any other.
    pub(super) life: u64,
}

impl Homing {
    pub(crate) fn new(agent: AgentId, limits: Arc<Limits>, life: u64) -> Self {
        let version = env!("CARGO_PKG_VERSION");
        let agent = format!("User-Agent: homing/{version}\r\n{}: {agent}\r\n", fields::AGENT);
        Self { agent, limits, life }
    }

    /// The lines with which every request begins.
    pub(super) fn begin(&self, method: &str, path: &str, server: &Server) -> String {
        let authority = authority(server);
        let usual_port = match server.protocol {
            settings::Protocol::Https => ":443",
            settings::Protocol::Http => ":80",
        };
        let host = authority.strip_suffix(usual_port).unwrap_or(&authority);
        [method, " ", path, " HTTP/1.1\r\nHost: ", host, "\r\n", &self.agent].concat()
    }
}
