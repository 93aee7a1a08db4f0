//! Who is shown the credentials, and who never is.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Once, OnceLock};
use std::time::Duration;

use homing::client::{Asked, Credentials};
use homing::engine::{Event, State, Tuning};
use homing::types::FailureClass;

use crate::proxy::Proxy;
use crate::routes::attaches_without_a_failure;
use crate::server::{Authority, Conversation, Server};
use crate::{attached, builder, failed, heartbeat, ok, public, settings, well};

const UNAUTHORIZED: &str = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n";
const UNAUTHORIZED_AND_CLOSED: &str =
    "HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

fn token(secret: &str) -> Credentials {
    let mut credentials = Credentials::default();
    credentials.set("Authorization", secret).unwrap();
    credentials
}

/// Lets in whoever shows this; says `refusal` to everybody else.
fn wants(secret: &'static str, refusal: &'static str) -> impl Fn(&mut Conversation<'_>) + Send + Sync {
    move |conversation| {
        while let Some(request) = conversation.request() {
            if request.field("authorization") == Some(secret) {
                conversation.say(&ok("do this"));
            } else {
                conversation.say(refusal);
                if refusal == UNAUTHORIZED_AND_CLOSED {
                    return;
                }
            }
        }
    }
}

fn shown(server: &Server) -> Vec<Option<String>> {
    server.requests().iter().map(|request| request.field("authorization").map(str::to_owned)).collect()
}

#[test]
fn a_verified_server_is_shown_them_with_every_exchange_and_no_other_server_is() {
    let authority = Authority::new();
    let verified = Server::tls("a", &authority, well);
    let unverified = Server::tls("a", &authority, well);
    let plain = Server::plain("a", well);
    for (server, policy, expected) in [
        (verified, authority.policy(), Some("Bearer one")),
        (unverified, serde_json::json!({ "danger_no_verification": true }), None),
        (plain, public(), None),
    ] {
        let builder = builder(settings(&[&server], policy)).credentials(token("Bearer one"));
        let client = builder.start().unwrap();
        for _ in 0..3 {
            heartbeat(&client);
        }
        client.stop(Duration::ZERO);
        let shown = shown(&server);
        assert!(shown.len() >= 3 && shown.iter().all(|shown| shown.as_deref() == expected), "{shown:?}");
    }
}

#[test]
fn they_are_replaced_at_run_time_as_a_whole_and_one_by_one() {
    let authority = Authority::new();
    let server = Server::tls("a", &authority, well);
    let builder = builder(settings(&[&server], authority.policy())).credentials(token("one"));
    // In real time: it beats when it is told to.
    let client = builder.tuning(Tuning::default()).start().unwrap();
    heartbeat(&client);
    let beat = || {
        client.beat_now();
        heartbeat(&client);
    };
    client.set_header("authorization", "two").unwrap();
    client.set_header("X-Tenant", "t").unwrap();
    beat();
    assert!(client.set_header("X-Tenant", "a\r\nb").is_err());
    assert!(client.remove_header("x-tenant") && !client.remove_header("x-tenant"));
    beat();
    client.set_credentials(token("three"));
    beat();
    client.set_credentials(Credentials::default());
    beat();
    let said: Vec<_> = server
        .requests()
        .iter()
        .map(|request| {
            let field = |name| request.field(name).unwrap_or("-").to_owned();
            format!("{} {}", field("authorization"), field("x-tenant"))
        })
        .collect();
    assert_eq!(said, ["one -", "two t", "two -", "three -", "- -"]);
    assert_eq!(server.connections(), 1);
}

#[test]
fn the_hook_is_asked_before_the_first_exchange_and_once_after_a_401() {
    let authority = Authority::new();
    let server = Server::tls("a", &authority, wants("new", UNAUTHORIZED));
    let asked = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&asked);
    let client = builder(settings(&[&server], authority.policy()))
        .on_credentials(move |reason| {
            noted.lock().unwrap().push(reason.clone());
            Some(token(if reason == Asked::First { "old" } else { "new" }))
        })
        .start()
        .unwrap();
    // The server was asked twice in one exchange, and nothing failed.
    attaches_without_a_failure(&client);
    heartbeat(&client);
    heartbeat(&client);
    client.stop(Duration::ZERO);
    let shown = shown(&server);
    assert_eq!(shown[0].as_deref(), Some("old"));
    assert!(shown[1..].iter().all(|shown| shown.as_deref() == Some("new")), "{shown:?}");
    assert_eq!(server.connections(), 1);
    let asked = asked.lock().unwrap();
    assert!(
        matches!(&asked[..], [Asked::First, Asked::Refused { server }] if server.as_str() == "a"),
        "{asked:?}"
    );
    let requests = server.requests();
    assert_eq!(requests[0].field("idempotency-key"), requests[1].field("idempotency-key"));
    assert_eq!(requests[0].body, requests[1].body);
}

#[test]
fn a_401_that_closes_the_connection_is_followed_by_another_attempt_with_the_new_ones() {
    let authority = Authority::new();
    let server = Server::tls("a", &authority, wants("new", UNAUTHORIZED_AND_CLOSED));
    let hook = |reason| Some(token(if reason == Asked::First { "old" } else { "new" }));
    let builder = builder(settings(&[&server], authority.policy())).tuning(Tuning::default());
    let client = builder.on_credentials(hook).start().unwrap();
    assert_eq!(attached(&client), "a");
    assert_eq!(shown(&server), [Some("old".to_owned()), Some("new".to_owned())]);
}

#[test]
fn a_hook_that_always_has_fresh_ones_does_not_make_the_agent_storm_a_server_that_wants_none() {
    let authority = Authority::new();
    for (refusal, requests) in [(UNAUTHORIZED, 2), (UNAUTHORIZED_AND_CLOSED, 2)] {
        let server = Server::tls("a", &authority, wants("never", refusal));
        let count = AtomicUsize::new(0);
        let hook = move |_| Some(token(&format!("token {}", count.fetch_add(1, Ordering::SeqCst))));
        // In real time the next attempt is ten minutes away.
        let builder = builder(settings(&[&server], authority.policy())).tuning(Tuning::default());
        let client = builder.on_credentials(hook).start().unwrap();
        let (mut failures, mut quiet) = (0, 0);
        // Rejected, and nothing more for a second. A slow machine may be quiet for as long before.
        while quiet == 0 || (client.snapshot().state != State::Rejected && quiet < 30) {
            match client.next_event_timeout(Duration::from_secs(1)).unwrap() {
                Some(event) => failures += usize::from(matches!(event.event, Event::AttemptFailed { .. })),
                None => quiet += 1,
            }
        }
        assert_eq!(client.snapshot().state, State::Rejected);
        assert_eq!(shown(&server).len(), requests, "{refusal}");
        assert!((1..=2).contains(&failures), "{failures}");
    }
}

#[test]
fn new_credentials_end_a_rejection_at_once() {
    let authority = Authority::new();
    let server = Server::tls("a", &authority, wants("good", UNAUTHORIZED));
    let builder = builder(settings(&[&server], authority.policy())).credentials(token("bad"));
    let client = builder.tuning(Tuning::default()).start().unwrap();
    assert_eq!(failed(&client).0, FailureClass::NotAllowed);
    client.set_header("Authorization", "good").unwrap();
    assert_eq!(attached(&client), "a");
    assert_eq!(shown(&server), [Some("bad".to_owned()), Some("good".to_owned())]);
}

/// Everything that anybody logs in this process, at every level.
static LOG: Mutex<String> = Mutex::new(String::new());

struct Collect;

impl log::Log for Collect {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let mut log = LOG.lock().unwrap();
        log.push_str(&format!("{}: {}\n", record.target(), record.args()));
    }

    fn flush(&self) {}
}

#[test]
fn secrets_are_in_no_log_no_event_no_snapshot_and_no_debug_output() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| log::set_logger(&Collect).unwrap());
    log::set_max_level(log::LevelFilter::Trace);
    // Runs of one letter, which a log that cuts its lines anywhere cannot hide. In hexadecimal: 5a and 51.
    let (secret, password) = ("Z".repeat(48), "Q".repeat(48));
    let encoded = "UVFRUVFR"; // QQQQQQ
    let authority = Authority::new();
    // The second server waits until the first was asked: on a slow machine it would win before.
    let asked = Arc::new(OnceLock::new());
    let (ask, wait) = (Arc::clone(&asked), asked);
    let server = Server::tls("a", &authority, move |conversation| {
        while conversation.request().is_some() {
            conversation.say(UNAUTHORIZED);
            ask.get_or_init(|| ());
        }
    });
    let plain = Server::plain("b", move |conversation| {
        wait.wait();
        well(conversation);
    });
    let proxy = Proxy::opens();
    let described = proxy.described().basic("user", &password).unwrap();
    let credentials = token(&secret);
    let mut written = format!("{described:?} {credentials:?} {:?}", Asked::First);
    let routes = [described.into()];
    written.push_str(&format!("{routes:?}"));
    let builder = builder(settings(&[&server, &plain], authority.policy())).routes(routes);
    let builder = builder.credentials(credentials).on_credentials(|_| None);
    written.push_str(&format!("{builder:?}"));
    let client = builder.start().unwrap();
    loop {
        let event = client.next_event_timeout(Duration::from_secs(60)).unwrap().unwrap();
        written.push_str(&format!("{event:?} {}", serde_json::to_string(&event).unwrap()));
        if matches!(event.event, Event::Attached { .. }) {
            break;
        }
    }
    written.push_str(&format!("{client:?} {:?} {}", client.snapshot(), client.explain()));
    written.push_str(&format!("{:?}", client.set_header("a b", &secret)));
    written.push_str(&format!("{:?}", client.set_header("host", &secret)));
    client.stop(Duration::ZERO);
    log::set_max_level(log::LevelFilter::Off);
    written.push_str(&LOG.lock().unwrap());

    assert!(shown(&server).contains(&Some(secret)), "it was not shown to the server: {}", client.explain());
    assert!(proxy.heads().iter().all(|head| head.contains(encoded)), "and the password to the proxy");
    assert_eq!(shown(&plain)[0], None);
    assert!(written.contains("rustls"), "everybody's logs are in there");
    assert_eq!(
        written.matches("b: is shown no credentials").count(),
        1,
        "and that a server is shown nothing"
    );
    // Long enough not to stand in random numbers of a handshake by chance.
    for part in ["ZZZZZZZZ", "5a5a5a5a5a5a", "QQQQQQQQ", "515151515151", encoded] {
        assert!(!written.contains(part), "{part}");
    }
}
