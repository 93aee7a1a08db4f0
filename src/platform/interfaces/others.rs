//! Interfaces on Windows and Apple's systems, by way of netwatcher. No test changes a network under it.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use socket2::Socket;

use super::leads_out;
use crate::platform::{Sleep, quiet_threads};

/// The system calls on a thread of its own (Windows), or netwatcher on one that waits for a routing socket (Apple).
pub(super) struct Watch {
    told: Arc<AtomicBool>,
    _handle: netwatcher::WatchHandle,
}

/// What a change is measured by.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Picture {
    /// `None` when the system does not say.
    addresses: Option<BTreeSet<(String, IpAddr)>>,
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
}

impl Picture {
    pub(super) fn now() -> Self {
        let interfaces = netwatcher::list_interfaces().ok();
        let addresses = interfaces.map(|interfaces| {
            let all = interfaces.into_values().flat_map(|interface| {
                let name = interface.name;
                interface.ips.into_iter().map(move |record| (name.clone(), record.ip))
            });
            all.filter(|(_, address)| leads_out(*address)).collect()
        });
        Self { addresses }
    }

    pub(super) fn is_usable(&self) -> bool {
        self.addresses.as_ref().is_none_or(|addresses| !addresses.is_empty())
    }

    /// Interfaces that are not plugged in are not listed.
    pub(super) fn is_unplugged(&self) -> bool {
        false
    }

    /// The same addresses. Other networks may look like it: nothing may depend on this but how slowly trust is given.
    pub(super) fn is_same_network(&self, other: &Self) -> bool {
        self == other
    }
}

/// Not known here: no way counts as a tunnel.
pub(crate) fn is_tunnel(_local: IpAddr) -> bool {
    false
}

/// Not known here: the system's own way is taken.
pub(crate) fn use_way_to(_socket: &Socket, _like: IpAddr) -> io::Result<()> {
    Ok(())
}
