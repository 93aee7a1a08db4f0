//! A door for the fuzzer, which is outside and has to come at what is inside. It is not there in any other build.

use std::sync::Arc;
use std::time::SystemTime;

use super::http_request::HttpRequest;
use super::protocol::{Homing, Protocol};
use super::sink::Sink;
use super::source::Source;
use super::{Answer, Exchange, Limits};
use crate::types::{Failure, Outcome, Purpose, Registration, Request, Verdict};

/// Lets an exchange take in these pieces of an answer, one after the other, and then the end of the connection.
///
/// Returns the status and the body. Checks on the way that what is held stays within the limits.
pub fn take_in(
    pieces: &[&[u8]],
    clean: bool,
    limits: &Limits,
    wall: SystemTime,
) -> Result<(u16, Vec<u8>), Failure> {
    let (source, sink) = (Source::bytes(Arc::from([])), Sink::memory(limits.body_bytes));
    let mut exchange =
        Exchange::new(HttpRequest { head: "POST / HTTP/1.1\r\n".to_owned(), source, sink }, b"");
    exchange.sent(usize::MAX);
    let mut input = Vec::new();
    for piece in pieces {
        input.extend_from_slice(piece);
        if let Some(answer) = exchange.receive(&mut input, limits)? {
            return Ok(understood(answer, limits, wall));
        }
        assert!(input.len() <= limits.head_bytes, "{} bytes are held", input.len());
    }
    exchange.ended(clean).map(|answer| understood(answer, limits, wall))
}

fn understood(answer: Answer, limits: &Limits, wall: SystemTime) -> (u16, Vec<u8>) {
    assert!(answer.fields.len() <= limits.head_fields);
    let agent = "fuzzed".parse().expect("a valid id");
    let homing = Homing::new(agent, crate::types::Paths::default(), Arc::new(limits.clone()), 0);
    let request = Request::Heartbeat { purpose: Purpose::Beat };
    let Outcome { verdict, .. } = homing.outcome(&request, &answer, wall);
    match verdict {
        Verdict::Success { status, settings, policy } => {
            assert!((200..=299).contains(&status) && (settings.is_some() || policy.is_some()));
            assert!(
                settings.into_iter().chain(policy).all(|tag| (1..=limits.tag_bytes).contains(&tag.len()))
            );
        }
        Verdict::Failed(failure) => assert!(failure.to_string().chars().count() < 300),
        Verdict::Declined { .. } => {}
    }
    let request = Request::Register(Arc::new(Registration::new(Arc::default())));
    let registered = homing.outcome(&request, &answer, wall);
    let decides = registered.group.is_some() || registered.account_mode.is_some();
    assert!(decides || !matches!(registered.verdict, Verdict::Success { .. }));
    let body = answer.body.into_bytes();
    assert!(body.len() <= limits.body_bytes);
    (answer.status, body)
}
