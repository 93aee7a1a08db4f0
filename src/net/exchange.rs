//! One request and its answer in HTTP/1.1, without a socket.
//!
//! The request lies in memory whole, so the protocol's state machine is walked to its receiving end
//! before the first byte leaves. That is what lets an answer come at any time, also while the
//! request is still being sent: a server that answers 413 in the middle of a body is understood.
//! Such a connection is not used again.
//!
//! The peer decides nothing about memory or work: a head is parsed once, when its blank line has
//! arrived, and only if it is small enough; interim answers are counted; a body is counted before
//! and after its framing is removed.

use ureq_proto::BodyMode;
use ureq_proto::client::state::{RecvBody, RecvResponse};
use ureq_proto::client::{Call, RecvBodyResult, RecvResponseResult, SendRequestResult};
use ureq_proto::http::{HeaderMap, Request, Response, Version, header};

use super::Limits;
use crate::words::{Cause, Failure};

/// A complete answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) fields: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// Whether the connection may carry another exchange.
    pub(crate) reusable: bool,
}

/// A request on its way out and an answer on its way in.
pub(crate) struct Exchange {
    request: Vec<u8>,
    sent: usize,
    state: State,
}

enum State {
    Head { call: Call<RecvResponse>, searched: usize, interim: u32 },
    Body { call: Call<RecvBody>, head: Response<()>, body: Vec<u8>, raw: usize },
    Over,
}

/// Chunk framing may cost this many times the body: chunks of one byte cost six.
const FRAMING_FACTOR: usize = 8;

const LINE_END: &[u8] = b"\r\n";

/// What a peer must begin with; anything else is recognised by its first bytes.
pub(super) const PREFIX: &[u8] = b"HTTP/1.";

impl Exchange {
    /// Prepares a request. It fails only for a request that cannot be written, whatever the peer is.
    ///
    /// `secrets` are whole header lines, each with its line end. They are put in here because what the
    /// protocol library writes it also logs.
    pub(crate) fn new(request: Request<()>, secrets: &[u8], body: &[u8]) -> Result<Self, ureq_proto::Error> {
        let mut call = Call::new(request)?.proceed();
        let mut written = Vec::new();
        let mut scratch = [0; 2048];
        while !call.can_proceed() {
            let length = call.write(&mut scratch)?;
            written.extend_from_slice(scratch.get(..length).unwrap_or_default());
        }
        let call = match call.proceed()? {
            Some(SendRequestResult::SendBody(mut call)) => {
                call.consume_direct_write(body.len())?;
                call.proceed()
            }
            Some(SendRequestResult::RecvResponse(call)) => Some(call),
            Some(SendRequestResult::Await100(_)) | None => None,
        };
        let call = call.ok_or(ureq_proto::Error::BodyNotAllowed)?;
        // Before the blank line.
        written.truncate(written.len().saturating_sub(LINE_END.len()));
        written.extend_from_slice(secrets);
        written.extend_from_slice(LINE_END);
        written.extend_from_slice(body);
        let state = State::Head { call, searched: 0, interim: 0 };
        Ok(Self { request: written, sent: 0, state })
    }

    /// What is still to be sent.
    pub(crate) fn unsent(&self) -> &[u8] {
        self.request.get(self.sent..).unwrap_or_default()
    }

    /// This many bytes of [`unsent`](Self::unsent) were sent.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.sent = self.sent.saturating_add(bytes).min(self.request.len());
    }

    /// Takes from `input` what belongs to the answer; what it needs more of stays there.
    ///
    /// Returns the answer when it is complete. After that, or after a failure, the exchange is over.
    pub(crate) fn receive(
        &mut self,
        input: &mut Vec<u8>,
        limits: &Limits,
    ) -> Result<Option<Answer>, Failure> {
        loop {
            match std::mem::replace(&mut self.state, State::Over) {
                State::Over => return Ok(None),
                State::Head { mut call, searched, interim } => {
                    if !input.iter().zip(PREFIX).all(|(byte, expected)| byte == expected) {
                        return Err(Failure::noted(Cause::NotHttp, String::from_utf8_lossy(input)));
                    }
                    let Some(end) = blank_line(input, searched) else {
                        if input.len() > limits.head_bytes {
                            return Err(Cause::HeadTooLarge.into());
                        }
                        // The blank line may be cut in two: its first two bytes are looked at again.
                        let searched = input.len().saturating_sub(2);
                        self.state = State::Head { call, searched, interim };
                        return Ok(None);
                    };
                    if end > limits.head_bytes {
                        return Err(Cause::HeadTooLarge.into());
                    }
                    let rest = input.split_off(end);
                    let head = std::mem::replace(input, rest);
                    if is_interim(&head) {
                        if interim >= limits.interim_answers {
                            return Err(Cause::TooManyInterim.into());
                        }
                        self.state = State::Head { call, searched: 0, interim: interim + 1 };
                        continue;
                    }
                    let head = parse(&mut call, &head, limits)?;
                    match call.proceed() {
                        None => return Err(Failure::noted(Cause::NotHttp, "no final answer")),
                        Some(RecvResponseResult::Redirect(_)) => {
                            return Ok(Some(answer(head, Vec::new(), false)));
                        }
                        Some(RecvResponseResult::Cleanup(call)) => {
                            let reusable = !call.must_close_connection() && self.may_go_on(input);
                            return Ok(Some(answer(head, Vec::new(), reusable)));
                        }
                        Some(RecvResponseResult::RecvBody(call)) => {
                            if announced(&call) > limits.body_bytes as u64 {
                                return Err(Cause::BodyTooLarge.into());
                            }
                            self.state = State::Body { call, head, body: Vec::new(), raw: 0 };
                        }
                    }
                }
                State::Body { mut call, head, mut body, mut raw } => {
                    let used = read_body(&mut call, input, &mut body, limits)?;
                    raw += used;
                    input.drain(..used);
                    if raw > limits.body_bytes.saturating_mul(FRAMING_FACTOR) {
                        return Err(Failure::noted(Cause::BodyTooLarge, "its chunks are tiny"));
                    }
                    if call.body_mode() == BodyMode::CloseDelimited || !call.can_proceed() {
                        // A chunk size or a trailer without end stays in the input.
                        if input.len() > limits.head_bytes {
                            return Err(Failure::noted(Cause::HeadTooLarge, "in the framing of the body"));
                        }
                        self.state = State::Body { call, head, body, raw };
                        return Ok(None);
                    }
                    let reusable = match call.proceed() {
                        Some(RecvBodyResult::Cleanup(call)) => {
                            !call.must_close_connection() && self.may_go_on(input)
                        }
                        Some(RecvBodyResult::Redirect(_)) | None => false,
                    };
                    return Ok(Some(answer(head, body, reusable)));
                }
            }
        }
    }

    /// The peer sends no more. `clean` when nobody can have cut the connection: over TLS a
    /// `close_notify` came first; without TLS there is no telling.
    pub(crate) fn ended(&mut self, clean: bool) -> Result<Answer, Failure> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Body { call, head, body, .. } if clean && call.body_mode() == BodyMode::CloseDelimited => {
                Ok(answer(head, body, false))
            }
            State::Head { .. } | State::Body { .. } | State::Over => Err(Cause::Truncated.into()),
        }
    }

    /// Everything was said, and nothing came that was not asked for.
    fn may_go_on(&self, input: &[u8]) -> bool {
        self.unsent().is_empty() && input.is_empty()
    }
}

fn answer(head: Response<()>, body: Vec<u8>, reusable: bool) -> Answer {
    let (parts, ()) = head.into_parts();
    Answer { status: parts.status.as_u16(), fields: parts.headers, body, reusable }
}

/// Where the first head in `input` ends, looking from `from` on.
pub(super) fn blank_line(input: &[u8], from: usize) -> Option<usize> {
    let rest = input.get(from..)?;
    rest.iter().enumerate().filter(|(_, byte)| **byte == b'\n').find_map(|(at, _)| {
        let length = match rest.get(at + 1..)? {
            [b'\n', ..] => 1,
            [b'\r', b'\n', ..] => 2,
            _ => return None,
        };
        Some(from + at + 1 + length)
    })
}

/// 1xx, but for 101: nobody asked to switch protocols, so that one is final.
pub(super) fn is_interim(head: &[u8]) -> bool {
    matches!(head.get(PREFIX.len()..), Some([_, b' ', b'1', rest @ ..]) if !rest.starts_with(b"01"))
}

fn parse(call: &mut Call<RecvResponse>, head: &[u8], limits: &Limits) -> Result<Response<()>, Failure> {
    let head = match call.try_response(head, false) {
        Ok((_, Some(head))) => head,
        Ok((_, None)) => return Err(Failure::noted(Cause::NotHttp, "its head ends before it is complete")),
        Err(ureq_proto::Error::HttpParseTooManyHeaders) => return Err(Cause::HeadTooLarge.into()),
        Err(error) => return Err(Failure::noted(Cause::NotHttp, error)),
    };
    if head.headers().len() > limits.head_fields {
        return Err(Failure::noted(Cause::HeadTooLarge, format!("{} header fields", head.headers().len())));
    }
    framing(&head)?;
    Ok(head)
}

/// Two peers that disagree about where an answer ends can be made to mistake one for another.
fn framing(head: &Response<()>) -> Result<(), Failure> {
    let mut codings = head.headers().get_all(header::TRANSFER_ENCODING).iter();
    let Some(coding) = codings.next() else { return Ok(()) };
    let refuse = |why: &str| Err(Failure::noted(Cause::NotHttp, why));
    if head.headers().contains_key(header::CONTENT_LENGTH) {
        return refuse("Content-Length together with Transfer-Encoding");
    }
    if codings.next().is_some() || !coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked") {
        return refuse("a Transfer-Encoding other than chunked");
    }
    if head.version() == Version::HTTP_10 {
        return refuse("Transfer-Encoding in HTTP/1.0");
    }
    Ok(())
}

/// The length the head announced.
fn announced(call: &Call<RecvBody>) -> u64 {
    match call.body_mode() {
        BodyMode::LengthDelimited(length) => length,
        BodyMode::NoBody | BodyMode::Chunked | BodyMode::CloseDelimited => 0,
    }
}

/// Moves what it can from `input` to `body`; returns how much of `input` is used up.
fn read_body(
    call: &mut Call<RecvBody>,
    input: &[u8],
    body: &mut Vec<u8>,
    limits: &Limits,
) -> Result<usize, Failure> {
    let mut used = 0;
    // Bodies are small and this is cleared for each: more would cost a heartbeat more than it saves a long answer.
    let mut scratch = [0; 1024];
    loop {
        let rest = input.get(used..).unwrap_or_default();
        let (taken, made) =
            call.read(rest, &mut scratch).map_err(|error| Failure::noted(Cause::NotHttp, error))?;
        if taken == 0 && made == 0 {
            return Ok(used);
        }
        used += taken;
        if body.len() + made > limits.body_bytes {
            return Err(Cause::BodyTooLarge.into());
        }
        body.extend_from_slice(scratch.get(..made).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BODY: &[u8] = b"how are you?";

    fn exchange() -> Exchange {
        let request = Request::post("https://mgmt.example:8443/homing/v1/heartbeat")
            .header("Content-Length", BODY.len().to_string())
            .body(())
            .unwrap();
        let mut exchange = Exchange::new(request, b"", BODY).unwrap();
        exchange.sent(usize::MAX);
        exchange
    }

    fn receive(text: &[u8], limits: &Limits) -> Result<Option<Answer>, Failure> {
        exchange().receive(&mut text.to_vec(), limits)
    }

    fn cause(text: impl AsRef<[u8]>) -> Cause {
        receive(text.as_ref(), &Limits::default()).unwrap_err().cause
    }

    #[test]
    fn a_request_is_written_whole_and_sent_in_any_pieces() {
        let mut exchange = exchange();
        exchange.sent = 0;
        let mut sent = Vec::new();
        while let Some(byte) = exchange.unsent().first().copied() {
            sent.push(byte);
            exchange.sent(1);
        }
        let text = String::from_utf8(sent).unwrap();
        assert!(text.starts_with("POST /homing/v1/heartbeat HTTP/1.1\r\n"), "{text}");
        assert!(text.to_lowercase().contains("host: mgmt.example:8443\r\n"), "{text}");
        assert!(text.ends_with("\r\n\r\nhow are you?"), "{text}");
    }

    #[test]
    fn secrets_stand_among_the_fields() {
        let request = Request::post("http://10.0.0.1/").header("Content-Length", "2").body(()).unwrap();
        let exchange = Exchange::new(request, b"authorization: Bearer x\r\na: b\r\n", b"hi").unwrap();
        let text = String::from_utf8_lossy(exchange.unsent());
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.ends_with("\r\nauthorization: Bearer x\r\na: b"), "{text}");
        assert_eq!(body, "hi");
    }

    #[test]
    fn an_empty_body_is_announced_as_one() {
        let request = Request::post("http://10.0.0.1:8014/homing/v1/heartbeat")
            .header("Content-Length", "0")
            .body(())
            .unwrap();
        let exchange = Exchange::new(request, b"", b"").unwrap();
        let text = String::from_utf8_lossy(exchange.unsent()).to_lowercase();
        assert!(text.contains("content-length: 0\r\n") && text.ends_with("\r\n\r\n"), "{text}");
    }

    #[test]
    fn an_answer_cut_after_every_byte_is_truncated_and_joined_again_is_whole() {
        let sized = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nHoming-Settings: \"7\"\r\n\r\nhello";
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nA: b\r\n\r\n";
        let interim = "HTTP/1.1 100 Continue\r\nDate: x\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        let bare = "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello";
        let limits = Limits::default();
        for text in [sized, chunked, interim, bare] {
            for cut in 0..text.len() {
                let (before, after) = text.as_bytes().split_at(cut);
                let mut whole = exchange();
                let mut input = before.to_vec();
                assert!(whole.receive(&mut input, &limits).unwrap().is_none(), "{text:?} at {cut}");
                input.extend_from_slice(after);
                let answer = whole.receive(&mut input, &limits).unwrap().unwrap();
                assert_eq!((answer.status, &*answer.body, answer.reusable), (200, &b"hello"[..], true));
                assert!(input.is_empty(), "{text:?} at {cut}");

                let mut broken = exchange();
                broken.receive(&mut before.to_vec(), &limits).unwrap();
                assert_eq!(broken.ended(true).unwrap_err().cause, Cause::Truncated, "{text:?} at {cut}");
            }
        }
    }

    #[test]
    fn an_answer_in_single_bytes_is_the_same_answer() {
        let text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
        let (mut exchange, mut input) = (exchange(), Vec::new());
        let mut answers = Vec::new();
        for byte in text.bytes() {
            input.push(byte);
            answers.extend(exchange.receive(&mut input, &Limits::default()).unwrap());
        }
        assert_eq!(answers.len(), 1);
        assert_eq!(answers[0].body, b"hello");
    }

    #[test]
    fn a_body_that_ends_with_the_connection_counts_only_when_nobody_can_have_cut_it() {
        let text = "HTTP/1.1 200 OK\r\n\r\nhello";
        for (clean, expected) in [(true, Ok("hello")), (false, Err(Cause::Truncated))] {
            let mut exchange = exchange();
            assert!(exchange.receive(&mut text.into(), &Limits::default()).unwrap().is_none());
            let ended = exchange.ended(clean).map(|answer| {
                assert!(!answer.reusable);
                String::from_utf8(answer.body).unwrap()
            });
            assert_eq!(ended.as_deref().map_err(|failure| failure.cause), expected);
        }
    }

    #[test]
    fn an_answer_before_the_request_is_sent_is_understood_and_ends_the_connection() {
        let mut exchange = exchange();
        exchange.sent = 10;
        let mut input = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n".to_vec();
        let answer = exchange.receive(&mut input, &Limits::default()).unwrap().unwrap();
        assert_eq!((answer.status, answer.reusable), (413, false));
    }

    #[test]
    fn a_connection_is_reused_only_when_both_sides_want_it() {
        for (text, reusable) in [
            ("HTTP/1.1 204 No Content\r\n\r\n", true),
            ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", false),
            ("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", false),
            ("HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n", true),
            ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n", false),
            ("HTTP/1.1 101 Switching Protocols\r\n\r\n", false),
        ] {
            let answer = receive(text.as_bytes(), &Limits::default()).unwrap().unwrap();
            assert_eq!(answer.reusable, reusable, "{text:?}");
        }
    }

    #[test]
    fn what_is_not_http_is_refused_with_its_first_bytes() {
        assert_eq!(cause("SSH-2.0-OpenSSH_9.6\r\n"), Cause::NotHttp);
        assert_eq!(cause("\r\n"), Cause::NotHttp);
        assert_eq!(cause("HTTP/2"), Cause::NotHttp);
        assert_eq!(cause("HTTP/1.1 abc\r\n\r\n"), Cause::NotHttp);
        assert_eq!(cause("HTTP/1.1 200 OK\r\nno colon\r\n\r\n"), Cause::NotHttp);
    }

    #[test]
    fn an_answer_with_two_opinions_of_its_length_is_refused() {
        for fields in [
            "Content-Length: 5\r\nTransfer-Encoding: chunked",
            "Content-Length: 5\r\nContent-Length: 6",
            "Content-Length: -5",
            "Content-Length: 99999999999999999999",
            "Transfer-Encoding: gzip, chunked",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        ] {
            assert_eq!(cause(format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n")), Cause::NotHttp, "{fields}");
        }
        assert_eq!(cause("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), Cause::NotHttp);
        let bad_chunk = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n";
        assert_eq!(cause(bad_chunk), Cause::NotHttp);
    }

    #[test]
    fn every_limit_holds_at_its_number() {
        let limits = Limits {
            head_bytes: 200,
            head_fields: 3,
            interim_answers: 2,
            body_bytes: 10,
            ..Limits::default()
        };
        let cause =
            |text: String| receive(text.as_bytes(), &limits).map(|_| ()).map_err(|failure| failure.cause);
        let head = |bytes: usize| format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(bytes - 24));
        assert_eq!(cause(head(200)), Ok(()));
        assert_eq!(cause(head(201)), Err(Cause::HeadTooLarge));
        assert_eq!(cause(format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(200))), Err(Cause::HeadTooLarge));

        let fields = |count: usize| format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(count));
        assert_eq!(cause(fields(3)), Ok(()));
        assert_eq!(cause(fields(4)), Err(Cause::HeadTooLarge));

        let interim = |count: usize| "HTTP/1.1 102 Processing\r\n\r\n".repeat(count);
        assert_eq!(cause(interim(2)), Ok(()));
        assert_eq!(cause(interim(3)), Err(Cause::TooManyInterim));

        let sized = |length: usize| format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
        assert_eq!(cause(sized(10)), Ok(()));
        assert_eq!(cause(sized(11)), Err(Cause::BodyTooLarge));

        let open = |length: usize| format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(length));
        assert_eq!(cause(open(10)), Ok(()));
        assert_eq!(cause(open(11)), Err(Cause::BodyTooLarge));

        let chunks =
            |framing: &str| format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{framing}");
        assert_eq!(cause(chunks("a\r\nxxxxxxxxxx\r\n")), Ok(()));
        assert_eq!(cause(chunks("b\r\nxxxxxxxxxxx\r\n")), Err(Cause::BodyTooLarge));
        assert_eq!(cause(chunks(&format!("0\r\n{}", "A: b\r\n".repeat(100)))), Err(Cause::BodyTooLarge));
        assert_eq!(cause(chunks(&format!("0\r\nA: {}", "b".repeat(300)))), Err(Cause::HeadTooLarge));
    }

    #[test]
    fn more_fields_than_the_parser_knows_are_too_many() {
        assert_eq!(cause(format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(500))), Cause::HeadTooLarge);
    }

    /// Pieces that answers are made of, in any order: nearly an answer is worse than noise.
    fn piece() -> impl Strategy<Value = Vec<u8>> {
        let known = [
            "HTTP/1.1 200 OK\r\n",
            "HTTP/1.1 100 Continue\r\n",
            "HTTP/1.0 304 \r\n",
            "Content-Length: 5\r\n",
            "Transfer-Encoding: chunked\r\n",
            "Connection: close\r\n",
            "Location: /\r\n",
            "\r\n",
            "\n",
            "hello",
            "5\r\n",
            "0\r\n",
            "ffffffffffffffff\r\n",
            "+5\r\n",
            ";",
            ":",
            "\r",
        ];
        let known = proptest::sample::select(known.to_vec()).prop_map(|text| text.as_bytes().to_vec());
        prop_oneof![9 => known, 1 => proptest::collection::vec(any::<u8>(), 0..9)]
    }

    proptest! {
        #[test]
        fn whatever_a_peer_sends_in_whatever_pieces_is_the_same_answer_or_a_failure(
            pieces in proptest::collection::vec(piece(), 0..16),
            valid_start in any::<bool>(),
        ) {
            let limits = Limits { head_bytes: 120, body_bytes: 20, ..Limits::default() };
            let start = if valid_start { "HTTP/1.1 200 OK\r\n" } else { "" };
            let text = [start.as_bytes().to_vec(), pieces.concat()].concat();
            let whole = receive(&text, &limits).map(|answer| answer.map(|answer| (answer.status, answer.body)));

            let (mut exchange, mut input, mut parts) = (exchange(), Vec::new(), Ok(None));
            for byte in text {
                input.push(byte);
                parts = exchange.receive(&mut input, &limits);
                prop_assert!(input.len() <= limits.head_bytes + 1);
                if !matches!(parts, Ok(None)) {
                    break;
                }
            }
            let parts = parts.map(|answer| answer.map(|answer| (answer.status, answer.body)));
            prop_assert_eq!(whole.map_err(|_| ()), parts.map_err(|_| ()));
        }
    }
}
