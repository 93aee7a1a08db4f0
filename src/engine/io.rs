//! Everything that goes in and out of the engine.
//!
//! The engine asks for things by [`Action`], hears what came of them by [`Input`], and tells the
//! application by [`Event`](super::Event). Ids tie them together: an input with an id the engine
//! has given up is ignored and counted.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::memory::SettingsName;
use crate::settings::{Server, Settings};
use crate::types::{
    Backlog, CallId, CertificatePolicyId, ExchangeId, Failure, Host, Lane, LinkId, Moment, Name, NetworkId,
    News, Outcome, ProbeId, Proof, QueryId, Repeat, Request, Route, SettingsId, Via,
};

/// Do this to the world.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Action {
    /// Look a name up, both families. Answered by [`Input::Resolved`], once, at any time.
    Resolve {
        /// Names the answer.
        query: QueryId,
        /// The name, in lower case. One with a final dot is absolute: no search list may be applied to it.
        host: Arc<str>,
    },
    /// Open a connection, and secure it when the server's protocol is `https`.
    ///
    /// Answered by [`Input::Connected`], then (`https` only) [`Input::Secured`]; or by [`Input::Lost`] at any time.
    Dial {
        /// Names the connection.
        link: LinkId,
        /// Who is expected there: name for TLS, protocol and port.
        server: Arc<Server>,
        /// Under which certificate policy.
        certificate_policy: CertificatePolicyId,
        /// The addresses to race, best first: start the next one `stagger` after the last, or at
        /// once when the last failed (RFC 8305). At most [`MAX_ADDRESSES`]; empty only when a proxy
        /// is to look the name up, and never for [`Route::Direct`].
        to: Arc<[SocketAddr]>,
        /// How long an address has before the next one is started beside it.
        stagger: Duration,
        /// By which route.
        route: Route,
    },
    /// Say something on a link that is ready, and hear the answer.
    ///
    /// Answered by [`Input::FirstByte`], then [`Input::Done`]; or by [`Input::Lost`] of its link.
    Exchange {
        /// Names the exchange.
        exchange: ExchangeId,
        /// On this link; nothing else is under way on it.
        link: LinkId,
        /// What to say.
        request: Request,
        /// When the engine gives it up by itself. A driver need not watch it.
        deadline: Moment,
        /// The next heartbeat follows within this when this one succeeds and its answer counts, so that a console need not
        /// guess which agents are offline. `None` for a probe, and for everything that is no heartbeat.
        next: Option<Duration>,
    },
    /// The answer of this exchange counts: hand its body to the application. At most one exchange of
    /// a search is adopted; the others are abandoned.
    Adopt {
        /// An exchange that was done with success.
        exchange: ExchangeId,
    },
    /// Drop this exchange, or the answer kept for it. Its link is closed by a [`Action::Close`] of its own.
    Abandon {
        /// Which.
        exchange: ExchangeId,
        /// Why, for the log.
        ending: Ending,
    },
    /// Close this link, cleanly where possible. It will not be named again.
    Close {
        /// Which.
        link: LinkId,
        /// Why, for the log.
        ending: Ending,
    },
    /// Ask whether somebody is there, and close at once: connect, and for a proof beyond [`Proof::Tcp`] make a TLS
    /// handshake. Directly, never by a proxy. Not one byte of anything else is said: it is not a management server.
    ///
    /// Answered by [`Input::Probed`], once.
    Probe {
        /// Names the question.
        probe: ProbeId,
        /// Who is asked.
        target: Target,
        /// Where.
        to: SocketAddr,
        /// What has to be proved. With [`Proof::Tcp`] the connection is all there is.
        proof: Proof,
        /// When the engine gives it up by itself, with an [`Action::CancelProbe`]. A driver need not watch it.
        deadline: Moment,
    },
    /// Drop this question. Nothing will be heard of it any more.
    CancelProbe {
        /// Which.
        probe: ProbeId,
    },
    /// Drop what was prepared for these settings, verifiers above all. The engine will name none of their certificate
    /// policies again, and no handshake that began under one is under way. Follows, once, for every settings that are
    /// replaced; those in force when the engine stops end with it.
    Release {
        /// Which.
        settings: SettingsId,
    },
    /// Store [`Engine::memory`](super::Engine::memory). Answered by [`Input::Remembered`] or [`Input::CannotRemember`].
    Remember {
        /// Names the version to store; a later one replaces it.
        version: u64,
    },
    /// Open or close the lane of learned applications: the settings in force ask for them, or do not any more. It is closed
    /// until this says otherwise. A driver without an outbox has nothing to do.
    LearnApplications {
        /// Whether they are learned.
        enabled: bool,
    },
}

/// Whom a probe asks. Neither can be dialled for an exchange: there is no [`Server`] in it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Target {
    /// A server that shows where the machine is.
    Reference {
        /// Its place in [`Settings::reference_servers`].
        server: u16,
        /// The name or address its certificate is expected to carry, unless the policy says otherwise.
        host: Host,
        /// Under which certificate policy.
        certificate_policy: CertificatePolicyId,
    },
    /// The management server the agent is attached to, when its last exchange is too old to show where the machine is.
    Management {
        /// The name or address its certificate is expected to carry, unless the policy says otherwise.
        host: Host,
        /// Under which certificate policy.
        certificate_policy: CertificatePolicyId,
    },
    /// Nobody: an address at which no answer may come. If one does, the network answers for everybody.
    Control {
        /// Asked by the interface that leads to this reference server, of which it is to speak. `None`: whichever leads
        /// to the address.
        like: Option<IpAddr>,
    },
}

/// What a probe has reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reached {
    /// What the peer has proved.
    pub proof: Proof,
    /// The way the connection took.
    pub via: Via,
}

/// More addresses of one name than anybody needs; the rest is not dialled.
pub const MAX_ADDRESSES: usize = 16;

/// Why a link or an exchange is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Ending {
    /// Another server won the race. Losing is not failing.
    LostRace,
    /// Its place was needed for another server.
    Evicted,
    /// It failed or took too long.
    Failed,
    /// The next exchange is too far off to keep a connection open.
    Idle,
    /// The agent moved to another server.
    Moved,
    /// A probe has its answer.
    Probed,
    /// The machine was suspended, or the network changed.
    Stale,
    /// The settings no longer name this server, or name it with other particulars.
    Reconfigured,
    /// The engine stops, or communication was switched off.
    Stopped,
    /// The product has already what was asked for.
    Unchanged,
    /// Another connection to the same server takes its place: its name leads elsewhere, or its certificate has ended.
    Replaced,
}

impl Ending {
    /// The reason in words.
    pub const fn explain(self) -> &'static str {
        match self {
            Self::LostRace => "another server answered first",
            Self::Evicted => "its place was needed for another server",
            Self::Failed => "it failed",
            Self::Idle => "the next exchange is too far off to keep it open",
            Self::Moved => "the agent moved to another server",
            Self::Probed => "the probe has its answer",
            Self::Unchanged => "the product has it already",
            Self::Replaced => "a new connection takes its place",
            Self::Stale => "the machine slept or the network changed",
            Self::Reconfigured => "the settings changed",
            Self::Stopped => "communication ends",
        }
    }
}

/// What the world has to say.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Input<'a> {
    /// The time [`Engine::deadline`](super::Engine::deadline) named has come. Early or late is fine.
    Timeout,
    /// What a driver may say of a name look-up that does not begin at once. Without a word its time limit counts from
    /// [`Action::Resolve`].
    LookUp {
        /// Which.
        query: QueryId,
        /// Whether it waits or begins.
        turn: Turn,
    },
    /// A name look-up ended. An empty answer counts as a name that does not exist.
    Resolved {
        /// Which.
        query: QueryId,
        /// The addresses in the order the system gave them, or why there are none.
        answer: Result<&'a [IpAddr], Failure>,
    },
    /// A connection stands.
    Connected {
        /// Which.
        link: LinkId,
        /// How.
        via: Via,
    },
    /// TLS stands on it.
    Secured {
        /// Which.
        link: LinkId,
        /// What the peer proved.
        proof: Proof,
        /// For how much longer every certificate that vouches for the peer is valid; `None` when none ends, or a driver cannot
        /// tell. After that the connection is not used any more.
        valid_for: Option<Duration>,
    },
    /// The connection is gone, with whatever was under way on it.
    Lost {
        /// Which.
        link: LinkId,
        /// Why.
        failure: Failure,
    },
    /// The first byte of an answer arrived.
    FirstByte {
        /// Of which exchange.
        exchange: ExchangeId,
    },
    /// An exchange ended and its link stands. When the link does not, [`Input::Lost`] follows.
    Done {
        /// Which.
        exchange: ExchangeId,
        /// How.
        outcome: Outcome<'a>,
    },
    /// Something was said on an open event stream. The first of these means that it is open.
    Notice {
        /// The [`Request::Listen`] exchange.
        exchange: ExchangeId,
        /// What.
        news: News<'a>,
    },
    /// A probe has its answer.
    Probed {
        /// Which.
        probe: ProbeId,
        /// What was reached, or why nothing was.
        answer: Result<Reached, Failure>,
    },
    /// So much waits in a lane of the outbox now. To be said when a lane that was empty has something, whenever a critical
    /// report comes, and before the end of each upload.
    Waiting {
        /// Which lane.
        lane: Lane,
        /// How much.
        backlog: Backlog,
    },
    /// The network changed.
    Network(NetworkChange),
    /// The machine is on this network now, or has been all the time. What worked there is tried first: routes, and addresses of
    /// names. `None`: the driver cannot tell, and nothing is remembered. To be said with each [`Self::Network`], before or
    /// after it; a driver that never says it loses no more than the time to find the way anew.
    OnNetwork(Option<NetworkId>),
    /// The machine was suspended and runs again.
    Resumed,
    /// The wall clock was set. Nothing in the engine depends on it but the patience with certificates.
    ClockStepped,
    /// This version of the memory is stored.
    Remembered(u64),
    /// This version of the memory could not be stored.
    CannotRemember(u64),
    /// The application wants something.
    Command(Command),
}

/// Where a name look-up stands that had to wait for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Turn {
    /// It waits. Its time limit does not count; that of the whole attempt does.
    Waits,
    /// It begins, and its time limit counts from now.
    Begins,
}

/// What is known of the network after a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NetworkChange {
    /// Something changed and there is, or may be, a usable network. It may be another one.
    Changed,
    /// Something changed, and the ways to the reference servers did not: the default route, say, or the way to a management
    /// server.
    Elsewhere,
    /// Something changed, or came back, and it is the network that was there before. Who cannot tell says `Changed`.
    Returned,
    /// There is no address beyond link-local, or no route.
    Gone,
}

/// What an application may ask for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Command {
    /// Make a heartbeat now; when nothing is attached, try now.
    BeatNow,
    /// Use these settings from now on. The engine keeps its server when the new settings still name it.
    Reconfigure {
        /// Names the settings from now on. A number that still names others changes nothing and is counted as a
        /// stale input.
        id: SettingsId,
        /// What an administrator wrote.
        settings: Arc<Settings>,
    },
    /// Use these settings on trial. Those before them come back when no server is found through these though they still lead
    /// to one. Where no exchange has worked yet through the settings in force, these replace them at once.
    Try {
        /// Names the settings from now on, as in `Reconfigure`.
        id: SettingsId,
        /// What an administrator wrote.
        settings: Arc<Settings>,
        /// Names them in the memory; `None`: a next life knows nothing of them.
        name: Option<SettingsName>,
        /// Whether the program gives them, not a server: after a restart it gives them again.
        given: bool,
    },
    /// The files that settings name were read again: the same settings go by another id from now on.
    Renew {
        /// Which. Settings that are not in force, on trial or kept beside those change nothing, and are counted as a stale
        /// input.
        old: SettingsId,
        /// Names them from now on.
        id: SettingsId,
        /// The same settings, with their certificate policies made anew.
        settings: Arc<Settings>,
    },
    /// Use these ways to the servers from now on. Connections made by others end, nothing is charged for that, and a server in use is
    /// asked again by these. The same ways change nothing.
    SetRoutes {
        /// In the order in which they are tried. Empty is the same as [`Route::Direct`] alone. A number that a proxy had must not name
        /// another one while an attempt by the ways before these may last.
        routes: Arc<[Route]>,
        /// What failures call the proxies; see [`Setup::proxies`](crate::engine::Setup::proxies).
        proxies: Arc<[(u8, Arc<str>)]>,
    },
    /// Make a call of the product to the server in use; when there is none, to the next one. At most 64 wait and 4 are under way: what is
    /// more, or comes while communication is off or the engine stops, has failed at once ([`Event::CallFailed`](crate::engine::Event::CallFailed)).
    Call {
        /// Names it, in [`Request::Call`] and in the events that end it.
        call: CallId,
        /// How long it may take, the wait for a server included.
        within: Duration,
        /// Whether it may be made twice.
        repeat: Repeat,
    },
    /// Another user uses the machine, or none: the agent registers again, and says so. Registrations begin at least 10 s apart.
    UserChanged(Option<Name>),
    /// Find out now where the machine is: ask the reference servers, whatever is known already.
    ProbeNow,
    /// Use this location's settings from now on, wherever the machine is; `None`: those of the location that
    /// fits, or of the group.
    SetLocation(Option<Arc<str>>),
    /// The product has taken the policy of this entity tag over for good: it is not handed over again after a restart. At
    /// most 256 bytes; an empty or longer tag changes nothing and is counted as a stale input.
    ConfirmPolicy(Arc<str>),
    /// The driver has other credentials from now on: a server that refused the old ones has not refused
    /// these. Nothing is said to a server in use, which had no objection.
    NewCredentials,
    /// Finish what is under way within the grace, then stop for good.
    Stop {
        /// How long a running exchange may still take.
        grace: Duration,
    },
}
