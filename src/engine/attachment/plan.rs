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
    /// Once an outage lasts: of each priority only its own server and two others in turn.
    pub(super) is_long_outage: bool,
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
    if request.is_long_outage {
        rotate(&mut chosen, request.records);
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

/// Keeps of each priority the agent's own server and those of the others that wait longest for their turn. Turns
/// by count would not do: who is left out for a while changes with every sweep, and one could be missed for ever.
fn rotate(chosen: &mut Vec<(Standing, &Member)>, records: &[Record]) {
    let last_start = |member: &Member| records.get(usize::from(member.record))?.last_start;
    let mut others: Vec<_> = chosen
        .iter()
        .filter(|(_, member)| member.rank > 0)
        .map(|(_, member)| (member.priority, last_start(member), member.rank))
        .collect();
    others.sort_unstable();
    let turns: Vec<_> = others
        .chunk_by(|one, other| one.0 == other.0)
        .flat_map(|priority| priority.iter().take(OTHERS))
        .map(|(priority, _, rank)| (*priority, *rank))
        .collect();
    chosen.retain(|(_, member)| member.rank == 0 || turns.contains(&(member.priority, member.rank)));
}
