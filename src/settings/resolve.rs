//! From the document to settings: limits, names that refer to each other, and what follows from both.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::certificate::{PolicyTable, Written};
use super::document::{self, Document};
use super::effective::{Levels, Share};
use super::location::{self, Location, Situation};
use super::value::{Name, Object, Word, quoted};
use super::{
    DEFAULT_HTTP_PORT, DEFAULT_HTTPS_PORT, Merged, Protocol, Server, ServerList, Settings, SettingsError,
    Warning, WarningKind,
};
use crate::words::{Host, ServerId};

/// More lists than anybody has sites of one group.
const MAX_LISTS: usize = 64;
/// As many locations as lists.
const MAX_LOCATIONS: usize = 64;
/// Over all lists; the largest fleets have some hundred.
const MAX_SERVERS: usize = 4096;
/// A list is walked priority by priority, a second each: longer ones would never be walked to their end.
const MAX_PRIORITIES: usize = 256;

/// Works out what the document says. Adds to `warnings` what is odd about it.
pub(super) fn resolve(document: Document, warnings: &mut Vec<Warning>) -> Result<Settings, SettingsError> {
    let Document { site, certificate, server_lists, reference_servers, location, group, locations, .. } =
        document;
    let group = group.map(|Object(group)| group).unwrap_or_default();
    let locations: Vec<document::Location> = unwrapped(locations.unwrap_or_default());
    let server_lists = unwrapped(server_lists);
    check_limits(&server_lists, &locations)?;

    let names = names(&server_lists)?;
    let assigned = Assigned::new(&names, &group, &locations)?;
    let census = Census::new(&server_lists, &assigned);

    let mut policies = PolicyTable::default();
    let written = Written::default().or_own(certificate, || "certificate".to_owned())?;
    let mut merged = Vec::new();
    let mut lists = Vec::new();
    for (index, list) in server_lists.into_iter().enumerate() {
        let mut resolver =
            ListResolver { index, census: &census, policies: &mut policies, merged: &mut merged, warnings };
        lists.push(Arc::new(resolver.resolve(list, &written)?));
    }
    let reference_servers = location::reference_servers(reference_servers, &written, &mut policies)?;
    let mut location_rules = location::rules(location)?;
    location_rules.locations = locations
        .iter()
        .map(|location| Location { name: Arc::clone(&location.name.0), when: situations(location) })
        .collect();

    let shares = locations.into_iter().zip(&assigned.locations);
    let levels = Levels {
        site_learns: site.and_then(|Object(site)| site.learn_applications),
        default_list: default_list(&lists, &assigned),
        group: share(group.communication, assigned.group.and_then(|list| lists.get(list))),
        locations: shares
            .map(|(text, list)| {
                (text.name.0, share(text.communication, list.and_then(|list| lists.get(list))))
            })
            .collect(),
        download_from_management_server: group.download_from_management_server,
        keep_group: group.reconnection.as_ref().and_then(|Object(kept)| kept.keep_group),
        keep_mode: group.reconnection.as_ref().and_then(|Object(kept)| kept.keep_mode),
    };
    let (policies, policy_paths) = policies.into_parts();
    Ok(Settings {
        group_name: group.name.map(|Name(name)| name),
        accept_settings_over_http: group.accept_settings_over_http,
        servers: census.ids,
        lists,
        policies,
        policy_paths,
        reference_servers,
        location_rules,
        levels,
        merged,
    })
}

fn check_limits(
    lists: &[document::ServerList],
    locations: &[document::Location],
) -> Result<(), SettingsError> {
    let at_most = |limit: usize, found: usize, path: &str, what: &'static str| {
        if found <= limit {
            return Ok(());
        }
        Err(SettingsError::TooMany { path: path.to_owned(), what, found, limit })
    };
    at_most(MAX_LISTS, lists.len(), "server_lists", "lists")?;
    at_most(MAX_LOCATIONS, locations.len(), "locations", "locations")?;
    for (index, list) in lists.iter().enumerate() {
        let path = format!("server_lists[{index}].priorities");
        at_most(MAX_PRIORITIES, list.priorities.len(), &path, "priorities")?;
    }
    let servers = lists.iter().flat_map(|list| &list.priorities).map(|Object(priority)| priority);
    let found = servers.map(|priority| priority.servers.as_ref().map_or(0, Vec::len)).sum();
    if found == 0 {
        return Err(SettingsError::NoServer);
    }
    at_most(MAX_SERVERS, found, "server_lists", "servers in all lists")
}

/// Which list has which name.
fn names(lists: &[document::ServerList]) -> Result<BTreeMap<Arc<str>, usize>, SettingsError> {
    unique(lists.iter().map(|list| &list.name), "server_lists")
}

fn unique<'a>(
    names: impl Iterator<Item = &'a Name>,
    what: &str,
) -> Result<BTreeMap<Arc<str>, usize>, SettingsError> {
    let mut known = BTreeMap::new();
    for (index, Name(name)) in names.enumerate() {
        if let Some(first) = known.insert(Arc::clone(name), index) {
            return Err(SettingsError::NameTaken {
                path: format!("{what}[{index}].name"),
                name: quoted(name),
                first: format!("{what}[{first}]"),
            });
        }
    }
    Ok(known)
}

/// Which list is assigned to whom, by index.
struct Assigned {
    group: Option<usize>,
    locations: Vec<Option<usize>>,
    /// Lists that are in force only where the machine is not inside.
    outside: BTreeSet<usize>,
}

impl Assigned {
    fn new(
        names: &BTreeMap<Arc<str>, usize>,
        group: &document::Group,
        locations: &[document::Location],
    ) -> Result<Self, SettingsError> {
        unique(locations.iter().map(|location| &location.name), "locations")?;
        let find = |wanted: &Option<Name>, path: &dyn Fn() -> String| {
            let Some(Name(wanted)) = wanted else { return Ok(None) };
            match names.get(wanted) {
                Some(index) => Ok(Some(*index)),
                None => Err(SettingsError::NoSuchList { path: path(), name: quoted(wanted) }),
            }
        };
        let for_group = find(&group.server_list, &|| "group.server_list".to_owned())?;
        let mut for_locations = Vec::new();
        let (mut inside, mut outside) = (BTreeSet::from_iter(for_group), BTreeSet::new());
        for (index, location) in locations.iter().enumerate() {
            let list = find(&location.server_list, &|| format!("locations[{index}].server_list"))?;
            let when = situations(location);
            let excludes_inside = !when.is_empty() && !when.into_iter().any(Situation::is_inside);
            if excludes_inside { &mut outside } else { &mut inside }.extend(list);
            for_locations.push(list);
        }
        outside.retain(|list| !inside.contains(list));
        Ok(Self { group: for_group, locations: for_locations, outside })
    }

    fn nobody(&self) -> bool {
        self.group.is_none() && self.locations.iter().all(Option::is_none)
    }

    fn anybody(&self, list: usize) -> bool {
        self.group == Some(list) || self.locations.contains(&Some(list))
    }
}

/// Every server of the document, once.
struct Census {
    /// In the order of the file.
    ids: Vec<ServerId>,
    /// Whether an exchange with it shows that the machine is inside, where it does not say so itself.
    inside: BTreeMap<ServerId, bool>,
}

impl Census {
    fn new(lists: &[document::ServerList], assigned: &Assigned) -> Self {
        let mut ids = Vec::new();
        let mut places: BTreeMap<ServerId, Places> = BTreeMap::new();
        for (index, list) in lists.iter().enumerate() {
            let servers =
                list.priorities.iter().filter_map(|Object(priority)| priority.servers.as_ref()).flatten();
            for Object(server) in servers {
                let id = id(server);
                let known = places.entry(id.clone()).or_insert_with(|| {
                    ids.push(id);
                    Places::default()
                });
                let outside = assigned.outside.contains(&index);
                known.outside |= outside;
                known.elsewhere |= !outside && assigned.anybody(index);
            }
        }
        let inside = places.into_iter().map(|(id, place)| (id, place.elsewhere || !place.outside)).collect();
        Self { ids, inside }
    }
}

/// In which lists that are assigned a server stands.
#[derive(Default)]
struct Places {
    outside: bool,
    elsewhere: bool,
}

struct ListResolver<'a> {
    index: usize,
    census: &'a Census,
    policies: &'a mut PolicyTable,
    merged: &'a mut Vec<Merged>,
    warnings: &'a mut Vec<Warning>,
}

impl ListResolver<'_> {
    fn resolve(&mut self, list: document::ServerList, above: &Written) -> Result<ServerList, SettingsError> {
        let document::ServerList { name, description, certificate, priorities } = list;
        let above = above.or_own(certificate, || format!("server_lists[{}].certificate", self.index))?;
        let mut known: BTreeMap<ServerId, (usize, usize, Arc<Server>)> = BTreeMap::new();
        let mut kept = Vec::new();
        for (priority, Object(document::Priority { servers })) in priorities.into_iter().enumerate() {
            let mut equals = Vec::new();
            for (position, Object(text)) in servers.unwrap_or_default().into_iter().enumerate() {
                let path = || place(self.index, priority, position);
                let written_id = text.id.is_some();
                let (server, written) = self.server(text, &above, &path)?;
                let Some((first_priority, first_position, first)) = known.get(&server.id) else {
                    let server = Arc::new(Server { policy: self.policies.index(&written), ..server });
                    known.insert(server.id.clone(), (priority, position, Arc::clone(&server)));
                    equals.push(server);
                    continue;
                };
                let first_path = place(self.index, *first_priority, *first_position);
                if (&first.host, first.protocol, first.port) != (&server.host, server.protocol, server.port) {
                    let path = if written_id { format!("{}.id", path()) } else { path() };
                    return Err(SettingsError::IdTaken {
                        path,
                        id: quoted(server.id.as_str()),
                        first: first_path,
                    });
                }
                self.warnings
                    .push(Warning { path: path(), kind: WarningKind::Merged { first: first_path.clone() } });
                self.merged.push(Merged { list: self.index, priority, position, first: first_path });
            }
            kept.push(equals);
        }
        Ok(ServerList {
            name: Some(name.0),
            description: description.map_or_else(|| "".into(), |description| description.0),
            priorities: kept,
        })
    }

    fn server(
        &self,
        text: document::Server,
        above: &Written,
        path: &dyn Fn() -> String,
    ) -> Result<(Server, Written), SettingsError> {
        let id = id(&text);
        let (protocol, port) = endpoint(&text);
        let document::Server { address, weight, inside, certificate, .. } = text;
        let written = above.or_own(certificate, || format!("{}.certificate", path()))?;
        let known = self.census.inside.get_key_value(&id);
        let server = Server {
            id: known.map_or_else(|| id.clone(), |(id, _)| id.clone()),
            host: address.0,
            protocol,
            port,
            weight: weight.map_or(1, |weight| weight.0),
            inside: inside.or(known.map(|(_, inside)| *inside)).unwrap_or(true),
            policy: 0,
        };
        Ok((server, written))
    }
}

/// Where a server stands in the document.
pub(super) fn place(list: usize, priority: usize, position: usize) -> String {
    format!("server_lists[{list}].priorities[{priority}].servers[{position}]")
}

/// The protocol in use and its port.
fn endpoint(server: &document::Server) -> (Protocol, u16) {
    let protocol = server.protocol.map(|Word(protocol)| protocol).unwrap_or_default();
    let (port, default) = match protocol {
        Protocol::Https => (server.https_port, DEFAULT_HTTPS_PORT),
        Protocol::Http => (server.http_port, DEFAULT_HTTP_PORT),
    };
    (protocol, port.map_or(default, |port| port.0))
}

/// The id somebody wrote, or protocol, address and port.
fn id(server: &document::Server) -> ServerId {
    if let Some(Name(id)) = &server.id {
        return ServerId::new(id);
    }
    let (protocol, port) = endpoint(server);
    ServerId::new(&match &server.address.0 {
        Host::Address(address) => format!("{protocol}://{}", std::net::SocketAddr::new(*address, port)),
        Host::Name(name) => format!("{protocol}://{name}:{port}"),
    })
}

/// What is in force where nobody assigns a list: the only list as it is written, if nobody assigns
/// any at all; else every server, all at one priority.
fn default_list(lists: &[Arc<ServerList>], assigned: &Assigned) -> Arc<ServerList> {
    if let [only] = lists
        && assigned.nobody()
    {
        return Arc::clone(only);
    }
    let mut known = BTreeSet::new();
    let servers = lists.iter().flat_map(|list| list.servers()).map(|(_, server)| server);
    let every = servers.filter(|server| known.insert(server.id.clone())).map(Arc::clone).collect();
    Arc::new(ServerList { name: None, description: "every known server".into(), priorities: vec![every] })
}

fn situations(location: &document::Location) -> Vec<Situation> {
    location.when.iter().flatten().map(|Word(situation)| *situation).collect()
}

fn share(communication: Option<Object<document::Communication>>, list: Option<&Arc<ServerList>>) -> Share {
    let text = communication.map(|Object(text)| text).unwrap_or_default();
    let downloads = text.download_randomisation.map(|Object(downloads)| downloads);
    Share {
        server_list: list.map(Arc::clone),
        enabled: text.enabled,
        mode: text.mode.map(|Word(mode)| mode),
        heartbeat_interval: text.heartbeat_interval.map(|interval| interval.0),
        upload_critical_immediately: text.upload_critical_immediately,
        learn_applications: text.learn_applications,
        randomise_downloads: downloads.as_ref().and_then(|downloads| downloads.enabled),
        download_window: downloads.as_ref().and_then(|downloads| downloads.window).map(|window| window.0),
    }
}

fn unwrapped<T>(objects: Vec<Object<T>>) -> Vec<T> {
    objects.into_iter().map(|Object(value)| value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Level, Source};

    fn settings(text: &str) -> Settings {
        text.parse().unwrap()
    }

    /// A list with one priority of these servers.
    fn list(name: &str, servers: &str) -> String {
        format!(r#"{{ "name": "{name}", "priorities": [ {{ "servers": [ {servers} ] }} ] }}"#)
    }

    fn ids(list: &ServerList) -> Vec<Vec<&str>> {
        list.priorities
            .iter()
            .map(|servers| servers.iter().map(|server| server.id.as_str()).collect())
            .collect()
    }

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
                 server_lists[0].priorities[0].servers[1], where it stays; this entry is ignored",
                "server_lists[0].priorities[2].servers[0]: the same server as \
                 server_lists[0].priorities[0].servers[0], where it stays; this entry is ignored",
            ]
        );
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

    #[test]
    fn one_list_that_nobody_assigns_is_in_force_as_it_is_written() {
        let text = r#"{ "server_lists": [ { "name": "main", "priorities": [
            { "servers": [ { "address": "a", "id": "a" } ] }, { "servers": [ { "address": "b", "id": "b" } ] } ] } ] }"#;
        let chosen = settings(text).effective(None).server_list;
        assert_eq!((chosen.from, chosen.value.name.as_deref()), (Level::Default, Some("main")));
        assert_eq!(ids(&chosen.value), [["a"], ["b"]]);
    }

    #[test]
    fn of_several_lists_that_nobody_assigns_every_server_is_in_force_at_one_priority() {
        let one = list("one", r#"{ "address": "a", "id": "a", "weight": 5 }, { "address": "b", "id": "b" }"#);
        let two = list("two", r#"{ "address": "c", "id": "c" }, { "address": "a", "id": "a" }"#);
        let chosen =
            settings(&format!(r#"{{ "server_lists": [ {one}, {two} ] }}"#)).effective(None).server_list;
        assert_eq!((chosen.from, chosen.value.name.as_deref()), (Level::Default, None));
        assert_eq!(ids(&chosen.value), [["a", "b", "c"]]);
        assert_eq!(chosen.value.priorities[0][0].weight, 5, "as the first list says");
    }

    #[test]
    fn a_list_that_only_a_location_has_leaves_the_group_the_default_list() {
        let lists = list("main", r#"{ "address": "a", "id": "a" }"#);
        let text = format!(
            r#"{{ "server_lists": [ {lists} ], "locations": [ {{ "name": "Office", "server_list": "main" }} ] }}"#
        );
        let settings = settings(&text);
        let (office, group) =
            (settings.effective(Some("Office")).server_list, settings.effective(None).server_list);
        assert_eq!((office.from, office.value.name.as_deref()), (Level::Location, Some("main")));
        assert_eq!((group.from, group.value.name.as_deref()), (Level::Default, None));
    }

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
