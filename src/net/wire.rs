//! The one place where an errand becomes an HTTP request, and an answer an outcome.
//!
//! The contract is written down for servers in `docs/wire.md`. A product that speaks a protocol of
//! its own drives the engine itself and replaces exactly this file.

use std::time::{Duration, SystemTime};

use super::Limits;
use super::exchange::Answer;
use crate::settings::{Protocol, Server};
use crate::words::{AgentId, Cause, Evidence, Failure, Host, Outcome, Purpose, Verdict};

/// Where heartbeats go.
const HEARTBEAT: &str = "/homing/v1/heartbeat";

const AGENT: &str = "Homing-Agent";
const PURPOSE: &str = "Homing-Purpose";
const SETTINGS: &str = "Homing-Settings";
const POLICY: &str = "Homing-Policy";
const DRAIN: &str = "Homing-Drain";
const OMITTED: &str = "Homing-Omitted";
const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

/// The head of a heartbeat with a body of this length, but for what is secret and the empty line at its end.
///
/// `life` is drawn once when the client starts. Together with the sweep it makes the
/// `Idempotency-Key`: all attempts of one sweep carry the same, and no two sweeps of one agent do,
/// also across restarts. `omitted`: the product's status is left out because the server has refused it as too
/// large; that is another request, with a key of its own.
pub(crate) fn heartbeat(
    server: &Server,
    agent: &AgentId,
    purpose: Purpose,
    length: usize,
    omitted: bool,
    life: u64,
) -> String {
    let authority = authority(server);
    let usual_port = match server.protocol {
        Protocol::Https => ":443",
        Protocol::Http => ":80",
    };
    let host = authority.strip_suffix(usual_port).unwrap_or(&authority);
    let mut head = format!(
        "POST {HEARTBEAT} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: homing/{}\r\n\
         {AGENT}: {agent}\r\n{PURPOSE}: {}\r\nContent-Length: {length}\r\n",
        env!("CARGO_PKG_VERSION"),
        purpose.as_str(),
    );
    if omitted {
        head.push_str(&format!("{OMITTED}: status\r\n"));
    }
    if let Purpose::Attach { sweep } = purpose {
        let suffix = if omitted { "-omitted" } else { "" };
        head.push_str(&format!("{IDEMPOTENCY_KEY}: \"{life:016x}-{sweep}{suffix}\"\r\n"));
    }
    head
}

/// Host and port as they are written in a request.
pub(super) fn authority(server: &Server) -> String {
    let port = server.port;
    match &server.host {
        Host::Address(std::net::IpAddr::V6(address)) => format!("[{address}]:{port}"),
        Host::Address(std::net::IpAddr::V4(address)) => format!("{address}:{port}"),
        Host::Name(name) => format!("{name}:{port}"),
    }
}

/// What an answer to a heartbeat means. `wall` is the time of day, for a `Retry-After` that names a date.
pub(crate) fn outcome<'a>(answer: &'a Answer, wall: SystemTime, limits: &Limits) -> Outcome<'a> {
    let drain = answer.fields.text(DRAIN).and_then(seconds);
    Outcome { verdict: verdict(answer, wall, limits), drain }
}

fn verdict<'a>(answer: &'a Answer, wall: SystemTime, limits: &Limits) -> Verdict<'a> {
    let status = answer.status;
    let failure = match status {
        200..=299 => match (tag(answer, SETTINGS, limits), tag(answer, POLICY, limits)) {
            (None, None) => {
                Failure::noted(Cause::NotAManager { status }, "neither Homing-Settings nor Homing-Policy")
            }
            (settings, policy) => return Verdict::Success { status, settings, policy },
        },
        401 => Cause::NotAllowed { status }.into(),
        // Maintenance pages and web application firewalls say 403 as well.
        403 if answer.fields.any_begins_with("Homing-") => Cause::NotAllowed { status }.into(),
        413 => Cause::TooLarge.into(),
        429 | 503 => throttled(answer, wall),
        500..=599 => Cause::ServerError { status }.into(),
        300..=399 => {
            let to = answer.fields.text("Location").unwrap_or("nowhere");
            Failure::noted(Cause::NotAManager { status }, format!("redirects to {to}"))
        }
        403 | 404 | 410 => Cause::NotAManager { status }.into(),
        400..=499 => Cause::Misunderstood { status }.into(),
        _ => Cause::NotAManager { status }.into(),
    };
    // The status decides first: an error page in HTML is no sign of a portal when the status has a cause of its own.
    let is_page = matches!(failure.cause, Cause::NotAManager { .. }) && is_html(answer);
    Verdict::Failed(Failure { evidence: is_page.then_some(Evidence::Portal), ..failure })
}

/// A page for a person.
fn is_html(answer: &Answer) -> bool {
    let kind = answer.fields.text("Content-Type").and_then(|kind| kind.split(';').next());
    kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/html"))
}

/// 429 asks for patience by itself, 503 only with a readable `Retry-After`.
fn throttled(answer: &Answer, wall: SystemTime) -> Failure {
    let status = answer.status;
    let written = answer.fields.all("Retry-After").next();
    let retry_after = answer
        .fields
        .text("Retry-After")
        .and_then(|text| seconds(text).or_else(|| until(text, answer, wall)));
    let cause = match (status, retry_after) {
        (503, None) => Cause::ServerError { status },
        (_, retry_after) => Cause::Throttled { status, retry_after },
    };
    match written {
        Some(value) if retry_after.is_none() => {
            let value = String::from_utf8_lossy(value);
            Failure::noted(cause, format!("unreadable Retry-After: {value}"))
        }
        _ => cause.into(),
    }
}

/// A whole number of seconds. What is too large to count is as long as can be.
fn seconds(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| Duration::from_secs(text.parse().unwrap_or(u64::MAX)))
}

/// From the server's own `Date`, or else from our wall clock, to the date. A date that has passed
/// asks for nothing.
fn until(text: &str, answer: &Answer, wall: SystemTime) -> Option<Duration> {
    let date = httpdate::parse_http_date(text.trim()).ok()?;
    let sent = answer.fields.text("Date").and_then(|text| httpdate::parse_http_date(text).ok());
    date.duration_since(sent.unwrap_or(wall)).ok()
}

/// An entity tag that is there, printable, and of a bounded length.
fn tag<'a>(answer: &'a Answer, name: &str, limits: &Limits) -> Option<&'a str> {
    answer.fields.text(name).filter(|tag| !tag.is_empty() && tag.len() <= limits.tag_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::head::Head;
    use crate::words::ServerId;

    /// Thu, 01 Jan 2026 00:00:00 GMT
    fn wall() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600)
    }

    fn answer(status: u16, fields: &[(&'static str, &str)]) -> Answer {
        let lines: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let text = format!("HTTP/1.1 {status} \r\n{lines}\r\n");
        let Head { status, fields, .. } = Head::parse(text.into(), &Limits::default()).unwrap();
        Answer { status, fields, body: Vec::new(), reusable: true }
    }

    fn failed(answer: &Answer) -> Failure {
        let Verdict::Failed(failure) = outcome(answer, wall(), &Limits::default()).verdict else {
            panic!("a success")
        };
        failure
    }

    fn request(host: &str, protocol: Protocol, port: u16, purpose: Purpose) -> String {
        let server = Server {
            id: ServerId::new("a"),
            host: host.parse().unwrap(),
            protocol,
            port,
            weight: 1,
            inside: true,
            policy: 0,
            literal: None,
        };
        heartbeat(&server, &"agent-1".parse().unwrap(), purpose, 3, false, 0xabc)
    }

    #[test]
    fn a_request_says_who_why_and_how_much() {
        let head = request("2001:db8::1", Protocol::Https, 8443, Purpose::Beat);
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            head,
            format!(
                "POST /homing/v1/heartbeat HTTP/1.1\r\nHost: [2001:db8::1]:8443\r\nUser-Agent: homing/{version}\r\n\
                 Homing-Agent: agent-1\r\nHoming-Purpose: beat\r\nContent-Length: 3\r\n"
            )
        );
    }

    #[test]
    fn the_usual_port_is_left_out() {
        for (host, protocol, port, expected) in [
            ("a.example", Protocol::Https, 443, "a.example"),
            ("a.example", Protocol::Https, 1443, "a.example:1443"),
            ("a.example", Protocol::Https, 80, "a.example:80"),
            ("192.0.2.1", Protocol::Http, 80, "192.0.2.1"),
            ("2001:db8::443", Protocol::Https, 443, "[2001:db8::443]"),
        ] {
            let head = request(host, protocol, port, Purpose::Probe);
            assert!(head.contains(&format!("\r\nHost: {expected}\r\n")), "{head}");
        }
    }

    #[test]
    fn every_attempt_of_a_sweep_has_its_key_whatever_the_server() {
        let key = |host, sweep| {
            let head = request(host, Protocol::Http, 8014, Purpose::Attach { sweep });
            head.lines().last().unwrap().to_owned()
        };
        assert_eq!(key("a.example", 7), "Idempotency-Key: \"0000000000000abc-7\"");
        assert_eq!(key("a.example", 7), key("sepm_1", 7));
        assert_ne!(key("a.example", 7), key("a.example", 8));
        assert!(!request("a.example", Protocol::Http, 8014, Purpose::Beat).contains("Idempotency-Key"));
    }

    #[test]
    fn success_is_a_2xx_with_a_tag() {
        for (status, fields, settings, policy) in [
            (200, &[("homing-settings", "\"7\"")][..], Some("\"7\""), None),
            (204, &[("homing-policy", "W/\"x\"")], None, Some("W/\"x\"")),
            (
                200,
                &[("homing-settings", "a"), ("homing-policy", "b"), ("content-type", "text/html")],
                Some("a"),
                Some("b"),
            ),
        ] {
            let answer = answer(status, fields);
            let verdict = outcome(&answer, wall(), &Limits::default()).verdict;
            assert_eq!(verdict, Verdict::Success { status, settings, policy });
        }
    }

    #[test]
    fn everything_else_is_a_failure_with_its_cause() {
        let long = "x".repeat(257);
        let retry =
            |status, seconds| Cause::Throttled { status, retry_after: Some(Duration::from_secs(seconds)) };
        for (status, fields, cause) in [
            (200, &[][..], Cause::NotAManager { status: 200 }),
            (200, &[("content-type", "text/html")], Cause::NotAManager { status: 200 }),
            (200, &[("homing-settings", "")], Cause::NotAManager { status: 200 }),
            (200, &[("homing-settings", &long)], Cause::NotAManager { status: 200 }),
            (101, &[], Cause::NotAManager { status: 101 }),
            (302, &[("location", "http://portal/")], Cause::NotAManager { status: 302 }),
            (304, &[], Cause::NotAManager { status: 304 }),
            (404, &[("homing-settings", "a")], Cause::NotAManager { status: 404 }),
            (410, &[], Cause::NotAManager { status: 410 }),
            (400, &[("content-type", "text/html")], Cause::Misunderstood { status: 400 }),
            (407, &[], Cause::Misunderstood { status: 407 }),
            (408, &[], Cause::Misunderstood { status: 408 }),
            (421, &[], Cause::Misunderstood { status: 421 }),
            (431, &[("homing-drain", "5")], Cause::Misunderstood { status: 431 }),
            (499, &[], Cause::Misunderstood { status: 499 }),
            (413, &[("content-type", "text/html")], Cause::TooLarge),
            (999, &[], Cause::NotAManager { status: 999 }),
            (401, &[], Cause::NotAllowed { status: 401 }),
            (403, &[], Cause::NotAManager { status: 403 }),
            (403, &[("content-type", "text/html")], Cause::NotAManager { status: 403 }),
            (403, &[("homing-agent", "x")], Cause::NotAllowed { status: 403 }),
            (500, &[("retry-after", "5")], Cause::ServerError { status: 500 }),
            (511, &[], Cause::ServerError { status: 511 }),
            (503, &[], Cause::ServerError { status: 503 }),
            (503, &[("retry-after", "soon")], Cause::ServerError { status: 503 }),
            (503, &[("retry-after", "120")], retry(503, 120)),
            (429, &[("retry-after", "0")], retry(429, 0)),
            (429, &[("retry-after", "99999999999999999999999")], retry(429, u64::MAX)),
            (429, &[("retry-after", "Thu, 01 Jan 2026 00:01:00 GMT")], retry(429, 60)),
            (429, &[], Cause::Throttled { status: 429, retry_after: None }),
            (429, &[("retry-after", "-1")], Cause::Throttled { status: 429, retry_after: None }),
            (429, &[("retry-after", "1.5")], Cause::Throttled { status: 429, retry_after: None }),
            (
                429,
                &[("retry-after", "Thu, 01 Jan 2015 00:00:00 GMT")],
                Cause::Throttled { status: 429, retry_after: None },
            ),
        ] {
            assert_eq!(failed(&answer(status, fields)).cause, cause, "{status} {fields:?}");
        }
    }

    #[test]
    fn a_date_is_measured_on_the_clock_of_the_server_that_wrote_it() {
        let answer = answer(
            429,
            &[("retry-after", "Sat, 01 Jan 2000 00:01:30 GMT"), ("date", "Sat, 01 Jan 2000 00:00:00 GMT")],
        );
        let retry_after = Some(Duration::from_secs(90));
        assert_eq!(failed(&answer).cause, Cause::Throttled { status: 429, retry_after });
    }

    #[test]
    fn what_was_unreadable_stands_in_the_note() {
        let failure = failed(&answer(429, &[("retry-after", "soon")]));
        assert_eq!(failure.note.as_deref(), Some("unreadable Retry-After: soon"));
        let failure = failed(&answer(302, &[("location", "http://portal/")]));
        assert_eq!(failure.note.as_deref(), Some("redirects to http://portal/"));
    }

    #[test]
    fn any_answer_may_ask_the_agent_to_leave() {
        for (text, drain) in [("30", Some(30)), (" 0 ", Some(0)), ("-1", None), ("soon", None), ("", None)] {
            for status in [200, 503] {
                let answer = answer(status, &[("homing-drain", text)]);
                let outcome = outcome(&answer, wall(), &Limits::default());
                assert_eq!(outcome.drain, drain.map(Duration::from_secs), "{text:?}");
            }
        }
    }
}
