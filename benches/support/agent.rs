//! One engine and the smallest driver there is: every server answers well, a millisecond later.

#![allow(dead_code, reason = "not every user asks for everything")]

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use homing::engine::{Action, Away, Engine, Input, Memory, Setup, Tuning};
use homing::settings::Settings;
use homing::types::{
    ExchangeId, LinkId, Listening, Medium, Moment, News, Proof, Request, Route, Verdict, Via,
};

/// Settings with one priority of `servers` servers, each an address, over TLS.
pub fn settings(servers: usize, mode: &str, interval: &str) -> Arc<Settings> {
    settings_with(addresses(servers), mode, interval)
}

/// The addresses of these servers.
pub fn addresses(servers: usize) -> Vec<String> {
    (0..servers).map(|n| format!("10.0.{}.{}", n / 250, n % 250 + 1)).collect()
}

/// Settings with one priority of servers at these addresses, in this order.
pub fn settings_with(addresses: Vec<String>, mode: &str, interval: &str) -> Arc<Settings> {
    let servers: Vec<_> =
        addresses.into_iter().map(|address| serde_json::json!({ "address": address })).collect();
    let document = serde_json::json!({
        "server_lists": [{ "name": "main", "priorities": [{ "servers": servers }] }],
        "group": { "name": "g", "communication": { "mode": mode, "heartbeat_interval": interval } },
    });
    Arc::new(document.to_string().parse().expect("settings as the documentation has them"))
}

/// When every agent begins.
pub fn start() -> Moment {
    Moment::ORIGIN + Duration::from_secs(1000)
}

/// See the module.
pub struct Agent {
    pub engine: Engine,
    pub now: Moment,
    /// How many inputs the engine was given.
    pub inputs: u64,
    /// How many heartbeats it began.
    pub beats: u64,
    /// How many event streams it began.
    pub streams: u64,
    /// The exchange that listens: when it next hears that the server is there, and how often.
    alive: Option<(ExchangeId, Moment, Duration)>,
    coming: VecDeque<Coming>,
}

/// What the world says next.
enum Coming {
    Connected(LinkId, std::net::SocketAddr),
    Secured(LinkId),
    FirstByte(ExchangeId),
    Done(ExchangeId),
    Told(ExchangeId, News<'static>),
}

impl Agent {
    pub fn new(name: &str, settings: &Arc<Settings>, tuning: &Arc<Tuning>, routes: &Arc<[Route]>) -> Self {
        let now = start();
        let agent = name.parse().expect("a short name of visible characters");
        let setup =
            Setup { tuning: tuning.clone(), routes: routes.clone(), ..Setup::new(settings.clone(), agent) };
        let engine = Engine::new(setup, Memory::default(), Away::Unknown, 1, now);
        Self {
            engine,
            now,
            inputs: 0,
            beats: 0,
            streams: 0,
            alive: None,
            coming: VecDeque::with_capacity(16),
        }
    }

    /// Lives until this many heartbeats have begun, and all has come to rest.
    pub fn beat(&mut self, times: u64) {
        let enough = self.beats + times;
        while self.beats < enough || !self.coming.is_empty() {
            self.turn();
        }
    }

    /// The next thing happens.
    pub fn turn(&mut self) {
        let Some(coming) = self.coming.pop_front() else {
            let (deadline, _) = self.engine.deadline().expect("an agent that runs has something to wait for");
            // A server that is listened to shows in time that it is there.
            if let Some((exchange, at, silence)) = self.alive.filter(|(_, at, _)| *at <= deadline) {
                self.now = self.now.max(at);
                self.alive = Some((exchange, at + silence, silence));
                return self.handle(Input::Notice { exchange, news: News::KeepAlive });
            }
            self.now = self.now.max(deadline);
            return self.handle(Input::Timeout);
        };
        self.now = self.now + Duration::from_millis(1);
        match coming {
            Coming::Connected(link, peer) => {
                self.handle(Input::Connected { link, via: Via { peer, medium: Medium::Direct } });
                self.coming.push_back(Coming::Secured(link));
            }
            Coming::Secured(link) => self.handle(Input::Secured { link, proof: Proof::Tls, valid_for: None }),
            Coming::FirstByte(exchange) => self.handle(Input::FirstByte { exchange }),
            Coming::Told(exchange, news) => self.handle(Input::Notice { exchange, news }),
            Coming::Done(exchange) => {
                let verdict =
                    Verdict::Success { status: 200, settings: Some("\"7\""), policy: Some("\"3\"") };
                self.handle(Input::Done { exchange, outcome: verdict.into() });
            }
        }
    }

    fn handle(&mut self, input: Input<'_>) {
        self.inputs += 1;
        self.engine.handle(self.now, input);
        while let Some(action) = self.engine.poll_action() {
            match action {
                Action::Dial { link, to, .. } => {
                    let peer = *to.first().expect("a direct dial names an address");
                    self.coming.push_back(Coming::Connected(link, peer));
                }
                Action::Exchange { exchange, request: Request::Listen(listening), .. } => {
                    let Listening::Stream { silence } = listening else {
                        unreachable!("streams come through")
                    };
                    self.streams += 1;
                    self.alive = Some((exchange, self.now + silence, silence));
                    self.coming.push_back(Coming::Told(exchange, News::Hello));
                }
                Action::Exchange { exchange, .. } => {
                    self.beats += 1;
                    self.coming.push_back(Coming::FirstByte(exchange));
                    self.coming.push_back(Coming::Done(exchange));
                }
                _ => {}
            }
        }
        while self.engine.poll_event().is_some() {}
    }
}
