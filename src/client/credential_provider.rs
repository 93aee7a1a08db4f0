//! The credentials in use: shared with the application, renewed by its hook, shown to the right servers only.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use zeroize::Zeroizing;

use super::Credentials;
use crate::platform::{callback, logging};
use crate::types::ServerId;

/// Why the credentials hook is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Asked {
    /// The first exchange over verified TLS is about to begin.
    First,
    /// A server answered 401 to the credentials there are.
    Refused {
        /// Which server.
        server: ServerId,
    },
}

/// Asked on the client's thread for credentials; `None` leaves them as they are.
pub(super) type CredentialsHook = Box<dyn FnMut(Asked) -> Option<Credentials> + Send>;

/// The newest credentials, shared between the application's threads and the client's.
#[derive(Clone, Default)]
pub(super) struct CredentialsCell(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    version: u64,
    credentials: Credentials,
}

/// What is shown to a server.
pub(super) struct Shown {
    /// Header lines; none where nothing may be shown.
    pub(super) lines: Zeroizing<Vec<u8>>,
    /// Which version of the credentials they are; `None` where none may be shown.
    pub(super) version: Option<u64>,
}

/// The credentials as the client's thread sees them.
pub(super) struct CredentialProvider {
    cell: CredentialsCell,
    hook: Option<CredentialsHook>,
    asked: bool,
    /// New credentials were a reason to try again at once, and no server has accepted any since.
    insisted: bool,
    /// Servers of which was said that they are shown nothing.
    unverified: BTreeSet<ServerId>,
}

impl CredentialsCell {
    /// Changes the credentials; an equal value is no change. Returns what `change` returns, and whether
    /// they are others than before.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Credentials) -> T) -> (T, bool) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut credentials = kept.credentials.clone();
        let result = change(&mut credentials);
        let changed = credentials != kept.credentials;
        if changed {
            *kept = Kept { version: kept.version + 1, credentials };
        }
        (result, changed)
    }

    /// Whether a field stands with this value already.
    pub(super) fn has(&self, name: &str, secret: &[u8]) -> bool {
        self.look(|kept| kept.credentials.has(name, secret))
    }

    fn look<T>(&self, look: impl FnOnce(&Kept) -> T) -> T {
        look(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl CredentialProvider {
    pub(super) fn new(cell: CredentialsCell, hook: Option<CredentialsHook>) -> Self {
        Self { cell, hook, asked: false, insisted: false, unverified: BTreeSet::new() }
    }

    /// What this server is shown. Where it has not proved itself, nothing, and that is said once.
    pub(super) fn show(&mut self, server: &ServerId, verified: bool) -> Shown {
        if !verified {
            let has_any = self.hook.is_some() || self.cell.look(|kept| !kept.credentials.is_empty());
            if has_any && self.unverified.insert(server.clone()) {
                logging::record!(Warn, "{server}: is shown no credentials, because it is not verified");
            }
            return Shown { lines: Zeroizing::default(), version: None };
        }
        if !self.asked {
            self.asked = true;
            self.ask(Asked::First);
        }
        let (lines, version) = self.cell.look(|kept| (kept.credentials.lines(), kept.version));
        Shown { lines, version: Some(version) }
    }

    /// A verified server answered 401 to this version. Whether there are others now: because they were
    /// changed meanwhile, or because the hook gives some.
    pub(super) fn renew(&mut self, refused: u64, server: &ServerId) -> bool {
        let is_newer =
            |credential_provider: &Self| credential_provider.cell.look(|kept| kept.version) > refused;
        if !is_newer(self) {
            self.ask(Asked::Refused { server: server.clone() });
        }
        is_newer(self)
    }

    /// Whether renewed credentials are a reason to try again at once: only once until a server has accepted
    /// some. A hook that always gives fresh ones must not make the agent storm servers that want none of them.
    pub(super) fn may_insist(&mut self) -> bool {
        !std::mem::replace(&mut self.insisted, true)
    }

    /// A server answered well.
    pub(super) fn accepted(&mut self) {
        self.insisted = false;
    }

    /// Other settings are in force: what was said of their servers may be said again.
    pub(super) fn reconfigured(&mut self) {
        self.unverified.clear();
    }

    /// No lock is held while the hook runs.
    fn ask(&mut self, asked: Asked) {
        let Some(hook) = &mut self.hook else { return };
        let after_a_panic = "the credentials before it are used";
        let newest = callback::call("the credentials hook", after_a_panic, || hook(asked));
        if let Some(newest) = newest.flatten() {
            self.cell.change(|credentials| *credentials = newest);
        }
    }
}

impl fmt::Debug for CredentialsCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.look(|kept| kept.credentials.fmt(f))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(secret: &str) -> Credentials {
        let mut credentials = Credentials::default();
        credentials.set("authorization", secret).unwrap();
        credentials
    }

    fn shown(credential_provider: &mut CredentialProvider) -> (String, u64) {
        let shown = credential_provider.show(&ServerId::new("a"), true);
        (String::from_utf8(shown.lines.to_vec()).unwrap(), shown.version.unwrap())
    }

    #[test]
    fn the_hook_is_asked_first_and_once_for_each_refusal_and_may_panic() {
        let (cell, server) = (CredentialsCell::default(), ServerId::new("a"));
        let (sender, asked) = std::sync::mpsc::channel();
        let mut answers = [Some("one"), None, Some("one"), Some("two")].into_iter();
        let hook = move |reason| {
            sender.send(reason).unwrap();
            answers.next().expect("a fault of the application").map(credentials)
        };
        let mut credential_provider = CredentialProvider::new(cell.clone(), Some(Box::new(hook)));
        assert!(credential_provider.show(&server, false).lines.is_empty());
        assert!(asked.try_recv().is_err());
        assert_eq!(shown(&mut credential_provider), ("authorization: one\r\n".to_owned(), 1));
        assert_eq!(shown(&mut credential_provider).1, 1);
        assert_eq!(asked.try_recv(), Ok(Asked::First));

        assert!(!credential_provider.renew(1, &server), "None");
        assert!(!credential_provider.renew(1, &server), "the same again");
        assert!(credential_provider.renew(1, &server));
        assert_eq!(asked.try_iter().count(), 3);
        assert!(credential_provider.renew(1, &server), "somebody else was refused with the same old ones");
        assert_eq!(asked.try_iter().count(), 0);
        assert_eq!(shown(&mut credential_provider), ("authorization: two\r\n".to_owned(), 2));
        assert!(!credential_provider.renew(2, &server), "a panic");
    }

    #[test]
    fn only_a_change_is_a_change() {
        let cell = CredentialsCell::default();
        assert!(cell.change(|kept| *kept = credentials("one")).1);
        assert!(!cell.change(|kept| *kept = credentials("one")).1);
        assert_eq!(cell.change(|kept| kept.set("host", "x").is_ok()), (false, false));
        assert_eq!(cell.change(|kept| kept.remove("authorization")), (true, true));
        assert_eq!(cell.look(|kept| kept.version), 2);
    }
}
