//! Third-party cases of certificate verification, in the schema of x509-limbo.
//!
//! They are not part of the project: `HOMING_CERTIFICATE_CASES` names the folder that has them.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::PathBuf;

use serde::Deserialize;

/// The cases of one file.
#[derive(Deserialize)]
pub(crate) struct Cases {
    default_validation_time: Option<String>,
    pub(crate) testcases: Vec<Case>,
}

/// One chain, and whether it should be believed.
#[derive(Deserialize)]
pub(crate) struct Case {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) features: Option<Vec<String>>,
    pub(crate) validation_time: Option<String>,
    pub(crate) trusted_certs: Vec<String>,
    #[serde(default)]
    pub(crate) untrusted_intermediates: Option<Vec<String>>,
    pub(crate) peer_certificate: String,
    pub(crate) expected_peer_name: Option<Name>,
    pub(crate) expected_result: Verdict,
    #[serde(default)]
    pub(crate) crls: Option<Vec<String>>,
}

#[derive(Deserialize)]
pub(crate) struct Name {
    pub(crate) value: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Verdict {
    Success,
    Failure,
}

impl Case {
    /// The part of the id that says where it is from.
    pub(crate) fn namespace(&self) -> &str {
        self.id.split("::").next().unwrap()
    }
}

/// The folder with the cases. A test that cannot find them has not been run, so it fails.
pub(crate) fn folder() -> PathBuf {
    std::env::var_os("HOMING_CERTIFICATE_CASES").map(PathBuf::from).unwrap_or_else(|| {
        panic!("HOMING_CERTIFICATE_CASES names no folder: the certificate cases are not part of the project")
    })
}

/// A packed file of the folder.
pub(crate) fn unpacked(file: &str) -> String {
    let path = folder().join(file);
    let packed = File::open(&path)
        .unwrap_or_else(|error| panic!("HOMING_CERTIFICATE_CASES: cannot read {}: {error}", path.display()));
    let mut text = String::new();
    lzma_rust2::XzReader::new(BufReader::new(packed), true).read_to_string(&mut text).unwrap();
    text
}

/// The cases of a file.
pub(crate) fn cases(file: &str) -> Vec<Case> {
    let mut cases: Cases = serde_json::from_str(&unpacked(file)).unwrap();
    for case in &mut cases.testcases {
        if case.validation_time.is_none() {
            case.validation_time = cases.default_validation_time.clone();
        }
    }
    cases.testcases
}

/// What plain rustls said of each case: the id, and whether it accepted.
pub(crate) fn baseline(file: &str) -> std::collections::BTreeMap<String, Verdict> {
    let verdict = |text: &str| match text {
        "SUCCESS" => Verdict::Success,
        "FAILURE" => Verdict::Failure,
        other => panic!("{other} is no verdict"),
    };
    unpacked(file)
        .lines()
        .map(|line| {
            let mut fields = line.split('\t');
            let id = fields.next().unwrap().to_owned();
            (id, verdict(fields.nth(1).unwrap()))
        })
        .collect()
}

/// `2026-12-01T00:00:00+00:00`, in seconds since 1970.
pub(crate) fn instant(text: &str) -> i64 {
    let whole = text.replace("+00:00", "Z");
    let time = humantime::parse_rfc3339(&whole).unwrap_or_else(|_| panic!("{text} is no time"));
    let since = time.duration_since(std::time::UNIX_EPOCH).unwrap();
    since.as_secs() as i64
}
