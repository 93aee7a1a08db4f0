//! Certificates as others have made them to try out verifiers: which are believed, which are not, and why.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests end that way, and a table is printed"
)]

mod cases;
mod conformance;
mod lists;
mod mischief;
mod policies;
