//! The change of an authority as `docs/certificates.md` describes it: its commands are run, and each check after a step holds.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests end that way")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use homing::settings::{CertificatePolicy, Roots};
use homing::trust::{Material, Policy, Time, Timestamp, vouched_by};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// The shell commands of the page, one list for each block.
fn commands() -> Vec<Vec<String>> {
    let page =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/certificates.md")).unwrap();
    let (_, part) = page.split_once("<!-- roll-over").unwrap();
    let (part, _) = part.split_once("<!-- end of roll-over -->").unwrap();
    let blocks = part.split("```sh\n").skip(1).map(|rest| rest.split_once("```").unwrap().0);
    blocks
        .map(|block| {
            block.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
        })
        .collect()
}

fn run(folder: &Path, command: &str) -> String {
    let output = Command::new("sh").args(["-ec", command]).current_dir(folder).output().unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command}: {said}");
    said
}

/// What vouches for the server that sends this file, when the bundle of the agents is that file; or why it is not believed.
fn inspect(folder: &Path, sent: &str, bundle: &str) -> String {
    let settings =
        CertificatePolicy { roots: vec![Roots::Bundle(bundle.into())], ..CertificatePolicy::default() };
    let files = BTreeMap::from([(bundle.into(), fs::read(folder.join(bundle)).unwrap())]);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let time = Time::new(Timestamp(i64::try_from(now).unwrap()));
    let policy = Policy::new(&settings, &Material { files, system: None }, time).unwrap();
    let chain: Vec<CertificateDer<'static>> =
        CertificateDer::pem_file_iter(folder.join(sent)).unwrap().map(Result::unwrap).collect();
    match vouched_by(&policy, &chain, &"mgmt.example".parse().unwrap(), time) {
        Ok(vouching) => vouching.to_string(),
        Err(reason) => format!("{reason}; {}", reason.explain()),
    }
}

#[test]
fn an_authority_is_changed_without_touching_an_endpoint() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let authority = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n";
    fs::write(folder.join("ca.cnf"), authority).unwrap();
    let server = "subjectAltName=DNS:mgmt.example\nextendedKeyUsage=serverAuth\n";
    fs::write(folder.join("server.cnf"), server).unwrap();
    let blocks = commands();
    let [authorities, servers] = blocks.as_slice() else { panic!("{blocks:?}") };
    // The old root is made as the new one is, and so was the certificate it gave the server.
    run(folder, &authorities[0].replace("ca2", "ca1").replace("CA 2", "CA 1"));
    for command in servers {
        run(folder, &command.replace("ca2", "ca1").replace(" cross.pem", "").replace("fullchain", "before"));
    }
    assert_eq!(inspect(folder, "before.pem", "ca1.pem"), "CN=mgmt.example ← CN=Corp CA 1 (ca1.pem)");

    // 1. The cross-certificate.
    for command in authorities {
        run(folder, command);
    }
    assert!(run(folder, "openssl verify -CAfile ca1.pem cross.pem").contains("OK"));

    // 2. A server of the new root that sends it, while every agent has the old bundle.
    for command in servers {
        run(folder, command);
    }
    let by_the_old = "CN=mgmt.example ← CN=Corp CA 2 (sent) ← CN=Corp CA 1 (ca1.pem)";
    assert_eq!(inspect(folder, "fullchain.pem", "ca1.pem"), by_the_old);

    // 3. Both roots in the bundle, agent by agent.
    run(folder, "cat ca1.pem ca2.pem > bundle.pem");
    assert_eq!(inspect(folder, "fullchain.pem", "bundle.pem"), "CN=mgmt.example ← CN=Corp CA 2 (bundle.pem)");
    assert_eq!(inspect(folder, "before.pem", "bundle.pem"), "CN=mgmt.example ← CN=Corp CA 1 (bundle.pem)");
    assert_eq!(inspect(folder, "fullchain.pem", "ca1.pem"), by_the_old);

    // 4. Without the cross-certificate, and without the old root.
    for bundle in ["bundle.pem", "ca2.pem"] {
        let told = inspect(folder, "server.pem", bundle);
        assert_eq!(told, format!("CN=mgmt.example ← CN=Corp CA 2 ({bundle})"));
    }
    let late = inspect(folder, "server.pem", "ca1.pem");
    assert!(late.starts_with("CN=mgmt.example: its issuer CN=Corp CA 2 is not trusted; "), "{late}");
    assert!(late.contains("add it to a bundle of the policy"), "{late}");
}
