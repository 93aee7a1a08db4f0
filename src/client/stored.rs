//! What is to be kept for the next life.

use std::sync::Arc;
use std::time::SystemTime;

use crate::engine::Memory;
use crate::trust::Timestamp;

/// What is to be kept for the next life.
pub(super) enum Value {
    /// What the engine remembers, and when it did. It is not saved while one of the documents in these places could not be.
    Memory { version: u64, memory: Memory, at: SystemTime, needs: Vec<usize> },
    /// Before when it cannot be.
    Floor(Timestamp),
    /// A settings document in its place.
    Document { place: usize, text: Arc<[u8]> },
}
