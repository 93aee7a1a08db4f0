//! Machines of our own: network namespaces, and a cable between two of them.

use std::ffi::OsStr;
use std::process::{self, Command};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::tools::{run, tool};

/// A network namespace with a name nobody else has. Deleted when dropped.
pub(crate) struct Namespace {
    name: String,
}

impl Namespace {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("homing-{}-{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        run(ip().args(["netns", "add", &name]));
        let namespace = Self { name };
        namespace.ip(&["link", "set", "lo", "up"]);
        namespace
    }

    /// A command that runs inside. The process it becomes is the program itself, so that signals reach it.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = ip();
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }

    fn ip(&self, arguments: &[&str]) {
        run(ip().args(["-n", &self.name]).args(arguments));
    }

    /// One statement for the packet filter.
    fn nft(&self, statement: &str) {
        let nft = tool("nft", "nftables");
        run(self.command(nft.get_program()).arg(statement));
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = ip().args(["netns", "delete", &self.name]).status();
    }
}

/// Two machines and a cable: the agent's has [`Cable::AGENT`], the servers' has all of [`Cable::SERVERS`].
pub(crate) struct Cable {
    pub(crate) agent: Namespace,
    pub(crate) servers: Namespace,
}

impl Cable {
    pub(crate) const AGENT: &str = "10.77.0.1";
    pub(crate) const SERVERS: [&str; 3] = ["10.77.0.11", "10.77.0.12", "10.77.0.13"];

    pub(crate) fn new() -> Self {
        let (agent, servers) = (Namespace::new(), Namespace::new());
        // Made inside the namespaces at once, so that tests running side by side cannot meet in the names of interfaces.
        run(ip().args(["link", "add", "eth0", "netns", &agent.name, "type", "veth"]).args([
            "peer",
            "name",
            "eth0",
            "netns",
            &servers.name,
        ]));
        agent.ip(&["address", "add", &format!("{}/24", Self::AGENT), "dev", "eth0"]);
        for server in Self::SERVERS {
            servers.ip(&["address", "add", &format!("{server}/24"), "dev", "eth0"]);
        }
        for end in [&agent, &servers] {
            end.ip(&["link", "set", "eth0", "up"]);
        }
        servers.nft("add table inet lab");
        servers.nft("add chain inet lab input { type filter hook input priority 0; policy accept; }");
        Self { agent, servers }
    }

    /// What goes to this address is lost without a word, also on connections that stand.
    pub(crate) fn drop_packets_to(&self, address: &str) {
        self.servers.nft(&format!("add rule inet lab input ip daddr {address} drop"));
    }

    /// What goes to this address comes back as "host unreachable".
    pub(crate) fn reject_packets_to(&self, address: &str) {
        self.servers.nft(&format!(
            "add rule inet lab input ip daddr {address} reject with icmp type host-unreachable"
        ));
    }

    /// Everything gets through again.
    pub(crate) fn let_everything_through(&self) {
        self.servers.nft("flush chain inet lab input");
    }
}

fn ip() -> Command {
    assert!(rustix::process::geteuid().is_root(), "network namespaces want root");
    tool("ip", "iproute2")
}
