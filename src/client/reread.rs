//! Files of certificate policies that change on the disk while a client runs.
//!
//! They are read when settings come into force. A server that shows a new certificate when a new bundle lies on the disk would be rejected until the
//! settings are given again. So the client looks at the files when a certificate was rejected: not before, because an agent that polls files wakes
//! machines up. Those that changed are read on a thread of their own, and make new policies; the old ones stay in force until
//! the new ones are ready, and for good when they cannot be made.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::Shared;
use super::mail::{Changed, Found, Message};
use super::prepare::{self, PreparedSettings};
use super::stamp::{Stamp, Stamps};
use super::trust_clock::TrustClock;
use crate::engine::Event;
use crate::platform::{Logger, logging, quiet_threads};
use crate::settings::Settings;
use crate::types::{Failure, FailureClass, Moment, Printable, SettingsId};

/// Between two looks. A search rejects the certificates of many servers within a second, and one look is enough for all of them.
const PACE: Duration = Duration::from_secs(10);

/// The stack of the thread that reads: certificates are parsed on it.
const STACK: usize = 1024 * 1024;

/// When to look, and what at.
pub(super) struct Reread {
    /// All settings that the engine may still refer to.
    watched: Vec<Watched>,
    clock: Arc<TrustClock>,
    is_suspected: bool,
    is_under_way: bool,
    next: Moment,
}

/// Settings and their files, each as it was when it was read.
#[derive(Clone)]
struct Watched {
    id: SettingsId,
    settings: Arc<Settings>,
    stamps: Stamps,
}

/// A look at the files, for a thread of its own.
pub(super) struct Look {
    watched: Vec<Watched>,
    clock: Arc<TrustClock>,
}

impl Reread {
    /// For these settings, the first.
    pub(super) fn new(prepared: &PreparedSettings, clock: Arc<TrustClock>) -> Self {
        let next = Moment::ORIGIN;
        let mut reread = Self { watched: Vec::new(), clock, is_suspected: false, is_under_way: false, next };
        reread.watch(prepared);
        reread
    }

    /// Other settings are there, whose files were just read.
    pub(super) fn watch(&mut self, prepared: &PreparedSettings) {
        let PreparedSettings { id, settings, stamps, .. } = prepared;
        self.watched.push(Watched { id: *id, settings: Arc::clone(settings), stamps: stamps.clone() });
        self.is_suspected = false;
    }

    /// Nothing refers to these settings any more.
    pub(super) fn release(&mut self, id: SettingsId) {
        self.watched.retain(|watched| watched.id != id);
    }

    /// A connection failed. If that was for a certificate, the files are suspected.
    pub(super) fn rejected(&mut self, failure: &Failure) {
        if failure.class() == FailureClass::Certificate {
            self.is_suspected = self.watched.iter().any(|watched| !watched.stamps.is_empty());
        }
    }

    /// A look that is due.
    pub(super) fn due(&mut self, now: Moment) -> Option<Look> {
        if !self.is_suspected || self.is_under_way || now < self.next {
            return None;
        }
        (self.is_suspected, self.is_under_way, self.next) = (false, true, now + PACE);
        Some(Look { watched: self.watched.clone(), clock: Arc::clone(&self.clock) })
    }

    /// Settings that are made anew, each beside the id it had, and what the application is told.
    pub(super) fn found(&mut self, found: Found) -> (Vec<(SettingsId, PreparedSettings)>, Vec<Event>) {
        self.is_under_way = false;
        let (mut renewed, mut told) = (Vec::new(), Vec::new());
        for Changed { id, files: changed, made } in found.0 {
            // Released meanwhile.
            let Some(watched) = self.watched.iter_mut().find(|watched| watched.id == id) else { continue };
            let files: Vec<String> =
                changed.keys().map(|file| Printable(file.display()).to_string()).collect();
            // Files that cannot be used are looked at again when they have changed again.
            watched.stamps.extend(changed);
            let files = files.join(", ");
            let warning = match made {
                Ok(prepared) => {
                    renewed.push((id, prepared));
                    format!("{files}: changed since it was read, and read again")
                }
                Err(error) => format!(
                    "{files}: changed since it was read, and cannot be used: {error}; what was read stays in force"
                ),
            };
            told.push(Event::SettingsWarning { warning });
        }
        (renewed, told)
    }
}

impl Look {
    /// Begins on a thread of its own, which sends what it found to the client's.
    pub(super) fn begin(self, shared: &Arc<Shared>) {
        let (logger, to) = (Logger::here(), Arc::clone(shared));
        let work = move || {
            let _here = logger.enter();
            to.send(Message::Reread(self.look()));
        };
        let thread = thread::Builder::new().name("homing-files".to_owned()).stack_size(STACK);
        if let Err(error) = quiet_threads(|| thread.spawn(work)) {
            logging::record!(Warn, "the files of the settings cannot be looked at: {error}");
            shared.send(Message::Reread(Found::default()));
        }
    }

    fn look(self) -> Found {
        let Self { watched, clock } = self;
        let look = |Watched { id, settings, stamps }: Watched| {
            let now = stamps.keys().map(|file| (file.clone(), Stamp::of(file)));
            let files: Stamps = now.filter(|(file, stamp)| stamps.get(file) != Some(stamp)).collect();
            if files.is_empty() {
                return None;
            }
            let names = |policy: &_| prepare::files(policy).any(|(_, file, _)| files.contains_key(file));
            let renewed = Arc::new(settings.renewed(names));
            let made = prepare::prepare(renewed, &clock).map_err(|error| Printable(error).to_string());
            Some(Changed { id, files, made })
        };
        Found(watched.into_iter().filter_map(look).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// Settings with a bundle in this file.
    fn settings(bundle: &Path) -> Arc<Settings> {
        let document = serde_json::json!({
            "certificate": { "roots": [{ "bundle": bundle }] },
            "server_lists": [{ "name": "a", "priorities": [{ "servers": [{ "address": "a.example" }] }] }],
        });
        Arc::new(document.to_string().parse().unwrap())
    }

    fn root() -> String {
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem()
    }

    #[test]
    fn only_what_changed_is_read_again_and_what_cannot_be_used_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let bundle = folder.path().join("ca.pem");
        fs::write(&bundle, root()).unwrap();
        let clock = Arc::new(TrustClock::new(None));
        let first = prepare::prepare(settings(&bundle), &clock).unwrap();
        let mut reread = Reread::new(&first, Arc::clone(&clock));
        let rejected = Failure::noted(crate::types::Cause::UnknownIssuer, "unknown");
        let mut now = Moment::ORIGIN;
        let mut look = |reread: &mut Reread| {
            now = now + PACE;
            reread.rejected(&rejected);
            let found = reread.due(now).expect("a look is due").look();
            let (prepared, told) = reread.found(found);
            let prepared = prepared.into_iter().next().map(|(_, prepared)| prepared);
            let told = told.into_iter().next().map(|event| {
                let Event::SettingsWarning { warning } = event else { panic!("{event:?}") };
                warning
            });
            (prepared, told)
        };
        assert!(matches!(look(&mut reread), (None, None)), "nothing changed");
        fs::write(&bundle, "half of a").unwrap();
        let (prepared, told) = look(&mut reread);
        let told = told.unwrap();
        assert!(
            prepared.is_none() && told.contains("cannot be used") && told.contains("stays in force"),
            "{told}"
        );
        assert!(matches!(look(&mut reread), (None, None)), "it is told once");
        fs::remove_file(&bundle).unwrap();
        assert!(look(&mut reread).1.unwrap().contains("cannot be used"));
        fs::write(&bundle, root()).unwrap();
        let (prepared, told) = look(&mut reread);
        assert!(told.unwrap().ends_with("ca.pem: changed since it was read, and read again"));
        assert_eq!(prepared.unwrap().settings.policies()[0].edition, 1);
    }

    #[test]
    fn a_look_is_taken_after_a_rejected_certificate_alone_and_for_the_settings_in_force() {
        let folder = tempfile::tempdir().unwrap();
        let bundle = folder.path().join("ca.pem");
        fs::write(&bundle, root()).unwrap();
        let clock = Arc::new(TrustClock::new(None));
        let first = prepare::prepare(settings(&bundle), &clock).unwrap();
        let mut reread = Reread::new(&first, Arc::clone(&clock));
        reread.rejected(&Failure::noted(crate::types::Cause::TlsFailed, "no TLS"));
        assert!(reread.due(Moment::ORIGIN).is_none(), "not for another failure");
        let rejected = Failure::noted(crate::types::Cause::UnknownIssuer, "unknown");
        reread.rejected(&rejected);
        fs::write(&bundle, root()).unwrap();
        let found = reread.due(Moment::ORIGIN).expect("a look is due").look();
        reread.rejected(&rejected);
        assert!(reread.due(Moment::ORIGIN + PACE).is_none(), "one is under way");
        let other = prepare::prepare(settings(&bundle), &clock).unwrap();
        reread.watch(&other);
        reread.release(first.id);
        let (renewed, told) = reread.found(found);
        assert!(renewed.is_empty() && told.is_empty(), "it is for settings that are gone");
        reread.rejected(&rejected);
        assert!(reread.due(Moment::ORIGIN).is_none(), "too soon");
        assert!(reread.due(Moment::ORIGIN + PACE).is_some());
    }
}
