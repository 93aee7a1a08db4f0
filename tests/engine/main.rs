//! The engine in virtual time: one file for each state, the field failures that must not happen, and
//! the patient walk as the reference of the race.

#![allow(unreachable_pub)]

mod attached;
mod failback;
mod promises;
mod push;
mod race;
mod sweeping;
mod world;
