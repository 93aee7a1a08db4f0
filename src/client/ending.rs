//! The end of a client: asked for once, waited for from any thread.

use std::cell::Cell;
use std::ptr;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long beyond the grace a thread is waited for in silence. What it does in there is a callback of the
/// application's or a write to its store; either is fast or stuck.
const HELD_UP: Duration = Duration::from_secs(5);

thread_local! {
    /// On a client's thread the address of its [`Ending`], which is shared and stays where it is. Asking the standard
    /// library who this thread is would leave something allocated on each of the application's threads.
    static HERE: Cell<usize> = const { Cell::new(0) };
}

/// How far a client has come in ending.
#[derive(Default)]
pub(super) struct Ending {
    stages: Mutex<Stages>,
    changed: Condvar,
    handle: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Stages {
    /// When the end was first asked for, and the grace given then.
    asked: Option<(Instant, Duration)>,
    /// The thread has nothing more to do, and has dropped what the application gave it.
    finished: bool,
}

impl Ending {
    /// This is the client's thread.
    pub(super) fn began_here(&self) {
        // A thread that is about to end has none any more, and none begins there.
        let _ = HERE.try_with(|here| here.set(self.address()));
    }

    /// Whether this is the client's thread.
    pub(super) fn is_here(&self) -> bool {
        HERE.try_with(Cell::get) == Ok(self.address())
    }

    fn address(&self) -> usize {
        ptr::from_ref(self).addr()
    }

    /// What to join in the end.
    pub(super) fn keep(&self, handle: JoinHandle<()>) {
        *self.handle.lock().unwrap_or_else(PoisonError::into_inner) = Some(handle);
    }

    /// Asks for the end. Whether nobody had before: the first grace counts.
    pub(super) fn ask(&self, grace: Duration) -> bool {
        let mut stages = self.stages();
        let first = stages.asked.is_none();
        if first {
            stages.asked = Some((Instant::now(), grace));
            self.changed.notify_all();
        }
        first
    }

    /// The client's thread has nothing more to do.
    pub(super) fn finish(&self) {
        self.stages().finished = true;
        self.changed.notify_all();
    }

    /// Waits for the end: until a held-up thread should long have ended, and at least this long. Whether
    /// the thread has ended. As long as nobody has asked for the end, there is no limit.
    pub(super) fn wait(&self, least: Duration) -> bool {
        let began = Instant::now();
        let mut stages = self.stages();
        while !stages.finished {
            let Some((asked, grace)) = stages.asked else {
                stages = self.changed.wait(stages).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let beyond_grace = grace.saturating_add(HELD_UP).saturating_sub(asked.elapsed());
            let left = beyond_grace.max(least.saturating_sub(began.elapsed()));
            if left.is_zero() {
                return false;
            }
            stages = self.changed.wait_timeout(stages, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(stages);
        self.join();
        true
    }

    /// Waits for the end at most this long, whatever the grace; whether the thread has ended.
    pub(super) fn wait_for(&self, timeout: Duration) -> bool {
        let stages = self.changed.wait_timeout_while(self.stages(), timeout, |stages| !stages.finished);
        let finished = stages.unwrap_or_else(PoisonError::into_inner).0.finished;
        if finished {
            self.join();
        }
        finished
    }

    /// Waits for the end, however long it takes; calls this once when it takes long.
    pub(super) fn wait_patiently(&self, held_up: impl FnOnce()) {
        if self.wait(HELD_UP) {
            return;
        }
        held_up();
        let stages = self.changed.wait_while(self.stages(), |stages| !stages.finished);
        drop(stages.unwrap_or_else(PoisonError::into_inner));
        self.join();
    }

    /// Waits for the very end of a thread that has nothing more to do. Whoever comes second waits for the first.
    fn join(&self) {
        let mut handle = self.handle.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(handle) = handle.take() {
            // It has caught its own panics.
            let _ = handle.join();
        }
    }

    fn stages(&self) -> MutexGuard<'_, Stages> {
        self.stages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc::channel;
    use std::thread;

    use super::*;

    #[test]
    fn the_first_grace_counts() {
        let ending = Ending::default();
        assert!(ending.ask(Duration::MAX));
        assert!(!ending.ask(Duration::ZERO));
        assert_eq!(ending.stages().asked.unwrap().1, Duration::MAX);
    }

    #[test]
    fn a_wait_ends_with_the_patience_and_the_patience_begins_with_the_first_request() {
        let ending = Ending::default();
        let long_ago = Instant::now().checked_sub(HELD_UP + Duration::from_secs(1)).unwrap();
        ending.stages().asked = Some((long_ago, Duration::from_secs(1)));
        assert!(!ending.wait(Duration::ZERO));
        let began = Instant::now();
        let least = Duration::from_millis(20);
        assert!(!ending.wait(least));
        assert!(began.elapsed() >= least);
    }

    #[test]
    fn everybody_who_waits_sees_the_thread_gone() {
        let ending = Arc::new(Ending::default());
        let (release, released) = channel::<()>();
        let thread = Arc::clone(&ending);
        ending.keep(thread::spawn(move || {
            thread.began_here();
            assert!(thread.is_here());
            thread.finish();
            // Still there, though nothing more is to be done.
            released.recv().unwrap();
        }));
        let waiters: Vec<_> = (0..4)
            .map(|_| {
                let ending = Arc::clone(&ending);
                thread::spawn(move || ending.wait_patiently(|| panic!("nobody has asked for the end")))
            })
            .collect();
        assert!(!ending.is_here());
        release.send(()).unwrap();
        for waiter in waiters {
            waiter.join().unwrap();
        }
        assert!(release.send(()).is_err());
        assert!(ending.handle.lock().unwrap().is_none());
    }
}
