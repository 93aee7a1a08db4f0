//! A fleet in virtual time: one heap of happenings over all engines, and servers they share.
//!
//! A server is up or down. Down, it refuses every connection. Up, it answers everything well, and
//! admits newcomers from a token bucket: an empty bucket refuses the connection. Nothing is lost or late but by
//! that; a round trip takes 10 to 29 ms, the same for an agent's whole life.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use homing::engine::{Action, Away, Engine, Event, Input, Memory, Setup, Tuning};
use homing::settings::Settings;
use homing::types::{
    Cause, ExchangeId, LinkId, Listening, Medium, Moment, News, Proof, Purpose, Request, Route, Verdict, Via,
};

/// How a fleet is made.
pub struct Plan {
    pub agents: usize,
    pub servers: usize,
    pub spread: &'static str,
    /// Newcomers a second each server admits; the bucket is a tenth of a second deep.
    pub admits: u64,
    /// Whether agents it has served since it came up cost tokens too: their event streams and heartbeats.
    pub everybody_pays: bool,
    /// All agents start in one instant, with this start-up spread; `None`: over one heartbeat interval.
    pub boots_within: Option<&'static str>,
}

/// See the module.
pub struct World {
    pub now: Moment,
    agents: Vec<Agent>,
    servers: Vec<Server>,
    everybody_pays: bool,
    heap: BinaryHeap<Reverse<(Moment, u64, u32, Happening)>>,
    sequence: u64,
    dice: u64,
    /// Every connection that was begun for a heartbeat, a probe or a search: when, and to which server.
    /// Connections of agents that were served already since their server came up are not attempts.
    pub attempts: Vec<(Moment, u8)>,
    /// Inputs given to all engines.
    pub inputs: u64,
}

struct Agent {
    engine: Engine,
    links: Vec<Link>,
    /// The earliest look at the engine's deadline that is in the heap.
    look: Moment,
    round_trip: Duration,
    attached_to: Option<u8>,
    /// When a heartbeat exchange succeeded first since [`World::begin_count`].
    back: Option<Moment>,
}

struct Link {
    id: LinkId,
    server: u8,
    /// The stream that is open on it.
    stream: Option<ExchangeId>,
}

struct Server {
    up_since: Option<Moment>,
    /// Tokens in the bucket, in nanoseconds of their making, and when that was so.
    filled: (u64, Moment),
    each: u64,
    /// Since when each agent is served, by agent.
    served: Vec<bool>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    Look,
    Connected(LinkId),
    Secured(LinkId),
    Answered(LinkId, ExchangeId),
    Streams(LinkId, ExchangeId, Duration),
    Lost(LinkId, bool),
}

impl World {
    pub fn new(plan: &Plan) -> Self {
        let now = Moment::ORIGIN + Duration::from_secs(1000);
        let (settings, routes) = (settings(plan.servers), Arc::<[Route]>::from([Route::Direct]));
        let tuning = format!(
            r#"{{ "attachment": {{ "spread": "{}", "startup_spread": "{}" }} }}"#,
            plan.spread,
            plan.boots_within.unwrap_or("0s")
        );
        let tuning = Arc::new(Tuning::parse(tuning.as_bytes()).expect("a spread the documentation allows"));
        let agent = |number: usize| {
            let id = number.to_string().parse().expect("digits are visible characters");
            let (routes, tuning) = (routes.clone(), tuning.clone());
            let setup = Setup { tuning, routes, ..Setup::new(settings.clone(), id) };
            Agent {
                engine: Engine::new(setup, Memory::default(), Away::Unknown, number as u64, now),
                links: Vec::new(),
                look: now,
                round_trip: Duration::from_millis(10 + number as u64 % 20),
                attached_to: None,
                back: None,
            }
        };
        let server = || Server {
            up_since: Some(now),
            filled: (0, now),
            each: 1_000_000_000 / plan.admits,
            served: vec![plan.boots_within.is_none(); plan.agents],
        };
        let mut world = Self {
            now,
            agents: (0..plan.agents).map(agent).collect(),
            servers: (0..plan.servers).map(|_| server()).collect(),
            everybody_pays: plan.everybody_pays,
            heap: BinaryHeap::new(),
            sequence: 0,
            dice: 7,
            attempts: Vec::new(),
            inputs: 0,
        };
        for agent in 0..plan.agents {
            // A fleet is never switched on in one instant; here it takes one heartbeat interval.
            let spread = if plan.boots_within.is_some() { 1 } else { 300_000 };
            let at = now + Duration::from_millis(world.draw(spread));
            world.agents[agent].look = at;
            world.push(at, agent, Happening::Look);
        }
        world
    }

    // --- the story ---

    pub fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(Reverse((at, _, agent, happening))) = self.heap.pop_if_before(end) {
            self.now = at;
            self.happen(agent as usize, happening);
        }
        self.now = end;
    }

    /// A server dies, and every connection to it is cut within 0.2 s.
    pub fn kill(&mut self, server: usize) {
        self.servers[server].up_since = None;
        for agent in 0..self.agents.len() {
            for link in 0..self.agents[agent].links.len() {
                let Link { id, server: to, .. } = self.agents[agent].links[link];
                if usize::from(to) == server {
                    let at = self.now + Duration::from_millis(self.draw(200));
                    self.push(at, agent, Happening::Lost(id, true));
                }
            }
        }
    }

    /// A server is back. It has served nobody yet, and its bucket is full.
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

    fn happen(&mut self, number: usize, happening: Happening) {
        let agent = &mut self.agents[number];
        let stands = |link: LinkId| agent.links.iter().position(|known| known.id == link);
        match happening {
            Happening::Look => {
                agent.look = Moment::from_nanos(u64::MAX);
                let due = agent.engine.deadline().is_some_and(|(at, _)| at <= self.now);
                if due { self.input(number, Input::Timeout) } else { self.plan_look(number) }
            }
            Happening::Connected(link) => {
                let Some(place) = stands(link) else { return };
                let (round_trip, server) = (agent.round_trip, agent.links[place].server);
                let peer = SocketAddr::from(([10, 0, 0, server + 1], 443));
                self.input(number, Input::Connected { link, via: Via { peer, medium: Medium::Direct } });
                self.push(self.now + round_trip, number, Happening::Secured(link));
            }
            Happening::Secured(link) if stands(link).is_some() => {
                self.input(number, Input::Secured { link, proof: Proof::Tls, valid_for: None });
            }
            Happening::Streams(link, exchange, silence) => {
                let Some(place) = stands(link) else { return };
                let is_new = agent.links[place].stream.replace(exchange) != Some(exchange);
                let news = if is_new { News::Hello } else { News::KeepAlive };
                self.input(number, Input::Notice { exchange, news });
                self.push(self.now + silence, number, Happening::Streams(link, exchange, silence));
            }
            Happening::Answered(link, exchange) => {
                let Some(place) = stands(link) else { return };
                let server = usize::from(agent.links[place].server);
                self.servers[server].served[number] = true;
                agent.back.get_or_insert(self.now);
                self.input(number, Input::FirstByte { exchange });
                let verdict = Verdict::Success { status: 200, settings: Some("\"7\""), policy: None };
                self.input(number, Input::Done { exchange, outcome: verdict.into() });
            }
            Happening::Lost(link, cut) => {
                let Some(place) = stands(link) else { return };
                agent.links.swap_remove(place);
                let cause = if cut { Cause::Reset } else { Cause::ConnectionRefused };
                self.input(number, Input::Lost { link, failure: cause.into() });
            }
            Happening::Secured(_) => {}
        }
    }

    fn input(&mut self, number: usize, input: Input<'_>) {
        self.inputs += 1;
        self.agents[number].engine.handle(self.now, input);
        while let Some(action) = self.agents[number].engine.poll_action() {
            self.act(number, action);
        }
        let agent = &mut self.agents[number];
        while let Some(event) = agent.engine.poll_event() {
            match event {
                Event::Attached { server, .. } => agent.attached_to = server.as_str().parse().ok(),
                Event::Detached { .. } => agent.attached_to = None,
                _ => {}
            }
        }
        self.plan_look(number);
    }

    fn act(&mut self, number: usize, action: Action) {
        let round_trip = self.agents[number].round_trip;
        match action {
            Action::Dial { link, server, .. } => {
                let server: u8 = server.id.as_str().parse().expect("servers are numbered");
                let admitted = self.admit(number, server);
                self.agents[number].links.push(Link { id: link, server, stream: None });
                let then = if admitted { Happening::Connected(link) } else { Happening::Lost(link, false) };
                self.push(self.now + round_trip, number, then);
            }
            Action::Exchange { exchange, link, request, .. } => {
                let answer = match request {
                    Request::Listen(Listening::Stream { silence }) => {
                        Happening::Streams(link, exchange, silence)
                    }
                    Request::Heartbeat {
                        purpose: Purpose::Attach { .. } | Purpose::Beat | Purpose::Probe,
                    } => Happening::Answered(link, exchange),
                    // No server of this bench names a policy.
                    _ => return,
                };
                self.push(self.now + round_trip, number, answer);
            }
            Action::Close { link, .. } => self.agents[number].links.retain(|known| known.id != link),
            _ => {}
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
        if known && !self.everybody_pays {
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

    fn plan_look(&mut self, number: usize) {
        let agent = &mut self.agents[number];
        // A look that comes too early finds nothing due and plans the next: cheaper than taking it back.
        if let Some((deadline, _)) = agent.engine.deadline()
            && deadline < agent.look
        {
            agent.look = deadline;
            self.push(deadline, number, Happening::Look);
        }
    }

    fn push(&mut self, at: Moment, agent: usize, happening: Happening) {
        self.sequence += 1;
        let agent = u32::try_from(agent).expect("fewer than four thousand million agents");
        self.heap.push(Reverse((at, self.sequence, agent, happening)));
    }

    /// Uniform below `most` (SplitMix64: one seed is one story).
    fn draw(&mut self, most: u64) -> u64 {
        self.dice = self.dice.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.dice;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % most
    }
}

trait PopIfBefore<T> {
    fn pop_if_before(&mut self, end: Moment) -> Option<T>;
}

type Entry = Reverse<(Moment, u64, u32, Happening)>;

impl PopIfBefore<Entry> for BinaryHeap<Entry> {
    fn pop_if_before(&mut self, end: Moment) -> Option<Entry> {
        if self.peek()?.0.0 > end {
            return None;
        }
        self.pop()
    }
}

/// One priority of servers named 0, 1, …; push, heartbeats every 300 s.
fn settings(servers: usize) -> Arc<Settings> {
    let servers: Vec<_> = (0..servers)
        .map(|n| serde_json::json!({ "id": n.to_string(), "address": format!("10.0.0.{}", n + 1) }))
        .collect();
    let document = serde_json::json!({
        "server_lists": [{ "name": "main", "priorities": [{ "servers": servers }] }],
        "group": { "name": "g", "communication": { "mode": "push", "heartbeat_interval": "300s" } },
    });
    Arc::new(document.to_string().parse().expect("settings as the documentation has them"))
}
