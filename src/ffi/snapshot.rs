//! How things stand, at one moment.

use once_cell::race::OnceBox;

use super::boundary::{Growing, SizedPlace, free, no_padding, reference, status, view};
use super::state::{reason_code, state_code};
use super::status::{Failed, HOMING_ERROR_RANGE, homing_status};
use super::text::homing_text;
use crate::engine::{LocationSnapshot, Snapshot, Whereabouts};
use crate::types::Span;

/// A picture of an engine at one moment. It never changes; any thread may read it.
pub struct homing_snapshot {
    snapshot: Snapshot,
    // Made without a lock: a child after `fork` may ask for what another thread of its parent was just making.
    json: OnceBox<String>,
    words: OnceBox<String>,
    /// Of the attached server.
    host: OnceBox<String>,
}

/// Where the agent stands.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct homing_summary {
    /// `sizeof(homing_summary)`, set by the caller.
    pub struct_size: u64,
    /// `HOMING_STATE_…`.
    pub state: i32,
    /// Why it searches, waits or does nothing: `HOMING_REASON_…`; 0 when all is well.
    pub reason: i32,
    /// The server it is attached to, if any. Lives until the snapshot is freed.
    pub active: homing_text,
    /// For how long it has been attached, in milliseconds; -1 when it is not.
    pub attached_for_ms: i64,
    /// Until the next heartbeat, in milliseconds; -1 when none is due.
    pub next_heartbeat_ms: i64,
    /// Until the next search, in milliseconds; -1 when none is due.
    pub next_search_ms: i64,
    /// Inputs that named something the engine had given up.
    pub stale_inputs: u64,
    /// How many servers the list in force has.
    pub server_count: u64,
}

/// How one server stands. All views live until the snapshot is freed.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct homing_standing {
    /// `sizeof(homing_standing)`, set by the caller.
    pub struct_size: u64,
    /// Its id.
    pub server: homing_text,
    /// Its priority, from 1.
    pub priority: u32,
    /// Its rank for this agent within the priority, from 1: 1 is the agent's own server.
    pub rank: u32,
    /// `unknown`, `up`, `suspect`, `down`, `probation`, `throttled`, `quarantined` or `draining`.
    pub health: homing_text,
    /// For how long it has been so, in milliseconds.
    pub since_ms: i64,
    /// How long it is left out, in milliseconds; -1 when it is not.
    pub left_out_ms: i64,
    /// Its last failure in words, if there was one.
    pub last_failure: homing_text,
    /// How long ago that was, in milliseconds; -1 when there was none.
    pub last_failure_ago_ms: i64,
    /// Until it is next probed as a better server than the one in use, in milliseconds; -1 when it is not.
    pub next_probe_ms: i64,
    /// Until the agent moves to it, in milliseconds; -1 when it does not.
    pub move_in_ms: i64,
}

const TEXT: usize = size_of::<homing_text>();
const _: () = assert!(no_padding(size_of::<homing_summary>(), &[8, 4, 4, TEXT, 8, 8, 8, 8, 8]));
const _: () = assert!(no_padding(size_of::<homing_standing>(), &[8, TEXT, 4, 4, TEXT, 8, 8, TEXT, 8, 8, 8]));

// SAFETY: `repr(C)`, the size first, and all zero are numbers and views of nothing.
unsafe impl Growing for homing_summary {
    const LEAST: usize = 16;
}
// SAFETY: as above.
unsafe impl Growing for homing_standing {
    const LEAST: usize = 8 + size_of::<homing_text>();
}

impl homing_snapshot {
    pub(super) const fn new(snapshot: Snapshot) -> Self {
        Self { snapshot, json: OnceBox::new(), words: OnceBox::new(), host: OnceBox::new() }
    }

    pub(super) const fn whereabouts(&self) -> Option<&Whereabouts> {
        self.snapshot.active_at.as_ref()
    }

    pub(super) const fn host(&self) -> &OnceBox<String> {
        &self.host
    }

    pub(super) const fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    pub(super) const fn location(&self) -> Option<&LocationSnapshot> {
        self.snapshot.location.as_ref()
    }
}

/// Writes where the agent stands to `*summary`, whose `struct_size` the caller has set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_snapshot_summary(
    snapshot: *const homing_snapshot,
    summary: *mut homing_summary,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        status(|| {
            let place = SizedPlace::new(summary, "summary")?;
            let Snapshot {
                state,
                reason,
                ref active,
                active_at: _,
                attached_for,
                next_heartbeat,
                next_search,
                ref servers,
                list: _,
                settings: _,
                location: _,
                reports: _,
                registration: _,
                duplicate: _,
                stale_inputs,
            } = reference(snapshot, "snapshot")?.snapshot;
            place.write(&homing_summary {
                struct_size: 0,
                state: state_code(state),
                reason: reason.map_or(0, reason_code),
                active: homing_text::of(active.as_ref().map(|id| id.as_str())),
                attached_for_ms: milliseconds(attached_for),
                next_heartbeat_ms: milliseconds(next_heartbeat),
                next_search_ms: milliseconds(next_search),
                stale_inputs,
                server_count: servers.len() as u64,
            });
            Ok(())
        })
    }
}

/// Writes how one server stands to `*standing`, whose `struct_size` the caller has set. Servers come in the
/// order in which they would be tried; `index` counts from 0.
///
/// Errors: `HOMING_ERROR_RANGE` for an index beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_snapshot_server(
    snapshot: *const homing_snapshot,
    index: usize,
    standing: *mut homing_standing,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        status(|| {
            let place = SizedPlace::new(standing, "standing")?;
            let servers = &reference(snapshot, "snapshot")?.snapshot.servers;
            let server = servers.get(index).ok_or_else(|| {
                Failed::new(
                    HOMING_ERROR_RANGE,
                    format!("there are {} servers, and no {index}", servers.len()),
                )
            })?;
            place.write(&homing_standing {
                struct_size: 0,
                server: homing_text::new(server.server.as_str()),
                priority: u32::try_from(server.priority).unwrap_or(u32::MAX),
                rank: u32::try_from(server.rank).unwrap_or(u32::MAX),
                health: homing_text::new(server.health.as_str()),
                since_ms: milliseconds(Some(server.since)),
                left_out_ms: milliseconds(server.left_out),
                last_failure: homing_text::of(server.last_failure.as_deref()),
                last_failure_ago_ms: milliseconds(server.last_failure_ago),
                next_probe_ms: milliseconds(server.next_probe),
                move_in_ms: milliseconds(server.move_in),
            });
            Ok(())
        })
    }
}

/// All of it as JSON. The view lives until the snapshot is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_snapshot_json(snapshot: *const homing_snapshot) -> homing_text {
    // SAFETY: the caller's promise.
    unsafe {
        view(snapshot, homing_text::NONE, |it| {
            homing_text::new(
                it.json.get_or_init(|| Box::new(serde_json::to_string(&it.snapshot).unwrap_or_default())),
            )
        })
    }
}

/// All of it in words, for a person: why this server, why not a better one, and what happens when. Several
/// lines. The view lives until the snapshot is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_snapshot_explain(snapshot: *const homing_snapshot) -> homing_text {
    // SAFETY: the caller's promise.
    unsafe {
        view(snapshot, homing_text::NONE, |it| {
            homing_text::new(it.words.get_or_init(|| Box::new(it.snapshot.explain())))
        })
    }
}

/// Frees a snapshot. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_snapshot_free(snapshot: *mut homing_snapshot) {
    // SAFETY: the caller's promise.
    unsafe { free(snapshot) }
}

pub(super) fn milliseconds(span: Option<Span>) -> i64 {
    span.map_or(-1, |Span(duration)| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
}
