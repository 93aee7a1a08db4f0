//! When the attachment has something to do.

use super::active::Active;
use super::{Attachment, Pause, Phase};
use crate::engine::guard::Present;
use crate::engine::tuning::Tuning as Whole;
use crate::engine::tuning::attachment::Tuning;
use crate::types::Moment;

impl Attachment {
    /// When [`Self::tick`] has something to do.
    pub(in crate::engine) fn deadline(&self, at: Present<'_>, whole: &Whole) -> Option<Moment> {
        let calls = self.calls_deadline(at.now, at.tuning);
        self.phase_deadline(at, whole).into_iter().chain(calls).min()
    }

    fn phase_deadline(&self, at: Present<'_>, whole: &Whole) -> Option<Moment> {
        let tuning = at.tuning;
        match &self.phase {
            Phase::Starting { at } => Some(*at),
            Phase::Disabled | Phase::Stopped => None,
            Phase::Searching(race) => self.servers.race_deadline(at, race),
            Phase::Paused { until, cause: Pause::Waiting, .. } => {
                Some(self.report_searches_at().map_or(*until, |at| at.min(*until)))
            }
            Phase::Paused { until, .. } => Some(*until),
            Phase::Stopping { until, attempt } => Some(attempt.limit(tuning).0.min(*until)),
            Phase::Attached(active) => {
                let heartbeat = self.heartbeat_deadline(active, tuning);
                let search = active.search.as_ref().and_then(|race| self.servers.race_deadline(at, race));
                let quiet = active.is_quiet();
                let moves = quiet.then(|| self.moves_at(active)).flatten();
                let failback = self.failback.deadline(quiet, tuning);
                let stream = active.stream.as_ref().and_then(|stream| stream.deadline(whole));
                let reader = active.reader_deadline(self.registers(at.now), tuning);
                let registration = self.registration_deadline(active, tuning);
                let upload = self.upload_deadline(active, at.now, whole);
                [heartbeat, search, moves, failback, stream, reader, registration, upload]
                    .into_iter()
                    .flatten()
                    .min()
            }
        }
    }

    /// When the heartbeat under way has taken too long or is doubted.
    fn heartbeat_deadline(&self, active: &Active, tuning: &Tuning) -> Option<Moment> {
        active.heartbeat.limit(|| self.servers.stagger_beside(active.record(), tuning), tuning)
    }

    /// When the server in use is asked again, or left, or has fed the agent nothing for too long.
    fn moves_at(&self, active: &Active) -> Option<Moment> {
        let again = active.heartbeat.again().map(|again| again.at);
        let leave = active.leave.map(|leave| leave.at);
        let unfed = self.hunger.unfed_at().filter(|_| !active.is_unfed());
        again.into_iter().chain(leave).chain(unfed).min()
    }
}
