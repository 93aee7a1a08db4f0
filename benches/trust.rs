//! What it costs to judge a certificate, beside plain rustls; and what it costs to read a bundle.
//!
//! ```console
//! $ cargo bench --bench trust
//! ```
//! Both verifiers are asked in turns, so that a busy machine is busy for both. The bars are asserted.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench ends that way, and tells what it measured"
)]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use homing::settings::{CertificatePolicy, Roots};
use homing::trust::{Material, Policy, Time, Timestamp, check_certificate};
use homing::words::Host;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};

/// Within the validity of all that rcgen makes.
const NOW: i64 = 1_800_000_000;
/// Pairs of measurements; the medians are compared.
const ROUNDS: usize = 2000;
/// How much more than plain rustls one verification may take.
const BAR: f64 = 1.1;
/// Roots of the bundle, and how long they may take.
const BUNDLE: (usize, Duration) = (150, Duration::from_millis(5));

fn main() {
    let (root, chain) = chain();
    let time = Time::new(Timestamp(NOW));
    let ours = policy(&root, time);
    let provider = Arc::new(ring::default_provider());
    let mut store = RootCertStore::empty();
    store.add(CertificateDer::from_pem_slice(root.as_bytes()).unwrap()).unwrap();
    let plain = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider).build().unwrap();
    let (dialled, name): (Host, _) =
        ("mgmt.example".parse().unwrap(), ServerName::try_from("mgmt.example").unwrap());
    let now = UnixTime::since_unix_epoch(Duration::from_secs(NOW.unsigned_abs()));

    let (mut with_us, mut with_rustls) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        with_us.push(timed(|| assert!(check_certificate(black_box(&ours), &chain, &dialled, time).is_ok())));
        let (first, others) = chain.split_first().unwrap();
        with_rustls.push(timed(|| {
            assert!(plain.verify_server_cert(first, others, &name, &[], now).is_ok());
        }));
    }
    let (with_us, with_rustls) = (median(with_us), median(with_rustls));
    let ratio = with_us.as_secs_f64() / with_rustls.as_secs_f64();
    println!("chain of three (P-256): {with_us:?}, plain rustls {with_rustls:?}: {ratio:.3} (bar {BAR})");

    let (count, bar) = BUNDLE;
    let roots: String = (0..count).map(|_| self::root().0).collect();
    let bundle = median((0..50).map(|_| timed(|| assert_eq!(policy(&roots, time).roots(), count))).collect());
    println!("bundle of {count} roots: {bundle:?} (bar {bar:?})");
    assert!(ratio <= BAR, "more than {BAR} of plain rustls");
    assert!(bundle <= bar, "more than {bar:?}");
}

fn timed(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn policy(roots: &str, time: Time) -> Policy {
    let settings =
        CertificatePolicy { roots: vec![Roots::Bundle("ca.pem".into())], ..CertificatePolicy::default() };
    let files = BTreeMap::from([("ca.pem".into(), roots.as_bytes().to_vec())]);
    Policy::new(&settings, &Material { files, system: None }, time).unwrap()
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn root() -> (String, Issuer<'static, KeyPair>) {
    let (params, key) = (authority("root"), KeyPair::generate().unwrap());
    (params.self_signed(&key).unwrap().pem(), Issuer::new(params, key))
}

/// A root, and a server certified by an authority below an authority below it.
fn chain() -> (String, Vec<CertificateDer<'static>>) {
    let (root, above) = root();
    let (first, first_key) = (authority("first"), KeyPair::generate().unwrap());
    let first_certificate = first.signed_by(&first_key, &above).unwrap();
    let issuer = Issuer::new(first, first_key);
    let (second, second_key) = (authority("second"), KeyPair::generate().unwrap());
    let second_certificate = second.signed_by(&second_key, &issuer).unwrap();
    let issuer = Issuer::new(second, second_key);
    let key = KeyPair::generate().unwrap();
    let server =
        CertificateParams::new(vec!["mgmt.example".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    (
        root,
        [server, second_certificate, first_certificate].map(|certificate| certificate.der().clone()).into(),
    )
}
