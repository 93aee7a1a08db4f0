//! Which servers a search tries, and in which order.

use std::collections::BTreeSet;

use super::health::{Record, Standing};
use super::ranked_servers::{Member, RankedServers};
use crate::types::Moment;

/// A server of a plan.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) member: Member,
    /// Asked beside a connection that is silent: it need not keep the distance between two dials of one server.
    pub(super) second_opinion: bool,
}

impl Entry {
    pub(super) fn new(member: Member) -> Self {
        Self { member, second_opinion: false }
    }
}

/// What a plan depends on beside the ranked servers.
#[derive(Clone, Copy, Default)]
pub(super) struct Criteria {
    /// The server that has just failed, or is to be left.
    pub(super) without: Option<usize>,
    /// Nothing below this priority: a server of it is available, only not now.
    pub(super) lowest: Option<u16>,
    /// Whether servers that are down or draining are asked as well, or only when nothing else is left, or never.
    pub(super) last_resort: LastResort,
    /// Once an outage lasts: of each priority its own server and some others in turn.
    pub(super) in_turns: bool,
}

/// When servers that are down or draining before their time are taken in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum LastResort {
    Never,
    #[default]
    IfNothingElse,
    Always,
}

/// Servers sorted by priority, standing and rank.
///
/// `may_start` says whether a server may be dialled soon, whatever its health.
pub(super) fn plan(
    ranked_servers: &RankedServers,
    records: &[Record],
    now: Moment,
    criteria: Criteria,
    may_start: impl Fn(&Member) -> bool,
) -> Vec<Entry> {
    let mut in_time = Vec::new();
    let mut last_resort = Vec::new();
    let wanted = |member: &&Member| {
        criteria.without != Some(member.record.into())
            && criteria.lowest.is_none_or(|lowest| member.priority <= lowest)
            && may_start(member)
    };
    for member in ranked_servers.members().iter().filter(wanted) {
        let Some(record) = records.get(usize::from(member.record)) else {
            continue;
        };
        match record.standing(now, member.server.policy) {
            standing @ (Standing::Good | Standing::Late) => in_time.push((standing, member)),
            standing @ Standing::LastResort => last_resort.push((standing, member)),
            Standing::Never => {}
        }
    }
    let mut chosen = in_time;
    match criteria.last_resort {
        LastResort::Always => chosen.append(&mut last_resort),
        LastResort::IfNothingElse if chosen.is_empty() => chosen = last_resort,
        LastResort::IfNothingElse | LastResort::Never => {}
    }
    chosen.sort_by_key(|(standing, member)| (member.priority, *standing, member.rank));
    if criteria.in_turns {
        rotate(&mut chosen, ranked_servers, records);
    }
    chosen.into_iter().map(|(_, member)| Entry::new(member.clone())).collect()
}

/// How many servers of a priority of `count` beside the agent's own are tried in one search of a long outage: few, so that the
/// first server to return is not crushed by a fleet, and enough for each to have its turn within 15 minutes.
fn turns_of(count: usize) -> usize {
    count.saturating_sub(1).div_ceil(12).max(2)
}

/// Keeps of each priority the agent's own server and those of the others that wait longest for their turn. Turns
/// by count would not do: who is left out for a while changes with every search, and one could be missed for ever.
fn rotate(chosen: &mut Vec<(Standing, &Member)>, ranked_servers: &RankedServers, records: &[Record]) {
    let last_start = |member: &Member| records.get(usize::from(member.record))?.last_start;
    let mut others: Vec<_> = chosen
        .iter()
        .filter(|(_, member)| member.rank > 0)
        .map(|(_, member)| (member.priority, last_start(member), member.rank))
        .collect();
    others.sort_unstable();
    let turns: BTreeSet<_> = others
        .chunk_by(|one, other| one.0 == other.0)
        .flat_map(|turns| {
            let count = turns.first().map_or(0, |(priority, ..)| ranked_servers.priority(*priority).len());
            turns.iter().take(turns_of(count))
        })
        .map(|(priority, _, rank)| (*priority, *rank))
        .collect();
    chosen.retain(|(_, member)| member.rank == 0 || turns.contains(&(member.priority, member.rank)));
}
