//! The same cases through real handshakes: rustls asks our verifier, and what comes out is what was asked for.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ClientConnection, ServerConfig, ServerConnection, SupportedProtocolVersion, version};

use super::*;
use crate::settings::{CertificatePolicy, Pin, PinState, Roots};
use crate::words::{Cause, Host};

#[path = "../../tests/certificates/cases.rs"]
#[allow(dead_code, reason = "others use the rest")]
mod cases;

/// Handshakes of each version of TLS: all but the large grid of name constraints, and of that a part.
const HANDSHAKES: usize = 150;

#[derive(Debug)]
struct Then(i64);

impl WallClock for Then {
    fn time(&self) -> Time {
        Time::exactly(Timestamp(self.0))
    }
}

/// A server that shows what it is told to show, however wrong that is.
#[derive(Debug)]
struct Shows(Arc<CertifiedKey>);

impl ResolvesServerCert for Shows {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}

/// A case that a server can play.
struct Play {
    id: String,
    host: Host,
    prepared: Prepared,
    chain: Vec<CertificateDer<'static>>,
    server: Arc<CertifiedKey>,
}

fn plays() -> Vec<Play> {
    let keys: BTreeMap<String, String> =
        serde_json::from_str(&cases::unpacked("limbo-public-keys.json.xz")).unwrap();
    let (grid, others): (Vec<_>, Vec<_>) =
        cases::cases("limbo-public.json.xz").into_iter().partition(|case| case.namespace() == "bettertls");
    // A prime, so that no part of the grid is missed.
    let grid = grid.into_iter().step_by(53);
    others.into_iter().chain(grid).filter_map(|case| play(&case, keys.get(&case.id)?)).collect()
}

/// `None` for what no server of ours can show: a chain that is too long for TLS, a key of a kind that nobody signs with.
fn play(case: &cases::Case, key: &str) -> Option<Play> {
    let file = "roots.pem".into();
    let settings = CertificatePolicy { roots: vec![Roots::Bundle(file)], ..CertificatePolicy::default() };
    let roots = case.trusted_certs.concat().into_bytes();
    let material = Material { files: BTreeMap::from([("roots.pem".into(), roots)]), system: None };
    let then = cases::instant(case.validation_time.as_deref()?);
    let prepared = prepare(&settings, &material, Arc::new(Then(then))).ok()?;
    let chain: Vec<CertificateDer<'static>> = std::iter::once(&case.peer_certificate)
        .chain(case.untrusted_intermediates.iter().flatten())
        .map(|pem| CertificateDer::from_pem_slice(pem.as_bytes()).ok())
        .collect::<Option<_>>()?;
    // rustls takes no longer handshake message.
    if chain.iter().map(|certificate| certificate.len() + 8).sum::<usize>() > 0xffff {
        return None;
    }
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).ok()?;
    let key = ring::sign::any_supported_type(&key).ok()?;
    let server = Arc::new(CertifiedKey::new(chain.clone(), key));
    let host = case.expected_peer_name.as_ref()?.value.parse().ok()?;
    Some(Play { id: case.id.clone(), host, prepared, chain, server })
}

/// What became of the handshake: nothing, or the cause of its failure.
fn shake_hands(play: &Play, version: &'static SupportedProtocolVersion) -> Result<(), Cause> {
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Shows(play.server.clone())));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut tls = ServerConnection::new(Arc::new(config)).unwrap();
        // A client that is not content hangs up.
        let _ = tls.complete_io(&mut stream);
    });
    let mut stream = TcpStream::connect(address).unwrap();
    let name = play.prepared.server_name(&play.host).unwrap();
    let mut tls = ClientConnection::new(play.prepared.config.clone(), name).unwrap();
    let shaken = tls.complete_io(&mut stream);
    let asked_again = shaken.map_err(|error| cause(&error)).and_then(|_| {
        play.prepared.judge(tls.peer_certificates(), &play.host).map_err(|failure| failure.cause)
    });
    drop(stream);
    server.join().unwrap();
    asked_again.map(|_| ())
}

fn cause(error: &io::Error) -> Cause {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    failure(inner.unwrap_or_else(|| panic!("{error}"))).cause
}

#[test]
fn a_handshake_ends_as_the_policy_says_in_both_versions_of_tls() {
    let plays = plays();
    assert!(plays.len() >= HANDSHAKES, "only {} cases", plays.len());
    let mut accepted = 0;
    for version in [&version::TLS12, &version::TLS13] {
        for play in &plays {
            let time = play.prepared.clock().time();
            let verdict = check_certificate(&play.prepared.policy, &play.chain, &play.host, time);
            let expected = verdict.map(|_| ()).map_err(|reason| reason.cause());
            assert_eq!(shake_hands(play, version), expected, "{} in {version:?}", play.id);
            accepted += usize::from(expected.is_ok());
        }
    }
    assert!(accepted >= HANDSHAKES / 5, "only {accepted} were accepted");
}

/// A certificate that vouches for itself as an authority, and its pin.
fn self_signed() -> (rcgen::KeyPair, CertificateDer<'static>, Pin) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["other.example".to_owned()]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    // Over long ago.
    params.not_after = rcgen::date_time_ymd(2001, 1, 1);
    let certificate = params.self_signed(&key).unwrap().der().clone();
    let sha256 = pin::hash(certificate::Certificate::read(&certificate).unwrap().key_info);
    (key, certificate, Pin { sha256, state: PinState::Active })
}

#[test]
fn a_pinned_certificate_is_worth_nothing_without_its_key() {
    let (key, certificate, pin) = self_signed();
    let settings = CertificatePolicy {
        roots: Vec::new(),
        pins: vec![pin],
        pin_only: true,
        ..CertificatePolicy::default()
    };
    let other = rcgen::KeyPair::generate().unwrap();
    for version in [&version::TLS12, &version::TLS13] {
        for (key, expected) in [(&key, Ok(())), (&other, Err(Cause::BadCertificate))] {
            let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
            let key = ring::sign::any_supported_type(&key).unwrap();
            let chain = vec![certificate.clone()];
            let server = Arc::new(CertifiedKey::new(chain.clone(), key));
            let prepared = prepare(&settings, &Material::default(), Arc::new(Then(1_800_000_000))).unwrap();
            let host = "mgmt.example".parse().unwrap();
            let play = Play { id: "pin".to_owned(), host, prepared, chain, server };
            assert_eq!(shake_hands(&play, version), expected, "{version:?}");
        }
    }
}
