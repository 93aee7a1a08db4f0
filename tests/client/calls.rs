//! Calls over real sockets: any answer is one, and nothing of it says anything about the server.

use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use homing::engine::Event;
use homing::types::{Call, CallError};

use crate::server::{Authority, Conversation, Request, Server};
use crate::{attached, builder, heartbeat, ok, public, settings, start, wait_for};

fn is_call(request: &Request) -> bool {
    request.line.contains(" /homing/v1/call/")
}

/// Answers heartbeats well, and each call as told.
fn answering(
    answer: impl Fn(&Request) -> String + Send + Sync + 'static,
) -> impl Fn(&mut Conversation<'_>) + Send + Sync + 'static {
    move |conversation| {
        while let Some(request) = conversation.request() {
            conversation.say(&if is_call(&request) { answer(&request) } else { ok("do this") });
        }
    }
}

/// Answers a call with the status that its path names, and with its body.
fn echo(request: &Request) -> String {
    let status = request.line.split(['/', ' ', '?']).nth(5).unwrap();
    let body = String::from_utf8(request.body.clone()).unwrap();
    format!("HTTP/1.1 {status} x\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

#[cfg(feature = "outbox")]
#[test]
fn all_requests_go_where_the_product_wants_them() {
    use homing::types::{Durability, Paths, Report, ReportKind};

    let server = Server::plain("a", |conversation| {
        while conversation.request().is_some() {
            conversation.say(&ok("do this"));
        }
    });
    let paths = Paths::below("/vendor/agent").unwrap().with_calls("/vendor/api").unwrap();
    let client = builder(settings(&[&server], public())).paths(paths).start().unwrap();
    attached(&client);
    assert_eq!(client.call(Call::get("inventory")).unwrap().status, 200);
    client.submit(Report { kind: ReportKind::RiskFound, body: Vec::new() }, Durability::Buffered).unwrap();
    wait_for(&client, |event| (event.event.name() == "upload_failed").then_some(()));
    let lines: Vec<_> = server.requests().into_iter().map(|request| request.line).collect();
    for line in [
        "POST /vendor/agent/heartbeat HTTP/1.1",
        "GET /vendor/api/inventory HTTP/1.1",
        "POST /vendor/agent/upload/critical HTTP/1.1",
    ] {
        assert!(lines.iter().any(|known| known == line), "{line}: {lines:?}");
    }
    assert!(lines.iter().all(|line| line.contains(" /vendor/")), "{lines:?}");
}

#[test]
fn whatever_the_server_says_is_the_answer_and_the_server_stays_what_it_was() {
    let authority = Authority::new();
    let server = Server::tls("a", &authority, answering(echo));
    let client = start(&[&server], authority.policy());
    assert_eq!(attached(&client), "a");
    for status in [200, 201, 302, 401, 403, 404, 413, 429, 500, 503] {
        let call =
            Call::post(format!("{status}/x?y=1")).header("X-Product", "1").body(format!("body {status}"));
        let answer = client.call(call).unwrap();
        assert_eq!((answer.server.as_str(), answer.status), ("a", status));
        assert_eq!(&*answer.body, format!("body {status}").as_bytes());
    }
    let requests = server.requests();
    let call = requests.iter().find(|request| is_call(request)).unwrap();
    assert_eq!(call.line, "POST /homing/v1/call/200/x?y=1 HTTP/1.1");
    assert_eq!((call.field("x-product"), call.field("homing-agent")), (Some("1"), Some("agent-1")));
    for _ in 0..3 {
        heartbeat(&client);
    }
    client.stop(Duration::ZERO);
    while let Ok(Some(event)) = client.next_event_timeout(Duration::ZERO) {
        assert!(!matches!(event.event, Event::AttemptFailed { .. } | Event::Searching { .. }), "{event:?}");
    }
}

#[test]
fn a_call_waits_for_a_server_as_long_as_it_may() {
    let server = Server::plain("a", answering(echo));
    let client = builder(settings(&[&server], public())).start().unwrap();
    // It has not attached yet, or just has.
    assert_eq!(client.call(Call::get("200")).unwrap().status, 200);
    client.stop(Duration::ZERO);
    assert_eq!(client.call(Call::get("200")), Err(CallError::Ended));

    let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let document = serde_json::json!({
        "server_lists": [{ "name": "main", "priorities": [{ "servers": [
            { "address": "127.0.0.1", "protocol": "http", "http_port": dead }
        ] }] }],
        "group": { "name": "g" },
    });
    let client = builder(document.to_string().parse().unwrap()).start().unwrap();
    let error = client.call(Call::get("200").within(Duration::from_millis(300))).unwrap_err();
    let CallError::Failed { server: None, class: None, detail } = error else { panic!("{error}") };
    assert!(detail.contains("no server"), "{detail}");
}

#[test]
fn a_call_that_is_begun_ends_with_an_event_that_has_the_body() {
    let server = Server::plain("a", answering(echo));
    let client = start(&[&server], public());
    let call = client.begin_call(Call::put("200").body("hello")).unwrap();
    let (status, body) = wait_for(&client, |event| {
        let Event::Called { call: ended, status, .. } = &event.event else { return None };
        (*ended == call).then(|| (*status, event.body.clone()))
    });
    assert_eq!((status, body.as_deref()), (200, Some(&b"hello"[..])));
}

#[test]
fn a_callback_may_begin_a_call_and_not_wait_for_it() {
    let server = Server::plain("a", answering(echo));
    let (tell, told) = channel();
    let _client = builder(settings(&[&server], public()))
        .on_event(move |client, event| {
            if let Event::Attached { .. } = event.event {
                assert_eq!(client.call(Call::get("200")), Err(CallError::InCallback));
                client.begin_call(Call::get("204")).unwrap();
            } else if let Event::Called { status, .. } = event.event {
                tell.send(status).unwrap();
            }
        })
        .start()
        .unwrap();
    assert_eq!(told.recv_timeout(crate::LONG).unwrap(), 204);
}

#[test]
fn many_threads_get_each_their_own_answer_and_too_many_are_told_so() {
    let server = Server::plain("a", answering(echo));
    let client = start(&[&server], public());
    attached(&client);
    thread::scope(|scope| {
        for number in 0..8 {
            let client = &client;
            scope.spawn(move || {
                for turn in 0..10 {
                    let body = format!("{number}/{turn}");
                    let answer =
                        client.call(Call::post("200").body(body.clone()).within(crate::LONG)).unwrap();
                    assert_eq!(&*answer.body, body.as_bytes());
                }
            });
        }
    });
    let refused = (0..1000).find_map(|_| client.begin_call(Call::get("200")).err()).unwrap();
    assert!(matches!(refused, CallError::TooMany { .. }), "{refused}");
}
