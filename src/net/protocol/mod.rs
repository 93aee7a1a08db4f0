//! What is said to a management server, and what its answers mean.
//!
//! The engine names a request. A protocol turns it into an [`HttpRequest`], and the answer into an outcome. Each protocol is
//! a folder beside [`homing`] and implements [`Protocol`]; inside it every request is one file, the only place that knows
//! its path, its fields and what a success is. The rest of `net` moves bytes and knows nothing of this.

mod homing;

use std::sync::Arc;
use std::time::SystemTime;

pub(crate) use homing::Homing;

use super::exchange::Answer;
use super::sink::Sink;
use super::source::Source;
use crate::settings::Server;
use crate::types::{Outcome, Request};

/// One request as a value: what is sent, and where the body of the answer goes.
pub(crate) struct HttpRequest {
    /// The request line and the fields, each with its line end. Credentials and the empty line are added when it is sent.
    pub(crate) head: String,
    pub(crate) source: Source,
    pub(crate) sink: Sink,
}

/// What the product has to say in a request.
#[derive(Clone)]
pub(crate) enum Content {
    Status(Arc<[u8]>),
    /// Its status is left out, because the server has refused it as too large. That is another request.
    Omitted,
}

impl Content {
    /// How many bytes it has.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Status(bytes) => bytes.len(),
            Self::Omitted => 0,
        }
    }
}

/// How requests are written and answers understood.
pub(crate) trait Protocol: Send {
    /// How this request is written for this server, with what the product has to say. `None`: this protocol has no
    /// such request.
    fn request(&self, request: &Request, server: &Server, content: Content) -> Option<HttpRequest>;

    /// What an answer to that request means. `wall` is the time of day, for a `Retry-After` that names a date.
    fn outcome<'a>(&self, request: &Request, answer: &'a Answer, wall: SystemTime) -> Outcome<'a>;
}
