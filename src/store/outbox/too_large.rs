//! What a server calls too large.

use crate::types::ReportId;

/// A report up to this size, body only, is never dropped because a server calls it too large: 16 KiB. A server that does that cannot be a
/// server for reports.
pub const NEVER_TOO_LARGE: usize = 16 * 1024;

/// What to do after a server refused a batch as too large (`413`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TooLarge {
    /// Take a batch of at most so many bytes: half as many.
    Smaller {
        /// For [`Outbox::take`](super::Outbox::take).
        at_most_bytes: usize,
    },
    /// The report was alone and larger than [`NEVER_TOO_LARGE`]: it is dropped, counted and told as [`OutboxEvent::TooLarge`](super::OutboxEvent::TooLarge).
    Dropped {
        /// Its name.
        id: ReportId,
    },
    /// The report was alone and small. It waits on; what is wrong is the server.
    ServerIsWrong,
}
