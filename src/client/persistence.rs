//! What the engine remembers, on its way to the store and back.
//!
//! The engine knows no wall clock: its memory holds what *remained* of each duration. So a memory is put
//! into an envelope that says when it was saved, and whoever takes it out again learns how long the agent
//! was away, or that nobody can tell. The envelope also says its format and carries a check sum: a disk
//! may lose bytes in the middle, and half a memory is worse than none.
//!
//! ```json
//! { "version": 1, "saved_at": 1795308654123, "check": "0f1e2d3c4b5a6978", "machine": "9a8b…", "memory": { "misses": 0, … } }
//! ```

use std::borrow::Cow;
use std::hash::Hasher;
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher24;

use super::documents::{PLACES, place_name};
use super::stored::Value;
use crate::engine::{Away, Memory};
use crate::platform::{callback, logging};
use crate::store::{MAX_MEMORY, Store};
use crate::trust::Timestamp;
use crate::types::{Printable, printable};

/// The name of the value in the store.
const NAME: &str = "memory";

/// The name under which the floor of the clock is kept: apart from the memory, which the engine owns and which may be lost.
const FLOOR: &str = "time";

/// Who is called, and what follows when it panics, in words.
const STORE: &str = "the store";
const AFTER_A_PANIC: &str = "that counts as an error of it";

/// The format of the envelope. Another one is not guessed at.
const VERSION: u32 = 1;

/// 2026-01-01: this code is no older, so a clock that says so is wrong.
const WRITTEN: Duration = Duration::from_secs(1_767_225_600);

/// An agent that was away for longer is more likely to have a wrong clock.
const LONGEST_AWAY: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// The store of a client, and what goes through it.
pub(super) struct Keeper {
    store: Box<dyn Store>,
    /// Which machine this is, as a hash; none where the system has no id.
    machine: Option<String>,
}

/// What an earlier life left behind.
#[derive(Debug)]
pub(super) struct Earlier {
    pub(super) memory: Memory,
    pub(super) away: Away,
    /// Why the memory is nothing, when there should have been something.
    pub(super) problem: Option<String>,
    /// The floor of the clock.
    pub(super) floor: Option<Timestamp>,
    /// What was kept of it is of no use and has to be written anew.
    pub(super) floor_is_lost: bool,
    /// Settings documents, in their places.
    pub(super) documents: Vec<Option<Vec<u8>>>,
    /// What else is the matter with the store.
    pub(super) problems: Vec<String>,
    /// Nothing can be kept in it, and why; among the problems by other words.
    pub(super) broken: Option<String>,
}

impl Earlier {
    /// A first life.
    pub(super) fn nothing() -> Self {
        let (memory, away) = (Memory::default(), Away::Unknown);
        let (problem, floor, broken, documents) = (None, None, None, Vec::new());
        Self { memory, away, problem, floor, floor_is_lost: false, documents, problems: Vec::new(), broken }
    }
}

impl Keeper {
    pub(super) fn new(store: Box<dyn Store>, machine: Option<String>) -> Self {
        Self { store, machine }
    }

    /// What an earlier life left behind, as far as it can be used, and whether there will be something for the next one.
    pub(super) fn load(&mut self, now: SystemTime) -> Earlier {
        let mut earlier = Earlier::nothing();
        if let Err(error) = guarded(callback::call(STORE, AFTER_A_PANIC, || self.store.check())) {
            let error = Printable(error).to_string();
            earlier.problems.push(format!("nothing can be kept for the next start: {error}"));
            earlier.broken = Some(error);
        }
        match self.floor() {
            Ok(floor) => earlier.floor = floor,
            Err(problem) => {
                earlier.floor_is_lost = true;
                // The same words once more would help nobody.
                if earlier.problems.is_empty() {
                    earlier.problems.push(format!(
                        "the earliest plausible time is not known, so a clock that is set back is believed until a server shows a later one: {problem}"
                    ));
                }
            }
        }
        match self.memory(now) {
            Ok(Some((memory, away, true))) => (earlier.memory, earlier.away) = (memory, away),
            Ok(Some((_, _, false))) => earlier.problems.push(
                "the state was copied from another machine: what that one knew of servers is not used here; give each machine a state folder of its own".to_owned(),
            ),
            Ok(None) => {}
            Err(problem) => {
                logging::record!(Warn, "the agent begins with nothing remembered: {problem}");
                earlier.problem = Some(problem);
            }
        }
        if earlier.memory.settings.is_some() {
            // One that cannot be read is not there, and what needs it says so.
            let place = |place| self.stored(&place_name(place)).ok().flatten();
            earlier.documents = (0..PLACES).map(place).collect();
        }
        for problem in &earlier.problems {
            logging::record!(Warn, "{problem}");
        }
        earlier
    }

    /// The memory of an earlier life, and whether it lived on this machine.
    fn memory(&mut self, now: SystemTime) -> Result<Option<(Memory, Away, bool)>, String> {
        let value = self.stored(NAME)?;
        let Some(value) = value else { return Ok(None) };
        let (memory, away, machine) = open(&value, now)?;
        // Without an id on either side nothing can be told.
        let is_here = machine.is_none() || self.machine.is_none() || machine == self.machine;
        Ok(Some((memory, away, is_here)))
    }

    /// The floor of the clock that an earlier life had.
    fn floor(&mut self) -> Result<Option<Timestamp>, String> {
        let value = self.stored(FLOOR)?;
        let Some(value) = value else { return Ok(None) };
        let read = || {
            let text = String::from_utf8(value).ok()?;
            let (seconds, check) = text.trim_end().split_once(' ')?;
            (check == sum(seconds)).then(|| seconds.parse().ok().map(Timestamp)).flatten()
        };
        read().map(Some).ok_or_else(|| "what was stored of it is damaged".to_owned())
    }

    fn stored(&mut self, name: &str) -> Result<Option<Vec<u8>>, String> {
        let value = callback::call(STORE, AFTER_A_PANIC, || self.store.load(name));
        guarded(value).map_err(|error| Printable(error).to_string())
    }

    /// Keeps a value for the next life.
    pub(super) fn save(&mut self, value: &Value) -> io::Result<()> {
        let (name, value) = match value {
            Value::Memory { memory, at, .. } => (NAME, seal(memory, *at, self.machine.as_deref())),
            Value::Document { place, text } => (&*place_name(*place), Ok(text.to_vec())),
            Value::Floor(floor) => {
                let seconds = floor.0.to_string();
                let text = format!("{seconds} {}\n", sum(&seconds));
                (FLOOR, Ok(text.into_bytes()))
            }
        };
        value.and_then(|value| {
            guarded(callback::call_beside(STORE, AFTER_A_PANIC, || self.store.save(name, &value)))
        })
    }
}

/// A panic of the application's store is an error of it.
fn guarded<T>(result: Option<io::Result<T>>) -> io::Result<T> {
    result.unwrap_or_else(|| Err(io::Error::other("the store panicked")))
}

#[derive(Serialize, Deserialize)]
struct Envelope {
    version: u32,
    /// Milliseconds since 1970.
    saved_at: u64,
    check: String,
    /// Where it was saved: a hash, which says nothing of the machine but that it is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    machine: Option<String>,
    /// Not a [`Memory`] yet: the sum is over what was written, also over what we do not know.
    memory: serde_json::Value,
}

impl Envelope {
    /// Against accidents, not against people: the key is no secret.
    fn sum(&self) -> String {
        let machine = self.machine.as_deref().unwrap_or_default();
        sum(&format!("{} {} {machine} {}", self.version, self.saved_at, self.memory))
    }
}

fn sum(text: &str) -> String {
    let mut sum = SipHasher24::new();
    sum.write(text.as_bytes());
    format!("{:016x}", sum.finish())
}

/// Puts a memory into its envelope.
fn seal(memory: &Memory, now: SystemTime, machine: Option<&str>) -> io::Result<Vec<u8>> {
    let saved_at = u64::try_from(since_1970(now).as_millis()).unwrap_or(u64::MAX);
    let mut kept = Cow::Borrowed(memory);
    loop {
        let memory = serde_json::to_value(&kept)?;
        let machine = machine.map(str::to_owned);
        let mut envelope = Envelope { version: VERSION, saved_at, check: String::new(), machine, memory };
        envelope.check = envelope.sum();
        let mut text = serde_json::to_vec(&envelope)?;
        text.push(b'\n');
        if text.len() <= MAX_MEMORY || kept.servers.is_empty() {
            return Ok(text);
        }
        // Thousands of servers, and something to remember of all of them.
        kept = Cow::Owned(kept.better_half());
    }
}

/// Takes a memory out of its envelope, and says how long it was in there, and where.
fn open(value: &[u8], now: SystemTime) -> Result<(Memory, Away, Option<String>), String> {
    if value.len() > MAX_MEMORY {
        return Err(format!("what was stored has {} bytes; at most {MAX_MEMORY} are ours", value.len()));
    }
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let damaged = |error: serde_json::Error| format!("what was stored is damaged: {}", printable(error, 200));
    let Version { version } = serde_json::from_slice(value).map_err(damaged)?;
    if version != VERSION {
        return Err(format!("what was stored is of format {version}; this is format {VERSION}"));
    }
    let envelope: Envelope = serde_json::from_slice(value).map_err(damaged)?;
    if envelope.check != envelope.sum() {
        return Err("what was stored is damaged: its check sum does not fit".to_owned());
    }
    let away = away(Duration::from_millis(envelope.saved_at), since_1970(now));
    Ok((serde_json::from_value(envelope.memory).map_err(damaged)?, away, envelope.machine))
}

/// How long an agent was away that saved then and is back now, by the wall clock.
fn away(saved: Duration, now: Duration) -> Away {
    match now.checked_sub(saved) {
        Some(gone) if saved >= WRITTEN && gone <= LONGEST_AWAY => Away::For(gone),
        // Set back, not set at all, or far ahead.
        Some(_) | None => Away::Unknown,
    }
}

fn since_1970(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::InMemory;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + WRITTEN + Duration::from_secs(seconds)
    }

    fn memory(servers: usize) -> Memory {
        let server = |number| {
            serde_json::json!({
                "id": format!("https://server-{number}.example:443"), "misses": 3,
                "left_out": { "reason": "down", "remaining": "1m 3s 123ms" },
                "proof": (number == servers - 1).then(|| serde_json::json!({ "count": 2, "ago": "50s" })),
                "last_good": ["2001:db8:1111:2222:3333:4444:5555:6666", "1h 2m 3s 4ms 5us 6ns"],
            })
        };
        let servers: Vec<_> = (0..servers).map(server).collect();
        serde_json::from_value(serde_json::json!({ "misses": 2, "damping": 1, "servers": servers })).unwrap()
    }

    fn remembered(servers: usize) -> Value {
        Value::Memory { version: 1, memory: memory(servers), at: at(0), needs: Vec::new() }
    }

    #[test]
    fn a_memory_comes_back_with_the_time_it_was_away() {
        let value = seal(&memory(3), at(1000), Some("here")).unwrap();
        let opened = open(&value, at(1090)).unwrap();
        assert_eq!(opened, (memory(3), Away::For(Duration::from_secs(90)), Some("here".to_owned())));
    }

    #[test]
    fn an_unbelievable_clock_deducts_nothing() {
        let (year, built) = (Duration::from_secs(365 * 24 * 3600), WRITTEN);
        let second = Duration::from_secs(1);
        for (saved, now, expected) in [
            (built, built, Away::For(Duration::ZERO)),
            (built + second, built + second * 61, Away::For(second * 60)),
            (built, built + year * 10, Away::For(year * 10)),
            (built, built + year * 10 + second, Away::Unknown), // away for too long
            (built + second, built, Away::Unknown),             // set back, or saved in the future
            (built - second, built + second, Away::Unknown),    // saved before the clock was set
            (Duration::ZERO, second, Away::Unknown),            // no battery, both times
            (built, Duration::ZERO, Away::Unknown),             // 1970 now
            (Duration::MAX, built, Away::Unknown),
        ] {
            assert_eq!(away(saved, now), expected, "{saved:?} {now:?}");
        }
    }

    #[test]
    fn a_clock_before_1970_and_one_far_ahead_can_save() {
        for now in [UNIX_EPOCH - Duration::from_secs(1), UNIX_EPOCH + Duration::from_secs(1 << 38)] {
            let value = seal(&memory(1), now, None).unwrap();
            assert_eq!(open(&value, at(0)).unwrap(), (memory(1), Away::Unknown, None));
        }
    }

    #[test]
    fn what_was_cut_or_changed_at_any_byte_is_not_believed() {
        let value = seal(&memory(2), at(0), Some("here")).unwrap();
        let whole = open(&value, at(60)).unwrap();
        // The last byte is the end of the line.
        for length in 0..value.len() - 1 {
            let problem = open(&value[..length], at(60)).unwrap_err();
            assert!(problem.starts_with("what was stored is damaged: "), "{length}: {problem}");
        }
        let mut noticed = 0;
        for place in 0..value.len() {
            for wrong in [value[place] ^ 1, value[place] ^ 0x20, 0, b'0', b'"', b' ', 0xFF] {
                let mut value = value.clone();
                value[place] = wrong;
                match open(&value, at(60)) {
                    Ok(opened) => assert_eq!(opened, whole, "byte {place} as {wrong}"),
                    Err(_) => noticed += 1,
                }
            }
        }
        assert!(noticed > value.len() * 6);
    }

    #[test]
    fn another_format_is_named() {
        let value = br#"{ "version": 2, "what": "ever" }"#;
        let problem = open(value, at(0)).unwrap_err();
        assert_eq!(problem, "what was stored is of format 2; this is format 1");
    }

    #[test]
    fn of_thousands_of_servers_the_most_telling_are_kept() {
        let many = memory(4096);
        let value = seal(&many, at(0), Some("here")).unwrap();
        assert!((MAX_MEMORY / 3..=MAX_MEMORY).contains(&value.len()), "{}", value.len());
        let (kept, _, _) = open(&value, at(0)).unwrap();
        assert!(kept.servers.len() >= 512, "{}", kept.servers.len());
        assert_eq!(kept.servers.first(), many.servers.last(), "the one that was proving itself");
        assert_eq!((kept.misses, kept.damping), (2, 1));
    }

    /// Fails in every way a store can.
    struct Broken(fn() -> io::Result<()>);

    impl Store for Broken {
        fn load(&mut self, _: &str) -> io::Result<Option<Vec<u8>>> {
            self.0().map(|()| Some(vec![b' '; MAX_MEMORY + 1]))
        }

        fn save(&mut self, _: &str, _: &[u8]) -> io::Result<()> {
            self.0()
        }
    }

    #[test]
    fn a_broken_store_is_a_problem_and_a_memory_of_nothing() {
        let full = || Err(io::Error::from(io::ErrorKind::StorageFull));
        for (store, expected) in [
            (Broken(full), "no storage space"),
            (Broken(|| panic!("a fault of the application")), "the store panicked"),
            (Broken(|| Ok(())), "what was stored has 262145 bytes; at most 262144 are ours"),
        ] {
            let mut keeper = Keeper::new(Box::new(store), None);
            let earlier = keeper.load(at(0));
            assert_eq!((earlier.memory, earlier.away), (Memory::default(), Away::Unknown));
            assert_eq!(earlier.problem.as_deref(), Some(expected));
        }
        for fault in [full, || panic!("again")] {
            let mut keeper = Keeper::new(Box::new(Broken(fault)), None);
            assert!(
                keeper.save(&remembered(1)).is_err() && keeper.save(&Value::Floor(Timestamp(7))).is_err()
            );
        }
    }

    #[test]
    fn a_first_start_is_no_problem() {
        let store = InMemory::default();
        let mut keeper = Keeper::new(Box::new(store.clone()), None);
        let first = keeper.load(at(0));
        assert_eq!((first.memory, first.problem), (Memory::default(), None));
        assert!(first.problems.is_empty() && first.floor.is_none());
        keeper.save(&remembered(1)).unwrap();
        let second = Keeper::new(Box::new(store), None).load(at(5));
        assert_eq!((second.memory, second.away), (memory(1), Away::For(Duration::from_secs(5))));
    }

    #[test]
    fn the_memory_of_another_machine_is_not_used_and_its_floor_is() {
        let store = InMemory::default();
        let keeper = |machine: Option<&str>| Keeper::new(Box::new(store.clone()), machine.map(str::to_owned));
        keeper(Some("here")).save(&remembered(1)).unwrap();
        keeper(Some("here")).save(&Value::Floor(Timestamp(1_900_000_000))).unwrap();
        for (machine, is_used) in [(Some("here"), true), (Some("elsewhere"), false), (None, true)] {
            let earlier = keeper(machine).load(at(5));
            assert_eq!(earlier.memory == memory(1), is_used, "{machine:?}");
            assert_eq!(earlier.floor, Some(Timestamp(1_900_000_000)), "{machine:?}");
            assert_eq!(
                (earlier.problem, earlier.problems.len()),
                (None, usize::from(!is_used)),
                "{machine:?}"
            );
        }
        // Saved where there was no id: nobody can tell.
        keeper(None).save(&remembered(1)).unwrap();
        assert_eq!(keeper(Some("here")).load(at(5)).memory, memory(1));
    }

    #[test]
    fn a_damaged_floor_is_a_problem_and_one_that_is_not_there_is_none() {
        let store = InMemory::default();
        let load = || Keeper::new(Box::new(store.clone()), None).load(at(0));
        assert_eq!((load().floor, load().problems.len()), (None, 0));
        Keeper::new(Box::new(store.clone()), None).save(&Value::Floor(Timestamp(7))).unwrap();
        assert_eq!((load().floor, load().problems.len()), (Some(Timestamp(7)), 0));
        for damaged in [&b""[..], b"7", b"7 0123456789abcdef\n", b"\xff\xfe", b"x y\n"] {
            store.clone().save(FLOOR, damaged).unwrap();
            let earlier = load();
            assert_eq!((earlier.floor, earlier.problem), (None, None));
            assert!(
                earlier.problems[0].starts_with("the earliest plausible time is not known"),
                "{damaged:?}"
            );
        }
    }
}
