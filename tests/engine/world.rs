//! The worlds of these tests: around the engine that is mounted, and with a look at everything it tells.

use homing::engine::{Action, Away, Event, Input, Memory, Setup, Snapshot, Wake};
use homing::types::Moment;
use homing_sim::mount::Mount;
pub use homing_sim::world::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{event_schema, mount};

/// Servers `a`, `b`, … in priorities of these sizes. All are up until told otherwise.
pub fn priorities(sizes: &[usize]) -> Plan {
    homing_sim::world::priorities(watched, sizes)
}

fn watched(setup: Setup, tuning: &str, memory: Memory, away: Away, seed: u64, now: Moment) -> Box<dyn Mount> {
    Box::new(Watched(mount::engine(setup, tuning, memory, away, seed, now)))
}

/// What it tells is what the documentation says, and can be read back.
struct Watched(Box<dyn Mount>);

impl Mount for Watched {
    fn handle(&mut self, now: Moment, input: Input<'_>) {
        self.0.handle(now, input);
    }

    fn poll_action(&mut self) -> Option<Action> {
        self.0.poll_action()
    }

    fn poll_event(&mut self) -> Option<Event> {
        let event = self.0.poll_event();
        if let Some(event) = event.as_ref().filter(|_| event_schema::is_due()) {
            let mut json = read_back(event);
            assert_eq!(json["event"], event.name());
            json["at_ms"] = 0.into();
            event_schema::check_event(&json);
        }
        event
    }

    fn deadline(&self) -> Option<(Moment, Wake)> {
        self.0.deadline()
    }

    fn memory(&self) -> &Memory {
        self.0.memory()
    }

    fn snapshot(&self, now: Moment) -> Snapshot {
        let snapshot = self.0.snapshot(now);
        if event_schema::is_due() {
            event_schema::check_snapshot(&read_back(&snapshot));
        }
        snapshot
    }
}

fn read_back<T: Serialize + DeserializeOwned>(told: &T) -> serde_json::Value {
    let json = serde_json::to_value(told).unwrap();
    let read: T = serde_json::from_value(json.clone()).unwrap();
    assert_eq!(serde_json::to_value(read).unwrap(), json);
    json
}
