//! What the application is told, and the queue in which it waits.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::mem::discriminant;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::engine::Event;
use crate::platform::{Flag, LentWaitable};

/// Events that wait for an application that does not fetch them. At two or three events a beat that
/// is a day and a half of a quiet agent, or several minutes of a very busy one, in about 200 KiB.
const CAPACITY: usize = 1024;

/// Bytes of bodies that wait beside them: several of the largest answers a server may send by default. An application that
/// fetches nothing has no use for more.
const BODIES: usize = 8 * 1024 * 1024;

/// An [`Event`], when it happened, and the answer that belongs to it.
///
/// Serialises to one flat JSON object, and is read back from it: `{"at_ms":1250,"event":"heartbeat",…,"body":"…"}`
/// (`docs/events.md`). A body that is not UTF-8, or holds characters that a person does not see ([`Printable`](crate::types::Printable)) other
/// than tabs and line ends, appears as `body_base64`, and `covers` only where it is not 0.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientEvent {
    /// Since the start of the client, suspended time included.
    pub at: Duration,
    /// What happened.
    pub event: Event,
    /// Beside [`Event::Heartbeat`]: the body of the server's answer. Beside [`Event::Policy`]: the policy. Beside
    /// [`Event::Notice`]: the bytes of a command, or what the server says of a content. `None` if it had to
    /// make room for others: [`Client::lost_bodies`](crate::client::Client::lost_bodies) counts these.
    pub body: Option<Arc<[u8]>>,
    /// Beside [`Event::Heartbeat`]: the number of the newest request that it covers, of those that
    /// [`Client::beat_now`](crate::client::Client::beat_now) made; 0 when it covers none.
    pub covers: u64,
}

impl ClientEvent {
    /// An event without an answer, for programs that test how they react to it. The fields may be changed afterwards.
    pub const fn new(at: Duration, event: Event) -> Self {
        Self { at, event, body: None, covers: 0 }
    }
}

/// The line of the event ([`Event`]) behind the seconds since the start: `12.250 attached to …`.
impl fmt::Display for ClientEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} {}", self.at.as_secs_f64(), self.event)
    }
}

/// No event comes any more: the client has stopped, and every event was fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the client has stopped, and every event was fetched")]
pub struct Ended;

/// Events on their way from the client's thread to the program that fetches them.
#[derive(Debug, Default)]
pub(super) struct EventQueue {
    inner: Mutex<Inner>,
    changed: Condvar,
    /// Up while events wait; changed under the lock only. Not there before somebody asks for it.
    flag: OnceLock<Flag>,
}

#[derive(Debug, Default)]
struct Inner {
    events: VecDeque<ClientEvent>,
    /// Bytes of their bodies.
    bodies: usize,
    lost: u64,
    /// Bodies that made room, those of lost events included.
    lost_bodies: u64,
    closed: bool,
}

impl EventQueue {
    /// Adds an event; none can follow the end. When the queue is full, the least useful one makes room.
    pub(super) fn push(&self, event: ClientEvent) {
        let mut inner = self.lock();
        if inner.events.len() >= CAPACITY {
            let victim = inner.least_useful(&event);
            if let Some(lost) = inner.events.remove(victim) {
                inner.bodies -= lost.weight();
                inner.lost_bodies += u64::from(lost.weight() > 0);
            }
            inner.lost += 1;
        }
        inner.bodies += event.weight();
        // With the event, not after it: whoever has fetched it must not wait for another.
        inner.closed |= matches!(event.event, Event::Stopped {});
        inner.events.push_back(event);
        inner.drop_old_bodies();
        self.signal(&inner);
        self.changed.notify_all();
    }

    /// No more events come.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// The oldest event; waits for one at most this long, and not at all when none can come any more.
    pub(super) fn next(&self, timeout: Duration) -> Result<Option<ClientEvent>, Ended> {
        let started = Instant::now();
        let mut inner = self.lock();
        loop {
            if let Some(event) = inner.events.pop_front() {
                inner.bodies -= event.weight();
                self.signal(&inner);
                return Ok(Some(event));
            }
            if inner.closed {
                return Err(Ended);
            }
            let left = timeout.saturating_sub(started.elapsed());
            if left.is_zero() {
                return Ok(None);
            }
            inner = self.changed.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Whether no more events come and all were fetched.
    pub(super) fn has_ended(&self) -> bool {
        let inner = self.lock();
        inner.closed && inner.events.is_empty()
    }

    /// Events that had to make room.
    pub(super) fn lost(&self) -> u64 {
        self.lock().lost
    }

    /// Bodies that had to make room.
    pub(super) fn lost_bodies(&self) -> u64 {
        self.lock().lost_bodies
    }

    /// A body was dropped before its event was told.
    pub(super) fn body_lost(&self) {
        self.lock().lost_bodies += 1;
    }

    /// What is ready while events wait.
    pub(super) fn waitable(&self) -> io::Result<LentWaitable<'_>> {
        // Under the lock, so that no event comes between the look and the flag.
        let inner = self.lock();
        if let Some(flag) = self.flag.get() {
            return Ok(flag.waitable());
        }
        let made = Flag::new()?;
        let flag = self.flag.get_or_init(|| made);
        self.signal(&inner);
        Ok(flag.waitable())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn signal(&self, inner: &Inner) {
        if let Some(flag) = self.flag.get() {
            flag.set(!inner.events.is_empty());
        }
    }
}

impl ClientEvent {
    fn weight(&self) -> usize {
        self.body.as_ref().map_or(0, |body| body.len())
    }
}

impl Inner {
    /// Until the rest is light enough, or there is only the newest.
    fn drop_old_bodies(&mut self) {
        let newest = self.events.len().saturating_sub(1);
        for event in self.events.iter_mut().take(newest) {
            if self.bodies <= BODIES {
                return;
            }
            self.bodies -= event.weight();
            self.lost_bodies += u64::from(event.weight() > 0);
            event.body = None;
        }
    }

    /// Progress goes first, oldest first. Then a change of state that a newer one of its kind outdates. Then the oldest command
    /// or content, which no other outdates.
    fn least_useful(&self, coming: &ClientEvent) -> usize {
        let outdated = |at: usize, event: &ClientEvent| {
            let mut newer = self.events.iter().skip(at + 1).chain([coming]);
            !is_notice(event) && newer.any(|newer| discriminant(&newer.event) == discriminant(&event.event))
        };
        let progress = self.events.iter().position(|waiting| is_progress(&waiting.event));
        let merged =
            || self.events.iter().enumerate().find(|(at, event)| outdated(*at, event)).map(|(at, _)| at);
        let notice = || self.events.iter().position(is_notice);
        // There are fewer kinds than places, so one of the three is always found.
        progress.or_else(merged).or_else(notice).unwrap_or(0)
    }
}

/// Whether an event stands for itself, however many of its kind follow.
fn is_notice(waiting: &ClientEvent) -> bool {
    matches!(waiting.event, Event::Notice { .. })
}

/// Whether an event tells how things go, rather than how they stand.
fn is_progress(event: &Event) -> bool {
    match event {
        Event::Searching { .. }
        | Event::AttemptFailed { .. }
        | Event::Heartbeat { .. }
        | Event::Failback { .. }
        | Event::Probed { .. }
        | Event::Uploaded { .. }
        | Event::UploadFailed { .. }
        | Event::RegistrationFailed { .. }
        | Event::Round { .. } => true,
        Event::State { .. }
        | Event::Attached { .. }
        | Event::Detached { .. }
        | Event::SettingsAnnounced { .. }
        | Event::PolicyAnnounced { .. }
        | Event::Policy { .. }
        | Event::PolicyFailed { .. }
        | Event::Settings { .. }
        | Event::SettingsFailed { .. }
        | Event::SettingsRefused { .. }
        | Event::SettingsOnTrial { .. }
        | Event::SettingsInForce { .. }
        | Event::SettingsRolledBack { .. }
        | Event::Waiting { .. }
        | Event::PushOpened { .. }
        | Event::PushLost { .. }
        | Event::CommandRefused { .. }
        | Event::PushUnavailable { .. }
        | Event::Notice { .. }
        | Event::Location { .. }
        | Event::SettingsWarning { .. }
        | Event::CannotRemember { .. }
        | Event::MemoryIgnored { .. }
        | Event::StoreProblem { .. }
        | Event::StoreRecovered {}
        | Event::Unverified { .. }
        | Event::StatusTooLarge { .. }
        | Event::CertificateEnded { .. }
        | Event::LaneFilled { .. }
        | Event::ReportsLost { .. }
        | Event::Called { .. }
        | Event::CallFailed { .. }
        | Event::Registered { .. }
        | Event::Duplicate { .. }
        | Event::OutboxProblem { .. }
        | Event::OutboxRecovered {}
        | Event::Stopped {} => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Notice, Reason, State};
    use crate::types::{ServerId, Span};

    fn heartbeat(status: u16) -> Event {
        Event::Heartbeat { server: ServerId::new("a"), status, elapsed: Span(Duration::from_millis(5)) }
    }

    fn state(state: State) -> Event {
        Event::State { state, reason: Reason::Start }
    }

    fn event(event: Event) -> ClientEvent {
        ClientEvent { at: Duration::ZERO, event, body: None, covers: 0 }
    }

    fn drain(queue: &EventQueue) -> Vec<Event> {
        std::iter::from_fn(|| queue.next(Duration::ZERO).ok().flatten()).map(|event| event.event).collect()
    }

    #[test]
    fn progress_is_lost_before_state_and_the_oldest_first() {
        let queue = EventQueue::default();
        queue.push(event(state(State::Attached)));
        for _ in 0..CAPACITY {
            queue.push(event(heartbeat(200)));
        }
        queue.push(event(heartbeat(204)));
        queue.push(event(state(State::Waiting)));
        assert_eq!(queue.lost(), 3);
        let events = drain(&queue);
        assert_eq!(events.len(), CAPACITY);
        assert_eq!(events.first(), Some(&state(State::Attached)));
        assert_eq!(events.get(CAPACITY - 2..), Some(&[heartbeat(204), state(State::Waiting)][..]));
    }

    #[test]
    fn changes_of_state_are_merged_when_nothing_else_can_make_room() {
        let queue = EventQueue::default();
        queue.push(event(Event::SettingsWarning { warning: "the only one".to_owned() }));
        for _ in 0..2 * CAPACITY {
            queue.push(event(state(State::Waiting)));
            queue.push(event(Event::Detached { server: ServerId::new("a"), reason: Reason::Asked }));
        }
        queue.push(event(state(State::Attached)));
        queue.push(event(Event::Stopped {}));
        let events = drain(&queue);
        assert_eq!(events.len(), CAPACITY);
        assert!(matches!(events.first(), Some(Event::SettingsWarning { .. })));
        assert_eq!(events.get(CAPACITY - 2..), Some(&[state(State::Attached), Event::Stopped {}][..]));
    }

    #[test]
    fn no_change_of_state_takes_the_place_of_a_command_and_commands_are_bounded_too() {
        let command = |name: String| {
            let mut told = event(Event::Notice {
                server: ServerId::new("a"),
                kind: Notice::Command,
                name: Some(name.into()),
            });
            told.body = Some(vec![0; BODIES / 16].into());
            told
        };
        let queue = EventQueue::default();
        queue.push(command("first".to_owned()));
        for _ in 0..2 * CAPACITY {
            queue.push(event(state(State::Waiting)));
        }
        assert!(matches!(drain(&queue).first(), Some(Event::Notice { .. })));
        for number in 0..CAPACITY + 3 {
            queue.push(command(number.to_string()));
        }
        queue.push(event(state(State::Attached)));
        let told: Vec<_> = std::iter::from_fn(|| queue.next(Duration::ZERO).ok().flatten()).collect();
        assert_eq!(told.len(), CAPACITY);
        let Event::Notice { name, .. } = &told[0].event else { panic!("{:?}", told[0]) };
        assert_eq!(name.as_deref(), Some("4"), "the oldest made room");
        assert_eq!(told.iter().filter(|told| told.body.is_some()).count(), 16);
    }

    #[test]
    fn of_the_bodies_that_nobody_fetches_the_newest_wait() {
        let queue = EventQueue::default();
        let sizes = |queue: &EventQueue| -> Vec<usize> {
            std::iter::from_fn(|| queue.next(Duration::ZERO).ok().flatten())
                .map(|event| event.weight())
                .collect()
        };
        for (pushed, waiting) in [
            (&[1, BODIES / 2, BODIES / 2 - 1][..], &[1, BODIES / 2, BODIES / 2 - 1][..]),
            (&[1, BODIES / 2, BODIES / 2][..], &[0, BODIES / 2, BODIES / 2][..]), // 1 lost
            (&[BODIES, 7][..], &[0, 7][..]),                                      // 1
            (&[1, 2, 2 * BODIES][..], &[0, 0, 2 * BODIES][..]),                   // 2
            (&[2 * BODIES, 7][..], &[0, 7][..]),                                  // 1
        ] {
            for &size in pushed {
                let mut answered = event(heartbeat(200));
                answered.body = Some(vec![0; size].into());
                queue.push(answered);
            }
            assert_eq!(sizes(&queue), waiting);
        }
        assert_eq!(queue.lost_bodies(), 5);
    }

    #[test]
    fn whoever_waits_is_woken_by_an_event_and_by_the_end() {
        let queue = Arc::new(EventQueue::default());
        let waiting = Arc::clone(&queue);
        let reader = std::thread::spawn(move || {
            let long = Duration::from_secs(3600);
            (waiting.next(long).map(|event| event.is_some()), waiting.next(long).is_ok())
        });
        queue.push(event(Event::Stopped {}));
        queue.close();
        assert_eq!(reader.join().unwrap(), (Ok(true), false));
    }

    #[test]
    fn a_queue_has_ended_with_the_last_event_fetched() {
        let queue = EventQueue::default();
        queue.push(event(state(State::Stopped)));
        assert_eq!(drain(&queue).len(), 1);
        assert_eq!(queue.next(Duration::ZERO), Ok(None));
        assert!(!queue.has_ended());
        queue.push(event(Event::Stopped {}));
        assert!(!queue.has_ended());
        assert_eq!(queue.next(Duration::MAX).unwrap().unwrap().event, Event::Stopped {});
        assert!(queue.has_ended());
        assert_eq!(queue.next(Duration::MAX), Err(Ended));
    }

    #[test]
    fn an_event_is_one_flat_line_of_json() {
        let mut told = event(heartbeat(200));
        told.at = Duration::from_micros(1_250_400);
        told.body = Some(b"do \"this\"\n".as_slice().into());
        assert_eq!(
            serde_json::to_string(&told).unwrap(),
            r#"{"at_ms":1250,"event":"heartbeat","server":"a","status":200,"elapsed_ms":5,"body":"do \"this\"\n"}"#
        );
        let read_back = |told: &ClientEvent| {
            let line = serde_json::to_string(told).unwrap();
            let whole = Duration::from_millis(u64::try_from(told.at.as_millis()).unwrap());
            let read: ClientEvent = serde_json::from_str(&line).unwrap();
            assert_eq!(read, ClientEvent { at: whole, ..told.clone() }, "{line}");
        };
        read_back(&told);
        told.covers = 3;
        told.body = Some([0xff].as_slice().into());
        read_back(&told);
        told.covers = 0;
        let line = serde_json::to_string(&told).unwrap();
        assert!(line.ends_with(r#""body_base64":"/w=="}"#), "{line}");
        for (unseen, encoded) in [("\u{202e}", "4oCu"), ("a\u{85}", "YcKF"), ("\u{7f}", "fw==")] {
            told.body = Some(unseen.as_bytes().into());
            let line = serde_json::to_string(&told).unwrap();
            assert!(line.ends_with(&format!(r#""body_base64":"{encoded}"}}"#)), "{line}");
        }
        told.body = None;
        assert!(!serde_json::to_string(&told).unwrap().contains("body"));
        read_back(&told);
        for (line, wrong) in [
            (r#"{"at_ms":1,"event":"heartbeat","server":"a"}"#, "missing field `status`"),
            (r#"{"at_ms":1,"event":"danced"}"#, "unknown variant `danced`"),
            (r#"{"at_ms":1,"event":"stopped","body_base64":"%"}"#, "Invalid"),
        ] {
            let error = serde_json::from_str::<ClientEvent>(line).unwrap_err().to_string();
            assert!(error.contains(wrong), "{error}");
        }
    }
}
