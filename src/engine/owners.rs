//! Whose an id is.
//!
//! Every link, exchange and look-up is some part's: a search's, the heartbeat's, the stream's. What the world says of an
//! id goes to its owner and to no other part. An id is here from the moment it is made until the engine gives it up, or
//! hears the last of it; an input that names one that is not here is stale.

use super::Input;

/// The part that hears of an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// The search for a server, beside a server in use or without one.
    Search,
    /// The heartbeat of the server in use, and the link that is kept for the next one.
    Heartbeat,
    /// The event stream.
    Stream,
    /// The read of the settings or the policy.
    Reader,
    /// The upload of reports.
    Upload,
    /// What the agent is registered as.
    Register,
    /// A call of the product.
    Call,
    /// The probes of better servers.
    Failback,
    /// The exchange that is finished before the engine stops.
    Farewell,
    /// The rounds that find the location.
    Location,
}

/// See the module. Ids are made in rising order, so the table is sorted.
#[derive(Debug, Default)]
pub(super) struct Owners(Vec<(u64, Owner)>);

impl Owners {
    pub(super) fn add(&mut self, id: u64, owner: Owner) {
        self.0.push((id, owner));
    }

    pub(super) fn remove(&mut self, id: u64) -> Option<Owner> {
        let place = self.place(id)?;
        Some(self.0.remove(place).1)
    }

    /// From now on another part hears of this id.
    pub(super) fn hand_over(&mut self, id: u64, to: Owner) {
        if let Some((_, owner)) = self.place(id).and_then(|place| self.0.get_mut(place)) {
            *owner = to;
        }
    }

    /// The part that hears this input. With the last that is heard of an id, the id is forgotten.
    pub(super) fn of(&mut self, input: &Input<'_>) -> Option<Owner> {
        match *input {
            Input::Resolved { query, .. } => self.remove(query.0),
            Input::Lost { link, .. } => self.remove(link.0),
            Input::Done { exchange, .. } => self.remove(exchange.0),
            Input::LookUp { query, .. } => self.get(query.0),
            Input::Connected { link, .. } | Input::Secured { link, .. } => self.get(link.0),
            Input::FirstByte { exchange } | Input::Notice { exchange, .. } => self.get(exchange.0),
            // Only the location asks by probes.
            Input::Probed { .. } => Some(Owner::Location),
            Input::Timeout
            | Input::Network(_)
            | Input::OnNetwork(_)
            | Input::Resumed
            | Input::ClockStepped
            | Input::Remembered(_)
            | Input::CannotRemember(_)
            | Input::Waiting { .. }
            | Input::Command(_) => None,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    fn get(&self, id: u64) -> Option<Owner> {
        self.0.get(self.place(id)?).map(|&(_, owner)| owner)
    }

    fn place(&self, id: u64) -> Option<usize> {
        self.0.binary_search_by_key(&id, |&(known, _)| known).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Cause, ExchangeId, LinkId};

    fn first_byte(id: u64) -> Input<'static> {
        Input::FirstByte { exchange: ExchangeId(id) }
    }

    fn lost(id: u64) -> Input<'static> {
        Input::Lost { link: LinkId(id), failure: Cause::ClosedIdle.into() }
    }

    #[test]
    fn an_id_is_its_owners_until_the_last_is_heard_of_it() {
        let mut owners = Owners::default();
        owners.add(3, Owner::Search);
        owners.add(7, Owner::Stream);
        assert_eq!(owners.of(&first_byte(7)), Some(Owner::Stream));
        assert_eq!(owners.of(&first_byte(5)), None, "never made");
        owners.hand_over(3, Owner::Heartbeat);
        assert_eq!(owners.of(&lost(3)), Some(Owner::Heartbeat));
        assert_eq!(owners.of(&lost(3)), None, "it was lost once");
        owners.hand_over(3, Owner::Search);
        assert_eq!((owners.of(&lost(3)), owners.len()), (None, 1), "what is gone has no owner");
    }
}
