//! The engine's promises of safety, under whatever world the fuzzer writes.
#![no_main]

#[path = "../../tests/engine/chaos.rs"]
mod chaos;
#[path = "../../tests/engine/mount.rs"]
mod mount;
#[path = "../../tests/engine/prepared.rs"]
mod prepared;

use chaos::{Deed, Opening, live_through};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|story: (Opening, Vec<Deed>)| live_through(story.0, &story.1));
