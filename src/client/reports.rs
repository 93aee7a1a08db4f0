//! Where the reports of a client wait.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::platform::logging;
use crate::store::outbox::{Limits, Outbox};
use crate::types::{Lane, LaneAccount};

/// See the module.
#[derive(Clone)]
pub(super) struct Reports(Arc<Outbox>);

impl Default for Reports {
    fn default() -> Self {
        Self(Arc::new(Outbox::in_memory(Limits::default())))
    }
}

impl From<Outbox> for Reports {
    fn from(outbox: Outbox) -> Self {
        Self(Arc::new(outbox))
    }
}

impl Reports {
    /// For what uploads them.
    pub(super) fn outbox(&self) -> &Arc<Outbox> {
        &self.0
    }

    /// What became of them, for the snapshot.
    pub(super) fn accounts(&self) -> BTreeMap<Lane, LaneAccount> {
        Lane::ALL.into_iter().map(|lane| (lane, self.0.account(lane))).collect()
    }

    /// What waits in memory goes to the disk, where there is one.
    pub(super) fn keep(&self) {
        if let Err(problem) = self.0.flush() {
            logging::record!(Error, "reports that wait in memory are lost with the process: {problem}");
        }
    }
}
