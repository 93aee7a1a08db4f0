//! What differs from one operating system to the next, behind one small interface.
//!
//! A [`Clock`] that is never set and, where the system has one, runs through suspend. A [`Sleep`]
//! that ends at a moment of that clock, when a socket is ready, or when another thread asks for it.
//! A [`Flag`] that an event loop of the application's can wait on. [`OnDemand`], a thread for what may wait for a disk. The [`Process`] something was made in, and on which [`machine()`], and which [`instance`] of an agent that makes. And [`quiet_threads`], which keeps the product's signals away from our threads; where there are users,
//! `effective_user` says which one we are. [`read_file`] reads a file that something else wrote, and waits for no pipe. Everything above is the same on every system.
//!
//! Beside it, on every system alike: [`logging`], which takes the messages of every floor to the right
//! reader, and the one way to [`callback`]s of the application.
//!
//! What was run: Linux. The portable halves are written for the other systems that mio knows; they
//! compile by design and promise no more than their documentation says.

pub(crate) mod callback;
mod clock;
mod file;
mod flag;
mod interfaces;
pub(crate) mod logging;
mod machine;
#[cfg_attr(not(feature = "outbox"), allow(dead_code, reason = "the outbox alone needs it"))]
mod on_demand;
mod process;
mod signals;
mod sleep;
mod timer;
#[cfg(unix)]
mod user;

pub(crate) use clock::Clock;
pub(crate) use file::read_file;
pub(crate) use flag::Flag;
pub(crate) use flag::LentWaitable;
pub use flag::Waitable;
pub(crate) use interfaces::{Interfaces, Interfered, Peers, Planned, network, use_way_to};
pub use logging::LogLevel;
pub(crate) use logging::Logger;
pub(crate) use machine::{instance, machine};
pub(crate) use on_demand::Around;
#[cfg(feature = "outbox")]
pub(crate) use on_demand::OnDemand;
pub(crate) use process::Process;
pub(crate) use signals::quiet_threads;
pub(crate) use sleep::{Sleep, Waker};
#[cfg(unix)]
pub(crate) use user::effective_user;
