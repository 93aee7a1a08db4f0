//! By which way a socket reaches its peer: asked of the kernel as it decides that itself, with the socket's own source
//! address, mark, interface and ports, and the user of this process.
//!
//! It is asked twice, before the connection and after it. While a tunnel comes or goes the two differ, and nothing can be said
//! of what came by that connection: that counts as a tunnel, as everything does that the kernel does not say.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::{io, iter};

use socket2::{SockRef, Socket};

use super::carried::is_tunnel;
use super::kernel::{Kernel, Query, Route, index_of};
use crate::types::Medium;

/// Marks of rules that are looked at: more on one machine is a way that cannot be told.
const MOST_MARKS: usize = 16;

/// The way that a socket is about to take.
#[derive(Clone, Debug)]
pub(crate) struct Planned(Option<(Query, Route)>);

/// Where the kernel sends what goes to an address and port: without a mark, and with each that a rule looks at. A packet filter
/// may set one, and the way that it leads to is the one that is taken then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hop(Box<[Option<Leg>]>);

/// The first interface of one way.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Leg {
    interface: u32,
    gateway: Option<IpAddr>,
    source: Option<IpAddr>,
    tunnel: bool,
}

impl Planned {
    /// To be asked when all options of the socket are set.
    pub(crate) fn new(socket: &Socket, to: SocketAddr) -> Self {
        Self(plan(socket, to).ok())
    }

    /// What the connection runs over that has been made.
    pub(crate) fn medium<'a>(&self, socket: impl Into<SockRef<'a>>, peer: SocketAddr) -> Medium {
        let local = socket.into().local_addr().ok().and_then(|local| local.as_socket());
        let Some(local) = local else { return Medium::Tunnel };
        if local.ip().to_canonical() == peer.ip().to_canonical() {
            return Medium::ThisMachine;
        }
        let Some((query, planned)) = &self.0 else { return Medium::Tunnel };
        let query = Query { from: Some(local.ip()), source_port: Some(local.port()), ..query.clone() };
        taken(&query, planned).unwrap_or(Medium::Tunnel)
    }
}

impl Hop {
    /// `marks`: those that rules look at. Of more than [`MOST_MARKS`] the first are followed.
    pub(super) fn towards(kernel: &mut Kernel, to: SocketAddr, marks: &BTreeSet<u32>) -> Option<Self> {
        let marks = marks.iter().copied().filter(|mark| *mark != 0).take(MOST_MARKS);
        let legs: Box<[_]> = iter::once(0)
            .chain(marks)
            .map(|mark| Leg::towards(kernel, &Query { mark, ..Query::of(to) }))
            .collect();
        legs.iter().any(Option::is_some).then_some(Self(legs))
    }

    /// The interfaces by which it leaves.
    pub(super) fn interfaces(&self) -> impl Iterator<Item = u32> {
        self.0.iter().flatten().map(|leg| leg.interface)
    }
}

impl Leg {
    fn towards(kernel: &mut Kernel, query: &Query) -> Option<Self> {
        let Route { is_local, is_wrapped, interface, gateway, source } = planned_route(kernel, query).ok()?;
        let tunnel = !is_local && (is_wrapped || is_tunnel(kernel, interface));
        Some(Self { interface, gateway, source, tunnel })
    }
}

fn plan(socket: &Socket, to: SocketAddr) -> io::Result<(Query, Route)> {
    let local = socket.local_addr()?.as_socket().map(|local| local.ip());
    let query = Query {
        from: local.filter(|local| !local.is_unspecified()),
        mark: socket.mark()?,
        interface: match socket.device()? {
            Some(name) => Some(index_of(&name)?),
            None => None,
        },
        tos: if to.is_ipv4() { socket.tos_v4()? } else { socket.tclass_v6()? } as u8,
        ..Query::of(to)
    };
    let route = planned_route(&mut Kernel::open()?, &query)?;
    Ok((query, route))
}

/// As the kernel does when a socket connects: first the source address, then the way with it.
pub(super) fn planned_route(kernel: &mut Kernel, query: &Query) -> io::Result<Route> {
    let first = kernel.route(query)?;
    match (query.from, first.source) {
        (None, Some(from)) => kernel.route(&Query { from: Some(from), ..query.clone() }),
        (Some(_), _) | (None, None) => Ok(first),
    }
}

fn taken(query: &Query, planned: &Route) -> io::Result<Medium> {
    let mut kernel = Kernel::open()?;
    let route = kernel.route(query)?;
    if route.is_local {
        return Ok(Medium::ThisMachine);
    }
    if (route.interface, &route.gateway) != (planned.interface, &planned.gateway) {
        return Ok(Medium::Tunnel);
    }
    let from = query.from.unwrap_or(unspecified(query.to));
    let mut owners = kernel.owners(from)?;
    let mut interfaces = vec![route.interface];
    let mut wrapped = route.is_wrapped;
    // Another interface with the same address may be the one that carries it; one of a link is its interface's alone.
    let of_one_link = matches!(from, IpAddr::V6(from) if from.is_unicast_link_local());
    match (owners.pop_first(), owners.is_empty()) {
        _ if of_one_link => {}
        (Some(owner), true) => interfaces.push(owner),
        _ => return Ok(Medium::Tunnel),
    }
    // A packet filter may set a mark on what leaves, and a rule lead it elsewhere by that mark.
    let marks = kernel.marks(query.to)?;
    if marks.len() > MOST_MARKS {
        return Ok(Medium::Tunnel);
    }
    for mark in marks.into_iter().filter(|mark| *mark != query.mark) {
        let marked = kernel.route(&Query { mark, ..query.clone() })?;
        wrapped |= marked.is_wrapped;
        interfaces.push(marked.interface);
    }
    interfaces.sort_unstable();
    interfaces.dedup();
    let tunnel = wrapped || interfaces.into_iter().any(|interface| is_tunnel(&mut kernel, interface));
    Ok(if tunnel { Medium::Tunnel } else { Medium::Direct })
}

fn unspecified(like: IpAddr) -> IpAddr {
    if like.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() }
}
