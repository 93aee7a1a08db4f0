//! Something that is remembered of each of the last few networks the machine was on.
//!
//! A laptop goes between offices and homes, and what it had to find out on one of them is still true there when it comes back.
//! Which network this is, only a driver can tell: it names it by an id of its own making.

use crate::types::NetworkId;

/// Home, a few offices, and some hotels.
pub(super) const MOST: usize = 8;

/// See the module.
#[derive(Debug)]
pub(super) struct Networks<T> {
    /// The one the machine is on, if that is known.
    here: Option<NetworkId>,
    /// The one that was written to last comes last; the first is given up for another.
    known: Vec<(NetworkId, T)>,
}

impl<T: Default> Networks<T> {
    // --- getters ---

    /// What is remembered of the present network.
    pub(super) fn here(&self) -> Option<&T> {
        let here = self.here?;
        self.known.iter().find(|(id, _)| *id == here).map(|(_, known)| known)
    }

    /// Everything, oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (NetworkId, &T)> {
        self.known.iter().map(|(id, known)| (*id, known))
    }

    // --- commands ---

    /// The machine is on this network now; `None`: which one it is is not known, and nothing is remembered of it.
    /// What is known of every network.
    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.known.iter_mut().map(|(_, value)| value)
    }

    pub(super) fn arrive(&mut self, here: Option<NetworkId>) {
        self.here = here;
    }

    /// The same, to be changed; `None` when the network is not known.
    pub(super) fn here_mut(&mut self) -> Option<&mut T> {
        self.entry(self.here?)
    }

    /// What an earlier life remembered, oldest first.
    pub(super) fn restore(&mut self, known: impl IntoIterator<Item = (NetworkId, T)>) {
        for (id, value) in known {
            if let Some(entry) = self.entry(id) {
                *entry = value;
            }
        }
    }

    // --- helpers ---

    fn entry(&mut self, id: NetworkId) -> Option<&mut T> {
        let entry = match self.known.iter().position(|(known, _)| *known == id) {
            Some(place) => self.known.remove(place),
            None => {
                if self.known.len() >= MOST {
                    self.known.remove(0);
                }
                (id, T::default())
            }
        };
        self.known.push(entry);
        self.known.last_mut().map(|(_, value)| value)
    }
}

impl<T> Default for Networks<T> {
    fn default() -> Self {
        Self { here: None, known: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_network_that_was_not_used_for_longest_is_given_up() {
        let mut networks: Networks<u64> = Networks::default();
        assert!(networks.here_mut().is_none(), "nobody has said which one it is");
        for number in 0..20 {
            networks.arrive(Some(NetworkId(number)));
            *networks.here_mut().unwrap() = number;
            // The first one is come back to again and again.
            networks.arrive(Some(NetworkId(0)));
            networks.here_mut();
        }
        let known: Vec<_> = networks.iter().map(|(id, value)| (id.0, *value)).collect();
        assert_eq!(known.len(), MOST);
        assert_eq!(known.last(), Some(&(0, 0)));
        assert_eq!(known.first(), Some(&(13, 13)));
        networks.arrive(None);
        assert!(networks.here().is_none() && networks.here_mut().is_none());
        let mut again: Networks<u64> = Networks::default();
        again.restore((0..1000).map(|number| (NetworkId(number), number)));
        assert_eq!(again.iter().count(), MOST);
    }
}
