//! What a client remembers from one life to the next, and what becomes of it when nothing can be stored.

use std::cell::Cell;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use homing::client::{Builder, Client};
use homing::engine::{Event, Tuning};
use homing::store::{Folder, InMemory, Store};
use serde_json::Value;

use super::server::{Authority, Server};
use super::{LONG, attached, builder, heartbeat, ok, public, settings, wait_for, well};

/// Counts what is saved, and fails with a full disk as often as told.
#[derive(Clone, Default)]
struct Counted {
    store: InMemory,
    saves: Arc<AtomicUsize>,
    failures: Arc<AtomicUsize>,
}

impl Store for Counted {
    fn load(&mut self, name: &str) -> io::Result<Option<Vec<u8>>> {
        self.store.load(name)
    }

    fn save(&mut self, name: &str, value: &[u8]) -> io::Result<()> {
        self.saves.fetch_add(1, Ordering::SeqCst);
        let fails =
            self.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if fails.is_ok() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.store.save(name, value)
    }
}

/// Saves nothing before its gate is opened.
#[derive(Clone, Default)]
struct Stuck {
    store: InMemory,
    /// Whether it is open, and how many saves were begun.
    gate: Arc<(Mutex<(bool, usize)>, Condvar)>,
}

impl Stuck {
    fn open(&self) {
        self.gate.0.lock().unwrap().0 = true;
        self.gate.1.notify_all();
    }

    fn begun(&self) -> usize {
        self.gate.0.lock().unwrap().1
    }

    fn wait_until_begun(&self) {
        drop(self.gate.1.wait_while(self.gate.0.lock().unwrap(), |gate| gate.1 == 0).unwrap());
    }

    fn has(&self, name: &str) -> bool {
        self.store.clone().load(name).unwrap().is_some()
    }
}

impl Store for Stuck {
    fn load(&mut self, name: &str) -> io::Result<Option<Vec<u8>>> {
        self.store.load(name)
    }

    fn save(&mut self, name: &str, value: &[u8]) -> io::Result<()> {
        let mut gate = self.gate.0.lock().unwrap();
        gate.1 += 1;
        self.gate.1.notify_all();
        drop(self.gate.1.wait_while(gate, |gate| !gate.0).unwrap());
        self.store.save(name, value)
    }
}

/// A server whose certificate shows that it is later than was known.
fn young(authority: &Authority) -> Server {
    Server::tls("a", &authority.named("localhost").of_this_year(), well).called("localhost")
}

/// What is stored of this server.
fn stored(folder: &Path, server: &str) -> Option<Value> {
    let value = Folder::new(folder).load("memory").unwrap()?;
    let value: Value = serde_json::from_slice(&value).unwrap();
    value["memory"]["servers"].as_array().unwrap().iter().find(|known| known["id"] == server).cloned()
}

/// Waits for the end of a probe: whether it went well.
fn probed(client: &Client) -> bool {
    wait_for(client, |event| {
        let Event::Probed { failure, .. } = &event.event else { return None };
        Some(failure.is_none())
    })
}

/// A server that fails or does well, as the switch says.
fn switched(name: &'static str, switch: &Arc<AtomicBool>) -> Server {
    let switch = Arc::clone(switch);
    Server::plain(name, move |conversation| {
        while conversation.request().is_some() {
            match switch.load(Ordering::SeqCst) {
                true => conversation.say(&ok("well")),
                false => conversation.say("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"),
            }
        }
    })
}

#[test]
fn a_restarted_agent_goes_on_where_it_was_on_its_way_back() {
    let state = tempfile::tempdir().unwrap();
    let is_well = Arc::new(AtomicBool::new(false));
    let (better, worse) = (switched("better", &is_well), Server::plain("worse", well));
    // Probes of a server that answers come every 0.6 to 0.9 s; it has to answer for 1.8 s.
    let start = || {
        let tuning = Tuning::parse(br#"{ "time_scale": 0.03 }"#).unwrap();
        let builder = builder(settings(&[&better, &worse], public())).tuning(tuning);
        let client = builder.state_folder(state.path()).start().unwrap();
        assert_eq!(attached(&client), "worse");
        client
    };
    let first = start();
    is_well.store(true, Ordering::SeqCst);
    assert!(probed(&first));
    assert!(probed(&first));
    first.stop(Duration::ZERO);
    is_well.store(false, Ordering::SeqCst);
    assert!(stored(state.path(), "better").unwrap()["proof"]["count"].as_u64().unwrap() >= 2);

    // Away for longer than the proof has to last.
    thread::sleep(Duration::from_secs(2));
    let second = start();
    is_well.store(true, Ordering::SeqCst);
    let good = Cell::new(0);
    wait_for(&second, |event| {
        if matches!(event.event, Event::Probed { failure: None, .. }) {
            good.set(good.get() + 1);
        }
        matches!(event.event, Event::Failback { .. }).then_some(())
    });
    assert_eq!(good.get(), 1, "without what was remembered it takes three");
    assert_eq!(attached(&second), "better");
}

#[test]
fn where_a_name_led_is_remembered() {
    let state = tempfile::tempdir().unwrap();
    let server = Server::plain("a", well).called("localhost");
    let client =
        builder(settings(&[&server], public())).state_folder(state.path().join("new")).start().unwrap();
    attached(&client);
    client.stop(Duration::ZERO);
    let known = stored(&state.path().join("new"), "a").unwrap();
    assert!(["127.0.0.1", "::1"].contains(&known["last_good"][0].as_str().unwrap()), "{known}");
}

#[test]
fn a_hundred_heartbeats_are_two_writes() {
    let server = Server::plain("a", well).called("localhost");
    let store = Counted::default();
    let client = builder(settings(&[&server], public())).store(store.clone()).start().unwrap();
    for _ in 0..50 {
        heartbeat(&client);
        client.beat_now();
        heartbeat(&client);
    }
    client.stop(Duration::ZERO);
    // The settings that have worked, and the memory that names them.
    assert_eq!(store.saves.load(Ordering::SeqCst), 2);
}

#[test]
fn a_full_disk_is_told_and_tried_again_until_there_is_room() {
    let server = Server::plain("a", well).called("localhost");
    let store = Counted::default();
    // Three times the settings, and the memory that names them.
    store.failures.store(6, Ordering::SeqCst);
    let client = builder(settings(&[&server], public())).store(store.clone()).start().unwrap();
    // Each of the three failing writes is tried again with the next heartbeat, and all of them are told by the first.
    let mut told = Vec::new();
    while told.last() != Some(&"store_recovered") {
        let event = client.next_event_timeout(LONG).unwrap().expect("it recovers");
        let name = event.event.name();
        if ["cannot_remember", "store_problem", "store_recovered"].contains(&name) {
            told.push(name);
        }
    }
    told.sort_unstable();
    assert_eq!(told, ["cannot_remember", "store_problem", "store_recovered"]);
    for _ in 0..5 {
        assert!(heartbeat(&client).is_some());
    }
    client.stop(Duration::ZERO);
    assert_eq!(store.saves.load(Ordering::SeqCst), 8);
    assert!(store.store.clone().load("memory").unwrap().is_some());
}

#[test]
fn a_disk_that_takes_for_ever_holds_up_neither_the_attach_nor_a_heartbeat() {
    let authority = Authority::new();
    let server = young(&authority);
    let store = Stuck::default();
    let client = builder(settings(&[&server], authority.policy())).store(store.clone()).start().unwrap();
    assert_eq!(attached(&client), "a");
    for _ in 0..10 {
        assert!(heartbeat(&client).is_some());
    }
    // The floor of the clock is being written all the while; what the engine remembers waits behind it.
    assert_eq!(store.begun(), 1);
    assert!(!store.has("time") && !store.has("memory"));
    store.open();
    client.stop(LONG);
    assert!(store.has("time") && store.has("memory") && store.has("settings-1"));
    assert_eq!(store.begun(), 3);
}

#[test]
fn an_end_waits_for_a_stuck_disk_no_longer_than_it_may_and_nothing_is_stored_after_it() {
    let server = Server::plain("a", well).called("localhost");
    let store = Stuck::default();
    let client = builder(settings(&[&server], public())).store(store.clone()).start().unwrap();
    attached(&client);
    store.wait_until_begun();
    client.begin_stop(Duration::ZERO);
    wait_for(&client, |event| matches!(event.event, Event::Stopped {}).then_some(()));
    // The store is under way still; it is waited for like a callback.
    assert!(!client.join_timeout(Duration::ZERO));
    store.open();
    client.join();
    // What waited may have been begun before the client let it go.
    assert!(store.begun() <= 2, "{}", store.begun());
}

#[test]
fn what_changed_last_is_stored_before_the_last_event() {
    let server = Server::plain("a", well).called("localhost");
    let store = Stuck::default();
    let client = builder(settings(&[&server], public())).store(store.clone()).start().unwrap();
    attached(&client);
    store.wait_until_begun();
    client.begin_stop(LONG);
    store.open();
    wait_for(&client, |event| matches!(event.event, Event::Stopped {}).then_some(()));
    assert!(store.has("memory"));
}

#[test]
fn a_store_may_use_and_stop_its_client() {
    struct Ending {
        client: Arc<Mutex<Option<Client>>>,
        is_done: bool,
    }
    impl Store for Ending {
        fn load(&mut self, _: &str) -> io::Result<Option<Vec<u8>>> {
            Ok(None)
        }
        fn save(&mut self, _: &str, _: &[u8]) -> io::Result<()> {
            if self.is_done {
                return Ok(());
            }
            // The start may not have returned yet.
            while self.client.lock().unwrap().is_none() {
                thread::yield_now();
            }
            self.is_done = true;
            let client = self.client.lock().unwrap().take().unwrap();
            assert!(client.snapshot().servers.len() == 1 && !client.join_timeout(LONG));
            client.stop(LONG);
            client.join();
            // Dropped here, inside of what the client itself waits for.
            Ok(())
        }
    }
    let server = Server::plain("a", well).called("localhost");
    let place = Arc::new(Mutex::new(None));
    let (told, stopped) = std::sync::mpsc::channel();
    let client = builder(settings(&[&server], public()))
        .store(Ending { client: Arc::clone(&place), is_done: false })
        .on_event(move |_, event| {
            if matches!(event.event, Event::Stopped {}) {
                told.send(()).unwrap();
            }
        })
        .start()
        .unwrap();
    *place.lock().unwrap() = Some(client);
    stopped.recv_timeout(LONG).unwrap();
}

fn problem(client: &Client, part: &str) {
    wait_for(client, |event| {
        let Event::StoreProblem { problem } = &event.event else { return None };
        assert!(problem.contains(part), "{problem}");
        Some(())
    });
}

#[test]
fn a_floor_of_the_clock_that_is_not_stored_is_told_and_tried_again() {
    let authority = Authority::new();
    let server = young(&authority);
    let store = Counted::default();
    // The floor is the first that is stored.
    store.failures.store(1, Ordering::SeqCst);
    let client = builder(settings(&[&server], authority.policy())).store(store.clone()).start().unwrap();
    problem(&client, "the earliest plausible time is not stored, and is tried again with the next heartbeat");
    for _ in 0..3 {
        heartbeat(&client);
    }
    client.stop(LONG);
    assert!(store.store.clone().load("time").unwrap().is_some());
}

#[test]
fn a_floor_of_the_clock_that_is_damaged_is_told_once_and_written_anew() {
    let server = Server::plain("a", well);
    let mut store = InMemory::default();
    store.save("time", b"garbage").unwrap();
    let start = || builder(settings(&[&server], public())).store(store.clone()).start().unwrap();
    let client = start();
    problem(&client, "the earliest plausible time is not known");
    heartbeat(&client);
    client.stop(LONG);
    assert_ne!(store.clone().load("time").unwrap().unwrap(), b"garbage");
    let client = start();
    heartbeat(&client);
    client.stop(LONG);
    while let Ok(Some(event)) = client.next_event_timeout(Duration::ZERO) {
        assert!(!matches!(event.event, Event::StoreProblem { .. }), "{event:?}");
    }
}

#[cfg(unix)]
#[test]
fn two_clients_on_one_folder_are_told_and_both_go_on() {
    let state = tempfile::tempdir().unwrap();
    let server = Server::plain("a", well).called("localhost");
    let start = || builder(settings(&[&server], public())).state_folder(state.path()).start().unwrap();
    let (first, second) = (start(), start());
    problem(&second, "is in use by another client");
    assert_eq!((attached(&first), attached(&second)), ("a".to_owned(), "a".to_owned()));
    wait_for(&second, |event| matches!(event.event, Event::CannotRemember { .. }).then_some(()));
    first.stop(LONG);
    // The folder is free: what the second one remembers is stored when something next changes.
    heartbeat(&second);
}

/// Starts on a store that cannot be read: the reason is the first event, and all goes on.
fn starts_anyway(builder: Builder, reason: &str) {
    let client = builder.start().unwrap();
    let Some(Event::MemoryIgnored { detail: told }) = client.events().next().map(|event| event.event) else {
        panic!("another first event: {}", client.explain())
    };
    assert!(told.contains(reason), "{told}");
    assert_eq!(attached(&client), "a");
    heartbeat(&client);
}

#[test]
fn a_damaged_file_is_told_first_and_then_replaced() {
    let state = tempfile::tempdir().unwrap();
    let server = Server::plain("a", well).called("localhost");
    let builder = || builder(settings(&[&server], public())).state_folder(state.path());
    let client = builder().start().unwrap();
    attached(&client);
    client.stop(Duration::ZERO);
    let path = state.path().join("memory");
    let whole = std::fs::read(&path).unwrap();
    for damaged in [&b""[..], &whole[..whole.len() / 2], b"\0\0\0\0", b"[]", b"{}"] {
        std::fs::write(&path, damaged).unwrap();
        starts_anyway(builder(), "damaged");
        assert!(stored(state.path(), "a").is_some());
    }
    let client = builder().start().unwrap();
    assert!(!matches!(client.next_event_timeout(LONG).unwrap().unwrap().event, Event::MemoryIgnored { .. }));
}

#[cfg(unix)]
#[test]
fn a_folder_open_to_others_is_refused_and_the_agent_goes_on_without() {
    use std::os::unix::fs::PermissionsExt;

    let state = tempfile::tempdir().unwrap();
    std::fs::set_permissions(state.path(), PermissionsExt::from_mode(0o777)).unwrap();
    let server = Server::plain("a", well);
    let builder = builder(settings(&[&server], public())).state_folder(state.path());
    starts_anyway(builder, "can be written to by others (mode 0777); run `chmod go-w`");
    assert_eq!(std::fs::read_dir(state.path()).unwrap().count(), 0);
}

#[test]
fn the_thread_begins_with_the_hook_and_survives_its_panic() {
    let server = Server::plain("a", well);
    let calls = Arc::new(Mutex::new(Vec::new()));
    let note = |what: &'static str| {
        let calls = Arc::clone(&calls);
        move || calls.lock().unwrap().push((what, thread::current().name().map(str::to_owned)))
    };
    let (started, asked) = (note("started"), note("asked"));
    let client = builder(settings(&[&server], public()))
        .thread_name("product-homing")
        .on_thread_start(move || {
            started();
            panic!("a fault of the application");
        })
        .on_heartbeat(move || {
            asked();
            None
        })
        .start()
        .unwrap();
    heartbeat(&client);
    client.stop(Duration::ZERO);
    let calls = calls.lock().unwrap();
    let name = Some("product-homing".to_owned());
    assert_eq!(calls[..2], [("started", name.clone()), ("asked", name)]);
    assert_eq!(calls.iter().filter(|(what, _)| *what == "started").count(), 1);
}
