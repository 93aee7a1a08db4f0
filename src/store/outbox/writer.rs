//! The thread that writes what no submit waits for, and removes what no report needs. It is there while there is something to do.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::platform::{logging, quiet_threads};

/// How long the thread stays without work: what follows a report mostly follows at once.
const LINGER: Duration = Duration::from_secs(1);

/// The thread calls the system and little else.
const STACK: usize = 256 << 10;

/// See the module.
pub(super) struct Writer {
    desk: Arc<Desk>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// One pass over all there is to do.
    work: Work,
}

/// One pass.
pub(super) type Work = Arc<dyn Fn() + Send + Sync>;

#[derive(Default)]
struct Desk {
    state: Mutex<State>,
    called: Condvar,
}

#[derive(Default)]
struct State {
    wanted: bool,
    /// There is a thread that will look.
    running: bool,
    closed: bool,
    /// The last pass was made.
    ended: bool,
}

impl Writer {
    pub(super) fn new(work: Work) -> Self {
        Self { desk: Arc::default(), thread: Mutex::new(None), work }
    }

    /// Has the thread make a pass soon. `false`: no thread can be made now.
    pub(super) fn call(&self) -> bool {
        let mut state = self.desk.state();
        state.wanted = true;
        if state.running || state.closed {
            drop(state);
            self.desk.called.notify_one();
            return true;
        }
        let (desk, work) = (Arc::clone(&self.desk), Arc::clone(&self.work));
        let thread = thread::Builder::new().name("homing-outbox".to_owned()).stack_size(STACK);
        let spawned = quiet_threads(|| {
            thread.spawn(move || {
                while desk.next() {
                    attempt(&work);
                }
            })
        });
        let Ok(thread) = spawned else { return false };
        state.running = true;
        // The one before it has said that it looks no more.
        *self.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
        true
    }

    /// Lets a pass under way end, makes the last one, and waits for that at most so long. `false`: it took longer, and goes on
    /// on a thread that has all it needs. The writer makes no other pass after that.
    pub(super) fn close(&self, last: &Work, within: Duration) -> bool {
        self.desk.state().closed = true;
        self.desk.called.notify_all();
        let before = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let end = Arc::new((Mutex::new(before), Arc::clone(last), Arc::clone(&self.desk)));
        let ending = Arc::clone(&end);
        let thread = thread::Builder::new().name("homing-outbox".to_owned()).stack_size(STACK);
        let Ok(thread) = quiet_threads(|| thread.spawn(move || end_with(&ending))) else {
            end_with(&end);
            return true;
        };
        let busy = |state: &mut State| !state.ended;
        let state = self.desk.called.wait_timeout_while(self.desk.state(), within, busy);
        let ended = state.unwrap_or_else(PoisonError::into_inner).0.ended;
        if ended {
            // It is at its end, and has caught its own panics.
            let _ = thread.join();
        }
        ended
    }
}

/// What there is left to do for the last thread: the one before it, the last pass, and whom to tell.
type End = (Mutex<Option<JoinHandle<()>>>, Work, Arc<Desk>);

fn end_with((before, last, desk): &End) {
    let before = before.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(before) = before {
        // It has caught its own panics.
        let _ = before.join();
    }
    attempt(last);
    desk.state().ended = true;
    desk.called.notify_all();
}

fn attempt(work: &Work) {
    if catch_unwind(AssertUnwindSafe(|| work())).is_err() {
        logging::record!(Error, "the outbox could not be written, which is a bug in homing");
    }
}

impl Desk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is work, before the thread has lingered in vain.
    fn next(&self) -> bool {
        let began = Instant::now();
        let mut state = self.state();
        loop {
            let left = LINGER.saturating_sub(began.elapsed());
            if state.closed || (!state.wanted && left.is_zero()) {
                state.running = false;
                return false;
            }
            if std::mem::take(&mut state.wanted) {
                return true;
            }
            state = self.called.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn the_thread_ends_without_work_and_another_begins() {
        let passes = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&passes);
        let writer = Writer::new(Arc::new(move || {
            count.fetch_add(1, Ordering::SeqCst);
        }));
        for life in 1..=2 {
            writer.call();
            writer.thread.lock().unwrap().take().unwrap().join().unwrap();
            assert_eq!(passes.load(Ordering::SeqCst), life);
        }
        let count = Arc::clone(&passes);
        let last: Work = Arc::new(move || {
            count.fetch_add(10, Ordering::SeqCst);
        });
        assert!(writer.close(&last, LINGER));
        writer.call();
        assert_eq!(passes.load(Ordering::SeqCst), 12);
    }
}
