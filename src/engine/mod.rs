//! Every decision homing makes, and nothing else: no clock, no thread, no socket.
//!
//! The engine is a value. Time and randomness come in as arguments, what it wants done comes out as
//! [`Action`]s, and what became of them goes in as [`Input`]s. So the same engine runs on the
//! thread of a [`Client`](crate::client::Client), in the event loop of a product that owns its
//! sockets, and a hundred thousand times over in a simulation.
//!
//! ```text
//!             Input                       Event  (tell the application)
//!               │                           ▲
//!               ▼                           │
//!   network ─► attachment ─► agenda ────────┤
//!      whom     which          what is      │
//!    to blame   server         said, when   ▼
//!                                         Action (do this to the world)
//! ```
//! Facts flow from left to right; only needs (a heartbeat, a stream) go back, once per input.
//! Between `attachment` and `agenda` there will stand `location` (am I inside?) and `trial` (do the
//! new settings work?): both only listen to facts and give settings in force.

mod agenda;
mod attachment;
mod chance;
mod context;
mod event;
mod explain;
mod io;
mod memory;
mod network;
mod queue;
mod snapshot;
mod tuning;

use std::sync::Arc;

pub use event::{Event, Next, Told, Why};
pub use io::{Action, Command, Ending, Input, MAX_ADDRESSES, NetworkChange};
pub use memory::{Away, LeftOut, LeftOutReason, Memory, Proven, ServerMemory};
pub use snapshot::{ServerSnapshot, Snapshot, State};
pub use tuning::{BadTuning, Tuning};

use agenda::{Agenda, Need};
use attachment::Attachment;
use chance::Chance;
use context::Context;
use network::Network;
use queue::Queue;

use crate::settings::Settings;
use crate::words::{AgentId, Moment, Route};

/// Two or three rounds settle everything; a bound keeps a mistake from becoming an endless loop in somebody's process.
const MOST_ROUNDS: usize = 16;

/// What an engine is made of.
#[derive(Clone, Debug)]
pub struct Setup {
    /// What an administrator wrote.
    pub settings: Arc<Settings>,
    /// Who this agent is. Decides its own server and the phase of its heartbeats.
    pub agent: AgentId,
    /// The constants of the rules.
    pub tuning: Arc<Tuning>,
    /// The ways to the servers, tried in this order inside one attempt, beginning with the one that last
    /// worked on the present network. Empty is the same as [`Route::Direct`] alone.
    pub routes: Arc<[Route]>,
}

impl Setup {
    /// An engine with the default constants that goes directly to the servers.
    pub fn new(settings: Arc<Settings>, agent: AgentId) -> Self {
        Self { settings, agent, tuning: Arc::default(), routes: Arc::from([Route::Direct]) }
    }
}

/// One agent: which server, when, and whether to believe it.
///
/// The methods are of four kinds: [`handle`](Self::handle) takes what the world says; the `poll_*`
/// take out what the engine decided; [`deadline`](Self::deadline) says when to come back; the rest
/// only look. Everything may be drained in any order and at any time: draining late is safe.
///
/// An engine is `Send` and belongs to one thread at a time. It never panics and never blocks.
#[derive(Debug)]
pub struct Engine {
    agent: AgentId,
    tuning: Arc<Tuning>,
    settings: Arc<Settings>,
    location: Option<Arc<str>>,
    now: Moment,
    chance: Chance,
    queue: Queue,
    network: Network,
    attachment: Attachment,
    agenda: Agenda,
    memory: Memory,
    memory_version: u64,
    /// What the memory was when it was last asked to be stored, in a number; `None` when it could not be.
    memory_digest: Option<u64>,
}

/// What a deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Wake {
    /// Actions or events wait to be drained.
    Drain,
    /// A limit, a start, a probe or the end of a wait.
    Attachment,
    /// A heartbeat or a stream is due.
    Agenda,
}

impl Engine {
    /// Makes an engine. Nothing happens before the first [`Input::Timeout`].
    ///
    /// `memory` is what an earlier engine asked to be remembered, `away` how long ago that was; a new
    /// agent gives the defaults. Two engines with one seed and one sequence of inputs decide alike.
    pub fn new(setup: Setup, memory: Memory, away: Away, seed: u64, now: Moment) -> Self {
        let Setup { settings, agent, tuning, routes } = setup;
        let (mut chance, mut queue, mut network) = (Chance::new(seed), Queue::default(), Network::default());
        let effective = settings.effective(None);
        let start = now + chance.up_to(tuning.attachment.startup_spread);
        let mut attachment = Attachment::new(agent.clone(), settings.clone(), routes, start);
        let mut cx =
            Context { now, chance: &mut chance, queue: &mut queue, tuning: &tuning, network: &mut network };
        let agenda = Agenda::new(&agent, &effective, &cx);
        attachment.install(&mut cx, &effective);
        attachment.restore(&memory, away, now);
        warn(&mut cx, &settings);
        let memory_digest = Some(attachment.memory_digest(now));
        Self {
            agent,
            settings,
            location: None,
            now,
            attachment,
            agenda,
            memory,
            memory_version: 0,
            memory_digest,
            chance,
            queue,
            network,
            tuning,
        }
    }

    // --- getters ---

    /// When to call `handle(now, Input::Timeout)`, and why; `None` when nothing is ever due.
    ///
    /// While something waits to be drained this is the time of the last input; once all is drained
    /// it lies in the future.
    pub fn deadline(&self) -> Option<(Moment, Wake)> {
        if !self.queue.is_empty() {
            return Some((self.now, Wake::Drain));
        }
        let attachment =
            self.attachment.deadline(self.now, &self.tuning.attachment).map(|at| (at, Wake::Attachment));
        let agenda = self.agenda.deadline().map(|at| (at, Wake::Agenda));
        attachment.into_iter().chain(agenda).min_by_key(|(at, _)| *at)
    }

    /// What must outlive the process, as of the last [`Action::Remember`].
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Where the agent stands at this moment and why. [`Snapshot::explain`] puts it into words.
    pub fn snapshot(&self, now: Moment) -> Snapshot {
        let now = self.now.max(now);
        let next_heartbeat = self.agenda.next_heartbeat().map(|at| event::span(at.after(now)));
        let stale_inputs = self.queue.stale_inputs;
        Snapshot { next_heartbeat, stale_inputs, ..self.attachment.snapshot(now) }
    }

    // --- handle ---

    /// Takes what the world says. Infallible: an input that names something the engine has given up,
    /// or never had, changes nothing and is counted; once stopped, everything is ignored. Time never runs
    /// back: an earlier `now` counts as the last one.
    pub fn handle(&mut self, now: Moment, input: Input<'_>) {
        self.now = self.now.max(now);
        if self.attachment.state() == State::Stopped {
            return;
        }
        let Self { chance, queue, network, tuning, attachment, agenda, .. } = self;
        let cx = &mut Context { now: self.now, chance, queue, tuning, network };
        match input {
            Input::Timeout => {}
            Input::Network(change) => {
                cx.network.change(change, &cx.tuning.network);
                attachment.network_changed(cx, change);
            }
            Input::Resumed => attachment.resumed(cx),
            Input::ClockStepped => attachment.clock_stepped(cx),
            // Nothing waits for the memory yet; settings on trial will.
            Input::Remembered(_) => {}
            Input::CannotRemember(version) => {
                // Asked again as soon as something happens that might be worth it.
                if version == self.memory_version {
                    self.memory_digest = None;
                }
                cx.tell(Event::CannotRemember { version });
            }
            Input::Command(Command::BeatNow) => attachment.beat_now(cx),
            Input::Command(Command::NewCredentials) => attachment.new_credentials(cx),
            Input::Command(Command::Stop { grace }) => attachment.stop(cx, grace),
            Input::Command(Command::Reconfigure(settings)) => {
                self.settings = settings;
                warn(cx, &self.settings);
                let effective = self.settings.effective(self.location.as_deref());
                attachment.reconfigure(cx, Some(self.settings.clone()), &effective);
                agenda.reconfigure(cx, &self.agent, &effective);
            }
            Input::Command(Command::SetLocation(location)) => {
                self.location = location;
                let effective = self.settings.effective(self.location.as_deref());
                attachment.reconfigure(cx, None, &effective);
                agenda.reconfigure(cx, &self.agent, &effective);
            }
            Input::Resolved { .. }
            | Input::Connected { .. }
            | Input::Secured { .. }
            | Input::Lost { .. }
            | Input::FirstByte { .. }
            | Input::Done { .. }
            | Input::Told { .. } => {
                if !attachment.handle(cx, input) {
                    cx.queue.stale_inputs += 1;
                }
            }
        }
        // What is decided may make the next thing due at once: a move that waited for a beat to end, say.
        for _ in 0..MOST_ROUNDS {
            exchange_facts(cx, attachment, agenda);
            attachment.tick(cx);
            let due = attachment.deadline(cx.now, &cx.tuning.attachment).into_iter().chain(agenda.deadline());
            if due.min().is_none_or(|due| due > cx.now) {
                break;
            }
        }
        exchange_facts(cx, attachment, agenda);
        self.remember();
    }

    /// The next thing to do to the world.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.queue.poll_action()
    }

    /// The next thing to tell the application.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.queue.poll_event()
    }

    // --- helpers ---

    /// Asks for the memory to be stored when it changed in a way that matters: a write wears a disk out and wakes it up.
    fn remember(&mut self) {
        if !self.attachment.take_memorable() {
            return;
        }
        let digest = Some(self.attachment.memory_digest(self.now));
        if self.memory_digest == digest {
            return;
        }
        self.memory_digest = digest;
        self.memory = self.attachment.memory(self.now);
        self.memory_version += 1;
        self.queue.act(Action::Remember { version: self.memory_version });
    }
}

/// Facts go to the agenda, its needs go back to the attachment: once.
fn exchange_facts(cx: &mut Context<'_>, attachment: &mut Attachment, agenda: &mut Agenda) {
    hear(cx, attachment, agenda);
    while let Some(need) = agenda.poll_need(cx.now) {
        match need {
            Need::Beat => {
                agenda.asked(cx);
                attachment.beat(cx);
            }
            Need::Stream => attachment.open_stream(cx),
            Need::NoStream => attachment.end_stream(cx, Ending::Reconfigured),
        }
    }
    hear(cx, attachment, agenda);
    attachment.settle(cx, agenda.next_heartbeat());
}

fn hear(cx: &mut Context<'_>, attachment: &mut Attachment, agenda: &mut Agenda) {
    while let Some(fact) = attachment.poll_fact() {
        agenda.hear(cx, fact);
    }
}

/// What an administrator should know of settings that are now in force.
fn warn(cx: &mut Context<'_>, settings: &Settings) {
    for lint in settings.lint() {
        cx.tell(Event::SettingsWarning { warning: lint.to_string() });
    }
}

#[cfg(all(test, target_pointer_width = "64"))]
mod tests {
    use super::*;

    #[test]
    fn every_part_stays_small() {
        for (part, size, most) in [
            ("network", size_of::<Network>(), 16),
            ("attachment", size_of::<Attachment>(), 384),
            ("agenda", size_of::<Agenda>(), 128),
            ("queue", size_of::<Queue>(), 80),
            ("memory", size_of::<Memory>(), 32),
            ("action", size_of::<Action>(), 80),
            ("event", size_of::<Event>(), 64),
        ] {
            assert!(size <= most, "{part}: {size} bytes");
        }
    }
}
