//! How a link was made, and what is known of who is at its other end.

use std::fmt;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// What a peer has proved. Ordered: a later one includes the earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// It accepted a connection. Any hotel network can do that.
    Tcp,
    /// A verified certificate chain and name.
    Tls,
    /// The key is the one in the settings.
    Pin,
}

impl Proof {
    /// The word of the settings document.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Pin => "pin",
        }
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// The way a connection took, as the driver saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Via {
    /// The address that accepted: one of those in [`Action::Dial`](crate::engine::Action::Dial).
    pub peer: SocketAddr,
    /// What the connection runs over.
    pub medium: Medium,
}

/// What a connection runs over. A tunnel (a VPN) may bring an outside machine inside, so what answers there does not show
/// that the machine is inside by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Medium {
    /// A cable or radio of this machine, or something that is carried by one.
    Direct,
    /// A tunnel, or an interface of which a system that knows tunnels cannot say what it is.
    Tunnel,
    /// This system never says. A verified server counts, a bare connection does not.
    Unknown,
    /// Nothing: the peer has an address of this machine, and shows nothing of where that is.
    ThisMachine,
}

impl Medium {
    /// What it is, in words that follow "answered".
    pub const fn explain(self) -> &'static str {
        match self {
            Self::Direct => "directly",
            Self::Tunnel => "through a tunnel",
            Self::Unknown => "path unknown",
            Self::ThisMachine => "on this machine itself",
        }
    }
}

impl fmt::Display for Medium {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.explain())
    }
}

/// How a server is reached. Serialises to `"direct"` or `{"proxy": 0}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// A connection of our own to the server's address.
    #[default]
    Direct,
    /// Through the HTTP proxy of this number, which the driver gave it, with CONNECT. The proxy looks the name up.
    Proxy(u8),
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Direct => f.pad("direct"),
            Self::Proxy(index) => write!(f, "proxy {index}"),
        }
    }
}
