//! Where the body of an answer goes, and how much of it is taken.

use crate::types::{Cause, Failure};

/// Takes the body of one answer in, without its framing.
#[derive(Debug)]
pub(crate) struct Sink {
    most: usize,
    taken: usize,
    /// `None`: nothing is kept.
    kept: Option<Vec<u8>>,
}

impl Sink {
    /// Keeps the body in memory, at most this many bytes.
    pub(crate) fn memory(most: usize) -> Self {
        Self { most, taken: 0, kept: Some(Vec::new()) }
    }

    /// Counts the body, at most this many bytes, and keeps nothing of it.
    pub(crate) fn discard(most: usize) -> Self {
        Self { most, taken: 0, kept: None }
    }

    /// The most it takes.
    pub(super) fn most(&self) -> usize {
        self.most
    }

    /// Fails unless this many more bytes may come.
    pub(super) fn expect(&self, more: u64) -> Result<(), Failure> {
        let room = self.most.saturating_sub(self.taken);
        if more > room as u64 { Err(Cause::BodyTooLarge.into()) } else { Ok(()) }
    }

    /// Takes bytes that were [expected](Self::expect).
    pub(super) fn take(&mut self, bytes: &[u8]) {
        self.taken += bytes.len();
        if let Some(kept) = &mut self.kept {
            kept.extend_from_slice(bytes);
        }
    }

    /// What was kept.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.kept.unwrap_or_default()
    }
}
