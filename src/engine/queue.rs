//! What waits to be drained, the counter ids come from, and whose they are.

use std::collections::VecDeque;

use super::owners::{Owner, Owners};
use super::{Action, Ending, Event, Input};
use crate::types::{ExchangeId, LinkId, ProbeId, QueryId};

/// Room that stays when all is drained: enough for a heartbeat, so that steady beats allocate nothing. What a
/// search or a long list of warnings needed is given back, for an engine spends its life beating.
const ROOM: usize = 4;

/// Actions and events in the order they were decided.
#[derive(Debug, Default)]
pub(super) struct Queue {
    actions: VecDeque<Action>,
    events: VecDeque<Event>,
    last_id: u64,
    owners: Owners,
    pub(super) stale_inputs: u64,
}

impl Queue {
    pub(super) fn act(&mut self, action: Action) {
        self.actions.push_back(action);
    }

    pub(super) fn emit(&mut self, event: Event) {
        self.events.push_back(event);
    }

    // --- giving up ---

    pub(super) fn close(&mut self, link: LinkId, ending: Ending) {
        self.owners.remove(link.0);
        self.act(Action::Close { link, ending });
    }

    pub(super) fn abandon(&mut self, exchange: ExchangeId, ending: Ending) {
        self.owners.remove(exchange.0);
        self.act(Action::Abandon { exchange, ending });
    }

    /// What cannot be called off, a look-up or an exchange whose link is gone, is not waited for any more.
    pub(super) fn forget(&mut self, id: u64) {
        self.owners.remove(id);
    }

    // --- ids ---

    pub(super) fn next_link(&mut self, owner: Owner) -> LinkId {
        LinkId(self.next_owned(owner))
    }

    pub(super) fn next_exchange(&mut self, owner: Owner) -> ExchangeId {
        ExchangeId(self.next_owned(owner))
    }

    pub(super) fn next_query(&mut self, owner: Owner) -> QueryId {
        QueryId(self.next_owned(owner))
    }

    /// Only the location probes, so it needs no place in the table.
    pub(super) fn next_probe(&mut self) -> ProbeId {
        ProbeId(self.next_id())
    }

    /// From now on another part hears of this link, exchange or look-up.
    pub(super) fn hand_over(&mut self, id: u64, to: Owner) {
        self.owners.hand_over(id, to);
    }

    /// The part that hears this input; `None`: what it names was given up, or never was.
    pub(super) fn owner_of(&mut self, input: &Input<'_>) -> Option<Owner> {
        self.owners.of(input)
    }

    /// How many links, exchanges and look-ups are under way.
    pub(super) fn under_way(&self) -> usize {
        self.owners.len()
    }

    fn next_owned(&mut self, owner: Owner) -> u64 {
        let id = self.next_id();
        self.owners.add(id, owner);
        id
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
