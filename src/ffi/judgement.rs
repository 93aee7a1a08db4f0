//! What a policy says of a chain of certificates.

use std::time::Duration;

use super::boundary::{free, view};
use super::failure::{class_code, homing_failure};
use super::input::HOMING_VALID_FOR_EVER;
use super::proof::proof_code;
use super::text::homing_text;
use super::verdict::homing_judgement;
use crate::settings::PinState;
use crate::trust::{Accepted, RejectReason, Timestamp};
use crate::types::Failure;

impl homing_judgement {
    /// What an engine is told of a rejection.
    pub(super) fn failure(&self) -> Option<Failure> {
        self.verdict.as_ref().err().map(RejectReason::failure)
    }
}

/// The server presented no certificate.
pub const HOMING_REJECT_NO_CERTIFICATE: i32 = 1;
/// It is no certificate, or one of a kind that TLS does not use.
pub const HOMING_REJECT_MALFORMED: i32 = 2;
/// It, or one above it, has expired.
pub const HOMING_REJECT_EXPIRED: i32 = 3;
/// It, or one above it, is not valid yet.
pub const HOMING_REJECT_NOT_YET_VALID: i32 = 4;
/// No root of the policy has issued it.
pub const HOMING_REJECT_UNKNOWN_ISSUER: i32 = 5;
/// The server left out the certificate of the issuer.
pub const HOMING_REJECT_MISSING_INTERMEDIATE: i32 = 6;
/// It vouches for itself, and the policy does not name it.
pub const HOMING_REJECT_SELF_SIGNED: i32 = 7;
/// An issuer with the name of one the policy trusts, and another key.
pub const HOMING_REJECT_OTHER_KEY: i32 = 8;
/// The issuers vouch for each other and lead nowhere.
pub const HOMING_REJECT_LOOP: i32 = 9;
/// The issuer is no authority.
pub const HOMING_REJECT_NOT_AN_AUTHORITY: i32 = 10;
/// The key of the issuer may not sign certificates.
pub const HOMING_REJECT_MAY_NOT_SIGN: i32 = 11;
/// The certificate of an authority where a server's belongs.
pub const HOMING_REJECT_AUTHORITY_AS_SERVER: i32 = 12;
/// More certificates between server and root than the policy allows.
pub const HOMING_REJECT_CHAIN_TOO_LONG: i32 = 13;
/// More certificates below an authority than it allows.
pub const HOMING_REJECT_PATH_LENGTH: i32 = 14;
/// There are too many ways through what the server presented.
pub const HOMING_REJECT_TOO_COMPLEX: i32 = 15;
/// A key is too small.
pub const HOMING_REJECT_WEAK_KEY: i32 = 16;
/// A signature has a digest that can be forged.
pub const HOMING_REJECT_WEAK_DIGEST: i32 = 17;
/// A kind of signature or key that homing does not know.
pub const HOMING_REJECT_UNSUPPORTED_ALGORITHM: i32 = 18;
/// An authority vouches for other names only.
pub const HOMING_REJECT_NAME_CONSTRAINTS: i32 = 19;
/// It is for another purpose than to be a server.
pub const HOMING_REJECT_WRONG_PURPOSE: i32 = 20;
/// It demands something homing does not know.
pub const HOMING_REJECT_UNKNOWN_EXTENSION: i32 = 21;
/// It is for other names.
pub const HOMING_REJECT_WRONG_NAME: i32 = 22;
/// It was revoked.
pub const HOMING_REJECT_REVOKED: i32 = 23;
/// No revocation list says anything about it, and the policy wants one that does.
pub const HOMING_REJECT_REVOCATION_UNKNOWN: i32 = 24;
/// The revocation list is out of date.
pub const HOMING_REJECT_REVOCATION_EXPIRED: i32 = 25;
/// The signature of the revocation list is not its issuer's.
pub const HOMING_REJECT_REVOCATION_FORGED: i32 = 26;
/// The issuer may not sign revocation lists.
pub const HOMING_REJECT_MAY_NOT_REVOKE: i32 = 27;
/// None of its keys is pinned.
pub const HOMING_REJECT_PIN_MISMATCH: i32 = 28;
/// It uses a key whose pin is revoked.
pub const HOMING_REJECT_PIN_REVOKED: i32 = 29;
/// The root is outside its own validity, which the policy enforces.
pub const HOMING_REJECT_ANCHOR_OUTSIDE: i32 = 30;
/// The root, or the certificate, is not as a strict private authority makes it.
pub const HOMING_REJECT_NOT_STRICT: i32 = 31;
/// A key is of a kind or size that is not supported.
pub const HOMING_REJECT_UNSUPPORTED_KEY: i32 = 32;
/// The issuer is known under the same name in another spelling.
pub const HOMING_REJECT_OTHER_SPELLING: i32 = 33;
/// An authority constrains names of a kind that is not compared.
pub const HOMING_REJECT_CONSTRAINT_NOT_COMPARED: i32 = 34;
/// The signature of the revocation list cannot be verified.
pub const HOMING_REJECT_REVOCATION_UNVERIFIABLE: i32 = 35;
/// The policy names exactly one certificate of this name, and this is another one.
pub const HOMING_REJECT_NOT_EXACT: i32 = 36;

/// The pin that was found is in use.
pub const HOMING_PIN_ACTIVE: i32 = 1;
/// It will be in use.
pub const HOMING_PIN_NEXT: i32 = 2;
/// It was in use.
pub const HOMING_PIN_RETIRING: i32 = 3;

/// Why the chain is not believed: `HOMING_REJECT_…`; 0 when it is. Where chain and name are both wrong, what is wrong with the
/// chain; the text tells both. Later versions give more reasons: every number that is not 0 is a rejection. For NULL
/// `HOMING_REJECT_NO_CERTIFICATE`: nothing was presented that could be believed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_judgement_reject(judgement: *const homing_judgement) -> i32 {
    // SAFETY: the caller's promise.
    unsafe {
        view(judgement, HOMING_REJECT_NO_CERTIFICATE, |it| it.verdict.as_ref().err().map_or(0, reject_code))
    }
}

/// The same as the cause of a failure: `HOMING_CAUSE_…`; 0 when it is believed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_judgement_cause(judgement: *const homing_judgement) -> i32 {
    // SAFETY: the caller's promise.
    unsafe {
        view(judgement, 0, |it| it.verdict.as_ref().err().map_or(0, |it| homing_failure::code(it.cause())))
    }
}

/// The class of that failure: `HOMING_CLASS_…`; 0 when it is believed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_judgement_class(judgement: *const homing_judgement) -> i32 {
    // SAFETY: the caller's promise.
    unsafe {
        view(judgement, 0, |it| it.verdict.as_ref().err().map_or(0, |it| class_code(it.cause().class())))
    }
}

/// What is wrong, with subjects, names and times, in one line. No text when it is believed. The view lives until the judgement
/// is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_judgement_text(judgement: *const homing_judgement) -> homing_text {
    // SAFETY: the caller's promise.
    unsafe {
        view(judgement, homing_text::NONE, |it| {
            homing_text::of(it.verdict.is_err().then_some(it.text.as_str()))
        })
    }
}

/// What an administrator has to reissue or to change. No text when it is believed. The view lives until the judgement is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_judgement_advice(judgement: *const homing_judgement) -> homing_text {
    // SAFETY: the caller's promise.
    unsafe {
        view(judgement, homing_text::NONE, |it| {
            homing_text::of(it.verdict.is_err().then_some(it.advice.as_str()))
        })
    }
}

/// What is proved, for `homing_engine_secured`: `HOMING_PROOF_…`; 0 when it is not believed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_judgement_proof(judgement: *const homing_judgement) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { view(judgement, 0, |it| it.verdict.as_ref().map_or(0, |it| proof_code(it.proof))) }
}

/// The state of the pin that was found: `HOMING_PIN_…`; 0 when none was wanted or none was there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_judgement_pin(judgement: *const homing_judgement) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { view(judgement, 0, |it| it.verdict.as_ref().ok().and_then(|it| it.pin).map_or(0, pin_code)) }
}

/// The newest beginning of a validity in the chain, in seconds since 1970: it is at least so late, whatever the clock says.
/// The greatest of them is the floor for `homing_policy_check`. -1 where nobody vouches for it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_judgement_not_before_s(judgement: *const homing_judgement) -> i64 {
    // SAFETY: the caller's promise.
    unsafe { view(judgement, -1, |it| seconds(it.verdict.as_ref().ok().and_then(|it| it.not_before))) }
}

/// The earliest end of a validity in the chain, in seconds since 1970. -1 where it does not matter.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_judgement_not_after_s(judgement: *const homing_judgement) -> i64 {
    // SAFETY: the caller's promise.
    unsafe { view(judgement, -1, |it| seconds(it.verdict.as_ref().ok().and_then(|it| it.not_after))) }
}

/// For how much longer the whole chain is valid, from the time it was judged at, in milliseconds: what `homing_engine_secured`
/// asks for. `HOMING_VALID_FOR_EVER` where that does not matter, 0 when it is not believed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_judgement_valid_for_ms(judgement: *const homing_judgement) -> u64 {
    let millis = |left: Duration| u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
    let left = |accepted: &Accepted, time| accepted.valid_for(time).map_or(HOMING_VALID_FOR_EVER, millis);
    // SAFETY: the caller's promise.
    unsafe { view(judgement, 0, |it| it.verdict.as_ref().map_or(0, |accepted| left(accepted, it.time))) }
}

/// Frees a judgement. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_judgement_free(judgement: *mut homing_judgement) {
    // SAFETY: the caller's promise.
    unsafe { free(judgement) }
}

fn seconds(time: Option<Timestamp>) -> i64 {
    time.map_or(-1, |Timestamp(seconds)| seconds)
}

const fn pin_code(value: PinState) -> i32 {
    match value {
        PinState::Active => HOMING_PIN_ACTIVE,
        PinState::Next => HOMING_PIN_NEXT,
        PinState::Retiring => HOMING_PIN_RETIRING,
        // Whoever has that key is rejected.
        PinState::Revoked => 0,
    }
}

fn reject_code(reason: &RejectReason) -> i32 {
    match reason {
        RejectReason::NoCertificate => HOMING_REJECT_NO_CERTIFICATE,
        RejectReason::Malformed { .. } => HOMING_REJECT_MALFORMED,
        RejectReason::Expired { .. } => HOMING_REJECT_EXPIRED,
        RejectReason::NotYetValid { .. } => HOMING_REJECT_NOT_YET_VALID,
        RejectReason::UnknownIssuer { .. } => HOMING_REJECT_UNKNOWN_ISSUER,
        RejectReason::MissingIntermediate { .. } => HOMING_REJECT_MISSING_INTERMEDIATE,
        RejectReason::SelfSigned { .. } => HOMING_REJECT_SELF_SIGNED,
        RejectReason::OtherKey { .. } => HOMING_REJECT_OTHER_KEY,
        RejectReason::Loop { .. } => HOMING_REJECT_LOOP,
        RejectReason::NotAnAuthority { .. } => HOMING_REJECT_NOT_AN_AUTHORITY,
        RejectReason::MayNotSign { .. } => HOMING_REJECT_MAY_NOT_SIGN,
        RejectReason::AuthorityAsServer { .. } => HOMING_REJECT_AUTHORITY_AS_SERVER,
        RejectReason::ChainTooLong { .. } => HOMING_REJECT_CHAIN_TOO_LONG,
        RejectReason::PathLength { .. } => HOMING_REJECT_PATH_LENGTH,
        RejectReason::TooComplex => HOMING_REJECT_TOO_COMPLEX,
        RejectReason::WeakKey { .. } => HOMING_REJECT_WEAK_KEY,
        RejectReason::WeakDigest { .. } => HOMING_REJECT_WEAK_DIGEST,
        RejectReason::UnsupportedAlgorithm { .. } => HOMING_REJECT_UNSUPPORTED_ALGORITHM,
        RejectReason::NameConstraints { .. } => HOMING_REJECT_NAME_CONSTRAINTS,
        RejectReason::WrongPurpose { .. } => HOMING_REJECT_WRONG_PURPOSE,
        RejectReason::UnknownExtension { .. } => HOMING_REJECT_UNKNOWN_EXTENSION,
        RejectReason::WrongName { .. } => HOMING_REJECT_WRONG_NAME,
        RejectReason::Revoked { .. } => HOMING_REJECT_REVOKED,
        RejectReason::RevocationUnknown { .. } => HOMING_REJECT_REVOCATION_UNKNOWN,
        RejectReason::RevocationExpired { .. } => HOMING_REJECT_REVOCATION_EXPIRED,
        RejectReason::RevocationForged { .. } => HOMING_REJECT_REVOCATION_FORGED,
        RejectReason::MayNotRevoke { .. } => HOMING_REJECT_MAY_NOT_REVOKE,
        RejectReason::PinMismatch { .. } => HOMING_REJECT_PIN_MISMATCH,
        RejectReason::PinRevoked { .. } => HOMING_REJECT_PIN_REVOKED,
        RejectReason::AnchorOutside { .. } => HOMING_REJECT_ANCHOR_OUTSIDE,
        RejectReason::NotStrict { .. } => HOMING_REJECT_NOT_STRICT,
        RejectReason::UnsupportedKey { .. } => HOMING_REJECT_UNSUPPORTED_KEY,
        RejectReason::OtherSpelling { .. } => HOMING_REJECT_OTHER_SPELLING,
        RejectReason::ConstraintNotCompared { .. } => HOMING_REJECT_CONSTRAINT_NOT_COMPARED,
        RejectReason::RevocationUnverifiable { .. } => HOMING_REJECT_REVOCATION_UNVERIFIABLE,
        RejectReason::NotExact { .. } => HOMING_REJECT_NOT_EXACT,
        RejectReason::Both { chain, .. } => reject_code(chain),
    }
}
