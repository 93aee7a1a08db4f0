//! Real handshakes: rustls asks our verifier, and what comes out is what the policy says.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, CustomExtension,
    DnType, ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams,
    date_time_ymd,
};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ClientConnection, ServerConfig, ServerConnection, SupportedProtocolVersion, version};

use super::*;
use crate::settings::{CertificatePolicy, Pin, PinState, Revocation, RevocationScope, Roots};
use crate::types::{Cause, Failure, Host};

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

/// A chain that a server plays.
struct Play {
    what: &'static str,
    host: Host,
    prepared: Prepared,
    chain: Vec<CertificateDer<'static>>,
    server: Arc<CertifiedKey>,
}

/// 2027-01-15.
const NOW: i64 = 1_800_000_000;

/// What a chain is made of: the authorities from the root down, and the server's.
struct Made {
    authorities: Vec<CertificateParams>,
    server: CertificateParams,
    /// Which authorities below the root are sent.
    sends_authorities: bool,
    /// Whether the policy has the root, or that of somebody else.
    knows_root: bool,
    /// Serial numbers of servers that are on a list.
    revoked: Option<Vec<u64>>,
    settings: CertificatePolicy,
}

impl Made {
    fn new(between: usize) -> Self {
        let authority = |name: String| {
            let mut params = CertificateParams::new(Vec::new()).unwrap();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
            params.distinguished_name.push(DnType::CommonName, name);
            params
        };
        let mut server =
            CertificateParams::new(vec!["mgmt.example".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        server.serial_number = Some(7.into());
        Self {
            authorities: (0..=between).map(|number| authority(format!("authority {number}"))).collect(),
            server,
            sends_authorities: true,
            knows_root: true,
            revoked: None,
            settings: CertificatePolicy {
                roots: vec![Roots::Bundle("roots.pem".into())],
                revocation: Revocation { scope: RevocationScope::Server, ..Revocation::default() },
                ..CertificatePolicy::default()
            },
        }
    }

    fn play(mut self, what: &'static str, host: &str) -> Play {
        let mut authorities = self.authorities.into_iter();
        let root = authorities.next().unwrap();
        let mut above = CertifiedIssuer::self_signed(root, KeyPair::generate().unwrap()).unwrap();
        let stranger = CertifiedIssuer::self_signed(
            CertificateParams::new(Vec::new()).unwrap(),
            KeyPair::generate().unwrap(),
        );
        let known = if self.knows_root { above.pem() } else { stranger.unwrap().pem() };
        let mut files = BTreeMap::from([("roots.pem".into(), known.into_bytes())]);
        let mut chain = Vec::new();
        for params in authorities {
            above = CertifiedIssuer::signed_by(params, KeyPair::generate().unwrap(), &above).unwrap();
            if self.sends_authorities {
                chain.insert(0, above.der().clone());
            }
        }
        if let Some(revoked) = self.revoked {
            files.insert("x.crl".into(), list(&above, &revoked));
            self.settings.crls = vec!["x.crl".into()];
        }
        let key = KeyPair::generate().unwrap();
        chain.insert(0, self.server.signed_by(&key, &above).unwrap().der().clone());
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let key = ring::sign::any_supported_type(&key).unwrap();
        let server = Arc::new(CertifiedKey::new(chain.clone(), key));
        let material = Material { files, system: None };
        let prepared = prepare(&self.settings, &material, Arc::new(Then(NOW))).unwrap();
        Play { what, host: host.parse().unwrap(), prepared, chain, server }
    }
}

/// A list of this issuer that names servers with these serial numbers.
fn list(issuer: &CertifiedIssuer<'_, KeyPair>, serials: &[u64]) -> Vec<u8> {
    let revoked = |serial: &u64| RevokedCertParams {
        serial_number: (*serial).into(),
        revocation_time: date_time_ymd(2020, 1, 1),
        reason_code: None,
        invalidity_date: None,
    };
    let params = CertificateRevocationListParams {
        this_update: date_time_ymd(2020, 1, 1),
        next_update: date_time_ymd(2100, 1, 1),
        crl_number: 1.into(),
        issuing_distribution_point: None,
        revoked_certs: serials.iter().map(revoked).collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    params.signed_by(issuer).unwrap().der().to_vec()
}

/// One play for each way a handshake can end, and what that is.
fn plays() -> Vec<(Play, Result<(), Cause>)> {
    let made = |between: usize, change: fn(&mut Made)| {
        let mut made = Made::new(between);
        change(&mut made);
        made
    };
    let rows: Vec<(&'static str, &str, Made, Result<(), Cause>)> = vec![
        ("below the root", "mgmt.example", made(0, |_| {}), Ok(())),
        ("by address", "127.0.0.1", made(1, |_| {}), Ok(())),
        ("two between", "mgmt.example", made(2, |_| {}), Ok(())),
        ("on no list", "mgmt.example", made(1, |it| it.revoked = Some(vec![8])), Ok(())),
        ("revoked", "mgmt.example", made(1, |it| it.revoked = Some(vec![7])), Err(Cause::Revoked)),
        (
            "expired",
            "mgmt.example",
            made(0, |it| it.server.not_after = date_time_ymd(2026, 1, 1)),
            Err(Cause::CertificateExpired),
        ),
        (
            "not valid yet",
            "mgmt.example",
            made(0, |it| it.server.not_before = date_time_ymd(2028, 1, 1)),
            Err(Cause::CertificateNotYetValid),
        ),
        (
            "an authority that has expired",
            "mgmt.example",
            made(1, |it| it.authorities[1].not_after = date_time_ymd(2026, 1, 1)),
            Err(Cause::CertificateExpired),
        ),
        ("of a stranger", "mgmt.example", made(1, |it| it.knows_root = false), Err(Cause::UnknownIssuer)),
        (
            "with an authority missing",
            "mgmt.example",
            made(1, |it| it.sends_authorities = false),
            Err(Cause::UnknownIssuer),
        ),
        ("for another name", "other.example", made(0, |_| {}), Err(Cause::WrongName)),
        ("for another address", "127.0.0.2", made(0, |_| {}), Err(Cause::WrongName)),
        (
            "for clients",
            "mgmt.example",
            made(0, |it| it.server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]),
            Err(Cause::BadCertificate),
        ),
        (
            "an authority in the place of a server",
            "mgmt.example",
            made(0, |it| it.server.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)),
            Err(Cause::BadCertificate),
        ),
        (
            "below no authority",
            "mgmt.example",
            made(1, |it| it.authorities[1].is_ca = IsCa::NoCa),
            Err(Cause::BadCertificate),
        ),
        (
            "with more between than the policy allows",
            "mgmt.example",
            made(2, |it| it.settings.max_chain_depth = Some(1)),
            Err(Cause::BadCertificate),
        ),
        (
            "without the key that is pinned",
            "mgmt.example",
            made(0, |it| it.settings.pins = vec![Pin { sha256: [7; 32], state: PinState::Active }]),
            Err(Cause::PinMismatch),
        ),
    ];
    rows.into_iter().map(|(what, host, made, expected)| (made.play(what, host), expected)).collect()
}

/// What became of the handshake: nothing, or its failure.
fn shake_hands(play: &Play, version: &'static SupportedProtocolVersion) -> Result<(), Failure> {
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
    let asked_again = shaken
        .map_err(|error| failed(&error))
        .and_then(|_| play.prepared.judge(tls.peer_certificates(), &play.host));
    drop(stream);
    server.join().unwrap();
    asked_again.map(|_| ())
}

fn failed(error: &io::Error) -> Failure {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    failure(inner.unwrap_or_else(|| panic!("{error}")))
}

/// The cause alone.
fn cause(shaken: Result<(), Failure>) -> Result<(), Cause> {
    shaken.map_err(|failure| failure.cause)
}

#[test]
fn certificates_that_are_too_large_together_say_so() {
    let mut play = Made::new(1).play("large", "mgmt.example");
    let big = CertificateDer::from(vec![0x30; 50_000]);
    let key = play.server.key.clone();
    play.chain.extend([big.clone(), big]);
    play.server = Arc::new(CertifiedKey::new(play.chain.clone(), key));
    for version in [&version::TLS12, &version::TLS13] {
        let failure = shake_hands(&play, version).unwrap_err();
        assert_eq!(failure.cause, Cause::BadCertificate);
        let told = failure.to_string();
        assert!(
            told.contains("its certificates are larger than 64 KiB together; let the server send fewer"),
            "{told}"
        );
    }
}

#[test]
fn a_handshake_ends_as_the_policy_says_in_both_versions_of_tls() {
    for (play, expected) in plays() {
        let time = play.prepared.clock().time();
        let verdict = check_certificate(&play.prepared.policy, &play.chain, &play.host, time);
        assert_eq!(verdict.map(|_| ()).map_err(|reason| reason.cause()), expected, "{}", play.what);
        for version in [&version::TLS12, &version::TLS13] {
            assert_eq!(cause(shake_hands(&play, version)), expected, "{} in {version:?}", play.what);
        }
    }
}

/// A self-signed certificate of an authority, with a critical extension that is not known, and its pin.
fn self_signed() -> (KeyPair, CertificateDer<'static>, Pin) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["other.example".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let mut unknown = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99_999], vec![5, 0]);
    unknown.set_criticality(true);
    params.custom_extensions = vec![unknown];
    // Over long ago.
    params.not_after = date_time_ymd(2001, 1, 1);
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
    let other = KeyPair::generate().unwrap();
    for version in [&version::TLS12, &version::TLS13] {
        for (key, expected) in [(&key, Ok(())), (&other, Err(Cause::BadCertificate))] {
            let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
            let key = ring::sign::any_supported_type(&key).unwrap();
            let chain = vec![certificate.clone()];
            let server = Arc::new(CertifiedKey::new(chain.clone(), key));
            let prepared = prepare(&settings, &Material::default(), Arc::new(Then(NOW))).unwrap();
            let host = "mgmt.example".parse().unwrap();
            let play = Play { what: "pin", host, prepared, chain, server };
            assert_eq!(cause(shake_hands(&play, version)), expected, "{version:?}");
        }
    }
}
