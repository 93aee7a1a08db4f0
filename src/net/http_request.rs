//! A request on its way out.

use super::sink::Sink;
use super::source::Source;

/// One request as a value: what is sent, and where the body of the answer goes.
pub(crate) struct HttpRequest {
    /// The request line and the fields, each with its line end. Credentials and the empty line are added when it is sent.
    pub(crate) head: String,
    pub(crate) source: Source,
    pub(crate) sink: Sink,
}
