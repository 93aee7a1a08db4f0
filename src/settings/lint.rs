//! What is allowed but hardly meant.
//!
//! Nothing here is an error: each of these settings is in force as it is written. A lint says where,
//! what, and what to do about it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::list::place;
use super::reference_lint::reference_servers;
use super::{
    CertificatePolicy, Location, PinState, Protocol, Roots, Server, ServerList, Settings, Situation,
};
use crate::types::{Host, Proof, Span};

/// A server then hears of each agent more often than once per minute, for nothing a console shows.
const SHORT_HEARTBEAT: Duration = Duration::from_secs(60);

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
    /// Applications ought to be learned, and the site does not allow it.
    #[error("no application is learned, because `site.learn_applications` is not true")]
    LearningBlocked,
    /// This version of the library does not do what the field says. From [`Settings::not_enforced`] only.
    #[error("{reason}")]
    NotEnforced {
        /// What happens instead.
        reason: &'static str,
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
    /// One key is pinned and no other.
    #[error(
        "only one pin can be accepted: the day that key is lost or changed, no agent can be reached any more"
    )]
    SinglePin,
    /// A certificate policy verifies nothing.
    #[error("`danger_no_verification`: anybody on the way can be the server")]
    NoVerification,
    /// A reference server is asked on port 20.
    #[error("nobody listens on port 20: active FTP only sends from it")]
    FtpData,
    /// A bare connection to an address that home routers use.
    #[error("many home networks have this address, and a bare connection to theirs would be inside")]
    HomeAddress,
    /// The name of a reference server has no dot.
    #[error("this name only resolves with a search suffix, which another network may set")]
    NeedsSearchSuffix,
    /// A reference server stood earlier in the list.
    #[error("the same server and port as {first}")]
    SameReferenceTwice {
        /// Where the first stands.
        first: String,
    },
    /// Every reference server is a management server as well.
    #[error("only management servers: when they are gone, so is every sign of being inside")]
    OnlyManagementServers,
    /// No reference server can give the required proof.
    #[error("`{}` is required to be inside, but the best a reference server can give is `{}`", required.word(), best.word())]
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
            Self::ShortHeartbeat { .. } => "use 60s or more",
            Self::LearningBlocked => "set `site.learn_applications` to true, or leave this out",
            Self::NotEnforced { .. } => "leave it out until a later version does it",
            Self::LocationWithoutWhen { .. } => "add `when`, unless the product chooses this location itself",
            Self::LocationShadowed { .. } => "move it up, change its `when`, or remove it",
            Self::SinglePin => "pin the key that comes next as well, as `next`",
            Self::HttpsToAddress => "use a name, or add a bundle or a pin to its certificate policy",
            Self::NoVerification => "name a bundle or a pin instead",
            Self::FtpData => "use port 21",
            Self::HomeAddress => "ask for `tls` or `pin`, or use another server",
            Self::NeedsSearchSuffix => "write it with its domain",
            Self::SameReferenceTwice { .. } => "remove one of the two",
            Self::OnlyManagementServers => "add a server that stays when they go",
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
    learning(settings, &mut found);
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
        if policy.pins.iter().filter(|pin| pin.state != PinState::Revoked).count() == 1 {
            found.push(Lint { path: format!("{path}.pins"), kind: LintKind::SinglePin });
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
pub(super) fn unbelievable(host: &Host, policy: &CertificatePolicy) -> bool {
    let checked = policy.expected_name.as_ref().unwrap_or(host);
    let public = !policy.roots.is_empty() && policy.roots.iter().all(|roots| *roots == Roots::Public);
    matches!(checked, Host::Address(_)) && public && !policy.has_usable_pin()
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

fn learning(settings: &Settings, found: &mut Vec<Lint>) {
    let levels = &settings.levels;
    if levels.site_learns == Some(true) {
        return;
    }
    let locations = levels.locations.iter().enumerate();
    let locations = locations.map(|(index, (_, share))| (format!("locations[{index}]"), share));
    for (path, share) in [("group".to_owned(), &levels.group)].into_iter().chain(locations) {
        if share.learn_applications == Some(true) {
            let path = format!("{path}.communication.learn_applications");
            found.push(Lint { path, kind: LintKind::LearningBlocked });
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn lints(text: &str) -> Vec<String> {
        text.parse::<Settings>().unwrap().lint().iter().map(Lint::to_string).collect()
    }

    /// Settings with one list of these priorities.
    fn with_priorities(priorities: &str) -> String {
        format!(r#"{{ "server_lists": [ {{ "name": "main", "priorities": [ {priorities} ] }} ] }}"#)
    }

    /// Settings with one good server and whatever else.
    fn with(rest: &str) -> String {
        let list = r#"{ "name": "main", "priorities": [ { "servers": [ { "address": "a.example" } ] } ] }"#;
        format!(r#"{{ "server_lists": [ {list} ], {rest} }}"#)
    }

    #[test]
    fn good_settings_have_none() {
        assert_eq!(lints(&with(r#""version": 1"#)), [""; 0]);
    }

    #[test]
    fn a_server_is_named_by_its_place_in_the_file_whatever_was_merged_before_it() {
        let text = with_priorities(
            r#"{ "servers": [ { "address": "a.example" }, { "address": "a.example" }, { "address": "b.example", "protocol": "http" } ] },
               { "servers": [] },
               { "servers": [ { "address": "a.example" } ] },
               { "servers": [ { "address": "a.example", "id": "again" } ] }"#,
        );
        assert_eq!(
            lints(&text),
            [
                "server_lists[0].priorities[0].servers[1]: the same server as server_lists[0].priorities[0].servers[0], \
                 where it stays; this entry is ignored; remove one of the two",
                "server_lists[0].priorities[0].servers[2]: plain http: anybody on the way can read and change \
                 everything, and can be the server; use https",
                "server_lists[0].priorities[1]: a priority without servers; add a server or remove the priority",
                "server_lists[0].priorities[2].servers[0]: the same server as server_lists[0].priorities[0].servers[0], \
                 where it stays; this entry is ignored; remove one of the two",
                "server_lists[0].priorities[3].servers[0]: the same address, protocol and port as \
                 server_lists[0].priorities[0].servers[0] under another id, so one server counts as two; \
                 remove one of the two, or give both the same id",
            ]
        );
    }

    #[test]
    fn a_list_beside_others_is_assigned_or_its_priorities_do_not_count() {
        let list = |name: &str| {
            format!(
                r#"{{ "name": "{name}", "priorities": [ {{ "servers": [ {{ "address": "{name}" }} ] }} ] }}"#
            )
        };
        let text = format!(
            r#"{{ "server_lists": [ {}, {}, {} ], "group": {{ "server_list": "b" }},
                "locations": [ {{ "name": "Road", "when": ["external"], "server_list": "c" }} ] }}"#,
            list("a"),
            list("b"),
            list("c")
        );
        assert_eq!(
            lints(&text),
            ["server_lists[0]: list `a` is assigned to nothing: its priorities do not count; \
              assign it in `group.server_list` or in a location, or remove it"]
        );
    }

    #[test]
    fn https_to_an_address_wants_a_bundle_or_a_pin() {
        let pin = r#"{ "pins": [ { "sha256": "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" },
            { "sha256": "LCa0a2j/xo/5m0U8HTBBNBNCLXBkg7+g+YpeiGJm564=", "state": "next" } ] }"#;
        for (certificate, said) in [
            ("null", true),
            ("{}", true),
            (r#"{ "expected_name": "192.0.2.7" }"#, true),
            (r#"{ "expected_name": "m.example" }"#, false),
            (r#"{ "roots": ["public", { "bundle": "ca.pem" }] }"#, false),
            (r#"{ "roots": ["system"] }"#, false), // where companies put their own authority
            (pin, false),
        ] {
            let server = format!(r#"{{ "address": "10.1.0.5", "certificate": {certificate} }}"#);
            let found = lints(&with_priorities(&format!(r#"{{ "servers": [ {server} ] }}"#)));
            let expected = "server_lists[0].priorities[0].servers[0]: public certificate authorities hardly ever \
                            vouch for an IP address, so it will not be believed; use a name, or add a bundle or a \
                            pin to its certificate policy";
            assert_eq!(found, if said { vec![expected] } else { vec![] }, "{certificate}");
        }
    }

    #[test]
    fn the_rest_of_the_document_is_read_as_well() {
        for (rest, expected) in [
            (
                r#""certificate": { "pins": [ { "sha256": "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" },
                    { "sha256": "LCa0a2j/xo/5m0U8HTBBNBNCLXBkg7+g+YpeiGJm564=", "state": "revoked" } ] }"#,
                "certificate.pins: only one pin can be accepted: the day that key is lost or changed, no agent can be \
                 reached any more; pin the key that comes next as well, as `next`",
            ),
            (
                r#""certificate": { "danger_no_verification": true }"#,
                "certificate.danger_no_verification: `danger_no_verification`: anybody on the way can be the server; \
                 name a bundle or a pin instead",
            ),
            (
                r#""group": { "communication": { "heartbeat_interval": "59s" } }"#,
                "group.communication.heartbeat_interval: a heartbeat every 59s is a heavy load on the servers of a \
                 large fleet; use 60s or more",
            ),
            (
                r#""locations": [ { "name": "Lab" } ]"#,
                "locations[0]: location `Lab` has no `when`: it applies only where the product names it; \
                 add `when`, unless the product chooses this location itself",
            ),
            (
                r#""locations": [ { "name": "Office", "when": ["internal", "unknown"] }, { "name": "Lab", "when": ["internal"] } ]"#,
                "locations[1]: location `Lab` never applies by itself: earlier locations take every situation in its \
                 `when`; move it up, change its `when`, or remove it",
            ),
            (
                r#""reference_servers": { "servers": [ { "address": "r.example", "proof": "tcp" } ] }"#,
                "location.required_proof: `tls` is required to be inside, but the best a reference server can give is \
                 `tcp`; give a reference server a stronger proof, or require a weaker one (`tcp` must be written on \
                 both sides)",
            ),
            (
                r#""reference_servers": { "servers": [ { "address": "10.20.0.1" } ] }"#,
                "reference_servers.servers[0]: public certificate authorities hardly ever vouch for an IP address, \
                 so it will not be believed; use a name, or add a bundle or a pin to its certificate policy",
            ),
        ] {
            assert_eq!(lints(&with(rest)), [expected], "{rest}");
        }
    }

    #[test]
    fn sixty_seconds_and_a_hundred_and_twenty_pairs_are_not_too_many() {
        let ports = |ports: usize| (1..=ports).map(|port| port.to_string()).collect::<Vec<_>>().join(", ");
        let references = |last: usize| {
            let full = (0..8)
                .map(|number| format!(r#"{{ "address": "r{number}.example", "ports": [{}] }}"#, ports(14)));
            let servers: Vec<String> = full
                .chain([format!(r#"{{ "address": "last.example", "ports": [{}] }}"#, ports(last))])
                .collect();
            with(&format!(r#""reference_servers": {{ "servers": [ {} ] }}"#, servers.join(", ")))
        };
        assert_eq!(lints(&references(8)), [""; 0]);
        assert_eq!(
            lints(&references(9)),
            [
                "reference_servers.servers: 121 pairs of reference server and port: a round takes up to 7s 550ms, and the \
              first location may come before its end; remove servers or ports until there are 120 pairs or fewer"
            ]
        );
        let minute = r#""group": { "communication": { "heartbeat_interval": "60s" } }"#;
        assert_eq!(lints(&with(minute)), [""; 0]);
    }
}
