//! The engine's promises of safety, under whatever world the fuzzer writes.
#![no_main]

use homing_sim::chaos::{Deed, Opening, live_through};
use homing_sim::mount;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|story: (Opening, Vec<Deed>)| live_through(mount::engine, story.0, &story.1));
