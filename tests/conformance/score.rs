//! The verdicts of our policy beside what should come out, and beside what plain rustls says.
//!
//! What is asserted holds for any case: nothing wrong is accepted that plain rustls refuses, nothing right is refused that it accepts, the
//! strict profile accepts nothing more than the standard one, and no reason is in the words of a library. Everything else is counted.

use std::collections::BTreeMap;
use std::path::PathBuf;

use base64::Engine as _;
use homing::settings::{CertificatePolicy, Profile, Roots};
use homing::trust::{Material, Policy, RejectReason, Time, Timestamp, check_certificate, check_chain};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::cases::{self, Case, Verdict};
use super::plain;

/// What this library does not claim, by the feature a case declares. Such a case is not counted.
const NOT_CLAIMED: &[(&str, &str)] = &[
    ("ocsp-", "stapled OCSP is not looked at"),
    ("policy-input", "no policy is asked for (RFC 5280 6.1.1)"),
    ("has-policy-constraints", "no policy can be demanded (RFC 5280 4.2.1.11)"),
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
];

/// What only the debug output of a library has.
const RAW: &[&str] = &["BadDer", "TrailingData", "ExtensionValue", "MalformedExt", "Unsupported", "Context"];

/// Why a case is not counted.
fn skipped(case: &Case) -> Option<&'static str> {
    if case.validation_kind.as_deref().is_some_and(|kind| kind != "SERVER") {
        return Some("the certificate of a client");
    }
    let features = || case.features.iter().flatten();
    let about = |known: &[(&'static str, &'static str)]| {
        known
            .iter()
            .find(|(prefix, _)| features().any(|feature| feature.starts_with(prefix)))
            .map(|(_, reason)| *reason)
    };
    about(NOT_CLAIMED).or_else(|| about(REFUSED).filter(|_| case.expected_result == Verdict::Success))
}

/// Whether a case asks for policies, which neither we nor plain rustls can be asked for.
fn asks_for_policies(case: &Case) -> bool {
    case.features.iter().flatten().any(|feature| feature == "policy-input")
}

/// What kept a case from being accepted.
#[derive(Debug)]
enum Reason {
    /// The policy itself could not be made, or nobody can ask for the name.
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

/// The answer of our policy to a case.
fn judge(case: &Case, profile: Profile) -> Result<(), Reason> {
    let (roots, lists) = (PathBuf::from("roots.pem"), PathBuf::from("lists.pem"));
    let crls = case.crls.as_deref().unwrap_or_default();
    let settings = CertificatePolicy {
        roots: vec![Roots::Bundle(roots.clone())],
        crls: if crls.is_empty() { Vec::new() } else { vec![lists.clone()] },
        profile,
        enforce_root_validity: profile == Profile::StrictPrivateCa
            || case.features.iter().flatten().any(|feature| feature.contains("with_expiration")),
        ..CertificatePolicy::default()
    };
    let files = BTreeMap::from([
        (roots, case.trusted_certs.concat().into_bytes()),
        (lists, crls.concat().into_bytes()),
    ]);
    let time = Time::exactly(Timestamp(case.instant()));
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

/// The bytes of a PEM block; bytes that are no certificate too.
pub(crate) fn certificate(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap_or_else(|_| {
        let text: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        CertificateDer::from(base64::engine::general_purpose::STANDARD.decode(text).unwrap_or_default())
    })
}

/// How often the cases of one namespace came out how.
#[derive(Default)]
struct Row {
    accepted: usize,
    refused: usize,
    wrongly_accepted: usize,
    wrongly_refused: usize,
    left_out: usize,
}

#[test]
fn no_verdict_is_worse_than_that_of_plain_rustls() {
    let baseline = cases::baseline();
    let mut table: BTreeMap<String, Row> = BTreeMap::new();
    let mut differences: BTreeMap<(Verdict, String), Vec<String>> = BTreeMap::new();
    let (mut faults, mut better, mut changed) = (Vec::new(), Vec::new(), Vec::new());
    for case in cases::all() {
        let (result, expected) = (judge(&case, Profile::Standard), case.expected_result);
        let actual = if result.is_ok() { Verdict::Success } else { Verdict::Failure };
        let plain = plain::verdict(&case);
        if baseline.get(&case.id).is_some_and(|known| *known != plain) {
            changed.push(case.id.clone());
        }
        // The better of both, where the one that was written down and the one of today differ.
        let plain = if baseline.get(&case.id) == Some(&expected) { expected } else { plain };
        // Nothing that plain rustls gets right may be lost, where both are asked the same question.
        if actual != expected && plain == expected && !asks_for_policies(&case) {
            faults.push(format!("{}: plain rustls gets it right, and we do not: {}", case.id, told(&result)));
        }
        if let Err(Reason::Rejected(reason)) = &result {
            let words = format!("{reason}; {}", reason.explain());
            if words.chars().any(char::is_control) || RAW.iter().any(|raw| words.contains(raw)) {
                faults.push(format!("{}: these are no words for a person: {words:?}", case.id));
            }
        }
        let row = table.entry(case.namespace().to_owned()).or_default();
        if skipped(&case).is_some() {
            row.left_out += 1;
            continue;
        }
        match (expected, actual) {
            (Verdict::Success, Verdict::Success) => row.accepted += 1,
            (Verdict::Failure, Verdict::Failure) => row.refused += 1,
            (Verdict::Failure, Verdict::Success) => row.wrongly_accepted += 1,
            (Verdict::Success, Verdict::Failure) => row.wrongly_refused += 1,
        }
        if actual != expected {
            let class = result.as_ref().map_or_else(Reason::class, |()| "accepted".to_owned());
            differences.entry((expected, class)).or_default().push(case.id.clone());
        } else if plain != expected {
            better.push(case.id.clone());
        }
    }
    print(&table, &differences);
    println!("right where plain rustls is wrong: {}: {}", better.len(), better.join(" "));
    println!("plain rustls says otherwise than it did: {}: {}", changed.len(), changed.join(" "));
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

fn print(table: &BTreeMap<String, Row>, differences: &BTreeMap<(Verdict, String), Vec<String>>) {
    let heads = ["accepted", "refused", "accepted!", "refused!", "left out"];
    println!("{:<14}{}", "namespace", heads.map(|head| format!("{head:>10}")).concat());
    for (namespace, row) in table {
        let Row { accepted, refused, wrongly_accepted, wrongly_refused, left_out } = row;
        let counts = [accepted, refused, wrongly_accepted, wrongly_refused, left_out];
        println!("{namespace:<14}{}", counts.map(|count| format!("{count:>10}")).concat());
    }
    for ((expected, class), ids) in differences {
        println!("wants {expected:?}, and is {class}: {}: {}", ids.len(), ids.join(" "));
    }
}

fn told(result: &Result<(), Reason>) -> String {
    match result {
        Ok(()) => "accepted".to_owned(),
        Err(reason) => format!("refused: {}", reason.words()),
    }
}

#[test]
fn the_strict_profile_accepts_nothing_that_the_standard_one_refuses() {
    let (mut both, mut fewer) = (0, 0);
    for case in cases::all() {
        let standard = judge(&case, Profile::Standard);
        match judge(&case, Profile::StrictPrivateCa) {
            Ok(()) => {
                assert!(standard.is_ok(), "{}: strict accepts what standard refuses", case.id);
                both += 1;
            }
            Err(_) => fewer += usize::from(standard.is_ok()),
        }
    }
    println!("accepted by both: {both}; by the standard profile alone: {fewer}");
}
