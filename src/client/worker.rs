//! The loop of the client's thread: hear the world, tell the engine, do what it asks, sleep.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, SystemTime};

use super::arrival::{Arrivals, Judged};
use super::arrived::{Arrived, Ready};
use super::beginning;
use super::callers::Awaits;
use super::documents::{Before, Documents};
use super::driver::{Driver, Heard};
use super::mail::Message;
use super::store_trouble::StoreTrouble;
use super::stored::Value;
use super::writer::{Writer, Written};
use super::{Client, ClientEvent, EventCallback, Shared, ThreadHook};
use crate::engine::{Action, Command, Event, NetworkChange};
use crate::net::Link;
use crate::platform::{self, Clock, Interfaces, Interfered, Sleep, callback, logging};
use crate::trust::Timestamp;
use crate::types::{Moment, NetworkId, ServerId};

/// A wake this much after its moment was no sleep of ours: the machine was suspended, or the process
/// stopped. No scheduler is that late.
const RESUME: Duration = Duration::from_secs(5);

/// A wall clock that moved by this much against the other was set. What keeps it in step moves it by seconds.
const STEP: Duration = Duration::from_secs(60);

/// What the loop grants the engine beyond the grace before it ends by itself.
const PATIENCE: Duration = Duration::from_secs(1);

/// Everything that belongs to the client's thread.
pub(super) struct Worker {
    pub(super) client: Client,
    pub(super) callback: Option<EventCallback>,
    pub(super) clock: Clock,
    pub(super) started: Moment,
    pub(super) sleep: Sleep,
    pub(super) interfaces: Interfaces,
    pub(super) driver: Driver,
    /// None when nothing is to outlive the process.
    pub(super) writer: Option<Writer>,
    pub(super) store_trouble: StoreTrouble,
    /// The floor of the clock, when it could not be stored: tried again with the next heartbeat.
    pub(super) floor_left: Option<Timestamp>,
    /// Why what an earlier life remembered is not used.
    pub(super) memory_problem: Option<String>,
    pub(super) arrivals: Arrivals,
    /// Where settings documents are stored.
    pub(super) documents: Documents,
    pub(super) thread_hook: Option<ThreadHook>,
    /// What has to outlive everything the application gave.
    pub(super) drop_guard: Option<Box<dyn Send>>,
    /// When the loop ends even if the engine does not.
    pub(super) end: Option<Moment>,
    /// Which network the machine is on, as far as the system knows.
    pub(super) network: Option<NetworkId>,
    /// Seconds by which the wall clock was ahead of the client's when it last woke.
    pub(super) ahead: Option<i64>,
    pub(super) stopped: bool,
}

impl Worker {
    /// Runs until the engine has stopped. A panic ends it too, but goes no further.
    pub(super) fn run(mut self) {
        self.client.shared.ending.began_here();
        let logger = self.client.shared.logger.clone();
        let _here = logger.enter();
        if let Some(hook) = self.thread_hook.take() {
            callback::call("the thread hook", "the client goes on", hook);
        }
        match catch_unwind(AssertUnwindSafe(|| self.turns())) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                logging::record!(Error, "the client ends: the system can no longer wait for sockets: {error}")
            }
            Err(_) => {
                logging::record!(Error, "the client ends: its thread panicked, which is a fault of homing")
            }
        }
        if !self.stopped {
            self.deliver(Event::Stopped {});
        }
        self.end();
    }

    /// Drops what the application gave, and says so.
    fn end(self) {
        let Self { client, callback, driver, writer, drop_guard, .. } = self;
        let_go(|| drop(callback));
        let_go(|| drop(writer.and_then(Writer::close)));
        let_go(|| driver.close());
        let_go(|| client.shared.callers.close());
        let_go(|| client.shared.reports.keep());
        let_go(|| client.shared.logger.close());
        client.shared.close_mail();
        let_go(|| drop(drop_guard));
        client.shared.events.close();
        client.shared.ending.finish();
    }

    fn turns(&mut self) -> io::Result<()> {
        if let Some(detail) = self.memory_problem.take() {
            self.deliver(Event::MemoryIgnored { detail });
        }
        for problem in self.store_trouble.at_the_start() {
            self.deliver(Event::StoreProblem { problem });
        }
        if self.interfaces.begins_unplugged() {
            self.driver.hear(Heard::Network(NetworkChange::Gone));
        }
        self.look_which_network();
        while !self.stopped {
            // What was submitted before a stop was asked for is known before it.
            self.driver.look_at_outbox(self.clock);
            self.read_mail();
            self.hear_writer();
            self.driver.step(self.sleep.registry(), self.clock.now());
            self.watch_time();
            self.tell_engine();
            if self.driver.is_pending() && !self.stopped {
                // What the engine asked for leaves at once, without a look at the sockets before. Once only:
                // a peer that sends without end must not keep the others from their turn.
                self.driver.step(self.sleep.registry(), self.clock.now());
                self.tell_engine();
            }
            if let Some(look) = self.driver.look_at_files(self.clock.now()) {
                look.begin(&self.client.shared);
            }
            if !self.stopped {
                self.interfaces.learn(self.driver.peers());
                self.wait()?;
            }
        }
        Ok(())
    }

    /// Which network this is. The system may know only after a packet has left.
    fn look_which_network(&mut self) {
        self.network = platform::network();
        self.driver.hear(Heard::OnNetwork(self.network));
    }

    /// What the application wants.
    fn read_mail(&mut self) {
        for message in self.client.shared.take_mail() {
            let heard = match message {
                Message::Command(command) => Heard::Command(command),
                Message::Network(change) => {
                    self.look_which_network();
                    Heard::Network(change)
                }
                Message::Resumed => Heard::Resumed,
                Message::Call(id, call) => {
                    self.driver.call(id, call);
                    continue;
                }
                Message::Routes(choices) => {
                    self.driver.set_routes(choices);
                    continue;
                }
                Message::Reconfigure(prepared) => {
                    let name = beginning::named(&prepared.settings);
                    self.arrivals.rules.given_serial = prepared.settings.serial();
                    self.try_settings(Ready { prepared, name, given: true });
                    continue;
                }
                Message::Arrived(Arrived { tag, ready }) => {
                    let shared = &self.client.shared;
                    self.arrivals.prepared(&shared.trust_clock, shared);
                    match ready {
                        Ok(ready) => self.try_settings(ready),
                        Err(reason) => self.deliver(Event::SettingsRefused { tag, detail: reason }),
                    }
                    continue;
                }
                Message::Decide(tag, consent) => {
                    if let Some(judged) = self.arrivals.decide(&tag, consent) {
                        self.judged(tag, judged);
                    }
                    continue;
                }
                Message::Reread(found) => {
                    for command in self.driver.reread(found) {
                        self.driver.hear(Heard::Command(command));
                    }
                    continue;
                }
                Message::Stop(grace) => {
                    self.end.get_or_insert(self.clock.now() + grace + PATIENCE);
                    Heard::Command(Command::Stop { grace })
                }
            };
            self.driver.hear(heard);
        }
    }

    /// Puts settings on trial. Their document is stored before the memory that names them.
    fn try_settings(&mut self, ready: Ready) {
        if let Some(name) = &ready.name {
            self.documents.came(name.digest.clone(), Arc::clone(&ready.prepared.settings));
        }
        let command = self.driver.try_settings(ready);
        self.driver.hear(Heard::Command(command));
    }

    /// A server sent settings: they are judged, prepared, and put on trial.
    fn arrived(&mut self, server: &ServerId, tag: &Arc<str>, text: Option<&[u8]>, signature: Option<&str>) {
        let Some(text) = text else { return };
        let known = self.client.shared.engine().memory().settings.clone();
        let judged = self.arrivals.rules.judge(tag.clone(), text, signature, known.as_deref());
        let judged = match judged {
            Ok(judged) => self.arrivals.consent(server, text, judged),
            Err(reason) => Some(Err(reason)),
        };
        if let Some(judged) = judged {
            self.judged(tag.clone(), judged);
        }
    }

    fn judged(&mut self, tag: Arc<str>, judged: Result<Judged, String>) {
        match judged {
            Ok(judged) => {
                let shared = &self.client.shared;
                self.arrivals.prepare(judged, &shared.trust_clock, shared);
            }
            Err(reason) => self.deliver(Event::SettingsRefused { tag: Some(tag), detail: reason }),
        }
    }

    /// Results that came with the end of a time limit are heard before it.
    fn watch_time(&mut self) {
        let now = self.clock.now();
        if self.client.shared.engine().deadline().is_some_and(|(deadline, _)| deadline <= now) {
            self.driver.hear(Heard::Timeout);
        }
        if let Some(change) = self.interfaces.change(now, self.driver.peers()) {
            let change = match change {
                Interfered::Changed => NetworkChange::Changed,
                Interfered::Elsewhere => NetworkChange::Elsewhere,
                Interfered::Returned => NetworkChange::Returned,
                Interfered::Gone => NetworkChange::Gone,
            };
            logging::record!(Debug, "the network changed: {change:?}");
            self.look_which_network();
            self.driver.hear(Heard::Network(change));
        }
        if self.end.is_some_and(|end| end <= now) {
            self.deliver(Event::Stopped {});
        }
    }

    /// Tells the engine all that was heard, one by one, and does what it asks for after each.
    fn tell_engine(&mut self) {
        while let Some(heard) = self.driver.next() {
            let now = self.clock.now();
            let shared = Arc::clone(&self.client.shared);
            self.driver.emit(heard, |input| shared.engine().handle(now, input));
            // The engine is free while something is done or told: the application may look at it from its callback.
            while let Some(action) = shared.poll_action() {
                if let Action::Remember { version } = action {
                    self.remember(version);
                } else {
                    self.driver.perform(action, now);
                }
            }
            while let Some(event) = shared.poll_event() {
                self.deliver(event);
            }
            self.driver.settle();
        }
        while let Some(notice) = self.driver.notice() {
            self.deliver(notice);
        }
        if let Some(floor) = self.driver.risen_floor() {
            self.keep_floor(floor);
        }
    }

    /// Has stored what the engine remembers. It hears of it when that is done; no disk is waited for.
    fn remember(&mut self, version: u64) {
        let Some(writer) = &mut self.writer else { return self.driver.hear(Heard::Remembered(version)) };
        let memory = self.client.shared.engine().memory().clone();
        let Before { documents, needs } = self.documents.remembers(version, memory.settings.as_deref());
        for (place, text) in documents {
            writer.write(Value::Document { place, text });
        }
        writer.write(Value::Memory { version, memory, at: SystemTime::now(), needs });
    }

    /// Has the floor of the clock stored.
    fn keep_floor(&mut self, floor: Timestamp) {
        self.floor_left = None;
        if let Some(writer) = &mut self.writer {
            writer.write(Value::Floor(floor));
        }
    }

    /// What became of what was to be stored.
    fn hear_writer(&mut self) {
        for written in self.writer.as_ref().map(Writer::written).unwrap_or_default() {
            let news = self.store_trouble.note(&written);
            match written {
                Written::Memory { version, result: Ok(()) } => {
                    self.documents.stored(version);
                    self.driver.hear(Heard::Remembered(version));
                }
                Written::Memory { version, result: Err(_) } => {
                    self.driver.hear(Heard::CannotRemember(version))
                }
                Written::Document { place, result: Err(_) } => self.documents.failed(place),
                Written::Floor { floor, result: Err(_) } => self.floor_left = Some(floor),
                Written::Floor { result: Ok(()), .. } | Written::Document { result: Ok(()), .. } => {}
            }
            if let Some(event) = news {
                self.deliver(event);
            }
        }
    }

    /// Waits until all is stored that is to be, as long as the end may take, and tells what could not be.
    fn store_the_rest(&mut self) {
        let left = self.end.map_or(PATIENCE, |end| end.after(self.clock.now()));
        let Some(writer) = &self.writer else { return };
        writer.flush(left);
        for written in writer.written() {
            let news = self.store_trouble.note(&written);
            // The engine, which tells this of itself, has stopped.
            if let (Written::Memory { version, result: Err(_) }, Some(_)) = (&written, &news) {
                self.deliver(Event::CannotRemember { version: *version });
            }
            if let Some(event) = news {
                self.deliver(event);
            }
        }
    }

    fn deliver(&mut self, event: Event) {
        if self.stopped {
            return;
        }
        if matches!(event, Event::Stopped {}) {
            // The last event is told when nothing more is done.
            self.store_the_rest();
        }
        let is_heartbeat = matches!(event, Event::Heartbeat { .. });
        if let Some(floor) = self.floor_left.filter(|_| is_heartbeat) {
            self.keep_floor(floor);
        }
        if matches!(event, Event::Attached { .. }) && self.network.is_none() {
            self.look_which_network();
        }
        self.stopped = matches!(event, Event::Stopped {});
        let has_body = is_heartbeat
            || matches!(
                event,
                Event::Policy { .. } | Event::Settings { .. } | Event::Notice { .. } | Event::Called { .. }
            );
        let adopted = if has_body { self.driver.adopted() } else { None };
        let covers = adopted.as_ref().map_or(0, |adopted| adopted.covers);
        if is_heartbeat && adopted.is_some() && self.client.shared.status.wants_more(covers) {
            // Asked for when this one had its status already: the next one is for that.
            self.driver.hear(Heard::Command(Command::BeatNow));
        }
        if adopted.as_ref().is_some_and(|adopted| adopted.body.is_none()) {
            self.client.shared.events.body_lost();
        }
        let settings = if let Event::Settings { server, tag } = &event {
            Some((server.clone(), tag.clone()))
        } else {
            None
        };
        let (body, signature) = adopted.map_or((None, None), |adopted| (adopted.body, adopted.signature));
        let text = if settings.is_some() { body.clone() } else { None };
        if let Some((call, awaits)) = self.client.shared.callers.hear(&event, body.as_ref()) {
            self.driver.forget_call(call);
            if awaits == Awaits::Thread {
                return;
            }
        }
        let event = ClientEvent { at: self.clock.now().since(self.started), event, body, covers };
        match &mut self.callback {
            None => self.client.shared.events.push(event),
            Some(told) => {
                callback::call("the event callback", "the client goes on", || told(&self.client, &event));
            }
        }
        if let Some((server, tag)) = settings {
            self.arrived(&server, &tag, text.as_deref(), signature.as_deref());
        }
    }

    /// Seconds by which the wall clock is ahead of the client's.
    fn wall_ahead(&self) -> i64 {
        let seconds = |duration: Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
        let wall = match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => seconds(since),
            Err(before) => seconds(before.duration()).saturating_neg(),
        };
        wall.saturating_sub(seconds(self.clock.now().since(Moment::ORIGIN)))
    }

    /// Stands still until there is something to do.
    fn wait(&mut self) -> io::Result<()> {
        let engine = self.client.shared.engine().deadline().map(|(deadline, _)| deadline);
        let deadline = [engine, self.driver.deadline(), self.interfaces.deadline(), self.end]
            .into_iter()
            .flatten()
            .min();
        let before = self.clock.now();
        let until = if self.driver.is_pending() { Some(before) } else { deadline };
        let was_ahead = self.ahead.unwrap_or_else(|| self.wall_ahead());
        self.sleep.until(until)?;
        let ahead = self.wall_ahead();
        self.ahead = Some(ahead);
        if ahead.abs_diff(was_ahead) > STEP.as_secs() {
            self.driver.hear(Heard::ClockStepped);
        }
        if was_suspended(deadline, before, self.clock.now()) {
            self.driver.hear(Heard::Resumed);
        }
        self.interfaces.hear(&self.sleep, self.clock);
        for token in self.sleep.ready() {
            self.driver.ready(Link::of_token(token));
        }
        Ok(())
    }
}

/// Whether a sleep from `before` until `now` was no sleep of ours. Measured from the sleep, not from
/// the deadline alone: a callback that took its time is no suspend.
fn was_suspended(deadline: Option<Moment>, before: Moment, now: Moment) -> bool {
    deadline.is_some_and(|deadline| now.since(deadline.max(before)) > RESUME)
}

/// A panic in a drop of the application's keeps nobody from the end.
fn let_go(drop: impl FnOnce()) {
    callback::call("dropping what the application gave", "the client ends all the same", drop);
}

impl Shared {
    /// The engine; whoever holds this must not call the application.
    pub(super) fn engine(&self) -> std::sync::MutexGuard<'_, crate::engine::Engine> {
        self.engine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn poll_action(&self) -> Option<Action> {
        self.engine().poll_action()
    }

    fn poll_event(&self) -> Option<Event> {
        self.engine().poll_event()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wake_long_after_its_moment_is_a_resume_and_a_slow_callback_is_not() {
        let at = |seconds: u64| Moment::from_nanos(seconds * 1_000_000_000);
        for (deadline, before, now, expected) in [
            (Some(100), 90, 100, false),
            (Some(100), 90, 105, false),
            (Some(100), 90, 106, true),
            (Some(100), 200, 200, false), // a callback took 100 s
            (Some(100), 200, 206, true),
            (None, 90, 10_000, false),
        ] {
            assert_eq!(
                was_suspended(deadline.map(at), at(before), at(now)),
                expected,
                "{deadline:?} {before} {now}"
            );
        }
    }
}
