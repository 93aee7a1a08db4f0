//! Third-party cases of certificate verification, in the schema of x509-limbo.
//!
//! They are not part of the project: `HOMING_CERTIFICATE_CASES` names the folder that has them. Every file `*.json` or `*.json.xz` of it
//! that has `testcases` is read, and every `baseline-*.tsv` or `baseline-*.tsv.xz`: what plain rustls said of each case.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// The cases of one file.
#[derive(Deserialize)]
struct Cases {
    default_validation_time: Option<String>,
    testcases: Vec<Case>,
}

/// One chain, and whether it should be believed.
#[derive(Deserialize)]
pub(crate) struct Case {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) features: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) validation_time: Option<String>,
    pub(crate) trusted_certs: Vec<String>,
    #[serde(default)]
    pub(crate) untrusted_intermediates: Option<Vec<String>>,
    pub(crate) peer_certificate: String,
    #[serde(default)]
    pub(crate) validation_kind: Option<String>,
    #[serde(default)]
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
        self.id.split("::").next().unwrap_or(&self.id)
    }

    /// Seconds since 1970 at which it is to be judged; now where the case does not say.
    pub(crate) fn instant(&self) -> i64 {
        let now = || std::time::SystemTime::now();
        let time = self.validation_time.as_deref().map_or_else(now, |text| {
            let whole = text.replace("+00:00", "Z");
            humantime::parse_rfc3339_weak(whole.trim_end_matches('Z'))
                .unwrap_or_else(|_| panic!("{}: {text} is no time", self.id))
        });
        match time.duration_since(std::time::UNIX_EPOCH) {
            Ok(since) => since.as_secs() as i64,
            Err(before) => -(before.duration().as_secs() as i64),
        }
    }
}

/// The folder with the cases. A test that cannot find them has not been run, so it fails.
fn folder() -> PathBuf {
    std::env::var_os("HOMING_CERTIFICATE_CASES").map(PathBuf::from).unwrap_or_else(|| {
        panic!("HOMING_CERTIFICATE_CASES names no folder: the certificate cases are not part of the project")
    })
}

/// The files of the folder whose names, without an ending of compression, pass.
fn files(passes: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let folder = folder();
    let entries = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("HOMING_CERTIFICATE_CASES: {}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| {
        let name = path.file_name().unwrap().to_string_lossy();
        passes(name.strip_suffix(".xz").unwrap_or(&name))
    });
    files.sort();
    files
}

/// The text of a file, which may be packed.
fn text(path: &Path) -> String {
    let file = BufReader::new(File::open(path).unwrap());
    let mut text = String::new();
    let read = if path.extension().is_some_and(|ending| ending == "xz") {
        lzma_rust2::XzReader::new(file, true).read_to_string(&mut text)
    } else {
        { file }.read_to_string(&mut text)
    };
    read.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text
}

/// All cases of the folder, each once: files may be selections of others.
pub(crate) fn all() -> Vec<Case> {
    let mut found = BTreeMap::new();
    for path in files(|name| name.ends_with(".json")) {
        let text = text(&path);
        // Files beside the cases, such as the keys to them, are of other shapes.
        if !text.contains("\"testcases\"") {
            continue;
        }
        let Cases { default_validation_time, testcases } =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for mut case in testcases {
            case.validation_time = case.validation_time.or_else(|| default_validation_time.clone());
            found.insert(case.id.clone(), case);
        }
    }
    assert!(!found.is_empty(), "HOMING_CERTIFICATE_CASES: {} holds no cases", folder().display());
    found.into_values().collect()
}

/// What plain rustls said of cases when they were handed over: the id, and whether it accepted. Empty where nobody wrote it down.
pub(crate) fn baseline() -> BTreeMap<String, Verdict> {
    let mut found = BTreeMap::new();
    for path in files(|name| name.starts_with("baseline-") && name.ends_with(".tsv")) {
        for line in text(&path).lines() {
            let verdict = match line.split('\t').nth(2) {
                Some("SUCCESS") => Verdict::Success,
                Some("FAILURE") => Verdict::Failure,
                _ => continue,
            };
            found.insert(line.split('\t').next().unwrap_or_default().to_owned(), verdict);
        }
    }
    found
}
