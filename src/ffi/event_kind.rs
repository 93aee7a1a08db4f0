//! The kinds of events, and what each of them has.

use super::failure::{class_code, next_code};
use super::location::situation_code;
use super::state::{reason_code, rung_code, state_code};
use crate::engine::{Event, Notice, Reason};
use crate::types::{FailureClass, Name, ServerId, Span};

/// `state` changed; `reason` says why.
pub const HOMING_EVENT_STATE: i32 = 1;
/// A search for a server begins; `reason` says why.
pub const HOMING_EVENT_SEARCHING: i32 = 2;
/// The agent is attached to `server`, of `priority`; `duration_ms` since the search began.
pub const HOMING_EVENT_ATTACHED: i32 = 3;
/// The agent is no longer attached to `server`; `reason` says why.
pub const HOMING_EVENT_DETACHED: i32 = 4;
/// An attempt on `server` failed: `class`, `text` in words, and what is done `next`.
pub const HOMING_EVENT_ATTEMPT_FAILED: i32 = 5;
/// `server` answered a heartbeat with `http_status` after `duration_ms`; `body` is its answer, and it `covers` the requests
/// for one up to that number.
pub const HOMING_EVENT_HEARTBEAT: i32 = 6;
/// `server` named a new entity tag of the settings: `text`.
pub const HOMING_EVENT_SETTINGS_ANNOUNCED: i32 = 7;
/// `server` named a new entity tag of the policy: `text`.
pub const HOMING_EVENT_POLICY_ANNOUNCED: i32 = 8;
/// The policy of the product, from `server`: `body`, with the entity tag `text`. Confirm the tag when the product has taken it
/// over, or the next life of the agent brings it again.
pub const HOMING_EVENT_POLICY: i32 = 26;
/// The policy could not be read from `server`; `text` says why.
pub const HOMING_EVENT_POLICY_FAILED: i32 = 27;
/// What was not stored is stored now: what HOMING_EVENT_CANNOT_REMEMBER and HOMING_EVENT_STORE_PROBLEM told is over.
pub const HOMING_EVENT_STORE_RECOVERED: i32 = 29;
/// No server is attached, and the next search begins in `duration_ms`; `reason` says why.
pub const HOMING_EVENT_WAITING: i32 = 9;
/// The agent goes back from `server` to `other_server`, which is better or its own.
pub const HOMING_EVENT_FAILBACK: i32 = 10;
/// `server`, which would be better than the present one, was asked; `text` is its failure, if any.
pub const HOMING_EVENT_PROBED: i32 = 11;
/// `server` is listened to, `by` an event stream or by polls: what changes there is told at once.
pub const HOMING_EVENT_PUSH_OPENED: i32 = 12;
/// The event stream with `server`, or a poll, ended; `text` says why. Heartbeats go on.
pub const HOMING_EVENT_PUSH_LOST: i32 = 13;
/// `server` offers no event stream, or nothing of the kind comes through; it is tried again in `duration_ms`. Heartbeats alone
/// carry the news.
pub const HOMING_EVENT_PUSH_UNAVAILABLE: i32 = 14;
/// `server` has new content of the name `text`; `body` is all that it says of it. The body is of the managed client alone.
pub const HOMING_EVENT_TOLD_CONTENT: i32 = 15;
/// `server` has a command of the name `text` for the product; `body` is its bytes. The body is of the managed client alone.
pub const HOMING_EVENT_TOLD_COMMAND: i32 = 16;
/// The settings are in force but something about them is odd: `text`.
pub const HOMING_EVENT_SETTINGS_WARNING: i32 = 17;
/// The memory could not be stored; the engine goes on without. Told once until it is stored again.
pub const HOMING_EVENT_CANNOT_REMEMBER: i32 = 18;
/// What an earlier life remembered cannot be used; `text` says why.
pub const HOMING_EVENT_MEMORY_IGNORED: i32 = 19;
/// It has stopped. The last event.
pub const HOMING_EVENT_STOPPED: i32 = 20;
/// A connection stands to a server that has proved nothing (`danger_no_verification`).
pub const HOMING_EVENT_UNVERIFIED: i32 = 21;
/// The verdict on where the machine is changed, or other settings are in force because of it: `situation`, the
/// `location` in force, and `text`, the reason in words.
pub const HOMING_EVENT_LOCATION: i32 = 22;
/// The reference servers were asked: `text`, what each answered, as a table of several lines; the JSON has it as well.
/// `duration_ms` is how long it took. The verdict may differ: it is damped.
pub const HOMING_EVENT_ROUND: i32 = 23;
/// `server` refused the product's status as too large; the JSON of the event says how large it was. Heartbeats
/// to it go without the status until it is smaller or an hour has passed. Of the managed client alone.
pub const HOMING_EVENT_STATUS_TOO_LARGE: i32 = 24;
/// Something about the state folder, or the product's own store, is not as it should be: `text`. The agent goes on. Told once,
/// and again when the reason changes.
pub const HOMING_EVENT_STORE_PROBLEM: i32 = 25;
/// A command of the name `text` came from `server` over a connection that was not verified. It is not handed over.
pub const HOMING_EVENT_COMMAND_REFUSED: i32 = 28;
/// A certificate by which `server` was verified has ended since its connection was made. The connection is not used any more;
/// the next one is verified afresh.
pub const HOMING_EVENT_CERTIFICATE_ENDED: i32 = 30;
/// The settings that `server` has for this agent: `body`, with the entity tag `text`. The managed client judges them and tells
/// one of the next; a driver does so with `homing_engine_try`.
pub const HOMING_EVENT_SETTINGS: i32 = 31;
/// The settings could not be read from `server`; `text` says why.
pub const HOMING_EVENT_SETTINGS_FAILED: i32 = 32;
/// Settings are refused, and those before them stay; `text` says why.
pub const HOMING_EVENT_SETTINGS_REFUSED: i32 = 33;
/// Settings are on trial: they are used, and those before them are kept until an exchange has worked; `text` is their entity
/// tag, if a server gave them.
pub const HOMING_EVENT_SETTINGS_ON_TRIAL: i32 = 34;
/// An exchange through the settings on trial has worked: they stay; `text` is their entity tag, if a server gave them.
pub const HOMING_EVENT_SETTINGS_IN_FORCE: i32 = 35;
/// The settings on trial are given up, and those before them are back; `text` says why.
pub const HOMING_EVENT_SETTINGS_ROLLED_BACK: i32 = 36;
/// `server` has acknowledged so many `reports` of `lane`, which wait no more; so many are `waiting`.
pub const HOMING_EVENT_UPLOADED: i32 = 37;
/// Reports of `lane` could not be uploaded to `server`; `text` says why. They wait, and are sent again.
pub const HOMING_EVENT_UPLOAD_FAILED: i32 = 38;
/// The `lane` of the outbox is nearly full, full, or no longer so: `fullness`. Of the managed client alone.
pub const HOMING_EVENT_LANE_FILLED: i32 = 39;
/// So many `reports` of `lane` are lost; `text` says why. Of the managed client alone.
pub const HOMING_EVENT_REPORTS_LOST: i32 = 40;
/// Something about the folder of the outbox is not as it should be: `text`. Of the managed client alone.
pub const HOMING_EVENT_OUTBOX_PROBLEM: i32 = 41;
/// The folder of the outbox is used again. Of the managed client alone.
pub const HOMING_EVENT_OUTBOX_RECOVERED: i32 = 42;
/// `server` has answered the call `homing_event_call`, whatever with: `homing_event_http_status`, and `homing_event_body` of the managed
/// client.
pub const HOMING_EVENT_CALLED: i32 = 43;
/// The call `homing_event_call` has no answer; `text` says why. `server` and class are those of the failure, if it was made to one.
pub const HOMING_EVENT_CALL_FAILED: i32 = 44;
/// `server` has decided what the agent is registered as: `text` is its group, if it named one, and `homing_event_account_mode`.
pub const HOMING_EVENT_REGISTERED: i32 = 45;
/// The agent could not register with `server`; `text` says why, and it tries again in `duration_ms`; -1: not before it is attached
/// to a verified server.
pub const HOMING_EVENT_REGISTRATION_FAILED: i32 = 46;
/// `server` sees this agent's id on more than one machine. Told when it begins.
pub const HOMING_EVENT_DUPLICATE: i32 = 47;

/// What the kinds of events have, in one place for all functions that look at one.
pub(super) struct Parts<'a> {
    pub(super) kind: i32,
    pub(super) server: Option<&'a ServerId>,
    pub(super) other_server: Option<&'a ServerId>,
    pub(super) state: i32,
    pub(super) reason: i32,
    pub(super) class: i32,
    pub(super) next: i32,
    pub(super) text: Option<&'a str>,
    pub(super) priority: u32,
    pub(super) http_status: u32,
    pub(super) duration: Option<Span>,
    pub(super) situation: i32,
    pub(super) location: Option<&'a str>,
    pub(super) attached: bool,
    pub(super) by: i32,
}

impl<'a> Parts<'a> {
    /// A kind of event that has nothing more.
    const fn of(kind: i32) -> Self {
        Self {
            kind,
            server: None,
            other_server: None,
            state: 0,
            reason: 0,
            class: 0,
            next: 0,
            text: None,
            priority: 0,
            http_status: 0,
            duration: None,
            situation: 0,
            location: None,
            attached: false,
            by: 0,
        }
    }

    /// One that is about a server.
    const fn about(kind: i32, server: &'a ServerId) -> Self {
        Self { server: Some(server), ..Self::of(kind) }
    }

    /// One that has something to say of no server, or nothing.
    const fn tells(kind: i32, text: Option<&'a str>) -> Self {
        Self { text, ..Self::of(kind) }
    }

    const fn because(self, reason: Reason) -> Self {
        Self { reason: reason_code(reason), ..self }
    }

    fn failed(kind: i32, server: Option<&'a ServerId>, class: Option<FailureClass>, detail: &'a str) -> Self {
        Self { server, class: class.map_or(0, class_code), ..Self::tells(kind, Some(detail)) }
    }

    fn saying(self, text: &'a Option<impl std::ops::Deref<Target = str>>) -> Self {
        Self { text: text.as_deref(), ..self }
    }

    fn answered(self, status: u16, elapsed: Span) -> Self {
        Self { http_status: status.into(), ..self.lasting(elapsed) }
    }

    const fn lasting(self, duration: Span) -> Self {
        Self { duration: Some(duration), ..self }
    }

    /// One that is about a server and has something to say of it.
    const fn says(kind: i32, server: &'a ServerId, text: &'a str) -> Self {
        Self { text: Some(text), ..Self::about(kind, server) }
    }
}

pub(super) fn parts(event: &Event) -> Parts<'_> {
    match event {
        Event::State { state, reason } => {
            Parts { state: state_code(*state), reason: reason_code(*reason), ..Parts::of(HOMING_EVENT_STATE) }
        }
        Event::Searching { reason, servers: _ } => Parts::of(HOMING_EVENT_SEARCHING).because(*reason),
        Event::Attached { server, priority, elapsed, at: _ } => Parts {
            priority: priority.map_or(0, |priority| u32::try_from(priority).unwrap_or(u32::MAX)),
            duration: Some(*elapsed),
            ..Parts::about(HOMING_EVENT_ATTACHED, server)
        },
        Event::Detached { server, reason } => Parts::about(HOMING_EVENT_DETACHED, server).because(*reason),
        Event::AttemptFailed { server, class, detail, next } => Parts {
            next: next_code(*next),
            ..Parts::failed(HOMING_EVENT_ATTEMPT_FAILED, Some(server), Some(*class), detail)
        },
        Event::Heartbeat { server, status, elapsed } => {
            Parts::about(HOMING_EVENT_HEARTBEAT, server).answered(*status, *elapsed)
        }
        Event::SettingsAnnounced { server, tag } => Parts::says(HOMING_EVENT_SETTINGS_ANNOUNCED, server, tag),
        Event::PolicyAnnounced { server, tag } => Parts::says(HOMING_EVENT_POLICY_ANNOUNCED, server, tag),
        Event::Policy { server, tag } => Parts::says(HOMING_EVENT_POLICY, server, tag),
        Event::PolicyFailed { server, detail } => Parts::says(HOMING_EVENT_POLICY_FAILED, server, detail),
        Event::Settings { server, tag } => Parts::says(HOMING_EVENT_SETTINGS, server, tag),
        Event::SettingsFailed { server, detail } => Parts::says(HOMING_EVENT_SETTINGS_FAILED, server, detail),
        Event::SettingsRefused { detail, .. } => Parts::tells(HOMING_EVENT_SETTINGS_REFUSED, Some(detail)),
        Event::SettingsOnTrial { tag } => Parts::tells(HOMING_EVENT_SETTINGS_ON_TRIAL, tag.as_deref()),
        Event::SettingsInForce { tag } => Parts::tells(HOMING_EVENT_SETTINGS_IN_FORCE, tag.as_deref()),
        Event::SettingsRolledBack { detail, .. } => {
            Parts::tells(HOMING_EVENT_SETTINGS_ROLLED_BACK, Some(detail))
        }
        Event::Waiting { wait, reason } => Parts::of(HOMING_EVENT_WAITING).because(*reason).lasting(*wait),
        Event::Failback { from, to } => {
            Parts { other_server: Some(to), ..Parts::about(HOMING_EVENT_FAILBACK, from) }
        }
        Event::Probed { server, failure } => Parts::about(HOMING_EVENT_PROBED, server).saying(failure),
        Event::PushOpened { server, by } => {
            Parts { by: rung_code(*by), ..Parts::about(HOMING_EVENT_PUSH_OPENED, server) }
        }
        Event::PushLost { server, detail } => Parts::says(HOMING_EVENT_PUSH_LOST, server, detail),
        Event::CommandRefused { server, name } => Parts::says(HOMING_EVENT_COMMAND_REFUSED, server, name),
        Event::PushUnavailable { server, retry } => {
            Parts { duration: Some(*retry), ..Parts::about(HOMING_EVENT_PUSH_UNAVAILABLE, server) }
        }
        Event::Notice { server, kind, name } => Parts::about(told_kind(*kind), server).saying(name),
        Event::Location { situation, reason: _, detail, location, attached } => Parts {
            text: Some(detail),
            situation: situation_code(*situation),
            location: location.as_deref(),
            attached: *attached,
            ..Parts::of(HOMING_EVENT_LOCATION)
        },
        Event::Round { attached, evidence } => {
            Parts { duration: Some(evidence.elapsed), attached: *attached, ..Parts::of(HOMING_EVENT_ROUND) }
        }
        Event::SettingsWarning { warning } => Parts::tells(HOMING_EVENT_SETTINGS_WARNING, Some(warning)),
        Event::CannotRemember { version: _ } => Parts::of(HOMING_EVENT_CANNOT_REMEMBER),
        Event::MemoryIgnored { detail } => Parts::tells(HOMING_EVENT_MEMORY_IGNORED, Some(detail)),
        Event::StoreProblem { problem } => Parts::tells(HOMING_EVENT_STORE_PROBLEM, Some(problem)),
        Event::StoreRecovered {} => Parts::of(HOMING_EVENT_STORE_RECOVERED),
        Event::Uploaded { server, .. } => Parts::about(HOMING_EVENT_UPLOADED, server),
        Event::UploadFailed { server, detail, .. } => Parts::says(HOMING_EVENT_UPLOAD_FAILED, server, detail),
        Event::LaneFilled { .. } => Parts::of(HOMING_EVENT_LANE_FILLED),
        Event::ReportsLost { detail, .. } => Parts::tells(HOMING_EVENT_REPORTS_LOST, Some(detail)),
        Event::OutboxProblem { problem } => Parts::tells(HOMING_EVENT_OUTBOX_PROBLEM, Some(problem)),
        Event::OutboxRecovered {} => Parts::of(HOMING_EVENT_OUTBOX_RECOVERED),
        Event::Called { .. } | Event::CallFailed { .. } => called(event),
        Event::Registered { .. } | Event::RegistrationFailed { .. } => registered(event),
        Event::Duplicate { server } => Parts::about(HOMING_EVENT_DUPLICATE, server),
        Event::CertificateEnded { server } => Parts::about(HOMING_EVENT_CERTIFICATE_ENDED, server),
        Event::Unverified { server } => Parts::about(HOMING_EVENT_UNVERIFIED, server),
        Event::StatusTooLarge { server, size: _ } => Parts::about(HOMING_EVENT_STATUS_TOO_LARGE, server),
        Event::Stopped {} => Parts::of(HOMING_EVENT_STOPPED),
    }
}

/// How a call has ended.
fn called(event: &Event) -> Parts<'_> {
    if let Event::Called { server, status, elapsed, call: _ } = event {
        Parts::about(HOMING_EVENT_CALLED, server).answered(*status, *elapsed)
    } else if let Event::CallFailed { server, class, detail, call: _ } = event {
        Parts::failed(HOMING_EVENT_CALL_FAILED, server.as_ref(), *class, detail)
    } else {
        Parts::of(0)
    }
}

/// What became of a registration.
fn registered(event: &Event) -> Parts<'_> {
    if let Event::Registered { server, group, mode: _ } = event {
        let group = group.as_ref().map(Name::as_str);
        Parts { text: group, ..Parts::about(HOMING_EVENT_REGISTERED, server) }
    } else if let Event::RegistrationFailed { server, detail, retry } = event {
        Parts { duration: *retry, ..Parts::says(HOMING_EVENT_REGISTRATION_FAILED, server, detail) }
    } else {
        Parts::of(0)
    }
}

const fn told_kind(told: Notice) -> i32 {
    match told {
        Notice::Content => HOMING_EVENT_TOLD_CONTENT,
        Notice::Command => HOMING_EVENT_TOLD_COMMAND,
    }
}
