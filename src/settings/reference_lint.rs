//! What is hardly meant about the reference servers.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::lint_kind::{Lint, LintKind};
use super::{ReferenceServer, Settings};
use crate::types::{Host, Proof, Span};

/// Starts are 50 ms apart and the last one has 1.5 s: these pairs take 7.5 s, and a location is due within 8.
const ROUND_PAIRS: usize = 120;

/// Data connections of active FTP come *from* this port (RFC 959): nobody listens on it.
const FTP_DATA: u16 = 20;

/// What the routers that people have at home call themselves and their networks when they come out of the box.
const HOME_NETWORKS: [(Ipv4Addr, u8); 5] = [
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(10, 0, 0, 0), 24),
    (Ipv4Addr::new(10, 0, 1, 0), 24),
    (Ipv4Addr::new(10, 1, 1, 0), 24),
    (Ipv4Addr::new(172, 16, 0, 0), 24),
];

pub(super) fn reference_servers(settings: &Settings, found: &mut Vec<Lint>) {
    let servers = &settings.reference_servers;
    for (index, server) in servers.iter().enumerate() {
        let path = format!("reference_servers.servers[{index}]");
        let mut add = |field: &str, kind| found.push(Lint { path: format!("{path}{field}"), kind });
        let policy = settings.policies.get(usize::from(server.policy));
        if server.proof >= Proof::Tls && policy.is_some_and(|policy| policy.is_hopeless_for(&server.host)) {
            add("", LintKind::HttpsToAddress);
        }
        if let Some(at) = server.ports.iter().position(|port| *port == FTP_DATA) {
            add(&format!(".ports[{at}]"), LintKind::FtpData);
        }
        if server.proof == Proof::Tcp && is_at_home(&server.host) {
            add("", LintKind::HomeAddress);
        }
        if matches!(&server.host, Host::Name(name) if !name.contains('.') && &**name != "localhost") {
            add(".address", LintKind::NeedsSearchSuffix);
        }
        if let Some(first) = servers.iter().take(index).position(|before| is_same(before, server)) {
            let first = format!("reference_servers.servers[{first}]");
            add("", LintKind::SameReferenceTwice { first });
        }
    }
    let manages = |server: &ReferenceServer| {
        settings
            .lists
            .iter()
            .any(|list| list.priorities.iter().flatten().any(|manager| manager.host == server.host))
    };
    if !servers.is_empty() && servers.iter().all(manages) {
        let path = "reference_servers.servers".to_owned();
        found.push(Lint { path, kind: LintKind::OnlyManagementServers });
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

fn is_same(one: &ReferenceServer, other: &ReferenceServer) -> bool {
    one.host == other.host && one.ports.iter().any(|port| other.ports.contains(port))
}

fn is_at_home(host: &Host) -> bool {
    let Host::Address(IpAddr::V4(address)) = host else { return false };
    HOME_NETWORKS.iter().any(|(network, length)| {
        let mask = u32::MAX << (32 - u32::from(*length));
        u32::from(*address) & mask == u32::from(*network)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of these reference servers, beside a management server `m.example`.
    fn lints(servers: &str) -> Vec<String> {
        let text = format!(
            r#"{{ "server_lists": [ {{ "name": "main", "priorities": [ {{ "servers": [ {{ "address": "m.example" }} ] }} ] }} ],
                "location": {{ "required_proof": "tcp" }}, "reference_servers": {{ "servers": [ {servers} ] }} }}"#
        );
        text.parse::<Settings>().unwrap().lint().iter().map(Lint::to_string).collect()
    }

    #[test]
    fn what_cannot_show_where_the_machine_is_is_said() {
        for (servers, expected) in [
            (
                r#"{ "address": "r.example", "ports": [21, 20] }"#,
                "reference_servers.servers[0].ports[1]: nobody listens on port 20: active FTP only sends from it; use port 21",
            ),
            (
                r#"{ "address": "192.168.1.1", "ports": [80], "proof": "tcp" }"#,
                "reference_servers.servers[0]: many home networks have this address, and a bare connection to theirs would be \
                 inside; ask for `tls` or `pin`, or use another server",
            ),
            (
                r#"{ "address": "intranet" }"#,
                "reference_servers.servers[0].address: this name only resolves with a search suffix, which another network may \
                 set; write it with its domain",
            ),
            (
                r#"{ "address": "r.example", "ports": [443, 8443] }, { "address": "R.example.", "ports": [8443] }"#,
                "reference_servers.servers[1]: the same server and port as reference_servers.servers[0]; remove one of the two",
            ),
            (
                r#"{ "address": "m.example", "ports": [8443] }"#,
                "reference_servers.servers: only management servers: when they are gone, so is every sign of being inside; add a \
                 server that stays when they go",
            ),
        ] {
            assert_eq!(lints(servers), [expected], "{servers}");
        }
    }

    #[test]
    fn the_page_names_the_networks_of_homes() {
        let networks = HOME_NETWORKS.map(|(network, length)| format!("{network}/{length}")).join(", ");
        let page = include_str!("../../docs/settings.md");
        assert!(page.contains(&format!("that home routers use ({networks})")), "{networks}");
    }

    #[test]
    fn what_is_meant_is_not_remarked_upon() {
        for servers in [
            r#"{ "address": "r.example", "ports": [21, 22] }, { "address": "m.example" }"#,
            r#"{ "address": "10.20.30.40", "proof": "tcp" }"#,
            r#"{ "address": "r.example", "ports": [443] }, { "address": "r.example", "ports": [8443] }"#,
            r#"{ "address": "localhost" }"#,
        ] {
            assert_eq!(lints(servers), [""; 0], "{servers}");
        }
    }
}
