//! The example programs and the README's: that they do what the README says, and go on for as long as it says.
#![cfg(all(feature = "client", target_os = "linux"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the helpers of a test may give up as the test itself may"
)]

#[path = "programs/agent.rs"]
mod agent;
#[path = "programs/check.rs"]
mod check;
#[path = "programs/kills.rs"]
mod kills;
#[path = "programs/mod.rs"]
mod programs;
#[path = "programs/readme.rs"]
mod readme;
#[path = "../examples/manager/server/mod.rs"]
#[allow(dead_code, reason = "the tests need only some of what a manager can do")]
mod server;
