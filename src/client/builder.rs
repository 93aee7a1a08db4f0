//! Describing a client, and starting it.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use zeroize::Zeroizing;

use super::arrival::{Arrivals, Rules};
use super::beginning::{Start, begin};
use super::callers::Callers;
use super::consent::{Consent, ConsentHook, OfferedSettings};
use super::credential_provider::{Asked, CredentialProvider, CredentialsCell, CredentialsHook};
use super::driver::{Config, Driver};
use super::ending::Ending;
use super::events::EventQueue;
use super::mail::Mail;
use super::persistence::{Earlier, Keeper};
use super::reports::Reports;
use super::routes::{MOST_ROUTES, Proxies};
use super::start_error::{LEAST_STACK_SIZE, StartError};
use super::status::{Hook, Status, StatusCell};
use super::store_trouble::StoreTrouble;
use super::worker::Worker;
use super::writer::Writer;
use super::{
    Client, ClientEvent, Credentials, EventCallback, LogLevel, Process, RouteChoice, Shared, ThreadHook,
};
use crate::engine::{Engine, Setup, Tuning};
use crate::net::protocol::{Homing, Protocol};
use crate::net::{Limits, NewSocket, SocketHook};
use crate::platform::{Clock, Interfaces, Logger, Sleep, instance, machine, quiet_threads};
use crate::settings::Settings;
#[cfg(feature = "outbox")]
use crate::store::outbox::Outbox;
use crate::store::{Folder, Store};
use crate::types::{AgentId, Identity, Paths};

/// Said outright, because the standard library would ask the environment. Ours takes a few tens of KiB of it; callbacks of
/// the application are used to the 2 MiB and more of other threads.
const STACK_SIZE: usize = 2 * 1024 * 1024;

/// A client that has not been started.
pub struct Builder {
    settings: Arc<Settings>,
    agent: AgentId,
    paths: Paths,
    tuning: Tuning,
    limits: Limits,
    location: Option<Arc<str>>,
    status: StatusCell,
    hook: Option<Hook>,
    callback: Option<EventCallback>,
    routes: Vec<RouteChoice>,
    credentials: CredentialsCell,
    credentials_hook: Option<CredentialsHook>,
    socket_hook: Option<SocketHook>,
    thread_name: String,
    thread_hook: Option<ThreadHook>,
    stack_size: usize,
    drop_guard: Option<Box<dyn Send>>,
    store: Option<Box<dyn Store>>,
    reports: Reports,
    seed: Option<u64>,
    rules: Rules,
    settings_hook: Option<ConsentHook>,
    logger: Logger,
    pub(super) identity: Option<Arc<Identity>>,
    pub(super) machine_id: Option<Zeroizing<Vec<u8>>>,
}

impl Client {
    /// Begins to describe a client for these settings. `agent_id` says which agent it is: the same after every restart.
    pub fn builder(settings: impl Into<Arc<Settings>>, agent_id: AgentId) -> Builder {
        Builder::new(settings.into(), agent_id)
    }
}

impl Builder {
    fn new(settings: Arc<Settings>, agent: AgentId) -> Self {
        Self {
            settings,
            agent,
            paths: Paths::default(),
            tuning: Tuning::default(),
            limits: Limits::default(),
            location: None,
            status: StatusCell::default(),
            hook: None,
            callback: None,
            routes: vec![RouteChoice::Direct],
            credentials: CredentialsCell::default(),
            credentials_hook: None,
            socket_hook: None,
            thread_name: "homing".to_owned(),
            thread_hook: None,
            stack_size: STACK_SIZE,
            drop_guard: None,
            store: None,
            reports: Reports::default(),
            seed: None,
            rules: Rules::default(),
            settings_hook: None,
            logger: Logger::default(),
            identity: None,
            machine_id: None,
        }
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

    /// The location to begin with; without it, the group's settings apply. A name that the settings do not have is an
    /// error of [`start`](Self::start).
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
    pub fn on_heartbeat(mut self, hook: impl FnMut() -> Option<Vec<u8>> + Send + 'static) -> Self {
        self.hook = Some(Box::new(hook));
        self
    }

    /// Called on the client's thread with every event, instead of [`Client::next_event_timeout`].
    ///
    /// It may call any method of the client it is given, also [`Client::stop`]. No lock is held.
    #[must_use]
    pub fn on_event(mut self, callback: impl FnMut(&Client, &ClientEvent) + Send + 'static) -> Self {
        self.callback = Some(Box::new(callback));
        self
    }

    /// The ways to the servers, best first. Default: [`RouteChoice::Direct`] alone.
    ///
    /// They are tried in this order inside one attempt, beginning with the one that last worked on the
    /// present network. A way that fails is held against the way, never against the server. At least 1
    /// and at most 8.
    ///
    /// ```
    /// # use homing::client::{Client, Proxy, RouteChoice};
    /// # fn example(settings: homing::settings::Settings) -> Result<(), Box<dyn std::error::Error>> {
    /// let proxy = Proxy::new("proxy.example".parse()?, 3128).basic("agent", "password")?;
    /// let builder = Client::builder(settings, "agent-1".parse()?).routes([proxy.into(), RouteChoice::Direct]);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn routes(mut self, routes: impl IntoIterator<Item = RouteChoice>) -> Self {
        // One more than there can be is enough to see that there are too many.
        self.routes = routes.into_iter().take(MOST_ROUTES + 1).collect();
        self
    }

    /// What the agent shows servers to be let in; see [`Client::set_credentials`].
    #[must_use]
    pub fn credentials(self, credentials: Credentials) -> Self {
        self.credentials.change(|kept| *kept = credentials);
        self
    }

    /// Asked on the client's thread for credentials: before the first exchange over verified TLS, and
    /// once when a server answers 401 to the credentials there are. `Some` replaces them all, `None`
    /// keeps them.
    ///
    /// After a 401 the exchange is repeated once with the new credentials. Whoever needs time to get
    /// some returns `None` and calls [`Client::set_credentials`] later; nothing else happens on the
    /// client's thread while the hook runs. A panic in it is caught and counts as `None`.
    #[must_use]
    pub fn on_credentials(mut self, hook: impl FnMut(Asked) -> Option<Credentials> + Send + 'static) -> Self {
        self.credentials_hook = Some(Box::new(hook));
        self
    }

    /// Called on the client's thread with each new socket before it is connected to a server or a
    /// proxy, and with the address it will be connected to: to mark it, to bind it, or to exempt it
    /// from the program's own filter.
    ///
    /// An error means that this socket is not used; its words stand in the failure of the attempt,
    /// which is of class `local_network` and costs no server anything. A panic counts as an error.
    #[must_use]
    pub fn on_socket(
        mut self,
        hook: impl Fn(NewSocket<'_>, &SocketAddr) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        self.socket_hook = Some(Arc::new(hook));
        self
    }

    /// The name of the client's thread. Default `homing`. What follows a zero byte is left out.
    #[must_use]
    pub fn thread_name(mut self, name: &str) -> Self {
        name.split('\0').next().unwrap_or_default().clone_into(&mut self.thread_name);
        self
    }

    /// How large the stack of the client's thread is, in bytes: for callbacks that need much. Default 2 MiB; at least
    /// 256 KiB, and the start fails with less. What is not used of it takes no memory.
    #[must_use]
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = bytes;
        self
    }

    /// Kept until nothing calls the application any more, and dropped on the client's thread after everything else.
    #[cfg(feature = "capi")]
    pub(crate) fn drop_guard(mut self, drop_guard: impl Send + 'static) -> Self {
        self.drop_guard = Some(Box::new(drop_guard));
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

    /// Called with each message for the log, as important as `most` or more, instead of the `log` crate; see
    /// [`Client`] for what is logged. Less important ones are not put into words.
    ///
    /// It is called on whichever thread speaks, also on several at once, and holds up the client when it takes
    /// long. A panic in it is caught. What it makes homing say meanwhile goes to the `log` crate. It must not
    /// [`join`](Client::join) its client, which could not end before it returns.
    ///
    /// ```
    /// # use homing::client::{Client, LogLevel};
    /// # fn example(settings: homing::settings::Settings, agent_id: homing::types::AgentId) {
    /// let builder = Client::builder(settings, agent_id)
    ///     .on_log(LogLevel::Warn, |level, message| eprintln!("homing: {level}: {message}"));
    /// # }
    /// ```
    #[must_use]
    pub fn on_log(mut self, most: LogLevel, hook: impl Fn(LogLevel, &str) + Send + Sync + 'static) -> Self {
        self.logger = Logger::new(most, hook);
        self
    }

    /// Where the client keeps what must outlive the process. Without it, and without
    /// [`state_folder`](Self::state_folder), nothing does. The later of the two counts.
    #[must_use]
    pub fn store(mut self, store: impl Store + 'static) -> Self {
        self.store = Some(Box::new(store));
        self
    }

    /// Keeps what must outlive the process in this folder, which is made if it is not there; see [`Folder`]
    /// for what is asked of it. The same as [`store`](Self::store) with a [`Folder`].
    #[must_use]
    pub fn state_folder(self, path: impl AsRef<Path>) -> Self {
        self.store(Folder::new(path))
    }

    /// Takes settings from the servers: one that names another entity tag than the agent has (`Homing-Settings`) is asked for its
    /// document, which is put on trial. Only a server that was verified by its certificate or key is, unless the settings in
    /// force say otherwise (`accept_settings_over_http`). Without this, [`on_settings`](Self::on_settings) or
    /// [`settings_keys`](Self::settings_keys) settings come from the program alone.
    ///
    /// A document from a server that is not signed and would end all communication is refused, unless a hook accepts it: no
    /// server could take it back.
    #[must_use]
    pub fn accept_settings(mut self) -> Self {
        self.rules.takes = true;
        self
    }

    /// Asked on the client's thread about each settings document of a server that is well-formed and, where there are
    /// [keys](Self::settings_keys), signed. A panic in it counts as a refusal.
    #[must_use]
    pub fn on_settings(mut self, hook: impl FnMut(&OfferedSettings<'_>) -> Consent + Send + 'static) -> Self {
        self.settings_hook = Some(Box::new(hook));
        self.accept_settings()
    }

    /// Takes a settings document of a server only when one of these Ed25519 public keys has signed it, and then also from a
    /// server that was not verified, unless the settings in force say otherwise.
    ///
    /// The answer carries the signature in `Homing-Signature`, in Base64, over the line `homing settings 1`, its line feed, and
    /// the bytes of the document, which must have a `serial` higher than the last one that was in force, or be that one. `audience`:
    /// the document must be for it. A `serial` of the program's own settings is a lower bound from the first start on. No key at
    /// all: every document of a server is refused.
    #[must_use]
    pub fn settings_keys(mut self, keys: impl IntoIterator<Item = [u8; 32]>, audience: Option<&str>) -> Self {
        self.rules.keys = Some(keys.into_iter().collect());
        self.rules.audience = audience.map(Into::into);
        self
    }

    /// Where the files are that a server's settings may name, by plain names. Without it they may name none.
    #[must_use]
    pub fn settings_folder(mut self, folder: impl AsRef<Path>) -> Self {
        self.rules.folder = Some(folder.as_ref().to_owned());
        self
    }

    /// Where reports wait for a server; see [`Client::submit`]. Default: an outbox in memory with the usual bounds, which keeps
    /// them for the life of the client.
    ///
    /// ```
    /// # use homing::client::Client;
    /// # use homing::store::outbox::{Limits, Outbox};
    /// # fn example(settings: homing::settings::Settings, agent_id: homing::types::AgentId) {
    /// let outbox = Outbox::open("/var/lib/agent/outbox", Limits::default());
    /// let builder = Client::builder(settings, agent_id).outbox(outbox);
    /// # }
    /// ```
    #[cfg(feature = "outbox")]
    #[must_use]
    pub fn outbox(mut self, outbox: Outbox) -> Self {
        self.reports = outbox.into();
        self
    }

    /// Where on every management server the requests go. Default: below `/homing/v1`.
    #[must_use]
    pub fn paths(mut self, paths: Paths) -> Self {
        self.paths = paths;
        self
    }

    /// Fixes every random choice, for demonstrations and tests. Without it the system chooses, and
    /// a fleet that starts together spreads.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Reads the files that the settings name and what is stored of an earlier life, and starts the
    /// client's thread. It waits for the disk and the store; once it has returned, nothing of the client does. A store that
    /// cannot be read or written is no reason not to start: [`Event::MemoryIgnored`](crate::engine::Event::MemoryIgnored) and
    /// [`Event::StoreProblem`](crate::engine::Event::StoreProblem) tell of it, and
    /// [`Event::StoreRecovered`](crate::engine::Event::StoreRecovered) of its end.
    ///
    /// # Errors
    /// Nothing is running afterwards, and every hook, callback and store the builder was given is dropped.
    pub fn start(mut self) -> Result<Client, StartError> {
        let _here = self.logger.enter();
        self.check()?;
        let (proxies, routes) = Proxies::of(self.routes).map_err(|_| StartError::Routes)?;
        let seed = self.seed.map_or_else(random, Ok)?;
        let mut keeper = self.store.map(|store| Keeper::new(store, machine()));
        self.rules.given_serial = self.settings.serial();
        let (earlier, start, trust_clock) = begin(self.settings, keeper.as_mut(), &self.rules)?;
        let Earlier { memory, away, problem, floor_is_lost, problems, broken, .. } = earlier;
        let Start { prepared, name: settings_name, given, candidate, documents } = start;
        let floor_left = floor_is_lost.then(|| trust_clock.floor());
        let clock = Clock::new();
        let (started, sleep) = (clock.now(), Sleep::new(clock)?);
        let interfaces = Interfaces::new(&sleep)?;
        let setup = Setup {
            settings: Arc::clone(&prepared.settings),
            settings_id: prepared.id,
            agent: self.agent.clone(),
            tuning: Arc::new(self.tuning),
            routes,
            proxies: proxies.names(),
            settings_name,
            given,
            takes_settings: self.rules.takes_settings(),
            identity: self.identity,
        };
        let shared = Arc::new(Shared {
            process: Process::current(),
            clock,
            trust_clock: Arc::clone(&trust_clock),
            logger: self.logger,
            engine: Mutex::new(Engine::new(setup, memory, away, seed, started)),
            mail: Mutex::new(Some(Mail::at_the_start(self.location, candidate))),
            waker: sleep.waker(),
            status: self.status.clone(),
            reports: self.reports.clone(),
            callers: Callers::default(),
            credentials: self.credentials.clone(),
            events: EventQueue::default(),
            ending: Ending::default(),
        });
        let limits = Arc::new(self.limits);
        let config = Config {
            protocol: spoken(self.agent, self.paths, self.machine_id.as_deref().map(Vec::as_slice), &limits)?,
            limits,
            settings: prepared,
            clock: trust_clock,
            status: Status { cell: self.status, hook: self.hook },
            reports: self.reports,
            credential_provider: CredentialProvider::new(self.credentials, self.credentials_hook),
            proxies,
            hook: self.socket_hook,
        };
        let writer =
            keeper.map(|keeper| Writer::new(keeper, sleep.waker(), self.stack_size, shared.around_threads()));
        let worker = Worker {
            client: Client { shared: Arc::clone(&shared), owner: false },
            callback: self.callback,
            clock,
            started,
            driver: Driver::new(config, sleep.waker()),
            sleep,
            interfaces,
            writer,
            memory_problem: problem,
            store_trouble: StoreTrouble::new(problems, broken),
            floor_left,
            arrivals: Arrivals::new(self.rules, self.settings_hook),
            documents,
            thread_hook: self.thread_hook,
            drop_guard: self.drop_guard,
            end: None,
            network: None,
            ahead: None,
            stopped: false,
        };
        let thread = thread::Builder::new().name(self.thread_name).stack_size(self.stack_size);
        shared.ending.keep(quiet_threads(|| thread.spawn(move || worker.run()))?);
        Ok(Client { shared, owner: true })
    }

    /// What can be told before anything is opened.
    fn check(&self) -> Result<(), StartError> {
        self.location.as_deref().map_or(Ok(()), |location| self.settings.check_location(location))?;
        if self.stack_size < LEAST_STACK_SIZE {
            return Err(StartError::StackSize { bytes: self.stack_size });
        }
        Ok(())
    }
}

/// How servers are spoken to. Even with a fixed seed two lives must not share their idempotency keys.
fn spoken(
    agent: AgentId,
    paths: Paths,
    machine_id: Option<&[u8]>,
    limits: &Arc<Limits>,
) -> Result<Box<dyn Protocol>, StartError> {
    let instance = instance(machine_id, agent.as_str());
    Ok(Box::new(Homing::new(agent, paths, Arc::clone(limits), random()?).with_instance(instance)))
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("agent", &self.agent).finish_non_exhaustive()
    }
}

/// Random bits of the system's.
pub(crate) fn random() -> Result<u64, StartError> {
    let mut bytes = [0; 8];
    let provider = rustls::crypto::ring::default_provider();
    provider.secure_random.fill(&mut bytes).map_err(|_| StartError::NoRandomness)?;
    Ok(u64::from_le_bytes(bytes))
}
