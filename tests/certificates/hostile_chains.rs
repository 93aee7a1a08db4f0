//! What a server shows that wants to do harm, or that somebody set up in a hurry: nothing of it may be believed that plain
//! rustls refuses, and nothing may take long.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use homing::settings::{CertificatePolicy, Roots};
use homing::trust::{Material, Policy, Time, Timestamp, check_certificate};
use homing::types::Host;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CustomExtension, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{Error, RootCertStore};

use crate::forge::value;

/// 2027-01-15.
const NOW: Time = Time { wall: Timestamp(1_800_000_000), floor: Timestamp::MADE };

/// How long one chain may keep a test busy. It takes milliseconds, a tenth of a second at most; the rest is for builds that are not
/// optimised and machines that are busy.
const LONG: Duration = Duration::from_secs(5);

/// Somebody who issues.
struct Authority {
    params: CertificateParams,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, name);
        Self { issuer: Issuer::new(params.clone(), KeyPair::generate().unwrap()), params }
    }

    fn own(&self) -> Certificate {
        self.params.self_signed(self.issuer.key()).unwrap()
    }

    /// A certificate for this authority, by that one.
    fn by(&self, above: &Self) -> CertificateDer<'static> {
        self.params.signed_by(self.issuer.key(), &above.issuer).unwrap().der().clone()
    }

    /// A server with these alternative names: tags and contents as they stand in the certificate (RFC 5280 4.2.1.6).
    fn server(&self, names: &[(u8, &[u8])]) -> CertificateDer<'static> {
        let names = names.iter().flat_map(|(tag, content)| value(*tag, content)).collect::<Vec<u8>>();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.custom_extensions =
            vec![CustomExtension::from_oid_content(&[2, 5, 29, 17], value(0x30, &names))];
        params.signed_by(&KeyPair::generate().unwrap(), &self.issuer).unwrap().der().clone()
    }
}

/// The same roots for both.
struct Both {
    policy: Policy,
    plain: Arc<WebPkiServerVerifier>,
}

impl Both {
    fn of(root: &Certificate) -> Self {
        let settings =
            CertificatePolicy { roots: vec![Roots::Bundle("ca.pem".into())], ..CertificatePolicy::default() };
        let files = BTreeMap::from([("ca.pem".into(), root.pem().into_bytes())]);
        let policy = Policy::new(&settings, &Material { files, system: None }, NOW).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(root.der().clone()).unwrap();
        let plain =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::new(ring::default_provider()));
        Self { policy, plain: plain.build().unwrap() }
    }

    /// Whether we and whether plain rustls believe this; what is refused has a reason in one line.
    fn judge(&self, chain: &[CertificateDer<'_>], host: &Host) -> (bool, Result<(), Error>) {
        let begun = Instant::now();
        let ours = check_certificate(&self.policy, chain, host, NOW);
        assert!(begun.elapsed() < LONG, "{:?}", begun.elapsed());
        if let Err(reason) = &ours {
            let text = format!("{reason}; {}", reason.explain());
            assert!(!text.chars().any(char::is_control), "{text:?}");
            assert!(text.len() < 4000 && reason.failure().to_string().len() < 1000, "{text}");
        }
        let name = match host {
            Host::Address(address) => ServerName::IpAddress((*address).into()),
            Host::Name(name) => ServerName::try_from(name.to_string()).unwrap(),
        };
        let time = UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000));
        let plain = self.plain.verify_server_cert(&chain[0], &chain[1..], &name, &[], time);
        (ours.is_ok(), plain.map(|_| ()))
    }
}

#[test]
fn names_of_every_form_mean_to_us_what_they_mean_to_plain_rustls() {
    let authority = Authority::new("root");
    let both = Both::of(&authority.own());
    let long = "a".repeat(64);
    let forms: &[(u8, &[u8])] = &[
        (0x82, b"mgmt.example"),
        (0x82, b"MGMT.EXAMPLE"),
        (0x82, b"mgmt.example."),
        (0x82, b"mgmt.example\0.evil.example"),
        (0x82, b"\0"),
        (0x82, b""),
        (0x82, b"."),
        (0x82, b"*"),
        (0x82, b"*."),
        (0x82, b"*.example"),
        (0x82, b"*.mgmt.example"),
        (0x82, b"*.*.example"),
        (0x82, b"m*.example"),
        (0x82, b"*t.example"),
        (0x82, b"mgmt.*"),
        (0x82, b"a.*.example"),
        (0x82, b"xn--bcher-kva.example"),
        (0x82, b"*.xn--bcher-kva.example"),
        (0x82, b"xn--*.example"),
        (0x82, "b\u{fc}cher.example".as_bytes()),
        (0x82, b"sepm_1"),
        (0x82, b"-mgmt.example"),
        (0x82, b" mgmt.example"),
        (0x82, b"127.0.0.1"),
        (0x82, b"::1"),
        (0x82, long.as_bytes()),
        (0x87, &[127, 0, 0, 1]),
        (0x87, &[127, 0, 0]),
        (0x87, &[]),
        (0x87, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1]),
        (0x87, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
        (0x87, &[127, 0, 0, 1, 255, 255, 255, 255]),
        (0x87, b"127.0.0.1"),
        (0x86, b"https://mgmt.example"),
        (0x81, b"admin@mgmt.example"),
        (0x82, b"other.example"),
    ];
    let hosts = [
        "mgmt.example",
        "MGMT.example.",
        "a.mgmt.example",
        "a.b.example",
        "example",
        "xn--bcher-kva.example",
        "a.xn--bcher-kva.example",
        "sepm_1",
        "127.0.0.1",
        "::1",
        "::ffff:127.0.0.1",
        "evil.example",
    ];
    let mut accepted = 0;
    let certificates: Vec<_> = forms.iter().map(|form| vec![*form]).chain([vec![], forms.to_vec()]).collect();
    for names in certificates {
        let chain = [authority.server(&names)];
        for host in hosts {
            let (ours, plain) = both.judge(&chain, &host.parse().unwrap());
            assert_eq!(ours, plain.is_ok(), "{host} with {names:x?}: {plain:?}");
            accepted += usize::from(ours);
        }
    }
    // Neither everything nor nothing.
    assert!((20..100).contains(&accepted), "{accepted}");
    // No settings can ask for these.
    for host in ["fe80::1%eth0", "b\u{fc}cher.example", "*.example", "mgmt.example\0", "", "."] {
        assert!(host.parse::<Host>().is_err(), "{host:?}");
    }
}

#[test]
fn chains_of_every_shape_end_soon_and_convince_us_no_sooner_than_plain_rustls() {
    let (root, stranger) = (Authority::new("root"), Authority::new("stranger"));
    let [upper, lower, left, right] = ["upper", "lower", "left", "right"].map(Authority::new);
    let both = Both::of(&root.own());
    let leaf = |above: &Authority| above.server(&[(0x82, b"mgmt.example")]);
    let (upper_own, lower_own, server) = (upper.by(&root), lower.by(&upper), leaf(&lower));
    let circle = [left.by(&right), right.by(&left)];
    let tangle: Vec<Authority> = (0..9).map(|number| Authority::new(&format!("{number}"))).collect();
    let mut knots: Vec<CertificateDer<'static>> =
        tangle.iter().flat_map(|one| tangle.iter().map(move |other| one.by(other))).collect();
    let in_tangle = leaf(&tangle[0]);
    let with = |first: &CertificateDer<'static>, others: &[CertificateDer<'static>]| {
        [std::slice::from_ref(first), others].concat()
    };
    let good = [lower_own.clone(), upper_own.clone()];
    let noise: Vec<CertificateDer<'static>> =
        (0..100).map(|number| Authority::new(&format!("noise {number}")).by(&stranger)).collect();
    let garbage: Vec<CertificateDer<'static>> = [
        Vec::new(),
        vec![0x30],
        vec![0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
        vec![0; 0x1_0000],
        value(0x30, &vec![0x30; 0x1_0000]),
    ]
    .map(CertificateDer::from)
    .to_vec();
    let mut cases = vec![
        ("in order", with(&server, &good), true),
        ("in the wrong order", with(&server, &[upper_own.clone(), lower_own.clone()]), true),
        ("with the root", with(&server, &[&good[..], &[root.own().der().clone()]].concat()), true),
        (
            "with the root of a stranger",
            with(&server, &[&[stranger.own().der().clone()], &good[..]].concat()),
            true,
        ),
        ("each twice", with(&server, &[&good[..], &good[..]].concat()), true),
        (
            "with the server's twice",
            with(&server, &[std::slice::from_ref(&server), &good[..]].concat()),
            true,
        ),
        ("between garbage", with(&server, &[&garbage[..], &good[..]].concat()), true),
        ("behind a hundred others", with(&server, &[&noise[..], &good[..]].concat()), true),
        ("one missing", with(&server, &good[1..]), false),
        ("the other missing", with(&server, &good[..1]), false),
        ("an authority first", with(&upper_own, &good), false),
        ("the root first", with(root.own().der(), &good), false),
        ("nothing but garbage", garbage.clone(), false),
        ("a circle", with(&leaf(&left), &circle), false),
        ("a circle of one", with(&leaf(&stranger), &[stranger.own().der().clone()]), false),
        ("a tangle that leads nowhere", with(&in_tangle, &knots), false),
    ];
    knots.push(tangle[8].by(&root));
    cases.push(("a tangle with one way out", with(&in_tangle, &knots), false));
    for (what, chain, expected) in cases {
        let (ours, plain) = both.judge(&chain, &"mgmt.example".parse().unwrap());
        assert_eq!(ours, expected, "{what}");
        // Where garbage lies between, we read on and rustls may give up, or the other way round; but it never is believed.
        assert!(!ours || plain.is_ok(), "{what}: {plain:?}");
    }
}
