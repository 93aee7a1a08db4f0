//! A client, as C holds it.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use crate::client::{Client, Process};

/// An agent at work, on a thread of its own. Any number of threads may use one, and its callbacks.
///
/// It belongs to the process that started it. In a child of that process, after `fork` or `daemon`, every function of the
/// client returns `HOMING_ERROR_FORKED` at once and touches nothing that the two share.
pub struct homing_client {
    /// Set when the start returns, which callbacks may come before.
    pub(super) client: OnceLock<Client>,
    pub(super) poisoned: AtomicBool,
    /// Where it was started: a child after `fork` has the memory, and not the thread.
    pub(super) process: Process,
}

impl homing_client {
    /// What C calls it.
    pub(super) fn pointer(self: &Arc<Self>) -> *mut Self {
        Arc::as_ptr(self).cast_mut()
    }
}
