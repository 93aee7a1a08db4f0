//! What the product has to say with each heartbeat.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::platform::callback;

/// Asked on the client's thread for the newest status, just before it is sent; `None` leaves it as it is.
pub(super) type Hook = Box<dyn FnMut() -> Option<Vec<u8>> + Send>;

/// The newest status, and how often the application asked for a heartbeat; shared between its threads and the client's.
#[derive(Clone, Debug, Default)]
pub(super) struct StatusCell(Arc<Mutex<Newest>>);

#[derive(Debug, Default)]
struct Newest {
    status: Arc<[u8]>,
    /// How many requests there were.
    requests: u64,
    /// The newest that a heartbeat is to be made for.
    wanted: u64,
    hook_runs: bool,
}

/// What one heartbeat says, and which requests for one that covers: those made before the status was taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) status: Arc<[u8]>,
    pub(super) covers: u64,
}

impl StatusCell {
    pub(super) fn set(&self, status: Arc<[u8]>) {
        self.lock().status = status;
    }

    /// Counts a request for a heartbeat, made on the client's thread or another. Its number, from 1.
    pub(super) fn request(&self, is_on_client_thread: bool) -> u64 {
        let mut newest = self.lock();
        newest.requests += 1;
        // A hook that asks has a heartbeat; if each were to make the next, there would be no end.
        if !(is_on_client_thread && newest.hook_runs) {
            newest.wanted = newest.requests;
        }
        newest.requests
    }

    /// Whether a heartbeat is still to be made after one that covers the requests up to this.
    pub(super) fn wants_more(&self, covers: u64) -> bool {
        covers < self.lock().wanted
    }

    /// The number of the newest request; 0 when there was none.
    fn newest_request(&self) -> u64 {
        self.lock().requests
    }

    fn get(&self) -> Arc<[u8]> {
        self.lock().status.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Newest> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The status as the client's thread sees it.
pub(super) struct Status {
    pub(super) cell: StatusCell,
    pub(super) hook: Option<Hook>,
}

impl Status {
    /// The status to send now. No lock is held while the hook runs.
    pub(super) fn newest(&mut self) -> Said {
        // Before the hook and the look: what is asked for meanwhile may be about something that they have not seen.
        let covers = self.cell.newest_request();
        if let Some(hook) = &mut self.hook {
            self.cell.lock().hook_runs = true;
            let status = callback::call("the heartbeat hook", "the status before it is sent", hook);
            self.cell.lock().hook_runs = false;
            if let Some(status) = status.flatten() {
                self.cell.set(status.into());
            }
        }
        Said { status: self.cell.get(), covers }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hook_has_the_last_word_and_may_panic() {
        let cell = StatusCell::default();
        let mut calls = 0;
        let hook = move || {
            calls += 1;
            match calls {
                1 => Some(b"fresh".to_vec()),
                2 => None,
                _ => panic!("a fault of the application"),
            }
        };
        let mut status = Status { cell: cell.clone(), hook: Some(Box::new(hook)) };
        cell.set(b"set".as_slice().into());
        let mut newest = || status.newest().status.to_vec();
        assert_eq!(newest(), b"fresh");
        cell.set(b"newer".as_slice().into());
        assert_eq!(newest(), b"newer");
        assert_eq!(newest(), b"newer");
    }

    #[test]
    fn a_status_covers_what_was_asked_for_before_its_hook_ran() {
        let cell = StatusCell::default();
        let asks = cell.clone();
        let hook = move || {
            asks.request(true);
            None
        };
        let mut status = Status { cell: cell.clone(), hook: Some(Box::new(hook)) };
        assert_eq!(status.newest().covers, 0);
        assert!(!cell.wants_more(0), "a heartbeat would ask for the next without end");
        assert_eq!(cell.request(false), 2);
        assert!(cell.wants_more(0));
        assert_eq!(status.newest().covers, 2);
        assert!(!cell.wants_more(2));
        assert_eq!(cell.request(true), 4, "an event callback may ask");
        assert!(cell.wants_more(2));
    }
}
