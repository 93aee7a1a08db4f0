//! From the document to settings: limits, names that refer to each other, and what follows from both.

mod certificate;
mod list;
mod location;

use std::sync::Arc;

use super::assignment::Assignment;
use super::document::{self, Communication, Document};
use super::effective::{Levels, Share};
use super::list::ServerList;
use super::parsed::{Settings, Text};
use super::server_index::ServerIndex;
use super::value::{Name, Object, Word};
use super::{Location, SettingsError, Warning};
use certificate::{PolicyTable, Written};
use list::ListReader;

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
    let Document {
        serial,
        audience,
        site,
        certificate,
        server_lists,
        reference_servers,
        location,
        group,
        locations,
        ..
    } = document;
    let group = group.map(|Object(group)| group).unwrap_or_default();
    let locations: Vec<document::Location> = unwrapped(locations.unwrap_or_default());
    let server_lists = unwrapped(server_lists);
    check_limits(&server_lists, &locations)?;

    let situations: Vec<Location> = locations.iter().map(Location::from).collect();
    let assignment = Assignment::new(&server_lists, &group, &locations, &situations)?;
    let server_index = ServerIndex::new(&server_lists, &assignment);

    let mut policies = PolicyTable::default();
    let written = Written::default().or_own(certificate, || "certificate".to_owned())?;
    let mut reader =
        ListReader { server_index: &server_index, policies: &mut policies, merged: Vec::new(), warnings };
    let mut lists = Vec::new();
    for (index, list) in server_lists.into_iter().enumerate() {
        lists.push(Arc::new(reader.read(index, list, &written)?));
    }
    let merged = reader.merged;
    let reference_servers = location::reference_servers(reference_servers, &written, &mut policies)?;
    let location_rules = location::rules(location, situations)?;

    let list = |index: Option<usize>| index.and_then(|index| lists.get(index)).map(Arc::clone);
    let reconnection = group.reconnection.map(|Object(reconnection)| reconnection);
    let levels = Levels {
        site_learns: site.and_then(|Object(site)| site.learn_applications),
        default_list: assignment.default_list(&lists),
        group: share(group.communication, list(assignment.group)),
        locations: locations
            .into_iter()
            .zip(&assignment.locations)
            .map(|(location, index)| (location.name.0, share(location.communication, list(*index))))
            .collect(),
        download_from_management_server: group.download_from_management_server,
        keep_group: reconnection.as_ref().and_then(|reconnection| reconnection.keep_group),
        keep_mode: reconnection.as_ref().and_then(|reconnection| reconnection.keep_mode),
    };
    let (policies, policy_paths) = policies.into_parts();
    Ok(Settings {
        serial,
        audience: audience.map(|Name(audience)| audience),
        text: Text::default(),
        group_name: group.name.map(|Name(name)| name),
        accept_settings_over_http: group.accept_settings_over_http,
        servers: server_index.ids,
        lists,
        policies,
        policy_paths,
        reference_servers,
        location_rules,
        levels,
        merged,
    })
}

/// What a group or a location says of its communication, beside the list that is assigned.
fn share(text: Option<Object<Communication>>, server_list: Option<Arc<ServerList>>) -> Share {
    let text = text.map(|Object(text)| text).unwrap_or_default();
    let downloads = text.download_randomisation.map(|Object(downloads)| downloads);
    Share {
        server_list,
        enabled: text.enabled,
        mode: text.mode.map(|Word(mode)| mode),
        heartbeat_interval: text.heartbeat_interval.map(|interval| interval.0),
        upload_critical_immediately: text.upload_critical_immediately,
        learn_applications: text.learn_applications,
        randomise_downloads: downloads.as_ref().and_then(|downloads| downloads.enabled),
        download_window: downloads.as_ref().and_then(|downloads| downloads.window).map(|window| window.0),
    }
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

fn unwrapped<T>(objects: Vec<Object<T>>) -> Vec<T> {
    objects.into_iter().map(|Object(value)| value).collect()
}
