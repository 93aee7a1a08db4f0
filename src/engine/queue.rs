//! What waits to be drained, and the counters ids come from.

use std::collections::VecDeque;

use super::{Action, Ending, Event};
use crate::words::{ExchangeId, LinkId, QueryId};

/// Actions and events in the order they were decided.
#[derive(Debug, Default)]
pub(super) struct Queue {
    actions: VecDeque<Action>,
    events: VecDeque<Event>,
    last_id: u64,
    pub(super) stale_inputs: u64,
}

impl Queue {
    pub(super) fn act(&mut self, action: Action) {
        self.actions.push_back(action);
    }

    pub(super) fn tell(&mut self, event: Event) {
        self.events.push_back(event);
    }

    pub(super) fn close(&mut self, link: LinkId, reason: Ending) {
        self.act(Action::Close { link, reason });
    }

    pub(super) fn abandon(&mut self, exchange: ExchangeId, reason: Ending) {
        self.act(Action::Abandon { exchange, reason });
    }

    pub(super) fn next_link(&mut self) -> LinkId {
        LinkId(self.next_id())
    }

    pub(super) fn next_exchange(&mut self) -> ExchangeId {
        ExchangeId(self.next_id())
    }

    pub(super) fn next_query(&mut self) -> QueryId {
        QueryId(self.next_id())
    }

    /// One counter for everything: an id of one kind never equals one of another in a log.
    pub(super) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    pub(super) fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    pub(super) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.actions.is_empty() && self.events.is_empty()
    }
}
