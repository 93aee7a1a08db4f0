//! Registration over sockets: what is said of the machine and to whom, and what a server can say to it.

use std::sync::{Arc, Mutex};

use homing::client::{Builder, Client, Credentials};
use homing::engine::{Event, State};
use homing::settings::Settings;
use homing::store::InMemory;
use homing::types::{AccountMode, Identity, Name};
use ring::hmac;

use crate::server::{Authority, Conversation, Request, Server};
use crate::{attached, builder, document, heartbeat, ok, settings, wait_for, well};

/// What a server answers to registrations, and which fields its answers to heartbeats have besides.
type Notice = Arc<Mutex<(String, &'static str)>>;

const DECIDES: &str = "HTTP/1.1 200 OK\r\nHoming-Group: Field%20Sales\r\nHoming-Account-Mode: user\r\nContent-Length: 0\r\n\r\n";

fn says(answer: &str) -> Notice {
    Arc::new(Mutex::new((answer.to_owned(), "")))
}

fn registers(notice: &Notice) -> impl Fn(&mut Conversation<'_>) + Send + Sync + 'static {
    let notice = Arc::clone(notice);
    move |conversation| {
        while let Some(request) = conversation.request() {
            let (answer, fields) = notice.lock().unwrap().clone();
            if is_registration(&request) {
                conversation.say(&answer);
            } else {
                conversation.say(&ok("").replacen("\r\n", &format!("\r\n{fields}"), 1));
            }
        }
    }
}

fn is_registration(request: &Request) -> bool {
    request.line == "POST /homing/v1/register HTTP/1.1"
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn identity() -> Identity {
    Identity::default()
        .with_user(Some(name("CORP\\zo\u{eb}")))
        .with_preferred_group(Some(name("Laptops")))
        .with_preferred_mode(Some(AccountMode::User))
}

/// A client that registers, and heartbeats by itself only when it attaches and 36 s later.
fn identified(servers: &[&Server], certificate: serde_json::Value) -> Builder {
    let mut document = document(servers, certificate);
    document["group"]["communication"]["heartbeat_interval"] = "1h".into();
    document["group"]["reconnection"] = serde_json::json!({ "keep_group": true, "keep_mode": true });
    let settings: Settings = document.to_string().parse().unwrap();
    builder(settings).identity(identity())
}

fn made(server: &Server) -> Vec<Request> {
    server.requests().into_iter().filter(is_registration).collect()
}

/// The next decision of a server: the group, and the mode.
fn registered(client: &Client) -> (Option<String>, Option<AccountMode>) {
    wait_for(client, |event| {
        assert!(
            !matches!(event.event, Event::RegistrationFailed { .. } | Event::Detached { .. }),
            "{event:?}"
        );
        let Event::Registered { group, mode, .. } = &event.event else { return None };
        Some((group.as_ref().map(ToString::to_string), *mode))
    })
}

/// Why the next registration failed.
fn failure(client: &Client) -> String {
    wait_for(client, |event| {
        assert!(!matches!(event.event, Event::Registered { .. } | Event::Detached { .. }), "{event:?}");
        let Event::RegistrationFailed { detail, .. } = &event.event else { return None };
        Some(detail.clone())
    })
}

#[test]
fn a_registration_says_what_the_product_does_and_what_was_used_last_and_the_server_decides() {
    let (authority, notice, store) = (Authority::new(), says(DECIDES), InMemory::default());
    let server = Server::tls("a", &authority, registers(&notice));
    let start = || identified(&[&server], authority.policy()).store(store.clone()).start().unwrap();
    let client = start();
    assert_eq!(registered(&client), (Some("Field Sales".to_owned()), Some(AccountMode::User)));
    let registration = client.snapshot().registration.unwrap();
    assert_eq!((registration.group, registration.mode), (Some(name("Field Sales")), Some(AccountMode::User)));
    assert!(
        client.explain().contains("registered with a, group Field Sales, user mode\n"),
        "{}",
        client.explain()
    );
    let first = made(&server).remove(0);
    for (field, expected) in [
        ("homing-agent", Some("agent-1")),
        ("homing-user", Some("CORP\\zo%C3%AB")),
        ("homing-preferred-group", Some("Laptops")),
        ("homing-preferred-mode", Some("user")),
        ("homing-last-group", None),
        ("homing-last-mode", None),
        ("content-length", Some("0")),
        ("homing-purpose", None),
    ] {
        assert_eq!(first.field(field), expected, "{field}");
    }
    // Everything went over one connection.
    assert_eq!((server.connections(), made(&server).len()), (1, 1));
    client.stop(std::time::Duration::ZERO);
    // The next life offers what was used last, and another user is told at once.
    let client = start();
    registered(&client);
    client.user_changed(Some(name("bob")));
    registered(&client);
    client.user_changed(None);
    registered(&client);
    let all = made(&server);
    let users: Vec<_> = all.iter().map(|request| request.field("homing-user")).collect();
    assert_eq!(users, [Some("CORP\\zo%C3%AB"), Some("CORP\\zo%C3%AB"), Some("bob"), None]);
    for request in &all[1..] {
        assert_eq!(request.field("homing-last-group"), Some("Field%20Sales"));
        assert_eq!(request.field("homing-last-mode"), Some("user"));
        assert_eq!(request.field("homing-preferred-group"), Some("Laptops"));
    }
}

#[test]
fn a_server_asks_for_a_registration_with_a_heartbeat() {
    let (authority, notice) = (Authority::new(), says(DECIDES));
    let server = Server::tls("a", &authority, registers(&notice));
    let client = identified(&[&server], authority.policy()).start().unwrap();
    registered(&client);
    notice.lock().unwrap().1 = "Homing-Register: 1\r\n";
    client.beat_now();
    registered(&client);
    notice.lock().unwrap().1 = "";
    client.beat_now();
    heartbeat(&client);
    client.beat_now();
    heartbeat(&client);
    assert_eq!(made(&server).len(), 2);
}

#[test]
fn nonsense_is_told_and_changes_nothing() {
    let authority = Authority::new();
    let (notice, store) = (says(DECIDES), InMemory::default());
    let server = Server::tls("a", &authority, registers(&notice));
    let client = identified(&[&server], authority.policy()).store(store).start().unwrap();
    registered(&client);
    let group =
        |group: &str| format!("HTTP/1.1 200 OK\r\nHoming-Group: {group}\r\nContent-Length: 0\r\n\r\n");
    let answers = [
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_owned(), "neither a Homing-Group"),
        ("HTTP/1.1 200 OK\r\nHoming-Account-Mode: robot\r\nContent-Length: 0\r\n\r\n".to_owned(), "neither"),
        (group("100%"), "neither"),
        (group("a%0d%0aHoming-Register: 1"), "neither"),
        (group(&"x".repeat(257)), "neither"),
        (group(&"x".repeat(1 << 20)), "the head of the answer is too large"),
        (
            "HTTP/1.1 302 Found\r\nLocation: http://portal/\r\nContent-Length: 0\r\n\r\n".to_owned(),
            "redirects",
        ),
        ("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n".to_owned(), "401"),
        ("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n".to_owned(), "500"),
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned(), "registers no agents (404)"),
        ("\u{0}\u{1}\u{2}\r\n\r\n".to_owned(), "HTTP"),
    ];
    for (answer, words) in answers {
        let short: String = answer.chars().take(100).collect();
        notice.lock().unwrap().0 = answer;
        client.user_changed(Some(name("bob")));
        // What was said before may be tried again meanwhile.
        let why = wait_for(&client, |event| {
            assert!(!matches!(event.event, Event::Registered { .. } | Event::Detached { .. }), "{event:?}");
            let Event::RegistrationFailed { detail, .. } = &event.event else { return None };
            detail.contains(words).then(|| detail.clone())
        });
        assert!(why.chars().count() < 400 && !why.contains(char::is_control), "{why}");
        let snapshot = client.snapshot();
        assert_eq!(
            (snapshot.state, snapshot.servers[0].health.as_str()),
            (State::Attached, "up"),
            "{short:?}"
        );
        assert_eq!(snapshot.registration.unwrap().group, Some(name("Field Sales")), "{short:?}");
    }
    DECIDES.clone_into(&mut notice.lock().unwrap().0);
    client.user_changed(Some(name("bob")));
    wait_for(&client, |event| matches!(event.event, Event::Registered { .. }).then_some(()));
    let last = made(&server).pop().unwrap();
    assert_eq!(
        last.field("homing-last-group"),
        Some("Field%20Sales"),
        "what was remembered is still offered"
    );
}

#[test]
fn a_401_is_answered_with_other_credentials_where_there_are_some() {
    let authority = Authority::new();
    let server = Server::tls("a", &authority, |conversation: &mut Conversation<'_>| {
        while let Some(request) = conversation.request() {
            let is_let_in = !is_registration(&request) || request.field("authorization") == Some("two");
            conversation.say(match (is_registration(&request), is_let_in) {
                (false, _) => "HTTP/1.1 200 OK\r\nHoming-Settings: \"7\"\r\nContent-Length: 0\r\n\r\n",
                (true, true) => DECIDES,
                (true, false) => "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n",
            });
        }
    });
    let mut secrets = ["one", "two"].into_iter();
    let hook = move |_| {
        let mut credentials = Credentials::default();
        credentials.set("Authorization", secrets.next()?).unwrap();
        Some(credentials)
    };
    let client = identified(&[&server], authority.policy()).on_credentials(hook).start().unwrap();
    registered(&client);
    let shown: Vec<_> =
        made(&server).iter().map(|request| request.field("authorization").map(str::to_owned)).collect();
    assert_eq!(shown, [Some("one".to_owned()), Some("two".to_owned())]);
}

#[test]
fn a_server_that_was_not_verified_learns_nothing_of_the_user_or_the_machine() {
    let authority = Authority::new();
    let notice = says(DECIDES);
    let plain = Server::plain("a", registers(&notice));
    let unverified = Server::tls("a", &authority, registers(&notice));
    for (server, policy) in
        [(plain, serde_json::json!({})), (unverified, serde_json::json!({ "danger_no_verification": true }))]
    {
        let client = identified(&[&server], policy).machine_id("machine-1").start().unwrap();
        assert!(failure(&client).contains("not verified"));
        client.user_changed(Some(name("bob")));
        assert!(failure(&client).contains("not verified"));
        client.beat_now();
        heartbeat(&client);
        for request in server.requests() {
            assert!(!is_registration(&request), "{request:?}");
            assert_eq!((request.field("homing-user"), request.field("homing-instance")), (None, None));
        }
    }
}

#[test]
fn what_tells_machines_apart_is_of_both_ids_and_goes_with_heartbeats_and_registrations() {
    let authority = Authority::new();
    let server = Server::tls("a", &authority, registers(&says(DECIDES)));
    let client = identified(&[&server], authority.policy()).machine_id("machine-1").start().unwrap();
    registered(&client);
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"machine-1");
    let instance: String =
        hmac::sign(&key, b"agent-1").as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let shown = server.requests();
    assert_eq!(shown.len(), 2);
    assert!(shown.iter().all(|request| request.field("homing-instance") == Some(&instance)), "{shown:?}");
    // A product may want none shown.
    let server = Server::tls("a", &authority, registers(&says(DECIDES)));
    let client = identified(&[&server], authority.policy()).machine_id("").start().unwrap();
    registered(&client);
    assert!(server.requests().iter().all(|request| request.field("homing-instance").is_none()));
}

#[test]
fn an_id_that_is_used_twice_is_told_once_and_the_heartbeats_count() {
    let (authority, notice) = (Authority::new(), says(DECIDES));
    notice.lock().unwrap().1 = "Homing-Duplicate: 1\r\n";
    let server = Server::tls("a", &authority, registers(&notice));
    let client = builder(settings(&[&server], authority.policy())).start().unwrap();
    let by = wait_for(&client, |event| {
        let Event::Duplicate { server } = &event.event else { return None };
        Some(server.to_string())
    });
    assert_eq!(by, "a");
    assert!(client.snapshot().duplicate);
    for _ in 0..3 {
        wait_for(&client, |event| {
            assert!(!matches!(event.event, Event::Duplicate { .. } | Event::Detached { .. }), "{event:?}");
            matches!(event.event, Event::Heartbeat { .. }).then_some(())
        });
    }
}

#[test]
fn a_client_without_an_identity_asks_for_nothing() {
    let (authority, notice) = (Authority::new(), says(DECIDES));
    notice.lock().unwrap().1 = "Homing-Register: 1\r\n";
    let server = Server::tls("a", &authority, registers(&notice));
    let client = builder(settings(&[&server], authority.policy())).start().unwrap();
    attached(&client);
    for _ in 0..4 {
        heartbeat(&client);
    }
    assert_eq!((made(&server).len(), client.snapshot().registration), (0, None));
    assert!(server.requests().iter().all(|request| request.field("homing-user").is_none()));
    // Until its product says who uses the machine.
    client.user_changed(Some(name("bob")));
    registered(&client);
    assert_eq!(made(&server)[0].field("homing-user"), Some("bob"));
}

#[test]
fn a_server_that_answers_everything_as_a_heartbeat_registers_nothing() {
    let authority = Authority::new();
    let server = Server::tls("a", &authority, well);
    let client = identified(&[&server], authority.policy()).start().unwrap();
    assert!(failure(&client).contains("neither a Homing-Group"));
    assert_eq!(client.snapshot().state, State::Attached);
}
