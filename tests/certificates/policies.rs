//! Policies of our own making: what each field does, what a bundle is told about, and input that nobody should give.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use homing::settings::{CertificatePolicy, Profile, Revocation, RevocationScope, Roots};
use homing::trust::{
    Accepted, Material, Policy, RejectReason, Remark, SystemRoots, Time, Timestamp, TrustError,
    check_certificate,
};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertificateRevocationListParams, CustomExtension,
    DnType, GeneralSubtree, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, NameConstraints,
    RevokedCertParams, date_time_ymd,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// 2027-01-15.
const NOW: Time = Time { wall: Timestamp(1_800_000_000), floor: Timestamp::MADE };

/// The parameters of an authority as it should be.
fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

/// Somebody who has a key and may issue.
fn issuer(params: CertificateParams) -> (Certificate, Issuer<'static, KeyPair>) {
    let key = KeyPair::generate().unwrap();
    (params.self_signed(&key).unwrap(), Issuer::new(params, key))
}

fn server(
    issuer: &Issuer<'_, KeyPair>,
    change: impl FnOnce(&mut CertificateParams),
) -> CertificateDer<'static> {
    let mut params = CertificateParams::new(vec!["mgmt.example".to_owned()]).unwrap();
    params.serial_number = Some(7.into());
    change(&mut params);
    params.signed_by(&KeyPair::generate().unwrap(), issuer).unwrap().der().clone()
}

/// A policy with these roots.
fn policy(
    files: &[(&str, &[u8])],
    change: impl FnOnce(&mut CertificatePolicy),
) -> Result<Policy, TrustError> {
    let mut settings =
        CertificatePolicy { roots: vec![Roots::Bundle("ca.pem".into())], ..CertificatePolicy::default() };
    change(&mut settings);
    let files: BTreeMap<_, _> = files.iter().map(|(name, bytes)| ((*name).into(), bytes.to_vec())).collect();
    Policy::new(&settings, &Material { files, system: None }, NOW)
}

fn check(policy: &Policy, chain: &[CertificateDer<'_>], time: Time) -> Result<Accepted, RejectReason> {
    check_certificate(policy, chain, &"mgmt.example".parse().unwrap(), time)
}

/// The name of a reason.
fn class(verdict: Result<Accepted, RejectReason>) -> String {
    let text = verdict.map_or_else(|reason| format!("{reason:?}"), |_| "accepted".to_owned());
    text.split([' ', '(']).next().unwrap().to_owned()
}

#[test]
fn everything_odd_about_a_bundle_is_told_with_its_place() {
    let usage_without = |params: &mut CertificateParams| params.key_usages = vec![KeyUsagePurpose::CrlSign];
    let critical = |params: &mut CertificateParams| {
        let mut unknown = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99_999], vec![5, 0]);
        unknown.set_criticality(true);
        params.custom_extensions = vec![unknown];
    };
    for (change, words) in [
        (
            &(|params: &mut CertificateParams| params.not_after = date_time_ymd(2026, 1, 1))
                as &dyn Fn(&mut CertificateParams),
            "expired 2026-01-01T00:00:00Z",
        ),
        (&|params| params.not_after = date_time_ymd(2027, 2, 1), "expires 2027-02-01T00:00:00Z"),
        (&|params| params.not_before = date_time_ymd(2028, 1, 1), "is valid from 2028-01-01T00:00:00Z"),
        (&|params| params.is_ca = IsCa::NoCa, "it has no basic constraints"),
        (&|params| params.is_ca = IsCa::ExplicitNoCa, "its basic constraints say that it is no authority"),
        (&usage_without, "its key usage has no keyCertSign"),
        (&critical, "it has a critical extension that is not supported"),
    ] {
        let mut params = authority("odd");
        change(&mut params);
        let (good, odd) = (issuer(authority("good")).0.pem(), issuer(params).0.pem());
        let found = policy(&[("ca.pem", format!("{good}{odd}").as_bytes())], |_| {}).unwrap();
        let remarks: Vec<String> = found.remarks().iter().map(ToString::to_string).collect();
        let [remark] = remarks.as_slice() else { panic!("{words}: {remarks:?}") };
        assert!(remark.starts_with("ca.pem: certificate 2 (CN=odd) "), "{remark}");
        assert!(remark.contains(words), "{remark}");
    }
}

#[test]
fn what_ends_while_a_policy_is_in_force_is_told_then() {
    let mut params = authority("root");
    params.not_after = date_time_ymd(2028, 1, 1);
    let (root, above) = issuer(params);
    let (files, crl) = (root.pem(), list(&above, [].into_iter(), 2029));
    let files: [(&str, &[u8]); 2] = [("ca.pem", files.as_bytes()), ("x.crl", &crl)];
    let policy = policy(&files, |it| it.crls = vec!["x.crl".into()]).unwrap();
    assert_eq!(policy.remarks(), []);
    let at = |year, month| {
        let remarks =
            policy.remarks_at(Time::exactly(Timestamp(date_time_ymd(year, month, 15).unix_timestamp())));
        remarks.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let root = "ca.pem: certificate 1 (CN=root)";
    assert_eq!(at(2027, 12), [format!("{root} expires 2028-01-01T00:00:00Z")]);
    let list = "x.crl: the revocation list should have been renewed 2029-01-01T00:00:00Z";
    assert_eq!(at(2029, 1), [format!("{root} expired 2028-01-01T00:00:00Z"), list.to_owned()]);
}

#[test]
fn a_root_with_a_weak_key_is_told_and_nothing_it_signed_is_believed() {
    let found = policy(&[("ca.pem", WEAK_ROOT.as_bytes())], |_| {}).unwrap();
    let remarks: Vec<String> = found.remarks().iter().map(ToString::to_string).collect();
    let told = "ca.pem: certificate 1 (CN=weak) has an RSA key of 1024 bits, which is too small: nothing it signed is believed";
    assert_eq!(remarks, [told]);
    // And it is as it says.
    let chain = [CertificateDer::from_pem_slice(BELOW_WEAK_ROOT.as_bytes()).unwrap()];
    let reason = check(&found, &chain, NOW).unwrap_err().to_string();
    assert_eq!(reason, "CN=weak: RSA key of 1024 bits, which is too small");
}

#[test]
fn the_roots_of_the_system_are_counted_and_their_place_is_told() {
    let (root, above) = issuer(authority("system"));
    let system = |certificates| {
        let settings = CertificatePolicy { roots: vec![Roots::System], ..CertificatePolicy::default() };
        let system = SystemRoots { source: "/etc/roots.pem".to_owned(), certificates, unreadable: 2 };
        Policy::new(&settings, &Material { files: BTreeMap::new(), system: Some(system) }, NOW)
    };
    let found = system(vec![root.der().clone(), vec![1, 2, 3].into()]).unwrap();
    let source = "/etc/roots.pem".to_owned();
    assert_eq!(found.remarks(), [Remark::System { source, count: 1, unusable: 3 }]);
    assert_eq!(
        found.remarks()[0].to_string(),
        "roots of the system, from /etc/roots.pem: 1; entries that cannot be used: 3"
    );
    // By the same rules as any other.
    assert_eq!(class(check(&found, &[server(&above, |_| {})], NOW)), "accepted");
    assert_eq!(class(check(&found, &[server(&issuer(authority("x")).1, |_| {})], NOW)), "UnknownIssuer");
    let empty = system(Vec::new()).unwrap_err().to_string();
    assert!(empty.contains("/etc/roots.pem holds none"), "{empty}");
}

#[test]
fn a_union_believes_each_of_its_parts() {
    let ((one, below_one), (two, below_two)) = (issuer(authority("one")), issuer(authority("two")));
    let files = [("ca.pem", one.pem()), ("two.pem", two.pem())];
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, text)| (*name, text.as_bytes())).collect();
    let both = policy(&files, |settings| {
        settings.roots = vec![Roots::Public, Roots::Bundle("ca.pem".into()), Roots::Bundle("two.pem".into())];
    })
    .unwrap();
    assert!(both.roots() > 100, "{}", both.roots());
    for issuer in [&below_one, &below_two] {
        assert_eq!(class(check(&both, &[server(issuer, |_| {})], NOW)), "accepted");
    }
}

#[test]
fn a_new_authority_that_the_old_one_vouches_for_is_believed_by_those_who_know_either() {
    let (old_root, old) = issuer(authority("old"));
    let (params, key) = (authority("new"), KeyPair::generate().unwrap());
    let (new_root, cross) = (params.self_signed(&key).unwrap(), params.signed_by(&key, &old).unwrap());
    let chain = [server(&Issuer::new(params, key), |_| {}), cross.der().clone()];
    let (old_root, new_root) = (old_root.pem(), new_root.pem());
    for bundle in [&old_root, &new_root, &format!("{old_root}{new_root}")] {
        let policy = policy(&[("ca.pem", bundle.as_bytes())], |_| {}).unwrap();
        assert_eq!(class(check(&policy, &chain, NOW)), "accepted");
    }
}

#[test]
fn what_leads_nowhere_is_passed_over_and_too_many_ways_to_a_root_are_refused() {
    let (root, above) = issuer(authority("root"));
    let policy = policy(&[("ca.pem", root.pem().as_bytes())], |_| {}).unwrap();
    let (params, key) = (authority("between"), KeyPair::generate().unwrap());
    let between = params.signed_by(&key, &above).unwrap().der().clone();
    let below = Issuer::new(params, key);
    let (leaf, stranger) = (server(&below, |_| {}), issuer(authority("stranger")).1);
    // Forty of the name that is looked for, by somebody nobody knows; forty by the root with other names; and forty copies.
    let impostors = (0..40).map(|_| authority("between").signed_by(&KeyPair::generate().unwrap(), &stranger));
    let others = (0..40).map(|n| authority(&format!("{n}")).signed_by(&KeyPair::generate().unwrap(), &above));
    let noise: Vec<CertificateDer<'static>> =
        impostors.chain(others).map(|it| it.unwrap().der().clone()).collect();
    let mut chain = vec![leaf.clone()];
    chain.extend(noise.iter().cloned());
    chain.extend((0..40).map(|_| between.clone()));
    assert_eq!(class(check(&policy, &chain, NOW)), "accepted");
    chain.truncate(1 + noise.len());
    assert_eq!(class(check(&policy, &chain, NOW)), "UnknownIssuer");
    // Of forty that could have issued each other, one names the root.
    let mut chain = vec![server(&stranger, |_| {})];
    chain.extend((0..40).map(|_| {
        authority("stranger").signed_by(&KeyPair::generate().unwrap(), &stranger).unwrap().der().clone()
    }));
    chain.push(authority("stranger").signed_by(&KeyPair::generate().unwrap(), &above).unwrap().der().clone());
    assert_eq!(class(check(&policy, &chain, NOW)), "TooComplex");
}

#[test]
fn a_chain_is_no_longer_than_the_policy_allows() {
    let (root, above) = issuer(authority("root"));
    let (params, key) = (authority("between"), KeyPair::generate().unwrap());
    let between = params.signed_by(&key, &above).unwrap().der().clone();
    let chain = [server(&Issuer::new(params, key), |_| {}), between];
    let with =
        |depth| policy(&[("ca.pem", root.pem().as_bytes())], |it| it.max_chain_depth = Some(depth)).unwrap();
    assert_eq!(class(check(&with(1), &chain, NOW)), "accepted");
    let reason = check(&with(0), &chain, NOW).unwrap_err();
    assert_eq!(reason, RejectReason::ChainTooLong { found: 1, limit: 0 });
}

#[test]
fn the_dates_of_a_root_count_where_the_policy_says_so() {
    let mut params = authority("old");
    params.not_after = date_time_ymd(2026, 6, 1);
    let (root, above) = issuer(params);
    let (files, chain) = ([("ca.pem", root.pem())], [server(&above, |_| {})]);
    let files = files.each_ref().map(|(name, text)| (*name, text.as_bytes()));
    let with =
        |change: fn(&mut CertificatePolicy)| class(check(&policy(&files, change).unwrap(), &chain, NOW));
    assert_eq!(with(|_| {}), "accepted");
    assert_eq!(with(|it| it.enforce_root_validity = true), "AnchorOutside");
    assert_eq!(with(|it| it.profile = Profile::StrictPrivateCa), "AnchorOutside");
}

#[test]
fn the_certificate_that_is_wrong_is_the_one_that_is_told() {
    let (root, above) = issuer(authority("root"));
    let (other_root, _) = issuer(authority("root"));
    let between = |params: CertificateParams| {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &above).unwrap().der().clone();
        (certificate, Issuer::new(params, key))
    };
    let told = |root: &Certificate, chain: &[CertificateDer<'_>]| {
        let policy = policy(&[("ca.pem", root.pem().as_bytes())], |_| {}).unwrap();
        check(&policy, chain, NOW).unwrap_err().to_string()
    };
    let named = |params: &mut CertificateParams| params.distinguished_name.push(DnType::CommonName, "server");
    let (one, below_one) = between(authority("between"));
    let (two, _) = between(authority("between"));
    let leaf = server(&below_one, named);
    // The root is another, with and without the right one sent along; then the authority between is.
    for (root, chain, subject, issuer) in [
        (&other_root, &[leaf.clone(), one.clone()][..], "CN=between", "CN=root"),
        (&other_root, &[leaf.clone(), one.clone(), root.der().clone()], "CN=between", "CN=root"),
        (&other_root, &[server(&above, named), root.der().clone()], "CN=server", "CN=root"),
        (&root, &[leaf.clone(), two], "CN=server", "CN=between"),
    ] {
        let words =
            format!("{subject}: signed with another key than the one that is known of its issuer {issuer}");
        assert_eq!(told(root, chain), words);
    }
    let mut short = authority("short");
    short.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let (short, below_short) = between(short);
    let (params, key) = (authority("lower"), KeyPair::generate().unwrap());
    let lower = params.signed_by(&key, &below_short).unwrap().der().clone();
    let leaf = server(&Issuer::new(params, key), named);
    assert_eq!(told(&root, &[leaf, lower, short]), "CN=short: more authorities below it than it allows");
    let mut constrained = authority("constrained");
    constrained.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![GeneralSubtree::DnsName("other.example".to_owned())],
        excluded_subtrees: Vec::new(),
    });
    let (constrained, below_constrained) = between(constrained);
    let words = "CN=server: has a name that CN=constrained may not vouch for";
    assert_eq!(told(&root, &[server(&below_constrained, named), constrained]), words);
}

/// A revocation list of this issuer, for its certificates with these serial numbers.
fn list(issuer: &Issuer<'_, KeyPair>, serials: impl Iterator<Item = u64>, until: i32) -> Vec<u8> {
    let revoked = |serial: u64| RevokedCertParams {
        serial_number: serial.into(),
        revocation_time: date_time_ymd(2020, 1, 1),
        reason_code: None,
        invalidity_date: None,
    };
    let params = CertificateRevocationListParams {
        this_update: date_time_ymd(2020, 1, 1),
        next_update: date_time_ymd(until, 1, 1),
        crl_number: 1.into(),
        issuing_distribution_point: None,
        revoked_certs: serials.map(revoked).collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    params.signed_by(issuer).unwrap().der().to_vec()
}

#[test]
fn a_status_that_is_not_known_and_a_list_that_is_old_count_as_the_policy_says() {
    let (root, above) = issuer(authority("root"));
    let root = root.pem();
    let (params, key) = (authority("between"), KeyPair::generate().unwrap());
    let between = params.signed_by(&key, &above).unwrap().der().clone();
    let below = Issuer::new(params, key);
    let chain = [server(&below, |_| {}), between];
    let with = |list: &[u8], revocation: Revocation| {
        let made = policy(&[("ca.pem", root.as_bytes()), ("x.crl", list)], |it| {
            it.crls = vec!["x.crl".into()];
            it.revocation = revocation;
        });
        class(check(&made.unwrap(), &chain, NOW))
    };
    let strict = Revocation::default();
    let of_server = Revocation { scope: RevocationScope::Server, ..strict };
    let unknown = Revocation { allow_unknown_status: true, ..strict };
    let old = Revocation { allow_expired_lists: true, ..of_server };
    let fresh = list(&below, [].into_iter(), 2100);
    // Nobody says anything about the authority between.
    assert_eq!(with(&fresh, strict), "RevocationUnknown");
    assert_eq!(with(&fresh, of_server), "accepted");
    assert_eq!(with(&fresh, unknown), "accepted");
    let expired = list(&below, [].into_iter(), 2026);
    assert_eq!(with(&expired, of_server), "RevocationExpired");
    assert_eq!(with(&expired, old), "accepted");
    let naming = list(&below, [7].into_iter(), 2026);
    assert_eq!(with(&naming, old), "Revoked");
    assert_eq!(with(&list(&above, [].into_iter(), 2100), of_server), "RevocationUnknown");
}

#[test]
fn a_list_of_five_megabytes_is_read_and_each_of_its_entries_counts() {
    let (root, above) = issuer(authority("root"));
    let root = root.pem();
    // Entries have 22 bytes.
    let large = list(&above, 1_000_000..1_250_000, 2100);
    assert!(large.len() > 5_000_000, "{}", large.len());
    let files: [(&str, &[u8]); 2] = [("ca.pem", root.as_bytes()), ("x.crl", &large)];
    let policy = policy(&files, |it| it.crls = vec!["x.crl".into()]).unwrap();
    assert_eq!(class(check(&policy, &[server(&above, |_| {})], NOW)), "accepted");
    for serial in [1_000_000_u64, 1_249_999] {
        let revoked = server(&above, |params| params.serial_number = Some(serial.into()));
        assert_eq!(class(check(&policy, &[revoked], NOW)), "Revoked");
    }
}

#[test]
fn ten_megabytes_around_a_root_are_passed_over() {
    let (root, above) = issuer(authority("root"));
    let garbage = "garbage between blocks\r\n".repeat(450_000);
    let text = format!("{garbage}{}{garbage}", root.pem().replace('\n', "\r\n"));
    assert!(text.len() > 10_000_000 * 2);
    let policy = policy(&[("ca.pem", text.as_bytes())], |_| {}).unwrap();
    assert_eq!(class(check(&policy, &[server(&above, |_| {})], NOW)), "accepted");
}

#[test]
fn bytes_after_a_certificate_are_not_part_of_it() {
    let (root, above) = issuer(authority("root"));
    let policy = policy(&[("ca.pem", root.pem().as_bytes())], |_| {}).unwrap();
    let mut bytes = server(&above, |_| {}).to_vec();
    bytes.extend([0, 0]);
    assert_eq!(class(check(&policy, &[bytes.into()], NOW)), "Malformed");
    assert_eq!(class(check(&policy, &[Vec::new().into()], NOW)), "Malformed");
}

/// The verdict about a server with ten thousand names of this form, and one more, and how large its certificate is.
fn with_many_names(form: impl Fn(u32) -> String, more: &str) -> (Result<Accepted, RejectReason>, usize) {
    let (root, above) = issuer(authority("root"));
    let policy = policy(&[("ca.pem", root.pem().as_bytes())], |_| {}).unwrap();
    let names = (0..10_000).map(form).chain([more.to_owned()]);
    let names = CertificateParams::new(names.collect::<Vec<_>>()).unwrap().subject_alt_names;
    let chain = [server(&above, |params| params.subject_alt_names = names)];
    let begun = Instant::now();
    let verdict = check(&policy, &chain, NOW);
    // It takes some milliseconds. A hundred times that is a machine that is busy; names looked at in squares take minutes.
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    (verdict, chain[0].len())
}

#[test]
fn ten_thousand_names_are_looked_through_and_sixteen_are_told() {
    let short = |number| format!("{number:03x}");
    let (verdict, size) = with_many_names(short, "mgmt.example");
    assert!((50_000..0x1_0000).contains(&size), "{size}");
    assert_eq!(class(verdict), "accepted");
    let reason = with_many_names(short, "other.example").0.unwrap_err();
    let RejectReason::WrongName { present, more, .. } = &reason else { panic!("{reason}") };
    assert_eq!((present.len(), *more), (16, 9_985));
    assert!(reason.to_string().len() < 1000, "{reason}");
}

#[test]
fn a_certificate_of_more_than_sixty_four_kilobytes_is_refused() {
    let (verdict, size) = with_many_names(|number| format!("server-{number}.mgmt.example"), "mgmt.example");
    assert!(size > 0x1_0000, "{size}");
    let reason = verdict.unwrap_err();
    assert!(matches!(reason, RejectReason::Malformed { .. }), "{reason}");
}

#[test]
fn clocks_of_1970_and_of_2106_are_told_for_what_they_are() {
    let (root, above) = issuer(authority("root"));
    let policy = policy(&[("ca.pem", root.pem().as_bytes())], |_| {}).unwrap();
    let chain = [server(&above, |params| {
        (params.not_before, params.not_after) = (date_time_ymd(2025, 6, 1), date_time_ymd(2030, 1, 1));
    })];
    let at = |wall| check(&policy, &chain, Time::new(Timestamp(wall)));
    // Judged at the floor, which is after 2025.
    assert_eq!(class(at(0)), "accepted");
    assert_eq!(class(at(i64::MIN)), "accepted");
    let late = at(0x1_0000_0000).unwrap_err().to_string();
    assert!(late.contains("expired 2030-01-01T00:00:00Z, now is 2106-02-07T06:28:16Z"), "{late}");
    assert_eq!(class(at(i64::MAX)), "Expired");
    let young = [server(&above, |params| params.not_before = date_time_ymd(2027, 1, 1))];
    let early = check(&policy, &young, Time::new(Timestamp(0))).unwrap_err().to_string();
    for part in ["valid from 2027-01-01T00:00:00Z", "the clock says 1970-01-01T00:00:00Z", "behind"] {
        assert!(early.contains(part), "{early}");
    }
}

/// A root of 1024 bits, made with OpenSSL: the library that makes the others refuses to.
const WEAK_ROOT: &str = "\
-----BEGIN CERTIFICATE-----\n\
MIICDDCCAXWgAwIBAgIUahSwWknx1/wRHlGDAhkaXhUt+AQwDQYJKoZIhvcNAQEL\n\
BQAwDzENMAsGA1UEAwwEd2VhazAgFw0yNjExMjIxMDE3MjFaGA8yMTI2MTAyOTEw\n\
MTcyMVowDzENMAsGA1UEAwwEd2VhazCBnzANBgkqhkiG9w0BAQEFAAOBjQAwgYkC\n\
gYEAuVI6RhD3Ox29N628UYT6CpCEKxYBfJPtzz8jqCOOkqcUg0bSel65WQv7+FcX\n\
cx+RwsF162zCuDlIcw/rWo9eM90hReUkYwFcCLC+TtOy/lundLw6e8LHSEoqaK4i\n\
5hY8WfnhaKMlwaHmxe7+7Gp89khwGaR9F4zYgQO8jzUDNSUCAwEAAaNjMGEwHQYD\n\
VR0OBBYEFGJfa84IrbqtysnHFKZd6DfBcjp6MB8GA1UdIwQYMBaAFGJfa84Irbqt\n\
ysnHFKZd6DfBcjp6MA8GA1UdEwEB/wQFMAMBAf8wDgYDVR0PAQH/BAQDAgEGMA0G\n\
CSqGSIb3DQEBCwUAA4GBACiwVxsIoc/zMhAU6ld8M6D0J5+Wg2kFJVjeQL7H+otx\n\
vYrND1QqBKYcG8Bwt+Vq45nJ5QtutwTqF6S7MgOXahZOiQdC3CttKZo3U1Y4CEce\n\
M3OIMyM8xE8/G6GUs7xoj4UfjPTlr+srVA062Y+3LC7I52+txZ6Xrk5KjmjMlK6Q\n\
-----END CERTIFICATE-----\n\
";

/// The certificate of a server with a good key that this root has issued.
const BELOW_WEAK_ROOT: &str = "\
-----BEGIN CERTIFICATE-----\n\
MIIBtzCCASCgAwIBAgIBBzANBgkqhkiG9w0BAQsFADAPMQ0wCwYDVQQDDAR3ZWFr\n\
MCAXDTI2MTEyMjEwMTcyMVoYDzIxMjYwNzIxMTAxNzIxWjARMQ8wDQYDVQQDDAZz\n\
ZXJ2ZXIwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAARKYl8yAetHhcaerB212ZFf\n\
tm/1qSW3MKyW2kmGkYQGwLuQ9lYwXGrJvoZNNHbugcC386MZ+78Jj7CTb06x7xC9\n\
o2YwZDAXBgNVHREEEDAOggxtZ210LmV4YW1wbGUwCQYDVR0TBAIwADAdBgNVHQ4E\n\
FgQU3ITW0PjNUoWAAsx+MLk5zQl1WPowHwYDVR0jBBgwFoAUYl9rzgituq3KyccU\n\
pl3oN8FyOnowDQYJKoZIhvcNAQELBQADgYEAEdEjEZX4EIEUSoU4ZAFTIgLkAhdB\n\
oyNfeCHzivEYNCG8cZb7Oo1YEBGKHC4Z383vhSa9AITsAK4nlhTrvrMOiz66BYkN\n\
EnYlHYvulg6ZsZor4S58gCQi+nZf1dSWIdA7ZsDbAS0tEdtlnAV/g8rYdeBqlkVW\n\
YPEooGbnUHx/E5s=\n\
-----END CERTIFICATE-----\n\
";
