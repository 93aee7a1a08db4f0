//! What it costs to judge a certificate, beside plain rustls; what it costs to read a bundle; and how long chains that were made to
//! keep a verifier busy can do so.
//!
//! `cargo bench --bench trust`. With `HOMING_CERTIFICATE_CASES` in the environment also the slowest of those cases.
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a program that measures, not a library"
)]

#[path = "../tests/conformance/cases.rs"]
#[allow(dead_code, reason = "the verdicts are for a test")]
mod cases;
#[path = "support/table.rs"]
mod table;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use homing::settings::{CertificatePolicy, Roots};
use homing::trust::{Material, Policy, Time, Timestamp, check_certificate, check_chain};
use homing::types::Host;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CustomExtension, DistinguishedName,
    DnType, GeneralSubtree, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, NameConstraints,
    RevokedCertParams, SerialNumber, date_time_ymd,
};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use table::Table;

/// Within the validity of all that rcgen makes.
const NOW: i64 = 1_800_000_000;
/// Pairs of measurements, one verifier after the other, so that a busy machine is busy for both.
const ROUNDS: usize = 2000;
/// How often each chain that was made for mischief is judged; the slowest counts.
const MISCHIEF: usize = 20;

fn main() {
    let mut table =
        Table::new("One verification, beside plain rustls on the same chain (P-256, medians of 2000)");
    for intermediates in [1, 2] {
        beside_rustls(&mut table, intermediates);
    }

    judged_by_us(&mut table);

    let mut table = Table::new("A bundle and a list");
    let roots: String = (0..150).map(|_| root().0).collect();
    let read = (0..50).map(|_| timed(|| assert_eq!(policy(&roots).roots(), 150)));
    table.at_most(
        "150 roots: read, looked at and made a policy (median of 50)",
        milliseconds(median(read)),
        5.0,
        "ms",
    );
    let list = list(100_000);
    let read = (0..5).map(|_| timed(|| assert!(with_list(&roots, &list).remarks().is_empty())));
    table.at_most(
        "a revocation list of 100,000 entries: the same (median of 5)",
        milliseconds(median(read)),
        100.0,
        "ms",
    );

    let mut table = Table::new("Chains made to keep a verifier busy, the slowest of 20 each");
    for (what, (root, chain)) in [
        ("40 authorities of one name and key, which lead nowhere", ring_of_authorities(40, false, false)),
        ("40 authorities of one name and 40 keys, which lead nowhere", ring_of_authorities(40, true, false)),
        ("40 of one name, and one more that names the root", ring_of_authorities(40, true, true)),
        ("7 of one name, and one more that names the root", ring_of_authorities(7, true, true)),
        ("1,000 names below an authority with 1,000 constraints", constrained_names()),
    ] {
        let policy = policy(&root);
        let slowest = (0..MISCHIEF).map(|_| timed(|| assert!(judge(&policy, &chain).is_err()))).max();
        table.at_most(what, milliseconds(slowest.unwrap()), 150.0, "ms");
    }
    if std::env::var_os("HOMING_CERTIFICATE_CASES").is_some() {
        let (count, slowest, id) = slowest_case();
        table.at_most(&format!("{count} third-party cases: {id}"), milliseconds(slowest), 150.0, "ms");
    } else {
        println!("  NOT RUN: the third-party cases; HOMING_CERTIFICATE_CASES names no folder");
    }
}

fn beside_rustls(table: &mut Table, intermediates: usize) {
    let (root, chain) = chain(intermediates);
    let ours = policy(&root);
    let mut store = RootCertStore::empty();
    store.add(CertificateDer::from_pem_slice(root.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(ring::default_provider());
    let plain = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider).build().unwrap();
    let name = ServerName::try_from("mgmt.example").unwrap();
    let now = UnixTime::since_unix_epoch(Duration::from_secs(NOW.unsigned_abs()));
    let (first, others) = chain.split_first().unwrap();
    let (mut with_us, mut with_rustls) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        with_us.push(timed(|| assert!(judge(black_box(&ours), &chain).is_ok())));
        with_rustls.push(timed(|| {
            assert!(plain.verify_server_cert(first, others, &name, &[], now).is_ok());
        }));
    }
    let (with_us, with_rustls) = (median(with_us.into_iter()), median(with_rustls.into_iter()));
    let what = format!("server, {intermediates} between, root: homing / plain rustls");
    table.at_most(&what, with_us.as_secs_f64() / with_rustls.as_secs_f64(), 1.1, "");
    table.says("... homing, plain rustls", format!("{with_us:?}, {with_rustls:?}"));
}

/// The same chain with what webpki refuses and we judge: critical policies and constraints of directory names.
fn judged_by_us(table: &mut Table) {
    let ((root, chain), (other_root, other)) = (chain(1), constrained_chain());
    let (plain, constrained) = (policy(&root), policy(&other_root));
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        without.push(timed(|| assert!(judge(black_box(&plain), &chain).is_ok())));
        with.push(timed(|| assert!(judge(black_box(&constrained), &other).is_ok())));
    }
    let ratio = median(with.into_iter()).as_secs_f64() / median(without.into_iter()).as_secs_f64();
    table.at_most("... with policies and constraints that webpki refuses / without", ratio, 1.2, "");
}

fn judge(policy: &Policy, chain: &[CertificateDer<'_>]) -> Result<(), homing::trust::RejectReason> {
    let dialled = Host::Name("mgmt.example".into());
    check_certificate(policy, chain, &dialled, Time::new(Timestamp(NOW))).map(|_| ())
}

fn timed(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

fn median(times: impl Iterator<Item = Duration>) -> Duration {
    let mut times: Vec<Duration> = times.collect();
    times.sort_unstable();
    times[times.len() / 2]
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn policy(roots: &str) -> Policy {
    with_list(roots, &[])
}

/// A policy with these roots, and with this list if it is one.
fn with_list(roots: &str, list: &[u8]) -> Policy {
    let crls = if list.is_empty() { Vec::new() } else { vec!["x.crl".into()] };
    let settings = CertificatePolicy {
        roots: vec![Roots::Bundle("ca.pem".into())],
        crls,
        ..CertificatePolicy::default()
    };
    let files =
        BTreeMap::from([("ca.pem".into(), roots.as_bytes().to_vec()), ("x.crl".into(), list.to_vec())]);
    Policy::new(&settings, &Material { files, system: None }, Time::new(Timestamp(NOW))).unwrap()
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

/// A root, and what a server sends that is certified with so many authorities between.
fn chain(intermediates: usize) -> (String, Vec<CertificateDer<'static>>) {
    let (root, mut above) = root();
    let mut chain = Vec::new();
    for number in 0..intermediates {
        let (params, key) = (authority(&format!("authority {number}")), KeyPair::generate().unwrap());
        chain.insert(0, params.signed_by(&key, &above).unwrap().der().clone());
        above = Issuer::new(params, key);
    }
    chain.insert(0, server(&above, vec!["mgmt.example".to_owned()]));
    (root, chain)
}

fn server(issuer: &Issuer<'_, KeyPair>, names: Vec<String>) -> CertificateDer<'static> {
    let key = KeyPair::generate().unwrap();
    CertificateParams::new(names).unwrap().signed_by(&key, issuer).unwrap().der().clone()
}

/// Certificates that all could have issued each other, and the server's; the root is another's, and `way_out` adds one of its.
fn ring_of_authorities(count: u64, own_keys: bool, way_out: bool) -> (String, Vec<CertificateDer<'static>>) {
    let one_key = KeyPair::generate().unwrap().serialize_pem();
    let key = || if own_keys { KeyPair::generate().unwrap() } else { KeyPair::from_pem(&one_key).unwrap() };
    let issuer = Issuer::new(authority("ring"), key());
    let mut chain = vec![server(&issuer, vec!["mgmt.example".to_owned()])];
    chain.extend((0..count).map(|number| {
        let mut params = authority("ring");
        params.serial_number = Some(SerialNumber::from(number + 1));
        params.signed_by(&key(), &issuer).unwrap().der().clone()
    }));
    let (root, above) = root();
    if way_out {
        chain.push(authority("ring").signed_by(&key(), &above).unwrap().der().clone());
    }
    (root, chain)
}

/// A root, an authority that may vouch for some subjects, and a server with one of those and with critical policies.
fn constrained_chain() -> (String, Vec<CertificateDer<'static>>) {
    let (root, above) = root();
    let mut params = authority("constrained");
    let mut subject = DistinguishedName::new();
    subject.push(DnType::OrganizationName, "Corp");
    let permitted_subtrees = vec![GeneralSubtree::DirectoryName(subject.clone())];
    params.name_constraints = Some(NameConstraints { permitted_subtrees, excluded_subtrees: Vec::new() });
    let key = KeyPair::generate().unwrap();
    let between = params.signed_by(&key, &above).unwrap().der().clone();
    let mut params = CertificateParams::new(vec!["mgmt.example".to_owned()]).unwrap();
    let any_policy = b"\x30\x08\x30\x06\x06\x04\x55\x1d\x20\x00".to_vec();
    let mut policies = CustomExtension::from_oid_content(&[2, 5, 29, 32], any_policy);
    policies.set_criticality(true);
    params.custom_extensions = vec![policies];
    params.distinguished_name = subject;
    let server = params.signed_by(&KeyPair::generate().unwrap(), &Issuer::new(authority("constrained"), key));
    (root, vec![server.unwrap().der().clone(), between])
}

/// A revocation list with so many entries.
fn list(entries: u64) -> Vec<u8> {
    let revoked = |serial: u64| RevokedCertParams {
        serial_number: serial.into(),
        revocation_time: date_time_ymd(2026, 1, 1),
        reason_code: None,
        invalidity_date: None,
    };
    let params = CertificateRevocationListParams {
        this_update: date_time_ymd(2026, 1, 1),
        next_update: date_time_ymd(2030, 1, 1),
        crl_number: 1.into(),
        issuing_distribution_point: None,
        revoked_certs: (1..=entries).map(revoked).collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let mut issuer = authority("root");
    issuer.key_usages.push(KeyUsagePurpose::CrlSign);
    params.signed_by(&Issuer::new(issuer, KeyPair::generate().unwrap())).unwrap().der().to_vec()
}

fn constrained_names() -> (String, Vec<CertificateDer<'static>>) {
    let (root, above) = root();
    let mut params = authority("constrained");
    let excluded = (0..1000).map(|number| GeneralSubtree::DnsName(format!("x{number}.example"))).collect();
    params.name_constraints =
        Some(NameConstraints { permitted_subtrees: Vec::new(), excluded_subtrees: excluded });
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &above).unwrap().der().clone();
    let issuer = Issuer::new(params, key);
    let names = (0..1000).map(|number| format!("s{number}.mgmt.example")).collect();
    (root, vec![server(&issuer, names), certificate])
}

/// How many cases there are, and how long the slowest of them took to be judged; its policy was made before.
fn slowest_case() -> (usize, Duration, String) {
    let judged = cases::all().into_iter().filter_map(|case| {
        let settings =
            CertificatePolicy { roots: vec![Roots::Bundle("ca.pem".into())], ..CertificatePolicy::default() };
        let files = BTreeMap::from([("ca.pem".into(), case.trusted_certs.concat().into_bytes())]);
        let time = Time::exactly(Timestamp(case.instant()));
        let policy = Policy::new(&settings, &Material { files, system: None }, time).ok()?;
        let chain: Vec<CertificateDer<'static>> = std::iter::once(&case.peer_certificate)
            .chain(case.untrusted_intermediates.iter().flatten())
            .filter_map(|pem| CertificateDer::from_pem_slice(pem.as_bytes()).ok())
            .collect();
        // The faster of two: the machine may be busy.
        let took = (0..2).map(|_| timed(|| _ = black_box(check_chain(&policy, &chain, time)))).min();
        Some((took?, case.id))
    });
    let judged: Vec<_> = judged.collect();
    let count = judged.len();
    let (slowest, id) = judged.into_iter().max().unwrap();
    (count, slowest, id)
}
