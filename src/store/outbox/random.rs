//! Numbers that no other process and no other opening draws.

use std::hash::{BuildHasher, RandomState};
use std::time::SystemTime;

/// A number that no other opening draws: the keys are random in each process, and the time tells a child from its parent.
pub(super) fn random(salt: u8) -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let time = since.map_or(0, |since| since.as_nanos());
    RandomState::new().hash_one((salt, time, std::process::id()))
}
