//! Interfaces on Linux: a netlink socket tells of changes, `getifaddrs` and `/proc/net` say how things are.
#![allow(unsafe_code, reason = "system calls without a safe wrapper among our dependencies")]

use std::collections::BTreeSet;
use std::ffi::CStr;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;
use std::{fs, io, mem, ptr};

use mio::Interest;
use mio::unix::SourceFd;
use socket2::Socket;

use super::leads_out;
use crate::platform::Sleep;

/// A socket on which the kernel tells of links, addresses and routes.
pub(super) struct Watch(OwnedFd);

/// What a change is measured by.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Picture {
    addresses: BTreeSet<(String, IpAddr)>,
    /// There are others on interfaces that are down or not plugged in.
    unplugged: bool,
    /// The lines of the default routes, without their counters.
    routes: BTreeSet<String>,
}

/// One address of an interface.
struct Interface {
    name: String,
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
            | libc::RTMGRP_IPV6_IFADDR
            | libc::RTMGRP_IPV6_ROUTE) as u32;
        let length = size_of_val(&address) as libc::socklen_t;
        // SAFETY: the address lives until the call returns, and the length is its own.
        if unsafe { libc::bind(socket.as_raw_fd(), ptr::from_ref(&address).cast(), length) } != 0 {
            return Ok(None);
        }
        let descriptor = socket.as_raw_fd();
        let mut source = SourceFd(&descriptor);
        sleep.registry().register(&mut source, Sleep::interfaces_token(), Interest::READABLE)?;
        Ok(Some(Self(socket)))
    }

    /// Whether anything was told before the last sleep ended.
    pub(super) fn has_told(&mut self, sleep: &Sleep) -> bool {
        sleep.interfaces_ready() && self.drain()
    }

    /// Reads all there is; whether there was anything. What was lost in a full buffer (`ENOBUFS`) was something too.
    fn drain(&mut self) -> bool {
        let mut told = false;
        let mut buffer = [0u8; 4096];
        loop {
            // SAFETY: the buffer is as long as is said.
            let read = unsafe {
                libc::recv(self.0.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), libc::MSG_DONTWAIT)
            };
            if read <= 0 && io::Error::last_os_error().raw_os_error() != Some(libc::ENOBUFS) {
                return told;
            }
            told = true;
        }
    }
}

impl Picture {
    pub(super) fn now() -> Self {
        let up = (libc::IFF_UP | libc::IFF_RUNNING) as u32;
        let (usable, others): (Vec<_>, Vec<_>) = interfaces()
            .into_iter()
            .filter(|interface| leads_out(interface.address))
            .partition(|interface| interface.flags & up == up);
        let addresses = usable.into_iter().map(|interface| (interface.name, interface.address)).collect();
        Self { addresses, unplugged: !others.is_empty(), routes: default_routes() }
    }

    pub(super) fn is_unplugged(&self) -> bool {
        self.unplugged
    }

    /// The same routers, or where there are none the same addresses. Other networks may look like it: nothing may depend on
    /// this but how slowly trust is given.
    pub(super) fn is_same_network(&self, other: &Self) -> bool {
        if self.routes.is_empty() { self.addresses == other.addresses } else { self.routes == other.routes }
    }

    pub(super) fn is_usable(&self) -> bool {
        !self.addresses.is_empty()
    }
}

/// Whether this address of our own belongs to a tunnel: a point-to-point interface (tun, WireGuard, ppp), or a tap.
pub(crate) fn is_tunnel(local: IpAddr) -> bool {
    let Some(interface) = interfaces().into_iter().find(|interface| interface.address == local) else {
        return false;
    };
    let made_by_a_program = || Path::new("/sys/class/net").join(&interface.name).join("tun_flags").exists();
    interface.flags & libc::IFF_POINTOPOINT as u32 != 0 || made_by_a_program()
}

/// Lets a socket use the interface only by which this address is reached.
pub(crate) fn use_way_to(socket: &Socket, like: IpAddr) -> io::Result<()> {
    // A datagram socket that is connected says which address of ours is used; nothing is sent.
    let anywhere: IpAddr =
        if like.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let scout = UdpSocket::bind((anywhere, 0))?;
    if scout.connect((like, 9)).is_err() {
        // Nothing leads there; then it is asked as anybody would be.
        return Ok(());
    }
    let local = scout.local_addr()?.ip();
    let Some(interface) = interfaces().into_iter().find(|interface| interface.address == local) else {
        return Ok(());
    };
    match socket.bind_device(Some(interface.name.as_bytes())) {
        // Before Linux 5.7 only root may; then it is asked as anybody would be.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        bound => bound,
    }
}

fn default_routes() -> BTreeSet<String> {
    let mut routes = BTreeSet::new();
    // Interface, destination, gateway, flags, then counters.
    for line in fs::read_to_string("/proc/net/route").unwrap_or_default().lines().skip(1) {
        let mut words = line.split_whitespace();
        if let (Some(name), Some("00000000"), Some(gateway)) = (words.next(), words.next(), words.next()) {
            routes.insert(format!("{name} {gateway}"));
        }
    }
    // Destination, its length, source, its length, gateway, metric, two counters, flags, interface.
    for line in fs::read_to_string("/proc/net/ipv6_route").unwrap_or_default().lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let [destination, "00", _, _, gateway, _, _, _, _, name] = words[..]
            && destination.bytes().all(|byte| byte == b'0')
            && name != "lo"
        {
            routes.insert(format!("{name} {gateway}"));
        }
    }
    routes
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
                let name = CStr::from_ptr(entry.ifa_name).to_string_lossy().into_owned();
                found.push(Interface { name, flags: entry.ifa_flags, address });
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
    use super::*;

    #[test]
    fn loopback_is_an_interface_and_no_tunnel() {
        let found = interfaces();
        assert!(found.iter().any(|interface| interface.address.is_loopback()));
        assert!(!is_tunnel(Ipv4Addr::LOCALHOST.into()));
        assert!(Picture::now() == Picture::now(), "nothing changed in between");
    }
}
