//! Secrets that are replaced or given up are not left in memory.
#![cfg(target_os = "linux")]
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests may fail like tests"
)]

#[path = "native/library.rs"]
#[expect(dead_code, reason = "a sanitizer keeps what is freed")]
mod library;
#[path = "native/manager.rs"]
mod manager;
#[path = "../examples/manager/server/mod.rs"]
#[expect(dead_code, reason = "the tests need only some of what a manager can do")]
mod server;

use std::fs;

use library::{compile_plainly, root, run_well};
use manager::Site;
use rcgen::{CertificateParams, KeyPair};

#[test]
fn what_is_replaced_or_given_up_is_overwritten() {
    let site = Site::new();
    let folder = site.folder.path();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["agent".to_owned()]).unwrap().self_signed(&key).unwrap();
    fs::write(folder.join("agent.pem"), certificate.pem()).unwrap();
    fs::write(folder.join("agent.key"), key.serialize_pem()).unwrap();
    // The second line holds the numbers of the key.
    let pem = key.serialize_pem();
    fs::write(folder.join("line"), &pem.lines().nth(2).unwrap()[..40]).unwrap();
    let settings = site.settings(true);
    let mut document: serde_json::Value = serde_json::from_slice(&fs::read(&settings).unwrap()).unwrap();
    document["certificate"]["client"] =
        serde_json::json!({ "certificate": folder.join("agent.pem"), "key": folder.join("agent.key") });
    fs::write(&settings, document.to_string()).unwrap();

    let program = compile_plainly("c_secrets", &[root().join("tests/c_secrets/secrets.c")], &[]);
    let told = run_well(&program, &[settings.as_os_str(), folder.join("line").as_os_str()]);
    let told: Vec<&str> = told.lines().collect();
    let [key, in_use, replaced, freed] = told[..] else { panic!("{told:?}") };
    assert_eq!(key, "key: 0", "the file of the key is read, understood and overwritten");
    // What looks for them finds what is there.
    let found = |text: &str, before: &str| -> usize { text.split_once(before).unwrap().1.parse().unwrap() };
    assert!(found(in_use, "in use: ") >= 1, "{told:?}");
    assert!(replaced.starts_with("replaced: 0, ") && found(replaced, "in use: ") >= 1, "{told:?}");
    assert_eq!(freed, "freed: 0 0 0");
}
