//! Settings that a server sends: judged here, prepared on a thread of their own, and put on trial by the engine.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use super::Shared;
use super::arrived::{Arrived, Ready};
use super::consent::{Consent, ConsentHook, OfferedSettings};
use super::documents::digest;
use super::mail::Message;
use super::prepare::prepare;
use super::trust_clock::TrustClock;
use crate::engine::{SettingsMemory, SettingsName, TakesSettings};
use crate::platform::{Logger, callback, logging, quiet_threads};
use crate::settings::{Settings, Source, Warning};
use crate::trust;
use crate::types::{Printable, ServerId};

/// The stack of the thread that prepares: certificates are parsed on it.
const STACK: usize = 1024 * 1024;

/// The most that is kept of why a product refuses settings.
const REASON: usize = 500;

/// Which settings of a server are taken.
#[derive(Default)]
pub(super) struct Rules {
    /// The program takes some at all.
    pub(super) takes: bool,
    /// Ed25519 keys of which one must have signed them; `None`: they need no signature.
    pub(super) keys: Option<Vec<[u8; 32]>>,
    /// For whom signed settings must be.
    pub(super) audience: Option<Box<str>>,
    /// Where the files are that they may name.
    pub(super) folder: Option<PathBuf>,
    /// The serial number of what the program gives: signed settings are no older.
    pub(super) given_serial: Option<u64>,
}

/// Settings that were judged and may be prepared.
pub(super) struct Judged {
    pub(super) settings: Settings,
    pub(super) name: SettingsName,
    pub(super) warnings: Vec<Warning>,
}

/// Judges what servers send. It belongs to the client's thread.
pub(super) struct Arrivals {
    pub(super) rules: Rules,
    pub(super) hook: Option<ConsentHook>,
    /// Waits for the product to decide.
    waiting: Option<(Arc<str>, Judged)>,
    is_preparing: bool,
    /// The newest, which wait until those before them are prepared.
    next: Option<Judged>,
}

impl Rules {
    pub(super) fn takes_settings(&self) -> TakesSettings {
        match (self.takes, &self.keys) {
            (false, None) => TakesSettings::Never,
            (true, None) => TakesSettings::Verified,
            (_, Some(_)) => TakesSettings::Signed,
        }
    }

    /// What a server sent, or why it is refused. `known` is what is remembered of settings.
    ///
    /// # Errors
    /// The reason in words.
    pub(super) fn judge(
        &self,
        tag: Arc<str>,
        text: &[u8],
        signature: Option<&str>,
        known: Option<&SettingsMemory>,
    ) -> Result<Judged, String> {
        if let Some(keys) = &self.keys {
            trust::check_settings_signature(keys, signature, text)?;
        }
        let parsed = Settings::parse(text, Source::Server).map_err(|error| Printable(error).to_string())?;
        let mut settings = parsed.settings;
        let digest = digest(text);
        let serial = match self.keys {
            Some(_) => Some(self.check_claims(&settings, &digest, known)?),
            None => None,
        };
        settings.place_files(|file| place(self.folder.as_deref(), file))?;
        let name = SettingsName { digest, tag: Some(tag), serial };
        Ok(Judged { settings, name, warnings: parsed.warnings })
    }

    /// For whom a signed document is, and that it is not an old one. Returns its serial number.
    fn check_claims(
        &self,
        settings: &Settings,
        digest: &Arc<str>,
        known: Option<&SettingsMemory>,
    ) -> Result<u64, String> {
        self.check_audience(settings)?;
        let Some(serial) = settings.serial() else {
            return Err("signed settings need a `serial`, and these have none".to_owned());
        };
        if self.given_serial.is_some_and(|given| serial < given) {
            return Err(format!("their serial number is {serial}, and the program's own settings are newer"));
        }
        let proved = known.and_then(|known| known.serial);
        let same = known.and_then(|known| known.in_force.as_ref()).is_some_and(|name| name.digest == *digest);
        match proved {
            Some(proved) if serial < proved || serial == proved && !same => Err(format!(
                "their serial number is {serial}, and settings with {proved} were in force already"
            )),
            Some(_) | None => Ok(serial),
        }
    }

    fn check_audience(&self, settings: &Settings) -> Result<(), String> {
        match &self.audience {
            Some(expected) if settings.audience() != Some(expected) => {
                let found = settings.audience().unwrap_or("no audience");
                Err(format!("they are for {}, and this agent is of {expected}", Printable(found)))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Whether settings of a server that an earlier life took are still taken. Their signature is not stored: what it proved is.
    ///
    /// # Errors
    /// The reason in words.
    pub(super) fn check_earlier(&self, name: &SettingsName, settings: &Settings) -> Result<(), String> {
        match (&self.keys, name.serial) {
            (Some(_), None) => {
                Err("they came unsigned, and this agent takes signed settings alone".to_owned())
            }
            (Some(_), Some(_)) => self.check_audience(settings),
            (None, _) => Ok(()),
        }
    }
}

/// Where a file is that a server's document names: a plain name below the program's folder, and nowhere else.
pub(super) fn place(folder: Option<&Path>, file: &Path) -> Result<PathBuf, String> {
    let shown = Printable(file.display());
    let Some(name) = file.to_str().filter(|name| is_plain(name)) else {
        return Err(format!(
            "they name the file {shown}: a server may name a file by a plain name alone, of letters, digits, `.`, `-` and `_`"
        ));
    };
    let Some(folder) = folder else {
        return Err(format!("they name the file {shown}, and the program allows a server none"));
    };
    Ok(folder.join(name))
}

fn is_plain(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    !name.starts_with('.') && !name.ends_with('.') && name.len() <= 128 && name.bytes().all(allowed)
}

impl Arrivals {
    pub(super) fn new(rules: Rules, hook: Option<ConsentHook>) -> Self {
        Self { rules, hook, waiting: None, is_preparing: false, next: None }
    }

    /// Prepares settings, after those that are being prepared: a disk that is slow costs one thread, and older settings do not
    /// overtake newer ones.
    pub(super) fn prepare(&mut self, judged: Judged, clock: &Arc<TrustClock>, shared: &Arc<Shared>) {
        if self.is_preparing {
            self.next = Some(judged);
        } else {
            self.is_preparing = true;
            judged.prepare(clock, shared);
        }
    }

    /// Those that were being prepared are ready, or cannot be.
    pub(super) fn prepared(&mut self, clock: &Arc<TrustClock>, shared: &Arc<Shared>) {
        self.is_preparing = false;
        if let Some(next) = self.next.take() {
            self.prepare(next, clock, shared);
        }
    }

    /// Asks the product. `None`: it decides later.
    pub(super) fn consent(
        &mut self,
        server: &ServerId,
        text: &[u8],
        judged: Judged,
    ) -> Option<Result<Judged, String>> {
        // What waits is older than these.
        self.waiting = None;
        let tag = judged.name.tag.clone().unwrap_or_default();
        let is_signed = self.rules.keys.is_some();
        let Some(hook) = &mut self.hook else {
            if !is_signed && judged.settings.ends_communication() {
                let reason = "they end all communication, so that no server could ever take that back; sign them, or accept them in the program";
                return Some(Err(reason.to_owned()));
            }
            return Some(Ok(judged));
        };
        let offered = OfferedSettings { server, tag: &tag, text, settings: &judged.settings, is_signed };
        let consent = callback::call("the settings hook", "they are refused", || hook(&offered));
        self.decided(consent.unwrap_or_else(|| Consent::Refuse("the hook panicked".to_owned())), tag, judged)
    }

    /// The product has decided about what waits, if it is this.
    pub(super) fn decide(&mut self, tag: &str, consent: Consent) -> Option<Result<Judged, String>> {
        let (tag, judged) = self.waiting.take_if(|(waiting, _)| **waiting == *tag)?;
        self.decided(consent, tag, judged)
    }

    fn decided(&mut self, consent: Consent, tag: Arc<str>, judged: Judged) -> Option<Result<Judged, String>> {
        match consent {
            Consent::Accept => Some(Ok(judged)),
            Consent::Refuse(reason) => {
                let reason: String = Printable(reason).to_string().chars().take(REASON).collect();
                Some(Err(format!("the product refuses them: {reason}")))
            }
            Consent::Later => {
                self.waiting = Some((tag, judged));
                None
            }
        }
    }
}

impl Judged {
    /// Prepares them on a thread of its own, which sends what became of it to the client's.
    fn prepare(self, clock: &Arc<TrustClock>, shared: &Arc<Shared>) {
        let Self { settings, name, warnings } = self;
        let (logger, to, clock, tag) =
            (Logger::here(), Arc::clone(shared), Arc::clone(clock), name.tag.clone());
        let work = move || {
            let _here = logger.enter();
            let tag = name.tag.clone();
            let ready = prepare(Arc::new(settings), &clock).map(|mut prepared| {
                prepared.warnings.extend(warnings.iter().map(|warning| Printable(warning).to_string()));
                Ready { prepared, name: Some(name), given: false }
            });
            let ready = ready.map_err(|error| Printable(error).to_string());
            to.send(Message::Arrived(Arrived { tag, ready }));
        };
        let thread = thread::Builder::new().name("homing-files".to_owned()).stack_size(STACK);
        if let Err(error) = quiet_threads(|| thread.spawn(work)) {
            logging::record!(Warn, "settings cannot be prepared: {error}");
            let ready = Err(format!("there is no thread to prepare them on: {error}"));
            shared.send(Message::Arrived(Arrived { tag, ready }));
        }
    }
}
