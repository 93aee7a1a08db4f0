//! What an engine wants done to the world.

use std::net::SocketAddr;
use std::ptr;
use std::sync::Arc;

use super::address::homing_address;
use super::boundary::{Growing, no_padding};
use super::identity::mode_code;
use super::lane::lane_code;
use super::proof::proof_code;
use super::text::homing_text;
use crate::engine::{Action, Ending, Target};
use crate::settings::{Protocol, Server};
use crate::types::{Host, Listening, Name, Proof, Purpose, Registration, Request, Route};

/// There is nothing to do.
pub const HOMING_ACTION_NONE: i32 = 0;
/// Look the name `host` up, both families. Answered by `homing_engine_resolved` or `homing_engine_resolve_failed`
/// with `query`, once, at any time.
pub const HOMING_ACTION_RESOLVE: i32 = 1;
/// Open the connection `link` to `server` by `route`, and secure it when `is_tls`: race `addresses`, best first, each
/// `stagger_ns` after the one before, or at once when that failed. For a proxy there may be none: it looks `host` up.
/// Answered by `homing_engine_connected`, then for TLS `homing_engine_secured`; or by `homing_engine_lost` at any time.
pub const HOMING_ACTION_DIAL: i32 = 2;
/// Say what `request` asks for on `link`, which is ready, and hear the answer of `exchange`. Answered by
/// `homing_engine_first_byte`, then `homing_engine_done`; or by `homing_engine_lost` of the link. The engine gives it
/// up by itself at `deadline_ns`; a driver need not watch it.
pub const HOMING_ACTION_EXCHANGE: i32 = 3;
/// The answer of `exchange` counts: give its body to the product. The others of a search are abandoned. Its link may be
/// lost already: a driver keeps answers apart from links, until they are adopted or abandoned.
pub const HOMING_ACTION_ADOPT: i32 = 4;
/// Drop `exchange`, or the answer kept for it; `ending` says why. Its link gets a close of its own.
pub const HOMING_ACTION_ABANDON: i32 = 5;
/// Close `link`, cleanly where possible; `ending` says why. It is not named again.
pub const HOMING_ACTION_CLOSE: i32 = 6;
/// Store what `homing_engine_memory` gives. Answered by `homing_engine_remembered` or `homing_engine_cannot_remember`
/// with `version`; a later version replaces it.
pub const HOMING_ACTION_REMEMBER: i32 = 7;

/// Ask whether anybody is at the one address of `addresses`, and close at once: connect, and when `proof` is more than
/// `HOMING_PROOF_TCP` make a TLS handshake with `host` under the policy. Never by a proxy, and not one byte of anything
/// else. Answered by `homing_engine_probed` or `homing_engine_probe_failed` with `probe`, once. The engine gives it up
/// by itself at `deadline_ns`.
pub const HOMING_ACTION_PROBE: i32 = 8;
/// Drop `probe`.
pub const HOMING_ACTION_CANCEL_PROBE: i32 = 9;
/// Drop what was prepared for the settings number `settings`, certificate policies above all: the engine will not name
/// them again, and no handshake that began under one is under way. Follows once for all settings that are replaced.
pub const HOMING_ACTION_RELEASE: i32 = 10;

/// Open the lane of learned applications when `is_enabled`, else close it: what the settings in force say. It is closed until
/// this says otherwise. A driver without an outbox has nothing to do.
pub const HOMING_ACTION_LEARN_APPLICATIONS: i32 = 11;

/// One of several attempts of a search: `POST /homing/v1/heartbeat` with `Homing-Purpose: attach`. All attempts of one
/// `search` carry the same body and the same `Idempotency-Key`.
pub const HOMING_REQUEST_ATTACH: i32 = 1;
/// The regular heartbeat: `POST /homing/v1/heartbeat` with `Homing-Purpose: beat`.
pub const HOMING_REQUEST_BEAT: i32 = 2;
/// Is that server well? The same with `Homing-Purpose: probe` and an empty body.
pub const HOMING_REQUEST_PROBE: i32 = 3;
/// `GET /homing/v1/events`: an answer that stays open, in which the server says something at least every `wait_ms`, told by
/// `homing_engine_notice`. A driver that cannot do so says `HOMING_VERDICT_DECLINED`.
pub const HOMING_REQUEST_LISTEN: i32 = 4;
/// The policy is to be read: `GET policy`. `known` is sent as `If-None-Match`, and a 304 is then a success. The entity tag of
/// the answer is told as its policy. A driver that reads none declines.
pub const HOMING_REQUEST_POLICY: i32 = 5;
/// The same as `HOMING_REQUEST_LISTEN`, but the answer ends with the first event after hello, or after `wait_ms`; 0: at once.
pub const HOMING_REQUEST_POLL: i32 = 6;
/// The settings are to be read: `GET settings`, as the policy is. The entity tag of the answer is told as that of the settings.
pub const HOMING_REQUEST_SETTINGS: i32 = 7;
/// Reports are to be uploaded: `POST /homing/v1/upload/{lane}` with the oldest that wait in `lane`, in a body of at most
/// `at_most` bytes unless one report alone has more. A driver removes those that the server acknowledged, says by
/// `homing_engine_waiting` how much is left, and then reports the end, with how many were `acknowledged`. One that uploads
/// nothing declines with the status 0; a server that calls it too large (413) is told as declined with that status.
pub const HOMING_REQUEST_UPLOAD: i32 = 8;
/// What the product says itself: the request that it named `call`, below `/homing/v1/call/`. Every answer is a success,
/// whatever its status. A driver that no longer knows the call declines.
pub const HOMING_REQUEST_CALL: i32 = 9;
/// The agent is to be registered: `POST /homing/v1/register` with the `user`, the preferred and the last group and mode, as far as there
/// are any. The answer's group and mode are told with its end. A driver that registers nothing declines with the status 0, as
/// does one whose connection is not verified.
pub const HOMING_REQUEST_REGISTER: i32 = 10;

/// A connection of our own to the server's address; proxies are 0 to 255.
pub const HOMING_ROUTE_DIRECT: i32 = -1;

/// Another server won the race. Losing is not failing.
pub const HOMING_ENDING_LOST_RACE: i32 = 1;
/// Its place was needed for another server.
pub const HOMING_ENDING_EVICTED: i32 = 2;
/// It failed or took too long.
pub const HOMING_ENDING_FAILED: i32 = 3;
/// The next exchange is too far off to keep a connection open.
pub const HOMING_ENDING_IDLE: i32 = 4;
/// The agent moved to another server.
pub const HOMING_ENDING_MOVED: i32 = 5;
/// A probe has its answer.
pub const HOMING_ENDING_PROBED: i32 = 6;
/// The machine was suspended, or the network changed.
pub const HOMING_ENDING_STALE: i32 = 7;
/// The settings no longer name this server, or name it otherwise.
pub const HOMING_ENDING_RECONFIGURED: i32 = 8;
/// The engine stops, or communication was switched off.
pub const HOMING_ENDING_STOPPED: i32 = 9;
/// The product has already what was asked for.
pub const HOMING_ENDING_UNCHANGED: i32 = 10;
/// Another connection to the same server takes its place: its name leads elsewhere, or its certificate has ended.
pub const HOMING_ENDING_REPLACED: i32 = 11;

/// A probe asks the management server the agent is attached to.
pub const HOMING_REFERENCE_MANAGEMENT: u32 = 0xFFFF_FFFF;

/// What an engine wants done. What a kind of action does not have is 0 or NULL.
///
/// All views live until the next call of a function that takes the engine without `const`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct homing_action {
    /// `sizeof(homing_action)`, set by the caller.
    pub struct_size: u64,
    /// `HOMING_ACTION_…`. Later versions may ask for more: ignore those you do not know.
    pub kind: i32,
    /// `HOMING_ENDING_…`: why something is given up, for the log.
    pub ending: i32,
    /// Names a look-up.
    pub query: u64,
    /// Names a connection.
    pub link: u64,
    /// Names a request and its answer.
    pub exchange: u64,
    /// Names a version of the memory.
    pub version: u64,
    /// The name to look up (one with a final dot is absolute: no search list may be applied to it), or the host to dial or to ask: a name or an address, which TLS expects the server to be. Where
    /// nobody may answer: the address of the reference server for which that speaks, by whose interface it is asked; none
    /// when any will do.
    pub host: homing_text,
    /// The id of the server to dial.
    pub server: homing_text,
    /// The addresses to race, best first, at most `HOMING_ADDRESSES_MAX`; NULL where there are none.
    pub addresses: *const homing_address,
    /// How many: at most 16.
    pub address_count: usize,
    /// The port to dial.
    pub port: u32,
    /// 1 when the link is to be secured with TLS, else 0.
    pub is_tls: u32,
    /// `HOMING_ROUTE_DIRECT`, or which proxy of the driver's list.
    pub route: i32,
    /// `HOMING_REQUEST_…`. Decline those you do not know: later versions may ask for more.
    pub request: i32,
    /// Which search an attempt belongs to.
    pub search: u64,
    /// How long an address has before the next one is started beside it, in nanoseconds.
    pub stagger_ns: u64,
    /// When the engine gives the exchange up, on the driver's clock.
    pub deadline_ns: u64,
    /// Which settings: those in which the certificate policy of a dial or a probe stands, or those to drop. 0 for the ones
    /// the engine was made with, n for those of the n-th `homing_engine_reconfigure`.
    pub settings: u32,
    /// Which certificate policy of those settings.
    pub certificate_policy: u32,
    /// Names a question.
    pub probe: u64,
    /// What a probe has to prove: `HOMING_PROOF_…`.
    pub proof: i32,
    /// Which reference server a probe asks, from 1; 0 when nobody may answer; `HOMING_REFERENCE_MANAGEMENT`: the management
    /// server the agent is attached to, which is asked like a reference server.
    pub reference: u32,
    /// The entity tag of the policy that the product has; none when it has none.
    pub known: homing_text,
    /// For how long a server that is listened to may say nothing, or a poll waits, in milliseconds.
    pub wait_ms: u64,
    /// Of a heartbeat: the next one follows within this, in nanoseconds, when this one succeeds and its answer counts. Sent as
    /// `Homing-Next`, in whole seconds, rounded up. 0 for everything else.
    pub next_ns: u64,
    /// Which lane is uploaded: `HOMING_LANE_…`.
    pub lane: i32,
    /// 1 when applications are to be learned, else 0.
    pub is_enabled: u32,
    /// How many bytes an upload may have.
    pub at_most: u64,
    /// Names a call of the product, as `homing_engine_call` did.
    pub call: u64,
    /// Of a registration: who is logged on. Sent as `Homing-User`.
    pub user: homing_text,
    /// Of a registration: the group in which the machine is meant to be. Sent as `Homing-Preferred-Group`.
    pub preferred_group: homing_text,
    /// Of a registration: the group that a server named last, where the settings offer it. Sent as `Homing-Last-Group`.
    pub last_group: homing_text,
    /// Of a registration: the mode in which the machine is meant to be, `HOMING_ACCOUNT_…`; 0 for none. Sent as
    /// `Homing-Preferred-Mode`.
    pub preferred_mode: i32,
    /// Of a registration: the mode that a server named last, where the settings offer it. Sent as `Homing-Last-Mode`.
    pub last_mode: i32,
}

const TEXT: usize = size_of::<homing_text>();
const _: () = assert!(no_padding(
    size_of::<homing_action>(),
    &[
        8,
        4,
        4,
        8,
        8,
        8,
        8,
        TEXT,
        TEXT,
        size_of::<*const u8>(),
        size_of::<usize>(),
        4,
        4,
        4,
        4,
        8,
        8,
        8,
        4,
        4,
        8,
        4,
        4,
        TEXT,
        8,
        8,
        4,
        4,
        8,
        8,
        TEXT,
        TEXT,
        TEXT,
        4,
        4
    ],
));

// SAFETY: `repr(C)`, the size first, and all zero are numbers, NULL and views of nothing.
unsafe impl Growing for homing_action {
    const LEAST: usize = 16;
}

impl homing_action {
    const NONE: Self = Self {
        struct_size: 0,
        kind: HOMING_ACTION_NONE,
        ending: 0,
        query: 0,
        link: 0,
        exchange: 0,
        version: 0,
        host: homing_text::NONE,
        server: homing_text::NONE,
        addresses: ptr::null(),
        address_count: 0,
        port: 0,
        is_tls: 0,
        route: 0,
        request: 0,
        search: 0,
        stagger_ns: 0,
        deadline_ns: 0,
        settings: 0,
        certificate_policy: 0,
        probe: 0,
        proof: 0,
        reference: 0,
        known: homing_text::NONE,
        wait_ms: 0,
        next_ns: 0,
        lane: 0,
        is_enabled: 0,
        at_most: 0,
        call: 0,
        user: homing_text::NONE,
        preferred_group: homing_text::NONE,
        last_group: homing_text::NONE,
        preferred_mode: 0,
        last_mode: 0,
    };
}

/// The last action that was given out, and what its views point to.
#[derive(Default)]
pub(super) struct Current {
    name: Option<Arc<str>>,
    server: Option<Arc<Server>>,
    registration: Option<Arc<Registration>>,
    host: String,
    addresses: Vec<homing_address>,
}

impl Current {
    /// What C is shown of an action. Views of the one before it end here.
    pub(super) fn show(&mut self, action: Option<Action>) -> homing_action {
        self.name = None;
        self.server = None;
        self.registration = None;
        self.addresses.clear();
        let none = homing_action::NONE;
        match action {
            None => none,
            Some(Action::Resolve { query, host }) => homing_action {
                kind: HOMING_ACTION_RESOLVE,
                query: query.0,
                host: homing_text::new(self.name.insert(host)),
                ..none
            },
            Some(Action::Dial { link, server, certificate_policy, to, stagger, route }) => homing_action {
                kind: HOMING_ACTION_DIAL,
                link: link.0,
                route: route_code(route),
                stagger_ns: u64::try_from(stagger.as_nanos()).unwrap_or(u64::MAX),
                settings: certificate_policy.settings.0,
                certificate_policy: certificate_policy.index.into(),
                ..self.dialled(server, &to)
            },
            Some(Action::Exchange { exchange, link, request, deadline, next }) => homing_action {
                exchange: exchange.0,
                link: link.0,
                deadline_ns: deadline.as_nanos(),
                next_ns: next.map_or(0, |next| u64::try_from(next.as_nanos()).unwrap_or(u64::MAX)),
                ..self.asks(&request)
            },
            Some(Action::Adopt { exchange }) => {
                homing_action { kind: HOMING_ACTION_ADOPT, exchange: exchange.0, ..none }
            }
            Some(Action::Abandon { exchange, ending }) => homing_action {
                kind: HOMING_ACTION_ABANDON,
                exchange: exchange.0,
                ending: ending_code(ending),
                ..none
            },
            Some(Action::Close { link, ending }) => {
                homing_action { kind: HOMING_ACTION_CLOSE, link: link.0, ending: ending_code(ending), ..none }
            }
            Some(Action::Probe { probe, target, to, proof, deadline }) => homing_action {
                kind: HOMING_ACTION_PROBE,
                probe: probe.0,
                is_tls: u32::from(proof > Proof::Tcp),
                route: HOMING_ROUTE_DIRECT,
                deadline_ns: deadline.as_nanos(),
                proof: proof_code(proof),
                ..self.asked(target, to)
            },
            Some(Action::CancelProbe { probe }) => {
                homing_action { kind: HOMING_ACTION_CANCEL_PROBE, probe: probe.0, ..none }
            }
            Some(Action::Release { settings }) => {
                homing_action { kind: HOMING_ACTION_RELEASE, settings: settings.0, ..none }
            }
            Some(Action::LearnApplications { enabled }) => {
                homing_action { kind: HOMING_ACTION_LEARN_APPLICATIONS, is_enabled: enabled.into(), ..none }
            }
            Some(Action::Remember { version }) => {
                homing_action { kind: HOMING_ACTION_REMEMBER, version, ..none }
            }
        }
    }

    /// What is said in an exchange.
    fn asks(&mut self, request: &Request) -> homing_action {
        let asks = homing_action { kind: HOMING_ACTION_EXCHANGE, ..homing_action::NONE };
        let (code, search) = request_code(request);
        let asks = homing_action { request: code, search, ..asks };
        match request {
            Request::Heartbeat { .. } => asks,
            Request::Listen(Listening::Stream { silence: wait } | Listening::Poll { wait }) => {
                homing_action { wait_ms: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX), ..asks }
            }
            Request::Settings { known } | Request::Policy { known } => {
                self.name.clone_from(known);
                homing_action { known: homing_text::of(self.name.as_deref()), ..asks }
            }
            Request::Upload { lane, at_most } => {
                homing_action { lane: lane_code(*lane), at_most: (*at_most).into(), ..asks }
            }
            Request::Register(said) => {
                let said = self.registration.insert(said.clone());
                let name = |name: &Option<Name>| homing_text::of(name.as_ref().map(Name::as_str));
                homing_action {
                    user: name(&said.identity.user),
                    preferred_group: name(&said.identity.preferred_group),
                    last_group: name(&said.last_group),
                    preferred_mode: mode_code(said.identity.preferred_mode),
                    last_mode: mode_code(said.last_mode),
                    ..asks
                }
            }
            Request::Call { call, .. } => homing_action { call: call.0, ..asks },
        }
    }

    /// Which server is dialled, and at which addresses.
    fn dialled(&mut self, server: Arc<Server>, to: &[SocketAddr]) -> homing_action {
        self.host = server.host.to_string();
        self.addresses.extend(to.iter().map(|address| homing_address::from(*address)));
        let server = self.server.insert(server);
        homing_action {
            host: homing_text::new(&self.host),
            server: homing_text::new(server.id.as_str()),
            addresses: if self.addresses.is_empty() { ptr::null() } else { self.addresses.as_ptr() },
            address_count: self.addresses.len(),
            port: server.port.into(),
            is_tls: u32::from(server.protocol == Protocol::Https),
            ..homing_action::NONE
        }
    }

    /// Which server is probed, at which address, and under which policy.
    fn asked(&mut self, target: Target, to: SocketAddr) -> homing_action {
        self.addresses.push(homing_address::from(to));
        let (reference, host, policy) = match target {
            Target::Control { like } => (0, like.map(Host::Address), None),
            Target::Management { host, certificate_policy } => {
                (HOMING_REFERENCE_MANAGEMENT, Some(host), Some(certificate_policy))
            }
            Target::Reference { server, host, certificate_policy } => {
                (u32::from(server) + 1, Some(host), Some(certificate_policy))
            }
        };
        self.host = host.as_ref().map(Host::to_string).unwrap_or_default();
        homing_action {
            host: if host.is_some() { homing_text::new(&self.host) } else { homing_text::NONE },
            addresses: self.addresses.as_ptr(),
            address_count: self.addresses.len(),
            port: to.port().into(),
            settings: policy.map_or(0, |policy| policy.settings.0),
            certificate_policy: policy.map_or(0, |policy| policy.index.into()),
            reference,
            ..homing_action::NONE
        }
    }
}

const fn route_code(value: Route) -> i32 {
    match value {
        Route::Direct => HOMING_ROUTE_DIRECT,
        // At most eight.
        Route::Proxy(index) => index as i32,
    }
}

/// And which search an attempt belongs to.
fn request_code(value: &Request) -> (i32, u64) {
    match value {
        Request::Heartbeat { purpose: Purpose::Attach { search } } => (HOMING_REQUEST_ATTACH, *search),
        Request::Heartbeat { purpose: Purpose::Beat } => (HOMING_REQUEST_BEAT, 0),
        Request::Heartbeat { purpose: Purpose::Probe } => (HOMING_REQUEST_PROBE, 0),
        Request::Listen(Listening::Stream { .. }) => (HOMING_REQUEST_LISTEN, 0),
        Request::Listen(Listening::Poll { .. }) => (HOMING_REQUEST_POLL, 0),
        Request::Settings { .. } => (HOMING_REQUEST_SETTINGS, 0),
        Request::Policy { .. } => (HOMING_REQUEST_POLICY, 0),
        Request::Upload { .. } => (HOMING_REQUEST_UPLOAD, 0),
        Request::Register(_) => (HOMING_REQUEST_REGISTER, 0),
        Request::Call { .. } => (HOMING_REQUEST_CALL, 0),
    }
}

const fn ending_code(value: Ending) -> i32 {
    match value {
        Ending::LostRace => HOMING_ENDING_LOST_RACE,
        Ending::Evicted => HOMING_ENDING_EVICTED,
        Ending::Failed => HOMING_ENDING_FAILED,
        Ending::Idle => HOMING_ENDING_IDLE,
        Ending::Moved => HOMING_ENDING_MOVED,
        Ending::Probed => HOMING_ENDING_PROBED,
        Ending::Unchanged => HOMING_ENDING_UNCHANGED,
        Ending::Replaced => HOMING_ENDING_REPLACED,
        Ending::Stale => HOMING_ENDING_STALE,
        Ending::Reconfigured => HOMING_ENDING_RECONFIGURED,
        Ending::Stopped => HOMING_ENDING_STOPPED,
    }
}
