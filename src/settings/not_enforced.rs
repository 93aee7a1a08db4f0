//! What this version of the library does not do, whatever the settings say.
//!
//! A field that has no effect is worse than one that is refused: the administrator believes in it. Such a field is
//! valid, so that one document can serve agents of several versions, and each client that puts it in force says
//! so. `tests/settings/inert.rs` goes over every field of the document: as a feature arrives, its fields leave this file.

use super::effective::Share;
use super::{Lint, LintKind, Settings};

impl Settings {
    /// What is written and asks for something that this version of the library does not do, in the order of the document.
    /// A client tells each as [`Event::SettingsWarning`](crate::engine::Event::SettingsWarning) when it puts the settings in
    /// force.
    ///
    /// ```
    /// # use homing::settings::Settings;
    /// let settings: Settings = r#"{
    ///     "server_lists": [ { "name": "main", "priorities": [ { "servers": [ { "address": "a.example" } ] } ] } ],
    ///     "group": { "communication": { "download_randomisation": { "window": "1h" } } }
    /// }"#.parse()?;
    /// assert_eq!(settings.not_enforced()[0].path, "group.communication.download_randomisation.window");
    /// # Ok::<(), homing::settings::SettingsError>(())
    /// ```
    pub fn not_enforced(&self) -> Vec<Lint> {
        not_enforced(self)
    }
}

/// Every written field that asks for something this version does not do, in the order of the document.
fn not_enforced(settings: &Settings) -> Vec<Lint> {
    let levels = &settings.levels;
    let mut found = Found {
        #[cfg(not(feature = "outbox"))]
        site_learns: levels.site_learns == Some(true),
        lints: Vec::new(),
    };
    found.share("group", &levels.group);
    for (index, (_, share)) in levels.locations.iter().enumerate() {
        found.share(&format!("locations[{index}]"), share);
    }
    found.lints
}

#[cfg(not(feature = "outbox"))]
const REPORTS: &str = "this build has no outbox: nothing is uploaded but the status of a heartbeat";
const DOWNLOADS: &str = "downloads are not there yet: no content is fetched";

struct Found {
    /// Where the site does not, nothing is asked for; that is a lint.
    #[cfg(not(feature = "outbox"))]
    site_learns: bool,
    lints: Vec<Lint>,
}

impl Found {
    fn add(&mut self, path: &str, is_asked: bool, reason: &'static str) {
        if is_asked {
            self.lints.push(Lint { path: path.to_owned(), kind: LintKind::NotEnforced { reason } });
        }
    }

    /// What a group or a location may both say.
    fn share(&mut self, level: &str, share: &Share) {
        let path = |field: &str| format!("{level}.communication.{field}");
        #[cfg(not(feature = "outbox"))]
        {
            let at_once = share.upload_critical_immediately.is_some();
            self.add(&path("upload_critical_immediately"), at_once, REPORTS);
            let learns = share.learn_applications == Some(true) && self.site_learns;
            self.add(&path("learn_applications"), learns, REPORTS);
        }
        self.add(&path("download_randomisation.enabled"), share.randomise_downloads.is_some(), DOWNLOADS);
        self.add(&path("download_randomisation.window"), share.download_window.is_some(), DOWNLOADS);
    }
}
