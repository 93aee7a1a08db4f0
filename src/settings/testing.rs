//! What tests of settings share.

use super::list::ServerList;
use super::parsed::Settings;

pub(super) fn settings(text: &str) -> Settings {
    text.parse().unwrap()
}

/// A list with one priority of these servers.
pub(super) fn list(name: &str, servers: &str) -> String {
    format!(r#"{{ "name": "{name}", "priorities": [ {{ "servers": [ {servers} ] }} ] }}"#)
}

/// The servers of each priority.
pub(super) fn ids(list: &ServerList) -> Vec<Vec<&str>> {
    list.priorities.iter().map(|servers| servers.iter().map(|server| server.id.as_str()).collect()).collect()
}
