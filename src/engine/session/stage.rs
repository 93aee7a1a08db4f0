//! What an attempt is doing.

use super::link::Link;
use crate::types::{ExchangeId, LinkId, Moment, QueryId};

/// See the module.
#[derive(Clone, Debug)]
pub(super) enum Stage {
    /// `since` is when the look-up began; `None` while it waits for others.
    Resolving {
        query: QueryId,
        since: Option<Moment>,
    },
    Connecting {
        link: LinkId,
        since: Moment,
    },
    Securing {
        link: Link,
        since: Moment,
    },
    Exchanging {
        link: Link,
        exchange: ExchangeId,
        since: Moment,
        first_byte: Option<Moment>,
    },
    Ended,
}

impl Stage {
    pub(super) fn query(&self) -> Option<QueryId> {
        match self {
            Self::Resolving { query, .. } => Some(*query),
            Self::Connecting { .. } | Self::Securing { .. } | Self::Exchanging { .. } | Self::Ended => None,
        }
    }

    pub(super) fn link(&self) -> Option<LinkId> {
        match self {
            Self::Resolving { .. } | Self::Ended => None,
            Self::Connecting { link, .. } => Some(*link),
            Self::Securing { link, .. } | Self::Exchanging { link, .. } => Some(link.id),
        }
    }

    pub(super) fn exchange(&self) -> Option<ExchangeId> {
        match self {
            Self::Exchanging { exchange, .. } => Some(*exchange),
            Self::Resolving { .. } | Self::Connecting { .. } | Self::Securing { .. } | Self::Ended => None,
        }
    }
}
