//! The names a certificate is for.

use std::fmt;
use std::net::IpAddr;

use super::der::Reader;
use crate::types::printable;

/// A name in a certificate that a server can have.
pub(super) enum Present {
    /// A dNSName. It may be whatever its issuer wrote: shortened, without control characters.
    Name(String),
    /// An iPAddress.
    Address(IpAddr),
}

impl fmt::Display for Present {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(address) => address.fmt(f),
        }
    }
}

/// The names in this list (a subjectAltName), in its order. Mail addresses and whatever else no server is called are left out.
pub(super) fn present<'a>(names: Option<&'a [u8]>) -> impl Iterator<Item = Present> + use<'a> {
    let mut names = Reader::new(names.unwrap_or_default());
    std::iter::from_fn(move || names.any().ok()).filter_map(|name| match (name.tag, name.content) {
        (0x82, name) => Some(Present::Name(printable(String::from_utf8_lossy(name), 80))),
        (0x87, &[a, b, c, d]) => Some(Present::Address(IpAddr::from([a, b, c, d]))),
        (0x87, address) => <[u8; 16]>::try_from(address).ok().map(|address| Present::Address(address.into())),
        _ => None,
    })
}
