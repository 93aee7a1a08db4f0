//! The engine on a thread of its own, over real sockets: what most programs use.
//!
//! [`Client::builder`] takes settings, [`Builder::start`] reads the files they name, builds their
//! verifiers, and starts one thread. From then on that thread does everything: it hears from sockets,
//! look-ups and the clock, tells the engine, and does what the engine asks for. When there is nothing
//! to do it sleeps, on a clock that runs through suspend where the system has one, until the moment
//! the engine named. What happens is told as [`ClientEvent`]s, to a callback or through [`Client::events`].
//!
//! ```no_run
//! use homing::client::Client;
//! use homing::settings::Settings;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let settings: Settings = std::fs::read_to_string("settings.json")?.parse()?;
//! let client = Client::builder(settings, "f81d4fae-7dec-11d0-a765-00a0c91e6bf6".parse()?).start()?;
//! client.set_status("all is well");
//! for event in client.events() {
//!     println!("{}", serde_json::to_string(&event)?);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Threads
//! Every method may be called from any thread, also from the callbacks. Callbacks run on the
//! client's thread, one at a time, with no lock held; while one runs, the client does nothing else. One that
//! takes more than five seconds is logged, with how long it took.
//! All signals are blocked on the client's threads, except those a fault of the thread itself raises.
//!
//! # What outlives the process
//! One small value: which servers failed and were left out, how far a better one had proved itself, where
//! names led when they last worked. With [`Builder::state_folder`] or [`Builder::store`] the next client
//! goes on from there, also after a reboot; without, it begins with nothing known. It is written when something has changed that a next life would act upon: for a quiet agent about
//! once a day, on a thread of its own that ends after a second without anything to write. What cannot be read or written costs progress and nothing else:
//! [`Event::MemoryIgnored`](crate::engine::Event::MemoryIgnored) and
//! [`Event::CannotRemember`](crate::engine::Event::CannotRemember) and
//! [`Event::StoreProblem`](crate::engine::Event::StoreProblem) tell of it, and the log says why.
//!
//! # Panics
//! No panic leaves the library. One of the application's callback is caught and logged. One of the
//! client's own ends the client with [`Event::Stopped`](crate::engine::Event::Stopped), as long as
//! the program is not built with `panic = "abort"`.

mod arrival;
mod arrived;
mod beginning;
mod builder;
mod callers;
mod consent;
mod credential_provider;
mod credentials;
mod documents;
mod driver;
mod ending;
mod event_iter;
mod event_line;
#[cfg(test)]
mod event_schema;
mod events;
mod handle;
mod identify;
mod mail;
mod persistence;
mod prepare;
#[cfg_attr(not(feature = "outbox"), path = "no_reports.rs")]
mod reports;
mod reread;
mod routes;
mod stamp;
mod start_error;
mod status;
mod store_trouble;
mod stored;
#[cfg(feature = "outbox")]
mod submit;
mod system_roots;
mod too_large;
mod trust_clock;
mod worker;
mod writer;

pub use builder::Builder;
#[cfg(feature = "capi")]
pub(crate) use builder::random;
pub use consent::{Consent, OfferedSettings};
pub use credential_provider::Asked;
pub use credentials::{CredentialError, Credentials};
pub use event_iter::Events;
pub use events::{ClientEvent, Ended};
pub use handle::Client;
use handle::{EventCallback, Shared, ThreadHook};
pub use prepare::{PrepareError, read_policy};
pub use routes::{RouteChoice, RouteError};
pub use start_error::StartError;

pub use crate::net::{Limits, LimitsError, NewSocket, Proxy, ProxyCredentialsError};
pub(crate) use crate::platform::Process;
#[cfg(feature = "capi")]
pub(crate) use crate::platform::read_file;
pub use crate::platform::{LogLevel, Waitable};
pub use crate::types::{Call, CallAnswer, CallError};
