//! With which settings a client begins: those that the program gives, or those that an earlier life had in force.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use super::arrival::{Rules, place};
use super::arrived::{Arrived, Ready};
use super::documents::{Documents, digest};
use super::persistence::{Earlier, Keeper};
use super::prepare::{PrepareError, PreparedSettings, prepare};
use super::trust_clock::TrustClock;
use crate::engine::{SettingsMemory, SettingsName, TakesSettings};
use crate::settings::{Settings, Source};
use crate::types::Printable;

/// What an earlier life left, what the client begins with because of it, and the clock that certificates are judged by.
pub(super) fn begin(
    settings: Arc<Settings>,
    keeper: Option<&mut Keeper>,
    rules: &Rules,
) -> Result<(Earlier, Start, Arc<TrustClock>), PrepareError> {
    let mut earlier = keeper.map_or_else(Earlier::nothing, |keeper| keeper.load(SystemTime::now()));
    let trust_clock = Arc::new(TrustClock::new(earlier.floor));
    let start = Start::new(settings, &mut earlier, rules, &trust_clock)?;
    Ok((earlier, start, trust_clock))
}

/// What a client begins with, prepared.
pub(super) struct Start {
    pub(super) prepared: PreparedSettings,
    pub(super) name: Option<SettingsName>,
    /// Names what the program gives.
    pub(super) given: Option<Arc<str>>,
    /// What is tried first of all.
    pub(super) candidate: Option<Arrived>,
    pub(super) documents: Documents,
}

impl Start {
    /// Adds to the problems of the earlier life why what was in force then is not.
    ///
    /// # Errors
    /// What the program gives cannot be put in force.
    pub(super) fn new(
        given: Arc<Settings>,
        earlier: &mut Earlier,
        rules: &Rules,
        clock: &Arc<TrustClock>,
    ) -> Result<Self, PrepareError> {
        let (found, memory) = (std::mem::take(&mut earlier.documents), earlier.memory.settings.as_deref());
        let texts = found.iter().flatten().map(|text| (digest(text), text.clone())).collect();
        let mut beginning = Beginning::after(given.clone(), memory, &texts, rules);
        let prepared = match prepare(Arc::clone(&beginning.settings), clock) {
            Ok(prepared) => prepared,
            Err(error) if Arc::ptr_eq(&beginning.settings, &given) => return Err(error),
            Err(error) => {
                let problem =
                    format!("settings that were in force cannot be used any more: {}", Printable(error));
                beginning = Beginning { problems: vec![problem], ..Beginning::with(given.clone()) };
                prepare(given, clock)?
            }
        };
        let Beginning { settings, name, given, candidate, problems } = beginning;
        let candidate = candidate.map(|(settings, name, given)| Arrived {
            tag: name.tag.clone(),
            ready: prepare(settings, clock)
                .map(|prepared| Ready { prepared, name: Some(name), given })
                .map_err(|error| Printable(error).to_string()),
        });
        let documents =
            Documents::new(&found, memory, name.as_ref().map(|name| (name.digest.clone(), settings)));
        earlier.problems.extend(problems);
        Ok(Self { prepared, name, given, candidate, documents })
    }
}

/// Which settings those are.
struct Beginning {
    settings: Arc<Settings>,
    name: Option<SettingsName>,
    /// Names what the program gives.
    given: Option<Arc<str>>,
    /// To be tried: their name, and whether the program gives them.
    candidate: Option<(Arc<Settings>, SettingsName, bool)>,
    /// Why what was in force is not.
    problems: Vec<String>,
}

impl Beginning {
    /// Only what the program gives.
    fn with(given: Arc<Settings>) -> Self {
        let name = named(&given);
        let digest = name.as_ref().map(|name| name.digest.clone());
        Self { settings: given, name, given: digest, candidate: None, problems: Vec::new() }
    }

    /// What an earlier life had in force goes on, while the program gives what it gave then. What else it gives is tried.
    fn after(
        given: Arc<Settings>,
        memory: Option<&SettingsMemory>,
        documents: &BTreeMap<Arc<str>, Vec<u8>>,
        rules: &Rules,
    ) -> Self {
        let mut beginning = Self::with(given.clone());
        let (Some(name), Some(memory)) = (beginning.name.clone(), memory) else { return beginning };
        let mut read = |known: &SettingsName| {
            // A program that takes none from servers any more does not want those either.
            if known.tag.is_some() && rules.takes_settings() == TakesSettings::Never {
                return None;
            }
            if known.digest == name.digest {
                return Some(given.clone());
            }
            let found = read(known, documents, rules);
            found.map_err(|problem| beginning.problems.push(problem)).ok().map(Arc::new)
        };
        let in_force = memory.in_force.as_ref().and_then(|known| Some((read(known)?, known.clone())));
        let Some((settings, in_force)) = in_force else { return beginning };
        let is_as_before = memory.given.as_ref() == Some(&name.digest);
        let candidate = match &memory.candidate {
            Some(candidate) if is_as_before => {
                let given = candidate.name.tag.is_none();
                read(&candidate.name).map(|settings| (settings, candidate.name.clone(), given))
            }
            Some(_) | None if is_as_before || in_force.digest == name.digest => None,
            Some(_) | None => Some((given.clone(), name.clone(), true)),
        };
        (beginning.settings, beginning.name, beginning.candidate) = (settings, Some(in_force), candidate);
        beginning
    }
}

/// Names settings of the program's.
pub(super) fn named(settings: &Settings) -> Option<SettingsName> {
    let text = settings.text()?;
    Some(SettingsName { digest: digest(text), tag: None, serial: None })
}

fn read(
    known: &SettingsName,
    documents: &BTreeMap<Arc<str>, Vec<u8>>,
    rules: &Rules,
) -> Result<Settings, String> {
    let lost = "settings that were in force or on trial in the store are not used";
    let text =
        documents.get(&known.digest).ok_or_else(|| format!("{lost}: they are not there, or damaged"))?;
    let (source, is_of_a_server) =
        if known.tag.is_some() { (Source::Server, true) } else { (Source::Person, false) };
    let parsed = Settings::parse(text, source).map_err(|error| format!("{lost}: {}", Printable(error)))?;
    let mut settings = parsed.settings;
    if is_of_a_server {
        let placed = settings.place_files(|file| place(rules.folder.as_deref(), file));
        placed.map_err(|problem| format!("{lost}: {problem}"))?;
        rules.check_earlier(known, &settings).map_err(|problem| format!("{lost}: {problem}"))?;
    }
    Ok(settings)
}
