//! The policy of the product: read when a server names another, handed over once, confirmed.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use homing::client::Client;
use homing::engine::Event;
use homing::settings::Settings;
use homing::store::InMemory;

use crate::server::{Authority, Conversation, Server};
use crate::{attached, builder, settings, wait_for};

/// What a server says of the policy: the tag that heartbeats name, and the answer to a read.
type Notice = Arc<Mutex<(String, String)>>;

fn told(tag: &str, answer: String) -> Notice {
    Arc::new(Mutex::new((tag.to_owned(), answer)))
}

fn document(tag: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nETag: {tag}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// Answers heartbeats well, and a read of the policy as it is told. A tag that is known gets a 304.
fn with_policy(told: &Notice) -> impl Fn(&mut Conversation<'_>) + Send + Sync + 'static {
    let told = Arc::clone(told);
    move |conversation| {
        while let Some(request) = conversation.request() {
            let (tag, answer) = told.lock().unwrap().clone();
            if request.line.starts_with("POST") {
                conversation.say(&format!(
                    "HTTP/1.1 200 OK\r\nHoming-Settings: \"7\"\r\nHoming-Policy: {tag}\r\nContent-Length: 0\r\n\r\n"
                ));
            } else if request
                .field("if-none-match")
                .is_some_and(|known| answer.contains(&format!("ETag: {known}\r\n")))
            {
                conversation.say("HTTP/1.1 304 Not Modified\r\n\r\n");
            } else {
                conversation.say(&answer);
            }
        }
    }
}

fn tls(authority: &Authority, told: &Notice) -> (Server, Settings) {
    let server = Server::tls("a", authority, with_policy(told));
    let settings = settings(&[&server], authority.policy());
    (server, settings)
}

/// The next policy: its tag, and its bytes.
fn policy(client: &Client) -> (String, String) {
    wait_for(client, |event| {
        assert!(!matches!(event.event, Event::PolicyFailed { .. } | Event::Detached { .. }), "{event:?}");
        let Event::Policy { tag, .. } = &event.event else { return None };
        let body = event.body.as_ref().map(|body| String::from_utf8_lossy(body).into_owned());
        Some((tag.to_string(), body.unwrap()))
    })
}

/// Why the policy was not read.
fn failure(client: &Client) -> String {
    wait_for(client, |event| {
        assert!(!matches!(event.event, Event::Policy { .. } | Event::Detached { .. }), "{event:?}");
        let Event::PolicyFailed { detail, .. } = &event.event else { return None };
        Some(detail.clone())
    })
}

/// Waits for this many heartbeats, between which nothing happens that has to do with a policy.
fn beats(client: &Client, count: usize) {
    for _ in 0..count {
        wait_for(client, |event| {
            let other = matches!(
                event.event,
                Event::Policy { .. } | Event::PolicyFailed { .. } | Event::Detached { .. }
            );
            assert!(!other, "{event:?}");
            matches!(event.event, Event::Heartbeat { .. }).then_some(())
        });
    }
}

fn reads(server: &Server) -> Vec<Option<String>> {
    let requests = server.requests();
    let reads = requests.iter().filter(|request| request.line.starts_with("GET /homing/v1/policy "));
    reads.map(|request| request.field("if-none-match").map(str::to_owned)).collect()
}

#[test]
fn a_policy_comes_once_for_each_change() {
    let (authority, told) = (Authority::new(), told("\"1\"", document("\"1\"", "first")));
    let (server, settings) = tls(&authority, &told);
    let client = builder(settings).start().unwrap();
    assert_eq!(policy(&client), ("\"1\"".to_owned(), "first".to_owned()));
    beats(&client, 3);
    *told.lock().unwrap() = ("\"2\"".to_owned(), document("\"2\"", "second"));
    assert_eq!(policy(&client), ("\"2\"".to_owned(), "second".to_owned()));
    beats(&client, 2);
    assert_eq!(reads(&server), [None, Some("\"1\"".to_owned())]);
}

#[test]
fn a_policy_comes_again_after_a_restart_until_it_is_confirmed() {
    let (authority, told) = (Authority::new(), told("\"1\"", document("\"1\"", "first")));
    let (server, settings) = tls(&authority, &told);
    let store = InMemory::default();
    let start = || builder(settings.clone()).store(store.clone()).start().unwrap();
    for confirms in [false, true] {
        let client = start();
        assert_eq!(policy(&client).1, "first");
        if confirms {
            client.confirm_policy(&"x".repeat(257));
            client.confirm_policy("\"1\"");
            beats(&client, 1);
        }
        client.stop(Duration::from_secs(1));
    }
    let before = reads(&server).len();
    let client = start();
    assert_eq!(attached(&client), "a");
    beats(&client, 3);
    assert_eq!(reads(&server).len(), before, "the server still names the policy that was confirmed");
    *told.lock().unwrap() = ("\"2\"".to_owned(), document("\"2\"", "second"));
    assert_eq!(policy(&client).1, "second");
    assert_eq!(reads(&server).last(), Some(&Some("\"1\"".to_owned())));
}

#[test]
fn policies_are_not_read_where_the_settings_say_so() {
    let (authority, told) = (Authority::new(), told("\"1\"", document("\"1\"", "first")));
    let (server, _) = tls(&authority, &told);
    let mut document = crate::document(&[&server], authority.policy());
    document["group"]["download_from_management_server"] = false.into();
    let client = builder(document.to_string().parse().unwrap()).start().unwrap();
    assert_eq!(attached(&client), "a");
    beats(&client, 4);
    assert_eq!(reads(&server), []);
}

#[test]
fn a_policy_is_not_taken_from_a_server_that_was_not_verified() {
    let told = told("\"1\"", document("\"1\"", "first"));
    let server = Server::plain("a", with_policy(&told));
    let client = crate::start(&[&server], crate::public());
    assert!(failure(&client).contains("was not verified"));
    beats(&client, 3);
    assert_eq!(reads(&server), [], "it is told once, and nothing is asked");
}

#[test]
fn a_server_without_a_policy_is_asked_once_for_each_tag() {
    let authority = Authority::new();
    for status in [404, 410, 501] {
        let told = told("\"1\"", format!("HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n"));
        let (server, settings) = tls(&authority, &told);
        let client = builder(settings).start().unwrap();
        let reason = failure(&client);
        assert!(reason.contains(&status.to_string()), "{reason}");
        beats(&client, 3);
        assert_eq!(reads(&server).len(), 1, "{status}");
        told.lock().unwrap().0 = "\"2\"".to_owned();
        failure(&client);
    }
}

#[test]
fn a_read_that_fails_costs_the_server_nothing_and_is_made_again() {
    let authority = Authority::new();
    let huge = document("\"1\"", &"x".repeat(2 * 1024 * 1024));
    for bad in [
        "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n".to_owned(),
        "HTTP/1.1 302 Found\r\nLocation: http://portal/\r\nContent-Length: 0\r\n\r\n".to_owned(),
        "HTTP/1.1 304 Not Modified\r\n\r\n".to_owned(),
        "nonsense\r\n\r\n".to_owned(),
        huge,
    ] {
        let told = told("\"1\"", bad.clone());
        let (server, settings) = tls(&authority, &told);
        let client = builder(settings).start().unwrap();
        for _ in 0..3 {
            failure(&client);
        }
        told.lock().unwrap().1 = document("\"1\"", "first");
        let last = wait_for(&client, |event| {
            assert!(!matches!(event.event, Event::Detached { .. }), "{bad}: {event:?}");
            matches!(event.event, Event::Policy { .. }).then(|| event.body.clone())
        });
        assert_eq!(last.as_deref(), Some(&b"first"[..]));
        assert!(reads(&server).len() >= 4, "{bad}");
    }
}

#[test]
fn a_tag_that_changes_all_the_time_brings_no_policy_twice() {
    let (authority, told) = (Authority::new(), told("\"1\"", document("\"same\"", "first")));
    let (server, settings) = tls(&authority, &told);
    let client = builder(settings).start().unwrap();
    assert_eq!(policy(&client), ("\"same\"".to_owned(), "first".to_owned()));
    for turn in 0..5 {
        told.lock().unwrap().0 = format!("\"turn {turn}\"");
        beats(&client, 2);
    }
    let asked = reads(&server);
    assert!(
        asked.len() >= 5 && asked.iter().skip(1).all(|known| known.as_deref() == Some("\"same\"")),
        "{asked:?}"
    );
}
