//! Road tests that need root, Linux and the distribution's packages: network namespaces whose packets are lost or late,
//! servers and proxies nobody here wrote (nginx, haproxy, dnsmasq, squid, tinyproxy, OpenSSL, sshd, vsftpd, PostgreSQL), clocks that jump, and real
//! processes that are stopped, killed and started again.
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
mod daemons;
mod haproxy;
mod locator;
mod manager;
mod name_server;
mod namespace;
mod nginx;
mod openssl;
mod patience;
mod process;
mod proxy;
mod tools;
mod traveller;

mod client_certificates;
mod clocks;
mod confined;
mod drains;
mod dropped_packets;
mod families;
mod killed_processes;
mod location_daemons;
mod location_networks;
mod looked_up_names;
mod maintenance;
mod moves;
mod outbox;
mod paths;
mod pipes;
mod poor_links;
mod portals;
mod remembering;
mod renegotiation;
mod rude_servers;
mod through_nginx;
mod through_proxies;
mod tickets;
mod worlds;
