//! How a client ends: asked for once, waited for by anybody, and nothing of the application's is left.

use std::io;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};
use std::time::Duration;

use homing::client::{LogLevel, StartError};
use homing::engine::{Event, State};
use homing::store::Store;

use crate::server::{Authority, Server};
use crate::{LONG, builder, held_up, public, settings, start, wait_for, well};

/// Tells where it was dropped.
struct Guard(&'static str, Sender<(&'static str, ThreadId)>);

impl Guard {
    /// Makes a hook keep it.
    fn stay(&self) {}
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.1.send((self.0, thread::current().id())).unwrap();
    }
}

/// Keeps nothing.
struct Sieve(#[expect(dead_code, reason = "is there to be dropped")] Guard);

impl Store for Sieve {
    fn load(&mut self, _: &str) -> io::Result<Option<Vec<u8>>> {
        Ok(None)
    }

    fn save(&mut self, _: &str, _: &[u8]) -> io::Result<()> {
        Ok(())
    }
}

/// Everything an application can give, each with a guard in it.
fn guarded(
    builder: homing::client::Builder,
    dropped: &Sender<(&'static str, ThreadId)>,
) -> homing::client::Builder {
    let guard = |name| Guard(name, dropped.clone());
    let (event, beat, credentials, socket, thread, log) =
        (guard("event"), guard("beat"), guard("credentials"), guard("socket"), guard("thread"), guard("log"));
    builder
        .on_event(move |_, _| event.stay())
        .on_heartbeat(move || {
            beat.stay();
            None
        })
        .on_credentials(move |_| {
            credentials.stay();
            None
        })
        .on_socket(move |_, _| {
            socket.stay();
            Ok(())
        })
        .on_log(LogLevel::Trace, move |_, _| log.stay())
        .on_thread_start(move || drop(thread))
        .store(Sieve(guard("store")))
}

const GIVEN: [&str; 7] = ["beat", "credentials", "event", "log", "socket", "store", "thread"];

#[test]
fn everything_given_is_dropped_on_the_clients_thread_before_a_join_returns() {
    let authority = Authority::new();
    let server = Server::tls("a", &authority, well);
    let (sender, dropped) = channel();
    let client = guarded(builder(settings(&[&server], authority.policy())), &sender).start().unwrap();
    drop(sender);
    client.begin_stop(Duration::ZERO);
    client.join();
    let mut dropped: Vec<_> = dropped.try_iter().collect();
    assert!(client.has_ended());
    dropped.sort_by_key(|(name, _)| *name);
    let (names, threads): (Vec<_>, Vec<_>) = dropped.into_iter().unzip();
    assert_eq!(names, GIVEN);
    assert!(threads.iter().all(|thread| *thread == threads[0] && *thread != thread::current().id()));
}

#[test]
fn everything_given_is_dropped_before_a_start_that_fails_returns() {
    let server = Server::plain("a", well);
    let missing = serde_json::json!({ "roots": [{ "bundle": "/nowhere/at/all.pem" }] });
    for fails in ["no route", "no bundle"] {
        let (sender, dropped) = channel();
        let policy = if fails == "no bundle" { missing.clone() } else { public() };
        let builder = match fails {
            "no route" => builder(settings(&[&server], policy)).routes([]),
            _ => builder(settings(&[&server], policy)),
        };
        let error = guarded(builder, &sender).start().unwrap_err();
        let fitting = match fails {
            "no route" => matches!(error, StartError::Routes),
            _ => matches!(error, StartError::Prepare(_)),
        };
        assert!(fitting, "{fails}: {error}");
        let mut names: Vec<_> = dropped.try_iter().map(|(name, _)| name).collect();
        names.sort_unstable();
        assert_eq!(names, GIVEN, "{fails}");
    }
}

#[test]
fn a_drop_that_panics_keeps_nothing_else_from_being_dropped() {
    struct Fault;
    impl Fault {
        fn stay(&self) {}
    }
    impl Drop for Fault {
        fn drop(&mut self) {
            panic!("a fault of the application");
        }
    }
    let server = Server::plain("a", well);
    let (sender, dropped) = channel();
    let fault = Fault;
    let client = guarded(builder(settings(&[&server], public())), &sender)
        .on_event(move |_, _| {
            fault.stay();
        })
        .start()
        .unwrap();
    client.begin_stop(Duration::ZERO);
    client.join();
    assert!(client.has_ended());
    assert_eq!(dropped.try_iter().count(), GIVEN.len());
}

#[test]
fn the_first_grace_counts_for_whoever_stops_again() {
    let (_server, client, release) = held_up();
    client.begin_stop(LONG);
    client.begin_stop(Duration::ZERO);
    thread::scope(|scope| {
        // Without grace, and still the exchange under way is waited for.
        let stops = scope.spawn(|| client.stop(Duration::ZERO));
        wait_for(&client, |event| {
            matches!(event.event, Event::State { state: State::Stopping, .. }).then_some(())
        });
        assert!(!client.has_ended() && !stops.is_finished());
        release.send(()).unwrap();
        wait_for(&client, |event| (event.body.as_deref() == Some(b"just in time")).then_some(()));
    });
    assert!(!client.has_ended(), "the last event was not fetched");
    wait_for(&client, |event| matches!(event.event, Event::Stopped {}).then_some(()));
    assert!(client.has_ended());
}

#[test]
fn a_join_waits_for_a_callback_and_not_on_the_clients_own_thread() {
    let server = Server::plain("a", well);
    let order = Arc::new(Mutex::new(Vec::new()));
    let (entered, has_entered) = channel();
    let (release, released) = channel::<()>();
    let seen = Arc::clone(&order);
    let client = builder(settings(&[&server], public()))
        .on_event(move |client, event| {
            if matches!(event.event, Event::Attached { .. }) {
                client.begin_stop(Duration::ZERO);
                client.join();
                entered.send(()).unwrap();
                released.recv().unwrap();
                seen.lock().unwrap().push("the callback returned");
            }
            if matches!(event.event, Event::Stopped {}) {
                seen.lock().unwrap().push("stopped");
            }
        })
        .start()
        .unwrap();
    has_entered.recv().unwrap();
    thread::scope(|scope| {
        let joins: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    client.join();
                    order.lock().unwrap().push("joined");
                })
            })
            .collect();
        assert!(joins.iter().all(|join| !join.is_finished()) && !client.has_ended());
        release.send(()).unwrap();
    });
    let expected = ["the callback returned", "stopped", "joined", "joined", "joined"];
    assert_eq!(*order.lock().unwrap(), expected);
}

#[test]
fn a_client_may_end_before_it_was_of_any_use() {
    let server = Server::plain("a", well);
    for _ in 0..100 {
        let client = start(&[&server], public());
        client.begin_stop(Duration::ZERO);
        client.join();
        client.join();
    }
}
