//! Settings documents beside the memory that names them, each in a place of the store.
//!
//! There are few places, so that a store stays small, and never fewer than the documents that may be needed: those that the
//! stored memory names, and those that a memory on its way there names. A document is written before the memory that names it,
//! with each such memory until it is stored.

use std::fmt::Write;
use std::sync::Arc;

use crate::engine::SettingsMemory;
use crate::settings::Settings;
use ring::digest::{SHA256, digest as hash};

/// Two of the stored memory, two of the one that is being written, two of the newest, and one that comes.
pub(super) const PLACES: usize = 7;

/// Settings that came and that no memory names yet: more never wait for the engine at once, one from the program, one from a server and one
/// that the product has just decided about.
const UNTOLD: usize = 3;

/// Names a document: the SHA-256 of its bytes, in hexadecimal.
pub(super) fn digest(text: &[u8]) -> Arc<str> {
    let mut name = String::with_capacity(64);
    for byte in hash(&SHA256, text).as_ref() {
        // Writing to a string cannot fail.
        let _ = write!(name, "{byte:02x}");
    }
    name.into()
}

/// Under which name a document is stored.
pub(super) fn place_name(place: usize) -> String {
    format!("settings-{}", place + 1)
}

/// What is in which place. It belongs to the client's thread.
#[derive(Default)]
pub(super) struct Documents {
    places: [Option<Arc<str>>; PLACES],
    /// The documents that the stored memory names, and those of later ones that may not be stored yet.
    named: Vec<(u64, Vec<Arc<str>>)>,
    /// What the client began with.
    first: Option<(Arc<str>, Arc<Settings>)>,
    /// What came later and may be named by a memory, or is.
    later: Vec<(Arc<str>, Arc<Settings>)>,
}

/// What is to be written before a memory.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Before {
    /// Documents with their places.
    pub(super) documents: Vec<(usize, Arc<[u8]>)>,
    /// The places of all documents that the memory names: where one of them could not be written, neither may be the memory.
    pub(super) needs: Vec<usize>,
}

impl Documents {
    /// What an earlier life left: the documents in their places, and what its memory names.
    pub(super) fn new(
        found: &[Option<Vec<u8>>],
        memory: Option<&SettingsMemory>,
        first: Option<(Arc<str>, Arc<Settings>)>,
    ) -> Self {
        let mut documents =
            Self { places: Default::default(), named: vec![(0, names(memory))], first, later: Vec::new() };
        for (place, text) in documents.places.iter_mut().zip(found) {
            *place = text.as_deref().map(digest);
        }
        documents
    }

    /// These settings came, and a memory may soon name them: so may those that came just before.
    pub(super) fn came(&mut self, digest: Arc<str>, settings: Arc<Settings>) {
        self.later.retain(|(known, _)| *known != digest);
        self.later.push((digest, settings));
        let unnamed = |(known, _): &(Arc<str>, _)| !is_named(&self.named, known);
        if self.later.iter().filter(|it| unnamed(it)).count() > UNTOLD
            && let Some(oldest) = self.later.iter().position(unnamed)
        {
            self.later.remove(oldest);
        }
    }

    /// This version of the memory is on its way to the store: what is to be written before it.
    pub(super) fn remembers(&mut self, version: u64, memory: Option<&SettingsMemory>) -> Before {
        let named = names(memory);
        self.named.push((version, named.clone()));
        // The first is stored and the second is being written; of those that wait the newest takes the place of the others.
        if self.named.len() > 3 {
            self.named.drain(2..self.named.len() - 1);
        }
        let documents = named.iter().filter_map(|digest| self.unwritten(digest)).collect();
        let needs = named.iter().filter_map(|digest| self.place_of(digest)).collect();
        Before { documents, needs }
    }

    /// A place for this document and its text, unless it is stored already.
    fn unwritten(&mut self, digest: &Arc<str>) -> Option<(usize, Arc<[u8]>)> {
        if self.place_of(digest).is_some() {
            return None;
        }
        let (_, settings) = self.first.iter().chain(&self.later).find(|(known, _)| known == digest)?;
        let text = settings.text()?.into();
        Some((self.place(digest)?, text))
    }

    /// A free place, from now on this document's; there is one.
    fn place(&mut self, digest: &Arc<str>) -> Option<usize> {
        let is_free = |place: &Option<Arc<str>>| !place.as_ref().is_some_and(|it| is_named(&self.named, it));
        let free = self.places.iter().position(is_free)?;
        *self.places.get_mut(free)? = Some(digest.clone());
        Some(free)
    }

    fn place_of(&self, digest: &Arc<str>) -> Option<usize> {
        self.places.iter().position(|known| known.as_ref() == Some(digest))
    }

    /// A document could not be written.
    pub(super) fn failed(&mut self, place: usize) {
        if let Some(place) = self.places.get_mut(place) {
            *place = None;
        }
    }

    /// This version is stored.
    pub(super) fn stored(&mut self, version: u64) {
        self.named.retain(|(known, _)| *known >= version);
    }
}

fn is_named(named: &[(u64, Vec<Arc<str>>)], digest: &Arc<str>) -> bool {
    named.iter().any(|(_, names)| names.contains(digest))
}

/// The documents that a memory names.
fn names(memory: Option<&SettingsMemory>) -> Vec<Arc<str>> {
    let Some(memory) = memory else { return Vec::new() };
    let candidate = memory.candidate.as_ref().map(|candidate| &candidate.name);
    memory.in_force.iter().chain(candidate).map(|name| name.digest.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(in_force: &[u8], candidate: Option<&[u8]>) -> SettingsMemory {
        let name = |text: &[u8]| serde_json::json!({ "digest": &*digest(text) });
        let candidate = candidate.map(|text| serde_json::json!({ "name": name(text), "spent": "0s" }));
        serde_json::from_value(serde_json::json!({ "in_force": name(in_force), "candidate": candidate }))
            .unwrap()
    }

    /// Settings that differ by this number, and the digest of their text.
    fn settings(number: usize) -> (Arc<str>, Arc<Settings>) {
        let text = format!(
            r#"{{ "server_lists": [{{ "name": "l{number}", "priorities": [{{ "servers": [{{ "address": "a.example" }}] }}] }}],
                  "group": {{ "server_list": "l{number}" }} }}"#
        );
        let settings: Settings = text.parse().unwrap();
        (digest(settings.text().unwrap()), Arc::new(settings))
    }

    #[test]
    fn no_document_is_overwritten_that_a_memory_on_the_disk_may_name() {
        let text = |(_, settings): &(Arc<str>, Arc<Settings>)| settings.text().unwrap().to_vec();
        let mut in_force = settings(0);
        let mut documents = Documents::new(&[], None, Some(in_force.clone()));
        let mut disk: [Option<Arc<str>>; PLACES] = Default::default();
        let store = |disk: &mut [Option<Arc<str>>; PLACES], before: Before| {
            for (place, text) in before.documents {
                disk[place] = Some(digest(&text));
            }
        };
        let mut on_disk = memory(&text(&in_force), None);
        store(&mut disk, documents.remembers(1, Some(&on_disk)));
        documents.stored(1);
        for version in 2..200 {
            let candidate = settings(version);
            documents.came(candidate.0.clone(), candidate.1.clone());
            let newest = memory(&text(&in_force), Some(&text(&candidate)));
            store(&mut disk, documents.remembers(version as u64, Some(&newest)));
            // The disk is slow: the memory that is stored is an old one, and names what is still there.
            for named in names(Some(&on_disk)).iter().chain(&names(Some(&newest))) {
                assert!(disk.iter().flatten().any(|known| known == named), "{version}");
            }
            if version % 3 == 0 {
                in_force = candidate;
            }
            if version % 4 == 0 {
                on_disk = newest;
                documents.stored(version as u64);
            }
            assert!(documents.later.len() <= PLACES + UNTOLD, "{version}");
        }
    }

    #[test]
    fn settings_that_came_in_one_moment_are_all_written_when_they_are_named() {
        let came: Vec<_> = (1..=UNTOLD).map(settings).collect();
        let mut documents = Documents::new(&[], None, None);
        for (digest, settings) in &came {
            documents.came(digest.clone(), settings.clone());
        }
        for (version, (_, settings)) in (1..).zip(&came) {
            let before = documents.remembers(version, Some(&memory(settings.text().unwrap(), None)));
            assert_eq!((before.documents.len(), before.needs.len()), (1, 1), "{version}");
        }
    }

    #[test]
    fn what_could_not_be_written_is_written_with_the_next_memory_that_names_it() {
        let (first, later) = (settings(1), settings(2));
        let text = |(_, settings): &(Arc<str>, Arc<Settings>)| settings.text().unwrap().to_vec();
        let named = memory(&text(&first), Some(&text(&later)));
        let mut documents = Documents::new(&[], None, Some(first));
        documents.came(later.0.clone(), later.1.clone());
        let before = documents.remembers(1, Some(&named));
        assert_eq!((before.documents.len(), before.needs.as_slice()), (2, &[0, 1][..]));
        // Not again while they are on their way.
        assert!(documents.remembers(2, Some(&named)).documents.is_empty());
        documents.failed(1);
        let before = documents.remembers(3, Some(&named));
        assert_eq!(before.documents, [(1, Arc::from(text(&later)))]);
        assert_eq!(before.needs, [0, 1]);
    }
}
