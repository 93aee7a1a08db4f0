//! A world as a value: virtual time, servers that behave as told, and an oracle that watches.
//!
//! The scenario builder walks an engine to any state: name the servers, say how each behaves, let time
//! pass, look at what was told. After every step the promises of safety are checked.

mod driver;
mod middlebox;
mod outbox;
mod plan;
mod registry;
mod server;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use homing::engine::{
    Command, Event, Evidence, Input, LocationSnapshot, Memory, NetworkChange, Snapshot, State,
};
use homing::settings::{Settings, Situation};
use homing::types::{
    Cause, CertificatePolicyId, ExchangeId, LinkId, Medium, Moment, NetworkId, Request, SettingsId,
};

use self::driver::{Happening, Link};
pub use self::middlebox::Middlebox;
pub use self::outbox::{Outbox, REPORT, Takes};
pub use self::plan::{Plan, priorities, settings_name};
pub use self::registry::{Registers, Registry};
pub use self::server::*;
use crate::mount::Mount;
use crate::prepared::Prepared;
use crate::reference_network::Places;
use crate::schedule::Schedule;
pub use crate::{ms, s};

/// See the module.
pub struct World {
    pub engine: Box<dyn Mount>,
    pub plan: Plan,
    pub now: Moment,
    pub started: Moment,
    servers: BTreeMap<String, Server>,
    schedule: Schedule<Happening>,
    links: BTreeMap<LinkId, Link>,
    exchanges: BTreeMap<ExchangeId, (LinkId, Request)>,
    succeeded: BTreeSet<ExchangeId>,
    /// Everything told, with the time since the start.
    pub told: Vec<(Duration, Event)>,
    /// Every dial: when, and of which server.
    pub starts: Vec<(Moment, String)>,
    /// What the driver keeps of the settings.
    pub prepared: Prepared,
    /// Under which policy each dial was.
    pub policies: Vec<CertificatePolicyId>,
    /// Every exchange begun: when, with which server, what for.
    pub beats: Vec<(Moment, String, Request)>,
    active: Option<String>,
    /// Before which time nothing may be said to a server.
    floors: BTreeMap<String, Moment>,
    cut_off: bool,
    /// How the proxy is: it connects, refuses, or drops.
    pub proxy: Reach,
    /// How the servers look through the proxy, when not as they are.
    pub through_proxy: Option<Server>,
    /// Further addresses of names: of which server, and how it is there. Its first address is as the server is.
    pub addresses: Vec<(IpAddr, String, Server)>,
    /// Names that lead to this address alone.
    pub moved: BTreeMap<String, IpAddr>,
    /// When the certificates end that servers present.
    pub certificates_end: BTreeMap<String, Moment>,
    /// A firewall lets nothing out but through the proxy.
    pub direct_blocked: bool,
    pub inputs: u64,
    /// When the last of them came.
    heard: Moment,
    /// What sits between the agent and the servers.
    middlebox: Middlebox,
    /// Servers say with each heartbeat that something waits at their events.
    pub events_wait: bool,
    /// Event streams and polls that have said hello.
    pub streams: BTreeMap<ExchangeId, (LinkId, String)>,
    /// Why names do not resolve at present.
    pub names_fail: Option<Cause>,
    /// How long a look-up takes.
    pub look_up_time: Duration,
    /// How long a look-up waits for others before it begins.
    pub names_wait: Option<Duration>,
    /// Names are not answered at all.
    pub names_hang: bool,
    /// How calls of the product fare with servers that are well.
    pub calls: Calls,
    /// Leaves what the engine decided in its queues: draining late must be safe.
    pub wait_for_drain: bool,
    /// Reference servers and the control.
    pub places: Places,
    /// Every look-up of a management server: when, and of which.
    pub look_ups: Vec<(Moment, String)>,
    /// Every name of a reference server or the control that was looked up.
    pub looked_up: Vec<String>,
    /// What the links to management servers run over.
    pub medium: Medium,
    /// Every probe of a management server: when, and of which.
    pub probed_managers: Vec<(Moment, String)>,
    /// The reports of the product.
    pub outbox: Outbox,
    /// How servers register agents.
    pub registry: Registry,
    /// Every memory the engine asked to be stored.
    pub memories: Vec<Memory>,
    /// Under these settings every server is like this: they have a wrong port, name, certificate or pin.
    pub lead_astray: BTreeMap<SettingsId, Reach>,
    /// Memories are left unanswered, as a slow disk does.
    pub forgets: bool,
    /// Their versions.
    pub forgotten: Vec<u64>,
}

impl World {
    // --- telling the world how to be ---

    pub fn set(&mut self, server: &str, how: Server) -> &mut Self {
        assert!(self.servers.insert(server.to_owned(), how).is_some(), "no server {server}");
        self
    }

    pub fn set_or_add(&mut self, server: &str, how: Server) -> &mut Self {
        self.servers.insert(server.to_owned(), how);
        self
    }

    pub fn set_all(&mut self, how: Server) -> &mut Self {
        self.servers.values_mut().for_each(|server| *server = how);
        self
    }

    /// No packet leaves the machine.
    pub fn cut_off(&mut self, cut_off: bool) -> &mut Self {
        self.cut_off = cut_off;
        self
    }

    /// Breaks every connection to a server, as its death does.
    pub fn break_links(&mut self, server: &str) -> &mut Self {
        self.end_links(server, Cause::Reset)
    }

    /// The server closes its connections in good order.
    pub fn close_links(&mut self, server: &str) -> &mut Self {
        self.end_links(server, Cause::ClosedIdle)
    }

    fn end_links(&mut self, server: &str, cause: Cause) -> &mut Self {
        let links: Vec<_> =
            self.links.iter().filter(|(_, link)| link.server == server).map(|(id, _)| *id).collect();
        for link in links {
            self.later(Duration::ZERO, Happening::Lost(link, cause.into()));
        }
        self
    }

    /// The open links of a server.
    pub fn open_links(&self, server: &str) -> usize {
        self.links.values().filter(|link| link.server == server).count()
    }

    pub fn command(&mut self, command: Command) -> &mut Self {
        self.input(Input::Command(command));
        self.drain();
        self
    }

    /// The driver says on which network the machine is.
    pub fn arrive(&mut self, network: Option<NetworkId>) -> &mut Self {
        self.input(Input::OnNetwork(network));
        self.drain();
        self
    }

    pub fn network(&mut self, change: NetworkChange) -> &mut Self {
        self.input(Input::Network(change));
        self.drain();
        self
    }

    /// The machine sleeps: time passes, nothing happens, and what was under way is broken.
    pub fn suspend(&mut self, duration: Duration) -> &mut Self {
        self.now = self.now + duration;
        self.input(Input::Resumed);
        self.drain();
        self
    }

    pub fn reconfigure(&mut self, plan: Plan) -> &mut Self {
        for id in plan.priorities.iter().flatten() {
            self.servers.entry(id.clone()).or_insert_with(up);
        }
        let settings = plan.settings();
        self.plan = plan;
        self.give(settings)
    }

    /// Gives the engine these settings.
    pub fn give(&mut self, settings: Arc<Settings>) -> &mut Self {
        let id = self.prepared.prepare();
        self.command(Command::Reconfigure { id, settings })
    }

    /// Gives the engine these settings on trial, as a server did; returns their number.
    pub fn try_out(&mut self, plan: Plan, digest: &str) -> SettingsId {
        let id = self.prepared.prepare();
        self.prepared.may_go(id);
        for server in plan.priorities.iter().flatten() {
            self.servers.entry(server.clone()).or_insert_with(up);
        }
        let (settings, name) = (plan.settings(), Some(settings_name(digest)));
        self.command(Command::Try { id, settings, name, given: false });
        id
    }

    /// The same without a name.
    pub fn try_without_a_name(&mut self, plan: Plan, how: Option<Reach>) {
        let id = self.prepared.prepare();
        self.prepared.may_go(id);
        self.lead_astray.extend(how.map(|how| (id, how)));
        for server in plan.priorities.iter().flatten() {
            self.servers.entry(server.clone()).or_insert_with(up);
        }
        self.command(Command::Try { id, settings: plan.settings(), name: None, given: true });
    }

    /// The same, and these settings are wrong in this way.
    pub fn try_wrong(&mut self, plan: Plan, digest: &str, how: Reach) -> SettingsId {
        self.lead_astray.insert(self.prepared.next(), how);
        self.try_out(plan, digest)
    }

    /// The same, with one of the new servers not as it should be.
    pub fn reconfigure_with(&mut self, plan: Plan, server: &str, how: Server) -> &mut Self {
        self.servers.insert(server.to_owned(), how);
        self.reconfigure(plan)
    }

    // --- letting time pass ---

    pub fn run(&mut self, duration: Duration) -> &mut Self {
        let end = self.now + duration;
        while self.step(end) {}
        self
    }

    /// Runs until something was told that satisfies the condition; fails after `limit`.
    pub fn until(&mut self, limit: Duration, what: &str, condition: impl Fn(&Event) -> bool) -> Duration {
        let (end, seen) = (self.now + limit, self.told.len());
        loop {
            if self.told[seen..].iter().any(|(_, event)| condition(event)) {
                return self.now.since(self.started);
            }
            assert!(self.step(end), "{what} did not come within {limit:?}:\n{}", self.story());
        }
    }

    /// Runs until the agent is attached to this server.
    pub fn until_attached(&mut self, server: &str, limit: Duration) -> Duration {
        self.drain();
        if self.active.as_deref() == Some(server) {
            return self.now.since(self.started);
        }
        let found = self.until(limit, &format!("attached to {server}"), |event| attached_to(event, server));
        assert_eq!(self.active.as_deref(), Some(server));
        found
    }

    /// Runs until the next name of a management server is looked up.
    pub fn until_looked_up(&mut self, limit: Duration) -> &mut Self {
        let (end, seen) = (self.now + limit, self.look_ups.len());
        while self.look_ups.len() == seen {
            assert!(self.step(end), "no look-up within {limit:?}:\n{}", self.story());
        }
        self
    }

    /// One thing happens, unless `end` comes first.
    fn step(&mut self, end: Moment) -> bool {
        self.drain();
        let deadline = self.engine.deadline().map(|(at, _)| at);
        let next = self.schedule.next().into_iter().chain(deadline).min();
        let Some(next) = next.filter(|&at| at <= end) else {
            self.now = end;
            return false;
        };
        self.now = self.now.max(next);
        match self.schedule.pop_until(self.now) {
            Some((_, happening)) => self.happen(happening),
            None => self.input(Input::Timeout),
        }
        self.drain();
        true
    }

    // --- looking ---

    /// Before which time nothing may be said to this server.
    pub fn floor(&self, server: &str) -> Moment {
        self.floors.get(server).copied().unwrap_or_default()
    }

    pub fn snapshot(&self) -> Snapshot {
        self.engine.snapshot(self.now)
    }

    pub fn location(&self) -> LocationSnapshot {
        self.snapshot().location.expect("settings that ask for the location")
    }

    pub fn situation(&self) -> Situation {
        self.location().situation
    }

    /// Every verdict, with the time since the start.
    pub fn verdicts(&self) -> Vec<(Duration, Situation)> {
        let mut verdicts: Vec<(Duration, Situation)> = Vec::new();
        for (at, event) in &self.told {
            if let Event::Location { situation, .. } = event
                && verdicts.last().is_none_or(|(_, last)| last != situation)
            {
                verdicts.push((*at, *situation));
            }
        }
        verdicts
    }

    /// What each round found.
    pub fn rounds(&self) -> Vec<(Duration, Evidence)> {
        let round = |(at, event): &(Duration, Event)| match event {
            Event::Round { evidence, .. } => Some((*at, (**evidence).clone())),
            _ => None,
        };
        self.told.iter().filter_map(round).collect()
    }

    pub fn state(&self) -> State {
        self.snapshot().state
    }

    pub fn active(&self) -> Option<&str> {
        self.active.as_deref()
    }

    pub fn health(&self, server: &str) -> &'static str {
        let snapshot = self.snapshot();
        snapshot.servers.iter().find(|s| s.server.as_str() == server).unwrap().health.as_str()
    }

    /// How often something was told.
    pub fn count(&self, condition: impl Fn(&Event) -> bool) -> usize {
        self.told.iter().filter(|(_, event)| condition(event)).count()
    }

    /// The servers attached to, in order.
    pub fn attachments(&self) -> Vec<String> {
        let server = |(_, event): &(Duration, Event)| match event {
            Event::Attached { server, .. } => Some(server.to_string()),
            _ => None,
        };
        self.told.iter().filter_map(server).collect()
    }

    /// Where the open links of a server stand.
    pub fn peers(&self, server: &str) -> Vec<IpAddr> {
        self.links.values().filter(|link| link.server == server).map(|link| link.peer.ip()).collect()
    }

    /// The longest time between two heartbeats.
    pub fn longest_gap(&self) -> Duration {
        let told: Vec<_> =
            self.told.iter().filter(|(_, event)| is_heartbeat(event)).map(|(at, _)| *at).collect();
        told.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
    }

    pub fn dials(&self, server: &str) -> Vec<Duration> {
        self.starts.iter().filter(|(_, id)| id == server).map(|(at, _)| at.since(self.started)).collect()
    }

    /// Under which policies a server was dialled.
    pub fn dialled_policies(&self, server: &str) -> Vec<CertificatePolicyId> {
        let dials = self.starts.iter().zip(&self.policies);
        dials.filter(|((_, id), _)| id == server).map(|(_, policy)| *policy).collect()
    }

    /// Every event on a line, for a failed assertion.
    pub fn story(&self) -> String {
        let line = |(at, event): &(Duration, Event)| format!("{:>10.3} {event:?}\n", at.as_secs_f64());
        let lines: String = self.told.iter().map(line).collect();
        format!("{lines}{}", self.engine.snapshot(self.now).explain())
    }
}

pub fn attached_to(event: &Event, name: &str) -> bool {
    matches!(event, Event::Attached { server, .. } if server.as_str() == name)
}

pub fn is_heartbeat(event: &Event) -> bool {
    matches!(event, Event::Heartbeat { .. })
}

pub fn is_waiting(event: &Event) -> bool {
    matches!(event, Event::Waiting { .. })
}

/// The own server of each priority for this plan's agent, and the others in their order.
pub fn ranking(world: &World) -> Vec<String> {
    world.snapshot().servers.iter().map(|server| server.server.to_string()).collect()
}
