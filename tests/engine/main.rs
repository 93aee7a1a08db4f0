//! The engine in virtual time: one file for each state, the field failures that must not happen, and
//! the patient walk as the reference of the race.

// A test may panic: that is how it fails.
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm
)]

mod attached;
mod chaos;
mod failback;
mod fleet;
mod memory;
mod mount;
mod promises;
mod push;
mod race;
mod regressions;
mod routes;
mod sweeping;
mod world;
