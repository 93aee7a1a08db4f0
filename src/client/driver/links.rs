//! The connections to management servers, found by their ids.

use std::collections::BTreeMap;
use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use mio::Registry;

use crate::client::routes::{Proxies, RouteChoice};
use crate::engine::Command;
use crate::net::{Limits, Link, Plan, Report, SocketHook};
use crate::settings::Server;
use crate::trust::Prepared;
use crate::types::{Cause, Failure, LinkId, Moment, Route};

/// See the module.
pub(super) struct Links {
    limits: Arc<Limits>,
    proxies: Proxies,
    hook: Option<SocketHook>,
    links: BTreeMap<LinkId, Link>,
    /// Those that may have something to do at once. They are few.
    pending: Vec<LinkId>,
    /// Those that have their turn; empty between turns, and kept for its room.
    due: Vec<LinkId>,
}

impl Links {
    pub(super) fn new(limits: Arc<Limits>, proxies: Proxies, hook: Option<SocketHook>) -> Self {
        Self { limits, proxies, hook, links: BTreeMap::new(), pending: Vec::new(), due: Vec::new() }
    }

    /// These are the ways to the servers from now on: the command for the engine.
    pub(super) fn set_routes(&mut self, choices: Vec<RouteChoice>) -> Command {
        let routes = self.proxies.set(choices);
        Command::SetRoutes { routes, proxies: self.proxies.names() }
    }

    pub(super) fn get(&mut self, id: LinkId) -> Option<&mut Link> {
        self.links.get_mut(&id)
    }

    pub(super) fn is_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// When a link wants to be looked at though no socket is ready.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.links.values().filter_map(Link::deadline).min()
    }

    /// Begins a connection. Returns the name of a proxy that has to be looked up first; [`found`](Self::found) goes on.
    #[allow(clippy::too_many_arguments, reason = "they are the members of one action")]
    pub(super) fn dial(
        &mut self,
        link: LinkId,
        server: Arc<Server>,
        policy: Prepared,
        to: Arc<[SocketAddr]>,
        stagger: Duration,
        route: Route,
        now: Moment,
    ) -> Result<Option<Arc<str>>, Failure> {
        let proxy = match route {
            Route::Direct => None,
            Route::Proxy(index) => {
                let proxy = self.proxies.get(index);
                let none = || Failure::noted(Cause::ProxyUnreachable, "there is no such proxy");
                Some(Arc::clone(proxy.ok_or_else(none)?))
            }
        };
        let plan = Plan { link, server, policy, to, stagger, proxy, hook: self.hook.clone() };
        let made = Link::new(plan, Arc::clone(&self.limits), now);
        let name = made.wanted_name().cloned();
        self.links.insert(link, made);
        self.pending.push(link);
        Ok(name)
    }

    /// The name of this proxy was looked up.
    pub(super) fn found(&mut self, proxy: u8, found: &Result<Arc<[IpAddr]>, Failure>, now: Moment) {
        let Some(proxy) = self.proxies.get(proxy) else { return };
        for (id, link) in self.links.iter_mut().filter(|(_, link)| link.is_through(proxy)) {
            link.found(found, now);
            self.pending.push(*id);
        }
    }

    /// The socket of this link may be ready. Whether there is one.
    pub(super) fn ready(&mut self, id: LinkId) -> bool {
        let Some(link) = self.links.get_mut(&id) else { return false };
        link.ready();
        self.pending.push(id);
        true
    }

    /// Something was said on this link.
    pub(super) fn wants_a_step(&mut self, id: LinkId) {
        self.pending.push(id);
    }

    /// Gives a turn to those that may have something to do now. What they have to do after it is for the next.
    pub(super) fn begin_turn(&mut self, now: Moment) {
        mem::swap(&mut self.pending, &mut self.due);
        let is_due = |link: &Link| link.deadline().is_some_and(|deadline| deadline <= now);
        self.due.extend(self.links.iter().filter(|(_, link)| is_due(link)).map(|(id, _)| *id));
        // The oldest is the last, and is taken first.
        self.due.sort_unstable_by(|one, other| other.cmp(one));
        self.due.dedup();
    }

    /// The next one to [`step`](Self::step) in this turn.
    pub(super) fn next_due(&mut self) -> Option<LinkId> {
        self.due.pop()
    }

    pub(super) fn step(&mut self, id: LinkId, registry: &Registry, now: Moment) {
        if self.links.get_mut(&id).is_some_and(|link| link.step(registry, now)) {
            self.pending.push(id);
        }
    }

    /// The next thing that happened on a link.
    pub(super) fn report(&mut self, id: LinkId) -> Option<Report> {
        self.links.get_mut(&id)?.report()
    }

    /// This link is lost.
    pub(super) fn forget(&mut self, id: LinkId) {
        self.links.remove(&id);
    }

    pub(super) fn close(&mut self, id: LinkId) {
        if let Some(link) = self.links.remove(&id) {
            link.close();
        }
    }

    pub(super) fn close_all(self) {
        self.links.into_values().for_each(Link::close);
    }
}
