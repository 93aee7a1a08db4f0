//! Known keys: SHA-256 of a SubjectPublicKeyInfo (as RFC 7469 2.4 has it).
//!
//! A set with states, so that a key can be changed without touching an endpoint: the new one is `next`
//! before a server has it, the old one `retiring` after the last server has lost it. A key that was
//! stolen is `revoked` and is then refused whatever vouches for it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};

use super::reject::{Bearer, RejectReason};
use crate::settings::{Pin, PinState};

/// The pins of a policy.
#[derive(Debug, Default)]
pub(super) struct Pins {
    known: BTreeMap<[u8; 32], PinState>,
    is_required: bool,
}

impl Pins {
    pub(super) fn new(pins: &[Pin]) -> Self {
        let known: BTreeMap<_, _> = pins.iter().map(|pin| (pin.sha256, pin.state)).collect();
        let is_required = known.values().any(|state| *state != PinState::Revoked);
        Self { known, is_required }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Whether one of the pins has to occur in a chain.
    pub(super) fn is_required(&self) -> bool {
        self.is_required
    }

    /// Judges the keys of a chain, the server's own first, with whose they are. The state of the pin that was found, if
    /// one is wanted.
    ///
    /// # Errors
    /// A revoked key, or none that is pinned.
    pub(super) fn check(
        &self,
        mut keys: impl Iterator<Item = (Bearer, [u8; 32])>,
    ) -> Result<Option<PinState>, RejectReason> {
        if self.known.is_empty() {
            return Ok(None);
        }
        let Some((server, own)) = keys.next() else { return Err(RejectReason::NoCertificate) };
        let mut found = None;
        for (subject, key) in std::iter::once((server.clone(), own)).chain(keys) {
            match self.known.get(&key) {
                Some(PinState::Revoked) => {
                    return Err(RejectReason::PinRevoked { subject, presented: key });
                }
                Some(state) => found = found.or(Some(*state)),
                None => {}
            }
        }
        if self.is_required && found.is_none() {
            return Err(RejectReason::PinMismatch { subject: server, presented: own });
        }
        Ok(found)
    }
}

/// The pin of a key, from the content of its SubjectPublicKeyInfo: as webpki keeps those of roots.
pub(super) fn hash_content(content: &[u8]) -> [u8; 32] {
    hash(&super::der::wrap(super::der::SEQUENCE, content))
}

/// The pin of a key, from its whole SubjectPublicKeyInfo.
pub(super) fn hash(key_info: &[u8]) -> [u8; 32] {
    let digest = digest(&SHA256, key_info);
    let mut hash = [0; 32];
    hash.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
    hash
}

/// A pin as settings write it.
pub(super) fn text(hash: &[u8; 32]) -> String {
    STANDARD.encode(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pins(states: &[(u8, PinState)]) -> Pins {
        let pins: Vec<Pin> =
            states.iter().map(|(key, state)| Pin { sha256: [*key; 32], state: *state }).collect();
        Pins::new(&pins)
    }

    fn check(pins: &Pins, keys: &[u8]) -> Result<Option<PinState>, RejectReason> {
        pins.check(keys.iter().map(|key| (Bearer::server(key.to_string()), [*key; 32])))
    }

    #[test]
    fn one_key_of_the_chain_has_to_be_known() {
        let pins = pins(&[(1, PinState::Active), (2, PinState::Next), (3, PinState::Retiring)]);
        assert_eq!(check(&pins, &[9, 2]), Ok(Some(PinState::Next)));
        assert_eq!(check(&pins, &[3]), Ok(Some(PinState::Retiring)));
        let own =
            Err(RejectReason::PinMismatch { subject: Bearer::server("9".to_owned()), presented: [9; 32] });
        assert_eq!(check(&pins, &[9, 8]), own);
    }

    #[test]
    fn a_revoked_key_is_refused_whatever_else_is_there() {
        let both = pins(&[(1, PinState::Active), (2, PinState::Revoked)]);
        let revoked =
            Err(RejectReason::PinRevoked { subject: Bearer::server("2".to_owned()), presented: [2; 32] });
        assert_eq!(check(&both, &[1, 2]), revoked);
        let alone = pins(&[(2, PinState::Revoked)]);
        assert_eq!(check(&alone, &[9]), Ok(None));
        assert_eq!(check(&alone, &[2]), revoked);
    }

    #[test]
    fn the_hash_is_sha_256() {
        assert_eq!(hash(b"")[..4], [0xe3, 0xb0, 0xc4, 0x42]);
    }
}
