//! The entity tags the servers named last, and which of the documents they name the agent has.

use std::sync::Arc;

use super::read::Document;
use crate::engine::Event;
use crate::engine::context::Context;
use crate::types::{ServerId, is_unseen};

/// Longer than any tag a driver lets through.
const LONGEST_TAG: usize = 256;

/// See the module.
#[derive(Debug, Default)]
pub(in crate::engine) struct Announced {
    settings: Tags,
    policy: Tags,
}

/// The tags of one document.
#[derive(Debug, Default)]
struct Tags {
    announced: Option<Arc<str>>,
    /// `None`: the document was never asked for, and the agent has none.
    read: Option<Box<ReadTags>>,
}

/// What became of the documents that were announced.
#[derive(Debug, Default)]
struct ReadTags {
    /// The server was asked for the announced one.
    is_asked_for: bool,
    /// And has answered, whatever it was: it is not asked again.
    is_looked_up: bool,
    /// The one that was handed over in this life.
    handed_over: Option<Arc<str>>,
    /// The one that the product, or the engine, has taken over, in this life or an earlier one.
    confirmed: Option<Arc<str>>,
}

impl Announced {
    // --- getters ---

    /// Whether the server has another document than the agent, and was not asked for it.
    pub(in crate::engine) fn has_another(&self, document: Document) -> bool {
        let tags = self.tags(document);
        let is_looked_up = tags.read.as_ref().is_some_and(|read| read.is_looked_up);
        let named = tags.announced.as_ref();
        named.is_some() && named != self.known(document).as_ref() && !is_looked_up
    }

    /// The one the agent has.
    pub(in crate::engine) fn known(&self, document: Document) -> Option<Arc<str>> {
        let read = self.tags(document).read.as_ref()?;
        read.handed_over.clone().or_else(|| read.confirmed.clone())
    }

    pub(in crate::engine) fn confirmed_policy(&self) -> Option<&Arc<str>> {
        self.policy.read.as_ref()?.confirmed.as_ref()
    }

    // --- commands ---

    pub(in crate::engine) fn settings(&mut self, cx: &mut Context<'_>, server: &ServerId, tag: Option<&str>) {
        if let Some(tag) = self.settings.changed(tag) {
            cx.emit(Event::SettingsAnnounced { server: server.clone(), tag });
        }
    }

    pub(in crate::engine) fn policy(&mut self, cx: &mut Context<'_>, server: &ServerId, tag: Option<&str>) {
        if let Some(tag) = self.policy.changed(tag) {
            cx.emit(Event::PolicyAnnounced { server: server.clone(), tag });
        }
    }

    /// The server is asked for the announced document.
    pub(in crate::engine) fn asks(&mut self, document: Document) {
        self.read_mut(document).is_asked_for = true;
    }

    /// The server has answered. It may have announced another document since it was asked.
    pub(in crate::engine) fn looked_up(&mut self, document: Document) {
        let read = self.read_mut(document);
        read.is_looked_up = read.is_asked_for;
    }

    /// The announced document is not asked for.
    pub(in crate::engine) fn leaves(&mut self, document: Document) {
        self.read_mut(document).is_looked_up = true;
    }

    /// The product gets this document; without a tag of its own it goes by the one that was asked for. `None`: nothing tells
    /// any more which one that was.
    pub(in crate::engine) fn hand_over(&mut self, document: Document, tag: Option<&str>) -> Option<Arc<str>> {
        let tags = self.tags_mut(document);
        let read = tags.read.get_or_insert_default();
        let asked = tags.announced.as_ref().filter(|_| read.is_asked_for);
        let tag = tag.map(Arc::from).or_else(|| asked.cloned())?;
        read.handed_over = Some(tag.clone());
        Some(tag)
    }

    /// The document of this tag was taken over for good. `false`: that is no tag.
    pub(in crate::engine) fn confirm(&mut self, document: Document, tag: Arc<str>) -> bool {
        let fits = !tag.is_empty() && tag.len() <= LONGEST_TAG;
        if fits {
            self.read_mut(document).confirmed = Some(tag);
        }
        fits
    }

    // --- helpers ---

    fn tags(&self, document: Document) -> &Tags {
        match document {
            Document::Settings => &self.settings,
            Document::Policy => &self.policy,
        }
    }

    fn tags_mut(&mut self, document: Document) -> &mut Tags {
        match document {
            Document::Settings => &mut self.settings,
            Document::Policy => &mut self.policy,
        }
    }

    fn read_mut(&mut self, document: Document) -> &mut ReadTags {
        self.tags_mut(document).read.get_or_insert_default()
    }
}

impl Tags {
    /// A tag came: is it another one than the last?
    fn changed(&mut self, tag: Option<&str>) -> Option<Arc<str>> {
        let known = self.announced.as_deref();
        // What a person cannot be shown is no entity tag (RFC 9110, 8.8.3).
        let tag = tag.filter(|tag| known != Some(tag) && !tag.chars().any(is_unseen))?;
        let tag: Arc<str> = tag.into();
        self.announced = Some(tag.clone());
        if let Some(read) = &mut self.read {
            (read.is_asked_for, read.is_looked_up) = (false, false);
        }
        Some(tag)
    }
}
