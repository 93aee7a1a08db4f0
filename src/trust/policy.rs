//! Building the TLS configuration of one policy.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, version};

use super::verifier::DangerNoVerification;
use crate::settings::{CertificatePolicy, Roots};
use crate::words::{Host, Proof};

/// Servers whose sessions are kept per policy. A client speaks to a handful; a session holds the
/// server's certificates, some kilobytes.
const SESSIONS: usize = 64;

/// The files that policies name, read by whoever may read files.
pub(crate) type Files = BTreeMap<PathBuf, Vec<u8>>;

/// A policy that can be enforced, and how.
#[derive(Clone)]
pub(crate) struct Prepared {
    pub(crate) config: Arc<ClientConfig>,
    /// What a finished handshake proves.
    pub(crate) proof: Proof,
}

/// Why a policy cannot be put in force.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// It asks for something that this version of the library cannot enforce.
    #[error("{0} cannot be enforced by this version of homing, and leaving it out would weaken the policy")]
    Unsupported(Unsupported),
    /// It trusts nobody.
    #[error("it trusts nobody: no roots, and verification is not switched off")]
    NobodyTrusted,
    /// A bundle is not PEM.
    #[error("{} is not a PEM file: {reason}", path.display())]
    BadBundle {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A certificate of a bundle cannot be a trust anchor.
    #[error("certificate {number} in {} cannot be used: {reason}", path.display())]
    BadRoot {
        /// The file.
        path: PathBuf,
        /// Which certificate, from 1.
        number: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A bundle holds no certificate.
    #[error("{} holds no certificate", path.display())]
    EmptyBundle {
        /// The file.
        path: PathBuf,
    },
    /// The verifier cannot be built.
    #[error("no TLS configuration can be built: {reason}")]
    NoConfiguration {
        /// What the TLS library says.
        reason: String,
    },
}

/// A part of a certificate policy that this version cannot enforce.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unsupported {
    /// `roots: ["system"]`.
    SystemRoots,
    /// `pins` and `pin_only`.
    Pins,
    /// `expected_name`.
    ExpectedName,
    /// `crls`.
    Revocation,
    /// `client`.
    ClientCertificate,
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SystemRoots => "`roots: [\"system\"]`",
            Self::Pins => "`pins`",
            Self::ExpectedName => "`expected_name`",
            Self::Revocation => "`crls`",
            Self::ClientCertificate => "`client`",
        })
    }
}

/// Builds what enforces `policy`. `files` holds the content of every file it names.
pub(crate) fn prepare(policy: &CertificatePolicy, files: &Files) -> Result<Prepared, TrustError> {
    // Taken apart by name, so that a field added to the policy must be thought of here.
    let CertificatePolicy {
        roots,
        pins,
        pin_only,
        expected_name,
        crls,
        client,
        tls13_only,
        danger_no_verification,
    } = policy;
    for (asked, unsupported) in [
        (*pin_only || !pins.is_empty(), Unsupported::Pins),
        (expected_name.is_some(), Unsupported::ExpectedName),
        (!crls.is_empty(), Unsupported::Revocation),
        (client.is_some(), Unsupported::ClientCertificate),
    ] {
        if asked {
            return Err(TrustError::Unsupported(unsupported));
        }
    }
    let failed = |error: rustls::Error| TrustError::NoConfiguration { reason: error.to_string() };
    let provider = Arc::new(ring::default_provider());
    let versions = if *tls13_only { &[&version::TLS13][..] } else { &[&version::TLS13, &version::TLS12] };
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(versions)
        .map_err(failed)?;
    let (builder, proof) = if *danger_no_verification {
        let verifier = Arc::new(DangerNoVerification::new(provider));
        (builder.dangerous().with_custom_certificate_verifier(verifier), Proof::Tcp)
    } else {
        (builder.with_root_certificates(anchors(roots, files)?), Proof::Tls)
    };
    let mut config = builder.with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption = Resumption::in_memory_sessions(SESSIONS);
    Ok(Prepared { config: Arc::new(config), proof })
}

/// The name a certificate must carry: the one that was dialled. `None` for a name no certificate can carry.
pub(crate) fn expected_name(host: &Host) -> Option<ServerName<'static>> {
    match host {
        Host::Address(address) => Some(ServerName::IpAddress((*address).into())),
        Host::Name(name) => ServerName::try_from(name.to_string()).ok(),
    }
}

fn anchors(roots: &[Roots], files: &Files) -> Result<RootCertStore, TrustError> {
    let mut store = RootCertStore::empty();
    for root in roots {
        match root {
            Roots::Public => store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
            Roots::System => return Err(TrustError::Unsupported(Unsupported::SystemRoots)),
            Roots::Bundle(path) => add_bundle(&mut store, path, files)?,
        }
    }
    if store.is_empty() {
        return Err(TrustError::NobodyTrusted);
    }
    Ok(store)
}

/// Every certificate of a bundle, or none: a bundle of which a part cannot be read is a broken file.
fn add_bundle(store: &mut RootCertStore, path: &Path, files: &Files) -> Result<(), TrustError> {
    let path = || path.to_owned();
    let pem = files.get(&path()).map(Vec::as_slice).unwrap_or_default();
    let mut number = 0;
    for certificate in CertificateDer::pem_slice_iter(pem) {
        number += 1;
        let certificate =
            certificate.map_err(|error| TrustError::BadBundle { path: path(), reason: error.to_string() })?;
        store.add(certificate).map_err(|error| TrustError::BadRoot {
            path: path(),
            number,
            reason: error.to_string(),
        })?;
    }
    if number == 0 {
        return Err(TrustError::EmptyBundle { path: path() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{ClientCertificate, Pin, PinState};

    fn bundle(text: &[u8]) -> Result<Prepared, TrustError> {
        let path = PathBuf::from("ca.pem");
        let policy = CertificatePolicy { roots: vec![Roots::Bundle(path.clone())], ..Default::default() };
        prepare(&policy, &Files::from([(path, text.to_vec())]))
    }

    fn authority() -> String {
        rcgen::generate_simple_self_signed(vec!["ca.example".to_owned()]).unwrap().cert.pem()
    }

    #[test]
    fn a_verified_handshake_proves_more_than_an_unverified_one() {
        let danger =
            CertificatePolicy { roots: Vec::new(), danger_no_verification: true, ..Default::default() };
        assert_eq!(prepare(&danger, &Files::new()).unwrap().proof, Proof::Tcp);
        assert_eq!(prepare(&CertificatePolicy::default(), &Files::new()).unwrap().proof, Proof::Tls);
        assert_eq!(bundle(authority().as_bytes()).unwrap().proof, Proof::Tls);
    }

    #[test]
    fn what_cannot_be_enforced_is_refused_not_left_out() {
        let public = CertificatePolicy::default;
        let pin = Pin { sha256: [7; 32], state: PinState::Active };
        let client = ClientCertificate { certificate: "c.pem".into(), key: "k.pem".into() };
        for (policy, unsupported) in [
            (
                CertificatePolicy { roots: vec![Roots::Public, Roots::System], ..public() },
                Unsupported::SystemRoots,
            ),
            (CertificatePolicy { pins: vec![pin], ..public() }, Unsupported::Pins),
            (CertificatePolicy { pin_only: true, ..public() }, Unsupported::Pins),
            (
                CertificatePolicy { expected_name: Some("m.example".parse().unwrap()), ..public() },
                Unsupported::ExpectedName,
            ),
            (CertificatePolicy { crls: vec!["x.crl".into()], ..public() }, Unsupported::Revocation),
            (CertificatePolicy { client: Some(client), ..public() }, Unsupported::ClientCertificate),
        ] {
            let error = prepare(&policy, &Files::new()).err().unwrap();
            assert_eq!(error, TrustError::Unsupported(unsupported));
            assert!(error.to_string().starts_with('`'), "{error}");
        }
    }

    #[test]
    fn a_bundle_is_used_whole_or_not_at_all() {
        let good = authority();
        let broken = good.replace("END CERTIFICATE", "END");
        let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(bundle(format!("a comment\n{good}{}", authority()).as_bytes()).is_ok());
        for (text, expected) in [
            ("", "ca.pem holds no certificate"),
            ("not pem", "ca.pem holds no certificate"),
            (&broken, "ca.pem is not a PEM file"),
            (&format!("{good}{garbage}"), "certificate 2 in ca.pem cannot be used"),
        ] {
            let error = bundle(text.as_bytes()).err().unwrap().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn a_policy_that_trusts_nobody_is_no_policy() {
        let policy = CertificatePolicy { roots: Vec::new(), ..Default::default() };
        assert_eq!(prepare(&policy, &Files::new()).err(), Some(TrustError::NobodyTrusted));
    }

    #[test]
    fn a_certificate_can_carry_addresses_and_names() {
        for host in ["10.0.0.1", "2001:db8::1", "mgmt.example", "sepm_1"] {
            assert!(expected_name(&host.parse().unwrap()).is_some(), "{host}");
        }
    }
}
