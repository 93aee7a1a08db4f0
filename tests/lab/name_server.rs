//! dnsmasq of the distribution, as the name server of the machine it runs on.

use std::fs;
use std::path::{Path, PathBuf};

use crate::namespace::Namespace;
use crate::patience::soon;
use crate::process::Process;
use crate::tools::tool;

/// A running dnsmasq on [`NameServer::ADDRESS`]. It knows what its directives say and asks nobody else.
pub(crate) struct NameServer {
    _process: Process,
    log: PathBuf,
}

impl NameServer {
    pub(crate) const ADDRESS: &str = "127.0.0.1";

    /// Starts it inside, makes it the machine's only name server, and returns when it answers.
    pub(crate) fn start(namespace: &Namespace, folder: &Path, directives: &[&str]) -> Self {
        let log = folder.join("names.log");
        let mut command = namespace.command(tool("dnsmasq", "dnsmasq-base").get_program());
        command.args([
            "--keep-in-foreground",
            "--conf-file=/dev/null",
            "--no-resolv",
            "--no-hosts",
            "--pid-file=",
        ]);
        command.args(["--bind-interfaces", "--no-round-robin", "--user=root", "--log-queries"]);
        command.arg(format!("--listen-address={}", Self::ADDRESS));
        command.arg(format!("--log-facility={}", log.display())).args(directives);
        let process = Process::start(&mut command);
        namespace.etc("hosts", "");
        namespace.name_servers(&[Self::ADDRESS], "timeout:1 attempts:1");
        let server = Self { _process: process, log };
        soon("dnsmasq starts", || server.read().contains("started, version").then_some(()));
        server
    }

    /// How often it was asked for the IPv4 addresses of this name.
    pub(crate) fn asked_for(&self, name: &str) -> usize {
        let question = format!("query[A] {name} from ");
        self.read().lines().filter(|line| line.contains(&question)).count()
    }

    /// Whether it was asked for any name below this one.
    pub(crate) fn asked_below(&self, domain: &str) -> bool {
        self.read().lines().any(|line| line.contains("query[") && line.contains(&format!(".{domain} from ")))
    }

    fn read(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}
