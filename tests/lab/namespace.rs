//! Machines of our own: network namespaces, and a cable between two of them.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::process::Process;
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
        self.etc("hosts", &names.iter().map(lines).collect::<String>());
        self.name_servers(&["127.0.0.1"], "timeout:1 attempts:1");
    }

    /// Whom this machine asks for names, one after the other, and how (`resolv.conf(5)`).
    pub(crate) fn name_servers(&self, addresses: &[&str], options: &str) {
        let lines: String = addresses.iter().map(|address| format!("nameserver {address}\n")).collect();
        self.etc("resolv.conf", &format!("{lines}options {options}\n"));
    }

    /// Gives this file of /etc to whoever runs inside.
    pub(crate) fn etc(&self, name: &str, text: &str) {
        let folder = self.folder();
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(name), text).unwrap();
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

    /// The way in for a thread of this process.
    pub(crate) fn door(&self) -> File {
        File::open(Path::new("/run/netns").join(&self.name)).unwrap()
    }

    pub(crate) fn ip(&self, arguments: &[&str]) {
        run(ip().args(["-n", &self.name]).args(arguments));
    }

    /// What this machine sends to an address of its own loopback is lost without a word.
    pub(crate) fn drop_own_packets_to(&self, address: &str) {
        self.nft(&format!("add rule inet lab input ip daddr {address} counter drop"));
    }

    fn dropped_packets(&self) -> u64 {
        let rules = self.nft("list chain inet lab input");
        let counters = rules.split("counter packets ").skip(1);
        counters.map(|rest| rest.split(' ').next().unwrap().parse::<u64>().unwrap()).sum()
    }

    /// One statement for the packet filter.
    pub(crate) fn nft(&self, statement: &str) -> String {
        let nft = tool("nft", "nftables");
        run(self.command(nft.get_program()).arg(statement))
    }
}

/// A tunnel between two machines that a program has made, `tun` or `tap`: a device of this name in each.
pub(crate) fn tunnel(one: &Namespace, other: &Namespace, name: &str, kind: &str) -> Process {
    let mut command = tool("python3", "python3");
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/late_cable.py"));
    command.args([&one.name, &other.name, "0.001", name, kind]);
    let carrier = Process::start(&mut command);
    carrier.line("the tunnel is there", |line| (line == "ready").then_some(()));
    carrier
}

/// A cable between two machines: an end in each, with these names.
pub(crate) fn cable(one: (&Namespace, &str), other: (&Namespace, &str)) {
    let near = ["link", "add", one.1, "netns", &one.0.name, "type", "veth"];
    run(ip().args(near).args(["peer", "name", other.1, "netns", &other.0.name]));
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.folder());
        let _ = ip().args(["netns", "delete", &self.name]).status();
    }
}

/// Two machines and a cable: the agent's has [`Cable::AGENT`], the servers' has all of [`Cable::SERVERS`].
pub(crate) struct Cable {
    /// What carries the packets, when it is not the kernel. Goes first, so that its devices do.
    _carrier: Option<Process>,
    pub(crate) agent: Namespace,
    pub(crate) servers: Namespace,
}

impl Cable {
    pub(crate) const AGENT: &str = "10.77.0.1";
    pub(crate) const SERVERS: [&str; 3] = ["10.77.0.11", "10.77.0.12", "10.77.0.13"];
    pub(crate) const AGENT_IPV6: &str = "2001:db8:77::1";
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
        Self::connected(agent, servers, None)
    }

    /// A cable on which every packet takes so long, each way.
    pub(crate) fn late(by: Duration) -> Self {
        let (agent, servers) = (Namespace::new(), Namespace::new());
        let mut command = tool("python3", "python3");
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/late_cable.py"));
        command.args([&agent.name, &servers.name, &by.as_secs_f64().to_string()]);
        let carrier = Process::start(&mut command);
        carrier.line("the cable is there", |line| (line == "ready").then_some(()));
        Self::connected(agent, servers, Some(carrier))
    }

    /// Gives both ends their addresses, and a place for the rules of the packet filter.
    fn connected(agent: Namespace, servers: Namespace, carrier: Option<Process>) -> Self {
        agent.ip(&["address", "add", &format!("{}/24", Self::AGENT), "dev", "eth0"]);
        for server in Self::SERVERS {
            servers.ip(&["address", "add", &format!("{server}/24"), "dev", "eth0"]);
        }
        for (end, address) in [(&agent, Self::AGENT_IPV6), (&servers, Self::FIRST_IPV6)] {
            end.ip(&["-6", "address", "add", &format!("{address}/64"), "dev", "eth0", "nodad"]);
            end.ip(&["link", "set", "eth0", "up"]);
            end.nft("add table inet lab");
            end.nft("add chain inet lab input { type filter hook input priority 0; policy accept; }");
        }
        let cable = Self { _carrier: carrier, agent, servers };
        cable.wait_for_ipv6();
        cable
    }

    /// It takes the kernel a second to find the neighbour after a link has come up, and no test is about this second. A port
    /// where nobody listens shows that the other end is there.
    fn wait_for_ipv6(&self) {
        let mut knock = self.agent.command(tool("curl", "curl").get_program());
        let output = knock
            .args(["-sS", "--max-time", "300", &format!("http://[{}]:9/", Self::FIRST_IPV6)])
            .output()
            .unwrap();
        // 7: could not connect, because refused; 28 would be the time that is over.
        assert_eq!(output.status.code(), Some(7), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Takes the agent's addresses of a family away, and with them its routes there.
    pub(crate) fn agent_has_no(&self, family: &str) {
        self.agent.ip(&[family, "address", "flush", "dev", "eth0"]);
    }

    /// Pulls the plug at the agent's end.
    pub(crate) fn unplug(&self) {
        self.agent.ip(&["link", "set", "eth0", "down"]);
    }

    /// Puts it in again.
    pub(crate) fn plug(&self) {
        self.agent.ip(&["link", "set", "eth0", "up"]);
    }

    /// Of a hundred packets so many are lost by chance, in each direction.
    pub(crate) fn lose_packets(&self, percent: u32) {
        for end in [&self.agent, &self.servers] {
            end.nft(&format!(
                "add rule inet lab input iifname eth0 numgen random mod 100 < {percent} counter drop"
            ));
        }
    }

    /// What goes to this address is lost without a word, also on connections that stand.
    pub(crate) fn drop_packets_to(&self, address: &str) {
        let family = if address.contains(':') { "ip6" } else { "ip" };
        self.servers
            .nft(&format!("add rule inet lab input iifname eth0 {family} daddr {address} counter drop"));
    }

    /// Every address of this network is one of the servers' end.
    pub(crate) fn servers_have_all_of(&self, network: &str) {
        self.servers.ip(&["route", "add", "local", network, "dev", "lo"]);
    }

    /// The servers' end is the agent's way to everywhere, though it hands nothing on.
    pub(crate) fn agent_has_a_way_out(&self) {
        self.agent.ip(&["route", "replace", "default", "via", Self::SERVERS[0]]);
    }

    /// The servers' end takes every IPv4 address there is for its own.
    pub(crate) fn servers_answer_for_everybody(&self) {
        // Where the agent is has to be known before.
        self.servers.ip(&["route", "add", "10.77.0.0/24", "dev", "eth0", "table", "local"]);
        self.servers_have_all_of("default");
    }

    /// A second cable between the two, at whose other end is this address. Whatever else is asked for there is lost.
    pub(crate) fn second(&self) -> &'static str {
        let peer = ["peer", "name", "eth1", "netns", &self.servers.name];
        self.agent.ip(&[&["link", "add", "eth1", "type", "veth"][..], &peer].concat());
        for (end, address) in [(&self.agent, "10.88.0.1/24"), (&self.servers, "10.88.0.11/24")] {
            end.ip(&["address", "add", address, "dev", "eth1"]);
            end.ip(&["link", "set", "eth1", "up"]);
        }
        self.servers.nft("add rule inet lab input iifname eth1 ip daddr != 10.88.0.11 counter drop");
        "10.88.0.11"
    }

    /// How many packets were dropped so far.
    pub(crate) fn dropped_packets(&self) -> u64 {
        self.agent.dropped_packets() + self.servers.dropped_packets()
    }

    /// What goes to this address comes back as "host unreachable".
    pub(crate) fn reject_packets_to(&self, address: &str) {
        self.reject(address, "host-unreachable");
    }

    /// What goes to this address comes back as "network unreachable", as from a router that has lost its own way out.
    pub(crate) fn no_way_to(&self, address: &str) {
        self.reject(address, "net-unreachable");
    }

    fn reject(&self, address: &str, answer: &str) {
        self.servers
            .nft(&format!("add rule inet lab input ip daddr {address} reject with icmp type {answer}"));
    }

    /// Everything gets through again.
    pub(crate) fn let_everything_through(&self) {
        self.agent.nft("flush chain inet lab input");
        self.servers.nft("flush chain inet lab input");
    }
}

fn ip() -> Command {
    assert!(rustix::process::geteuid().is_root(), "network namespaces want root");
    tool("ip", "iproute2")
}
