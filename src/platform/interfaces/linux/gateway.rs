//! Which network this is: networks are told apart by the gateway of the default route and its link address.
//!
//! Half of all homes have a gateway at 192.168.1.1, so without its link address nothing is said. The kernel knows that once it
//! has sent a packet there.

use std::hash::Hasher;
use std::net::IpAddr;

use siphasher::sip::SipHasher13;

use super::kernel::{Kernel, Query};
use super::way::planned_route;
use crate::platform::interfaces::EVERYWHERE;
use crate::types::NetworkId;

/// The network that the default route leads to; `None` when there is none with a gateway, or its link address is not known.
pub(crate) fn network() -> Option<NetworkId> {
    let mut kernel = Kernel::open().ok()?;
    EVERYWHERE.iter().find_map(|to| behind(&mut kernel, to.ip()))
}

fn behind(kernel: &mut Kernel, to: IpAddr) -> Option<NetworkId> {
    let route = planned_route(kernel, &Query::to(to)).ok()?;
    let gateway = route.gateway?;
    let link_address = kernel.link_address(gateway, route.interface)?;
    Some(name(gateway, &link_address))
}

/// The same number for the same gateway, in every version.
fn name(gateway: IpAddr, link_address: &[u8]) -> NetworkId {
    let mut name = SipHasher13::new();
    match gateway {
        IpAddr::V4(gateway) => name.write(&gateway.octets()),
        IpAddr::V6(gateway) => name.write(&gateway.octets()),
    }
    name.write(link_address);
    NetworkId(name.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_with_one_gateway_address_are_told_apart_by_its_link_address() {
        let gateway = "192.168.1.1".parse().unwrap();
        let (home, hotel) = (name(gateway, &[2, 0, 0, 0, 0, 1]), name(gateway, &[2, 0, 0, 0, 0, 2]));
        assert_ne!(home, hotel);
        assert_eq!(home, name(gateway, &[2, 0, 0, 0, 0, 1]));
        assert_ne!(home, name("192.168.2.1".parse().unwrap(), &[2, 0, 0, 0, 0, 1]));
        // Whatever this machine has: the question is understood.
        let _ = network();
    }
}
