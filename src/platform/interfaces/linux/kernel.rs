//! Questions to the kernel about routes, addresses and interfaces: rtnetlink, asked and answered at once.
//!
//! A socket lives for the few questions of one look. What the kernel does not say, or says in a way that is not understood, is
//! an error, and whoever asks takes the cautious answer.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::io;
use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;

use super::carried::{Interface, Lower, Table};
use super::message::{
    Message, address, attributes, family, message, number16, number32, octets, request_is_dump, text,
};

/// What the kernel fills at most in one go (`netlink_dump`).
const BUFFER: usize = 32 * 1024;

/// Messages of one answer that are read: more interfaces than any machine has whose way to a server is in doubt.
const MOST_MESSAGES: usize = 65_536;

const ROUTE_HEADER: usize = 12;
const LINK_HEADER: usize = 16;
const ADDRESS_HEADER: usize = 8;
const RULE_HEADER: usize = 12;
const NEIGHBOUR_HEADER: usize = 12;

// <linux/rtnetlink.h>, <linux/fib_rules.h>, <linux/if_link.h>: what libc does not name on every target.
const RTA_VIA: u16 = 18;
const RTA_ENCAP_TYPE: u16 = 21;
const RTA_UID: u16 = 25;
const RTA_IP_PROTO: u16 = 27;
const RTA_SPORT: u16 = 28;
const RTA_DPORT: u16 = 29;
const FRA_FWMARK: u16 = 10;
const IFLA_IFNAME: u16 = 3;
const IFLA_LINK: u16 = 5;
const IFLA_MASTER: u16 = 10;
const IFLA_LINKINFO: u16 = 18;
const IFLA_EXT_MASK: u16 = 29;
const IFLA_LINK_NETNSID: u16 = 37;
const IFLA_PARENT_DEV_NAME: u16 = 56;
const IFLA_INFO_KIND: u16 = 1;
/// Counters are of no interest.
const RTEXT_FILTER_SKIP_STATS: u32 = 1 << 3;

/// See the module.
pub(super) struct Kernel {
    socket: OwnedFd,
    buffer: Vec<u8>,
    sequence: u32,
}

/// Which route is asked for: what the kernel goes by when a socket connects.
#[derive(Clone, Debug)]
pub(super) struct Query {
    pub(super) to: IpAddr,
    pub(super) from: Option<IpAddr>,
    pub(super) mark: u32,
    pub(super) interface: Option<u32>,
    pub(super) tos: u8,
    pub(super) source_port: Option<u16>,
    pub(super) port: Option<u16>,
}

/// Where the kernel sends what goes to an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Route {
    /// To this machine itself.
    pub(super) is_local: bool,
    /// Wrapped into something else on its way, without an interface of its own.
    pub(super) is_wrapped: bool,
    pub(super) interface: u32,
    pub(super) gateway: Option<IpAddr>,
    pub(super) source: Option<IpAddr>,
}

impl Query {
    pub(super) fn to(to: IpAddr) -> Self {
        Self { to, from: None, mark: 0, interface: None, tos: 0, source_port: None, port: None }
    }

    /// To this port of it; 0 stands for any.
    pub(super) fn of(to: SocketAddr) -> Self {
        Self { port: Some(to.port()).filter(|port| *port != 0), ..Self::to(to.ip()) }
    }
}

impl Kernel {
    pub(super) fn open() -> io::Result<Self> {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
        // SAFETY: plain numbers; the result is checked.
        let socket = unsafe { libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_ROUTE) };
        if socket < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is new and nobody else's.
        let socket = unsafe { OwnedFd::from_raw_fd(socket) };
        Ok(Self { socket, buffer: vec![0; BUFFER], sequence: 0 })
    }

    // --- questions ---

    pub(super) fn route(&mut self, query: &Query) -> io::Result<Route> {
        let (to, from) = (query.to.to_canonical(), query.from.map(|from| from.to_canonical()));
        let bits = |address: IpAddr| if address.is_ipv4() { 32 } else { 128 };
        let mut request = Message::new(libc::RTM_GETROUTE, 0);
        request.bytes(&[family(to), bits(to), from.map_or(0, bits), query.tos]);
        request.bytes(&[0; 8]);
        request.attribute(libc::RTA_DST, &octets(to));
        if let Some(from) = from {
            request.attribute(libc::RTA_SRC, &octets(from));
        }
        if let Some(interface) = query.interface {
            request.attribute(libc::RTA_OIF, &interface.to_ne_bytes());
        }
        request.attribute(libc::RTA_MARK, &query.mark.to_ne_bytes());
        // SAFETY: it reads a number and cannot fail.
        request.attribute(RTA_UID, &unsafe { libc::geteuid() }.to_ne_bytes());
        request.attribute(RTA_IP_PROTO, &[libc::IPPROTO_TCP as u8]);
        for (name, port) in [(RTA_SPORT, query.source_port), (RTA_DPORT, query.port)] {
            if let Some(port) = port {
                request.attribute(name, &port.to_be_bytes());
            }
        }
        let mut found = None;
        self.ask(request, |kind, message| {
            if kind == libc::RTM_NEWROUTE {
                found = route(message);
            }
        })?;
        found.ok_or_else(not_understood)
    }

    /// The marks on packets by which rules choose among the tables of routes. A packet filter may set them.
    pub(super) fn marks(&mut self, to: IpAddr) -> io::Result<BTreeSet<u32>> {
        let mut request = Message::new(libc::RTM_GETRULE, libc::NLM_F_DUMP);
        request.bytes(&[family(to.to_canonical())]);
        request.bytes(&[0; RULE_HEADER - 1]);
        let mut marks = BTreeSet::new();
        self.ask(request, |_, message| marks.extend(mark(message)))?;
        Ok(marks)
    }

    /// The interfaces that have this address.
    pub(super) fn owners(&mut self, address: IpAddr) -> io::Result<BTreeSet<u32>> {
        let address = address.to_canonical();
        let mut request = Message::new(libc::RTM_GETADDR, libc::NLM_F_DUMP);
        request.bytes(&[family(address)]);
        request.bytes(&[0; ADDRESS_HEADER - 1]);
        let mut owners = BTreeSet::new();
        self.ask(request, |_, message| {
            if let Some((index, found)) = owner(message)
                && found == address
            {
                owners.insert(index);
            }
        })?;
        Ok(owners)
    }

    /// The link address of a neighbour behind this interface, once the kernel has learned it.
    pub(super) fn link_address(&mut self, neighbour: IpAddr, interface: u32) -> Option<Vec<u8>> {
        let mut request = Message::new(libc::RTM_GETNEIGH, 0);
        request.bytes(&[family(neighbour), 0, 0, 0]);
        request.bytes(&interface.to_ne_bytes());
        request.bytes(&[0; NEIGHBOUR_HEADER - 8]);
        request.attribute(libc::NDA_DST, &octets(neighbour));
        let mut found = None;
        self.ask(request, |kind, message| {
            if kind == libc::RTM_NEWNEIGH {
                let mut attributes = attributes(message, NEIGHBOUR_HEADER);
                let known = attributes.find(|(name, _)| *name == libc::NDA_LLADDR);
                found = known.map(|(_, address)| address.to_vec());
            }
        })
        .ok()?;
        found.filter(|address| !address.is_empty())
    }

    /// Sends a request and hands every message of the answer to `take`, without its header.
    fn ask(&mut self, request: Message, mut take: impl FnMut(u16, &[u8])) -> io::Result<()> {
        self.sequence += 1;
        let (bytes, sequence) = (request.finish(self.sequence), self.sequence);
        // SAFETY: the bytes live until the call returns, and the length is theirs.
        let sent = unsafe { libc::send(self.socket.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), 0) };
        if sent < 0 {
            return Err(io::Error::last_os_error());
        }
        let mut read = 0;
        loop {
            let length = self.receive()?;
            let mut rest = self.buffer.get(..length).unwrap_or_default();
            while let Some((kind, number, message)) = message(&mut rest) {
                read += 1;
                if number != sequence || read > MOST_MESSAGES {
                    return Err(not_understood());
                }
                match i32::from(kind) {
                    libc::NLMSG_DONE => return Ok(()),
                    libc::NLMSG_ERROR => {
                        let code =
                            message.first_chunk().map_or(-libc::EBADMSG, |code| i32::from_ne_bytes(*code));
                        return Err(io::Error::from_raw_os_error(-code));
                    }
                    _ => take(kind, message),
                }
                if !request_is_dump(&bytes) {
                    return Ok(());
                }
            }
        }
    }

    /// What the kernel has put into the queue: it answers before the question has returned, so nothing is waited for.
    fn receive(&mut self) -> io::Result<usize> {
        // SAFETY: all zero is a valid address.
        let mut from: libc::sockaddr_nl = unsafe { mem::zeroed() };
        let mut from_length = size_of_val(&from) as libc::socklen_t;
        // SAFETY: the buffer and the address are as long as is said.
        let length = unsafe {
            libc::recvfrom(
                self.socket.as_raw_fd(),
                self.buffer.as_mut_ptr().cast(),
                self.buffer.len(),
                libc::MSG_DONTWAIT | libc::MSG_TRUNC,
                ptr::from_mut(&mut from).cast(),
                &mut from_length,
            )
        };
        let Ok(length) = usize::try_from(length) else { return Err(io::Error::last_os_error()) };
        // Only the kernel has the number 0.
        if from.nl_pid != 0 || length == 0 || length > self.buffer.len() {
            return Err(not_understood());
        }
        Ok(length)
    }
}

impl Table for Kernel {
    fn interface(&mut self, index: u32) -> Option<Interface> {
        let mut found = None;
        self.ask(link_request(0, index), |kind, message| {
            if kind == libc::RTM_NEWLINK {
                found = interface(message);
            }
        })
        .ok()?;
        found
    }

    fn ports(&mut self, master: u32) -> Option<Vec<Interface>> {
        let mut request = link_request(libc::NLM_F_DUMP, 0);
        request.attribute(IFLA_MASTER, &master.to_ne_bytes());
        let mut ports = Vec::new();
        self.ask(request, |_, message| {
            ports.extend(interface(message).filter(|interface| interface.master == Some(master)));
        })
        .ok()?;
        Some(ports)
    }
}

/// What asks for an interface; 0 stands for all.
fn link_request(flags: i32, index: u32) -> Message {
    let mut request = Message::new(libc::RTM_GETLINK, flags);
    request.bytes(&[0; 4]);
    request.bytes(&index.to_ne_bytes());
    request.bytes(&[0; 8]);
    request.attribute(IFLA_EXT_MASK, &RTEXT_FILTER_SKIP_STATS.to_ne_bytes());
    request
}

// --- what an answer says ---

pub(super) fn route(message: &[u8]) -> Option<Route> {
    let is_local = *message.get(7)? == libc::RTN_LOCAL;
    let is_unicast = *message.get(7)? == libc::RTN_UNICAST;
    let mut found = Route { is_local, is_wrapped: false, interface: 0, gateway: None, source: None };
    for (name, value) in attributes(message, ROUTE_HEADER) {
        match name {
            libc::RTA_OIF => found.interface = number32(value, 0)?,
            libc::RTA_GATEWAY => found.gateway = Some(address(value)?),
            RTA_VIA => found.gateway = Some(address(value.get(2..)?)?),
            libc::RTA_PREFSRC => found.source = Some(address(value)?),
            RTA_ENCAP_TYPE => found.is_wrapped |= number16(value, 0)? != 0,
            _ => {}
        }
    }
    ((is_local || is_unicast) && found.interface != 0).then_some(found)
}

pub(super) fn interface(message: &[u8]) -> Option<Interface> {
    let mut found = Interface {
        name: String::new(),
        index: number32(message, 4)?,
        hardware: number16(message, 2)?,
        flags: number32(message, 8)?,
        kind: None,
        has_device: false,
        lower: Lower::None,
        master: None,
    };
    let mut elsewhere = false;
    for (name, value) in attributes(message, LINK_HEADER) {
        match name {
            IFLA_IFNAME => found.name = text(value),
            IFLA_LINK => found.lower = Lower::At(number32(value, 0)?),
            IFLA_LINK_NETNSID => elsewhere = true,
            IFLA_MASTER => found.master = Some(number32(value, 0)?),
            IFLA_PARENT_DEV_NAME => found.has_device = true,
            IFLA_LINKINFO => {
                let kind = attributes(value, 0).find(|(name, _)| *name == IFLA_INFO_KIND);
                found.kind = kind.map(|(_, value)| text(value));
            }
            _ => {}
        }
    }
    if elsewhere {
        found.lower = Lower::Elsewhere;
    }
    Some(found)
}

/// Of a message that says that an interface has changed: which, and its flags.
pub(super) fn link_flags(datagram: &[u8]) -> impl Iterator<Item = (u32, u32)> {
    let mut rest = datagram;
    std::iter::from_fn(move || message(&mut rest)).filter_map(|(kind, _, message)| match kind {
        libc::RTM_NEWLINK => Some((number32(message, 4)?, number32(message, 8)?)),
        libc::RTM_DELLINK => Some((number32(message, 4)?, 0)),
        _ => None,
    })
}

fn mark(message: &[u8]) -> Option<u32> {
    let (_, value) = attributes(message, RULE_HEADER).find(|(name, _)| *name == FRA_FWMARK)?;
    number32(value, 0)
}

/// An address of this machine and the interface that has it. Of a point-to-point interface `IFA_ADDRESS` is the other end.
fn owner(message: &[u8]) -> Option<(u32, IpAddr)> {
    let index = number32(message, 4)?;
    let named = |wanted: u16| {
        attributes(message, ADDRESS_HEADER).find(|(name, _)| *name == wanted).map(|(_, value)| value)
    };
    let value = named(libc::IFA_LOCAL).or_else(|| named(libc::IFA_ADDRESS))?;
    Some((index, address(value)?))
}

fn not_understood() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the kernel's answer is not understood")
}

/// The number of the interface of this name, with or without the zero at its end.
pub(super) fn index_of(name: &[u8]) -> io::Result<u32> {
    let name = CString::new(name.strip_suffix(&[0]).unwrap_or(name))?;
    // SAFETY: the name ends with a zero.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(io::Error::last_os_error()),
        index => Ok(index),
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::super::carried::is_tunnel;
    use super::*;

    /// An interface as the kernel tells of it.
    fn told(index: u32, kind: Option<&str>, more: &[(u16, &[u8])]) -> Vec<u8> {
        let mut message = Message::new(libc::RTM_NEWLINK, 0);
        message.bytes(&[0, 0]);
        message.bytes(&libc::ARPHRD_ETHER.to_ne_bytes());
        message.bytes(&index.to_ne_bytes());
        message.bytes(&((libc::IFF_UP | libc::IFF_RUNNING) as u32).to_ne_bytes());
        message.bytes(&[0; 4]);
        message.attribute(IFLA_IFNAME, b"x0\0");
        for (name, value) in more {
            message.attribute(*name, value);
        }
        if let Some(kind) = kind {
            let mut info = Message(Vec::new());
            info.attribute(IFLA_INFO_KIND, &[kind.as_bytes(), b"\0"].concat());
            message.attribute(IFLA_LINKINFO, &info.0);
        }
        message.finish(1)
    }

    /// Interfaces of which the kernel would tell in these messages.
    struct Told(Vec<Vec<u8>>);

    impl Told {
        fn all(&self) -> impl Iterator<Item = Interface> {
            self.0.iter().map(|bytes| {
                let (_, _, body) = message(&mut bytes.as_slice()).unwrap();
                interface(body).unwrap()
            })
        }
    }

    impl Table for Told {
        fn interface(&mut self, index: u32) -> Option<Interface> {
            self.all().find(|interface| interface.index == index)
        }

        fn ports(&mut self, master: u32) -> Option<Vec<Interface>> {
            Some(self.all().filter(|interface| interface.master == Some(master)).collect())
        }
    }

    #[test]
    fn interfaces_that_this_kernel_may_lack_are_known_by_what_a_kernel_tells_of_them() {
        let one =
            |kind: Option<&str>, more: &[(u16, &[u8])]| is_tunnel(&mut Told(vec![told(7, kind, more)]), 7);
        for kind in [
            "wireguard",
            "xfrm",
            "ipip",
            "gre",
            "gretap",
            "ip6tnl",
            "ip6gre",
            "sit",
            "vti",
            "vti6",
            "vxlan",
            "geneve",
            "tun",
            "ppp",
            "ovpn",
            "ovpn-dco",
            "l2tp",
            "gtp",
            "bareudp",
            "amneziawg",
            "dummy",
            "vrf",
            "one that nobody knows",
        ] {
            assert!(one(Some(kind), &[]), "{kind}");
            // What it runs over does not help it.
            assert!(one(Some(kind), &[(IFLA_PARENT_DEV_NAME, b"0000:00:1f.6\0")]), "{kind}");
        }
        assert!(one(None, &[]), "an interface without a device, as L2TP makes them");
        assert!(!one(None, &[(IFLA_PARENT_DEV_NAME, b"0000:00:1f.6\0")]), "hardware");
        assert!(!one(Some("veth"), &[(IFLA_LINK, &8u32.to_ne_bytes()), (IFLA_LINK_NETNSID, &[0; 4])]));
        assert!(one(Some("macvlan"), &[(IFLA_LINK, &8u32.to_ne_bytes()), (IFLA_LINK_NETNSID, &[0; 4])]));
    }

    #[test]
    fn a_vlan_and_a_bond_are_what_they_carry() {
        let device: (u16, &[u8]) = (IFLA_PARENT_DEV_NAME, b"0000:00:1f.6\0");
        let (eight, nine) = (8u32.to_ne_bytes(), 9u32.to_ne_bytes());
        for (below, expected) in [
            (told(8, None, &[device]), false),
            (told(8, Some("wireguard"), &[]), true),
            (told(8, Some("bond"), &[]), false),
        ] {
            let port = told(10, None, &[device, (IFLA_MASTER, &eight)]);
            for kind in ["vlan", "macvlan", "macvtap", "ipvlan", "macsec"] {
                let above = told(7, Some(kind), &[(IFLA_LINK, &eight)]);
                let mut table = Told(vec![above, below.clone(), port.clone()]);
                assert_eq!(is_tunnel(&mut table, 7), expected, "{kind}");
            }
        }
        let hardware = told(10, None, &[device, (IFLA_MASTER, &nine)]);
        let tunnel = told(11, Some("tun"), &[(IFLA_MASTER, &nine)]);
        for (kind, ports, expected) in [
            ("bond", vec![hardware.clone()], false),
            ("bond", vec![hardware.clone(), tunnel.clone()], true),
            ("bond", vec![], true),
            ("team", vec![tunnel.clone()], true),
            ("bridge", vec![hardware.clone(), tunnel.clone()], false),
            ("bridge", vec![tunnel.clone()], true),
            ("bridge", vec![], true),
        ] {
            let mut table = Told([vec![told(9, Some(kind), &[])], ports].concat());
            assert_eq!(is_tunnel(&mut table, 9), expected, "{kind}");
        }
        let loop_of_two = [
            told(7, Some("vlan"), &[(IFLA_LINK, &eight)]),
            told(8, Some("vlan"), &[(IFLA_LINK, &7u32.to_ne_bytes())]),
        ];
        assert!(is_tunnel(&mut Told(loop_of_two.into()), 7), "what has no end cannot be told");
    }

    #[test]
    fn no_bytes_of_an_answer_make_it_panic() {
        let whole = told(7, Some("vlan"), &[(IFLA_LINK, &8u32.to_ne_bytes())]);
        for length in 0..whole.len() {
            for value in [0, 1, 3, 4, 0x7F, 0xFF] {
                let mut bytes = whole.clone();
                bytes[length] = value;
                for bytes in [&bytes[..], &bytes[..length]] {
                    let mut rest = bytes;
                    for _ in 0..10 {
                        let Some((_, _, body)) = message(&mut rest) else { break };
                        let _ = (interface(body), route(body), mark(body), owner(body));
                    }
                    let _ = link_flags(bytes).take(10).count();
                }
            }
        }
    }

    #[test]
    fn the_kernel_answers_what_it_is_asked() {
        let mut kernel = Kernel::open().unwrap();
        let loopback: IpAddr = Ipv4Addr::LOCALHOST.into();
        let route = kernel.route(&Query::to(loopback)).unwrap();
        assert!(route.is_local, "{route:?}");
        assert_eq!(kernel.owners(loopback).unwrap(), BTreeSet::from([route.interface]));
        let found = kernel.interface(route.interface).unwrap();
        assert_eq!((found.name.as_str(), found.hardware), ("lo", libc::ARPHRD_LOOPBACK));
        assert_eq!(kernel.ports(route.interface).unwrap().len(), 0);
        kernel.marks(loopback).unwrap();
        assert!(kernel.interface(u32::MAX >> 1).is_none());
        assert_eq!(kernel.link_address(Ipv4Addr::new(192, 0, 2, 1).into(), route.interface), None);
    }
}
