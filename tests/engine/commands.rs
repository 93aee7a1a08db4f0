//! Commands that a server sends by itself.

use homing::engine::{Event, Input, Memory, Notice};
use homing::types::{News, Proof, Request};

use crate::policy::{Agent, SETTINGS};

#[test]
fn a_command_is_judged_by_the_connection_it_came_over_not_by_that_of_the_heartbeats() {
    let push = SETTINGS.replace("\"heartbeat_interval\"", "\"mode\": \"push\", \"heartbeat_interval\"");
    for of_heartbeats in [Proof::Tcp, Proof::Tls] {
        for (of_stream, is_taken) in [(Proof::Tcp, false), (Proof::Tls, true), (Proof::Pin, true)] {
            let mut agent = Agent::with(&push, Memory::default());
            agent.input(Input::Timeout);
            agent.connects_with(of_heartbeats);
            let (exchange, _, _) = agent.asks();
            agent.answers(exchange, 200, None);
            agent.connects_with(of_stream);
            let (exchange, _, request) = agent.asks();
            assert!(matches!(request, Request::Listen(_)), "{request:?}");
            agent.input(Input::Notice { exchange, news: News::Hello });
            agent.events.clear();
            agent.input(Input::Notice { exchange, news: News::Command("scan") });
            let taken = |event: &Event| matches!(event, Event::Notice { kind: Notice::Command, .. });
            let refused = |event: &Event| matches!(event, Event::CommandRefused { .. });
            let is = (agent.events.iter().any(taken), agent.events.iter().any(refused));
            assert_eq!(is, (is_taken, !is_taken), "{of_heartbeats:?}, {of_stream:?}: {:?}", agent.events);
        }
    }
}
