//! What there is to say about a document.

use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use homing::client::read_policy;
use homing::settings::{Settings, Source};
use homing::trust::{Remark, Time, Timestamp};

/// The document as it was read, and what was found.
pub(crate) struct Findings {
    /// `None` when it is none.
    pub(crate) settings: Option<Settings>,
    /// Why an agent would not start with it.
    pub(crate) errors: Vec<String>,
    /// What is in force, and probably a mistake.
    pub(crate) warnings: Vec<String>,
    /// Fields that ask for something this version does not do.
    pub(crate) not_enforced: Vec<String>,
}

impl Findings {
    pub(crate) fn of(file: &Path) -> Self {
        let mut findings =
            Self { settings: None, errors: Vec::new(), warnings: Vec::new(), not_enforced: Vec::new() };
        let text = match fs::read(file) {
            Ok(text) => text,
            Err(error) => {
                findings.errors.push(format!("cannot read the file: {error}"));
                return findings;
            }
        };
        match Settings::parse(&text, Source::Person) {
            Ok(parsed) => {
                // A server that stands twice is a lint as well.
                findings.look_at(&parsed.settings);
                findings.settings = Some(parsed.settings);
            }
            Err(error) => findings.errors.push(error.to_string()),
        }
        findings
    }

    fn look_at(&mut self, settings: &Settings) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = Time::new(Timestamp(i64::try_from(now.as_secs()).unwrap_or(i64::MAX)));
        for (index, policy) in settings.policies().iter().enumerate() {
            let place = settings.policy_place(index);
            match read_policy(policy, place, now) {
                Ok(policy) => {
                    let odd =
                        policy.remarks().iter().filter(|remark| !matches!(remark, Remark::System { .. }));
                    self.warnings.extend(odd.map(|remark| format!("{place}: {remark}")));
                }
                Err(error) => self.errors.push(error.to_string()),
            }
        }
        self.warnings.extend(settings.lint().iter().map(ToString::to_string));
        self.not_enforced.extend(settings.not_enforced().iter().map(ToString::to_string));
    }

    /// 0 all is well, 1 there are warnings, 2 no agent starts with it.
    pub(crate) fn status(&self) -> u8 {
        match (self.errors.is_empty(), self.warnings.is_empty() && self.not_enforced.is_empty()) {
            (false, _) => 2,
            (true, false) => 1,
            (true, true) => 0,
        }
    }
}
