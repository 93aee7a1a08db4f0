//! The body of an answer: where it ends (RFC 9112, section 6), and what of it is body.
//!
//! Two peers that disagree about where an answer ends can be made to mistake one for another, so what is ambiguous is
//! refused. A body is counted before and after its framing is removed; what it is goes to a [`Sink`].

use super::Limits;
use super::head::Head;
use super::sink::Sink;
use crate::types::{Cause, Failure};

/// A body on its way in.
pub(super) struct Body {
    due: Due,
    /// Bytes that came, framing included.
    raw: usize,
}

/// What comes next.
#[derive(Clone, Copy, PartialEq)]
enum Due {
    /// This many bytes, and that is all.
    Sized(u64),
    /// Everything, until the connection ends.
    Rest,
    /// The line with the size of a chunk.
    ChunkSize,
    /// This many bytes of a chunk.
    Chunk(u64),
    /// The end of the line after a chunk.
    ChunkEnd,
    /// A field after the last chunk, or the empty line that ends it all. So many bytes and fields came before.
    Trailer { bytes: usize, fields: usize },
}

/// Chunk framing may cost this many times the body: chunks of one byte cost six.
const FRAMING_FACTOR: usize = 8;

impl Body {
    /// The body that follows this head.
    pub(super) fn new(head: &Head, sink: &Sink) -> Result<Self, Failure> {
        let mut due = framing(head)?;
        if matches!(head.status, 101 | 204 | 304) {
            due = Due::Sized(0);
        }
        if let Due::Sized(length) = due {
            sink.expect(length)?;
        }
        Ok(Self { due, raw: 0 })
    }

    /// Takes from `input` what belongs to the body; whether it is complete now.
    pub(super) fn receive(
        &mut self,
        input: &mut Vec<u8>,
        sink: &mut Sink,
        limits: &Limits,
    ) -> Result<bool, Failure> {
        let mut rest = input.as_slice();
        let is_complete = self.take(&mut rest, sink, limits)?;
        let taken = input.len() - rest.len();
        input.drain(..taken);
        self.raw = self.raw.saturating_add(taken);
        if self.raw > sink.most().saturating_mul(FRAMING_FACTOR).saturating_add(limits.head_bytes) {
            return Err(Failure::noted(Cause::BodyTooLarge, "its chunks are tiny"));
        }
        Ok(is_complete)
    }

    /// Whether only the end of the connection tells where it ends.
    pub(super) fn is_open_ended(&self) -> bool {
        self.due == Due::Rest
    }

    fn take(&mut self, rest: &mut &[u8], sink: &mut Sink, limits: &Limits) -> Result<bool, Failure> {
        loop {
            self.due = match self.due {
                Due::Sized(due) => match due - copy(rest, due, sink) {
                    0 => return Ok(true),
                    left => Due::Sized(left),
                },
                Due::Rest => {
                    sink.expect(rest.len() as u64)?;
                    copy(rest, u64::MAX, sink);
                    Due::Rest
                }
                Due::Chunk(due) => match due - copy(rest, due, sink) {
                    0 => Due::ChunkEnd,
                    left => Due::Chunk(left),
                },
                Due::ChunkSize => {
                    let Some(line) = take_line(rest, limits)? else { return Ok(false) };
                    let Some(size) = chunk_size(line) else { return refuse("a chunk without a size") };
                    sink.expect(size)?;
                    if size == 0 { Due::Trailer { bytes: 0, fields: 0 } } else { Due::Chunk(size) }
                }
                Due::ChunkEnd => match take_line(rest, limits)? {
                    None => return Ok(false),
                    Some([]) => Due::ChunkSize,
                    Some(_) => return refuse("a chunk longer than its size"),
                },
                Due::Trailer { bytes, fields } => match take_line(rest, limits)? {
                    None => return Ok(false),
                    Some([]) => {
                        self.due = Due::Sized(0);
                        return Ok(true);
                    }
                    Some(line) => trailer(bytes + line.len() + 2, fields + 1, limits)?,
                },
            };
            if rest.is_empty() {
                return Ok(false);
            }
        }
    }
}

/// Hands what is there to the sink, but no more than what is due; how much that was.
fn copy(rest: &mut &[u8], due: u64, sink: &mut Sink) -> u64 {
    let length = rest.len().min(usize::try_from(due).unwrap_or(usize::MAX));
    let (now, later) = rest.split_at(length);
    sink.take(now);
    *rest = later;
    length as u64
}

/// Fields after the body are held to the bounds of those before it.
fn trailer(bytes: usize, fields: usize, limits: &Limits) -> Result<Due, Failure> {
    if bytes > limits.head_bytes || fields > limits.head_fields {
        return Err(Failure::noted(Cause::HeadTooLarge, "the fields after the body"));
    }
    Ok(Due::Trailer { bytes, fields })
}

/// What the head says of it.
fn framing(head: &Head) -> Result<Due, Failure> {
    let mut length = None;
    for value in head.fields.all("content-length").flat_map(|value| value.split(|byte| *byte == b',')) {
        let Some(number) = number(value.trim_ascii(), 10) else {
            return refuse("an unreadable Content-Length");
        };
        if length.replace(number).is_some_and(|other| other != number) {
            return refuse("more than one Content-Length");
        }
    }
    let mut codings = head.fields.all("transfer-encoding");
    match (codings.next(), length) {
        (None, None) => Ok(Due::Rest),
        (None, Some(length)) => Ok(Due::Sized(length)),
        (Some(_), Some(_)) => refuse("Content-Length together with Transfer-Encoding"),
        (Some(_), None) if head.is_old => refuse("Transfer-Encoding in HTTP/1.0"),
        (Some(coding), None) if coding.eq_ignore_ascii_case(b"chunked") && codings.next().is_none() => {
            Ok(Due::ChunkSize)
        }
        (Some(_), None) => refuse("a Transfer-Encoding other than chunked"),
    }
}

fn refuse<T>(reason: &str) -> Result<T, Failure> {
    Err(Failure::noted(Cause::NotHttp, reason))
}

/// The next line of the framing, without its end, if all of it is there.
fn take_line<'a>(rest: &mut &'a [u8], limits: &Limits) -> Result<Option<&'a [u8]>, Failure> {
    let Some(end) = rest.iter().take(limits.head_bytes).position(|byte| *byte == b'\n') else {
        if rest.len() >= limits.head_bytes {
            return Err(Failure::noted(Cause::HeadTooLarge, "in the framing of the body"));
        }
        return Ok(None);
    };
    let (line, later) = rest.split_at(end + 1);
    *rest = later;
    match line {
        [line @ .., b'\r', b'\n'] if !line.contains(&b'\r') => Ok(Some(line)),
        _ => refuse("a line of its framing that does not end as it should"),
    }
}

/// What stands before the extensions.
fn chunk_size(line: &[u8]) -> Option<u64> {
    number(line.split(|byte| *byte == b';').next()?.trim_ascii_end(), 16)
}

/// Digits and nothing else.
fn number(digits: &[u8], radix: u32) -> Option<u64> {
    // The standard library would take a sign.
    let text = std::str::from_utf8(digits).ok().filter(|text| !text.starts_with('+'))?;
    u64::from_str_radix(text, radix).ok()
}
