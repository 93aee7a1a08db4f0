//! From a request to an answer: the wire contract of `docs/wire.md`, seen from the server.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Either, Full, LengthLimitError, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{ALLOW, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH, RETRY_AFTER};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};
use serde_json::json;
use tokio::sync::{mpsc, watch};
use tokio::time::Sleep;

use super::behaviour::{Registers, Takes, Tells};
use super::books::{Batch, Books};
use super::document::Edition;
use super::events::{Board, Hello, Manner, Telling};
use super::registry::{self, Offer, Registry};
use super::{Agents, Behaviour, Counts, Document};

/// What the answers of one manager depend on.
pub(super) struct Manners {
    pub(super) name: String,
    pub(super) settings: Document,
    pub(super) policy: Document,
    pub(super) board: Arc<Board>,
    pub(super) behaviour: watch::Receiver<Behaviour>,
    pub(super) counts: Arc<Mutex<Counts>>,
    pub(super) agents: Mutex<Agents>,
    pub(super) books: Mutex<Books>,
    pub(super) registry: Arc<Mutex<Registry>>,
}

type Answer = Response<Either<Either<Full<Bytes>, Dripping>, Telling>>;

/// A status body beyond this is refused with 413: the contract's own limit for what an agent sends.
const BODY_LIMIT: usize = 1024 * 1024;
/// Tells repetitions of one request from new ones.
const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Where agents listen.
const EVENTS: &str = "/homing/v1/events";
/// When the next heartbeat of an agent follows at the latest.
const NEXT: &str = "homing-next";
/// Tells two machines with one agent id apart.
const INSTANCE: &str = "homing-instance";
/// What `drip` waits before each byte: slow enough that nobody would wait for the end.
const DRIP: Duration = Duration::from_secs(1);

/// Answers one request. Never fails: what goes wrong is an answer too.
pub(super) async fn answer(manners: Arc<Manners>, request: Request<Incoming>) -> Result<Answer, Infallible> {
    if request.uri().path() == EVENTS
        && let Some(response) = manners.events(&request)
    {
        manners.counts().answered(response.status().as_u16());
        return Ok(response.map(Either::Right));
    }
    let mut response = match request.uri().path() {
        "/stats" if request.method() == Method::GET => manners.stats(),
        "/stats" => wrong_method(&Method::GET),
        _ => manners.reply(request).await,
    };
    let behaviour = manners.behaviour.borrow().clone();
    if let Behaviour::Drain { seconds } = behaviour {
        response.headers_mut().insert("homing-drain", HeaderValue::from(seconds));
    }
    manners.counts().answered(response.status().as_u16());
    let drip = behaviour == Behaviour::Drip;
    let whole = |body| if drip { Either::Right(Dripping::new(body)) } else { Either::Left(Full::new(body)) };
    Ok(response.map(|body| Either::Left(whole(body))))
}

/// What the contract lets a client ask for.
#[derive(Clone, Copy)]
enum Resource {
    Heartbeat,
    Settings,
    Policy,
    Events,
    Upload(&'static str),
    Register,
    /// What a product says itself.
    Call,
}

/// Below it every path is the product's.
const CALLS: &str = "/homing/v1/call/";

/// The lanes of reports.
const LANES: [&str; 4] = ["critical", "status", "log", "applications"];

impl Resource {
    fn of(path: &str) -> Option<Self> {
        match path {
            "/homing/v1/heartbeat" => Some(Self::Heartbeat),
            "/homing/v1/settings" => Some(Self::Settings),
            "/homing/v1/policy" => Some(Self::Policy),
            "/homing/v1/register" => Some(Self::Register),
            EVENTS => Some(Self::Events),
            _ if path.strip_prefix(CALLS).is_some_and(|rest| !rest.is_empty()) => Some(Self::Call),
            _ => {
                let lane = path.strip_prefix("/homing/v1/upload/")?;
                LANES.into_iter().find(|known| *known == lane).map(Self::Upload)
            }
        }
    }

    /// The one it takes; `None`: any.
    fn method(self) -> Option<Method> {
        match self {
            Self::Heartbeat | Self::Upload(_) | Self::Register => Some(Method::POST),
            Self::Settings | Self::Policy | Self::Events => Some(Method::GET),
            Self::Call => None,
        }
    }
}

impl Manners {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn agents(&self) -> MutexGuard<'_, Agents> {
        self.agents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stats(&self) -> Response<Bytes> {
        let counts = self.counts().clone();
        let agents = self.agents().show(Instant::now());
        let reports = self.books.lock().unwrap_or_else(PoisonError::into_inner).show();
        let registered = self.registry().show();
        let stats = json!({
            "server": self.name, "counts": counts, "agents": agents, "reports": reports, "registered": registered,
        });
        json_response(StatusCode::OK, &stats)
    }

    async fn reply(&self, request: Request<Incoming>) -> Response<Bytes> {
        let resource = Resource::of(request.uri().path());
        let (head, body) = request.into_parts();
        let body = Limited::new(body, BODY_LIMIT).collect().await;
        self.count(resource, &head.headers);
        let mut behaviour = self.behaviour.clone();
        // A sender that is gone means that the manager stops; the answer will not be read by anybody.
        let _ = behaviour.wait_for(|now| !matches!(now, Behaviour::Mute | Behaviour::Silent)).await;
        let mischief = mischief(&behaviour.borrow());
        if let Some(response) = mischief {
            return response;
        }
        let Some(resource) = resource else {
            return refusal(StatusCode::NOT_FOUND, "this path is not in the wire contract");
        };
        if let Some(right) = resource.method().filter(|right| head.method != *right) {
            return wrong_method(&right);
        }
        let body = match body {
            Ok(body) => body,
            Err(error) if error.is::<LengthLimitError>() => {
                return refusal(StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than 1 MiB");
            }
            Err(_) => return refusal(StatusCode::BAD_REQUEST, "the body is broken"),
        };
        let Some(agent) = text(&head.headers, "homing-agent").filter(|agent| is_agent(agent)) else {
            return refusal(
                StatusCode::BAD_REQUEST,
                "Homing-Agent must be 1 to 128 visible ASCII characters",
            );
        };
        match resource {
            Resource::Heartbeat => self.heartbeat(agent, &head.headers, &body.to_bytes()),
            Resource::Settings => document(&self.settings, &head.headers),
            Resource::Policy => document(&self.policy, &head.headers),
            Resource::Events if !can_listen(&head.headers) => Ok(refusal(
                StatusCode::BAD_REQUEST,
                "Prefer must be wait=SECONDS, Homing-Keep-Alive whole seconds, Last-Event-ID 1 to 256 visible ASCII \
                 characters",
            )),
            Resource::Upload(lane) => Ok(self.upload(agent, lane, &head.headers, &body.to_bytes()).await),
            Resource::Register => self.register(agent, &head.headers),
            Resource::Call => Ok(self.call(agent, &head, body.to_bytes().len()).await),
            // The others have been told already.
            Resource::Events => Ok(none_to_tell()),
        }
        .unwrap_or_else(|error| refusal(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()))
    }

    /// The answer to an agent that listens, if there is something to listen to and the request is a right one.
    fn events(&self, request: &Request<Incoming>) -> Option<Response<Telling>> {
        let headers = request.headers();
        let behaviour = self.behaviour.borrow().clone();
        let tells = match behaviour {
            Behaviour::Events(tells) => tells,
            Behaviour::Well
            | Behaviour::Drain { .. }
            | Behaviour::Uploads(_)
            | Behaviour::LateCalls(_)
            | Behaviour::Registers(_) => Tells::Well,
            Behaviour::Refuse
            | Behaviour::Silent
            | Behaviour::Mute
            | Behaviour::Status { .. }
            | Behaviour::WrongCertificate
            | Behaviour::Drip
            | Behaviour::Empty
            | Behaviour::Html
            | Behaviour::NoEvents => return None,
        };
        let agent = text(headers, "homing-agent").filter(|agent| is_agent(agent))?;
        if request.method() != Method::GET || !can_listen(headers) {
            return None;
        }
        let last = last_event_id(headers).ok()?.map(str::to_owned);
        self.count(Some(Resource::Events), headers);
        let tag = |document: &Document| document.edition().ok().flatten().map(|edition| edition.tag);
        let hello = Hello { settings: tag(&self.settings), policy: tag(&self.policy) };
        let manner = match (wait(headers), keep_alive(headers)) {
            (None, Some(silence)) => Manner::Stream(silence),
            (wait, _) => Manner::Poll(wait.unwrap_or_default()),
        };
        let (out, telling) = mpsc::channel(16);
        let (board, agent) = (Arc::clone(&self.board), agent.to_owned());
        let life = self.behaviour.clone();
        tokio::spawn(async move {
            // It ends with the behaviour it began under.
            let mut life = life;
            tokio::select! {
                () = board.read_out(agent, last, manner, hello, tells, out) => {}
                _ = life.wait_for(|now| *now != behaviour) => {}
            }
        });
        let mut response = Response::new(Telling(telling));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        response.headers_mut().insert("cache-control", HeaderValue::from_static("no-store"));
        // nginx holds an answer back unless it is told not to.
        response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
        Some(response)
    }

    fn count(&self, resource: Option<Resource>, headers: &HeaderMap) {
        let mut counts = self.counts();
        let counter = match (resource, text(headers, "homing-purpose")) {
            (Some(Resource::Heartbeat), Some("attach")) => &mut counts.attach,
            (Some(Resource::Heartbeat), Some("beat")) => &mut counts.beat,
            (Some(Resource::Heartbeat), Some("probe")) => &mut counts.probe,
            (Some(Resource::Settings), _) => &mut counts.settings,
            (Some(Resource::Policy), _) => &mut counts.policy,
            (Some(Resource::Events), _) => &mut counts.events,
            (Some(Resource::Upload(_)), _) => &mut counts.uploads,
            (Some(Resource::Register), _) => &mut counts.registrations,
            (Some(Resource::Call), _) => &mut counts.calls,
            (Some(Resource::Heartbeat) | None, _) => &mut counts.other,
        };
        *counter += 1;
        if let (Some(Resource::Heartbeat), Some(key)) = (resource, text(headers, IDEMPOTENCY_KEY)) {
            counts.key(key);
        }
    }

    /// Takes the reports of a batch, and says up to which number.
    async fn upload(&self, agent: &str, lane: &str, headers: &HeaderMap, body: &[u8]) -> Response<Bytes> {
        let behaviour = self.behaviour.borrow().clone();
        let takes = if let Behaviour::Uploads(takes) = behaviour { takes } else { Takes::Well };
        let series = text(headers, "homing-series").filter(|series| is_series(series));
        let key = text(headers, IDEMPOTENCY_KEY).is_some_and(is_key);
        let sequence = text(headers, "homing-sequence").filter(|sequence| is_sequence(sequence));
        let (Some(series), true, Some(sequence)) = (series, key, sequence) else {
            return refusal(
                StatusCode::BAD_REQUEST,
                "an upload needs Homing-Series (16 hexadecimal digits), Homing-Sequence (FIRST-LAST) and Idempotency-Key",
            );
        };
        let Some(batch) = Batch::read(sequence, body) else {
            return refusal(
                StatusCode::CONFLICT,
                "the body does not have the reports that Homing-Sequence names",
            );
        };
        let up_to = match takes {
            Takes::Not => return refusal(StatusCode::NOT_FOUND, "no reports are taken here"),
            Takes::AtMost(most) if body.len() > most => {
                return refusal(StatusCode::PAYLOAD_TOO_LARGE, "the batch is too large");
            }
            Takes::Half => batch.middle(),
            Takes::Well | Takes::Unacknowledged | Takes::Late(_) | Takes::AtMost(_) => batch.last(),
        };
        let (taken, again) = self
            .books
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take(agent, lane, series, &batch, up_to);
        {
            let mut counts = self.counts();
            counts.reports += taken;
            counts.repeated_reports += again;
        }
        if let Takes::Late(seconds) = takes {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
        }
        let mut response = json_response(StatusCode::OK, &json!({ "server": self.name, "lane": lane }));
        if takes != Takes::Unacknowledged {
            response.headers_mut().insert("homing-acknowledged", HeaderValue::from(up_to));
        }
        response
    }

    fn registers(&self) -> Registers {
        if let Behaviour::Registers(how) = *self.behaviour.borrow() { how } else { Registers::Well }
    }

    /// Decides in which group an agent is, and in which mode.
    fn register(&self, agent: &str, headers: &HeaderMap) -> io::Result<Response<Bytes>> {
        let name = |field| headers.get(field).map(|value| value.to_str().ok().and_then(registry::offered));
        let (user, preferred, last) =
            (name("homing-user"), name("homing-preferred-group"), name("homing-last-group"));
        let modes = ["homing-preferred-mode", "homing-last-mode"].map(|field| headers.get(field));
        let modes = modes.map(|mode| mode.map(|mode| mode.to_str().unwrap_or_default()));
        let is_mode = |mode: &Option<&str>| mode.is_none_or(|mode| matches!(mode, "user" | "computer"));
        let can_be = [&user, &preferred, &last].into_iter().all(|name| *name != Some(None));
        if !can_be || !modes.iter().all(is_mode) || !has_instance(headers) {
            return Ok(refusal(
                StatusCode::BAD_REQUEST,
                "a name is 1 to 256 bytes, with %XX for what is not visible ASCII; a mode is user or computer; an instance is 64 \
                 hexadecimal digits",
            ));
        }
        let (user, preferred, last) = (user.flatten(), preferred.flatten(), last.flatten());
        let [preferred_mode, last_mode] = modes;
        let offer = Offer {
            user: user.as_deref(),
            preferred: (preferred.as_deref(), preferred_mode),
            last: (last.as_deref(), last_mode),
        };
        let (group, mode) = match self.registers() {
            Registers::Well | Registers::Again => {
                let place = self.registry().register(agent, &offer)?;
                (registry::value(&place.group), place.mode)
            }
            Registers::Nonsense => ("100%".to_owned(), "robot".to_owned()),
            Registers::Flood => ("x".repeat(1 << 20), "user".to_owned()),
            Registers::Status(status) => {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                return Ok(refusal(status, "as it was told"));
            }
            Registers::Not => return Ok(refusal(StatusCode::NOT_FOUND, "no agents are registered here")),
        };
        let mut response = json_response(StatusCode::OK, &json!({ "server": self.name, "agent": agent }));
        response.headers_mut().insert("homing-group", header(&group)?);
        response.headers_mut().insert("homing-account-mode", header(&mode)?);
        Ok(response)
    }

    /// Says what was said: what a call means knows a product's server.
    async fn call(&self, agent: &str, head: &Parts, received: usize) -> Response<Bytes> {
        let behaviour = self.behaviour.borrow().clone();
        if let Behaviour::LateCalls(seconds) = behaviour {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
        }
        let (method, path) = (head.method.as_str(), head.uri.path());
        let answer = json!({ "server": self.name, "agent": agent, "method": method, "path": path, "received": received });
        json_response(StatusCode::OK, &answer)
    }

    fn heartbeat(&self, agent: &str, headers: &HeaderMap, status: &[u8]) -> io::Result<Response<Bytes>> {
        let Some(purpose @ ("attach" | "beat" | "probe")) = text(headers, "homing-purpose") else {
            return Ok(refusal(StatusCode::BAD_REQUEST, "Homing-Purpose must be attach, beat or probe"));
        };
        if text(headers, "homing-omitted").is_some_and(|omitted| omitted != "status") {
            return Ok(refusal(StatusCode::BAD_REQUEST, "Homing-Omitted must be status"));
        }
        // Without a key an attach cannot be told from another; with one, it has to be a key.
        if headers.contains_key(IDEMPOTENCY_KEY) && !text(headers, IDEMPOTENCY_KEY).is_some_and(is_key) {
            return Ok(refusal(
                StatusCode::BAD_REQUEST,
                "Idempotency-Key must be a quoted text of at most 64 bytes",
            ));
        }
        let next = text(headers, NEXT);
        if next.is_some_and(|next| next.is_empty() || !next.bytes().all(|byte| byte.is_ascii_digit())) {
            return Ok(refusal(StatusCode::BAD_REQUEST, "Homing-Next must be whole seconds"));
        }
        if !has_instance(headers) {
            return Ok(refusal(StatusCode::BAD_REQUEST, "Homing-Instance must be 64 hexadecimal digits"));
        }
        if purpose != "probe" {
            // What is too large to count is as long as can be.
            let next = next.map(|next| next.parse().unwrap_or(u64::MAX));
            self.agents().heard(agent, next, Instant::now());
        }
        let is_twice = purpose != "probe" && self.is_twice(agent, headers);
        let answer =
            json!({ "server": self.name, "agent": agent, "purpose": purpose, "received": status.len() });
        let mut response = json_response(StatusCode::OK, &answer);
        for (field, document) in [("homing-settings", &self.settings), ("homing-policy", &self.policy)] {
            if let Some(Edition { tag, .. }) = document.edition()? {
                response.headers_mut().insert(field, header(&tag)?);
            }
        }
        if purpose != "probe" && self.board.waits_for(agent) {
            response.headers_mut().insert("homing-events", HeaderValue::from_static("1"));
        }
        if purpose != "probe" && (self.registers() == Registers::Again || self.registry().asks(agent)) {
            response.headers_mut().insert("homing-register", HeaderValue::from_static("1"));
        }
        if is_twice {
            response.headers_mut().insert("homing-duplicate", HeaderValue::from_static("1"));
        }
        Ok(response)
    }

    /// Whether this agent's id is used on another machine as well.
    fn is_twice(&self, agent: &str, headers: &HeaderMap) -> bool {
        let next = text(headers, NEXT).and_then(|next| next.parse().ok()).map(Duration::from_secs);
        text(headers, INSTANCE)
            .is_some_and(|machine| self.registry().is_twice(agent, machine, next, Instant::now()))
    }
}

/// The answer to everything while the server misbehaves in a way that needs no request to be understood.
fn mischief(behaviour: &Behaviour) -> Option<Response<Bytes>> {
    match behaviour {
        Behaviour::Well
        | Behaviour::Refuse
        | Behaviour::Silent
        | Behaviour::Mute
        | Behaviour::WrongCertificate
        | Behaviour::Drip
        | Behaviour::NoEvents
        | Behaviour::Events(_)
        | Behaviour::Uploads(_)
        | Behaviour::LateCalls(_)
        | Behaviour::Registers(_)
        | Behaviour::Drain { .. } => None,
        Behaviour::Status { status, retry_after } => {
            let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let mut response = refusal(status, "as it was told");
            if let Some(value) = retry_after.as_deref().and_then(|text| HeaderValue::from_str(text).ok()) {
                response.headers_mut().insert(RETRY_AFTER, value);
            }
            Some(response)
        }
        Behaviour::Empty => Some(Response::new(Bytes::new())),
        Behaviour::Html => {
            let mut response =
                Response::new(Bytes::from_static(b"<!doctype html><title>Wi-Fi</title>Please sign in.\n"));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
            Some(response)
        }
    }
}

/// A document, or 304 when the client has this edition, or 404 when there is none.
fn document(document: &Document, headers: &HeaderMap) -> io::Result<Response<Bytes>> {
    let Some(edition) = document.edition()? else {
        return Ok(refusal(StatusCode::NOT_FOUND, "this server has none"));
    };
    let known = text(headers, IF_NONE_MATCH.as_str()).is_some_and(|tags| edition.is_named_by(tags));
    let tag = header(&edition.tag)?;
    let signature = edition.signature.as_deref().map(header).transpose()?;
    let mut response = if known { Response::new(Bytes::new()) } else { Response::new(edition.text) };
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(signature) = signature {
            response.headers_mut().insert("homing-signature", signature);
        }
    }
    response.headers_mut().insert(ETAG, tag);
    Ok(response)
}

/// 204: nothing is told here.
fn none_to_tell() -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// For how long a poll waits: `Prefer: wait=SECONDS`, at most as long as this server bears it.
fn wait(headers: &HeaderMap) -> Option<Duration> {
    let wait = text(headers, "prefer")?.split(',').find_map(|part| part.trim().strip_prefix("wait="))?;
    Some(Duration::from_secs(wait.parse::<u64>().ok()?.min(60)))
}

/// For how long a stream may be silent.
fn keep_alive(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = text(headers, "homing-keep-alive")?.parse().ok()?;
    Some(Duration::from_secs(seconds.clamp(1, 3600)))
}

/// What the contract lets an agent call itself.
fn is_agent(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether each field of a request for events that is there can be read.
fn can_listen(headers: &HeaderMap) -> bool {
    (wait(headers).is_some() || !headers.contains_key("prefer"))
        && (keep_alive(headers).is_some() || !headers.contains_key("homing-keep-alive"))
        && last_event_id(headers).is_ok()
}

/// The event that an agent heard last, if it names one.
fn last_event_id(headers: &HeaderMap) -> Result<Option<&str>, ()> {
    const NAME: &str = "last-event-id";
    let is_id = |id: &&str| (1..=256).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    match text(headers, NAME).filter(is_id) {
        None if headers.contains_key(NAME) => Err(()),
        id => Ok(id),
    }
}

/// Two numbers of at most twenty digits each.
fn is_sequence(text: &str) -> bool {
    let is_number =
        |text: &str| (1..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    text.split_once('-').is_some_and(|(first, last)| is_number(first) && is_number(last))
}

/// What names the reports of one opening of an outbox.
fn is_series(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether what tells machines apart can be that, where it is there.
fn has_instance(headers: &HeaderMap) -> bool {
    let is_instance =
        |text: &str| text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    headers.get(INSTANCE).is_none_or(|value| value.to_str().is_ok_and(is_instance))
}

/// A quoted text (RFC 8941, section 3.3.3) that needs no escapes.
fn is_key(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    let inside = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    text.len() <= 64 && inside.is_some_and(|inside| !inside.is_empty() && inside.bytes().all(plain))
}

fn wrong_method(right: &Method) -> Response<Bytes> {
    let mut response = refusal(StatusCode::METHOD_NOT_ALLOWED, "this path wants another method");
    if let Ok(method) = HeaderValue::from_str(right.as_str()) {
        response.headers_mut().insert(ALLOW, method);
    }
    response
}

fn refusal(status: StatusCode, reason: &str) -> Response<Bytes> {
    json_response(status, &json!({ "error": reason }))
}

fn json_response(status: StatusCode, value: &serde_json::Value) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(format!("{value}\n")));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn header(text: &str) -> io::Result<HeaderValue> {
    HeaderValue::from_str(text).map_err(io::Error::other)
}

/// A body that comes one byte at a time.
pub(super) struct Dripping {
    rest: Bytes,
    pause: Pin<Box<Sleep>>,
}

impl Dripping {
    fn new(rest: Bytes) -> Self {
        Self { rest, pause: Box::pin(tokio::time::sleep(DRIP)) }
    }
}

impl Body for Dripping {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        ready!(self.pause.as_mut().poll(context));
        self.pause = Box::pin(tokio::time::sleep(DRIP));
        let byte = self.rest.split_to(1);
        Poll::Ready(Some(Ok(Frame::data(byte))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}
