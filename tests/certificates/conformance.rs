//! The verdicts of our policy beside what should come out, and beside what plain rustls says.
//!
//! Cases about something this library does not claim are left out, by the feature they declare. What then differs from
//! what should come out is either one of the few rules listed here, or a fault.

use std::collections::BTreeMap;
use std::path::PathBuf;

use base64::Engine as _;
use homing::settings::{CertificatePolicy, Profile, Roots};
use homing::trust::{Material, Policy, RejectReason, Time, Timestamp, check_certificate, check_chain};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::cases::{self, Case, Verdict};

/// What this library does not claim. A case that is about it is not counted.
const NOT_CLAIMED: &[(&str, &str)] = &[
    ("ocsp-", "stapled OCSP is not looked at"),
    ("polic", "certificate policies (RFC 5280 6.1.2) are for other uses than servers"),
    ("has-policy-constraints", "the same"),
    ("pedantic-", "rules for authorities, not for clients"),
    ("rfc5280-incompatible-with-webpki", "the other way is the one of the web"),
    ("purpose:any_eku", "a server's certificate has to be for servers"),
    ("purpose:server_auth_strict", "the extended key usage may be left out (RFC 5280 4.2.1.12)"),
    ("anchor-missing", "the root is not at hand"),
];

/// What this library refuses by design. A case that wants it accepted is not counted; one that wants it refused is.
const REFUSED: &[(&str, &str)] = &[
    ("rsa<2048", "keys that can be broken"),
    ("dsa", "no DSA in TLS 1.2 and 1.3"),
    ("legacy-cn", "common names are not looked at"),
    ("name-constraint-dn", "constraints of subjects: what is under one is refused"),
];

/// What comes out otherwise by design: where, when what was expected, and why. Most are rules for
/// those who issue certificates, which nobody has to enforce who only looks at them (RFC 5280 6.1 lists what a
/// client does).
const OTHERWISE: &[(&str, Verdict, &str)] = &[
    ("bssl-chain::many-names::ok-all-types", Verdict::Success, "webpki's limit of comparisons is smaller"),
    (
        "bssl-chain::root-lacks-basic-constraints::",
        Verdict::Failure,
        "of a root only name and key count; the strict profile refuses it",
    ),
    ("bssl-chain::root-lacks-keycertsign-key-usage::", Verdict::Failure, "the same"),
    ("bssl-chain::target-eku-any::", Verdict::Success, "anyExtendedKeyUsage does not mean servers"),
    (
        "bssl-chain::violates-pathlen-1-from-root::",
        Verdict::Failure,
        "the path length of a root: the strict profile enforces it",
    ),
    ("crl::crlnumber-missing", Verdict::Failure, "the number of a list is for its issuer"),
    ("pathlen::", Verdict::Success, "an authority in the place of a server"),
    ("pkits::4.10.", Verdict::Success, "policy mappings are critical and not processed"),
    ("pkits::4.11.", Verdict::Success, "the same"),
    ("pkits::4.12.", Verdict::Success, "inhibitAnyPolicy is critical and not processed"),
    (
        "pkits::4.13.",
        Verdict::Success,
        "constraints of subjects and mail addresses: what is under one is refused",
    ),
    ("pkits::4.14.", Verdict::Success, "lists in parts, for some reasons, or of another issuer"),
    ("pkits::4.15.", Verdict::Success, "delta lists"),
    ("pkits::4.2.3", Verdict::Success, "a notBefore before 1970"),
    ("pkits::4.3.", Verdict::Success, "names are compared byte by byte; unique identifiers are refused"),
    ("pkits::4.4.19", Verdict::Success, "a list signed with another key of its issuer"),
    ("pkits::4.5.7", Verdict::Failure, "the same key, and another list of its issuer is found first"),
    ("pkits::4.6.", Verdict::Success, "two keys of one name, of which the other is found"),
    ("pkits::4.8.", Verdict::Failure, "certificate policies"),
    ("pkits::4.8.6", Verdict::Success, "an authority in the place of a server"),
    ("pkits::4.9.", Verdict::Success, "policy constraints are critical and not processed"),
    ("rfc5280::aki::", Verdict::Failure, "key identifiers help to find an issuer and prove nothing"),
    ("rfc5280::ca-as-leaf", Verdict::Success, "an authority in the place of a server"),
    ("rfc5280::ca-empty-subject", Verdict::Failure, "how an authority is called"),
    ("rfc5280::nc::invalid-dnsname-leading-period", Verdict::Failure, "read as browsers read it"),
    ("rfc5280::nc::not-allowed-in-ee-noncritical", Verdict::Failure, "constraints that constrain nobody"),
    (
        "rfc5280::nc::permitted-self-issued",
        Verdict::Success,
        "two keys of one name, of which the other is found",
    ),
    ("rfc5280::root-", Verdict::Failure, "of a root only name and key count; the strict profile refuses it"),
    ("rfc5280::san::underscore-dns", Verdict::Failure, "private networks have underscores"),
    ("rfc5280::ski::", Verdict::Failure, "key identifiers help to find an issuer and prove nothing"),
    (
        "rfc5280::unknown-critical-extension-root",
        Verdict::Failure,
        "of a root only name and key count; the strict profile refuses it",
    ),
    ("webpki::aki::", Verdict::Failure, "key identifiers help to find an issuer and prove nothing"),
    ("webpki::cn::", Verdict::Failure, "the common name is not looked at, so nothing about it matters"),
    ("webpki::forbidden-rsa-not-divisible-by-8-in-root", Verdict::Failure, "an odd size, and large enough"),
    ("webpki::malformed-aia", Verdict::Failure, "nothing is fetched from there"),
    ("webpki::nc::", Verdict::Failure, "empty constraints constrain nobody"),
    ("webpki::san::san-critical-with-nonempty-subject", Verdict::Failure, "how the names are marked"),
    ("x509test2::xf-ext-name-excluded-email2", Verdict::Failure, "mail addresses are no names of servers"),
    ("x509test::ok-", Verdict::Success, "old versions, unique identifiers, policies, authorities as servers"),
    ("x509test::xf-", Verdict::Failure, "how an authority has to write fields that decide nothing here"),
];

fn skipped(case: &Case) -> Option<&'static str> {
    let features = || case.features.iter().flatten();
    let about = |known: &[(&'static str, &'static str)]| {
        known
            .iter()
            .find(|(prefix, _)| features().any(|feature| feature.starts_with(prefix)))
            .map(|(_, why)| *why)
    };
    about(NOT_CLAIMED).or_else(|| about(REFUSED).filter(|_| case.expected_result == Verdict::Success))
}

/// How a case is to be judged.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Roles {
    Standard,
    StrictPrivateCa,
}

/// The answer of our policy to a case: the reason, or what kept the policy from being made.
fn judge(case: &Case, roles: Roles) -> Result<(), Reason> {
    let (roots, lists) = (PathBuf::from("roots.pem"), PathBuf::from("lists.pem"));
    let crls = case.crls.as_deref().unwrap_or_default();
    let settings = CertificatePolicy {
        roots: vec![Roots::Bundle(roots.clone())],
        crls: if crls.is_empty() { Vec::new() } else { vec![lists.clone()] },
        profile: match roles {
            Roles::Standard => Profile::Standard,
            Roles::StrictPrivateCa => Profile::StrictPrivateCa,
        },
        enforce_root_validity: roles == Roles::StrictPrivateCa
            || case.features.iter().flatten().any(|feature| feature.contains("with_expiration")),
        ..CertificatePolicy::default()
    };
    let files = BTreeMap::from([
        (roots, case.trusted_certs.concat().into_bytes()),
        (lists, crls.concat().into_bytes()),
    ]);
    let time = Time::exactly(Timestamp(cases::instant(case.validation_time.as_deref().unwrap())));
    let policy = Policy::new(&settings, &Material { files, system: None }, time)
        .map_err(|error| Reason::Policy(error.to_string()))?;
    let chain: Vec<CertificateDer<'_>> = std::iter::once(&case.peer_certificate)
        .chain(case.untrusted_intermediates.iter().flatten())
        .map(|pem| certificate(pem))
        .collect();
    let verdict = match &case.expected_peer_name {
        Some(name) => match name.value.parse() {
            Ok(name) => check_certificate(&policy, &chain, &name, time),
            Err(error) => return Err(Reason::Policy(format!("{}: {error}", name.value))),
        },
        None => check_chain(&policy, &chain, time),
    };
    verdict.map(|_| ()).map_err(Reason::Rejected)
}

/// What kept a case from being accepted.
#[derive(Debug)]
enum Reason {
    /// The policy itself could not be made.
    Policy(String),
    Rejected(RejectReason),
}

impl Reason {
    fn words(&self) -> String {
        match self {
            Self::Policy(reason) => reason.clone(),
            Self::Rejected(reason) => format!("{reason}; {}", reason.explain()),
        }
    }

    /// The name of the reason; of two, that of the chain's.
    fn class(&self) -> String {
        match self {
            Self::Policy(_) => "Policy".to_owned(),
            Self::Rejected(RejectReason::Both { chain, .. }) => Self::Rejected((**chain).clone()).class(),
            Self::Rejected(reason) => {
                let text = format!("{reason:?}");
                text.split([' ', '(']).next().unwrap_or_default().to_owned()
            }
        }
    }
}

/// The bytes of a PEM block; bytes that are no certificate too.
fn certificate(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap_or_else(|_| {
        let text: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        CertificateDer::from(base64::engine::general_purpose::STANDARD.decode(text).unwrap_or_default())
    })
}

/// Every case of both files with its verdict.
fn verdicts(roles: Roles) -> Vec<(Case, Result<(), Reason>)> {
    let files = ["limbo-public.json.xz", "extra-public.json.xz"];
    files
        .into_iter()
        .flat_map(cases::cases)
        .map(|case| {
            let verdict = judge(&case, roles);
            (case, verdict)
        })
        .collect()
}

fn verdict(result: &Result<(), Reason>) -> Verdict {
    if result.is_ok() { Verdict::Success } else { Verdict::Failure }
}

#[test]
fn every_case_comes_out_as_it_should_or_as_a_rule_says() {
    let mut plain = cases::baseline("baseline-rustls-public.tsv.xz");
    plain.extend(cases::baseline("baseline-rustls-extra-public.tsv.xz"));
    let verdicts = verdicts(Roles::Standard);
    assert!(verdicts.len() > 6000, "{} cases are not all", verdicts.len());
    // accepted as they should, refused as they should, accepted wrongly, refused wrongly, left out
    let mut table: BTreeMap<&str, [usize; 5]> = BTreeMap::new();
    let mut faults = Vec::new();
    let mut used = vec![0; OTHERWISE.len()];
    for (case, result) in &verdicts {
        let (expected, actual) = (case.expected_result, verdict(result));
        let row = table.entry(case.namespace()).or_default();
        // Nothing that plain rustls gets right may be lost, in no case.
        if actual != expected && plain.get(&case.id) == Some(&expected) {
            faults.push(format!("{}: plain rustls gets it right, and we do not: {}", case.id, told(result)));
        }
        if skipped(case).is_some() {
            row[4] += 1;
            continue;
        }
        if actual == expected {
            row[usize::from(actual == Verdict::Failure)] += 1;
            continue;
        }
        row[if actual == Verdict::Success { 2 } else { 3 }] += 1;
        let rule = OTHERWISE
            .iter()
            .position(|(prefix, wanted, _)| case.id.starts_with(prefix) && *wanted == expected);
        match rule {
            Some(rule) => {
                used[rule] += 1;
                println!("{}: wants {expected:?}; {} ({})", case.id, told(result), OTHERWISE[rule].2);
            }
            None => faults.push(format!("{}: should be {expected:?}, and is {}", case.id, told(result))),
        }
    }
    println!(
        "{:<14} {:>8} {:>8} {:>9} {:>9} {:>8}",
        "namespace", "accepted", "refused", "accepted!", "refused!", "left out"
    );
    for (namespace, [accepted, refused, wrongly_accepted, wrongly_refused, left_out]) in &table {
        println!(
            "{namespace:<14} {accepted:>8} {refused:>8} {wrongly_accepted:>9} {wrongly_refused:>9} {left_out:>8}"
        );
    }
    for ((prefix, _, why), used) in OTHERWISE.iter().zip(used) {
        if used == 0 {
            faults.push(format!("no case comes out otherwise because of {prefix} ({why}) any more"));
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

fn told(result: &Result<(), Reason>) -> String {
    match result {
        Ok(()) => "accepted".to_owned(),
        Err(reason) => format!("refused: {}", reason.words()),
    }
}

#[test]
fn the_reason_is_the_true_one() {
    let reasons: BTreeMap<String, Result<(), Reason>> =
        verdicts(Roles::Standard).into_iter().map(|(case, result)| (case.id, result)).collect();
    for (id, expected) in [
        // What plain rustls lets pass.
        ("pkits::4.7.1", "MayNotSign"),
        ("bssl-chain::intermediate-lacks-signing-key-usage::main", "MayNotSign"),
        ("x509test2::xf-key-usage-nonsign", "MayNotSign"),
        ("crl::issuer-missing-crlsign", "MayNotRevoke"),
        ("pkits::4.4.12", "RevocationExpired"),
        ("bssl-chain::target-has-512bit-rsa-key::main", "WeakKey"),
        ("x509test::xf-pubkey-ecdsa-secp192r1", "WeakKey"),
        ("bssl-chain::expired-root::not-after-ta-with-expiration", "AnchorOutside"),
        ("bssl-chain::expired-root::not-before-ta-with-expiration", "AnchorOutside"),
        // What it refuses without saying why.
        ("bssl-chain::target-signed-by-512bit-rsa::main", "WeakKey"),
        ("bssl-chain::intermediate-signed-with-sha1::main", "WeakDigest"),
        ("badssl::sha1-2016", "WeakDigest"),
        ("badtls::weak-sig", "WeakDigest"),
        ("rfc5280::intermediate-ca-without-ca-bit", "NotAnAuthority"),
        ("bssl-chain::intermediate-lacks-basic-constraints::main", "NotAnAuthority"),
        ("pkits::4.6.3", "NotAnAuthority"),
        ("webpki::ca-as-leaf", "AuthorityAsServer"),
        ("rfc5280::validity::expired-intermediate", "Expired"),
        ("rfc5280::validity::expired-1-second", "Expired"),
        ("badssl::expired", "Expired"),
        ("badtls::future", "NotYetValid"),
        ("rfc5280::validity::not-yet-valid-1-second", "NotYetValid"),
        ("pkits::4.4.1", "RevocationUnknown"),
        ("pkits::4.4.2", "Revoked"),
        ("pkits::4.4.18", "Revoked"),
        ("pkits::4.4.20", "RevocationForged"),
        ("pkits::4.7.5", "MayNotRevoke"),
        ("pkits::4.6.9", "PathLength"),
        ("badssl::incomplete-chain", "MissingIntermediate"),
        ("webpki::cryptographydotio-chain-missing-intermediate", "MissingIntermediate"),
        ("pathological::intermediate-cycle-distinct-cas", "Loop"),
        ("pathological::pathological-chain-same-subject-distinct-key", "UnknownIssuer"),
        ("bssl-chain::many-names::toomany-dns-excluded", "TooComplex"),
        ("badssl::superfish", "UnknownIssuer"),
        ("bssl-chain::incorrect-trust-anchor::main", "UnknownIssuer"),
        ("bssl-chain::intermediate-and-target-wrong-signature::main", "OtherKey"),
        ("rpv::wrong_eku_dns", "WrongPurpose"),
        ("rfc5280::unknown-critical-extension-ee", "UnknownExtension"),
        ("rfc5280::nc::excluded-dns-match", "NameConstraints"),
        ("webpki::explicit-curve", "UnsupportedAlgorithm"),
        ("webpki::san::mismatch-subdomain-san", "WrongName"),
    ] {
        let class = reasons[id].as_ref().map_or_else(Reason::class, |()| "accepted".to_owned());
        assert_eq!(class, expected, "{id}");
    }
    let words = |id: &str| reasons[id].as_ref().map_or_else(Reason::words, |()| "accepted".to_owned());
    for (id, parts) in [
        ("webpki::san::no-san", &["common name only (example.com)", "subject alternative name"][..]),
        ("rfc5280::san::ip-in-dns", &["IP address put in a dNSName", "8.8.8.8", "iPAddress"]),
        ("webpki::san::mismatch-subdomain-san", &["abc.example.com", "def.example.com"]),
        ("rfc5280::validity::expired-1-second", &["2024-04-01T00:00:00Z", "2024-04-01T00:00:01Z"]),
        ("rfc5280::validity::not-yet-valid-1-second", &["2024-03-01T00:00:01Z", "2024-03-01T00:00:00Z"]),
        ("bssl-chain::target-has-512bit-rsa-key::main", &["CN=Target", "512 bits"]),
        ("bssl-chain::intermediate-signed-with-sha1::main", &["CN=Intermediate", "SHA-1"]),
        ("badtls::weak-sig", &["CN=weak-sig.badtls.io", "MD5"]),
        ("pkits::4.4.12", &["1999-01-01T12:01:00Z", "2011-04-15T00:00:00Z"]),
        (
            "rfc5280::ca-as-leaf-wrong-san",
            &["an authority in the place of a server", "not for some-other-ca.example"],
        ),
    ] {
        for part in parts {
            assert!(words(id).contains(part), "{id}: {} lacks {part}", words(id));
        }
    }
}

#[test]
fn the_strict_profile_refuses_what_a_private_authority_can_do_right() {
    let standard = verdicts(Roles::Standard);
    let strict: BTreeMap<String, Result<(), Reason>> =
        verdicts(Roles::StrictPrivateCa).into_iter().map(|(case, result)| (case.id, result)).collect();
    for (case, result) in &standard {
        assert!(
            result.is_ok() || strict[&case.id].is_err(),
            "{}: strict accepts what standard refuses",
            case.id
        );
    }
    for (id, expected) in [
        ("bssl-chain::expired-root::not-after", "AnchorOutside"),
        (
            "bssl-chain::root-lacks-basic-constraints::ta-with-constraints-require-basic-constraints",
            "NotStrict",
        ),
        ("bssl-chain::root-basic-constraints-ca-false::main", "NotStrict"),
        ("bssl-chain::root-lacks-keycertsign-key-usage::ta-with-constraints", "NotStrict"),
        ("bssl-chain::violates-pathlen-1-from-root::ta-with-constraints", "PathLength"),
        ("rfc5280::root-non-critical-basic-constraints", "NotStrict"),
        ("rfc5280::root-inconsistent-ca-extensions", "NotStrict"),
        ("rfc5280::unknown-critical-extension-root", "NotStrict"),
        ("x509test::xf-ext-keysign-nonca", "NotStrict"),
        ("x509test::xf-ext-key-usage-sign-nonca", "NotStrict"),
    ] {
        let class = strict[id].as_ref().map_or_else(Reason::class, |()| "accepted".to_owned());
        assert_eq!(class, expected, "{id}");
    }
    // A well-made private authority is none the worse for it.
    for id in [
        "pathlen::ee-with-intermediate-pathlen-0",
        "rfc5280::ee-aia",
        "crl::issuer-valid-crlsign-and-keycertsign",
    ] {
        assert!(strict[id].is_ok(), "{id}: {}", told(&strict[id]));
    }
}
