//! What is said on the links, and what became of it.

use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::answers::{Adopted, Answers};
use super::asked::Asked;
use super::event_ids::EventIds;
use super::heard::Heard;
use super::uploads::{Taken, Uploads};
use crate::client::credential_provider::CredentialProvider;
use crate::client::status::{Said, Status};
use crate::client::too_large::TooLarge;
use crate::engine::Event;
use crate::net::protocol::{Content, Protocol};
use crate::net::{Answer, Exchange, Link, Spoken};
use crate::platform::logging;
use crate::types::{
    Backlog, Call, CallId, ExchangeId, Lane, LinkId, Moment, Outcome, Purpose, Request, Verdict,
};

/// Searches whose body is kept for attempts still to come; there is one at a time.
const SEARCHES: usize = 4;

/// See the module.
pub(super) struct Exchanges {
    protocol: Box<dyn Protocol>,
    status: Status,
    too_large: TooLarge,
    uploads: Uploads,
    /// What the product says itself, until it has ended.
    pub(super) calls: BTreeMap<CallId, Arc<Call>>,
    credential_provider: CredentialProvider,
    /// The exchange under way on each link.
    under_way: BTreeMap<LinkId, UnderWay>,
    /// Answers whose fate is open.
    answers: Answers,
    event_ids: EventIds,
    /// Answers that count, for the events that tell of them.
    adopted: VecDeque<Adopted>,
    /// What is said in each search.
    searches: BTreeMap<u64, Said>,
}

struct UnderWay {
    id: ExchangeId,
    request: Request,
    /// When the next heartbeat follows.
    next: Option<Duration>,
    content: Content,
    /// The newest request for a heartbeat that it covers.
    covers: u64,
    /// Which credentials the server was shown; `None` when it may be shown no others.
    credentials: Option<u64>,
    /// Its first byte was told of.
    begun: bool,
}

/// What follows for the driver.
pub(super) enum Next {
    /// Something was said on this link, which wants a step.
    Said(LinkId),
    /// The engine is to be told this, and then perhaps that there are other credentials.
    Heard {
        heard: Heard,
        insists: bool,
    },
    /// The engine is to be told how much waits, and then how the upload ended.
    Uploaded {
        lane: Lane,
        backlog: Backlog,
        heard: Heard,
    },
    Nothing,
}

impl Exchanges {
    pub(super) fn new(
        protocol: Box<dyn Protocol>,
        status: Status,
        uploads: Uploads,
        credential_provider: CredentialProvider,
    ) -> Self {
        Self {
            protocol,
            status,
            too_large: TooLarge::default(),
            uploads,
            calls: BTreeMap::new(),
            credential_provider,
            under_way: BTreeMap::new(),
            answers: Answers::default(),
            event_ids: EventIds::default(),
            adopted: VecDeque::new(),
            searches: BTreeMap::new(),
        }
    }

    /// Other settings: servers that refused credentials may be shown them again.
    pub(super) fn reconfigured(&mut self) {
        self.credential_provider.reconfigured();
    }

    /// Does a request on a link that is free.
    pub(super) fn begin(
        &mut self,
        id: ExchangeId,
        request: Request,
        next: Option<Duration>,
        link: &mut Link,
        now: Moment,
    ) -> Next {
        if let Request::Upload { lane, at_most } = request {
            let asked = Asked { exchange: id, link: link.id(), lane, at_most };
            let taken = self.uploads.take(asked);
            return self.upload(asked, taken, link);
        }
        if let Request::Call { call, .. } = &request {
            let Some(call) = self.calls.get(call).cloned() else { return declined(id) };
            return self.say(UnderWay::new(id, request, Content::Call(call)), link, true);
        }
        let Said { status, covers } = self.said(&request);
        let held = self.too_large.holds(&link.server().id, status.len(), now);
        let content = if held { Content::Omitted } else { Content::Status(status) };
        self.say(UnderWay { next, covers, ..UnderWay::new(id, request, content) }, link, true)
    }

    /// The first byte of an answer came on this link. Whether the engine has not been told.
    pub(super) fn first_byte(&mut self, link: LinkId) -> bool {
        self.under_way.get_mut(&link).is_some_and(|exchange| !mem::replace(&mut exchange.begun, true))
    }

    /// Something was said in the answer of an exchange that listens: what the engine is to be told.
    pub(super) fn spoken(&mut self, exchange: ExchangeId, spoken: Spoken, link: &Link) -> Vec<Heard> {
        let is_under_way = self.under_way.get(&link.id()).is_some_and(|known| known.id == exchange);
        let (true, Spoken::Event(event)) = (is_under_way, spoken) else {
            return if is_under_way { vec![Heard::Notice(exchange, None)] } else { Vec::new() };
        };
        let is_new = event.id.clone().is_none_or(|id| self.event_ids.is_new(&link.server().id, id));
        let announced = if is_new { self.protocol.announcements(event) } else { Vec::new() };
        if announced.is_empty() {
            return vec![Heard::Notice(exchange, None)];
        }
        announced.into_iter().map(|announced| Heard::Notice(exchange, Some(announced))).collect()
    }

    /// These bytes stand beside the event of what the engine has just been told.
    pub(super) fn bring(&mut self, body: Arc<[u8]>) {
        self.adopted.push_back(Adopted { body: Some(body), ..Adopted::default() });
    }

    /// A whole answer came on this link, which may be gone since. The application may have to be told something.
    pub(super) fn answered(
        &mut self,
        on: LinkId,
        exchange: ExchangeId,
        answer: Answer,
        link: Option<&mut Link>,
        now: Moment,
    ) -> (Next, Option<Event>) {
        // What was given up meanwhile is no news.
        let Some(under_way) = self.under_way.remove(&on).filter(|known| known.id == exchange) else {
            return (Next::Nothing, None);
        };
        if let Request::Call { .. } = under_way.request {
            return (Next::Heard { heard: under_way.answered(answer), insists: false }, None);
        }
        if answer.status == 401 {
            return (self.refused(under_way, answer, link), None);
        }
        if answer.status == 413 && under_way.content.len() > 0 {
            return self.too_large(under_way, answer, link, now);
        }
        if (200..300).contains(&answer.status) {
            self.credential_provider.accepted();
        }
        if let Request::Upload { lane, .. } = under_way.request {
            return (self.uploaded(exchange, lane, &under_way.request, &answer), None);
        }
        (Next::Heard { heard: under_way.answered(answer), insists: false }, None)
    }

    /// The link is gone, with what was under way on it.
    pub(super) fn lost(&mut self, link: LinkId) {
        if let Some(under_way) = self.under_way.remove(&link) {
            self.uploads.forget(under_way.id);
        }
    }

    pub(super) fn abandon(&mut self, exchange: ExchangeId) {
        self.under_way.retain(|_, under_way| under_way.id != exchange);
        self.answers.take(exchange);
        self.uploads.forget(exchange);
    }

    /// Lends out what an answer means. The body of a success is kept until the engine says whether it counts.
    pub(super) fn emit<T>(
        &mut self,
        exchange: ExchangeId,
        request: Request,
        covers: u64,
        answer: Answer,
        engine: impl FnOnce(Outcome<'_>) -> T,
    ) -> T {
        let outcome = self.protocol.outcome(&request, &answer, SystemTime::now());
        let has_body = !matches!(request, Request::Listen(_) | Request::Register(_));
        let may_be_signed = matches!(request, Request::Settings { .. });
        let succeeded = has_body && matches!(outcome.verdict, Verdict::Success { .. });
        let told = engine(outcome);
        if succeeded {
            let signature =
                if may_be_signed { self.protocol.signature(&answer).map(Into::into) } else { None };
            let body = Some(answer.body.into_bytes().into());
            self.answers.keep(exchange, Adopted { body, covers, signature });
        }
        told
    }

    /// This answer counts.
    pub(super) fn adopt(&mut self, exchange: ExchangeId) {
        self.adopted.push_back(self.answers.take(exchange).unwrap_or_default());
    }

    /// What belongs to the oldest heartbeat that was not told of yet.
    pub(super) fn adopted(&mut self) -> Option<Adopted> {
        self.adopted.pop_front()
    }

    /// The events of this input were told; a body nobody asked for belongs to none of the next.
    pub(super) fn settle(&mut self) {
        self.adopted.clear();
    }

    /// What waits in the outbox, where the engine was told otherwise, and what the product should know of it.
    pub(super) fn look_at_outbox(&mut self) -> (Vec<(Lane, Backlog)>, Vec<Event>) {
        self.uploads.look()
    }

    pub(super) fn outbox_has_news(&self) -> bool {
        self.uploads.has_news()
    }

    pub(super) fn learn_applications(&self, enabled: bool) {
        self.uploads.learn_applications(enabled);
    }

    /// When the outbox wants a look though nothing may have been submitted.
    pub(super) fn next_tending(&self) -> Option<Duration> {
        self.uploads.next_tending()
    }

    /// A batch that was read from the disk, and the link on which it is to be sent.
    pub(super) fn batch_read(&mut self) -> Option<(Asked, Taken)> {
        self.uploads.read()
    }

    /// Sends a batch, or says that there is none.
    pub(super) fn upload(&mut self, asked: Asked, taken: Taken, link: &mut Link) -> Next {
        let Asked { exchange, lane, at_most, .. } = asked;
        match taken {
            Taken::Content(content) => {
                self.say(UnderWay::new(exchange, Request::Upload { lane, at_most }, content), link, true)
            }
            Taken::Later => Next::Nothing,
            Taken::Nothing => {
                let heard = Heard::Done(exchange, Verdict::Declined { status: 0 }.into());
                Next::Uploaded { lane, backlog: self.uploads.level(lane), heard }
            }
        }
    }

    /// An upload was answered. What the server has acknowledged is removed before the engine hears of it.
    fn uploaded(&mut self, exchange: ExchangeId, lane: Lane, request: &Request, answer: &Answer) -> Next {
        let outcome = self.protocol.outcome(request, answer, SystemTime::now());
        let up_to = self.protocol.acknowledged(answer);
        let heard = Heard::Done(exchange, self.uploads.answered(exchange, &outcome, up_to));
        Next::Uploaded { lane, backlog: self.uploads.level(lane), heard }
    }

    /// The server wants other credentials. If there are others, it is asked once more: on the same
    /// link the engine need not know; where that was closed, the engine is told that it may try again.
    fn refused(&mut self, mut under_way: UnderWay, answer: Answer, link: Option<&mut Link>) -> Next {
        let renewed = match (under_way.credentials.take(), &link) {
            (Some(version), Some(link)) => self.credential_provider.renew(version, &link.server().id),
            _ => false,
        };
        if let (true, true, Some(link)) = (renewed, answer.reusable, link) {
            return self.say(under_way, link, false);
        }
        if let Request::Upload { lane, .. } = under_way.request {
            return self.uploaded(under_way.id, lane, &under_way.request, &answer);
        }
        Next::Heard {
            heard: under_way.answered(answer),
            insists: renewed && self.credential_provider.may_insist(),
        }
    }

    /// The server refused the body as too large. The exchange is repeated without it: on the same link the engine
    /// need not know; where that was closed, the engine repeats it on a fresh one.
    fn too_large(
        &mut self,
        mut under_way: UnderWay,
        answer: Answer,
        link: Option<&mut Link>,
        now: Moment,
    ) -> (Next, Option<Event>) {
        let told = link.as_ref().map(|link| {
            let (server, size) = (link.server().id.clone(), under_way.content.len());
            self.too_large.refused(server.clone(), size, now);
            Event::StatusTooLarge { server, size }
        });
        let Some(link) = link.filter(|_| answer.reusable) else {
            return (Next::Heard { heard: under_way.answered(answer), insists: false }, told);
        };
        under_way.content = Content::Omitted;
        let renewable = under_way.credentials.is_some();
        (self.say(under_way, link, renewable), told)
    }

    /// Says it on this link, with the newest credentials. If they are refused, others may be tried when
    /// `renewable`.
    fn say(&mut self, mut under_way: UnderWay, link: &mut Link, renewable: bool) -> Next {
        let UnderWay { id, ref request, next, ref content, .. } = under_way;
        let last = self.event_ids.last(&link.server().id);
        let (server, is_verified) = (link.server(), link.is_verified());
        let written = self.protocol.request(request, server, content.clone(), last, next, is_verified);
        let Some(request) = written else {
            return declined(id);
        };
        let shown = self.credential_provider.show(&link.server().id, link.is_verified());
        under_way.credentials = shown.version.filter(|_| renewable);
        if !link.say(id, Exchange::new(request, &shown.lines)) {
            logging::record!(Error, "exchange {}: its link is not free", id.0);
            return Next::Nothing;
        }
        self.under_way.insert(link.id(), under_way);
        Next::Said(link.id())
    }

    /// What is said: the newest status, the same for every attempt of one search, nothing in a probe.
    fn said(&mut self, request: &Request) -> Said {
        match request {
            Request::Heartbeat { purpose: Purpose::Probe }
            | Request::Listen(_)
            | Request::Settings { .. }
            | Request::Policy { .. }
            | Request::Upload { .. }
            | Request::Register(_)
            | Request::Call { .. } => Said::default(),
            Request::Heartbeat { purpose: Purpose::Beat } => self.status.newest(),
            Request::Heartbeat { purpose: Purpose::Attach { search } } => {
                let said = self.searches.entry(*search).or_insert_with(|| self.status.newest()).clone();
                if self.searches.len() > SEARCHES {
                    self.searches.pop_first();
                }
                said
            }
        }
    }
}

fn declined(exchange: ExchangeId) -> Next {
    Next::Heard { heard: Heard::Done(exchange, Verdict::Declined { status: 0 }.into()), insists: false }
}

impl UnderWay {
    /// One that covers no request for a heartbeat.
    fn new(id: ExchangeId, request: Request, content: Content) -> Self {
        Self { id, request, next: None, content, covers: 0, credentials: None, begun: false }
    }

    fn answered(self, answer: Answer) -> Heard {
        Heard::Answered { exchange: self.id, request: self.request, covers: self.covers, answer }
    }
}
