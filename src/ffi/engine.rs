//! An engine in a product's own event loop: the driven mount.

use std::borrow::Cow;
use std::ffi::c_char;
use std::ptr;
use std::sync::{Arc, Mutex, TryLockError};
use std::time::Duration;

use super::action::{Current, HOMING_ROUTE_DIRECT, homing_action};
use super::boundary::{Growing, Place, SizedPlace, free, no_padding, number, read_sized, reference, status};
use super::consent::takes_settings;
use super::error::{homing_error, telling};
use super::event::homing_event;
use super::identity::{homing_identity, read_identity};
use super::options::MOST_ROUTES;
use super::settings::homing_settings;
use super::snapshot::homing_snapshot;
use super::status::{
    Failed, HOMING_ERROR_BUSY, HOMING_ERROR_INTERNAL, HOMING_ERROR_MEMORY, HOMING_ERROR_POISONED,
    HOMING_ERROR_RANGE, HOMING_ERROR_ROUTE, homing_status,
};
use super::string::homing_string;
use super::text;
use crate::client::{ClientEvent, random};
use crate::engine::{Away, Command, Engine, Input, Memory, SettingsName, Setup, Tuning, Wake};
use crate::store::MAX_MEMORY;
use crate::types::{Moment, Route, SettingsId};

/// Every decision homing makes, and nothing else: no clock, no thread, no socket.
///
/// The driver says what happened (`homing_engine_connected`, …), drains `homing_engine_next_action` and
/// `homing_engine_next_event` until they have nothing, does what they ask for, and comes back with
/// `homing_engine_timeout` at the time that `homing_engine_deadline` names. Everything may be drained in any order and
/// late. Inputs that name something the engine has given up are ignored, and counted in the snapshot.
///
/// Times named `now_ns` are nanoseconds on a clock that is never set, of the driver's choice of origin; where the
/// system has one, a clock that runs through suspend (`CLOCK_BOOTTIME`). An earlier time than the last counts as the last.
///
/// An engine belongs to one thread at a time; where two use it at once, one gets `HOMING_ERROR_BUSY`. It never blocks.
pub struct homing_engine(Mutex<Driven>);

struct Driven {
    engine: Engine,
    /// How often it was reconfigured: the number of its settings.
    reconfigured: u32,
    now: Moment,
    current: Current,
}

/// What an engine is made of. Zero everything, set `struct_size` and `agent_id`, and what is to differ from the default.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct homing_engine_options {
    /// `sizeof(homing_engine_options)`.
    pub struct_size: u64,
    /// Who this agent is: 1 to 128 visible ASCII characters, NUL-terminated. Required; the same after every restart.
    pub agent_id: *const c_char,
    /// The constants of the rules as JSON, NUL-terminated; NULL for the defaults.
    pub tuning_json: *const c_char,
    /// What the engine before this one asked to be remembered, `memory_len` bytes; NULL for a new agent.
    pub memory: *const u8,
    /// Bytes of it; at most 256 KiB.
    pub memory_len: usize,
    /// How many milliseconds ago that was stored; NULL when the wall clock is not believable.
    pub away_ms: *const u64,
    /// Fixes every random choice, for tests; NULL: the system chooses.
    pub seed: *const u64,
    /// The ways to the servers in the order in which they are tried, `HOMING_ROUTE_DIRECT` or the number of a proxy of
    /// the driver's, 0 to 255; NULL for direct alone.
    pub routes: *const i32,
    /// How many ways: at most 8.
    pub route_count: usize,
    /// Names the settings in the memory, NUL-terminated; NULL: nothing is remembered of settings. It says which document they
    /// are and no other: the SHA-256 of its bytes in hexadecimal, say. 1 to 128 visible ASCII characters.
    pub settings_digest: *const c_char,
    /// The entity tag that a server gave them, NUL-terminated; NULL where none did.
    pub settings_tag: *const c_char,
    /// The same as `settings_digest` for what the program has, which may be other settings; NULL: the same.
    pub given_digest: *const c_char,
    /// `HOMING_TAKES_…`: from which servers settings are read.
    pub takes_settings: i32,
    /// 0.
    pub reserved: u32,
    /// What is said of the machine when the agent registers; NULL: it does not register.
    pub identity: *const homing_identity,
}

const POINTER: usize = size_of::<*const u8>();
const _: () = assert!(no_padding(size_of::<homing_engine_options>(), &[8, 11 * POINTER, 8, POINTER]));

// SAFETY: `repr(C)`, the size first, pointers and sizes, and all zero are NULL and 0.
unsafe impl Growing for homing_engine_options {
    const LEAST: usize = 8 + size_of::<usize>();
}

/// Actions or events wait to be drained.
pub const HOMING_WAKE_DRAIN: i32 = 1;
/// A limit, a start, a probe or the end of a wait.
pub const HOMING_WAKE_ATTACHMENT: i32 = 2;
/// A heartbeat or a stream is due.
pub const HOMING_WAKE_SCHEDULE: i32 = 3;
/// The reference servers are asked, or have had their time.
pub const HOMING_WAKE_LOCATION: i32 = 4;
/// The budget of settings on trial is looked at.
pub const HOMING_WAKE_TRIAL: i32 = 5;

/// Makes an engine. Nothing happens before the first `homing_engine_timeout`.
///
/// `settings` may be freed afterwards. On success the caller owns `*out`.
///
/// Errors: `HOMING_ERROR_AGENT_ID`, `HOMING_ERROR_TUNING`, `HOMING_ERROR_ROUTE`, and `HOMING_ERROR_MEMORY`, after which a
/// driver tries again without the memory: that costs progress, nothing else.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_engine_new(
    settings: *const homing_settings,
    options: *const homing_engine_options,
    now_ns: u64,
    out: *mut *mut homing_engine,
    error: *mut *mut homing_error,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        telling(error, || {
            let out = Place::new(out, "out")?;
            let settings = Arc::clone(&reference(settings, "settings")?.settings);
            let options = read_sized(options, "options")?;
            let agent = text::required(options.agent_id, "options.agent_id")?.parse()?;
            let tuning = match text::optional(options.tuning_json, "options.tuning_json")? {
                Some(json) => Tuning::parse(json.as_bytes())?,
                None => Tuning::default(),
            };
            let memory = memory(options.memory, options.memory_len)?;
            let away =
                number(options.away_ms).map_or(Away::Unknown, |away| Away::For(Duration::from_millis(away)));
            let seed = number(options.seed).map_or_else(random, Ok)?;
            let routes = ways(options.routes, options.route_count)?;
            if options.reserved != 0 {
                return Err(Failed::new(HOMING_ERROR_RANGE, "`options.reserved` is to be 0".to_owned()));
            }
            let settings_name = name(options.settings_digest, options.settings_tag, ptr::null())?;
            let given = text::optional(options.given_digest, "options.given_digest")?.map(Arc::from);
            let given = given.or_else(|| settings_name.as_ref().map(|name| name.digest.clone()));
            let takes_settings = takes_settings(options.takes_settings).ok_or_else(|| {
                let problem = format!("`options.takes_settings` {} is none of them", options.takes_settings);
                Failed::new(HOMING_ERROR_RANGE, problem)
            })?;
            let identity = read_identity(options.identity)?;
            let tuning = Arc::new(tuning);
            let names = Setup::new(settings, agent);
            let setup = Setup { tuning, routes, settings_name, given, takes_settings, identity, ..names };
            let now = Moment::from_nanos(now_ns);
            let engine = Engine::new(setup, memory, away, seed, now);
            out.give(homing_engine(Mutex::new(Driven {
                engine,
                reconfigured: 0,
                now,
                current: Current::default(),
            })));
            Ok(())
        })
    }
}

/// What names settings in the memory.
pub(super) unsafe fn name(
    digest: *const c_char,
    tag: *const c_char,
    serial: *const u64,
) -> Result<Option<SettingsName>, Failed> {
    // SAFETY: the caller's promises.
    let (digest, tag, serial) =
        unsafe { (text::optional(digest, "digest")?, text::optional(tag, "tag")?, number(serial)) };
    let Some(digest) = digest else { return Ok(None) };
    if digest.is_empty() || digest.len() > 128 || !digest.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Failed::new(
            HOMING_ERROR_RANGE,
            "a digest has 1 to 128 visible ASCII characters".to_owned(),
        ));
    }
    Ok(Some(SettingsName { digest: digest.into(), tag: tag.map(Arc::from), serial }))
}

/// What an earlier engine asked to be remembered.
unsafe fn memory(data: *const u8, len: usize) -> Result<Memory, Failed> {
    // SAFETY: the caller's promise.
    let json = unsafe { text::bytes(data, len, MAX_MEMORY, "options.memory") };
    match json.map_err(|failed| failed.too_much(HOMING_ERROR_MEMORY))? {
        [] => Ok(Memory::default()),
        json => serde_json::from_slice(json)
            .map_err(|error| Failed::new(HOMING_ERROR_MEMORY, format!("`options.memory`: {error}"))),
    }
}

fn way(route: i32) -> Result<Route, Failed> {
    match u8::try_from(route) {
        Ok(number) => Ok(Route::Proxy(number)),
        Err(_) if route == HOMING_ROUTE_DIRECT => Ok(Route::Direct),
        Err(_) => Err(Failed::new(HOMING_ERROR_ROUTE, format!("`routes`: {route} is no route"))),
    }
}

/// The ways to the servers as C gives them; none is direct alone.
///
/// # Safety
/// The numbers can be read.
pub(super) unsafe fn ways(routes: *const i32, count: usize) -> Result<Arc<[Route]>, Failed> {
    // SAFETY: the caller's promise.
    let routes = unsafe { text::array(routes, count, MOST_ROUTES, "routes") };
    match routes.map_err(|failed| failed.too_much(HOMING_ERROR_ROUTE))? {
        [] => Ok([Route::Direct].into()),
        routes => routes.iter().map(|route| way(*route)).collect(),
    }
}

/// Use these ways to the servers from now on, `count` of them, at most 8, in the order in which they are tried: `HOMING_ROUTE_DIRECT` or the
/// number of a proxy of the driver's; none is direct alone. Connections made by others end, no server is charged for that, and the server
/// in use is asked again by these. A number must not name another proxy for 20 s after it left the list.
///
/// Errors: `HOMING_ERROR_ROUTE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_engine_set_routes(
    engine: *mut homing_engine,
    now_ns: u64,
    routes: *const i32,
    count: usize,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        status(|| {
            let (routes, proxies) = (ways(routes, count)?, Arc::default());
            hear(engine, now_ns, Input::Command(Command::SetRoutes { routes, proxies }))
        })
    }
}

/// The next thing to do to the world, written to `*action`, whose `struct_size` the caller has set:
/// `HOMING_ACTION_NONE` when there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_engine_next_action(
    engine: *mut homing_engine,
    action: *mut homing_action,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        status(|| {
            let place = SizedPlace::new(action, "action")?;
            with(engine, |driven| {
                let action = driven.engine.poll_action();
                place.write(&driven.current.show(action));
                Ok(())
            })
        })
    }
}

/// The next thing to tell the application: `*out` is an event the caller owns, or NULL when there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_engine_next_event(
    engine: *mut homing_engine,
    out: *mut *mut homing_event,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        status(|| {
            let out = Place::new(out, "out")?;
            with(engine, |driven| {
                let at = driven.now.since(Moment::ORIGIN);
                match driven.engine.poll_event() {
                    Some(event) => {
                        out.give(homing_event::new(ClientEvent { at, event, body: None, covers: 0 }))
                    }
                    None => out.write(ptr::null_mut()),
                }
                Ok(())
            })
        })
    }
}

/// When to call `homing_engine_timeout`, on the driver's clock: `*at_ns`, which is `UINT64_MAX` when nothing is ever due.
/// While something waits to be drained it is the time of the last input. `*wake`, unless NULL, is `HOMING_WAKE_…`: why;
/// 0 when nothing is due.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_engine_deadline(
    engine: *const homing_engine,
    at_ns: *mut u64,
    wake: *mut i32,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        status(|| {
            let place = Place::new(at_ns, "at_ns")?;
            let reason = if wake.is_null() { None } else { Some(Place::new(wake, "wake")?) };
            with(engine, |driven| {
                let deadline = driven.engine.deadline();
                place.write(deadline.map_or(u64::MAX, |(at, _)| at.as_nanos()));
                if let Some(reason) = reason {
                    reason.write(deadline.map_or(0, |(_, wake)| wake_code(wake)));
                }
                Ok(())
            })
        })
    }
}

/// What must outlive the process, as of the last `HOMING_ACTION_REMEMBER`: JSON of at most 256 KiB, to be stored as it is. On success the
/// caller owns `*out`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_engine_memory(
    engine: *const homing_engine,
    out: *mut *mut homing_string,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        status(|| {
            let out = Place::new(out, "out")?;
            with(engine, |driven| {
                let mut memory = Cow::Borrowed(driven.engine.memory());
                loop {
                    let json = serde_json::to_string(&memory)
                        .map_err(|error| Failed::new(HOMING_ERROR_INTERNAL, error))?;
                    if json.len() <= MAX_MEMORY || memory.servers.is_empty() {
                        out.give(homing_string::new(json));
                        return Ok(());
                    }
                    memory = Cow::Owned(memory.better_half());
                }
            })
        })
    }
}

/// How things stand at this moment. On success the caller owns `*out`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_engine_snapshot(
    engine: *const homing_engine,
    now_ns: u64,
    out: *mut *mut homing_snapshot,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        status(|| {
            let out = Place::new(out, "out")?;
            with(engine, |driven| {
                out.give(homing_snapshot::new(driven.engine.snapshot(Moment::from_nanos(now_ns))));
                Ok(())
            })
        })
    }
}

/// Frees an engine. NULL is fine. Nothing is said to anybody: what is open stays the driver's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_engine_free(engine: *mut homing_engine) {
    // SAFETY: the caller's promise.
    unsafe { free(engine) }
}

/// Says something to an engine.
pub(super) unsafe fn hear(engine: *mut homing_engine, now_ns: u64, input: Input<'_>) -> Result<(), Failed> {
    // SAFETY: the caller's promise.
    unsafe {
        with(engine, |driven| {
            driven.now = driven.now.max(Moment::from_nanos(now_ns));
            driven.engine.handle(driven.now, input);
            Ok(())
        })
    }
}

/// Gives an engine other settings, under the next number, by a command.
pub(super) unsafe fn give(
    engine: *mut homing_engine,
    now_ns: u64,
    command: impl FnOnce(SettingsId) -> Command,
) -> Result<(), Failed> {
    // SAFETY: the caller's promise.
    unsafe {
        with(engine, |driven| {
            driven.reconfigured = driven.reconfigured.wrapping_add(1);
            driven.now = driven.now.max(Moment::from_nanos(now_ns));
            let command = command(SettingsId(driven.reconfigured));
            driven.engine.handle(driven.now, Input::Command(command));
            Ok(())
        })
    }
}

/// Does something with an engine that nobody else is using. A panic in it poisons the lock, and with it the engine.
unsafe fn with<T>(
    engine: *const homing_engine,
    body: impl FnOnce(&mut Driven) -> Result<T, Failed>,
) -> Result<T, Failed> {
    // SAFETY: the caller's promise.
    let engine = unsafe { reference(engine, "engine") }?;
    match engine.0.try_lock() {
        Ok(mut driven) => body(&mut driven),
        Err(TryLockError::WouldBlock) => Err(Failed::plain(HOMING_ERROR_BUSY)),
        Err(TryLockError::Poisoned(_)) => Err(Failed::plain(HOMING_ERROR_POISONED)),
    }
}

const fn wake_code(value: Wake) -> i32 {
    match value {
        Wake::Drain => HOMING_WAKE_DRAIN,
        Wake::Attachment => HOMING_WAKE_ATTACHMENT,
        Wake::Schedule => HOMING_WAKE_SCHEDULE,
        Wake::Location => HOMING_WAKE_LOCATION,
        Wake::Trial => HOMING_WAKE_TRIAL,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ffi::input::homing_engine_timeout;
    use crate::ffi::status::HOMING_ERROR_INTERNAL;

    #[test]
    fn a_fault_poisons_the_engine_and_it_can_still_be_freed() {
        let settings = r#"{ "server_lists": [ { "name": "a", "priorities": [ { "servers": [ { "address": "a.test" } ] } ] } ] }"#;
        let setup = Setup::new(Arc::new(settings.parse().unwrap()), "agent".parse().unwrap());
        let now = Moment::ORIGIN;
        let engine = Engine::new(setup, Memory::default(), Away::Unknown, 1, now);
        let engine =
            homing_engine(Mutex::new(Driven { engine, reconfigured: 0, now, current: Current::default() }));
        let engine = Box::into_raw(Box::new(engine));
        // SAFETY: it came from a box and is freed once, at the end.
        unsafe {
            assert_eq!(status(|| with(engine, |_| panic!("a fault"))), HOMING_ERROR_INTERNAL);
            assert_eq!(homing_engine_timeout(engine, 0), HOMING_ERROR_POISONED);
            homing_engine_free(engine);
        }
    }
}
