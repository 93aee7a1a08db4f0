//! Describing a client, and starting it.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::SystemTime;

use super::events::EventQueue;
use super::prepare::{PrepareError, PreparedSettings, prepare};
use super::remember::{Earlier, Keeper};
use super::road::Road;
use super::status::{Hook, Status, StatusCell};
use super::worker::{Message, Worker};
use super::{Client, ClientEvent, EventCallback, Shared, ThreadHook};
use crate::engine::{Command, Engine, Setup, Tuning};
use crate::net::Limits;
use crate::platform::{Clock, Sleep, quiet_threads};
use crate::settings::Settings;
use crate::store::{Folder, InMemory, Store};
use crate::words::AgentId;

/// A client that has not been started.
pub struct Builder {
    settings: Arc<Settings>,
    agent: Option<AgentId>,
    tuning: Tuning,
    limits: Limits,
    location: Option<Arc<str>>,
    status: StatusCell,
    hook: Option<Hook>,
    callback: Option<EventCallback>,
    thread_name: String,
    thread_hook: Option<ThreadHook>,
    store: Box<dyn Store>,
    seed: Option<u64>,
}

/// Why a client was not started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// [`Builder::agent_id`] was not called.
    #[error("the agent has no id")]
    NoAgentId,
    /// The settings cannot be put in force.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// The system gave no random numbers.
    #[error("the system gives no random numbers")]
    NoRandomness,
    /// The system gave no thread, or nothing to wait on.
    #[error("the system has no resources for the client: {0}")]
    System(#[from] io::Error),
}

impl Builder {
    pub(super) fn new(settings: Arc<Settings>) -> Self {
        Self {
            settings,
            agent: None,
            tuning: Tuning::default(),
            limits: Limits::default(),
            location: None,
            status: StatusCell::default(),
            hook: None,
            callback: None,
            thread_name: "homing".to_owned(),
            thread_hook: None,
            store: Box::new(InMemory::default()),
            seed: None,
        }
    }

    /// Who this agent is. Required; the same after every restart.
    #[must_use]
    pub fn agent_id(mut self, agent: AgentId) -> Self {
        self.agent = Some(agent);
        self
    }

    /// Other constants than the defaults, for unusual fleets and for demonstrations.
    #[must_use]
    pub fn tuning(mut self, tuning: Tuning) -> Self {
        self.tuning = tuning;
        self
    }

    /// How much a server may send.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The location to begin with; without it, the group's settings apply.
    #[must_use]
    pub fn location(mut self, location: &str) -> Self {
        self.location = Some(location.into());
        self
    }

    /// What is said with the first heartbeats; see [`Client::set_status`].
    #[must_use]
    pub fn status(self, status: impl AsRef<[u8]>) -> Self {
        self.status.set(status.as_ref().into());
        self
    }

    /// Asked on the client's thread just before a status is sent: `Some` is the new one, `None`
    /// keeps the one there is. Once for all attempts of one search.
    #[must_use]
    pub fn heartbeat_hook(mut self, hook: impl FnMut() -> Option<Vec<u8>> + Send + 'static) -> Self {
        self.hook = Some(Box::new(hook));
        self
    }

    /// Called on the client's thread with every event, instead of [`Client::next_event`].
    ///
    /// It may call any method of the client it is given, also [`Client::stop`]. No lock is held.
    #[must_use]
    pub fn on_event(mut self, callback: impl FnMut(&Client, &ClientEvent) + Send + 'static) -> Self {
        self.callback = Some(Box::new(callback));
        self
    }

    /// The name of the client's thread. Default `homing`. What follows a zero byte is left out.
    #[must_use]
    pub fn thread_name(mut self, name: &str) -> Self {
        name.split('\0').next().unwrap_or_default().clone_into(&mut self.thread_name);
        self
    }

    /// Called once on the client's thread, before anything else happens there: to set its priority, or to
    /// enter it into the product's own books. A panic in it is caught and logged. The short-lived threads
    /// that look names up do not call it.
    #[must_use]
    pub fn on_thread_start(mut self, hook: impl FnOnce() + Send + 'static) -> Self {
        self.thread_hook = Some(Box::new(hook));
        self
    }

    /// Where the client keeps what must outlive the process. Without it, and without
    /// [`state_folder`](Self::state_folder), nothing does. The later of the two counts.
    #[must_use]
    pub fn store(mut self, store: impl Store + 'static) -> Self {
        self.store = Box::new(store);
        self
    }

    /// Keeps what must outlive the process in this folder, which is made if it is not there; see [`Folder`]
    /// for what is asked of it. The same as [`store`](Self::store) with a [`Folder`].
    #[must_use]
    pub fn state_folder(self, path: impl AsRef<Path>) -> Self {
        self.store(Folder::new(path))
    }

    /// Fixes every random choice, for demonstrations and tests. Without it the system chooses, and
    /// a fleet that starts together spreads.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Reads the files that the settings name and what is stored of an earlier life, and starts the
    /// client's thread. A store that cannot be read is no reason not to start:
    /// [`Event::MemoryIgnored`](crate::engine::Event::MemoryIgnored) tells of it.
    ///
    /// # Errors
    /// Nothing is running afterwards.
    pub fn start(self) -> Result<Client, StartError> {
        let agent = self.agent.ok_or(StartError::NoAgentId)?;
        let PreparedSettings { settings, policies } = prepare(self.settings)?;
        let seed = self.seed.map_or_else(random, Ok)?;
        let mut keeper = Keeper::new(self.store);
        let Earlier { memory, away, problem } = keeper.load(SystemTime::now());
        let clock = Clock::new();
        let started = clock.now();
        let sleep = Sleep::new(clock)?;
        let setup = Setup { tuning: Arc::new(self.tuning), ..Setup::new(settings, agent.clone()) };
        let engine = Engine::new(setup, memory, away, seed, started);
        let location = self.location.map(|name| Message::Command(Command::SetLocation(Some(name))));
        let shared = Arc::new(Shared {
            clock,
            engine: Mutex::new(engine),
            mail: Mutex::new(location.into_iter().collect()),
            waker: sleep.waker(),
            status: self.status.clone(),
            events: EventQueue::default(),
            thread: OnceLock::new(),
            join: Mutex::new(None),
            finished: Mutex::new(false),
            finish: std::sync::Condvar::new(),
        });
        let status = Status { cell: self.status, hook: self.hook };
        // Even with a fixed seed two lives must not share their idempotency keys.
        let road = Road::new(agent, self.limits, random()?, policies, status, sleep.waker());
        let worker = Worker {
            client: Client { shared: Arc::clone(&shared), owner: false },
            callback: self.callback,
            clock,
            started,
            sleep,
            road,
            keeper,
            memory_problem: problem,
            thread_hook: self.thread_hook,
            end: None,
            stopped: false,
        };
        let thread = thread::Builder::new().name(self.thread_name);
        let handle = quiet_threads(|| thread.spawn(move || worker.run()))?;
        *shared.join.lock().unwrap_or_else(PoisonError::into_inner) = Some(handle);
        Ok(Client { shared, owner: true })
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("agent", &self.agent).finish_non_exhaustive()
    }
}

fn random() -> Result<u64, StartError> {
    let mut bytes = [0; 8];
    let provider = rustls::crypto::ring::default_provider();
    provider.secure_random.fill(&mut bytes).map_err(|_| StartError::NoRandomness)?;
    Ok(u64::from_le_bytes(bytes))
}
