//! Do the new settings work? Until one exchange through them did, the old ones are kept.
//!
//! ```text
//!            Try               stored                   an exchange through it        stored
//! (settled) ─────► Storing ────────────► Trying ──────────────────────────────► Accepted ─────► (settled)
//!                                          │  the old ones answer, and it did not
//!                                          └────────────────────────────────────► (settled, rejected)
//! ```
//! The settings on trial are the *candidate*; those that worked last are the *known good* ones. The first settings of an
//! agent have no predecessor and are never taken back: while they have not worked, others simply replace them.
//!
//! Nothing of a candidate is used before its name is stored, and the known good ones are let go when it is stored that they
//! were replaced: whenever the process dies, the next life knows both.
//!
//! While the agent is attached through the known good settings the candidate is in force, and its servers are tried beside the
//! server in use, which stays until one of them has answered. Without a server a search through the candidate is followed at
//! once by one through the known good settings, and so on at the cadence of any outage.
//!
//! The candidate is rejected by evidence alone: the known good settings answer, all the time of a *budget*, and answer once more
//! at its end, while no search through the candidate found a server. An outage of both, a sleep, or a missing network is no
//! such evidence: that time does not count, and after it the budget begins anew.

mod report;

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use siphasher::sip::SipHasher13;

use super::event::span;
use super::fact::Fact;
use super::memory::{SettingsMemory, SettingsName};
use super::tuning::trial::Tuning;
use crate::types::{Moment, SettingsId, Span};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Trial {
    /// `None` where nothing has a name.
    names: Option<Box<Names>>,
    /// An exchange through the settings in force has worked, or through the known good ones while a candidate is on trial.
    is_proved: bool,
    candidate: Option<Box<Candidate>>,
    memorable: bool,
}

/// What is remembered beside the candidate. It changes in [`Trial::change_names`] only.
#[derive(Debug, Default)]
struct Names {
    /// What the program gave at the start, or later.
    given: Option<Arc<str>>,
    /// The settings in force, or the known good ones while a candidate is on trial.
    known_good: Option<SettingsName>,
    /// The highest serial number of settings that worked.
    serial: Option<u64>,
    rejected: Option<SettingsName>,
    /// Stands for all of these in the digest of the memory.
    number: u64,
}

#[derive(Debug)]
struct Candidate {
    id: SettingsId,
    name: Option<SettingsName>,
    /// The known good ones.
    before: SettingsId,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Its name waits to be stored; with a version it is on its way.
    Storing {
        version: Option<u64>,
        spent: Duration,
        searches: u8,
    },
    Trying(Trying),
    /// It has worked. That is on its way to the store when there is a version.
    Accepted {
        version: Option<u64>,
    },
}

#[derive(Debug)]
struct Trying {
    turn: Turn,
    /// How much of the budget is spent, counted up to this moment.
    spent: Duration,
    counted: Moment,
    /// Searches through the candidate that found no server.
    searches: u8,
    /// The known good settings answered last, and nothing since says otherwise.
    answers: bool,
    /// A search through the candidate found no server since they answer.
    tried_since: bool,
    /// The budget is spent, and the known good settings are asked once more.
    asked: bool,
    /// What was decided and not yet done.
    next: Option<Step>,
}

/// Through which settings the agent looks for a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Candidate,
    KnownGood,
}

/// What the engine has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The candidate comes into force.
    Begin,
    /// A search through it found no server: one through the known good settings follows at once.
    FallBack,
    /// The candidate is next, when the next search is due anyway.
    Return,
    /// The known good settings are asked whether they still answer.
    Ask,
    /// The candidate stays in force.
    Accept,
    /// The known good settings come back.
    Reject { searches: u8, spent: Span },
}

impl Trial {
    /// For settings of this name, of which an earlier life may have known something.
    pub(super) fn new(
        name: Option<SettingsName>,
        given: Option<Arc<str>>,
        remembered: Option<&SettingsMemory>,
    ) -> Self {
        let remembered = remembered.filter(|_| name.is_some());
        let known = remembered.and_then(|memory| memory.in_force.as_ref());
        let known = known.filter(|known| name.as_ref().is_some_and(|name| name.digest == known.digest));
        let mut trial = Self { is_proved: known.is_some(), ..Self::default() };
        let known_good = known.cloned().or(name);
        if known_good.is_some() || given.is_some() {
            trial.change_names(|names| {
                *names = Names {
                    given,
                    known_good,
                    serial: remembered.and_then(|memory| memory.serial),
                    rejected: remembered.and_then(|memory| memory.rejected.clone()),
                    number: 0,
                }
            });
        }
        trial
    }

    // --- getters ---

    /// Which settings the agent has: those on trial, or those in force.
    pub(super) fn tag(&self) -> Option<&Arc<str>> {
        let candidate = self.candidate.as_ref().and_then(|candidate| candidate.name.as_ref());
        let name = candidate.or(self.rejected()).or(self.known_good());
        name?.tag.as_ref()
    }

    /// Whether settings that come now have a predecessor that works.
    pub(super) fn has_known_good(&self) -> bool {
        self.is_proved
    }

    /// Whether these are the settings the agent has already.
    pub(super) fn has(&self, name: &SettingsName) -> bool {
        let candidate = self.candidate.as_ref().and_then(|candidate| candidate.name.as_ref());
        candidate.or(self.known_good()).is_some_and(|known| known.digest == name.digest)
    }

    /// Which settings those are that the agent [has](Self::has), where these are in force.
    pub(super) fn had(&self, in_force: SettingsId) -> SettingsId {
        match &self.candidate {
            Some(candidate) if candidate.name.is_some() => candidate.id,
            Some(candidate) => candidate.before,
            None => in_force,
        }
    }

    /// Whether these were rejected, and no server has named them anew since.
    pub(super) fn has_rejected(&self, name: &SettingsName) -> bool {
        self.rejected().is_some_and(|known| known.digest == name.digest && known.tag == name.tag)
    }

    pub(super) fn candidate(&self) -> Option<SettingsId> {
        self.candidate.as_ref().map(|candidate| candidate.id)
    }

    pub(super) fn candidate_name(&self) -> Option<&SettingsName> {
        self.candidate.as_ref()?.name.as_ref()
    }

    /// Whether settings are in force, or about to be, that have not worked yet though others before them did.
    pub(super) fn is_on_trial(&self) -> bool {
        self.trying().is_some()
    }

    /// Whether a candidate is there that has not been accepted.
    pub(super) fn is_undecided(&self) -> bool {
        let accepted = |candidate: &Candidate| matches!(candidate.stage, Stage::Accepted { .. });
        self.candidate.as_ref().is_some_and(|candidate| !accepted(candidate))
    }

    /// When the budget is looked at.
    pub(super) fn deadline(&self, tuning: &Tuning) -> Option<Moment> {
        let trying = self.trying()?;
        if trying.next.is_some() {
            return Some(trying.counted);
        }
        if !trying.answers || trying.asked {
            return None;
        }
        let budget = if trying.searches >= SEARCHES { tuning.budget_least } else { tuning.budget_most };
        let left = budget.saturating_sub(trying.spent);
        // What is spent and waits for a search is looked at when the search is over.
        (!left.is_zero()).then(|| trying.counted + left.min(tuning.budget_step))
    }

    pub(super) fn take_memorable(&mut self) -> bool {
        std::mem::take(&mut self.memorable)
    }

    // --- commands ---

    /// The program has settings of this name from now on, whatever becomes of them.
    pub(super) fn gives(&mut self, name: Option<&SettingsName>) {
        if let Some(name) = name {
            self.change_names(|names| names.given = Some(name.digest.clone()));
            self.memorable = true;
        }
    }

    /// Other settings came into force without a trial.
    pub(super) fn replaced(&mut self, name: Option<SettingsName>) {
        if self.names.is_some() || name.is_some() {
            self.change_names(|names| (names.known_good, names.rejected) = (name, None));
        }
        (self.candidate, self.is_proved, self.memorable) = (None, false, true);
    }

    /// Settings wait to be tried. What an earlier life has spent of their budget is spent.
    pub(super) fn offer(
        &mut self,
        now: Moment,
        id: SettingsId,
        before: SettingsId,
        name: Option<SettingsName>,
        remembered: Option<&SettingsMemory>,
    ) {
        let known = remembered.and_then(|memory| memory.candidate.as_ref());
        let known = known.filter(|known| name.as_ref().is_some_and(|name| name.digest == known.name.digest));
        let (spent, searches) = known.map_or((Duration::ZERO, 0), |known| (known.spent.0, known.searches));
        // Without a name there is nothing to store; and what is stored already is not stored again.
        let stage = if name.is_none() || known.is_some() {
            Stage::Trying(Trying::new(now, spent, searches))
        } else {
            Stage::Storing { version: None, spent, searches }
        };
        self.candidate = Some(Box::new(Candidate { id, name, before, stage }));
        self.memorable = true;
    }

    /// The candidate makes way for a later one, or for settings that are not tried.
    pub(super) fn drop_candidate(&mut self) {
        self.memorable |= self.candidate.take().is_some();
    }

    /// The same settings go by another id from now on: their files were read again.
    pub(super) fn renamed(&mut self, old: SettingsId, new: SettingsId) {
        if let Some(candidate) = &mut self.candidate {
            for id in [&mut candidate.id, &mut candidate.before] {
                if *id == old {
                    *id = new;
                }
            }
        }
    }

    /// This is the version of the memory that has the newest of it.
    pub(super) fn is_stored_as(&mut self, newest: u64) {
        if let Some(candidate) = &mut self.candidate
            && let Stage::Storing { version: version @ None, .. }
            | Stage::Accepted { version: version @ None } = &mut candidate.stage
        {
            *version = Some(newest);
        }
    }

    /// This version of the memory is stored, or cannot be. Whether the known good settings may be let go.
    pub(super) fn stored(&mut self, now: Moment, stored: u64) -> bool {
        let Some(candidate) = &mut self.candidate else { return false };
        match &candidate.stage {
            Stage::Storing { version: Some(version), spent, searches } if *version <= stored => {
                candidate.stage = Stage::Trying(Trying::new(now, *spent, *searches));
                false
            }
            Stage::Accepted { version: Some(version) } if *version <= stored => {
                self.candidate = None;
                true
            }
            Stage::Storing { .. } | Stage::Accepted { .. } | Stage::Trying(_) => false,
        }
    }

    /// What is to be done next, once.
    pub(super) fn take_step(&mut self) -> Option<Step> {
        self.trying_mut()?.next.take()
    }

    /// The candidate comes into force. `attached`: to a server that the known good settings led to.
    pub(super) fn begin(&mut self, attached: bool) {
        if let Some(trying) = self.trying_mut() {
            trying.answers = attached;
        }
    }

    /// The candidate has worked. Whether the known good settings may be let go at once: there is nothing to store.
    pub(super) fn accept(&mut self) -> bool {
        let Some(candidate) = &mut self.candidate else { return true };
        candidate.stage = Stage::Accepted { version: None };
        let name = candidate.name.clone();
        let has_no_name = name.is_none();
        if has_no_name {
            self.candidate = None;
        }
        self.change_names(|names| {
            names.serial = names.serial.max(name.as_ref().and_then(|name| name.serial));
            (names.known_good, names.rejected) = (name, None);
        });
        (self.is_proved, self.memorable) = (true, true);
        has_no_name
    }

    /// The candidate is given up for good.
    pub(super) fn reject(&mut self) {
        if let Some(candidate) = self.candidate.take() {
            self.change_names(|names| names.rejected = candidate.name);
        }
        self.memorable = true;
    }

    /// The known good settings talk to no server: there is nothing to fall back to.
    pub(super) fn cannot_fall_back(&mut self) {
        if let Some(trying) = self.trying_mut() {
            trying.turn = Turn::Candidate;
        }
    }

    // --- handle ---

    /// Time passes. How long a machine slept is not seen here, so a gap counts as one step at most.
    pub(super) fn tick(&mut self, now: Moment, tuning: &Tuning) {
        let Some(trying) = self.trying_mut() else { return };
        let passed = now.since(trying.counted).min(tuning.budget_step);
        trying.counted = now;
        if !trying.answers {
            return;
        }
        let steps = |spent: Duration| spent.as_nanos() / tuning.budget_step.as_nanos().max(1);
        let before = trying.spent;
        trying.spent += passed;
        let is_memorable = steps(before) != steps(trying.spent);
        let tried = trying.tried_since && trying.searches >= SEARCHES && trying.spent >= tuning.budget_least;
        let is_over = tried || trying.spent >= tuning.budget_most;
        if is_over && !trying.asked {
            trying.asked = true;
            trying.next.get_or_insert(Step::Ask);
        }
        self.memorable |= is_memorable;
    }

    /// Takes what the attachment says.
    pub(super) fn hear(&mut self, fact: &Fact, in_force: SettingsId) {
        match fact {
            Fact::Proved { policy, is_named, .. } => {
                self.proved(is_named.then_some(policy.settings), in_force);
            }
            Fact::Detached => {
                if let Some(trying) = self.trying_mut() {
                    // What is out of reach is no evidence against the candidate.
                    (trying.answers, trying.tried_since, trying.asked) = (false, false, false);
                    (trying.spent, trying.searches) = (Duration::ZERO, 0);
                }
            }
            Fact::SearchFailed { attached, tried } => self.search_failed(*attached, *tried),
            Fact::Attached { .. } | Fact::StreamLost | Fact::Refresh { .. } => {}
        }
    }

    fn proved(&mut self, named_by: Option<SettingsId>, in_force: SettingsId) {
        let Some(candidate) = &mut self.candidate else {
            // Settings without a predecessor may have worked for the first time.
            if named_by == Some(in_force) && !self.is_proved {
                (self.is_proved, self.memorable) = (true, self.known_good().is_some());
            }
            return;
        };
        let (id, before) = (candidate.id, candidate.before);
        let Stage::Trying(trying) = &mut candidate.stage else { return };
        if named_by == Some(id) {
            trying.next = Some(Step::Accept);
        } else if named_by == Some(before) {
            trying.answers = true;
            if trying.asked && trying.next != Some(Step::Ask) {
                let (searches, spent) = (trying.searches, span(trying.spent));
                trying.next = Some(Step::Reject { searches, spent });
            } else if trying.turn == Turn::KnownGood {
                trying.turn = Turn::Candidate;
                trying.next = Some(Step::Return);
            }
        }
    }

    fn search_failed(&mut self, attached: bool, tried: bool) {
        let Some(trying) = self.trying_mut() else { return };
        match trying.turn {
            Turn::Candidate => {
                if tried {
                    trying.searches = trying.searches.saturating_add(1);
                    trying.tried_since |= attached;
                }
                // An attempt that was under way when the candidate came may have attached the agent to a server that the
                // candidate does not name, and of which nothing is known yet.
                let answers = attached && trying.answers;
                if !answers && trying.next.is_none() {
                    trying.turn = Turn::KnownGood;
                    trying.next = Some(Step::FallBack);
                }
            }
            Turn::KnownGood => {
                trying.turn = Turn::Candidate;
                trying.next = Some(Step::Return);
            }
        }
    }

    // --- helpers ---

    fn known_good(&self) -> Option<&SettingsName> {
        self.names.as_ref()?.known_good.as_ref()
    }

    fn rejected(&self) -> Option<&SettingsName> {
        self.names.as_ref()?.rejected.as_ref()
    }

    fn change_names(&mut self, by: impl FnOnce(&mut Names)) {
        let names = self.names.get_or_insert_default();
        by(names);
        names.number = names.hashed();
    }

    fn trying(&self) -> Option<&Trying> {
        match &self.candidate.as_ref()?.stage {
            Stage::Trying(trying) => Some(trying),
            Stage::Storing { .. } | Stage::Accepted { .. } => None,
        }
    }

    fn trying_mut(&mut self) -> Option<&mut Trying> {
        match &mut self.candidate.as_mut()?.stage {
            Stage::Trying(trying) => Some(trying),
            Stage::Storing { .. } | Stage::Accepted { .. } => None,
        }
    }
}

impl Names {
    fn hashed(&self) -> u64 {
        let Self { given, known_good, serial, rejected, number: _ } = self;
        let mut hasher = SipHasher13::new();
        (given, known_good, serial, rejected).hash(&mut hasher);
        hasher.finish()
    }
}

impl Trying {
    fn new(now: Moment, spent: Duration, searches: u8) -> Self {
        Self {
            turn: Turn::Candidate,
            spent,
            counted: now,
            searches,
            answers: false,
            tried_since: false,
            asked: false,
            next: Some(Step::Begin),
        }
    }
}

/// Fewer searches say nothing of settings: a server may be about to start.
const SEARCHES: u8 = 3;
