//! A fleet: one schedule of what happens to all engines, and servers they share.
//!
//! A server is up or down. Down, it refuses every connection. Up, it answers everything well, and
//! admits newcomers from a token bucket: an empty bucket refuses the connection. Nothing is lost or late but by
//! that; a round trip takes 10 to 29 ms, the same for an agent's whole life.

use std::sync::Arc;
use std::time::Duration;

use homing::engine::{Action, Away, Engine, Event, Input, Memory, Setup, Tuning};
use homing::settings::Settings;
use homing::types::{Cause, Moment, Route};
use serde_json::json;

use crate::dice::Dice;
use crate::driver::{Driver, Happening};
use crate::schedule::Schedule;
use crate::settings::{address, document, number, parse};
use crate::{ms, s};

/// How a fleet is made.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub agents: usize,
    pub servers: usize,
    pub spread: &'static str,
    /// Newcomers a second each server admits; the bucket is a tenth of a second deep.
    pub admits: u64,
    /// Whether agents it has served since it came up cost tokens too: their event streams and heartbeats.
    pub all_pay: bool,
    /// All agents start in one instant, with this start-up spread; `None`: over one heartbeat interval.
    pub boots_within: Option<&'static str>,
}

/// See the module.
pub struct Fleet {
    pub now: Moment,
    agents: Vec<Agent>,
    servers: Vec<Server>,
    all_pay: bool,
    schedule: Schedule<(u32, Coming)>,
    dice: Dice,
    /// Every connection that was begun for a heartbeat, a probe or a search: when, and to which server.
    /// Connections of agents that were served already since their server came up are not attempts.
    pub attempts: Vec<(Moment, u8)>,
}

struct Agent {
    driver: Driver,
    /// The earliest look at the engine's deadline that is on the schedule.
    look: Moment,
    attached_to: Option<u8>,
    /// When a heartbeat exchange succeeded first since [`Fleet::begin_count`].
    back: Option<Moment>,
}

struct Server {
    up_since: Option<Moment>,
    /// Tokens in the bucket, in nanoseconds of their making, and when that was so.
    filled: (u64, Moment),
    each: u64,
    /// Since when each agent is served, by agent.
    served: Vec<bool>,
}

/// What comes to an agent.
enum Coming {
    /// A look whether its engine has something due.
    Look,
    Happens(Happening),
}

impl Fleet {
    pub fn new(plan: &Plan) -> Self {
        let now = Moment::ORIGIN + s(1000);
        let (settings, routes) = (settings(plan.servers), Arc::<[Route]>::from([Route::Direct]));
        let tuning = json!({ "attachment": {
            "spread": plan.spread, "startup_spread": plan.boots_within.unwrap_or("0s") } });
        let tuning = Tuning::parse(tuning.to_string().as_bytes());
        let tuning = Arc::new(tuning.expect("a spread the documentation allows"));
        let agent = |number: usize| {
            let id = number.to_string().parse().expect("digits are visible characters");
            let (routes, tuning) = (routes.clone(), tuning.clone());
            let setup = Setup { tuning, routes, ..Setup::new(settings.clone(), id) };
            let engine = Engine::new(setup, Memory::default(), Away::Unknown, number as u64, now);
            let driver = Driver::new(engine, ms(10 + number as u64 % 20));
            Agent { driver, look: now, attached_to: None, back: None }
        };
        let server = || Server {
            up_since: Some(now),
            filled: (0, now),
            each: 1_000_000_000 / plan.admits,
            served: vec![plan.boots_within.is_none(); plan.agents],
        };
        let mut fleet = Self {
            now,
            agents: (0..plan.agents).map(agent).collect(),
            servers: (0..plan.servers).map(|_| server()).collect(),
            all_pay: plan.all_pay,
            schedule: Schedule::default(),
            dice: Dice(7),
            attempts: Vec::new(),
        };
        for agent in 0..plan.agents {
            // A fleet is never switched on in one instant; here it takes one heartbeat interval.
            let spread = if plan.boots_within.is_some() { 1 } else { 300_000 };
            let at = now + ms(fleet.dice.below(spread));
            fleet.agents[agent].look = at;
            fleet.push(at, agent, Coming::Look);
        }
        fleet
    }

    // --- the story ---

    pub fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some((at, (agent, coming))) = self.schedule.pop_until(end) {
            self.now = at;
            self.come(agent as usize, coming);
        }
        self.now = end;
    }

    /// A server dies, and every connection to it is cut within 0.2 s.
    pub fn kill(&mut self, server: usize) {
        self.servers[server].up_since = None;
        for agent in 0..self.agents.len() {
            for link in 0..self.agents[agent].driver.links().len() {
                let link = &self.agents[agent].driver.links()[link];
                if number(link.peer.ip()) == server {
                    let cut = Happening::Lost(link.id, Cause::Reset);
                    let at = self.now + ms(self.dice.below(200));
                    self.push(at, agent, Coming::Happens(cut));
                }
            }
        }
    }

    /// A server is back. It has not served any agent yet, and its bucket is full.
    pub fn revive(&mut self, server: usize) {
        let agents = self.agents.len();
        let server = &mut self.servers[server];
        *server = Server {
            up_since: Some(self.now),
            filled: (0, self.now),
            served: vec![false; agents],
            ..*server
        };
    }

    /// From now on attempts and returns are counted.
    pub fn begin_count(&mut self) {
        self.attempts.clear();
        for agent in &mut self.agents {
            agent.back = None;
        }
    }

    // --- looking ---

    pub fn agents(&self) -> usize {
        self.agents.len()
    }

    /// Inputs given to all engines.
    pub fn inputs(&self) -> u64 {
        self.agents.iter().map(|agent| agent.driver.inputs).sum()
    }

    /// How long after `since` each agent that is back was back, shortest first.
    pub fn returns(&self, since: Moment) -> Vec<Duration> {
        let mut times: Vec<_> =
            self.agents.iter().filter_map(|agent| agent.back).map(|at| at.since(since)).collect();
        times.sort_unstable();
        times
    }

    /// How many agents are attached to each server.
    pub fn load(&self) -> Vec<usize> {
        let mut load = vec![0; self.servers.len()];
        for server in self.agents.iter().filter_map(|agent| agent.attached_to) {
            load[usize::from(server)] += 1;
        }
        load
    }

    // --- the driver ---

    fn come(&mut self, place: usize, coming: Coming) {
        let agent = &mut self.agents[place];
        let follows = match coming {
            Coming::Look => {
                agent.look = Moment::from_nanos(u64::MAX);
                if agent.driver.engine.deadline().is_some_and(|(at, _)| at <= self.now) {
                    agent.driver.input(self.now, Input::Timeout);
                }
                None
            }
            Coming::Happens(happening) => {
                if let Happening::Answered(on, _) = happening
                    && let Some(link) = agent.driver.links().iter().find(|link| link.id == on)
                {
                    self.servers[number(link.peer.ip())].served[place] = true;
                    agent.back.get_or_insert(self.now);
                }
                agent.driver.happen(self.now, happening)
            }
        };
        self.drain(place);
        if let Some((after, happening)) = follows {
            self.push(self.now + after, place, Coming::Happens(happening));
        }
    }

    fn drain(&mut self, place: usize) {
        while let Some(action) = self.agents[place].driver.engine.poll_action() {
            let refused = match &action {
                Action::Dial { server, .. } => {
                    !self.admit(place, server.id.as_str().parse().expect("servers are numbered"))
                }
                _ => false,
            };
            if let Some((after, happening)) = self.agents[place].driver.act(&action) {
                let happening = match happening {
                    Happening::Connected(link) if refused => Happening::Lost(link, Cause::ConnectionRefused),
                    happening => happening,
                };
                self.push(self.now + after, place, Coming::Happens(happening));
            }
        }
        let agent = &mut self.agents[place];
        while let Some(event) = agent.driver.engine.poll_event() {
            match event {
                Event::Attached { server, .. } => agent.attached_to = server.as_str().parse().ok(),
                Event::Detached { .. } => agent.attached_to = None,
                _ => {}
            }
        }
        // A look that comes too early finds nothing due and plans the next: cheaper than taking it back.
        if let Some((deadline, _)) = agent.driver.engine.deadline()
            && deadline < agent.look
        {
            agent.look = deadline;
            self.push(deadline, place, Coming::Look);
        }
    }

    /// Whether the server takes this connection.
    fn admit(&mut self, agent: usize, number: u8) -> bool {
        let server = &mut self.servers[usize::from(number)];
        let known = server.served[agent] && server.up_since.is_some();
        if !known {
            self.attempts.push((self.now, number));
        }
        if server.up_since.is_none() {
            return false;
        }
        if known && !self.all_pay {
            return true;
        }
        // The bucket as the time it would take to fill what is missing: at most a tenth of a second.
        let (missing, at) = server.filled;
        let passed = u64::try_from(self.now.since(at).as_nanos()).unwrap_or(u64::MAX);
        let missing = missing.saturating_sub(passed);
        let admitted = missing + server.each <= 100_000_000;
        server.filled = (if admitted { missing + server.each } else { missing }, self.now);
        admitted
    }

    fn push(&mut self, at: Moment, agent: usize, coming: Coming) {
        let agent = u32::try_from(agent).expect("fewer than four thousand million agents");
        self.schedule.push(at, (agent, coming));
    }
}

/// One priority of servers named 0, 1, …; push, heartbeats every 300 s.
fn settings(servers: usize) -> Arc<Settings> {
    let server = |number: usize| json!({ "id": number.to_string(), "address": address(number) });
    let communication = json!({ "mode": "push", "heartbeat_interval": "300s" });
    parse(&document([(0..servers).map(server).collect()], communication))
}
