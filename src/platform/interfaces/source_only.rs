//! The way of a socket on systems that are not asked what their interfaces are: its source address is all that is known.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use socket2::{SockRef, Socket};

use crate::types::{Medium, NetworkId};

/// The way that a socket is about to take: not known here.
#[derive(Clone, Debug)]
pub(crate) struct Planned;

/// Which network this is: nothing here tells networks apart.
pub(crate) const fn network() -> Option<NetworkId> {
    None
}

/// The source address of what goes to an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hop(IpAddr);

/// Says which source address what goes to an address has.
pub(super) struct Scout;

impl Planned {
    pub(crate) fn new(_socket: &Socket, _to: SocketAddr) -> Self {
        Self
    }

    /// Whether the connection that has been made stays on this machine is all that is known.
    pub(crate) fn medium<'a>(&self, socket: impl Into<SockRef<'a>>, peer: SocketAddr) -> Medium {
        let local = socket.into().local_addr().ok().and_then(|local| local.as_socket());
        match local {
            Some(local) if local.ip().to_canonical() == peer.ip().to_canonical() => Medium::ThisMachine,
            Some(_) | None => Medium::Unknown,
        }
    }
}

impl Scout {
    pub(super) fn new() -> Self {
        Self
    }

    /// A datagram socket that is connected says which address of ours is used; nothing is sent.
    pub(super) fn hop(&mut self, to: SocketAddr) -> Option<Hop> {
        let anywhere: IpAddr =
            if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let socket = UdpSocket::bind((anywhere, 0)).ok()?;
        socket.connect((to.ip(), 9)).ok()?;
        Some(Hop(socket.local_addr().ok()?.ip()))
    }
}

/// Not known here: the system's own way is taken.
pub(crate) fn use_way_to(_socket: &Socket, _like: SocketAddr) -> io::Result<()> {
    Ok(())
}
