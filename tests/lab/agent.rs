//! A real process of `examples/agent`, heard through the events it prints.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::namespace::Namespace;
use crate::patience::tuning;
use crate::process::Process;
use crate::tools::example;

/// What recurs takes a tenth of its time in earnest: a heartbeat each second, the way back to a better server within 39 s.
const TIME_SCALE: f64 = 0.1;

/// How long a peer may take is no part of that: a busy machine must not look like a slow server.
const PATIENCE: f64 = 3.0;

/// A running agent.
pub(crate) struct Agent {
    process: Process,
}

/// What an agent lives in that is not the usual.
pub(crate) struct Conditions<'a> {
    /// A command that runs another one, such as `unshare`.
    pub(crate) wrapper: &'a [&'a str],
    pub(crate) environment: &'a [(&'a str, &'a OsStr)],
    /// More on its command line.
    pub(crate) arguments: &'a [&'a str],
    /// See [`TIME_SCALE`].
    pub(crate) time_scale: f64,
    /// See [`PATIENCE`]; less where a test is about peers that are silent, and waits for it.
    pub(crate) patience: f64,
    /// Constants that are neither: an object of parts, as in a tuning, before the scale.
    pub(crate) constants: Value,
    /// Before the scale.
    pub(crate) heartbeat: &'a str,
    /// More parts of the settings, an object.
    pub(crate) parts: Value,
    /// Another place of the same program.
    pub(crate) program: Option<PathBuf>,
}

impl Default for Conditions<'_> {
    fn default() -> Self {
        Self {
            wrapper: &[],
            environment: &[],
            arguments: &[],
            time_scale: TIME_SCALE,
            patience: PATIENCE,
            constants: json!({}),
            heartbeat: "10s",
            parts: json!({}),
            program: None,
        }
    }
}

impl Agent {
    /// Starts it. Each server is one priority, best first; so is each array of servers.
    pub(crate) fn start(namespace: &Namespace, folder: &Path, authority: &Path, servers: &[Value]) -> Self {
        Self::start_under(&Conditions::default(), namespace, folder, authority, servers)
    }

    /// The same, with more on its command line.
    pub(crate) fn start_with(
        namespace: &Namespace,
        folder: &Path,
        authority: &Path,
        servers: &[Value],
        more: &[&str],
    ) -> Self {
        let conditions = Conditions { arguments: more, ..Conditions::default() };
        Self::start_under(&conditions, namespace, folder, authority, servers)
    }

    /// The same under conditions that are not the usual.
    pub(crate) fn start_under(
        conditions: &Conditions<'_>,
        namespace: &Namespace,
        folder: &Path,
        authority: &Path,
        servers: &[Value],
    ) -> Self {
        let write = |name: &str, value: &Value| {
            let path = folder.join(name);
            fs::write(&path, value.to_string()).unwrap();
            path
        };
        let priority = |one: &Value| match one.as_array() {
            Some(servers) => json!({ "servers": servers }),
            None => json!({ "servers": [one] }),
        };
        let priorities: Vec<Value> = servers.iter().map(priority).collect();
        let mut settings = json!({
            "server_lists": [{ "name": "lab", "priorities": priorities }],
            "group": { "name": "lab", "server_list": "lab", "communication": { "heartbeat_interval": conditions.heartbeat } },
        });
        for (name, part) in conditions.parts.as_object().unwrap() {
            settings[name] = part.clone();
        }
        let mut constants = tuning(conditions.time_scale, conditions.patience);
        for (part, own) in conditions.constants.as_object().unwrap() {
            for (name, duration) in own.as_object().unwrap() {
                constants[part][name] = duration.clone();
            }
        }
        let agent = conditions.program.clone().unwrap_or_else(|| example("agent"));
        let mut command = match conditions.wrapper {
            [] => namespace.command(agent),
            [first, rest @ ..] => {
                let mut command = namespace.command(first);
                command.args(rest).arg(agent);
                command
            }
        };
        command.envs(conditions.environment.iter().copied());
        command.arg("--settings").arg(write("settings.json", &settings));
        command.arg("--tuning").arg(write("tuning.json", &constants));
        command.arg("--ca").arg(authority).arg("--json").args(conditions.arguments);
        Self { process: Process::start_listening(&mut command) }
    }

    /// Has it report this; it has an outbox. `line` is `KIND TEXT`.
    pub(crate) fn reports(&self, line: &str) {
        self.process.say(&format!("{line}\n"));
    }

    /// The next event of this name for which `wanted` holds. What comes before it is passed over.
    pub(crate) fn event(&self, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        self.process.line(name, |line| {
            let event: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
            (event["event"] == name && wanted(&event)).then_some(event)
        })
    }

    /// Every event until one of this name, which is the last of them.
    pub(crate) fn until(&self, awaited: &str) -> Vec<Value> {
        let mut events = Vec::new();
        self.process.line(awaited, |line| {
            let event: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
            events.push(event);
            (events.last()?["event"] == awaited).then_some(())
        });
        events
    }

    /// So many heartbeats are answered by this server one after the other, and nothing fails meanwhile. Returns when each
    /// was, in seconds since the start.
    pub(crate) fn beats_calmly(&self, server: &str, count: usize) -> Vec<f64> {
        let beat = |_| {
            let events = self.until("heartbeat");
            let trouble = ["attempt_failed", "detached", "searching", "waiting"];
            let calm = !events.iter().any(|event| trouble.iter().any(|name| event["event"] == *name));
            assert!(calm, "{events:#?}");
            let last = events.last().unwrap();
            assert_eq!(last["server"], server, "{last}");
            last["at_ms"].as_f64().unwrap() / 1000.0
        };
        (0..count).map(beat).collect()
    }

    /// Every event that comes within this time.
    pub(crate) fn within(&self, time: Duration) -> Vec<Value> {
        let mut events = Vec::new();
        let none = self.process.line_within(time, |line| {
            events.push(serde_json::from_str(line).unwrap());
            None::<()>
        });
        assert_eq!(none, None);
        events
    }

    /// The event `awaited` comes, and none of the name `unwanted` before it.
    pub(crate) fn never(&self, unwanted: &str, awaited: &str) {
        let first = self.process.line(awaited, |line| {
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

    /// It does not run any more, as in a suspended machine.
    pub(crate) fn freeze(&self) {
        self.process.signal(Signal::STOP);
    }

    /// It goes on where it was frozen.
    pub(crate) fn thaw(&self) {
        self.process.signal(Signal::CONT);
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Ctrl-C, and how it ended.
    pub(crate) fn interrupt(&mut self) -> ExitStatus {
        self.process.signal(Signal::INT);
        self.process.wait()
    }
}
