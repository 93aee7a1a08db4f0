//! What plain rustls says of a case: webpki, used as rustls uses it.

use std::time::Duration;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::{
    CertRevocationList, EndEntityCert, KeyUsage, OwnedCertRevocationList, RevocationOptionsBuilder,
    anchor_from_trusted_cert,
};

use super::cases::{Case, Verdict};
use super::score::certificate;

/// Whether plain rustls accepts the case. What it cannot even read it refuses.
pub(crate) fn verdict(case: &Case) -> Verdict {
    if accepts(case).is_some() { Verdict::Success } else { Verdict::Failure }
}

fn accepts(case: &Case) -> Option<()> {
    let roots: Vec<CertificateDer<'static>> = case
        .trusted_certs
        .iter()
        .map(|pem| CertificateDer::from_pem_slice(pem.as_bytes()))
        .collect::<Result<_, _>>()
        .ok()?;
    let anchors: Vec<_> = roots.iter().map(anchor_from_trusted_cert).collect::<Result<_, _>>().ok()?;
    let lists = case.crls.iter().flatten().map(|pem| {
        let list = rustls::pki_types::CertificateRevocationListDer::from_pem_slice(pem.as_bytes()).ok()?;
        OwnedCertRevocationList::from_der(&list).ok().map(CertRevocationList::from)
    });
    let lists: Vec<CertRevocationList<'_>> = lists.collect::<Option<_>>()?;
    let lists: Vec<&CertRevocationList<'_>> = lists.iter().collect();
    let leaf = certificate(&case.peer_certificate);
    let others: Vec<CertificateDer<'_>> =
        case.untrusted_intermediates.iter().flatten().map(|pem| certificate(pem)).collect();
    let leaf = EndEntityCert::try_from(&leaf).ok()?;
    let time = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(case.instant()).ok()?));
    let algorithms = ring::default_provider().signature_verification_algorithms.all;
    let revocation = RevocationOptionsBuilder::new(&lists).ok().map(RevocationOptionsBuilder::build);
    leaf.verify_for_usage(algorithms, &anchors, &others, time, KeyUsage::server_auth(), revocation, None)
        .ok()?;
    match &case.expected_peer_name {
        Some(name) => {
            let name = ServerName::try_from(name.value.as_str()).ok()?;
            leaf.verify_is_valid_for_subject_name(&name).ok()
        }
        None => Some(()),
    }
}
