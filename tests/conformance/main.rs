//! Scores a folder of certificate cases that others made: whether our verdicts are at least as good as those of plain rustls.
//!
//! `HOMING_CERTIFICATE_CASES=FOLDER cargo test --features conformance --test conformance -- --nocapture`. The folder holds files in
//! the schema of x509-limbo; nothing here knows which cases they have.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests end that way, and a table is printed"
)]

mod cases;
mod plain;
mod score;
