//! What the document says about finding out where the machine is.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use super::certificate::{PolicyTable, Written};
use crate::settings::location::{Location, LocationRules, ReferenceServer};
use crate::settings::value::{Ip, Object, Port, Word};
use crate::settings::{ReferenceProblem, SettingsError, document};
use crate::types::Proof;

/// The vendor's number; a round over as many servers with one port each ends within 2 seconds.
const DEFAULT_REFERENCE_SERVERS: u32 = 32;
/// Nobody serves more than a few ports; 320 servers with 16 each are still a bounded round.
const MAX_PORTS: usize = 16;
/// Set aside for documentation (RFC 5737, RFC 3849): nobody answers there, unless the network answers for everybody.
const DEFAULT_CONTROL: (Ipv4Addr, Ipv6Addr) =
    (Ipv4Addr::new(192, 0, 2, 1), Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));

impl From<&document::Location> for Location {
    fn from(text: &document::Location) -> Self {
        let when = text.when.iter().flatten().map(|Word(situation)| *situation).collect();
        Self { name: Arc::clone(&text.name.0), when }
    }
}

/// The reference servers that are asked: none when they are switched off.
pub(super) fn reference_servers(
    text: Option<Object<document::ReferenceServers>>,
    above: &Written,
    policies: &mut PolicyTable,
) -> Result<Vec<ReferenceServer>, SettingsError> {
    let Some(Object(document::ReferenceServers { enabled, limit, servers })) = text else {
        return Ok(Vec::new());
    };
    let servers = servers.unwrap_or_default();
    let limit = limit.map_or(DEFAULT_REFERENCE_SERVERS, |limit| limit.0) as usize;
    if servers.len() > limit {
        return Err(SettingsError::TooMany {
            path: "reference_servers.servers".to_owned(),
            what: "reference servers",
            found: servers.len(),
            limit,
        });
    }
    let asked = enabled.unwrap_or(true);
    let mut kept = Vec::new();
    for (index, Object(text)) in servers.into_iter().enumerate() {
        // Judged even when switched off, so that switching them on cannot fail.
        let (server, written) =
            reference_server(text, above, &format!("reference_servers.servers[{index}]"))?;
        if asked {
            kept.push(ReferenceServer { policy: policies.index(&written), ..server });
        }
    }
    Ok(kept)
}

fn reference_server(
    text: document::ReferenceServer,
    above: &Written,
    path: &str,
) -> Result<(ReferenceServer, Written), SettingsError> {
    let document::ReferenceServer { address, ports, proof, certificate } = text;
    let problem =
        |field: &str, problem| Err(SettingsError::Reference { path: format!("{path}.{field}"), problem });
    let ports: Vec<u16> =
        ports.map_or_else(|| vec![443], |ports| ports.into_iter().map(|Port(port)| port).collect());
    if ports.is_empty() {
        return problem("ports", ReferenceProblem::NoPort);
    }
    if ports.len() > MAX_PORTS {
        return Err(SettingsError::TooMany {
            path: format!("{path}.ports"),
            what: "ports",
            found: ports.len(),
            limit: MAX_PORTS,
        });
    }
    let twice =
        ports.iter().enumerate().find(|(at, port)| ports.iter().take(*at).any(|before| before == *port));
    if let Some((at, port)) = twice {
        return problem(&format!("ports[{at}]"), ReferenceProblem::PortTwice(*port));
    }
    let proof = proof.map_or(Proof::Tls, |Word(proof)| proof);
    let written = above.or_own(certificate, || format!("{path}.certificate"))?;
    if proof >= Proof::Tls && written.policy.danger_no_verification {
        return problem("proof", ReferenceProblem::NotVerified);
    }
    if proof == Proof::Pin && !written.policy.has_usable_pin() {
        return problem("proof", ReferenceProblem::NoPin);
    }
    Ok((ReferenceServer { host: address.0, ports, proof, policy: 0 }, written))
}

/// The rules, with these locations.
pub(super) fn rules(
    text: Option<Object<document::LocationRules>>,
    locations: Vec<Location>,
) -> Result<LocationRules, SettingsError> {
    let document::LocationRules { required_proof, management_server_counts, tunnel_proves_internal, control } =
        text.map(|Object(text)| text).unwrap_or_default();
    let (mut v4, mut v6) = (None, None);
    for (index, Ip(address)) in control.unwrap_or_default().into_iter().enumerate() {
        let taken = match address {
            IpAddr::V4(address) => v4.replace(address).is_some(),
            IpAddr::V6(address) => v6.replace(address).is_some(),
        };
        if taken {
            let path = format!("location.control[{index}]");
            return Err(SettingsError::Reference { path, problem: ReferenceProblem::ControlTwice });
        }
    }
    Ok(LocationRules {
        required_proof: required_proof.map_or(Proof::Tls, |Word(proof)| proof),
        management_server_counts: management_server_counts.unwrap_or(true),
        tunnel_proves_internal: tunnel_proves_internal.unwrap_or(false),
        control_v4: v4.unwrap_or(DEFAULT_CONTROL.0),
        control_v6: v6.unwrap_or(DEFAULT_CONTROL.1),
        locations,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Roots, Settings, Situation};

    fn settings(rest: &str) -> Settings {
        let list = r#"{ "name": "main", "priorities": [ { "servers": [ { "address": "a.example" } ] } ] }"#;
        format!(r#"{{ "server_lists": [ {list} ], {rest} }}"#).parse().unwrap()
    }

    #[test]
    fn what_nobody_wrote_asks_for_tls_and_believes_no_tunnel() {
        let rules = settings(r#""location": {}"#).location_rules().clone();
        let defaults = LocationRules {
            required_proof: Proof::Tls,
            management_server_counts: true,
            tunnel_proves_internal: false,
            control_v4: "192.0.2.1".parse().unwrap(),
            control_v6: "2001:db8::1".parse().unwrap(),
            locations: vec![],
        };
        assert_eq!(rules, defaults);
        assert_eq!(*settings(r#""location": null"#).location_rules(), defaults);
    }

    #[test]
    fn a_control_of_one_family_leaves_the_other_its_default() {
        let rules = settings(r#""location": { "control": ["2001:db8::7"] }"#).location_rules().clone();
        assert_eq!(rules.control_v6.to_string(), "2001:db8::7");
        assert_eq!(rules.control_v4, DEFAULT_CONTROL.0);
    }

    #[test]
    fn locations_keep_their_order_and_their_situations() {
        let settings = settings(
            r#""locations": [ { "name": "Road", "when": ["external", "captive", "unknown"] },
                { "name": "Office", "when": ["internal", "internal_via_vpn"] }, { "name": "Lab" } ]"#,
        );
        let whens: Vec<&[Situation]> =
            settings.location_rules().locations.iter().map(|location| location.when.as_slice()).collect();
        let [road, office] = [
            [Situation::External, Situation::Captive, Situation::Unknown].as_slice(),
            [Situation::Internal, Situation::InternalViaVpn].as_slice(),
        ];
        assert_eq!(whens, [road, office, &[]]);
        let names: Vec<&str> = settings.locations().map(|name| &**name).collect();
        assert_eq!(names, ["Road", "Office", "Lab"]);
    }

    #[test]
    fn a_reference_server_has_ports_a_proof_and_a_policy() {
        let settings = settings(
            r#""certificate": { "roots": ["system"] }, "reference_servers": { "servers": [ { "address": "r.example" },
                { "address": "10.0.0.1", "ports": [8443, 443], "proof": "tcp", "certificate": {} } ] }"#,
        );
        let [named, bare] = settings.reference_servers() else { panic!() };
        assert_eq!((named.ports.as_slice(), named.proof), ([443].as_slice(), Proof::Tls));
        assert_eq!((bare.ports.as_slice(), bare.proof), ([8443, 443].as_slice(), Proof::Tcp));
        let roots = |server: &ReferenceServer| settings.policies()[usize::from(server.policy)].roots.clone();
        assert_eq!((roots(named), roots(bare)), (vec![Roots::System], vec![Roots::Public]));
    }

    #[test]
    fn reference_servers_that_are_switched_off_are_judged_and_not_asked() {
        let switched_off = |ports: &str| {
            format!(
                r#""reference_servers": {{ "enabled": false, "servers": [ {{ "address": "r", "ports": {ports},
                    "certificate": {{ "roots": ["system"] }} }} ] }}"#
            )
        };
        let settings = settings(&switched_off("[443]"));
        assert_eq!(settings.reference_servers(), []);
        assert_eq!(settings.policies().len(), 1, "nothing uses theirs");
        let list = r#"{ "name": "main", "priorities": [ { "servers": [ { "address": "a" } ] } ] }"#;
        let text = format!(r#"{{ "server_lists": [ {list} ], {} }}"#, switched_off("[]"));
        assert!(text.parse::<Settings>().is_err());
    }
}
