//! What a peer has proved.

use super::status::{Failed, HOMING_ERROR_RANGE};
use crate::types::Proof;

/// It accepted a connection. Any hotel network can do that.
pub const HOMING_PROOF_TCP: i32 = 1;
/// A verified certificate chain and name.
pub const HOMING_PROOF_TLS: i32 = 2;
/// The key is the one in the settings.
pub const HOMING_PROOF_PIN: i32 = 3;

pub(super) const fn proof_code(value: Proof) -> i32 {
    match value {
        Proof::Tcp => HOMING_PROOF_TCP,
        Proof::Tls => HOMING_PROOF_TLS,
        Proof::Pin => HOMING_PROOF_PIN,
    }
}

pub(super) fn read_proof(proof: i32) -> Result<Proof, Failed> {
    match proof {
        HOMING_PROOF_TCP => Ok(Proof::Tcp),
        HOMING_PROOF_TLS => Ok(Proof::Tls),
        HOMING_PROOF_PIN => Ok(Proof::Pin),
        other => Err(Failed::new(HOMING_ERROR_RANGE, format!("`proof` {other} is no proof"))),
    }
}
