//! What is said to the server in use.
//!
//! A session begins when the agent attaches and ends when it leaves. It holds the kept link and the conversations, each in
//! a file of its own: what it is doing, its limits, and what came of it. A conversation says what happened; what that means
//! for the server and for the agent is the attachment's to decide.
//!
//! ```text
//!  attachment ── begin, give up ──► conversation ──► attempt ──► Resolve, Dial, Exchange
//!      ▲                                 │              ▲
//!      └──────── what came of it ────────┘              └── Resolved, Connected, Secured, Done, Lost
//! ```
//! A new request is a file here with its [limits], an [`Owner`](super::owners::Owner) for its ids, and a file in
//! `net/protocol/homing` that puts it into bytes.

mod announced;
mod attempt;
mod call;
mod endpoints;
mod heartbeat;
mod ladder;
mod limits;
mod link;
mod patience;
mod read;
mod registration;
mod stage;
mod step;
mod stream;
mod target;
mod upload;

pub(super) use announced::Announced;
pub(super) use attempt::Attempt;
pub(super) use call::{Called, Calling};
pub(super) use endpoints::{Endpoints, Routes};
pub(super) use heartbeat::{Heard, Heartbeat, Try};
pub(super) use ladder::Ladder;
pub(super) use link::Link;
pub(super) use read::{Document, Read, Reader};
pub(super) use registration::{Registered, Registering};
pub(super) use step::{Answer, Step};
pub(super) use stream::{Loss, Stream, Streamed};
pub(super) use target::Target;
pub(super) use upload::{Receipt, Sending, Sent, Taker, Upload};
