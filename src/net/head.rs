//! The head of an answer: its status and its fields.
//!
//! A head is parsed once, when its blank line has arrived, and only if it is small enough. Interim answers
//! before the final one are counted and passed over.

use std::borrow::Cow;
use std::mem::{MaybeUninit, replace};
use std::ops::Range;

use httparse::{ParserConfig, Response, Status};

use super::Limits;
use crate::types::{Cause, Failure};

/// What a peer must begin with; anything else is recognised by its first bytes.
const PREFIX: &[u8] = b"HTTP/1.";

/// More fields than are ever parsed; [`Limits::head_fields`] is the limit.
const FIELDS: usize = 128;

/// The head of a final answer.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: u16,
    /// HTTP/1.0: knows no chunks, and keeps a connection only when it says so.
    pub(super) is_old: bool,
    pub(super) fields: Fields,
}

/// Header fields: the text they came in, and where in it each name and each value stands.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    text: Vec<u8>,
    places: Vec<(Range<usize>, Range<usize>)>,
}

/// Looks for the head of a final answer.
#[derive(Default)]
pub(super) struct Search {
    /// How much of the input is known to hold no blank line.
    searched: usize,
    interim: u32,
}

impl Search {
    /// Takes the head from `input` when all of it is there; what follows it stays.
    pub(super) fn look(&mut self, input: &mut Vec<u8>, limits: &Limits) -> Result<Option<Head>, Failure> {
        loop {
            if !input.iter().zip(PREFIX).all(|(byte, expected)| byte == expected) {
                return Err(Failure::noted(Cause::NotHttp, spoken(input)));
            }
            let end = blank_line(input, self.searched);
            if end.unwrap_or(input.len()) > limits.head_bytes {
                return Err(Cause::HeadTooLarge.into());
            }
            let Some(end) = end else {
                // The blank line may be cut in two: its first two bytes are looked at again.
                self.searched = input.len().saturating_sub(2);
                return Ok(None);
            };
            self.searched = 0;
            let rest = input.split_off(end);
            let text = replace(input, rest);
            if !is_interim(&text) {
                return Head::parse(text, limits).map(Some);
            }
            self.interim += 1;
            if self.interim > limits.interim_answers {
                return Err(Cause::TooManyInterim.into());
            }
        }
    }
}

impl Head {
    /// `text` ends with its first blank line.
    pub(super) fn parse(text: Vec<u8>, limits: &Limits) -> Result<Self, Failure> {
        let mut room = [const { MaybeUninit::uninit() }; FIELDS];
        let mut parsed = Response::new(&mut []);
        match ParserConfig::default().parse_response_with_uninit_headers(&mut parsed, &text, &mut room) {
            Ok(Status::Complete(length)) if length == text.len() => {}
            Ok(_) => return Err(Failure::noted(Cause::NotHttp, "its head ends before it is complete")),
            Err(httparse::Error::TooManyHeaders) => return Err(Cause::HeadTooLarge.into()),
            Err(error) => return Err(Failure::noted(Cause::NotHttp, error)),
        }
        let count = parsed.headers.len();
        if count > limits.head_fields {
            return Err(Failure::noted(Cause::HeadTooLarge, format!("{count} header fields")));
        }
        let (Some(status @ 100..), is_old) = (parsed.code, parsed.version == Some(0)) else {
            return Err(Failure::noted(Cause::NotHttp, "its status is none"));
        };
        let place = |part: &[u8]| {
            // The parser lends parts of the text, but for an empty value nothing of it.
            let start = part.as_ptr().addr().wrapping_sub(text.as_ptr().addr());
            if part.is_empty() { 0..0 } else { start..start + part.len() }
        };
        let places =
            parsed.headers.iter().map(|field| (place(field.name.as_bytes()), place(field.value))).collect();
        Ok(Self { status, is_old, fields: Fields { text, places } })
    }

    /// Whether the connection stays after this answer, if nothing else speaks against it.
    pub(super) fn keeps_connection(&self) -> bool {
        let says = |token: &str| {
            self.fields
                .all("connection")
                .flat_map(|value| value.split(|byte| *byte == b','))
                .any(|other| other.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
        };
        // After 101 it speaks another protocol.
        self.status != 101 && !says("close") && (!self.is_old || says("keep-alive"))
    }
}

impl Fields {
    /// The first field of this name, if it is printable ASCII, without the space around it.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let value = self.all(name).next()?;
        let is_printable = value.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t'));
        if is_printable { std::str::from_utf8(value.trim_ascii()).ok() } else { None }
    }

    /// Every field of this name, in whatever case it is written.
    pub(crate) fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        let part = |place: &Range<usize>| self.text.get(place.clone()).unwrap_or_default();
        self.places
            .iter()
            // Most names differ in their length.
            .filter(move |(at, _)| at.len() == name.len() && part(at).eq_ignore_ascii_case(name.as_bytes()))
            .map(move |(_, at)| part(at))
    }

    /// Whether the body is of this media type, whatever its parameters.
    pub(crate) fn media_type_is(&self, expected: &str) -> bool {
        let kind = self.text("Content-Type").and_then(|kind| kind.split(';').next());
        kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case(expected))
    }

    /// Whether a field has a name that begins like this, in whatever case.
    pub(crate) fn any_begins_with(&self, prefix: &str) -> bool {
        let names = self.places.iter().filter_map(|(at, _)| self.text.get(at.clone())?.get(..prefix.len()));
        names.into_iter().any(|name| name.eq_ignore_ascii_case(prefix.as_bytes()))
    }

    /// How many there are.
    #[cfg(fuzzing)]
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }
}

/// Where the first head in `input` ends, looking from `from` on.
fn blank_line(input: &[u8], from: usize) -> Option<usize> {
    let rest = input.get(from..)?;
    memchr::memchr_iter(b'\n', rest).find_map(|at| {
        let length = match rest.get(at + 1..)? {
            [b'\n', ..] => 1,
            [b'\r', b'\n', ..] => 2,
            _ => return None,
        };
        Some(from + at + 1 + length)
    })
}

/// What is spoken instead of HTTP. TLS is worth a name of its own: the settings say `http` of a port for https.
fn spoken(input: &[u8]) -> Cow<'_, str> {
    /// An alert or a handshake, of any version of TLS.
    const TLS: [[u8; 2]; 2] = [[0x15, 3], [0x16, 3]];
    if TLS.iter().any(|start| input.starts_with(start)) {
        return "it speaks TLS; write `https` if this is its port for https".into();
    }
    String::from_utf8_lossy(input)
}

/// 1xx, but for 101: nobody asked to switch protocols, so that one is final.
fn is_interim(head: &[u8]) -> bool {
    matches!(head.get(PREFIX.len()..), Some([_, b' ', b'1', rest @ ..]) if !rest.starts_with(b"01"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_name_in_whatever_case_and_an_empty_one_is_there() {
        let text = b"HTTP/1.1 200 OK\r\nA: one\r\nEmpty:\r\nb:  two \r\na: three\r\nC: \xff\r\n\r\n";
        let Head { status, is_old, fields } = Head::parse(text.to_vec(), &Limits::default()).unwrap();
        assert_eq!((status, is_old), (200, false));
        assert_eq!(fields.all("a").collect::<Vec<_>>(), [b"one".as_slice(), b"three"]);
        assert_eq!(fields.text("A"), Some("one"));
        assert_eq!(fields.text("B"), Some("two"));
        assert_eq!(fields.text("empty"), Some(""));
        assert_eq!(fields.text("c"), None);
        assert_eq!(fields.all("c").count(), 1);
        assert_eq!(fields.text("d"), None);
    }

    #[test]
    fn a_port_that_speaks_tls_is_told_as_one() {
        let alert = b"\x15\x03\x01\x00\x02\x02\x46";
        let failure = Search::default().look(&mut alert.to_vec(), &Limits::default()).err().unwrap();
        assert_eq!(failure.cause, Cause::NotHttp);
        assert!(failure.to_string().contains("it speaks TLS; write `https`"), "{failure}");
    }

    #[test]
    fn what_a_head_is_not() {
        for text in [
            "HTTP/1.1 099 Low\r\n\r\n",
            "HTTP/1.1 20 Short\r\n\r\n",
            "HTTP/1.1 2000 Long\r\n\r\n",
            "HTTP/1.2 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n",
            "HTTP/1.1 200 OK\r\n: b\r\n\r\n",
        ] {
            let failure = Head::parse(text.into(), &Limits::default()).unwrap_err();
            assert_eq!(failure.cause, Cause::NotHttp, "{text:?}");
        }
    }
}
