//! What a world is made of, and its beginning.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use homing::engine::{Away, Input, Memory, SettingsName, Setup};
use homing::settings::Settings;
use homing::types::{Identity, Medium, Moment, Route};
use serde_json::{Map, Value, json};

use super::server::{Calls, ROUND_TRIP, Reach, name, up};
use super::{Outbox, Registry, World, ms, s};
use crate::mount::Mounting;
use crate::prepared::Prepared;
use crate::reference_network::Places;
use crate::schedule::Schedule;
use crate::settings::{address, document, parse};

/// What a world is made of.
pub struct Plan {
    pub mounting: Mounting,
    pub priorities: Vec<Vec<String>>,
    pub interval: Duration,
    pub push: bool,
    pub agent: String,
    pub seed: u64,
    pub tuning: String,
    pub memory: Memory,
    pub away: Away,
    pub names: bool,
    /// Their port, when not the usual one.
    pub port: u16,
    /// Servers speak plain HTTP.
    pub http: bool,
    pub routes: Vec<Route>,
    /// Names the settings in the memory.
    pub digest: Option<String>,
    /// What the program has, where it is something else.
    pub given: Option<String>,
    /// Further parts of the document: reference servers, rules of location, locations.
    pub parts: Map<String, Value>,
    /// Further fields of the group's communication.
    pub communication: Map<String, Value>,
    /// What the product says of the machine.
    pub identity: Option<Identity>,
}

/// Servers `a`, `b`, … in priorities of these sizes, around the engine that is mounted. All are up until told otherwise.
pub fn priorities(mounting: Mounting, sizes: &[usize]) -> Plan {
    let mut next = 0..;
    let priorities = sizes.iter().map(|&size| next.by_ref().take(size).map(name).collect()).collect();
    Plan {
        mounting,
        priorities,
        interval: s(300),
        push: false,
        agent: "agent-1".to_owned(),
        seed: 1,
        tuning: "{}".to_owned(),
        memory: Memory::default(),
        away: Away::Unknown,
        names: false,
        port: 443,
        http: false,
        routes: vec![Route::Direct],
        digest: None,
        given: None,
        parts: Map::new(),
        communication: Map::new(),
        identity: None,
    }
}

/// What names settings of this digest, as a server gave them.
pub fn settings_name(digest: &str) -> SettingsName {
    SettingsName { digest: digest.into(), tag: Some(format!("\"{digest}\"").into()), serial: None }
}

impl Plan {
    /// With this part of the document.
    pub fn with(mut self, part: &str, value: Value) -> Self {
        self.parts.insert(part.to_owned(), value);
        self
    }

    /// With these fields of the group's communication.
    pub fn communication(mut self, fields: &Value) -> Self {
        self.communication.extend(fields.as_object().unwrap().clone());
        self
    }

    pub fn interval(self, interval: Duration) -> Self {
        Self { interval, ..self }
    }

    pub fn push(self) -> Self {
        Self { push: true, ..self }
    }

    pub fn agent(self, agent: &str) -> Self {
        Self { agent: agent.to_owned(), ..self }
    }

    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    pub fn tuning(self, tuning: &str) -> Self {
        Self { tuning: tuning.to_owned(), ..self }
    }

    pub fn remembering(self, memory: Memory, away: Away) -> Self {
        Self { memory, away, ..self }
    }

    pub fn routes(self, routes: &[Route]) -> Self {
        Self { routes: routes.to_vec(), ..self }
    }

    /// The product says this of the machine.
    pub fn identity(self, identity: Identity) -> Self {
        Self { identity: Some(identity), ..self }
    }

    /// Named in the memory by this digest.
    pub fn digest(self, digest: &str) -> Self {
        Self { digest: Some(digest.to_owned()), ..self }
    }

    /// Servers listen at this port.
    pub fn port(self, port: u16) -> Self {
        Self { port, ..self }
    }

    /// Servers have names instead of addresses.
    pub fn named(self) -> Self {
        Self { names: true, ..self }
    }

    pub fn settings(&self) -> Arc<Settings> {
        let mut numbers = 0..;
        let mut server = |id: &String| {
            let address = match numbers.next() {
                Some(number) if !self.names => address(number).to_string(),
                _ => format!("{id}.test"),
            };
            let protocol = if self.http { "http" } else { "https" };
            json!({ "id": id, "address": address, "protocol": protocol, "https_port": self.port })
        };
        let priorities = self.priorities.iter().map(|servers| servers.iter().map(&mut server).collect());
        let mut communication = json!({
            "heartbeat_interval": format!("{}s", self.interval.as_secs()),
            "mode": if self.push { "push" } else { "pull" },
        });
        communication.as_object_mut().unwrap().extend(self.communication.clone());
        let mut document = document(priorities, communication);
        document.as_object_mut().unwrap().extend(self.parts.clone());
        parse(&document)
    }

    pub fn start(self) -> World {
        self.start_at(Moment::ORIGIN + s(1000))
    }

    pub fn start_at(self, now: Moment) -> World {
        let mut setup = Setup::new(self.settings(), self.agent.parse().unwrap());
        setup.routes = self.routes.clone().into();
        setup.settings_name = self.digest.as_deref().map(settings_name);
        setup.given = self.given.as_deref().or(self.digest.as_deref()).map(Into::into);
        setup.identity = self.identity.clone().map(Arc::new);
        let mut engine = (self.mounting)(setup, &self.tuning, self.memory.clone(), self.away, self.seed, now);
        engine.handle(now, Input::Timeout);
        let servers = self.priorities.iter().flatten().map(|id| (id.clone(), up())).collect();
        World {
            middlebox: super::Middlebox::default(),
            events_wait: false,
            engine,
            plan: self,
            now,
            started: now,
            servers,
            schedule: Schedule::default(),
            links: BTreeMap::new(),
            exchanges: BTreeMap::new(),
            succeeded: BTreeSet::new(),
            told: Vec::new(),
            starts: Vec::new(),
            prepared: Prepared::default(),
            policies: Vec::new(),
            beats: Vec::new(),
            active: None,
            floors: BTreeMap::new(),
            cut_off: false,
            proxy: Reach::Connects(ROUND_TRIP),
            through_proxy: None,
            addresses: Vec::new(),
            moved: BTreeMap::new(),
            certificates_end: BTreeMap::new(),
            direct_blocked: false,
            inputs: 0,
            heard: now,
            streams: BTreeMap::new(),
            names_fail: None,
            look_up_time: ms(1),
            calls: Calls::AnsweredAfter(Duration::ZERO),
            names_wait: None,
            names_hang: false,
            wait_for_drain: false,
            outbox: Outbox::default(),
            registry: Registry::default(),
            memories: Vec::new(),
            places: Places::default(),
            look_ups: Vec::new(),
            looked_up: Vec::new(),
            medium: Medium::Direct,
            probed_managers: Vec::new(),
            lead_astray: BTreeMap::new(),
            forgets: false,
            forgotten: Vec::new(),
        }
    }
}
