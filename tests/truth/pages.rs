//! Which pages there are: each of them is read by a test here, or stands in a list with the reason.

use std::collections::BTreeSet;
use std::path::Path;

use crate::constants::sources;

/// Pages without numbers that the code knows.
const WITHOUT: [(&str, &str); 7] = [
    ("CHANGELOG.md", "what was so at its time"),
    ("CONTRIBUTING.md", "how to work on homing; what it costs is measured"),
    ("RELEASE.md", "steps of a release"),
    ("docs/events.schema.json", "made from the code"),
    ("docs/performance.md", "measured, each figure beside its command"),
    ("docs/settings.schema.json", "made from the code"),
    ("docs/tuning.md", "made from the code"),
];

#[test]
fn every_page_is_accounted_for() {
    let read: BTreeSet<String> = sources("tests/truth")
        .iter()
        .flat_map(|(_, text)| text.split("Page::read(\"").skip(1))
        .map(|rest| rest.split('"').next().unwrap().to_owned())
        .collect();
    let without: BTreeSet<String> = WITHOUT.iter().map(|(page, _)| (*page).to_owned()).collect();
    let pages = pages();
    for page in &pages {
        assert!(
            read.contains(page) != without.contains(page),
            "{page}: say in tests/truth what its numbers go by, or why it has none; not both"
        );
    }
    let gone: Vec<_> = read.union(&without).filter(|page| !pages.contains(*page)).collect();
    assert!(gone.is_empty(), "no such pages: {gone:?}");
}

/// The documents, the header of C, and the files of Rust whose first comment is a page of the documentation of a public module.
fn pages() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = |folder: &str, endings: &[&str]| -> Vec<String> {
        let entries = std::fs::read_dir(root.join(folder)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names
            .filter(|name| endings.iter().any(|ending| name.ends_with(ending)))
            .map(|name| format!("{folder}/{name}").trim_start_matches('/').to_owned())
            .collect()
    };
    let mut pages =
        BTreeSet::from(["src/lib.rs", "src/client/builder.rs", "src/client/handle.rs"].map(str::to_owned));
    pages.extend(files("", &[".md"]));
    pages.extend(files("docs", &[""]));
    pages.extend(files("include", &[".h", ".hpp"]));
    let library = std::fs::read_to_string(root.join("src/lib.rs")).unwrap();
    let modules = library.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    pages.extend(modules.map(|module| format!("src/{module}/mod.rs")));
    pages
}
