//! A client as its program holds it: what it may ask, from any thread.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::callers::{Awaits, Callers};
use super::consent::Consent;
use super::credential_provider::CredentialsCell;
use super::credentials::{CredentialError, Credentials};
use super::ending::Ending;
use super::events::{ClientEvent, Ended, EventQueue};
use super::mail::{Mail, Message, Replaced};
use super::prepare::{PrepareError, prepare};
use super::reports::Reports;
use super::routes::{RouteChoice, RouteError, counted};
use super::status::StatusCell;
use super::trust_clock::TrustClock;
use crate::engine::{Command, Engine, NetworkChange, Snapshot};
use crate::platform::{Around, Clock, LentWaitable, Logger, Process, Waitable, Waker, logging};
use crate::settings::Settings;
use crate::types::{Call, CallAnswer, CallError, CallId, Name};

/// How long beyond its own limit a call is waited for: the client's thread ends it.
const CALL_PATIENCE: Duration = Duration::from_secs(1);

/// Called with each event, on the client's thread.
pub(super) type EventCallback = Box<dyn FnMut(&Client, &ClientEvent) + Send>;

/// Called once, at the start of the client's thread.
pub(super) type ThreadHook = Box<dyn FnOnce() + Send>;

/// An agent at work.
///
/// Dropping it is [`stop`](Self::stop) without grace, or with the grace given before.
///
/// # Its end
/// [`begin_stop`](Self::begin_stop) asks for it, [`stop`](Self::stop) asks and waits for a while,
/// [`join`](Self::join) waits as long as it takes. The first grace counts, whoever gave it.
/// The last event is [`Event::Stopped`](crate::engine::Event::Stopped). Then the client's thread drops every
/// hook, callback and store that the builder was given, and ends; all of them are gone when `join` returns.
///
/// # Fork
/// A client belongs to the process that started it. A child of that process, after `fork`, has a copy of the client and not
/// its thread: it may drop the copy, which does nothing there, and must call nothing else of it. A child that was made
/// inside a callback must not return from it.
///
/// # Logging
/// What goes wrong without being an event is logged, to [`Builder::on_log`](crate::client::Builder::on_log) or,
/// without it, to the `log` crate, with targets that begin with `homing`. That holds for everything a client does: on its
/// own thread, on those that look names up, in [`Builder::start`](crate::client::Builder::start) and inside the methods
/// of this type. No message carries a secret, the body of a heartbeat or the body of an answer. What the TLS library
/// (rustls) has to say goes to the `log` crate only.
pub struct Client {
    pub(super) shared: Arc<Shared>,
    /// The application's own client, as opposed to the one its callbacks see.
    pub(super) owner: bool,
}

/// What the application's threads and the client's have in common.
pub(super) struct Shared {
    /// Where the client's thread is.
    pub(super) process: Process,
    pub(super) clock: Clock,
    /// By which certificates are judged.
    pub(super) trust_clock: Arc<TrustClock>,
    pub(super) logger: Logger,
    pub(super) engine: Mutex<Engine>,
    /// `None` when nobody reads it any more.
    pub(super) mail: Mutex<Option<Mail>>,
    pub(super) waker: Waker,
    pub(super) status: StatusCell,
    pub(super) reports: Reports,
    pub(super) callers: Callers,
    pub(super) credentials: CredentialsCell,
    pub(super) events: EventQueue,
    pub(super) ending: Ending,
}

impl Client {
    /// What is said with every heartbeat from now on; the newest counts. Empty at first.
    ///
    /// The bytes are the product's own. A probe of a server carries none of them.
    pub fn set_status(&self, status: impl AsRef<[u8]>) {
        self.shared.status.set(status.as_ref().into());
    }

    /// What the agent shows servers from now on, instead of everything it showed them before.
    ///
    /// Credentials go with every exchange over verified TLS, and over nothing else: that a server is not
    /// shown any is logged as a warning, once for each. Servers that refused the old ones are asked
    /// again; when all had, at once. See also [`Builder::on_credentials`](crate::client::Builder::on_credentials).
    pub fn set_credentials(&self, credentials: Credentials) {
        self.change_credentials(|kept| *kept = credentials);
    }

    /// Sets one field of the credentials, and keeps the others; see [`set_credentials`](Self::set_credentials).
    ///
    /// # Errors
    /// The field cannot be sent. Nothing has changed.
    pub fn set_header(&self, name: &str, secret: impl AsRef<[u8]>) -> Result<(), CredentialError> {
        // Products say it before every exchange, and it is hardly ever news.
        if self.shared.credentials.has(name, secret.as_ref()) {
            return Ok(());
        }
        self.change_credentials(|kept| kept.set(name, secret))
    }

    /// Removes one field of the credentials; whether it was there.
    pub fn remove_header(&self, name: &str) -> bool {
        self.change_credentials(|kept| kept.remove(name))
    }

    fn change_credentials<T>(&self, change: impl FnOnce(&mut Credentials) -> T) -> T {
        let (result, changed) = self.shared.credentials.change(change);
        if changed {
            self.shared.send(Message::Command(Command::NewCredentials));
        }
        result
    }

    /// Says that the network changed. Connections are looked at, and waiting times end early.
    pub fn network_changed(&self) {
        self.shared.send(Message::Network(NetworkChange::Changed));
    }

    /// Says that the machine was suspended and runs again. The client notices by itself where its
    /// clock runs through suspend; saying it twice does no harm.
    pub fn resumed(&self) {
        self.shared.send(Message::Resumed);
    }

    /// Puts other settings in force, as a whole, and keeps those before them until an exchange through these has worked; when
    /// none does though those before still lead to a server, they come back
    /// ([`Event::SettingsRolledBack`](crate::engine::Event::SettingsRolledBack)). The server in use is kept if the new ones name it.
    ///
    /// The files they name are read before this returns; the change itself follows on the client's thread.
    ///
    /// # Errors
    /// A file cannot be read, or a certificate policy cannot be enforced. The old settings stay.
    pub fn reconfigure(&self, settings: impl Into<Arc<Settings>>) -> Result<(), PrepareError> {
        self.shared.send(Message::Reconfigure(prepare(settings.into(), &self.shared.trust_clock)?));
        Ok(())
    }

    /// Puts a location's settings in force; `None` for the group's. A name that the settings do not have means the group's
    /// as well, and [`Event::SettingsWarning`](crate::engine::Event::SettingsWarning) says so.
    pub fn set_location(&self, location: Option<&str>) {
        self.shared.send(Message::Command(Command::SetLocation(location.map(Arc::from))));
    }

    /// Uses these ways to the servers from now on, in the order in which they are tried, as [`Builder::routes`](super::Builder::routes)
    /// at the start: the user has logged in and there is another proxy, for example. The same ways change nothing; else connections
    /// made by those before end, and the server in use is asked again by these at once. No server is charged for that, and an agent
    /// that cannot be served by these looks for another server as after any failure.
    ///
    /// # Errors
    /// [`RouteError::Count`] when there is no way, or more than 8. Nothing changes then.
    pub fn set_routes(&self, routes: impl IntoIterator<Item = RouteChoice>) -> Result<(), RouteError> {
        self.shared.send(Message::Routes(counted(routes)?));
        Ok(())
    }

    /// Says something of the product's own to the management server in use, and waits for the answer; when there is no server, for one,
    /// as long as the call may take. Any answer is one, whatever its status: what that means knows the product alone.
    ///
    /// The path is below `/homing/v1/call/`. Credentials go along as with a heartbeat. A redirect is not
    /// followed. At most 4 calls are under way at once; others wait.
    ///
    /// # Errors
    /// [`CallError::Failed`] when there is no answer; a server may have taken the call all the same. All others mean that it was not
    /// made. In a callback it is refused: see [`begin_call`](Self::begin_call).
    pub fn call(&self, call: Call) -> Result<CallAnswer, CallError> {
        call.check()?;
        if self.shared.ending.is_here() {
            return Err(CallError::InCallback);
        }
        let patience = call.within + CALL_PATIENCE;
        let id = self.make_call(call, Awaits::Thread)?;
        self.shared.callers.wait(id, patience)
    }

    /// The same without waiting: the end comes as [`Event::Called`](crate::engine::Event::Called) or
    /// [`Event::CallFailed`](crate::engine::Event::CallFailed) with this number.
    ///
    /// # Errors
    /// As of [`call`](Self::call), but for those of a call that was made.
    pub fn begin_call(&self, call: Call) -> Result<CallId, CallError> {
        self.make_call(call, Awaits::Event)
    }

    fn make_call(&self, call: Call, awaits: Awaits) -> Result<CallId, CallError> {
        call.check()?;
        let id = self.shared.callers.begin(awaits)?;
        self.shared.send(Message::Call(id, Arc::new(call)));
        Ok(id)
    }

    /// Makes a heartbeat now; when no server is attached, looks for one now. Returns the number of this request, from 1.
    ///
    /// The request is done when an [`Event::Heartbeat`](crate::engine::Event::Heartbeat) comes whose
    /// [`covers`](ClientEvent::covers) is this number or more: the server has answered a heartbeat whose status was taken
    /// after the request. Until then attempts may fail and servers change; the request stands. It is never done when
    /// communication is switched off, or when the client stops before.
    ///
    /// Requests are merged. One that comes before the server may be spoken to again (its `Retry-After`, or a second
    /// after the last connection to it was begun) waits until then, together with all others, and those that come while a
    /// heartbeat is under way share the next one: twenty requests in four seconds make about five heartbeats where each
    /// needs a connection of its own. A request that a [`on_heartbeat`](crate::client::Builder::on_heartbeat) makes waits for the next
    /// heartbeat that is due.
    pub fn beat_now(&self) -> u64 {
        let number = self.shared.status.request(self.shared.ending.is_here());
        self.shared.send(Message::Command(Command::BeatNow));
        number
    }

    /// The product has taken the policy of this entity tag over for good. Until then a policy that an
    /// [`Event::Policy`](crate::engine::Event::Policy) brought is brought again by the next life of the agent; from then on
    /// it is not, and a server that still has it is not asked for it. At most 256 bytes; an empty or longer tag does nothing.
    /// Remembered where there is a store.
    pub fn confirm_policy(&self, tag: &str) {
        self.shared.send(Message::Command(Command::ConfirmPolicy(tag.into())));
    }

    /// Decides about settings of this entity tag that wait since a [hook](super::Builder::on_settings) said [`Consent::Later`].
    /// Does nothing when others wait, or none.
    pub fn decide_settings(&self, tag: &str, consent: Consent) {
        self.shared.send(Message::Decide(tag.into(), consent));
    }

    /// Another user uses the machine, or none: the agent registers again and says so, 10 s after the last registration began at the
    /// earliest. Of several changes until then the last is told. A client that was started without an
    /// [identity](super::Builder::identity) has one from now on.
    pub fn user_changed(&self, user: Option<Name>) {
        self.shared.send(Message::Command(Command::UserChanged(user)));
    }

    /// Finds out now where the machine is: asks the reference servers, whatever is known already. What they said
    /// comes as [`Event::Round`](crate::engine::Event::Round).
    pub fn probe_now(&self) {
        self.shared.send(Message::Command(Command::ProbeNow));
    }

    /// How things stand.
    pub fn snapshot(&self) -> Snapshot {
        let snapshot = self.shared.engine().snapshot(self.shared.clock.now());
        Snapshot { reports: self.shared.reports.accounts(), ..snapshot }
    }

    /// How things stand, in words: why this server, why not a better one, and what happens when.
    pub fn explain(&self) -> String {
        self.snapshot().explain()
    }

    /// The next event; waits for one at most this long. `Ok(None)`: none came in time, and the client goes on.
    ///
    /// At most 1,024 events wait. When they are not fetched, events that tell of progress make room,
    /// the oldest first; of changes of state the newest of each kind stays; commands and contents go last. Of the bodies that come with
    /// them at most 8 MiB wait, or the newest; older ones are dropped and counted
    /// ([`lost_bodies`](Self::lost_bodies)), and their events stay.
    ///
    /// With an event callback none ever comes. On the client's own thread, where events come from, it does not wait.
    ///
    /// # Errors
    /// The client has stopped, and every event was fetched. It returns at once then, and always will.
    pub fn next_event_timeout(&self, timeout: Duration) -> Result<Option<ClientEvent>, Ended> {
        let timeout = if self.shared.ending.is_here() { Duration::ZERO } else { timeout };
        self.shared.events.next(timeout)
    }

    /// What a loop of the program's own can wait on: a descriptor that is ready to be read, on Windows an event
    /// object that is signalled, while events wait to be fetched, [`Event::Stopped`](crate::engine::Event::Stopped)
    /// among them, and at no other time. With an event callback that is never.
    ///
    /// It is level-triggered: if you fetch one event and leave the others, it is ready again. It is only to be
    /// waited on; nothing may be read from it. Each call gives a descriptor of your own, which you close: it borrows nothing of the
    /// client, and says nothing any more once the client is dropped. Programs that are started do not inherit it.
    /// `examples/tokio` waits on it in a program on tokio.
    ///
    /// # Errors
    /// The system has no descriptor left. The next call tries again.
    pub fn waitable(&self) -> io::Result<Waitable> {
        self.lent_waitable()?.try_clone_to_owned()
    }

    /// The same for C: it is made when it is first asked for, and is the same from then on.
    pub(crate) fn lent_waitable(&self) -> io::Result<LentWaitable<'_>> {
        self.shared.events.waitable()
    }

    /// How many events had to make room for newer ones because nobody fetched them.
    pub fn lost_events(&self) -> u64 {
        self.shared.events.lost()
    }

    /// How many bodies of answers had to make room: because the program did not fetch the events they came with, or because larger ones
    /// than 16 MiB in all waited for a search to end (only where [`Limits::body_bytes`](crate::client::Limits) was raised). Their
    /// events say `None` for the body.
    pub fn lost_bodies(&self) -> u64 {
        self.shared.events.lost_bodies()
    }

    /// Whether the client has stopped and all its events were fetched: from now on
    /// [`next_event_timeout`](Self::next_event_timeout) returns [`Ended`] at once. With an event callback: whether the client has
    /// stopped. Its thread may still be about to end; [`join`](Self::join) waits for that.
    pub fn has_ended(&self) -> bool {
        self.shared.events.has_ended()
    }

    /// Asks for the end and returns at once. An exchange under way may take until the end of the grace.
    ///
    /// The first grace counts: nothing that is called later, also not [`stop`](Self::stop) and the drop,
    /// makes it longer or shorter.
    pub fn begin_stop(&self, grace: Duration) {
        if self.shared.ending.ask(grace) {
            self.shared.send(Message::Stop(grace));
        }
    }

    /// Stops for good: [`begin_stop`](Self::begin_stop), and then waits for the end.
    ///
    /// Returns when the client's thread has ended, except on that thread itself, where it returns at
    /// once. It never waits for a name look-up, and for a callback that does not return at most five
    /// seconds beyond the first grace; that the thread is then left behind is logged as an error.
    pub fn stop(&self, grace: Duration) {
        self.begin_stop(grace);
        let _here = self.shared.logger.enter();
        if !self.shared.ending.is_here() && !self.shared.ending.wait(Duration::ZERO) {
            logging::record!(Error, "the client's thread is held up in a callback and is left behind");
        }
    }

    /// Waits at most this long until the client's thread has ended; whether it has. It asks for nothing. On the client's
    /// own thread it returns at once.
    pub fn join_timeout(&self, timeout: Duration) -> bool {
        !self.shared.ending.is_here() && self.shared.ending.wait_for(timeout)
    }

    /// Waits until the client's thread has ended, however long a callback holds it up. It asks for
    /// nothing: without [`begin_stop`](Self::begin_stop) it may wait for ever.
    ///
    /// On the client's own thread it returns at once. Any number of threads may wait. When it has waited for
    /// five seconds and five seconds have passed since the grace, a warning is logged, once.
    pub fn join(&self) {
        let _here = self.shared.logger.enter();
        if !self.shared.ending.is_here() {
            self.shared.ending.wait_patiently(|| {
                logging::record!(Warn, "the client's thread is held up in a callback; its end is waited for");
            });
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // In a child there is no thread to wait for, and locks may be held for ever.
        if self.owner && self.shared.process.is_current() {
            self.stop(Duration::ZERO);
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Shared {
    /// What threads beside the client's own need to have around them: what the application does there must not wait for the
    /// client's end, and what is logged there is the client's.
    pub(super) fn around_threads(self: &Arc<Self>) -> Around {
        let shared = Arc::clone(self);
        Arc::new(move |work| {
            shared.ending.began_here();
            let _here = shared.logger.enter();
            work();
        })
    }

    pub(super) fn send(&self, message: Message) {
        let replaced = self.mail().as_mut().and_then(|mail| mail.push(message));
        let _here = self.logger.enter();
        if let Some(Replaced { message, count }) = replaced {
            drop(message);
            logging::record!(
                Debug,
                "the loop is busy: a request made way for a newer one of its kind, {count} so far"
            );
        }
        self.waker.wake();
    }

    pub(super) fn take_mail(&self) -> Vec<Message> {
        self.mail().as_mut().map(Mail::take).unwrap_or_default()
    }

    /// What is sent from now on is dropped: a client that has ended must not grow.
    pub(super) fn close_mail(&self) {
        // Outside of the lock: what is in it may take a while to be dropped.
        let rest = self.mail().take();
        drop(rest);
    }

    fn mail(&self) -> MutexGuard<'_, Option<Mail>> {
        self.mail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
