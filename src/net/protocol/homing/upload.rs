//! `POST upload/{lane}`: reports, until the server has acknowledged them.

use std::time::SystemTime;

use super::common::add;
use super::fields::{ACKNOWLEDGED, IDEMPOTENCY_KEY, SEQUENCE, SERIES};
use super::{Homing, status};
use crate::net::exchange::Answer;
use crate::net::http_request::HttpRequest;
use crate::net::protocol::Content;
use crate::net::sink::Sink;
use crate::net::source::Source;
use crate::settings::Server;
use crate::types::{Cause, Failure, Lane, Verdict};

const PATH: &str = "/upload/";

/// Series and numbers name the reports for ever: what is sent again, in whatever batch, has the same. The key names
/// the batch.
pub(super) fn request(homing: &Homing, lane: Lane, server: &Server, content: Content) -> Option<HttpRequest> {
    let Content::Reports { series, first, last, body } = content else {
        return None;
    };
    let source = Source::bytes(body);
    let mut head = homing.begin("POST", &[PATH, lane.as_str()].concat(), server);
    add(&mut head, "Content-Type", "application/octet-stream");
    add(&mut head, "Content-Length", &source.length().to_string());
    add(&mut head, SERIES, &series.to_string());
    add(&mut head, SEQUENCE, &format!("{first}-{last}"));
    add(&mut head, IDEMPOTENCY_KEY, &format!("\"{lane}-{series}-{first:x}-{last:x}\""));
    Some(HttpRequest { head, source, sink: Sink::discard(homing.limits.body_bytes) })
}

/// The number up to which the server has taken them.
pub(super) fn acknowledged(answer: &Answer) -> Option<u64> {
    let text = answer.fields.text(ACKNOWLEDGED)?;
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}

/// Only a 2xx that acknowledges is a success: anything else may answer 200, a login page above all.
pub(super) fn verdict<'a>(answer: &Answer, wall: SystemTime) -> Verdict<'a> {
    let status = answer.status;
    match status {
        200..=299 if acknowledged(answer).is_some() => {
            Verdict::Success { status, settings: None, policy: None }
        }
        200..=299 => Verdict::Failed(unacknowledged(answer)),
        _ if status::is_declined_with_body(status) => Verdict::Declined { status },
        _ => Verdict::Failed(status::failure(answer, wall)),
    }
}

fn unacknowledged(answer: &Answer) -> Failure {
    let cause = Cause::NotAManager { status: answer.status };
    status::or_a_page(answer, Failure::noted(cause, "no Homing-Acknowledged"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::net::Limits;
    use crate::net::head::Head;
    use crate::settings::Protocol;
    use crate::types::{Series, ServerId};

    fn answer(status: u16, fields: &str) -> Answer {
        let text = format!("HTTP/1.1 {status} \r\n{fields}\r\n");
        let Head { status, fields, .. } = Head::parse(text.into(), &Limits::default()).unwrap();
        Answer { status, fields, body: Sink::discard(0), reusable: true }
    }

    #[test]
    fn an_upload_names_its_reports_by_series_and_number() {
        let homing =
            Homing::new("agent-1".parse().unwrap(), crate::types::Paths::default(), Arc::default(), 1);
        let server = Server {
            id: ServerId::new("a"),
            authority: "a.example:443".into(),
            host: "a.example".parse().unwrap(),
            protocol: Protocol::Https,
            port: 443,
            weight: 1,
            inside: true,
            policy: 0,
            number: 0,
            literal: None,
        };
        let body: Arc<[u8]> = b"7 log 1\nx\n".as_slice().into();
        let content = Content::Reports { series: Series(0xab), first: 7, last: 9, body };
        let request = request(&homing, Lane::Log, &server, content).unwrap();
        let lines: Vec<_> = request.head.lines().collect();
        assert_eq!(lines.first(), Some(&"POST /homing/v1/upload/log HTTP/1.1"));
        let own = [
            "Content-Type: application/octet-stream",
            "Content-Length: 10",
            "Homing-Series: 00000000000000ab",
            "Homing-Sequence: 7-9",
            "Idempotency-Key: \"log-00000000000000ab-7-9\"",
        ];
        assert!(lines.ends_with(&own), "{lines:?}");
        // What docs/wire.md promises to servers, which keep the key.
        let most = u64::MAX;
        assert!(format!("applications-{}-{most:x}-{most:x}", Series(most)).len() <= 64);
        assert!(super::request(&homing, Lane::Log, &server, Content::Omitted).is_none());
    }

    #[test]
    fn only_an_acknowledgement_settles() {
        let wall = SystemTime::UNIX_EPOCH;
        let success =
            |status, fields: &str| matches!(verdict(&answer(status, fields), wall), Verdict::Success { .. });
        assert!(success(200, "Homing-Acknowledged: 9\r\n"));
        assert!(success(204, "Homing-Acknowledged: 0\r\n"), "the outbox knows what that settles");
        for fields in
            ["", "Homing-Acknowledged:\r\n", "Homing-Acknowledged: -1\r\n", "Homing-Acknowledged: 9 9\r\n"]
        {
            assert!(!success(200, fields), "{fields}");
        }
        for status in [302, 401, 403, 404, 413, 429, 500, 503] {
            assert!(!success(status, "Homing-Acknowledged: 9\r\n"), "{status}");
        }
        for status in [404, 405, 406, 409, 410, 412, 413, 415, 416, 422, 501] {
            assert_eq!(verdict(&answer(status, ""), wall), Verdict::Declined { status });
        }
        let Verdict::Failed(failure) = verdict(&answer(200, "Content-Type: text/html\r\n"), wall) else {
            panic!()
        };
        assert_eq!(failure.evidence, Some(crate::types::Evidence::Portal));
    }
}
