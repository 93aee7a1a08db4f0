//! Events for people: time, what, server, why.

use std::time::Duration;

use homing::engine::{Event, Next};
use homing::words::ServerId;

/// One line of the timeline.
#[derive(Debug)]
pub(crate) struct Line {
    what: &'static str,
    server: String,
    why: String,
}

impl Line {
    pub(crate) fn new(what: &'static str, server: impl ToString, why: impl ToString) -> Self {
        Self { what, server: server.to_string(), why: why.to_string() }
    }

    /// Prints it. `at` is since the start.
    pub(crate) fn print(&self, at: Duration) {
        let line = format!("{:9.3}  {:<16} {:<10} {}", at.as_secs_f64(), self.what, self.server, self.why);
        println!("{}", line.trim_end());
    }

    /// The line of an event; `None` for one that only repeats what another says.
    pub(crate) fn of(event: &Event) -> Option<Self> {
        let line = match event {
            Event::State { .. } | Event::SettingsAnnounced { .. } => return None,
            Event::Sweeping { why, servers } => {
                Self::new("searching", "", format!("among {servers}: {}", why.explain()))
            }
            Event::Attached { server, priority, elapsed, .. } => {
                let priority = priority.map_or("in no priority".to_owned(), |n| format!("priority {n}"));
                Self::new("ATTACHED", server, format!("{priority}, after {elapsed}"))
            }
            Event::Detached { server, reason } => Self::new("detached", server, reason.explain()),
            Event::AttemptFailed { server, detail, next, .. } => {
                Self::new("failed", server, format!("{detail}; {}", then(*next)))
            }
            Event::Heartbeat { server, status, elapsed } => {
                Self::new("heartbeat", server, format!("{status} after {elapsed}"))
            }
            Event::PolicyAnnounced { server, tag } => Self::new("policy", server, format!("is now {tag}")),
            Event::Waiting { until, why } => Self::new("WAITING", "", format!("{until}: {}", why.explain())),
            Event::Failback { from, to } => Self::new("FAILBACK", to, failback(from)),
            Event::Probed { server, failure } => {
                Self::new("probed", server, failure.as_deref().unwrap_or("answers well"))
            }
            Event::PushOpened { server } => Self::new("push opened", server, ""),
            Event::PushLost { server, reason } => Self::new("push lost", server, reason),
            Event::PushUnavailable { server, retry } => Self::new(
                "no push",
                server,
                format!("heartbeats alone carry the news; asked again in {retry}"),
            ),
            Event::Told { server, kind, name } => {
                Self::new("told", server, format!("{kind:?} {}", name.as_deref().unwrap_or_default()))
            }
            Event::SettingsWarning { warning } => Self::new("settings", "", warning),
            Event::CannotRemember { version } => {
                Self::new("cannot remember", "", format!("version {version}"))
            }
            Event::MemoryIgnored { reason } => Self::new("knows nothing", "", reason),
            Event::StoreProblem { problem } => Self::new("state", "", &**problem),
            Event::Stopped {} => Self::new("STOPPED", "", ""),
            Event::Location { reason, .. } => Self::new("location", "", &**reason),
            Event::Round { evidence, .. } => {
                Self::new("round", "", format!("{} after {}", evidence.finding.explain(), evidence.elapsed))
            }
            Event::Unverified { server } => {
                Self::new("danger", server, "connected, and nothing was verified".to_owned())
            }
            Event::StatusTooLarge { server, size } => {
                Self::new("too large", server, format!("a status of {size} bytes is left out for an hour"))
            }
            other => Self::new("event", "", format!("{other:?}")),
        };
        Some(line)
    }
}

fn failback(from: &ServerId) -> String {
    format!("from {from}: the better server has proved itself")
}

fn then(next: Next) -> &'static str {
    match next {
        Next::NextServer => "the next server is tried",
        Next::SameServer => "the same server is tried once more",
        Next::Later => "it is asked again later",
        Next::Nothing => "nobody else is left to try",
    }
}
