//! Events in a loop of the program's own.

use std::time::Duration;

use homing::client::{Client, Waitable};
use homing::engine::Event;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::async_events::AsyncEvents;
use crate::server::Server;
use crate::{LONG, attached, builder, public, settings, start, well};

const NOT_AT_ALL: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

/// Whether events wait, after at most this long.
fn is_ready(client: &Client, wait: Duration) -> bool {
    let waitable = client.waitable().unwrap();
    let mut waitables = [PollFd::new(&waitable, PollFlags::IN)];
    poll(&mut waitables, Some(&Timespec::try_from(wait).unwrap())).unwrap() == 1
}

#[test]
fn a_loop_of_the_programs_own_fetches_every_event_to_the_last() {
    let server = Server::plain("a", well);
    let client = start(&[&server], public());
    let mut events = Vec::new();
    while !client.has_ended() {
        assert!(is_ready(&client, LONG), "{}", client.explain());
        // One at a time: what is left keeps it ready.
        let event = client.next_event_timeout(Duration::ZERO).unwrap().expect("it was ready");
        if matches!(event.event, Event::Attached { .. }) {
            client.begin_stop(Duration::ZERO);
        }
        events.push(event.event);
    }
    assert_eq!(events.last(), Some(&Event::Stopped {}));
    assert_eq!(events.iter().filter(|event| matches!(event, Event::Attached { .. })).count(), 1);
    assert!(!is_ready(&client, Duration::ZERO));
}

#[test]
fn what_waited_before_anybody_asked_counts_and_every_waitable_shows_it() {
    let server = Server::plain("a", well);
    let client = start(&[&server], public());
    attached(&client);
    client.stop(Duration::ZERO);
    let first = client.waitable().unwrap();
    let shows = |waitable: &Waitable| {
        poll(&mut [PollFd::new(waitable, PollFlags::IN)], Some(&NOT_AT_ALL)).unwrap() == 1
    };
    assert!(shows(&first));
    assert!(is_ready(&client, Duration::ZERO) && is_ready(&client, Duration::ZERO));
    while client.next_event_timeout(Duration::ZERO).is_ok() {}
    assert!(!is_ready(&client, Duration::ZERO));
    assert!(!shows(&first));
}

#[test]
fn with_a_callback_nothing_ever_waits() {
    let server = Server::plain("a", well);
    let client = builder(settings(&[&server], public())).on_event(|_, _| ()).start().unwrap();
    client.stop(Duration::ZERO);
    assert!(client.has_ended() && !is_ready(&client, Duration::ZERO));
}

#[test]
fn a_program_on_tokio_fetches_every_event_and_no_thread_waits_for_them() {
    let server = Server::plain("a", well);
    let client = start(&[&server], public());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let told = runtime.block_on(async {
        let events = AsyncEvents::new(client).unwrap();
        let mut told = Vec::new();
        while let Some(event) = tokio::time::timeout(LONG, events.next()).await.expect("an event").unwrap() {
            if matches!(event.event, Event::Attached { .. }) {
                events.client().begin_stop(Duration::ZERO);
            }
            told.push(event.event);
        }
        told
    });
    assert!(told.iter().any(|event| matches!(event, Event::Attached { .. })), "{told:?}");
    assert_eq!(told.last(), Some(&Event::Stopped {}));
}
