//! Reports that wait until a server has them.
//!
//! A security agent exists to report, and what it has to report must survive an outage and a reboot. An [`Outbox`] takes reports from any
//! thread, keeps them in four lanes, and gives them out in batches until a server has acknowledged them. It stands beside the engine,
//! which decides when a batch is sent and never sees one.
//!
//! # The life of a report
//! 1. [`submit`](Outbox::submit) gives it a number: lane, series and number name it for ever. With
//!    [`Durability::Durable`] it is on the disk when `submit` returns.
//! 2. [`take`](Outbox::take) copies the oldest reports of a lane into a [`Batch`]. They wait on.
//! 3. [`settle`](Outbox::settle) removes them, when a server has acknowledged them. What is sent again after a lost answer or a crash
//!    has the same numbers, so that a server can tell.
//!
//! # What is promised
//! A report whose durable submit returned `Ok` is given out until it is settled, or is counted as dropped for a bound of its lane (bytes, age).
//! No crash and no loss of power loses it, as far as the disk keeps what it has said to be synced. Without a folder, the same holds
//! for the life of the process.
//!
//! Each lane is bounded in bytes and age ([`Limits`]), and accounts for every report ([`LaneAccount`]).
//!
//! # The folder
//! Private to the user of the process (0700, files 0600), for one outbox at a time, under the rules of [`Folder`](super::Folder).
//! `docs/outbox-format.md` describes the files. A folder that cannot be used costs durability and nothing else: an event says
//! what is the matter, the lanes go on in memory, a durable submit is an error, and the folder is tried again.
//!
//! # Inside
//! `lane.rs` decides what waits and what is dropped, `segment.rs` knows where its bytes are, `reading.rs` reads them, `entry.rs` and `file.rs` how they are written. `group.rs`
//! writes for many threads at once, `recovery.rs` reads what an earlier process left, `home.rs` keeps the folder tidy on the thread of
//! `writer.rs`.

mod account;
mod batch;
mod entry;
mod event;
mod file;
mod group;
mod head;
mod home;
mod lane;
mod learned;
mod pen;
mod random;
mod reading;
mod recovery;
mod segment;
mod segment_name;
mod shelf;
mod suspect;
#[cfg(test)]
mod tests;
mod time;
mod too_large;
mod trouble;
mod writer;

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

pub use account::{LaneLimits, Limits};
pub use batch::{Batch, Waiting};
pub use event::OutboxEvent;
pub use too_large::{NEVER_TOO_LARGE, TooLarge};

pub use crate::types::{Dropped, LaneAccount};

use group::{Line, Submitted};
use home::{Home, Pass};
use lane::{Refused, State};
use learned::{Key, Learned};
use random::random;
use shelf::Systems;
use time::{Clock, Now, system_clock};
use trouble::Trouble;
use writer::{Work, Writer};

use super::system::Real;
use crate::platform::logging;
use crate::types::{Backlog, Durability, Lane, Report, ReportId, Series, SubmitError};

/// The largest body of a report, in bytes: 256 KiB. A lane that can hold less takes less.
pub const MAX_REPORT: usize = entry::MAX_BODY;

/// How long the end of an outbox waits for the disk.
const HELD_UP: Duration = Duration::from_secs(5);

/// Reports that wait for a server. See the [module](self).
///
/// ```
/// use homing::store::outbox::{Limits, Outbox};
/// use homing::types::{Durability, Lane, Report, ReportKind};
///
/// let outbox = Outbox::in_memory(Limits::default());
/// let report = Report { kind: ReportKind::RiskFound, body: b"eicar.com in /tmp".to_vec() };
/// let id = outbox.submit(report, Durability::Buffered)?;
///
/// let batch = outbox.take(Lane::Critical, 64 * 1024).expect("one report waits");
/// assert_eq!(batch.reports().next().unwrap().id, id);
/// // … send `batch.body()`, and when the server acknowledged all of it:
/// assert_eq!(outbox.settle(&batch, batch.last()), 1);
/// assert!(outbox.take(Lane::Critical, 64 * 1024).is_none());
/// # Ok::<(), homing::types::SubmitError>(())
/// ```
///
/// # Threads
/// Every method may be called from any thread. [`submit`](Self::submit) with [`Durability::Durable`], [`flush`](Self::flush), opening and dropping
/// wait for the disk; [`take`](Self::take) may read from it. Nothing else does, also not while one of these waits: what is not durable is written, and what is
/// settled is removed, by a thread `homing-outbox`, which is there while there is something to do and ends after a second without. An
/// outbox in memory has no thread.
///
/// A child made by `fork` must not use an outbox of its parent.
///
/// Dropping an outbox writes what waits in memory, as [`flush`](Self::flush) does, and waits at most 5 s for that. A disk that takes longer
/// is left to a thread that goes on behind it and then gives the folder free; that is logged as a warning.
pub struct Outbox {
    shared: Arc<Shared>,
    writer: Option<Writer>,
}

/// What the callers' threads and the writer's have in common. Locks are taken in the order of the fields.
struct Shared {
    home: Option<Mutex<Home>>,
    learned: Mutex<Learned>,
    lines: [Line; 4],
    trouble: Mutex<Trouble>,
    troubled: AtomicBool,
    clock: Clock,
    on_news: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

impl Outbox {
    /// An outbox that keeps its reports for the life of the process. A durable submit is an error that says so.
    pub fn in_memory(limits: Limits) -> Self {
        Self::with(None, &limits, system_clock(), true)
    }

    /// An outbox that keeps its reports in this folder, which is made if it is not there; the folder it lies in has to be. Reports that an
    /// earlier process left there wait again.
    ///
    /// This does not fail. Where the folder cannot be used, the first [event](Self::poll_event) is [`OutboxEvent::NotStored`].
    pub fn open(folder: impl AsRef<Path>, limits: Limits) -> Self {
        let systems: Systems = Arc::new(|| Box::new(Real));
        Self::with(Some(Home::new(folder.as_ref(), systems)), &limits, system_clock(), true)
    }

    /// It has no folder, and nothing of it ever waits for a disk.
    pub(crate) fn is_in_memory(&self) -> bool {
        self.shared.home.is_none()
    }

    fn with(home: Option<Home>, limits: &Limits, clock: Clock, with_a_thread: bool) -> Self {
        let series = Series(random(0));
        let lines = Lane::ALL.map(|lane| Line::new(State::new(lane, limits.of(lane), series)));
        let shared = Shared {
            home: home.map(Mutex::new),
            learned: Mutex::new(Learned::new(Key(random(1), random(2)), limits.applications_known)),
            lines,
            trouble: Mutex::default(),
            troubled: AtomicBool::new(false),
            clock,
            on_news: OnceLock::new(),
        };
        let shared = Arc::new(shared);
        if shared.home.is_some() {
            // A problem is told as an event.
            let _ = shared.pass(Pass::Brief);
        } else {
            let problem = "the outbox has no folder";
            shared.lines.iter().for_each(|line| problem.clone_into(&mut line.state().group.problem));
        }
        let work = Arc::clone(&shared);
        let writer = (shared.home.is_some() && with_a_thread)
            .then(|| Writer::new(Arc::new(move || drop(work.pass(Pass::Brief)))));
        Self { shared, writer }
    }

    /// Calls this whenever a driver should look: a lane that was empty has a report, a critical report came, or an event waits.
    ///
    /// It is called on the thread that submits, or on `homing-outbox`, without a lock held. It should wake a loop and do nothing else. Only
    /// the first call of this method counts.
    pub fn on_news(&self, call: impl Fn() + Send + Sync + 'static) {
        // A second one is left out, as documented.
        let _ = self.shared.on_news.set(Box::new(call));
    }

    /// Takes a report, and returns its name.
    ///
    /// With [`Durability::Durable`] the calling thread waits until the report is on the disk. Threads that wait at the same time share one
    /// sync for each lane.
    ///
    /// # Errors
    /// After [`SubmitError::NotDurable`] the report waits in memory and will be sent; after every other error it was not taken.
    pub fn submit(&self, report: Report, durability: Durability) -> Result<ReportId, SubmitError> {
        let Report { kind, body } = report;
        let lane = kind.lane();
        let line = self.shared.line(lane);
        // What is too large is not learned.
        let learns = lane == Lane::Applications && body.len() <= line.state().most_body();
        let learned = if learns { Some(self.learn(&body)?) } else { None };
        let submitted = line.submit(self.shared.now(), (kind, &body), learned, durability);
        self.shared.unlearn(lane);
        let submitted = submitted.map_err(|refused| {
            learned.into_iter().for_each(|digest| self.shared.learned().take_back(&[digest]));
            // A full critical lane is told as an event.
            self.shared.call_news();
            match refused {
                Refused::TooLarge => {
                    SubmitError::TooLarge { bytes: body.len(), most: line.state().most_body() }
                }
                Refused::Full => SubmitError::Full { lane },
            }
        })?;
        let Submitted { series, number, problem, call, mut news } = submitted;
        if durability == Durability::Durable && self.shared.home.is_some() {
            news |= self.shared.note(Some(lane), problem.as_deref());
        }
        if news {
            self.shared.call_news();
        }
        if call {
            self.call_writer();
        }
        let id = ReportId { lane, series, number };
        problem.map_or(Ok(id), |problem| Err(SubmitError::NotDurable { id, problem }))
    }

    fn learn(&self, application: &[u8]) -> Result<u64, SubmitError> {
        let mut learned = self.shared.learned();
        if !learned.enabled {
            return Err(SubmitError::NotLearning);
        }
        learned.note(application).ok_or(SubmitError::AlreadyLearned)
    }

    /// Opens or closes the lane of applications, which is closed at first. Reports that wait are not touched.
    pub fn learn_applications(&self, enabled: bool) {
        self.shared.learned().enabled = enabled;
    }

    /// Forgets which applications were reported, because the server asks for all of them again.
    ///
    /// What was reported is kept in the folder, and written there once a minute at most. After a crash some applications may be reported
    /// once more.
    pub fn forget_applications(&self) {
        self.shared.learned().forget();
        self.call_writer();
    }

    /// Copies the oldest reports of a lane: all of one series, in a body of at most so many bytes, and one at least, whatever its size. `None`:
    /// nothing waits, or it cannot be read at the moment.
    ///
    /// The reports wait on. Until something is settled or dropped, the next batch begins with the same report.
    pub fn take(&self, lane: Lane, at_most_bytes: usize) -> Option<Batch> {
        let batch = self.shared.line(lane).take(self.shared.now(), at_most_bytes);
        let mut state = self.shared.line(lane).state();
        let work = state.has_work() && !std::mem::replace(&mut state.group.called, true);
        let news = !state.events.is_empty();
        drop(state);
        self.shared.unlearn(lane);
        self.after_removal(work, news);
        batch
    }

    /// Settles the reports of a batch up to this number, which a server has acknowledged. Returns how many waited until now.
    ///
    /// A number that is not of the batch, from its first to its last, settles nothing.
    pub fn settle(&self, batch: &Batch, up_to: u64) -> u64 {
        if !(batch.first()..=batch.last()).contains(&up_to) {
            return 0;
        }
        let mut state = self.shared.line(batch.lane()).state();
        let settled = state.settle(batch, up_to);
        // It may have relieved the lane.
        let news = !state.events.is_empty();
        drop(state);
        self.shared.unlearn(batch.lane());
        self.after_removal(settled > 0, news);
        settled
    }

    /// Says what to do after a server refused this batch as too large, and drops the report if that is what to do.
    pub fn too_large(&self, batch: &Batch) -> TooLarge {
        if batch.len() > 1 {
            return TooLarge::Smaller { at_most_bytes: batch.body().len() / 2 };
        }
        let Some(report) = batch.reports().next() else { return TooLarge::ServerIsWrong };
        let (id, bytes) = (report.id, report.body.len());
        if bytes <= NEVER_TOO_LARGE {
            return TooLarge::ServerIsWrong;
        }
        let mut state = self.shared.line(batch.lane()).state();
        if state.drop_too_large(id.series, id.number) {
            state.events.push(OutboxEvent::TooLarge { id, bytes });
        }
        drop(state);
        self.shared.unlearn(batch.lane());
        self.after_removal(true, true);
        TooLarge::Dropped { id }
    }

    /// Says that a server has answered, and does not take this batch: for another reason than its size, or a size that cannot be
    /// smaller. What waits is taken again.
    ///
    /// A report that is refused alone 12 times in a row may be at fault itself. When [`take`](Self::take) is called within 10 s after such
    /// a refusal, the batch begins with the report behind it. If the server takes that, the first one is dropped, counted and told
    /// as [`OutboxEvent::NotTaken`]; if not, it is the server, and all of them wait on.
    ///
    /// A connection that breaks says nothing about a report and is not told here.
    pub fn refused(&self, batch: &Batch) {
        self.shared.line(batch.lane()).state().refused(batch, self.shared.now());
    }

    fn after_removal(&self, removed: bool, news: bool) {
        if news {
            self.shared.call_news();
        }
        if removed {
            self.call_writer();
        }
    }

    /// How much waits in a lane. Drops what is too old, and has the thread try a folder again that could not be used.
    pub fn backlog(&self, lane: Lane) -> Backlog {
        let LaneAccount { waiting, waiting_bytes, .. } = self.look(lane);
        Backlog { reports: waiting, bytes: waiting_bytes }
    }

    /// What became of the reports of a lane since this outbox was made. Drops what is too old, as [`backlog`](Self::backlog) does.
    pub fn account(&self, lane: Lane) -> LaneAccount {
        self.look(lane)
    }

    /// When [`tend`](Self::tend) should be called: a folder that could not be used is tried again then. `None`: it can be used, or
    /// there is none.
    ///
    /// A report after [`SubmitError::NotDurable`] waits in memory until the folder is tried again: at the next submit or look at a lane,
    /// 30 s after the last try at the earliest. A driver with a timer lets it wait no longer than that.
    pub fn next_tending(&self) -> Option<Duration> {
        if !self.shared.troubled.load(Ordering::Relaxed) {
            return None;
        }
        let now = self.shared.now().boot;
        let due = |line: &Line| Some(line.state().group.retry_at).filter(|&at| at != 0);
        let next = self.shared.lines.iter().filter_map(due).min()?;
        Some(Duration::from_secs(next.saturating_sub(now)))
    }

    /// Drops what is too old in each lane, and has the thread try a folder again, if it is time for that. Returns at once.
    pub fn tend(&self) {
        for lane in Lane::ALL {
            self.look(lane);
        }
    }

    /// How much waits in each lane, as [`backlog`](Self::backlog) says it, and whether an event waits.
    pub(crate) fn backlogs(&self) -> ([Backlog; 4], bool) {
        let backlogs = Lane::ALL.map(|lane| self.backlog(lane));
        let told = |line: &Line| !line.state().events.is_empty();
        (backlogs, self.shared.lines.iter().any(told) || !self.shared.trouble().events.is_empty())
    }

    fn look(&self, lane: Lane) -> LaneAccount {
        let mut state = self.shared.line(lane).state();
        if state.account.waiting == 0 && state.group.retry_at == 0 {
            // Nothing grows old, and nothing is to be tried again.
            return state.account;
        }
        let now = self.shared.now();
        state.drop_aged(now);
        let group = &mut state.group;
        let call =
            group.retry_at != 0 && now.boot >= group.retry_at && !std::mem::replace(&mut group.called, true);
        let account = state.account;
        drop(state);
        self.shared.unlearn(lane);
        if call {
            self.call_writer();
        }
        account
    }

    /// The next thing the product should know; at most 64 wait for each lane, and of more the oldest are left out.
    pub fn poll_event(&self) -> Option<OutboxEvent> {
        let of_the_folder = self.shared.trouble().events.pop();
        of_the_folder.or_else(|| self.shared.lines.iter().find_map(|line| line.state().events.pop()))
    }

    /// Writes all that waits in memory to the disk, and waits for that.
    ///
    /// # Errors
    /// What is the matter with the folder. An outbox without one has nothing to write.
    pub fn flush(&self) -> Result<(), String> {
        self.shared.pass(Pass::Thorough)
    }

    /// Writes what waits in memory, and waits for that at most so long. Whether it has ended.
    fn close(&mut self, within: Duration) -> bool {
        // What cannot be written now is lost with the process.
        let shared = Arc::clone(&self.shared);
        let last: Work = Arc::new(move || drop(shared.pass(Pass::Thorough)));
        let Some(writer) = self.writer.take() else {
            last();
            return true;
        };
        let ended = writer.close(last, within);
        if !ended {
            logging::record!(
                Warn,
                "the disk holds up the outbox, which ends without it: what was not submitted durably may not be on the disk"
            );
        }
        ended
    }

    fn call_writer(&self) {
        let Some(writer) = &self.writer else { return };
        if !writer.call() {
            // The next report tries again.
            self.shared.lines.iter().for_each(|line| line.state().group.called = false);
        }
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.close(HELD_UP);
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let accounts = Lane::ALL.map(|lane| (lane, self.account(lane)));
        f.debug_map().entries(accounts).finish()
    }
}

impl Shared {
    fn line(&self, lane: Lane) -> &Line {
        &self.lines[lane as usize]
    }

    fn now(&self) -> Now {
        (self.clock)()
    }

    fn learned(&self) -> MutexGuard<'_, Learned> {
        self.learned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An application that no server will get may be reported again.
    fn unlearn(&self, lane: Lane) {
        if lane == Lane::Applications {
            let digests = std::mem::take(&mut self.line(lane).state().unlearned);
            self.learned().take_back(&digests);
        }
    }

    fn trouble(&self) -> MutexGuard<'_, Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn call_news(&self) {
        if let Some(call) = self.on_news.get() {
            call();
        }
    }

    /// One pass over the folder.
    fn pass(&self, pass: Pass) -> Result<(), String> {
        let Some(home) = &self.home else { return Ok(()) };
        let mut events = Vec::new();
        let mut home = home.lock().unwrap_or_else(PoisonError::into_inner);
        let result = home.pass((&self.lines, &self.learned), self.now(), pass, &mut events);
        drop(home);
        self.unlearn(Lane::Applications);
        let mut news = !events.is_empty() || self.lines.iter().any(|line| !line.state().events.is_empty());
        events.into_iter().for_each(|event| self.trouble().events.push(event));
        news |= self.note(None, result.as_ref().err().map(String::as_str));
        if news {
            self.call_news();
        }
        result
    }

    /// Notes how the folder did; `lane`: for one lane, else for all. Whether there is something new to tell.
    fn note(&self, lane: Option<Lane>, problem: Option<&str>) -> bool {
        if problem.is_none() && !self.troubled.load(Ordering::Relaxed) {
            return false;
        }
        let mut trouble = self.trouble();
        let news = trouble.note(lane, problem);
        self.troubled.store(trouble.is_there(), Ordering::Relaxed);
        news
    }
}
