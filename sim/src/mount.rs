//! The engine under test, as a driver sees it.

use std::sync::Arc;

use homing::engine::{Action, Away, Engine, Event, Input, Memory, Setup, Snapshot, Tuning, Wake};
use homing::types::Moment;

/// An engine, or what stands for one. The methods are those of [`Engine`].
pub trait Mount {
    fn handle(&mut self, now: Moment, input: Input<'_>);
    fn poll_action(&mut self) -> Option<Action>;
    fn poll_event(&mut self) -> Option<Event>;
    fn deadline(&self) -> Option<(Moment, Wake)>;
    fn memory(&self) -> &Memory;
    fn snapshot(&self, now: Moment) -> Snapshot;
}

/// Makes one: of a setup tuned by this text, with this seed, at this moment.
pub type Mounting = fn(Setup, &str, Memory, Away, u64, Moment) -> Box<dyn Mount>;

/// The engine itself.
pub fn engine(
    setup: Setup,
    tuning: &str,
    memory: Memory,
    away: Away,
    seed: u64,
    now: Moment,
) -> Box<dyn Mount> {
    Box::new(Engine::new(tuned(setup, tuning), memory, away, seed, now))
}

pub fn tuned(setup: Setup, tuning: &str) -> Setup {
    Setup { tuning: Arc::new(Tuning::parse(tuning.as_bytes()).unwrap()), ..setup }
}

impl Mount for Engine {
    fn handle(&mut self, now: Moment, input: Input<'_>) {
        self.handle(now, input);
    }

    fn poll_action(&mut self) -> Option<Action> {
        self.poll_action()
    }

    fn poll_event(&mut self) -> Option<Event> {
        self.poll_event()
    }

    fn deadline(&self) -> Option<(Moment, Wake)> {
        self.deadline()
    }

    fn memory(&self) -> &Memory {
        self.memory()
    }

    fn snapshot(&self, now: Moment) -> Snapshot {
        self.snapshot(now)
    }
}
