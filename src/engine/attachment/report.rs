//! The attachment as others see it: the snapshot, and the memory.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::time::Duration;

use siphasher::sip::SipHasher13;

use super::active::Active;
use super::backoff::{MOST_MISSES, Misses};
use super::digest::TELLING_MISSES;
use super::failback::{Proof, Prospect};
use super::health::{Health, LastGood, Record, Throttle};
use super::ranked_servers::Member;
use super::{Attachment, Phase, register, ways};
use crate::engine::event::span;
use crate::engine::memory::{LeftOut, LeftOutReason, Memory, Proven, ServerMemory};
use crate::engine::session::Document;
use crate::engine::tuning::schedule::Tuning;
use crate::engine::{Away, Reason, ServerHealth, ServerSnapshot, Snapshot};
use crate::settings::{Protocol, Settings};
use crate::types::{FailureClass, Moment, Span};

impl Attachment {
    // --- snapshot ---

    pub(in crate::engine) fn snapshot(&self, settings: &Settings, now: Moment) -> Snapshot {
        let active = self.active();
        let prospects = self.failback.by_record();
        let (next_search, reason) = match &self.phase {
            Phase::Starting { at } => (Some(*at), Some(Reason::Start)),
            Phase::Paused { until, reason, .. } => (Some(*until), Some(*reason)),
            Phase::Searching(race) => (None, Some(race.reason)),
            Phase::Attached(active) => match (&active.search, active.leave) {
                (Some(race), _) => (None, Some(race.reason)),
                (None, Some(leave)) => (Some(leave.at), Some(leave.reason)),
                (None, None) => (None, None),
            },
            Phase::Disabled => (None, Some(Reason::Disabled)),
            Phase::Stopping { .. } | Phase::Stopped => (None, Some(Reason::Stopping)),
        };
        Snapshot {
            state: self.state(),
            reason,
            active: active.map(|active| self.servers.id(active.record())),
            active_at: active.map(Active::whereabouts),
            attached_for: active.map(|active| span(now.since(active.since))),
            next_heartbeat: None,
            next_search: next_search.map(|at| span(at.after(now))),
            list: None,
            settings: None,
            servers: self
                .servers
                .ranked_servers
                .members()
                .iter()
                .map(|member| {
                    let prospect = prospects.get(&member.record).copied();
                    self.server_snapshot(member, prospect, settings, now)
                })
                .collect(),
            location: None,
            reports: BTreeMap::new(),
            registration: self.registration_snapshot(now),
            duplicate: self.is_duplicate,
            stale_inputs: 0,
        }
    }

    fn server_snapshot(
        &self,
        member: &Member,
        prospect: Option<&Prospect>,
        settings: &Settings,
        now: Moment,
    ) -> ServerSnapshot {
        let record = self.servers.record(member.record.into());
        let health = record.map_or(ServerHealth::Unknown, |record| match record.throttled_until() {
            Some(until) if until > now => ServerHealth::Throttled,
            Some(_) | None => health_told(record.health),
        });
        ServerSnapshot {
            server: member.server.id.clone(),
            priority: usize::from(member.priority) + 1,
            rank: usize::from(member.rank) + 1,
            health,
            since: span(record.map_or(Duration::ZERO, |record| now.since(record.since))),
            unverified: member.server.protocol == Protocol::Https
                && settings
                    .policies()
                    .get(usize::from(member.server.policy))
                    .is_some_and(|policy| policy.danger_no_verification),
            left_out: record
                .and_then(Record::floor)
                .filter(|&until| until > now)
                .map(|until| span(until.after(now))),
            last_failure: record
                .and_then(|record| record.last_failure.as_ref())
                .map(|last| last.0.to_string()),
            last_failure_ago: record
                .and_then(|record| record.last_failure.as_ref())
                .map(|last| span(now.since(last.1))),
            next_probe: prospect.and_then(|prospect| prospect.next_probe()).map(|at| span(at.after(now))),
            move_in: prospect.and_then(|prospect| prospect.move_at()).map(|at| span(at.after(now))),
        }
    }

    // --- memory ---

    pub(in crate::engine) fn memory(&self, tuning: &Tuning, now: Moment) -> Memory {
        let proofs = self.failback.proofs(|| self.servers.by_id());
        let remembered = self.servers.records().iter().enumerate().filter_map(|(index, record)| {
            let memory = server_memory(record, proofs.get(&index), now);
            let nothing = memory.misses == 0
                && memory.left_out.is_none()
                && memory.proof.is_none()
                && memory.last_good.is_none();
            (!nothing).then_some(memory)
        });
        let mut servers: Vec<_> = remembered.chain(self.floors_elsewhere(now)).collect();
        servers.shrink_to_fit();
        Memory {
            misses: self.misses,
            damping: self.failback.damping,
            policy: self.announced.confirmed_policy().cloned(),
            settings: None,
            servers,
            push: self.push_memory(tuning, now).collect(),
            networks: ways::memory(&self.servers.networks, now),
            registration: self.registrar.as_ref().and_then(|registrar| registrar.memory()).map(Box::new),
        }
    }

    /// What servers asked for that the settings do not name at present.
    fn floors_elsewhere(&self, now: Moment) -> impl Iterator<Item = ServerMemory> {
        self.servers.floors().iter().filter_map(move |(id, throttle)| {
            let left_out = Some(floor_memory(*throttle, now)?);
            Some(ServerMemory { id: id.clone(), misses: 0, left_out, proof: None, last_good: None })
        })
    }

    /// A number that differs when the memory differs in a way worth a write to a disk.
    ///
    /// Left out is what no later life would act upon differently: that an address worked a minute later
    /// than was written (its age is believed by the day), misses beyond those that change a wait, and until when a server is down (never more than
    /// about two minutes, less than a restart takes; that it failed once more is in its misses).
    pub(in crate::engine) fn memory_digest(&mut self, tuning: &Tuning, now: Moment) -> u64 {
        let mut digest = SipHasher13::new();
        (self.misses.min(TELLING_MISSES), self.failback.damping).hash(&mut digest);
        self.announced.confirmed_policy().hash(&mut digest);
        if let Some(registrar) = &self.registrar {
            (&registrar.group, registrar.mode).hash(&mut digest);
        }
        (self.servers.digest(now), self.failback.digest()).hash(&mut digest);
        for push in self.push_memory(tuning, now) {
            (&push.server, push.proxy, push.rung, push.silence.0, push.died.map(|died| died.0.0))
                .hash(&mut digest);
        }
        for (id, throttle) in self.servers.floors() {
            (id, throttle.until, throttle.status).hash(&mut digest);
        }
        for (network, ways) in self.servers.networks.iter() {
            for (server, way) in ways.iter() {
                (network, server, way.route, way.address.map(|known| known.address)).hash(&mut digest);
            }
        }
        digest.finish()
    }

    pub(in crate::engine) fn restore(&mut self, memory: &Memory, away: Away, tuning: &Tuning, now: Moment) {
        let gone = match away {
            Away::For(duration) => duration,
            Away::Unknown => Duration::ZERO,
        };
        self.misses = memory.misses.min(MOST_MISSES);
        self.failback.damping = memory.damping;
        self.registrar = register::restore(memory);
        ways::restore(&mut self.servers.networks, &memory.networks, gone, now);
        if let Some(tag) = &memory.policy {
            self.announced.confirm(Document::Policy, tag.clone());
        }
        for known in &memory.push {
            self.ladders.restore(known, gone, tuning, now);
        }
        // Without servers to look for, which is how an engine begins for the first time, none is sorted.
        let places = (!memory.servers.is_empty()).then(|| self.servers.by_id());
        let place = |known: &ServerMemory| places.as_ref()?.get(&known.id);
        let found: Vec<_> = memory.servers.iter().map(place).collect();
        for (known, place) in memory.servers.iter().zip(found) {
            let record = place.and_then(|place| self.servers.records_mut().get_mut(place));
            let Some(record) = record else {
                let floor = known.left_out.and_then(|left_out| throttle(left_out, gone, now));
                if let Some(floor) = floor.filter(|floor| floor.until > now) {
                    self.servers.remember_floor(now, known.id.clone(), floor);
                }
                continue;
            };
            let until = |left_out: LeftOut| now + remaining(left_out, gone);
            let health = match known.left_out {
                Some(left_out @ LeftOut { reason: LeftOutReason::Down, .. }) => {
                    Health::Down { until: until(left_out) }
                }
                Some(left_out @ LeftOut { reason: LeftOutReason::NotAllowed, .. }) => {
                    let until = until(left_out);
                    Health::Quarantined { until, class: FailureClass::NotAllowed, policy: 0 }
                }
                Some(LeftOut {
                    reason: LeftOutReason::TooManyRequests | LeftOutReason::Throttled, ..
                })
                | None => Health::Unknown,
            };
            let throttle = known.left_out.and_then(|left_out| throttle(left_out, gone, now));
            record.restore(health, throttle, Misses::new(known.misses));
            if let Some((address, ago)) = known.last_good {
                let age = ago.0.saturating_add(gone);
                record.restore_address(LastGood { address, at: now, age, preferred: false });
            }
            if let Some(proof) = known.proof {
                let first = now - proof.ago.0.saturating_add(gone);
                self.failback.remember(known.id.clone(), Proof { first, count: proof.count });
            }
        }
    }
}

/// What a next life has to know of this server.
fn server_memory(record: &Record, proof: Option<&Proof>, now: Moment) -> ServerMemory {
    let left_out =
        |reason, until: Moment| (until > now).then(|| LeftOut { reason, remaining: Span(until.after(now)) });
    // A server can be throttled and down: the floor it asked for is the one that must not be forgotten.
    let throttle = record.throttle.and_then(|throttle| floor_memory(throttle, now));
    let left_out = throttle.or(match record.health {
        Health::Down { until } => left_out(LeftOutReason::Down, until),
        Health::Quarantined { until, class: FailureClass::NotAllowed, .. } => {
            left_out(LeftOutReason::NotAllowed, until)
        }
        // A certificate or an impostor is judged afresh: the trust store may have changed meanwhile.
        Health::Quarantined { .. }
        | Health::Unknown
        | Health::Up
        | Health::Suspect { .. }
        | Health::Probation
        | Health::Draining { .. } => None,
    });
    ServerMemory {
        id: record.id.clone(),
        misses: record.misses.count(),
        left_out,
        proof: proof.map(|proof| Proven { count: proof.count, ago: Span(now.since(proof.first)) }),
        last_good: record.last_good_known().map(|known| (known.address, Span(known.age(now)))),
    }
}

/// For how long a floor still holds, as the memory has it.
fn floor_memory(throttle: Throttle, now: Moment) -> Option<LeftOut> {
    let reason = match throttle.status {
        429 => LeftOutReason::TooManyRequests,
        _ => LeftOutReason::Throttled,
    };
    (throttle.until > now).then(|| LeftOut { reason, remaining: Span(throttle.until.after(now)) })
}

/// The floor that a memory speaks of, if it speaks of one.
fn throttle(left_out: LeftOut, gone: Duration, now: Moment) -> Option<Throttle> {
    let status = match left_out.reason {
        LeftOutReason::TooManyRequests => 429,
        LeftOutReason::Throttled => 503,
        LeftOutReason::Down | LeftOutReason::NotAllowed => return None,
    };
    Some(Throttle { until: now + remaining(left_out, gone), status })
}

/// A damaged memory must not leave a server out for ever.
fn remaining(left_out: LeftOut, gone: Duration) -> Duration {
    left_out.remaining.0.min(MOST_REMAINING).saturating_sub(gone)
}

/// The longest any rule leaves a server out: a throttle of an hour with its spread, or a quarantine.
const MOST_REMAINING: Duration = Duration::from_secs(2 * 3600);

const fn health_told(health: Health) -> ServerHealth {
    match health {
        Health::Unknown => ServerHealth::Unknown,
        Health::Up => ServerHealth::Up,
        Health::Suspect { .. } => ServerHealth::Suspect,
        Health::Down { .. } => ServerHealth::Down,
        Health::Probation => ServerHealth::Probation,
        Health::Quarantined { .. } => ServerHealth::Quarantined,
        Health::Draining { .. } => ServerHealth::Draining,
    }
}
