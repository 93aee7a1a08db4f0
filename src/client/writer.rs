//! Values on their way to the store, on a thread of their own.
//!
//! A disk may take half a minute for one write, and heartbeats must not wait for it. So the client's thread leaves what is
//! to be kept here and goes on; a writer thread saves it and leaves word of how that went. The thread is there while
//! there is something to write, and ends after [`LINGER`] without.
//!
//! What waits is bounded: of each value only the newest is kept. Values are saved in the order in which they were last
//! handed in, so whatever a value names was saved before it; where that failed, the value fails too.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::mem::discriminant;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::persistence::Keeper;
use super::stored::Value;
use crate::platform::{Around, Waker, logging, quiet_threads};
use crate::trust::Timestamp;

/// How long the thread stays when there is nothing to write: what follows a change mostly follows at once.
const LINGER: Duration = Duration::from_secs(1);

/// What became of a value.
pub(super) enum Written {
    Memory { version: u64, result: io::Result<()> },
    Floor { floor: Timestamp, result: io::Result<()> },
    Document { place: usize, result: io::Result<()> },
}

/// See the module.
pub(super) struct Writer {
    desk: Arc<Desk>,
    around: Around,
    stack_size: usize,
    thread: Option<JoinHandle<()>>,
}

/// What the client's thread and the writer's have in common.
struct Desk {
    state: Mutex<State>,
    changed: Condvar,
    /// Wakes the client's thread.
    waker: Waker,
}

struct State {
    /// Not here while the thread uses it.
    keeper: Option<Keeper>,
    waiting: VecDeque<Value>,
    written: Vec<Written>,
    /// Places whose document could not be saved, and why not.
    missing: BTreeMap<usize, String>,
    /// There is a thread that will look at what waits.
    running: bool,
    /// Nothing is written any more.
    closed: bool,
}

impl Writer {
    pub(super) fn new(keeper: Keeper, waker: Waker, stack_size: usize, around: Around) -> Self {
        let state = State {
            keeper: Some(keeper),
            waiting: VecDeque::new(),
            written: Vec::new(),
            missing: BTreeMap::new(),
            running: false,
            closed: false,
        };
        let desk = Arc::new(Desk { state: Mutex::new(state), changed: Condvar::new(), waker });
        Self { desk, around, stack_size, thread: None }
    }

    /// Hands a value in, in place of an older one of its kind that still waits. What becomes of it comes from
    /// [`written`](Self::written), after the client's thread was woken.
    pub(super) fn write(&mut self, value: Value) {
        let desk = Arc::clone(&self.desk);
        let mut state = desk.state();
        if state.closed {
            return;
        }
        state.waiting.retain(|waiting| !waiting.is_outdated_by(&value));
        state.waiting.push_back(value);
        if !state.running {
            // Said before the thread looks, which needs the lock.
            state.running = true;
            if let Err(error) = self.start() {
                state.running = false;
                let problem = format!("there is no thread to write on: {error}");
                let waiting = std::mem::take(&mut state.waiting);
                let failed =
                    waiting.into_iter().map(|value| value.became(Err(io::Error::other(problem.clone()))));
                state.written.extend(failed);
                drop(state);
                desk.waker.wake();
                return;
            }
        }
        drop(state);
        desk.changed.notify_all();
    }

    /// What became of the values since this was asked.
    pub(super) fn written(&self) -> Vec<Written> {
        std::mem::take(&mut self.desk.state().written)
    }

    /// Waits until everything is written, at most this long.
    pub(super) fn flush(&self, timeout: Duration) {
        let busy = |state: &mut State| !state.waiting.is_empty() || state.keeper.is_none();
        let state = self.desk.changed.wait_timeout_while(self.desk.state(), timeout, busy);
        drop(state.unwrap_or_else(PoisonError::into_inner));
    }

    /// Drops what still waits, waits for a write that is under way as for any callback, and gives the store back.
    pub(super) fn close(mut self) -> Option<Keeper> {
        let left = {
            let mut state = self.desk.state();
            state.closed = true;
            std::mem::take(&mut state.waiting)
        };
        if !left.is_empty() {
            logging::record!(Warn, "the client ends before {} of its values could be stored", left.len());
        }
        self.desk.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // It has caught its own panics.
            let _ = thread.join();
        }
        self.desk.state().keeper.take()
    }

    fn start(&mut self) -> io::Result<()> {
        let (desk, around) = (Arc::clone(&self.desk), Arc::clone(&self.around));
        let run = move || around(&|| desk.work());
        let thread = thread::Builder::new().name("homing-store".to_owned()).stack_size(self.stack_size);
        // One that was there before has said that it looks no more, and has nothing left to do.
        self.thread = Some(quiet_threads(|| thread.spawn(run))?);
        Ok(())
    }
}

impl Value {
    fn is_outdated_by(&self, newer: &Self) -> bool {
        match (self, newer) {
            (Self::Document { place, .. }, Self::Document { place: other, .. }) => place == other,
            (older, newer) => discriminant(older) == discriminant(newer),
        }
    }

    fn became(&self, result: io::Result<()>) -> Written {
        match *self {
            Self::Memory { version, .. } => Written::Memory { version, result },
            Self::Floor(floor) => Written::Floor { floor, result },
            Self::Document { place, .. } => Written::Document { place, result },
        }
    }
}

impl State {
    /// Why this value may not be saved: what it names is not there.
    fn why_not(&self, value: &Value) -> Option<String> {
        let Value::Memory { needs, .. } = value else { return None };
        needs.iter().find_map(|place| self.missing.get(place)).cloned()
    }

    fn note(&mut self, value: &Value, result: &io::Result<()>) {
        let Value::Document { place, .. } = value else { return };
        match result {
            Ok(()) => self.missing.remove(place),
            Err(error) => self.missing.insert(*place, error.to_string()),
        };
    }
}

/// Saves a value; a panic is a failure.
fn save(keeper: &mut Keeper, value: &Value) -> io::Result<()> {
    catch_unwind(AssertUnwindSafe(|| keeper.save(value))).unwrap_or_else(|_| {
        logging::record!(Error, "a value could not be made ready to be stored, which is a bug in homing");
        Err(io::Error::other("a bug in homing"))
    })
}

impl Desk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what waits until nothing has for a while. No lock is held while the store is called.
    fn work(&self) {
        while let Some((value, mut keeper)) = self.next() {
            let missing = self.state().why_not(&value);
            let result = match missing {
                Some(missing) => Err(io::Error::other(missing)),
                None => save(&mut keeper, &value),
            };
            let mut state = self.state();
            state.note(&value, &result);
            state.written.push(value.became(result));
            state.keeper = Some(keeper);
            drop(state);
            self.changed.notify_all();
            self.waker.wake();
        }
    }

    /// The next value to write, and the store.
    fn next(&self) -> Option<(Value, Keeper)> {
        let began = Instant::now();
        let mut state = self.state();
        loop {
            if !state.closed
                && !state.waiting.is_empty()
                && let Some(keeper) = state.keeper.take()
            {
                return state.waiting.pop_front().map(|value| (value, keeper));
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
    use std::time::SystemTime;

    use super::*;
    use crate::platform::{Clock, Sleep};
    use crate::store::Store;

    /// Saves when it is let, and fails when it is told to.
    #[derive(Clone, Default)]
    struct Gate(Arc<(Mutex<Gated>, Condvar)>);

    #[derive(Default)]
    struct Gated {
        begun: usize,
        let_through: usize,
        fails: bool,
        saved: Vec<String>,
    }

    impl Gate {
        fn change(&self, change: impl FnOnce(&mut Gated)) {
            change(&mut self.0.0.lock().unwrap());
            self.0.1.notify_all();
        }

        fn wait(&self, until: impl Fn(&Gated) -> bool) -> MutexGuard<'_, Gated> {
            self.0.1.wait_while(self.0.0.lock().unwrap(), |gated| !until(gated)).unwrap()
        }
    }

    impl Store for Gate {
        fn load(&mut self, _: &str) -> io::Result<Option<Vec<u8>>> {
            Ok(None)
        }

        fn save(&mut self, name: &str, value: &[u8]) -> io::Result<()> {
            self.change(|gated| gated.begun += 1);
            let mut gated = self.wait(|gated| gated.let_through > 0);
            gated.let_through -= 1;
            if gated.fails {
                return Err(io::ErrorKind::StorageFull.into());
            }
            let misses = String::from_utf8_lossy(value);
            let misses =
                misses.split_once("misses\":").map_or("", |(_, rest)| rest.split(',').next().unwrap());
            gated.saved.push(format!("{name} {misses}"));
            Ok(())
        }
    }

    fn writer(gate: &Gate) -> (Writer, Sleep) {
        let sleep = Sleep::new(Clock::new()).unwrap();
        let keeper = Keeper::new(Box::new(gate.clone()), None);
        (Writer::new(keeper, sleep.waker(), 256 * 1024, Arc::new(|work| work())), sleep)
    }

    fn memory(misses: u8) -> Value {
        let memory =
            serde_json::from_value(serde_json::json!({ "misses": misses, "damping": 0, "servers": [] }));
        Value::Memory {
            version: misses.into(),
            memory: memory.unwrap(),
            at: SystemTime::now(),
            needs: Vec::new(),
        }
    }

    fn told(writer: &Writer) -> Vec<(Option<u64>, bool)> {
        let told = writer.written().into_iter().map(|written| match written {
            Written::Memory { version, result } => (Some(version), result.is_ok()),
            Written::Floor { result, .. } | Written::Document { result, .. } => (None, result.is_ok()),
        });
        told.collect()
    }

    #[test]
    fn the_newest_of_each_value_is_written_in_the_order_in_which_they_came() {
        let gate = Gate::default();
        let (mut writer, mut sleep) = writer(&gate);
        writer.write(memory(1));
        drop(gate.wait(|gated| gated.begun == 1));
        // While the disk is at the first one.
        writer.write(memory(2));
        writer.write(Value::Floor(Timestamp(7)));
        writer.write(memory(3));
        assert_eq!(told(&writer), []);
        gate.change(|gated| gated.let_through = 10);
        writer.flush(Duration::MAX);
        // The client's thread was woken.
        sleep.until(None).unwrap();
        assert_eq!(told(&writer), [(Some(1), true), (None, true), (Some(3), true)]);
        assert_eq!(gate.wait(|_| true).saved, ["memory 1", "time ", "memory 3"]);
        assert!(writer.close().is_some());
    }

    #[test]
    fn the_thread_ends_by_itself_and_another_begins() {
        let gate = Gate::default();
        gate.change(|gated| gated.let_through = 10);
        let (mut writer, _sleep) = writer(&gate);
        for life in 1..=2 {
            writer.write(memory(life));
            writer.flush(Duration::MAX);
            writer.thread.take().unwrap().join().unwrap();
            assert_eq!(told(&writer), [(Some(life.into()), true)]);
        }
    }

    #[test]
    fn after_the_end_nothing_is_written_and_what_is_being_written_is_waited_for() {
        let gate = Gate::default();
        let (mut writer, _sleep) = writer(&gate);
        writer.write(memory(1));
        writer.write(memory(2));
        drop(gate.wait(|gated| gated.begun == 1));
        writer.write(Value::Floor(Timestamp(7)));
        writer.flush(Duration::from_millis(1));
        let closing = thread::spawn(move || writer.close().is_some());
        gate.change(|gated| gated.let_through = 10);
        assert!(closing.join().unwrap(), "the store comes back, to be dropped");
        let gated = gate.wait(|_| true);
        // What waited may have been begun before the end was asked for, and not after.
        assert!(gated.saved.len() == gated.begun && gated.begun <= 3, "{:?}", gated.saved);
    }

    #[test]
    fn a_failure_is_told_and_the_next_value_is_tried() {
        let gate = Gate::default();
        gate.change(|gated| (gated.let_through, gated.fails) = (10, true));
        let (mut writer, _sleep) = writer(&gate);
        writer.write(memory(1));
        writer.flush(Duration::MAX);
        gate.change(|gated| gated.fails = false);
        writer.write(memory(2));
        writer.flush(Duration::MAX);
        assert_eq!(told(&writer), [(Some(1), false), (Some(2), true)]);
    }

    #[test]
    fn a_memory_is_not_saved_without_the_document_that_it_names() {
        let gate = Gate::default();
        let (mut writer, _sleep) = writer(&gate);
        let named = || {
            let Value::Memory { version, memory, at, .. } = memory(1) else { unreachable!("it is one") };
            Value::Memory { version, memory, at, needs: vec![3] }
        };
        let document = || Value::Document { place: 3, text: Arc::from(*b"{}") };
        writer.write(document());
        writer.write(named());
        // The disk is full while the document is written, and has room when the memory would be.
        drop(gate.wait(|gated| gated.begun == 1));
        gate.change(|gated| (gated.let_through, gated.fails) = (1, true));
        writer.flush(Duration::MAX);
        gate.change(|gated| (gated.let_through, gated.fails) = (10, false));
        assert_eq!(told(&writer), [(None, false), (Some(1), false)]);
        writer.write(document());
        writer.write(named());
        writer.flush(Duration::MAX);
        assert_eq!(told(&writer), [(None, true), (Some(1), true)]);
        assert_eq!(gate.wait(|_| true).saved, ["settings-4 ", "memory 1"]);
    }

    #[test]
    fn without_a_thread_a_write_has_failed() {
        let (mut writer, mut sleep) = writer(&Gate::default());
        // No system has so much.
        writer.stack_size = usize::MAX / 2;
        writer.write(memory(1));
        sleep.until(None).unwrap();
        assert_eq!(told(&writer), [(Some(1), false)]);
        assert!(writer.close().is_some());
    }
}
