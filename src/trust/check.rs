//! The one question: is this certificate believed under this policy?
//!
//! Public and pure, so that a product with a TLS stack of its own asks the same question as the
//! client does. Time comes in as an argument; nothing is recorded.

use std::time::Duration;

use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

use super::accepted::Accepted;
use super::certificate::Certificate;
use super::exact::Exact;
use super::policy::{Mode, Policy};
use super::reject::{Bearer, Place, RejectReason};
use super::rendition::Shown;
use super::time::Time;
use super::{chain, diagnosis, name, pin};
use crate::settings::PinState;
use crate::types::Host;

impl Accepted {
    /// For how much longer the whole chain is valid; `None` where that does not matter. What
    /// [`Input::Secured`](crate::engine::Input::Secured) asks for.
    pub fn valid_for(&self, time: Time) -> Option<Duration> {
        // The second of `notAfter` itself is valid still (RFC 5280 4.1.2.5).
        let seconds = self.not_after?.seconds_since(time.verification()).saturating_add(1);
        Some(Duration::from_secs(u64::try_from(seconds).unwrap_or_default()))
    }
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
/// For a TLS stack that compares names by itself. A chain alone proves that *some* server was certified: a
/// program that calls this and compares no name believes every server with a certificate.
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
    watched(policy, first, others, dialled, time, &|_, _| {})
}

/// The same; `watch` is shown the path that is accepted.
pub(super) fn watched(
    policy: &Policy,
    first: &CertificateDer<'_>,
    others: &[CertificateDer<'_>],
    dialled: Option<&Host>,
    time: Time,
    watch: &dyn Fn(&[Certificate<'_>], Option<usize>),
) -> Result<Accepted, RejectReason> {
    let proof = policy.proof();
    let (chain, wanted) = match policy.mode {
        Mode::DangerNoVerification => {
            return Ok(Accepted {
                proof,
                pin: None,
                not_before: None,
                not_after: None,
                demands_stapling: false,
            });
        }
        Mode::PinOnly => (pinned(policy, first, time), policy.expected_name()),
        Mode::Chain => {
            let chain = match policy.exact(first) {
                Some(exact) => self::exact(policy, exact, first, time),
                None => {
                    let own = Shown::server(first);
                    // Of what cannot be read nothing else is said.
                    let leaf = own.end_entity().map_err(|error| diagnosis::of_leaf(&error, first))?;
                    path(policy, &own, &leaf, others, time, watch)
                }
            };
            (chain, policy.expected_name().or(dialled))
        }
    };
    let name = wanted.map_or(Ok(()), |wanted| name::check(first, wanted));
    match (chain, name) {
        (Ok(accepted), Ok(())) => Ok(accepted),
        (Ok(_), Err(reason)) | (Err(reason), Ok(())) => Err(reason),
        (Err(chain), Err(name)) => Err(RejectReason::Both { chain: Box::new(chain), name: Box::new(name) }),
    }
}

/// A chain to a root.
fn path(
    policy: &Policy,
    own: &Shown<'_>,
    leaf: &EndEntityCert<'_>,
    others: &[CertificateDer<'_>],
    time: Time,
    watch: &dyn Fn(&[Certificate<'_>], Option<usize>),
) -> Result<Accepted, RejectReason> {
    let path = chain::find(policy, own, leaf, others, time, watch)?;
    let (not_before, not_after) = (Some(path.not_before), Some(path.not_after));
    let demands_stapling = path.demands_stapling;
    Ok(Accepted { proof: policy.proof(), pin: path.pin, not_before, not_after, demands_stapling })
}

/// The very certificate that the policy names: whoever signed it, and whatever it is for.
fn exact(
    policy: &Policy,
    exact: &Exact,
    first: &CertificateDer<'_>,
    time: Time,
) -> Result<Accepted, RejectReason> {
    exact.check(time)?;
    let (certificate, pin) = own_key(policy, first)?;
    if let Some(reason) = policy.revoked(&certificate, time) {
        return Err(reason);
    }
    let (not_before, not_after) = (Some(certificate.not_before), Some(certificate.not_after));
    let demands_stapling = exact.demands_stapling;
    Ok(Accepted { proof: policy.proof(), pin, not_before, not_after, demands_stapling })
}

/// `pin_only`: the server's own key. What else it presents proves nothing: a certificate whose key is pinned can be appended to any
/// chain.
fn pinned(policy: &Policy, first: &CertificateDer<'_>, time: Time) -> Result<Accepted, RejectReason> {
    let (certificate, pin) = own_key(policy, first)?;
    // The dates are not looked at, and a floor that lies ahead would expire every other certificate.
    let not_before = Some(certificate.not_before).filter(|not_before| *not_before <= time.verification());
    let demands_stapling = certificate.extensions.demands_stapling;
    Ok(Accepted { proof: policy.proof(), pin, not_before, not_after: None, demands_stapling })
}

/// The server's own certificate and what pins say of its key.
fn own_key<'a>(
    policy: &Policy,
    first: &'a CertificateDer<'_>,
) -> Result<(Certificate<'a>, Option<PinState>), RejectReason> {
    let certificate = Certificate::read(first).map_err(|unreadable| RejectReason::Malformed {
        subject: Bearer::server("the server's certificate".to_owned()),
        problem: unreadable.0.to_owned(),
    })?;
    let subject = Bearer::of(&certificate, Place::Server);
    if certificate.key.is_weak() {
        return Err(RejectReason::WeakKey { subject, key: certificate.key });
    }
    let pin = policy.pins.check(std::iter::once((subject, pin::hash(certificate.key_info))))?;
    Ok((certificate, pin))
}
