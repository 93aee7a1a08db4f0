//! The one question: is this certificate believed under this policy?
//!
//! Public and pure, so that a product with a TLS stack of its own asks the same question as the
//! client does. Time comes in as an argument; nothing is recorded.

use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

use super::certificate::Certificate;
use super::policy::{Mode, Policy};
use super::reject::RejectReason;
use super::time::{Time, Timestamp};
use super::{certificate, chain, diagnosis, name, pin};
use crate::settings::PinState;
use crate::words::{Host, Proof};

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
}

/// Whether a server may be believed that presents `chain`, its own certificate first, when `dialled` was dialled.
///
/// Chain and name are judged both; if both are wrong, both are told ([`RejectReason::Both`]). The policy's
/// `expected_name` takes the place of `dialled`. With `pin_only` the key alone counts, and the name only
/// if the policy names one. Whether the server owns the key is not seen here: the TLS stack has to verify the
/// signature of the handshake.
///
/// # Errors
/// The certificate is not believed, with the reason.
///
/// ```
/// use homing::trust::{Material, Policy, RejectReason, Time, Timestamp, check_certificate};
///
/// let policy = Policy::new(&Default::default(), &Material::default(), Time::new(Timestamp(1_800_000_000)))?;
/// let verdict = check_certificate(&policy, &[], &"mgmt.example".parse()?, Time::new(Timestamp(1_800_000_000)));
/// assert_eq!(verdict, Err(RejectReason::NoCertificate));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn check_certificate(
    policy: &Policy,
    chain: &[CertificateDer<'_>],
    dialled: &Host,
    time: Time,
) -> Result<Accepted, RejectReason> {
    check(policy, chain, Some(dialled), time)
}

/// Like [`check_certificate`], and the name is left to the caller: only the policy's `expected_name` is looked at.
///
/// For a TLS stack that compares names by itself. A chain alone proves that *somebody* was certified, so
/// whoever calls this and compares no name believes anybody with a certificate.
///
/// # Errors
/// The chain is not believed, with the reason.
pub fn check_chain(
    policy: &Policy,
    chain: &[CertificateDer<'_>],
    time: Time,
) -> Result<Accepted, RejectReason> {
    check(policy, chain, None, time)
}

fn check(
    policy: &Policy,
    certificates: &[CertificateDer<'_>],
    dialled: Option<&Host>,
    time: Time,
) -> Result<Accepted, RejectReason> {
    let [first, others @ ..] = certificates else { return Err(RejectReason::NoCertificate) };
    judge(policy, first, others, dialled, time)
}

pub(super) fn judge(
    policy: &Policy,
    first: &CertificateDer<'_>,
    others: &[CertificateDer<'_>],
    dialled: Option<&Host>,
    time: Time,
) -> Result<Accepted, RejectReason> {
    let proof = policy.proof();
    if policy.mode == Mode::DangerNoVerification {
        return Ok(Accepted { proof, pin: None, not_before: None, not_after: None });
    }
    let leaf = EndEntityCert::try_from(first).map_err(|error| diagnosis::of_leaf(&error, first))?;
    let (chain, wanted) = match policy.mode {
        Mode::PinOnly => (pinned(policy, first, time), policy.expected_name()),
        Mode::Chain | Mode::DangerNoVerification => {
            let path = chain::find(policy, &leaf, others, time).map(|path| Accepted {
                proof,
                pin: path.pin,
                not_before: Some(path.not_before),
                not_after: Some(path.not_after),
            });
            (path, policy.expected_name().or(dialled))
        }
    };
    let name = wanted.map_or(Ok(()), |wanted| name::check(&leaf, wanted));
    match (chain, name) {
        (Ok(accepted), Ok(())) => Ok(accepted),
        (Ok(_), Err(reason)) | (Err(reason), Ok(())) => Err(reason),
        (Err(chain), Err(name)) => Err(RejectReason::Both { chain: Box::new(chain), name: Box::new(name) }),
    }
}

/// `pin_only`: the server's own key. What else it presents proves nothing: anybody can append a certificate
/// whose key is pinned.
fn pinned(policy: &Policy, first: &CertificateDer<'_>, time: Time) -> Result<Accepted, RejectReason> {
    let certificate = Certificate::read(first).map_err(|_| RejectReason::Malformed {
        subject: "the server's certificate".to_owned(),
        problem: "its fields cannot be read".to_owned(),
    })?;
    if certificate.key.is_weak() {
        let subject = certificate::name(certificate.subject);
        return Err(RejectReason::WeakKey { subject, key: certificate.key });
    }
    let pin = policy.pins.check(certificate.subject, std::iter::once(pin::hash(certificate.key_info)))?;
    // Nobody looked at the dates, and a floor that lies ahead would expire everybody else's certificates.
    let not_before = Some(certificate.not_before).filter(|not_before| *not_before <= time.verification());
    Ok(Accepted { proof: policy.proof(), pin, not_before, not_after: None })
}
