//! Through a proxy, beside one, and past one that fails.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use homing::client::{Client, NewSocket, RouteChoice, RouteError, StartError};
use homing::engine::{Event, State};
use homing::types::{FailureClass, Proof, Route};
use serde_json::json;

use crate::proxy::{Conduct, ESTABLISHED, Proxy};
use crate::server::{Authority, Server};
use crate::{attached, builder, failed, heartbeat, ok, once, public, settings, wait_for, well};

fn through(server: &Server, policy: serde_json::Value, routes: Vec<RouteChoice>) -> Client {
    builder(settings(&[server], policy)).routes(routes).start().unwrap()
}

/// It attaches, and nothing fails before that.
pub(crate) fn attaches_without_a_failure(client: &Client) {
    wait_for(client, |event| {
        assert!(!matches!(event.event, Event::AttemptFailed { .. }), "{event:?}");
        matches!(event.event, Event::Attached { .. }).then_some(())
    });
}

#[test]
fn a_server_is_reached_through_a_proxy_over_tls_and_over_plain_http() {
    let authority = Authority::new();
    for (server, policy) in [
        (Server::tls("a", &authority, well), authority.policy()),
        (Server::plain("a", well).called("localhost"), public()),
    ] {
        let proxy = Proxy::opens();
        let client = through(&server, policy, vec![proxy.described().into()]);
        assert_eq!(attached(&client), "a");
        for _ in 0..3 {
            assert_eq!(heartbeat(&client).as_deref(), Some("do this"));
        }
        client.stop(Duration::ZERO);
        let to = format!("{}:{}", server.host(), server.port());
        assert_eq!(proxy.heads(), [format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n\r\n")]);
        assert_eq!(server.connections(), 1, "kept through the proxy");
        assert!(server.requests().iter().all(|request| request.field("proxy-authorization").is_none()));
    }
}

#[test]
fn where_the_server_is_stands_in_the_event_and_in_the_snapshot() {
    let authority = Authority::new();
    let proxy = Proxy::opens();
    let tls = || Server::tls("a", &authority.named("localhost"), well).called("localhost");
    for (server, policy, routes, route, proof) in [
        (tls(), authority.policy(), vec![RouteChoice::Direct], Route::Direct, Proof::Tls),
        (tls(), authority.policy(), vec![proxy.described().into()], Route::Proxy(0), Proof::Tls),
        (Server::plain("a", well), public(), vec![RouteChoice::Direct], Route::Direct, Proof::Tcp),
    ] {
        let client = through(&server, policy, routes);
        let at = wait_for(&client, |event| {
            let Event::Attached { at, .. } = &event.event else { return None };
            let json = serde_json::to_value(event).unwrap();
            assert_eq!((&json["host"], &json["port"]), (&server.host().into(), &server.port().into()));
            assert_eq!((&json["route"], &json["proof"]), (&json!(route), &json!(proof)));
            Some((**at).clone())
        });
        assert_eq!((at.host.to_string().as_str(), at.port), (server.host(), server.port()));
        assert_eq!((at.route, at.proof), (route, proof));
        assert_eq!(at.address.map(|address| address.is_loopback()), (route == Route::Direct).then_some(true));
        heartbeat(&client);
        assert_eq!(client.snapshot().active_at, Some(at));
        client.stop(Duration::ZERO);
        assert_eq!(client.snapshot().active_at, None);
    }
}

#[test]
fn the_proxy_may_have_a_name_and_wants_its_own_credentials_alone() {
    let authority = Authority::new();
    let (server, proxy) = (Server::tls("a", &authority, well), Proxy::opens());
    let described = homing::client::Proxy::new("localhost".parse().unwrap(), proxy.port());
    let described = described.basic("Aladdin", "open sesame").unwrap();
    let builder = builder(settings(&[&server], authority.policy())).routes([described.into()]);
    let mut credentials = homing::client::Credentials::default();
    credentials.set("Authorization", "Bearer for-the-server").unwrap();
    let client = builder.credentials(credentials).start().unwrap();
    assert_eq!(attached(&client), "a");
    let heads = proxy.heads();
    assert!(
        heads[0].contains("\r\nProxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n"),
        "{heads:?}"
    );
    assert!(!heads[0].contains("for-the-server"), "{heads:?}");
    let requests = server.requests();
    assert_eq!(requests[0].field("authorization"), Some("Bearer for-the-server"));
    assert_eq!(requests[0].field("proxy-authorization"), None);
}

#[test]
fn a_proxy_that_does_not_open_the_way_is_passed_within_one_attempt() {
    let authority = Authority::new();
    let server = Server::tls("a", &authority, well);
    let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(20_000));
    for conduct in [
        Conduct::Says("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n".to_owned()),
        Conduct::Says("HTTP/1.1 403 Forbidden\r\n\r\nno".to_owned()),
        Conduct::Says("SSH-2.0-OpenSSH_9.6\r\n".to_owned()),
        Conduct::Says("HTTP/1.1 100 Continue\r\n\r\n".repeat(9)),
        Conduct::Says("HTTP/1.1 200 Conn".to_owned()),
        Conduct::Says(String::new()),
        Conduct::Says(long),
    ] {
        let proxy = Proxy::new(conduct);
        let client =
            through(&server, authority.policy(), vec![proxy.described().into(), RouteChoice::Direct]);
        attaches_without_a_failure(&client);
        assert_eq!(proxy.heads().len(), 1);
    }
}

#[test]
fn a_proxy_that_opens_the_way_and_leads_nowhere_is_passed_within_one_attempt() {
    let (authority, its_own) = (Authority::new(), Authority::new());
    let server = Server::tls("a", &authority, well);
    let impostor = Server::tls("a", &its_own, well);
    let broken = Server::tls("a", &authority, |_| {});
    let place = |server: &Server| SocketAddr::from(([127, 0, 0, 1], server.port()));
    for conduct in [
        Conduct::Says(ESTABLISHED.to_owned()),
        Conduct::FallsSilent,
        Conduct::LeadsTo(place(&impostor)),
        Conduct::LeadsTo(place(&broken)),
    ] {
        let proxy = Proxy::new(conduct);
        let client =
            through(&server, authority.policy(), vec![proxy.described().into(), RouteChoice::Direct]);
        attaches_without_a_failure(&client);
        assert_eq!(proxy.heads().len(), 1);
        assert_eq!(client.snapshot().active_at.map(|at| at.route), Some(Route::Direct));
    }
    assert!(impostor.requests().is_empty(), "nothing is said to a server that is not believed");
}

#[test]
fn a_direct_way_that_leads_to_another_is_passed_by_the_proxy_within_one_attempt() {
    let (authority, its_own) = (Authority::new(), Authority::new());
    let server = Server::tls("a", &authority, well);
    let proxy = Proxy::new(Conduct::LeadsTo(SocketAddr::from(([127, 0, 0, 1], server.port()))));
    for in_between in [Server::tls("a", &its_own, well), Server::tls("a", &authority, |_| {})] {
        let routes = vec![RouteChoice::Direct, proxy.described().into()];
        let client = through(&in_between, authority.policy(), routes);
        attaches_without_a_failure(&client);
        assert_eq!(client.snapshot().active_at.map(|at| at.route), Some(Route::Proxy(0)));
    }
}

#[test]
fn when_every_way_fails_the_words_name_each() {
    let (authority, its_own) = (Authority::new(), Authority::new());
    let server = Server::tls("a", &its_own, well);
    let proxy = Proxy::new(Conduct::Says(ESTABLISHED.to_owned()));
    let client = through(&server, authority.policy(), vec![RouteChoice::Direct, proxy.described().into()]);
    let (class, detail) = failed(&client);
    assert_eq!(class, FailureClass::Broken, "the mildest: {detail}");
    let words = format!("by proxy {}; at 127.0.0.1: its certificate was issued by nobody", proxy.described());
    assert!(detail.contains(&words), "{detail}");
}

#[test]
fn the_failure_of_the_only_proxy_is_named_and_no_server_is_charged() {
    let authority = Authority::new();
    let server = Server::tls("a", &authority, well);
    let gone = Proxy::opens().described();
    for (proxy, routes, expected) in [
        (None, gone.into(), "the proxy cannot be reached (connection refused"),
        (
            None,
            homing::client::Proxy::new("no.such.host.invalid".parse().unwrap(), 1).into(),
            "cannot be reached",
        ),
        (
            Some("HTTP/1.1 407 Give Me More\r\n\r\n"),
            RouteChoice::Direct,
            "the proxy wants other credentials (407)",
        ),
        (Some("HTTP/1.1 503 Oops\r\n\r\n"), RouteChoice::Direct, "the proxy answered 503 to CONNECT"),
        (Some("\u{5}\u{0}"), RouteChoice::Direct, "the proxy does not answer as a proxy"),
    ] {
        let proxy = proxy.map(|text| Proxy::new(Conduct::Says(text.to_owned())));
        let route = proxy.as_ref().map_or(routes, |proxy| proxy.described().into());
        let client = through(&server, authority.policy(), vec![route]);
        let (class, detail) = failed(&client);
        assert_eq!(class, FailureClass::Proxy, "{detail}");
        assert!(detail.contains(expected), "{detail}");
        let snapshot = client.snapshot();
        assert_eq!(snapshot.state, State::NoWay, "{}", snapshot.explain());
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn a_dripping_proxy_is_given_up() {
    let server = Server::plain("a", well);
    let proxy = Proxy::new(Conduct::Drips("HTTP/1.1 200 OK\r\nX: "));
    let limits = homing::client::Limits {
        drip_window: Duration::from_millis(300),
        ..homing::client::Limits::default()
    };
    let builder = builder(settings(&[&server], public())).limits(limits);
    // In real time, so that it is the pace that ends it.
    let builder = builder.tuning(homing::engine::Tuning::default());
    let client = builder.routes([proxy.described().into()]).start().unwrap();
    let (class, detail) = failed(&client);
    assert_eq!(class, FailureClass::Proxy);
    assert!(detail.contains("comes too slowly"), "{detail}");
}

#[test]
fn what_comes_right_behind_the_head_is_the_servers() {
    // Over plain HTTP a word before the first request is no web server's; over TLS it is no handshake.
    let authority = Authority::new();
    for (server, policy, class) in [
        (Server::plain("a", well), public(), FailureClass::WrongServer),
        (Server::tls("a", &authority, well), authority.policy(), FailureClass::Broken),
    ] {
        let proxy = Proxy::new(Conduct::OpensAndAdds(ESTABLISHED, "220 mail.example ESMTP\r\n"));
        let client = through(&server, policy, vec![proxy.described().into()]);
        let (found, detail) = failed(&client);
        assert_eq!(found, class, "{detail}");
    }
}

#[test]
fn what_the_server_says_behind_an_open_way_is_the_servers() {
    let proxy = Proxy::opens();
    let server = Server::plain("a", once("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"));
    let client = through(&server, public(), vec![proxy.described().into()]);
    assert_eq!(failed(&client).0, FailureClass::ServerError);
    let dead = Server::plain("a", |_| {});
    let client = through(&dead, public(), vec![proxy.described().into()]);
    assert_eq!(failed(&client).0, FailureClass::Broken);
}

#[test]
fn the_socket_hook_sees_the_sockets_to_proxies_and_to_servers() {
    let server = Server::plain("a", well);
    let refusing = Proxy::new(Conduct::Says("HTTP/1.1 403 Forbidden\r\n\r\n".to_owned()));
    let (sender, seen) = channel();
    let sender = Mutex::new(sender);
    let client = builder(settings(&[&server], public()))
        .routes([refusing.described().into(), RouteChoice::Direct])
        .on_socket(move |_, address| {
            sender.lock().unwrap().send(*address).unwrap();
            Ok(())
        })
        .start()
        .unwrap();
    attached(&client);
    let expected: Vec<SocketAddr> =
        [refusing.port(), server.port()].map(|port| ([127, 0, 0, 1], port).into()).into();
    assert_eq!(seen.try_iter().take(2).collect::<Vec<_>>(), expected);
}

#[test]
fn a_socket_that_the_hook_refuses_is_not_used_and_costs_no_server_anything() {
    let server = Server::plain("a", well);
    let allowed = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&allowed);
    let hook = move |_: NewSocket<'_>, _: &SocketAddr| match asked.load(Ordering::SeqCst) {
        true => Ok(()),
        false => Err(io::Error::other("no interface to bind to")),
    };
    let client = builder(settings(&[&server], public())).on_socket(hook).start().unwrap();
    let (class, detail) = failed(&client);
    assert_eq!(class, FailureClass::LocalNetwork);
    assert!(detail.contains("no interface to bind to"), "{detail}");
    assert_eq!(server.connections(), 0);
    allowed.store(true, Ordering::SeqCst);
    assert_eq!(attached(&client), "a");
}

#[test]
fn the_ways_may_change_while_the_client_runs() {
    let server = Server::plain("a", well).called("localhost");
    let (proxy, other) = (Proxy::opens(), Proxy::opens());
    let client = through(&server, public(), vec![RouteChoice::Direct]);
    let served = || {
        heartbeat(&client);
        heartbeat(&client);
    };
    assert_eq!(attached(&client), "a");
    for chosen in [&proxy, &other, &proxy] {
        let before = chosen.heads().len();
        client.set_routes([chosen.described().into()]).unwrap();
        while chosen.heads().len() == before {
            heartbeat(&client);
        }
        served();
    }
    // Nothing changes for what is no list of ways.
    assert_eq!(client.set_routes([]), Err(RouteError::Count));
    let connections = server.connections();
    client.set_routes([proxy.described().into()]).unwrap();
    served();
    assert_eq!((server.connections(), proxy.heads().len()), (connections, 2), "the same ways");
    client.set_routes([RouteChoice::Direct]).unwrap();
    while client.snapshot().active_at.map(|at| at.route) != Some(Route::Direct) {
        heartbeat(&client);
    }
    client.stop(Duration::ZERO);
    let mut failures = 0;
    while let Ok(Some(event)) = client.next_event_timeout(Duration::ZERO) {
        failures += usize::from(matches!(event.event, Event::AttemptFailed { .. }));
    }
    assert_eq!(failures, 0, "no server was charged");
}

#[test]
fn there_is_at_least_one_way_and_not_too_many() {
    let server = Server::plain("a", once(ok("")));
    for routes in [Vec::new(), vec![RouteChoice::Direct; 9]] {
        let error = builder(settings(&[&server], public())).routes(routes).start().unwrap_err();
        assert!(matches!(error, StartError::Routes), "{error}");
    }
}
