//! Which servers have refused a status as too large, so that heartbeats to them go without it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::types::{Moment, ServerId};

/// After this a server is offered the same size again: a limit of a proxy is raised by a person.
const HELD: Duration = Duration::from_secs(3600);

/// See the module. At most one entry for each server of the settings.
#[derive(Debug, Default)]
pub(super) struct TooLarge(BTreeMap<ServerId, Refusal>);

#[derive(Debug)]
struct Refusal {
    /// The smallest size that was refused.
    size: usize,
    at: Moment,
}

impl TooLarge {
    /// A body of this size was refused.
    pub(super) fn refused(&mut self, server: ServerId, size: usize, now: Moment) {
        self.0.retain(|_, refusal| now.since(refusal.at) < HELD);
        let size = self.0.get(&server).map_or(size, |known| known.size.min(size));
        self.0.insert(server, Refusal { size, at: now });
    }

    /// Whether a body of this size would be refused again.
    pub(super) fn holds(&self, server: &ServerId, size: usize, now: Moment) -> bool {
        let refused = self.0.get(server).filter(|refusal| now.since(refusal.at) < HELD);
        refused.is_some_and(|refusal| size >= refusal.size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_held_back_from_its_server_until_it_shrinks_or_an_hour_has_passed() {
        let (a, b, at) =
            (ServerId::new("a"), ServerId::new("b"), |s| Moment::ORIGIN + Duration::from_secs(s));
        let mut refused = TooLarge::default();
        refused.refused(a.clone(), 100, at(0));
        assert!(refused.holds(&a, 100, at(10)) && refused.holds(&a, 101, at(10)));
        assert!(!refused.holds(&a, 99, at(10)) && !refused.holds(&b, 100, at(10)));
        assert!(!refused.holds(&a, 100, at(3600)));
        refused.refused(a.clone(), 50, at(20));
        assert!(refused.holds(&a, 50, at(3619)) && !refused.holds(&a, 49, at(30)));
    }
}
