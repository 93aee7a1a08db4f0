//! What an administrator wrote: parsed once, valid for ever.

mod effective;
mod list;

pub use effective::{Chosen, Effective, Level, Mode};
pub use list::{DEFAULT_HTTP_PORT, DEFAULT_HTTPS_PORT, Protocol, Server, ServerList};

/// Settings
#[derive(Debug)]
pub struct Settings {}
