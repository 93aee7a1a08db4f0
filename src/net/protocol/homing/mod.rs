//! The protocol of homing: plain HTTP/1.1 below `/homing/v1` or another prefix, written down for servers in `docs/wire.md`.

mod call;
mod common;
mod document;
mod events;
mod fields;
mod heartbeat;
mod register;
mod status;
mod upload;

use std::time::{Duration, SystemTime};

pub(crate) use common::Homing;
use common::add;
use document::Document;

use super::{Announcement, Content, Protocol};
use crate::net::event_stream::StreamEvent;
use crate::net::exchange::Answer;
use crate::net::http_request::HttpRequest;
use crate::settings::Server;
use crate::types::{Outcome, Purpose, Request};

impl Protocol for Homing {
    fn request(
        &self,
        request: &Request,
        server: &Server,
        content: Content,
        last: Option<&str>,
        next: Option<Duration>,
        is_verified: bool,
    ) -> Option<HttpRequest> {
        let mut written = match request {
            Request::Heartbeat { purpose } => heartbeat::request(self, *purpose, server, content, next),
            Request::Settings { known } => Document::Settings.request(self, known.as_deref(), server),
            Request::Policy { known } => Document::Policy.request(self, known.as_deref(), server),
            Request::Listen(listening) => events::request(self, *listening, last, server),
            Request::Upload { lane, .. } => upload::request(self, *lane, server, content)?,
            Request::Register(said) if is_verified => register::request(self, said, server),
            Request::Register(_) => return None,
            Request::Call { .. } => call::request(self, server, content)?,
        };
        if let Some(instance) = self.instance.as_ref().filter(|_| is_verified && says_instance(request)) {
            add(&mut written.head, fields::INSTANCE, instance);
        }
        Some(written)
    }

    fn announcements(&self, event: StreamEvent) -> Vec<Announcement> {
        events::announcements(event, &self.limits)
    }

    fn signature<'a>(&self, answer: &'a Answer) -> Option<&'a str> {
        answer.fields.text(fields::SIGNATURE)
    }

    fn acknowledged(&self, answer: &Answer) -> Option<u64> {
        upload::acknowledged(answer)
    }

    fn outcome<'a>(&self, request: &Request, answer: &'a Answer, wall: SystemTime) -> Outcome<'a> {
        let verdict = match request {
            Request::Settings { known } => Document::Settings.verdict(self, known.as_deref(), answer, wall),
            Request::Policy { known } => Document::Policy.verdict(self, known.as_deref(), answer, wall),
            Request::Listen(_) => events::verdict(answer, wall),
            Request::Upload { .. } => upload::verdict(answer, wall),
            Request::Register(_) => register::verdict(answer, wall),
            Request::Call { .. } => call::verdict(answer),
            Request::Heartbeat { .. } => heartbeat::verdict(self, answer, wall),
        };
        let drain = answer.fields.text(fields::DRAIN).and_then(fields::seconds);
        let events = answer.fields.text(fields::EVENTS) == Some("1");
        let outcome = Outcome::from(verdict).with_drain(drain).with_events(events);
        match request {
            Request::Heartbeat { .. } => {
                let says = |field| answer.fields.text(field) == Some("1");
                outcome.with_register(says(fields::REGISTER)).with_duplicate(says(fields::DUPLICATE))
            }
            Request::Register(_) => {
                let (group, account_mode) = register::registered(answer);
                outcome.with_registered(group, account_mode)
            }
            Request::Settings { .. }
            | Request::Policy { .. }
            | Request::Listen(_)
            | Request::Upload { .. }
            | Request::Call { .. } => outcome,
        }
    }
}

/// Whether a server may look in it for two machines with one id.
const fn says_instance(request: &Request) -> bool {
    match request {
        Request::Heartbeat { purpose: Purpose::Attach { .. } | Purpose::Beat } | Request::Register(_) => true,
        Request::Heartbeat { purpose: Purpose::Probe }
        | Request::Settings { .. }
        | Request::Policy { .. }
        | Request::Listen(_)
        | Request::Upload { .. }
        | Request::Call { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::net::Limits;
    use crate::net::head::Head;
    use crate::net::sink::Sink;
    use crate::settings;
    use crate::types::{Cause, Failure, Host, Paths, ServerId, Verdict};

    /// Thu, 01 Jan 2026 00:00:00 GMT
    fn wall() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600)
    }

    fn answer(status: u16, fields: &[(&'static str, &str)]) -> Answer {
        let lines: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let text = format!("HTTP/1.1 {status} \r\n{lines}\r\n");
        let Head { status, fields, .. } = Head::parse(text.into(), &Limits::default()).unwrap();
        Answer { status, fields, body: Sink::discard(0), reusable: true }
    }

    fn homing() -> Homing {
        Homing::new("agent-1".parse().unwrap(), Paths::default(), Arc::default(), 0xabc)
    }

    fn outcome(answer: &Answer) -> Outcome<'_> {
        homing().outcome(&Request::Heartbeat { purpose: Purpose::Beat }, answer, wall())
    }

    fn failed(answer: &Answer) -> Failure {
        let Verdict::Failed(failure) = outcome(answer).verdict else { panic!("a success") };
        failure
    }

    fn request(host: &str, protocol: settings::Protocol, port: u16, purpose: Purpose) -> String {
        let host: Host = host.parse().unwrap();
        let server = Server {
            id: ServerId::new("a"),
            authority: host.with_port(port).into(),
            host,
            protocol,
            port,
            weight: 1,
            inside: true,
            policy: 0,
            number: 0,
            literal: None,
        };
        let content = Content::Status(b"123".as_slice().into());
        let next = (purpose != Purpose::Probe).then_some(Duration::from_millis(299_001));
        let homing = homing().with_instance(Some("0a1b".to_owned()));
        let is_verified = protocol == settings::Protocol::Https;
        let request = Request::Heartbeat { purpose };
        homing.request(&request, &server, content, None, next, is_verified).unwrap().head
    }

    #[test]
    fn a_request_says_who_why_and_how_much() {
        let head = request("2001:db8::1", settings::Protocol::Https, 8443, Purpose::Beat);
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            head,
            format!(
                "POST /homing/v1/heartbeat HTTP/1.1\r\nHost: [2001:db8::1]:8443\r\nUser-Agent: homing/{version}\r\n\
                 Homing-Agent: agent-1\r\nHoming-Purpose: beat\r\nContent-Length: 3\r\nHoming-Next: 300\r\n\
                 Homing-Instance: 0a1b\r\n"
            )
        );
    }

    #[test]
    fn what_tells_machines_apart_is_said_to_verified_servers_and_not_in_probes() {
        for (protocol, purpose, expected) in [
            (settings::Protocol::Https, Purpose::Beat, true),
            (settings::Protocol::Https, Purpose::Attach { search: 1 }, true),
            (settings::Protocol::Https, Purpose::Probe, false),
            (settings::Protocol::Http, Purpose::Beat, false),
            (settings::Protocol::Http, Purpose::Attach { search: 1 }, false),
        ] {
            let head = request("a.example", protocol, 8443, purpose);
            assert_eq!(head.contains("Homing-Instance: 0a1b\r\n"), expected, "{head}");
        }
    }

    #[test]
    fn the_answer_to_a_heartbeat_may_ask_for_a_registration_and_tell_of_a_duplicate() {
        let says = |request: &Request, fields: &[(&'static str, &str)]| {
            let answer = answer(200, fields);
            let outcome = homing().outcome(request, &answer, wall());
            (outcome.register, outcome.duplicate)
        };
        let beat = Request::Heartbeat { purpose: Purpose::Beat };
        assert_eq!(says(&beat, &[("homing-settings", "a"), ("homing-register", "1")]), (true, false));
        assert_eq!(says(&beat, &[("homing-settings", "a"), ("homing-duplicate", "1")]), (false, true));
        for value in ["", "0", "yes", "11"] {
            let fields = [("homing-settings", "a"), ("homing-register", value), ("homing-duplicate", value)];
            assert_eq!(says(&beat, &fields), (false, false), "{value}");
        }
        let policy = Request::Policy { known: None };
        assert_eq!(says(&policy, &[("homing-register", "1"), ("homing-duplicate", "1")]), (false, false));
    }

    #[test]
    fn the_usual_port_is_left_out() {
        for (host, protocol, port, expected) in [
            ("a.example", settings::Protocol::Https, 443, "a.example"),
            ("a.example", settings::Protocol::Https, 1443, "a.example:1443"),
            ("a.example", settings::Protocol::Https, 80, "a.example:80"),
            ("192.0.2.1", settings::Protocol::Http, 80, "192.0.2.1"),
            ("2001:db8::443", settings::Protocol::Https, 443, "[2001:db8::443]"),
        ] {
            let head = request(host, protocol, port, Purpose::Probe);
            assert!(head.contains(&format!("\r\nHost: {expected}\r\n")), "{head}");
        }
    }

    #[test]
    fn every_attempt_of_a_search_has_its_key_whatever_the_server() {
        let key = |host, search| {
            let head = request(host, settings::Protocol::Http, 8014, Purpose::Attach { search });
            head.lines().last().unwrap().to_owned()
        };
        assert_eq!(key("a.example", 7), "Idempotency-Key: \"0000000000000abc-7\"");
        // What docs/wire.md promises to servers, which keep it; `-omitted` may follow.
        assert!(key("a.example", u64::MAX).len() - "Idempotency-Key: ".len() + "-omitted".len() <= 64);
        assert_eq!(key("a.example", 7), key("sepm_1", 7));
        assert_ne!(key("a.example", 7), key("a.example", 8));
        assert!(
            !request("a.example", settings::Protocol::Http, 8014, Purpose::Beat).contains("Idempotency-Key")
        );
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
            let verdict = outcome(&answer).verdict;
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
                let outcome = outcome(&answer);
                assert_eq!(outcome.drain, drain.map(Duration::from_secs), "{text:?}");
            }
        }
    }
}
