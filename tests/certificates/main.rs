//! Certificates made to try out the verifier: which are believed, which are not, and why.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests end that way")]

mod exceptions;
mod forge;
mod hostile_chains;
mod kin;
mod lists;
mod oracle;
mod policies;
mod renditions;
mod world;
