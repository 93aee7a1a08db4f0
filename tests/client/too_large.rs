//! A status that a proxy in front of the server does not let through.

use homing::engine::Event;
use homing::types::ServerId;

use crate::server::{Conversation, Server};
use crate::{attached, ok, public, start, wait_for};

const REFUSAL: &str = "HTTP/1.1 413 Too Large\r\nContent-Type: text/html\r\nContent-Length: 5\r\n";

/// Refuses every request with a body; `closes` with that answer, as many proxies do.
fn narrow(closes: bool) -> impl Fn(&mut Conversation<'_>) + Send + Sync + 'static {
    move |conversation| {
        while let Some(request) = conversation.request() {
            if request.body.is_empty() {
                conversation.say(&ok("do this"));
            } else if closes {
                return conversation.say(&format!("{REFUSAL}Connection: close\r\n\r\nlarge"));
            } else {
                conversation.say(&format!("{REFUSAL}\r\nlarge"));
            }
        }
    }
}

#[test]
fn a_status_that_is_too_large_is_left_out_and_the_product_learns_its_size() {
    for closes in [false, true] {
        let server = Server::plain("a", narrow(closes));
        let client = start(&[&server], public());
        let told = wait_for(&client, |event| {
            let Event::StatusTooLarge { server, size } = &event.event else { return None };
            Some((server.clone(), *size))
        });
        assert_eq!(told, (ServerId::new("a"), "all is well".len()));
        assert_eq!(attached(&client), "a");
        for _ in 0..3 {
            wait_for(&client, |event| {
                let failed = matches!(event.event, Event::AttemptFailed { .. });
                assert!(!failed, "closes {closes}: {event:?}");
                matches!(event.event, Event::Heartbeat { .. }).then_some(())
            });
        }
        drop(client);
        let requests = server.requests();
        let with_status = requests.iter().filter(|request| !request.body.is_empty()).count();
        assert_eq!(with_status, 1, "closes {closes}: nothing as large is sent there again");
        let keys: Vec<_> = requests.iter().filter_map(|request| request.field("idempotency-key")).collect();
        assert!(keys.len() == 2 && keys[0] != keys[1], "another request has another key: {keys:?}");
        assert_eq!(requests[1].field("homing-omitted"), Some("status"));
    }
}
