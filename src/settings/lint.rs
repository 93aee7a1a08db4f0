//! What is allowed but hardly meant.
//!
//! Nothing here is an error: each of these settings is in force as it is written. A lint says where,
//! what, and what to do about it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use siphasher::sip::SipHasher13;

use super::lint_kind::{Lint, LintKind};
use super::list::place;
use super::reference_lint::reference_servers;
use super::{Location, PinState, Protocol, Server, ServerList, Settings, Situation};
use crate::types::{Host, Span};

/// A server then hears of each agent more often than once per minute, for nothing a console shows.
const SHORT_HEARTBEAT: Duration = Duration::from_secs(60);

impl Settings {
    /// What is allowed but hardly meant, in the order of the document. Worked out anew at each call.
    pub fn lint(&self) -> Vec<Lint> {
        lint(self)
    }
}

/// Everything that is hardly meant, in the order of the document.
fn lint(settings: &Settings) -> Vec<Lint> {
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
            match endpoints.entry(endpoint(server)) {
                Entry::Occupied(first) => {
                    let kind = LintKind::TwoIds { first: String::clone(first.get()) };
                    found.push(Lint { path: path.clone(), kind });
                }
                Entry::Vacant(place) => drop(place.insert(path.clone())),
            }
            found.extend(server_kind(settings, server).map(|kind| Lint { path, kind }));
        }
    }
}

/// Where a server is. A number comes first: addresses of one site differ in their last bytes, and are slow to compare.
fn endpoint(server: &Server) -> (u64, &Host, Protocol, u16) {
    let endpoint = (&server.host, server.protocol, server.port);
    let mut hasher = SipHasher13::new();
    endpoint.hash(&mut hasher);
    (hasher.finish(), endpoint.0, endpoint.1, endpoint.2)
}

fn server_kind(settings: &Settings, server: &Server) -> Option<LintKind> {
    match server.protocol {
        Protocol::Http => Some(LintKind::PlainHttp),
        Protocol::Https => {
            let policy = settings.policies.get(usize::from(server.policy))?;
            policy.is_hopeless_for(&server.host).then_some(LintKind::HttpsToAddress)
        }
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
