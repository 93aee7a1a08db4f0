//! Who judges the servers of one policy, and does not do the same work twice.
//!
//! The chain of a full handshake is judged when rustls asks and again when the link does, that of a resumed session by
//! the link alone: nobody has looked at it since the session was made, and it may have ended meanwhile. To verify its
//! signatures each time would cost as much as the rest of a resumed handshake, and they cannot become wrong. So a chain that was
//! believed is believed for as long as nothing it rests on ends.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use ring::digest::{Context, SHA256};
use rustls::pki_types::CertificateDer;

use super::accepted::Accepted;
use super::check;
use super::policy::Policy;
use super::reject::RejectReason;
use super::time::{Timestamp, WallClock};
use crate::types::Host;

/// Verdicts that are kept, and as many sessions: a client speaks to a handful of servers.
pub(super) const MOST_KNOWN: usize = 64;

/// See the module. Shared by all links of a policy; another policy has another.
pub(super) struct VerificationCache {
    policy: Arc<Policy>,
    clock: Arc<dyn WallClock>,
    known: Mutex<BTreeMap<[u8; 32], Known>>,
}

/// A chain that was believed.
#[derive(Clone, Copy)]
struct Known {
    accepted: Accepted,
    since: Timestamp,
    /// The last second of it.
    until: Timestamp,
}

impl VerificationCache {
    pub(super) fn new(policy: Arc<Policy>, clock: Arc<dyn WallClock>) -> Self {
        Self { policy, clock, known: Mutex::default() }
    }

    #[cfg(test)]
    pub(super) fn clock(&self) -> &dyn WallClock {
        &*self.clock
    }

    pub(super) fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Whether the server is believed that presents these certificates, its own first, at the present time.
    pub(super) fn judge(
        &self,
        first: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        dialled: &Host,
    ) -> Result<Accepted, RejectReason> {
        let time = self.clock.time();
        let (key, now) = (fingerprint(first, others, dialled), time.verification());
        let found = self.known(|known| known.get(&key).copied());
        if let Some(Known { accepted, .. }) = found.filter(|known| known.since <= now && now <= known.until) {
            return Ok(accepted);
        }
        let accepted = check::judge(&self.policy, first, others, Some(dialled), time)?;
        if let Some(until) = self.policy.last_second_of(&accepted, now) {
            self.known(|known| {
                if known.len() >= MOST_KNOWN {
                    // Which one goes does not matter: it will be judged anew.
                    known.pop_first();
                }
                known.insert(key, Known { accepted, since: now, until });
            });
        }
        Ok(accepted)
    }

    /// Until when what is believed now stays so; `None` where no chain was verified.
    pub(super) fn last_second_of(&self, accepted: &Accepted) -> Option<Timestamp> {
        self.policy.last_second_of(accepted, self.clock.time().verification())
    }

    fn known<T>(&self, look: impl FnOnce(&mut BTreeMap<[u8; 32], Known>) -> T) -> T {
        look(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Everything the verdict depends on beside the policy and the time.
fn fingerprint(first: &CertificateDer<'_>, others: &[CertificateDer<'_>], dialled: &Host) -> [u8; 32] {
    let mut digest = Context::new(&SHA256);
    let mut add = |part: &[u8]| {
        // With its length, or the end of one part could be the beginning of the next.
        digest.update(&part.len().to_be_bytes());
        digest.update(part);
    };
    add(dialled.to_string().as_bytes());
    add(first);
    others.iter().for_each(|certificate| add(certificate));
    let mut fingerprint = [0; 32];
    fingerprint.iter_mut().zip(digest.finish().as_ref()).for_each(|(to, from)| *to = *from);
    fingerprint
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use rcgen::{
        BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, IsCa,
        KeyIdMethod, KeyPair, KeyUsagePurpose, date_time_ymd,
    };

    use super::*;
    use crate::settings::{CertificatePolicy, Roots};
    use crate::trust::{Material, Time};

    #[derive(Debug)]
    struct Set(AtomicI64);

    impl WallClock for Set {
        fn time(&self) -> Time {
            Time::exactly(Timestamp(self.0.load(Ordering::Relaxed)))
        }
    }

    /// A server of a private authority, believed from the first to the last second of 2030.
    fn scene() -> (VerificationCache, Arc<Set>, CertificateDer<'static>) {
        scene_with(false)
    }

    /// The same; with revocation lists there is an empty one, whose next is due in the middle of 2030.
    fn scene_with(lists: bool) -> (VerificationCache, Arc<Set>, CertificateDer<'static>) {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let root = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let mut params =
            CertificateParams::new(vec!["a.example".to_owned(), "b.example".to_owned()]).unwrap();
        params.not_before = date_time_ymd(2030, 1, 1);
        params.not_after = date_time_ymd(2031, 1, 1);
        let server = params.signed_by(&KeyPair::generate().unwrap(), &root).unwrap();
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2030, 1, 1),
            next_update: date_time_ymd(2030, 7, 1),
            crl_number: 1.into(),
            issuing_distribution_point: None,
            revoked_certs: Vec::new(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let settings = CertificatePolicy {
            roots: vec![Roots::Bundle("ca".into())],
            crls: if lists { vec!["crl".into()] } else { Vec::new() },
            ..Default::default()
        };
        let list = list.signed_by(&root).unwrap().der().to_vec();
        let files = [("ca".into(), root.pem().into_bytes()), ("crl".into(), list)].into();
        let material = Material { files, system: None };
        let clock = Arc::new(Set(AtomicI64::new(YEAR_2030)));
        let policy = Policy::new(&settings, &material, clock.time()).unwrap();
        (VerificationCache::new(Arc::new(policy), clock.clone()), clock, server.der().clone())
    }

    const YEAR_2030: i64 = 1_893_456_000;
    const MIDDLE_2030: i64 = 1_909_094_400;
    const YEAR_2031: i64 = 1_924_992_000;

    fn is_believed(judge: &VerificationCache, server: &CertificateDer<'_>, host: &str) -> bool {
        judge.judge(server, &[], &host.parse().unwrap()).is_ok()
    }

    fn count(judge: &VerificationCache) -> usize {
        judge.known(|known| known.len())
    }

    #[test]
    fn a_chain_is_believed_again_no_longer_than_it_is_valid() {
        let (judge, clock, server) = scene();
        for (now, expected) in [
            (YEAR_2030, true),
            (YEAR_2031, true),
            (YEAR_2031 + 1, false),
            (YEAR_2030 - 1, false),
            (YEAR_2030 + 1, true),
        ] {
            clock.0.store(now, Ordering::Relaxed);
            assert_eq!(is_believed(&judge, &server, "a.example"), expected, "{now}");
            assert_eq!(count(&judge), 1);
        }
    }

    #[test]
    fn a_chain_is_believed_again_no_longer_than_its_revocation_list_is_good() {
        let (judge, clock, server) = scene_with(true);
        for (now, expected) in
            [(YEAR_2030 + 1, true), (MIDDLE_2030 - 1, true), (MIDDLE_2030, false), (YEAR_2031, false)]
        {
            clock.0.store(now, Ordering::Relaxed);
            assert_eq!(is_believed(&judge, &server, "a.example"), expected, "{now}");
        }
    }

    #[test]
    fn what_was_verified_is_not_verified_again() {
        let (judge, _, server) = scene();
        assert!(is_believed(&judge, &server, "a.example"));
        // Nobody vouches for this one: only what is known can make it believed.
        let (_, _, other) = scene();
        let known = judge.known(|known| known.values().copied().next().unwrap());
        let key = fingerprint(&other, &[], &"a.example".parse().unwrap());
        judge.known(|all| all.insert(key, known));
        assert!(is_believed(&judge, &other, "a.example"));
    }

    #[test]
    fn a_verdict_is_for_one_name_and_one_chain() {
        let (judge, _, server) = scene();
        assert!(is_believed(&judge, &server, "a.example"));
        assert!(!is_believed(&judge, &server, "c.example"), "the name was not looked at again");
        let (_, _, other) = scene();
        assert!(!is_believed(&judge, &other, "a.example"), "the chain was not looked at again");
        assert!(is_believed(&judge, &server, "b.example"));
        assert_eq!(count(&judge), 2, "what is refused is not kept");
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let (judge, _, server) = scene();
        let first: &[u8] = &server;
        let others: Vec<CertificateDer<'_>> = vec![first.to_vec().into(); MOST_KNOWN + 5];
        for length in 0..others.len() {
            let host = "a.example".parse().unwrap();
            judge.judge(&server, others.get(..length).unwrap(), &host).unwrap();
        }
        assert_eq!(count(&judge), MOST_KNOWN);
    }
}
