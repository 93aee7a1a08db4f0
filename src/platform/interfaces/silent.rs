//! A system of which homing does not learn when its interfaces change.

use std::io;
use std::net::IpAddr;

use mio::{Registry, Token};

/// Nobody watches.
pub(super) enum Watch {}

/// Nothing is known.
#[derive(PartialEq, Eq)]
pub(super) struct Picture;

impl Watch {
    pub(super) fn new(_registry: &Registry, _token: Token) -> io::Result<Option<Self>> {
        Ok(None)
    }

    pub(super) fn drain(&mut self) -> bool {
        false
    }
}

impl Picture {
    pub(super) fn now() -> Self {
        Self
    }

    pub(super) fn is_usable(&self) -> bool {
        true
    }
}

/// Not known here: no way counts as a tunnel.
pub(crate) fn is_tunnel(_local: IpAddr) -> bool {
    false
}
