//! The list in force, ranked for this agent.

use std::sync::Arc;

use super::balance::Draw;
use crate::settings::{Server, ServerList};
use crate::types::AgentId;

/// A server of the list in force.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) server: Arc<Server>,
    /// Which record of the attachment.
    pub(super) record: u16,
    /// From 0, best first, as in the list.
    pub(super) priority: u16,
    /// From 0 within the priority: 0 is the agent's own server.
    pub(super) rank: u16,
}

impl Member {
    /// Whether a connection to one is a connection to the other, if their policies agree.
    pub(super) fn is_same_place(&self, other: &Self) -> bool {
        let (one, other) = (&self.server, &other.server);
        one.host == other.host && one.port == other.port && one.protocol == other.protocol
    }
}

/// Members sorted by priority and rank. Built once for each list; no rule changes it.
#[derive(Clone, Debug, Default)]
pub(super) struct RankedServers {
    members: Vec<Member>,
}

impl RankedServers {
    /// The records are those of the servers of the settings, in their order.
    pub(super) fn new(list: &ServerList, agent: &AgentId) -> Self {
        let mut members = Vec::new();
        for (priority, servers) in list.priorities.iter().enumerate() {
            let mut ranked: Vec<_> =
                servers.iter().map(|server| (Draw::new(agent, &server.id, server.weight), server)).collect();
            ranked.sort_unstable_by(|one, other| one.0.cmp(&other.0));
            for (rank, (_, server)) in ranked.into_iter().enumerate() {
                let (record, priority, rank) = (server.number, narrow(priority), narrow(rank));
                members.push(Member { server: server.clone(), record, priority, rank });
            }
        }
        members.shrink_to_fit();
        Self { members }
    }

    pub(super) fn members(&self) -> &[Member] {
        &self.members
    }

    /// Looks at every member: for a single question.
    pub(super) fn of_record(&self, record: usize) -> Option<&Member> {
        self.members.iter().find(|member| usize::from(member.record) == record)
    }

    /// For as many questions as there are servers.
    pub(super) fn by_record(&self) -> ByRecord<'_> {
        let last = self.members.iter().map(|member| usize::from(member.record)).max();
        let mut members = vec![None; last.map_or(0, |last| last + 1)];
        for member in &self.members {
            if let Some(place) = members.get_mut(usize::from(member.record)) {
                *place = Some(member);
            }
        }
        ByRecord { members }
    }

    /// The member with the record of this one, which is most often at its place.
    pub(super) fn with_record_of(&self, member: &Member) -> Option<&Member> {
        let place = (member.priority, member.rank);
        let found = self.members.binary_search_by_key(&place, |listed| (listed.priority, listed.rank));
        let at_its_place = found.ok().and_then(|index| self.members.get(index));
        let is_it = |listed: &&Member| listed.record == member.record;
        at_its_place.filter(is_it).or_else(|| self.of_record(member.record.into()))
    }

    /// The servers of one priority, own server first.
    pub(super) fn priority(&self, priority: u16) -> &[Member] {
        let start = self.members.partition_point(|member| member.priority < priority);
        let end = self.members.partition_point(|member| member.priority <= priority);
        self.members.get(start..end).unwrap_or_default()
    }

    /// The priorities that have servers, best first.
    pub(super) fn priorities(&self) -> impl Iterator<Item = u16> {
        self.members
            .chunk_by(|one, other| one.priority == other.priority)
            .filter_map(|chunk| Some(chunk.first()?.priority))
    }
}

/// The members of a ranked servers by their records.
pub(super) struct ByRecord<'a> {
    members: Vec<Option<&'a Member>>,
}

impl<'a> ByRecord<'a> {
    pub(super) fn of_record(&self, record: usize) -> Option<&'a Member> {
        self.members.get(record).copied().flatten()
    }
}

/// Settings allow 4,096 servers and fewer priorities than that.
fn narrow(index: usize) -> u16 {
    u16::try_from(index).unwrap_or(u16::MAX)
}
