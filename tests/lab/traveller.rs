//! A real process of `examples/agent` that says where the machine is: by its management server, or by reference servers.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::certificates::Certificates;
use crate::namespace::Namespace;
use crate::patience::tuning;
use crate::process::Process;
use crate::tools::example;

/// A running agent.
pub(crate) struct Traveller(Process);

/// What an agent goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guide {
    /// Its management server alone.
    Management,
    /// Reference servers alone.
    References,
}

/// What one goes by, and what it asks for.
#[derive(Clone)]
pub(crate) struct Journey<'a> {
    pub(crate) guide: Guide,
    /// The part `location` of the settings.
    pub(crate) rules: Value,
    pub(crate) proof: &'a str,
    /// More on its command line.
    pub(crate) more: &'a [&'a str],
    /// How many times the patience that it has in earnest it has with its peers.
    pub(crate) patience: f64,
}

impl Traveller {
    /// Starts it. The one server is a management server or a reference server, as its guide is.
    pub(crate) fn start(
        namespace: &Namespace,
        folder: &Path,
        certificates: &Certificates,
        server: &str,
        journey: &Journey<'_>,
    ) -> Self {
        let Journey { guide, ref rules, proof, more, patience } = *journey;
        let policy = json!({ "roots": [{ "bundle": certificates.authority }] });
        let manager = if guide == Guide::Management { server } else { "management.invalid" };
        let references = if guide == Guide::Management {
            json!([])
        } else {
            json!([{ "address": server, "proof": proof, "certificate": policy }])
        };
        let communication = json!({ "enabled": guide == Guide::Management, "heartbeat_interval": "10s" });
        let settings = json!({
            "certificate": policy,
            "server_lists": [{ "name": "lab", "priorities": [{ "servers": [{ "address": manager }] }] }],
            "group": { "name": "lab", "server_list": "lab", "communication": communication },
            "reference_servers": { "servers": references },
            "location": rules,
            "locations": [{ "name": "Office", "when": ["internal"] }],
        });
        let path = folder.join(format!("{guide:?}.json"));
        fs::write(&path, settings.to_string()).unwrap();
        let constants = folder.join("tuning.json");
        fs::write(&constants, tuning(1.0, patience).to_string()).unwrap();
        let mut command = namespace.command(example("agent"));
        command.arg("--json").arg("--settings").arg(&path).arg("--tuning").arg(constants).args(more);
        Self(Process::start(&mut command))
    }

    /// The next verdict.
    pub(crate) fn verdict(&self) -> Value {
        self.0.line("a verdict", verdict)
    }

    /// The trigger of the next round, if one comes so soon.
    pub(crate) fn round_within(&self, bound: Duration) -> Option<String> {
        self.0.line_within(bound, |line| {
            let event: Value = serde_json::from_str(line).unwrap();
            let trigger = event["evidence"]["trigger"].as_str()?.to_owned();
            (event["event"] == "round").then_some(trigger)
        })
    }

    /// The next verdict, if one comes so soon.
    pub(crate) fn verdict_within(&self, bound: Duration) -> Option<Value> {
        self.0.line_within(bound, verdict)
    }
}

fn verdict(line: &str) -> Option<Value> {
    let event: Value = serde_json::from_str(line).unwrap();
    (event["event"] == "location").then_some(event)
}
