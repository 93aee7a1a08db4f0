//! Other keys of an authority (RFC 5280 6.3.3 (f)).
//!
//! An authority that changes its key can vouch for one key with the other, by a certificate in which it names itself as issuer and subject. Such keys
//! are kin: a list that one of them signed speaks for what the other issued, because a path leads from it to the same root. Two roots of one
//! name are no kin, nor are two keys for which the authority above has vouched.

use rustls::pki_types::{CertificateDer, SignatureVerificationAlgorithm};

use crate::trust::certificate::Certificate;
use crate::trust::signature::{self, Signed};
use crate::trust::time::Timestamp;

/// Signatures of certificates that are looked at, at most. Each takes a tenth of a millisecond.
const LOOKED_AT: usize = 8;

/// Where the kin of a key is looked for.
#[derive(Clone, Debug, Default)]
pub(in crate::trust) struct Kin<'a> {
    /// Keys on the path that vouch for it, each a whole SubjectPublicKeyInfo, if they may sign lists.
    pub(in crate::trust) above: Vec<&'a [u8]>,
    /// What the server sent: in it can be certificates of keys for which it vouches.
    pub(in crate::trust) sent: &'a [CertificateDer<'a>],
}

impl<'a> Kin<'a> {
    /// The certificates of other keys for which this key of this authority vouches.
    pub(super) fn below(
        &self,
        name: &[u8],
        key_info: &[u8],
        algorithms: &[&'static dyn SignatureVerificationAlgorithm],
        now: Timestamp,
    ) -> Vec<Certificate<'a>> {
        let mut left = LOOKED_AT;
        let mut found: Vec<Certificate<'a>> = Vec::new();
        for it in self.sent.iter().filter_map(|sent| Certificate::read(sent).ok()) {
            let is_kin = it.subject == name && it.issuer == name && it.key_info != key_info;
            let is_known = found.iter().any(|known| known.key_info == it.key_info);
            if !is_kin || is_known || !may_sign_lists(&it) || now < it.not_before || now > it.not_after {
                continue;
            }
            let Some(fewer) = left.checked_sub(1) else { break };
            left = fewer;
            if signature::verify(algorithms, it.algorithm, it.signed, it.signature, key_info) == Signed::Yes {
                found.push(it);
            }
        }
        found
    }
}

/// Whether a certificate is for lists: it says so, or it is an authority's and does not say what it is for.
fn may_sign_lists(it: &Certificate<'_>) -> bool {
    let extensions = &it.extensions;
    let is_odd =
        extensions.refused.is_some() || extensions.twice.is_some() || extensions.unreadable.is_some();
    !is_odd && extensions.key_usage.map_or(it.is_authority(), |usage| usage.signs_revocations)
}
