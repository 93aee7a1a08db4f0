//! Internet addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use super::status::{Failed, HOMING_ERROR_RANGE};

/// How many addresses an action names at most.
pub const HOMING_ADDRESSES_MAX: usize = 16;
const _: () = assert!(HOMING_ADDRESSES_MAX == crate::engine::MAX_ADDRESSES);

/// An internet address and a port. This struct never grows.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct homing_address {
    /// The address in network order. An IPv4 address has the first four bytes; the others are zero.
    pub ip: [u8; 16],
    /// 4 or 6.
    pub family: u32,
    /// 0 to 65535, in the order of this machine.
    pub port: u32,
    /// The scope of an IPv6 link-local address; otherwise 0.
    pub scope_id: u32,
}

impl From<SocketAddr> for homing_address {
    fn from(address: SocketAddr) -> Self {
        let port = address.port().into();
        match address {
            SocketAddr::V4(address) => {
                let mut ip = [0; 16];
                let [a, b, c, d] = address.ip().octets();
                ip[..4].copy_from_slice(&[a, b, c, d]);
                Self { ip, family: 4, port, scope_id: 0 }
            }
            SocketAddr::V6(address) => {
                Self { ip: address.ip().octets(), family: 6, port, scope_id: address.scope_id() }
            }
        }
    }
}

impl homing_address {
    pub(super) fn socket(&self) -> Result<SocketAddr, Failed> {
        let port = u16::try_from(self.port)
            .map_err(|_| Failed::new(HOMING_ERROR_RANGE, format!("{} is no port", self.port)))?;
        match self.family {
            4 => {
                let [a, b, c, d, ..] = self.ip;
                Ok(SocketAddr::new(Ipv4Addr::new(a, b, c, d).into(), port))
            }
            6 => Ok(SocketAddrV6::new(Ipv6Addr::from(self.ip), port, 0, self.scope_id).into()),
            other => {
                Err(Failed::new(HOMING_ERROR_RANGE, format!("an address family is 4 or 6, not {other}")))
            }
        }
    }

    /// The address alone, whatever the port.
    pub(super) fn ip(&self) -> Result<IpAddr, Failed> {
        Self { port: 0, ..*self }.socket().map(|address| address.ip())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_back_as_they_went() {
        for text in ["192.0.2.7:8014", "[2001:db8::1]:443", "[fe80::1%3]:1"] {
            let address: SocketAddr = text.parse().unwrap();
            assert_eq!(homing_address::from(address).socket().unwrap(), address);
        }
        let good = homing_address { ip: [0; 16], family: 4, port: 1, scope_id: 0 };
        assert!(homing_address { family: 2, ..good }.socket().is_err());
        assert!(homing_address { port: 65_536, ..good }.socket().is_err());
        assert!(homing_address { port: 65_536, ..good }.ip().is_ok());
    }
}
