//! homing for programs in C, and in every language that can call C.
//!
//! Each file is one noun of the header `include/homing.h`, which is made from these sources; its conventions
//! stand in `docs/c-api.md` and at its top. A Rust program has no use for this module: it is here with the
//! feature `capi`, so that the libraries for C can be built from this crate (`make install`).
//!
//! What every function does is the same: `boundary` checks the pointers and catches a panic, the body is a
//! few lines of the Rust API, and `status` makes a number of an error. So the two APIs cannot drift apart
//! in what they mean.
#![allow(unsafe_code, reason = "pointers come from C")]
#![allow(non_camel_case_types, reason = "types have the names they have in C")]
#![allow(clippy::missing_safety_doc, reason = "the promises of a caller are the conventions of the header")]

mod action;
mod address;
mod boundary;
mod call;
mod client;
mod consent;
mod engine;
mod error;
mod event;
mod event_kind;
mod failure;
mod handle;
mod identity;
mod input;
mod judgement;
mod lane;
mod location;
mod medium;
mod options;
mod outbox;
mod outcome;
mod policy;
mod proof;
mod registration;
mod report;
mod reporting;
mod settings;
mod snapshot;
mod state;
mod status;
mod string;
mod text;
mod user_data;
mod verdict;
mod version;
mod view;
mod whereabouts;

pub use action::*;
pub use address::*;
pub use call::*;
pub use client::*;
pub use consent::*;
pub use engine::*;
pub use error::*;
pub use event::*;
pub use event_kind::*;
pub use failure::*;
pub use handle::*;
pub use identity::*;
pub use input::*;
pub use judgement::*;
pub use lane::*;
pub use location::*;
pub use medium::*;
pub use options::*;
pub use outbox::*;
pub use outcome::*;
pub use policy::*;
pub use proof::*;
pub use registration::*;
pub use report::*;
pub use reporting::*;
pub use settings::*;
pub use snapshot::*;
pub use state::*;
pub use status::*;
pub use string::*;
pub use verdict::*;
pub use version::*;
pub use view::*;
pub use whereabouts::*;

/// The conventions let any thread read these, which the compiler cannot see through pointers.
const _: () = {
    const fn any_thread<T: Send + Sync>() {}
    any_thread::<homing_answer>();
    any_thread::<homing_client>();
    any_thread::<homing_engine>();
    any_thread::<homing_error>();
    any_thread::<homing_event>();
    any_thread::<homing_judgement>();
    any_thread::<homing_policy>();
    any_thread::<homing_settings>();
    any_thread::<homing_snapshot>();
    any_thread::<homing_string>();
};
