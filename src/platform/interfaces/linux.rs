//! Interfaces on Linux: a netlink socket tells of changes, and the kernel is asked how things are.
#![allow(unsafe_code, reason = "system calls without a safe wrapper among our dependencies")]

mod carried;
mod gateway;
mod kernel;
mod message;
mod way;

use std::collections::BTreeSet;
use std::ffi::{CStr, CString};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::{io, mem, ptr};

use mio::Interest;
use mio::unix::SourceFd;
use socket2::Socket;

use super::leads_out;
use crate::platform::Sleep;
pub(crate) use gateway::network;
use kernel::{Kernel, Query};
pub(crate) use way::{Hop, Planned};

/// A socket on which the kernel tells of links, addresses, routes and rules.
pub(super) struct Watch {
    socket: OwnedFd,
    /// Interfaces that were down for a moment since this was asked; `None` when something was lost.
    interrupted: Option<BTreeSet<u32>>,
}

/// Whether there is a network at all.
#[derive(Clone, Copy)]
pub(super) struct Cover {
    /// There is an address that leads out, on an interface that is up and plugged in.
    pub(super) is_usable: bool,
    /// There are others on interfaces that are down or not plugged in.
    pub(super) is_unplugged: bool,
}

/// Says where the kernel sends what goes to an address and port.
pub(super) struct Scout(Option<Asked>);

/// The kernel, and the marks that the rules of both families look at.
struct Asked {
    kernel: Kernel,
    marks: [BTreeSet<u32>; 2],
}

/// One address of an interface.
struct Interface {
    flags: u32,
    address: IpAddr,
}

impl Watch {
    pub(super) fn new(sleep: &Sleep) -> io::Result<Option<Self>> {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // SAFETY: plain numbers; the result is checked.
        let socket = unsafe { libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_ROUTE) };
        if socket < 0 {
            // A sandbox without netlink: the product can still say what it knows.
            return Ok(None);
        }
        // SAFETY: the descriptor is new and nobody else's.
        let socket = unsafe { OwnedFd::from_raw_fd(socket) };
        // SAFETY: all zero is a valid address.
        let mut address: libc::sockaddr_nl = unsafe { mem::zeroed() };
        address.nl_family = libc::AF_NETLINK as libc::sa_family_t;
        address.nl_groups = (libc::RTMGRP_LINK
            | libc::RTMGRP_IPV4_IFADDR
            | libc::RTMGRP_IPV4_ROUTE
            | libc::RTMGRP_IPV4_RULE
            | libc::RTMGRP_IPV6_IFADDR
            | libc::RTMGRP_IPV6_ROUTE
            | 1 << (libc::RTNLGRP_IPV6_RULE - 1)) as u32;
        let length = size_of_val(&address) as libc::socklen_t;
        // SAFETY: the address lives until the call returns, and the length is its own.
        if unsafe { libc::bind(socket.as_raw_fd(), ptr::from_ref(&address).cast(), length) } != 0 {
            return Ok(None);
        }
        let descriptor = socket.as_raw_fd();
        let mut source = SourceFd(&descriptor);
        sleep.registry().register(&mut source, Sleep::interfaces_token(), Interest::READABLE)?;
        Ok(Some(Self { socket, interrupted: Some(BTreeSet::new()) }))
    }

    /// Whether anything was told before the last sleep ended.
    pub(super) fn has_told(&mut self, sleep: &Sleep) -> bool {
        sleep.interfaces_ready() && self.drain()
    }

    /// Whether one of these was interrupted since this was last asked, or may have been.
    pub(super) fn interrupted<'a>(&mut self, mut hops: impl Iterator<Item = &'a Hop>) -> bool {
        match self.interrupted.replace(BTreeSet::new()) {
            Some(interrupted) => {
                hops.any(|hop| hop.interfaces().any(|interface| interrupted.contains(&interface)))
            }
            None => true,
        }
    }

    /// Reads all there is; whether there was anything. What was lost in a full buffer (`ENOBUFS`) was something too.
    fn drain(&mut self) -> bool {
        const UP: u32 = (libc::IFF_UP | libc::IFF_RUNNING) as u32;
        let mut told = false;
        let mut buffer = [0u8; 4096];
        loop {
            // SAFETY: the buffer is as long as is said.
            let read = unsafe {
                libc::recv(
                    self.socket.as_raw_fd(),
                    buffer.as_mut_ptr().cast(),
                    buffer.len(),
                    libc::MSG_DONTWAIT | libc::MSG_TRUNC,
                )
            };
            let lost = read < 0 && io::Error::last_os_error().raw_os_error() == Some(libc::ENOBUFS);
            match usize::try_from(read).ok().filter(|read| *read > 0) {
                Some(read) => match (buffer.get(..read), &mut self.interrupted) {
                    (Some(datagram), Some(interrupted)) => {
                        let down = kernel::link_flags(datagram).filter(|(_, flags)| flags & UP != UP);
                        interrupted.extend(down.map(|(index, _)| index));
                    }
                    (None, _) => self.interrupted = None,
                    (Some(_), None) => {}
                },
                None if lost => self.interrupted = None,
                None => return told,
            }
            told = true;
        }
    }
}

impl Cover {
    pub(super) fn now() -> Self {
        let up = (libc::IFF_UP | libc::IFF_RUNNING) as u32;
        let (usable, others): (Vec<_>, Vec<_>) = interfaces()
            .into_iter()
            .filter(|interface| leads_out(interface.address))
            .partition(|interface| interface.flags & up == up);
        Self { is_usable: !usable.is_empty(), is_unplugged: !others.is_empty() }
    }
}

impl Scout {
    pub(super) fn new() -> Self {
        let asked = Kernel::open().map(|mut kernel| {
            let families: [IpAddr; 2] = [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
            let marks = families.map(|family| kernel.marks(family).unwrap_or_default());
            Asked { kernel, marks }
        });
        Self(asked.ok())
    }

    pub(super) fn hop(&mut self, to: SocketAddr) -> Option<Hop> {
        let Asked { kernel, marks: [v4, v6] } = self.0.as_mut()?;
        Hop::towards(kernel, to, if to.ip().to_canonical().is_ipv4() { v4 } else { v6 })
    }
}

/// Lets a socket use the interface only by which this address and port is reached.
pub(crate) fn use_way_to(socket: &Socket, like: SocketAddr) -> io::Result<()> {
    let route = Kernel::open().and_then(|mut kernel| way::planned_route(&mut kernel, &Query::of(like)));
    let Ok(name) = route.and_then(|route| name_of(route.interface)) else {
        // Nothing leads there; then it is asked as anybody would be.
        return Ok(());
    };
    match socket.bind_device(Some(name.as_bytes())) {
        // Before Linux 5.7 only root may; then it is asked as anybody would be.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        bound => bound,
    }
}

fn name_of(index: u32) -> io::Result<CString> {
    let mut name = [0; libc::IF_NAMESIZE];
    // SAFETY: the place is as long as the longest name with its end.
    if unsafe { libc::if_indextoname(index, name.as_mut_ptr()) }.is_null() {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the name was written, with its end.
    Ok(unsafe { CStr::from_ptr(name.as_ptr()) }.to_owned())
}

fn interfaces() -> Vec<Interface> {
    let mut first: *mut libc::ifaddrs = ptr::null_mut();
    // SAFETY: the place for the result is ours.
    if unsafe { libc::getifaddrs(&mut first) } != 0 {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut next = first;
    // SAFETY: the list is as the system made it, and lives until it is freed below.
    unsafe {
        while let Some(entry) = next.as_ref() {
            next = entry.ifa_next;
            if let Some(address) = address(entry.ifa_addr) {
                found.push(Interface { flags: entry.ifa_flags, address });
            }
        }
        libc::freeifaddrs(first);
    }
    found
}

/// # Safety
/// NULL, or an address as the system made it.
unsafe fn address(address: *const libc::sockaddr) -> Option<IpAddr> {
    // SAFETY: the caller's promise; the family says which kind it is.
    unsafe {
        match i32::from(address.as_ref()?.sa_family) {
            libc::AF_INET => {
                let ip = ptr::read_unaligned(address.cast::<libc::sockaddr_in>()).sin_addr.s_addr;
                Some(Ipv4Addr::from(ip.to_ne_bytes()).into())
            }
            libc::AF_INET6 => {
                let ip = ptr::read_unaligned(address.cast::<libc::sockaddr_in6>()).sin6_addr.s6_addr;
                Some(Ipv6Addr::from(ip).into())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::kernel::index_of;
    use super::*;

    #[test]
    fn loopback_is_an_interface_and_a_way() {
        let found = interfaces();
        assert!(found.iter().any(|interface| interface.address.is_loopback()));
        let mut scout = Scout::new();
        let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 443));
        let hop = scout.hop(here).unwrap();
        assert_eq!(Some(&hop), scout.hop(here).as_ref(), "nothing changed in between");
        let interface = hop.interfaces().next().unwrap();
        assert_eq!(index_of(name_of(interface).unwrap().as_bytes()).unwrap(), interface);
    }
}
