//! What every request of one client begins with.

use std::sync::Arc;

use super::fields;
use crate::net::Limits;
use crate::settings::{self, Server};
use crate::types::{AgentId, Paths};

/// Bytes of a common request, a short status included: it is written without its text being moved to where there is more room.
const ROOM: usize = 512;

/// What is the same in every request of one client.
pub(crate) struct Homing {
    pub(super) paths: Paths,
    /// The field that names the agent.
    pub(super) agent: String,
    pub(super) limits: Arc<Limits>,
    /// Tells apart two machines with this agent's id.
    pub(super) instance: Option<String>,
    /// Makes the idempotency keys of this life of the client differ from those of any other.
    pub(super) life: u64,
}

impl Homing {
    pub(crate) fn new(agent: AgentId, paths: Paths, limits: Arc<Limits>, life: u64) -> Self {
        let version = env!("CARGO_PKG_VERSION");
        let agent = format!("User-Agent: homing/{version}\r\n{}: {agent}\r\n", fields::AGENT);
        Self { paths, agent, limits, instance: None, life }
    }

    /// The same, with what tells apart two machines with this agent's id.
    pub(crate) fn with_instance(self, instance: Option<String>) -> Self {
        Self { instance, ..self }
    }

    /// The lines with which a request of homing's own begins, to this path below its prefix.
    pub(super) fn begin(&self, method: &str, path: &str, server: &Server) -> String {
        self.begin_below(self.paths.own(), method, path, server)
    }

    /// The lines with which every request begins, to this path below a prefix.
    pub(super) fn begin_below(&self, prefix: &str, method: &str, path: &str, server: &Server) -> String {
        let usual_port = match server.protocol {
            settings::Protocol::Https => ":443",
            settings::Protocol::Http => ":80",
        };
        let host = server.authority.strip_suffix(usual_port).unwrap_or(&server.authority);
        let mut head = String::with_capacity(ROOM);
        for part in [method, " ", prefix, path, " HTTP/1.1\r\nHost: ", host, "\r\n", &self.agent] {
            head.push_str(part);
        }
        head
    }
}

/// A field in a line of its own.
pub(super) fn add(head: &mut String, name: &str, value: &str) {
    for part in [name, ": ", value, "\r\n"] {
        head.push_str(part);
    }
}
