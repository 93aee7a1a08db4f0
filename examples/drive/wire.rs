//! What goes over the wire: how a request of the engine becomes bytes, and an answer an outcome (`docs/wire.md`).
//!
//! A product that speaks a protocol of its own replaces this and keeps the loop.

use std::time::{Duration, SystemTime};

use homing::types::{AgentId, Cause, Evidence, Failure, Outcome, Purpose, Verdict};

/// The most a peer may send: a head, fields in it, heads before it, a body of this product's, and all of it
/// with its framing.
const HEAD: usize = 16 * 1024;
const FIELDS: usize = 100;
const INTERIM: usize = 8;
const BODY: usize = 64 * 1024;
pub(crate) const ANSWER: usize = 512 * 1024;
const TAG: usize = 256;

/// What this agent says of itself with each heartbeat.
const STATUS: &str = r#"{"state":"fine"}"#;

/// A heartbeat, and the agent that sends it.
pub(crate) struct Heartbeat<'a> {
    pub(crate) authority: &'a str,
    pub(crate) agent: &'a AgentId,
    pub(crate) purpose: Purpose,
    /// Random, and the same as long as the program runs.
    pub(crate) life: u64,
    /// When the next one follows at the latest.
    pub(crate) next: Option<Duration>,
    /// The server refused the status as too large: it is left out, which makes this another request.
    pub(crate) omits_status: bool,
}

/// The request of a heartbeat.
pub(crate) fn request(heartbeat: &Heartbeat<'_>) -> Vec<u8> {
    let Heartbeat { authority, agent, purpose, life, next, omits_status } = *heartbeat;
    let status = if purpose == Purpose::Probe || omits_status { "" } else { STATUS };
    let suffix = if omits_status { "-omitted" } else { "" };
    let key = match purpose {
        // The same for all attempts of one search, and for no other search of this or another run.
        Purpose::Attach { search } => format!("Idempotency-Key: \"{life:016x}-{search}{suffix}\"\r\n"),
        Purpose::Beat | Purpose::Probe => String::new(),
    };
    let omitted = if omits_status { "Homing-Omitted: status\r\n" } else { "" };
    let next = next.map(|next| format!("Homing-Next: {}\r\n", next.as_millis().div_ceil(1000)));
    let next = next.unwrap_or_default();
    format!(
        "POST /homing/v1/heartbeat HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: homing/{}\r\n\
         Homing-Agent: {}\r\nHoming-Purpose: {}\r\n{key}{omitted}{next}Content-Length: {}\r\n\r\n{status}",
        env!("CARGO_PKG_VERSION"),
        agent.as_str(),
        purpose.as_str(),
        status.len(),
    )
    .into_bytes()
}

/// A complete answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// The connection may carry another exchange.
    pub(crate) reusable: bool,
}

impl Answer {
    fn field(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Whether a management server, rather than something in front of it, wrote this.
    fn has_own_field(&self) -> bool {
        self.fields.iter().any(|(name, _)| name.to_ascii_lowercase().starts_with("homing-"))
    }

    fn says(&self, word: &str) -> bool {
        let words = self.fields.iter().filter(|(name, _)| name.eq_ignore_ascii_case("connection"));
        words.flat_map(|(_, value)| value.split(',')).any(|said| said.trim().eq_ignore_ascii_case(word))
    }
}

/// What the answer means, as the tables of `docs/wire.md` have it.
pub(crate) fn outcome(answer: &Answer) -> Outcome<'_> {
    let status = answer.status;
    let tag = |name| answer.field(name).filter(|tag| (1..=TAG).contains(&tag.len()));
    let drain = answer.field("Homing-Drain").and_then(seconds);
    let failure = match status {
        200..=299 => match (tag("Homing-Settings"), tag("Homing-Policy")) {
            // A login page answers 200 as well.
            (None, None) => {
                Failure::noted(Cause::NotAManager { status }, "neither Homing-Settings nor Homing-Policy")
            }
            (settings, policy) => {
                let verdict = Verdict::Success { status, settings, policy };
                return Outcome::from(verdict).with_drain(drain);
            }
        },
        401 => Cause::NotAllowed { status }.into(),
        // Maintenance pages say 403 as well.
        403 if answer.has_own_field() => Cause::NotAllowed { status }.into(),
        413 => Cause::TooLarge.into(),
        429 | 503 => match (status, retry_after(answer)) {
            (503, None) => Cause::ServerError { status }.into(),
            (_, retry_after) => Cause::Throttled { status, retry_after }.into(),
        },
        500..=599 => Cause::ServerError { status }.into(),
        403 | 404 | 410 => Cause::NotAManager { status }.into(),
        400..=499 => Cause::Misunderstood { status }.into(),
        _ => Cause::NotAManager { status }.into(),
    };
    // A page for a person: perhaps a portal that waits for a log-in.
    let kind = answer.field("Content-Type").and_then(|kind| kind.split(';').next());
    let is_page = matches!(failure.cause, Cause::NotAManager { .. })
        && kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/html"));
    let verdict = Verdict::Failed(failure.with_evidence(is_page.then_some(Evidence::Portal)));
    Outcome::from(verdict).with_drain(drain)
}

/// Seconds, or a date on the clock of the server that wrote it.
fn retry_after(answer: &Answer) -> Option<Duration> {
    let text = answer.field("Retry-After")?;
    let date = |text: &str| httpdate::parse_http_date(text).ok();
    seconds(text).or_else(|| {
        let sent = answer.field("Date").and_then(date).unwrap_or_else(SystemTime::now);
        date(text)?.duration_since(sent).ok()
    })
}

/// A whole number of seconds; what is too large to count is as long as can be.
fn seconds(text: &str) -> Option<Duration> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| Duration::from_secs(text.parse().unwrap_or(u64::MAX)))
}

/// Reads what has come so far, from its first byte; `None` while the answer is not complete. `ended`: no more will come.
pub(crate) fn read(mut input: &[u8], ended: bool) -> Result<Option<Answer>, Failure> {
    let more = || if ended { Err(Cause::Truncated.into()) } else { Ok(None) };
    for _ in 0..=INTERIM {
        let start = b"HTTP/1.";
        if !input.iter().zip(start).all(|(byte, expected)| byte == expected) {
            return Err(not_http("its first line is no status line"));
        }
        let Some(end) = head_end(input.get(..HEAD).unwrap_or(input)) else {
            return if input.len() >= HEAD { Err(Cause::HeadTooLarge.into()) } else { more() };
        };
        let (head, rest) = input.split_at(end);
        let (mut answer, minor) = read_head(head)?;
        // 1xx goes before the answer; but nobody asked to switch protocols, so 101 is final.
        if answer.status >= 200 || answer.status == 101 {
            let Some((body, used)) = read_body(rest, ended, &answer, minor)? else { return more() };
            answer.body = body;
            let goes_on = !answer.says("close") && (minor > 0 || answer.says("keep-alive"));
            answer.reusable = used == Some(rest.len()) && goes_on;
            return Ok(Some(answer));
        }
        input = rest;
    }
    Err(Cause::TooManyInterim.into())
}

fn not_http(reason: &str) -> Failure {
    Failure::noted(Cause::NotHttp, reason)
}

/// Behind the blank line.
fn head_end(input: &[u8]) -> Option<usize> {
    let bare = input.windows(2).position(|pair| pair == b"\n\n").map(|at| at + 2);
    let full = input.windows(3).position(|three| three == b"\n\r\n").map(|at| at + 3);
    [bare, full].into_iter().flatten().min()
}

fn read_head(head: &[u8]) -> Result<(Answer, u8), Failure> {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default().as_bytes();
    let (minor, status) = match first {
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor @ b'0'..=b'9', b' ', digits @ ..] => {
            (minor - b'0', digits)
        }
        _ => return Err(not_http("its first line is no status line")),
    };
    let status = match status {
        [a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9']
        | [a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', b' ', ..] => {
            [a, b, c].iter().fold(0, |status, digit| status * 10 + u16::from(**digit - b'0'))
        }
        _ => return Err(not_http("its first line is no status line")),
    };
    let mut fields = Vec::new();
    for line in lines.take_while(|line| !line.is_empty()) {
        if fields.len() == FIELDS {
            return Err(Cause::HeadTooLarge.into());
        }
        let (name, value) = line
            .split_once(':')
            .filter(|(name, _)| !name.is_empty() && !name.contains([' ', '\t']))
            .ok_or_else(|| not_http("a line of its head is no field"))?;
        fields.push((name.to_owned(), value.trim().to_owned()));
    }
    Ok((Answer { status, fields, body: Vec::new(), reusable: false }, minor))
}

/// The body, and how many bytes it takes with its framing; `None` of them when only the end of the connection ends it.
type Body = (Vec<u8>, Option<usize>);

fn read_body(input: &[u8], ended: bool, answer: &Answer, minor: u8) -> Result<Option<Body>, Failure> {
    let all = |name: &'static str| {
        answer
            .fields
            .iter()
            .filter(move |(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    };
    let length = all("Content-Length").next();
    if all("Content-Length").any(|other| Some(other) != length) {
        return Err(not_http("two values of Content-Length"));
    }
    let coding = all("Transfer-Encoding").next();
    if all("Transfer-Encoding").any(|coding| !coding.eq_ignore_ascii_case("chunked"))
        || all("Transfer-Encoding").count() > 1
    {
        return Err(not_http("a Transfer-Encoding other than chunked"));
    }
    if coding.is_some() && (length.is_some() || minor == 0) {
        return Err(not_http("a Transfer-Encoding where none may be"));
    }
    let length = match length.map(|text| (seconds(text), text)) {
        None => None,
        Some((Some(length), _)) => Some(usize::try_from(length.as_secs()).unwrap_or(usize::MAX)),
        Some((None, _)) => return Err(not_http("its Content-Length is no number")),
    };
    if matches!(answer.status, 204 | 304) {
        return Ok(Some((Vec::new(), Some(0))));
    }
    if coding.is_some() {
        return Ok(chunks(input)?.map(|(body, used)| (body, Some(used))));
    }
    if length.unwrap_or(input.len()) > BODY {
        return Err(Cause::BodyTooLarge.into());
    }
    Ok(match length {
        Some(length) => input.get(..length).map(|body| (body.to_vec(), Some(length))),
        None => ended.then(|| (input.to_vec(), None)),
    })
}

/// The joined chunks, and how many bytes they took.
fn chunks(input: &[u8]) -> Result<Option<(Vec<u8>, usize)>, Failure> {
    let broken = || not_http("its chunks are none, or too large");
    let mut body = Vec::new();
    let mut at = 0;
    let line = |at: usize| {
        let rest = input.get(at..).unwrap_or_default();
        match rest.iter().position(|byte| *byte == b'\n') {
            Some(end) => Ok(rest.get(..end).map(|line| (line.trim_ascii_end(), at + end + 1))),
            None if rest.len() > HEAD => Err(broken()),
            None => Ok(None),
        }
    };
    loop {
        let Some((text, next)) = line(at)? else { return Ok(None) };
        let digits = text.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let (digits, rest) = text.split_at(digits);
        let size = std::str::from_utf8(digits).ok().and_then(|digits| usize::from_str_radix(digits, 16).ok());
        let size = size.filter(|size| body.len() + size.min(&(BODY + 1)) <= BODY).ok_or_else(broken)?;
        if !matches!(rest.first(), None | Some(b';' | b' ' | b'\t')) {
            return Err(broken());
        }
        at = next;
        if size == 0 {
            break;
        }
        let Some(chunk) = input.get(at..at + size + 2) else { return Ok(None) };
        let (chunk, end) = chunk.split_at(size);
        if end != b"\r\n" {
            return Err(broken());
        }
        body.extend_from_slice(chunk);
        at += size + 2;
    }
    // Fields behind the last chunk say nothing here; an empty line ends them.
    loop {
        let Some((text, next)) = line(at)? else { return Ok(None) };
        at = next;
        if text.is_empty() {
            return Ok(Some((body, at)));
        }
    }
}
