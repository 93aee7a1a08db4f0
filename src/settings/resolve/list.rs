//! The lists of the document, server by server.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use super::certificate::{PolicyTable, Written};
use crate::settings::document;
use crate::settings::list::{Merged, Server, ServerList, place};
use crate::settings::server_index::{ServerIndex, endpoint, id};
use crate::settings::value::{Name, Object, quoted};
use crate::settings::{SettingsError, Warning, WarningKind};
use crate::types::{Host, ServerId};

/// Turns the written lists into those the engine uses, and collects what they have in common.
pub(super) struct ListReader<'a> {
    pub(super) server_index: &'a ServerIndex,
    pub(super) policies: &'a mut PolicyTable,
    pub(super) merged: Vec<Merged>,
    pub(super) warnings: &'a mut Vec<Warning>,
}

impl ListReader<'_> {
    /// The list at this place of the file. `above` is the certificate policy of the document.
    pub(super) fn read(
        &mut self,
        index: usize,
        list: document::ServerList,
        above: &Written,
    ) -> Result<ServerList, SettingsError> {
        let document::ServerList { name: Name(name), description, certificate, priorities } = list;
        let above = above.or_own(certificate, || format!("server_lists[{index}].certificate"))?;
        let mut known: BTreeMap<ServerId, (String, Arc<Server>)> = BTreeMap::new();
        let mut kept = Vec::new();
        for (priority, Object(document::Priority { servers })) in priorities.into_iter().enumerate() {
            let mut equals = Vec::new();
            for (position, Object(mut text)) in servers.unwrap_or_default().into_iter().enumerate() {
                let path = place(index, priority, position);
                let written = above.or_own(text.certificate.take(), || format!("{path}.certificate"))?;
                let id = id(&text);
                match known.get(&id) {
                    None => {
                        let server = Arc::new(self.server(text, &written));
                        known.insert(id, (path, Arc::clone(&server)));
                        equals.push(server);
                    }
                    Some((first, stays)) if stays.is_reached_like(&text) => {
                        let first = first.clone();
                        self.warnings
                            .push(Warning { path, kind: WarningKind::Merged { first: first.clone() } });
                        self.merged.push(Merged { list: index, priority, position, first });
                    }
                    Some((first, _)) => {
                        let path = if text.id.is_some() { format!("{path}.id") } else { path };
                        let (id, first) = (quoted(id.as_str()), first.clone());
                        return Err(SettingsError::IdTaken { path, id, first });
                    }
                }
            }
            kept.push(equals);
        }
        let description = description.map_or_else(|| "".into(), |description| description.0);
        Ok(ServerList { name: Some(name), description, priorities: kept })
    }

    fn server(&mut self, text: document::Server, written: &Written) -> Server {
        let id = id(&text);
        let (protocol, port) = endpoint(&text);
        let document::Server { address, weight, inside, .. } = text;
        Server {
            literal: literal(&address.0, port),
            authority: address.0.with_port(port).into(),
            host: address.0,
            protocol,
            port,
            weight: weight.map_or(1, |weight| weight.0),
            inside: inside.unwrap_or_else(|| self.server_index.inside(&id)),
            policy: self.policies.index(written),
            number: self.server_index.number(&id),
            id,
        }
    }
}

impl Server {
    fn is_reached_like(&self, text: &document::Server) -> bool {
        self.host == text.address.0 && (self.protocol, self.port) == endpoint(text)
    }
}

fn literal(host: &Host, port: u16) -> Option<Arc<[SocketAddr]>> {
    match host {
        Host::Address(address) => Some(Arc::from([SocketAddr::new(*address, port)])),
        Host::Name(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::testing::{ids, list, settings};
    use crate::settings::{CertificatePolicy, Settings, Source};

    #[test]
    fn an_id_is_protocol_address_and_port_unless_it_is_written() {
        for (server, expected) in [
            (r#"{ "address": "A.example." }"#, "https://a.example:443"),
            (r#"{ "address": "a.example", "https_port": 8443, "http_port": 80 }"#, "https://a.example:8443"),
            (r#"{ "address": "10.1.0.5", "protocol": "http" }"#, "http://10.1.0.5:8014"),
            (r#"{ "address": "2001:DB8::5" }"#, "https://[2001:db8::5]:443"),
            (r#"{ "address": "a.example", "https_port": 8443, "id": "a" }"#, "a"),
        ] {
            let settings = settings(&format!(r#"{{ "server_lists": [ {} ] }}"#, list("main", server)));
            assert_eq!(settings.servers(), [ServerId::new(expected)], "{server}");
        }
    }

    #[test]
    fn a_server_twice_in_a_list_stays_in_the_better_priority() {
        let text = r#"{ "server_lists": [ { "name": "main", "priorities": [
            { "servers": [ { "address": "a.example" }, { "address": "b.example", "weight": 3 } ] },
            { "servers": [ { "address": "b.example" }, { "address": "c.example" } ] },
            { "servers": [ { "address": "A.EXAMPLE" } ] } ] } ] }"#;
        let parsed = Settings::parse(text.as_bytes(), Source::Person).unwrap();
        let [list] = parsed.settings.lists() else { panic!() };
        let (a, b, c) = ("https://a.example:443", "https://b.example:443", "https://c.example:443");
        assert_eq!(ids(list), [vec![a, b], vec![c], vec![]]);
        let warnings: Vec<String> = parsed.warnings.iter().map(Warning::to_string).collect();
        assert_eq!(
            warnings,
            [
                "server_lists[0].priorities[1].servers[0]: the same server as \
                 server_lists[0].priorities[0].servers[1], where it stays; this entry is ignored; remove one of the two",
                "server_lists[0].priorities[2].servers[0]: the same server as \
                 server_lists[0].priorities[0].servers[0], where it stays; this entry is ignored; remove one of the two",
            ]
        );
    }

    #[test]
    fn an_entry_that_is_ignored_has_no_policy_in_the_table() {
        let again = r#"{ "address": "a", "certificate": { "roots": [{ "bundle": "not/there.pem" }] } }"#;
        let list = list("main", &format!(r#"{{ "address": "a" }}, {again}"#));
        let settings = settings(&format!(r#"{{ "server_lists": [ {list} ] }}"#));
        assert_eq!(settings.policies(), [CertificatePolicy::default()]);
    }

    #[test]
    fn across_lists_one_id_is_one_server_even_by_another_address() {
        let inside = list("inside", r#"{ "address": "10.1.0.5", "id": "a" }"#);
        let outside = list("outside", r#"{ "address": "a.example", "id": "a" }"#);
        let settings = settings(&format!(r#"{{ "server_lists": [ {inside}, {outside} ] }}"#));
        assert_eq!(settings.servers(), [ServerId::new("a")]);
        let hosts: Vec<String> =
            settings.lists().iter().map(|list| list.priorities[0][0].host.to_string()).collect();
        assert_eq!(hosts, ["10.1.0.5", "a.example"]);
    }
}
