//! A real process of `examples/probe`, heard through the events it prints or judged by how it ends.

use std::fs;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use serde_json::{Value, json};

use crate::namespace::Namespace;
use crate::process::Process;
use crate::tools::example;

/// Longer than anything here takes, by a factor of three; only a test that fails waits for it.
const BOUND: Duration = Duration::from_secs(100);

/// A running probe that goes on for ever.
pub(crate) struct Locator(Process);

impl Locator {
    /// Starts it. Only the reference servers say where the machine is; constants are those of the library.
    pub(crate) fn start(namespace: &Namespace, folder: &Path, servers: &Value, required: &str) -> Self {
        let settings = folder.join("settings.json");
        let text = json!({
            "server_lists": [{ "name": "nobody", "priorities": [{ "servers": [{ "address": "management.invalid" }] }] }],
            "group": { "communication": { "enabled": false } },
            "reference_servers": { "servers": servers },
            "location": { "required_proof": required },
        });
        fs::write(&settings, text.to_string()).unwrap();
        let mut command = namespace.command(example("probe"));
        command.args(["--json", "--watch", "--settings"]).arg(settings);
        Self(Process::start(&mut command))
    }

    /// The next round with a finding.
    pub(crate) fn round(&self) -> Value {
        self.next("round")["evidence"].take()
    }

    /// The next round that found this, whatever others found before; no verdict may change meanwhile.
    pub(crate) fn calm_round(&self, finding: &str) -> Value {
        self.0.line(BOUND, finding, |line| {
            let mut event: Value = serde_json::from_str(line).unwrap();
            assert_ne!(event["event"], "location", "{event}");
            (event["event"] == "round" && event["evidence"]["finding"] == finding)
                .then(|| event["evidence"].take())
        })
    }

    /// The next change of the verdict: what it is, and when, in seconds since the start.
    pub(crate) fn verdict(&self) -> (String, f64) {
        let event = self.next("location");
        (event["situation"].as_str().unwrap().to_owned(), event["at"].as_f64().unwrap())
    }

    fn next(&self, name: &str) -> Value {
        self.0.line(BOUND, name, |line| {
            let event: Value = serde_json::from_str(line).unwrap();
            (event["event"] == name).then_some(event)
        })
    }
}

/// Asks these once, `HOST:PORT,PORT`, and ends.
pub(crate) fn ask(namespace: &Namespace, hosts: &[&str]) -> Output {
    namespace.command(example("probe")).args(hosts).output().unwrap()
}
