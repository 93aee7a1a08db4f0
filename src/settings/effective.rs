//! The settings in force for one location, and which level each came from.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};

use super::ServerList;
use crate::types::Span;

/// Where a value was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Nowhere: the default of the library.
    Default,
    /// `site`.
    Site,
    /// `group`.
    Group,
    /// The location.
    Location,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Default => "default",
            Self::Site => "site",
            Self::Group => "group",
            Self::Location => "location",
        })
    }
}

/// A value and the level that won.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Chosen<T> {
    /// The value in force.
    pub value: T,
    /// Where it was written.
    pub from: Level,
}

/// How the agent hears of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// At every heartbeat.
    #[default]
    Pull,
    /// At once, over a connection that stays open; heartbeats go on.
    Push,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pull => "pull",
            Self::Push => "push",
        })
    }
}

/// What is in force for one location (or for the group alone).
///
/// Serialises to one object with the names of the fields, each but the location as
/// `{"value": …, "from": "group"}`, durations as text, the list as its name and the ids of its servers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Effective {
    /// The location these are for; `None` for the group.
    pub location: Option<Arc<str>>,
    /// Whether the agent communicates at all.
    pub enabled: Chosen<bool>,
    /// The one list in force.
    pub server_list: Chosen<Arc<ServerList>>,
    /// Push or pull.
    pub mode: Chosen<Mode>,
    /// Mean time between heartbeats, 10 s to 24 h.
    #[serde(serialize_with = "as_text")]
    pub heartbeat_interval: Chosen<Duration>,
    /// Whether critical reports leave at once.
    pub upload_critical_immediately: Chosen<bool>,
    /// Whether applications are learned; needs the site-wide switch as well.
    pub learn_applications: Chosen<bool>,
    /// Over which window a content download is spread; `None` when it is not.
    #[serde(serialize_with = "as_text_or_null")]
    pub download_window: Chosen<Option<Duration>>,
    /// Whether policies and content come from the management server; group only.
    pub download_from_management_server: Chosen<bool>,
    /// Whether the last-used group is offered at registration; group only.
    pub keep_group: Chosen<bool>,
    /// Whether the last-used user or computer mode is offered at registration; group only.
    pub keep_mode: Chosen<bool>,
}

fn as_text<S: Serializer>(chosen: &Chosen<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    Chosen { value: Span(chosen.value), from: chosen.from }.serialize(serializer)
}

fn as_text_or_null<S: Serializer>(
    chosen: &Chosen<Option<Duration>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    Chosen { value: chosen.value.map(Span), from: chosen.from }.serialize(serializer)
}

/// What a group says of itself, and the site and its locations' share in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Levels {
    /// The site's switch for learned applications.
    pub(super) site_learns: Option<bool>,
    /// Where nobody assigns a list.
    pub(super) default_list: Arc<ServerList>,
    pub(super) group: Share,
    /// In the order of the file, each with its name.
    pub(super) locations: Vec<(Arc<str>, Share)>,
    pub(super) download_from_management_server: Option<bool>,
    pub(super) keep_group: Option<bool>,
    pub(super) keep_mode: Option<bool>,
}

/// What a group or a location may both say.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Share {
    pub(super) server_list: Option<Arc<ServerList>>,
    pub(super) enabled: Option<bool>,
    pub(super) mode: Option<Mode>,
    pub(super) heartbeat_interval: Option<Duration>,
    pub(super) upload_critical_immediately: Option<bool>,
    pub(super) learn_applications: Option<bool>,
    pub(super) randomise_downloads: Option<bool>,
    pub(super) download_window: Option<Duration>,
}

/// A fleet of 100,000 then makes 333 small requests per second, and a console is five minutes behind.
const DEFAULT_HEARTBEAT: Duration = Duration::from_secs(300);
/// One heartbeat: content is spread over the time in which agents learn of it anyway.
const DEFAULT_DOWNLOAD_WINDOW: Duration = Duration::from_secs(300);

impl Levels {
    /// What is in force in this location; the group's for `None` and for a name nobody wrote.
    pub(super) fn effective(&self, location: Option<&str>) -> Effective {
        let nothing = Share::default();
        let found = location.and_then(|wanted| self.locations.iter().find(|(name, _)| **name == *wanted));
        let (name, own) = match found {
            Some((name, share)) => (Some(Arc::clone(name)), share),
            None => (None, &nothing),
        };
        let group = &self.group;
        Effective {
            location: name,
            enabled: chosen(own.enabled, group.enabled, true),
            server_list: chosen(
                own.server_list.clone(),
                group.server_list.clone(),
                Arc::clone(&self.default_list),
            ),
            mode: chosen(own.mode, group.mode, Mode::default()),
            heartbeat_interval: chosen(own.heartbeat_interval, group.heartbeat_interval, DEFAULT_HEARTBEAT),
            upload_critical_immediately: chosen(
                own.upload_critical_immediately,
                group.upload_critical_immediately,
                true,
            ),
            learn_applications: self.learn_applications(own),
            download_window: self.download_window(own),
            download_from_management_server: chosen(None, self.download_from_management_server, true),
            keep_group: chosen(None, self.keep_group, false),
            keep_mode: chosen(None, self.keep_mode, false),
        }
    }

    fn learn_applications(&self, own: &Share) -> Chosen<bool> {
        let wanted = chosen(own.learn_applications, self.group.learn_applications, false);
        if wanted.value && self.site_learns != Some(true) {
            return Chosen { value: false, from: Level::Site };
        }
        wanted
    }

    fn download_window(&self, own: &Share) -> Chosen<Option<Duration>> {
        let switch = chosen(own.randomise_downloads, self.group.randomise_downloads, true);
        if !switch.value {
            return Chosen { value: None, from: switch.from };
        }
        let window = chosen(own.download_window, self.group.download_window, DEFAULT_DOWNLOAD_WINDOW);
        Chosen { value: Some(window.value), from: window.from.max(switch.from) }
    }
}

fn chosen<T>(location: Option<T>, group: Option<T>, default: T) -> Chosen<T> {
    match (location, group) {
        (Some(value), _) => Chosen { value, from: Level::Location },
        (None, Some(value)) => Chosen { value, from: Level::Group },
        (None, None) => Chosen { value: default, from: Level::Default },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    /// Settings with one list, the given group, and the given location `here`.
    fn settings(site: &str, group: &str, location: &str) -> Settings {
        let list = r#"{ "name": "main", "priorities": [ { "servers": [ { "address": "a.example" } ] } ] }"#;
        let text = format!(
            r#"{{ "server_lists": [ {list} ], "site": {site}, "group": {group},
                "locations": [ {{ "name": "here", "communication": {location} }} ] }}"#
        );
        text.parse().unwrap()
    }

    const fn is<T>(value: T, from: Level) -> Chosen<T> {
        Chosen { value, from }
    }

    #[test]
    fn what_nobody_wrote_has_the_defaults_of_the_documentation() {
        let effective = settings("{}", "{}", "{}").effective(Some("here"));
        let Effective { location, server_list, .. } = effective.clone();
        assert_eq!(location.as_deref(), Some("here"));
        assert_eq!((server_list.value.name.as_deref(), server_list.from), (Some("main"), Level::Default));
        assert_eq!(effective.enabled, is(true, Level::Default));
        assert_eq!(effective.mode, is(Mode::Pull, Level::Default));
        assert_eq!(effective.heartbeat_interval, is(Duration::from_secs(300), Level::Default));
        assert_eq!(effective.upload_critical_immediately, is(true, Level::Default));
        assert_eq!(effective.learn_applications, is(false, Level::Default));
        assert_eq!(effective.download_window, is(Some(Duration::from_secs(300)), Level::Default));
        assert_eq!(effective.download_from_management_server, is(true, Level::Default));
        assert_eq!(effective.keep_group, is(false, Level::Default));
        assert_eq!(effective.keep_mode, is(false, Level::Default));
    }

    #[test]
    fn the_group_has_the_word_where_the_location_is_silent() {
        let group = r#"{ "server_list": "main", "download_from_management_server": false,
            "reconnection": { "keep_group": true, "keep_mode": true },
            "communication": { "enabled": false, "mode": "push", "heartbeat_interval": "1m",
                "upload_critical_immediately": false } }"#;
        let effective = settings("{}", group, "{}").effective(Some("here"));
        assert_eq!(effective.server_list.from, Level::Group);
        assert_eq!(effective.enabled, is(false, Level::Group));
        assert_eq!(effective.mode, is(Mode::Push, Level::Group));
        assert_eq!(effective.heartbeat_interval, is(Duration::from_secs(60), Level::Group));
        assert_eq!(effective.upload_critical_immediately, is(false, Level::Group));
        assert_eq!(effective.download_from_management_server, is(false, Level::Group));
        assert_eq!(effective.keep_group, is(true, Level::Group));
        assert_eq!(effective.keep_mode, is(true, Level::Group));
    }

    #[test]
    fn a_location_has_the_last_word_field_by_field() {
        let group =
            r#"{ "communication": { "enabled": false, "mode": "push", "heartbeat_interval": "1m" } }"#;
        let settings = settings("{}", group, r#"{ "enabled": true, "heartbeat_interval": "2m" }"#);
        let here = settings.effective(Some("here"));
        assert_eq!(here.enabled, is(true, Level::Location));
        assert_eq!(here.mode, is(Mode::Push, Level::Group));
        assert_eq!(here.heartbeat_interval, is(Duration::from_secs(120), Level::Location));
        let group = settings.effective(None);
        assert_eq!(group.enabled, is(false, Level::Group));
        assert_eq!(group.heartbeat_interval, is(Duration::from_secs(60), Level::Group));
    }

    #[test]
    fn a_location_that_nobody_wrote_has_the_settings_of_the_group() {
        let settings = settings("{}", "{}", r#"{ "enabled": false }"#);
        assert_eq!(settings.effective(Some("elsewhere")), settings.effective(None));
        assert_eq!(settings.effective(Some("elsewhere")).location, None);
    }

    #[test]
    fn it_is_written_with_the_level_of_each_value() {
        let group = r#"{ "communication": { "heartbeat_interval": "90s",
            "download_randomisation": { "enabled": false } } }"#;
        let here = settings("{}", group, r#"{ "mode": "push" }"#).effective(Some("here"));
        let by_default = |value: serde_json::Value| serde_json::json!({ "value": value, "from": "default" });
        let list = serde_json::json!({ "name": "main", "priorities": [["https://a.example:443"]] });
        let expected = serde_json::json!({
            "location": "here",
            "enabled": by_default(true.into()),
            "server_list": by_default(list),
            "mode": { "value": "push", "from": "location" },
            "heartbeat_interval": { "value": "1m 30s", "from": "group" },
            "upload_critical_immediately": by_default(true.into()),
            "learn_applications": by_default(false.into()),
            "download_window": { "value": null, "from": "group" },
            "download_from_management_server": by_default(true.into()),
            "keep_group": by_default(false.into()),
            "keep_mode": by_default(false.into()),
        });
        assert_eq!(serde_json::to_value(&here).unwrap(), expected);
    }

    #[test]
    fn applications_are_learned_only_where_the_site_allows_it() {
        let on = r#"{ "learn_applications": true }"#;
        let off = r#"{ "learn_applications": false }"#;
        for (site, location, learned) in [
            ("{}", "{}", is(false, Level::Default)),
            ("{}", on, is(false, Level::Site)), // the site's default is what forbids it
            (off, on, is(false, Level::Site)),
            (off, off, is(false, Level::Location)),
            (on, off, is(false, Level::Location)),
            (on, "{}", is(false, Level::Default)),
            (on, on, is(true, Level::Location)),
        ] {
            let effective = settings(site, "{}", location).effective(Some("here"));
            assert_eq!(effective.learn_applications, learned, "site {site}, location {location}");
        }
    }

    #[test]
    fn the_download_window_comes_from_whoever_wrote_switch_or_width() {
        let group = |text: &str| format!(r#"{{ "communication": {{ "download_randomisation": {text} }} }}"#);
        let location = |text: &str| format!(r#"{{ "download_randomisation": {text} }}"#);
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        for (in_group, in_location, window) in [
            (r#"{ "window": "10m" }"#, "{}", is(seconds(600), Level::Group)),
            (r#"{ "window": "10m" }"#, r#"{ "enabled": true }"#, is(seconds(600), Level::Location)),
            (r#"{ "enabled": false }"#, r#"{ "window": "10m" }"#, is(None, Level::Group)),
            (r#"{ "enabled": false }"#, r#"{ "enabled": true }"#, is(seconds(300), Level::Location)),
            (r#"{ "enabled": true }"#, r#"{ "enabled": false }"#, is(None, Level::Location)),
        ] {
            let effective = settings("{}", &group(in_group), &location(in_location)).effective(Some("here"));
            assert_eq!(effective.download_window, window, "group {in_group}, location {in_location}");
        }
    }
}
