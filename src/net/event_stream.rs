//! The body of an event stream: from bytes to events, by the rules of the WHATWG (HTML, section 9.2, "server-sent events").
//!
//! Libraries that do this bring an async runtime's traits and bound nothing, so the rules stand here. Whatever the peer sends,
//! what is held is at most one event and the line behind it, and what is done for it in ten seconds has an end.

use std::collections::VecDeque;
use std::time::Duration;

use crate::types::{Cause, Failure, Moment};

/// One thing that was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Spoken {
    /// A line that tells nothing and shows that the peer is there: a comment, or an event without data.
    Sign,
    Event(StreamEvent),
}

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct StreamEvent {
    /// `message` when the peer named none.
    pub(crate) kind: String,
    pub(crate) data: String,
    /// The id that stands in this event itself.
    pub(crate) id: Option<String>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct EventStream {
    /// Bytes that one event, or one line, may have.
    most: usize,
    /// The line that has begun.
    line: Vec<u8>,
    /// The last line ended with CR: a LF that follows belongs to its end.
    after_cr: bool,
    /// A line has ended: there can be no byte order mark any more.
    begun: bool,
    kind: String,
    /// Each line of data with a line feed behind it.
    data: String,
    id: Option<String>,
    said: VecDeque<Spoken>,
    broken: Option<Failure>,
    work: Work,
}

/// What came in the present window.
#[derive(Debug, Default)]
struct Work {
    since: Option<Moment>,
    lines: usize,
    bytes: usize,
}

/// How long the work of a peer is added up.
const WINDOW: Duration = Duration::from_secs(10);

/// Lines in a window: a thousand events of four lines, far more than anybody tells one agent.
const LINES: usize = 4096;

/// Bytes in a window: this many of the largest events.
const EVENTS: usize = 8;

/// An id goes back in a header field, so it has to fit there; a longer one, or one that cannot stand there, is none.
const LONGEST_ID: usize = 256;

impl EventStream {
    /// One whose events and lines have at most this many bytes.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            line: Vec::new(),
            after_cr: false,
            begun: false,
            kind: String::new(),
            data: String::new(),
            id: None,
            said: VecDeque::new(),
            broken: None,
            work: Work::default(),
        }
    }

    /// Takes the next bytes of the body.
    pub(crate) fn take(&mut self, mut bytes: &[u8]) {
        self.work.bytes = self.work.bytes.saturating_add(bytes.len());
        while !bytes.is_empty() && self.broken.is_none() {
            if std::mem::take(&mut self.after_cr)
                && let Some(rest) = bytes.strip_prefix(b"\n")
            {
                bytes = rest;
                continue;
            }
            let Some(end) = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
                return self.hold(bytes);
            };
            let (line, rest) = bytes.split_at(end);
            self.after_cr = rest.first() == Some(&b'\r');
            bytes = rest.get(1..).unwrap_or_default();
            self.hold(line);
            self.end_line();
        }
    }

    /// The next thing that was said, or why nothing more is taken.
    pub(crate) fn poll(&mut self) -> Result<Option<Spoken>, Failure> {
        match (self.said.pop_front(), &self.broken) {
            (Some(said), _) => Ok(Some(said)),
            (None, None) => Ok(None),
            (None, Some(failure)) => Err(failure.clone()),
        }
    }

    /// Fails when the peer makes more work than an agent has to bear.
    pub(crate) fn check(&mut self, now: Moment) -> Result<(), Failure> {
        let since = *self.work.since.get_or_insert(now);
        if self.work.lines > LINES {
            return Err(Failure::noted(Cause::BodyTooLarge, "more events than an agent can use"));
        }
        if self.work.bytes > self.most.saturating_mul(EVENTS) {
            return Err(Failure::noted(
                Cause::BodyTooLarge,
                "more bytes than the events of ten seconds have",
            ));
        }
        if now.since(since) >= WINDOW {
            self.work = Work { since: Some(now), ..Work::default() };
        }
        Ok(())
    }

    fn hold(&mut self, bytes: &[u8]) {
        if self.line.len() + self.data.len() + bytes.len() > self.most {
            self.line = Vec::new();
            self.broken = Some(Failure::noted(Cause::BodyTooLarge, "one event, or one line"));
            return;
        }
        self.line.extend_from_slice(bytes);
    }

    fn end_line(&mut self) {
        if self.broken.is_some() {
            return;
        }
        self.work.lines += 1;
        let line = std::mem::take(&mut self.line);
        let mut bytes = line.as_slice();
        if !std::mem::replace(&mut self.begun, true) {
            bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        }
        if bytes.is_empty() {
            return self.end_event();
        }
        // What is no UTF-8 is replaced, and may then be three times as long.
        let text = String::from_utf8_lossy(bytes);
        match text.split_once(':') {
            Some(("", _)) => self.said.push_back(Spoken::Sign),
            Some((name, value)) => self.field(name, value.strip_prefix(' ').unwrap_or(value)),
            None => self.field(&text, ""),
        }
        // The room of one line serves for the next, unless that was a very long one.
        if line.capacity() <= 4096 {
            self.line = line;
            self.line.clear();
        }
    }

    /// Fields of other names, `retry` among them, mean nothing here: when it is tried again is the engine's to say.
    fn field(&mut self, name: &str, value: &str) {
        match name {
            "event" => self.kind = value.to_owned(),
            "data" => {
                self.data.push_str(value);
                self.data.push('\n');
            }
            "id" if fits_a_header(value) => self.id = Some(value.to_owned()),
            _ => {}
        }
    }

    fn end_event(&mut self) {
        let kind = std::mem::take(&mut self.kind);
        let mut data = std::mem::take(&mut self.data);
        let id = self.id.take();
        if data.pop().is_none() {
            return self.said.push_back(Spoken::Sign);
        }
        let kind = if kind.is_empty() { "message".to_owned() } else { kind };
        self.said.push_back(Spoken::Event(StreamEvent { kind, data, id }));
    }
}

fn fits_a_header(id: &str) -> bool {
    id.len() <= LONGEST_ID && id.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MOST: usize = 1000;

    fn event(kind: &str, data: &str, id: Option<&str>) -> Spoken {
        let (kind, data, id) = (kind.to_owned(), data.to_owned(), id.map(str::to_owned));
        Spoken::Event(StreamEvent { kind, data, id })
    }

    fn said(stream: &mut EventStream) -> Result<Vec<Spoken>, Failure> {
        let mut all = Vec::new();
        while let Some(said) = stream.poll()? {
            all.push(said);
        }
        Ok(all)
    }

    fn read(pieces: &[&[u8]]) -> Vec<Spoken> {
        let mut stream = EventStream::new(MOST);
        for piece in pieces {
            stream.take(piece);
        }
        said(&mut stream).unwrap()
    }

    #[test]
    fn every_end_of_a_line_ends_it_and_a_byte_order_mark_is_passed_over_once() {
        for text in [
            "event: a\ndata: x\n\n",
            "event: a\r\ndata: x\r\n\r\n",
            "event: a\rdata: x\r\r",
            "\u{feff}event:a\ndata:x\r\r\n",
        ] {
            assert_eq!(read(&[text.as_bytes()]), [event("a", "x", None)], "{text:?}");
            for cut in 0..text.len() {
                let (before, after) = text.as_bytes().split_at(cut);
                assert_eq!(read(&[before, after]), [event("a", "x", None)], "{text:?} at {cut}");
            }
        }
        // Only at the very beginning.
        assert_eq!(
            read(&["data: x\n\n\u{feff}data: y\n\n".as_bytes()]),
            [event("message", "x", None), Spoken::Sign]
        );
    }

    #[test]
    fn fields_are_read_as_the_rules_say() {
        for (text, expected) in [
            ("data\n\n", vec![event("message", "", None)]),
            ("data:  x\n\n", vec![event("message", " x", None)]),
            ("data:x\ndata\ndata: y\n\n", vec![event("message", "x\n\ny", None)]),
            (": keep-alive\n", vec![Spoken::Sign]),
            ("\n", vec![Spoken::Sign]),
            // Without data there is no event, and its name is not the next one's.
            ("event: a\n\ndata: x\n\n", vec![Spoken::Sign, event("message", "x", None)]),
            (
                "id: 7\ndata: x\n\ndata: y\n\n",
                vec![event("message", "x", Some("7")), event("message", "y", None)],
            ),
            ("id: 7\nid\ndata: x\n\n", vec![event("message", "x", Some(""))]),
            ("id: a\0b\ndata: x\n\n", vec![event("message", "x", None)]),
            ("id: \u{200b}\ndata: x\n\n", vec![event("message", "x", None)]),
            ("Data: x\nretry: 5\nfoo: bar\nfoo\n\n", vec![Spoken::Sign]),
            // What has not ended is no event.
            ("data: x\n", vec![]),
            ("data: x", vec![]),
        ] {
            assert_eq!(read(&[text.as_bytes()]), expected, "{text:?}");
        }
        let wrong = read(&[b"event: a\xff\ndata: \xc3\x28\xf0\x9f\n\n"]);
        assert_eq!(wrong, [event("a\u{fffd}", "\u{fffd}(\u{fffd}", None)], "what is no UTF-8 is replaced");
    }

    #[test]
    fn a_line_or_an_event_that_never_ends_is_given_up_and_what_came_before_is_not_lost() {
        let long = "x".repeat(MOST);
        let endless = format!("data: {long}");
        let unknown = format!("{long}x");
        let many = "data: 12345\n".repeat(MOST / 6 + 1);
        for text in [&endless, &unknown, &many] {
            let mut stream = EventStream::new(MOST);
            stream.take(b"data: first\n\n");
            for piece in text.as_bytes().chunks(7) {
                stream.take(piece);
                assert!(stream.line.len() + stream.data.len() <= MOST + 1);
            }
            assert_eq!(stream.poll().unwrap(), Some(event("message", "first", None)));
            assert_eq!(stream.poll().unwrap_err().cause, Cause::BodyTooLarge);
            stream.take(b"\n\n");
            assert!(stream.poll().is_err(), "it stays given up");
        }
        let fits = format!("data: {}\n\n", "x".repeat(MOST - 6));
        assert_eq!(read(&[fits.as_bytes()]).len(), 1);
        let ten_megabytes = vec![b'x'; 10 * 1024 * 1024];
        let mut stream = EventStream::new(1024 * 1024);
        stream.take(&ten_megabytes);
        assert_eq!(stream.poll().unwrap_err().cause, Cause::BodyTooLarge);
        assert_eq!(stream.line.capacity(), 0, "nothing of it is held");
    }

    #[test]
    fn a_flood_is_given_up_and_a_burst_is_not() {
        let at = |milliseconds| Moment::ORIGIN + Duration::from_millis(milliseconds);
        let mut stream = EventStream::new(1024 * 1024);
        // A hundred events a second, for a minute.
        for tick in 0..600 {
            stream.take("data: x\n\n".repeat(10).as_bytes());
            assert!(stream.check(at(tick * 100)).is_ok(), "at {tick}");
        }
        for (what, times) in
            [("data: x\n\n", 10_000), (":\n", 10_000), ("\n", 10_000), ("x: 0123456789\n", 5_000)]
        {
            let mut stream = EventStream::new(1024 * 1024);
            let held = (0..10u64).position(|tenth| {
                stream.take(what.repeat(times / 10).as_bytes());
                said(&mut stream).is_err() || stream.check(at(tenth * 100)).is_err()
            });
            assert!(held.is_some(), "{what:?}: {times} in a second are borne");
        }
        let mut stream = EventStream::new(MOST);
        let drop = "x".repeat(MOST / 2) + "\n";
        let ends = (0..100).position(|_| {
            stream.take(drop.as_bytes());
            stream.check(at(0)).is_err()
        });
        assert_eq!(ends, Some(2 * EVENTS - 1), "its bytes are counted as well");
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(
            text in "(data|event|id|:|x)?(:| |\r|\n|\r\n|[a-c\u{feff}\u{e9}]){0,40}",
            cut in 1usize..8,
        ) {
            let pieces: Vec<&[u8]> = text.as_bytes().chunks(cut).collect();
            prop_assert_eq!(read(&pieces), read(&[text.as_bytes()]));
        }
    }
}
