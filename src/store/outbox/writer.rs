//! The thread that writes what no submit waits for, and removes what no report needs. It is there while there is something to do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use crate::platform::OnDemand;

/// The thread calls the system and little else.
const STACK: usize = 256 << 10;

/// See the module.
pub(super) struct Writer {
    thread: OnDemand,
    /// A pass was asked for and has not begun.
    wanted: Arc<AtomicBool>,
    /// One pass over all there is to do.
    work: Work,
}

/// One pass.
pub(super) type Work = Arc<dyn Fn() + Send + Sync>;

impl Writer {
    pub(super) fn new(work: Work) -> Self {
        let thread = OnDemand::new("homing-outbox", STACK, Arc::new(|work| work()));
        Self { thread, wanted: Arc::default(), work }
    }

    /// Has the thread make a pass soon. `false`: no thread can be made now.
    pub(super) fn call(&self) -> bool {
        if self.wanted.swap(true, Ordering::AcqRel) {
            return true;
        }
        let (wanted, work) = (Arc::clone(&self.wanted), Arc::clone(&self.work));
        let called = self.thread.submit(move || {
            // First: what comes during the pass wants another one.
            wanted.store(false, Ordering::Release);
            work();
        });
        if called.is_err() {
            self.wanted.store(false, Ordering::Release);
        }
        called.is_ok()
    }

    /// Lets what is under way end, makes the last pass, and waits for that at most so long. `false`: it took longer, and goes on
    /// on a thread that has all it needs.
    pub(super) fn close(self, last: Work, within: Duration) -> bool {
        let (tell, told) = sync_channel::<()>(1);
        let pass = Arc::clone(&last);
        let submitted = self.thread.submit(move || {
            // Told by its drop, also where this panics.
            let _end = tell;
            pass();
        });
        if submitted.is_err() {
            last();
            return true;
        }
        let ended = told.recv_timeout(within) != Err(RecvTimeoutError::Timeout);
        if !ended {
            self.thread.leave();
        }
        ended
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[test]
    fn each_call_has_a_pass_behind_it_and_the_last_one_is_made() {
        let passes = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&passes);
        let (tell, told) = sync_channel(100);
        let writer = Writer::new(Arc::new(move || {
            count.fetch_add(1, Ordering::SeqCst);
            tell.send(()).unwrap();
        }));
        for pass in 1..=3 {
            assert!(writer.call());
            told.recv().unwrap();
            assert_eq!(passes.load(Ordering::SeqCst), pass);
        }
        let count = Arc::clone(&passes);
        let last: Work = Arc::new(move || {
            count.fetch_add(10, Ordering::SeqCst);
        });
        assert!(writer.close(last, Duration::from_secs(60)));
        assert_eq!(passes.load(Ordering::SeqCst), 13);
    }

    #[test]
    fn a_disk_that_hangs_holds_up_no_end() {
        let (release, released) = sync_channel::<()>(1);
        let (tell, told) = sync_channel(1);
        let writer = Writer::new(Arc::new(|| ()));
        let released = std::sync::Mutex::new(released);
        let last: Work = Arc::new(move || {
            released.lock().unwrap().recv().unwrap();
            tell.send(()).unwrap();
        });
        assert!(!writer.close(last, Duration::from_millis(1)));
        release.send(()).unwrap();
        told.recv().unwrap();
    }
}
