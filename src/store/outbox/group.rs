//! One lane with its lock, and how its reports get to the disk: many with one sync.
//!
//! A thread that needs its report on the disk, and finds no other one writing, becomes the leader: it takes everything that waits to
//! be written, writes and syncs it without holding the lock, and wakes the others. What was submitted meanwhile is the next
//! leader's.
//!
//! A file that could not be written or synced is not touched again, because after a failed sync nobody knows what is in it. Its synced part
//! stays, and the rest is written once more into a new file. Only what a sync has returned well for is called durable.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::batch::Batch;
use super::file::{self, HEADER};
use super::lane::{Collected, Refused, State};
use super::pen::{Failed, Job, Pen};
use super::segment_name::SegmentName;
use super::shelf::Shelves;
use super::time::Now;
use crate::types::{Durability, Lane, ReportKind, Series};

/// As many segments as one leader writes before another one gets a turn; they are copied meanwhile.
const MOST_JOBS: usize = 4;

/// See the module.
pub(super) struct Line {
    state: Mutex<State>,
    flushed: Condvar,
    /// Held by the one thread that takes a batch, before and while it has no lock on the state.
    taking: Mutex<()>,
}

/// What became of a submit.
pub(super) struct Submitted {
    pub(super) series: Series,
    pub(super) number: u64,
    /// What is wrong, where it should be on the disk and is not.
    pub(super) problem: Option<String>,
    /// The writer should be called.
    pub(super) call: bool,
    /// Nothing waited before, or there is something to tell.
    pub(super) news: bool,
}

impl Line {
    pub(super) fn new(state: State) -> Self {
        Self { state: Mutex::new(state), flushed: Condvar::new(), taking: Mutex::new(()) }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a report, and forces it to the disk if that is wanted.
    pub(super) fn submit(
        &self,
        now: Now,
        (kind, body): (ReportKind, &[u8]),
        digest: Option<u64>,
        durability: Durability,
    ) -> Result<Submitted, Refused> {
        let mut state = self.state();
        let was_empty = state.account.waiting == 0;
        let taken = state.append(now, (kind, body), digest);
        let news = was_empty || state.lane() == Lane::Critical;
        let (series, number) = (state.series(), taken?);
        let problem = match durability {
            Durability::Durable => {
                let (after, problem) = self.until_safe(state, now, number);
                state = after;
                problem
            }
            Durability::Buffered => None,
        };
        // A try to write may have found something to tell.
        let news = news || !state.events.is_empty();
        let waits = durability == Durability::Buffered || problem.is_some();
        let call = waits && !state.group.called && now.boot >= state.group.retry_at;
        state.group.called |= call;
        Ok(Submitted { series, number, problem, call, news })
    }

    /// The oldest reports of one series. Others may submit, settle and look while it reads.
    pub(super) fn take(&self, now: Now, at_most: usize) -> Option<Batch> {
        let _alone = self.taking.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = self.state();
        state.drop_aged(now);
        // What cannot be read now holds back what is behind it in its series, because a server may take lower numbers for known
        // once it has seen higher ones. It holds back no other series.
        let mut held = Vec::new();
        while let Some(series) = state.first_series(&held) {
            let mut reading = state.plan(series, at_most, now);
            let shelf = state.shelves.as_ref().map(Shelves::shelf);
            drop(state);
            let failed = reading.read(shelf);
            state = self.state();
            match state.collect(&mut reading, failed, now) {
                Collected::Batch(batch) => return Some(batch),
                Collected::Again => {}
                Collected::Held => held.push(series),
            }
        }
        None
    }

    /// Waits until this report is on the disk. What is wrong, if that is not to be.
    fn until_safe<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        now: Now,
        number: u64,
    ) -> (MutexGuard<'a, State>, Option<String>) {
        loop {
            let group = &state.group;
            if number <= group.synced_to || state.is_done_with(number) {
                return (state, None);
            }
            let failed = number <= group.failed_to;
            if !group.attached {
                state.look_again(now);
            }
            if failed || !state.group.attached {
                let problem = state.group.problem.clone();
                return (state, Some(problem));
            }
            state = match state.pen.take() {
                Some(pen) => self.flush(state, pen, now),
                None => self.wait(state),
            };
        }
    }

    /// Waits for the end of a leader's turn.
    fn wait<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        state.group.waiters += 1;
        state = self.flushed.wait(state).unwrap_or_else(PoisonError::into_inner);
        state.group.waiters -= 1;
        state
    }

    /// Tells the others that a turn has ended. Where there are none that would be a call to the system for nothing.
    fn wake(&self, state: &State) {
        if state.group.waiters > 0 {
            self.flushed.notify_all();
        }
    }

    /// Writes and syncs all that waits to be. `Err`: what is wrong.
    pub(super) fn flush_all(&self, now: Now) -> Result<(), String> {
        let mut state = self.state();
        state.group.called = false;
        // Tried again, although it failed before.
        state.group.failed_to = 0;
        // A file may be gone though nothing is to be written to it.
        state.look_again(now);
        state.group.behind = false;
        let target = state.next - 1;
        let (state, problem) = self.until_safe(state, now, target);
        drop(state);
        problem.map_or(Ok(()), Err)
    }

    /// One turn of a leader.
    fn flush<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        mut pen: Pen,
        now: Now,
    ) -> MutexGuard<'a, State> {
        // Once more in a new file, if the present one fails.
        for last_try in [false, true] {
            let (jobs, target) = state.jobs(&pen);
            drop(state);
            let (done, result) = pen.carry_out(&jobs, now);
            state = self.state();
            state.carried_out(&jobs, done, &pen);
            match result {
                Ok(()) => {
                    state.group.synced_to = state.group.synced_to.max(target);
                    break;
                }
                Err(Failed::File(_)) if !last_try => {}
                Err(failed) => {
                    let ends = last_try || !matches!(failed, Failed::Removed(..));
                    state.has_failed(failed);
                    if ends {
                        state.group.failed_to = target;
                    }
                    if state.is_detached() {
                        self.wake(&state);
                        return state;
                    }
                    if ends {
                        break;
                    }
                }
            }
        }
        state.pen = Some(pen);
        state.bury();
        self.wake(&state);
        state
    }
}

impl State {
    /// What is to be written, and up to which report that makes everything safe.
    fn jobs(&mut self, pen: &Pen) -> (Vec<Job>, u64) {
        let open = pen.open.as_ref().map(|(segment, _)| *segment);
        // What has a file that is not open any more goes on in a new one.
        let mut index = 0;
        while index < self.segments().len() {
            let segment = &self.segments()[index];
            if segment.disk.is_some() && Some(segment.id) != open && !segment.tail.is_empty() {
                self.split(index);
            }
            index += 1;
        }
        let (lane, mut target) = (self.lane(), self.next - 1);
        let (opening, mut count) = (self.group.opening, self.group.count);
        let mut jobs = Vec::new();
        for segment in self.segments().iter_mut() {
            if segment.tail.is_empty() || segment.is_spent() {
                continue;
            }
            if jobs.len() == MOST_JOBS {
                // Another turn's.
                target = segment.first().saturating_sub(1);
                break;
            }
            segment.in_flight = true;
            let job = |name, create, bytes| Job { segment: segment.id, name, create, bytes };
            jobs.push(match &segment.disk {
                Some(disk) => job(disk.name, false, segment.tail.clone()),
                None => {
                    count += 1;
                    let series = segment.series;
                    let name = SegmentName { lane, opening, series, count };
                    let mut bytes = Vec::with_capacity(HEADER + segment.tail.len());
                    bytes.extend_from_slice(&file::header(series, segment.first()));
                    bytes.extend_from_slice(&segment.tail);
                    job(name, true, bytes)
                }
            });
        }
        self.group.count = count;
        (jobs, target)
    }

    /// Looks at the folder, and at the file that is open in it, once in a second.
    pub(super) fn look_again(&mut self, now: Now) {
        match self.pen.as_mut().and_then(|pen| pen.look_again(now)) {
            Some(Ok(())) => self.resume(),
            Some(Err(Failed::Removed(segment, file))) => {
                self.resume();
                self.take_back(segment, file);
            }
            Some(Err(failed)) => self.has_failed(failed),
            None => {}
        }
    }

    fn has_failed(&mut self, failed: Failed) {
        match failed {
            Failed::Gone(error) => self.detach(&error.to_string()),
            Failed::Refused(error) => self.suspend(&error.to_string()),
            Failed::Removed(segment, file) => self.take_back(segment, file),
            Failed::File(error) => self.group.problem = error.to_string(),
        }
    }

    /// Notes what of the jobs is done; the others are given up.
    fn carried_out(&mut self, jobs: &[Job], done: usize, pen: &Pen) {
        for (position, job) in jobs.iter().enumerate() {
            let Some(segment) = self.segments().iter_mut().find(|segment| segment.id == job.segment) else {
                continue;
            };
            segment.in_flight = false;
            if position < done {
                segment.synced(job.name, HEADER as u64, job.data());
            }
        }
        self.group.open = pen.open.as_ref().map(|(segment, _)| *segment);
    }
}
