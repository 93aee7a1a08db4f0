//! Whom the application's pointer belongs to, and when it is dropped.
#![allow(unsafe_code, reason = "the functions are called as C calls them")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

use std::ffi::{CStr, c_void};
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use std::{mem, ptr};

use homing::ffi::*;

/// Nothing listens there: the client has plenty to tell.
const SETTINGS: &[u8] = br#"{ "server_lists": [ { "name": "one", "priorities": [ { "servers": [
    { "id": "a", "address": "127.0.0.1", "protocol": "http", "http_port": 1 }
] } ] } ] }"#;

#[derive(Default)]
struct Seen {
    called: AtomicU32,
    dropped: AtomicU32,
    called_after_drop: AtomicU32,
    client: AtomicPtr<homing_client>,
}

impl Seen {
    fn call(&self) {
        self.called.fetch_add(1, Ordering::SeqCst);
        self.called_after_drop.fetch_add(self.dropped.load(Ordering::SeqCst), Ordering::SeqCst);
    }

    fn dropped(&self) -> u32 {
        self.dropped.load(Ordering::SeqCst)
    }
}

fn seen<'a>(user_data: *mut c_void) -> &'a Seen {
    // SAFETY: every test gives a `Seen` that lives longer than its client.
    unsafe { &*user_data.cast::<Seen>() }
}

unsafe extern "C" fn drop_user_data(user_data: *mut c_void) {
    seen(user_data).dropped.fetch_add(1, Ordering::SeqCst);
}

unsafe extern "C" fn on_thread_start(user_data: *mut c_void) {
    seen(user_data).call();
}

unsafe extern "C" fn on_event(user_data: *mut c_void, _: *mut homing_client, _: *const homing_event) {
    seen(user_data).call();
}

unsafe extern "C" fn free_at_first(
    user_data: *mut c_void,
    client: *mut homing_client,
    _: *const homing_event,
) {
    let seen = seen(user_data);
    seen.call();
    if seen.client.swap(client, Ordering::SeqCst).is_null() {
        // SAFETY: it is freed once, here.
        unsafe { homing_client_free(client) }
    }
}

/// Starts a client with what `set` sets.
fn start(seen: &Seen, set: impl FnOnce(&mut homing_options)) -> (homing_status, *mut homing_client) {
    // SAFETY: all zero is a valid value of the options, and everything lives until the calls return.
    unsafe {
        let mut settings = ptr::null_mut();
        let parsed = homing_settings_parse(
            SETTINGS.as_ptr(),
            SETTINGS.len(),
            HOMING_SOURCE_PERSON,
            &mut settings,
            ptr::null_mut(),
        );
        assert_eq!(parsed, HOMING_OK);
        let mut options: homing_options = mem::zeroed();
        options.struct_size = size_of::<homing_options>() as u64;
        options.agent_id = c"agent-1".as_ptr();
        options.user_data = ptr::from_ref(seen).cast_mut().cast();
        options.drop_user_data = Some(drop_user_data);
        set(&mut options);
        let mut client = ptr::null_mut();
        let status = homing_client_start(settings, &options, &mut client, ptr::null_mut());
        homing_settings_free(settings);
        (status, client)
    }
}

/// Fetches events until `kind` comes.
fn wait_for(client: *mut homing_client, kind: i32) {
    loop {
        let mut event = ptr::null_mut();
        // SAFETY: the client lives, and so does the event until it is freed.
        unsafe {
            assert_eq!(homing_client_next_event(client, 60_000, &mut event), HOMING_OK);
            let found = homing_event_kind(event) == kind;
            homing_event_free(event);
            if found {
                return;
            }
        }
    }
}

#[test]
fn a_client_without_callbacks_keeps_it_until_it_is_freed() {
    let seen = Seen::default();
    let (status, client) = start(&seen, |_| {});
    assert_eq!((status, seen.dropped()), (HOMING_OK, 0));
    wait_for(client, HOMING_EVENT_ATTEMPT_FAILED);
    assert_eq!(seen.dropped(), 0);
    // SAFETY: it is freed once.
    unsafe { homing_client_free(client) };
    assert_eq!(seen.dropped(), 1);
}

#[test]
fn a_callback_that_is_called_once_does_not_take_it_along() {
    let seen = Seen::default();
    let (status, client) = start(&seen, |options| options.on_thread_start = Some(on_thread_start));
    assert_eq!(status, HOMING_OK);
    wait_for(client, HOMING_EVENT_ATTEMPT_FAILED);
    assert_eq!((seen.called.load(Ordering::SeqCst), seen.dropped()), (1, 0));
    // SAFETY: it is freed once.
    unsafe { homing_client_free(client) };
    assert_eq!(seen.dropped(), 1);
}

#[test]
fn it_is_dropped_after_the_last_event_and_before_the_free_returns() {
    let seen = Seen::default();
    let (status, client) = start(&seen, |options| options.on_event = Some(on_event));
    assert_eq!(status, HOMING_OK);
    // SAFETY: the client lives until it is freed.
    unsafe {
        assert_eq!(homing_client_join(client, 0), HOMING_ERROR_TIMEOUT);
        assert_eq!(homing_client_stop(client, 0), HOMING_OK);
        assert_eq!(homing_client_join(client, 60_000), HOMING_OK);
        assert_eq!(seen.dropped(), 1);
        homing_client_free(client);
    }
    assert!(seen.called.load(Ordering::SeqCst) >= 1);
    assert_eq!((seen.called_after_drop.load(Ordering::SeqCst), seen.dropped()), (0, 1));
}

/// A callback may come before the start has returned, and free what the start is about to give.
#[test]
fn a_client_that_is_freed_by_its_first_callback_drops_it_once() {
    for _ in 0..50 {
        let seen = Seen::default();
        let (status, _) = start(&seen, |options| options.on_event = Some(free_at_first));
        assert_eq!(status, HOMING_OK);
        while seen.dropped() == 0 {
            std::thread::yield_now();
        }
        assert_eq!(seen.called_after_drop.load(Ordering::SeqCst), 0);
    }
}

#[test]
fn a_start_that_fails_leaves_it_to_the_caller() {
    let seen = Seen::default();
    let (status, client) = start(&seen, |options| {
        options.on_event = Some(on_event);
        options.agent_id = c"two words".as_ptr();
    });
    assert_eq!((status, client.is_null(), seen.dropped()), (HOMING_ERROR_AGENT_ID, true, 0));
    let text = homing_status_text(status);
    // SAFETY: it lives for ever.
    let text = unsafe { std::slice::from_raw_parts(text.data.cast::<u8>(), text.len) };
    assert!(CStr::from_bytes_until_nul(text).is_err(), "views are not NUL-terminated");
}
