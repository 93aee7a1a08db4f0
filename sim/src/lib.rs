//! The engine of `homing` in virtual time.
//!
//! Nothing here has a clock, a socket, a thread or randomness of its own: a seed and a plan are one story, on every machine.
//!
//! - [`driver`]: the smallest driver of one engine, where servers are well; [`agent`] lives alone with it, a [`fleet`] of
//!   many shares its servers.
//! - [`world`]: one engine among servers that behave as told, and an oracle that watches what it does.
//! - [`chaos`]: one engine that hears anything, in any order.
//!
//! A world and chaos know the engine as what is behind [`mount::Mount`], so that a test may stand something else there.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "for tests alone: a panic says which promise the engine broke"
)]

pub mod agent;
pub mod chaos;
pub mod dice;
pub mod driver;
pub mod fleet;
pub mod mount;
pub mod prepared;
pub mod reference_network;
pub mod schedule;
pub mod settings;
pub mod world;

use std::time::Duration;

pub fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

pub fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
