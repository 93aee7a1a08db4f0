//! homing keeps an endpoint agent attached to the right management server, and knows what to do when
//! that server is gone.
//!
//! An administrator writes a *management server list*: servers by priority. homing decides **which
//! server, when, and whether to believe it**; the product decides **what is said**.
//!
//! ```text
//!   settings ──►  engine  ──►  client  ──►  your program
//!   what was      every        the engine   hears events,
//!   written       decision     on a thread  gives its status
//! ```
//!
//! - [`settings`]: the document, parsed once, with errors that say where.
//! - [`engine`]: every decision, as a value without clock, thread or socket. A product that owns its
//!   event loop drives it directly.
//! - `client` (feature `client`, on by default): the engine on one background thread, over real
//!   sockets, TLS and HTTP/1.1. What most programs use.
//! - `trust` (with the client): whether a server is believed, for the client and for products with a TLS
//!   stack of their own.
//! - `store` (with the client): where it keeps what must outlive the process.
//! - [`types`]: the plain values all of them speak.
//!
//! # What it does
//! - attaches to the agent's own server of the best priority that works, racing past dead ones;
//! - balances a fleet within a priority without any coordination: every agent ranks the servers by a
//!   weighted hash of its id;
//! - makes heartbeats on a grid of its own phase, so that those of a fleet spread over the interval;
//! - finds out in seconds that a server is silent, and asks another for a second opinion;
//! - comes back to a better server when that has proved itself, new link first, damped;
//! - blames the network when it is the network, and says why it is where it is
//!   ([`engine::Snapshot::explain`]);
//! - asks reference servers whether the machine is inside, and follows with the settings of that location;
//! - notices by itself when the network changes or the machine was suspended.
//!
//! # What it does not do
//! - It says nothing of its own: bodies of requests and answers belong to the product.
//! - Downloads are not there yet. A setting that asks for one has no effect, and is
//!   named when a client starts: [`settings::Settings::not_enforced`].
//! - No OCSP, no alternative content sources, no PAC files, no vendor's own wire protocol.

#[cfg(feature = "client")]
pub mod client;
pub mod engine;
#[cfg(feature = "capi")]
pub mod ffi;
#[cfg(feature = "client")]
mod net;
#[cfg(feature = "client")]
mod platform;
pub mod settings;
#[cfg(feature = "client")]
pub mod store;
#[cfg(feature = "client")]
pub mod trust;
pub mod types;

#[cfg(all(fuzzing, feature = "client"))]
#[doc(hidden)]
pub use net::fuzzing;
