//! A real process of `examples/agent`, heard through the events it prints.

use std::fs;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::namespace::Namespace;
use crate::process::Process;
use crate::tools::example;

/// Longer than anything here takes, by a factor of ten; only a test that fails waits for it.
const BOUND: Duration = Duration::from_secs(100);

/// Every duration of the library is a tenth of what it is in earnest: a heartbeat each second, the way back to a better
/// server within 39 s, and still ten times what a loaded machine takes for an exchange.
const TIME_SCALE: f64 = 0.1;

/// A running agent.
pub(crate) struct Agent {
    process: Process,
}

impl Agent {
    /// Starts it. Each server is one priority, best first.
    pub(crate) fn start(namespace: &Namespace, folder: &Path, authority: &Path, servers: &[Value]) -> Self {
        Self::start_with(namespace, folder, authority, servers, &[])
    }

    /// The same, with more on its command line.
    pub(crate) fn start_with(
        namespace: &Namespace,
        folder: &Path,
        authority: &Path,
        servers: &[Value],
        more: &[&str],
    ) -> Self {
        let write = |name: &str, value: &Value| {
            let path = folder.join(name);
            fs::write(&path, value.to_string()).unwrap();
            path
        };
        let priorities: Vec<Value> = servers.iter().map(|server| json!({ "servers": [server] })).collect();
        let settings = json!({
            "server_lists": [{ "name": "lab", "priorities": priorities }],
            "group": { "name": "lab", "server_list": "lab", "communication": { "heartbeat_interval": "10s" } },
        });
        let mut command = namespace.command(example("agent"));
        command.arg("--settings").arg(write("settings.json", &settings));
        command.arg("--tuning").arg(write("tuning.json", &json!({ "time_scale": TIME_SCALE })));
        command.arg("--ca").arg(authority).arg("--json").args(more);
        Self { process: Process::start(&mut command) }
    }

    /// The next event of this name for which `wanted` holds. What comes before it is passed over.
    pub(crate) fn event(&self, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        self.process.line(BOUND, name, |line| {
            let event: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
            (event["event"] == name && wanted(&event)).then_some(event)
        })
    }

    /// The event `awaited` comes, and none of the name `unwanted` before it.
    pub(crate) fn never(&self, unwanted: &str, awaited: &str) {
        let first = self.process.line(BOUND, awaited, |line| {
            let event: Value = serde_json::from_str(line).unwrap();
            (event["event"] == unwanted || event["event"] == awaited).then_some(event)
        });
        assert_eq!(first["event"], awaited, "{first}");
    }

    /// The next event of this name about this server.
    pub(crate) fn about(&self, name: &str, server: &str) -> Value {
        self.event(name, |event| event["server"] == server)
    }

    /// The next time it attaches; this must be the server.
    pub(crate) fn attaches_to(&self, server: &str) {
        let event = self.event("attached", |_| true);
        assert_eq!(event["server"], server, "{event}");
    }

    /// The next failed attempt on this server; this must be its class.
    pub(crate) fn fails(&self, server: &str, class: &str) {
        let event = self.about("attempt_failed", server);
        assert_eq!(event["class"], class, "{event}");
    }

    /// Kills it without a warning.
    pub(crate) fn kill(self) {
        self.process.kill();
    }

    /// Ctrl-C, and how it ended.
    pub(crate) fn interrupt(&mut self) -> ExitStatus {
        self.process.signal(Signal::INT);
        self.process.wait(BOUND)
    }
}
