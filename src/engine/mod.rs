//! Every decision homing makes.
mod event;
mod io;
mod snapshot;
pub use event::{Event, Next, Told, Why};
pub use io::{Action, Command, Ending, Input, MAX_ADDRESSES, NetworkChange};
pub use snapshot::{ServerSnapshot, Snapshot, State};
