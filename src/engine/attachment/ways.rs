//! The ways to servers that an attempt had to find out: by which route, and at which address.
//!
//! Only what differs from the first way is written down: where the first route and the first address lead, nothing has to be
//! remembered. A fleet on plain networks therefore remembers nothing.

use std::net::IpAddr;
use std::time::Duration;

use super::health::{LastGood, Record};
use crate::engine::memory::{NetworkMemory, WayMemory};
use crate::engine::networks::{self, Networks};
use crate::types::{Moment, NetworkId, ServerId, Span};

/// Servers whose ways are written down for one network: more than any priority has.
const MOST: usize = 64;

/// The ways on one network. The one that was found last comes last.
#[derive(Debug, Default)]
pub(super) struct Ways(Vec<(ServerId, Way)>);

/// The way to one server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Way {
    /// Which of the program's routes.
    pub(super) route: u8,
    /// Another address of its name was reached before it, and failed.
    pub(super) address: Option<LastGood>,
}

impl Way {
    fn is_the_first(&self) -> bool {
        self.route == 0 && self.address.is_none()
    }

    fn leads_like(&self, other: &Self) -> bool {
        let place = |way: &Self| way.address.map(|known| known.address);
        self.route == other.route && place(self) == place(other)
    }
}

impl Ways {
    pub(super) fn iter(&self) -> impl Iterator<Item = &(ServerId, Way)> {
        self.0.iter()
    }

    fn of(&self, server: &ServerId) -> Option<&Way> {
        self.0.iter().find(|(known, _)| known == server).map(|(_, way)| way)
    }

    fn write(&mut self, server: &ServerId, way: Way) {
        self.0.retain(|(known, _)| known != server);
        if way.is_the_first() {
            return;
        }
        if self.0.len() >= MOST {
            self.0.remove(0);
        }
        self.0.push((server.clone(), way));
    }
}

/// The server was reached by this way on the present network. Whether that is news.
pub(super) fn note(networks: &mut Networks<Ways>, server: &ServerId, way: Way) -> bool {
    let known = networks.here().and_then(|ways| ways.of(server)).copied().unwrap_or_default();
    if known.leads_like(&way) {
        return false;
    }
    networks.here_mut().is_some_and(|ways| {
        ways.write(server, way);
        true
    })
}

/// What is remembered of the present network is what these servers are to be tried by first. The route that was found last.
pub(super) fn recall(networks: &Networks<Ways>, records: &mut [Record]) -> Option<u8> {
    let ways = networks.here()?;
    for (server, way) in ways.iter() {
        if let Some(record) = records.iter_mut().find(|record| record.id == *server) {
            record.remember_route(way.route);
            if let Some(known) = way.address {
                record.restore_address(known);
            }
        }
    }
    ways.0.last().map(|(_, way)| way.route)
}

/// The program has other routes from now on: which of the old ones led to a server says nothing any more.
pub(super) fn forget_routes(networks: &mut Networks<Ways>, records: &mut [Record]) {
    records.iter_mut().for_each(Record::forget_route);
    for ways in networks.all_mut() {
        for (_, way) in &mut ways.0 {
            way.route = 0;
        }
        ways.0.retain(|(_, way)| !way.is_the_first());
    }
}

// --- memory ---

/// What outlives the process.
pub(super) fn memory(networks: &Networks<Ways>, now: Moment) -> Vec<NetworkMemory> {
    let way = |(server, way): &(ServerId, Way)| WayMemory {
        server: server.clone(),
        route: way.route,
        address: way.address.map(|known| (known.address, Span(known.age(now)))),
    };
    let network = |(id, ways): (NetworkId, &Ways)| NetworkMemory { id, ways: ways.iter().map(way).collect() };
    networks.iter().map(network).filter(|network| !network.ways.is_empty()).collect()
}

/// What an earlier life remembered, `gone` ago; however much there is, only so much is taken.
pub(super) fn restore(networks: &mut Networks<Ways>, memory: &[NetworkMemory], gone: Duration, now: Moment) {
    let newest = memory.len().saturating_sub(networks::MOST);
    networks.restore(memory.iter().skip(newest).map(|network| {
        let mut ways = Ways::default();
        for known in network.ways.iter().take(MOST) {
            let good = |(address, ago): (IpAddr, Span)| LastGood {
                address,
                at: now,
                age: ago.0.saturating_add(gone),
                preferred: true,
            };
            ways.write(&known.server, Way { route: known.route, address: known.address.map(good) });
        }
        (network.id, ways)
    }));
}
