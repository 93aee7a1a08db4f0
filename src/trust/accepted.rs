//! What is known of a certificate that is believed.

use super::time::Timestamp;
use crate::settings::PinState;
use crate::types::Proof;

/// A certificate that is believed, and what that is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Accepted {
    /// What it proves.
    pub proof: Proof,
    /// The state of the pin that was found; `None` when none was wanted or none was there.
    pub pin: Option<PinState>,
    /// The newest `notBefore` of the chain: it is at least so late, whatever the clock says. `None` where nobody
    /// vouches for it: without verification, and with `pin_only` when it lies ahead.
    pub not_before: Option<Timestamp>,
    /// The earliest `notAfter` of the chain, the root's left out unless the policy enforces it. `None` where
    /// it does not matter: with `pin_only` and without verification.
    pub not_after: Option<Timestamp>,
    /// Its certificate demands a stapled status (RFC 7633), which is not looked at.
    pub demands_stapling: bool,
}
