//! The entity tags the servers named last, so that the application hears of changes only.

use std::sync::Arc;

use crate::engine::Event;
use crate::engine::context::Context;
use crate::words::{ServerId, is_unseen};

/// See the module.
#[derive(Debug, Default)]
pub(in crate::engine) struct Announced {
    settings: Option<Arc<str>>,
    policy: Option<Arc<str>>,
}

impl Announced {
    pub(in crate::engine) fn settings(&mut self, cx: &mut Context<'_>, server: &ServerId, tag: Option<&str>) {
        if let Some(tag) = changed(&mut self.settings, tag) {
            cx.tell(Event::SettingsAnnounced { server: server.clone(), tag });
        }
    }

    pub(in crate::engine) fn policy(&mut self, cx: &mut Context<'_>, server: &ServerId, tag: Option<&str>) {
        if let Some(tag) = changed(&mut self.policy, tag) {
            cx.tell(Event::PolicyAnnounced { server: server.clone(), tag });
        }
    }
}

fn changed(known: &mut Option<Arc<str>>, tag: Option<&str>) -> Option<Arc<str>> {
    // What a person cannot be shown is no entity tag (RFC 9110, 8.8.3).
    let tag = tag.filter(|tag| known.as_deref() != Some(tag) && !tag.chars().any(is_unseen))?;
    *known = Some(tag.into());
    known.clone()
}
