//! Interfaces on Windows and Apple's systems, by way of netwatcher. No test changes a network under it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::leads_out;
pub(super) use super::source_only::Scout;
pub(crate) use super::source_only::{Hop, Planned, network, use_way_to};
use crate::platform::{Sleep, quiet_threads};

/// The system calls on a thread of its own (Windows), or netwatcher on one that waits for a routing socket (Apple).
pub(super) struct Watch {
    told: Arc<AtomicBool>,
    _handle: netwatcher::WatchHandle,
}

/// Whether there is a network at all.
#[derive(Clone, Copy)]
pub(super) struct Cover {
    pub(super) is_usable: bool,
    /// Interfaces that are not plugged in are not listed.
    pub(super) is_unplugged: bool,
}

impl Watch {
    pub(super) fn new(sleep: &Sleep) -> io::Result<Option<Self>> {
        let told = Arc::new(AtomicBool::new(false));
        let (mark, waker) = (Arc::clone(&told), sleep.waker());
        let watching = quiet_threads(|| {
            netwatcher::watch_interfaces_with_callback(move |update| {
                if !update.is_initial {
                    mark.store(true, Ordering::Release);
                    waker.wake();
                }
            })
        });
        // A system that does not tell: the product can still say what it knows.
        Ok(watching.ok().map(|handle| Self { told, _handle: handle }))
    }

    /// Whether anything was told before the last sleep ended.
    pub(super) fn has_told(&mut self, _sleep: &Sleep) -> bool {
        self.told.swap(false, Ordering::Acquire)
    }

    /// Not known here.
    pub(super) fn interrupted<'a>(&mut self, _hops: impl Iterator<Item = &'a Hop>) -> bool {
        false
    }
}

impl Cover {
    pub(super) fn now() -> Self {
        let interfaces = netwatcher::list_interfaces().ok();
        let is_usable = interfaces.is_none_or(|interfaces| {
            interfaces.values().flat_map(|interface| &interface.ips).any(|record| leads_out(record.ip))
        });
        Self { is_usable, is_unplugged: false }
    }
}
