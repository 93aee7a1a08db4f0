//! Batches on their way out of the outbox. Where they have to be read from a disk, that is done on a thread of its own: the loop
//! never waits for a disk.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::asked::Asked;
use crate::platform::{OnDemand, Waker};
use crate::store::outbox::{Batch, Outbox};

/// The thread checks sums and calls the system, and little else.
const STACK: usize = 256 << 10;

/// See the module.
pub(super) struct Batches {
    thread: OnDemand,
    desk: Arc<Desk>,
}

/// What both threads have in common.
struct Desk {
    outbox: Arc<Outbox>,
    state: Mutex<State>,
    waker: Waker,
}

#[derive(Default)]
struct State {
    /// What the thread reads next. Only the newest counts: one upload is under way at a time.
    asked: Option<Asked>,
    read: Option<(Asked, Option<Batch>)>,
}

/// A batch, or when it comes.
pub(super) enum Taken {
    Now(Option<Batch>),
    /// [`read`](Batches::read) gives it, after the loop was woken.
    Later,
}

impl Batches {
    pub(super) fn new(outbox: Arc<Outbox>, waker: Waker) -> Self {
        let thread = OnDemand::new("homing-outbox", STACK, Arc::new(|work| work()));
        Self { thread, desk: Arc::new(Desk { outbox, state: Mutex::default(), waker }) }
    }

    /// The next batch of a lane.
    pub(super) fn take(&self, asked: Asked) -> Taken {
        if self.desk.outbox.is_in_memory() {
            return Taken::Now(self.desk.take(asked));
        }
        if self.desk.state().asked.replace(asked).is_some() {
            // The job that waits finds this.
            return Taken::Later;
        }
        let desk = Arc::clone(&self.desk);
        if self.thread.submit(move || desk.read_one()).is_err() {
            self.desk.state().asked = None;
            // It is tried again after the next heartbeat.
            return Taken::Now(None);
        }
        Taken::Later
    }

    /// What was read.
    pub(super) fn read(&self) -> Option<(Asked, Option<Batch>)> {
        self.desk.state().read.take()
    }
}

impl Desk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, asked: Asked) -> Option<Batch> {
        self.outbox.take(asked.lane, usize::try_from(asked.at_most).unwrap_or(usize::MAX))
    }

    fn read_one(&self) {
        let Some(asked) = self.state().asked.take() else { return };
        let batch = self.take(asked);
        self.state().read = Some((asked, batch));
        self.waker.wake();
    }
}
