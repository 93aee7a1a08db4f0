//! What a world is made of, and its beginning.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use homing::engine::{Away, Input, Memory, SettingsName, Setup};
use homing::settings::Settings;
use homing::types::{Medium, Moment, Route};

use super::server::{Calls, ROUND_TRIP, Reach, name, up};
use super::{Outbox, World, ms, s};
use crate::mount;
use crate::prepared::Prepared;
use crate::reference_network::Places;

/// What a world is made of.
pub struct Plan {
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
    pub parts: serde_json::Map<String, serde_json::Value>,
    /// Further fields of the group's communication.
    pub communication: serde_json::Map<String, serde_json::Value>,
}

/// Servers `a`, `b`, … in priorities of these sizes. All are up until told otherwise.
pub fn priorities(sizes: &[usize]) -> Plan {
    let mut next = 0..;
    let priorities = sizes.iter().map(|&size| next.by_ref().take(size).map(name).collect()).collect();
    Plan {
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
        parts: serde_json::Map::new(),
        communication: serde_json::Map::new(),
    }
}

/// What names settings of this digest, as a server gave them.
pub fn settings_name(digest: &str) -> SettingsName {
    SettingsName { digest: digest.into(), tag: Some(format!("\"{digest}\"").into()), serial: None }
}

impl Plan {
    /// With this part of the document.
    pub fn with(mut self, part: &str, value: serde_json::Value) -> Self {
        self.parts.insert(part.to_owned(), value);
        self
    }

    /// With these fields of the group's communication.
    pub fn communication(mut self, fields: &serde_json::Value) -> Self {
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
        let mut number = 0u32;
        let mut server = |id: &String| {
            number += 1;
            let address = if self.names {
                format!("{id}.test")
            } else {
                Ipv4Addr::from(0x0A00_0000 + number).to_string()
            };
            let protocol = if self.http { "http" } else { "https" };
            serde_json::json!({ "id": id, "address": address, "protocol": protocol, "https_port": self.port })
        };
        let priorities: Vec<_> = self
            .priorities
            .iter()
            .map(|servers| serde_json::json!({ "servers": servers.iter().map(&mut server).collect::<Vec<_>>() }))
            .collect();
        let mut text = serde_json::json!({
            "server_lists": [{ "name": "main", "priorities": priorities }],
            "group": { "name": "g", "server_list": "main", "communication": {
                "heartbeat_interval": format!("{}s", self.interval.as_secs()),
                "mode": if self.push { "push" } else { "pull" },
            } },
        });
        let communication = &mut text["group"]["communication"];
        communication.as_object_mut().unwrap().extend(self.communication.clone());
        text.as_object_mut().unwrap().extend(self.parts.clone());
        Arc::new(text.to_string().parse().unwrap())
    }

    pub fn start(self) -> World {
        self.start_at(Moment::ORIGIN + s(1000))
    }

    pub fn start_at(self, now: Moment) -> World {
        let mut setup = Setup::new(self.settings(), self.agent.parse().unwrap());
        setup.routes = self.routes.clone().into();
        setup.settings_name = self.digest.as_deref().map(settings_name);
        setup.given = self.given.as_deref().or(self.digest.as_deref()).map(Into::into);
        let mut engine = mount::engine(setup, &self.tuning, self.memory.clone(), self.away, self.seed, now);
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
            happenings: BTreeMap::new(),
            sequence: 0,
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
