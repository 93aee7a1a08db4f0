//! One agent, alone with servers that answer everything well, within a millisecond each time.

use std::sync::Arc;
use std::time::Duration;

use homing::engine::{Action, Away, Engine, Input, Memory, Setup, Tuning};
use homing::settings::Settings;
use homing::types::{Moment, Request, Route};
use serde_json::json;

use crate::driver::{Driver, Happening};
use crate::schedule::Schedule;
use crate::settings::{address, document, parse};
use crate::{ms, s};

/// Settings with one priority of `servers` servers, each an address, over TLS.
pub fn settings(servers: usize, mode: &str, interval: &str) -> Arc<Settings> {
    settings_with(addresses(servers), mode, interval)
}

/// The addresses of these servers.
pub fn addresses(servers: usize) -> Vec<String> {
    (0..servers).map(|number| address(number).to_string()).collect()
}

/// Settings with one priority of servers at these addresses, in this order.
pub fn settings_with(addresses: Vec<String>, mode: &str, interval: &str) -> Arc<Settings> {
    let servers = addresses.into_iter().map(|address| json!({ "address": address })).collect();
    parse(&document([servers], json!({ "mode": mode, "heartbeat_interval": interval })))
}

/// When every agent begins.
pub fn start() -> Moment {
    Moment::ORIGIN + s(1000)
}

/// See the module.
pub struct Agent {
    pub driver: Driver,
    pub now: Moment,
    /// How many heartbeats it began.
    pub beats: u64,
    /// How many event streams it began.
    pub streams: u64,
    coming: Schedule<Happening>,
}

impl Agent {
    pub fn new(name: &str, settings: &Arc<Settings>, tuning: &Arc<Tuning>, routes: &Arc<[Route]>) -> Self {
        let now = start();
        let agent = name.parse().expect("a short name of visible characters");
        let setup =
            Setup { tuning: tuning.clone(), routes: routes.clone(), ..Setup::new(settings.clone(), agent) };
        let engine = Engine::new(setup, Memory::default(), Away::Unknown, 1, now);
        let mut driver = Driver::new(engine, ms(1));
        driver.policy = Some("\"3\"");
        Self { driver, now, beats: 0, streams: 0, coming: Schedule::default() }
    }

    /// Lives until this many heartbeats have begun, and all but an event stream has come to rest.
    pub fn beat(&mut self, times: u64) {
        let enough = self.beats + times;
        while self.beats < enough || self.coming.next().is_some_and(|at| at <= self.now + ms(10)) {
            self.turn();
        }
    }

    /// The next thing happens.
    pub fn turn(&mut self) {
        // What comes within a round trip comes before anything is due; that is cheaper than to ask.
        let soon = self.coming.pop_until(self.now + self.driver.round_trip);
        let follows = match soon.or_else(|| self.coming.pop_until(self.due())) {
            Some((at, happening)) => {
                self.now = self.now.max(at);
                self.driver.happen(self.now, happening)
            }
            None => {
                self.now = self.now.max(self.due());
                self.driver.input(self.now, Input::Timeout);
                None
            }
        };
        self.comes(follows);
        while let Some(action) = self.driver.engine.poll_action() {
            match &action {
                Action::Exchange { request: Request::Listen(_), .. } => self.streams += 1,
                Action::Exchange { .. } => self.beats += 1,
                _ => {}
            }
            let comes = self.driver.act(&action);
            self.comes(comes);
        }
        while self.driver.engine.poll_event().is_some() {}
    }

    fn due(&self) -> Moment {
        self.driver.engine.deadline().expect("an agent that runs has something to wait for").0
    }

    fn comes(&mut self, happening: Option<(Duration, Happening)>) {
        if let Some((after, happening)) = happening {
            self.coming.push(self.now + after, happening);
        }
    }
}
