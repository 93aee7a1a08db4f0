//! What goes wrong without being an event, and who hears of it.

use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use homing::client::{Builder, Client, LogLevel};
use homing::engine::Event;

use crate::server::{Authority, Server};
use crate::{LONG, attached, builder, public, settings, well};

type Messages = Receiver<(LogLevel, String)>;

fn listening(builder: Builder, most: LogLevel) -> (Builder, Messages) {
    let (sender, messages) = channel();
    let hook = move |level, text: &str| drop(sender.send((level, text.to_owned())));
    (builder.on_log(most, hook), messages)
}

#[test]
fn each_client_has_its_own_messages_down_to_its_own_level() {
    let server = Server::plain("a", well);
    let faulty = || -> Option<Vec<u8>> { panic!("a fault of the application") };
    let plain = || builder(settings(&[&server], public()));
    let (one, heard_by_one) = listening(plain().on_heartbeat(faulty), LogLevel::Error);
    let (other, heard_by_other) = listening(plain(), LogLevel::Trace);
    let clients = [one.start().unwrap(), other.start().unwrap()];
    for client in &clients {
        assert_eq!(attached(client), "a");
        client.begin_stop(Duration::ZERO);
        client.join();
    }
    let by_one: Vec<_> = heard_by_one.iter().collect();
    assert!(!by_one.is_empty());
    assert!(by_one.iter().all(|(level, text)| {
        *level == LogLevel::Error && text == "the heartbeat hook panicked; the status before it is sent"
    }));
    let by_other: Vec<_> = heard_by_other.iter().collect();
    assert!(by_other.iter().all(|(level, _)| *level == LogLevel::Debug), "{by_other:?}");
    assert!(by_other[0].1.contains(": dials a at [127.0.0.1:"), "{by_other:?}");
}

#[test]
fn a_start_is_heard_and_so_is_a_server_without_verification() {
    let authority = Authority::new();
    let server = Server::tls("a", &authority, well);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("memory"), "nonsense").unwrap();
    let policy = serde_json::json!({ "danger_no_verification": true });
    let described = builder(settings(&[&server], policy)).state_folder(folder.path());
    let (described, messages) = listening(described, LogLevel::Warn);
    let client = described.start().unwrap();
    let (level, text) = messages.try_recv().unwrap();
    assert!(
        level == LogLevel::Warn && text.starts_with("the agent begins with nothing remembered: "),
        "{text}"
    );
    assert_eq!(attached(&client), "a");
    let expected = "a: connected without any verification (danger_no_verification)";
    assert_eq!(messages.try_recv().unwrap(), (LogLevel::Warn, expected.to_owned()));
}

#[test]
fn a_hook_may_use_its_client_and_panic() {
    let server = Server::plain("a", well);
    let client: Arc<Mutex<Option<Arc<Client>>>> = Arc::default();
    let (seen, calls) = (Arc::clone(&client), Arc::new(Mutex::new(0)));
    let counter = Arc::clone(&calls);
    let made = builder(settings(&[&server], public()))
        .on_log(LogLevel::Trace, move |_, _| {
            *counter.lock().unwrap() += 1;
            let client = seen.lock().unwrap().clone();
            if let Some(client) = client {
                client.resumed();
                assert!(!client.explain().is_empty());
            }
            panic!("a fault of the application");
        })
        .start()
        .unwrap();
    let made = Arc::new(made);
    *client.lock().unwrap() = Some(Arc::clone(&made));
    attached(&made);
    made.stop(Duration::ZERO);
    assert!(*calls.lock().unwrap() > 0);
    // The hook, which held the client, is gone.
    drop(client);
    assert_eq!(Arc::strong_count(&made), 1);
}

#[test]
fn whoever_waits_for_a_callback_says_so_and_goes_on_waiting() {
    let server = Server::plain("a", well);
    let (entered, has_entered) = channel();
    let (release, released) = channel::<()>();
    let described = builder(settings(&[&server], public())).on_event(move |_, event| {
        if matches!(event.event, Event::Attached { .. }) {
            entered.send(()).unwrap();
            released.recv().unwrap();
        }
    });
    let (described, messages) = listening(described, LogLevel::Warn);
    let client = described.start().unwrap();
    has_entered.recv().unwrap();
    client.begin_stop(Duration::ZERO);
    thread::scope(|scope| {
        let join = scope.spawn(|| client.join());
        let warned = messages.recv_timeout(LONG).unwrap();
        let expected = "the client's thread is held up in a callback; its end is waited for";
        assert_eq!(warned, (LogLevel::Warn, expected.to_owned()));
        // The bound of a stop counts from the first grace, and that is over.
        client.stop(LONG);
        let left = messages.try_recv().unwrap();
        assert_eq!(
            left,
            (LogLevel::Error, "the client's thread is held up in a callback and is left behind".to_owned())
        );
        assert!(!join.is_finished() && !client.has_ended());
        release.send(()).unwrap();
    });
    assert!(client.has_ended());
    let (level, text) = messages.recv().unwrap();
    assert!(level == LogLevel::Warn && text.starts_with("the event callback took "), "{text}");
    assert!(text.ends_with(" s; the client did nothing else meanwhile"), "{text}");
    assert_eq!(messages.iter().count(), 0);
}
