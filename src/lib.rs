//! homing keeps an endpoint agent attached to its management servers.
pub mod engine;
pub mod settings;
pub mod words;
