//! The engine on a thread of its own: the managed mount.

use std::ffi::c_char;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::boundary::{Place, read_sized, reference, status};
use super::error::{homing_error, telling};
use super::event::homing_event;
use super::handle::homing_client;
use super::options::{MOST_STATUS, builder, choices, credentials, homing_header, homing_options};
use super::settings::homing_settings;
use super::snapshot::homing_snapshot;
use super::status::{
    Failed, HOMING_ERROR_CREDENTIAL, HOMING_ERROR_FORKED, HOMING_ERROR_INTERNAL, HOMING_ERROR_POISONED,
    HOMING_ERROR_RANGE, HOMING_ERROR_STOPPED, HOMING_ERROR_SYSTEM, HOMING_ERROR_TIMEOUT, homing_status,
};
use super::text;
use super::user_data::UserData;
use crate::client::{Client, Credentials, Ended, Process};

/// Starts a client. What the settings name is read, and its thread runs, when this returns.
///
/// `settings` and `options` may be freed afterwards. On success the caller owns `*out`, which is written before the
/// first callback that is given the client. Callbacks may come before this returns; if one of them frees the client, `*out` is
/// not to be used any more.
///
/// Errors: `HOMING_ERROR_AGENT_ID`, `HOMING_ERROR_TUNING`, `HOMING_ERROR_ROUTE`, `HOMING_ERROR_CREDENTIAL`, `HOMING_ERROR_RANGE`,
/// `HOMING_ERROR_FILE`, `HOMING_ERROR_CERTIFICATE`, `HOMING_ERROR_SYSTEM`. Nothing runs then, and `user_data` is
/// still the caller's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_client_start(
    settings: *const homing_settings,
    options: *const homing_options,
    out: *mut *mut homing_client,
    error: *mut *mut homing_error,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        telling(error, || {
            let out = Place::new(out, "out")?;
            let settings = Arc::clone(&reference(settings, "settings")?.settings);
            let options = read_sized(options, "options")?;
            let data = UserData::new(options.user_data, options.drop_user_data);
            let handle = Arc::new(homing_client {
                client: OnceLock::new(),
                poisoned: AtomicBool::new(false),
                process: Process::current(),
            });
            let builder = builder(settings, &options, &data, &handle)?;
            let client = builder.drop_guard((Arc::clone(&data), Arc::clone(&handle))).start()?;
            // From here on the client alone decides when nothing needs the application's pointer any more.
            data.take_over();
            drop(data);
            out.write(Arc::into_raw(Arc::clone(&handle)).cast_mut());
            // Callbacks that came before wait for this, and may free what was just written.
            let _ = handle.client.set(client);
            Ok(())
        })
    }
}

/// The next event: `*out` is an event the caller owns, or NULL when none came within `timeout_ms`, at most 49 days. When
/// there is an event callback, none ever comes.
///
/// At most 1,024 events wait. When they are not fetched, events that tell of progress make room, the oldest first; of
/// changes of state the newest of each kind stays. On the client's own thread it does not wait.
///
/// Errors: `HOMING_ERROR_STOPPED` when the client has stopped and every event was fetched.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_client_next_event(
    client: *mut homing_client,
    timeout_ms: u32,
    out: *mut *mut homing_event,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        status(|| {
            let out = Place::new(out, "out")?;
            with(client, |client| {
                match client.next_event_timeout(Duration::from_millis(timeout_ms.into())) {
                    Ok(Some(event)) => out.give(homing_event::new(event)),
                    Ok(None) => out.write(std::ptr::null_mut()),
                    Err(Ended) => return Err(Failed::plain(HOMING_ERROR_STOPPED)),
                }
                Ok(())
            })
        })
    }
}

/// What a loop of the program's own can wait on: a file descriptor, on Windows the HANDLE of an event object, that is
/// ready to be read while events wait to be fetched, and at no other time. Level-triggered.
///
/// `*out` belongs to the client and is closed with it; it is only to be waited on. It is made at the first call.
///
/// Errors: `HOMING_ERROR_SYSTEM` when there is no descriptor left.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_client_waitable(
    client: *const homing_client,
    out: *mut i64,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        status(|| {
            let out = Place::new(out, "out")?;
            with(client, |client| {
                let waitable =
                    client.lent_waitable().map_err(|error| Failed::new(HOMING_ERROR_SYSTEM, error))?;
                out.write(number(&waitable));
                Ok(())
            })
        })
    }
}

/// How many events had to make room for newer ones because nobody fetched them. 0 for NULL, and in a child.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_client_lost_events(client: *const homing_client) -> u64 {
    // SAFETY: the caller's promise.
    unsafe { with(client, |client| Ok(client.lost_events())) }.unwrap_or(0)
}

/// How many bodies of answers had to make room, for newer ones that nobody fetched or for larger ones of one search; their
/// events have none. 0 for NULL, and in a child.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_client_lost_bodies(client: *const homing_client) -> u64 {
    // SAFETY: the caller's promise.
    unsafe { with(client, |client| Ok(client.lost_bodies())) }.unwrap_or(0)
}

/// What is said with every heartbeat from now on: `len` bytes of the product's own, at most 16 MiB; the newest counts.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_client_set_status(
    client: *mut homing_client,
    data: *const u8,
    len: usize,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        status(|| {
            let data = text::bytes(data, len, MOST_STATUS, "data")?;
            with(client, |client| {
                client.set_status(data);
                Ok(())
            })
        })
    }
}

/// Sets one header field the agent shows servers to be let in, and keeps the others. It is sent over verified TLS only.
/// Servers that refused the old ones are asked again.
///
/// Errors: `HOMING_ERROR_CREDENTIAL`; nothing has changed then. The error never repeats the secret.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_client_set_header(
    client: *mut homing_client,
    name: *const c_char,
    secret: *const u8,
    secret_len: usize,
    error: *mut *mut homing_error,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        telling(error, || {
            let name = text::required(name, "name")?;
            let secret = text::bytes(secret, secret_len, Credentials::MOST_BYTES, "secret")
                .map_err(|failed| failed.too_much(HOMING_ERROR_CREDENTIAL))?;
            with(client, |client| Ok(client.set_header(name, secret)?))
        })
    }
}

/// Removes one header field; that there is none is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_client_remove_header(
    client: *mut homing_client,
    name: *const c_char,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        status(|| {
            let name = text::required(name, "name")?;
            with(client, |client| {
                client.remove_header(name);
                Ok(())
            })
        })
    }
}

/// Shows servers these header fields from now on, instead of everything shown before.
///
/// Errors: `HOMING_ERROR_CREDENTIAL`; nothing has changed then.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_client_set_headers(
    client: *mut homing_client,
    headers: *const homing_header,
    count: usize,
    error: *mut *mut homing_error,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        telling(error, || {
            let credentials = credentials(headers, count, "headers")?;
            with(client, |client| {
                client.set_credentials(credentials);
                Ok(())
            })
        })
    }
}

/// Says that the network changed. Connections are looked at, and waiting times end early.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_client_network_changed(client: *mut homing_client) -> homing_status {
    // SAFETY: the caller's promise.
    unsafe { command(client, Client::network_changed) }
}

/// Says that the machine was suspended and runs again. The client notices by itself where its clock runs through
/// suspend; saying it twice does no harm.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_client_resumed(client: *mut homing_client) -> homing_status {
    // SAFETY: the caller's promise.
    unsafe { command(client, Client::resumed) }
}

/// Makes a heartbeat now; when no server is attached, looks for one now. `*number`, which may be NULL, is the number of this
/// request, from 1.
///
/// The request is done when a `HOMING_EVENT_HEARTBEAT` comes whose `homing_event_covers` is this number or more: the server has
/// answered a heartbeat whose status was taken after the request. Until then attempts may fail and servers change; the
/// request stands. It is never done when communication is switched off, or when the client stops before.
///
/// Requests are merged. One that comes before the server may be spoken to again (its `Retry-After`, or a second after the
/// last connection to it was begun) waits until then, together with all others, and those that come while a heartbeat is under
/// way share the next one: twenty requests in four seconds make about five heartbeats where each needs a connection of
/// its own. A request made inside `on_heartbeat` waits for the next heartbeat that is due.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_client_beat_now(
    client: *mut homing_client,
    number: *mut u64,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        status(|| {
            let number = Place::optional(number);
            with(client, |client| {
                let request = client.beat_now();
                if let Some(number) = number {
                    number.write(request);
                }
                Ok(())
            })
        })
    }
}

/// The product has taken the policy of this entity tag over for good; NUL-terminated UTF-8, at most 256 bytes. Until then a
/// policy that a `HOMING_EVENT_POLICY` brought is brought again by the next life of the agent; from then on it is not, and a
/// server that still has it is not asked for it. An empty or longer tag does nothing. Remembered where there is a store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_client_confirm_policy(
    client: *mut homing_client,
    tag: *const c_char,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        status(|| {
            let tag = text::required(tag, "tag")?;
            with(client, |client| {
                client.confirm_policy(tag);
                Ok(())
            })
        })
    }
}

/// Decides about settings of this entity tag, NUL-terminated UTF-8, that wait since `on_settings` said
/// `HOMING_CONSENT_LATER`. Does nothing when others wait, or none.
///
/// Errors: `HOMING_ERROR_RANGE` for another consent than `HOMING_CONSENT_…`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_client_decide_settings(
    client: *mut homing_client,
    tag: *const c_char,
    consent: i32,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        status(|| {
            let tag = text::required(tag, "tag")?;
            let consent = super::consent::consent(consent).ok_or_else(|| {
                Failed::new(HOMING_ERROR_RANGE, format!("`consent` {consent} is none of them"))
            })?;
            with(client, |client| {
                client.decide_settings(tag, consent);
                Ok(())
            })
        })
    }
}

/// Finds out now where the machine is: asks the reference servers, whatever is known already.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_client_probe_now(client: *mut homing_client) -> homing_status {
    // SAFETY: the caller's promise.
    unsafe { command(client, Client::probe_now) }
}

/// Puts other settings in force, as a whole; they may be freed afterwards. The server in use is kept if they still
/// name it. The files they name are read before this returns; the change itself follows on the client's thread.
///
/// Errors: `HOMING_ERROR_FILE`, `HOMING_ERROR_CERTIFICATE`. The old settings stay then.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_client_reconfigure(
    client: *mut homing_client,
    settings: *const homing_settings,
    error: *mut *mut homing_error,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        telling(error, || {
            let settings = Arc::clone(&reference(settings, "settings")?.settings);
            with(client, |client| Ok(client.reconfigure(settings)?))
        })
    }
}

/// Puts a location's settings in force; NULL means the group's. So does a name that the settings do not have, and the event
/// `HOMING_EVENT_SETTINGS_WARNING` says so.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_client_set_location(
    client: *mut homing_client,
    location: *const c_char,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        status(|| {
            let location = text::optional(location, "location")?;
            with(client, |client| {
                client.set_location(location);
                Ok(())
            })
        })
    }
}

/// Uses these ways to the servers from now on, `count` of them, 1 to 8, in the order in which they are tried, each as in the options:
/// `direct`, or a proxy as `http://[USER:PASSWORD@]HOST:PORT`. The same ways change nothing; else connections made by others end, no server
/// is charged for that, and the server in use is asked again by these at once.
///
/// Errors: `HOMING_ERROR_ROUTE`, `HOMING_ERROR_UTF8`, told by `*error`, which may be NULL. Nothing changes then.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_client_set_routes(
    client: *mut homing_client,
    routes: *const *const c_char,
    count: usize,
    error: *mut *mut homing_error,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        telling(error, || {
            let routes = choices(routes, count)?;
            with(client, |client| Ok(client.set_routes(routes)?))
        })
    }
}

/// How things stand. On success the caller owns `*out`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_client_snapshot(
    client: *const homing_client,
    out: *mut *mut homing_snapshot,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        status(|| {
            let out = Place::new(out, "out")?;
            with(client, |client| {
                out.give(homing_snapshot::new(client.snapshot()));
                Ok(())
            })
        })
    }
}

/// Asks for the end and returns at once. An exchange under way may take until the end of the grace; the last event is
/// `HOMING_EVENT_STOPPED`. The first grace counts: a second call changes nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_client_stop(client: *mut homing_client, grace_ms: u32) -> homing_status {
    // SAFETY: the caller's promise.
    unsafe { command(client, |client| client.begin_stop(Duration::from_millis(grace_ms.into()))) }
}

/// Waits until the client's thread has ended and `drop_user_data` was called. It asks for nothing: without
/// `homing_client_stop` it only looks. For those who cannot wait as long as `homing_client_free` may.
///
/// Errors: `HOMING_ERROR_TIMEOUT` when `timeout_ms` were not enough, and at once on the client's own thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_client_join(client: *const homing_client, timeout_ms: u32) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        status(|| {
            with(client, |client| {
                if client.join_timeout(Duration::from_millis(timeout_ms.into())) {
                    return Ok(());
                }
                Err(Failed::plain(HOMING_ERROR_TIMEOUT))
            })
        })
    }
}

/// Frees a client; NULL is fine. One that was not told to stop is stopped without grace.
///
/// Waits until the client's thread has ended and `drop_user_data` was called, however long a callback takes: nothing
/// of the application is called when it returns. It never waits for a name look-up, whose thread may live on.
///
/// Inside a callback of the client itself it returns at once. The thread ends after the callback has returned; until
/// `drop_user_data`, further callbacks may come, and the client they are given may be used, but not freed again.
///
/// In a child of the process that started the client it does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_client_free(client: *mut homing_client) {
    if client.is_null() || !client.is_aligned() {
        return;
    }
    // SAFETY: the caller's promise.
    let handle = unsafe { Arc::from_raw(client.cast_const()) };
    if !handle.process.is_current() {
        // In a child there is no thread to wait for, and locks may be held for ever.
        std::mem::forget(handle);
        return;
    }
    let _ = catch_unwind(AssertUnwindSafe(|| {
        let client = handle.client.wait();
        client.begin_stop(Duration::ZERO);
        client.join();
    }));
    let _ = catch_unwind(AssertUnwindSafe(|| drop(handle)));
}

unsafe fn command(client: *mut homing_client, say: impl FnOnce(&Client)) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        status(|| {
            with(client, |client| {
                say(client);
                Ok(())
            })
        })
    }
}

/// Does something with a client of this process. A panic poisons it.
pub(super) unsafe fn with<T>(
    client: *const homing_client,
    body: impl FnOnce(&Client) -> Result<T, Failed>,
) -> Result<T, Failed> {
    // SAFETY: the caller's promise.
    let handle = unsafe { reference(client, "client") }?;
    // Before anything that could wait: a thread of the parent may have held any lock when the child was made.
    if !handle.process.is_current() {
        return Err(Failed::plain(HOMING_ERROR_FORKED));
    }
    if handle.poisoned.load(Ordering::Relaxed) {
        return Err(Failed::plain(HOMING_ERROR_POISONED));
    }
    // A callback may be here before the start has returned, which it is about to.
    let client = handle.client.wait();
    catch_unwind(AssertUnwindSafe(|| body(client))).unwrap_or_else(|_| {
        handle.poisoned.store(true, Ordering::Relaxed);
        Err(Failed::plain(HOMING_ERROR_INTERNAL))
    })
}

#[cfg(unix)]
fn number(waitable: &impl std::os::fd::AsRawFd) -> i64 {
    waitable.as_raw_fd().into()
}

#[cfg(windows)]
fn number(waitable: &impl std::os::windows::io::AsRawHandle) -> i64 {
    waitable.as_raw_handle() as i64
}
