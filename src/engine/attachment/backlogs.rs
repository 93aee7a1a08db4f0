//! What waits in the outbox of the driver, and when it may leave: levels and instants, and no report.
//!
//! After a delivered heartbeat each lane has a turn: what waits by then is uploaded, until an upload fails. Critical reports
//! need no heartbeat where the settings say so: the first of a burst leaves at once, those that follow leave together. What
//! has gathered in an outage is caught up with at a pace, so that a fleet does not crush the server that has just come back;
//! critical reports are exempt.

use crate::engine::context::Context;
use crate::engine::tuning::schedule::Tuning;
use crate::types::{Backlog, Lane, Moment};

/// Bytes of a first batch: it comes over a slow line within the limit of an exchange.
const FIRST_BATCH: u32 = 64 * 1024;

/// Batches grow up to this. What is lost of a larger one costs more than its head saves.
const LARGEST_BATCH: u32 = 1024 * 1024;

/// So many batches of the first size are sent without a pause.
const UNPACED: u32 = 4;

/// After so many critical batches another lane that is due has one.
const IN_A_ROW: u8 = 8;

/// See the module.
#[derive(Debug)]
pub(super) struct Backlogs {
    lanes: [Level; 4],
    switches: Switches,
    /// Critical reports leave then, at the earliest.
    critical_at: Moment,
    /// All others.
    others_at: Moment,
    /// Until then the link is kept for more critical reports.
    link_until: Option<Moment>,
    /// Until then the pace is used up by what was sent.
    paid_until: Moment,
    /// No search begins for a critical report before.
    search_at: Moment,
    /// Uploads of critical reports that failed in a row.
    failures: u8,
    /// Critical batches since another lane had one.
    in_a_row: u8,
    /// The server takes no critical reports; it is asked again after the next heartbeat.
    takes_none: bool,
}

/// What the settings in force say of reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Switches {
    /// Critical reports wait for no heartbeat.
    pub(super) critical_at_once: bool,
    /// Applications are learned.
    pub(super) learns: bool,
}

#[derive(Clone, Copy, Debug)]
struct Level {
    backlog: Backlog,
    /// Bytes of the next batch.
    at_most: u32,
    /// How many reports are to be sent in this turn.
    turn: u64,
    /// A lone report was refused, and the lane has another try in this turn.
    tries_again: bool,
}

/// What keeps logs and learned applications from their turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    Nothing,
    /// Documents are read first.
    Documents,
}

impl Backlogs {
    pub(super) fn new(now: Moment, switches: Switches) -> Self {
        let level = Level { backlog: Backlog::default(), at_most: FIRST_BATCH, turn: 0, tries_again: false };
        let (critical_at, others_at, paid_until, search_at) = (now, now, now, now);
        Self {
            lanes: [level; 4],
            switches,
            critical_at,
            others_at,
            link_until: None,
            paid_until,
            search_at,
            failures: 0,
            in_a_row: 0,
            takes_none: false,
        }
    }

    // --- getters ---

    pub(super) fn waiting(&self, lane: Lane) -> u64 {
        self.level(lane).backlog.reports
    }

    pub(super) fn at_most(&self, lane: Lane) -> u32 {
        self.level(lane).at_most
    }

    /// The lane to upload next, and from when on: the earliest, and of those that are due the first.
    pub(super) fn next(&self, now: Moment, before: Before) -> Option<(Lane, Moment)> {
        let due = |lane: Lane| {
            let at = if lane == Lane::Critical { self.critical_at } else { self.others_at };
            (lane, at.max(now))
        };
        let has_turn = |lane: &Lane| {
            let level = self.level(*lane);
            let is_open = match lane {
                Lane::Critical => level.turn > 0 || (self.switches.critical_at_once && !self.takes_none),
                Lane::Status => level.turn > 0,
                Lane::Log => level.turn > 0 && before == Before::Nothing,
                Lane::Applications => level.turn > 0 && before == Before::Nothing && self.switches.learns,
            };
            is_open && level.backlog.reports > 0
        };
        let next = || Lane::ALL.into_iter().filter(has_turn).map(due);
        let other = || next().find(|(lane, at)| *lane != Lane::Critical && *at <= now);
        if self.in_a_row >= IN_A_ROW { other() } else { None }.or_else(|| next().min_by_key(|(_, at)| *at))
    }

    /// Until when the link is kept for more critical reports.
    pub(super) fn keeps_link_until(&self) -> Option<Moment> {
        self.link_until
    }

    /// From when on a search may begin because a critical report waits.
    pub(super) fn search_at(&self) -> Option<Moment> {
        (self.switches.critical_at_once && self.waiting(Lane::Critical) > 0).then_some(self.search_at)
    }

    // --- commands ---

    /// So much waits now.
    pub(super) fn set(&mut self, lane: Lane, backlog: Backlog) {
        self.level_mut(lane).backlog = backlog;
    }

    pub(super) fn switch(&mut self, switches: Switches) {
        self.switches = switches;
    }

    /// A heartbeat was delivered: what waits now has its turn.
    pub(super) fn delivered(&mut self) {
        self.takes_none = false;
        for level in &mut self.lanes {
            level.turn = level.backlog.reports;
        }
    }

    /// The agent has attached, perhaps with many others: what needs more than one batch waits for a moment of its own. What another
    /// server has asked for is over.
    pub(super) fn attached(&mut self, cx: &mut Context<'_>) {
        self.others_at = cx.now.max(self.unpaced_at(&cx.tuning.schedule));
        self.takes_none = false;
        let has_gathered = |level: &Level| level.backlog.bytes > u64::from(FIRST_BATCH);
        if self.lanes.iter().skip(1).any(has_gathered) {
            let wait = cx.rng.up_to(cx.tuning.schedule.upload_spread);
            self.others_at = self.others_at.max(cx.now + wait);
        }
        (self.critical_at, self.failures) = (cx.now, 0);
    }

    /// The next batch of this lane leaves.
    pub(super) fn begun(&mut self, lane: Lane, now: Moment, tuning: &Tuning) {
        let level = self.level(lane);
        let (waiting, at_most) = (level.backlog.bytes, level.at_most.into());
        self.in_a_row = if lane == Lane::Critical { self.in_a_row.saturating_add(1) } else { 0 };
        if lane == Lane::Critical {
            // What comes after all that waits leaves together.
            self.critical_at = if waiting > at_most { now } else { now + tuning.upload_gap };
            self.link_until = Some(now + tuning.upload_linger);
            return;
        }
        let batches = waiting.min(at_most).div_ceil(FIRST_BATCH.into());
        let price = tuning.upload_pace.saturating_mul(u32::try_from(batches).unwrap_or(u32::MAX));
        self.paid_until = self.paid_until.max(now) + price;
        self.others_at = self.others_at.max(self.unpaced_at(tuning));
    }

    /// The server has taken so many reports of a batch, and has left others. It is given no more than it takes, and not at once.
    pub(super) fn acknowledged(&mut self, cx: &Context<'_>, lane: Lane, reports: u64, left: u64) {
        if lane == Lane::Critical {
            self.failures = 0;
        }
        let level = self.level_mut(lane);
        level.turn = level.turn.saturating_sub(reports);
        level.tries_again = false;
        if left == 0 {
            let growth = if level.at_most < FIRST_BATCH { 4 } else { 2 };
            level.at_most = level.at_most.saturating_mul(growth).min(LARGEST_BATCH);
            return;
        }
        let taken =
            u128::from(level.at_most) * u128::from(reports) / u128::from(reports.saturating_add(left));
        level.at_most = u32::try_from(taken).unwrap_or(LARGEST_BATCH).max(1);
        self.wait(lane, cx.now + cx.tuning.schedule.upload_gap);
    }

    /// The batch was too large, for the server or for the line, or something in it is not to the server's taste.
    pub(super) fn halve(&mut self, lane: Lane) {
        let level = self.level_mut(lane);
        let bytes = u32::try_from(level.backlog.bytes).unwrap_or(u32::MAX);
        level.at_most = (level.at_most.min(bytes) / 2).max(1);
    }

    /// The server does not take this lane now, and its turn is over. Critical reports that wait for no heartbeat try again
    /// at growing distances. Whether it failed for the first time in a row.
    pub(super) fn failed(&mut self, cx: &mut Context<'_>, lane: Lane) -> bool {
        let level = self.level_mut(lane);
        (level.turn, level.tries_again) = (0, false);
        if lane != Lane::Critical {
            return false;
        }
        let mean = cx.tuning.schedule.upload_gap * (1 << self.failures.min(8));
        self.critical_at = cx.now + cx.rng.around(mean.min(cx.tuning.attachment.ceiling), 100, 150);
        self.failures = self.failures.saturating_add(1);
        self.failures == 1
    }

    /// A batch was refused. Whether the lane is sent again at once, because that was a report alone: whether it is the report or
    /// the server that is wrong, the outbox finds out with the one behind it, and without the time in which a server may become well.
    pub(super) fn refused(&mut self, lane: Lane, now: Moment) -> bool {
        let level = self.level_mut(lane);
        let tries_again = level.at_most <= 1 && !level.tries_again;
        level.tries_again = tries_again;
        if tries_again {
            self.retry(lane, now);
        }
        tries_again
    }

    /// The server takes nothing of this lane, until the next heartbeat at least.
    pub(super) fn declined(&mut self, lane: Lane) {
        self.level_mut(lane).turn = 0;
        self.takes_none |= lane == Lane::Critical;
    }

    /// This lane is sent again at once.
    pub(super) fn retry(&mut self, lane: Lane, now: Moment) {
        *self.leaves_at(lane) = now;
    }

    /// This lane is not sent before.
    pub(super) fn wait(&mut self, lane: Lane, until: Moment) {
        let at = self.leaves_at(lane);
        *at = until.max(*at);
    }

    /// A search begins for a critical report.
    pub(super) fn searched(&mut self, now: Moment, tuning: &Tuning) {
        self.search_at = now + tuning.upload_search;
    }

    /// Before that the pace is used up.
    fn unpaced_at(&self, tuning: &Tuning) -> Moment {
        self.paid_until - tuning.upload_pace * UNPACED
    }

    fn leaves_at(&mut self, lane: Lane) -> &mut Moment {
        if lane == Lane::Critical { &mut self.critical_at } else { &mut self.others_at }
    }

    fn level(&self, lane: Lane) -> &Level {
        let [critical, status, log, applications] = &self.lanes;
        match lane {
            Lane::Critical => critical,
            Lane::Status => status,
            Lane::Log => log,
            Lane::Applications => applications,
        }
    }

    fn level_mut(&mut self, lane: Lane) -> &mut Level {
        let [critical, status, log, applications] = &mut self.lanes;
        match lane {
            Lane::Critical => critical,
            Lane::Status => status,
            Lane::Log => log,
            Lane::Applications => applications,
        }
    }
}
