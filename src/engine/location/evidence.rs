//! What a verdict rests on: which servers were asked, what each answered, and how long it took.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::settings::Situation;
use crate::types::{Medium, Proof, ServerId, Span};

/// What one round has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "finding", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Finding {
    /// A reference server answered with enough proof.
    Internal {
        /// What it proved.
        proof: Proof,
    },
    /// The same, but only by way of a tunnel.
    InternalViaVpn {
        /// What it proved.
        proof: Proof,
    },
    /// No reference server answered with enough proof.
    External,
    /// Every address answers, and none proves anything: a portal.
    Captive,
    /// Nothing left this machine.
    NoNetwork,
    /// No name of a reference server resolved, because no name does.
    NoNames,
}

/// Why a round was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Trigger {
    /// The engine has just been made.
    Start,
    /// The network changed, or came back.
    NetworkChanged,
    /// The machine was suspended and runs again.
    Resumed,
    /// The management server was lost.
    ServerLost,
    /// The agent is attached again after it was to no server.
    ContactReturned,
    /// What the management server last showed is getting old.
    Stale,
    /// Ten minutes have passed.
    Regular,
    /// What the last round found has to be seen once more.
    Confirming,
    /// A change towards trust had to wait, because there were two within the hour.
    Calmed,
    /// The application asked.
    Asked,
    /// The settings changed.
    NewSettings,
}

/// Why the location is what it is. [`LocationSnapshot::detail`] says it in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LocationReason {
    /// Nothing was found out yet.
    NothingKnown,
    /// There is no usable network.
    NoNetwork,
    /// There are no reference servers, and the management server is not there.
    NobodyToAsk,
    /// An exchange with the management server proved enough.
    ManagementServer,
    /// A reference server answered with enough proof.
    ReferenceServer,
    /// No reference server answered with enough proof.
    NobodyAnswered,
    /// Not all could be asked in time, and none had answered by then.
    Incomplete,
    /// The network answers for everybody.
    EverybodyAnswers,
}

/// One question of a round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Asked {
    /// Its place in the list, from 1; 0 for the management server, where it is asked first.
    pub place: usize,
    /// The server as the settings name it.
    pub server: String,
    /// Its port.
    pub port: u16,
    /// What was asked for.
    pub wanted: Proof,
    /// What came.
    #[serde(flatten)]
    pub reply: Reply,
    /// How long it took, or was waited for.
    #[serde(rename = "elapsed_ms", with = "crate::types::milliseconds")]
    #[cfg_attr(test, schemars(with = "u64"))]
    pub elapsed: Span,
}

/// What came of one question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "reply", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reply {
    /// It answered, and proved this.
    Proved {
        /// What.
        proof: Proof,
        /// What the connection ran over.
        path: Medium,
        /// Whether it counts: enough proof over a path that shows something, on a network that does not answer for
        /// everybody.
        counts: bool,
    },
    /// Something answered and did not prove to be that server.
    NotBelieved {
        /// Why, in words.
        detail: String,
    },
    /// The port is closed, or the host is said to be out of reach.
    Refused {
        /// In words.
        detail: String,
    },
    /// No answer.
    Silent {},
    /// Its name led nowhere.
    NoAddress {
        /// Why, in words.
        detail: String,
    },
    /// The question did not leave this machine.
    NotSent {
        /// Why, in words.
        detail: String,
    },
    /// It was not waited for: the round was over before.
    NotAwaited {},
}

/// What the control has shown: an address, or a name, at which nothing may answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Controlled {
    /// The address and port, or the name.
    pub what: String,
    /// What came.
    pub reply: ControlReply,
}

/// What came of the control.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ControlReply {
    /// No answer, as it has to be.
    Silent,
    /// An answer, where none can be genuine.
    Answered,
    /// There is no way to it from here.
    NotApplicable,
    /// No socket was left, or the program's hook refused this one; bare connections prove nothing then.
    NotAsked,
}

/// Everything one round has asked and heard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Evidence {
    /// Why the round was made.
    pub trigger: Trigger,
    /// What it found.
    #[serde(flatten)]
    pub finding: Finding,
    /// From its beginning to its finding.
    #[serde(rename = "elapsed_ms", with = "crate::types::milliseconds")]
    #[cfg_attr(test, schemars(with = "u64"))]
    pub elapsed: Span,
    /// How many reference servers there are.
    pub servers: usize,
    /// The best server, in the order of the list, among those that had answered with enough proof: `host:port`.
    pub best: Option<String>,
    /// Every question, in the order of the list.
    pub asked: Vec<Asked>,
    /// The control.
    pub control: Vec<Controlled>,
}

/// Where the machine is, at one moment. Whether the management server is reachable is another matter, and stands
/// beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct LocationSnapshot {
    /// The verdict.
    pub situation: Situation,
    /// How long it has been so.
    #[serde(rename = "since_ms", with = "crate::types::milliseconds")]
    #[cfg_attr(test, schemars(with = "u64"))]
    pub since: Span,
    /// Why.
    pub reason: LocationReason,
    /// Why, in words.
    pub detail: String,
    /// What the verdict rests on when it is inside.
    pub proof: Option<Proof>,
    /// What the connection ran over on which the verdict rests, when it is inside.
    pub path: Option<Medium>,
    /// The location whose settings are in force; `None` for the group's.
    pub location: Option<Arc<str>>,
    /// Whether the product has chosen that location itself.
    pub chosen: bool,
    /// The management server the agent is attached to.
    pub attached: Option<ServerId>,
    /// How long ago the last one was lost, when there is none.
    #[serde(rename = "server_lost_ms", with = "crate::types::milliseconds")]
    #[cfg_attr(test, schemars(with = "Option<u64>"))]
    pub server_lost: Option<Span>,
    /// Until the next round.
    #[serde(rename = "next_round_ms", with = "crate::types::milliseconds")]
    #[cfg_attr(test, schemars(with = "Option<u64>"))]
    pub next_round: Option<Span>,
    /// What the last round heard.
    pub evidence: Option<Evidence>,
}

impl Trigger {
    /// Why the round was made, in words.
    pub const fn explain(self) -> &'static str {
        match self {
            Self::Start => "the start",
            Self::NetworkChanged => "the network changed",
            Self::Resumed => "the machine was suspended",
            Self::ServerLost => "the management server was lost",
            Self::ContactReturned => "a management server is reached again",
            Self::Stale => "the last exchange with the management server is old",
            Self::Regular => "the regular one",
            Self::Confirming => "to be sure of the last one",
            Self::Calmed => "a change had to wait",
            Self::Asked => "the product asked",
            Self::NewSettings => "other settings",
        }
    }
}

impl Finding {
    /// The situation it speaks for; `None` when nothing could be found out.
    pub(super) const fn situation(self) -> Option<Situation> {
        match self {
            Self::Internal { .. } => Some(Situation::Internal),
            Self::InternalViaVpn { .. } => Some(Situation::InternalViaVpn),
            Self::External => Some(Situation::External),
            Self::Captive => Some(Situation::Captive),
            Self::NoNetwork | Self::NoNames => None,
        }
    }

    /// The finding in a word or two.
    pub const fn explain(self) -> &'static str {
        match self {
            Self::Internal { .. } => "internal",
            Self::InternalViaVpn { .. } => "internal via vpn",
            Self::External => "external",
            Self::Captive => "captive portal",
            Self::NoNetwork => "no network",
            Self::NoNames => "no names",
        }
    }
}
