//! homing keeps an endpoint agent attached to its management servers.
#[cfg(feature = "client")]
pub mod client;
pub mod engine;
#[cfg(feature = "client")]
pub mod net;
#[cfg(feature = "client")]
mod platform;
pub mod settings;
#[cfg(feature = "client")]
pub mod trust;
pub mod words;
