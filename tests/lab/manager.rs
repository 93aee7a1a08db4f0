//! Real processes of `examples/manager`.

use std::net::{IpAddr, SocketAddr};

use rustix::process::Signal;
use serde_json::Value;

use crate::certificates::Certificates;
use crate::namespace::Namespace;
use crate::process::Process;
use crate::tools::{example, fetch};

/// One management server: HTTPS on 443, and plain HTTP on 8014 for its statistics.
pub(crate) struct Manager {
    process: Process,
    address: SocketAddr,
}

impl Manager {
    /// Starts it and returns when it listens.
    pub(crate) fn start(
        namespace: &Namespace,
        certificates: &Certificates,
        address: &str,
        behaviour: &str,
    ) -> Self {
        let mut command = namespace.command(example("manager"));
        command.args(["--name", address, "--listen", address, "--https", "443", "--http", "8014"]);
        command.args(["--misbehave", behaviour]);
        command.arg("--cert").arg(&certificates.certificate).arg("--key").arg(&certificates.key);
        let process = Process::start(&mut command);
        let address: IpAddr = address.parse().unwrap();
        let address = SocketAddr::new(address, 8014);
        let listening = format!("listening on http://{address}");
        process.line("the manager listens", |line| (line == listening).then_some(()));
        Self { process, address }
    }

    /// Kills it without a warning. Its open connections are reset or closed by the kernel.
    pub(crate) fn kill(self) {
        self.process.kill();
    }

    /// It keeps its connections and its port, and does nothing.
    pub(crate) fn freeze(&self) {
        self.process.signal(Signal::STOP);
    }

    /// It goes on where it was frozen.
    pub(crate) fn thaw(&self) {
        self.process.signal(Signal::CONT);
    }

    /// What it has counted under this name.
    pub(crate) fn count(&self, namespace: &Namespace, name: &str) -> u64 {
        let page = fetch(namespace, &format!("http://{}/stats", self.address));
        let stats: Value = serde_json::from_str(&page).unwrap();
        stats["counts"][name].as_u64().unwrap_or_else(|| panic!("nothing is counted as `{name}`: {page}"))
    }
}
