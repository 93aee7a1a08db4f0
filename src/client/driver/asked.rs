//! What the engine wants uploaded.

use crate::types::{ExchangeId, Lane, LinkId};

/// For which upload a batch is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) exchange: ExchangeId,
    pub(super) link: LinkId,
    pub(super) lane: Lane,
    pub(super) at_most: u32,
}
