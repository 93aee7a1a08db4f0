//! Events, and the words in them, as a person reads them.

use std::fmt;
use std::sync::Arc;

use super::{
    Ending, Event, Finding, Fullness, LeftOutReason, LocationReason, NetworkChange, Next, Notice, Reason,
    Rung, State, Trigger, Wake,
};

impl Event {
    /// Its name, as in JSON: `attached`, `attempt_failed`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::State { .. } => "state",
            Self::Searching { .. } => "searching",
            Self::Attached { .. } => "attached",
            Self::Detached { .. } => "detached",
            Self::AttemptFailed { .. } => "attempt_failed",
            Self::Heartbeat { .. } => "heartbeat",
            Self::SettingsAnnounced { .. } => "settings_announced",
            Self::PolicyAnnounced { .. } => "policy_announced",
            Self::Policy { .. } => "policy",
            Self::PolicyFailed { .. } => "policy_failed",
            Self::Waiting { .. } => "waiting",
            Self::Failback { .. } => "failback",
            Self::Probed { .. } => "probed",
            Self::PushOpened { .. } => "push_opened",
            Self::CommandRefused { .. } => "command_refused",
            Self::PushLost { .. } => "push_lost",
            Self::PushUnavailable { .. } => "push_unavailable",
            Self::Notice { .. } => "notice",
            Self::Location { .. } => "location",
            Self::Round { .. } => "round",
            Self::SettingsWarning { .. } => "settings_warning",
            Self::Unverified { .. } => "unverified",
            Self::StatusTooLarge { .. } => "status_too_large",
            Self::CertificateEnded { .. } => "certificate_ended",
            Self::CannotRemember { .. } => "cannot_remember",
            Self::MemoryIgnored { .. } => "memory_ignored",
            Self::StoreProblem { .. } => "store_problem",
            Self::Settings { .. } => "settings",
            Self::SettingsFailed { .. } => "settings_failed",
            Self::SettingsRefused { .. } => "settings_refused",
            Self::SettingsOnTrial { .. } => "settings_on_trial",
            Self::SettingsInForce { .. } => "settings_in_force",
            Self::SettingsRolledBack { .. } => "settings_rolled_back",
            Self::Stopped {} => "stopped",
            Self::StoreRecovered {} => "store_recovered",
            Self::Uploaded { .. } => "uploaded",
            Self::UploadFailed { .. } => "upload_failed",
            Self::LaneFilled { .. } => "lane_filled",
            Self::ReportsLost { .. } => "reports_lost",
            Self::Called { .. } => "called",
            Self::CallFailed { .. } => "call_failed",
            Self::Registered { .. } => "registered",
            Self::RegistrationFailed { .. } => "registration_failed",
            Self::Duplicate { .. } => "duplicate",
            Self::OutboxProblem { .. } => "outbox_problem",
            Self::OutboxRecovered {} => "outbox_recovered",
        }
    }

    /// What becomes of reports.
    fn write_reports(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Uploaded { server, lane, reports, waiting } = self {
            write!(f, "{server} took {reports} reports of the lane {lane}; {waiting} wait")
        } else if let Self::UploadFailed { server, lane, detail } = self {
            write!(f, "{server} took no reports of the lane {lane}: {detail}")
        } else if let Self::LaneFilled { lane, fullness } = self {
            write!(f, "the lane {lane} of the outbox is {fullness}")
        } else if let Self::ReportsLost { lane, reports, detail } = self {
            write!(f, "{reports} reports of the lane {lane} are lost: {detail}")
        } else {
            Ok(())
        }
    }

    /// What became of a registration.
    fn write_registration(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Registered { server, group, mode } = self {
            write!(f, "registered with {server}")?;
            if let Some(group) = group {
                write!(f, " in the group {group}")?;
            }
            mode.map_or(Ok(()), |mode| write!(f, " in {mode} mode"))
        } else if let Self::RegistrationFailed { server, detail, retry } = self {
            write!(f, "not registered with {server}: {detail}")?;
            retry.map_or(Ok(()), |retry| write!(f, "; it is asked again in {}", retry.brief()))
        } else {
            Ok(())
        }
    }

    /// How a call has ended.
    fn write_call(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Called { call, server, status, elapsed } = self {
            write!(f, "{server} answered call {} with {status} after {}", call.0, elapsed.brief())
        } else if let Self::CallFailed { call, server, detail, .. } = self {
            match server {
                Some(server) => write!(f, "call {} to {server} failed: {detail}", call.0),
                None => write!(f, "call {} was not made: {detail}", call.0),
            }
        } else {
            Ok(())
        }
    }
}

/// One line: what happened, at which server, and why. Lower case, no full stop.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::State { state, reason } => write!(f, "{state}: {reason}"),
            Self::Searching { reason, servers } => write!(f, "searching among {servers}: {reason}"),
            Self::Attached { server, priority, elapsed, .. } => {
                write!(f, "attached to {server}, {}, after {}", Placed(*priority), elapsed.brief())
            }
            Self::Detached { server, reason } => write!(f, "detached from {server}: {reason}"),
            Self::AttemptFailed { server, detail, next, .. } => {
                write!(f, "{server} failed: {detail}; {next}")
            }
            Self::Heartbeat { server, status, elapsed } => {
                write!(f, "heartbeat to {server}: {status} after {}", elapsed.brief())
            }
            Self::SettingsAnnounced { server, tag } => write!(f, "{server} has the settings {tag}"),
            Self::PolicyAnnounced { server, tag } => write!(f, "{server} has the policy {tag}"),
            Self::Policy { server, tag } => write!(f, "the policy {tag} was read from {server}"),
            Self::PolicyFailed { server, detail } => write!(f, "no policy was read from {server}: {detail}"),
            Self::Waiting { wait, reason } => write!(f, "waiting for {}: {reason}", wait.brief()),
            Self::Failback { from, to } => write!(f, "back from {from} to {to}, which has proved itself"),
            Self::Probed { server, failure: None } => write!(f, "{server} was probed and answers well"),
            Self::Probed { server, failure: Some(failure) } => write!(f, "{server} was probed: {failure}"),
            Self::PushOpened { server, by } => write!(f, "{server} is listened to by {by}"),
            Self::CommandRefused { server, name } => {
                write!(f, "the command {name} of {server} is refused: the connection was not verified")
            }
            Self::PushLost { server, detail } => write!(f, "the event stream of {server} is lost: {detail}"),
            Self::PushUnavailable { server, retry } => {
                write!(f, "{server} offers no event stream; it is asked again in {}", retry.brief())
            }
            Self::Notice { server, kind, name: Some(name) } => write!(f, "{server} announces {kind} {name}"),
            Self::Notice { server, kind, name: None } => write!(f, "{server} announces {kind}"),
            Self::Location { situation, location, detail, .. } => {
                let location = location.as_ref().map(|name| format!(", location {name}"));
                write!(f, "{situation}{}: {detail}", location.unwrap_or_default())
            }
            Self::Round { evidence, .. } => {
                write!(f, "the reference servers say {} after {}", evidence.finding, evidence.elapsed.brief())
            }
            Self::SettingsWarning { warning } => write!(f, "settings: {warning}"),
            Self::Unverified { server } => write!(f, "connected to {server}, and nothing of it was verified"),
            Self::StatusTooLarge { server, size } => {
                write!(
                    f,
                    "{server} refused the status of {size} bytes as too large; it is left out for an hour"
                )
            }
            Self::CertificateEnded { server } => {
                write!(f, "a certificate of {server} has ended; the next connection is verified afresh")
            }
            Self::CannotRemember { .. } => f.write_str("what the agent learned is not stored; it goes on"),
            Self::MemoryIgnored { detail } => write!(f, "the agent begins with nothing known: {detail}"),
            Self::StoreProblem { problem } => write!(f, "store: {problem}"),
            Self::Settings { server, tag } => write!(f, "the settings {tag} were read from {server}"),
            Self::SettingsFailed { server, detail } => {
                write!(f, "no settings were read from {server}: {detail}")
            }
            Self::SettingsRefused { tag, detail } => write!(f, "{} are refused: {detail}", Tagged(tag)),
            Self::SettingsOnTrial { tag } => write!(f, "{} are on trial", Tagged(tag)),
            Self::SettingsInForce { tag } => write!(f, "{} are in force: an exchange worked", Tagged(tag)),
            Self::SettingsRolledBack { tag, detail } => {
                write!(f, "{} are given up, and those before them are back: {detail}", Tagged(tag))
            }
            Self::Stopped {} => write!(f, "stopped"),
            Self::StoreRecovered {} => write!(f, "what was not stored is stored now"),
            Self::Uploaded { .. }
            | Self::UploadFailed { .. }
            | Self::LaneFilled { .. }
            | Self::ReportsLost { .. } => self.write_reports(f),
            Self::Called { .. } | Self::CallFailed { .. } => self.write_call(f),
            Self::Registered { .. } | Self::RegistrationFailed { .. } => self.write_registration(f),
            Self::Duplicate { server } => write!(f, "{server} sees this agent id on more than one machine"),
            Self::OutboxProblem { problem } => write!(f, "outbox: {problem}"),
            Self::OutboxRecovered {} => write!(f, "the folder of the outbox is used again"),
        }
    }
}

/// The place of a server in the list in force.
struct Placed(Option<usize>);

impl fmt::Display for Placed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(priority) => write!(f, "priority {priority}"),
            None => f.write_str("in no priority"),
        }
    }
}

/// Settings by their entity tag, or those of the program, which have none.
struct Tagged<'a>(&'a Option<Arc<str>>);

impl fmt::Display for Tagged<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(tag) => write!(f, "the settings {tag}"),
            None => f.write_str("the program's settings"),
        }
    }
}

impl fmt::Display for Fullness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NearlyFull => "nearly full",
            Self::Full => "full",
            Self::Relieved => "relieved",
        })
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Starting => "starting",
            Self::Searching => "searching",
            Self::Attached => "attached",
            Self::Waiting => "waiting",
            Self::NoNetwork => "no network",
            Self::NoWay => "no way",
            Self::Captive => "captive",
            Self::Rejected => "rejected",
            Self::Disabled => "disabled",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.explain())
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.explain())
    }
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.explain())
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.explain())
    }
}

impl fmt::Display for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NextServer => "the next server is tried",
            Self::SameServer => "the same server is tried once more",
            Self::Later => "it is asked again later",
            Self::Nothing => "no other server is left to try",
        })
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Content => "content",
            Self::Command => "a command",
        })
    }
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Stream => "an event stream",
            Self::Poll => "polls",
            Self::Pull => "heartbeats alone",
        })
    }
}

impl fmt::Display for NetworkChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Changed => "the network changed",
            Self::Elsewhere => "the network changed elsewhere",
            Self::Returned => "the network returned",
            Self::Gone => "the network is gone",
        })
    }
}

impl fmt::Display for Wake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Drain => "actions or events wait",
            Self::Attachment => "an attempt or a wait is due",
            Self::Schedule => "a heartbeat or a stream is due",
            Self::Location => "a round of the reference servers is due",
            Self::Trial => "the budget of settings on trial is looked at",
        })
    }
}

impl fmt::Display for LeftOutReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Down => "it failed",
            Self::TooManyRequests => "it asked for patience (429)",
            Self::Throttled => "it asked for patience",
            Self::NotAllowed => "it rejected this agent",
        })
    }
}

impl fmt::Display for LocationReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NothingKnown => "nothing was found out yet",
            Self::NoNetwork => "there is no usable network",
            Self::NobodyToAsk => "there are no reference servers, and the management server is not there",
            Self::ManagementServer => "an exchange with the management server proved enough",
            Self::ReferenceServer => "a reference server answered with enough proof",
            Self::NobodyAnswered => "no reference server answered with enough proof",
            Self::Incomplete => "not all could be asked in time, and none had answered by then",
            Self::EverybodyAnswers => "the network answers in place of every server",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::settings::Situation;
    use crate::types::{AccountMode, FailureClass, Lane, ServerId, Span};

    /// Each event prints as one line that begins so, under the name that it has in JSON.
    fn holds(events: &[(Event, &str)]) {
        for (event, line) in events {
            let text = event.to_string();
            assert!(text.starts_with(line), "{text}");
            assert!(!text.ends_with('.') && !text.contains('\n'), "{text}");
            assert_eq!(serde_json::to_value(event).unwrap()["event"], event.name());
        }
    }

    #[test]
    fn what_the_agent_does_is_told_in_one_line() {
        let (server, wait) = (ServerId::new("a"), Span(Duration::from_millis(1250)));
        holds(&[
            (Event::State { state: State::NoNetwork, reason: Reason::NoNetwork }, "no network: "),
            (Event::Searching { reason: Reason::Start, servers: 2 }, "searching among 2: the agent starts"),
            (
                Event::Detached { server: server.clone(), reason: Reason::Asked },
                "detached from a: the application asked",
            ),
            (
                Event::Heartbeat { server: server.clone(), status: 200, elapsed: wait },
                "heartbeat to a: 200 after 1s 250ms",
            ),
            (Event::Waiting { wait, reason: Reason::Start }, "waiting for 1s 250ms: the agent starts"),
            (Event::Probed { server: server.clone(), failure: None }, "a was probed and answers well"),
            (
                Event::Notice { server: server.clone(), kind: Notice::Content, name: Some("x".into()) },
                "a announces content x",
            ),
            (
                Event::StatusTooLarge { server: server.clone(), size: 7 },
                "a refused the status of 7 bytes as too large",
            ),
            (
                Event::PushOpened { server: server.clone(), by: Rung::Stream },
                "a is listened to by an event stream",
            ),
            (Event::CannotRemember { version: 1 }, "what the agent learned is not stored"),
            (
                Event::AttemptFailed {
                    server: server.clone(),
                    class: FailureClass::Silent,
                    detail: "no answer".to_owned(),
                    next: Next::NextServer,
                },
                "a failed: no answer; the next server is tried",
            ),
            (Event::SettingsAnnounced { server: server.clone(), tag: "7".into() }, "a has the settings 7"),
            (Event::PolicyAnnounced { server: server.clone(), tag: "7".into() }, "a has the policy 7"),
            (Event::Policy { server: server.clone(), tag: "7".into() }, "the policy 7 was read from a"),
            (
                Event::PolicyFailed { server: server.clone(), detail: "too large".to_owned() },
                "no policy was read from a: too large",
            ),
            (
                Event::Failback { from: ServerId::new("b"), to: server.clone() },
                "back from b to a, which has proved itself",
            ),
            (
                Event::Probed { server: server.clone(), failure: Some("reset".to_owned()) },
                "a was probed: reset",
            ),
        ]);
    }

    #[test]
    fn what_a_server_tells_and_what_goes_wrong_is_told_in_one_line() {
        let (server, wait) = (ServerId::new("a"), Span(Duration::from_millis(1250)));
        holds(&[
            (
                Event::PushLost { server: server.clone(), detail: "reset".to_owned() },
                "the event stream of a is lost: reset",
            ),
            (
                Event::PushUnavailable { server: server.clone(), retry: wait },
                "a offers no event stream; it is asked again in 1s 250ms",
            ),
            (
                Event::Notice { server: server.clone(), kind: Notice::Command, name: None },
                "a announces a command",
            ),
            (
                Event::CommandRefused { server: server.clone(), name: "wipe".into() },
                "the command wipe of a is refused: the connection was not verified",
            ),
            (
                Event::Location {
                    situation: Situation::Unknown,
                    reason: LocationReason::NothingKnown,
                    detail: "nothing yet".into(),
                    location: Some("home".into()),
                    attached: false,
                },
                "unknown, location home: nothing yet",
            ),
            (Event::SettingsWarning { warning: "odd".to_owned() }, "settings: odd"),
            (Event::Unverified { server: server.clone() }, "connected to a, and nothing of it was verified"),
            (Event::CertificateEnded { server }, "a certificate of a has ended; the next connection"),
            (Event::MemoryIgnored { detail: "old".to_owned() }, "the agent begins with nothing known: old"),
            (Event::StoreProblem { problem: "full".to_owned() }, "store: full"),
            (Event::StoreRecovered {}, "what was not stored is stored now"),
            (Event::Stopped {}, "stopped"),
        ]);
    }

    #[test]
    fn what_an_agent_is_registered_as_is_told_in_one_line() {
        let (server, wait) = (ServerId::new("a"), Span(Duration::from_millis(1250)));
        let (group, mode) = (Some("Field".parse().unwrap()), Some(AccountMode::User));
        let why = || "too slow".to_owned();
        holds(&[
            (
                Event::Registered { server: server.clone(), group, mode },
                "registered with a in the group Field in user mode",
            ),
            (Event::Registered { server: server.clone(), group: None, mode: None }, "registered with a"),
            (
                Event::RegistrationFailed { server: server.clone(), detail: why(), retry: Some(wait) },
                "not registered with a: too slow; it is asked again in 1s 250ms",
            ),
            (
                Event::RegistrationFailed { server: server.clone(), detail: why(), retry: None },
                "not registered with a: too slow",
            ),
            (Event::Duplicate { server }, "a sees this agent id on more than one machine"),
        ]);
    }

    #[test]
    fn what_becomes_of_reports_is_told_in_one_line() {
        let (server, lane) = (ServerId::new("a"), Lane::Critical);
        let why = || "too large".to_owned();
        holds(&[
            (
                Event::Uploaded { server: server.clone(), lane, reports: 2, waiting: 1 },
                "a took 2 reports of the lane critical; 1 wait",
            ),
            (
                Event::UploadFailed { server, lane, detail: why() },
                "a took no reports of the lane critical: too large",
            ),
            (
                Event::LaneFilled { lane, fullness: Fullness::NearlyFull },
                "the lane critical of the outbox is nearly full",
            ),
            (
                Event::ReportsLost { lane, reports: 1, detail: why() },
                "1 reports of the lane critical are lost: too large",
            ),
            (Event::OutboxProblem { problem: "the disk is full".to_owned() }, "outbox: the disk is full"),
            (Event::OutboxRecovered {}, "the folder of the outbox is used again"),
        ]);
    }
}
