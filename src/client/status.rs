//! What the product has to say with each heartbeat.

use std::sync::{Arc, Mutex, PoisonError};

use crate::platform::callback;

/// Asked on the client's thread for the newest status, just before it is sent; `None` leaves it as it is.
pub(super) type Hook = Box<dyn FnMut() -> Option<Vec<u8>> + Send>;

/// The newest status, shared between the application's threads and the client's.
#[derive(Clone, Debug, Default)]
pub(super) struct StatusCell(Arc<Mutex<Arc<[u8]>>>);

impl StatusCell {
    pub(super) fn set(&self, status: Arc<[u8]>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = status;
    }

    fn get(&self) -> Arc<[u8]> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The status as the client's thread sees it.
pub(super) struct Status {
    pub(super) cell: StatusCell,
    pub(super) hook: Option<Hook>,
}

impl Status {
    /// The status to send now. No lock is held while the hook runs.
    pub(super) fn newest(&mut self) -> Arc<[u8]> {
        if let Some(hook) = &mut self.hook {
            let status = callback::call("the heartbeat hook", "the status before it is sent", hook);
            if let Some(status) = status.flatten() {
                self.cell.set(status.into());
            }
        }
        self.cell.get()
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
        assert_eq!(&*status.newest(), b"fresh");
        cell.set(b"newer".as_slice().into());
        assert_eq!(&*status.newest(), b"newer");
        assert_eq!(&*status.newest(), b"newer");
    }
}
