//! A good chain of three with bytes changed, cut, repeated and put in another order: it is believed only when what
//! is believed is still there, and whatever is not believed has a reason in words.
#![no_main]

#[path = "company.rs"]
mod company;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use arbitrary::Arbitrary;
use homing::settings::{CertificatePolicy, Profile, Revocation, RevocationScope, Roots};
use homing::trust::{Material, Policy, Time, Timestamp, check_certificate};
use homing::types::Host;
use libfuzzer_sys::fuzz_target;
use rustls_pki_types::CertificateDer;

use company::NOW;

#[derive(Arbitrary, Debug)]
enum Change {
    Byte { certificate: u8, at: u16, to: u8 },
    Cut { certificate: u8, at: u16 },
    Insert { certificate: u8, at: u16, bytes: [u8; 4] },
    Swap { one: u8, other: u8 },
    Repeat { certificate: u8 },
    Remove { certificate: u8 },
    Garbage { bytes: Vec<u8> },
}

struct Company {
    chain: Vec<Vec<u8>>,
    policies: [Policy; 3],
    host: Host,
}

static COMPANY: LazyLock<Company> = LazyLock::new(company);

fuzz_target!(|changes: Vec<Change>| {
    let company = &*COMPANY;
    let mut chain = company.chain.clone();
    for change in changes.iter().take(8) {
        apply(change, &mut chain);
    }
    let certificates: Vec<CertificateDer<'_>> =
        chain.iter().map(|bytes| CertificateDer::from(bytes.as_slice())).collect();
    for policy in &company.policies {
        for time in [Time::new(NOW), Time::exactly(Timestamp(0)), Time::exactly(Timestamp(4_294_967_296))] {
            match check_certificate(policy, &certificates, &company.host, time) {
                // Only who holds the keys can make another server's certificate that is believed.
                Ok(_) => {
                    assert_eq!(chain.first(), company.chain.first());
                    assert!(chain.contains(&company.chain[1]), "nobody else signed its authority");
                }
                Err(reason) => {
                    assert!(!reason.to_string().is_empty() && !reason.explain().is_empty());
                    assert!(!reason.to_string().chars().any(char::is_control));
                }
            }
        }
    }
});

fn apply(change: &Change, chain: &mut Vec<Vec<u8>>) {
    if chain.len() > 16 {
        return;
    }
    let length = chain.len().max(1);
    let place = |certificate: &u8| usize::from(*certificate) % length;
    match change {
        Change::Byte { certificate, at, to } => {
            if let Some(byte) =
                chain.get_mut(place(certificate)).and_then(|bytes| bytes.get_mut(usize::from(*at)))
            {
                *byte = *to;
            }
        }
        Change::Cut { certificate, at } => {
            if let Some(bytes) = chain.get_mut(place(certificate)) {
                bytes.truncate(usize::from(*at));
            }
        }
        Change::Insert { certificate, at, bytes: new } => {
            if let Some(bytes) = chain.get_mut(place(certificate)) {
                let at = usize::from(*at).min(bytes.len());
                bytes.splice(at..at, new.iter().copied());
            }
        }
        Change::Swap { one, other } => {
            if !chain.is_empty() {
                chain.swap(place(one), place(other));
            }
        }
        Change::Repeat { certificate } => {
            if let Some(bytes) = chain.get(place(certificate)).cloned() {
                chain.push(bytes);
            }
        }
        Change::Remove { certificate } => {
            if !chain.is_empty() {
                chain.remove(place(certificate));
            }
        }
        Change::Garbage { bytes } => chain.push(bytes.clone()),
    }
}

fn company() -> Company {
    let company::Company { root, chain, list } = company::found();
    let files = BTreeMap::from([("ca.pem".into(), root.into_bytes()), ("x.crl".into(), list)]);
    let material = Material { files, system: None };
    let standard =
        CertificatePolicy { roots: vec![Roots::Bundle("ca.pem".into())], ..CertificatePolicy::default() };
    let strict =
        CertificatePolicy { max_chain_depth: Some(1), profile: Profile::StrictPrivateCa, ..standard.clone() };
    let revocation = Revocation { scope: RevocationScope::Server, ..Revocation::default() };
    let listed = CertificatePolicy { crls: vec!["x.crl".into()], revocation, ..standard.clone() };
    let policies = [standard, strict, listed]
        .map(|settings| Policy::new(&settings, &material, Time::new(NOW)).expect("a policy"));
    let host = "mgmt.example".parse().expect("a host");
    let shown = chain.each_ref().map(|it| CertificateDer::from(it.as_slice()));
    for policy in &policies {
        // Else nothing that is changed could have been believed.
        check_certificate(policy, &shown, &host, Time::new(NOW)).expect("a good chain");
    }
    Company { chain: chain.into(), policies, host }
}
