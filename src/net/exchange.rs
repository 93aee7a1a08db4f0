//! One request and its answer in HTTP/1.1, without a socket.
//!
//! An answer may come at any time, also while the request is still being sent: a server that answers 413 in
//! the middle of a body is understood. Such a connection is not used again.
//!
//! The peer decides nothing about memory or work: everything it sends is held against the [`Limits`].

use std::mem::replace;

use zeroize::Zeroizing;

use super::Limits;
use super::body::Body;
use super::event_stream::EventStream;
use super::head::{Fields, Head, Search};
use super::http_request::HttpRequest;
use super::sink::Sink;
use super::source::Source;
use crate::types::{Cause, Failure};

/// A complete answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) fields: Fields,
    pub(crate) body: Sink,
    /// Whether the connection may carry another exchange.
    pub(crate) reusable: bool,
}

/// Bytes of a body that are taken from their source at a time: a head and a common body leave in one piece.
const PIECE: usize = 16 * 1024;

/// A request on its way out and an answer on its way in.
pub(crate) struct Exchange {
    /// What is being sent, with credentials in it, and how much of it is gone.
    outgoing: Zeroizing<Vec<u8>>,
    sent: usize,
    source: Source,
    state: State,
}

enum State {
    Head(Search, Sink),
    Body(Head, Body, Sink),
    Over,
}

impl Exchange {
    /// A request with these lines added to its own, each with its line end.
    pub(crate) fn new(request: HttpRequest, lines: &[u8]) -> Self {
        let HttpRequest { head, mut source, sink } = request;
        let mut outgoing = Zeroizing::new(head.into_bytes());
        // In one piece, before there is a secret in it: what grows leaves copies behind.
        outgoing.reserve_exact(lines.len() + 2 + source.length().min(PIECE));
        outgoing.extend_from_slice(lines);
        outgoing.extend_from_slice(b"\r\n");
        source.read(&mut outgoing, PIECE);
        Self { outgoing, sent: 0, source, state: State::Head(Search::default(), sink) }
    }

    /// What is to be sent next; empty when all is gone.
    pub(crate) fn unsent(&self) -> &[u8] {
        self.outgoing.get(self.sent..).unwrap_or_default()
    }

    /// This many bytes of [`unsent`](Self::unsent) were sent.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.sent = self.sent.saturating_add(bytes).min(self.outgoing.len());
        if self.sent == self.outgoing.len() && !self.source.is_empty() {
            self.outgoing.clear();
            self.sent = 0;
            self.source.read(&mut self.outgoing, PIECE);
        }
    }

    /// Takes from `input` what belongs to the answer; what it needs more of stays there.
    ///
    /// Returns the answer when it is complete. After that, or after a failure, the exchange is over.
    pub(crate) fn receive(
        &mut self,
        input: &mut Vec<u8>,
        limits: &Limits,
    ) -> Result<Option<Answer>, Failure> {
        let (head, mut body, mut sink) = match replace(&mut self.state, State::Over) {
            State::Over => return Ok(None),
            State::Body(head, body, sink) => (head, body, sink),
            State::Head(mut search, sink) => {
                let Some(head) = search.look(input, limits)? else {
                    self.state = State::Head(search, sink);
                    return Ok(None);
                };
                let sink = sink.under(&head);
                let body = Body::new(&head, &sink)?;
                (head, body, sink)
            }
        };
        if !body.receive(input, &mut sink, limits)? {
            self.state = State::Body(head, body, sink);
            return Ok(None);
        }
        // Everything was said, and nothing came that was not asked for.
        let reusable = head.keeps_connection() && self.unsent().is_empty() && input.is_empty();
        Ok(Some(Answer { status: head.status, fields: head.fields, body: sink, reusable }))
    }

    /// The events of an answer that is still on its way.
    pub(crate) fn event_stream(&mut self) -> Option<&mut EventStream> {
        match &mut self.state {
            State::Body(_, _, sink) => sink.event_stream(),
            State::Head(..) | State::Over => None,
        }
    }

    /// Whether its answer is an event stream, or may become one, which comes as slowly as it likes.
    pub(crate) fn hears_events(&self) -> bool {
        match &self.state {
            State::Head(_, sink) | State::Body(_, _, sink) => sink.is_event_stream(),
            State::Over => false,
        }
    }

    /// The peer sends no more. `clean` when nobody can have cut the connection: over TLS a
    /// `close_notify` came first; without TLS there is no telling.
    pub(crate) fn ended(&mut self, clean: bool) -> Result<Answer, Failure> {
        match replace(&mut self.state, State::Over) {
            State::Body(Head { status, fields, .. }, body, sink) if clean && body.is_open_ended() => {
                Ok(Answer { status, fields, body: sink, reusable: false })
            }
            State::Head(..) | State::Body(..) | State::Over => Err(Cause::Truncated.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BODY: &[u8] = b"how are you?";

    const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

    fn request(body: &[u8], sink: Sink) -> Exchange {
        let head = "POST / HTTP/1.1\r\n".to_owned();
        Exchange::new(
            HttpRequest { head, source: Source::bytes(body.into()), sink },
            b"Content-Length: 12\r\n",
        )
    }

    fn exchange_for(limits: &Limits) -> Exchange {
        let mut exchange = request(BODY, Sink::memory(limits.body_bytes));
        exchange.sent(usize::MAX);
        exchange
    }

    fn exchange() -> Exchange {
        exchange_for(&Limits::default())
    }

    fn receive(text: &[u8], limits: &Limits) -> Result<Option<Answer>, Failure> {
        exchange_for(limits).receive(&mut text.to_vec(), limits)
    }

    fn cause(text: impl AsRef<[u8]>) -> Cause {
        receive(text.as_ref(), &Limits::default()).unwrap_err().cause
    }

    #[test]
    fn a_request_is_written_whole_and_sent_in_any_pieces() {
        let large = vec![b'x'; 3 * PIECE + 1];
        for body in [BODY, b"", &large] {
            let mut exchange = request(body, Sink::discard(0));
            let mut sent = Vec::new();
            while let Some(byte) = exchange.unsent().first().copied() {
                assert!(exchange.outgoing.len() <= PIECE + 100, "a large body is not copied whole");
                sent.push(byte);
                exchange.sent(1);
            }
            let head = b"POST / HTTP/1.1\r\nContent-Length: 12\r\n\r\n".as_slice();
            assert!(sent == [head, body].concat());
        }
    }

    #[test]
    fn a_body_that_is_not_kept_is_counted_all_the_same() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        for (most, expected) in [(5, Ok(Vec::new())), (4, Err(Cause::BodyTooLarge))] {
            let mut exchange = request(b"", Sink::discard(most));
            exchange.sent(usize::MAX);
            let answer = exchange.receive(&mut answer.to_vec(), &Limits::default());
            let body = answer.map(|answer| answer.unwrap().body.into_bytes());
            assert_eq!(body.map_err(|failure| failure.cause), expected);
        }
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
                assert_eq!((answer.status, answer.reusable), (200, true));
                assert_eq!(answer.body.into_bytes(), b"hello");
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
        assert_eq!(answers.remove(0).body.into_bytes(), b"hello");
    }

    #[test]
    fn a_body_that_ends_with_the_connection_counts_only_when_nobody_can_have_cut_it() {
        let text = "HTTP/1.1 200 OK\r\n\r\nhello";
        for (clean, expected) in [(true, Ok("hello")), (false, Err(Cause::Truncated))] {
            let mut exchange = exchange();
            assert!(exchange.receive(&mut text.into(), &Limits::default()).unwrap().is_none());
            let ended = exchange.ended(clean).map(|answer| {
                assert!(!answer.reusable);
                String::from_utf8(answer.body.into_bytes()).unwrap()
            });
            assert_eq!(ended.as_deref().map_err(|failure| failure.cause), expected);
        }
    }

    #[test]
    fn an_answer_before_the_request_is_sent_is_understood_and_ends_the_connection() {
        let mut exchange = request(BODY, Sink::memory(100));
        exchange.sent(10);
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
        for chunks in [
            "zz\r\n",
            "\r\n",
            "+5\r\n",
            "5\n",
            "5;a\nb\r\n",
            "5\r\nhello!\r\n",
            "5\r\nhello\n",
            "10000000000000000\r\n",
        ] {
            assert_eq!(cause(format!("{CHUNKED}{chunks}")), Cause::NotHttp, "{chunks:?}");
        }
    }

    #[test]
    fn an_answer_of_one_opinion_however_it_is_written_is_taken() {
        for rest in [
            "Content-Length: 5\r\n\r\nhello",
            "Content-Length: 5, 05\r\ncontent-length: 5\r\n\r\nhello",
            "transfer-encoding: Chunked\r\n\r\n0005 ; a=\"b\"\r\nhello\r\n0\r\nA: b\r\n\r\n",
        ] {
            let text = format!("HTTP/1.1 200 OK\r\n{rest}");
            let answer = receive(text.as_bytes(), &Limits::default()).unwrap().unwrap();
            assert!(answer.reusable, "{rest:?}");
            assert_eq!(answer.body.into_bytes(), b"hello", "{rest:?}");
        }
        // These never have a body, whatever they say of one.
        for head in ["204 No Content\r\nContent-Length: 5", "304 Not Modified\r\nTransfer-Encoding: chunked"]
        {
            let text = format!("HTTP/1.1 {head}\r\n\r\n");
            let answer = receive(text.as_bytes(), &Limits::default()).unwrap().unwrap();
            assert!(answer.reusable, "{head:?}");
            assert_eq!(answer.body.into_bytes(), b"", "{head:?}");
        }
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

        let chunks = |framing: &str| format!("{CHUNKED}{framing}");
        assert_eq!(cause(chunks("a\r\nxxxxxxxxxx\r\n")), Ok(()));
        assert_eq!(cause(chunks("b\r\nxxxxxxxxxxx\r\n")), Err(Cause::BodyTooLarge));
        let fields = |count: usize| chunks(&format!("0\r\n{}\r\n", "A: b\r\n".repeat(count)));
        assert_eq!(cause(fields(3)), Ok(()));
        assert_eq!(cause(fields(4)), Err(Cause::HeadTooLarge));
        let many = Limits { head_fields: 100, ..limits.clone() };
        let among_many =
            |text: String| receive(text.as_bytes(), &many).map(drop).map_err(|failure| failure.cause);
        assert_eq!(among_many(fields(33)), Ok(()));
        assert_eq!(among_many(fields(34)), Err(Cause::HeadTooLarge), "204 bytes");
        let trailer = |length| chunks(&format!("0\r\n{}\r\n\r\n", "b".repeat(length)));
        let roomy = Limits { body_bytes: 1000, ..limits.clone() };
        let cause =
            |text: String| receive(text.as_bytes(), &roomy).map(|_| ()).map_err(|failure| failure.cause);
        assert_eq!(cause(trailer(198)), Ok(()));
        assert_eq!(cause(trailer(199)), Err(Cause::HeadTooLarge));
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
            let whole = receive(&text, &limits).map(|answer| answer.map(|answer| (answer.status, answer.body.into_bytes())));

            let (mut exchange, mut input, mut parts) = (exchange_for(&limits), Vec::new(), Ok(None));
            for byte in text {
                input.push(byte);
                parts = exchange.receive(&mut input, &limits);
                prop_assert!(input.len() <= limits.head_bytes + 1);
                if !matches!(parts, Ok(None)) {
                    break;
                }
            }
            let parts = parts.map(|answer| answer.map(|answer| (answer.status, answer.body.into_bytes())));
            prop_assert_eq!(whole.map_err(|_| ()), parts.map_err(|_| ()));
        }
    }
}
