//! `POST heartbeat`: attaching, the regular heartbeat, and probing.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::common::add;
use super::fields::{IDEMPOTENCY_KEY, NEXT, OMITTED, POLICY, PURPOSE, SETTINGS, tag};
use super::{Homing, status};
use crate::net::exchange::Answer;
use crate::net::http_request::HttpRequest;
use crate::net::protocol::Content;
use crate::net::sink::Sink;
use crate::net::source::Source;
use crate::settings::Server;
use crate::types::{Cause, Failure, Purpose, Verdict};

const PATH: &str = "/heartbeat";

/// All attempts of one search carry one `Idempotency-Key`, and no two searches of one agent do, also across restarts;
/// without the status it is another request with a key of its own. What is answered to a probe has no effect, so nothing
/// of it is kept.
pub(super) fn request(
    homing: &Homing,
    purpose: Purpose,
    server: &Server,
    content: Content,
    next: Option<Duration>,
) -> HttpRequest {
    let (source, omitted) = match content {
        Content::Status(bytes) => (Source::bytes(bytes), false),
        // Reports and calls have requests of their own.
        Content::Omitted | Content::Reports { .. } | Content::Call(_) => (Source::bytes(Arc::from([])), true),
    };
    let mut head = homing.begin("POST", PATH, server);
    add(&mut head, PURPOSE, purpose.as_str());
    add(&mut head, "Content-Length", &source.length().to_string());
    if let Some(next) = next {
        // Rounded up: a console may call an agent late that is not there by then.
        add(&mut head, NEXT, &next.as_millis().div_ceil(1000).to_string());
    }
    if omitted {
        add(&mut head, OMITTED, "status");
    }
    if let Purpose::Attach { search } = purpose {
        let suffix = if omitted { "-omitted" } else { "" };
        add(&mut head, IDEMPOTENCY_KEY, &format!("\"{:016x}-{search}{suffix}\"", homing.life));
    }
    let most = homing.limits.body_bytes;
    let sink = match purpose {
        Purpose::Attach { .. } | Purpose::Beat => Sink::memory(most),
        Purpose::Probe => Sink::discard(most),
    };
    HttpRequest { head, source, sink }
}

/// A success carries the tag of the settings or of the policy: anything else may answer 200, a login page above all.
pub(super) fn verdict<'a>(homing: &Homing, answer: &'a Answer, wall: SystemTime) -> Verdict<'a> {
    let status = answer.status;
    if !(200..300).contains(&status) {
        return Verdict::Failed(status::failure(answer, wall));
    }
    let tag = |name| tag(answer, name, homing.limits.tag_bytes);
    match (tag(SETTINGS), tag(POLICY)) {
        (None, None) => {
            let cause = Cause::NotAManager { status };
            let failure = Failure::noted(cause, "neither Homing-Settings nor Homing-Policy");
            Verdict::Failed(status::or_a_page(answer, failure))
        }
        (settings, policy) => Verdict::Success { status, settings, policy },
    }
}
