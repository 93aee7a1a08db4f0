//! A real process that asks reference servers where the machine is: `examples/agent` without a management server, heard through the
//! events it prints, or `examples/probe`, judged by how it ends.

use std::fs;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use serde_json::{Value, json};

use crate::namespace::Namespace;
use crate::patience::tuning;
use crate::process::Process;
use crate::tools::example;

/// A running agent that goes on for ever.
pub(crate) struct Locator(Process);

impl Locator {
    /// Starts it. Only the reference servers say where the machine is. Those that are there have all the time they need;
    /// see [`patient`](Self::patient) where others are waited for.
    pub(crate) fn start(namespace: &Namespace, folder: &Path, servers: &Value, required: &str) -> Self {
        Self::patient(10.0, namespace, folder, servers, required)
    }

    /// With so many times the patience that it has in earnest.
    pub(crate) fn patient(
        patience: f64,
        namespace: &Namespace,
        folder: &Path,
        servers: &Value,
        required: &str,
    ) -> Self {
        let (settings, constants) = (folder.join("settings.json"), folder.join("tuning.json"));
        let text = json!({
            "server_lists": [{ "name": "nobody", "priorities": [{ "servers": [{ "address": "management.invalid" }] }] }],
            "group": { "communication": { "enabled": false } },
            "reference_servers": { "servers": servers },
            "location": { "required_proof": required },
        });
        fs::write(&settings, text.to_string()).unwrap();
        fs::write(&constants, tuning(1.0, patience).to_string()).unwrap();
        let mut command = namespace.command(example("agent"));
        command.args(["--json", "--settings"]).arg(settings).arg("--tuning").arg(constants);
        Self(Process::start(&mut command))
    }

    /// The next round with a finding.
    pub(crate) fn round(&self) -> Value {
        self.next("round")["evidence"].take()
    }

    /// The next round that found this, whatever others found before; no verdict may change meanwhile.
    pub(crate) fn calm_round(&self, finding: &str) -> Value {
        self.0.line(finding, |line| {
            let mut event: Value = serde_json::from_str(line).unwrap();
            assert_ne!(event["event"], "location", "{event}");
            (event["event"] == "round" && event["evidence"]["finding"] == finding)
                .then(|| event["evidence"].take())
        })
    }

    /// Every round until the verdict changes, and what it is then.
    pub(crate) fn rounds_until_verdict(&self) -> (Vec<Value>, String) {
        let mut rounds = Vec::new();
        let situation = self.0.line("a verdict", |line| {
            let mut event: Value = serde_json::from_str(line).unwrap();
            if event["event"] == "round" {
                rounds.push(event["evidence"].take());
            }
            (event["event"] == "location").then(|| event["situation"].as_str().unwrap().to_owned())
        });
        (rounds, situation)
    }

    /// The next round, if one comes so soon.
    pub(crate) fn round_within(&self, bound: Duration) -> Option<Value> {
        self.0.line_within(bound, |line| {
            let mut event: Value = serde_json::from_str(line).unwrap();
            (event["event"] == "round").then(|| event["evidence"].take())
        })
    }

    /// The next change of the verdict.
    pub(crate) fn verdict(&self) -> String {
        self.next("location")["situation"].as_str().unwrap().to_owned()
    }

    /// The next change of the verdict, if one comes so soon.
    pub(crate) fn verdict_within(&self, bound: Duration) -> Option<String> {
        self.0.line_within(bound, |line| {
            let event: Value = serde_json::from_str(line).unwrap();
            (event["event"] == "location").then(|| event["situation"].as_str().unwrap().to_owned())
        })
    }

    fn next(&self, name: &str) -> Value {
        self.0.line(name, |line| {
            let event: Value = serde_json::from_str(line).unwrap();
            (event["event"] == name).then_some(event)
        })
    }
}

/// Asks these once, `HOST:PORT,PORT`, and ends.
pub(crate) fn ask(namespace: &Namespace, hosts: &[&str]) -> Output {
    namespace.command(example("probe")).args(hosts).output().unwrap()
}
