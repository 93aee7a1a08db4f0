//! Every server of a document, once.

use std::collections::BTreeMap;

use super::assignment::Assignment;
use super::document;
use super::list::{DEFAULT_HTTP_PORT, DEFAULT_HTTPS_PORT, Protocol};
use super::value::{Name, Object, Word};
use crate::types::ServerId;

/// Which servers there are, and what follows from all the places of each.
pub(super) struct ServerIndex {
    /// In the order of the file.
    pub(super) ids: Vec<ServerId>,
    places: BTreeMap<ServerId, Places>,
}

/// In which lists that are assigned to somebody a server stands.
#[derive(Default)]
struct Places {
    /// Which server this is, in the order of the file.
    number: u16,
    /// In one for locations that exclude being inside.
    outside: bool,
    /// In another.
    elsewhere: bool,
}

impl ServerIndex {
    /// Counts the servers.
    pub(super) fn new(lists: &[document::ServerList], assignment: &Assignment) -> Self {
        let mut ids = Vec::new();
        let mut places: BTreeMap<ServerId, Places> = BTreeMap::new();
        for (index, list) in lists.iter().enumerate() {
            let servers =
                list.priorities.iter().filter_map(|Object(priority)| priority.servers.as_ref()).flatten();
            for Object(server) in servers {
                let id = id(server);
                let known = places.entry(id.clone()).or_insert_with(|| {
                    ids.push(id);
                    // Settings allow 4,096 servers.
                    Places { number: u16::try_from(ids.len() - 1).unwrap_or(u16::MAX), ..Places::default() }
                });
                let outside = assignment.is_outside(index);
                known.outside |= outside;
                known.elsewhere |= !outside && assignment.has(index);
            }
        }
        Self { ids, places }
    }

    /// Which server this is, in the order of the file.
    pub(super) fn number(&self, server: &ServerId) -> u16 {
        self.places.get(server).map_or(0, |places| places.number)
    }

    /// Whether an exchange with this server shows that the machine is inside, where nobody wrote it:
    /// a server that only serves outside is reached from outside.
    pub(super) fn inside(&self, server: &ServerId) -> bool {
        self.places.get(server).is_none_or(|places| places.elsewhere || !places.outside)
    }
}

/// The id somebody wrote, or protocol, address and port.
pub(super) fn id(server: &document::Server) -> ServerId {
    if let Some(Name(id)) = &server.id {
        return ServerId::new(id);
    }
    let (protocol, port) = endpoint(server);
    ServerId::new(&format!("{protocol}://{}", server.address.0.with_port(port)))
}

/// The protocol in use and its port.
pub(super) fn endpoint(server: &document::Server) -> (Protocol, u16) {
    let protocol = server.protocol.map(|Word(protocol)| protocol).unwrap_or_default();
    let (port, default) = match protocol {
        Protocol::Https => (server.https_port, DEFAULT_HTTPS_PORT),
        Protocol::Http => (server.http_port, DEFAULT_HTTP_PORT),
    };
    (protocol, port.map_or(default, |port| port.0))
}

#[cfg(test)]
mod tests {
    use crate::settings::testing::{list, settings};

    #[test]
    fn a_server_only_for_outside_does_not_show_that_the_machine_is_inside() {
        let road = |when: &str| format!(r#"{{ "name": "Road", "when": [{when}], "server_list": "road" }}"#);
        let office = r#"{ "name": "Office", "when": ["internal"], "server_list": "road" }"#;
        let group = r#"{ "server_list": "main" }"#;
        let for_road = r#"{ "server_list": "road" }"#;
        let external = road(r#""external""#);
        for (group, locations, inside) in [
            (group, external.clone(), false),
            (group, road(r#""external", "internal_via_vpn""#), true),
            (group, road(""), true), // the product names it, wherever the machine is
            (group, format!("{external}, {office}"), true),
            (for_road, external.clone(), true), // the group may be inside
            (group, String::new(), true),
        ] {
            let lists = format!(
                r#"{}, {}"#,
                list("main", r#"{ "address": "a", "id": "a" }"#),
                list(
                    "road",
                    r#"{ "address": "r", "id": "r" }, { "address": "w", "id": "w", "inside": true }"#
                )
            );
            let text = format!(
                r#"{{ "server_lists": [ {lists} ], "group": {group}, "locations": [ {locations} ] }}"#
            );
            let settings = settings(&text);
            let inside_of = |list: usize, server: usize| settings.lists()[list].priorities[0][server].inside;
            assert_eq!(inside_of(1, 0), inside, "group {group}, locations {locations}");
            assert!(inside_of(0, 0) && inside_of(1, 1));
        }
    }

    #[test]
    fn a_server_that_also_stands_in_a_list_for_inside_counts_there_and_outside() {
        let main = list("main", r#"{ "address": "10.1.0.5", "id": "a" }"#);
        let road = list("road", r#"{ "address": "a.example", "id": "a" }"#);
        let text = format!(
            r#"{{ "server_lists": [ {main}, {road} ], "group": {{ "server_list": "main" }},
                "locations": [ {{ "name": "Road", "when": ["external"], "server_list": "road" }} ] }}"#
        );
        assert!(settings(&text).lists().iter().all(|list| list.priorities[0][0].inside));
    }
}
