//! Settings and a driven engine through the functions C calls, in any order and with any numbers: every status is one the
//! header names, nothing is written on failure, every view can be read, and draining ends.
#![no_main]

use std::ffi::{CString, c_char};
use std::{mem, ptr, slice};

use homing::ffi::*;
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

/// Settings that can be used, so that most stories have an engine.
const WRITTEN: [&[u8]; 3] = [
    include_bytes!("../seeds/settings/small.json"),
    include_bytes!("../seeds/settings/full.json"),
    include_bytes!("../seeds/settings/merged.json"),
];

/// What a driver may do before it has to sleep is a few actions for each server.
const MOST_DRAINED: usize = 100_000;

#[derive(Arbitrary, Debug)]
struct Story<'a> {
    settings: Document<'a>,
    source: i32,
    agent: Option<Words>,
    tuning: Option<Words>,
    memory: &'a [u8],
    away_ms: Option<u64>,
    seed: u64,
    routes: Vec<i32>,
    now_ns: u32,
    digest: Option<Words>,
    takes_settings: u8,
    identity: Option<Identity>,
    calls: Vec<(u32, Call<'a>)>,
}

#[derive(Arbitrary, Debug)]
enum Document<'a> {
    Written(u8),
    /// One byte of them is another.
    Damaged(u8, u16, u8),
    Any(&'a [u8]),
}

/// A string for C: what comes before the first NUL.
#[derive(Debug)]
struct Words(CString);

impl<'a> Arbitrary<'a> for Words {
    fn arbitrary(bytes: &mut arbitrary::Unstructured<'a>) -> arbitrary::Result<Self> {
        let text: &[u8] = Arbitrary::arbitrary(bytes)?;
        let text: Vec<u8> = text.iter().copied().take_while(|byte| *byte != 0).collect();
        CString::new(text).map(Self).map_err(|_| arbitrary::Error::IncorrectFormat)
    }
}

/// The number of something the engine asked for, or any number.
#[derive(Arbitrary, Debug)]
enum Number {
    /// So many before the newest.
    Known(u8),
    Any(u64),
}

#[derive(Arbitrary, Debug)]
enum Call<'a> {
    Timeout,
    /// At the time the engine named, however far away.
    Deadline,
    NextAction,
    NextEvent,
    Drain,
    Memory,
    Snapshot,
    Resolved(Number, Vec<Address>),
    ResolveFailed(Number, Failed),
    LookUpWaits(Number),
    LookUpBegins(Number),
    Connected(Number, Address, u8),
    Secured(Number, i8, u64),
    Lost(Number, Failed),
    FirstByte(Number),
    Done(Number, Outcome),
    Notice(Number, i8, Option<Words>, u64),
    NetworkChanged(i8),
    OnNetwork(Option<u64>),
    Resumed,
    ClockStepped,
    Remembered(u64),
    CannotRemember(u64),
    BeatNow,
    NewCredentials,
    Reconfigure(Document<'a>),
    Try(Document<'a>, Option<Words>, Option<Words>, Option<u64>, bool),
    Renew(u32, Document<'a>),
    SetLocation(Option<Words>),
    SetRoutes(Vec<i16>),
    Waiting(i8, u64, u64),
    Say(u64, u64, i8),
    User(Option<Words>),
    Stop(u64),
}

#[derive(Arbitrary, Debug)]
struct Address {
    ip: [u8; 16],
    is_v4: bool,
    family: u8,
    port: u32,
}

impl Address {
    fn as_c(&self) -> homing_address {
        let family = if self.is_v4 { 4 } else { u32::from(self.family) };
        homing_address { ip: self.ip, family, port: self.port, scope_id: 0 }
    }
}

#[derive(Arbitrary, Debug)]
struct Identity {
    user: Option<Words>,
    preferred_group: Option<Words>,
    preferred_mode: i8,
}

impl Identity {
    fn as_c(&self) -> homing_identity {
        homing_identity {
            struct_size: size_of::<homing_identity>() as u64,
            user: words(&self.user),
            preferred_group: words(&self.preferred_group),
            preferred_mode: self.preferred_mode.into(),
            reserved: 0,
        }
    }
}

#[derive(Arbitrary, Debug)]
struct Failed {
    cause: i8,
    status: u16,
    retry_after_ms: Option<u64>,
    note: Option<Words>,
}

impl Failed {
    fn as_c(&self) -> homing_failure {
        homing_failure {
            struct_size: size_of::<homing_failure>() as u64,
            cause: self.cause.into(),
            status: self.status.into(),
            retry_after_ms: self.retry_after_ms.as_ref().map_or(ptr::null(), ptr::from_ref),
            note: words(&self.note),
            judgement: ptr::null(),
        }
    }
}

#[derive(Arbitrary, Debug)]
struct Outcome {
    verdict: i8,
    status: u16,
    settings_tag: Option<Words>,
    policy_tag: Option<Words>,
    failure: Option<Failed>,
    drain_ms: Option<u64>,
    events: bool,
    acknowledged: u64,
    unacknowledged: u64,
    group: Option<Words>,
    account_mode: i8,
    registers: bool,
    duplicate: bool,
}

fuzz_target!(|story: Story| {
    let Some(settings) = Settings::parse(&story.settings, story.source) else { return };
    settings.look();
    if let Some(mut engine) = Engine::new(&story, &settings) {
        for (later_ms, call) in &story.calls {
            engine.now_ns = engine.now_ns.saturating_add(u64::from(*later_ms) * 1_000_000);
            engine.call(call);
        }
        engine.drain();
    }
});

struct Settings(*mut homing_settings);

impl Settings {
    fn parse(document: &Document<'_>, source: i32) -> Option<Self> {
        let written = |index: u8| WRITTEN[usize::from(index) % WRITTEN.len()].to_vec();
        let text = match document {
            Document::Written(index) => written(*index),
            Document::Damaged(index, at, byte) => {
                let mut text = written(*index);
                let at = usize::from(*at) % text.len();
                text[at] = *byte;
                text
            }
            Document::Any(text) => text.to_vec(),
        };
        let source = if matches!(document, Document::Any(_)) { source } else { HOMING_SOURCE_PERSON };
        let (mut settings, mut error) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: everything lives until the call returns.
        let status =
            unsafe { homing_settings_parse(text.as_ptr(), text.len(), source, &mut settings, &mut error) };
        assert_eq!(status == HOMING_OK, !settings.is_null());
        told(status, error);
        (status == HOMING_OK).then_some(Self(settings))
    }

    /// Asks everything that can be asked of settings.
    fn look(&self) {
        // SAFETY: the settings live, and the views are read at once.
        unsafe {
            for (count, text) in [
                (
                    homing_settings_warning_count(self.0),
                    homing_settings_warning as unsafe extern "C" fn(_, _) -> _,
                ),
                (homing_settings_lint_count(self.0), homing_settings_lint),
                (homing_settings_server_count(self.0), homing_settings_server),
                (homing_settings_location_count(self.0), homing_settings_location),
            ] {
                for index in 0..count {
                    assert!(read(text(self.0, index)) > 0);
                }
                assert!(text(self.0, count).data.is_null());
            }
        }
    }
}

impl Drop for Settings {
    fn drop(&mut self) {
        // SAFETY: it is freed once.
        unsafe { homing_settings_free(self.0) }
    }
}

struct Engine {
    engine: *mut homing_engine,
    now_ns: u64,
    /// Numbers of queries, links and exchanges it has named.
    named: Vec<u64>,
}

impl Engine {
    fn new(story: &Story<'_>, settings: &Settings) -> Option<Self> {
        let identity = story.identity.as_ref().map(Identity::as_c);
        let options = homing_engine_options {
            struct_size: size_of::<homing_engine_options>() as u64,
            agent_id: story.agent.as_ref().map_or(c"agent".as_ptr(), |agent| agent.0.as_ptr()),
            tuning_json: words(&story.tuning),
            memory: story.memory.as_ptr(),
            memory_len: story.memory.len(),
            away_ms: story.away_ms.as_ref().map_or(ptr::null(), ptr::from_ref),
            seed: &story.seed,
            routes: story.routes.as_ptr(),
            route_count: story.routes.len(),
            settings_digest: words(&story.digest),
            settings_tag: ptr::null(),
            given_digest: ptr::null(),
            takes_settings: (story.takes_settings % 4).into(),
            reserved: 0,
            identity: identity.as_ref().map_or(ptr::null(), ptr::from_ref),
        };
        let (mut engine, mut error) = (ptr::null_mut(), ptr::null_mut());
        let now_ns = story.now_ns.into();
        // SAFETY: everything lives until the call returns.
        let status = unsafe { homing_engine_new(settings.0, &options, now_ns, &mut engine, &mut error) };
        assert_eq!(status == HOMING_OK, !engine.is_null());
        told(status, error);
        (status == HOMING_OK).then(|| Self { engine, now_ns, named: Vec::new() })
    }

    fn number(&self, number: &Number) -> u64 {
        match *number {
            Number::Known(back) => self.named.iter().rev().nth(back.into()).copied().unwrap_or(1),
            Number::Any(number) => number,
        }
    }

    fn call(&mut self, call: &Call<'_>) {
        let (engine, now) = (self.engine, self.now_ns);
        // SAFETY: the engine lives, and so does everything else until the call returns.
        let status = unsafe {
            match call {
                Call::Timeout => homing_engine_timeout(engine, now),
                Call::Deadline => self.wait(),
                Call::NextAction => {
                    self.act();
                    HOMING_OK
                }
                Call::NextEvent => {
                    self.emit();
                    HOMING_OK
                }
                Call::Drain => {
                    self.drain();
                    HOMING_OK
                }
                Call::Memory => {
                    let mut memory = ptr::null_mut();
                    let status = homing_engine_memory(engine, &mut memory);
                    assert!(read(homing_string_text(memory)) > 0);
                    homing_string_free(memory);
                    status
                }
                Call::Snapshot => {
                    let mut snapshot = ptr::null_mut();
                    let status = homing_engine_snapshot(engine, now, &mut snapshot);
                    assert!(read(homing_snapshot_json(snapshot)) > 0);
                    assert!(read(homing_snapshot_explain(snapshot)) > 0);
                    homing_snapshot_free(snapshot);
                    status
                }
                Call::Resolved(query, addresses) => {
                    let addresses: Vec<_> = addresses.iter().map(Address::as_c).collect();
                    homing_engine_resolved(
                        engine,
                        now,
                        self.number(query),
                        addresses.as_ptr(),
                        addresses.len(),
                    )
                }
                Call::LookUpWaits(query) => homing_engine_look_up_waits(engine, now, self.number(query)),
                Call::LookUpBegins(query) => homing_engine_look_up_begins(engine, now, self.number(query)),
                Call::ResolveFailed(query, failed) => {
                    homing_engine_resolve_failed(engine, now, self.number(query), &failed.as_c())
                }
                Call::Connected(link, peer, medium) => homing_engine_connected(
                    engine,
                    now,
                    self.number(link),
                    &peer.as_c(),
                    i32::from(*medium % 6),
                ),
                Call::Secured(link, proof, valid_for) => {
                    homing_engine_secured(engine, now, self.number(link), (*proof).into(), *valid_for)
                }
                Call::Lost(link, failed) => {
                    homing_engine_lost(engine, now, self.number(link), &failed.as_c())
                }
                Call::FirstByte(exchange) => homing_engine_first_byte(engine, now, self.number(exchange)),
                Call::Done(exchange, outcome) => {
                    let failure = outcome.failure.as_ref().map(Failed::as_c);
                    let outcome = homing_outcome {
                        struct_size: size_of::<homing_outcome>() as u64,
                        verdict: outcome.verdict.into(),
                        status: outcome.status.into(),
                        settings_tag: words(&outcome.settings_tag),
                        policy_tag: words(&outcome.policy_tag),
                        failure: failure.as_ref().map_or(ptr::null(), ptr::from_ref),
                        drain_ms: outcome.drain_ms.as_ref().map_or(ptr::null(), ptr::from_ref),
                        events: outcome.events.into(),
                        acknowledged: outcome.acknowledged,
                        unacknowledged: outcome.unacknowledged,
                        group: words(&outcome.group),
                        account_mode: outcome.account_mode.into(),
                        registers: outcome.registers.into(),
                        duplicate: outcome.duplicate.into(),
                    };
                    homing_engine_done(engine, now, self.number(exchange), &outcome)
                }
                Call::Notice(exchange, kind, about, drain_ms) => {
                    let (exchange, kind) = (self.number(exchange), (*kind).into());
                    homing_engine_notice(engine, now, exchange, kind, words(about), *drain_ms)
                }
                Call::NetworkChanged(change) => homing_engine_network_changed(engine, now, (*change).into()),
                Call::OnNetwork(network) => {
                    let network = network.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
                    homing_engine_on_network(engine, now, network)
                }
                Call::Resumed => homing_engine_resumed(engine, now),
                Call::ClockStepped => homing_engine_clock_stepped(engine, now),
                Call::Remembered(version) => homing_engine_remembered(engine, now, *version),
                Call::CannotRemember(version) => homing_engine_cannot_remember(engine, now, *version),
                Call::BeatNow => homing_engine_beat_now(engine, now),
                Call::NewCredentials => homing_engine_new_credentials(engine, now),
                Call::Reconfigure(document) => match Settings::parse(document, HOMING_SOURCE_SERVER) {
                    Some(settings) => homing_engine_reconfigure(engine, now, settings.0),
                    None => HOMING_OK,
                },
                Call::Try(document, digest, tag, serial, given) => {
                    let (digest, tag) = (words(digest), words(tag));
                    let serial = serial.as_ref().map_or(ptr::null(), ptr::from_ref);
                    match Settings::parse(document, HOMING_SOURCE_SERVER) {
                        Some(settings) => {
                            let given = (*given).into();
                            homing_engine_try(engine, now, settings.0, digest, tag, serial, given)
                        }
                        None => HOMING_OK,
                    }
                }
                Call::Renew(old, document) => match Settings::parse(document, HOMING_SOURCE_SERVER) {
                    Some(settings) => homing_engine_renew(engine, now, *old, settings.0),
                    None => HOMING_OK,
                },
                Call::SetLocation(location) => homing_engine_set_location(engine, now, words(location)),
                Call::SetRoutes(routes) => {
                    let routes: Vec<i32> = routes.iter().map(|&route| route.into()).collect();
                    homing_engine_set_routes(engine, now, routes.as_ptr(), routes.len())
                }
                Call::Waiting(lane, reports, bytes) => {
                    homing_engine_waiting(engine, now, (*lane).into(), *reports, *bytes)
                }
                Call::Say(call, within_ms, repeat) => {
                    homing_engine_call(engine, now, *call, *within_ms, (*repeat).into())
                }
                Call::User(user) => homing_engine_user_changed(engine, now, words(user)),
                Call::Stop(grace_ms) => homing_engine_stop(engine, now, *grace_ms),
            }
        };
        told(status, ptr::null_mut());
    }

    /// Lets time pass until the engine wants to be asked.
    fn wait(&mut self) -> homing_status {
        let (mut at, mut wake) = (0, 0);
        // SAFETY: the engine lives.
        unsafe {
            assert_eq!(homing_engine_deadline(self.engine, &mut at, &mut wake), HOMING_OK);
            if at == u64::MAX {
                return HOMING_OK;
            }
            self.now_ns = self.now_ns.max(at);
            homing_engine_timeout(self.engine, self.now_ns)
        }
    }

    /// Fetches one action; whether there was one.
    fn act(&mut self) -> bool {
        // SAFETY: all zero is a valid action; the engine lives, and the views are read before the next call.
        unsafe {
            let mut action: homing_action = mem::zeroed();
            action.struct_size = size_of::<homing_action>() as u64;
            assert_eq!(homing_engine_next_action(self.engine, &mut action), HOMING_OK);
            read(action.host);
            read(action.server);
            for name in [action.user, action.preferred_group, action.last_group] {
                assert!(read(name) <= 256);
            }
            if !action.addresses.is_null() {
                for address in slice::from_raw_parts(action.addresses, action.address_count) {
                    assert!(address.family == 4 || address.family == 6);
                }
            }
            self.named.extend(
                [action.query, action.link, action.exchange].into_iter().filter(|number| *number > 0),
            );
            action.kind != HOMING_ACTION_NONE
        }
    }

    /// Fetches one event; whether there was one.
    fn emit(&mut self) -> bool {
        let mut event = ptr::null_mut();
        // SAFETY: the engine lives, and so does the event until it is freed.
        unsafe {
            assert_eq!(homing_engine_next_event(self.engine, &mut event), HOMING_OK);
            if event.is_null() {
                return false;
            }
            assert!(homing_event_kind(event) > 0);
            assert!(read(homing_event_json(event)) > 0);
            homing_event_free(event);
        }
        true
    }

    fn drain(&mut self) {
        let acted = (0..MOST_DRAINED).find(|_| !self.act());
        let told = (0..MOST_DRAINED).find(|_| !self.emit());
        assert!(acted.is_some() && told.is_some(), "draining does not end");
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // SAFETY: it is freed once.
        unsafe { homing_engine_free(self.engine) }
    }
}

fn words(words: &Option<Words>) -> *const c_char {
    words.as_ref().map_or(ptr::null(), |words| words.0.as_ptr())
}

/// A failure is one that a caller can bring about, and an error comes with a failure only.
fn told(status: homing_status, error: *mut homing_error) {
    assert!((-99..=HOMING_OK).contains(&status), "status {status}");
    assert!(![HOMING_ERROR_INTERNAL, HOMING_ERROR_POISONED].contains(&status), "status {status}");
    // SAFETY: the text is for ever; the error, if any, lives until it is freed.
    unsafe {
        assert!(read(homing_status_text(status)) > 0);
        if !error.is_null() {
            assert_ne!(status, HOMING_OK);
            assert!(read(homing_error_message(error)) > 0);
            homing_error_free(error);
        }
    }
}

/// Reads all of a view as text; how much there was.
///
/// # Safety
/// The text's owner lives.
unsafe fn read(text: homing_text) -> usize {
    if text.data.is_null() {
        return 0;
    }
    // SAFETY: the caller's promise.
    let bytes = unsafe { slice::from_raw_parts(text.data.cast::<u8>(), text.len) };
    std::str::from_utf8(bytes).expect("text is UTF-8").len()
}
