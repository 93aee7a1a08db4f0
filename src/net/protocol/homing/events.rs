//! `GET events`: what the server tells by itself, in an answer that stays open or in one that ends with the first event.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::common::add;
use super::fields::{KEEP_ALIVE, LAST_EVENT, PREFER, seconds};
use super::{Homing, status};
use crate::net::Limits;
use crate::net::event_stream::StreamEvent;
use crate::net::exchange::Answer;
use crate::net::protocol::{Announcement, HttpRequest};
use crate::net::sink::Sink;
use crate::net::source::Source;
use crate::platform::logging;
use crate::settings::Server;
use crate::types::{Cause, Failure, Listening, Verdict};

const PATH: &str = "/events";

/// `Homing-Keep-Alive` says how long a silence the agent likes; a stream has to be alive for it to be told from a dead one.
pub(super) fn request(
    homing: &Homing,
    listening: Listening,
    last: Option<&str>,
    server: &Server,
) -> HttpRequest {
    let mut head = homing.begin("GET", PATH, server);
    add(&mut head, "Accept", "text/event-stream");
    add(&mut head, "Cache-Control", "no-store");
    match listening {
        Listening::Stream { silence } => add(&mut head, KEEP_ALIVE, &whole(silence).max(1).to_string()),
        Listening::Poll { wait } => add(&mut head, PREFER, &format!("wait={}", whole(wait))),
    }
    if let Some(last) = last.filter(|last| !last.is_empty()) {
        add(&mut head, LAST_EVENT, last);
    }
    // A body of that size may come in a heartbeat as well. An event that tells of a tag has to fit in any case.
    let most = homing.limits.body_bytes.max(homing.limits.head_bytes);
    HttpRequest { head, source: Source::bytes(Arc::from([])), sink: Sink::events(most) }
}

/// Whole seconds, no fewer: what is asked for at half a second is not asked for at once.
fn whole(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

/// A stream that has ended, or the whole answer to a poll.
pub(super) fn verdict(answer: &Answer, wall: SystemTime) -> Verdict<'_> {
    let status = answer.status;
    match status {
        200 if answer.body.is_event_stream() => Verdict::Success { status, settings: None, policy: None },
        _ if status == 204 || status::is_declined(status) => Verdict::Declined { status },
        200..=299 => {
            let failure = Failure::noted(Cause::NotAManager { status }, "it is no event stream");
            Verdict::Failed(status::or_a_page(answer, failure))
        }
        _ => Verdict::Failed(status::failure(answer, wall)),
    }
}

/// What an event means. One that is not known here is for a later version.
pub(super) fn announcements(event: StreamEvent, limits: &Limits) -> Vec<Announcement> {
    let StreamEvent { kind, data, id: _ } = event;
    let mut lines = data.lines();
    match &*kind {
        "hello" => {
            let tags = lines.filter_map(|line| match line.split_once('=')? {
                ("settings", named) => {
                    Some(Announcement::Settings { tag: tag(named, limits)?, within: Duration::ZERO })
                }
                ("policy", named) => {
                    Some(Announcement::Policy { tag: tag(named, limits)?, within: Duration::ZERO })
                }
                _ => None,
            });
            [Announcement::Hello].into_iter().chain(tags).collect()
        }
        "settings" | "policy" => {
            let Some(tag) = lines.next().and_then(|named| tag(named, limits)) else {
                return unreadable(&kind);
            };
            let within = lines.find_map(|line| seconds(line.strip_prefix("within=")?)).unwrap_or_default();
            let is_policy = kind == "policy";
            vec![if is_policy {
                Announcement::Policy { tag, within }
            } else {
                Announcement::Settings { tag, within }
            }]
        }
        "content" => {
            let Some(name) = lines.next().and_then(name) else { return unreadable(&kind) };
            vec![Announcement::Content { name, about: data.as_bytes().into() }]
        }
        "command" => {
            let name = lines.next().and_then(name);
            let text: String = lines.collect();
            let (Some(name), Ok(bytes)) = (name, STANDARD.decode(text.trim())) else {
                return unreadable(&kind);
            };
            vec![Announcement::Command { name, bytes: bytes.into() }]
        }
        "drain" => {
            seconds(&data).map_or_else(|| unreadable(&kind), |within| vec![Announcement::Drain(within)])
        }
        _ => Vec::new(),
    }
}

/// Longer than any name that makes sense: the engine keeps what it is told.
const LONGEST_NAME: usize = 1024;

fn name(text: &str) -> Option<String> {
    (!text.is_empty() && text.len() <= LONGEST_NAME).then(|| text.to_owned())
}

fn tag(text: &str, limits: &Limits) -> Option<String> {
    let fits = !text.is_empty()
        && text.len() <= limits.tag_bytes
        && text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    fits.then(|| text.to_owned())
}

fn unreadable(kind: &str) -> Vec<Announcement> {
    logging::record!(Warn, "an event `{kind}` cannot be read, and is passed over");
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meaning(kind: &str, data: &str) -> Vec<Announcement> {
        announcements(StreamEvent { kind: kind.into(), data: data.into(), id: None }, &Limits::default())
    }

    fn settings(tag: &str, seconds: u64) -> Announcement {
        Announcement::Settings { tag: tag.to_owned(), within: Duration::from_secs(seconds) }
    }

    #[test]
    fn events_mean_what_the_wire_says() {
        let policy = Announcement::Policy { tag: "\"p\"".to_owned(), within: Duration::ZERO };
        assert_eq!(meaning("hello", ""), [Announcement::Hello]);
        assert_eq!(
            meaning("hello", "settings=\"s\"\npolicy=\"p\"\nother=1\nx"),
            [Announcement::Hello, settings("\"s\"", 0), policy]
        );
        assert_eq!(meaning("settings", "\"v17\""), [settings("\"v17\"", 0)]);
        assert_eq!(meaning("settings", "\"v17\"\nwithin=600\n"), [settings("\"v17\"", 600)]);
        assert_eq!(meaning("drain", "30"), [Announcement::Drain(Duration::from_secs(30))]);
        let about: Arc<[u8]> = b"defs\nsize=7"[..].into();
        assert_eq!(
            meaning("content", "defs\nsize=7"),
            [Announcement::Content { name: "defs".to_owned(), about }]
        );
        let bytes: Arc<[u8]> = b"\0run"[..].into();
        assert_eq!(
            meaning("command", "scan\nAHJ\n1bg=="),
            [Announcement::Command { name: "scan".to_owned(), bytes }]
        );
        let bytes: Arc<[u8]> = b""[..].into();
        assert_eq!(meaning("command", "scan"), [Announcement::Command { name: "scan".to_owned(), bytes }]);
    }

    #[test]
    fn what_cannot_be_read_means_nothing() {
        let long = "x".repeat(1025);
        for (kind, data) in [
            ("message", "x"),
            ("Hello", ""),
            ("settings", ""),
            ("settings", &long),
            ("settings", "\u{e9}"),
            ("policy", "\nwithin=5"),
            ("content", ""),
            ("content", &long),
            ("command", ""),
            ("command", "scan\n%%%"),
            ("drain", ""),
            ("drain", "-1"),
            ("drain", "soon"),
        ] {
            assert_eq!(meaning(kind, data), [], "{kind} {data}");
        }
        assert_eq!(meaning("settings", "a\nwithin=soon"), [settings("a", 0)], "at once is safe to do");
    }
}
