//! Settings documents beside the memory that names them, each in a place of the store.
//!
//! There are few places, so that a store stays small, and never fewer than the documents that may be needed: those that the
//! stored memory names, and those that a memory on its way there names. A document is written before the memory that names it.

use std::fmt::Write;
use std::sync::Arc;

use crate::engine::SettingsMemory;
use crate::settings::Settings;
use ring::digest::{SHA256, digest as hash};

/// Two of the stored memory, two of the one that is being written, two of the newest, and one that comes.
pub(super) const PLACES: usize = 7;

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
}

impl Documents {
    /// What an earlier life left: the documents in their places, and what its memory names.
    pub(super) fn new(
        found: &[Option<Vec<u8>>],
        memory: Option<&SettingsMemory>,
        first: Option<(Arc<str>, Arc<Settings>)>,
    ) -> Self {
        let mut documents = Self { places: Default::default(), named: vec![(0, names(memory))], first };
        for (place, text) in documents.places.iter_mut().zip(found) {
            *place = text.as_deref().map(digest);
        }
        documents
    }

    /// The place for this document; `None`: it is stored already, or there is no room, which cannot be.
    pub(super) fn place(&mut self, digest: &Arc<str>) -> Option<usize> {
        if self.places.iter().flatten().any(|known| known == digest) {
            return None;
        }
        let is_needed = |known: &Arc<str>| self.named.iter().any(|(_, names)| names.contains(known));
        let free = self.places.iter().position(|place| !place.as_ref().is_some_and(is_needed))?;
        *self.places.get_mut(free)? = Some(digest.clone());
        Some(free)
    }

    /// What the client began with, when a memory names it and it is not stored: its place and its text.
    pub(super) fn first_named(&mut self, memory: Option<&SettingsMemory>) -> Option<(usize, Arc<[u8]>)> {
        let (digest, settings) = self.first.clone().filter(|(digest, _)| names(memory).contains(digest))?;
        let text = settings.text()?.into();
        Some((self.place(&digest)?, text))
    }

    /// A document could not be written.
    pub(super) fn failed(&mut self, place: usize) {
        if let Some(place) = self.places.get_mut(place) {
            *place = None;
        }
    }

    /// This version of the memory is on its way to the store.
    pub(super) fn remembers(&mut self, version: u64, memory: Option<&SettingsMemory>) {
        self.named.push((version, names(memory)));
        // The first is stored and the second is being written; of those that wait the newest takes the place of the others.
        if self.named.len() > 3 {
            self.named.drain(2..self.named.len() - 1);
        }
    }

    /// This version is stored.
    pub(super) fn stored(&mut self, version: u64) {
        self.named.retain(|(known, _)| *known >= version);
    }
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

    #[test]
    fn no_document_is_overwritten_that_a_memory_on_the_disk_may_name() {
        let texts: Vec<Vec<u8>> = (0..200u8).map(|number| vec![number]).collect();
        let mut documents = Documents::new(&[], None, None);
        let mut disk: [Option<Arc<str>>; PLACES] = Default::default();
        let mut in_force = texts[0].clone();
        let store = |disk: &mut [Option<Arc<str>>; PLACES], place: Option<usize>, text: &[u8]| {
            if let Some(place) = place {
                disk[place] = Some(digest(text));
            }
        };
        let place = documents.place(&digest(&in_force));
        store(&mut disk, place, &in_force);
        let mut on_disk = memory(&in_force, None);
        documents.remembers(1, Some(&on_disk));
        documents.stored(1);
        for (version, text) in (2u64..).zip(&texts[1..]) {
            let place = documents.place(&digest(text));
            store(&mut disk, place, text);
            // The disk is slow: the memory that is stored is an old one, and names what is still there.
            for named in names(Some(&on_disk)) {
                assert!(disk.iter().flatten().any(|known| *known == named), "{version}");
            }
            let newest = memory(&in_force, Some(text));
            documents.remembers(version, Some(&newest));
            if version % 3 == 0 {
                in_force.clone_from(text);
            }
            if version % 4 == 0 {
                on_disk = newest;
                documents.stored(version);
            }
        }
    }
}
