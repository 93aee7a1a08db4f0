//! Something the application may want to know.

use once_cell::race::OnceBox;

use super::boundary::{Place, free, reference, status, view};
use super::event_kind::{Parts, parts};
use super::snapshot::milliseconds;
use super::status::homing_status;
use super::text::{homing_bytes, homing_text};
use crate::client::ClientEvent;
use crate::engine::{Event, Whereabouts};
use crate::types::ServerId;

/// Something the application may want to know. It never changes; any thread may read it.
///
/// An event that was pulled is owned by the caller, and freed by `homing_event_free`. One that a callback is
/// given belongs to homing and lives until the callback returns. All views live as long as their event. What a
/// kind of event does not have is NULL, 0 or -1, as is everything of an event that is NULL.
pub struct homing_event {
    event: ClientEvent,
    // Made without a lock: a child after `fork` may ask for what another thread of its parent was just making.
    json: OnceBox<String>,
    /// What the reference servers answered.
    table: OnceBox<String>,
    /// Of the attached server.
    host: OnceBox<String>,
}

impl homing_event {
    pub(super) const fn new(event: ClientEvent) -> Self {
        Self { event, json: OnceBox::new(), table: OnceBox::new(), host: OnceBox::new() }
    }

    pub(super) const fn told(&self) -> &Event {
        &self.event.event
    }

    pub(super) fn whereabouts(&self) -> Option<&Whereabouts> {
        if let Event::Attached { at, .. } = &self.event.event { Some(at) } else { None }
    }

    pub(super) const fn host(&self) -> &OnceBox<String> {
        &self.host
    }
}

/// What happened: `HOMING_EVENT_…`. Later versions tell more kinds: ignore those you do not know.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_event_kind(event: *const homing_event) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { look(event, 0, |parts| parts.kind) }
}

/// When: nanoseconds since the start of the client, suspended time included; for an engine, on its driver's clock.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_event_at_ns(event: *const homing_event) -> u64 {
    // SAFETY: the caller's promise.
    unsafe { view(event, 0, |event| u64::try_from(event.event.at.as_nanos()).unwrap_or(u64::MAX)) }
}

/// The event as one flat JSON object: `{"at_ms":1250,"event":"attached","server":"a",…}`; `docs/events.md` describes each.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_event_json(event: *const homing_event) -> homing_text {
    // SAFETY: the caller's promise.
    unsafe {
        view(event, homing_text::NONE, |event| {
            homing_text::new(
                event.json.get_or_init(|| Box::new(serde_json::to_string(&event.event).unwrap_or_default())),
            )
        })
    }
}

/// The id of the server it is about.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_event_server(event: *const homing_event) -> homing_text {
    // SAFETY: the caller's promise.
    unsafe { look(event, homing_text::NONE, |parts| id(parts.server)) }
}

/// The id of the server a failback leads to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_event_other_server(event: *const homing_event) -> homing_text {
    // SAFETY: the caller's promise.
    unsafe { look(event, homing_text::NONE, |parts| id(parts.other_server)) }
}

/// The state that was entered: `HOMING_STATE_…`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_event_state(event: *const homing_event) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { look(event, 0, |parts| parts.state) }
}

/// Why: `HOMING_REASON_…`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_event_reason(event: *const homing_event) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { look(event, 0, |parts| parts.reason) }
}

/// The kind of failure of an attempt: `HOMING_CLASS_…`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_event_class(event: *const homing_event) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { look(event, 0, |parts| parts.class) }
}

/// What is done after a failed attempt: `HOMING_NEXT_…`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_event_next(event: *const homing_event) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { look(event, 0, |parts| parts.next) }
}

/// The text of the kinds that have one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_event_text(event: *const homing_event) -> homing_text {
    // SAFETY: the caller's promise.
    unsafe {
        view(event, homing_text::NONE, |event| {
            if let Event::Round { evidence, .. } = &event.event.event {
                return homing_text::new(event.table.get_or_init(|| Box::new(evidence.explain())));
            }
            homing_text::of(parts(&event.event.event).text)
        })
    }
}

/// The priority of the server the agent is attached to, from 1; 0 when the list does not name it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_event_priority(event: *const homing_event) -> u32 {
    // SAFETY: the caller's promise.
    unsafe { look(event, 0, |parts| parts.priority) }
}

/// The HTTP status of the answer to a heartbeat or a call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_event_http_status(event: *const homing_event) -> u32 {
    // SAFETY: the caller's promise.
    unsafe { look(event, 0, |parts| parts.http_status) }
}

/// The duration of the kinds that have one, in milliseconds; -1 for the others.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_event_duration_ms(event: *const homing_event) -> i64 {
    // SAFETY: the caller's promise.
    unsafe { look(event, -1, |parts| milliseconds(parts.duration)) }
}

/// How a server is listened to from now on: `HOMING_RUNG_…`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_event_by(event: *const homing_event) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { look(event, 0, |parts| parts.by) }
}

/// Where the machine is: `HOMING_SITUATION_…`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_event_situation(event: *const homing_event) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { look(event, 0, |parts| parts.situation) }
}

/// The location whose settings are in force; none for the group's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_event_location(event: *const homing_event) -> homing_text {
    // SAFETY: the caller's promise.
    unsafe { look(event, homing_text::NONE, |parts| homing_text::of(parts.location)) }
}

/// Of the kinds that tell of the location: 1 when the agent is attached to a management server, which is another
/// matter, else 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_event_is_attached(event: *const homing_event) -> u32 {
    // SAFETY: the caller's promise.
    unsafe { look(event, 0, |parts| parts.attached.into()) }
}

/// The body of the answer to a heartbeat or a call, a policy, or the bytes of a command: bytes of the product's own. Of the managed client
/// alone; the driver of an engine has the bytes already.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_event_body(event: *const homing_event) -> homing_bytes {
    // SAFETY: the caller's promise.
    unsafe {
        view(event, homing_bytes::NONE, |event| {
            event.event.body.as_deref().map_or(homing_bytes::NONE, homing_bytes::new)
        })
    }
}

/// The number of the newest `homing_client_beat_now` that a heartbeat covers; 0 when it covers none. Of the managed client alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_event_covers(event: *const homing_event) -> u64 {
    // SAFETY: the caller's promise.
    unsafe { view(event, 0, |event| event.event.covers) }
}

/// A copy of an event that the caller owns: for what a callback is given and somebody else is to see.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_event_clone(
    event: *const homing_event,
    out: *mut *mut homing_event,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        status(|| {
            let out = Place::new(out, "out")?;
            out.give(homing_event::new(reference(event, "event")?.event.clone()));
            Ok(())
        })
    }
}

/// Frees an event that was pulled or cloned. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_event_free(event: *mut homing_event) {
    // SAFETY: the caller's promise.
    unsafe { free(event) }
}

unsafe fn look<T>(event: *const homing_event, otherwise: T, look: impl FnOnce(Parts<'_>) -> T) -> T {
    // SAFETY: the caller's promise.
    unsafe { view(event, otherwise, |event| look(parts(&event.event.event))) }
}

fn id(server: Option<&ServerId>) -> homing_text {
    homing_text::of(server.map(ServerId::as_str))
}
