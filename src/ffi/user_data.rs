//! The application's pointer.

use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The application's pointer, shared by everything that calls the application; dropped after the last of them.
pub(super) struct UserData {
    pointer: *mut c_void,
    drop: Option<unsafe extern "C" fn(*mut c_void)>,
    /// Whether the client has started: before, the pointer is still the caller's.
    ours: AtomicBool,
}

// SAFETY: the conventions say that callbacks run on the client's thread, and what `user_data` has to stand.
unsafe impl Send for UserData {}
// SAFETY: as above.
unsafe impl Sync for UserData {}

impl UserData {
    pub(super) fn new(pointer: *mut c_void, drop: Option<unsafe extern "C" fn(*mut c_void)>) -> Arc<Self> {
        Arc::new(Self { pointer, drop, ours: AtomicBool::new(false) })
    }

    /// The client has started.
    pub(super) fn take_over(&self) {
        self.ours.store(true, Ordering::Release);
    }

    pub(super) fn get(&self) -> *mut c_void {
        self.pointer
    }
}

impl Drop for UserData {
    fn drop(&mut self) {
        if let Some(drop) = self.drop
            && self.ours.load(Ordering::Acquire)
        {
            // SAFETY: the conventions: nothing calls the application any more.
            unsafe { drop(self.pointer) }
        }
    }
}
