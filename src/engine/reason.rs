//! Why something happened, as a name and in words.

use serde::{Deserialize, Serialize};

/// Why something happened. Serialises as a name; [`Reason::explain`] gives the sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// The engine has just been made.
    Start,
    /// The application asked.
    Asked,
    /// The settings changed.
    NewSettings,
    /// The application gave other credentials.
    NewCredentials,
    /// The server in use failed.
    ServerFailed,
    /// The server in use makes no progress; others are tried beside it.
    ServerSlow,
    /// The server in use is silent; a second opinion is sought.
    ServerSilent,
    /// The server in use asked to be left.
    ServerDraining,
    /// The server in use asks for more patience than there is.
    ServerThrottled,
    /// No heartbeat has been delivered for too long, whatever the server in use says.
    Unfed,
    /// An exchange with a better server, or the agent's own, succeeded.
    BetterServer,
    /// Another server answered in its place.
    OtherServerAnswered,
    /// Every server of the list failed.
    AllFailed,
    /// No server answers: it may be the network.
    NetworkSuspect,
    /// The certificates of several servers are outside their validity, or the clock is known to be wrong.
    ClockWrong,
    /// Something seems to answer in place of the servers: one server, or the control of the location, shows it.
    CaptiveSuspected,
    /// Something answers in place of the servers, as several of them show: a captive portal, perhaps.
    CaptivePortal,
    /// The same for a day, or on several networks: something is in between, or the authority was changed.
    Intercepted,
    /// No route leads from this machine to any server.
    NoNetwork,
    /// Every proxy failed or refused the way; the words of the servers say how.
    NoWay,
    /// No name resolves: the name service does not answer.
    NoNames,
    /// This machine does not let connections out: its packet filter, or the program's socket hook.
    HeldBack,
    /// This machine is out of sockets, ports or memory.
    OutOfResources,
    /// The network changed, or came back.
    NetworkChanged,
    /// The machine was suspended and runs again.
    Resumed,
    /// Every server has rejected this agent.
    Rejected,
    /// Every server asks for patience or may not be used now.
    NothingAvailable,
    /// The waiting time is over.
    WaitOver,
    /// Too many attempts in ten minutes; this protects the servers from a fault of ours.
    TooManyAttempts,
    /// The agent moved three times within two minutes, and calms down.
    MovedOften,
    /// Communication is switched off in the settings.
    Disabled,
    /// The application stops the engine.
    Stopping,
    /// A critical report waits, and no server is attached.
    ReportWaits,
    /// The program gave other ways to the servers.
    RoutesChanged,
}

impl Reason {
    /// The reason in words.
    pub const fn explain(self) -> &'static str {
        match self {
            Self::Start => "the agent starts",
            Self::Asked => "the application asked",
            Self::NewSettings => "the settings changed",
            Self::NewCredentials => "the application gave other credentials",
            Self::ServerFailed => "the server in use failed",
            Self::ServerSlow => "the server in use makes no progress",
            Self::ServerSilent => "the server in use is silent",
            Self::ServerDraining => "the server in use is draining",
            Self::ServerThrottled => "the server in use asks for a longer wait than the heartbeat interval",
            Self::Unfed => "no heartbeat has been delivered for too long",
            Self::BetterServer => "a better server has proved itself",
            Self::OtherServerAnswered => "another server answered in its place",
            Self::AllFailed => "every server of the list failed",
            Self::NetworkSuspect => "no server answers: it may be the network, so no server is blamed",
            Self::ClockWrong => "the clock of this machine seems to be wrong, so no server is blamed",
            Self::CaptiveSuspected => {
                "something seems to answer in place of the servers, perhaps a captive portal"
            }
            Self::CaptivePortal => "something answers in place of the servers, perhaps a captive portal",
            Self::Intercepted => {
                "something answers in place of the servers on every network: intercepted, or the authority was changed"
            }
            Self::NoNetwork => "this machine has no usable network",
            Self::NoWay => "no proxy leads to a server; check the proxies and their credentials",
            Self::NoNames => "no name resolves; check the name service",
            Self::HeldBack => {
                "this machine lets no connection out; check its packet filter and the program's socket hook"
            }
            Self::OutOfResources => "this machine is out of sockets, ports or memory",
            Self::NetworkChanged => "the network changed",
            Self::Resumed => "the machine was suspended and runs again",
            Self::Rejected => "every server has rejected this agent (401, or 403 with a `Homing-` field)",
            Self::NothingAvailable => {
                "no server may be tried now: each asked for a pause, or is left out for a bad certificate, a rejection or another protocol"
            }
            Self::WaitOver => "the waiting time is over",
            Self::TooManyAttempts => {
                "too many connections in ten minutes; each server is tried once a minute"
            }
            Self::MovedOften => "the agent moved often within two minutes and backs off",
            Self::Disabled => "communication is switched off in the settings",
            Self::Stopping => "the application stops the agent",
            Self::ReportWaits => "a critical report waits for a server",
            Self::RoutesChanged => "the ways to the servers changed",
        }
    }
}
