//! homing keeps an endpoint agent attached to its management servers.
pub mod engine;
#[cfg(feature = "client")]
pub mod net;
#[cfg(feature = "client")]
mod platform;
pub mod settings;
#[cfg(feature = "client")]
pub mod trust;
pub mod words;
