//! How much stack a thread needs that calls homing.
#![cfg(target_os = "linux")]
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests may fail like tests"
)]

#[path = "native/library.rs"]
#[expect(dead_code, reason = "a sanitizer needs stack of its own")]
mod library;
#[path = "native/manager.rs"]
mod manager;
#[path = "../examples/manager/server/mod.rs"]
#[expect(dead_code, reason = "the tests need only some of what a manager can do")]
mod server;

use std::fs;

use library::{compile_plainly, root, run_well};
use manager::Site;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PKCS_ECDSA_P384_SHA384};

/// What docs/c-api.md promises is enough for every function, in KiB.
const PROMISED: usize = 128;

#[test]
fn a_caller_needs_no_more_stack_than_is_promised() {
    let page = fs::read_to_string(root().join("docs/c-api.md")).unwrap();
    assert!(page.contains(&format!("at least {PROMISED} KiB of stack")), "the page promises another number");
    let site = Site::new();
    // An authority beside the manager's, so that a chain can be judged whose certificates are at hand.
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "another authority");
    let key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
    let bundle = site.folder.path().join("authority.pem");
    let both = fs::read_to_string(&bundle).unwrap() + &params.self_signed(&key).unwrap().pem();
    fs::write(&bundle, both).unwrap();
    let server = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let server = server.signed_by(&KeyPair::generate().unwrap(), &Issuer::new(params, key)).unwrap();
    let certificate = site.folder.path().join("server.der");
    fs::write(&certificate, server.der()).unwrap();

    let program = compile_plainly("c_stack", &[root().join("tests/c_stack/stack.c")], &[]);
    // Half of it is enough without optimisation, which takes more stack than anything that is shipped.
    let bytes = (PROMISED / 2 * 1024).to_string();
    let arguments =
        [site.settings(true).as_os_str(), certificate.as_os_str(), bytes.as_ref()].map(ToOwned::to_owned);
    assert_eq!(run_well(&program, &[&arguments[0], &arguments[1], &arguments[2]]), "enough\n");
}
