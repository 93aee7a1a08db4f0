//! Why a client was not started.

use std::io;

use super::prepare::PrepareError;
use super::routes::MOST_ROUTES;
use crate::settings::UnknownLocation;

/// Bytes. A handshake with long certificate chains needs a fifth of it.
pub(crate) const LEAST_STACK_SIZE: usize = 256 * 1024;

/// Why a client was not started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// [`Builder::routes`](super::Builder::routes) was given no way, or too many.
    #[error("there must be 1 to {MOST_ROUTES} routes; the direct one is there when none is named")]
    Routes,
    /// [`Builder::stack_size`](super::Builder::stack_size) is too small for the client's thread.
    #[error(
        "a stack of {bytes} bytes is too small for the client's thread: it needs at least {LEAST_STACK_SIZE}"
    )]
    StackSize {
        /// What was asked for.
        bytes: usize,
    },
    /// [`Builder::location`](super::Builder::location) named a location that the settings do not have.
    #[error(transparent)]
    UnknownLocation(#[from] UnknownLocation),
    /// The settings cannot be put in force.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// The system gave no random numbers.
    #[error("the system gives no random numbers")]
    NoRandomness,
    /// The system gave no thread, or nothing to wait on.
    #[error("the system has no resources for the client: {0}")]
    System(#[from] io::Error),
}
