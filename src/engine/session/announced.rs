//! The entity tags the servers named last, and what the product has of what they name.

use std::sync::Arc;

use crate::engine::Event;
use crate::engine::context::Context;
use crate::types::{ServerId, is_unseen};

/// Longer than any tag a driver lets through.
const LONGEST_TAG: usize = 256;

/// See the module.
#[derive(Debug, Default)]
pub(in crate::engine) struct Announced {
    settings: Option<Arc<str>>,
    policy: Option<Arc<str>>,
    /// The announced policy that was asked for, whatever the answer: it is not asked for again.
    looked_up: Option<Arc<str>>,
    /// The policy that was handed over in this life.
    handed_over: Option<Arc<str>>,
    /// The policy that the product has confirmed, in this life or an earlier one.
    confirmed: Option<Arc<str>>,
}

impl Announced {
    // --- getters ---

    /// Whether the server has another policy than the product, and was not asked for it.
    pub(in crate::engine) fn has_another_policy(&self) -> bool {
        let named = self.policy.as_ref();
        named.is_some() && named != self.known_policy().as_ref() && named != self.looked_up.as_ref()
    }

    /// The policy the product has.
    pub(in crate::engine) fn known_policy(&self) -> Option<Arc<str>> {
        self.handed_over.clone().or_else(|| self.confirmed.clone())
    }

    pub(in crate::engine) fn confirmed_policy(&self) -> Option<&Arc<str>> {
        self.confirmed.as_ref()
    }

    // --- commands ---

    pub(in crate::engine) fn settings(&mut self, cx: &mut Context<'_>, server: &ServerId, tag: Option<&str>) {
        if let Some(tag) = changed(&mut self.settings, tag) {
            cx.emit(Event::SettingsAnnounced { server: server.clone(), tag });
        }
    }

    pub(in crate::engine) fn policy(&mut self, cx: &mut Context<'_>, server: &ServerId, tag: Option<&str>) {
        if let Some(tag) = changed(&mut self.policy, tag) {
            cx.emit(Event::PolicyAnnounced { server: server.clone(), tag });
        }
    }

    /// The announced policy was asked for, and the server has answered.
    pub(in crate::engine) fn looked_up(&mut self) {
        self.looked_up.clone_from(&self.policy);
    }

    /// The product gets this policy; without a tag of its own it goes by the one that was announced.
    pub(in crate::engine) fn hand_over(&mut self, tag: Option<&str>) -> Option<Arc<str>> {
        self.handed_over = tag.map(Arc::from).or_else(|| self.policy.clone());
        self.handed_over.clone()
    }

    /// The product has taken this policy over for good. `false`: that is no tag.
    pub(in crate::engine) fn confirm(&mut self, tag: Arc<str>) -> bool {
        let fits = !tag.is_empty() && tag.len() <= LONGEST_TAG;
        if fits {
            self.confirmed = Some(tag);
        }
        fits
    }
}

fn changed(known: &mut Option<Arc<str>>, tag: Option<&str>) -> Option<Arc<str>> {
    // What a person cannot be shown is no entity tag (RFC 9110, 8.8.3).
    let tag = tag.filter(|tag| known.as_deref() != Some(tag) && !tag.chars().any(is_unseen))?;
    *known = Some(tag.into());
    known.clone()
}
