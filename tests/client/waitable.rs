//! Events in a loop of the program's own.

use std::os::fd::AsRawFd;
use std::time::Duration;

use homing::client::Client;
use homing::engine::Event;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::server::Server;
use crate::{LONG, attached, builder, public, settings, start, well};

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
fn what_waited_before_anybody_asked_counts_and_the_waitable_stays_the_same() {
    let server = Server::plain("a", well);
    let client = start(&[&server], public());
    attached(&client);
    client.stop(Duration::ZERO);
    let first = client.waitable().unwrap().as_raw_fd();
    assert!(is_ready(&client, Duration::ZERO) && is_ready(&client, Duration::ZERO));
    while client.next_event_timeout(Duration::ZERO).is_ok() {}
    assert!(!is_ready(&client, Duration::ZERO));
    assert_eq!(client.waitable().unwrap().as_raw_fd(), first);
}

#[test]
fn with_a_callback_nothing_ever_waits() {
    let server = Server::plain("a", well);
    let client = builder(settings(&[&server], public())).on_event(|_, _| ()).start().unwrap();
    client.stop(Duration::ZERO);
    assert!(client.has_ended() && !is_ready(&client, Duration::ZERO));
}
