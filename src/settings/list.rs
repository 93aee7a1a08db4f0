//! Management servers and the lists they stand in, as the engine uses them.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};

use crate::types::{Host, ServerId};

/// The default HTTP port, where Symantec Endpoint Protection Manager listens for clients.
pub const DEFAULT_HTTP_PORT: u16 = 8014;
/// The default HTTPS port.
pub const DEFAULT_HTTPS_PORT: u16 = 443;

/// How a server is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// HTTP over TLS 1.2 or 1.3. The default.
    #[default]
    Https,
    /// Plain HTTP: a choice somebody wrote down, and `lint` says so.
    Http,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Https => "https",
            Self::Http => "http",
        })
    }
}

/// One management server, as one list names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Which server this is, across lists.
    pub id: ServerId,
    /// Where it is.
    pub host: Host,
    /// How it is spoken to.
    pub protocol: Protocol,
    /// The port in use: `https_port` or `http_port`, whichever the protocol takes. Never 0.
    pub port: u16,
    /// Its share of the clients of its priority; 0 = only if nothing else.
    pub weight: u32,
    /// Whether an exchange with it shows that the machine is inside.
    pub inside: bool,
    /// Its certificate policy: index into [`Settings::policies`](super::Settings::policies).
    pub policy: u16,
    /// Which of [`Settings::servers`](super::Settings::servers) it is.
    pub(crate) number: u16,
    /// Where a dial leads when the host is an address; kept ready, so that no dial has to make it.
    pub(crate) literal: Option<Arc<[SocketAddr]>>,
    /// Host and port as a request has them; kept ready, so that no request has to write them anew.
    pub(crate) authority: Arc<str>,
}

/// A management server list: priorities, best first.
///
/// Serialises to its name and the ids of its servers: `{"name": "main", "priorities": [["a", "b"], ["c"]]}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerList {
    /// Its name; `None` for the default list, which nobody wrote.
    pub name: Option<Arc<str>>,
    /// What a person wrote about it.
    pub description: Arc<str>,
    /// Servers by priority, best first. A priority may be empty; a server stands in one only.
    pub priorities: Vec<Vec<Arc<Server>>>,
}

impl Serialize for ServerList {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ids = self.priorities.iter().map(|servers| servers.iter().map(|server| &server.id));
        let priorities: Vec<Vec<&ServerId>> = ids.map(Iterator::collect).collect();
        let mut object = serializer.serialize_struct("ServerList", 2)?;
        object.serialize_field("name", &self.name)?;
        object.serialize_field("priorities", &priorities)?;
        object.end()
    }
}

impl ServerList {
    /// Every server with its priority, best first, in the order of the file.
    pub fn servers(&self) -> impl Iterator<Item = (usize, &Arc<Server>)> {
        self.priorities
            .iter()
            .enumerate()
            .flat_map(|(priority, servers)| servers.iter().map(move |s| (priority, s)))
    }
}

/// An entry that was left out because its server stood earlier in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Merged {
    pub(super) list: usize,
    pub(super) priority: usize,
    pub(super) position: usize,
    /// Where its server stands.
    pub(super) first: String,
}

/// Where a server stands in the document.
pub(super) fn place(list: usize, priority: usize, position: usize) -> String {
    format!("server_lists[{list}].priorities[{priority}].servers[{position}]")
}
