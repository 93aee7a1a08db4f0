//! What the product says itself: any method, below a prefix of its own.

use super::Homing;
use super::common::add;
use crate::net::exchange::Answer;
use crate::net::http_request::HttpRequest;
use crate::net::protocol::Content;
use crate::net::sink::Sink;
use crate::net::source::Source;
use crate::settings::Server;
use crate::types::Verdict;

pub(super) fn request(homing: &Homing, server: &Server, content: Content) -> Option<HttpRequest> {
    let Content::Call(call) = content else {
        return None;
    };
    let source = Source::bytes(call.body.clone());
    let mut head = homing.begin_below(homing.paths.calls(), call.method, &["/", &call.path].concat(), server);
    head.push_str(&call.lines());
    if source.length() > 0 || !matches!(call.method, "GET" | "DELETE") {
        add(&mut head, "Content-Length", &source.length().to_string());
    }
    Some(HttpRequest { head, source, sink: Sink::memory(homing.limits.body_bytes) })
}

/// Any answer is one. What its status means knows the product.
pub(super) fn verdict<'a>(answer: &Answer) -> Verdict<'a> {
    Verdict::Success { status: answer.status, settings: None, policy: None }
}
