//! Every decision homing makes, and nothing else: no clock, no thread, no socket.
//!
//! The engine is a value. Time and randomness come in as arguments, what it wants done comes out as
//! [`Action`]s, and what became of them goes in as [`Input`]s. So the same engine runs on the
//! thread of a [`Client`](crate::client::Client), in the event loop of a product that owns its
//! sockets, and a hundred thousand times over in a simulation.
//!
//! ```text
//!             Input                                   Event  (tell the application)
//!               │                                       ▲
//!               ▼                                       │
//!   network ─► attachment ─► location ─► schedule ──────┤
//!      whom     which          am I       what is       │
//!    to blame   server        inside?     said, when    ▼
//!                │  ▲                                 Action (do this to the world)
//!                ▼  │
//!               session: what is said to the server in use
//! ```
//! Facts flow from left to right; only needs (a heartbeat) go back, once per input, and the settings of
//! the location the agent is in. Beside `location` stands `trial` (do the new settings work?): it
//! listens to the same facts and says which settings are in force.

mod attachment;
mod captive;
mod change;
mod context;
mod event;
mod explain;
mod fact;
mod guard;
mod in_force;
mod io;
mod location;
mod memory;
mod network;
mod networks;
mod owners;
mod phase;
mod queue;
mod reason;
mod rng;
mod rung;
mod schedule;
mod sentence;
mod session;
mod setup;
mod snapshot;
mod takes_settings;
mod trial;
mod tuning;
mod wake;

use std::num::NonZeroU64;
use std::sync::Arc;

pub use event::{Event, Fullness, Next, Notice};
pub use io::{Action, Command, Ending, Input, MAX_ADDRESSES, NetworkChange, Reached, Target, Turn};
pub use location::{Asked, ControlReply, Controlled, Evidence, Finding, LocationReason, LocationSnapshot};
pub use location::{Reply, Trigger};
pub use memory::{
    Away, CandidateMemory, LeftOut, LeftOutReason, Memory, NetworkMemory, Proven, SettingsMemory,
    SettingsName,
};
pub use memory::{PushMemory, RegistrationMemory, ServerMemory, WayMemory};
pub use reason::Reason;
pub use rung::Rung;
pub use setup::Setup;
pub use snapshot::{
    RegistrationSnapshot, ServerHealth, ServerSnapshot, SettingsSnapshot, Snapshot, State, TrialSnapshot,
    Whereabouts,
};
pub use takes_settings::TakesSettings;
pub use tuning::{Tuning, TuningError};
pub use wake::Wake;

#[cfg(feature = "client")]
pub(crate) use attachment::MOST_CALLS;
use attachment::{Attachment, Then};
use context::Context;
use guard::{Guard, Present};
use in_force::InForce;
use location::Location;
use network::Network;
use owners::Owner;
use queue::Queue;
use rng::Rng;
use schedule::Schedule;
use session::Routes;
use trial::Trial;

use crate::types::{AgentId, Moment};

/// Two or three rounds settle everything; a bound keeps a mistake from becoming an endless loop in somebody's process.
const MOST_ROUNDS: usize = 16;

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
    in_force: InForce,
    now: Moment,
    rng: Rng,
    queue: Queue,
    network: Network,
    guard: Guard,
    attachment: Attachment,
    /// `None` when the settings neither name reference servers nor have locations that follow from them.
    location: Option<Box<Location>>,
    schedule: Schedule,
    trial: Trial,
    memory: Memory,
    memory_version: u64,
    /// What the memory was when it was last asked to be stored, in a number; `None` when it could not be.
    memory_digest: Option<NonZeroU64>,
    /// It was told that the memory cannot be stored, and it has not been since.
    memory_is_lost: bool,
    /// What is due next, as of the last input, and when.
    wake: Option<Wake>,
    due: Moment,
    /// How often facts went round for the last input.
    #[cfg(test)]
    rounds: usize,
}

impl Engine {
    /// Makes an engine. Nothing happens before the first [`Input::Timeout`].
    ///
    /// `memory` is what an earlier engine asked to be remembered, `away` how long ago that was; a new
    /// agent gives the defaults. Two engines with one seed and one sequence of inputs decide alike.
    pub fn new(setup: Setup, memory: Memory, away: Away, seed: u64, now: Moment) -> Self {
        let Setup {
            settings,
            settings_id,
            agent,
            tuning,
            routes,
            proxies,
            settings_name,
            given,
            takes_settings,
            identity,
        } = setup;
        let trial = Trial::new(settings_name, given, memory.settings.as_deref());
        let (mut rng, mut queue) = (Rng::new(seed), Queue::default());
        let (mut network, mut guard) = (Network::default(), Guard::default());
        let start = now + rng.up_to(tuning.attachment.startup_spread);
        let mut in_force = InForce::new(settings_id, settings);
        let routes = Routes::new(routes, proxies);
        let mut attachment = Attachment::new(agent.clone(), routes, takes_settings, start);
        let mut location = location::is_asked_for(in_force.settings())
            .then(|| Box::new(Location::new(&agent, now, &tuning)));
        in_force.location = location.as_ref().and_then(|location| location.fitting(in_force.settings()));
        let effective = in_force.effective();
        let mut cx = Context {
            now,
            rng: &mut rng,
            queue: &mut queue,
            tuning: &tuning,
            network: &mut network,
            in_force: &in_force,
            guard: &mut guard,
        };
        let schedule = Schedule::new(&agent, &effective, &cx);
        if let Some(location) = &mut location {
            location.set_interval(tuning.scale(effective.heartbeat_interval.value));
        }
        attachment.install(&mut cx, &effective);
        attachment.restore(&memory, away, &tuning.schedule, now);
        attachment.has_settings(trial.tag());
        if let Some(identity) = identity {
            attachment.identify(identity, now);
        }
        warn(&mut cx);
        let attached = attachment.memory_digest(&tuning.schedule, now);
        let memory_digest = Some(trial.digest(attached, &tuning.trial));
        let mut engine = Self {
            agent,
            in_force,
            now,
            attachment,
            location,
            schedule,
            trial,
            memory,
            memory_version: 0,
            memory_digest,
            memory_is_lost: false,
            rng,
            queue,
            network,
            guard,
            tuning,
            wake: None,
            due: now,
            #[cfg(test)]
            rounds: 0,
        };
        engine.note_due();
        engine
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
        self.wake.map(|wake| (self.due, wake))
    }

    /// What must outlive the process, as of the last [`Action::Remember`].
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Where the agent stands at this moment and why. [`Snapshot::explain`] puts it into words.
    pub fn snapshot(&self, now: Moment) -> Snapshot {
        let now = self.now.max(now);
        let next_heartbeat = self.schedule.next_heartbeat().map(|at| event::span(at.after(now)));
        let stale_inputs = self.queue.stale_inputs;
        let settings = self.in_force.settings();
        let location = self.location.as_ref().map(|location| LocationSnapshot {
            location: self.in_force.location.clone(),
            chosen: self.in_force.chosen.is_some(),
            ..location.snapshot(settings, now)
        });
        let list = self.in_force.effective().server_list.value.name.clone();
        let trial = self.trial.snapshot();
        Snapshot {
            next_heartbeat,
            stale_inputs,
            list,
            location,
            settings: trial,
            ..self.attachment.snapshot(settings, now)
        }
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
        let Self { rng, queue, network, guard, tuning, in_force, attachment, location, .. } = self;
        let cx = &mut Context { now: self.now, rng, queue, tuning, network, in_force, guard };
        match input {
            Input::Timeout => {}
            Input::Network(change) => {
                cx.network.change(cx.now, change, &cx.tuning.network);
                attachment.network_changed(cx, change);
                if let Some(location) = location {
                    location.network_changed(cx, change);
                }
            }
            Input::OnNetwork(network) => attachment.arrive(network),
            Input::Waiting { lane, backlog } => attachment.waiting(cx, lane, backlog),
            Input::Resumed => {
                attachment.resumed(cx);
                if let Some(location) = location {
                    location.resumed(cx);
                }
            }
            Input::ClockStepped => attachment.clock_stepped(cx),
            Input::Remembered(version) => {
                self.memory_is_lost = false;
                self.stored(version);
            }
            Input::CannotRemember(version) => {
                // Asked again as soon as something happens that might be worth it.
                if version == self.memory_version {
                    self.memory_digest = None;
                }
                if !std::mem::replace(&mut self.memory_is_lost, true) {
                    cx.emit(Event::CannotRemember { version });
                }
                // What cannot be stored is done all the same.
                self.stored(version);
            }
            Input::Command(command) => self.command(command),
            Input::LookUp { .. }
            | Input::Resolved { .. }
            | Input::Connected { .. }
            | Input::Secured { .. }
            | Input::Lost { .. }
            | Input::FirstByte { .. }
            | Input::Done { .. }
            | Input::Notice { .. }
            | Input::Probed { .. } => {
                let known = match cx.queue.owner_of(&input) {
                    Some(Owner::Location) => {
                        location.as_mut().is_some_and(|location| location.handle(cx, input))
                    }
                    Some(owner) => attachment.handle(cx, owner, input),
                    None => false,
                };
                cx.queue.stale_inputs += u64::from(!known);
            }
        }
        self.settle();
        self.remember();
        self.release();
        let idle = self.location.is_none() && !self.attachment.is_talking();
        debug_assert!(!idle || self.queue.under_way() == 0, "an id was not given up");
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

    fn present(&self) -> Present<'_> {
        Present { now: self.now, guard: &self.guard, tuning: &self.tuning.attachment }
    }

    fn command(&mut self, command: Command) {
        let Self { rng, queue, network, guard, tuning, in_force, attachment, location, .. } = self;
        let cx = &mut Context { now: self.now, rng, queue, tuning, network, in_force, guard };
        match command {
            Command::BeatNow => attachment.beat_now(cx),
            Command::NewCredentials => attachment.new_credentials(cx),
            Command::ConfirmPolicy(tag) => attachment.confirm_policy(cx, tag),
            Command::Call { call, within, repeat } => attachment.call(cx, call, cx.now + within, repeat),
            Command::UserChanged(user) => attachment.user_changed(cx, user),
            Command::SetRoutes { routes, proxies } => attachment.set_routes(cx, Routes::new(routes, proxies)),
            Command::ProbeNow => {
                if let Some(location) = location {
                    location.probe_now(cx);
                }
            }
            Command::Stop { grace } => {
                if let Some(mut location) = location.take() {
                    location.stop(cx);
                }
                attachment.stop(cx, grace);
            }
            Command::Reconfigure { id, settings } => self.reconfigure(id, settings, None),
            Command::Try { id, settings, name, given } => self.try_settings(id, settings, name, given),
            Command::Renew { old, id, settings } => self.renew_settings(old, id, settings),
            Command::SetLocation(chosen) => {
                self.in_force.chosen = chosen;
                self.warn_of_unknown_location();
                let _ = self.put_in_force(None, Then::Search);
            }
        }
    }

    /// Does what is due until nothing is, and lets facts flow.
    fn settle(&mut self) {
        // What is decided may make the next thing due at once: a move that waited for a beat to end, say.
        for _round in 1..=MOST_ROUNDS {
            #[cfg(test)]
            let () = self.rounds = _round;
            let Self {
                rng,
                queue,
                network,
                guard,
                tuning,
                in_force,
                attachment,
                schedule,
                location,
                trial,
                ..
            } = self;
            let cx = &mut Context { now: self.now, rng, queue, tuning, network, in_force, guard };
            exchange_facts(cx, attachment, location, schedule, trial);
            attachment.tick(cx);
            if let Some(location) = location {
                location.tick(cx, attachment.floor());
            }
            attachment.heed_control(cx);
            exchange_facts(cx, attachment, location, schedule, trial);
            trial.tick(cx.now, &cx.tuning.trial);
            let followed = self.follow_location() | self.follow_trial();
            self.note_due();
            if !followed && (self.wake.is_none() || self.due > self.now) {
                break;
            }
        }
    }

    /// When the verdict changed, other settings may be in force. Whether it did.
    fn follow_location(&mut self) -> bool {
        let changed = self.location.as_mut().is_some_and(|location| location.take_change());
        if changed && !self.put_in_force(None, Then::Search) {
            self.tell_location();
        }
        changed
    }

    /// Works out what is due next.
    fn note_due(&mut self) {
        let attachment = self.attachment.deadline(self.present(), &self.tuning);
        let attachment = attachment.map(|at| (at, Wake::Attachment));
        let schedule = self.schedule.next_heartbeat().map(|at| (at, Wake::Schedule));
        let location = self.location.as_ref();
        let location =
            location.and_then(|location| location.deadline(self.in_force.settings(), &self.tuning));
        let location = location.map(|at| (at, Wake::Location));
        let trial = self.trial.deadline(&self.tuning.trial).map(|at| (at, Wake::Trial));
        let due = attachment.into_iter().chain(schedule).chain(location).chain(trial);
        let first = due.min_by_key(|(at, _)| *at);
        (self.due, self.wake) = first.map_or((self.now, None), |(at, wake)| (at, Some(wake)));
    }

    /// Tells the driver which of the replaced settings nothing refers to any more.
    fn release(&mut self) {
        let Self { in_force, attachment, location, queue, .. } = self;
        let is_referred_to =
            |id| attachment.refers_to(id) || location.as_ref().is_some_and(|location| location.refers_to(id));
        while let Some(settings) = in_force.poll_release(is_referred_to) {
            queue.act(Action::Release { settings });
        }
    }

    /// Asks for the memory to be stored when it changed in a way that matters: a write wears a disk out and wakes it up.
    fn remember(&mut self) {
        if !(self.attachment.take_memorable() | self.trial.take_memorable()) {
            return;
        }
        let attached = self.attachment.memory_digest(&self.tuning.schedule, self.now);
        let digest = Some(self.trial.digest(attached, &self.tuning.trial));
        if self.memory_digest == digest {
            return;
        }
        self.memory_digest = digest;
        let attached = self.attachment.memory(&self.tuning.schedule, self.now);
        self.memory = Memory { settings: self.trial.memory(), ..attached };
        self.memory_version += 1;
        self.trial.is_stored_as(self.memory_version);
        self.note_due();
        self.queue.act(Action::Remember { version: self.memory_version });
    }
}

/// Facts go to the location and the schedule, whose needs go back to the attachment: once.
fn exchange_facts(
    cx: &mut Context<'_>,
    attachment: &mut Attachment,
    location: &mut Option<Box<Location>>,
    schedule: &mut Schedule,
    trial: &mut Trial,
) {
    hear(cx, attachment, location, schedule, trial);
    if schedule.take_heartbeat(cx.now) {
        schedule.asked(cx);
        attachment.beat(cx);
    }
    hear(cx, attachment, location, schedule, trial);
    attachment.settle(cx, schedule.next_heartbeat());
}

fn hear(
    cx: &mut Context<'_>,
    attachment: &mut Attachment,
    location: &mut Option<Box<Location>>,
    schedule: &mut Schedule,
    trial: &mut Trial,
) {
    while let Some(fact) = attachment.poll_fact() {
        if let Some(location) = location {
            location.hear(cx, &fact);
        }
        trial.hear(&fact, cx.in_force.id());
        schedule.hear(cx, fact);
    }
}

/// What an administrator should know of settings that are now in force.
fn warn(cx: &mut Context<'_>) {
    for lint in cx.in_force.settings().lint() {
        cx.emit(Event::SettingsWarning { warning: lint.to_string() });
    }
}

#[cfg(all(test, target_pointer_width = "64"))]
mod tests {
    use super::*;
    use crate::types::{Medium, Outcome, Verdict, Via};

    /// Answers what the engine asks for well, and returns how often facts went round at most for one input.
    fn answered(engine: &mut Engine, now: Moment, input: Input<'_>) -> usize {
        engine.handle(now, input);
        let mut rounds = engine.rounds;
        while engine.poll_event().is_some() {}
        while let Some(action) = engine.poll_action() {
            if let Action::Dial { link, to, .. } = action {
                let via = Via { peer: to[0], medium: Medium::Direct };
                rounds = rounds.max(answered(engine, now, Input::Connected { link, via }));
            } else if let Action::Exchange { exchange, .. } = action {
                let verdict = Verdict::Success { status: 200, settings: Some("\"1\""), policy: None };
                let outcome = Outcome::from(verdict);
                rounds = rounds.max(answered(engine, now, Input::FirstByte { exchange }));
                rounds = rounds.max(answered(engine, now, Input::Done { exchange, outcome }));
            }
        }
        rounds
    }

    #[test]
    fn facts_go_round_at_most_twice_for_a_heartbeat_of_a_kept_connection() {
        let settings = r#"{ "server_lists": [ { "name": "main", "priorities": [ { "servers": [
            { "address": "10.0.0.1", "protocol": "http" } ] } ] } ],
            "group": { "name": "g", "communication": { "heartbeat_interval": "10s" } } }"#;
        let setup = Setup::new(Arc::new(settings.parse().unwrap()), "agent-1".parse().unwrap());
        let mut now = Moment::ORIGIN;
        let mut engine = Engine::new(setup, Memory::default(), Away::Unknown, 1, now);
        let mut most = 0;
        for turn in 0..100 {
            let rounds = answered(&mut engine, now, Input::Timeout);
            // The first ones search and attach.
            most = if turn < 10 { 0 } else { most.max(rounds) };
            now = now.max(engine.deadline().unwrap().0);
        }
        assert_eq!(engine.attachment.state(), State::Attached);
        assert!((1..=2).contains(&most), "{most}");
    }

    #[test]
    fn every_part_stays_small() {
        for (part, size, most) in [
            ("network", size_of::<Network>(), 24),
            ("attachment", size_of::<Attachment>(), 560),
            ("schedule", size_of::<Schedule>(), 128),
            ("queue", size_of::<Queue>(), 104),
            ("memory", size_of::<Memory>(), 112),
            ("trial", size_of::<Trial>(), 24),
            ("action", size_of::<Action>(), 96),
            ("event", size_of::<Event>(), 64),
        ] {
            assert!(size <= most, "{part}: {size} bytes");
        }
    }
}
