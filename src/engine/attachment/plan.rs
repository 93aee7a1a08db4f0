//! Which servers a sweep tries, and in which order.

use super::Tuning;
use super::health::{Record, Standing};
use super::roster::{Member, Roster};
use crate::words::Moment;

/// A server of a plan.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) member: Member,
    /// At most one attempt per second per server.
    pub(super) not_before: Moment,
}

/// What a plan depends on beside the roster.
pub(super) struct Request<'a> {
    pub(super) records: &'a [Record],
    pub(super) now: Moment,
    /// The server that has just failed, or is to be left.
    pub(super) without: Option<usize>,
    /// Which round of the rotation, once an outage lasts: own server and two others of each priority.
    pub(super) rotation: Option<u32>,
}

/// Servers sorted by priority, standing and rank.
///
/// Servers before their time are left out; if nothing is left, those that are only down or draining
/// are taken in regardless. A priority with a server that answered 429 counts as available, so
/// nothing below it is tried.
pub(super) fn plan(roster: &Roster, request: &Request<'_>, tuning: &Tuning) -> Vec<Entry> {
    let mut in_time = Vec::new();
    let mut last_resort = Vec::new();
    for priority in roster.priorities() {
        let members = roster.priority(priority);
        for member in members.iter().filter(|member| request.without != Some(member.record.into())) {
            let Some(record) = request.records.get(usize::from(member.record)) else {
                continue;
            };
            match record.standing(request.now, member.server.policy) {
                standing @ (Standing::Good | Standing::Late) => in_time.push((standing, member)),
                standing @ Standing::LastResort => last_resort.push((standing, member)),
                Standing::Never => {}
            }
        }
        if is_available_later(members, request.records, request.now) {
            break;
        }
    }
    let mut chosen = if in_time.is_empty() { last_resort } else { in_time };
    chosen.sort_by_key(|(standing, member)| (member.priority, *standing, member.rank));
    if let Some(round) = request.rotation {
        rotate(&mut chosen, round);
    }
    let entry = |(_, member): (Standing, &Member)| Entry {
        member: member.clone(),
        not_before: request
            .records
            .get(usize::from(member.record))
            .and_then(|record| record.last_start)
            .map_or(Moment::ORIGIN, |start| start + tuning.server_interval),
    };
    chosen.into_iter().map(entry).collect()
}

/// When the first server that a plan could contain may be used, if that lies ahead.
pub(super) fn next_opening(roster: &Roster, records: &[Record], now: Moment) -> Option<Moment> {
    let mut opening: Option<Moment> = None;
    for priority in roster.priorities() {
        let members = roster.priority(priority);
        let floors = members.iter().filter_map(|member| records.get(usize::from(member.record))?.floor());
        opening = opening.into_iter().chain(floors.filter(|&floor| floor > now)).min();
        if is_available_later(members, records, now) {
            break;
        }
    }
    opening
}

/// A server that answered 429 is available, only not now.
fn is_available_later(members: &[Member], records: &[Record], now: Moment) -> bool {
    let record = |member: &Member| records.get(usize::from(member.record));
    members.iter().filter_map(record).any(|record| record.is_available_later(now))
}

/// How many servers of a priority beside the agent's own are tried in one sweep of a long outage: few,
/// so that the first server to return is not crushed by a fleet.
const OTHERS: usize = 2;

/// Keeps of each priority the agent's own server and those of the others whose turn it is.
fn rotate(chosen: &mut Vec<(Standing, &Member)>, round: u32) {
    let mut turns: Vec<(u16, u16)> = Vec::new();
    let mut others: Vec<_> =
        chosen.iter().filter(|(_, member)| member.rank > 0).map(|(_, m)| (m.priority, m.rank)).collect();
    others.sort_unstable();
    for priority in others.chunk_by(|one, other| one.0 == other.0) {
        let first = (round as usize).wrapping_mul(OTHERS) % priority.len();
        turns.extend(priority.iter().cycle().skip(first).take(OTHERS.min(priority.len())));
    }
    chosen.retain(|(_, member)| member.rank == 0 || turns.contains(&(member.priority, member.rank)));
}
