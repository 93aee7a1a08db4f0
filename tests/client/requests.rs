//! Requests for a heartbeat: merged, and each told by its number when it is done.

use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::Duration;

use homing::client::{Client, Ended};
use homing::engine::{Event, Tuning};

use crate::server::Server;
use crate::{LONG, attached, builder, ok, public, settings, wait_for, well};

/// The number of the newest request that the next heartbeat covers.
fn covered(client: &Client) -> u64 {
    wait_for(client, |event| matches!(event.event, Event::Heartbeat { .. }).then_some(event.covers))
}

#[test]
fn a_request_that_comes_while_a_heartbeat_is_under_way_has_the_next() {
    let (asked, was_asked) = channel();
    let (release, released) = channel();
    let released = Mutex::new(released);
    let server = Server::plain("a", move |conversation| {
        while let Some(request) = conversation.request() {
            if request.body == b"slow" {
                asked.send(()).unwrap();
                released.lock().unwrap().recv().unwrap();
            }
            conversation.say(&ok("do this"));
        }
    });
    // As slow as in the field: no heartbeat is due while this test runs.
    let client = builder(settings(&[&server], public())).tuning(Tuning::default()).start().unwrap();
    assert_eq!(covered(&client), 0);
    client.set_status("slow");
    assert_eq!(client.beat_now(), 1);
    was_asked.recv().unwrap();
    client.set_status("news");
    assert_eq!((client.beat_now(), client.beat_now()), (2, 3));
    release.send(()).unwrap();
    assert_eq!(covered(&client), 1, "its status was taken before the news");
    assert_eq!(covered(&client), 3);
    client.stop(Duration::ZERO);
    let said: Vec<_> = server.requests().into_iter().map(|request| request.body).collect();
    assert_eq!(said, [&b""[..], b"slow", b"news"], "one heartbeat for both requests, and none after it");
}

#[test]
fn a_request_stands_until_a_server_has_answered() {
    let silent = Server::plain("a", |conversation| {
        conversation.request();
    });
    let spare = Server::plain("b", well);
    let client = builder(settings(&[&silent, &spare], public())).start().unwrap();
    let number = client.beat_now();
    assert_eq!(attached(&client), "b");
    while covered(&client) < number {}
    client.stop(Duration::ZERO);
    assert!(client.beat_now() > number, "it is numbered, and the end is told instead");
    while client.next_event_timeout(LONG) != Err(Ended) {}
}

#[test]
fn the_json_of_a_heartbeat_has_the_number_it_covers() {
    let server = Server::plain("a", well);
    let client = builder(settings(&[&server], public())).start().unwrap();
    let json = |event: &homing::client::ClientEvent| {
        matches!(event.event, Event::Heartbeat { .. }).then(|| serde_json::to_value(event).unwrap())
    };
    assert_eq!(wait_for(&client, json).get("covers"), None);
    let number = client.beat_now();
    let told = wait_for(&client, |event| json(event).filter(|_| event.covers > 0));
    assert_eq!(told["covers"], number);
}
