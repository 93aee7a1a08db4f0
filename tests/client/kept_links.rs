//! A connection that is kept beyond the end of its certificate.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use homing::engine::Event;
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, crypto::ring};

use crate::server::{Authority, Server};
use crate::{start, wait_for, well};

/// Shows a certificate that was made for this handshake, and ends soon.
#[derive(Debug)]
struct Brief(Authority);

/// Long enough for a handshake, also on a slow machine.
const LIFE: Duration = Duration::from_secs(5);

impl ResolvesServerCert for Brief {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        params.not_before = (SystemTime::now() - Duration::from_secs(86_400)).into();
        params.not_after = (SystemTime::now() + LIFE).into();
        let key = KeyPair::generate().unwrap();
        let chain = vec![params.signed_by(&key, self.0.issuer()).unwrap().der().clone()];
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        Some(Arc::new(CertifiedKey::new(chain, ring::sign::any_supported_type(&key).unwrap())))
    }
}

#[test]
fn the_end_of_a_certificate_is_told_and_the_next_connection_is_judged_by_the_next_one() {
    let authority = Authority::new();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Brief(authority.clone())));
    let server = Server::showing("a", Arc::new(config), well);
    let client = start(&[&server], authority.policy());
    for round in 1..=2 {
        wait_for(&client, |event| {
            let Event::CertificateEnded { server } = &event.event else { return None };
            (server.as_str() == "a").then_some(())
        });
        wait_for(&client, |event| matches!(event.event, Event::Heartbeat { .. }).then_some(()));
        let (full, _) = server.handshakes();
        assert!(full > round, "no session outlives its certificate");
    }
}
