//! Road tests that need root, Linux and the distribution's packages: network namespaces with dropped packets, nginx in
//! front of a manager, and real processes that are stopped, killed and started again.
//!
//! `.ci/run` always runs them. They fail when something they need is missing; nothing is skipped. Each test has its own
//! network namespaces, processes and folder, and cleans up when it panics too.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "the harness of a test may give up as the test itself may"
)]

mod agent;
mod certificates;
mod manager;
mod namespace;
mod nginx;
mod process;
mod tools;

mod dropped_packets;
mod killed_processes;
mod remembering;
mod through_nginx;
