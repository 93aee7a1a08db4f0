//! What is below an interface: hardware, or a tunnel.
//!
//! The kinds that are no tunnel are listed; everything else is one. A new kind, or one that nobody has told the kernel of, is
//! taken for a tunnel: that is never wrong in the direction that matters.

use std::path::Path;

use crate::platform::file::read_file;

/// Interfaces upon interfaces: VLANs on a bond of bridges are three. What goes deeper, or round and round, cannot be told.
const DEEPEST: u8 = 8;

/// Of a file with the index of an interface, as the kernel announces it: a page.
const LONGEST: u64 = 4096;

/// An interface as the kernel tells of it.
#[derive(Clone, Debug)]
pub(super) struct Interface {
    pub(super) name: String,
    pub(super) index: u32,
    /// `ARPHRD_…`.
    pub(super) hardware: u16,
    /// `IFF_…`.
    pub(super) flags: u32,
    /// What made it, when that was a program or an administrator.
    pub(super) kind: Option<String>,
    /// There is a device behind it.
    pub(super) has_device: bool,
    pub(super) lower: Lower,
    pub(super) master: Option<u32>,
}

/// What an interface lies upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lower {
    None,
    At(u32),
    /// In another network namespace.
    Elsewhere,
}

/// Where interfaces are looked up. What is not there cannot be told.
pub(super) trait Table {
    fn interface(&mut self, index: u32) -> Option<Interface>;
    /// The ports of a bridge or a bond.
    fn ports(&mut self, master: u32) -> Option<Vec<Interface>>;
}

/// Whether what leaves by this interface goes through a tunnel, or may do so.
pub(super) fn is_tunnel(table: &mut impl Table, index: u32) -> bool {
    match table.interface(index) {
        Some(interface) => leads_through_tunnel(table, &interface, DEEPEST),
        None => true,
    }
}

fn leads_through_tunnel(table: &mut impl Table, interface: &Interface, deepest: u8) -> bool {
    let Some(deepest) = deepest.checked_sub(1) else { return true };
    let ports = |table: &mut _| {
        let ports = Table::ports(table, interface.index).unwrap_or_default();
        // By one that is not plugged in nothing leaves.
        let running = ports.into_iter().filter(Interface::is_running);
        running.map(|port| leads_through_tunnel(table, &port, deepest)).collect::<Vec<_>>()
    };
    match interface.kind.as_deref() {
        None if interface.hardware == libc::ARPHRD_LOOPBACK => false,
        None => !interface.is_hardware(),
        // The other end is a machine of its own, whatever that does with it. A modem is a radio.
        Some("veth" | "netkit" | "wwan") => false,
        Some(
            "vlan" | "macvlan" | "macvtap" | "ipvlan" | "ipvtap" | "macsec" | "dsa" | "ipoib" | "lowpan"
            | "rmnet" | "virt_wifi",
        ) => match interface.lower {
            Lower::At(lower) if lower != interface.index => match table.interface(lower) {
                Some(lower) => leads_through_tunnel(table, &lower, deepest),
                None => true,
            },
            Lower::At(_) | Lower::None | Lower::Elsewhere => true,
        },
        Some("bond" | "team") => {
            let ports = ports(table);
            ports.is_empty() || ports.contains(&true)
        }
        Some("bridge") => !ports(table).contains(&false),
        Some(_) => true,
    }
}

impl Interface {
    fn is_running(&self) -> bool {
        let running = (libc::IFF_UP | libc::IFF_RUNNING) as u32;
        self.flags & running == running
    }

    /// Whether a device is behind it. Before Linux 5.14 only the file system tells.
    fn is_hardware(&self) -> bool {
        self.has_device || self.has_device_in_sysfs()
    }

    fn has_device_in_sysfs(&self) -> bool {
        if self.name.is_empty() || self.name.contains('/') {
            return false;
        }
        let folder = Path::new("/sys/class/net").join(&self.name);
        // It may be mounted for another network namespace, with other interfaces of the same names.
        let index = read_file(&folder.join("ifindex"), LONGEST).ok();
        let is_ours = index.is_some_and(|index| index.trim_ascii() == self.index.to_string().as_bytes());
        is_ours && folder.join("device").exists()
    }
}
