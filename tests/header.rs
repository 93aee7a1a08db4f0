//! include/homing.h is what the sources say, noun by noun.
//!
//! With `HOMING_BLESS=1` in the environment it is written anew.
#![allow(clippy::unwrap_used, reason = "a test that cannot read the sources has to fail")]

use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

/// The files of src/ffi that have something for C, in an order in which a type comes before its use.
const NOUNS: [&str; 34] = [
    "view",
    "version",
    "status",
    "string",
    "error",
    "address",
    "settings",
    "state",
    "failure",
    "snapshot",
    "proof",
    "location",
    "medium",
    "lane",
    "report",
    "outbox",
    "event_kind",
    "event",
    "consent",
    "identity",
    "options",
    "handle",
    "client",
    "call",
    "reporting",
    "outcome",
    "action",
    "engine",
    "input",
    "registration",
    "verdict",
    "judgement",
    "policy",
    "whereabouts",
];

/// The files that have nothing.
const INSIDE: [&str; 4] = ["boundary", "mod", "text", "user_data"];

#[test]
fn the_header_is_what_the_sources_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let made = header(root);
    let path = root.join("include/homing.h");
    if env::var_os("HOMING_BLESS").is_some() {
        fs::create_dir_all(root.join("include")).unwrap();
        fs::write(&path, &made).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(made == committed, "include/homing.h is out of date; run this test with HOMING_BLESS=1");
}

#[test]
fn every_file_of_the_boundary_is_in_the_header_or_known_to_be_inside() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ffi");
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    let mut known: Vec<_> = NOUNS.iter().chain(&INSIDE).copied().collect();
    known.sort_unstable();
    assert_eq!(names, known);
}

fn header(root: &Path) -> String {
    let page = fs::read_to_string(root.join("docs/c-api.md")).unwrap();
    let (mut handles, mut rest) = (section("Handles."), String::new());
    for noun in NOUNS {
        let source = root.join(format!("src/ffi/{noun}.rs"));
        let story = fs::read_to_string(&source).unwrap();
        let (title, before) = (section(story.lines().next().unwrap().trim_start_matches("//! ")), rest.len());
        let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).unwrap();
        let mut made = Vec::new();
        cbindgen::Builder::new().with_config(config).with_src(source).generate().unwrap().write(&mut made);
        for block in String::from_utf8(made).unwrap().trim().split("\n\n") {
            // Handles come before everything that is given one, which may be in an earlier file.
            let part = if block.contains("\ntypedef struct homing_") && !block.contains('{') {
                &mut handles
            } else {
                &mut rest
            };
            write!(part, "{}\n\n", block.trim()).unwrap();
        }
        // A file that has only a handle needs no heading.
        if rest.len() > before {
            rest.insert_str(before, &title);
        }
    }
    let made = format!(
        "// homing.h - made by tests/header.rs from src/ffi. Do not edit.\n//\n{}\n\
         #ifndef HOMING_H\n#define HOMING_H\n\n\
         #include <stddef.h>\n#include <stdint.h>\n\n\
         #ifdef __cplusplus\nextern \"C\" {{\n#endif\n\n\
         {handles}{rest}\
         #ifdef __cplusplus\n}} // extern \"C\"\n#endif\n\n#endif // HOMING_H\n",
        conventions(&page)
    );
    // ASCII, so that no compiler asks in which character set it is written.
    let made = made.replace('…', "...").replace('`', "");
    assert!(made.is_ascii(), "{:?}", made.chars().find(|c| !c.is_ascii()));
    made.lines().map(|line| negative_in_brackets(line) + "\n").collect()
}

fn section(title: &str) -> String {
    format!("// {}\n// {title}\n\n", "-".repeat(96))
}

/// The conventions of the page, as a comment.
fn conventions(page: &str) -> String {
    let (_, rest) = page.split_once("<!-- conventions begin -->\n").unwrap();
    let (text, _) = rest.split_once("<!-- conventions end -->").unwrap();
    text.lines().fold(String::new(), |all, line| all + format!("// {line}").trim_end() + "\n")
}

/// `#define NAME -1` could be torn apart where it is used.
fn negative_in_brackets(line: &str) -> String {
    match line.rsplit_once(" -") {
        Some((name, number)) if line.starts_with("#define ") => format!("{name} (-{number})"),
        Some(_) | None => line.to_owned(),
    }
}
