//! Which server, when, and whether to believe it.
//!
//! ```text
//!            ┌────────────────── Waiting ◄──── every server failed
//!            ▼                                        ▲
//! Starting ► Searching ──── an exchange succeeded ──► Attached ── failed, and not to be saved ──┐
//!            ▲  │                                        ▲                                      │
//!            │  ├──► NoNetwork (nothing leaves this machine)                                    │
//!            │  ├──► Captive (something else answers)                                           │
//!            │  └──► Rejected (every server rejected this agent)                                │
//!            └──────────────────────────────────────────────────────────────────────────────────┘
//! ```
//! A *search* is a [race] over the priorities of the list in force. While attached, a *beat*
//! talks to the server in use alone; only when that fails, or shows no life, are others tried, and
//! they are tried beside it. Moving to a better server is the business of [failback] alone.
//!
//! Each edge above is one `transition_to_*` function; it alone writes the phase, and it says why.

mod active;
mod backlogs;
mod backoff;
pub(super) mod balance;
mod beat;
mod by_id;
mod call;
mod calls;
mod change;
mod deadline;
mod difference;
mod digest;
mod failback;
mod failures;
mod farewell;
mod health;
mod hunger;
mod ladders;
mod outcome;
mod pause;
mod plan;
mod race;
mod ranked_servers;
mod read;
mod reconfigure;
mod register;
mod registration;
mod report;
mod runner;
mod search;
mod servers;
mod stream;
mod upload;
mod ways;

use std::time::Duration;

pub(super) use reconfigure::Then;

use active::{Active, Leave, Reached};
use backlogs::{Backlogs, Switches};
use backoff::Moves;
use calls::Calls;
#[cfg(feature = "client")]
pub(crate) use calls::MOST_CALLS;
use failback::Failback;
use hunger::Hunger;
use ladders::Ladders;
use pause::Pause;
use race::{Held, Race};
use ranked_servers::Member;
use registration::{Keeps, Registrar};
use servers::Servers;

use super::context::Context;
use super::event::span;
use super::fact::{Fact, Facts};
use super::owners::Owner;
use super::session::{Announced, Attempt, Heartbeat, Reader, Routes, Upload};
use super::tuning::attachment::Tuning;
use super::{Ending, Event, Input, Reason, State, TakesSettings};
use crate::settings::Mode;
use crate::types::{AgentId, Moment, ServerId, SettingsId};

/// See the module.
#[derive(Debug)]
pub(super) struct Attachment {
    servers: Servers,
    phase: Phase,
    failback: Failback,
    announced: Announced,
    ladders: Ladders,
    /// Whether the server in use is asked for an event stream.
    mode: Mode,
    /// Policies are read from the server in use.
    reads_policies: bool,
    takes_settings: TakesSettings,
    /// Whether the settings in force let settings be read from a server that was not verified.
    accepts_over_http: Option<bool>,
    /// T: the longest gap between heartbeats. A server that asks for more patience is left.
    interval: Duration,
    hunger: Hunger,
    /// Searches of this outage that failed. It is over once a beat was delivered five minutes after attaching.
    misses: u8,
    moves: Moves,
    /// Searches of this outage, for the rotation.
    searches: u32,
    /// How often in a row every server has rejected this agent.
    rejections: u8,
    /// New credentials came while an exchange was under way, which may bring a refusal of the old ones.
    credentials_changed: bool,
    /// When a network change last brought a search forward.
    rearmed: Option<Moment>,
    /// When new settings last began a search at once.
    resettled: Option<Moment>,
    /// What waits in the driver's outbox; `None` when nothing ever did.
    backlogs: Option<Box<Backlogs>>,
    /// What the settings say of reports.
    switches: Switches,
    /// What the product has to say itself; `None` when that is nothing.
    calls: Option<Box<Calls>>,
    /// What the product says of the machine; `None` when it says nothing.
    registrar: Option<Box<Registrar>>,
    /// What the settings say of registrations.
    keeps: Keeps,
    /// A server sees this agent's id on more than one machine.
    is_duplicate: bool,
    facts: Facts,
    /// Something worth remembering changed.
    memorable: bool,
}

/// Where the agent stands.
#[derive(Debug)]
enum Phase {
    Starting {
        at: Moment,
    },
    Disabled,
    Searching(Box<Race>),
    Attached(Box<Active>),
    /// Attached to no server; the next search begins then.
    Paused {
        until: Moment,
        cause: Pause,
        reason: Reason,
    },
    Stopping {
        until: Moment,
        attempt: Box<Attempt>,
    },
    Stopped,
}

impl Attachment {
    pub(super) fn new(agent: AgentId, routes: Routes, takes_settings: TakesSettings, at: Moment) -> Self {
        Self {
            servers: Servers::new(agent, routes),
            phase: Phase::Starting { at },
            failback: Failback::default(),
            mode: Mode::Pull,
            reads_policies: false,
            takes_settings,
            accepts_over_http: None,
            announced: Announced::default(),
            ladders: Ladders::default(),
            interval: Duration::ZERO,
            hunger: Hunger::new(at),
            misses: 0,
            moves: Moves::default(),
            searches: 0,
            rejections: 0,
            credentials_changed: false,
            rearmed: None,
            resettled: None,
            backlogs: None,
            switches: Switches::default(),
            calls: None,
            registrar: None,
            keeps: Keeps::default(),
            is_duplicate: false,
            facts: Facts::default(),
            memorable: false,
        }
    }

    // --- getters ---

    pub(super) fn state(&self) -> State {
        match &self.phase {
            Phase::Starting { .. } => State::Starting,
            Phase::Disabled => State::Disabled,
            Phase::Searching(_) => State::Searching,
            Phase::Attached(_) => State::Attached,
            Phase::Paused { cause: Pause::Waiting, .. } => State::Waiting,
            Phase::Paused { cause: Pause::NoNetwork, reason: Reason::NoWay, .. } => State::NoWay,
            Phase::Paused { cause: Pause::NoNetwork, .. } => State::NoNetwork,
            Phase::Paused { cause: Pause::Captive, .. } => State::Captive,
            Phase::Paused { cause: Pause::Rejected, .. } => State::Rejected,
            Phase::Stopping { .. } => State::Stopping,
            Phase::Stopped => State::Stopped,
        }
    }

    /// Whether a certificate policy of these settings may still be named, or a handshake under one is under way.
    pub(super) fn refers_to(&self, settings: SettingsId) -> bool {
        let attempts = match &self.phase {
            Phase::Searching(race) => race.refers_to(settings),
            Phase::Attached(active) => active.refers_to(settings),
            Phase::Stopping { attempt, .. } => attempt.refers_to(settings),
            Phase::Starting { .. } | Phase::Disabled | Phase::Paused { .. } | Phase::Stopped => false,
        };
        let calls = self.calls.as_ref().is_some_and(|calls| calls.refers_to(settings));
        let registers = self.registrar.as_ref().is_some_and(|registrar| registrar.refers_to(settings));
        attempts || calls || registers || self.failback.refers_to(settings)
    }

    /// Whether a link, an exchange or a look-up may be under way.
    pub(super) fn is_talking(&self) -> bool {
        matches!(self.phase, Phase::Searching(_) | Phase::Attached(_) | Phase::Stopping { .. })
            || self.calls.as_ref().is_some_and(|calls| !calls.is_idle())
    }

    /// Whether the list in force names the server in use.
    pub(super) fn is_at_a_listed_server(&self) -> bool {
        self.active().is_some_and(|active| active.listed)
    }

    pub(super) fn is_attached(&self) -> bool {
        matches!(self.phase, Phase::Attached(_))
    }

    // --- handle ---

    /// Takes what its owner hears of a link, an exchange or a look-up. `false`: it named something given up.
    pub(super) fn handle(&mut self, cx: &mut Context<'_>, owner: Owner, input: Input<'_>) -> bool {
        let known = match owner {
            Owner::Search => self.search_input(cx, input),
            Owner::Heartbeat => self.beat_input(cx, input),
            Owner::Stream => self.stream_input(cx, input),
            Owner::Reader => self.reader_input(cx, input),
            Owner::Upload => self.upload_input(cx, input),
            Owner::Register => self.registration_input(cx, input),
            Owner::Call => self.call_input(cx, input),
            Owner::Failback => self.failback.handle(cx, &mut self.servers, input),
            Owner::Farewell => self.stopping_input(cx, input),
            Owner::Location => false,
        };
        self.heed_floors(cx);
        known
    }

    /// Hands an input to the search. `false`: it is about none.
    fn search_input(&mut self, cx: &mut Context<'_>, input: Input<'_>) -> bool {
        let race = match &mut self.phase {
            Phase::Searching(race) => Some(race),
            Phase::Attached(active) => active.search.as_mut(),
            Phase::Starting { .. }
            | Phase::Disabled
            | Phase::Paused { .. }
            | Phase::Stopping { .. }
            | Phase::Stopped => None,
        };
        race.is_some_and(|race| self.servers.race_input(cx, race, input))
    }

    /// Does whatever is due.
    pub(super) fn tick(&mut self, cx: &mut Context<'_>) {
        self.tick_phase(cx);
        self.tick_calls(cx);
    }

    fn tick_phase(&mut self, cx: &mut Context<'_>) {
        match &self.phase {
            Phase::Starting { at } if *at <= cx.now => self.search(cx, Reason::Start),
            &Phase::Paused { until, cause, reason } if until <= cx.now => self.pause_over(cx, cause, reason),
            Phase::Paused { cause: Pause::Waiting, .. }
                if self.report_searches_at().is_some_and(|at| at <= cx.now) =>
            {
                self.search_for_report(cx);
            }
            Phase::Stopping { until, attempt }
                if attempt.limit(&cx.tuning.attachment).0.min(*until) <= cx.now =>
            {
                self.transition_to_stopped(cx);
            }
            Phase::Searching(_) => self.drive_search(cx),
            Phase::Attached(_) => self.tick_attached(cx),
            Phase::Starting { .. }
            | Phase::Paused { .. }
            | Phase::Stopping { .. }
            | Phase::Disabled
            | Phase::Stopped => {}
        }
    }

    fn pause_over(&mut self, cx: &mut Context<'_>, cause: Pause, reason: Reason) {
        match cause {
            Pause::Waiting | Pause::NoNetwork => self.search(cx, Reason::WaitOver),
            // A person who is asked to log in goes on to be told so while it is looked whether that is over.
            Pause::Captive => self.search(cx, reason),
            Pause::Rejected => {
                self.pardon_refusals(cx);
                self.search(cx, Reason::WaitOver);
            }
        }
    }

    /// The control of the location may have begun to answer, or fallen silent: while nobody is attached, that says when to
    /// look again.
    pub(super) fn heed_control(&mut self, cx: &mut Context<'_>) {
        match self.phase {
            Phase::Paused { until, cause: Pause::Captive, .. } if !cx.network.is_captive() => {
                let soon = cx.now + cx.rng.up_to(cx.tuning.attachment.rearm_spread);
                self.transition_to_waiting(cx, until.min(soon), Reason::NetworkChanged);
            }
            Phase::Paused {
                cause: Pause::Waiting,
                reason: Reason::AllFailed | Reason::NetworkSuspect,
                ..
            } if cx.network.is_captive() => {
                self.transition_to_captive(cx);
            }
            Phase::Starting { .. }
            | Phase::Disabled
            | Phase::Searching(_)
            | Phase::Attached(_)
            | Phase::Paused { .. }
            | Phase::Stopping { .. }
            | Phase::Stopped => {}
        }
    }

    /// What the other parts have to learn, oldest first.
    pub(super) fn poll_fact(&mut self) -> Option<Fact> {
        self.facts.poll()
    }

    /// Whether something happened since this was last asked that may have changed the memory.
    pub(super) fn take_memorable(&mut self) -> bool {
        std::mem::take(&mut self.memorable) | std::mem::take(&mut self.failback.memorable)
    }

    // --- transitions: the only writers of the phase ---

    fn transition_to_searching(&mut self, cx: &mut Context<'_>, race: Box<Race>) {
        let reason = race.reason;
        let servers = race.left() + race.in_flight();
        self.leave_phase(cx, reason, Phase::Searching(race));
        cx.emit(Event::Searching { reason, servers });
    }

    /// An exchange with this server succeeded; its answer is the one that counts.
    fn transition_to_attached(&mut self, cx: &mut Context<'_>, member: Member, held: Held, race: &Race) {
        let reason = race.reason;
        let beside = matches!(reason, Reason::ServerSlow | Reason::ServerSilent);
        let reason = if beside { Reason::OtherServerAnswered } else { reason };
        let from = self.active_id();
        // An attempt may have begun at a place that settings have moved the server from meanwhile.
        let listed = self.servers.ranked_servers.of_record(member.record.into());
        let listed = listed.is_some_and(|listed| listed.is_same_place(&member));
        let spread = cx.tuning.attachment.settings_spread;
        let leave = (!listed).then(|| Leave::new(cx.now + cx.rng.up_to(spread), Reason::NewSettings));
        let mut active = Active {
            policy: cx.in_force.certificate_policy(member.server.policy),
            member,
            listed,
            is_named: listed,
            since: cx.now,
            reached: Reached::by(&held.link),
            heartbeat: Heartbeat::new(cx, held.open.then_some(held.link), held.first_byte),
            stream: None,
            reader: Reader::default(),
            upload: Upload::default(),
            search: None,
            leave,
            on_probation: reason == Reason::BetterServer,
        };
        if self.mode == Mode::Push {
            active.listen(&mut self.ladders, &cx.tuning.schedule, cx.now);
        }
        let server = self.servers.id(active.record());
        let priority = Some(usize::from(active.member.priority) + 1);
        let at = Box::new(active.whereabouts());
        if reason == Reason::BetterServer
            && let Some(from) = from
        {
            cx.emit(Event::Failback { from, to: server.clone() });
        }
        self.failback.aim(cx, &self.servers, &active.member);
        self.leave_phase(cx, reason, Phase::Attached(Box::new(active)));
        let elapsed = span(cx.now.since(race.begun));
        cx.emit(Event::Attached { server: server.clone(), priority, elapsed, at });
        self.searches = 0;
        self.rejections = 0;
        if let Some(backlogs) = &mut self.backlogs {
            backlogs.attached(cx);
        }
        self.facts.add(Fact::Attached { server });
    }

    fn transition_to_waiting(&mut self, cx: &mut Context<'_>, until: Moment, reason: Reason) {
        self.transition_to_paused(cx, until, Pause::Waiting, reason);
    }

    fn transition_to_no_network(&mut self, cx: &mut Context<'_>, reason: Reason) {
        let until = cx.now + cx.network.recheck().unwrap_or(cx.tuning.network.recheck);
        self.transition_to_paused(cx, until, Pause::NoNetwork, reason);
    }

    fn transition_to_captive(&mut self, cx: &mut Context<'_>) {
        let tuning = &cx.tuning.network;
        let reason = cx.network.captive(cx.now, tuning).unwrap_or(Reason::CaptiveSuspected);
        let wait = cx.network.captive_wait(cx.now, tuning);
        let until = cx.now + cx.rng.around(wait, 50, 150);
        self.transition_to_paused(cx, until, Pause::Captive, reason);
    }

    fn transition_to_rejected(&mut self, cx: &mut Context<'_>) {
        let tuning = &cx.tuning.attachment;
        let mean = (tuning.rejected_first * (1 << self.rejections.min(8))).min(tuning.rejected_most);
        self.rejections = self.rejections.saturating_add(1);
        let until = cx.now + cx.rng.around(mean, 50, 150);
        self.transition_to_paused(cx, until, Pause::Rejected, Reason::Rejected);
    }

    /// The next search begins then.
    fn transition_to_paused(&mut self, cx: &mut Context<'_>, until: Moment, cause: Pause, reason: Reason) {
        self.leave_phase(cx, reason, Phase::Paused { until, cause, reason });
        cx.emit(Event::Waiting { wait: span(until.after(cx.now)), reason });
    }

    fn transition_to_disabled(&mut self, cx: &mut Context<'_>) {
        self.leave_phase(cx, Reason::Disabled, Phase::Disabled);
    }

    fn transition_to_stopping(&mut self, cx: &mut Context<'_>, until: Moment, attempt: Box<Attempt>) {
        self.leave_phase(cx, Reason::Stopping, Phase::Stopping { until, attempt });
    }

    fn transition_to_stopped(&mut self, cx: &mut Context<'_>) {
        self.leave_phase(cx, Reason::Stopping, Phase::Stopped);
        cx.emit(Event::Stopped {});
    }

    /// Ends the present phase with everything that belongs to it, and begins the next.
    fn leave_phase(&mut self, cx: &mut Context<'_>, reason: Reason, next: Phase) {
        let before = self.state();
        self.memorable = true;
        let ending = match next {
            Phase::Disabled | Phase::Stopping { .. } | Phase::Stopped => Ending::Stopped,
            Phase::Attached(_) => Ending::Moved,
            Phase::Starting { .. } | Phase::Searching(_) | Phase::Paused { .. } => Ending::Failed,
        };
        let stays_attached = matches!(next, Phase::Attached(_));
        self.hunger
            .count(cx.now, !matches!(next, Phase::Disabled | Phase::Paused { cause: Pause::NoNetwork, .. }));
        self.give_registration_up(cx, ending);
        match std::mem::replace(&mut self.phase, next) {
            Phase::Searching(mut race) => self.servers.disband(cx, &mut race, ending),
            Phase::Attached(mut active) => {
                active.heartbeat.give_up(cx, ending);
                active.reader.give_up(cx, ending);
                active.upload.give_up(cx, ending);
                if let Some(race) = &mut active.search {
                    self.servers.disband(cx, race, ending);
                }
                active.end_stream(cx, &mut self.ladders, ending);
                cx.emit(Event::Detached { server: self.servers.id(active.record()), reason });
                if !stays_attached {
                    self.failback.rest(cx, ending);
                    self.facts.add(Fact::Detached);
                }
            }
            Phase::Stopping { mut attempt, .. } => attempt.give_up(cx, ending),
            Phase::Starting { .. } | Phase::Disabled | Phase::Paused { .. } | Phase::Stopped => {}
        }
        self.close_call_links(cx, ending);
        if self.is_silent() {
            self.end_calls(cx, ending);
        }
        if self.state() != before {
            cx.emit(Event::State { state: self.state(), reason });
        }
    }

    // --- helpers ---

    fn active(&self) -> Option<&Active> {
        if let Phase::Attached(active) = &self.phase { Some(active) } else { None }
    }

    fn active_mut(&mut self) -> Option<&mut Active> {
        if let Phase::Attached(active) = &mut self.phase { Some(active) } else { None }
    }

    fn active_id(&self) -> Option<ServerId> {
        self.active().map(|active| self.servers.id(active.record()))
    }
}
