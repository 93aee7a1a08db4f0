//! Which list is in force where.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::document;
use super::value::{Name, quoted};
use super::{Location, ServerList, SettingsError, Situation};
use crate::types::nearest;

/// Which list is assigned to whom. Lists are known by their place in the file.
pub(super) struct Assignment {
    pub(super) group: Option<usize>,
    /// In the order of the file.
    pub(super) locations: Vec<Option<usize>>,
    /// Lists that are in force only where the machine is not inside.
    outside: BTreeSet<usize>,
}

impl Assignment {
    /// Follows the names; `situations` are the locations in the same order as `locations`.
    pub(super) fn new(
        lists: &[document::ServerList],
        group: &document::Group,
        locations: &[document::Location],
        situations: &[Location],
    ) -> Result<Self, SettingsError> {
        let lists = unique(lists.iter().map(|list| &list.name), "server_lists")?;
        unique(locations.iter().map(|location| &location.name), "locations")?;
        let find = |wanted: &Option<Name>, path: &dyn Fn() -> String| {
            let Some(Name(wanted)) = wanted else { return Ok(None) };
            let Some(index) = lists.get(wanted) else {
                let meant = nearest(wanted, lists.keys().map(|name| &**name));
                let advice = match meant {
                    Some(meant) => format!("did you mean {meant}?"),
                    None => "add it to `server_lists`, or name one that is there".to_owned(),
                };
                return Err(SettingsError::NoSuchList { path: path(), name: quoted(wanted), advice });
            };
            Ok(Some(*index))
        };
        let for_group = find(&group.server_list, &|| "group.server_list".to_owned())?;
        let mut for_locations = Vec::new();
        let (mut inside, mut outside) = (BTreeSet::from_iter(for_group), BTreeSet::new());
        for (index, (location, Location { when, .. })) in locations.iter().zip(situations).enumerate() {
            let list = find(&location.server_list, &|| format!("locations[{index}].server_list"))?;
            let excludes_inside = !when.is_empty() && !when.iter().copied().any(Situation::is_inside);
            if excludes_inside { &mut outside } else { &mut inside }.extend(list);
            for_locations.push(list);
        }
        outside.retain(|list| !inside.contains(list));
        Ok(Self { group: for_group, locations: for_locations, outside })
    }

    /// Whether this list is assigned to anybody.
    pub(super) fn has(&self, list: usize) -> bool {
        self.group == Some(list) || self.locations.contains(&Some(list))
    }

    /// Whether this list is assigned, and only to locations that exclude being inside.
    pub(super) fn is_outside(&self, list: usize) -> bool {
        self.outside.contains(&list)
    }

    /// What is in force where nobody assigns a list: the only list as it is written, if nobody
    /// assigns any at all; else every server, all at one priority.
    pub(super) fn default_list(&self, lists: &[Arc<ServerList>]) -> Arc<ServerList> {
        let nobody = self.group.is_none() && self.locations.iter().all(Option::is_none);
        if let [only] = lists
            && nobody
        {
            return Arc::clone(only);
        }
        let mut known = BTreeSet::new();
        let servers = lists.iter().flat_map(|list| list.servers()).map(|(_, server)| server);
        let every = servers.filter(|server| known.insert(server.id.clone())).map(Arc::clone).collect();
        Arc::new(ServerList { name: None, description: "every known server".into(), priorities: vec![every] })
    }
}

/// Where each name stands; no name may stand twice.
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

#[cfg(test)]
mod tests {
    use crate::settings::Level;
    use crate::settings::testing::{ids, list, settings};

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
}
