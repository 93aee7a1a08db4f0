//! Where the body of an answer goes, and how much of it is taken.

use super::event_stream::EventStream;
use super::head::Head;
use crate::types::{Cause, Failure};

/// Takes the body of one answer in, without its framing.
#[derive(Debug)]
pub(crate) struct Sink {
    most: usize,
    taken: usize,
    kept: Kept,
}

#[derive(Debug)]
enum Kept {
    Nothing,
    Bytes(Vec<u8>),
    /// Events, which are taken out while the body is still on its way. It may never end.
    Events(Box<EventStream>),
}

/// What the body of an event stream is called (RFC 6838).
const EVENT_STREAM: &str = "text/event-stream";

impl Sink {
    /// Keeps the body in memory, at most this many bytes.
    pub(crate) fn memory(most: usize) -> Self {
        Self { most, taken: 0, kept: Kept::Bytes(Vec::new()) }
    }

    /// Counts the body, at most this many bytes, and keeps nothing of it.
    pub(crate) fn discard(most: usize) -> Self {
        Self { most, taken: 0, kept: Kept::Nothing }
    }

    /// Reads the body as events, each of at most this many bytes. An answer that is no event stream is counted like any other.
    pub(crate) fn events(most: usize) -> Self {
        Self { most, taken: 0, kept: Kept::Events(Box::new(EventStream::new(most))) }
    }

    /// The same, now that the head of the answer is known.
    pub(super) fn under(mut self, head: &Head) -> Self {
        if matches!(self.kept, Kept::Events(_)) {
            if head.status == 200 && head.fields.media_type_is(EVENT_STREAM) {
                self.most = usize::MAX;
            } else {
                self.kept = Kept::Nothing;
            }
        }
        self
    }

    /// The events of an answer that is an event stream.
    pub(super) fn event_stream(&mut self) -> Option<&mut EventStream> {
        match &mut self.kept {
            Kept::Events(stream) => Some(stream),
            Kept::Nothing | Kept::Bytes(_) => None,
        }
    }

    /// Whether the answer is an event stream, or may become one.
    pub(crate) fn is_event_stream(&self) -> bool {
        matches!(self.kept, Kept::Events(_))
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
        self.taken = self.taken.saturating_add(bytes.len());
        match &mut self.kept {
            Kept::Nothing => {}
            Kept::Bytes(kept) => kept.extend_from_slice(bytes),
            Kept::Events(stream) => {
                // Which may be as long as the connection lives.
                self.taken = 0;
                stream.take(bytes);
            }
        }
    }

    /// What was kept.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        match self.kept {
            Kept::Bytes(kept) => kept,
            Kept::Nothing | Kept::Events(_) => Vec::new(),
        }
    }
}
