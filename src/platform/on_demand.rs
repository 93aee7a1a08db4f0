//! A thread that is there while there is something to do: for what may wait for a disk, and must hold up no loop.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::{logging, quiet_threads};

/// How long the thread stays without a job: what follows one mostly follows at once.
const LINGER: Duration = Duration::from_secs(1);

/// Calls the work of a thread from inside of what belongs to every thread of its owner.
pub(crate) type Around = Arc<dyn Fn(&dyn Fn()) + Send + Sync>;

type Job = Box<dyn FnOnce() + Send>;

/// See the module. Jobs are done one after the other, in the order in which they came. A job that panics is logged, and the next
/// one is done.
///
/// Dropping it waits for the jobs that are left.
pub(crate) struct OnDemand {
    name: &'static str,
    stack_size: usize,
    around: Around,
    desk: Arc<Desk>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What both threads have in common.
#[derive(Default)]
struct Desk {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Job>,
    /// There is a thread that will look at what waits.
    running: bool,
    closed: bool,
}

impl OnDemand {
    /// Threads of this name, at most one at a time. `around` runs what a thread does from its first to its last job.
    pub(crate) fn new(name: &'static str, stack_size: usize, around: Around) -> Self {
        Self { name, stack_size, around, desk: Arc::default(), thread: Mutex::new(None) }
    }

    /// Has the thread do this. An error: no thread can be made now, or this was [closed](Self::close).
    pub(crate) fn submit(&self, job: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let mut state = self.desk.state();
        if state.closed {
            return Err(io::Error::other("it is closed"));
        }
        if !state.running {
            // The thread looks when this lock is free. One that was there before it has said that it looks no more.
            *self.thread() = Some(self.start()?);
            state.running = true;
        }
        state.waiting.push_back(Box::new(job));
        drop(state);
        self.desk.changed.notify_all();
        Ok(())
    }

    /// Takes no more jobs. The thread does those that are left, and ends without lingering.
    pub(crate) fn close(&self) {
        self.desk.state().closed = true;
        self.desk.changed.notify_all();
    }

    /// Closes it, and leaves the thread alone with the jobs that are left.
    pub(crate) fn leave(self) {
        self.close();
        self.thread().take();
    }

    fn start(&self) -> io::Result<JoinHandle<()>> {
        let (desk, around) = (Arc::clone(&self.desk), Arc::clone(&self.around));
        let work = move || {
            around(&|| {
                while let Some(job) = desk.next() {
                    attempt(job);
                }
            });
        };
        let thread = thread::Builder::new().name(self.name.to_owned()).stack_size(self.stack_size);
        quiet_threads(|| thread.spawn(work))
    }

    fn thread(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        self.thread.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for OnDemand {
    fn drop(&mut self) {
        self.close();
        let thread = self.thread().take();
        if let Some(thread) = thread {
            // It has caught its own panics.
            let _ = thread.join();
        }
    }
}

fn attempt(job: Job) {
    if catch_unwind(AssertUnwindSafe(job)).is_err() {
        logging::record!(Error, "a job on a thread beside the loop panicked, which is a bug in homing");
    }
}

impl Desk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next job, before the thread has lingered in vain.
    fn next(&self) -> Option<Job> {
        let began = Instant::now();
        let mut state = self.state();
        loop {
            if let Some(job) = state.waiting.pop_front() {
                return Some(job);
            }
            let left = LINGER.saturating_sub(began.elapsed());
            if state.closed || left.is_zero() {
                state.running = false;
                return None;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    fn on_demand() -> OnDemand {
        OnDemand::new("homing-test", 256 << 10, Arc::new(|work| work()))
    }

    #[test]
    fn the_thread_ends_without_jobs_and_another_begins() {
        let (tell, told) = channel();
        let on_demand = on_demand();
        for life in 1..=2 {
            for job in 1..=3 {
                let tell = tell.clone();
                on_demand.submit(move || tell.send((life, job, thread::current().id())).unwrap()).unwrap();
            }
            on_demand.thread().take().unwrap().join().unwrap();
        }
        drop((tell, on_demand));
        let told: Vec<_> = told.iter().collect();
        assert_eq!(
            told.iter().map(|told| (told.0, told.1)).collect::<Vec<_>>(),
            [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3)]
        );
        assert!(told[0].2 == told[2].2 && told[2].2 != told[3].2);
    }

    #[test]
    fn what_is_left_is_done_and_a_panic_costs_one_job() {
        let (tell, told) = channel();
        let on_demand = on_demand();
        let again = tell.clone();
        on_demand.submit(|| panic!("a job that does that")).unwrap();
        on_demand.submit(move || tell.send(1).unwrap()).unwrap();
        on_demand.close();
        assert!(on_demand.submit(move || again.send(2).unwrap()).is_err());
        drop(on_demand);
        assert_eq!(told.iter().collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn one_that_is_left_goes_on_by_itself() {
        let (hold, held) = channel::<()>();
        let (tell, told) = channel();
        let on_demand = on_demand();
        on_demand.submit(move || held.recv().unwrap()).unwrap();
        on_demand.submit(move || tell.send(1).unwrap()).unwrap();
        on_demand.leave();
        hold.send(()).unwrap();
        assert_eq!(told.iter().collect::<Vec<_>>(), [1]);
    }
}
