//! What a client remembers from one life to the next, and what becomes of it when nothing can be stored.

use std::cell::Cell;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use homing::client::{Builder, Client};
use homing::engine::{Event, Tuning};
use homing::store::{Folder, InMemory, Store};
use serde_json::Value;

use super::server::Server;
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
fn a_hundred_heartbeats_are_one_write() {
    let server = Server::plain("a", well).called("localhost");
    let store = Counted::default();
    let client = builder(settings(&[&server], public())).store(store.clone()).start().unwrap();
    for _ in 0..50 {
        heartbeat(&client);
        client.beat_now();
        heartbeat(&client);
    }
    client.stop(Duration::ZERO);
    assert_eq!(store.saves.load(Ordering::SeqCst), 1);
}

#[test]
fn a_full_disk_is_told_and_tried_again_until_there_is_room() {
    let server = Server::plain("a", well).called("localhost");
    let store = Counted::default();
    store.failures.store(3, Ordering::SeqCst);
    let client = builder(settings(&[&server], public())).store(store.clone()).start().unwrap();
    for _ in 0..3 {
        wait_for(&client, |event| matches!(event.event, Event::CannotRemember { .. }).then_some(()));
    }
    for _ in 0..5 {
        assert!(heartbeat(&client).is_some());
    }
    client.stop(Duration::ZERO);
    assert_eq!(store.saves.load(Ordering::SeqCst), 4);
    assert!(store.store.clone().load("memory").unwrap().is_some());
}

/// Starts on a store that cannot be read: the reason is the first event, and all goes on.
fn starts_anyway(builder: Builder, reason: &str) {
    let client = builder.start().unwrap();
    let Some(Event::MemoryIgnored { reason: told }) = client.events().next().map(|event| event.event) else {
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
        .heartbeat_hook(move || {
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
