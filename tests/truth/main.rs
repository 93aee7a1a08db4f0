//! Numbers in the documentation that the code knows: each page says what the code does.
//!
//! Every number of a page is accounted for here, by a constant of the code, by a test that holds it, or as something else than a
//! number of homing's. So a constant that changes fails here, with the words that the page ought to have, and so does a page
//! that says a new number. What a bench measured stands in `docs/performance.md` with its command, and in no table here.
#![cfg(feature = "client")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot read the documents has to fail")]

mod constants;
mod engine_pages;
mod formats;
mod other_pages;
mod page;
mod pages;
mod readme;
mod settings;
