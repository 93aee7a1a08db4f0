//! `POST register`: who uses the machine, and what the server makes of it.

use std::sync::Arc;
use std::time::SystemTime;

use super::common::add;
use super::fields::{
    ACCOUNT_MODE, GROUP, LAST_GROUP, LAST_MODE, PREFERRED_GROUP, PREFERRED_MODE, USER, name, written,
};
use super::{Homing, status};
use crate::net::exchange::Answer;
use crate::net::http_request::HttpRequest;
use crate::net::sink::Sink;
use crate::net::source::Source;
use crate::settings::Server;
use crate::types::{AccountMode, Cause, Failure, Name, Registration, Verdict};

const PATH: &str = "/register";

/// What is not said is left out. There is no body: all of it is in the fields.
pub(super) fn request(homing: &Homing, said: &Registration, server: &Server) -> HttpRequest {
    let mut head = homing.begin("POST", PATH, server);
    add(&mut head, "Content-Length", "0");
    let identity = &said.identity;
    let names = [
        (USER, &identity.user),
        (PREFERRED_GROUP, &identity.preferred_group),
        (LAST_GROUP, &said.last_group),
    ];
    for (field, name) in names {
        if let Some(name) = name {
            add(&mut head, field, &written(name));
        }
    }
    for (field, mode) in [(PREFERRED_MODE, identity.preferred_mode), (LAST_MODE, said.last_mode)] {
        if let Some(mode) = mode {
            add(&mut head, field, mode.as_str());
        }
    }
    HttpRequest { head, source: Source::bytes(Arc::from([])), sink: Sink::discard(homing.limits.body_bytes) }
}

/// What the server has made of it. What cannot be read counts as absent.
pub(super) fn registered(answer: &Answer) -> (Option<Name>, Option<AccountMode>) {
    let mode = answer.fields.text(ACCOUNT_MODE).and_then(AccountMode::of_word);
    (answer.fields.text(GROUP).and_then(name), mode)
}

/// A success names a group or a mode: anything else may answer 200, a login page above all.
pub(super) fn verdict<'a>(answer: &Answer, wall: SystemTime) -> Verdict<'a> {
    let status = answer.status;
    match status {
        200..=299 if registered(answer) != (None, None) => {
            Verdict::Success { status, settings: None, policy: None }
        }
        200..=299 => {
            let cause = Cause::NotAManager { status };
            let note = "neither a Homing-Group nor a Homing-Account-Mode that can be one";
            Verdict::Failed(status::or_a_page(answer, Failure::noted(cause, note)))
        }
        _ if status::is_declined_with_body(status) => Verdict::Declined { status },
        _ => Verdict::Failed(status::failure(answer, wall)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Limits;
    use crate::net::head::Head;
    use crate::settings::Protocol;
    use crate::types::{Evidence, Identity, Paths, ServerId};

    fn answer(status: u16, fields: &str) -> Answer {
        let text = format!("HTTP/1.1 {status} \r\n{fields}\r\n");
        let Head { status, fields, .. } = Head::parse(text.into(), &Limits::default()).unwrap();
        Answer { status, fields, body: Sink::discard(0), reusable: true }
    }

    fn lines(said: &Registration) -> Vec<String> {
        let homing = Homing::new("agent-1".parse().unwrap(), Paths::default(), Arc::default(), 1);
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
        request(&homing, said, &server).head.lines().map(str::to_owned).collect()
    }

    #[test]
    fn what_is_said_stands_in_fields_and_what_is_not_said_is_left_out() {
        let nothing = lines(&Registration::new(Arc::default()));
        assert_eq!(nothing.first().unwrap(), "POST /homing/v1/register HTTP/1.1");
        assert_eq!(nothing.last().unwrap(), "Content-Length: 0");
        let identity = Identity::default()
            .with_user(Some("CORP\\zo\u{eb}".parse().unwrap()))
            .with_preferred_group(Some("100% Laptops".parse().unwrap()))
            .with_preferred_mode(Some(AccountMode::User));
        let said = Registration::new(Arc::new(identity));
        let said = said.with_last(Some("Field".parse().unwrap()), Some(AccountMode::Computer));
        let own = [
            "Homing-User: CORP\\zo%C3%AB",
            "Homing-Preferred-Group: 100%25%20Laptops",
            "Homing-Last-Group: Field",
            "Homing-Preferred-Mode: user",
            "Homing-Last-Mode: computer",
        ];
        assert!(lines(&said).ends_with(&own.map(str::to_owned)), "{:?}", lines(&said));
    }

    #[test]
    fn a_name_is_read_as_it_is_written_and_what_is_none_counts_as_absent() {
        let read = |value: &str| registered(&answer(200, &format!("Homing-Group: {value}\r\n"))).0;
        for (value, expected) in [
            ("Field", "Field"),
            ("My Company\\Default Group", "My Company\\Default Group"),
            ("K%C3%B6ln", "K\u{f6}ln"),
            ("100%25", "100%"),
            ("a%2fb", "a/b"),
        ] {
            assert_eq!(read(value).unwrap().as_str(), expected);
        }
        let longest = "x".repeat(256);
        assert_eq!(read(&longest).unwrap().as_str(), longest);
        for bad in
            ["", "100%", "%", "%4", "%zz", "a%0d%0ab", "a%00", "%E2%80%AEabc", "%ff", "%C3", &"x".repeat(257)]
        {
            assert_eq!(read(bad), None, "{bad}");
        }
        for name in ["a", "My Company\\K\u{f6}ln", "100 % ", " a ", "\u{66f4}\u{5927}", "+&=\"'"] {
            let name: Name = name.parse().unwrap();
            assert_eq!(read(&written(&name)), Some(name), "there and back");
        }
    }

    #[test]
    fn only_an_answer_that_decides_something_is_a_success() {
        let wall = SystemTime::UNIX_EPOCH;
        let success =
            |status, fields: &str| matches!(verdict(&answer(status, fields), wall), Verdict::Success { .. });
        assert!(success(200, "Homing-Group: Field\r\n"));
        assert!(success(204, "Homing-Account-Mode: computer\r\n"));
        assert!(success(200, "Homing-Group: Field\r\nHoming-Account-Mode: robot\r\n"), "the rest was read");
        let nonsense = format!("Homing-Group: {}\r\n", "x".repeat(8_000));
        for fields in ["", "Homing-Account-Mode: robot\r\n", "Homing-Settings: \"7\"\r\n", &nonsense] {
            assert!(!success(200, fields), "{fields}");
        }
        for status in [302, 400, 401, 403, 404, 413, 429, 500, 503] {
            assert!(!success(status, "Homing-Group: Field\r\n"), "{status}");
        }
        for status in [404, 405, 406, 409, 410, 412, 413, 415, 416, 422, 501] {
            assert_eq!(verdict(&answer(status, ""), wall), Verdict::Declined { status });
        }
        let Verdict::Failed(failure) = verdict(&answer(200, "Content-Type: text/html\r\n"), wall) else {
            panic!()
        };
        assert_eq!(failure.evidence, Some(Evidence::Portal));
    }
}
