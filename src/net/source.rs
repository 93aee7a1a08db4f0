//! Where the body of a request comes from.

use std::sync::Arc;

/// Bytes that are there, shared by all attempts that send them. They are handed out in pieces, so that a large body is
/// not copied for each attempt.
pub(crate) struct Source {
    bytes: Arc<[u8]>,
    taken: usize,
}

impl Source {
    pub(crate) fn bytes(bytes: Arc<[u8]>) -> Self {
        Self { bytes, taken: 0 }
    }

    /// How long the whole body is.
    pub(crate) fn length(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.taken == self.bytes.len()
    }

    /// Appends the next bytes to `buffer`, at most this many.
    pub(super) fn read(&mut self, buffer: &mut Vec<u8>, most: usize) {
        let rest = self.bytes.get(self.taken..).unwrap_or_default();
        let piece = rest.get(..most).unwrap_or(rest);
        buffer.extend_from_slice(piece);
        self.taken += piece.len();
    }
}
