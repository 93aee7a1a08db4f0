//! Events for people: time, what, server, why.

use std::fmt::Display;
use std::time::Duration;

use homing::engine::{Event, Rung};
use homing::types::{ServerId, Span};

use crate::terminal::{Tone, painted, say, wrapped};

/// Columns for the time, and for what happened.
const AT: usize = 9;
const WHAT: usize = 14;

/// One line of the timeline.
#[derive(Debug)]
pub(crate) struct Line {
    what: &'static str,
    server: String,
    reason: String,
}

/// How lines are laid out, and by which clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    /// Columns for the id of a server.
    width: usize,
    /// Seconds of this machine for one in the field.
    time_scale: f64,
}

/// Longer ids push the rest of their line to the right.
const WIDEST_ID: usize = 30;

impl Layout {
    /// For these servers, with time running at this scale.
    pub(crate) fn new<'a>(servers: impl Iterator<Item = &'a ServerId>, time_scale: f64) -> Self {
        let width = servers.map(|server| server.as_str().chars().count()).max().unwrap_or_default();
        Self { width: width.min(WIDEST_ID), time_scale }
    }

    /// What a duration of this machine is in the field.
    pub(crate) fn in_the_field(self, duration: Duration) -> Duration {
        duration.div_f64(self.time_scale)
    }

    /// A time of the agent's, as the field has it.
    fn span(self, Span(duration): Span) -> impl Display {
        Span(self.in_the_field(duration)).brief()
    }
}

impl Line {
    pub(crate) fn new(what: &'static str, server: impl ToString, reason: impl ToString) -> Self {
        Self { what, server: server.to_string(), reason: reason.to_string() }
    }

    /// Prints it. `at` is since the start.
    pub(crate) fn print(&self, at: Duration, layout: Layout) {
        let Self { what, server, reason } = self;
        let (at, width) = (layout.in_the_field(at).as_secs_f64(), layout.width);
        let tone = match *what {
            "ATTACHED" | "heartbeat" | "uploaded" => Tone::Good,
            "failed" | "danger" | "detached" => Tone::Bad,
            "WAITING" | "settings" | "no memory" | "not remembered" | "not uploaded" | "outbox" => {
                Tone::Warning
            }
            _ => Tone::Plain,
        };
        let what = painted(&format!("{what:<WHAT$}"), tone);
        let (mut before, mut column) = (format!("{at:AT$.3}  {what} "), AT + 2 + WHAT + 1);
        if !server.is_empty() {
            before.push_str(&format!("{server:<width$} "));
            column += server.chars().count().max(width) + 1;
        }
        say!("{}", format!("{before}{}", wrapped(reason, column)).trim_end());
    }

    /// The line of an event; `None` for one that only repeats what another says.
    pub(crate) fn of(event: &Event, layout: Layout) -> Option<Self> {
        let line = match event {
            Event::State { .. } | Event::SettingsAnnounced { .. } => return None,
            Event::Searching { reason, servers } => {
                Self::new("searching", "", format!("among {servers}: {}", reason.explain()))
            }
            Event::Attached { server, priority, elapsed, .. } => {
                let priority = priority.map_or("in no priority".to_owned(), |n| format!("priority {n}"));
                Self::new("ATTACHED", server, format!("{priority}, after {}", layout.span(*elapsed)))
            }
            Event::Detached { server, reason } => Self::new("detached", server, reason.explain()),
            Event::AttemptFailed { server, detail, next, .. } => {
                Self::new("failed", server, format!("{detail}; {next}"))
            }
            Event::Heartbeat { server, status, elapsed } => {
                Self::new("heartbeat", server, format!("{status} after {}", elapsed.brief()))
            }
            Event::PolicyAnnounced { .. } => return None,
            Event::Policy { server, tag } => Self::new("policy", server, format!("is now {tag}")),
            Event::PolicyFailed { server, detail } => {
                Self::new("policy", server, format!("not read: {detail}"))
            }
            Event::Settings { server, tag } => Self::new("settings", server, format!("sends {tag}")),
            Event::SettingsFailed { server, detail } => {
                Self::new("settings", server, format!("not read: {detail}"))
            }
            Event::SettingsRefused { tag, detail } => {
                Self::new("settings", "", format!("{} refused: {detail}", named(tag.as_deref())))
            }
            Event::SettingsOnTrial { tag } => {
                Self::new("ON TRIAL", "", format!("{}; those before are kept", named(tag.as_deref())))
            }
            Event::SettingsInForce { tag } => {
                Self::new("IN FORCE", "", format!("{}: an exchange has worked", named(tag.as_deref())))
            }
            Event::SettingsRolledBack { tag, detail } => {
                Self::new("ROLLED BACK", "", format!("{}: {detail}", named(tag.as_deref())))
            }
            Event::Waiting { wait, reason } => {
                Self::new("WAITING", "", format!("{}: {}", layout.span(*wait), reason.explain()))
            }
            Event::Failback { from, to } => Self::new("FAILBACK", to, failback(from)),
            Event::Probed { server, failure } => {
                Self::new("probed", server, failure.as_deref().unwrap_or("answers well"))
            }
            Event::PushOpened { server, by } => Self::new(
                "push opened",
                server,
                match by {
                    Rung::Poll => "by polls",
                    Rung::Stream => "by a stream",
                    Rung::Pull => "",
                },
            ),
            Event::PushLost { server, detail } => Self::new("push lost", server, detail),
            Event::PushUnavailable { server, retry } => Self::new(
                "no push",
                server,
                format!("heartbeats alone carry the news; asked again in {}", layout.span(*retry)),
            ),
            Event::Notice { server, kind, name } => {
                Self::new("told", server, format!("{kind} {}", name.as_deref().unwrap_or_default()))
            }
            Event::SettingsWarning { warning } => Self::new("settings", "", warning),
            Event::CannotRemember { .. } => {
                let reason = "what the agent learned could not be stored; it goes on, and the log says why";
                Self::new("not remembered", "", reason)
            }
            Event::MemoryIgnored { detail } => {
                Self::new("no memory", "", format!("the agent begins with nothing known: {detail}"))
            }
            Event::StoreProblem { problem } => Self::new("state", "", &**problem),
            Event::StoreRecovered {} => Self::new("state", "", "what was not stored is stored now"),
            Event::Uploaded { server, lane, reports, waiting } => {
                let wait = if *waiting > 0 { format!(", {waiting} wait") } else { String::new() };
                Self::new("uploaded", server, format!("{reports} of {lane}{wait}"))
            }
            Event::UploadFailed { server, lane, detail } => {
                Self::new("not uploaded", server, format!("{lane}: {detail}"))
            }
            Event::LaneFilled { .. }
            | Event::ReportsLost { .. }
            | Event::OutboxProblem { .. }
            | Event::OutboxRecovered {} => Self::new("outbox", "", event),
            Event::Stopped {} => Self::new("STOPPED", "", ""),
            Event::Location { detail, .. } => Self::new("location", "", &**detail),
            Event::Round { evidence, .. } => Self::new(
                "round",
                "",
                format!("{} after {}", evidence.finding.explain(), evidence.elapsed.brief()),
            ),
            Event::Unverified { server } => {
                Self::new("danger", server, "connected, and nothing was verified".to_owned())
            }
            Event::StatusTooLarge { server, size } => {
                Self::new("too large", server, format!("a status of {size} bytes is left out for an hour"))
            }
            Event::CommandRefused { server, name } => {
                Self::new("refused", server, format!("the command {name}: the connection was not verified"))
            }
            Event::CertificateEnded { server } => Self::new(
                "certificate",
                server,
                "has ended on a kept connection; the next is verified afresh",
            ),
            Event::Called { server, call, status, .. } => {
                Self::new("called", server, format!("call {}: {status}", call.0))
            }
            Event::CallFailed { .. } => Self::new("not called", "", event),
            Event::Registered { server, group, mode } => {
                let group = group.as_ref().map(|group| format!("group {group}"));
                let mode = mode.map(|mode| format!("{mode} mode"));
                let what: Vec<_> = group.into_iter().chain(mode).collect();
                Self::new("registered", server, what.join(", "))
            }
            Event::RegistrationFailed { server, detail, .. } => {
                Self::new("not registered", server, &**detail)
            }
            Event::Duplicate { server } => {
                Self::new("duplicate", server, "it sees this agent id on more than one machine")
            }
            other => Self::new("event", "", other),
        };
        Some(line)
    }
}

fn failback(from: &ServerId) -> String {
    format!("from {from}: the better server has proved itself")
}

/// Settings of this tag, or of the program's.
fn named(tag: Option<&str>) -> String {
    tag.map_or_else(|| "settings of the program".to_owned(), |tag| format!("settings {tag}"))
}
