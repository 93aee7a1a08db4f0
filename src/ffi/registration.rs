//! What the agent is registered as, and who uses the machine from now on.

use std::ffi::c_char;

use super::boundary::{status, view};
use super::client::with;
use super::engine::{hear, homing_engine};
use super::event::homing_event;
use super::handle::homing_client;
use super::identity::{mode_code, read_name};
use super::snapshot::homing_snapshot;
use super::status::homing_status;
use super::text::homing_text;
use crate::engine::{Command, Event, Input};
use crate::types::Name;

/// Of `HOMING_EVENT_REGISTERED`: the mode that the server has given the agent, `HOMING_ACCOUNT_…`; 0 when it named none, and for
/// other events.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_event_account_mode(event: *const homing_event) -> i32 {
    let mode = |event: &homing_event| {
        if let Event::Registered { mode, .. } = event.told() { mode_code(*mode) } else { 0 }
    };
    // SAFETY: the caller's promise.
    unsafe { view(event, 0, mode) }
}

/// The group that a server named last, in this life of the agent or an earlier one; none when none did. The view lives until the
/// snapshot is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_snapshot_group(snapshot: *const homing_snapshot) -> homing_text {
    let group = |snapshot: &homing_snapshot| {
        let registration = snapshot.snapshot().registration.as_ref();
        homing_text::of(registration.and_then(|known| known.group.as_ref()).map(Name::as_str))
    };
    // SAFETY: the caller's promise.
    unsafe { view(snapshot, homing_text::NONE, group) }
}

/// The mode that a server named last: `HOMING_ACCOUNT_…`; 0 when none did.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_snapshot_account_mode(snapshot: *const homing_snapshot) -> i32 {
    let mode = |snapshot: &homing_snapshot| {
        mode_code(snapshot.snapshot().registration.as_ref().and_then(|known| known.mode))
    };
    // SAFETY: the caller's promise.
    unsafe { view(snapshot, 0, mode) }
}

/// 1 when the server in use sees the agent's id on more than one machine, else 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_snapshot_is_duplicate(snapshot: *const homing_snapshot) -> u32 {
    // SAFETY: the caller's promise.
    unsafe { view(snapshot, 0, |snapshot| snapshot.snapshot().duplicate.into()) }
}

/// Another user uses the machine, NUL-terminated; NULL: none does. The agent registers again and says so, 10 s after the last
/// registration began at the earliest; of several changes until then the last is told. A client without an identity has one
/// from now on.
///
/// Errors: `HOMING_ERROR_RANGE` for a text that cannot be a name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_client_user_changed(
    client: *mut homing_client,
    user: *const c_char,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        status(|| {
            let user = read_name(user, "user")?;
            with(client, |client| {
                client.user_changed(user);
                Ok(())
            })
        })
    }
}

/// The same for an engine.
///
/// Errors: `HOMING_ERROR_RANGE` for a text that cannot be a name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_engine_user_changed(
    engine: *mut homing_engine,
    now_ns: u64,
    user: *const c_char,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        status(|| {
            let user = read_name(user, "user")?;
            hear(engine, now_ns, Input::Command(Command::UserChanged(user)))
        })
    }
}
