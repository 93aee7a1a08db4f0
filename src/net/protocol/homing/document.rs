//! `GET settings` and `GET policy`: a document, unless it is the one the agent has.

use std::sync::Arc;
use std::time::SystemTime;

use super::common::add;
use super::fields::{ETAG, IF_NONE_MATCH, tag};
use super::{Homing, status};
use crate::net::exchange::Answer;
use crate::net::http_request::HttpRequest;
use crate::net::sink::Sink;
use crate::net::source::Source;
use crate::settings::{MAX_TEXT, Server};
use crate::types::{NOT_MODIFIED, Verdict};

/// Which document.
#[derive(Clone, Copy)]
pub(super) enum Document {
    Settings,
    Policy,
}

impl Document {
    const fn path(self) -> &'static str {
        match self {
            Self::Settings => "/settings",
            Self::Policy => "/policy",
        }
    }

    pub(super) fn request(self, homing: &Homing, known: Option<&str>, server: &Server) -> HttpRequest {
        let mut head = homing.begin("GET", self.path(), server);
        // A tag with a control character in it would end the line. None that was read from an answer has one.
        if let Some(known) = known.filter(|known| !known.contains(|letter: char| letter.is_control())) {
            add(&mut head, IF_NONE_MATCH, known);
        }
        let most = match self {
            Self::Settings => homing.limits.body_bytes.min(MAX_TEXT),
            Self::Policy => homing.limits.body_bytes,
        };
        HttpRequest { head, source: Source::bytes(Arc::from([])), sink: Sink::memory(most) }
    }

    /// Any complete 2xx is the document. 304 is a success where a tag was sent.
    pub(super) fn verdict<'a>(
        self,
        homing: &Homing,
        known: Option<&str>,
        answer: &'a Answer,
        wall: SystemTime,
    ) -> Verdict<'a> {
        let status = answer.status;
        match status {
            200..=299 => {
                let tag = tag(answer, ETAG, homing.limits.tag_bytes);
                let (settings, policy) = match self {
                    Self::Settings => (tag, None),
                    Self::Policy => (None, tag),
                };
                Verdict::Success { status, settings, policy }
            }
            NOT_MODIFIED if known.is_some() => Verdict::Success { status, settings: None, policy: None },
            _ if status::is_declined(status) => Verdict::Declined { status },
            _ => Verdict::Failed(status::failure(answer, wall)),
        }
    }
}
