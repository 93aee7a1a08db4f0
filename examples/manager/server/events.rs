//! What a manager tells its agents by itself: the board on which it is posted, and the answers that read it out.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use bytes::Bytes;
use hyper::body::{Body, Frame};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};

use super::behaviour::Tells;

/// One event, as it was posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Post {
    /// The settings have another tag, or the policy has; the agents spread their reads over so many seconds.
    Settings {
        tag: String,
        within: u64,
    },
    Policy {
        tag: String,
        within: u64,
    },
    /// New content of this name.
    Content(String),
    /// A command and its bytes.
    Command(String, Vec<u8>),
    /// Please leave within so many seconds.
    Drain(u64),
}

/// Events that wait for agents, oldest first. Any number of answers may read it at the same time.
#[derive(Debug)]
pub(super) struct Board {
    inner: Mutex<Inner>,
    /// The number of the newest event.
    newest: watch::Sender<u64>,
    /// Makes the ids of this life differ from those of any other: an id is never used again.
    life: u64,
}

#[derive(Debug, Default)]
struct Inner {
    posts: VecDeque<(u64, Post)>,
    /// Up to where each agent has read. What an agent said of itself, so there are only so many.
    read: BTreeMap<String, u64>,
}

/// Events that are kept for agents that are not there.
const POSTS: usize = 256;

/// Agents whose place is known; with more, the first in order are told everything again.
const AGENTS: usize = 10_000;

/// What an agent is told first: the tags there are now.
pub(super) struct Hello {
    pub(super) settings: Option<String>,
    pub(super) policy: Option<String>,
}

/// How an agent wants to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// The answer stays open, and is never silent for longer than this.
    Stream(Duration),
    /// It ends with the first event, or after this time.
    Poll(Duration),
}

impl Board {
    pub(super) fn new() -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let life = since.as_micros() as u64;
        Self { inner: Mutex::default(), newest: watch::Sender::new(0), life }
    }

    pub(super) fn post(&self, post: Post) {
        let mut inner = self.lock();
        let number = *self.newest.borrow() + 1;
        if inner.posts.len() >= POSTS {
            inner.posts.pop_front();
        }
        inner.posts.push_back((number, post));
        drop(inner);
        self.newest.send_replace(number);
    }

    /// Whether a command or a content waits that this agent was not told.
    pub(super) fn waits_for(&self, agent: &str) -> bool {
        let inner = self.lock();
        let read = inner.read.get(agent).copied().unwrap_or_default();
        inner
            .posts
            .iter()
            .any(|(number, post)| *number > read && matches!(post, Post::Content(_) | Post::Command(..)))
    }

    /// The number that this id of an event stands for. An id of another life says nothing here.
    fn number(&self, id: Option<&str>) -> Option<u64> {
        let (life, number) = id?.split_once('-')?;
        (life.parse() == Ok(self.life)).then(|| number.parse().ok()).flatten()
    }

    /// What was posted after this number, as it is written on a stream.
    fn after(&self, number: u64, agent: &str) -> (u64, String) {
        let mut inner = self.lock();
        let (mut newest, mut text) = (number, String::new());
        for (number, post) in inner.posts.iter().filter(|(posted, _)| *posted > number) {
            newest = *number;
            text += &post.written(&format!("{}-{number}", self.life));
        }
        if inner.read.len() >= AGENTS {
            inner.read.pop_first();
        }
        let read = inner.read.entry(agent.to_owned()).or_default();
        *read = newest.max(*read);
        (newest, text)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the board out to one agent, until it goes or its answer is over.
    pub(super) async fn read_out(
        &self,
        agent: String,
        last: Option<String>,
        manner: Manner,
        hello: Hello,
        tells: Tells,
        out: mpsc::Sender<Bytes>,
    ) {
        if tells == Tells::HeldBack && matches!(manner, Manner::Stream(_)) {
            return out.closed().await;
        }
        let begun = Instant::now();
        let mut newest = self.newest.subscribe();
        let mut place = self.number(last.as_deref()).unwrap_or_default();
        if out.send(hello.written().into()).await.is_err() {
            return;
        }
        loop {
            let _ = newest.borrow_and_update();
            let (read, text) = self.after(place, &agent);
            place = read;
            if !text.is_empty() && out.send(text.clone().into()).await.is_err() {
                return;
            }
            let (silence, ends) = match (manner, tells) {
                (Manner::Poll(_), _) if !text.is_empty() => return,
                (Manner::Poll(wait), _) => (wait, Some(begun + wait)),
                (Manner::Stream(silence), Tells::Cut(seconds)) => {
                    (silence, Some(begun + Duration::from_secs(seconds)))
                }
                (Manner::Stream(silence), _) => (silence, None),
            };
            if let Some(misbehaviour) = tells.text() {
                if out.send(misbehaviour).await.is_err() {
                    return;
                }
                tokio::task::yield_now().await;
                continue;
            }
            let next = Instant::now() + silence;
            let until = ends.map_or(next, |ends| ends.min(next));
            tokio::select! {
                changed = newest.changed() => if changed.is_err() { return },
                () = out.closed() => return,
                () = sleep_until(until) => {
                    if ends.is_some_and(|ends| ends <= Instant::now()) {
                        return;
                    }
                    // A client that takes nothing for a minute is none.
                    let alive = tells != Tells::Nothing;
                    let sign = timeout(Duration::from_secs(60), out.send(Bytes::from_static(b": here\n")));
                    if alive && !matches!(sign.await, Ok(Ok(()))) {
                        return;
                    }
                }
            }
        }
    }
}

impl Tells {
    /// What it says without end instead of what it should.
    fn text(self) -> Option<Bytes> {
        match self {
            Self::Well | Self::HeldBack | Self::Nothing | Self::Cut(_) => None,
            Self::Flood => Some(Bytes::from("event: settings\ndata: \"x\"\n\n".repeat(100))),
            Self::Endless => Some(Bytes::from(vec![b'x'; 64 * 1024])),
            Self::Garbage => Some(Bytes::from_static(b"event: \xff\xfe\ndata: \xc3\x28\r\r\n\n\0\n")),
        }
    }
}

impl Hello {
    fn written(&self) -> String {
        let mut text = "event: hello\n".to_owned();
        for (name, tag) in [("settings", &self.settings), ("policy", &self.policy)] {
            if let Some(tag) = tag {
                text += &format!("data: {name}={tag}\n");
            }
        }
        if self.settings.is_none() && self.policy.is_none() {
            text += "data\n";
        }
        text + "\n"
    }
}

impl Post {
    fn written(&self, id: &str) -> String {
        let nudge = |kind: &str, tag: &str, within: u64| match within {
            0 => format!("event: {kind}\ndata: {tag}\n"),
            within => format!("event: {kind}\ndata: {tag}\ndata: within={within}\n"),
        };
        let event = match self {
            Self::Settings { tag, within } => nudge("settings", tag, *within),
            Self::Policy { tag, within } => nudge("policy", tag, *within),
            Self::Content(name) => format!("event: content\ndata: {name}\n"),
            Self::Command(name, bytes) => {
                let text = base64::engine::general_purpose::STANDARD.encode(bytes);
                format!("event: command\ndata: {name}\ndata: {text}\n")
            }
            Self::Drain(seconds) => format!("event: drain\ndata: {seconds}\n"),
        };
        format!("id: {id}\n{event}\n")
    }
}

/// The body of an answer that is written while it is read.
pub(super) struct Telling(pub(super) mpsc::Receiver<Bytes>);

impl Body for Telling {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}
