//! The engine under test.
//!
//! Without the C functions it is the engine itself. With them (feature `capi`) it is two: every input goes to the
//! engine and, through C, to a second one of the same seed, and whatever comes out of them must be the same. So
//! every scenario of this folder is one for the C functions too.

#[cfg(not(feature = "capi"))]
pub use homing_sim::mount::engine;

#[cfg(feature = "capi")]
pub use twice::engine;

#[cfg(feature = "capi")]
#[path = "mount/words.rs"]
mod words;

#[cfg(feature = "capi")]
mod twice {
    #![allow(unsafe_code, reason = "the functions are called as C calls them")]

    use std::cell::RefCell;
    use std::ffi::CString;
    use std::net::{IpAddr, SocketAddr};
    use std::{mem, ptr, slice};

    use homing::engine::{
        Action, Away, Command, Engine, Event, Input, Memory, NetworkChange, Reached, Setup, Snapshot,
        TakesSettings, Turn, Wake,
    };
    use homing::ffi::*;
    use homing::settings::Settings;
    use homing::types::{
        AccountMode, Cause, Failure, Identity, Medium, Moment, Name, NetworkId, News, Outcome, Verdict, Via,
    };
    use homing_sim::mount::{Mount, tuned};

    use super::words::{milliseconds, mode_code, proof_code, registration, tell, way};

    /// An engine tuned by this text, and its twin.
    pub fn engine(
        setup: Setup,
        tuning: &str,
        memory: Memory,
        away: Away,
        seed: u64,
        now: Moment,
    ) -> Box<dyn Mount> {
        Box::new(Twice::new(tuned(setup, tuning), tuning, memory, away, seed, now))
    }

    /// An engine, and one behind the C functions that must do the same.
    struct Twice {
        direct: Engine,
        through_c: *mut homing_engine,
        now: Moment,
        memory: RefCell<String>,
    }

    impl Twice {
        fn new(setup: Setup, tuning: &str, memory: Memory, away: Away, seed: u64, now: Moment) -> Self {
            let agent = CString::new(setup.agent.as_str()).unwrap();
            let tuning = CString::new(tuning).unwrap();
            let memory_json = serde_json::to_vec(&memory).unwrap();
            let away_ms = match away {
                Away::For(away) => Some(milliseconds(away)),
                Away::Unknown => None,
            };
            let routes: Vec<i32> = setup.routes.iter().map(|route| way(*route)).collect();
            let of = |text: Option<&str>| text.map(|text| CString::new(text).unwrap());
            let name = setup.settings_name.as_ref();
            let digest = of(name.map(|name| &*name.digest));
            let tag = of(name.and_then(|name| name.tag.as_deref()));
            let given = of(setup.given.as_deref());
            let identity = setup.identity.as_deref().map(Identified::new);
            let identity_in_c = identity.as_ref().map(Identified::as_c);
            let options = homing_engine_options {
                struct_size: size_of::<homing_engine_options>() as u64,
                agent_id: agent.as_ptr(),
                tuning_json: tuning.as_ptr(),
                memory: memory_json.as_ptr(),
                memory_len: memory_json.len(),
                away_ms: away_ms.as_ref().map_or(ptr::null(), ptr::from_ref),
                seed: &seed,
                routes: routes.as_ptr(),
                route_count: routes.len(),
                settings_digest: pointer(&digest),
                settings_tag: pointer(&tag),
                given_digest: pointer(&given),
                takes_settings: match setup.takes_settings {
                    TakesSettings::Never => HOMING_TAKES_NO_SETTINGS,
                    TakesSettings::Verified => HOMING_TAKES_VERIFIED,
                    TakesSettings::Signed => HOMING_TAKES_SIGNED,
                },
                reserved: 0,
                identity: identity_in_c.as_ref().map_or(ptr::null(), ptr::from_ref),
            };
            let mut through_c = ptr::null_mut();
            with_settings(&setup.settings, |settings| {
                // SAFETY: everything lives until the call returns.
                let status = unsafe {
                    homing_engine_new(settings, &options, now.as_nanos(), &mut through_c, ptr::null_mut())
                };
                assert_eq!(status, HOMING_OK);
            });
            let memory_text = serde_json::to_string(&memory).unwrap();
            let direct = Engine::new(setup, memory, away, seed, now);
            Self { direct, through_c, now, memory: RefCell::new(memory_text) }
        }

        fn deadline_through_c(&self) -> Option<(Moment, Wake)> {
            let (mut at, mut wake) = (0, 0);
            // SAFETY: the engine lives.
            assert_eq!(unsafe { homing_engine_deadline(self.through_c, &mut at, &mut wake) }, HOMING_OK);
            let wake = match wake {
                0 => return None,
                HOMING_WAKE_DRAIN => Wake::Drain,
                HOMING_WAKE_ATTACHMENT => Wake::Attachment,
                HOMING_WAKE_SCHEDULE => Wake::Schedule,
                HOMING_WAKE_LOCATION => Wake::Location,
                HOMING_WAKE_TRIAL => Wake::Trial,
                other => panic!("wake {other}"),
            };
            Some((Moment::from_nanos(at), wake))
        }
    }

    impl Mount for Twice {
        fn handle(&mut self, now: Moment, input: Input<'_>) {
            self.now = self.now.max(now);
            self.direct.handle(now, input.clone());
            // SAFETY: the engine lives, and so does everything the input is made of.
            assert_eq!(unsafe { say(self.through_c, now.as_nanos(), input) }, HOMING_OK);
            assert_eq!(self.direct.deadline(), self.deadline_through_c());
        }

        fn poll_action(&mut self) -> Option<Action> {
            let direct = self.direct.poll_action();
            // SAFETY: all zero is a valid action.
            let mut action: homing_action = unsafe { mem::zeroed() };
            action.struct_size = size_of::<homing_action>() as u64;
            // SAFETY: the engine lives, and the action's views are used before the next call.
            let through_c = unsafe {
                assert_eq!(homing_engine_next_action(self.through_c, &mut action), HOMING_OK);
                told(&action)
            };
            assert_eq!(direct.as_ref().map_or_else(|| "nothing".to_owned(), tell), through_c);
            direct
        }

        fn poll_event(&mut self) -> Option<Event> {
            let direct = self.direct.poll_event();
            let mut event = ptr::null_mut();
            // SAFETY: the engine lives, and so does the event until it is freed.
            unsafe {
                assert_eq!(homing_engine_next_event(self.through_c, &mut event), HOMING_OK);
                let told = (!event.is_null()).then(|| {
                    assert_eq!(homing_event_at_ns(event), self.now.as_nanos());
                    let mut json: serde_json::Value =
                        serde_json::from_str(text(homing_event_json(event)).unwrap()).unwrap();
                    json.as_object_mut().unwrap().remove("at_ms");
                    json
                });
                assert_eq!(direct.as_ref().map(|event| serde_json::to_value(event).unwrap()), told);
                homing_event_free(event);
            }
            direct
        }

        fn deadline(&self) -> Option<(Moment, Wake)> {
            self.direct.deadline()
        }

        fn memory(&self) -> &Memory {
            let mut memory = ptr::null_mut();
            // SAFETY: the engine lives, and so does the string until it is freed.
            unsafe {
                assert_eq!(homing_engine_memory(self.through_c, &mut memory), HOMING_OK);
                text(homing_string_text(memory)).unwrap().clone_into(&mut self.memory.borrow_mut());
                homing_string_free(memory);
            }
            assert_eq!(serde_json::to_string(self.direct.memory()).unwrap(), *self.memory.borrow());
            self.direct.memory()
        }

        fn snapshot(&self, now: Moment) -> Snapshot {
            let direct = self.direct.snapshot(now);
            let mut snapshot = ptr::null_mut();
            // SAFETY: the engine lives, and so does the snapshot until it is freed.
            unsafe {
                assert_eq!(homing_engine_snapshot(self.through_c, now.as_nanos(), &mut snapshot), HOMING_OK);
                assert_eq!(
                    text(homing_snapshot_json(snapshot)),
                    Some(&*serde_json::to_string(&direct).unwrap())
                );
                assert_eq!(text(homing_snapshot_explain(snapshot)), Some(&*direct.explain()));
                homing_snapshot_free(snapshot);
            }
            direct
        }
    }

    impl Drop for Twice {
        fn drop(&mut self) {
            // SAFETY: it is freed once.
            unsafe { homing_engine_free(self.through_c) }
        }
    }

    fn with_settings(settings: &Settings, body: impl FnOnce(*const homing_settings)) {
        let settings = Box::into_raw(Box::new(homing_settings::from(settings.clone())));
        body(settings);
        // SAFETY: it came from a box and is freed once.
        unsafe { homing_settings_free(settings) }
    }

    /// # Safety
    /// The text's owner lives.
    unsafe fn text<'a>(text: homing_text) -> Option<&'a str> {
        // SAFETY: the caller's promise.
        (!text.data.is_null())
            .then(|| unsafe { str::from_utf8(slice::from_raw_parts(text.data.cast(), text.len)).unwrap() })
    }

    fn pointer(text: &Option<CString>) -> *const std::ffi::c_char {
        text.as_ref().map_or(ptr::null(), |text| text.as_ptr())
    }

    const fn medium_code(medium: Medium) -> i32 {
        match medium {
            Medium::Direct => HOMING_MEDIUM_DIRECT,
            Medium::Tunnel => HOMING_MEDIUM_TUNNEL,
            Medium::Unknown => HOMING_MEDIUM_UNKNOWN,
            Medium::ThisMachine => HOMING_MEDIUM_THIS_MACHINE,
        }
    }

    fn address(address: SocketAddr) -> homing_address {
        homing_address::from(address)
    }

    /// An identity in C, with what it points to.
    struct Identified {
        user: Option<CString>,
        preferred_group: Option<CString>,
        preferred_mode: Option<AccountMode>,
    }

    impl Identified {
        fn new(identity: &Identity) -> Self {
            let of = |name: &Option<Name>| name.as_ref().map(|name| CString::new(name.as_str()).unwrap());
            Self {
                user: of(&identity.user),
                preferred_group: of(&identity.preferred_group),
                preferred_mode: identity.preferred_mode,
            }
        }

        fn as_c(&self) -> homing_identity {
            homing_identity {
                struct_size: size_of::<homing_identity>() as u64,
                user: pointer(&self.user),
                preferred_group: pointer(&self.preferred_group),
                preferred_mode: mode_code(self.preferred_mode),
                reserved: 0,
            }
        }
    }

    /// A failure in C, with what it points to.
    struct Failed {
        note: Option<CString>,
        retry_after_ms: Option<u64>,
        cause: Cause,
    }

    impl Failed {
        fn new(failure: Failure) -> Self {
            // What certificates show together has no form in C yet.
            let Failure { cause, note, .. } = failure;
            let retry_after_ms = match cause {
                Cause::Throttled { retry_after: Some(after), .. } => Some(milliseconds(after)),
                _ => None,
            };
            Self { note: note.map(|note| CString::new(&*note).unwrap()), retry_after_ms, cause }
        }

        fn as_c(&self) -> homing_failure {
            let status = match self.cause {
                Cause::ServerError { status }
                | Cause::Throttled { status, .. }
                | Cause::NotAllowed { status }
                | Cause::Misunderstood { status }
                | Cause::NotAManager { status }
                | Cause::ProxyRefused { status } => status,
                _ => 0,
            };
            homing_failure {
                struct_size: size_of::<homing_failure>() as u64,
                cause: homing_failure::code(self.cause),
                status: status.into(),
                retry_after_ms: self.retry_after_ms.as_ref().map_or(ptr::null(), ptr::from_ref),
                note: self.note.as_ref().map_or(ptr::null(), |note| note.as_ptr()),
                judgement: ptr::null(),
            }
        }
    }

    /// # Safety
    /// The engine lives.
    unsafe fn say(engine: *mut homing_engine, now: u64, input: Input<'_>) -> homing_status {
        // SAFETY: the caller's promise; everything else lives here until the call returns.
        unsafe {
            match input {
                Input::Waiting { lane, backlog } => {
                    homing_engine_waiting(engine, now, lane as i32 + 1, backlog.reports, backlog.bytes)
                }
                Input::Timeout => homing_engine_timeout(engine, now),
                Input::LookUp { query, turn: Turn::Waits } => {
                    homing_engine_look_up_waits(engine, now, query.0)
                }
                Input::LookUp { query, turn: Turn::Begins } => {
                    homing_engine_look_up_begins(engine, now, query.0)
                }
                Input::Resolved { query, answer: Ok(addresses) } => {
                    let addresses: Vec<_> =
                        addresses.iter().map(|&ip: &IpAddr| address((ip, 0).into())).collect();
                    homing_engine_resolved(engine, now, query.0, addresses.as_ptr(), addresses.len())
                }
                Input::Resolved { query, answer: Err(failure) } => {
                    homing_engine_resolve_failed(engine, now, query.0, &Failed::new(failure).as_c())
                }
                Input::Connected { link, via: Via { peer, medium } } => {
                    homing_engine_connected(engine, now, link.0, &address(peer), medium_code(medium))
                }
                Input::Probed { probe, answer: Ok(Reached { proof, via }) } => homing_engine_probed(
                    engine,
                    now,
                    probe.0,
                    proof_code(proof),
                    &address(via.peer),
                    medium_code(via.medium),
                ),
                Input::Probed { probe, answer: Err(failure) } => {
                    homing_engine_probe_failed(engine, now, probe.0, &Failed::new(failure).as_c())
                }
                Input::Command(Command::ProbeNow) => homing_engine_probe_now(engine, now),
                Input::Secured { link, proof, valid_for } => {
                    let valid_for = valid_for.map_or(HOMING_VALID_FOR_EVER, milliseconds);
                    homing_engine_secured(engine, now, link.0, proof_code(proof), valid_for)
                }
                Input::Lost { link, failure } => {
                    let failed = Failed::new(failure);
                    homing_engine_lost(engine, now, link.0, &failed.as_c())
                }
                Input::FirstByte { exchange } => homing_engine_first_byte(engine, now, exchange.0),
                Input::Done { exchange, outcome } => done(engine, now, exchange.0, outcome),
                Input::Notice { exchange, news } => {
                    let (kind, about, within) = match news {
                        News::KeepAlive => (HOMING_NEWS_KEEP_ALIVE, None, 0),
                        News::Hello => (HOMING_NEWS_HELLO, None, 0),
                        News::Settings { tag, within } => {
                            (HOMING_NEWS_SETTINGS, Some(tag), milliseconds(within))
                        }
                        News::Policy { tag, within } => (HOMING_NEWS_POLICY, Some(tag), milliseconds(within)),
                        News::Content(name) => (HOMING_NEWS_CONTENT, Some(name), 0),
                        News::Command(name) => (HOMING_NEWS_COMMAND, Some(name), 0),
                        News::Drain(within) => (HOMING_NEWS_DRAIN, None, milliseconds(within)),
                        new => panic!("{new:?} has no number"),
                    };
                    let about = about.map(|about| CString::new(about).unwrap());
                    let about = about.as_ref().map_or(ptr::null(), |about| about.as_ptr());
                    homing_engine_notice(engine, now, exchange.0, kind, about, within)
                }
                Input::Network(change) => homing_engine_network_changed(
                    engine,
                    now,
                    match change {
                        NetworkChange::Changed => HOMING_NETWORK_CHANGED,
                        NetworkChange::Gone => HOMING_NETWORK_GONE,
                        NetworkChange::Returned => HOMING_NETWORK_RETURNED,
                        NetworkChange::Elsewhere => HOMING_NETWORK_ELSEWHERE,
                        new => panic!("{new:?} has no number"),
                    },
                ),
                Input::OnNetwork(network) => {
                    let network = network.map(|NetworkId(network)| network);
                    homing_engine_on_network(engine, now, network.as_ref().map_or(ptr::null(), ptr::from_ref))
                }
                Input::Resumed => homing_engine_resumed(engine, now),
                Input::ClockStepped => homing_engine_clock_stepped(engine, now),
                Input::Remembered(version) => homing_engine_remembered(engine, now, version),
                Input::CannotRemember(version) => homing_engine_cannot_remember(engine, now, version),
                Input::Command(Command::BeatNow) => homing_engine_beat_now(engine, now),
                Input::Command(Command::NewCredentials) => homing_engine_new_credentials(engine, now),
                Input::Command(Command::Reconfigure { settings, .. }) => {
                    let mut status = HOMING_ERROR_INTERNAL;
                    with_settings(&settings, |settings| {
                        status = homing_engine_reconfigure(engine, now, settings)
                    });
                    status
                }
                Input::Command(Command::Try { settings, name, given, .. }) => {
                    let of = |text: Option<&str>| text.map(|text| CString::new(text).unwrap());
                    let digest = of(name.as_ref().map(|name| &*name.digest));
                    let tag = of(name.as_ref().and_then(|name| name.tag.as_deref()));
                    let serial = name.as_ref().and_then(|name| name.serial);
                    let serial = serial.as_ref().map_or(ptr::null(), ptr::from_ref);
                    let mut status = HOMING_ERROR_INTERNAL;
                    with_settings(&settings, |settings| {
                        let (digest, tag) = (pointer(&digest), pointer(&tag));
                        status = homing_engine_try(engine, now, settings, digest, tag, serial, given.into());
                    });
                    status
                }
                Input::Command(Command::Renew { old, settings, .. }) => {
                    let mut status = HOMING_ERROR_INTERNAL;
                    with_settings(&settings, |settings| {
                        status = homing_engine_renew(engine, now, old.0, settings)
                    });
                    status
                }
                Input::Command(Command::SetLocation(location)) => {
                    let location = location.map(|name| CString::new(&*name).unwrap());
                    let location = location.as_ref().map_or(ptr::null(), |name| name.as_ptr());
                    homing_engine_set_location(engine, now, location)
                }
                Input::Command(Command::SetRoutes { routes, .. }) => {
                    let routes: Vec<i32> = routes.iter().map(|route| way(*route)).collect();
                    homing_engine_set_routes(engine, now, routes.as_ptr(), routes.len())
                }
                Input::Command(Command::Call { call, within, repeat }) => {
                    homing_engine_call(engine, now, call.0, milliseconds(within), repeat as i32)
                }
                Input::Command(Command::UserChanged(user)) => {
                    let user = user.map(|user| CString::new(user.as_str()).unwrap());
                    homing_engine_user_changed(engine, now, pointer(&user))
                }
                Input::Command(Command::Stop { grace }) => {
                    homing_engine_stop(engine, now, milliseconds(grace))
                }
                other => panic!("the C functions cannot say {other:?}"),
            }
        }
    }

    /// # Safety
    /// The engine lives.
    unsafe fn done(
        engine: *mut homing_engine,
        now: u64,
        exchange: u64,
        outcome: Outcome<'_>,
    ) -> homing_status {
        let Outcome { verdict, drain, events, register, duplicate, group, account_mode, .. } = outcome;
        let (acknowledged, unacknowledged) = (outcome.acknowledged, outcome.unacknowledged);
        let group = group.map(|group| CString::new(group.as_str()).unwrap());
        let drain = drain.map(milliseconds);
        let tag = |tag: Option<&str>| tag.map(|tag| CString::new(tag).unwrap());
        let (kind, status, settings, policy, failed) = match verdict {
            Verdict::Success { status, settings, policy } => {
                (HOMING_VERDICT_SUCCESS, status, tag(settings), tag(policy), None)
            }
            Verdict::Declined { status } => (HOMING_VERDICT_DECLINED, status, None, None, None),
            Verdict::Failed(failure) => (HOMING_VERDICT_FAILED, 0, None, None, Some(Failed::new(failure))),
            new => panic!("{new:?} has no number"),
        };
        let failure = failed.as_ref().map(Failed::as_c);
        let outcome = homing_outcome {
            struct_size: size_of::<homing_outcome>() as u64,
            verdict: kind,
            status: status.into(),
            settings_tag: settings.as_ref().map_or(ptr::null(), |tag| tag.as_ptr()),
            policy_tag: policy.as_ref().map_or(ptr::null(), |tag| tag.as_ptr()),
            failure: failure.as_ref().map_or(ptr::null(), ptr::from_ref),
            drain_ms: drain.as_ref().map_or(ptr::null(), ptr::from_ref),
            events: events.into(),
            acknowledged,
            unacknowledged,
            group: pointer(&group),
            account_mode: mode_code(account_mode),
            registers: register.into(),
            duplicate: duplicate.into(),
        };
        // SAFETY: the caller's promise; everything else lives here until the call returns.
        unsafe { homing_engine_done(engine, now, exchange, &outcome) }
    }

    fn socket(to: &homing_address) -> SocketAddr {
        let port = u16::try_from(to.port).unwrap();
        match to.family {
            4 => SocketAddr::from(([to.ip[0], to.ip[1], to.ip[2], to.ip[3]], port)),
            _ => SocketAddr::from((to.ip, port)),
        }
    }

    /// # Safety
    /// The action is the newest.
    unsafe fn addresses(action: &homing_action) -> &[homing_address] {
        if action.addresses.is_null() {
            assert_eq!(action.address_count, 0);
            return &[];
        }
        // SAFETY: the caller's promise.
        unsafe { slice::from_raw_parts(action.addresses, action.address_count) }
    }

    /// What is said in a registration.
    ///
    /// # Safety
    /// The action is the newest.
    unsafe fn said(action: &homing_action) -> String {
        if action.request != HOMING_REQUEST_REGISTER {
            return String::new();
        }
        // SAFETY: the caller's promise.
        let (user, preferred, last) =
            unsafe { (text(action.user), text(action.preferred_group), text(action.last_group)) };
        let names = registration([user, preferred, last]);
        format!("{names} {} {}", action.preferred_mode, action.last_mode)
    }

    /// # Safety
    /// The action is the newest.
    unsafe fn told(action: &homing_action) -> String {
        // SAFETY: the caller's promise.
        let (host, server) =
            unsafe { (text(action.host).unwrap_or("-"), text(action.server).unwrap_or("-")) };
        match action.kind {
            HOMING_ACTION_NONE => "nothing".to_owned(),
            HOMING_ACTION_RESOLVE => format!("resolve {} {host}", action.query),
            HOMING_ACTION_DIAL => {
                // SAFETY: the caller's promise.
                let to = unsafe { addresses(action) };
                let to: Vec<SocketAddr> = to.iter().map(socket).collect();
                format!(
                    "dial {} {server} {host}:{} tls {} policy {}.{} to {to:?} stagger {} route {}",
                    action.link,
                    action.port,
                    action.is_tls,
                    action.settings,
                    action.certificate_policy,
                    action.stagger_ns,
                    action.route,
                )
            }
            HOMING_ACTION_EXCHANGE => format!(
                "exchange {} {} {} {} lane {} {} next {}{}",
                action.exchange,
                action.link,
                action.request,
                action.search.max(action.wait_ms).max(action.at_most).max(action.call),
                action.lane,
                action.deadline_ns,
                action.next_ns,
                // SAFETY: the caller's promise.
                unsafe { said(action) }
            ),
            HOMING_ACTION_PROBE => {
                // SAFETY: the caller's promise.
                let to = unsafe { addresses(action) };
                let to: Vec<SocketAddr> = to.iter().map(socket).collect();
                format!(
                    "probe {} {} {host} policy {}.{} to {to:?} proof {} {}",
                    action.probe,
                    action.reference,
                    action.settings,
                    action.certificate_policy,
                    action.proof,
                    action.deadline_ns
                )
            }
            HOMING_ACTION_CANCEL_PROBE => format!("cancel {}", action.probe),
            HOMING_ACTION_ADOPT => format!("adopt {}", action.exchange),
            HOMING_ACTION_ABANDON => format!("abandon {} {}", action.exchange, action.ending),
            HOMING_ACTION_CLOSE => format!("close {} {}", action.link, action.ending),
            HOMING_ACTION_LEARN_APPLICATIONS => format!("learn {}", action.is_enabled),
            HOMING_ACTION_RELEASE => format!("release {}", action.settings),
            HOMING_ACTION_REMEMBER => format!("remember {}", action.version),
            other => panic!("action {other}"),
        }
    }
}
