//! The events of a client in a program on tokio: no thread waits for them.

use std::io;
use std::time::Duration;

use homing::client::{Client, ClientEvent, Ended, Waitable};
use tokio::io::unix::AsyncFd;

/// A client whose events are awaited.
pub(crate) struct AsyncEvents {
    client: Client,
    ready: AsyncFd<Waitable>,
}

impl AsyncEvents {
    /// To be called inside a runtime, which watches the client's waitable from then on.
    ///
    /// # Errors
    /// The system has no descriptor left.
    #[allow(unsafe_code, reason = "tokio leaves it to the caller that the descriptor stays the same")]
    pub(crate) fn new(client: Client) -> io::Result<Self> {
        // SAFETY: the waitable is an owned descriptor, which is neither replaced nor closed before its `AsyncFd` is dropped.
        let ready = unsafe { AsyncFd::register(client.waitable()?)? };
        Ok(Self { client, ready })
    }

    /// The client itself.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// The next event; `None` when none can come any more. It may be dropped at any time: no event is lost.
    ///
    /// # Errors
    /// The runtime is going down.
    pub(crate) async fn next(&self) -> io::Result<Option<ClientEvent>> {
        loop {
            match self.client.next_event_timeout(Duration::ZERO) {
                Ok(Some(event)) => return Ok(Some(event)),
                Err(Ended) => return Ok(None),
                // Nothing waits, so that the next event makes the waitable ready anew: what the runtime notices.
                Ok(None) => self.ready.readable().await?.clear_ready(),
            }
        }
    }
}
