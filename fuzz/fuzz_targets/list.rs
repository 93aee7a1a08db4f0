//! A file with revocation lists, as an authority or an attacker on the way wrote it: it is used as it is or refused, and what is not
//! signed says nothing good.
#![no_main]

#[path = "company.rs"]
mod company;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use company::{Company, NOW};
use homing::settings::{CertificatePolicy, Revocation, RevocationScope, Roots};
use homing::trust::{Material, Policy, RejectReason, Time, Timestamp, check_certificate};
use libfuzzer_sys::fuzz_target;
use rustls_pki_types::CertificateDer;

static COMPANY: LazyLock<Company> = LazyLock::new(company::found);

fuzz_target!(|bytes: &[u8]| {
    let company = &*COMPANY;
    // Alone, and beside a list that a difference can go on from.
    for crls in [&["x.crl"][..], &["x.crl", "base.crl"]] {
        let settings = CertificatePolicy {
            roots: vec![Roots::Bundle("ca.pem".into())],
            crls: crls.iter().map(Into::into).collect(),
            revocation: Revocation { scope: RevocationScope::Server, ..Revocation::default() },
            ..CertificatePolicy::default()
        };
        let files = BTreeMap::from([
            ("ca.pem".into(), company.root.clone().into_bytes()),
            ("x.crl".into(), bytes.to_vec()),
            ("base.crl".into(), company.list.clone()),
        ]);
        let material = Material { files, system: None };
        let policy = match Policy::new(&settings, &material, Time::new(NOW)) {
            Ok(policy) => policy,
            Err(error) => {
                assert!(!error.to_string().chars().any(char::is_control), "{error:?}");
                continue;
            }
        };
        let shown = company.chain.each_ref().map(|it| CertificateDer::from(it.as_slice()));
        let host = "mgmt.example".parse().expect("a host");
        for time in [Time::new(NOW), Time::exactly(Timestamp(1_600_000_000))] {
            policy.remarks_at(time);
            match check_certificate(&policy, &shown, &host, time) {
                // A list that is signed is in the file, or the one beside it.
                Ok(_) => assert!(crls.len() == 2 || is_signed(bytes)),
                Err(RejectReason::Revoked { .. }) => assert!(is_signed(bytes)),
                Err(reason) => {
                    assert!(!reason.to_string().is_empty() && !reason.explain().is_empty());
                    assert!(!reason.to_string().chars().any(char::is_control));
                }
            }
        }
    }
});

/// Whether the signature of a seed is among the input, or the input is text, in which it can be written in many ways.
fn is_signed(bytes: &[u8]) -> bool {
    const SEEDS: [&[u8]; 4] = [
        include_bytes!("../seeds/list/full.der"),
        include_bytes!("../seeds/list/revoking.der"),
        include_bytes!("../seeds/list/delta.der"),
        include_bytes!("../seeds/list/servers.der"),
    ];
    let signature = |list: &'static [u8]| &list[list.len() - 64..];
    bytes.first() != Some(&0x30)
        || SEEDS
            .into_iter()
            .chain([COMPANY.list.as_slice()])
            .any(|list| bytes.windows(64).any(|window| window == signature(list)))
}
