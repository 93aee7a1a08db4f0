//! A path from a server up to a root: the places in it, and how long it may be.

use super::certificate::Certificate;
use super::reject::Place;

/// The places of a path, from the server up.
pub(super) fn places() -> impl Iterator<Item = Place> {
    std::iter::once(Place::Server).chain(std::iter::repeat(Place::Authority))
}

/// Whether the authority at this place of a chain has more below it than it allows.
pub(super) fn is_beyond_length(chain: &[Certificate<'_>], place: usize) -> bool {
    let most = chain.get(place).and_then(|it| it.extensions.basic_constraints?.path_length);
    most.is_some_and(|most| counted(chain.get(..place).unwrap_or_default()) > most)
}

/// The authorities of a chain that count.
pub(super) fn counted(chain: &[Certificate<'_>]) -> usize {
    chain.iter().skip(1).filter(|it| !it.is_self_issued()).count()
}
