//! What is said to a management server, and what its answers mean.
//!
//! The engine names a request. A protocol turns it into an [`HttpRequest`], and the answer into an outcome. Each protocol is
//! a folder beside [`homing`] and implements [`Protocol`]; inside it every request is one file, the only place that knows
//! its path, its fields and what a success is. The rest of `net` moves bytes and knows nothing of this.

mod homing;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

pub(crate) use homing::Homing;

use super::event_stream::StreamEvent;
use super::exchange::Answer;
use super::http_request::HttpRequest;
use crate::settings::Server;
use crate::types::{Call, News, Outcome, Request, Series};

/// What the product has to say in a request.
#[derive(Clone)]
pub(crate) enum Content {
    Status(Arc<[u8]>),
    /// Its status is left out, because the server has refused it as too large. That is another request.
    Omitted,
    /// Reports of one series, by their numbers.
    #[cfg_attr(not(feature = "outbox"), allow(dead_code, reason = "without an outbox nothing is reported"))]
    Reports {
        series: Series,
        first: u64,
        last: u64,
        body: Arc<[u8]>,
    },
    /// What the product says itself.
    Call(Arc<Call>),
}

impl Content {
    /// How many bytes of the status it has.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Status(bytes) => bytes.len(),
            Self::Omitted | Self::Reports { .. } | Self::Call(_) => 0,
        }
    }
}

/// What an event stream told: [`News`], owning what it lends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Announcement {
    Hello,
    Settings {
        tag: String,
        within: Duration,
    },
    Policy {
        tag: String,
        within: Duration,
    },
    /// With everything that the server says of it.
    Content {
        name: String,
        about: Arc<[u8]>,
    },
    Command {
        name: String,
        bytes: Arc<[u8]>,
    },
    Drain(Duration),
}

impl Announcement {
    /// What the engine hears of it.
    pub(crate) fn news(&self) -> News<'_> {
        match self {
            Self::Hello => News::Hello,
            Self::Settings { tag, within } => News::Settings { tag, within: *within },
            Self::Policy { tag, within } => News::Policy { tag, within: *within },
            Self::Content { name, about: _ } => News::Content(name),
            Self::Command { name, bytes: _ } => News::Command(name),
            Self::Drain(window) => News::Drain(*window),
        }
    }

    /// What the product gets of it.
    pub(crate) fn into_body(self) -> Option<Arc<[u8]>> {
        match self {
            Self::Content { name: _, about: bytes } | Self::Command { name: _, bytes } => Some(bytes),
            Self::Hello | Self::Settings { .. } | Self::Policy { .. } | Self::Drain(_) => None,
        }
    }
}

/// How requests are written and answers understood.
pub(crate) trait Protocol: Send {
    /// How this request is written for this server, with what the product has to say. `last` is the id of the last event
    /// that this server has told; after a heartbeat the next one follows within `next`. `is_verified`: the server has proved that it is itself. `None`: this protocol has no such request, or makes it to no such server.
    fn request(
        &self,
        request: &Request,
        server: &Server,
        content: Content,
        last: Option<&str>,
        next: Option<Duration>,
        is_verified: bool,
    ) -> Option<HttpRequest>;

    /// What an event means that came in the answer to [`Request::Listen`]. What it does not know means nothing.
    fn announcements(&self, event: StreamEvent) -> Vec<Announcement>;

    /// The signature of the document in an answer, if it has one.
    fn signature<'a>(&self, answer: &'a Answer) -> Option<&'a str>;

    /// Up to which number the server has taken the reports of an upload. What it means for them knows the outbox alone.
    fn acknowledged(&self, answer: &Answer) -> Option<u64>;

    /// What an answer to that request means. `wall` is the time of day, for a `Retry-After` that names a date.
    fn outcome<'a>(&self, request: &Request, answer: &'a Answer, wall: SystemTime) -> Outcome<'a>;
}
