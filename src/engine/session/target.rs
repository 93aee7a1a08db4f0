//! Whom an attempt is for, and the ways and addresses that lead there.

use std::net::IpAddr;
use std::sync::Arc;

use crate::engine::MAX_ADDRESSES;
use crate::settings::Server;
use crate::words::{CertificatePolicyId, Route, SettingsId};

/// See the module.
#[derive(Clone, Debug)]
pub(in crate::engine) struct Target {
    /// Which record of the attachment.
    pub(in crate::engine) record: usize,
    pub(in crate::engine) server: Arc<Server>,
    pub(in crate::engine) policy: CertificatePolicyId,
    /// Where the name led when it last worked; used when it no longer resolves.
    pub(in crate::engine) last_good: Option<IpAddr>,
    /// The ways there, in the program's order.
    pub(in crate::engine) routes: Arc<[Route]>,
    /// Which of them is tried first: the one that last worked on this network.
    pub(in crate::engine) first_route: u8,
}

impl Target {
    /// The settings changed and still name the server as it was: it goes by other numbers now.
    pub(in crate::engine) fn renumber(&mut self, record: usize, server: &Arc<Server>, settings: SettingsId) {
        self.record = record;
        self.server = server.clone();
        self.policy = CertificatePolicyId { settings, index: server.policy };
    }
}

/// Both families in turn, beginning with that of the system's first choice (RFC 8305, section 4).
pub(super) fn interleaved(addresses: &[IpAddr]) -> impl Iterator<Item = IpAddr> {
    let first_is_v6 = addresses.first().is_some_and(IpAddr::is_ipv6);
    let mut preferred = addresses.iter().filter(move |address| address.is_ipv6() == first_is_v6);
    let mut other = addresses.iter().filter(move |address| address.is_ipv6() != first_is_v6);
    let mut turn = false;
    std::iter::from_fn(move || {
        turn = !turn;
        if turn {
            preferred.next().or_else(|| other.next())
        } else {
            other.next().or_else(|| preferred.next())
        }
    })
    .take(MAX_ADDRESSES)
    .copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns_and_the_number_is_bounded() {
        let parse = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpAddr>>();
        let mixed = parse(&["::1", "::2", "::3", "10.0.0.1"]);
        assert_eq!(interleaved(&mixed).collect::<Vec<_>>(), parse(&["::1", "10.0.0.1", "::2", "::3"]));
        let many = vec!["10.0.0.1".parse().unwrap(); 1000];
        assert_eq!(interleaved(&many).count(), MAX_ADDRESSES);
    }
}
