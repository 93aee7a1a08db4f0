//! The events of a client, one after the other.

use std::time::Duration;

use super::events::ClientEvent;
use super::handle::Client;

/// The events of a client, as they happen; see [`Client::events`].
#[derive(Clone, Debug)]
pub struct Events<'a> {
    client: &'a Client,
}

impl<'a> Events<'a> {
    const fn new(client: &'a Client) -> Self {
        Self { client }
    }
}

impl Iterator for Events<'_> {
    type Item = ClientEvent;

    fn next(&mut self) -> Option<ClientEvent> {
        self.client.next_event_timeout(Duration::MAX).ok().flatten()
    }
}

impl Client {
    /// The events, as they happen. The iterator waits for each one as long as it takes, and ends when the client has
    /// stopped and every event was fetched: a loop over it lasts as long as the client.
    ///
    /// To do something else meanwhile, use [`next_event_timeout`](Self::next_event_timeout). What is said there about
    /// events that wait, and about callbacks, holds here as well; on the client's own thread, where it must not wait, the
    /// iterator ends when no event is there.
    pub const fn events(&self) -> Events<'_> {
        Events::new(self)
    }
}
