//! The shape of the house: which floor may know which, and how large a room may be.
//!
//! The library is a house of floors, each a folder under `src/`.
#![allow(clippy::unwrap_used, unreachable_pub, reason = "a test that cannot read the sources has to fail")]

mod circles;
mod floors;
mod lengths;
mod reading;
mod texts;
