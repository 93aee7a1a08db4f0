//! The look-ups of the whole process.
//!
//! The system's call blocks, and nobody can say for how long, so it runs on helper threads. They are shared by all
//! clients of the process: at most [`THREADS`], gone when nothing is left to look up. A name is looked up once at a
//! time, whoever asks for it. A look-up that takes longer than anybody waits gives its [place](PLACES) back and is left
//! behind with its thread; when it ends after all, its answer is kept for those who ask again.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::platform::{Waker, quiet_threads};
use crate::types::{Cause, Failure};

/// Threads at once, those that hang included: what a process that lives for months can afford for a broken resolver.
const THREADS: usize = 16;

/// Look-ups at once that do not hang: enough that two dead name servers in a row do not stop a third name.
const PLACES: usize = 8;

/// From when on a look-up counts as hung. It is what the engine grants one.
const HUNG: Duration = Duration::from_secs(5);

/// How long a late answer is kept: as long as a common name record is valid, and longer than an agent waits between
/// two searches.
const KEPT: Duration = Duration::from_secs(300);

/// Late answers kept.
const MOST_KEPT: usize = 64;

/// Addresses taken from one answer; the engine dials at most 16.
const ADDRESSES: usize = 64;

/// Said outright, because the standard library would ask the environment: what it has by default, for modules of the
/// system's resolver that nobody knows.
const STACK_SIZE: usize = 2 * 1024 * 1024;

/// The addresses of a name, in the order the system gave them.
pub(super) type Found = Result<Arc<[IpAddr]>, Failure>;

/// What looks a name up; blocks.
pub(super) type LookUp = fn(&str) -> Result<Vec<IpAddr>, Failure>;

/// What became of a name.
pub(super) enum News {
    /// It has to wait for a place.
    Waits(Arc<str>),
    /// It had to wait, and is looked up from now on.
    Begun(Arc<str>),
    Ended(Arc<str>, Found),
}

/// Who hears of a name.
#[derive(Clone)]
pub(super) struct Listener {
    /// One for each client.
    pub(super) id: u64,
    pub(super) sender: Sender<News>,
    pub(super) waker: Waker,
}

impl Listener {
    pub(super) fn emit(&self, news: News) {
        // A client that is gone hears nothing any more.
        if self.sender.send(news).is_ok() {
            self.waker.wake();
        }
    }
}

/// See the module.
pub(super) struct LookUps {
    look_up: LookUp,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    threads: usize,
    listeners: u64,
    waiting: VecDeque<Arc<str>>,
    names: BTreeMap<Arc<str>, Name>,
    late: VecDeque<Late>,
}

/// A name that is looked up, or waits for that.
#[derive(Default)]
struct Name {
    begun: Option<Instant>,
    waited: bool,
    listeners: Vec<Listener>,
}

struct Late {
    name: Arc<str>,
    addresses: Arc<[IpAddr]>,
    at: Instant,
}

impl LookUps {
    pub(super) fn new(look_up: LookUp) -> Self {
        Self { look_up, state: Mutex::default() }
    }

    /// A number for a client that was not given out before.
    pub(super) fn listener(&self) -> u64 {
        let mut state = self.state();
        state.listeners += 1;
        state.listeners
    }

    /// Looks a name up, at once or when there is a place, or hands a late answer out. Whether it has to wait.
    pub(super) fn ask(self: &Arc<Self>, name: &Arc<str>, listener: &Listener) -> bool {
        let now = Instant::now();
        let mut state = self.state();
        if let Some(known) = state.names.get_mut(name) {
            known.listeners.push(listener.clone());
            return known.begun.is_none();
        }
        if let Some(addresses) = state.late(name, now) {
            listener.emit(News::Ended(name.clone(), Ok(addresses)));
            return false;
        }
        if is_of_control(name) && state.names.keys().any(|other| is_of_control(other)) {
            // One is enough to know, and each has another name: they would fill the places of a resolver that hangs.
            let failure = Failure::noted(Cause::NameServerFailed, "the one before is still looked up");
            listener.emit(News::Ended(name.clone(), Err(failure)));
            return false;
        }
        state
            .names
            .insert(name.clone(), Name { begun: None, waited: false, listeners: vec![listener.clone()] });
        state.waiting.push_back(name.clone());
        self.start(&mut state, now);
        let Some(known) = state.names.get_mut(name) else { return false };
        known.waited = known.begun.is_none();
        known.waited
    }

    /// Starts what waits and has a place now. Returns when to come back, if something still waits.
    pub(super) fn retry(self: &Arc<Self>) -> Option<Duration> {
        let now = Instant::now();
        let mut state = self.state();
        self.start(&mut state, now);
        if state.waiting.is_empty() || state.threads >= THREADS {
            return None;
        }
        let hangs_at = state.names.values().filter_map(|name| name.begun.map(|begun| begun + HUNG));
        hangs_at.filter(|at| *at > now).min().map(|at| at - now)
    }

    /// Another network may lead the names elsewhere.
    pub(super) fn forget_late_answers(&self) {
        self.state().late.clear();
    }

    /// This client is gone.
    pub(super) fn forget(&self, listener: u64) {
        let mut state = self.state();
        for name in state.names.values_mut() {
            name.listeners.retain(|known| known.id != listener);
        }
        // What nobody waits for need not be begun.
        let State { waiting, names, .. } = &mut *state;
        waiting.retain(|name| names.get(name).is_some_and(|known| !known.listeners.is_empty()));
        names.retain(|_, name| name.begun.is_some() || !name.listeners.is_empty());
    }

    /// Threads at present, those that hang included.
    #[cfg(test)]
    pub(super) fn threads(&self) -> usize {
        self.state().threads
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(self: &Arc<Self>, state: &mut State, now: Instant) {
        while state.threads < THREADS
            && let Some(name) = state.next(now)
        {
            state.threads += 1;
            let (ours, work) = (Arc::clone(self), name.clone());
            let thread = thread::Builder::new().name("homing-name".to_owned()).stack_size(STACK_SIZE);
            if let Err(error) = quiet_threads(|| thread.spawn(move || ours.work(work))) {
                state.threads -= 1;
                state.ended(&name, Err(Failure::noted(Cause::OutOfResources, error)));
            }
        }
    }

    /// Looks names up until none is left.
    fn work(&self, mut name: Arc<str>) {
        loop {
            let found = (self.look_up)(&name).map(|found| found.into_iter().take(ADDRESSES).collect());
            let now = Instant::now();
            let mut state = self.state();
            if let Ok(addresses) = &found
                && state.hangs(&name, now)
            {
                state.keep(&name, addresses, now);
            }
            state.ended(&name, found);
            match state.next(now) {
                Some(next) => name = next,
                None => {
                    state.threads -= 1;
                    return;
                }
            }
        }
    }
}

impl Name {
    /// Whether its look-up has given its place back.
    fn hangs(&self, now: Instant) -> bool {
        self.begun.is_some_and(|begun| now.duration_since(begun) >= HUNG)
    }
}

impl State {
    fn hangs(&self, name: &str, now: Instant) -> bool {
        self.names.get(name).is_some_and(|known| known.hangs(now))
    }

    /// The next name, when there is a place for it.
    fn next(&mut self, now: Instant) -> Option<Arc<str>> {
        let busy = self.names.values().filter(|name| name.begun.is_some() && !name.hangs(now)).count();
        if busy >= PLACES {
            return None;
        }
        let next = self.waiting.pop_front()?;
        if let Some(name) = self.names.get_mut(&next) {
            name.begun = Some(now);
            let listeners = name.listeners.iter().filter(|_| name.waited);
            listeners.for_each(|listener| listener.emit(News::Begun(next.clone())));
        }
        Some(next)
    }

    fn ended(&mut self, name: &Arc<str>, found: Found) {
        let listeners = self.names.remove(name).unwrap_or_default().listeners;
        for listener in listeners {
            listener.emit(News::Ended(name.clone(), found.clone()));
        }
    }

    fn keep(&mut self, name: &Arc<str>, addresses: &Arc<[IpAddr]>, at: Instant) {
        self.late.retain(|late| late.name != *name);
        if self.late.len() >= MOST_KEPT {
            self.late.pop_front();
        }
        self.late.push_back(Late { name: name.clone(), addresses: addresses.clone(), at });
    }

    /// A late answer that is young enough.
    fn late(&mut self, name: &Arc<str>, now: Instant) -> Option<Arc<[IpAddr]>> {
        self.late.retain(|late| now.duration_since(late.at) < KEPT);
        self.late.iter().find(|late| late.name == *name).map(|late| late.addresses.clone())
    }
}

/// The random names that the control of the location asks for: they may not exist.
fn is_of_control(name: &str) -> bool {
    name.trim_end_matches('.').ends_with(".invalid")
}
