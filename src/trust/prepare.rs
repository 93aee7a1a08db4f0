//! From a policy to the TLS configuration that enforces it.

use std::fmt;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::SingleCertAndKey;
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, version};

use super::accepted::Accepted;
use super::name;
use super::policy::{Material, Policy, TrustError};
use super::reject::RejectReason;
use super::sessions::Sessions;
use super::time::WallClock;
use super::verification_cache::{MOST_KNOWN, VerificationCache};
use super::verifier::Verifier;
use crate::settings::CertificatePolicy;
use crate::types::{Failure, Host};

/// Servers whose sessions are kept per policy. A client speaks to a handful; a session holds the
/// server's certificates, some kilobytes.
const SESSIONS: usize = MOST_KNOWN;

/// A policy that can be enforced, and how.
#[derive(Clone)]
pub(crate) struct Prepared {
    pub(crate) config: Arc<ClientConfig>,
    pub(crate) policy: Arc<Policy>,
    judge: Arc<VerificationCache>,
}

impl Prepared {
    /// The name a server has to carry that is dialled like this. `None` for a name no certificate can carry.
    pub(crate) fn server_name(&self, dialled: &Host) -> Option<ServerName<'static>> {
        name::server_name(&self.policy.name_for(dialled))
    }

    #[cfg(test)]
    pub(super) fn clock(&self) -> &dyn WallClock {
        self.judge.clock()
    }

    /// Judges the certificates of a finished handshake. Those of a resumed session nobody has looked at
    /// since the session was made: they may have expired meanwhile.
    pub(crate) fn judge(
        &self,
        chain: Option<&[CertificateDer<'_>]>,
        dialled: &Host,
    ) -> Result<Accepted, Failure> {
        let [first, others @ ..] = chain.unwrap_or_default() else {
            return Err(RejectReason::NoCertificate.failure());
        };
        self.judge.judge(first, others, dialled).map_err(|reason| reason.failure())
    }
}

/// Builds what enforces `settings`.
pub(crate) fn prepare(
    settings: &CertificatePolicy,
    material: &Material,
    clock: Arc<dyn WallClock>,
) -> Result<Prepared, TrustError> {
    let policy = Arc::new(Policy::new(settings, material, clock.time())?);
    let failed = |error: rustls::Error| TrustError::NoConfiguration { reason: error.to_string() };
    let versions =
        if settings.tls13_only { &[&version::TLS13][..] } else { &[&version::TLS13, &version::TLS12] };
    let judge = Arc::new(VerificationCache::new(policy.clone(), clock.clone()));
    let sessions = Arc::new(Sessions::new(SESSIONS, clock.clone()));
    let time = Arc::new(VerificationTime(clock));
    let builder = ClientConfig::builder_with_details(policy.provider().clone(), time)
        .with_protocol_versions(versions)
        .map_err(failed)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Verifier {
            judge: judge.clone(),
            sessions: sessions.clone(),
        }));
    let mut config = match policy.identity() {
        Some(identity) => {
            builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity.certified())))
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption = Resumption::store(sessions);
    Ok(Prepared { config: Arc::new(config), policy, judge })
}

/// The clock by which rustls reckons the age of sessions.
struct VerificationTime(Arc<dyn WallClock>);

impl TimeProvider for VerificationTime {
    fn current_time(&self) -> Option<UnixTime> {
        Some(self.0.time().verification().unix())
    }
}

impl fmt::Debug for VerificationTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::{Path, PathBuf};

    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose};
    use rustls::pki_types::pem::PemObject;

    use super::*;
    use crate::settings::{ClientCertificate, Pin, PinState, Roots};
    use crate::trust::certificate::Certificate;
    use crate::trust::pin;
    use crate::trust::policy::Remark;
    use crate::trust::time::{Time, Timestamp};
    use crate::trust::{BundleError, IdentityError, RevocationError};
    use crate::types::{Cause, Proof};

    /// The middle of the validity of what rcgen makes: 1975 to 4096.
    const NOW: Time = Time { wall: Timestamp(1_800_000_000), floor: Timestamp::MADE };

    #[derive(Debug)]
    struct Fixed;

    impl WallClock for Fixed {
        fn time(&self) -> Time {
            NOW
        }
    }

    /// An authority of one's own, a server certified by it, and the key of that server.
    struct Company {
        root: String,
        server: CertificateDer<'static>,
        server_pem: String,
        key: String,
    }

    fn company() -> Company {
        let root_key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let root = params.self_signed(&root_key).unwrap().pem();
        let issuer = Issuer::new(params, root_key);
        let key = KeyPair::generate().unwrap();
        let names = vec!["mgmt.example".to_owned(), "10.1.0.5".to_owned()];
        let server = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
        Company { root, server: server.der().clone(), server_pem: server.pem(), key: key.serialize_pem() }
    }

    fn pin_of(certificate: &CertificateDer<'_>, state: PinState) -> Pin {
        Pin { sha256: pin::hash(Certificate::read(certificate).unwrap().key_info), state }
    }

    fn private(
        files: &[(&str, &str)],
        change: impl FnOnce(&mut CertificatePolicy),
    ) -> Result<Prepared, TrustError> {
        let mut settings =
            CertificatePolicy { roots: vec![Roots::Bundle("ca.pem".into())], ..Default::default() };
        change(&mut settings);
        let files: BTreeMap<PathBuf, Vec<u8>> =
            files.iter().map(|(path, text)| (Path::new(path).to_owned(), text.as_bytes().to_vec())).collect();
        prepare(&settings, &Material { files, system: None }, Arc::new(Fixed))
    }

    fn judge(prepared: &Prepared, server: &CertificateDer<'static>, host: &str) -> Result<Accepted, Cause> {
        let chain = [server.clone()];
        prepared.judge(Some(&chain), &host.parse().unwrap()).map_err(|failure| failure.cause)
    }

    #[test]
    fn a_private_authority_vouches_for_names_and_addresses() {
        let [company, other] = [(); 2].map(|()| company());
        let prepared = private(&[("ca.pem", &company.root)], |_| {}).unwrap();
        for host in ["mgmt.example", "10.1.0.5"] {
            assert_eq!(judge(&prepared, &company.server, host).unwrap().proof, Proof::Tls);
        }
        assert_eq!(judge(&prepared, &company.server, "10.1.0.6"), Err(Cause::WrongName));
        assert_eq!(
            prepared.judge(None, &"10.1.0.5".parse().unwrap()).unwrap_err().cause,
            Cause::BadCertificate
        );
        assert_eq!(judge(&prepared, &other.server, "mgmt.example"), Err(Cause::UnknownIssuer));
    }

    #[test]
    fn the_name_of_the_policy_takes_the_place_of_the_dialled_one() {
        let company = company();
        let named = |name: &str| {
            let name = name.parse().unwrap();
            private(&[("ca.pem", &company.root)], |policy| policy.expected_name = Some(name)).unwrap()
        };
        assert!(judge(&named("mgmt.example"), &company.server, "192.0.2.7").is_ok());
        assert_eq!(judge(&named("other.example"), &company.server, "mgmt.example"), Err(Cause::WrongName));
    }

    #[test]
    fn a_pin_counts_beside_the_chain() {
        let company = company();
        let pinned =
            |pin: Pin| private(&[("ca.pem", &company.root)], |policy| policy.pins = vec![pin]).unwrap();
        let known = pinned(pin_of(&company.server, PinState::Next));
        let accepted = judge(&known, &company.server, "mgmt.example").unwrap();
        assert_eq!((accepted.proof, accepted.pin), (Proof::Pin, Some(PinState::Next)));
        let unknown = pinned(Pin { sha256: [7; 32], state: PinState::Active });
        assert_eq!(judge(&unknown, &company.server, "mgmt.example"), Err(Cause::PinMismatch));
        let revoked = pinned(pin_of(&company.server, PinState::Revoked));
        assert_eq!(judge(&revoked, &company.server, "mgmt.example"), Err(Cause::PinMismatch));
        // The key of the root is as good as any other of the chain.
        let root = CertificateDer::from_pem_slice(company.root.as_bytes()).unwrap();
        assert!(judge(&pinned(pin_of(&root, PinState::Active)), &company.server, "mgmt.example").is_ok());
    }

    #[test]
    fn a_pin_alone_counts_for_the_servers_own_key_only() {
        let [company, stranger] = [(); 2].map(|()| company());
        let prepared = private(&[], |policy| {
            policy.roots.clear();
            policy.pin_only = true;
            policy.pins = vec![pin_of(&company.server, PinState::Active)];
        })
        .unwrap();
        // Whatever the name, and whoever issued it.
        let accepted = judge(&prepared, &company.server, "elsewhere.example").unwrap();
        assert_eq!((accepted.proof, accepted.not_after), (Proof::Pin, None));
        assert_eq!(judge(&prepared, &stranger.server, "mgmt.example"), Err(Cause::PinMismatch));
        // Anybody can send the pinned certificate along.
        let appended = [stranger.server.clone(), company.server.clone()];
        let verdict = prepared.judge(Some(&appended), &"mgmt.example".parse().unwrap());
        assert_eq!(verdict.unwrap_err().cause, Cause::PinMismatch);
    }

    #[test]
    fn without_verification_anybody_is_accepted_and_nothing_is_proved() {
        let prepared = private(&[], |policy| {
            policy.roots.clear();
            policy.danger_no_verification = true;
        })
        .unwrap();
        let accepted = judge(&prepared, &CertificateDer::from(vec![1, 2, 3]), "mgmt.example").unwrap();
        assert_eq!((accepted.proof, accepted.not_before), (Proof::Tcp, None));
    }

    #[test]
    fn a_bundle_is_used_whole_or_not_at_all() {
        let (one, two) = (company(), company());
        let broken = one.root.replace("END CERTIFICATE", "END");
        let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let with = |text: &str| private(&[("ca.pem", text)], |_| {}).map(|prepared| prepared.policy.roots());
        assert_eq!(
            with(&format!("a comment\r\n{}between\n{}", one.root.replace('\n', "\r\n"), two.root)),
            Ok(2)
        );
        let failed = |source| Err(TrustError::Bundle { path: "ca.pem".into(), source });
        assert_eq!(with(""), failed(BundleError::Empty));
        assert_eq!(with("not pem"), failed(BundleError::Empty));
        // The parser would pass over each of these, and the bundle be shorter than somebody thinks.
        assert_eq!(with(&format!("\u{feff}{}{}", one.root, two.root)), Ok(2));
        for (text, source) in [
            (one.key.clone(), BundleError::PrivateKey),
            (format!("{}{}", one.root, one.key), BundleError::PrivateKey),
            (
                one.root.replace(" CERT", " TRUSTED CERT"),
                BundleError::Other("TRUSTED CERTIFICATE".to_owned()),
            ),
        ] {
            assert_eq!(with(&text), failed(source));
        }
        let indented = format!("{}  {}", one.root, two.root);
        assert!(matches!(with(&indented), Err(TrustError::Bundle { source: BundleError::NotPem(_), .. })));
        assert!(with(&broken).unwrap_err().to_string().starts_with("ca.pem: it is not a PEM file"));
        let error = with(&format!("{}{garbage}", one.root)).unwrap_err().to_string();
        assert_eq!(error, "ca.pem: certificate 2 cannot be used: it is not a certificate in DER");
    }

    #[test]
    fn a_bundle_says_what_is_odd_about_it() {
        let one = company();
        let leaf = rcgen::generate_simple_self_signed(Vec::new()).unwrap().cert.pem();
        let prepared = private(&[("ca.pem", &format!("{}{}{leaf}", one.root, one.root))], |_| {}).unwrap();
        let remarks: Vec<String> = prepared.policy.remarks().iter().map(ToString::to_string).collect();
        let [twice, no_authority] = remarks.as_slice() else { panic!("{remarks:?}") };
        assert!(twice.contains("certificate 2") && twice.contains("twice"), "{twice}");
        assert!(
            no_authority.contains("certificate 3") && no_authority.contains("basic constraints"),
            "{no_authority}"
        );
    }

    #[test]
    fn a_policy_that_trusts_nobody_is_no_policy() {
        let nobody = private(&[], |policy| policy.roots.clear()).err();
        assert_eq!(nobody, Some(TrustError::NobodyTrusted));
        let system = private(&[], |policy| policy.roots = vec![Roots::System]).err().unwrap();
        assert!(matches!(system, TrustError::System { .. }), "{system}");
    }

    #[test]
    fn a_revocation_list_is_pem_or_der_and_nothing_else() {
        let company = company();
        let with = |text: &str| {
            private(&[("ca.pem", &company.root), ("x.crl", text)], |policy| {
                policy.crls = vec!["x.crl".into()]
            })
        };
        let failed = |text| match with(text).err() {
            Some(TrustError::Revocation { source, .. }) => source,
            other => panic!("{other:?}"),
        };
        assert_eq!(failed(""), RevocationError::Empty);
        assert_eq!(failed(&company.root), RevocationError::Empty);
        assert!(matches!(failed("0garbage"), RevocationError::Unsupported { number: 1, .. }));
    }

    #[test]
    fn a_certificate_of_the_agents_own_needs_its_key() {
        let (one, other) = (company(), company());
        let with = |certificate: &str, key: &str| {
            private(&[("ca.pem", &one.root), ("c.pem", certificate), ("k.pem", key)], |policy| {
                policy.client = Some(ClientCertificate { certificate: "c.pem".into(), key: "k.pem".into() });
            })
        };
        let prepared = with(&one.server_pem, &one.key).unwrap();
        assert!(prepared.policy.identity_not_after() > Some(NOW.wall));
        assert_eq!(prepared.policy.remarks_at(NOW), []);
        let late = Time::exactly(Timestamp(prepared.policy.identity_not_after().unwrap().0 - 86_400));
        assert!(matches!(prepared.policy.remarks_at(late)[..], [Remark::Identity(_), ..]));
        let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        let header = "-----BEGIN EC PRIVATE KEY-----\r\nProc-Type: 4,ENCRYPTED\r\n";
        let strange = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        for (key, source) in [
            (other.key.as_str(), IdentityError::OtherKey),
            (&one.server_pem, IdentityError::NoKey),
            ("", IdentityError::NoKey),
            (encrypted, IdentityError::EncryptedKey),
            (header, IdentityError::EncryptedKey),
            (strange, IdentityError::UnsupportedKey),
        ] {
            let error = with(&one.server_pem, key).err();
            assert_eq!(error, Some(TrustError::Identity { path: "k.pem".into(), source }), "{key}");
        }
        // As some programs want it: both in one file.
        assert!(
            with(&format!("{}{}", one.key, one.server_pem), &format!("{}{}", one.server_pem, one.key))
                .is_ok()
        );
        let error = with(&one.key, &one.key).err();
        assert_eq!(
            error,
            Some(TrustError::Identity { path: "c.pem".into(), source: IdentityError::NoCertificate })
        );
    }

    #[test]
    fn no_secret_of_a_session_is_written_anywhere() {
        let config = private(&[], |policy| policy.roots = vec![Roots::Public]).unwrap().config;
        // Not the one that asks the environment for a file.
        assert_eq!(format!("{:?}", config.key_log), "NoKeyLog");
        assert!(!config.enable_secret_extraction && !config.enable_early_data);
    }

    #[test]
    fn a_certificate_can_carry_addresses_and_names() {
        let prepared = private(&[], |policy| policy.roots = vec![Roots::Public]).unwrap();
        for host in ["10.0.0.1", "2001:db8::1", "mgmt.example", "sepm_1"] {
            assert!(prepared.server_name(&host.parse().unwrap()).is_some(), "{host}");
        }
    }
}
