//! What is allowed but hardly meant.
//!
//! Nothing here is an error: each of these settings is in force as it is written. A lint says where,
//! what, and what to do about it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::resolve::place;
use super::{CertificatePolicy, Location, Protocol, Roots, Server, ServerList, Settings, Situation};
use crate::words::{Host, Proof, Span};

/// A server then hears of each agent more often than once per minute, for nothing a console shows.
const SHORT_HEARTBEAT: Duration = Duration::from_secs(60);
/// At one start per 50 ms, more (server, port) pairs do not fit into the 8 seconds of a round.
const ROUND_PAIRS: usize = 120;

/// Something that is allowed but hardly meant. Displays as `place: what; what to do`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lint {
    /// Where in the document.
    pub path: String,
    /// What.
    pub kind: LintKind,
}

/// What is hardly meant. Displays as a sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LintKind {
    /// A server is spoken to without TLS.
    #[error("plain http: anybody on the way can read and change everything, and can be the server")]
    PlainHttp,
    /// A server stood earlier in the list.
    #[error("the same server as {first}, where it stays; this entry is ignored")]
    SameServerTwice {
        /// Where it stays.
        first: String,
    },
    /// A server stood earlier in the list under another id.
    #[error("the same address, protocol and port as {first} under another id, so one server counts as two")]
    TwoIds {
        /// Where the first stands.
        first: String,
    },
    /// A priority has no server.
    #[error("a priority without servers")]
    EmptyPriority,
    /// A list is assigned neither to the group nor to a location.
    #[error("list `{name}` is assigned to nothing: its priorities do not count")]
    ListNotAssigned {
        /// Its name.
        name: Arc<str>,
    },
    /// A heartbeat is shorter than a minute.
    #[error("a heartbeat every {interval} is a heavy load on the servers of a large fleet")]
    ShortHeartbeat {
        /// The interval.
        interval: Span,
    },
    /// A location has no `when`.
    #[error("location `{name}` has no `when`: it applies only where the product names it")]
    LocationWithoutWhen {
        /// Its name.
        name: Arc<str>,
    },
    /// Earlier locations take every situation of this one.
    #[error(
        "location `{name}` never applies by itself: earlier locations take every situation in its `when`"
    )]
    LocationShadowed {
        /// Its name.
        name: Arc<str>,
    },
    /// A public authority is asked to vouch for an IP address.
    #[error("public certificate authorities hardly ever vouch for an IP address, so it will not be believed")]
    HttpsToAddress,
    /// A certificate policy verifies nothing.
    #[error("`danger_no_verification`: anybody on the way can be the server")]
    NoVerification,
    /// No reference server can give the required proof.
    #[error("`{}` is required to be inside, but the best a reference server can give is `{}`", word(*required), word(*best))]
    ProofOutOfReach {
        /// What is required.
        required: Proof,
        /// The best there is.
        best: Proof,
    },
    /// A round over the reference servers takes long.
    #[error(
        "{pairs} pairs of reference server and port: a round takes up to {round}, and the first location may come before its end"
    )]
    LongRound {
        /// How many pairs there are.
        pairs: usize,
        /// How long a whole round may take.
        round: Span,
    },
}

impl LintKind {
    /// What to do about it.
    pub const fn advice(&self) -> &'static str {
        match self {
            Self::PlainHttp => "use https",
            Self::SameServerTwice { .. } => "remove one of the two",
            Self::TwoIds { .. } => "remove one of the two, or give both the same id",
            Self::EmptyPriority => "add a server or remove the priority",
            Self::ListNotAssigned { .. } => "assign it in `group.server_list` or in a location, or remove it",
            Self::ShortHeartbeat { .. } => {
                "use 60s or more, and `\"mode\": \"push\"` where news must arrive at once"
            }
            Self::LocationWithoutWhen { .. } => "add `when`, unless the product chooses this location itself",
            Self::LocationShadowed { .. } => "move it up, change its `when`, or remove it",
            Self::HttpsToAddress => "use a name, or add a bundle or a pin to its certificate policy",
            Self::NoVerification => "name a bundle or a pin instead",
            Self::ProofOutOfReach { .. } => {
                "give a reference server a stronger proof, or require a weaker one (`tcp` must be written on both sides)"
            }
            Self::LongRound { .. } => "remove servers or ports until there are 120 pairs or fewer",
        }
    }
}

impl fmt::Display for Lint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.path, self.kind, self.kind.advice())
    }
}

/// Everything that is hardly meant, in the order of the document.
pub(super) fn lint(settings: &Settings) -> Vec<Lint> {
    let mut found = Vec::new();
    certificates(settings, &mut found);
    for (index, list) in settings.lists.iter().enumerate() {
        assignment(settings, index, list, &mut found);
        servers(settings, index, list, &mut found);
    }
    reference_servers(settings, &mut found);
    heartbeats(settings, &mut found);
    locations(&settings.location_rules.locations, &mut found);
    found
}

fn certificates(settings: &Settings, found: &mut Vec<Lint>) {
    for (policy, path) in settings.policies.iter().zip(&settings.policy_paths) {
        if policy.danger_no_verification {
            found.push(Lint {
                path: format!("{path}.danger_no_verification"),
                kind: LintKind::NoVerification,
            });
        }
    }
}

fn assignment(settings: &Settings, index: usize, list: &Arc<ServerList>, found: &mut Vec<Lint>) {
    let levels = &settings.levels;
    let shares = levels.locations.iter().map(|(_, share)| share).chain([&levels.group]);
    let mut in_force = shares.filter_map(|share| share.server_list.as_ref()).chain([&levels.default_list]);
    if in_force.any(|other| Arc::ptr_eq(other, list)) {
        return;
    }
    let Some(name) = list.name.clone() else { return };
    found.push(Lint { path: format!("server_lists[{index}]"), kind: LintKind::ListNotAssigned { name } });
}

fn servers(settings: &Settings, index: usize, list: &ServerList, found: &mut Vec<Lint>) {
    let mut endpoints = BTreeMap::new();
    for (priority, servers) in list.priorities.iter().enumerate() {
        let mut merged = settings
            .merged
            .iter()
            .filter(|merged| (merged.list, merged.priority) == (index, priority))
            .peekable();
        if servers.is_empty() && merged.peek().is_none() {
            let path = format!("server_lists[{index}].priorities[{priority}]");
            found.push(Lint { path, kind: LintKind::EmptyPriority });
        }
        let mut servers = servers.iter().peekable();
        for position in 0.. {
            let path = place(index, priority, position);
            if let Some(merged) = merged.next_if(|merged| merged.position == position) {
                found.push(Lint { path, kind: LintKind::SameServerTwice { first: merged.first.clone() } });
                continue;
            }
            let Some(server) = servers.next() else { break };
            let endpoint = (&server.host, server.protocol, server.port);
            if let Some(first) = endpoints.get(&endpoint) {
                let kind = LintKind::TwoIds { first: String::clone(first) };
                found.push(Lint { path: path.clone(), kind });
            } else {
                endpoints.insert(endpoint, path.clone());
            }
            found.extend(server_kind(settings, server).map(|kind| Lint { path, kind }));
        }
    }
}

fn server_kind(settings: &Settings, server: &Server) -> Option<LintKind> {
    match server.protocol {
        Protocol::Http => Some(LintKind::PlainHttp),
        Protocol::Https => {
            let policy = settings.policies.get(usize::from(server.policy))?;
            unbelievable(&server.host, policy).then_some(LintKind::HttpsToAddress)
        }
    }
}

/// Whether only public authorities could vouch for this address.
fn unbelievable(host: &Host, policy: &CertificatePolicy) -> bool {
    let checked = policy.expected_name.as_ref().unwrap_or(host);
    let public = !policy.roots.is_empty() && policy.roots.iter().all(|roots| *roots == Roots::Public);
    matches!(checked, Host::Address(_)) && public && !policy.has_usable_pin()
}

fn reference_servers(settings: &Settings, found: &mut Vec<Lint>) {
    let servers = &settings.reference_servers;
    for (index, server) in servers.iter().enumerate() {
        let policy = settings.policies.get(usize::from(server.policy));
        if server.proof >= Proof::Tls && policy.is_some_and(|policy| unbelievable(&server.host, policy)) {
            let path = format!("reference_servers.servers[{index}]");
            found.push(Lint { path, kind: LintKind::HttpsToAddress });
        }
    }
    let pairs = servers.iter().map(|server| server.ports.len()).sum();
    if pairs > ROUND_PAIRS {
        let pace = Duration::from_millis(50).saturating_mul(u32::try_from(pairs).unwrap_or(u32::MAX));
        let round = Span(pace + Duration::from_millis(1500));
        let path = "reference_servers.servers".to_owned();
        found.push(Lint { path, kind: LintKind::LongRound { pairs, round } });
    }
    let required = settings.location_rules.required_proof;
    if let Some(best) = servers.iter().map(|server| server.proof).max()
        && best < required
    {
        let path = "location.required_proof".to_owned();
        found.push(Lint { path, kind: LintKind::ProofOutOfReach { required, best } });
    }
}

fn heartbeats(settings: &Settings, found: &mut Vec<Lint>) {
    let levels = &settings.levels;
    let group = ("group".to_owned(), levels.group.heartbeat_interval);
    let locations = levels.locations.iter().enumerate();
    let locations =
        locations.map(|(index, (_, share))| (format!("locations[{index}]"), share.heartbeat_interval));
    for (path, interval) in [group].into_iter().chain(locations) {
        let Some(interval) = interval.filter(|interval| *interval < SHORT_HEARTBEAT) else { continue };
        let path = format!("{path}.communication.heartbeat_interval");
        found.push(Lint { path, kind: LintKind::ShortHeartbeat { interval: Span(interval) } });
    }
}

fn locations(locations: &[Location], found: &mut Vec<Lint>) {
    let mut taken: Vec<Situation> = Vec::new();
    for (index, Location { name, when }) in locations.iter().enumerate() {
        let path = format!("locations[{index}]");
        if when.is_empty() {
            found.push(Lint { path, kind: LintKind::LocationWithoutWhen { name: Arc::clone(name) } });
        } else if when.iter().all(|situation| taken.contains(situation)) {
            found.push(Lint { path, kind: LintKind::LocationShadowed { name: Arc::clone(name) } });
        }
        taken.extend(when);
    }
}

const fn word(proof: Proof) -> &'static str {
    match proof {
        Proof::Tcp => "tcp",
        Proof::Tls => "tls",
        Proof::Pin => "pin",
    }
}
