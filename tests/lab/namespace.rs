//! Machines of our own: network namespaces, and a cable between two of them.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
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

    /// What this machine finds when it looks these names up. Every other name fails: nobody answers for it.
    pub(crate) fn names(&self, names: &[(&str, &[&str])]) {
        let lines = |(name, addresses): &(&str, &[&str])| -> String {
            addresses.iter().map(|address| format!("{address} {name}\n")).collect()
        };
        self.name_server("127.0.0.1", "timeout:1 attempts:1");
        fs::write(self.folder().join("hosts"), names.iter().map(lines).collect::<String>()).unwrap();
    }

    /// Whom this machine asks for names, and how (`resolv.conf(5)`).
    pub(crate) fn name_server(&self, address: &str, options: &str) {
        let folder = self.folder();
        fs::create_dir_all(&folder).unwrap();
        let text = format!("nameserver {address}\noptions {options}\n");
        fs::write(folder.join("resolv.conf"), text).unwrap();
    }

    /// Files that stand in /etc for whoever runs inside.
    fn folder(&self) -> PathBuf {
        Path::new("/etc/netns").join(&self.name)
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
    fn nft(&self, statement: &str) -> String {
        let nft = tool("nft", "nftables");
        run(self.command(nft.get_program()).arg(statement))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.folder());
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
    /// The first server has one of the other family as well.
    pub(crate) const FIRST_IPV6: &str = "2001:db8:77::11";

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
        for (end, address) in [(&agent, "2001:db8:77::1"), (&servers, Self::FIRST_IPV6)] {
            end.ip(&["-6", "address", "add", &format!("{address}/64"), "dev", "eth0", "nodad"]);
            end.ip(&["link", "set", "eth0", "up"]);
        }
        servers.nft("add table inet lab");
        servers.nft("add chain inet lab input { type filter hook input priority 0; policy accept; }");
        Self { agent, servers }
    }

    /// What goes to this address is lost without a word, also on connections that stand.
    pub(crate) fn drop_packets_to(&self, address: &str) {
        let family = if address.contains(':') { "ip6" } else { "ip" };
        self.servers.nft(&format!("add rule inet lab input {family} daddr {address} counter drop"));
    }

    /// How many packets were dropped so far.
    pub(crate) fn dropped_packets(&self) -> u64 {
        let rules = self.servers.nft("list chain inet lab input");
        let counters = rules.split("counter packets ").skip(1);
        counters.map(|rest| rest.split(' ').next().unwrap().parse::<u64>().unwrap()).sum()
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
