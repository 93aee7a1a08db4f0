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
mod calls;
mod captive;
mod commands;
mod connections;
mod control;
mod damped;
mod delivery;
mod endpoints;
#[path = "../event_schema/mod.rs"]
mod event_schema;
mod failback;
mod flapping;
mod fleet;
mod kept_links;
mod known_networks;
mod ladder;
mod location_effects;
mod memory;
mod mount;
mod networks;
mod patient_round;
mod policy;
mod promises;
mod push;
mod race;
mod registration;
mod regressions;
mod reports;
mod rounds;
mod routes;
mod searching;
mod trial;
mod unkind;
mod unseen;
mod world;
