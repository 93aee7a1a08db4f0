//! What waits to be drained, and the counters ids come from.

use std::collections::VecDeque;

use super::{Action, Ending, Event};
use crate::words::{ExchangeId, LinkId, ProbeId, QueryId};

/// Room that stays when all is drained: enough for a heartbeat, so that steady beats allocate nothing. What a
/// search or a long list of warnings needed is given back, for an engine spends its life beating.
const ROOM: usize = 4;

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

    pub(super) fn next_probe(&mut self) -> ProbeId {
        ProbeId(self.next_id())
    }

    /// One counter for everything: an id of one kind never equals one of another in a log.
    pub(super) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    pub(super) fn poll_action(&mut self) -> Option<Action> {
        pop(&mut self.actions)
    }

    pub(super) fn poll_event(&mut self) -> Option<Event> {
        pop(&mut self.events)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.actions.is_empty() && self.events.is_empty()
    }
}

fn pop<T>(queue: &mut VecDeque<T>) -> Option<T> {
    let oldest = queue.pop_front();
    if oldest.is_none() && queue.capacity() > ROOM {
        queue.shrink_to(ROOM);
    }
    oldest
}
