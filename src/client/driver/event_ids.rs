//! The ids of events: the last goes back to its server, and what was told once is not told again.

use std::collections::{BTreeMap, VecDeque};

use crate::types::ServerId;

/// Servers whose ids are kept; an agent listens to one at a time.
const SERVERS: usize = 16;

/// Ids of one server. A server that tells again what it is not sure of tells the newest.
const IDS: usize = 64;

/// See the module.
#[derive(Default)]
pub(super) struct EventIds {
    /// Of each server the ids that it told last, the newest at the end.
    told: BTreeMap<ServerId, VecDeque<String>>,
}

impl EventIds {
    /// The id of the last event that this server has told.
    pub(super) fn last(&self, server: &ServerId) -> Option<&str> {
        self.told.get(server)?.back().map(String::as_str)
    }

    /// An event with this id came. Whether it is new.
    pub(super) fn is_new(&mut self, server: &ServerId, id: String) -> bool {
        if !self.told.contains_key(server) && self.told.len() >= SERVERS {
            self.told.pop_first();
        }
        let ids = self.told.entry(server.clone()).or_default();
        // An empty id says that none is to be sent back.
        let is_new = id.is_empty() || !ids.contains(&id);
        ids.retain(|known| *known != id);
        if ids.len() >= IDS {
            ids.pop_front();
        }
        ids.push_back(id);
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_once_is_known_and_the_newest_goes_back() {
        let (server, other) = (ServerId::new("a"), ServerId::new("b"));
        let mut ids = EventIds::default();
        assert_eq!(ids.last(&server), None);
        assert!(ids.is_new(&server, "1".to_owned()));
        assert!(ids.is_new(&server, "2".to_owned()));
        assert!(!ids.is_new(&server, "1".to_owned()), "replayed");
        assert_eq!(ids.last(&server), Some("1"));
        assert!(ids.is_new(&other, "1".to_owned()), "ids are a server's own");
        assert!(ids.is_new(&server, String::new()) && ids.is_new(&server, String::new()));
        assert_eq!(ids.last(&server), Some(""), "which asks for none");
        for number in 0..1000 {
            assert!(ids.is_new(&server, format!("n{number}")));
            assert!(ids.is_new(&ServerId::new(&format!("s{number:04}")), "1".to_owned()));
        }
        assert!(ids.told.len() <= SERVERS && ids.told.values().all(|ids| ids.len() <= IDS));
    }
}
